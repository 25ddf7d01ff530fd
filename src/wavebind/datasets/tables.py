"""Labelled windows from tables and FASTA files, one at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines
from wavebind.datasets.columns import column_names, row_cells
from wavebind.datasets.splits import PARTS, ChromosomeSplit
from wavebind.datasets.targets import Target
from wavebind.genome.sequences import (
    Codes,
    LetterCheck,
    lower_fraction,
    read_fasta,
    to_codes,
)

__all__ = [
    "LabelledWindow",
    "label_of",
    "read_labelled_fasta",
    "read_labelled_table",
]


@dataclass(frozen=True)
class LabelledWindow:
    """One window as it stands in a file.

    Attributes
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(position,)``.
    label : int
        1 = bound, 0 = unbound.
    part : str
        ``train``, ``valid`` or ``test``.
    chrom : str
        Empty where it is not known.
    start, end : int
        0-based, half-open; -1 where not known.
    place : str
        File and line, for messages.
    source : str
        The peak file of a bound window, the kind of background of an unbound one; empty where it
        is not known.
    score : float
        Strength of the peak; NaN where there is none.
    repeat : float
        Fraction of the bases that are soft-masked; NaN where the sequence has no place.
    targets : tuple of int
        Of a set with several labels or classes, each of them: 1, 0, or -1 where it is not known.
    value : float
        Of a set of numbers, that of the window; NaN where it is not known.
    """

    codes: Codes
    label: int
    part: str
    chrom: str
    start: int
    end: int
    place: str
    source: str = ""
    score: float = math.nan
    repeat: float = math.nan
    targets: tuple[int, ...] = ()
    value: float = math.nan


def read_labelled_table(
    path: Path,
    split: ChromosomeSplit | None = None,
    labels: Sequence[str] = (),
    target: Target | None = None,
    part: str | None = None,
) -> Iterator[LabelledWindow]:
    """Stream the windows of a table, gzipped or not, separated by tabs or by commas.

    Parameters
    ----------
    path : pathlib.Path
        The first line names the columns. ``seq`` (or ``sequence``) and ``label`` (or ``Bound``; 0
        or 1) must be there; ``chrom``, ``start``, ``end`` (0-based, half-open), ``split`` (train,
        valid or test), ``source`` and ``score`` (strength of the peak) may be; any other is passed
        over. Lower-case bases of ``seq`` are soft-masked ones.
    split : ChromosomeSplit, optional
        Splits by chromosome, whatever the ``split`` column says. Needed where there is none.
    labels : sequence of str
        Columns to take as labels in place of ``label``: 1 bound, 0 unbound, and anything of
        :data:`NOT_KNOWN`. A window counts as bound if it is bound in any of them.
    target : Target, optional
        A column of classes or numbers to take in place of ``label``.
    part : {"train", "valid", "test"}, optional
        The part that all windows of the file belong to, whatever its columns say.

    Yields
    ------
    LabelledWindow
        In the order of the file.

    Raises
    ------
    InputError
        At the first line that breaks a rule; after the last one, if any letter was not a
        nucleotide.
    """
    lines = read_lines(path)
    _, header = next(lines)
    columns, separator = column_names(header)
    where = _places(path, columns, split, labels, target, part)
    table = _Table(path, where, split, labels, target, part)
    check = LetterCheck()
    n_rows = 0
    for number, line in lines:
        if not line.strip():
            continue
        cells = row_cells(line, separator, f"{path} line {number}")
        if len(cells) != len(columns):
            kind = "tab" if separator == "\t" else "comma"
            raise InputError(
                f"{path} line {number}: found {len(cells)} {kind}-separated columns; the first "
                f"line has {len(columns)}"
            )
        n_rows += 1
        yield table.window(cells, f"{path} line {number}", check)
    if not n_rows:
        raise InputError(f"{path}: the table has a header and no rows")
    check.raise_if_any(str(path))


def _places(
    path: Path,
    columns: list[str],
    split: ChromosomeSplit | None,
    labels: Sequence[str],
    target: Target | None,
    part: str | None,
) -> dict[str, int]:
    """Where each column is, if those that are needed are there."""
    where = {name: i for i, name in enumerate(columns)}
    if len(where) != len(columns):
        twice = sorted({c for c in columns if columns.count(c) > 1})
        raise InputError(f"{path} line 1: column {', '.join(twice)} is there more than once")
    wanted = (target.column,) if target else labels or ("label",)
    missing = [name for name in ("seq", *wanted) if name not in where]
    if missing:
        raise InputError(
            f"{path} line 1: column {' and '.join(missing)} missing; the first line of a table "
            f"names its columns (separated by tabs or commas), seq and {' '.join(wanted)} among "
            f"them; found: {', '.join(columns[:12])[:300]}"
        )
    if part is not None:
        return where
    if split is None and "split" not in where:
        raise InputError(
            f"{path} line 1: there is no split column; add one (train, valid, test), name the "
            f"held-out chromosomes with --set split.test=... and split.valid=..., or give the "
            f"files of the other splits with --valid and --test"
        )
    if split is not None and "chrom" not in where:
        raise InputError(
            f"{path} line 1: there is no chrom column, which splitting by chromosome needs; add "
            f"one, or a split column"
        )
    return where


@dataclass(frozen=True)
class _Table:
    """What the rows of a table are read by."""

    path: Path
    where: dict[str, int]
    split: ChromosomeSplit | None
    labels: Sequence[str]
    target: Target | None
    fixed: str | None

    def window(self, cells: Sequence[str], place: str, check: LetterCheck) -> LabelledWindow:
        """A row as a window."""
        where = self.where
        label, targets, value = self._label(cells, place)
        chrom = cells[where["chrom"]].strip() if "chrom" in where else ""
        start, end = _interval(cells, where, place)
        sequence = cells[where["seq"]].strip()
        if not sequence:
            raise InputError(f"{place}: the sequence is empty")
        if start >= 0 and end - start != len(sequence):
            raise InputError(
                f"{place}: the interval {start}-{end} has {end - start} bp and the sequence "
                f"{len(sequence)}; coordinates are 0-based and half-open"
            )
        part = self._part(cells, chrom, place)
        return LabelledWindow(
            codes=to_codes(sequence, check, place),
            label=label,
            part=part,
            chrom=chrom,
            start=start,
            end=end,
            place=place,
            source=cells[where["source"]].strip() if "source" in where else "",
            score=_score(cells[where["score"]], place) if "score" in where else math.nan,
            repeat=lower_fraction(sequence),
            targets=targets,
            value=value,
        )

    def _label(self, cells: Sequence[str], place: str) -> tuple[int, tuple[int, ...], float]:
        """Bound or not, the labels one by one, and the number."""
        where = self.where
        if self.target:
            return self.target.read(cells[where[self.target.column]], place)
        targets = tuple(_target(cells[where[name]], name, place) for name in self.labels)
        text = str(int(1 in targets)) if self.labels else cells[where["label"]].strip()
        return label_of(text, place), targets, math.nan

    def _part(self, cells: Sequence[str], chrom: str, place: str) -> str:
        if self.fixed is not None:
            return self.fixed
        if self.split is None:
            part = cells[self.where["split"]].strip()
            if part not in PARTS:
                raise InputError(f"{place}: split {part!r} is not train, valid or test")
            return part
        if not chrom:
            raise InputError(f"{place}: the chromosome is empty, so the window has no split")
        return self.split.part(chrom)


def label_of(text: str, place: str) -> int:
    """1 or 0, as it stands in a file.

    Raises
    ------
    InputError
        If it is anything else.
    """
    if text not in ("0", "1"):
        raise InputError(f"{place}: label {text[:40]!r} is not 1 (bound) or 0 (unbound)")
    return int(text)


def _interval(cells: Sequence[str], where: dict[str, int], place: str) -> tuple[int, int]:
    if "start" not in where or "end" not in where:
        return -1, -1
    text = cells[where["start"]].strip(), cells[where["end"]].strip()
    try:
        start, end = int(text[0]), int(text[1])
    except ValueError:
        raise InputError(
            f"{place}: start {text[0]!r} and end {text[1]!r} must be whole numbers"
        ) from None
    if start < 0 or start >= end:
        raise InputError(
            f"{place}: start {start} and end {end} are not an interval; coordinates are 0-based "
            f"and half-open, so 0 <= start < end"
        )
    return start, end


#: What stands in a column of labels where a window is neither bound nor unbound.
NOT_KNOWN = ("", ".", "NA", "nan", "-1", "2")


def _target(cell: str, name: str, place: str) -> int:
    text = cell.strip()
    if text in ("0", "1"):
        return int(text)
    if text in NOT_KNOWN:
        return -1
    raise InputError(
        f"{place}: {name} {text[:40]!r} is not 1 (bound), 0 (unbound) or one of "
        f"{', '.join(repr(x) for x in NOT_KNOWN)} (not known)"
    )


def _score(cell: str, place: str) -> float:
    if cell.strip() in ("", ".", "NA", "nan"):
        return math.nan
    try:
        return float(cell)
    except ValueError:
        raise InputError(f"{place}: score {cell[:40]!r} is not a number") from None


def read_labelled_fasta(path: Path, label: int, split: ChromosomeSplit) -> Iterator[LabelledWindow]:
    """Stream the records of a FASTA file as windows of one class.

    Parameters
    ----------
    path : pathlib.Path
        Records named ``chrom:start-end``, as ``bedtools getfasta`` and ``samtools faidx`` do.
    label : int
        The class of all of them.
    split : ChromosomeSplit

    Raises
    ------
    InputError
        If a record's name does not say where it lies, which splitting by chromosome needs.
    """
    for record in read_fasta(path):
        place = f"{path} line {record.line}"
        locus = record.locus
        if locus is None:
            raise InputError(
                f"{place}: the name {record.name!r} is not chrom:start-end of a sequence of "
                f"{len(record.codes)} bp, so the window cannot be split by chromosome; name the "
                f"records so (bedtools getfasta does), or give a table with a split column"
            )
        part = split.part(locus.chrom)
        yield LabelledWindow(
            record.codes,
            label,
            part,
            locus.chrom,
            locus.start,
            locus.end,
            place,
            repeat=record.repeat,
        )
