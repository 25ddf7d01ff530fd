"""Intervals on a genome: BED and narrowPeak files in, and which of them touch which.

Coordinates are 0-based and half-open. A table of intervals is a :class:`pandas.DataFrame` with the
columns ``chrom``, ``start`` and ``end``, as bioframe has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines
from wavebind.genome.peakformats import BED, PeakFormat, is_number, peak_format

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["IntervalFile", "merged", "overlapping", "read_interval_file", "read_intervals"]

#: No line of a BED file is longer than this, in characters.
_MAX_LINE = 1_000_000
_MAX_COORDINATE = 2**40
_SKIPPED = ("#", "track", "browser")


@dataclass(frozen=True)
class IntervalFile:
    """What a file of intervals holds.

    Attributes
    ----------
    table : pandas.DataFrame
        See :func:`read_intervals`.
    format : str
        What it was read as, as ``narrowPeak``.
    called : int
        How many of the summits were called by a peak caller; the others are middles.
    """

    table: pd.DataFrame
    format: str
    called: int

    def words(self) -> str:
        """How it was read, for a person."""
        n = len(self.table)
        if self.called == n:
            where = "its summits are used"
        elif self.called:
            where = f"{n - self.called:,} of {n:,} have no summit, their middles are taken"
        else:
            where = "the middles of its intervals are taken"
        return f"read as {self.format}, {n:,} lines; {where}"


def read_intervals(path: Path, *, centre: str = "summit") -> pd.DataFrame:
    """Read a BED or narrowPeak file.

    Parameters
    ----------
    path : pathlib.Path
        Plain or gzipped, tab- or space-separated. The first line of data tells the format
        (:func:`wavebind.genome.peakformats.peak_format`). Comments and ``track`` and ``browser``
        lines are passed over.
    centre : {"summit", "middle", "any"}
        What ``summit`` holds: the called summit, or the interval's middle. ``any`` takes the
        middle only where no summit was called. Formats without summits have the middle always;
        that of a ``summits.bed`` is the summit.

    Returns
    -------
    pandas.DataFrame
        ``chrom``, ``start``, ``end``, ``summit`` (int64), ``score`` (float64) and ``line``. The
        score is the signal value of a narrowPeak or broadPeak, or column 5 of BED where it is a
        number, otherwise NaN.

    Raises
    ------
    InputError
        At the first line that breaks a rule, or if there is no interval.
    """
    return read_interval_file(path, centre=centre).table


def read_interval_file(path: Path, *, centre: str = "summit") -> IntervalFile:
    """As :func:`read_intervals`, and what it was read as."""
    import pandas as pd

    if centre not in ("summit", "middle", "any"):
        raise InputError(f"centre {centre!r} is not known; choose summit or middle")
    rows: list[_Row] = []
    format_, n_columns = BED, 0
    for number, text in read_lines(path, max_line=_MAX_LINE, unix_ends=True):
        if number == 1 and text.startswith("##fileformat=VCF"):
            raise InputError(f"{path}: is a VCF; intervals are needed here, as BED or narrowPeak")
        if not text.strip() or text.startswith(_SKIPPED):
            continue
        cells = text.split("\t") if "\t" in text else text.split()
        place = f"{path} line {number}"
        if not n_columns:
            n_columns, format_ = len(cells), peak_format(path, number, cells)
        if len(cells) < 3:
            raise InputError(
                f"{place}: found {len(cells)} columns; BED has at least three, chrom, start and "
                f"end, separated by tabs"
            )
        if len(cells) != n_columns:
            raise InputError(
                f"{place}: found {len(cells)} columns and {n_columns} on the lines before; all "
                f"lines of a file have the same columns"
            )
        rows.append(_row(cells, number, place, format_, centre))
    if not rows:
        raise InputError(f"{path}: holds no interval")
    numbers = np.array([row[1:5] for row in rows], dtype=np.int64)
    table = pd.DataFrame(
        {
            "chrom": np.array([row[0] for row in rows], dtype=object),
            "start": numbers[:, 0],
            "end": numbers[:, 1],
            "summit": numbers[:, 2],
            "score": np.array([row[5] for row in rows], dtype=np.float64),
            "line": numbers[:, 3],
        }
    )
    return IntervalFile(table, format_.name, sum(row[6] for row in rows))


#: Chromosome, start, end, summit, line, score, and whether the summit was called.
_Row = tuple[str, int, int, int, int, float, bool]


def _row(cells: Sequence[str], line: int, place: str, format_: PeakFormat, centre: str) -> _Row:
    chrom = cells[0].strip()
    start, end = (_whole(cells[i], place, name) for i, name in ((1, "start"), (2, "end")))
    if start > end:
        raise InputError(f"{place}: start {start} is after end {end}; BED is 0-based half-open")
    if start == end:
        raise InputError(
            f"{place}: start and end are both {start}, so the interval is empty; BED is "
            f"0-based half-open"
        )
    if not chrom:
        raise InputError(f"{place}: the chromosome is empty")
    called = None if centre == "middle" else _summit(cells, start, end, place, format_, centre)
    score = math.nan
    if format_.score is not None and format_.score < len(cells):
        score = _real(cells[format_.score], place, strict=format_.strict)
    summit = (start + end) // 2 if called is None else called
    return chrom, start, end, summit, line, score, called is not None


def _summit(
    cells: Sequence[str], start: int, end: int, place: str, format_: PeakFormat, centre: str
) -> int | None:
    """The called summit; None where the format has none, or it was not called."""
    if format_.summit == "region":
        low, _, high = cells[5].strip().rpartition(":")[2].partition("-")
        first, last = _whole(low, place, "region's start"), _whole(high, place, "region's end")
        return min(max((first + last) // 2, start), end - 1)
    if format_.summit != "offset":
        return None
    offset = _whole(cells[9], place, "summit", lowest=-1)
    if offset == -1:
        if centre == "any":
            return None
        raise InputError(
            f"{place}: the summit is -1, so none was called; pass --set centre=middle "
            f"to use the middle of the peaks, or call peaks with summits"
        )
    # ENCODE's own files have summits one past the last base, where rounding took them.
    if offset > end - start:
        raise InputError(
            f"{place}: summit {offset} lies outside the peak, which has {end - start} "
            f"bp; the summit is counted from the start of the peak"
        )
    return min(start + offset, end - 1)


def _whole(text: str, place: str, name: str, lowest: int = 0) -> int:
    # int() alone would also take '1_000' and other digits than ASCII.
    cell = text.strip()
    digits = cell[1:] if cell.startswith("-") else cell
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
        why = "is not a whole number"
        if "e" in cell.lower() and is_number(cell):
            why += "; R writes large numbers so, write the file again after options(scipen=999)"
        raise InputError(f"{place}: {name} {cell[:40]!r} {why}")
    value = int(cell)
    if value < lowest or value > _MAX_COORDINATE:
        raise InputError(f"{place}: {name} {value} is out of range")
    return value


def _real(text: str, place: str, *, strict: bool = True) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    if strict and text.strip() != ".":
        raise InputError(f"{place}: the signal value {text[:40]!r} is not a number")
    return math.nan


def merged(tables: Iterable[pd.DataFrame], *, pad: int = 0) -> pd.DataFrame:
    """Intervals of several tables, widened by `pad` on both sides, as few disjoint ones.

    Returns
    -------
    pandas.DataFrame
        ``chrom``, ``start``, ``end``, sorted; starts below 0 are cut to 0.
    """
    import bioframe
    import pandas as pd

    both = pd.concat([t[["chrom", "start", "end"]] for t in tables], ignore_index=True)
    if not len(both):
        return both
    both = bioframe.expand(both, pad=pad) if pad else both
    both["start"] = both["start"].clip(lower=0)
    found = bioframe.merge(both, min_dist=0)[["chrom", "start", "end"]]
    result: pd.DataFrame = bioframe.sort_bedframe(found).reset_index(drop=True)
    return result


def overlapping(
    chrom: str, start: NDArray[np.int64], end: NDArray[np.int64], regions: pd.DataFrame
) -> NDArray[np.bool_]:
    """Which intervals of one chromosome share a base with any region.

    Parameters
    ----------
    chrom : str
    start, end : numpy.ndarray
        Shape ``(interval,)``.
    regions : pandas.DataFrame
        Disjoint and sorted, as :func:`merged` gives them.

    Returns
    -------
    numpy.ndarray
        ``bool``, shape ``(interval,)``.
    """
    here = regions[regions["chrom"].to_numpy() == chrom]
    starts, ends = here["start"].to_numpy(), here["end"].to_numpy()
    # Disjoint regions: those that begin before my end, less those that end at or before my start.
    found: NDArray[np.bool_] = np.searchsorted(starts, end, side="left") > np.searchsorted(
        ends, start, side="right"
    )
    return found
