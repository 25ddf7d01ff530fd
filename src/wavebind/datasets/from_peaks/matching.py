"""Choosing candidates with the GC and repeat content of other windows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Tolerance", "match_composition"]

_GC_STEPS, _REPEAT_STEPS = 100, 5
#: Steps of repeats are numbered within a step of GC; far enough apart not to run over.
_STRIDE = 64
#: This fraction of the windows may be matched less closely.
_MAX_FAR = 0.02
#: Farther apart than any chromosome is long.
_CHROMOSOME = 2**40


@dataclass(frozen=True)
class Tolerance:
    """How far the fractions of a chosen window may be from those it is matched to."""

    gc: float
    repeat: float


def match_composition(
    targets: pd.DataFrame,
    candidates: pd.DataFrame,
    n: int,
    tolerance: Tolerance,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], int]:
    """Choose candidates with the GC and repeat content of the targets, none overlapping another.

    Every target asks for its share of the `n`. It is served by a random candidate of its own 1 %
    step of GC and 20 % step of repeats. Where those are used up, one of the nearest step within
    the tolerance serves it. Of steps that are equally near, the one with more candidates left is
    taken. The last 2 %, which ask for what is rare, may go without the tolerance if need be.

    Parameters
    ----------
    targets : pandas.DataFrame
        With the fractions ``gc`` and ``repeat``.
    candidates : pandas.DataFrame
        With ``gc`` and ``repeat``, and ``chrom``, ``start``, ``end``, sorted along the genome, all
        of one length.
    n : int
        How many to choose.
    tolerance : Tolerance
    rng : numpy.random.Generator

    Returns
    -------
    tuple of numpy.ndarray and int
        ``int64``, ascending rows of `candidates`, fewer than `n` where they do not suffice. And
        how many of them are outside the tolerance.
    """
    if not len(candidates):
        return np.empty(0, dtype=np.int64), 0
    # Every target once, as often as it goes; the rest at random.
    whole = np.tile(np.arange(len(targets)), n // len(targets))
    rest = rng.choice(len(targets), n - len(whole), replace=False)
    wanted = _steps_of(targets)[np.concatenate([whole, rest])]
    asked = {int(v): int(c) for v, c in zip(*np.unique(wanted, return_counts=True), strict=True)}
    stock = _Stock(candidates, rng)
    chosen: list[int] = []

    def serve(within: Tolerance) -> None:
        # Near steps for everyone before far ones for anyone.
        for offsets in _rings(within):
            for step in asked:
                near = [step + offset for offset in offsets]
                while asked[step]:
                    row = stock.take(max(near, key=stock.left))
                    if row is None:
                        break
                    chosen.append(row)
                    asked[step] -= 1

    serve(tolerance)
    n_close = len(chosen)
    if n - n_close <= math.ceil(_MAX_FAR * n):
        serve(_FAR)
    return np.sort(np.array(chosen, dtype=np.int64)), len(chosen) - n_close


def _steps_of(table: pd.DataFrame) -> NDArray[np.int64]:
    """A number for each window's step of GC and of repeats."""
    # Fractions are float32: 0.57 must not fall below its step.
    gc = np.floor(table["gc"].to_numpy(dtype=np.float64) * _GC_STEPS + 1e-4).astype(np.int64)
    repeat = table["repeat"].to_numpy(dtype=np.float64)
    step = np.ceil(repeat.clip(0, 1) * _REPEAT_STEPS - 1e-4).astype(np.int64)
    found: NDArray[np.int64] = _STRIDE * (gc + 1) + _STRIDE // 4 + step
    return found


def _rings(tolerance: Tolerance) -> list[list[int]]:
    """Offsets between steps within the tolerance, in groups of equal distance, nearest first."""
    reach_gc = int(tolerance.gc * _GC_STEPS + 1e-9)
    reach_repeat = int(tolerance.repeat * _REPEAT_STEPS + 1e-9)
    rings: dict[float, list[int]] = {}
    for i in range(-reach_gc, reach_gc + 1):
        for j in range(-reach_repeat, reach_repeat + 1):
            distance = abs(i) / (reach_gc + 1) + abs(j) / (reach_repeat + 1)
            rings.setdefault(round(distance, 9), []).append(_STRIDE * i + j)
    return [rings[distance] for distance in sorted(rings)]


_FAR = Tolerance(0.3, 1.0)


class _Stock:
    """The candidates of each step in random order, without those that overlap what was taken."""

    def __init__(self, candidates: pd.DataFrame, rng: np.random.Generator) -> None:
        chrom = candidates["chrom"].to_numpy()
        change = np.r_[False, chrom[1:] != chrom[:-1]]
        self._start = np.cumsum(change) * _CHROMOSOME + candidates["start"].to_numpy()
        self._length = int(candidates["end"].iloc[0] - candidates["start"].iloc[0])
        self._blocked = np.zeros(len(candidates), dtype=bool)
        step = _steps_of(candidates)
        order = rng.permutation(len(candidates))
        self._order = order[np.argsort(step[order], kind="stable")]
        values, first = np.unique(step[self._order], return_index=True)
        last = np.r_[first[1:], len(candidates)]
        self._stretch = {
            int(v): [int(a), int(b)] for v, a, b in zip(values, first, last, strict=True)
        }

    def left(self, step: int) -> int:
        """Candidates of a step that were not looked at yet."""
        first, last = self._stretch.get(step, (0, 0))
        return last - first

    def take(self, step: int) -> int | None:
        """A free candidate of a step; None if there is none."""
        stretch = self._stretch.get(step, [0, 0])
        while stretch[1] > stretch[0]:
            stretch[1] -= 1
            row = int(self._order[stretch[1]])
            if not self._blocked[row]:
                at = self._start[row]
                a = np.searchsorted(self._start, at - self._length, side="right")
                b = np.searchsorted(self._start, at + self._length, side="left")
                self._blocked[a:b] = True
                return row
        return None
