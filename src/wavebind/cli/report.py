"""``wavebind report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import Device, progress_bar

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="report", epilog="Example: wavebind report run")(report)


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run that was evaluated.")],
    device: Device = "auto",
) -> None:
    """Write one HTML page about a run: data, metrics, curves, explanations, configuration."""
    from wavebind.report.run_page import write_report

    with progress_bar("drawing", None) as advance:
        page = write_report(run, device=device, progress=advance)
    typer.echo(f"written: {page}")
