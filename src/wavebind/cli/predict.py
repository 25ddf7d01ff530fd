"""``wavebind predict``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress, note
from wavebind.cli.options import (
    Device,
    Force,
    RunArgument,
    Target,
    Threads,
)

__all__ = ["register"]


class Longer(StrEnum):
    """What becomes of a sequence that is longer than a window."""

    best = "best"
    each = "each"


class Precision(StrEnum):
    """Numbers to compute with."""

    auto = "auto"
    float32 = "float32"


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
            metavar="FILE",
            help="Windows of the length of training, as FASTA, gzipped or not; or "
            "with --genome regions, as BED or narrowPeak.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The table to write. (default: standard output)")
    ] = None,
    genome: Annotated[
        Path | None,
        typer.Option(help="Genome that regions lie on: FASTA, gzipped or not, or 2bit."),
    ] = None,
    longer: Annotated[
        Longer | None,
        typer.Option(
            help="Rows for a sequence longer than a window: best (its most probable window) or "
            "each (one row a window)."
        ),
    ] = None,
    target: Target = None,
    prevalence: Annotated[
        float | None,
        typer.Option(
            help="Fraction of bound windows to expect among the sequences, for the probabilities. "
            "(default: that of the validation split)"
        ),
    ] = None,
    precision: Annotated[
        Precision,
        typer.Option(
            help="Precision of the computation: auto is bfloat16 where the device supports it "
            "in hardware, float32 is exact."
        ),
    ] = Precision.auto,
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
            fasta,
            stream,
            genome=genome,
            longer=None if longer is None else longer.value,
            target=target,
            prevalence=prevalence,
            precision=precision.value,
            on_event=on_event,
        )
    if summary.n_unknown:
        note(
            f"{summary.n_unknown:,} of {summary.n_records:,} sequences have more than 10 % unknown "
            f"bases; their scores are NA"
        )
    if out is not None:
        note(f"written: {out} ({summary.n_records:,} sequences)")
