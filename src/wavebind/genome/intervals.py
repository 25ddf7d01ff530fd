"""Intervals on a genome: BED and narrowPeak files in, and which of them touch which.

Coordinates are 0-based and half-open. A table of intervals is a :class:`pandas.DataFrame` with the
columns ``chrom``, ``start`` and ``end``, as bioframe has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["merged", "overlapping", "read_intervals"]

#: No line of a BED file is longer than this, in characters.
_MAX_LINE = 1_000_000
_MAX_COORDINATE = 2**40
_NARROWPEAK = 10
_SKIPPED = ("#", "track", "browser")


def read_intervals(path: Path, *, centre: str = "summit") -> pd.DataFrame:
    """Read a BED or narrowPeak file.

    Parameters
    ----------
    path : pathlib.Path
        Plain or gzipped, tab- or space-separated. A file of ten columns whose last four are
        numbers is narrowPeak (https://genome.ucsc.edu/FAQ/FAQformat.html#format12). One of nine
        that is called ``.broadPeak`` is broadPeak. Any other of three columns or more is BED.
        Comments and ``track`` and ``browser`` lines are passed over.
    centre : {"summit", "middle"}
        What ``summit`` holds for narrowPeak: the called summit, or the interval's middle. Of
        other files it is the middle always; that of a ``summits.bed`` is the summit.

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
    import pandas as pd

    if centre not in ("summit", "middle"):
        raise InputError(f"centre {centre!r} is not known; choose summit or middle")
    chroms: list[str] = []
    numbers: list[tuple[int, int, int, int]] = []
    scores: list[float] = []
    n_columns, kind = 0, ""
    for number, text in read_lines(path, max_line=_MAX_LINE, unix_ends=True):
        if not text.strip() or text.startswith(_SKIPPED):
            continue
        cells = text.split("\t") if "\t" in text else text.split()
        place = f"{path} line {number}"
        if not n_columns:
            n_columns, kind = len(cells), _kind(path, cells)
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
        start, end = (_whole(cells[i], place, name) for i, name in ((1, "start"), (2, "end")))
        if start > end:
            raise InputError(f"{place}: start {start} is after end {end}; BED is 0-based half-open")
        if start == end:
            raise InputError(
                f"{place}: start and end are both {start}, so the interval is empty; BED is "
                f"0-based half-open"
            )
        summit, score = (start + end) // 2, math.nan
        if kind == "narrowPeak":
            offset = _whole(cells[9], place, "summit", lowest=-1)
            if centre == "summit":
                if offset == -1:
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
                summit = min(start + offset, end - 1)
        if kind in ("narrowPeak", "broadPeak"):
            score = _real(cells[6], place)
        elif len(cells) >= 5:
            score = _real(cells[4], place, strict=False)
        chroms.append(cells[0].strip())
        if not chroms[-1]:
            raise InputError(f"{place}: the chromosome is empty")
        numbers.append((start, end, summit, number))
        scores.append(score)
    if not chroms:
        raise InputError(f"{path}: holds no interval")
    columns = np.array(numbers, dtype=np.int64)
    return pd.DataFrame(
        {
            "chrom": np.array(chroms, dtype=object),
            "start": columns[:, 0],
            "end": columns[:, 1],
            "summit": columns[:, 2],
            "score": np.array(scores, dtype=np.float64),
            "line": columns[:, 3],
        }
    )


def _kind(path: Path, cells: Sequence[str]) -> str:
    if len(cells) == _NARROWPEAK:
        # A BED file of ten columns is as good as unknown; what is no number is said where it is.
        if ".narrowpeak" in path.name.lower() or all(_is_number(c) for c in cells[6:]):
            return "narrowPeak"
    elif ".narrowpeak" in path.name.lower():
        raise InputError(
            f"{path}: is called narrowPeak, which has 10 columns, and has {len(cells)}; give it "
            f"another name to read it as BED"
        )
    if len(cells) == _NARROWPEAK - 1 and ".broadpeak" in path.name.lower():
        return "broadPeak"
    return "BED"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _whole(text: str, place: str, name: str, lowest: int = 0) -> int:
    # int() alone would also take '1_000' and other digits than ASCII.
    cell = text.strip()
    digits = cell[1:] if cell.startswith("-") else cell
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
        raise InputError(f"{place}: {name} {cell[:40]!r} is not a whole number")
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
    if strict:
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
