"""``wavebind fetch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import TerminalProgress
from wavebind.genome.fetch import ENCODE_URL, UCSC_URL

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="fetch",
        epilog="Example: wavebind fetch ENCFF002CEL --out data    or: wavebind fetch genome hg38 "
        "--out data",
    )(fetch)


def fetch(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="Accessions of ENCODE files (ENCFF...), or 'genome' and names of assemblies "
            "(hg38, hg19, mm10, ...).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to write into.")] = Path(),
    genome_format: Annotated[
        str, typer.Option("--format", help="Format of a genome: 2bit or fa.gz.")
    ] = "2bit",
    encode_url: Annotated[
        str, typer.Option(envvar="WAVEBIND_ENCODE_URL", help="Base address of ENCODE.")
    ] = ENCODE_URL,
    ucsc_url: Annotated[
        str, typer.Option(envvar="WAVEBIND_UCSC_URL", help="Base address of UCSC's downloads.")
    ] = UCSC_URL,
    attempts: Annotated[
        int, typer.Option(min=1, help="Largest number of retries at one place of a transfer.")
    ] = 5,
) -> None:
    """Download ENCODE files and UCSC genomes, checked by size and checksum.

    A transfer that broke off goes on where it stopped. The names of the files go to stdout.
    """
    from wavebind.genome.fetch import fetch_files

    with TerminalProgress() as on_event:
        for path in fetch_files(
            names,
            out,
            genome_format=genome_format,
            encode_url=encode_url,
            ucsc_url=ucsc_url,
            attempts=attempts,
            on_event=on_event,
        ):
            typer.echo(path)
