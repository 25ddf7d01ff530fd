"""Scores of the records of a FASTA file, as a table."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TextIO

import numpy as np

from wavebind.core.devices import resolve_device
from wavebind.core.errors import InputError
from wavebind.genome.sequences import MAX_UNKNOWN, UNKNOWN, FastaRecord, read_fasta
from wavebind.models import Classifier, ModelCard, load_model
from wavebind.models.prediction import predict_logits
from wavebind.models.rundir import RunDir

__all__ = ["FastaSummary", "score_fasta"]

#: Records that are held at a time.
CHUNK = 4096


@dataclass(frozen=True)
class FastaSummary:
    """How many records were read, and how many were too unknown to be scored."""

    n_records: int
    n_unknown: int


def score_fasta(
    run: Path,
    fasta: Path,
    stream: TextIO,
    *,
    prevalence: float | None = None,
    device: str = "auto",
    progress: Callable[[int], None] | None = None,
) -> FastaSummary:
    """Write ``name``, ``probability`` and ``logit`` of every record, tab-separated.

    Of a model of several outputs ``probability:NAME`` and ``logit:NAME`` of each, and of one of
    classes ``class``, the most probable, first. Of a regression ``value`` in place of
    ``probability``.

    The file is read once, so it may be a pipe. The table is kept aside until the whole file has
    proved right: bad input leaves no partial table, even on standard output.

    Parameters
    ----------
    run : pathlib.Path
        A run directory.
    fasta : pathlib.Path
        Records of the model's window length.
    stream : file
        Where the table goes.
    prevalence : float, optional
        Fraction of bound windows among what is scored, for the probabilities; by default that of
        the validation split.
    device : str
    progress : callable, optional
        Called with the number of records read since the last call.

    Raises
    ------
    InputError
        If the run is not a trained one, the file is not FASTA, or a record has another length.
    """
    folder = RunDir(run).require_model()
    model, card = load_model(folder.model, resolve_device(device))
    if prevalence is not None:
        card = card.at_prevalence(prevalence)
    length = card.model.length
    n_records = n_unknown = n_wrong = 0
    first_wrong = ""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as table:
        outputs = card.model.outputs
        suffixes = [""] if len(outputs) == 1 else [f":{name}" for name in outputs]
        columns = [f"{card.quantity}{s}\tlogit{s}" for s in suffixes]
        first = ["name", "class"] if card.model.task_name == "multiclass" else ["name"]
        table.write("\t".join([*first, *columns]) + "\n")
        for records in _chunks(read_fasta(fasta)):
            n_records += len(records)
            wrong = [record for record in records if len(record.codes) != length]
            if wrong and not first_wrong:
                bad = wrong[0]
                first_wrong = f"{bad.name!r} (line {bad.line}) has {len(bad.codes)} bp"
            n_wrong += len(wrong)
            if not n_wrong:
                n_unknown += _write_rows(model, card, records, table)
            if progress:
                progress(len(records))
        if n_wrong:
            raise InputError(
                f"{fasta}: {n_wrong:,} of {n_records:,} sequences are not {length} bp long, the "
                f"window that the model was trained on; the first is {first_wrong}. Cut windows of "
                f"{length} bp around the places of interest"
            )
        table.seek(0)
        shutil.copyfileobj(table, stream)
    return FastaSummary(n_records, n_unknown)


def _write_rows(
    model: Classifier, card: ModelCard, records: list[FastaRecord], table: IO[str]
) -> int:
    """Score records and write their rows; return how many were too unknown to be scored."""
    codes = np.stack([record.codes for record in records])
    unknown = (codes == UNKNOWN).sum(axis=1) > MAX_UNKNOWN * codes.shape[1]
    logits = predict_logits(model, codes, np.flatnonzero(~unknown))
    columns = logits.reshape(-1, len(card.model.outputs))
    rows = iter(zip(columns, card.all_probabilities(columns.astype(np.float64)), strict=True))
    classes = card.model.task_name == "multiclass"
    for record, skip in zip(records, unknown, strict=True):
        cells = [record.name]
        if skip:
            cells += ["NA"] * (classes + 2 * columns.shape[1])
        else:
            row, predicted = next(rows)
            if classes:
                cells.append(card.model.outputs[int(np.argmax(predicted))])
            for logit, probability in zip(row, predicted, strict=True):
                cells += [f"{probability:.6g}", f"{logit:.6g}"]
        table.write("\t".join(cells) + "\n")
    return int(unknown.sum())


def _chunks(records: Iterator[FastaRecord]) -> Iterator[list[FastaRecord]]:
    while chunk := list(islice(records, CHUNK)):
        yield chunk
