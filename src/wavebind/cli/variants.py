"""``wavebind variants``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavebind.cli.console import (
    Dask,
    Device,
    Output,
    ShardOption,
    Workers,
    note,
    progress_bar,
    share_done,
    sharing,
)

if TYPE_CHECKING:
    from wavebind.variants.settings import VariantSummary

__all__ = ["register", "say_variants"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="variants",
        epilog="Example: wavebind variants run calls.vcf.gz --genome hg38.fa --out scored.vcf.gz",
    )(variants)


def variants(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, made with 'wavebind train'.")],
    vcf: Annotated[
        Path, typer.Argument(metavar="VCF", help="Variants: VCF, plain, gzipped or bgzipped.")
    ],
    genome: Annotated[
        Path, typer.Option(help="The genome they were called on: FASTA, gzipped or not, or 2bit.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="The VCF with scores in INFO, bgzipped where it ends in .gz; a table where it "
            "ends in .tsv or .tsv.gz.",
        ),
    ],
    motif: Annotated[
        str | None,
        typer.Option(
            help="Motifs whose best hits are given: a MEME file, or one of JASPAR by identifier or "
            "name. (default: those that 'wavebind motifs' found for this run, if it was run)"
        ),
    ] = None,
    step: Annotated[
        int, typer.Option(help="Base pairs between the windows that see an allele.")
    ] = 10,
    null: Annotated[
        str,
        typer.Option(
            help="What effects are held against for the p-value: shuffled (the same changes in "
            "shuffles of their surroundings), a VCF of common variants, or none."
        ),
    ] = "shuffled",
    null_size: Annotated[
        int,
        typer.Option(help="Effects of the null: of substitutions and of changes of length each."),
    ] = 1000,
    alpha: Annotated[
        float, typer.Option(help="P-value at or below which an effect is said to be one.")
    ] = 0.05,
    haplotypes: Annotated[
        bool,
        typer.Option(
            "--haplotypes",
            help="Put each allele among the other alleles of the sample on the same phased "
            "haplotype.",
        ),
    ] = False,
    sample: Annotated[
        str | None, typer.Option(help="With --haplotypes: whose. (default: the first sample)")
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(
            help="Fraction of bound windows to expect, for the probabilities. (default: that of "
            "the validation split)"
        ),
    ] = None,
    max_allele: Annotated[
        int, typer.Option(help="Longest REF or ALT that is scored, in base pairs.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(help="Decides the null.")] = 0,
    output: Output = None,
    workers: Workers = None,
    dask: Dask = None,
    shard: ShardOption = None,
    device: Device = "auto",
) -> None:
    """Score variants: does an allele make or break a site? Every record is kept."""
    from wavebind.variants.score import choose_motifs, score_variants
    from wavebind.variants.settings import VariantConfig, VariantJob

    config = VariantConfig(
        step=step,
        null=null if null in ("shuffled", "none") else str(Path(null).absolute()),
        n_null=null_size,
        alpha=alpha,
        max_allele=max_allele,
        haplotypes=haplotypes,
        sample=sample,
        prevalence=prevalence,
        seed=seed,
    )
    job = VariantJob(
        run=str(run.absolute()),
        vcf=str(vcf.absolute()),
        genome=str(genome.absolute()),
        out=str(out.absolute()),
        motifs=choose_motifs(run, motif),
        output=output,
        device=device,
        config=config,
    )
    share, pool = sharing(workers, dask, shard)
    with progress_bar("scoring alleles", None) as advance:
        summary = score_variants(job, shard=share, pool=pool, total=advance.total, progress=advance)
    if summary is None:
        share_done(shard, out)
    else:
        say_variants(summary, out)


def say_variants(summary: VariantSummary, out: Path) -> None:
    """What became of the variants, on stderr."""
    s = summary
    note(f"{s.n_scored:,} of {s.n_alleles:,} alleles of {s.n_records:,} records scored")
    for reason, n in s.left_out.items():
        note(f"left out: {n:,} {reason}")
    if s.unsorted:
        note(
            f"the records are not sorted (line {s.unsorted} is the first out of order); their "
            f"order was kept. 'bcftools sort' sorts them"
        )
    note("; ".join(f"{n:,} {verdict}" for verdict, n in s.verdicts.items()) or "no verdict")
    note(f"written: {out}")
