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
    step : int
        Base pairs of a step.
    """

    codes: Codes
    at: NDArray[np.int64]
    window: NDArray[np.int64]
    step: int


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
    parts: list[tuple[int, int, int]] = []
    end = 0
    phases = starts % step
    for phase in range(step):
        mine = np.flatnonzero(phases == phase)
        if not len(mine):
            continue
        index = (starts[mine] - phase) // step
        # Where windows have a gap longer than themselves, nothing is shared over it.
        gaps = np.flatnonzero(np.diff(index) * step >= length) + 1
        for run in np.split(np.arange(len(index)), gaps):
            first, last = int(index[run[0]]), int(index[run[-1]])
            begin, n_bases = phase + first * step, (last - first) * step + length
            parts.append((end * step, begin, n_bases))
            at[mine[run]] = end + index[run] - first
            end += -(-n_bases // step)
    packed = np.full((len(codes), end * step), UNKNOWN, dtype=np.uint8)
    for here, begin, n_bases in parts:
        packed[:, here : here + n_bases] = codes[:, begin : begin + n_bases]
    order = np.argsort(at)
    return Packed(packed, at[order], order, step)
