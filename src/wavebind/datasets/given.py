"""Windows that a person brings to a model: records of a FASTA file, or regions of a genome."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines, sha256
from wavebind.datasets.dataset import Dataset
from wavebind.genome.genomes import open_genome
from wavebind.genome.peaks import place_on_genome, windows_around
from wavebind.genome.sequences import MAX_UNKNOWN, UNKNOWN, Codes, read_fasta
from wavebind.genome.tiles import read_codes

__all__ = ["given_windows"]

#: More windows than this are not looked at one by one.
MAX_WINDOWS = 1_000_000


def given_windows(
    path: Path,
    length: int,
    genome: Path | None = None,
    note: Callable[[str], None] | None = None,
) -> Dataset:
    """Windows of a file as a dataset in memory: all of them test windows that count as bound.

    Parameters
    ----------
    path : pathlib.Path
        FASTA with records of the model's window length, or BED or narrowPeak with `genome`: the
        windows are then centred on the summits, or the middles.
    length : int
        Of the model's windows, in base pairs.
    genome : pathlib.Path, optional
    note : callable, optional
        Takes what a person should know: chromosomes renamed, windows left out.

    Raises
    ------
    InputError
        If the file is neither, a record has another length, or no window is left.
    """
    _, first = next(iter(read_lines(path)))
    is_fasta = first.startswith((">", ";"))
    if is_fasta and genome is not None:
        raise InputError(f"{path}: is FASTA, which needs no genome; leave out --genome")
    if not is_fasta and genome is None:
        raise InputError(
            f"{path}: is neither a dataset nor FASTA; to take it as regions (BED or narrowPeak) "
            f"name the genome that they lie on with --genome"
        )
    found = _records(path, length) if is_fasta else _regions(path, length, genome, note)
    codes, names, chrom, start = found
    few = (codes == UNKNOWN).sum(axis=1) <= MAX_UNKNOWN * length
    if note and not few.all():
        note(
            f"{int((~few).sum()):,} of {len(few):,} windows left out: more than 10 % of their "
            f"bases are unknown"
        )
    if not few.any():
        raise InputError(f"{path}: every window has too many unknown bases")
    kept = np.flatnonzero(few)
    n = len(kept)
    labels = np.ones(n, dtype=np.int8)
    start = start[kept]
    nothing = np.full(n, np.nan, dtype=np.float32)
    return Dataset(
        path=path,
        codes=codes[kept],
        labels=labels,
        parts=np.full(n, "test"),
        chrom=chrom[kept],
        start=start,
        end=np.where(start >= 0, start + length, -1),
        source=np.full(n, ""),
        score=nothing,
        repeat=nothing,
        outputs=("bound",),
        targets=labels[:, None],
        description={"codes_sha256": sha256(path), "inputs": [{"path": str(path)}]},
        window_names=tuple(names[i] for i in kept),
        labelled=False,
    )


#: Codes, names, chromosomes (empty if not known) and first bases (-1 if not known).
_Found = tuple[Codes, list[str], NDArray[np.str_], NDArray[np.int64]]


def _records(path: Path, length: int) -> _Found:
    codes: list[Codes] = []
    names, chrom, start = [], [], []
    for record in read_fasta(path):
        if len(record.codes) != length:
            raise InputError(
                f"{path} line {record.line}: {record.name!r} has {len(record.codes)} bp and the "
                f"model was trained on windows of {length} bp; cut such windows around the places "
                f"of interest"
            )
        if len(codes) == MAX_WINDOWS:
            raise InputError(f"{path}: has more than {MAX_WINDOWS:,} records; explain fewer")
        place = record.locus
        codes.append(record.codes)
        names.append(record.name)
        chrom.append(place.chrom if place else "")
        start.append(place.start if place else -1)
    return np.stack(codes), names, np.array(chrom), np.array(start, dtype=np.int64)


def _regions(
    path: Path, length: int, genome: Path | None, note: Callable[[str], None] | None
) -> _Found:
    assert genome is not None  # noqa: S101 - asked by the caller
    with open_genome(genome) as opened:
        placed = place_on_genome([path], opened, centre="any", strict=False, length=length)
        if len(placed.table) > MAX_WINDOWS:
            raise InputError(f"{path}: has more than {MAX_WINDOWS:,} regions; explain fewer")
        windows, n_outside = windows_around(placed.table, length, opened)
        notes = list(placed.notes)
        if n_outside:
            notes.append(f"{path}: {n_outside:,} windows left out: they leave their chromosome")
        if note and notes:
            note("\n".join(notes))
        if not len(windows):
            raise InputError(f"{path}: no window of {length} bp lies on {genome}")
        chrom, start = windows["chrom"].to_numpy(), windows["start"].to_numpy(dtype=np.int64)
        codes = np.stack(
            [
                read_codes(opened, str(c), s, s + length)
                for c, s in zip(chrom, start.tolist(), strict=True)
            ]
        )
    names = [f"{c}:{s}-{s + length}" for c, s in zip(chrom, start.tolist(), strict=True)]
    return codes, names, chrom.astype(str), start
