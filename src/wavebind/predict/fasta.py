"""Scores of the records of a FASTA file, as a table."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Literal, TextIO

import numpy as np
from numpy.typing import NDArray

from wavebind.core.devices import Precision, resolve_device
from wavebind.core.errors import InputError
from wavebind.datasets.given import given_windows
from wavebind.genome.sequences import MAX_UNKNOWN, UNKNOWN, Codes, FastaRecord, read_fasta
from wavebind.genome.tiles import few_unknown
from wavebind.models import Classifier, ModelCard, load_model
from wavebind.models.networks.gkm import Gkm
from wavebind.models.prediction import predict_logits
from wavebind.models.rundir import RunDir
from wavebind.models.stretches import StretchScorer
from wavebind.models.targets import one_target

__all__ = ["FastaSummary", "Longer", "score_fasta"]

#: Records that are held at a time.
CHUNK = 4096

#: What to do about records that are shorter than a window, and about longer ones.
_REMEDIES = (
    "shorter ones need more of the sequence around them ('bedtools slop' on their places, then "
    "'bedtools getfasta')",
    "--longer best takes the best window of each longer one, --longer each all of them",
)
#: What becomes of a record that is longer than a window.
Longer = Literal["best", "each"]


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
    genome: Path | None = None,
    longer: Longer | None = None,
    target: str | None = None,
    prevalence: float | None = None,
    precision: Precision = "auto",
    device: str = "auto",
    note: Callable[[str], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> FastaSummary:
    """Write ``name``, ``probability`` and ``logit`` of every record, tab-separated.

    Of a model of LS-GKM ``name`` and ``score``, of whole records of any length of at least L, read
    as they stand, as ``gkmpredict`` does. Of a model of several outputs ``probability:NAME`` and
    ``logit:NAME`` of each, and of one of classes ``class``, the most probable, first. Of a
    regression ``value`` in place of ``probability``. With `longer` a last column ``start``: the
    first base of the window, from 0.

    A FASTA file is read once, so it may be a pipe. The table is kept aside until the whole file has
    proved right: bad input leaves no partial table, even on standard output.

    Parameters
    ----------
    run : pathlib.Path
        A run directory.
    fasta : pathlib.Path
        Records of the model's window length; or with `genome` regions, as BED or narrowPeak.
    stream : file
        Where the table goes.
    genome : pathlib.Path, optional
        That regions lie on; windows are cut around their summits or middles.
    longer : {"best", "each"}, optional
        What becomes of a record that is longer than a window: its window with the highest logit,
        or a row for each of its windows. By default it is refused.
    target : str, optional
        Of a model of several outputs the only one, or a factor; see
        :func:`wavebind.models.targets.outputs_of`. With `longer` of ``best`` it is needed.
    prevalence : float, optional
        Fraction of bound windows among what is scored, for the probabilities; by default that of
        the validation split.
    precision : {"auto", "float32"}
        Numbers to compute with. auto: bfloat16 where the device multiplies it in hardware.
    device : str
    note : callable, optional
        Takes what a person should know of regions.
    progress : callable, optional
        Called with the number of records read since the last call.

    Raises
    ------
    InputError
        If the run is not a trained one, the file is not FASTA, or a record has another length.
    """
    folder = RunDir(run).require_model()
    model, card = load_model(folder.model, resolve_device(device))
    if target is not None or longer == "best":
        model, card = one_target(model, card, target)
    if card.quantity == "score" and longer is None and genome is None:
        return _score_whole(model, fasta, stream, note, progress)
    scorer = StretchScorer(model, bf16=precision == "auto")
    if prevalence is not None:
        card = card.at_prevalence(prevalence)
    length = card.model.length
    records = read_fasta(fasta) if genome is None else _regions(fasta, length, genome, note)
    n_records = n_unknown = 0
    # Records of another length: the first, how many, and whether there are shorter, longer ones.
    first, n_wrong, amiss = "", 0, [False, False]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as table:
        table.write("\t".join(_columns(card, longer)) + "\n")
        for chunk in _chunks(records):
            n_records += len(chunk)
            for record in chunk:
                n = len(record.codes)
                if n < length or (n > length and longer is None):
                    first = first or f"{record.name!r} (line {record.line}) has {n} bp"
                    n_wrong += 1
                    amiss[n > length] = True
            if not n_wrong:
                n_unknown += _write_rows(scorer, card, chunk, table, longer)
            if progress:
                progress(len(chunk))
        if n_wrong:
            rule = f"shorter than {length} bp" if longer else f"not {length} bp long"
            remedies = [remedy for found, remedy in zip(amiss, _REMEDIES, strict=True) if found]
            raise InputError(
                f"{fasta}: {n_wrong:,} of {n_records:,} sequences are {rule}, the window that the "
                f"model was trained on; the first is {first}; {'; '.join(remedies)}"
            )
        table.seek(0)
        shutil.copyfileobj(table, stream)
    return FastaSummary(n_records, n_unknown)


def _score_whole(
    model: Classifier,
    fasta: Path,
    stream: TextIO,
    note: Callable[[str], None] | None,
    progress: Callable[[int], None] | None,
) -> FastaSummary:
    """Scores of whole records of any length, by a gapped k-mer machine."""
    machine = model.backbone
    if not isinstance(machine, Gkm):
        raise TypeError("only a gapped k-mer machine scores records of any length")
    n_records = n_unknown = 0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as table:
        table.write("name\tscore\n")
        for chunk in _chunks(read_fasta(fasta)):
            by_length: dict[int, list[int]] = {}
            for i, record in enumerate(chunk):
                if len(record.codes) < machine.config.l:
                    raise InputError(
                        f"{fasta} line {record.line}: {record.name!r} has {len(record.codes)} bp; "
                        f"the words of this model have {machine.config.l} (L), so give longer ones"
                    )
                by_length.setdefault(len(record.codes), []).append(i)
                n_unknown += int((record.codes == UNKNOWN).sum())
            scores = np.empty(len(chunk))
            for rows in by_length.values():
                scores[rows] = machine.scores(np.stack([chunk[i].codes for i in rows]))
            for record, score in zip(chunk, scores, strict=True):
                table.write(f"{record.name}\t{score:.6g}\n")
            n_records += len(chunk)
            if progress:
                progress(len(chunk))
        table.seek(0)
        shutil.copyfileobj(table, stream)
    if n_unknown and note:
        note(f"{n_unknown:,} unknown bases are read as A, as LS-GKM does")
    return FastaSummary(n_records, 0)


def _columns(card: ModelCard, longer: Longer | None) -> list[str]:
    outputs = card.model.outputs
    suffixes = [""] if len(outputs) == 1 else [f":{name}" for name in outputs]
    first = ["name", "class"] if card.model.task_name == "multiclass" else ["name"]
    columns = [name for s in suffixes for name in (f"{card.quantity}{s}", f"logit{s}")]
    return [*first, *columns, *(["start"] if longer else [])]


def _regions(
    path: Path, length: int, genome: Path, note: Callable[[str], None] | None
) -> Iterator[FastaRecord]:
    """The windows around regions, as if they were records."""
    data = given_windows(path, length, genome, note)
    names = data.names(np.arange(len(data.labels)))
    for i, (name, codes) in enumerate(zip(names, data.codes, strict=True), 1):
        yield FastaRecord(name, codes, i, 0.0)


def _write_rows(
    scorer: StretchScorer,
    card: ModelCard,
    records: list[FastaRecord],
    table: IO[str],
    longer: Longer | None,
) -> int:
    """Score records and write their rows; return how many were too unknown to be scored."""
    length = card.model.length
    n_unknown = 0
    whole: list[tuple[str, int, Codes]] = []
    for record in records:
        if len(record.codes) == length:
            whole.append((record.name, 0, record.codes))
            continue
        n_unknown += _write_windows(scorer, card, whole, table, longer)
        whole = []
        n_unknown += _write_longer(scorer, card, record, table, longer)
    return n_unknown + _write_windows(scorer, card, whole, table, longer)


def _write_longer(
    scorer: StretchScorer,
    card: ModelCard,
    record: FastaRecord,
    table: IO[str],
    longer: Longer | None,
) -> int:
    """The windows of a record that is longer than one, or the best of them."""
    length = card.model.length
    starts = np.arange(len(record.codes) - length + 1)
    known = few_unknown(record.codes, starts, length)
    logits = np.full((len(starts), len(card.model.outputs)), np.nan)
    found = scorer.logits(record.codes, starts[known])
    logits[known] = found.reshape(len(found), logits.shape[1])
    if longer == "best":
        # Of one that has no window with few unknown bases the first stands for it.
        best = int(np.nanargmax(logits[:, 0])) if known.any() else 0
        starts, logits = starts[best : best + 1], logits[best : best + 1]
    places = [(record.name, start) for start in starts.tolist()]
    return _write_logits(card, places, logits, table, longer)


def _write_windows(
    scorer: StretchScorer,
    card: ModelCard,
    windows: list[tuple[str, int, Codes]],
    table: IO[str],
    longer: Longer | None,
) -> int:
    if not windows:
        return 0
    codes = np.stack([codes for _, _, codes in windows])
    known = np.flatnonzero((codes == UNKNOWN).sum(axis=1) <= MAX_UNKNOWN * codes.shape[1])
    logits = np.full((len(codes), len(card.model.outputs)), np.nan)
    found = predict_logits(scorer.model, codes, known, bf16=scorer.bf16)
    logits[known] = found.reshape(len(known), logits.shape[1])
    places = [(name, start) for name, start, _ in windows]
    return _write_logits(card, places, logits, table, longer)


def _write_logits(
    card: ModelCard,
    places: list[tuple[str, int]],
    columns: NDArray[np.float64],
    table: IO[str],
    longer: Longer | None,
) -> int:
    """Rows of windows ``(name, start)`` and their logits, which are NaN where they are unknown."""
    unknown = np.isnan(columns[:, 0])
    columns = columns[~unknown]
    rows = iter(zip(columns, card.all_probabilities(columns), strict=True))
    classes = card.model.task_name == "multiclass"
    for (name, start), skip in zip(places, unknown, strict=True):
        cells = [name]
        if skip:
            cells += ["NA"] * (classes + 2 * columns.shape[1])
        else:
            row, predicted = next(rows)
            if classes:
                cells.append(card.model.outputs[int(np.argmax(predicted))])
            for logit, probability in zip(row, predicted, strict=True):
                cells += [f"{probability:.6g}", f"{logit:.6g}"]
        if longer:
            cells.append(str(start))
        table.write("\t".join(cells) + "\n")
    return int(unknown.sum())


def _chunks(records: Iterator[FastaRecord]) -> Iterator[list[FastaRecord]]:
    while chunk := list(islice(records, CHUNK)):
        yield chunk
