"""``wavebind dataset``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress, next_step
from wavebind.cli.options import Force, Out, Set, ShowSettings

__all__ = ["register"]

_PEAKS = "Peaks and a genome"
_FILES = "Windows that are split already"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="dataset",
        epilog="Example: wavebind dataset --peaks CTCF.narrowPeak.gz --genome hg38.2bit "
        "--background gc --out ctcf    or: wavebind dataset windows.tsv.gz --out ctcf    or: "
        "wavebind dataset train.csv --valid dev.csv --test test.csv --out ctcf",
    )(dataset)


def dataset(
    out: Out,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="Tables with columns seq and label (1 bound, 0 unbound); chrom, start, end, "
            "split, source and score are optional. With --test also FASTA. With --peaks: more "
            "peak files.",
        ),
    ] = None,
    peaks: Annotated[
        list[Path] | None,
        typer.Option(
            help="Peak file, narrowPeak or BED. Give it again for replicates or other cells: "
            "windows that overlap become one.",
            rich_help_panel=_PEAKS,
        ),
    ] = None,
    genome: Annotated[
        Path | None,
        typer.Option(help="Genome: FASTA, gzipped or not, or 2bit.", rich_help_panel=_PEAKS),
    ] = None,
    background: Annotated[
        list[str] | None,
        typer.Option(
            help="Unbound windows: accessible, gc, flank or shuffle; several comma-separated or "
            "given again.",
            rich_help_panel=_PEAKS,
        ),
    ] = None,
    accessible: Annotated[
        list[Path] | None,
        typer.Option(
            help="BED file of open chromatin, for the accessible background.",
            rich_help_panel=_PEAKS,
        ),
    ] = None,
    valid: Annotated[
        list[Path] | None,
        typer.Option(
            help="File of windows for validation, where FILE is for training: a table or FASTA "
            "with labels. Without it a tenth of FILE is drawn.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(
            help="File of test windows, where FILE is for training: a table or FASTA with labels.",
            rich_help_panel=_FILES,
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
    seed: Annotated[int, typer.Option(min=0, help="Seed for the choice of windows.")] = 0,
    force: Force = False,
    values: Set = None,
    _settings: ShowSettings = False,
) -> None:
    """Make a dataset from peaks and a genome, or from labelled windows; and audit it.

    A dataset is one byte a base on disk, memory-mapped, split by chromosome. The audit beside it
    reports shortcuts: what length, composition or place alone would score.
    """
    from wavebind.api.dataset import make_dataset
    from wavebind.report.text import audited_table

    with TerminalProgress() as on_event:
        data = make_dataset(
            files or None,
            peaks=peaks or None,
            genome=genome,
            background=",".join(background) if background else None,
            accessible=accessible or None,
            target=target,
            valid=valid or None,
            test=test or None,
            out=out,
            seed=seed,
            force=force,
            settings=values or (),
            on_event=on_event,
        )
    if data is not None:
        typer.echo(audited_table(data))
        typer.echo(f"written: {out}")
        next_step("train", out, "--out", f"{out}-run")
