"""The transform without padding: against sums in loops, and against the padded one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.wavelets.filters import Wavelet, filter_bank, log_periods
from wavebind.wavelets.finite import (
    CUT_ENERGY,
    finite_filters,
    finite_operator,
    finite_positions,
    longest_that_fits,
    reach,
)
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig
from wavebind.wavelets.task import TransformTask
from wavebind.wavelets.transforms import make_transform

WAVELETS = [Wavelet(beta=2.0), Wavelet(beta=6.0), Wavelet("morlet"), Wavelet("dog")]
PERIODS = log_periods(2, 14, 7)


@pytest.mark.parametrize("wavelet", WAVELETS, ids=str)
@pytest.mark.parametrize("method", ["matrix", "convolution"])
@pytest.mark.parametrize(("length", "stride"), [(120, 1), (121, 2), (131, 5)])
def test_every_coefficient_is_a_sum_over_its_filter(wavelet, method, length, stride):
    signal = np.random.default_rng(0).normal(size=length)
    filters = finite_filters(wavelet, PERIODS, "l2")
    widest = max(len(f) for f in filters) // 2
    rows = []
    for kernel in filters:
        r = len(kernel) // 2
        middles = range(widest, length - widest, stride)
        rows.append([sum(signal[t - k] * kernel[r + k] for k in range(-r, r + 1)) for t in middles])
    transform = make_transform(method, wavelet, PERIODS, length, "l2", stride, "none")
    found = transform(torch.from_numpy(signal).float()[None, None])[0, 0].numpy()
    assert finite_positions(wavelet, PERIODS, length, stride) == (widest, len(rows[0]))
    np.testing.assert_allclose(found[0] + 1j * found[1], np.array(rows), atol=2e-5)


@pytest.mark.parametrize("wavelet", WAVELETS, ids=str)
def test_what_is_cut_off_holds_a_thousandth_of_the_energy(wavelet):
    for period in (16.0, 40.0):
        impulse = np.fft.ifft(filter_bank(wavelet, np.array([period]), 4096, "l2")[0])
        r = reach(wavelet, period)
        kept = (np.abs(impulse[np.arange(-r, r + 1)]) ** 2).sum()
        assert 0 < 1 - kept < 1.2 * CUT_ENERGY
        (kernel,) = finite_filters(wavelet, np.array([period]), "l2")
        assert (np.abs(kernel) ** 2).sum() == pytest.approx(1)
        np.testing.assert_allclose(kernel, impulse[np.arange(-r, r + 1)], rtol=2e-3, atol=1e-6)


def test_a_long_window_has_nearly_the_padded_coefficients_inside():
    config = ScalogramConfig(
        wavelet=Wavelet(beta=4.0), n_scales=6, min_period=8, max_period=24, padding="none"
    )
    finite, padded = Scalogram(config, 300), Scalogram(replace(config, padding="zero"), 300)
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (3, 300)).astype(np.uint8))
    there = padded(codes)[..., finite.first : finite.first + finite.positions]
    share = (finite(codes) - there).square().mean() / there.square().mean()
    assert share < 3 * CUT_ENERGY


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_scalogram_of_a_window_is_part_of_that_of_a_stretch(stride):
    config = ScalogramConfig(
        wavelet=Wavelet(beta=4.0), n_scales=9, max_period=20, padding="none", stride=stride
    )
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 5, (2, 600)).astype(np.uint8))
    long = Scalogram(config, 600)(codes)
    window = Scalogram(config, 200)
    found = window(codes[:, 40 * stride : 40 * stride + 200])
    torch.testing.assert_close(found, long[..., 40 : 40 + window.positions], atol=1e-5, rtol=1e-4)


def test_the_longest_period_leaves_half_of_the_window():
    wavelet = Wavelet(beta=4.0)
    assert longest_that_fits(wavelet, 400, 2.0, 32.0) == 32.0
    for length in (48, 100, 101):
        period = longest_that_fits(wavelet, length, 2.0, 32.0)
        assert reach(wavelet, period) <= length // 4 < reach(wavelet, 1.1 * period)
        config = ScalogramConfig(wavelet=wavelet, n_scales=4, max_period=32, padding="none")
        assert config.periods(length)[-1] == pytest.approx(period)
        assert Scalogram(config, length).positions >= length // 2


def test_what_has_no_room_says_so():
    wavelet = Wavelet(beta=60.0)
    with pytest.raises(InputError, match="no wavelet above 2 bp has room in a window of 30 bp"):
        longest_that_fits(wavelet, 30, 2.0, 32.0)
    with pytest.raises(InputError, match=r"the wavelet of 20 bp reads .* bp and does not fit"):
        finite_operator(TransformTask(wavelet, np.array([20.0]), 60, "l1", 1, "none", False))
    with pytest.raises(InputError, match="choose the method matrix or convolution"):
        make_transform("fourier", Wavelet(), np.array([4.0]), 60, "l1", 1, "none")


def test_derivatives_are_those_of_the_coefficients():
    wavelet, periods = Wavelet(beta=6.0), np.array([20.0])
    signal = torch.from_numpy(np.cos(2 * np.pi * np.arange(400) / 20)).float()[None, None]
    value, slope = (
        make_transform("convolution", wavelet, periods, 400, "l1", 1, "none", derivative=d)(signal)
        for d in (False, True)
    )
    value, slope = (x[0, 0, 0, 0].numpy() for x in (value, slope))
    numeric = np.gradient(value)[5:-5]
    np.testing.assert_allclose(slope[5:-5], numeric, atol=0.03 * np.abs(numeric).max())
