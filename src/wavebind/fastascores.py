"""Scores of the records of a FASTA file, as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from wavebind.dataset import MAX_UNKNOWN
from wavebind.devices import resolve_device
from wavebind.errors import InputError
from wavebind.models import load_model
from wavebind.prediction import predict_logits, probabilities
from wavebind.rundir import RunDir
from wavebind.sequences import UNKNOWN, FastaRecord, read_fasta

__all__ = ["FastaSummary", "score_fasta"]

#: Records that are held at a time.
CHUNK = 4096


@dataclass(frozen=True)
class FastaSummary:
    """How many records were read, and how many were too unknown to be scored."""

    n_records: int
    n_unknown: int


def score_fasta(
    out: Path,
    fasta: Path,
    stream: TextIO,
    *,
    device: str = "auto",
    progress: Callable[[int], None] | None = None,
) -> FastaSummary:
    """Write ``name``, ``probability`` and ``logit`` of every record, tab-separated.

    The whole file is checked before the first line is written, so that bad input leaves no
    partial table, even on standard output.

    Parameters
    ----------
    out : pathlib.Path
        A run directory.
    fasta : pathlib.Path
        Records of the model's window length.
    stream : file
        Where the table goes.
    device : str
    progress : callable, optional
        Called with the number of records scored since the last call.

    Raises
    ------
    InputError
        If the run is not a trained one, the file is not FASTA, or a record has another length.
    """
    run = RunDir(out).require_model()
    model, card = load_model(run.model, resolve_device(device))
    _check_lengths(fasta, card.model.length)
    stream.write("name\tprobability\tlogit\n")
    n_records = n_unknown = 0
    for records in _chunks(read_fasta(fasta)):
        codes = np.stack([record.codes for record in records])
        unknown = (codes == UNKNOWN).sum(axis=1) > MAX_UNKNOWN * codes.shape[1]
        logits = predict_logits(model, codes, np.flatnonzero(~unknown))
        scores = iter(zip(probabilities(logits), logits, strict=True))
        for record, skip in zip(records, unknown, strict=True):
            if skip:
                stream.write(f"{record.name}\tNA\tNA\n")
            else:
                probability, logit = next(scores)
                stream.write(f"{record.name}\t{probability:.6g}\t{logit:.6g}\n")
        n_records += len(records)
        n_unknown += int(unknown.sum())
        if progress:
            progress(len(records))
    return FastaSummary(n_records, n_unknown)


def _chunks(records: Iterator[FastaRecord]) -> Iterator[list[FastaRecord]]:
    while chunk := list(islice(records, CHUNK)):
        yield chunk


def _check_lengths(fasta: Path, length: int) -> None:
    n = n_wrong = 0
    first = ""
    for record in read_fasta(fasta):
        n += 1
        if len(record.codes) != length:
            n_wrong += 1
            first = first or f"{record.name!r} (line {record.line}) has {len(record.codes)} bp"
    if n_wrong:
        raise InputError(
            f"{fasta}: {n_wrong:,} of {n:,} sequences are not {length} bp long, the window that "
            f"the model was trained on; the first is {first}. Cut windows of {length} bp around "
            f"the places of interest"
        )
