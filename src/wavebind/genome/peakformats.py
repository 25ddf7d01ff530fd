"""Which format of peaks a file has, by its first line of data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wavebind.core.errors import InputError

__all__ = ["BED", "PeakFormat", "is_number", "peak_format"]

_STRANDS = ("+", "-", ".")
_NOT_GIVEN = (".", "na", "nan", "inf", "-inf")
_REGION = re.compile(r"\S+:(\d{1,15})-(\d{1,15})")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_HEADER_WORDS = ("chr", "chrom", "chromosome", "#chr", "seqnames", "seqname", "peakid")


@dataclass(frozen=True)
class PeakFormat:
    """How the columns of a file of intervals are read.

    Attributes
    ----------
    name : str
        As people call it.
    summit : {"offset", "region", "middle"}
        Where the summit is: in column 10, counted from the start; in the middle of the region in
        column 6; nowhere, so that the middle stands for it.
    score : int or None
        Column of the strength, from 0.
    strict : bool
        Whether a strength that is no number is an error.
    """

    name: str
    summit: str = "middle"
    score: int | None = None
    strict: bool = False


BED = PeakFormat("BED", score=4)
_NARROW = PeakFormat("narrowPeak", "offset", 6, strict=True)
_BROAD = PeakFormat("broadPeak", score=6, strict=True)
_GAPPED = PeakFormat("gappedPeak", score=12, strict=True)
_SEACR = PeakFormat("SEACR", "region", 3, strict=True)


def peak_format(path: Path, line: int, cells: Sequence[str]) -> PeakFormat:
    """The format of a file, by the cells of its first line of data and its name.

    A line whose columns 7 to 9 are numbers or dots and whose column 10 is a summit is narrowPeak
    (https://genome.ucsc.edu/FAQ/FAQformat.html#format12), whatever follows: the IDR tool adds
    columns. Twelve columns whose last two are lists of blocks are BED, fifteen gappedPeak. SEACR
    has the region of the highest signal in column 6 (Meers et al. 2019, Epigenetics Chromatin
    12:42).

    Parameters
    ----------
    path : pathlib.Path
    line : int
        From 1, for messages.
    cells : sequence of str

    Raises
    ------
    InputError
        If it is the table of a peak caller that is not read, and how to turn it into BED.
    """
    place = f"{path} line {line}"
    _refuse_tables(place, cells)
    named = path.name.lower()
    if _has_blocks(cells):
        return _GAPPED if len(cells) == 15 else BED
    if len(cells) >= 10 and (_is_narrow(cells) or (".narrowpeak" in named and len(cells) == 10)):
        return _NARROW
    if ".narrowpeak" in named:
        raise InputError(
            f"{place}: the file is called narrowPeak, which has 10 columns and a summit in the "
            f"last; found {len(cells)}; give it another name to read it as BED"
        )
    if len(cells) == 9 and ".broadpeak" in named:
        return _BROAD
    if len(cells) == 6 and all(map(is_number, cells[3:5])) and _REGION.fullmatch(cells[5].strip()):
        return _SEACR
    return BED


def _refuse_tables(place: str, cells: Sequence[str]) -> None:
    bare = [cell.strip() for cell in cells]
    if len(bare) < 3:
        return
    if bare[0].lower() in _HEADER_WORDS and not bare[1].isdigit():
        if "length" in bare[3:4] and any("summit" in c or "pileup" in c for c in bare):
            raise InputError(f"{place}: this is a MACS .xls; give _peaks.narrowPeak")
        raise InputError(
            f"{place}: is a line of column names ({' '.join(bare[:4])[:60]}), which BED does not "
            f"have; tables of peak callers often count from 1: write chrom, start less 1 and end"
        )
    whole = [cell.isascii() and cell.isdigit() for cell in bare]
    # Column 6 of MACS is a height, that of BED and narrowPeak a strand.
    macs = len(bare) in (9, 10) and all(whole[1:4]) and all(map(is_number, bare[4:8]))
    if macs and int(bare[3]) == int(bare[2]) - int(bare[1]) + 1 and bare[5] not in _STRANDS:
        raise InputError(f"{place}: this is a MACS .xls; give _peaks.narrowPeak")
    if len(bare) >= 5 and not whole[1] and all(whole[2:4]) and bare[4] in (*_STRANDS, "0", "1"):
        raise InputError(
            f"{place}: this is a HOMER peak file, which counts from 1; turn it into BED with "
            f"'pos2bed.pl'"
        )
    if len(bare) == 9 and not whole[1] and all(whole[3:5]) and bare[6] in _STRANDS:
        raise InputError(
            f"{place}: this is GFF, which counts from 1; turn it into BED, for example with "
            f"'gff2bed'"
        )


def _has_blocks(cells: Sequence[str]) -> bool:
    """Whether columns 10 to 12 are the blocks of BED."""
    if len(cells) not in (12, 15):
        return False
    count = cells[9].strip()
    if not count.isdigit() or not 1 <= int(count) <= 100_000:
        return False
    lists = [cell.strip().rstrip(",").split(",") for cell in cells[10:12]]
    if any(len(items) != int(count) or not all(map(str.isdigit, items)) for items in lists):
        return False
    return int(lists[1][0]) == 0 and all(cell.strip().isdigit() for cell in cells[6:8])


def _is_narrow(cells: Sequence[str]) -> bool:
    if cells[5].strip() not in _STRANDS:
        return False
    if not all(cell.strip().lower() in _NOT_GIVEN or is_number(cell) for cell in cells[6:9]):
        return False
    return cells[9].strip().removeprefix("-").isdigit()


def is_number(text: str) -> bool:
    """Whether a cell is a decimal number."""
    return bool(_NUMBER.fullmatch(text.strip()))
