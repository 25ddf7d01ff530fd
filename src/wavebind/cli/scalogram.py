"""``wavebind scalogram``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import Out

__all__ = ["register"]

#: A picture of more sequences than this is too tall to look at.
MAX_PANELS = 16


class Output(StrEnum):
    """What of the coefficients is drawn."""

    modulus = "modulus"
    power = "power"
    real = "real"
    imag = "imag"
    phase = "phase"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="scalogram",
        epilog="Example: wavebind scalogram TTGACCACCAGGGGGCGCTAATG --out p.png    or: wavebind "
        "scalogram peaks.fa --encoding integer --out p.png",
    )(scalogram)


def scalogram(
    sequence: Annotated[
        str, typer.Argument(metavar="SEQUENCE|FILE.fa", help="Letters, or a FASTA file.")
    ],
    out: Out,
    encoding: Annotated[
        str,
        typer.Option(
            help="Numbers for bases: onehot, integer, integer0, real, complex, eiip, "
            "atomic, purine, paired, zcurve, zcurve-cumulated, tetrahedron, walk."
        ),
    ] = ("onehot"),
    output: Annotated[Output, typer.Option(help="What is drawn.")] = Output.modulus,
    scales: Annotated[int, typer.Option(help="Number of periods.")] = 64,
    min_period: Annotated[float, typer.Option(help="Shortest period in bp.")] = 2.0,
    max_period: Annotated[
        float | None, typer.Option(help="Longest period in bp. (default: the length)")
    ] = None,
    wavelet: Annotated[str, typer.Option(help="morse, morlet or dog.")] = "morse",
    beta: Annotated[float, typer.Option(help="Order of the Morse wavelet.")] = 20.0,
    gamma: Annotated[float, typer.Option(help="Symmetry of the Morse wavelet.")] = 3.0,
) -> None:
    """Draw the scalogram of a sequence, with axes in base pairs and period."""
    import re

    from wavebind.errors import InputError
    from wavebind.plotting import draw_scalograms, to_png
    from wavebind.scalograms import ScalogramConfig
    from wavebind.sequences import read_fasta, to_codes
    from wavebind.settings import from_dict
    from wavebind.textfiles import replace_file

    if out.suffix.lower() != ".png":
        raise typer.BadParameter(f"--out {out}: the picture is a PNG; end the name with .png")
    if re.fullmatch(r"[A-Za-z]+", sequence) and not Path(sequence).exists():
        windows = [(f"{len(sequence)} bp", to_codes(sequence, place="the sequence"))]
    else:
        windows = [(r.name, r.codes) for r in read_fasta(Path(sequence))]
    if len(windows) > MAX_PANELS:
        raise InputError(
            f"{sequence}: holds {len(windows):,} sequences; one picture shows {MAX_PANELS} at "
            f"most, give a file with fewer"
        )
    config = from_dict(
        ScalogramConfig,
        {
            "encoding": encoding,
            "wavelet": {"kind": wavelet, "beta": beta, "gamma": gamma},
            "n_scales": scales,
            "min_period": min_period,
            "max_period": max_period,
            "norm": "l1",
        },
        "the scalogram's settings",
    )
    figure = draw_scalograms(windows, config, output.value)
    with replace_file(out) as temporary:
        temporary.write_bytes(to_png(figure))
    typer.echo(f"written: {out}")
