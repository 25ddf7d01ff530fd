"""Unbound windows: open chromatin, GC-matched, flanking; and how many there must be of them.

Shuffled windows have no place on the genome; they are made in :mod:`wavebind.shuffling`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wavebind.errors import InputError
from wavebind.genomes import Genome
from wavebind.intervals import overlapping
from wavebind.peaks import not_overlapping, windows_around

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "KINDS",
    "BackgroundConfig",
    "accessible_candidates",
    "choose",
    "flank_candidates",
    "flanks_each_side",
    "genomic_starts",
    "match_composition",
    "needed",
    "shortfall",
]

#: In the order in which they are chosen: a later kind keeps clear of the earlier ones.
KINDS = ("accessible", "flank", "gc", "shuffle")
_LOOSER = {
    "accessible": "give more regions with --accessible, lower --ratio or --gap, or pass "
    "--ratio all to take what there is",
    "flank": "lower --ratio or --gap, pass --ratio all to take what there is, or add another "
    "background",
    "gc": "lower --ratio or --gap, raise --gc-tolerance, or use more chromosomes",
    "shuffle": "lower --ratio, or use another background",
}


@dataclass(frozen=True)
class BackgroundConfig:
    """How unbound windows are chosen.

    Attributes
    ----------
    kinds : tuple of str
        Of :data:`KINDS`.
    ratio : float or None
        Windows of each kind for each bound window, in each part; None takes every candidate.
    gap : int
        Base pairs around every peak, and every bound window, that no unbound window touches.
    match_gc : bool
        Whether ``accessible`` and ``flank`` windows are matched to the bound ones in GC and
        repeat content, as ``gc`` windows always are.
    gc_tolerance : float
        How far the GC fraction of a matched window may be from that of its bound window.
    repeat_tolerance : float
        The same for the fraction of soft-masked bases.
    """

    kinds: tuple[str, ...] = ("accessible",)
    ratio: float | None = 1.0
    gap: int = 300
    match_gc: bool = False
    gc_tolerance: float = 0.02
    repeat_tolerance: float = 0.25

    def __post_init__(self) -> None:
        unknown = [k for k in self.kinds if k not in KINDS]
        if unknown or not self.kinds:
            raise InputError(
                f"background {', '.join(map(repr, unknown)) or 'of no kind'} is not known; choose "
                f"among {', '.join(KINDS)}"
            )
        if len(set(self.kinds)) < len(self.kinds):
            raise InputError(f"background {', '.join(self.kinds)} names a kind twice")
        if self.ratio is not None and not 0 < self.ratio <= 1000:
            raise InputError(f"ratio {self.ratio:g} is not above 0 and at most 1000")
        if self.ratio is None and (self.match_gc or {"gc", "shuffle"} & set(self.kinds)):
            raise InputError(
                "a ratio of all is for accessible and flank windows that are not matched; of "
                "others there is no end: name a number"
            )
        if not 0 <= self.gap <= 10_000_000:
            raise InputError(f"gap {self.gap} bp is not between 0 and 10,000,000")
        for name in ("gc_tolerance", "repeat_tolerance"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} {getattr(self, name):g} is not between 0 and 1")

    def matched(self, kind: str) -> bool:
        """Whether windows of this kind are matched in composition."""
        return kind == "gc" or (self.match_gc and kind in ("accessible", "flank"))


def accessible_candidates(regions: pd.DataFrame, length: int, genome: Genome) -> pd.DataFrame:
    """Windows in the middle (at the summit, where there is one) of accessible regions.

    Returns
    -------
    pandas.DataFrame
        ``chrom``, ``start``, ``end``; none overlaps another.
    """
    windows, _ = windows_around(regions, length, genome)
    return not_overlapping(windows)


def flank_candidates(near: pd.DataFrame, length: int, n_each: int, genome: Genome) -> pd.DataFrame:
    """Windows side by side on both flanks of regions.

    Parameters
    ----------
    near : pandas.DataFrame
        Disjoint, sorted: what no unbound window may touch around the peaks.
    length : int
        Of a window.
    n_each : int
        Windows on each side.

    Returns
    -------
    pandas.DataFrame
        ``chrom``, ``start``, ``end`` and ``rank`` (0 is nearest); none overlaps another.
    """
    import pandas as pd

    chrom = near["chrom"].to_numpy()
    tables = []
    for rank in range(n_each):
        for start in (
            near["start"].to_numpy() - (rank + 1) * length,
            near["end"].to_numpy() + rank * length,
        ):
            tables.append(
                pd.DataFrame({"chrom": chrom, "start": start, "end": start + length, "rank": rank})
            )
    table = pd.concat(tables, ignore_index=True)
    lengths = table["chrom"].map(genome.lengths).to_numpy(dtype=np.int64)
    inside = (table["start"].to_numpy() >= 0) & (table["end"].to_numpy() <= lengths)
    table = table[inside].reset_index(drop=True)
    return not_overlapping(table, -table["rank"].to_numpy(dtype=np.float64))


def genomic_starts(
    chrom: str,
    chrom_length: int,
    length: int,
    forbidden: pd.DataFrame,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Starts of windows that tile a chromosome from a random offset, where nothing is forbidden.

    Returns
    -------
    numpy.ndarray
        ``int64``, shape ``(window,)``, ascending.
    """
    if chrom_length < length:
        return np.empty(0, dtype=np.int64)
    offset = int(rng.integers(0, min(length, chrom_length - length + 1)))
    start = np.arange(offset, chrom_length - length + 1, length, dtype=np.int64)
    return start[~overlapping(chrom, start, start + length, forbidden)]


def needed(ratio: float, n_bound: int) -> int:
    """Unbound windows for so many bound ones."""
    return max(1, round(ratio * n_bound))


def shortfall(kind: str, part: str, wanted: int, found: int, detail: str = "") -> InputError:
    """The error for too few candidates."""
    return InputError(
        f"background {kind!r}: the {part} part needs {wanted:,} windows and {found:,} "
        f"candidates were found{detail}; {_LOOSER[kind]}"
    )


def match_composition(
    target_gc: NDArray[np.float64],
    target_repeat: NDArray[np.float64],
    gc: NDArray[np.float64],
    repeat: NDArray[np.float64],
    n: int,
    config: BackgroundConfig,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Choose candidates with the GC and repeat content of the bound windows.

    Every bound window asks for its share of the `n`. It is served by a random candidate of its
    own 1 % step of GC and 20 % step of repeats, and where those are used up by one of the nearest
    step within the tolerances; of two that are equally near, the one with more candidates left.

    Parameters
    ----------
    target_gc, target_repeat : numpy.ndarray
        Fractions of the bound windows, shape ``(bound,)``.
    gc, repeat : numpy.ndarray
        Fractions of the candidates, shape ``(candidate,)``.
    n : int
        How many to choose.
    config : BackgroundConfig
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        ``int64``, ascending indices of candidates; fewer than `n` where they do not suffice.
    """
    reach_gc, reach_repeat = math.floor(config.gc_tolerance * 100), _steps(config.repeat_tolerance)
    # Every bound window once, as often as it goes; the rest at random.
    whole = np.tile(np.arange(len(target_gc)), n // len(target_gc))
    rest = rng.choice(len(target_gc), n - len(whole), replace=False)
    asking = np.concatenate([whole, rest])
    wanted = _bins(target_gc, target_repeat)[asking]
    have = _bins(gc, repeat)
    order = rng.permutation(len(gc))
    order = order[np.argsort(have[order], kind="stable")]
    values, first = np.unique(have[order], return_index=True)
    # Of each step, the stretch of `order` that is still to be had.
    stock = {
        int(v): [int(a), int(b)]
        for v, a, b in zip(values, first, np.r_[first[1:], len(order)], strict=True)
    }

    def left_in(step: int) -> int:
        a, b = stock.get(step, (0, 0))
        return b - a

    steps = sorted(
        (
            (i, j)
            for i in range(-reach_gc, reach_gc + 1)
            for j in range(-reach_repeat, reach_repeat + 1)
        ),
        key=lambda s: abs(s[0]) / (reach_gc + 1) + abs(s[1]) / (reach_repeat + 1),
    )
    groups: dict[float, list[tuple[int, int]]] = {}
    for i, j in steps:
        distance = round(abs(i) / (reach_gc + 1) + abs(j) / (reach_repeat + 1), 9)
        groups.setdefault(distance, []).append((i, j))
    # Near steps for everyone before far ones for anyone.
    chosen: list[NDArray[np.int64]] = []
    asked = {int(v): int(c) for v, c in zip(*np.unique(wanted, return_counts=True), strict=True)}
    for group in groups.values():
        for step in asked:
            near = [step + _STRIDE * i + j for i, j in group]
            while asked[step]:
                best = max(near, key=left_in)
                take = min(asked[step], left_in(best) if len(near) == 1 else min(left_in(best), 1))
                if not take:
                    break
                stock[best][1] -= take
                chosen.append(order[stock[best][1] : stock[best][1] + take])
                asked[step] -= take
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, dtype=np.int64)


#: Steps of repeats are numbered from 0 within a step of GC; far apart enough not to run over.
_STRIDE = 64
_REPEAT_STEPS = 5


def _steps(tolerance: float) -> int:
    return math.floor(tolerance * _REPEAT_STEPS)


def _bins(gc: NDArray[np.float64], repeat: NDArray[np.float64]) -> NDArray[np.int64]:
    step = np.ceil(np.clip(repeat, 0, 1) * _REPEAT_STEPS - 1e-9).astype(np.int64)
    found: NDArray[np.int64] = (
        _STRIDE * (np.floor(gc * 100 + 1e-9).astype(np.int64) + 1) + 16 + step
    )
    return found


def choose(
    kind: str,
    part: str,
    table: pd.DataFrame,
    bound: pd.DataFrame,
    config: BackgroundConfig,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Choose the windows of one kind for one part.

    Parameters
    ----------
    kind, part : str
    table, bound : pandas.DataFrame
        Candidates and bound windows of the part, with the fractions ``gc`` and ``repeat`` where
        windows are matched, and ``rank`` for flanks.
    config : BackgroundConfig
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        ``int64``, ascending rows of `table`.

    Raises
    ------
    InputError
        If there are too few.
    """
    found = len(table)
    if config.ratio is None:
        if not found:
            raise shortfall(kind, part, 1, 0)
        return np.arange(found)
    n = needed(config.ratio, len(bound))
    if config.matched(kind):
        target_gc, target_repeat = bound["gc"].to_numpy(), bound["repeat"].to_numpy()
        gc, repeat = table["gc"].to_numpy(), table["repeat"].to_numpy()
        chosen = match_composition(target_gc, target_repeat, gc, repeat, n, config, rng)
        if len(chosen) < n:
            detail = (
                f" that match in GC within {config.gc_tolerance:.0%} and in repeats within "
                f"{config.repeat_tolerance:.0%}, of {found:,} in all"
            )
            raise shortfall(kind, part, n, len(chosen), detail)
        return chosen
    if found < n:
        raise shortfall(kind, part, n, found)
    if kind == "flank":
        # The nearest first; among those of one rank, at random.
        order = np.lexsort((rng.random(found), table["rank"].to_numpy()))
        return np.sort(order[:n])
    return np.sort(rng.choice(found, n, replace=False))


def flanks_each_side(config: BackgroundConfig) -> int:
    """Windows to look at on each side of a peak."""
    ratio = 10.0 if config.ratio is None else config.ratio
    return 4 + math.ceil(2 * ratio) * (8 if config.match_gc else 1)
