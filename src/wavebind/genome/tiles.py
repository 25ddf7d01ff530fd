"""A genome cut into tiles of window starts, always in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wavebind.genome.genomes import Genome
from wavebind.genome.sequences import MAX_UNKNOWN, UNKNOWN, Codes, letter_codes

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Tile",
    "few_unknown",
    "grid",
    "reach_grid",
    "read_codes",
    "runs",
    "tiles_of",
    "windows_of",
]


@dataclass(frozen=True)
class Tile:
    """Windows that are scored together.

    Attributes
    ----------
    chrom : str
    start, end : int
        The windows begin here: 0-based, half-open.
    regions : tuple of tuple of int, or None
        Where the middles of the windows lie, ``(start, end)`` each, sorted and disjoint; None for
        anywhere.
    """

    chrom: str
    start: int
    end: int
    regions: tuple[tuple[int, int], ...] | None = None


def tiles_of(
    genome: Genome, length: int, size: int, regions: pd.DataFrame | None = None
) -> list[Tile]:
    """The tiles of a genome, in its order.

    Parameters
    ----------
    genome : Genome
    length : int
        Of a window, in base pairs.
    size : int
        Of a tile, in base pairs.
    regions : pandas.DataFrame, optional
        ``chrom``, ``start``, ``end``, disjoint and sorted; tiles without any are left out.

    Returns
    -------
    list of Tile
    """
    found = []
    by_chrom: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
    if regions is not None:
        for chrom, table in regions.groupby("chrom", sort=False):
            by_chrom[str(chrom)] = (table["start"].to_numpy(), table["end"].to_numpy())
    for chrom, n in genome.lengths.items():
        for start in range(0, n - length + 1, size):
            end = min(start + size, n - length + 1)
            if regions is None:
                found.append(Tile(chrom, start, end))
                continue
            if chrom not in by_chrom:
                break
            starts, ends = by_chrom[chrom]
            low, high = start + length // 2, end + length // 2
            here = slice(np.searchsorted(ends, low, "right"), np.searchsorted(starts, high, "left"))
            inside = tuple(zip(starts[here].tolist(), ends[here].tolist(), strict=True))
            if inside:
                found.append(Tile(chrom, start, end, inside))
    return found


def grid(tile: Tile, length: int, stride: int) -> NDArray[np.int64]:
    """First bases of a tile's windows, multiples of `stride`, shape ``(window,)``."""
    first = -(-tile.start // stride) * stride
    starts = np.arange(first, tile.end, stride, dtype=np.int64)
    if tile.regions is None:
        return starts
    middle = starts + length // 2
    low = np.array([a for a, _ in tile.regions])
    high = np.array([b for _, b in tile.regions])
    at = np.searchsorted(low, middle, "right") - 1
    kept: NDArray[np.int64] = starts[(at >= 0) & (middle < high[at])]
    return kept


def reach_grid(
    regions: pd.DataFrame, lengths: Mapping[str, int], length: int, stride: int
) -> pd.DataFrame:
    """Regions of which each has a window at least.

    A region narrower than the stride may lie between the middles of two windows; it is then moved
    to the nearest one.

    Parameters
    ----------
    regions : pandas.DataFrame
        ``chrom``, ``start``, ``end``, disjoint and sorted.
    lengths : mapping of str to int
        Of the chromosomes, in base pairs.
    length : int
        Of a window, in base pairs.
    stride : int
        From one window to the next, in base pairs.

    Returns
    -------
    pandas.DataFrame
        As `regions`, without those on chromosomes that are shorter than a window.
    """
    size = regions["chrom"].map(lengths).to_numpy(dtype=np.int64)
    fits = size >= length
    table, size = regions[fits], size[fits]
    start, end = table["start"].to_numpy(), table["end"].to_numpy()
    half = length // 2
    # The last window of a chromosome, and the first whose middle is not before the region.
    last = (size - length) // stride
    first = -((half - start) // stride)
    missed = (first * stride + half >= end) | (first > last) | (end <= half)
    nearest = np.clip(np.round((start + end - 1 - 2 * half) / (2 * stride)).astype(int), 0, last)
    middle = nearest * stride + half
    moved = table.assign(
        start=np.where(missed, middle, start), end=np.where(missed, middle + 1, end)
    )
    return moved.reset_index(drop=True)


def read_codes(genome: Genome, chrom: str, start: int, end: int) -> Codes:
    """Codes of a stretch; unknown beyond the ends of the chromosome.

    Parameters
    ----------
    genome : Genome
    chrom : str
    start, end : int
        May leave the chromosome.
    """
    low, high = max(start, 0), min(end, genome.lengths[chrom])
    codes = np.full(end - start, UNKNOWN, dtype=np.uint8)
    if low < high:
        codes[low - start : high - start] = letter_codes(genome.letters(chrom, low, high))
    return codes


def few_unknown(codes: Codes, starts: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """Which windows have so few unknown bases that they are scored, shape ``(window,)``.

    The same share as in training: :data:`wavebind.genome.sequences.MAX_UNKNOWN`.
    """
    total = np.concatenate([[0], np.cumsum(codes == UNKNOWN)])
    few: NDArray[np.bool_] = total[starts + length] - total[starts] <= MAX_UNKNOWN * length
    return few


def windows_of(codes: Codes, length: int) -> Codes:
    """Every window of a sequence as a view, shape ``(start, position)``."""
    return np.lib.stride_tricks.sliding_window_view(codes, length)


def runs(starts: NDArray[np.int64], stride: int) -> Iterator[slice]:
    """Stretches of starts that follow one another without a gap."""
    edges = np.flatnonzero(np.diff(starts) != stride) + 1
    for a, b in zip(np.r_[0, edges], np.r_[edges, len(starts)], strict=True):
        if a < b:
            yield slice(int(a), int(b))
