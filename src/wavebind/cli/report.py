"""``wavebind report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress
from wavebind.cli.options import Device

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="report", epilog="Example: wavebind report run")(report)


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run that was evaluated.")],
    device: Device = "auto",
) -> None:
    """Write one HTML page about a run: data, metrics, curves, explanations, configuration."""
    from wavebind.api.run import load

    with TerminalProgress() as on_event:
        page = load(run, device).report(on_event=on_event)
    typer.echo(f"written: {page}")
