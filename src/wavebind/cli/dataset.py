"""``wavebind dataset``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wavebind.cli.audit import audit_dataset
from wavebind.cli.console import (
    Dask,
    Out,
    ShardOption,
    audit_table,
    note,
    progress_bar,
    share_done,
)

if TYPE_CHECKING:
    from wavebind.core.workers import WorkerPool
    from wavebind.datasets.from_peaks.job import PeakJob
    from wavebind.datasets.splits import BlockSplit, ChromosomeSplit
    from wavebind.datasets.targets import Target
    from wavebind.datasets.writing import DatasetSummary

__all__ = ["register", "say_dataset", "summary_table"]

_WINDOWS = "Labelled windows"
_PEAKS = "Peaks and a genome"
_BACKGROUND = "Background"
_SPLIT = "Split"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="dataset",
        epilog="Example: wavebind dataset --peaks CTCF.narrowPeak.gz --genome hg38.2bit "
        "--background gc --out ctcf    or: wavebind dataset windows.tsv.gz --out ctcf    or: "
        "wavebind dataset --positives bound.fa --negatives open.fa --test-chroms chr20 "
        "--valid-chroms chr18 --out ctcf",
    )(dataset)


def dataset(
    out: Out,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="Tab-separated tables, gzipped or not, with columns seq and label (1 bound, 0 "
            "unbound), and chrom, start, end, split, source, score where there are. With --peaks: "
            "further peak files.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of a table to take in place of a label: classes, of which each window has "
            "one, or numbers.",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="multiclass or regression: what the column of --target is. (default: regression "
            "where it holds more than two different numbers and nothing else)"
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Columns of a table to take as labels, comma-separated: one network with an "
            "output for each. 1 bound, 0 unbound, -1, 2, NA or empty not known.",
            rich_help_panel=_WINDOWS,
        ),
    ] = None,
    positives: Annotated[
        Path | None,
        typer.Option(
            help="FASTA of bound windows, named chrom:start-end.", rich_help_panel=_WINDOWS
        ),
    ] = None,
    negatives: Annotated[
        Path | None,
        typer.Option(
            help="FASTA of unbound windows, named chrom:start-end.", rich_help_panel=_WINDOWS
        ),
    ] = None,
    peaks: Annotated[
        list[Path] | None,
        typer.Option(
            help="narrowPeak, or BED of three columns or more; give it again for replicates or "
            "other cells: windows that overlap become one.",
            rich_help_panel=_PEAKS,
        ),
    ] = None,
    genome: Annotated[
        Path | None,
        typer.Option(help="FASTA, gzipped in any way or not, or 2bit.", rich_help_panel=_PEAKS),
    ] = None,
    length: Annotated[
        int, typer.Option(help="Of every window, in base pairs.", rich_help_panel=_PEAKS)
    ] = 200,
    top: Annotated[
        int | None,
        typer.Option(help="Only so many bound windows, by signal.", rich_help_panel=_PEAKS),
    ] = None,
    centre: Annotated[
        str,
        typer.Option(
            help="Where windows of a narrowPeak are centred: summit or middle.",
            rich_help_panel=_PEAKS,
        ),
    ] = "summit",
    chroms: Annotated[
        str | None,
        typer.Option(help="Only these chromosomes, comma-separated.", rich_help_panel=_PEAKS),
    ] = None,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(
            help="BED of regions that no window may touch (a blacklist).", rich_help_panel=_PEAKS
        ),
    ] = None,
    background: Annotated[
        list[str] | None,
        typer.Option(
            help="accessible, gc, flank or shuffle; several comma-separated or given again.",
            rich_help_panel=_BACKGROUND,
        ),
    ] = None,
    accessible: Annotated[
        list[Path] | None,
        typer.Option(
            help="BED of open chromatin, for the accessible background.",
            rich_help_panel=_BACKGROUND,
        ),
    ] = None,
    ratio: Annotated[
        str,
        typer.Option(
            help="Unbound windows of each kind for each bound one, in each split; 'all' takes "
            "every accessible or flanking one.",
            rich_help_panel=_BACKGROUND,
        ),
    ] = "1",
    gap: Annotated[
        int,
        typer.Option(
            help="Base pairs around a peak that no unbound window touches.",
            rich_help_panel=_BACKGROUND,
        ),
    ] = 300,
    match_gc: Annotated[
        bool,
        typer.Option(
            "--match-gc",
            help="Match accessible and flanking windows in GC and repeats, too.",
            rich_help_panel=_BACKGROUND,
        ),
    ] = False,
    gc_tolerance: Annotated[
        float,
        typer.Option(
            help="How far the GC fraction of a matched window may be off.",
            rich_help_panel=_BACKGROUND,
        ),
    ] = 0.02,
    test_chroms: Annotated[
        str | None,
        typer.Option(
            help="Chromosomes held out for the test, comma-separated. Overrides a split column.",
            rich_help_panel=_SPLIT,
        ),
    ] = None,
    valid_chroms: Annotated[
        str | None,
        typer.Option(
            help="Chromosomes held out for validation, comma-separated.", rich_help_panel=_SPLIT
        ),
    ] = None,
    split_blocks: Annotated[
        bool,
        typer.Option(
            "--split-blocks",
            help="Split by contiguous blocks, for a genome of too few chromosomes.",
            rich_help_panel=_SPLIT,
        ),
    ] = False,
    block_size: Annotated[
        int, typer.Option(help="Of a block, in base pairs.", rich_help_panel=_SPLIT)
    ] = 1_000_000,
    block_gap: Annotated[
        int,
        typer.Option(
            help="Base pairs between blocks of different splits in which no window lies.",
            rich_help_panel=_SPLIT,
        ),
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of unbound windows.")] = 0,
    workers: Annotated[
        int | None,
        typer.Option(
            help="With --peaks: processes that count candidates, a chromosome at a time, kept "
            "beside the dataset until it is whole. (default: this one alone)"
        ),
    ] = None,
    dask: Dask = None,
    shard: ShardOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an older dataset.")] = False,
) -> None:
    """Make a dataset from peaks and a genome, or from labelled windows; and audit it.

    A dataset is one byte a base on disk, memory-mapped, split by chromosome, with the audit beside
    it: what a model could cheat with.
    """
    if (test_chroms is None) != (valid_chroms is None):
        raise typer.BadParameter("--test-chroms and --valid-chroms belong together; give both")
    if split_blocks and test_chroms is not None:
        raise typer.BadParameter("--split-blocks and --test-chroms are two ways to split; give one")
    from wavebind.datasets.splits import BlockSplit, ChromosomeSplit

    split: ChromosomeSplit | BlockSplit | None = None
    if test_chroms is not None and valid_chroms is not None:
        split = ChromosomeSplit(_names(test_chroms), _names(valid_chroms))
    elif split_blocks:
        split = BlockSplit(block_size, block_gap)
    if peaks:
        if genome is None:
            raise typer.BadParameter("--peaks needs the --genome that they lie on")
        if positives or negatives or labels or target:
            raise typer.BadParameter(
                "give either --peaks, or windows of your own (a table with --labels, --positives "
                "and --negatives)"
            )
        if not background:
            raise typer.BadParameter(
                "--peaks needs a --background: accessible, gc, flank or shuffle"
            )
        from wavebind.datasets.from_peaks.backgrounds import BackgroundConfig
        from wavebind.datasets.from_peaks.settings import PeakDatasetConfig

        config = PeakDatasetConfig(
            length=length,
            top=top,
            centre=centre,
            chroms=_names(chroms or ""),
            background=BackgroundConfig(
                kinds=tuple(k for text in background for k in _names(text)),
                ratio=_ratio(ratio),
                gap=gap,
                match_gc=match_gc,
                gc_tolerance=gc_tolerance,
            ),
            split=split or ChromosomeSplit(),
            seed=seed,
        )
        from wavebind.core.workers import WorkerPool
        from wavebind.datasets.from_peaks.job import PeakJob

        # Shares may be joined from another folder.
        shared = workers is not None or dask is not None or shard is not None

        def places(paths: Sequence[Path]) -> tuple[str, ...]:
            return tuple(str(path.absolute() if shared else path) for path in paths)

        job = PeakJob(
            peaks=places([*peaks, *(files or [])]),
            genome=places([genome])[0],
            out=places([out])[0],
            accessible=places(accessible or []),
            exclude=places(exclude or []),
            config=config,
            force=force,
        )
        pool = WorkerPool(workers, dask) if workers is not None or dask is not None else None
        summary = _from_peaks(job, pool, shard)
        if summary is None:
            return
    else:
        if genome or background or accessible or exclude or workers or dask or shard:
            raise typer.BadParameter(
                "--genome, --background, --accessible, --exclude, --workers, --dask and --shard "
                "need --peaks"
            )
        if isinstance(split, BlockSplit):
            raise typer.BadParameter("--split-blocks needs --peaks and a --genome")
        columns = _names(labels or "")
        if task is not None and target is None:
            raise typer.BadParameter("--task needs a --target")
        wanted = None
        if target is not None:
            if columns or positives or negatives or not files:
                raise typer.BadParameter("--target is a column of tables, in place of --labels")
            from wavebind.datasets.targets import read_target

            wanted = read_target(files, target, task, split)
        summary = _from_windows(
            out, files or [], columns, wanted, positives, negatives, split, force
        )
    say_dataset(summary, out, seed)


def say_dataset(summary: DatasetSummary, out: Path, seed: int = 0) -> None:
    """Audit a dataset that was just written, and print what is in it."""
    typer.echo(summary_table(summary))
    typer.echo(audit_table(audit_dataset(out, "test", seed)))
    typer.echo(f"written: {out}")


def _from_peaks(job: PeakJob, pool: WorkerPool | None, shard: str | None) -> DatasetSummary | None:
    from wavebind.core.shards import Shard
    from wavebind.datasets.from_peaks.job import build_dataset

    out = Path(job.out)
    summary = build_dataset(
        job,
        shard=None if shard is None else Shard.parse(shard),
        pool=pool,
        note=lambda line: note(f"wavebind: {line}"),
        stages=progress_bar,
    )
    if summary is None:
        share_done(shard, out)
    return summary


def _from_windows(
    out: Path,
    tables: Sequence[Path],
    labels: Sequence[str],
    target: Target | None,
    positives: Path | None,
    negatives: Path | None,
    split: ChromosomeSplit | None,
    force: bool,
) -> DatasetSummary:
    from wavebind.datasets.splits import ChromosomeSplit
    from wavebind.datasets.tables import read_labelled_fasta, read_labelled_table
    from wavebind.datasets.writing import write_dataset

    fastas = positives is not None or negatives is not None
    if bool(tables) == fastas:
        raise typer.BadParameter(
            "give tables, or --positives and --negatives, or --peaks and a --genome"
        )
    if labels and (fastas or len(labels) < 2):
        raise typer.BadParameter("--labels names two columns or more of a table")
    if fastas and (positives is None or negatives is None):
        raise typer.BadParameter("--positives and --negatives belong together; give both")
    inputs: Sequence[Path] = tables
    if positives is not None and negatives is not None:
        split = split or ChromosomeSplit()
        inputs = [positives, negatives]
        windows = chain(
            read_labelled_fasta(positives, 1, split), read_labelled_fasta(negatives, 0, split)
        )
    else:
        windows = chain.from_iterable(
            read_labelled_table(path, split, labels, target) for path in tables
        )
    settings: dict[str, Any] = {
        "split": "by the split column"
        if split is None
        else {"test": list(split.test), "valid": list(split.valid)}
    }
    with progress_bar("reading windows", None) as advance:
        return write_dataset(
            windows,
            out,
            inputs=inputs,
            outputs=labels,
            target=target,
            settings=settings,
            overwrite=force,
            progress=advance,
        )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _ratio(text: str) -> float | None:
    if text.strip().lower() == "all":
        return None
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"--ratio {text!r} is neither a number nor 'all'") from None


def summary_table(summary: DatasetSummary) -> str:
    """Windows of each class and split, and what was dropped, as aligned text."""
    from wavebind.datasets.splits import PARTS

    lines = [f"{summary.n_windows:,} windows of {summary.length} bp"]
    lines.append(f"{'split':<8}{'bound':>10}{'unbound':>10}")
    lines += [
        f"{part:<8}{summary.counts[part, 1]:>10,}{summary.counts[part, 0]:>10,}" for part in PARTS
    ]
    lines += [f"dropped: {n:,} ({why})" for why, n in summary.dropped.items()] or ["dropped: none"]
    return "\n".join(lines)
