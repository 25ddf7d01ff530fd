"""``wavebind run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress
from wavebind.cli.options import Device, Force, Threads

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="run",
        epilog="Example: wavebind run --peaks CTCF.narrowPeak.gz --genome hg38.2bit --accessible "
        "DNase.bed.gz --variants calls.vcf.gz --out study",
    )(run)


def run(
    peaks: Annotated[Path, typer.Option(help="Peaks: narrowPeak or BED.")],
    genome: Annotated[Path, typer.Option(help="Genome: FASTA, gzipped or not, or 2bit.")],
    out: Annotated[
        Path, typer.Option("--out", help="The folder of the study; one begun there goes on.")
    ] = Path("study"),
    accessible: Annotated[
        Path | None,
        typer.Option(help="BED file of open chromatin, for unbound windows."),
    ] = None,
    variants: Annotated[
        Path | None, typer.Option(help="Variants to score: VCF, plain, gzipped or bgzipped.")
    ] = None,
    scan: Annotated[bool, typer.Option("--scan", help="Scan the whole genome as well.")] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be done, and roughly how long it takes.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed for every random choice.")] = 0,
    force: Force = False,
    device: Device = "auto",
    _threads: Threads = None,
) -> None:
    """Do a whole study: dataset, training, evaluation, comparison, motifs, variants, page.

    Each step's command is shown, and stands in commands.sh of the folder.
    """
    from wavebind.api.study import plan_study, run_study, study_summary

    with TerminalProgress() as on_event:
        study = plan_study(
            peaks,
            genome,
            out,
            accessible=accessible,
            variants=variants,
            scan=scan,
            seed=seed,
            device=device,
        )
        if plan:
            typer.echo(study.words)
            return
        page = run_study(study, force=force, on_event=on_event)
    for sentence in study_summary(study):
        typer.echo(sentence)
    typer.echo(f"written: {page.resolve()}")
