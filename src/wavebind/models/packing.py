"""What some windows of a long stretch read, without the gaps between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.genome.sequences import UNKNOWN, Codes

__all__ = ["Packed", "pack"]


@dataclass(frozen=True, eq=False)
class Packed:
    """The parts of some stretches that windows lie in, one behind the other.

    Attributes
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(stretch, base)``.
    at, window : numpy.ndarray
        ``int64``, shape ``(window,)``: where windows begin in `codes`, in steps, rising; and which
        windows they are.
    """

    codes: Codes
    at: NDArray[np.int64]
    window: NDArray[np.int64]


def pack(codes: Codes, starts: NDArray[np.int64], length: int, step: int) -> Packed:
    """Leave out what no window reads, and bring all windows into step.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(stretch, base)``.
    starts : numpy.ndarray
        ``int64``, shape ``(window,)``, rising: first base of each window.
    length : int
        Of a window, in base pairs.
    step : int
        Windows that lie a multiple of so many base pairs apart share their work. Those of different
        remainders are packed one group behind the other.
    """
    at = np.empty(len(starts), dtype=np.int64)
    parts, end = [], 0
    for phase in np.unique(starts % step).tolist():
        mine = np.flatnonzero(starts % step == phase)
        index = (starts[mine] - phase) // step
        # Where windows have a gap longer than themselves, nothing is shared over it.
        gaps = np.flatnonzero(np.diff(index) * step >= length) + 1
        for run in np.split(np.arange(len(index)), gaps):
            first, last = int(index[run[0]]), int(index[run[-1]])
            begin, n_bases = phase + first * step, (last - first) * step + length
            part = codes[:, begin : begin + n_bases]
            parts.append(np.pad(part, ((0, 0), (0, -n_bases % step)), constant_values=UNKNOWN))
            at[mine[run]] = end + index[run] - first
            end += parts[-1].shape[1] // step
    order = np.argsort(at)
    return Packed(np.concatenate(parts, axis=1), at[order], order)
