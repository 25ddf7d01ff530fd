"""``wavebind explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress
from wavebind.cli.options import (
    Device,
    Force,
    Length,
    RunArgument,
    Set,
    ShowSettings,
    Split,
    Target,
    Threads,
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
            "occlusion (scores of bases). (default: ig, or gradcam of a network on images)"
        ),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option("--n", help="Number of bound windows. (default: 20; with --check 200)"),
    ] = None,
    split: Split = "test",
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Check the explanations instead. Do they move with the motif, come from the "
            "weights, hold what the prediction rests on, lie on known sites?",
        ),
    ] = False,
    genome: Annotated[
        Path | None,
        typer.Option(help="Genome that regions lie on: FASTA, gzipped or not, or 2bit."),
    ] = None,
    signal: Annotated[
        Path | None,
        typer.Option(
            help="A bigWig of ChIP-seq signal: do the scores go with it, beyond a bump in the "
            "middle?"
        ),
    ] = None,
    target: Target = None,
    force: Force = False,
    device: Device = "auto",
    _threads: Threads = None,
    length: Length = None,
    values: Set = None,
    _settings: ShowSettings = False,
) -> None:
    """Show where the evidence for binding lies: pictures, and a score a base.

    --check takes several methods, comma-separated.
    """
    from wavebind.api.run import load
    from wavebind.core.errors import UsageError
    from wavebind.report.text import checks_text, explained_text

    if check and (signal is not None or genome is not None):
        raise UsageError("--signal and --genome are not for --check")
    count = {} if n is None else {"n": n}
    opened = load(run, device)
    with TerminalProgress() as on_event:
        if check:
            found, folder = opened.check_explanations(
                data,
                methods=names(method),
                split=split,
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
                split=split,
                genome=genome,
                signal=signal,
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
