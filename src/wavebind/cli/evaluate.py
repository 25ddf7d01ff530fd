"""``wavebind evaluate``."""

from __future__ import annotations

import typer

from wavebind.cli.console import TerminalProgress, next_step
from wavebind.cli.options import (
    DataArgument,
    Device,
    Force,
    RunArgument,
    Split,
    Target,
    Threads,
)

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="evaluate", epilog="Example: wavebind evaluate run ctcf --split test")(
        evaluate
    )


def evaluate(
    run: RunArgument,
    data: DataArgument,
    split: Split = "test",
    target: Target = None,
    force: Force = False,
    device: Device = "auto",
    _threads: Threads = None,
) -> None:
    """Score a run on one split; metrics with 95 % intervals are kept in the run."""
    from wavebind.api.run import load

    with TerminalProgress() as on_event:
        metrics = load(run, device).evaluate(
            data, split, target=target, force=force, on_event=on_event
        )
    typer.echo(repr(metrics))
    typer.echo(f"written: {metrics.folder}")
    next_step("motifs", run, data)
