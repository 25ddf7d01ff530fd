"""Datasets from peaks, tables, FASTA files or sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wavebind.api.frames import PathLike
from wavebind.api.progress import advancing, noting, stages
from wavebind.api.scratch import lasting_folder, scratch_folder
from wavebind.api.settings import DatasetSettings, SplitSettings
from wavebind.api.windows import dataset_of_windows, paths_of, split_files, tables_of
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
    target: str | None = None,
    split: Sequence[str] | NDArray[np.str_] | None = None,
    valid: Paths | None = None,
    test: Paths | None = None,
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
        sequences of one length, with `labels`. With `test`: tables or FASTA files of training
        windows.
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
    target : str, optional
        Column of a table to take in place of a label: classes, or numbers.
    split : sequence of str, optional
        Of sequences: ``train``, ``valid`` or ``test`` for each. Without it a tenth of them is
        valid and a tenth test, drawn with the seed, which an event says.
    valid, test : path or paths, optional
        Tables or FASTA files of the valid and the test windows, where someone else has made the
        split. Without valid ones a tenth of the training windows is drawn with the seed.
    out : path, optional
        The folder of the dataset. By default one that is removed when Python ends.
    seed : int
        Decides the choice of unbound windows, and what is drawn for validation.
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
    chosen = _split(settings.split)
    with scratch_folder() as folder:
        if peaks is not None:
            _refuse_with_peaks(genome, background, target or valid or test, settings)
            kinds = names_of(background) if isinstance(background, str) else list(background or ())
            job = _peak_job(settings, peaks, genome, accessible, place, folder)
            config = PeakDatasetConfig(
                length=settings.length,
                top=settings.top,
                centre=settings.centre,
                chroms=settings.chroms,
                background=BackgroundConfig(tuple(kinds), **asdict(settings.background)),
                split=chosen or ChromosomeSplit(),
                seed=seed,
            )
            more = [] if windows is None else paths_of(windows, folder, "peaks")
            job = replace(job, config=config, force=force, peaks=(*job.peaks, *more))
            if not _build(job, settings, on_event):
                return None
        else:
            _refuse_without_peaks(genome, background, accessible, settings)
            if isinstance(chosen, BlockSplit):
                raise UsageError("the setting split.blocks needs --peaks and a --genome")
            given = {
                "valid": paths_of(valid, folder, "valid"),
                "test": paths_of(test, folder, "test"),
            }
            files = split_files(windows, given, settings, chosen is not None)
            tables = [] if files else tables_of(windows, labels, split, seed, folder, on_event)
            dataset_of_windows(
                place, tables, target, settings, chosen, files, seed, force, on_event
            )
    audit_dataset(place, seed=seed, on_event=on_event)
    return open_dataset(place)


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


def _split(settings: SplitSettings) -> ChromosomeSplit | BlockSplit | None:
    if bool(settings.test) != bool(settings.valid):
        raise UsageError("split.test and split.valid belong together; give both")
    if settings.blocks and settings.test:
        raise UsageError("split.blocks and split.test are two ways to split; give one")
    if settings.blocks:
        return BlockSplit(settings.block_size, settings.block_gap)
    return ChromosomeSplit(settings.test, settings.valid) if settings.test else None


def _refuse_with_peaks(
    genome: Any, background: Any, of_windows: Any, settings: DatasetSettings
) -> None:
    if genome is None:
        raise UsageError("--peaks needs the --genome that they lie on")
    if settings.positives or settings.negatives or settings.labels or of_windows:
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
    given = (genome, background, accessible, settings.exclude or None, settings.top, *work)
    if any(value is not None for value in given):
        raise UsageError(
            "--genome, --background, --accessible and the settings top, exclude, workers, dask "
            "and shard need --peaks"
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
        peaks=paths(paths_of(peaks, folder, "peaks")),
        genome=paths([str(genome)])[0],
        out=paths([str(out)])[0],
        accessible=paths(paths_of(accessible, folder, "accessible")),
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
