"""Windows written as a dataset, in one pass and bounded memory."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wavebind.core.errors import InputError
from wavebind.core.files import replace_dir, sha256
from wavebind.core.settings import to_dict
from wavebind.core.versions import versions
from wavebind.datasets.dataset import FORMAT, LABEL_PREFIX, VALUE_COLUMN
from wavebind.datasets.splits import PARTS, check_parts
from wavebind.datasets.tables import LabelledWindow
from wavebind.datasets.targets import Target
from wavebind.genome.sequences import MAX_UNKNOWN, UNKNOWN, reverse_complement
from wavebind.metrics.binary import ranking_metrics

__all__ = ["DatasetSummary", "write_dataset"]

_BUFFER = 4096
#: Length of the header of ``codes.npy``; a multiple of 64, as the format asks.
_NPY_HEADER = 128
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
    keep_test: bool = False,
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
    keep_test : bool
        Whether test windows stay whose sequence was there before. Someone else's test is kept
        whole, so that figures on it can be compared; the audit counts what it shares.
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
                known = None if keep_test and window.part == "test" else seen
                reason = _reason_to_drop(window, known, outputs, target)
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
            "name chromosomes that have windows with --set split.test=... and split.valid=..., or "
            "mend the split column",
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
    seen: dict[bytes, int] | None,
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
    if seen is None:
        return ""
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
                    [(VALUE_COLUMN, pa.float64())]
                    if target is not None and target.task == "regression"
                    else [(f"{LABEL_PREFIX}{name}", pa.int8()) for name in outputs]
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
            table[VALUE_COLUMN] = [w.value for w in rows]
        else:
            table |= {
                f"{LABEL_PREFIX}{name}": [w.targets[i] for w in rows]
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
