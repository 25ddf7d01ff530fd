"""``wavebind compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress
from wavebind.cli.options import (
    Device,
    Target,
    Threads,
    names,
)

__all__ = ["Epochs", "Reference", "ReportedSplit", "Seeds", "TrainBound", "numbers", "register"]

Seeds = Annotated[
    str,
    typer.Option(help="Seeds, comma-separated; models that depend on one are trained with each."),
]
Epochs = Annotated[
    int | None,
    typer.Option(help="Epochs of every network. (default: the recipe's)"),
]
ReportedSplit = Annotated[
    str, typer.Option(help="Split to report: test, or valid while you are still choosing.")
]
TrainBound = Annotated[
    int | None,
    typer.Option(
        help="Bound windows to train on, with unbound ones in proportion, drawn anew for each "
        "seed. (default: all)"
    ),
]
Reference = Annotated[
    str,
    typer.Option(help="Model that the others are compared with. (default: the best on valid)"),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="compare",
        epilog="Example: wavebind compare ctcf --models jaspar:CTCF,gkm-all,cnn,scalenet --out cmp",
    )(compare)


def compare(
    data: Annotated[
        Path | None,
        typer.Argument(metavar="DATA", help="A dataset, made with 'wavebind dataset'."),
    ] = None,
    models: Annotated[
        str,
        typer.Option(
            help="Models, comma-separated: names of --list, of recipes or networks, or paths of "
            "recipes. 'standard' is all of --list that are not slow, 'all' all."
        ),
    ] = "standard",
    out: Annotated[
        Path, typer.Option("--out", help="A folder; a comparison begun there is continued.")
    ] = Path("comparison"),
    seeds: Seeds = "0",
    epochs: Epochs = None,
    train_bound: TrainBound = None,
    reference: Reference = "",
    target: Target = None,
    split: ReportedSplit = "test",
    listed: Annotated[bool, typer.Option("--list", help="List the available models.")] = False,
    device: Device = "auto",
    _threads: Threads = None,
) -> None:
    """Train several models on the same windows and compare them, with paired intervals.

    Writes a table (comparison.tsv, .json), a page (comparison.html), and every window with every
    model's probability (windows.parquet).
    """
    from wavebind.api.comparison import compare as run_comparison
    from wavebind.core.errors import UsageError
    from wavebind.evaluate.baselines import MODELS

    if listed:
        for name, about in MODELS.items():
            typer.echo(f"{name:<14}{about}")
        return
    if data is None:
        raise UsageError("name a dataset, or pass --list")
    with TerminalProgress() as on_event:
        found = run_comparison(
            data,
            names(models),
            out,
            seeds=numbers(seeds),
            epochs=epochs,
            train_bound=train_bound,
            reference=reference,
            target=target,
            split=split,
            device=device,
            on_event=on_event,
        )
    typer.echo(repr(found))
    typer.echo(f"written: {found.page}")


def numbers(text: str) -> list[int]:
    """The numbers of ``--seeds``."""
    from wavebind.core.errors import UsageError

    try:
        return [int(word) for word in names(text)]
    except ValueError:
        raise UsageError(f"--seeds are whole numbers, comma-separated; found {text!r}") from None
