"""``wavebind variants``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    Workers,
)

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="variants",
        epilog="Example: wavebind variants run calls.vcf.gz --genome hg38.fa --out scored.vcf.gz",
    )(variants)


def variants(
    run: RunArgument,
    vcf: Annotated[
        Path, typer.Argument(metavar="VCF", help="Variants: VCF, plain, gzipped or bgzipped.")
    ],
    genome: Annotated[
        Path,
        typer.Option(
            help="Genome that the variants were called on: FASTA, gzipped or not, or 2bit."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="The VCF to write, with scores in INFO, bgzipped where it ends in .gz; a table "
            "where it ends in .tsv or .tsv.gz.",
        ),
    ],
    motif: Annotated[
        str | None,
        typer.Option(
            help="Motifs whose best hits are given: a MEME file, or one of JASPAR by identifier or "
            "name. (default: those that 'wavebind motifs' found for this run)"
        ),
    ] = None,
    null: Annotated[
        str | None,
        typer.Option(
            help="Null distribution for p-values: shuffled (the same changes in shuffled "
            "surroundings), a VCF of common variants, or none. (default: shuffled)"
        ),
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Measured ratio of ALT to REF, to say how well the scores agree: a key of INFO, "
            "or a column where the variants are a table with chrom, pos, ref and alt.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Output of a model with several outputs, as CTCF:K562; a factor, as CTCF: the "
            "mean over its cells; or all: a table with a row for each. (default: the only one)",
        ),
    ] = None,
    workers: Workers = None,
    shard: ShardOption = None,
    force: Force = False,
    device: Device = "auto",
    length: Length = None,
    values: Set = None,
    _settings: ShowSettings = False,
) -> None:
    """Score variants: does an allele make or break a site? Every record is kept."""
    from wavebind.api.known_alleles import score_known_alleles
    from wavebind.api.run import load
    from wavebind.report.text import alleles_table

    options: dict[str, Any] = {
        "out": out,
        "motif": motif,
        "null": null,
        "target": target,
        "workers": workers,
        "shard": shard,
        "force": force,
        "length": length,
        "settings": values or (),
    }
    with TerminalProgress() as on_event:
        if truth is None:
            load(run, device).score_variants(vcf, genome, on_event=on_event, **options)
            return
        found = score_known_alleles(
            run, vcf, genome, truth, device=device, on_event=on_event, **options
        )
    typer.echo(alleles_table(found))
