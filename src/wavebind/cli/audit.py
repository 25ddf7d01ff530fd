"""``wavebind audit``."""

from __future__ import annotations

from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress
from wavebind.cli.options import DataArgument, Split

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="audit", epilog="Example: wavebind audit ctcf")(audit)


def audit(
    data: DataArgument,
    split: Split = "test",
    seed: Annotated[int, typer.Option(min=0, help="Seed for the resamples of intervals.")] = 0,
) -> None:
    """Report shortcuts: what length, composition or place alone would score, and shared windows.

    Writes audit.json into the dataset.
    """
    from wavebind.api.dataset import audit_dataset
    from wavebind.report.text import audit_table

    with TerminalProgress() as on_event:
        found = audit_dataset(data, split, seed, on_event)
    typer.echo(audit_table(found))
    typer.echo(f"written: {data / 'audit.json'}")
