"""``wavebind explain``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import Device, Output, note, progress_bar

__all__ = ["register"]


class Select(StrEnum):
    """Which bound windows are explained."""

    random = "random"
    top = "top"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="explain", epilog="Example: wavebind explain run ctcf --n 20")(explain)


def explain(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, made with 'wavebind train'.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A dataset, made with 'wavebind dataset'.")
    ],
    method: Annotated[
        str | None,
        typer.Option(
            help="gradcam, gradcam++, layercam (maps over scale and position), ism, ig, occlusion "
            "(scores of bases). (default: ig, or gradcam of a network that reads images)"
        ),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="How many bound windows.")] = 20,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    select: Annotated[
        Select, typer.Option(help="At random, or those with the highest probability.")
    ] = Select.random,
    seed: Annotated[int, typer.Option(help="Decides the random choice.")] = 0,
    stages: Annotated[
        str | None,
        typer.Option(
            help="Layers of the network to look at, comma-separated. (default: the last ones)"
        ),
    ] = None,
    n_mean: Annotated[
        int | None,
        typer.Option(
            help="Bound windows behind the means. (default: 2000; ism, ig, occlusion 500)"
        ),
    ] = None,
    output: Output = None,
    device: Device = "auto",
) -> None:
    """Show where the evidence for binding lies: pictures, and a score a base."""
    from wavebind.dataset import open_dataset
    from wavebind.explanations import explain_run, explanation_size, write_pictures

    opened = open_dataset(data)
    names = None if stages is None else [s.strip() for s in stages.split(",") if s.strip()]
    # What the method will be is known when the run is open; the bar is of the longer way.
    size = explanation_size(opened, split, n, method or "ig", n_mean)
    with progress_bar("explaining windows", size) as advance:
        explained, config = explain_run(
            run,
            opened,
            method=method,
            n_mean=n_mean,
            part=split,
            n=n,
            select=select.value,
            seed=seed,
            stages=names,
            output=output,
            device=device,
            progress=advance,
        )
    with progress_bar("drawing", len(explained.names)) as advance:
        pictures = write_pictures(run, explained, config, advance)
    if len(explained.names) < n:
        note(f"the {split} split has only {len(explained.names)} bound windows; all are explained")
    peak = int(explained.mean_profile.argmax())
    typer.echo(
        f"{len(explained.names)} windows explained by {explained.method}; the mean score of "
        f"{explained.n_mean:,} bound windows peaks at base {peak} of {opened.length} (middle: "
        f"{opened.length // 2})"
    )
    typer.echo(f"written: {run / 'explain'} ({len(pictures)} pictures, base_scores.tsv)")
