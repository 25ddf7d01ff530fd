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
        Path,
        typer.Option(
            "--onnx",
            help="The file to write: one-hot sequences (batch, 4, position) in, logits and "
            "probabilities of both strands out.",
        ),
    ],
    force: Force = False,
) -> None:
    """Write a trained model for other programs, with the transform inside."""
    from wavebind.api.run import load
    from wavebind.core.files import require_new

    require_new(onnx, force)
    typer.echo(f"written: {load(run, 'cpu').export(onnx)}")
