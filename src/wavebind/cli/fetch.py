"""``wavebind fetch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.console import note, progress_bar
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
    out: Annotated[Path, typer.Option("--out", help="The folder.")] = Path(),
    genome_format: Annotated[
        str, typer.Option("--format", help="Of a genome: 2bit or fa.gz.")
    ] = "2bit",
    encode_url: Annotated[
        str, typer.Option(envvar="WAVEBIND_ENCODE_URL", help="Base address of ENCODE.")
    ] = ENCODE_URL,
    ucsc_url: Annotated[
        str, typer.Option(envvar="WAVEBIND_UCSC_URL", help="Base address of UCSC's downloads.")
    ] = UCSC_URL,
    attempts: Annotated[
        int, typer.Option(min=1, help="How often a transfer may break off at one place.")
    ] = 5,
) -> None:
    """Download ENCODE files and UCSC genomes, checked against the size and checksum they announce.

    A transfer that broke off goes on where it stopped. The names of the files go to stdout.
    """
    from wavebind.core.download import download
    from wavebind.genome.fetch import encode_file, ucsc_genome

    genomes = names[0] == "genome"
    wanted = names[1:] if genomes else names
    if not wanted:
        raise typer.BadParameter("'genome' needs the name of an assembly, such as hg38")
    for name in wanted:
        if genomes:
            file = ucsc_genome(name, ucsc_url, kind=genome_format)
        else:
            file = encode_file(name, encode_url)
        note(f"wavebind: {file.url}")
        with progress_bar(f"{file.name} (bytes)", file.size) as advance:
            last = 0

            def report(done: int, total: int | None) -> None:
                nonlocal last
                del total
                advance(done - last)
                last = done

            path = download(file, out, attempts=attempts, progress=report)
        typer.echo(path)
