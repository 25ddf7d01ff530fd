"""What decides the scores of variants, where they go, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from wavebind.core.errors import InputError
from wavebind.core.settings import Settings

__all__ = ["VariantConfig", "VariantJob", "VariantSummary"]


@dataclass(frozen=True)
class VariantConfig(Settings):
    """How variants are scored.

    Attributes
    ----------
    step : int
        Base pairs between the windows that see an allele; they share their work where it is a
        multiple of the network's own step.
    null : str
        What an effect is held against: ``shuffled``, the path of a VCF of common variants, or
        ``none``.
    n_null : int or None
        Effects of the null distribution: of substitutions and of changes of length each. By default
        20 for every allele of the kind, from 200 to 1000.
    alpha : float
        P-value at or below which an effect is said to be one.
    max_allele : int
        Longest REF or ALT that is scored, in base pairs.
    haplotypes : bool
        Whether each allele is put among the sample's other alleles on the same haplotype.
    sample : str or None
        Which sample; the first by default.
    prevalence : float or None
        Fraction of bound windows to expect; that of the validation split by default.
    seed : int
        Decides the null distribution.
    length : int or None
        Window length in base pairs, of a model of LS-GKM; another model has its own.
    common : str or None
        A VCF of common variants: the percentile of each effect among theirs is given. They are
        scored once, and kept with the run.
    common_regions : str or None
        BED file: of the common variants only those that lie there, or so near that a window sees
        both.
    common_frequency : float
        Least allele frequency of a common variant, where AF, or AC and AN, are given.
    """

    step: Annotated[int, Field(ge=1)] = 8
    null: str = "shuffled"
    n_null: Annotated[int, Field(ge=19, le=1_000_000)] | None = None
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    max_allele: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    haplotypes: bool = False
    sample: str | None = None
    prevalence: float | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    length: Annotated[int, Field(ge=16)] | None = None
    common: str | None = None
    common_regions: str | None = None
    common_frequency: Annotated[float, Field(ge=0, le=1)] = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sample is not None and not self.haplotypes:
            raise InputError(
                "a sample is looked at for its haplotypes only; add --set haplotypes=true"
            )


@dataclass(frozen=True)
class VariantJob:
    """Everything that decides the scores of a VCF, and where they go.

    Attributes
    ----------
    run, vcf, genome, out : str
        Paths. The output is a table where its name ends in ``.tsv`` or ``.tsv.gz``, otherwise a
        VCF, bgzipped where its name ends in ``.gz``.
    motifs : str or None
        MEME file, or a matrix of JASPAR as :func:`wavebind.motifs.jaspar.find_motif` knows it,
        whose best hits are given.
    output : str or None
        Of a model of several outputs; the first by default.
    device : str
    config : VariantConfig
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    run: str
    vcf: str
    genome: str
    out: str
    motifs: str | None = None
    output: str | None = None
    device: str = "auto"
    config: VariantConfig = field(default_factory=VariantConfig)


@dataclass(frozen=True)
class VariantSummary:
    """What became of the variants.

    Attributes
    ----------
    n_records, n_alleles, n_scored : int
    left_out : dict
        How many alleles were not scored, by reason in words.
    verdicts : dict
        How many alleles have each verdict.
    unsorted : int
        Line of the first record that lies before the one above it; 0 if none does.
    notes : tuple of str
        What else a person should know: chromosomes that the genome does not have, lengths that
        differ.
    """

    n_records: int
    n_alleles: int
    n_scored: int
    left_out: dict[str, int]
    verdicts: dict[str, int]
    unsorted: int
    notes: tuple[str, ...] = ()
