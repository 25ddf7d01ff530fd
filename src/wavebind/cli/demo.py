"""``wavebind demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress
from wavebind.cli.options import Device, Force

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="demo", epilog="Example: wavebind demo --out wavebind-demo")(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", help="The folder for everything.")] = Path(
        "wavebind-demo"
    ),
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Do the main job on real data in the package: dataset, train, evaluate, explain, report.

    The data are CTCF ChIP-seq peaks of GM12878 cells and GC-matched windows of chromosome 22.
    """
    from wavebind.api.demo import demo as run_demo

    with TerminalProgress() as on_event:
        _, metrics, page = run_demo(out, device=device, force=force, on_event=on_event)
    typer.echo(repr(metrics))
    typer.echo(f"report: {page.resolve()}")
