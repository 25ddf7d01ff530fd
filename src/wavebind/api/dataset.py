"""Datasets from peaks, tables, FASTA files or sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wavebind.api.frames import PathLike, regions_file, table_file
from wavebind.api.progress import advancing, noting, stages
from wavebind.api.scratch import lasting_folder, scratch_folder
from wavebind.api.settings import DatasetSettings, SplitSettings
from wavebind.core.errors import InputError, UsageError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.jsonfiles import write_json
from wavebind.core.settings import names_of, with_values
from wavebind.core.shards import Shard, chunks_folder
from wavebind.core.workers import WorkerPool
from wavebind.datasets.audit import WORDS, audit, to_plain
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.datasets.from_peaks.backgrounds import BackgroundConfig
from wavebind.datasets.from_peaks.job import PeakJob, build_dataset
from wavebind.datasets.from_peaks.settings import PeakDatasetConfig
from wavebind.datasets.splits import BlockSplit, ChromosomeSplit
from wavebind.datasets.tables import read_labelled_fasta, read_labelled_table
from wavebind.datasets.targets import read_target
from wavebind.datasets.writing import write_dataset

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["audit_dataset", "make_dataset"]

Paths = PathLike | Sequence[PathLike]


def make_dataset(
    windows: Paths | pd.DataFrame | Sequence[str] | None = None,
    labels: Sequence[Any] | NDArray[Any] | None = None,
    *,
    peaks: Paths | pd.DataFrame | None = None,
    genome: PathLike | None = None,
    background: str | Sequence[str] | None = None,
    accessible: Paths | pd.DataFrame | None = None,
    top: int | None = None,
    target: str | None = None,
    split: Sequence[str] | NDArray[np.str_] | None = None,
    split_blocks: bool = False,
    out: PathLike | None = None,
    seed: int = 0,
    force: bool = False,
    settings: DatasetSettings | Sequence[str] | Mapping[str, Any] | None = None,
    on_event: OnEvent = ignore,
) -> Dataset | None:
    """Make a dataset from peaks and a genome, or from labelled windows; and audit it.

    Parameters
    ----------
    windows : path or paths, pandas.DataFrame, or sequence of str, optional
        Labelled tables (see ``docs/datasets.md``); a table of pandas with the same columns; or
        sequences of one length, with `labels`.
    labels : sequence, optional
        Of sequences: shape ``(window,)``, 1 bound, 0 unbound.
    peaks : path or paths, or pandas.DataFrame, optional
        narrowPeak or BED. A table has ``chrom``, ``start``, ``end``, and ``summit`` in base pairs
        from the start.
    genome : path, optional
        FASTA or 2bit, with `peaks`.
    background : str or sequence of str, optional
        ``accessible``, ``gc``, ``flank`` or ``shuffle``, one or several, with `peaks`.
    accessible : path or paths, or pandas.DataFrame, optional
        BED of open chromatin, for the accessible background.
    top : int, optional
        Only so many bound windows, those with the strongest signal.
    target : str, optional
        Column of a table to take in place of a label: classes, or numbers.
    split : sequence of str, optional
        Of sequences: ``train``, ``valid`` or ``test`` for each. Without it a tenth of them is
        valid and a tenth test, drawn with the seed, which an event says.
    split_blocks : bool
        Split by contiguous blocks, for a genome of too few chromosomes.
    out : path, optional
        The folder of the dataset. By default one that is removed when Python ends.
    seed : int
        Decides the choice of unbound windows.
    force : bool
        Whether an older dataset is replaced.
    settings : DatasetSettings, sequence of str, or mapping, optional
        What is rarely changed, as ``{"background.ratio": 2}`` or ``["background.ratio=2"]``.
    on_event : callable
        Takes what happens; see :mod:`wavebind.core.events`.

    Returns
    -------
    Dataset or None
        None where only a share of the work was done.

    Raises
    ------
    UsageError
        If arguments do not go together.
    InputError
        If an input cannot be used.
    """
    if not isinstance(settings, DatasetSettings):
        settings = with_values(DatasetSettings(), settings or ())
    place = Path(out) if out is not None else lasting_folder() / "data"
    if not force and (place / "dataset.json").is_file() and not (place / "audit.json").exists():
        raise InputError(
            f"{place}: is a whole dataset whose audit is missing, as after a command that was "
            f"stopped; 'wavebind audit {place}' makes it. Or pass --force to make both anew"
        )
    chosen = _split(settings.split, split_blocks)
    with scratch_folder() as folder:
        if peaks is not None:
            _refuse_with_peaks(genome, background, target, settings)
            kinds = names_of(background) if isinstance(background, str) else list(background or ())
            job = _peak_job(settings, peaks, genome, accessible, place, folder)
            config = PeakDatasetConfig(
                length=settings.length,
                top=top,
                centre=settings.centre,
                chroms=settings.chroms,
                background=BackgroundConfig(tuple(kinds), **asdict(settings.background)),
                split=chosen or ChromosomeSplit(),
                seed=seed,
            )
            more = [] if windows is None else _paths(windows, folder, "peaks")
            job = replace(job, config=config, force=force, peaks=(*job.peaks, *more))
            if not _build(job, settings, on_event):
                return None
        else:
            _refuse_without_peaks(genome, background, accessible, settings)
            if isinstance(chosen, BlockSplit):
                raise UsageError("--split-blocks needs --peaks and a --genome")
            tables = _tables(windows, labels, split, seed, folder, on_event)
            _from_windows(place, tables, target, settings, chosen, force, on_event)
    audit_dataset(place, seed=seed, on_event=on_event)
    return open_dataset(place)


def _tables(
    windows: Any, labels: Any, split: Any, seed: int, folder: Path, on_event: OnEvent
) -> list[str]:
    """The labelled tables; one that is written here, of windows that were given in memory."""
    if windows is None:
        return []
    if _all_paths(windows):
        return _paths(windows, folder, "windows")
    if split is None and labels is not None:
        on_event(
            Message(
                "the sequences have no chromosomes: a tenth of them, drawn at random, is valid and "
                "another tenth test"
            )
        )
    return [str(table_file(windows, labels, split, seed, folder))]


def audit_dataset(
    data: PathLike, split: str = "test", seed: int = 0, on_event: OnEvent = ignore
) -> dict[str, Any]:
    """Audit a dataset and write ``audit.json`` into it.

    Parameters
    ----------
    data : path
        The folder of the dataset.
    split : {"train", "valid", "test"}
    seed : int
        Decides the resamples of the intervals.
    on_event : callable

    Returns
    -------
    dict
        What the file holds; see :func:`wavebind.datasets.audit.audit`.
    """
    path = Path(data)
    advance = advancing(on_event, "auditing", len(WORDS) + 1)
    found = to_plain(audit(open_dataset(path), split, np.random.default_rng(seed), advance))
    write_json(path / "audit.json", found)
    return found


def _all_paths(*values: Any) -> bool:
    for value in values:
        one = value[0] if isinstance(value, list | tuple) and value else value
        is_file = isinstance(one, Path) or (isinstance(one, str) and Path(one).exists())
        if one is not None and not is_file and not (isinstance(one, str) and _is_name(one)):
            return False
    return True


def _is_name(text: str) -> bool:
    """Whether a text is the name of a file that is not there, and not a sequence."""
    return not set(text.upper()) <= set("ACGTN")


def _paths(value: Any, folder: Path, name: str) -> list[str]:
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        return [str(regions_file(value, folder, name))]
    values = [value] if isinstance(value, str | Path) else list(value or ())
    return [str(path) for path in values]


def _split(settings: SplitSettings, blocks: bool) -> ChromosomeSplit | BlockSplit | None:
    if bool(settings.test) != bool(settings.valid):
        raise UsageError("split.test and split.valid belong together; give both")
    if blocks and settings.test:
        raise UsageError("--split-blocks and split.test are two ways to split; give one")
    if blocks:
        return BlockSplit(settings.block_size, settings.block_gap)
    return ChromosomeSplit(settings.test, settings.valid) if settings.test else None


def _refuse_with_peaks(
    genome: Any, background: Any, target: str | None, settings: DatasetSettings
) -> None:
    if genome is None:
        raise UsageError("--peaks needs the --genome that they lie on")
    if settings.positives or settings.negatives or settings.labels or target:
        raise UsageError(
            "give either --peaks, or windows of your own (a table, or the settings positives and "
            "negatives)"
        )
    if not background:
        raise UsageError("--peaks needs a --background: accessible, gc, flank or shuffle")


def _refuse_without_peaks(
    genome: Any, background: Any, accessible: Any, settings: DatasetSettings
) -> None:
    work = (settings.workers, settings.dask, settings.shard)
    given = (genome, background, accessible, settings.exclude or None, *work)
    if any(value is not None for value in given):
        raise UsageError(
            "--genome, --background, --accessible and the settings exclude, workers, dask and "
            "shard need --peaks"
        )


def _peak_job(
    settings: DatasetSettings,
    peaks: Any,
    genome: Any,
    accessible: Any,
    out: Path,
    folder: Path,
) -> PeakJob:
    # Shares may be joined from another folder.
    shared = any(x is not None for x in (settings.workers, settings.dask, settings.shard))

    def paths(values: Sequence[str]) -> tuple[str, ...]:
        return tuple(str(Path(value).absolute()) if shared else value for value in values)

    return PeakJob(
        peaks=paths(_paths(peaks, folder, "peaks")),
        genome=paths([str(genome)])[0],
        out=paths([str(out)])[0],
        accessible=paths(_paths(accessible, folder, "accessible")),
        exclude=paths(settings.exclude),
    )


def _build(job: PeakJob, settings: DatasetSettings, on_event: OnEvent) -> bool:
    """Whether the dataset is whole, and not only a share counted."""
    pool = None
    if settings.workers is not None or settings.dask is not None:
        pool = WorkerPool(settings.workers, settings.dask)
    summary = build_dataset(
        job,
        shard=None if settings.shard is None else Shard.parse(settings.shard),
        pool=pool,
        note=noting(on_event),
        stages=stages(on_event),
    )
    if summary is None:
        on_event(
            Message(
                f"share {settings.shard} done: {chunks_folder(Path(job.out))}; when all are, join "
                f"them with 'wavebind merge {job.out}'"
            )
        )
    return summary is not None


def _from_windows(
    out: Path,
    tables: Sequence[str],
    target: str | None,
    settings: DatasetSettings,
    split: ChromosomeSplit | None,
    force: bool,
    on_event: OnEvent,
) -> None:
    inputs = [Path(table) for table in tables]
    positives, negatives = settings.positives, settings.negatives
    fastas = positives is not None or negatives is not None
    if settings.task is not None and target is None:
        raise UsageError("the setting task needs a --target")
    if target is not None and (settings.labels or fastas or not inputs):
        raise UsageError("--target is a column of tables, in place of the setting labels")
    if bool(inputs) == fastas:
        raise UsageError(
            "give tables, or the settings positives and negatives, or --peaks and a --genome"
        )
    if settings.labels and (fastas or len(settings.labels) < 2):
        raise UsageError("the setting labels names two columns or more of a table")
    wanted = None if target is None else read_target(inputs, target, settings.task, split)
    if fastas:
        if positives is None or negatives is None:
            raise UsageError("the settings positives and negatives belong together; give both")
        split = split or ChromosomeSplit()
        inputs = [Path(positives), Path(negatives)]
        rows = chain(*(read_labelled_fasta(p, 1 - i, split) for i, p in enumerate(inputs)))
    else:
        rows = chain.from_iterable(
            read_labelled_table(path, split, settings.labels, wanted) for path in inputs
        )
    write_dataset(
        rows,
        out,
        inputs=inputs,
        outputs=settings.labels,
        target=wanted,
        settings={
            "split": "by the split column"
            if split is None
            else {"test": list(split.test), "valid": list(split.valid)}
        },
        overwrite=force,
        progress=advancing(on_event, "reading windows", None),
    )
