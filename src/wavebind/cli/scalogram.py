"""``wavebind scalogram``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from wavebind.cli.console import Out, progress_bar

__all__ = ["register"]

#: A picture of more sequences than this is too tall to look at, a film of more too long.
MAX_PANELS = 64


class Output(StrEnum):
    """What of the coefficients is drawn."""

    modulus = "modulus"
    power = "power"
    real = "real"
    imag = "imag"
    phase = "phase"
    squeezed = "squeezed"


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
    out: Out,
    output: Annotated[
        Output, typer.Option(help="What is drawn; squeezed is the synchrosqueezed modulus.")
    ] = Output.modulus,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Take the representation of this recipe; other options override it. "
            "(default: one-hot, Morse 3 and 20, 64 scales)"
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            help="Numbers for bases: onehot, integer, integer0, real, complex, eiip, atomic, "
            "purine, paired, zcurve, zcurve-cumulated, tetrahedron, walk."
        ),
    ] = None,
    scales: Annotated[int | None, typer.Option(help="Number of periods.")] = None,
    voices: Annotated[
        int | None, typer.Option(help="Periods an octave, instead of their number.")
    ] = None,
    min_period: Annotated[
        float | None, typer.Option(help="Shortest period in bp, 2 or more.")
    ] = None,
    max_period: Annotated[
        float | None, typer.Option(help="Longest period in bp. (default: the length)")
    ] = None,
    spacing: Annotated[
        str | None,
        typer.Option(help="What is spaced evenly: octaves (logarithms of periods) or frequencies."),
    ] = None,
    padding: Annotated[
        str | None, typer.Option(help="Beyond the edges: zero, reflect or periodic.")
    ] = None,
    wavelet: Annotated[str | None, typer.Option(help="morse, morlet or dog.")] = None,
    beta: Annotated[float | None, typer.Option(help="Order of the Morse wavelet.")] = None,
    gamma: Annotated[float | None, typer.Option(help="Symmetry of the Morse wavelet.")] = None,
    columns: Annotated[int, typer.Option(min=1, help="Sequences side by side.")] = 1,
) -> None:
    """Draw the scalogram of a sequence, with axes in base pairs and period.

    Several sequences become a grid (.png), or one after the other a film (.gif).
    """
    import re

    from wavebind.core.errors import InputError
    from wavebind.core.files import replace_file
    from wavebind.core.settings import from_dict, to_dict
    from wavebind.genome.sequences import read_fasta, to_codes
    from wavebind.report.plots import draw_scalograms, to_gif, to_png
    from wavebind.training.recipes import load_recipe
    from wavebind.wavelets.scalograms import ScalogramConfig

    ending = out.suffix.lower()
    if ending not in (".png", ".gif"):
        raise typer.BadParameter(f"--out {out}: end the name with .png, or with .gif for a film")
    if re.fullmatch(r"[A-Za-z]+", sequence) and not Path(sequence).exists():
        windows = [(f"{len(sequence)} bp", to_codes(sequence, place="the sequence"))]
    else:
        windows = [(r.name, r.codes) for r in read_fasta(Path(sequence))]
    if len(windows) > MAX_PANELS:
        raise InputError(
            f"{sequence}: holds {len(windows):,} sequences; one picture shows {MAX_PANELS} at "
            f"most, give a file with fewer"
        )
    settings: dict[str, Any] = {"norm": "l1", "n_scales": 64, "wavelet": {"beta": 20.0}}
    if recipe is not None:
        settings = to_dict(load_recipe(recipe).scalogram)
    given = {
        "encoding": encoding,
        "n_scales": scales,
        "voices": voices,
        "min_period": min_period,
        "max_period": max_period,
        "spacing": spacing,
        "padding": padding,
    }
    settings.update({key: value for key, value in given.items() if value is not None})
    shape = {"kind": wavelet, "beta": beta, "gamma": gamma}
    settings["wavelet"].update({key: value for key, value in shape.items() if value is not None})
    config = from_dict(ScalogramConfig, settings, "the scalogram's settings")
    with progress_bar("drawing", len(windows)) as advance:
        if ending == ".gif":
            frames = []
            for window in windows:
                frames.append(to_png(draw_scalograms([window], config, output.value)))
                advance(1)
            picture = to_gif(frames)
        else:
            picture = to_png(draw_scalograms(windows, config, output.value, columns=columns))
    with replace_file(out) as temporary:
        temporary.write_bytes(picture)
    typer.echo(f"written: {out}")
