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
    force: Force = False,
) -> None:
    """Write one HTML page about a run: data, metrics, curves, explanations, configuration."""
    from wavebind.api.run import load

    with TerminalProgress() as on_event:
        page = load(run).report(out, evaluation=evaluation, force=force, on_event=on_event)
    typer.echo(f"written: {page}")
