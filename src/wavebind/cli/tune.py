"""``wavebind tune``."""

from __future__ import annotations

from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress
from wavebind.cli.options import (
    DataArgument,
    Device,
    Out,
    Set,
    ShowSettings,
    Threads,
    names,
)

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="tune", epilog="Example: wavebind tune ctcf --trials 40 --epochs 6 --out search"
    )(tune)


def tune(
    data: DataArgument,
    out: Out,
    trials: Annotated[
        int, typer.Option(help="Trials of the whole search, of all its processes together.")
    ] = 30,
    time: Annotated[
        float | None,
        typer.Option(help="Minutes after which this process begins no further trial."),
    ] = None,
    search: Annotated[
        str,
        typer.Option(
            help="Settings to search, comma-separated: encoding, wavelet, scales, network, "
            "augmentation, optimiser; single settings, as options.dropout; or all."
        ),
    ] = "all",
    backbones: Annotated[
        str,
        typer.Option(help="Networks to choose from, comma-separated. (default: the recipe's)"),
    ] = "",
    recipe: Annotated[
        str,
        typer.Option(
            help="Recipe of what is not searched, and of the first trial: a name or a TOML file."
        ),
    ] = "default",
    epochs: Annotated[int, typer.Option(help="Epochs of every trial.")] = 6,
    seed: Annotated[int, typer.Option(help="Seed of every trial, and of what is drawn.")] = 0,
    device: Device = "auto",
    _threads: Threads = None,
    values: Set = None,
    _settings: ShowSettings = False,
) -> None:
    """Search for better settings on the validation split; the winner is a recipe.

    Start the same command again, as often as there are processors, to share the work. A trial of a
    process that was killed is taken up by another. The test split is not looked at.
    """
    from wavebind.api.comparison import tune as run_search
    from wavebind.report.text import tuned_text
    from wavebind.tune.space import GROUPS

    given = [
        f"trials={trials}",
        f"time_limit={'none' if time is None else time}",
        f"search={','.join(GROUPS) if search == 'all' else search}",
        f"backbones={','.join(names(backbones))}",
        f"recipe={recipe}",
        f"epochs={epochs}",
        f"seed={seed}",
        f"device={device}",
    ]
    with TerminalProgress() as on_event:
        found, page = run_search(data, out, settings=[*given, *(values or [])], on_event=on_event)
    typer.echo(tuned_text(found, trials))
    if found.best is not None:
        typer.echo(f"written: {out / 'best.toml'}")
    typer.echo(f"written: {page}")
