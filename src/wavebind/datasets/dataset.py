"""The labelled set on disk, and as batches.

A dataset is a folder: ``codes.npy`` (``uint8``, window by position, memory-mapped);
``windows.parquet`` (chrom, start, end, label, split, source, score, repeat); and ``dataset.json``
(counts, what was dropped and why, where everything came from).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.datasets.identity import identity_of
from wavebind.datasets.splits import PARTS
from wavebind.datasets.targets import Task
from wavebind.genome.sequences import Codes, to_letters

__all__ = ["Dataset", "balanced_sample", "epoch_indices", "open_dataset"]

FORMAT = 2
#: What the names of columns with one of several labels begin with.
LABEL_PREFIX = "label:"
#: The column of a set of numbers.
VALUE_COLUMN = "value"
#: The largest metadata file that is read.
_MAX_JSON = 16 * 2**20


@dataclass(frozen=True)
class Dataset:
    """A labelled set, opened.

    Attributes
    ----------
    path : pathlib.Path
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``, memory-mapped and read-only.
    labels : numpy.ndarray
        ``int8``, shape ``(window,)``: 1 = bound, 0 = unbound.
    parts : numpy.ndarray
        ``str``, shape ``(window,)``: train, valid or test.
    chrom, start, end : numpy.ndarray
        Shape ``(window,)``; empty and -1 where not known.
    source : numpy.ndarray
        ``str``, shape ``(window,)``: peak file or kind of background; empty where not known.
    score, repeat : numpy.ndarray
        ``float32``, shape ``(window,)``: strength of the peak, soft-masked fraction; NaN where not
        known.
    outputs : tuple of str
        Names of the labels, the classes or the number; ``bound`` alone where there is one label.
    targets : numpy.ndarray
        ``int8``, shape ``(window, output)``: 1, 0, or -1 where not known.
    description : dict
        ``dataset.json``.
    window_names : tuple of str
        Names of the windows where they have some of their own.
    values : numpy.ndarray or None
        ``float64``, shape ``(window,)``: of a set of numbers. Its labels are 1 at or above the
        median of the training values.
    splits : numpy.ndarray or None
        The parts of the whole set, where this is a view in which some windows are in no part.
    labelled : bool
        Whether it is known which windows are bound. Those of a FASTA file all count as bound.
    """

    path: Path
    codes: Codes
    labels: NDArray[np.int8]
    parts: NDArray[np.str_]
    chrom: NDArray[np.str_]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    source: NDArray[np.str_]
    score: NDArray[np.float32]
    repeat: NDArray[np.float32]
    outputs: tuple[str, ...]
    targets: NDArray[np.int8]
    description: dict[str, Any]
    window_names: tuple[str, ...] = ()
    values: NDArray[np.float64] | None = None
    splits: NDArray[np.str_] | None = None
    labelled: bool = True

    @property
    def task(self) -> Task:
        """What a network is trained for on it, unless something else is asked for."""
        if len(self.outputs) == 1:
            return "binary" if self.values is None else "regression"
        found: Task = "multiclass" if self.description.get("task") == "multiclass" else "multilabel"
        return found

    @property
    def length(self) -> int:
        """Window length in base pairs."""
        return int(self.codes.shape[1])

    @property
    def checksum(self) -> str:
        """SHA-256 of the codes, as recorded."""
        return str(self.description["codes_sha256"])

    @property
    def identity(self) -> dict[str, str]:
        """Path, and checksums of the windows, their splits and labels: what a run is trained on.

        Those of the whole set, of a view, too: it has no window in another part.
        """
        splits = self.parts if self.splits is None else self.splits
        return identity_of(
            str(self.path), self.checksum, splits, self.outputs, self.targets, self.values
        )

    def indices(self, part: str) -> NDArray[np.int64]:
        """The windows of one part, in the order of the set.

        Raises
        ------
        InputError
            If the part is not train, valid or test, or has no window.
        """
        if part not in PARTS:
            raise InputError(f"split {part!r} is not known; choose train, valid or test")
        found = np.flatnonzero(self.parts == part)
        if not found.size:
            raise InputError(f"{self.path}: the {part} split has no windows")
        return found

    def of(self, output: str) -> Dataset:
        """The set as one of its labels sees it; windows without that label are in no part.

        Raises
        ------
        InputError
            If there is no such label.
        """
        if output not in self.outputs:
            raise InputError(
                f"{self.path}: has no label {output!r}; it has {', '.join(self.outputs)}"
            )
        labels = self.targets[:, self.outputs.index(output)]
        parts = np.where(labels >= 0, self.parts, "")
        return replace(self._view(parts), labels=labels)

    def _view(self, parts: NDArray[np.str_]) -> Dataset:
        """The set with some windows in no part, and no window in another one."""
        return replace(self, parts=parts, splits=self.parts if self.splits is None else self.splits)

    def only(self, output: str) -> Dataset:
        """The set as if one of its labels were the only one; see :meth:`of`."""
        view = self.of(output)
        return replace(view, outputs=(output,), targets=view.labels[:, None])

    def keeping(self, outputs: Sequence[str]) -> Dataset:
        """The set with some of its labels only; a window is bound that is bound in any of them.

        Parameters
        ----------
        outputs : sequence of str

        Raises
        ------
        InputError
            If there is no such label, or the set has classes or numbers.
        """
        unknown = [name for name in outputs if name not in self.outputs]
        if unknown:
            raise InputError(
                f"{self.path}: has no label {unknown[0]!r}; it has {', '.join(self.outputs)}"
            )
        if self.task != "multilabel":
            raise InputError(f"{self.path}: is for {self.task}; labels can be left out of several")
        targets = self.targets[:, [self.outputs.index(name) for name in outputs]]
        labels = (targets == 1).any(axis=1).astype(np.int8)
        return replace(self, outputs=tuple(outputs), targets=targets, labels=labels)

    def with_fewer(self, n_bound: int, rng: np.random.Generator, part: str = "train") -> Dataset:
        """The set with a random part of its training windows; the others are in no part.

        Parameters
        ----------
        n_bound : int
            Bound training windows to keep; unbound ones are kept in the proportion there is.
        rng : numpy.random.Generator
        part : {"train", "valid"}
            Whose windows are thinned.

        Raises
        ------
        InputError
            If there are not that many.
        """
        mine = self.indices(part)
        bound, unbound = (mine[self.labels[mine] == label] for label in (1, 0))
        if not 1 <= n_bound <= len(bound):
            raise InputError(
                f"{self.path}: has {len(bound):,} bound windows of {part}; {n_bound:,} cannot be "
                f"kept of them"
            )
        n_unbound = max(1, round(len(unbound) * n_bound / len(bound)))
        kept = [rng.choice(bound, n_bound, replace=False)]
        kept.append(rng.choice(unbound, min(n_unbound, len(unbound)), replace=False))
        parts = np.where(self.parts == part, "", self.parts)
        parts[np.concatenate(kept)] = part
        return self._view(parts)

    def names(self, indices: NDArray[np.int64]) -> list[str]:
        """Their own, or ``chrom:start-end``, or ``window_I`` where that is not known."""
        if self.window_names:
            return [self.window_names[i] for i in indices]
        return [
            f"{self.chrom[i]}:{self.start[i]}-{self.end[i]}"
            if self.chrom[i] and self.start[i] >= 0
            else f"window_{i}"
            for i in indices
        ]

    def sequences(self, indices: Iterable[int]) -> list[str]:
        """The letters of windows, N for what is unknown."""
        return [to_letters(self.codes[i]) for i in indices]


def open_dataset(path: str | Path) -> Dataset:
    """Open a dataset; the sequences stay on disk.

    Raises
    ------
    InputError
        If the folder is not a dataset, is of another format, or its files disagree.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such folder; make a dataset with 'wavebind dataset'")
    file = path / "dataset.json"
    if not file.is_file():
        raise InputError(
            f"{path}: is not a dataset (it has no dataset.json); make one with 'wavebind dataset'"
        )
    try:
        if file.stat().st_size > _MAX_JSON:
            raise InputError(f"{file}: larger than {_MAX_JSON:,} bytes; it is not a description")
        description = json.loads(file.read_text(encoding="utf-8"))
        if description.get("format") != FORMAT:
            raise InputError(
                f"{path}: format {description.get('format')!r} of a dataset is not {FORMAT}; make "
                f"it again with this version"
            )
        codes = np.load(path / "codes.npy", mmap_mode="r", allow_pickle=False)
        table = pq.read_table(path / "windows.parquet")
        columns = {name: table.column(name).to_numpy() for name in table.column_names}
        labels = columns["label"].astype(np.int8)
        outputs = tuple(str(name) for name in description.get("outputs", []))
        values = None
        if description.get("task") == "regression":
            values = columns[VALUE_COLUMN].astype(np.float64)
            targets = [labels]
        else:
            targets = [columns[f"{LABEL_PREFIX}{name}"].astype(np.int8) for name in outputs]
        shape = (description["n_windows"], description["length"])
        if codes.dtype != np.uint8 or codes.shape != shape or len(labels) != shape[0]:
            raise InputError(
                f"{path}: codes.npy has shape {codes.shape}, windows.parquet {len(labels)} rows, "
                f"and dataset.json says {shape}; make the dataset again"
            )
        return Dataset(
            path=path,
            codes=codes,
            labels=labels,
            parts=columns["split"].astype(str),
            chrom=columns["chrom"].astype(str),
            start=columns["start"],
            end=columns["end"],
            source=columns["source"].astype(str),
            score=columns["score"],
            repeat=columns["repeat"],
            outputs=outputs or ("bound",),
            targets=np.stack(targets or [labels], axis=1),
            description=description,
            values=values,
        )
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: the dataset is damaged ({error}); make it again with 'wavebind dataset'"
        ) from error


def epoch_indices(
    labels: NDArray[np.int8],
    indices: NDArray[np.int64],
    ratio: float | None,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """The windows of one epoch: every bound one, and a fresh draw of unbound ones.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape ``(window,)`` of the whole set.
    indices : numpy.ndarray
        The training windows.
    ratio : float or None
        Unbound windows for each bound one; None, or more than there are, takes all of them.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        Indices into the set, shuffled, none twice.
    """
    bound = indices[labels[indices] == 1]
    unbound = indices[labels[indices] == 0]
    if ratio is not None:
        n = min(len(unbound), max(1, round(ratio * len(bound))))
        unbound = rng.choice(unbound, n, replace=False)
    return rng.permutation(np.concatenate([bound, unbound]))


def balanced_sample(
    data: Dataset, rng: np.random.Generator, n_each: int | None
) -> tuple[Codes, NDArray[np.int8]]:
    """Training windows of both classes, as many of each.

    Parameters
    ----------
    data : Dataset
    rng : numpy.random.Generator
    n_each : int or None
        At most this many of each class; None for as many as the smaller class has.

    Returns
    -------
    tuple of numpy.ndarray
        Codes ``(window, position)`` and labels ``(window,)``.
    """
    train = data.indices("train")
    bound = train[data.labels[train] == 1]
    n = len(bound) if n_each is None else min(n_each, len(bound))
    kept = rng.choice(bound, n, replace=False)
    pool = np.concatenate([kept, train[data.labels[train] == 0]])
    chosen = np.sort(epoch_indices(data.labels, pool, 1.0, rng))
    return np.asarray(data.codes[chosen]), data.labels[chosen]
