"""Unbound windows: open chromatin, GC-matched, flanking; and how many there must be of them.

Shuffled windows have no place on the genome; they are made in :mod:`wavebind.genome.shuffling`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.datasets.from_peaks.matching import Tolerance, match_composition
from wavebind.genome.genomes import Genome
from wavebind.genome.peaks import not_overlapping, windows_around

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "KINDS",
    "BackgroundConfig",
    "Tiling",
    "accessible_candidates",
    "choose",
    "flank_candidates",
    "flanks_each_side",
    "genome_tiling",
    "n_tilings",
    "needed",
    "shortfall",
]

#: Windows of a genome that are looked at for a matched background, at most, if it is small.
_MAX_CANDIDATES = 8_000_000
#: In the order in which they are chosen: a later kind keeps clear of the earlier ones.
KINDS = ("accessible", "flank", "gc", "shuffle")
_LOOSER = {
    "accessible": "give more regions with --accessible, lower background.ratio or background.gap, "
    "or take what there is with --set background.ratio=all",
    "flank": "lower background.ratio or background.gap, take what there is with --set "
    "background.ratio=all, or add another background",
    "shuffle": "lower background.ratio, or use another background",
}
_MATCHED = (
    "lower background.ratio or background.gap, raise background.gc_tolerance, or use more "
    "chromosomes or accessible regions"
)


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


@dataclass(frozen=True)
class Tiling:
    """Windows that tile a chromosome where nothing is forbidden.

    Attributes
    ----------
    offset, step : int
        First base of the first window, and from one to the next.
    low, high : numpy.ndarray
        ``int64``, shape ``(interval,)``: where forbidden stretches begin and end, sorted and
        disjoint.
    """

    offset: int
    step: int
    low: NDArray[np.int64]
    high: NDArray[np.int64]

    def starts(self, size: int, length: int) -> NDArray[np.int64]:
        """First bases of the windows, on a chromosome of `size` bases."""
        start = np.arange(self.offset, size - length + 1, self.step, dtype=np.int64)
        clear: NDArray[np.int64] = start[
            np.searchsorted(self.low, start + length, side="left")
            == np.searchsorted(self.high, start, side="right")
        ]
        return clear


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


def n_tilings(n_bases: int, length: int) -> int:
    """How many times a genome is tiled for candidates: up to four times where it is small.

    Tilings are shifted against each other, so that windows of different ones overlap. More of
    them find more windows of a rare composition, and take more memory.
    """
    return int(np.clip(_MAX_CANDIDATES * length // max(n_bases, 1), 1, min(4, length)))


def genome_tiling(
    chrom: str,
    chrom_length: int,
    length: int,
    tilings: int,
    forbidden: pd.DataFrame,
    rng: np.random.Generator,
) -> Tiling:
    """Windows about `length` / `tilings` apart, from a random offset, where they may lie."""
    step = max(1, length // tilings)
    offset = 0
    if chrom_length >= length:
        offset = int(rng.integers(0, min(step, chrom_length - length + 1)))
    here = forbidden[forbidden["chrom"].to_numpy() == chrom]
    return Tiling(offset, step, here["start"].to_numpy(), here["end"].to_numpy())


def needed(ratio: float, n_bound: int) -> int:
    """Unbound windows for so many bound ones."""
    return max(1, round(ratio * n_bound))


def shortfall(
    kind: str, part: str, wanted: int, found: int, detail: str = "", *, matched: bool = False
) -> InputError:
    """The error for too few candidates."""
    looser = _MATCHED if matched else _LOOSER[kind]
    return InputError(
        f"background {kind!r}: the {part} part needs {wanted:,} windows and {found:,} "
        f"candidates were found{detail}; {looser}"
    )


def choose(
    kind: str,
    part: str,
    table: pd.DataFrame,
    bound: pd.DataFrame,
    config: BackgroundConfig,
    rng: np.random.Generator,
    notes: list[str],
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
    notes : list of str
        Where it is said how many windows are matched less closely than asked.

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
        tolerance = Tolerance(config.gc_tolerance, config.repeat_tolerance)
        chosen, n_far = match_composition(bound, table, n, tolerance, rng)
        if len(chosen) < n:
            detail = (
                f" that match in GC within {config.gc_tolerance:.0%} and in repeats within "
                f"{config.repeat_tolerance:.0%}, of {found:,} in all"
            )
            raise shortfall(kind, part, n, len(chosen), detail, matched=True)
        if n_far:
            notes.append(
                f"background {kind!r}, {part}: {n_far:,} of {n:,} windows match a bound window of "
                f"rare composition less closely than GC within {config.gc_tolerance:.0%} and "
                f"repeats within {config.repeat_tolerance:.0%}"
            )
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
