"""``wavebind motifs``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import Device, Output, note, progress_bar

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="motifs", epilog="Example: wavebind motifs run ctcf")(motifs)


def motifs(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, made with 'wavebind train'.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A dataset, made with 'wavebind dataset'.")
    ],
    method: Annotated[
        str | None,
        typer.Option(help="ig or ism. (default: ig, or ism of a network that reads images)"),
    ] = None,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    n: Annotated[
        int | None, typer.Option("--n", help="At most so many bound windows. (default: 5000)")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides which windows, if there are more.")] = 0,
    output: Output = None,
    device: Device = "auto",
) -> None:
    """Find the motifs that a network has learnt, as matrices with names from JASPAR."""
    from wavebind.datasets.dataset import open_dataset
    from wavebind.explain.learned_motifs import find_motifs
    from wavebind.report.pictures import write_logos

    opened = open_dataset(data)
    with progress_bar("explaining windows", None) as advance:
        found = find_motifs(
            run,
            opened,
            method=method,
            part=split,
            n_windows=n,
            seed=seed,
            output=output,
            device=device,
            progress=advance,
            clustering=lambda: note("clustering; this has no progress to show"),
        )
    write_logos(run, found)
    typer.echo(f"{'motif':<10}{'sites':>7}{'windows':>9}  {'best match':<28}{'q':>9}  consensus")
    for item in found:
        best = item.matches[0]
        letters = "".join("ACGT"[i] for i in item.motif.counts.argmax(axis=1))
        typer.echo(
            f"{item.motif.identifier:<10}{item.n_sites:>7,}{item.share:>9.1%}  "
            f"{best.identifier + ' ' + best.name:<28}{best.q:>9.1e}  {letters}"
        )
    typer.echo(f"written: {run / 'motifs'}")
