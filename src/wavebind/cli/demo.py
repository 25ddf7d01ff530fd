"""``wavebind demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress, next_step
from wavebind.cli.options import Device, Force

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="demo", epilog="Example: wavebind demo --out wavebind-demo")(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", help="The folder for everything.")] = Path(
        "wavebind-demo"
    ),
    files: Annotated[
        Path | None,
        typer.Option(
            "--files",
            metavar="FOLDER",
            help="Write small files to try the commands on instead: a made-up genome with real "
            "sites, peaks, open chromatin and variants.",
        ),
    ] = None,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Do the main job on real data in the package: dataset, train, evaluate, explain, report.

    The data are CTCF ChIP-seq peaks of GM12878 cells and GC-matched windows of chromosome 22.
    """
    from wavebind.api.demo import demo as run_demo
    from wavebind.api.demo import example

    if files is not None:
        made = example(files, force=force)
        for path in vars(made).values():
            typer.echo(f"written: {path}")
        next_step(
            "run", "--peaks", made.peaks, "--genome", made.genome, "--accessible", made.accessible,
            "--variants", made.variants,
        )  # fmt: skip
        return

    with TerminalProgress() as on_event:
        _, metrics, page = run_demo(out, device=device, force=force, on_event=on_event)
    typer.echo(repr(metrics))
    typer.echo(f"report: {page.resolve()}")
