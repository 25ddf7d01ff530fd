"""``wavebind explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress, next_step
from wavebind.cli.options import (
    Device,
    Force,
    HiddenThreads,
    Length,
    RunArgument,
    Set,
    ShowSettings,
    Target,
    names,
)

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="explain", epilog="Example: wavebind explain run ctcf --n 20")(explain)


def explain(
    run: RunArgument,
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A dataset; a FASTA file with windows of the model's length; or with --genome a "
            "BED or narrowPeak file, around whose middles or summits windows are cut.",
        ),
    ],
    method: Annotated[
        str | None,
        typer.Option(
            help="Method: gradcam, gradcam++, layercam (maps over scale and position), ism, ig, "
            "ig-corrected, deepshap, occlusion (scores of bases). (default: ig, or gradcam of a "
            "network on images)"
        ),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            help="Number of windows to explain. (default: 20; with --pair 50; with --check, "
            "--insert or --ablate 200)",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Test the explanations instead: whether they follow the motif, depend on the "
            "weights, find what the prediction rests on, and lie on known sites.",
        ),
    ] = False,
    genome: Annotated[
        Path | None,
        typer.Option(help="Genome that regions lie on: FASTA, gzipped or not, or 2bit."),
    ] = None,
    insert: Annotated[
        str | None,
        typer.Option(
            metavar="MOTIF",
            help="Set a motif into unbound windows instead, and give the mean change: a matrix of "
            "JASPAR, a MEME file, or letters.",
        ),
    ] = None,
    ablate: Annotated[
        str | None,
        typer.Option(
            metavar="MOTIF",
            help="Shuffle the hits of a matrix in bound windows instead, and give the mean change.",
        ),
    ] = None,
    pair: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Set two motifs into unbound windows instead, at every distance and orientation: "
            "the curve of what they do together.",
        ),
    ] = None,
    target: Target = None,
    force: Force = False,
    device: Device = "auto",
    _threads: HiddenThreads = None,
    length: Length = None,
    values: Set = None,
    _settings: ShowSettings = False,
) -> None:
    """Show where the evidence for binding lies: pictures, and a score a base.

    --check takes several methods, comma-separated. Give one of --check, --insert, --ablate, --pair.
    """
    from wavebind.api.run import load
    from wavebind.core.errors import UsageError
    from wavebind.report.text import checks_text, explained_text

    count = {} if n is None else {"n": n}
    asked = [insert is not None, ablate is not None, pair is not None, check]
    if sum(asked) > 1:
        raise UsageError("--check, --insert, --ablate and --pair are four questions; ask one")
    if any(asked) and genome is not None:
        raise UsageError("--genome is not for --check, --insert, --ablate and --pair")
    opened = load(run, device)
    with TerminalProgress() as on_event:
        if any(asked[:3]):
            from wavebind.api.motif_effects import motif_experiment

            text, folder = motif_experiment(
                run,
                data,
                insert=insert,
                away=ablate,
                pair=pair,
                method=method,
                target=target,
                device=device,
                force=force,
                settings=values or (),
                on_event=on_event,
                **count,
            )
        elif check:
            found, folder = opened.check_explanations(
                data,
                methods=names(method),
                target=target,
                force=force,
                settings=values or (),
                on_event=on_event,
                **count,
            )
            text = checks_text(found)
        else:
            explained, folder = opened.save_explanations(
                data,
                method=method,
                genome=genome,
                length=length,
                target=target,
                force=force,
                settings=values or (),
                on_event=on_event,
                **count,
            )
            text = explained_text(explained)
    typer.echo(text)
    typer.echo(f"written: {folder}")
    next_step("report", run)
