"""``wavebind export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="export", epilog="Example: wavebind export run --onnx ctcf.onnx")(export)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, made with 'wavebind train'.")],
    onnx: Annotated[
        Path,
        typer.Option(
            "--onnx",
            help="The file: one-hot sequences (batch, 4, position) in, logits and probabilities of "
            "both strands out, the transform inside.",
        ),
    ],
) -> None:
    """Write a trained model for other programs."""
    from wavebind.models import load_model
    from wavebind.models.rundir import RunDir
    from wavebind.predict.onnx import export_onnx

    model, card = load_model(RunDir(run).require_model().model)
    export_onnx(model, card, onnx)
    typer.echo(f"written: {onnx}")
