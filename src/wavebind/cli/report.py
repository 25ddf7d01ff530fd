"""``wavebind report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress
from wavebind.cli.options import Force

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="report", epilog="Example: wavebind report run")(report)


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run that was evaluated.")],
    evaluation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The evaluation that the page is about, by its folder in RUN/evaluations. "
            "(default: test of the dataset that the model was trained on)",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The page to write. (default: RUN/report.html)")
    ] = None,
    comparison: Annotated[
        Path | None,
        typer.Option(help="A folder of 'wavebind compare' on the same windows, for the page."),
    ] = None,
    variants: Annotated[
        Path | None,
        typer.Option(
            help="A table of 'wavebind variants' with this run (TSV). With a genome both alleles "
            "of the strongest are shown base by base."
        ),
    ] = None,
    sites: Annotated[
        Path | None, typer.Option(help="Sites that 'wavebind scan' has called with this run.")
    ] = None,
    track: Annotated[
        Path | None, typer.Option(help="The bigWig of 'wavebind scan', shown along the genome.")
    ] = None,
    peaks: Annotated[
        Path | None, typer.Option(help="Peaks to show along the genome: narrowPeak or BED.")
    ] = None,
    genome: Annotated[
        Path | None,
        typer.Option(
            help="Genome for the slices around variants and sites: FASTA, gzipped or not, or 2bit."
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Write one HTML page about a run: data, metrics, curves, explanations, configuration.

    What other commands have found can stand beside it: a comparison, variants, and a scan.
    """
    from wavebind.api.run import load

    files = {
        "comparison": comparison, "variants": variants, "sites": sites, "track": track,
        "peaks": peaks, "genome": genome,
    }  # fmt: skip
    with TerminalProgress() as on_event:
        page = load(run).report(out, evaluation=evaluation, force=force, on_event=on_event, **files)
    typer.echo(f"written: {page}")
