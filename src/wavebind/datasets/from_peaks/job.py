"""A dataset from peaks as a job: counted by many, then chosen and written by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from wavebind.core.errors import InputError
from wavebind.core.filekinds import refuse_pipe
from wavebind.core.files import sha256
from wavebind.core.settings import to_dict
from wavebind.core.shards import Arrays, ChunkStore, Shard, chunks_folder
from wavebind.core.workers import WorkerPool, run_chunks
from wavebind.datasets.from_peaks.candidates import (
    ChromosomeCandidates,
    CountTask,
    count_chromosome,
)
from wavebind.datasets.from_peaks.choose import Count, Stages, choose_windows, silent
from wavebind.datasets.from_peaks.settings import PeakDatasetConfig
from wavebind.datasets.writing import DatasetSummary, write_dataset
from wavebind.genome.genomes import Genome, open_genome

__all__ = ["PeakJob", "build_dataset", "merge_dataset"]


@dataclass(frozen=True)
class PeakJob:
    """Everything that decides a dataset from peaks, and where it goes.

    Attributes
    ----------
    peaks, accessible, exclude : tuple of str
        Paths.
    genome, out : str
        Paths.
    config : PeakDatasetConfig
    force : bool
        Whether an older dataset is replaced.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    peaks: tuple[str, ...]
    genome: str
    out: str
    accessible: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    config: PeakDatasetConfig = field(default_factory=PeakDatasetConfig)
    force: bool = False


class _ShareDone(Exception):  # noqa: N818
    """A share of the counting is done; nothing is chosen yet."""


def build_dataset(
    job: PeakJob,
    *,
    shard: Shard | None = None,
    pool: WorkerPool | None = None,
    note: Callable[[str], None] | None = None,
    stages: Stages | None = None,
) -> DatasetSummary | None:
    """Make a dataset.

    With a `shard` or a `pool` the candidates are counted in chunks, a chromosome each. The chunks
    are kept in ``OUT.parts`` until the dataset is whole. Without them this process counts alone.

    Parameters
    ----------
    job : PeakJob
    shard : Shard, optional
        Count this share of the chromosomes only; :func:`merge_dataset` goes on from there.
    pool : WorkerPool, optional
        Who counts.
    note : callable, optional
        Takes what a person should know.
    stages : callable, optional
        Opens a progress bar.

    Returns
    -------
    DatasetSummary or None
        None of a share.

    Raises
    ------
    InputError
        As :func:`wavebind.datasets.from_peaks.choose.choose_windows` and
        :func:`wavebind.datasets.writing.write_dataset`.
    """
    for path in (*job.peaks, *job.accessible, *job.exclude):
        refuse_pipe(Path(path), "this input is read twice, once for its checksum")
    bars = stages or silent
    with bars("reading the genome", None) as advance:
        genome = open_genome(Path(job.genome), progress=advance)
    store: ChunkStore | None = None
    count: Count | None = None
    if shard is not None or pool is not None:
        if Path(job.out).exists() and not job.force:
            raise InputError(f"{job.out}: exists already; choose another name or pass --force")
        store = _store(job, genome)
        count = _shared(store, shard, pool or WorkerPool(1))
    with store.claimed(shard or Shard()) if store else nullcontext():
        try:
            summary = _write(job, genome, count, note or (lambda _: None), bars)
        except _ShareDone:
            return None
        if store is not None:
            store.remove()
    return summary


def merge_dataset(job: PeakJob) -> DatasetSummary:
    """Make a dataset of what the shares have counted.

    Raises
    ------
    InputError
        If a chunk is missing, or an input is not what it was.
    """
    genome = open_genome(Path(job.genome))
    store = _store(job, genome)

    def count(
        task: CountTask,
        chunks: list[ChromosomeCandidates],
        done: Callable[[ChromosomeCandidates], None],
    ) -> Iterator[Arrays]:
        del task, done
        return (store.read(i) for i in range(len(chunks)))

    with store.claimed(Shard()):
        summary = _write(job, genome, count, lambda _: None, silent)
        store.remove()
    return summary


def _store(job: PeakJob, genome: Genome) -> ChunkStore:
    inputs = [*job.peaks, *job.accessible, *job.exclude]
    description = {
        "command": "dataset",
        "job": to_dict(job),
        "genome": genome.checksum,
        "inputs": [sha256(Path(path)) for path in inputs],
    }
    return ChunkStore(chunks_folder(Path(job.out)), description)


def _shared(store: ChunkStore, shard: Shard | None, pool: WorkerPool) -> Count:
    def count(
        task: CountTask,
        chunks: list[ChromosomeCandidates],
        done: Callable[[ChromosomeCandidates], None],
    ) -> Iterator[Arrays]:
        share = shard or Shard()
        mine = [(i, chunk) for i, chunk in enumerate(chunks) if share.has(i)]
        run_chunks(partial(count_chromosome, task), mine, store, pool, done)
        if share.count > 1:
            raise _ShareDone
        return (store.read(i) for i in range(len(chunks)))

    return count


def _write(
    job: PeakJob, genome: Genome, count: Count | None, note: Callable[[str], None], stages: Stages
) -> DatasetSummary:
    peaks, accessible, exclude = (
        [Path(p) for p in paths] for paths in (job.peaks, job.accessible, job.exclude)
    )
    with genome:
        chosen = choose_windows(
            genome,
            peaks,
            job.config,
            accessible=accessible,
            exclude=exclude,
            stages=stages,
            count=count,
        )
        for line in chosen.notes:
            note(line)
        with stages("writing windows", len(chosen)) as advance:
            return write_dataset(
                chosen.read(),
                Path(job.out),
                inputs=[*peaks, Path(job.genome), *accessible, *exclude],
                checksums={Path(job.genome): genome.checksum},
                settings={**to_dict(job.config), "notes": chosen.notes},
                dropped=chosen.dropped,
                overwrite=job.force,
                progress=advance,
            )
