"""``wavebind evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import Device, Output, metrics_table, progress_bar

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="evaluate", epilog="Example: wavebind evaluate run ctcf --split test")(
        evaluate
    )


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, made with 'wavebind train'.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A dataset, made with 'wavebind dataset'.")
    ],
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    output: Output = None,
    device: Device = "auto",
) -> None:
    """Score a run on one split; writes metrics.json with 95 % intervals into the run."""
    from wavebind.datasets.dataset import open_dataset
    from wavebind.evaluate.assess import assess

    opened = open_dataset(data)
    total = len(opened.indices(split))
    with progress_bar("scoring windows", total) as advance:
        metrics = assess(run, opened, split, output=output, device=device, progress=advance)
    typer.echo(metrics_table(metrics))
    typer.echo(f"written: {run / 'metrics.json'}")
