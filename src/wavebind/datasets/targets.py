"""What windows are to be told by other than bound and unbound: a class of several, or a number.

A column of a table is read once before the windows are, for its classes or for its median.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Literal

import numpy as np

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines
from wavebind.datasets.columns import column_names, row_cells
from wavebind.datasets.splits import PARTS, ChromosomeSplit

__all__ = ["NO_VALUE", "TASKS", "Target", "Task", "read_target"]

Task = Literal["binary", "multilabel", "multiclass", "regression"]

#: What a network can be trained for.
TASKS: dict[str, str] = {
    "binary": "bound or unbound",
    "multilabel": "several labels, each bound or unbound",
    "multiclass": "one class of several",
    "regression": "a number",
}

#: Names of the class that stands for no factor at all; in small letters.
_BACKGROUND = ("unbound", "background", "none", "negative", "0")
#: What stands in a cell that holds no value.
NO_VALUE = ("", ".", "NA", "nan", "NaN")
_MAX_CLASSES = 100
_MAX_NAME = 100


@dataclass(frozen=True)
class Target:
    """A column that windows are told by.

    Attributes
    ----------
    column : str
    task : {"multiclass", "regression"}
    classes : tuple of str
        In the order of their names, the background last.
    background : str
        The class that counts as unbound where two are needed.
    median : float
        Of the training values; windows at or above it count as bound where two classes are needed.
    """

    column: str
    task: Task
    classes: tuple[str, ...] = ()
    background: str = ""
    median: float = math.nan

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of a network's outputs."""
        return self.classes or (self.column,)

    def read(self, cell: str, place: str) -> tuple[int, tuple[int, ...], float]:
        """A cell as label, labels of the outputs, and value.

        Returns
        -------
        tuple
            1 or 0; 1 or 0 for each class, all -1 where the cell is empty; and the number, NaN
            where there is none.
        """
        text = cell.strip()
        if self.task == "multiclass":
            if text in NO_VALUE:
                return 0, (-1,) * len(self.classes), math.nan
            return int(text != self.background), tuple(int(text == c) for c in self.classes), 0.0
        value = _number(text, self.column, place)
        return int(value >= self.median), (), value


def _number(text: str, column: str, place: str) -> float:
    if text in NO_VALUE:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise InputError(
            f"{place}: {column} {text[:40]!r} is not a number; give numbers, or '.' where there is "
            f"none, or ask for classes with --set task=multiclass"
        )
    return value


def read_target(
    paths: Sequence[Path],
    column: str,
    task: str | None = None,
    split: ChromosomeSplit | None = None,
    parts: Sequence[str] | None = None,
) -> Target:
    """Look a column over.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Tables, gzipped or not.
    column : str
    task : {"multiclass", "regression"}, optional
        By default regression where every cell is a number and there are more than two different
        ones, classes otherwise.
    split : ChromosomeSplit, optional
        As the windows will be split; the split column where it is not given.
    parts : sequence of str, optional
        The part that each of the files is of, whatever its columns say.

    Raises
    ------
    InputError
        If the column is not there, or has one class or more than 100. If it is not of numbers
        where those were asked for, or a part of the split lacks a class.
    """
    if task not in (None, "multiclass", "regression"):
        raise InputError(f"a target is for multiclass or regression; found {task!r}")
    counts: Counter[tuple[str, str]] = Counter()
    values: list[float] = []
    numeric = task != "multiclass"
    for path, fixed in zip(paths, parts or repeat(None), strict=parts is not None):
        for text, part, place in _cells(path, column, split, fixed):
            if text in NO_VALUE:
                continue
            if numeric:
                try:
                    value = _number(text, column, place)
                except InputError:
                    if task == "regression":
                        raise
                    numeric = False
                else:
                    if part == "train":
                        values.append(value)
            if len(counts) <= len(PARTS) * _MAX_CLASSES:
                counts[text, part] += 1
    classes = sorted({name for name, _ in counts})
    where = ", ".join(map(str, paths))
    if not classes:
        raise InputError(f"{where}: column {column} holds no value")
    if task == "regression" or (task is None and numeric and len(classes) > 2):
        if len(set(values)) < 2:
            raise InputError(
                f"{where}: {column} has fewer than two different numbers among the training "
                f"windows; there is nothing to learn"
            )
        return Target(column, "regression", median=float(np.median(values)))
    return _classes(column, classes, counts, where)


def _classes(
    column: str, classes: list[str], counts: Mapping[tuple[str, str], int], where: str
) -> Target:
    if not 2 <= len(classes) <= _MAX_CLASSES:
        raise InputError(
            f"{where}: column {column} has {'more than 100' if len(classes) > 2 else len(classes)} "
            f"classes; 2 to 100 can be told apart. Numbers are for --set task=regression"
        )
    for name in classes:
        if len(name) > _MAX_NAME or not name.isprintable():
            raise InputError(f"{where}: class {name[:40]!r} of {column} is not a name")
        for part in PARTS:
            if not counts.get((name, part)):
                raise InputError(
                    f"{where}: the {part} split has no window of class {name!r}; every class must "
                    f"be in train, valid and test"
                )
    background = next((c for c in classes if c.lower() in _BACKGROUND), "")
    if not background:
        background = max(classes, key=lambda c: sum(counts.get((c, part), 0) for part in PARTS))
    ordered = [c for c in classes if c != background]
    return Target(column, "multiclass", (*ordered, background), background)


def _cells(
    path: Path, column: str, split: ChromosomeSplit | None, fixed: str | None
) -> Iterator[tuple[str, str, str]]:
    """The column, the part of each row, and where it stands."""
    lines = read_lines(path)
    _, header = next(lines)
    columns, separator = column_names(header)
    by = column if fixed is not None else "split" if split is None else "chrom"
    for name in (column, by):
        if name not in columns:
            raise InputError(
                f"{path} line 1: column {name} missing; found: {', '.join(columns[:12])[:300]}"
            )
    at, where = columns.index(column), columns.index(by)
    for number, line in lines:
        cells = row_cells(line, separator, f"{path} line {number}")
        if len(cells) != len(columns):
            continue  # the reader of windows says what is wrong with it
        cell = cells[where].strip()
        part = fixed or (cell if split is None else split.part(cell))
        yield cells[at].strip(), part, f"{path} line {number}"
