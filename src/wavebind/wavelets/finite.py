"""The transform without padding: finite filters, used only where they lie inside the window.

A coefficient then depends on the bases under its filter and on nothing else: not on how long the
window is, nor on what stands beyond it. So the scalogram of a window is part of that of any longer
stretch.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.wavelets.filters import Norm, Wavelet, filter_bank
from wavebind.wavelets.task import TransformTask

__all__ = [
    "FiniteTransform",
    "finite_filters",
    "finite_operator",
    "finite_positions",
    "longest_that_fits",
    "reach",
]

#: Share of a wavelet's energy that is cut off.
CUT_ENERGY = 1e-3
#: Longer windows are convolved: fewer operations than a matrix product, at a lower rate.
MAX_FINITE_MATRIX_LENGTH = 512
#: A period at which sampling by bases no longer changes the wavelet's shape, in base pairs.
_LONG = 64.0


@cache
def _reach_in_periods(wavelet: Wavelet) -> float:
    """Periods either side of the middle beyond which the mother wavelet has 1e-3 of its energy."""
    n = 1 << 15
    energy = np.abs(np.fft.ifft(filter_bank(wavelet, np.array([_LONG]), n)[0])) ** 2
    # Both sides of the middle, by distance.
    both = energy[: n // 2].copy()
    both[1:] += energy[: n // 2 : -1]
    beyond = both.sum() - np.cumsum(both)
    return float(np.argmax(beyond < CUT_ENERGY * both.sum())) / _LONG


def reach(wavelet: Wavelet, period: float) -> int:
    """Bases either side of its middle that the finite wavelet of a period reads.

    As many periods whatever the period: beyond lies 1e-3 of the energy of a wavelet that sampling
    by bases does not change. One near 2 bp rings on, as its response ends in a step at the Nyquist
    frequency; the ringing is cut with the rest.
    """
    return max(1, math.ceil(_reach_in_periods(wavelet) * period))


def longest_that_fits(wavelet: Wavelet, length: int, shortest: float, longest: float) -> float:
    """The longest period, or the one whose finite wavelet leaves half of a window its positions.

    Parameters
    ----------
    wavelet : Wavelet
    length : int
        Of the window, in base pairs.
    shortest, longest : float
        Periods that are asked for, in base pairs.

    Raises
    ------
    InputError
        If that is not above the shortest one.
    """
    found = min(longest, (length // 4) / _reach_in_periods(wavelet))
    if found < longest and found <= shortest:
        raise InputError(
            f"without padding no wavelet above {shortest:g} bp has room in a window of {length} "
            f"bp; use longer windows, or a padding"
        )
    return found


def finite_filters(
    wavelet: Wavelet, periods: NDArray[np.float64], norm: Norm, *, derivative: bool = False
) -> list[NDArray[np.complex128]]:
    """The filters of all scales.

    Parameters
    ----------
    wavelet : Wavelet
    periods : numpy.ndarray
        Shape ``(scale,)``, base pairs.
    norm : {"l1", "l2"}
        With ``"l2"`` each has energy 1 after the cut.
    derivative : bool
        Of the coefficients along the positions, instead of the coefficients.

    Returns
    -------
    list of numpy.ndarray
        ``complex128``, each of shape ``(2 * reach + 1,)``: what a unit impulse gives at positions
        from `reach` before it to `reach` after it.
    """
    found = []
    for period in periods:
        r = reach(wavelet, float(period))
        n = 1 << (8 * r + 64).bit_length()
        bank = filter_bank(wavelet, np.array([period]), n, norm, derivative=derivative)
        impulse = np.fft.ifft(bank[0])[np.arange(-r, r + 1) % n]
        if norm == "l2" and not derivative:
            impulse /= np.sqrt((np.abs(impulse) ** 2).sum())
        found.append(impulse)
    return found


def finite_positions(
    wavelet: Wavelet, periods: NDArray[np.float64], length: int, stride: int
) -> tuple[int, int]:
    """Where the coefficients of a window lie.

    Parameters
    ----------
    wavelet : Wavelet
    periods : numpy.ndarray
        Shape ``(scale,)``, base pairs.
    length : int
        Of the window, in base pairs.
    stride : int
        One position in `stride` is kept.

    Returns
    -------
    tuple of int
        Base of the first position, from 0, and number of positions.

    Raises
    ------
    InputError
        If the widest filter is longer than the window.
    """
    first = max(reach(wavelet, float(period)) for period in periods)
    inside = length - 2 * first
    if inside < 1:
        raise InputError(
            f"the wavelet of {periods[-1]:.3g} bp reads {2 * first + 1} bp and does not fit into "
            f"a window of {length} bp; use a shorter longest period, or a padding"
        )
    return first, math.ceil(inside / stride)


def _positions(task: TransformTask) -> tuple[int, int]:
    return finite_positions(task.wavelet, task.periods, task.length, task.stride)


def _filters(task: TransformTask) -> list[NDArray[np.complex128]]:
    return finite_filters(task.wavelet, task.periods, task.norm, derivative=task.derivative)


def finite_operator(task: TransformTask) -> NDArray[np.complex128]:
    """The transform of one window as a matrix, as that of :func:`wavelet_operator` with padding.

    Returns
    -------
    numpy.ndarray
        ``complex128``, shape ``(length, scale, position)``; see :func:`finite_positions`.

    Raises
    ------
    InputError
        As :func:`finite_positions`.
    """
    first, count = _positions(task)
    operator = np.zeros((task.length, len(task.periods), count), dtype=np.complex128)
    middles = first + task.stride * np.arange(count)
    for scale, impulse in enumerate(_filters(task)):
        r = len(impulse) // 2
        for shift in range(-r, r + 1):
            operator[middles - shift, scale, np.arange(count)] = impulse[r + shift]
    return operator


class FiniteTransform(nn.Module):
    """Convolutions with the finite filters, scales of similar reach together.

    Parameters
    ----------
    task : TransformTask

    Raises
    ------
    InputError
        As :func:`finite_positions`.
    """

    def __init__(self, task: TransformTask) -> None:
        super().__init__()
        self.first, self.positions = _positions(task)
        self.stride = task.stride
        filters = _filters(task)
        reaches = np.array([len(impulse) // 2 for impulse in filters])
        octaves = np.floor(np.log2(reaches))
        self.reaches: list[int] = []
        order: list[int] = []
        for octave in np.unique(octaves):
            members = np.flatnonzero(octaves == octave)
            widest = int(reaches[members].max())
            kernel = np.zeros((len(members), 2 * widest + 1), dtype=np.complex128)
            for row, scale in enumerate(members):
                r = reaches[scale]
                # conv1d correlates: entry j of a kernel meets the base j - widest away.
                kernel[row, widest - r : widest + r + 1] = filters[scale][::-1]
            weight = torch.from_numpy(np.concatenate([kernel.real, kernel.imag])).float()
            name = f"kernel{len(self.reaches)}"
            self.register_buffer(name, weight.unsqueeze(1), persistent=False)
            self.reaches.append(widest)
            order += members.tolist()
        self.order = np.argsort(order).tolist()

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """``(batch, channel, position)`` to ``(batch, channel, part, scale, position)``."""
        batch, channels, length = signals.shape
        flat = signals.reshape(batch * channels, 1, length)
        found = []
        for i, r in enumerate(self.reaches):
            inner = flat[..., self.first - r : length - (self.first - r)]
            out = functional.conv1d(inner, getattr(self, f"kernel{i}"), stride=self.stride)
            found.append(out.view(batch, channels, 2, -1, self.positions))
        return torch.cat(found, dim=3)[:, :, :, self.order]
