"""``wavebind merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="merge", epilog="Example: wavebind merge scores.bw")(merge)


def merge(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The --out of 'wavebind scan', 'wavebind variants' or 'wavebind dataset' that was "
            "done in shares; its chunks lie in OUT.parts.",
        ),
    ],
) -> None:
    """Join the shares of a job that was run with --shard."""
    from wavebind.api.genome import merge as join
    from wavebind.report.text import audited_table

    with TerminalProgress() as on_event:
        data = join(out, on_event=on_event)
    if data is not None:
        typer.echo(audited_table(data))
        typer.echo(f"written: {out}")
