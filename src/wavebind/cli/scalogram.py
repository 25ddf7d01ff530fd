"""``wavebind scalogram``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress
from wavebind.cli.options import Force, Set, ShowSettings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="scalogram",
        epilog="Example: wavebind scalogram TTGACCACCAGGGGGCGCTAATG --out p.png    or: wavebind "
        "scalogram peaks.fa --recipe ruggeri2025 --out film.gif",
    )(scalogram)


def scalogram(
    sequence: Annotated[
        str, typer.Argument(metavar="SEQUENCE|FILE.fa", help="Letters, or a FASTA file.")
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Picture to write (.png, .svg, .pdf), or film (.gif).")
    ],
    show: Annotated[
        str,
        typer.Option(
            help="Quantity to draw: modulus, power, real, imag, phase, or squeezed (the "
            "synchrosqueezed modulus)."
        ),
    ] = "modulus",
    recipe: Annotated[
        str | None,
        typer.Option(
            is_eager=True,
            help="Recipe whose transform is taken. (default: one-hot, Morse 3 and 20, 64 scales)",
        ),
    ] = None,
    columns: Annotated[int, typer.Option(min=1, help="Sequences side by side.")] = 1,
    force: Force = False,
    values: Set = None,
    _settings: ShowSettings = False,
) -> None:
    """Draw the scalogram of a sequence, with axes in base pairs and period.

    Several sequences become a grid (.png, .svg, .pdf), or one after the other a film (.gif).
    """
    from wavebind.api.scalogram import draw_scalogram

    with TerminalProgress() as on_event:
        draw_scalogram(
            sequence,
            out,
            show=show,
            recipe=recipe,
            columns=columns,
            force=force,
            settings=values or (),
            on_event=on_event,
        )
    typer.echo(f"written: {out}")
