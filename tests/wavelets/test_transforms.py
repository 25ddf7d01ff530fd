import numpy as np
import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.wavelets.filters import Wavelet, filter_bank, log_periods
from wavebind.wavelets.operators import wavelet_operator
from wavebind.wavelets.transforms import (
    METHODS,
    PADDINGS,
    ConvolutionTransform,
    MatrixTransform,
    choose_method,
    make_transform,
)

WAVELETS = [Wavelet(beta=4.0), Wavelet(beta=60.0), Wavelet("morlet"), Wavelet("dog", order=2)]

#: Without padding see test_finite.py.
PADDED = [p for p in PADDINGS if p != "none"]


def naive(wavelet, periods, signal, padding):
    """Pad far, multiply spectra, cut: the textbook route in float64, one scale at a time."""
    length = len(signal)
    modes = {"zero": "constant", "reflect": "reflect", "periodic": "wrap"}
    # A multiple of every period that a padded signal can have.
    far = 40 * length * (length - 1) if padding != "zero" else 40 * length
    padded = np.pad(signal, far, mode=modes[padding])
    spectrum = np.fft.fft(padded)
    rows = []
    for period in periods:
        bank = filter_bank(wavelet, np.array([period]), len(padded))[0]
        rows.append(np.fft.ifft(spectrum * bank)[far : far + length])
    return np.array(rows)


@pytest.mark.parametrize("wavelet", WAVELETS, ids=str)
@pytest.mark.parametrize("padding", PADDED)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_the_textbook_route(wavelet, padding, method):
    length = 30
    signal = np.random.default_rng(0).normal(size=length)
    periods = log_periods(9, 14, 6)
    expected = naive(wavelet, periods, signal, padding)
    transform = make_transform(method, wavelet, periods, length, "l1", 1, padding)
    found = transform(torch.from_numpy(signal).float()[None, None])[0, 0].numpy()
    np.testing.assert_allclose(found[0] + 1j * found[1], expected, atol=3e-5)


@pytest.mark.parametrize("padding", PADDED)
@pytest.mark.parametrize("stride", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("length", [50, 51, 200])
@pytest.mark.parametrize("wavelet", WAVELETS, ids=str)
def test_the_methods_agree(padding, stride, length, wavelet):
    periods = log_periods(2, length / 2, 12)
    signals = torch.randn(2, 3, length, generator=torch.Generator().manual_seed(0))
    matrix, fourier, convolution = (
        make_transform(m, wavelet, periods, length, "l1", stride, padding)(signals) for m in METHODS
    )
    assert matrix.shape == (2, 3, 2, 12, -(-length // stride))
    torch.testing.assert_close(fourier, matrix, atol=5e-6, rtol=1e-4)
    torch.testing.assert_close(convolution, matrix, atol=1e-5, rtol=1e-4)


def test_convolutions_are_used_where_they_are_exact():
    transform = make_transform(
        "convolution", Wavelet(beta=20), log_periods(2, 500, 30), 1000, "l1", 1, "zero"
    )
    assert isinstance(transform, ConvolutionTransform)
    assert len(transform.reaches) >= 3
    assert transform.rest is not None


@pytest.mark.parametrize("method", METHODS)
def test_gradients_reach_the_signal(method):
    transform = make_transform(method, Wavelet(beta=6.0), log_periods(2, 6, 4), 16, "l2", 2, "zero")
    signals = torch.randn(1, 2, 16, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(transform.double(), (signals,))


def test_short_windows_take_the_product_and_long_ones_the_fourier_transform():
    wavelet = Wavelet(beta=20)
    short = choose_method(wavelet, log_periods(2, 64, 64), 200, 1, "zero", "cpu")
    long = choose_method(wavelet, log_periods(2, 64, 64), 10_000, 1, "zero", "cpu")
    assert (short, long) == ("matrix", "fourier")


@pytest.mark.parametrize("padding", PADDED)
def test_a_long_window_stays_within_memory(padding):
    periods = log_periods(4, 64, 4)
    transform = make_transform("fourier", Wavelet(beta=4), periods, 100_001, "l1", 8, padding)
    out = transform(torch.randn(1, 1, 100_001, generator=torch.Generator().manual_seed(0)))
    assert out.shape == (1, 1, 2, 4, 12_501)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize(
    ("method", "padding", "message"),
    [
        ("magic", "zero", "method 'magic' is not known; choose one of: matrix"),
        ("matrix", "wrap", "padding 'wrap' is not known; choose one of: zero"),
    ],
)
def test_names_that_are_not(method, padding, message):
    with pytest.raises(InputError, match=message):
        make_transform(method, Wavelet(), log_periods(2, 8, 3), 20, "l1", 1, padding)


def test_low_rank_loses_nothing_that_float32_holds():
    wavelet, periods = Wavelet(beta=60.0), log_periods(2, 200, 64)
    dense = wavelet_operator(wavelet, periods, 200, "l1")
    transform = make_transform("matrix", wavelet, periods, 200, "l1", 1, "zero")
    assert isinstance(transform, MatrixTransform)
    assert sum(transform.ranks) < 3 * 200
    signals = torch.randn(4, 2, 200, generator=torch.Generator().manual_seed(0))
    expected = np.einsum("bcu,ust->bcst", signals.double().numpy(), dense)
    found = transform(signals).numpy()
    np.testing.assert_allclose(found[:, :, 0] + 1j * found[:, :, 1], expected, atol=5e-6)


def test_the_two_ways_of_the_product_agree_and_autocast_changes_the_type():
    periods = log_periods(2, 64, 32)
    transform = make_transform("matrix", Wavelet(beta=4.0), periods, 200, "l2", 2, "zero")
    signals = torch.randn(3, 4, 200, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        written = transform(signals)
    gathered = transform(signals.requires_grad_())
    assert gathered.requires_grad
    torch.testing.assert_close(gathered, written, atol=1e-5, rtol=1e-5)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = transform(signals)
    assert half.dtype == torch.bfloat16
    error = (half.float() - written).norm() / written.norm()
    assert error < 1e-2
    # A copy in another type is made once, and follows a change of type.
    assert transform.double()(signals.double()).dtype == torch.float64
