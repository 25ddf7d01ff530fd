import math

import numpy as np
import pytest

from wavebind.core.errors import InputError
from wavebind.wavelets.filters import (
    Wavelet,
    filter_bank,
    frequency_response,
    log_periods,
    peak_frequency,
    time_spread,
)

WAVELETS = [
    Wavelet(),
    Wavelet(gamma=3, beta=20),
    Wavelet(gamma=3, beta=4),
    Wavelet(gamma=9, beta=2),
    Wavelet("morlet", mu=6.0),
    Wavelet("morlet", mu=4.0),
    Wavelet("dog", order=2),
    Wavelet("dog", order=3),
]


@pytest.mark.parametrize(("gamma", "beta"), [(3, 60), (3, 4), (1, 2)])
def test_morse_is_its_formula(gamma, beta):
    # Lilly & Olhede 2009, with the constant that makes the peak 2
    omega = np.linspace(0.1, 6, 50)
    expected = 2 * (math.e * gamma / beta) ** (beta / gamma) * omega**beta * np.exp(-(omega**gamma))
    found = frequency_response(Wavelet(gamma=gamma, beta=beta), omega)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize("mu", [4.0, 6.0, 13.4])
def test_morlet_is_its_formula(mu):
    omega = np.linspace(0.01, 2 * mu, 60)
    raw = np.exp(-0.5 * (omega - mu) ** 2) - np.exp(-0.5 * mu**2) * np.exp(-0.5 * omega**2)
    found = frequency_response(Wavelet("morlet", mu=mu), omega)
    np.testing.assert_allclose(found / found[30], raw / raw[30], rtol=1e-9)


def test_mexican_hat_in_time():
    """The impulse response is the second derivative of a Gaussian (Torrence & Compo, table 1)."""
    n, period = 512, 24.0
    bank = filter_bank(Wavelet("dog", order=2), np.array([period]), n)
    time = np.fft.fftfreq(n, 1 / n)
    scale = math.sqrt(2.0) * period / (2 * math.pi)
    eta = time / scale
    hat = (1 - eta**2) * np.exp(-0.5 * eta**2)
    found = np.fft.ifft(bank[0])
    np.testing.assert_allclose(found.real / found.real[0], hat, atol=1e-9)
    assert np.abs(found.imag).max() < 1e-12


@pytest.mark.parametrize("wavelet", WAVELETS, ids=str)
def test_the_peak_is_where_it_is_said_to_be(wavelet):
    omega = np.linspace(0.01, 4 * peak_frequency(wavelet), 400_001)
    size = np.abs(frequency_response(wavelet, omega))
    assert omega[size.argmax()] == pytest.approx(peak_frequency(wavelet), abs=1e-4)
    assert size.max() == pytest.approx(2.0 if wavelet.analytic else 1.0, rel=1e-6)


@pytest.mark.parametrize("wavelet", WAVELETS, ids=str)
def test_analytic_wavelets_see_no_negative_frequency_and_none_sees_a_constant(wavelet):
    bank = filter_bank(wavelet, np.array([4.0, 16.0]), 256)
    np.testing.assert_allclose(bank[:, 0], 0, atol=1e-12)
    negative = np.abs(bank[:, 129:]).max()
    assert (negative == 0) == wavelet.analytic


@pytest.mark.parametrize("wavelet", WAVELETS[:6], ids=str)
@pytest.mark.parametrize("n", [240, 241])
def test_a_sinusoid_gives_its_amplitude_at_its_period(wavelet, n):
    cycles = 20
    period = n / cycles
    signal = 3.0 * np.cos(2 * np.pi * cycles * np.arange(n) / n + 0.4)
    bank = filter_bank(wavelet, np.array([period]), n)
    coefficients = np.fft.ifft(np.fft.fft(signal) * bank[0])
    np.testing.assert_allclose(np.abs(coefficients), 3.0, rtol=1e-6)
    expected = 2 * np.pi * cycles * np.arange(n) / n + 0.4
    np.testing.assert_allclose(
        np.exp(1j * np.angle(coefficients)), np.exp(1j * expected), atol=1e-6
    )


@pytest.mark.parametrize("n", [255, 256])
def test_l2_filters_have_unit_energy_in_time(n):
    bank = filter_bank(Wavelet(beta=20), log_periods(2, 60, 12), n, "l2")
    energy = (np.abs(np.fft.ifft(bank, axis=1)) ** 2).sum(axis=1)
    np.testing.assert_allclose(energy, 1.0, rtol=1e-12)


@pytest.mark.parametrize("wavelet", [WAVELETS[0], WAVELETS[1], WAVELETS[4]], ids=str)
def test_time_spread_is_the_standard_deviation_of_the_energy(wavelet):
    n, period = 4096, 64.0
    impulse = np.fft.ifft(filter_bank(wavelet, np.array([period]), n)[0])
    time = np.fft.fftfreq(n, 1 / n)
    energy = np.abs(impulse) ** 2
    spread = math.sqrt((energy * time**2).sum() / energy.sum()) / period
    assert time_spread(wavelet) == pytest.approx(spread, rel=0.05)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n", [50, 51, 200, 201, 1000, 2001, 10_000])
@pytest.mark.parametrize(("gamma", "beta"), [(3, 60), (3, 20)])
def test_morse_transform_agrees_with_ssqueezepy(n, gamma, beta):
    ssqueezepy = pytest.importorskip("ssqueezepy")
    signal = np.random.default_rng(n).normal(size=n)
    wavelet = Wavelet(gamma=gamma, beta=beta)
    periods = log_periods(2, n / 2, 24)
    scales = peak_frequency(wavelet) * periods / (2 * np.pi)
    theirs, _ = ssqueezepy.cwt(
        signal, ("gmw", {"gamma": gamma, "beta": beta}), scales=scales, padtype=None, l1_norm=True
    )
    ours = np.fft.ifft(np.fft.fft(signal) * filter_bank(wavelet, periods, n), axis=1)
    error = np.abs(theirs - ours).max(axis=1) / np.abs(ours).max(axis=1)
    assert error.max() < 1e-5


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n", [50, 51, 200, 201, 1000, 2001, 10_000])
@pytest.mark.parametrize("mu", [6.0, 13.4])
def test_morlet_transform_agrees_with_ssqueezepy(n, mu):
    """Up to its height, which ssqueezepy does not make 2, and its negative frequencies.

    Its Morlet wavelet keeps the little that the formula has below zero (1e-8 of the peak at mu 6);
    ours is analytic.
    """
    ssqueezepy = pytest.importorskip("ssqueezepy")
    signal = np.random.default_rng(n).normal(size=n)
    wavelet = Wavelet("morlet", mu=mu)
    periods = log_periods(2, n / 2, 24)
    scales = peak_frequency(wavelet) * periods / (2 * np.pi)
    theirs, _ = ssqueezepy.cwt(
        signal, ("morlet", {"mu": mu}), scales=scales, padtype=None, l1_norm=True
    )
    ours = np.fft.ifft(np.fft.fft(signal) * filter_bank(wavelet, periods, n), axis=1)
    height = np.vdot(ours, theirs) / np.vdot(ours, ours)
    error = np.abs(theirs / height - ours).max(axis=1) / np.abs(ours).max(axis=1)
    assert error.max() < 1e-5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "haar"}, "wavelet 'haar' is not known"),
        ({"beta": 0.0}, "wavelet beta must be a positive number; found 0.0"),
        ({"gamma": float("nan")}, "wavelet gamma must be a positive number"),
        ({"kind": "morlet", "mu": 2.0}, "morlet mu must be at least 4"),
        ({"kind": "dog", "order": 0}, "order must be 1 or more"),
    ],
)
def test_wavelets_that_are_not(settings, message):
    with pytest.raises(InputError, match=message):
        Wavelet(**settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.5, 20, 4), "shortest period must be 2 bp or more"),
        ((2, 20, 0), "number of scales must be 1 or more"),
        ((20, 2, 4), "longest period .2 bp. must exceed the shortest .20 bp."),
    ],
)
def test_periods_that_are_not(arguments, message):
    with pytest.raises(InputError, match=message):
        log_periods(*arguments)


def test_norms_that_are_not():
    with pytest.raises(InputError, match="norm 'l3' is not known"):
        filter_bank(Wavelet(), np.array([4.0]), 16, "l3")
