"""``wavebind train``."""

from __future__ import annotations

from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress, next_step
from wavebind.cli.options import (
    DataArgument,
    Device,
    Force,
    Out,
    Set,
    ShowSettings,
    Threads,
)

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="train",
        epilog="Example: wavebind train ctcf --out run --epochs 10 --seed 1    or: wavebind train "
        "ctcf --out run --set training.learning_rate=1e-3",
    )(train)


def train(
    data: DataArgument,
    out: Out,
    recipe: Annotated[
        str | None,
        typer.Option(
            is_eager=True,
            help="Representation, network and training: a name of 'wavebind recipes', or a TOML "
            "file. (default: default)",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Network, a name of 'wavebind models'. (default: the recipe's)"),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Largest number of epochs. (default: the recipe's)")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of every random choice. (default: 0)")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Trained weights to begin with: factors (the model of the package), a run, or "
            "none. factors+none trains both and takes their mean. (default: factors where it "
            "fits)",
        ),
    ] = None,
    device: Device = "auto",
    _threads: Threads = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an interrupted run with the settings it has."),
    ] = False,
    force: Force = False,
    values: Set = None,
    _settings: ShowSettings = False,
) -> None:
    """Train a network; the best epoch on the validation split is kept.

    A dataset with several labels trains one network with an output for each.
    """
    from wavebind.api.training import train as run_training
    from wavebind.report.text import kept_words

    with TerminalProgress() as on_event:
        run = run_training(
            data,
            out,
            recipe=recipe,
            model=model,
            epochs=epochs,
            seed=seed,
            start=start,
            device=device,
            resume=resume,
            force=force,
            settings=values or (),
            on_event=on_event,
        )
    if run is not None:
        # Of several processes, the first one says how it went.
        typer.echo(kept_words(run.card))
        typer.echo(f"written: {out}")
        next_step("evaluate", out, data)
