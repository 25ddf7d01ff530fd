"""``wavebind predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress, note
from wavebind.cli.options import (
    Device,
    Force,
    RunArgument,
    Threads,
)

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="predict", epilog="Example: wavebind predict run windows.fa > scores.tsv")(
        predict
    )


def predict(
    run: RunArgument,
    fasta: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.fa", help="Windows of the length of training, gzipped or not."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The table to write. (default: standard output)")
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(
            help="Fraction of bound windows to expect among the sequences, for the probabilities. "
            "(default: that of the validation split)"
        ),
    ] = None,
    force: Force = False,
    device: Device = "auto",
    _threads: Threads = None,
) -> None:
    """Score sequences: a table of name, probability and logit, both strands averaged."""
    import contextlib
    import sys

    from wavebind.api.run import load
    from wavebind.core.files import replace_file, require_new

    with contextlib.ExitStack() as stack:
        on_event = stack.enter_context(TerminalProgress())
        if out is not None:
            require_new(out, force)
        if out is None:
            stream = sys.stdout
        else:
            temporary = stack.enter_context(replace_file(out, streamable=True))
            stream = stack.enter_context(temporary.open("w", encoding="utf-8"))
        summary = load(run, device).predict_fasta(
            fasta, stream, prevalence=prevalence, on_event=on_event
        )
    if summary.n_unknown:
        note(
            f"{summary.n_unknown:,} of {summary.n_records:,} sequences have more than 10 % unknown "
            f"bases; their scores are NA"
        )
    if out is not None:
        note(f"written: {out} ({summary.n_records:,} sequences)")
