"""``wavebind export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.options import Force, RunArgument

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="export", epilog="Example: wavebind export run --onnx ctcf.onnx")(export)


def export(
    run: RunArgument,
    onnx: Annotated[
        Path | None,
        typer.Option(
            "--onnx",
            help="The ONNX file to write: one-hot sequences (batch, 4, position) in, logits and "
            "probabilities of both strands out.",
        ),
    ] = None,
    hub: Annotated[
        Path | None,
        typer.Option(
            "--hub",
            metavar="FOLDER",
            help="The model folder to write, with a card of its figures, for a model hub. "
            "wavebind reads it as a run.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Write a trained model for other programs, or for other people."""
    from wavebind.api.run import load
    from wavebind.core.errors import UsageError
    from wavebind.core.files import require_new

    if (onnx is None) == (hub is None):
        raise UsageError("export takes one of --onnx FILE and --hub FOLDER")
    opened = load(run, "cpu")
    if hub is not None:
        typer.echo(f"written: {opened.export_hub(hub, force=force)}")
    elif onnx is not None:
        require_new(onnx, force)
        typer.echo(f"written: {opened.export(onnx)}")
