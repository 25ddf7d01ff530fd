"""The labelled set on disk, and as batches.

A dataset is a folder: ``codes.npy`` (``uint8``, window by position, memory-mapped),
``windows.parquet`` (chrom, start, end, label, split, source, score, repeat) and ``dataset.json``
(counts, what was dropped and why, where everything came from).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import replace_dir, sha256
from wavebind.core.settings import to_dict
from wavebind.core.versions import versions
from wavebind.datasets.splits import PARTS, check_parts
from wavebind.datasets.tables import LabelledWindow
from wavebind.datasets.targets import Target, Task
from wavebind.genome.sequences import UNKNOWN, Codes, reverse_complement
from wavebind.metrics.binary import ranking_metrics

__all__ = [
    "Dataset",
    "DatasetSummary",
    "epoch_indices",
    "open_dataset",
    "write_dataset",
]

FORMAT = 2
#: A window with more unknown bases than this fraction is dropped.
MAX_UNKNOWN = 0.10
_BUFFER = 4096
#: What the names of columns with one of several labels begin with.
_TARGET = "label:"
#: The column of a set of numbers.
_VALUE = "value"
#: Length of the header of ``codes.npy``; a multiple of 64, as the format asks.
_NPY_HEADER = 128
#: The largest metadata file that is read.
_MAX_JSON = 16 * 2**20

DROP_NO_LABEL = "none of its labels is known"
DROP_NO_VALUE = "its class or its value is not known"
DROP_UNKNOWN = "more than 10 % unknown bases"
DROP_DUPLICATE = "same sequence (either strand) as an earlier window of its class"
DROP_CONFLICT = "same sequence (either strand) as an earlier window of the other class"


@dataclass(frozen=True)
class DatasetSummary:
    """What was written.

    Attributes
    ----------
    length : int
        Window length in base pairs.
    counts : dict
        Number of windows by part and label.
    dropped : dict
        Number of windows by the reason for which they were left out.
    """

    length: int
    counts: dict[tuple[str, int], int]
    dropped: dict[str, int]

    @property
    def n_windows(self) -> int:
        """Windows kept."""
        return sum(self.counts.values())


def write_dataset(
    windows: Iterable[LabelledWindow],
    out: Path,
    *,
    inputs: Sequence[Path] = (),
    checksums: Mapping[Path, str] | None = None,
    outputs: Sequence[str] = (),
    target: Target | None = None,
    settings: dict[str, Any] | None = None,
    dropped: Mapping[str, int] | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> DatasetSummary:
    """Write windows as a dataset, in one pass and bounded memory.

    Parameters
    ----------
    windows : iterable of LabelledWindow
    out : pathlib.Path
        The folder. It appears only when whole.
    inputs : sequence of pathlib.Path
        Files whose checksums are recorded.
    checksums : mapping, optional
        SHA-256 of those inputs for which it is known already.
    outputs : sequence of str
        Names of the labels, where windows have several.
    target : Target, optional
        What windows were told by in place of a label.
    settings : dict, optional
        Recorded as they are.
    dropped : mapping, optional
        Windows left out before, by reason.
    overwrite : bool
        Whether an older dataset of that name is replaced.
    progress : callable, optional
        Called with the number of windows read since the last call.

    Returns
    -------
    DatasetSummary

    Raises
    ------
    InputError
        If windows differ in length, a class or a part has no window, or the folder cannot be
        written.
    """
    counts: Counter[tuple[str, int]] = Counter()
    left_out: Counter[str] = Counter(dropped or {})
    lengths: Counter[tuple[int, int]] = Counter()
    first_place: dict[int, str] = {}
    # 16 bytes a window instead of its sequence: a million windows stay below 150 MB.
    seen: dict[bytes, int] = {}
    if target is not None:
        outputs = target.outputs
    with replace_dir(out, overwrite=overwrite, marker="dataset.json") as folder:
        with _Writer(folder, outputs, target) as writer:
            for n, window in enumerate(windows, 1):
                length = len(window.codes)
                lengths[length, window.label] += 1
                first_place.setdefault(length, window.place)
                if len(first_place) > 1:
                    # Read on: the message tells how many there are of each.
                    continue
                reason = _reason_to_drop(window, seen, outputs, target)
                if reason:
                    left_out[reason] += 1
                else:
                    writer.add(window)
                    counts[window.part, window.label] += 1
                if progress and n % _BUFFER == 0:
                    progress(_BUFFER)
            if len(first_place) > 1:
                raise InputError(_length_message(lengths, first_place))
            writer.finish()
        names = ", ".join(str(p) for p in inputs) or str(out)
        check_parts(
            counts,
            names,
            "name chromosomes that have windows with --test-chroms and --valid-chroms, or mend "
            "the split column",
        )
        summary = DatasetSummary(next(iter(first_place)), dict(counts), dict(left_out))
        description = {
            "format": FORMAT,
            "length": summary.length,
            "n_windows": summary.n_windows,
            "counts": {
                part: {
                    "bound": counts[part, 1],
                    "unbound": counts[part, 0],
                }
                for part in PARTS
            },
            "dropped": dict(left_out),
            "inputs": [
                {"path": str(p), "sha256": (checksums or {}).get(p) or sha256(p)} for p in inputs
            ],
            "outputs": list(outputs),
            "task": target.task if target else "multilabel" if outputs else "binary",
            "target": to_dict(target) if target else None,
            "settings": settings or {},
            "versions": versions(),
            "codes_sha256": sha256(folder / "codes.npy"),
        }
        (folder / "dataset.json").write_text(json.dumps(description, indent=2) + "\n")
    return summary


def _reason_to_drop(
    window: LabelledWindow,
    seen: dict[bytes, int],
    outputs: Sequence[str],
    target: Target | None,
) -> str:
    codes = window.codes
    if target is not None and math.isnan(window.value):
        return DROP_NO_VALUE
    if target is None and outputs and max(window.targets) < 0:
        return DROP_NO_LABEL
    if np.count_nonzero(codes == UNKNOWN) > MAX_UNKNOWN * len(codes):
        return DROP_UNKNOWN
    # The smaller of the two strands stands for both.
    key = min(codes.tobytes(), reverse_complement(codes).tobytes())
    digest = hashlib.blake2b(key, digest_size=16).digest()
    if digest not in seen:
        seen[digest] = window.label
        return ""
    return DROP_DUPLICATE if seen[digest] == window.label else DROP_CONFLICT


def _length_message(lengths: Counter[tuple[int, int]], first_place: dict[int, str]) -> str:
    by_length: Counter[int] = Counter()
    for (length, _), n in lengths.items():
        by_length[length] += n
    common, *others = (length for length, _ in by_length.most_common())
    found = "; ".join(
        f"{n} bp ({by_length[n]:,} windows, the first at {first_place[n]})" for n in others[:5]
    )
    return (
        f"the windows differ in length: {common} bp ({by_length[common]:,} windows) and {found}. "
        f"{_length_leak(lengths)}cut all windows to one length"
    )


def _length_leak(lengths: Counter[tuple[int, int]]) -> str:
    """What length alone would score, if there are two classes."""
    pairs = sorted(lengths.items())
    labels = np.concatenate([np.full(n, label) for (_, label), n in pairs])
    if not 0 < labels.sum() < len(labels):
        return "A model could tell windows by length alone: "
    values = np.concatenate([np.full(n, length) for (length, _), n in pairs])
    auroc, _ = ranking_metrics(labels, values.astype(np.float64))
    return (
        f"Length alone tells the classes apart with an AUROC of {max(auroc, 1 - auroc):.3f}, which "
        f"no model may learn: "
    )


class _Writer:
    """Appends windows to ``codes.npy`` and ``windows.parquet``."""

    def __init__(
        self, folder: Path, outputs: Sequence[str] = (), target: Target | None = None
    ) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pa = pa
        self._schema = pa.schema(
            [
                ("chrom", pa.string()),
                ("start", pa.int64()),
                ("end", pa.int64()),
                ("label", pa.int8()),
                ("split", pa.string()),
                ("source", pa.string()),
                ("score", pa.float32()),
                ("repeat", pa.float32()),
                *(
                    [(_VALUE, pa.float64())]
                    if target is not None and target.task == "regression"
                    else [(f"{_TARGET}{name}", pa.int8()) for name in outputs]
                ),
            ]
        )
        self._outputs = tuple(outputs)
        self._values = target is not None and target.task == "regression"
        self._codes = (folder / "codes.npy").open("wb")
        self._codes.write(b"\0" * _NPY_HEADER)
        self._parquet = pq.ParquetWriter(folder / "windows.parquet", self._schema)
        self._buffer: list[LabelledWindow] = []
        self._n = 0
        self._length = 0

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._codes.close()
        self._parquet.close()

    def add(self, window: LabelledWindow) -> None:
        self._buffer.append(window)
        if len(self._buffer) >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        rows = self._buffer
        if not rows:
            return
        self._length = len(rows[0].codes)
        self._codes.write(np.stack([w.codes for w in rows]).tobytes())
        table: dict[str, list[Any]] = {
            "chrom": [w.chrom for w in rows],
            "start": [w.start for w in rows],
            "end": [w.end for w in rows],
            "label": [w.label for w in rows],
            "split": [w.part for w in rows],
            "source": [w.source for w in rows],
            "score": [w.score for w in rows],
            "repeat": [w.repeat for w in rows],
        }
        if self._values:
            table[_VALUE] = [w.value for w in rows]
        else:
            table |= {
                f"{_TARGET}{name}": [w.targets[i] for w in rows]
                for i, name in enumerate(self._outputs)
            }
        self._parquet.write_table(self._pa.table(table, schema=self._schema))
        self._n += len(rows)
        self._buffer = []

    def finish(self) -> None:
        """Write what is buffered, and the header now that the number of windows is known."""
        self._flush()
        self._codes.seek(0)
        self._codes.write(_npy_header(self._n, self._length))


def _npy_header(n: int, length: int) -> bytes:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({n}, {length}), }}".encode()
    head = b"\x93NUMPY\x01\x00" + (_NPY_HEADER - 10).to_bytes(2, "little")
    return head + text.ljust(_NPY_HEADER - 11) + b"\n"


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
        """Path, and checksums of the windows and of their splits: what a run was trained on.

        Those of the whole set, of a view, too: it has no window in another part.
        """
        splits = self.parts if self.splits is None else self.splits
        return {
            "path": str(self.path),
            "codes_sha256": self.checksum,
            "splits_sha256": hashlib.sha256("\n".join(splits.tolist()).encode()).hexdigest(),
        }

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

    def with_fewer(self, n_bound: int, rng: np.random.Generator) -> Dataset:
        """The set with a random part of its training windows; the others are in no part.

        Parameters
        ----------
        n_bound : int
            Bound training windows to keep; unbound ones are kept in the proportion there is.
        rng : numpy.random.Generator

        Raises
        ------
        InputError
            If there are not that many.
        """
        train = self.indices("train")
        bound, unbound = (train[self.labels[train] == label] for label in (1, 0))
        if not 1 <= n_bound <= len(bound):
            raise InputError(
                f"{self.path}: has {len(bound):,} bound training windows; {n_bound:,} cannot be "
                f"kept of them"
            )
        n_unbound = max(1, round(len(unbound) * n_bound / len(bound)))
        kept = [rng.choice(bound, n_bound, replace=False)]
        kept.append(rng.choice(unbound, min(n_unbound, len(unbound)), replace=False))
        parts = np.where(self.parts == "train", "", self.parts)
        parts[np.concatenate(kept)] = "train"
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


def open_dataset(path: Path) -> Dataset:
    """Open a dataset; the sequences stay on disk.

    Raises
    ------
    InputError
        If the folder is not a dataset, is of another format, or its files disagree.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

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
            values = columns[_VALUE].astype(np.float64)
            targets = [labels]
        else:
            targets = [columns[f"{_TARGET}{name}"].astype(np.int8) for name in outputs]
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
