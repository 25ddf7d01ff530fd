"""``wavebind predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import Device, note, progress_bar

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="predict", epilog="Example: wavebind predict run windows.fa > scores.tsv")(
        predict
    )


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, made with 'wavebind train'.")],
    fasta: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.fa", help="Windows of the length of training, gzipped or not."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The table. Without it, standard output.")
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(
            help="Fraction of bound windows to expect among the sequences, for the probabilities. "
            "(default: that of the validation split)"
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Score sequences: a table of name, probability and logit, both strands averaged."""
    import contextlib
    import sys

    from wavebind.core.files import replace_file
    from wavebind.predict.fasta import score_fasta

    with contextlib.ExitStack() as stack:
        advance = stack.enter_context(progress_bar("scoring sequences", None))
        if out is None:
            stream = sys.stdout
        else:
            temporary = stack.enter_context(replace_file(out))
            stream = stack.enter_context(temporary.open("w", encoding="utf-8"))
        summary = score_fasta(
            run, fasta, stream, prevalence=prevalence, device=device, progress=advance
        )
    if summary.n_unknown:
        note(
            f"{summary.n_unknown:,} of {summary.n_records:,} sequences have more than 10 % unknown "
            f"bases; their scores are NA"
        )
    if out is not None:
        note(f"written: {out} ({summary.n_records:,} sequences)")
