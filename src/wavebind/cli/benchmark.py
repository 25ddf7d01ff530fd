"""``wavebind benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.compare import Epochs, Reference, ReportedSplit, Seeds, TrainBound, numbers
from wavebind.cli.console import TerminalProgress
from wavebind.cli.options import (
    Device,
    Threads,
    names,
)

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="benchmark",
        epilog="Example: wavebind benchmark ctcf jund foxa1 --models jaspar,gkm-all,cnn,scalenet "
        "--out bench",
    )(benchmark)


def benchmark(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...",
            help="Datasets, or labelled tables with a split column. A dataset with several labels "
            "counts as one for each.",
        ),
    ],
    models: Annotated[
        str,
        typer.Option(help="Models, comma-separated, as in 'wavebind compare'."),
    ] = "jaspar,gkm-all,cnn,scalenet",
    out: Annotated[
        Path, typer.Option("--out", help="A folder; a benchmark begun there is continued.")
    ] = Path("benchmark"),
    seeds: Seeds = "0",
    epochs: Epochs = None,
    train_bound: TrainBound = None,
    reference: Reference = "",
    cross: Annotated[
        bool,
        typer.Option(
            "--cross", help="Score every model on the test windows of every other dataset, too."
        ),
    ] = False,
    split: ReportedSplit = "test",
    device: Device = "auto",
    _threads: Threads = None,
) -> None:
    """Run many datasets by many models: a table, ranks, costs, and tests across datasets.

    Writes one line a run (runs.parquet), a page (benchmark.html), and a comparison for each
    dataset. What is finished is not done again.
    """
    from wavebind.api.comparison import benchmark as run_benchmark
    from wavebind.report.text import benchmark_table

    with TerminalProgress() as on_event:
        found, page = run_benchmark(
            data,
            names(models),
            out,
            seeds=numbers(seeds),
            epochs=epochs,
            train_bound=train_bound,
            reference=reference,
            cross=cross,
            split=split,
            device=device,
            on_event=on_event,
        )
    typer.echo(benchmark_table(found))
    typer.echo(f"written: {page}")
