"""The transform as a matrix, and how long its signals are padded."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from wavebind.wavelets.filters import (
    Norm,
    Wavelet,
    filter_bank,
    frequency_response,
    peak_frequency,
    time_spread,
)
from wavebind.wavelets.finite import finite_operator
from wavebind.wavelets.task import Padding, TransformTask

__all__ = ["NYQUIST_LIMIT", "SUPPORT_SPREADS", "padded_length", "wavelet_operator"]

#: A wavelet has fallen below 1e-7 of its peak this many spreads from its middle.
SUPPORT_SPREADS = 8.0
#: A response below this fraction of its peak at the Nyquist frequency has died out.
NYQUIST_LIMIT = 1e-7
#: A dense operator of more numbers (4 GiB while it is made) is refused.
MAX_OPERATOR_ENTRIES = 2**28
#: Bases whose responses are added at once.
_PLACES = 16


def padded_length(wavelet: Wavelet, period: float, length: int, padding: Padding) -> int:
    """Length of the Fourier transform for one scale, in base pairs.

    Parameters
    ----------
    wavelet : Wavelet
    period : float
        Base pairs.
    length : int
        Of the window.
    padding : {"zero", "reflect", "periodic"}

    Returns
    -------
    int
        With zeros, a power of two long enough that no wavelet wraps around into the window. A
        wavelet that is still strong at the Nyquist frequency rings on and gets twice the room. A
        periodic signal has its own length, a reflected one (whole-sample, the edges not repeated,
        as in :func:`numpy.pad`) the period ``2 * length - 2``.
    """
    if padding == "periodic":
        return length
    if padding == "reflect":
        return max(2 * length - 2, 1)
    reach = math.ceil(SUPPORT_SPREADS * time_spread(wavelet) * period)
    if not _dies_out(wavelet, period):
        reach = max(reach, 2 * length)
    return 1 << (2 * length + reach - 1).bit_length()


def _dies_out(wavelet: Wavelet, period: float) -> bool:
    """Whether the response at the Nyquist frequency is as good as nothing."""
    peak = peak_frequency(wavelet)
    size = np.abs(frequency_response(wavelet, np.array([peak * period / 2, peak])))
    return bool(size[0] < NYQUIST_LIMIT * size[1])


def _groups(
    wavelet: Wavelet, periods: NDArray[np.float64], length: int, padding: Padding
) -> list[tuple[int, NDArray[np.int64]]]:
    """Runs of neighbouring scales that share a length of the Fourier transform, in their order."""
    lengths = np.array([padded_length(wavelet, float(p), length, padding) for p in periods])
    runs = np.split(np.arange(len(lengths)), np.flatnonzero(np.diff(lengths)) + 1)
    return [(int(lengths[run[0]]), run) for run in runs]


def _spectrum_length(
    wavelet: Wavelet, periods: NDArray[np.float64], length: int, padding: Padding
) -> int:
    """Length of the Fourier transform that serves all scales."""
    if padding == "zero":
        return 1 << (2 * length - 2).bit_length()
    return padded_length(wavelet, float(periods[0]), length, padding)


def _sources(n: int, length: int, padding: Padding) -> NDArray[np.int64]:
    """For each place of the padded signal the base that it repeats; -1 is zero."""
    place = np.arange(n)
    if padding == "periodic" or length == 1:
        return place % length
    if padding == "reflect":
        return np.minimum(place, n - place)
    return np.where(place < length, place, -1)


def wavelet_operator(
    wavelet: Wavelet,
    periods: NDArray[np.float64],
    length: int,
    norm: Norm,
    stride: int = 1,
    padding: Padding = "zero",
    *,
    derivative: bool = False,
) -> NDArray[np.complex128]:
    """The transform of one window as a matrix.

    Parameters
    ----------
    wavelet : Wavelet
    periods : numpy.ndarray
        Shape ``(scale,)``, base pairs.
    length : int
        Window length in base pairs.
    norm : {"l1", "l2"}
    stride : int
        One output position in `stride`, from position 0.
    padding : {"zero", "reflect", "periodic", "none"}
        With ``"none"`` see :func:`wavebind.wavelets.finite.finite_operator`.
    derivative : bool
        Of the coefficients along the positions, instead of the coefficients.

    Returns
    -------
    numpy.ndarray
        ``complex128``, shape ``(length, scale, ceil(length / stride))``, without padding fewer
        positions. Entry ``[u, s, t]`` is
        what a unit impulse at base ``u`` gives at scale ``s`` and position ``stride * t``.
    """
    if padding == "none":
        return finite_operator(
            TransformTask(wavelet, periods, length, norm, stride, padding, derivative)
        )
    kept = np.arange(0, length, stride)
    operator = np.zeros((length, len(periods), len(kept)), dtype=np.complex128)
    for n, members in _groups(wavelet, periods, length, padding):
        bank = filter_bank(wavelet, periods[members], n, norm, derivative=derivative)
        impulse = np.fft.ifft(bank, axis=1)
        sources = _sources(n, length, padding)
        places = np.flatnonzero(sources >= 0)
        # A few places at a time, never over a fold of "reflect": no base occurs twice among them.
        stretches = [places[at : at + length] for at in range(0, len(places), length)]
        for some in (s[at : at + _PLACES] for s in stretches for at in range(0, len(s), _PLACES)):
            found = impulse[:, (kept - some[:, None]) % n].transpose(1, 0, 2)
            operator[sources[some][:, None], members] += found
    return operator
