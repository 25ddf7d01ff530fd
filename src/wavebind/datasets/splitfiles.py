"""Windows whose split someone else has made: a file each for train, valid and test.

Benchmarks are handed out so. Their files are tables with a label, FASTA with the label in the
header, or FASTA of one class each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines
from wavebind.datasets.splits import PARTS
from wavebind.datasets.tables import LabelledWindow, label_of, read_labelled_table
from wavebind.datasets.targets import Target
from wavebind.genome.sequences import FastaRecord, read_fasta

__all__ = ["SplitFile", "draw_valid", "read_split_files"]

#: One training window of so many is for validation where there is no file for it.
_VALID_ONE_IN = 10
#: The label of a record: its whole header, its last word, or behind a bar or "label=".
_LABEL = re.compile(r"(?:^|[\s|]|label=)([01])$", re.IGNORECASE)


@dataclass(frozen=True)
class SplitFile:
    """A file, the part its windows belong to, and their class where all have the same.

    Attributes
    ----------
    path : pathlib.Path
        A table, or FASTA.
    part : {"train", "valid", "test"}
    label : int or None
        1 or 0 for FASTA of one class; None where the file says it for each window.
    """

    path: Path
    part: str
    label: int | None = None


def read_split_files(
    files: Sequence[SplitFile],
    labels: Sequence[str] = (),
    target: Target | None = None,
    valid: frozenset[int] = frozenset(),
) -> Iterator[LabelledWindow]:
    """Stream the windows of such files, train first and test last.

    Parameters
    ----------
    files : sequence of SplitFile
    labels : sequence of str
        Columns of tables to take as labels; see :func:`read_labelled_table`.
    target : Target, optional
        A column of tables to take in place of a label.
    valid : frozenset of int
        Training windows that are valid ones instead; see :func:`draw_valid`.

    Raises
    ------
    InputError
        If a file cannot be read, or a window has no label.
    """
    ordered = sorted(files, key=lambda one: PARTS.index(one.part))
    windows = chain.from_iterable(_of_file(file, labels, target) for file in ordered)
    for place, window in enumerate(windows):
        # The training windows come first, so that their places are those of the whole.
        yield replace(window, part="valid") if place in valid else window


def _of_file(
    file: SplitFile, labels: Sequence[str], target: Target | None
) -> Iterator[LabelledWindow]:
    if _is_fasta(file.path):
        return _records(file, labels, target)
    if file.label is not None:
        raise InputError(f"{file.path}: is not FASTA; give tables as FILE, --valid and --test")
    return read_labelled_table(file.path, None, labels, target, file.part)


def _is_fasta(path: Path) -> bool:
    _, first = next(iter(read_lines(path, latin_1=True)))
    return first.startswith((">", ";"))


def _records(
    file: SplitFile, labels: Sequence[str], target: Target | None
) -> Iterator[LabelledWindow]:
    if labels or target:
        raise InputError(
            f"{file.path}: is FASTA, whose records have one label; a column needs a table"
        )
    for record in read_fasta(file.path):
        place = f"{file.path} line {record.line}"
        locus = record.locus
        yield LabelledWindow(
            codes=record.codes,
            label=_label(record, place) if file.label is None else file.label,
            part=file.part,
            chrom=locus.chrom if locus else "",
            start=locus.start if locus else -1,
            end=locus.end if locus else -1,
            place=place,
            repeat=record.repeat,
        )


def _label(record: FastaRecord, place: str) -> int:
    found = _LABEL.search(record.header)
    if found is None:
        raise InputError(
            f"{place}: the header {record.header[:60]!r} does not end in a label; write it as the "
            f"header ('>1' bound, '>0' unbound) or as its last word, or give a file a class with "
            f"--set positives=FILE and --set negatives=FILE"
        )
    return label_of(found[1], place)


def draw_valid(
    files: Sequence[SplitFile],
    seed: int,
    labels: Sequence[str] = (),
    target: Target | None = None,
) -> frozenset[int]:
    """A tenth of the training windows of each class, drawn with a seed.

    The files are read once for it, and no more than the labels are kept.

    Parameters
    ----------
    files : sequence of SplitFile
        None of them valid.
    seed : int
    labels, target
        As in :func:`read_split_files`.

    Returns
    -------
    frozenset of int
        Places among the training windows, from 0.

    Raises
    ------
    InputError
        If a class has fewer than two training windows.
    """
    train = [file for file in files if file.part == "train"]
    classes = np.array([w.label for w in read_split_files(train, labels, target)], dtype=np.int8)
    rng = np.random.default_rng(seed)
    drawn: set[int] = set()
    for label, word in ((1, "bound"), (0, "unbound")):
        mine = np.flatnonzero(classes == label)
        if len(mine) < 2:
            names = ", ".join(str(file.path) for file in train)
            raise InputError(
                f"{names}: {len(mine)} {word} training windows are too few to put some aside for "
                f"validation; give a file of them with --valid"
            )
        n = max(1, round(len(mine) / _VALID_ONE_IN))
        drawn.update(rng.choice(mine, n, replace=False).tolist())
    return frozenset(drawn)
