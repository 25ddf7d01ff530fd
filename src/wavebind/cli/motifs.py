"""``wavebind motifs``."""

from __future__ import annotations

from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress, next_step
from wavebind.cli.options import (
    DataArgument,
    Device,
    Force,
    Format,
    RunArgument,
    Split,
    Target,
    Threads,
)

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="motifs", epilog="Example: wavebind motifs run ctcf")(motifs)


def motifs(
    run: RunArgument,
    data: DataArgument,
    method: Annotated[
        str | None,
        typer.Option(help="Method: ig or ism. (default: ig, or ism of a network on images)"),
    ] = None,
    split: Split = "test",
    n: Annotated[
        int | None,
        typer.Option("--n", help="Largest number of bound windows to read. (default: 5000)"),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed for the choice of windows, if there are more.")
    ] = 0,
    target: Target = None,
    force: Force = False,
    format: Format = "png",  # noqa: A002 - the name of the option
    device: Device = "auto",
    _threads: Threads = None,
) -> None:
    """Find the motifs that a network has learnt, as matrices with names from JASPAR."""
    from wavebind.api.run import load
    from wavebind.report.text import motifs_table

    with TerminalProgress() as on_event:
        found = load(run, device).motifs(
            data,
            method=method,
            split=split,
            n=n,
            seed=seed,
            target=target,
            force=force,
            format=format,
            on_event=on_event,
        )
    typer.echo(motifs_table([motif.found for motif in found]))
    next_step("explain", run, data)
