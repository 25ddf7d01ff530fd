"""Windows and labels given as arrays, as a dataset that is written nowhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.datasets.dataset import Dataset
from wavebind.genome.sequences import Codes

__all__ = ["dataset_in_memory"]


def dataset_in_memory(
    codes: Codes, labels: NDArray[np.int8], classes: Sequence[str], held_out: NDArray[np.int64]
) -> Dataset:
    """The windows as a dataset; where all are held out, all are trained on as well.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    labels : numpy.ndarray
        ``int8``, shape ``(window,)``: which of the classes, from 0.
    classes : sequence of str
        Their names. Of two the second is bound; more than two exclude each other.
    held_out : numpy.ndarray
        ``int64``: the windows of valid. The others are those of train.
    """
    n = len(labels)
    if len(held_out) == n:
        codes, labels = np.concatenate([codes, codes]), np.concatenate([labels, labels])
        parts = np.repeat(["train", "valid"], n)
    else:
        parts = np.full(n, "train")
        parts[held_out] = "valid"
    n = len(labels)
    nothing = np.full(n, -1, dtype=np.int64)
    names = tuple(classes)
    several = len(names) > 2
    checksum = hashlib.sha256(codes.tobytes()).hexdigest()
    return Dataset(
        path=Path("memory"),
        codes=codes,
        labels=np.ones_like(labels) if several else labels,
        parts=parts,
        chrom=np.full(n, ""),
        start=nothing,
        end=nothing,
        source=np.full(n, ""),
        score=np.full(n, np.nan, dtype=np.float32),
        repeat=np.full(n, np.nan, dtype=np.float32),
        outputs=names if several else ("bound",),
        targets=np.eye(len(names), dtype=np.int8)[labels] if several else labels[:, None],
        description={"codes_sha256": checksum, "task": "multiclass" if several else "binary"},
    )
