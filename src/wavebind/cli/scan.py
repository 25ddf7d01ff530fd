"""``wavebind scan``."""

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
    ShardOption,
    ShowSettings,
    Target,
    Workers,
)

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="scan",
        epilog="Example: wavebind scan run hg38.fa --out scores.bw --peaks sites.narrowPeak",
    )(scan)


def scan(
    run: RunArgument,
    genome: Annotated[
        Path, typer.Argument(metavar="GENOME", help="FASTA, gzipped in any way or not, or 2bit.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The bigWig of probabilities to write.")],
    peaks: Annotated[
        Path | None,
        typer.Option(help="The narrowPeak of called sites to write, with summits."),
    ] = None,
    regions: Annotated[
        Path | None,
        typer.Option(help="Regions to scan, BED or narrowPeak; a window counts by its middle."),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            help="Base pairs between two windows. (default: 8, or the multiple of the network's "
            "own step below it)"
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Probability at or above which a site is called. (default: the model's, chosen on "
            "valid)"
        ),
    ] = None,
    target: Target = None,
    workers: Workers = None,
    shard: ShardOption = None,
    force: Force = False,
    device: Device = "auto",
    length: Length = None,
    values: Set = None,
    _settings: ShowSettings = False,
) -> None:
    """Score a genome: probabilities along it, both strands averaged, and called sites."""
    from wavebind.api.run import load

    with TerminalProgress() as on_event:
        load(run, device).scan(
            genome,
            out=out,
            peaks=peaks,
            regions=regions,
            stride=stride,
            threshold=threshold,
            target=target,
            workers=workers,
            shard=shard,
            force=force,
            length=length,
            settings=values or (),
            on_event=on_event,
        )
