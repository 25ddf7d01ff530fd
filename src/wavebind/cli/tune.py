"""``wavebind tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import Device, Out, TerminalProgress

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="tune", epilog="Example: wavebind tune ctcf --trials 40 --epochs 6 --out search"
    )(tune)


def tune(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A dataset, made with 'wavebind dataset'.")
    ],
    out: Out,
    trials: Annotated[
        int, typer.Option(help="In the whole study, those of all its processes together.")
    ] = 30,
    time: Annotated[
        float | None,
        typer.Option(help="Minutes after which this process begins no further trial."),
    ] = None,
    search: Annotated[
        str,
        typer.Option(
            help="What is searched, comma-separated: encoding, wavelet, scales, network, "
            "augmentation, optimiser; single settings, as options.dropout; or all."
        ),
    ] = "all",
    backbones: Annotated[
        str,
        typer.Option(help="Networks to choose from, comma-separated. (default: the recipe's)"),
    ] = "",
    recipe: Annotated[
        str, typer.Option(help="What is not searched, and the first trial: a name or a TOML file.")
    ] = "default",
    epochs: Annotated[int, typer.Option(help="Of every trial.")] = 6,
    seed: Annotated[int, typer.Option(help="Of every trial, and of what is drawn.")] = 0,
    max_weights: Annotated[
        int, typer.Option(help="A network with more weights is not trained.")
    ] = 2_000_000,
    max_epoch_seconds: Annotated[
        float | None,
        typer.Option(help="A trial with an epoch that takes longer is ended. (default: no limit)"),
    ] = None,
    train_bound: Annotated[
        int | None,
        typer.Option(help="Train on so many bound windows, and unbound ones in proportion."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Search for better settings on the validation split; the winner is a recipe.

    Start the same command again, as often as there are processors, to share the work; a trial of a
    process that was killed is taken up by another. The test split is not looked at.
    """
    from wavebind.datasets.dataset import open_dataset
    from wavebind.report.tuning_page import write_tuning_page
    from wavebind.tune.search import TuneConfig, space_of
    from wavebind.tune.search import tune as run
    from wavebind.tune.space import GROUPS

    config = TuneConfig(
        trials=trials,
        time_limit=time,
        search=tuple(GROUPS) if search == "all" else tuple(_words(search)),
        backbones=tuple(_words(backbones)),
        recipe=recipe,
        epochs=epochs,
        seed=seed,
        max_weights=max_weights,
        max_epoch_seconds=max_epoch_seconds,
        train_bound=train_bound,
        device=device,
    )
    opened = open_dataset(data)
    with TerminalProgress() as on_event:
        found = run(opened, out, config, on_event)
    page = write_tuning_page(
        out, found, space_of(opened, config), config, title=f"Search on {data.name}"
    )
    still = f", {found.running} still run elsewhere" if found.running else ""
    typer.echo(f"{found.ended} of {trials} trials ended{still}")
    if found.best is not None:
        typer.echo(f"best: trial {found.best.number}, valid {found.score} {found.best.value:.4f}")
        typer.echo(f"written: {out / 'best.toml'}")
    typer.echo(f"written: {page}")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
