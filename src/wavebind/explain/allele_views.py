"""Both alleles of a variant in their window, explained base by base."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.explain.attribution import explain_windows
from wavebind.explain.run import default_method
from wavebind.genome.genomes import Genome, match_chromosomes
from wavebind.genome.sequences import UNKNOWN, Codes, to_codes, to_letters
from wavebind.genome.tiles import read_codes
from wavebind.models import Classifier, ModelCard
from wavebind.models.prediction import predict_logits

__all__ = ["AlleleView", "view_alleles"]


@dataclass(frozen=True)
class AlleleView:
    """The reference and the alternative allele of a variant, each in a window around it.

    Attributes
    ----------
    name : str
        As ``chr22:19103338 A>G``; the position is counted from 1, as in a VCF.
    start : int
        Coordinate of the first base of the windows, 0-based.
    offset : int
        Place of the allele's first base in the windows.
    same_length : bool
        Whether base by base the two can be compared.
    codes : numpy.ndarray
        ``uint8``, shape ``(2, position)``: reference, alternative.
    contributions : numpy.ndarray
        ``float32``, shape ``(2, position)``, log-odds.
    probability : numpy.ndarray
        ``float64``, shape ``(2,)``.
    """

    name: str
    start: int
    offset: int
    same_length: bool
    codes: Codes
    contributions: NDArray[np.float32]
    probability: NDArray[np.float64]


def view_alleles(
    model: Classifier,
    card: ModelCard,
    genome: Genome,
    rows: Sequence[Mapping[str, str]],
    progress: Callable[[int], None] | None = None,
) -> list[AlleleView]:
    """Explain the alleles of some variants.

    Parameters
    ----------
    model : Classifier
    card : ModelCard
    genome : Genome
    rows : sequence of mapping
        ``chrom``, ``position`` (from 1), ``ref`` and ``alt`` of each, as ``wavebind variants``
        writes them.
    progress : callable, optional
        Called with 1 for every variant.

    Returns
    -------
    list of AlleleView
        Of those variants whose alleles are letters and shorter than a window.

    Raises
    ------
    InputError
        If the genome has other bases than REF, or ends before it.
    """
    names = match_chromosomes({row["chrom"] for row in rows}, genome)
    length = card.model.length
    method = default_method(card.model)
    found = []
    for row in rows:
        ref, alt = row["ref"], row["alt"]
        chrom = names[row["chrom"]]
        if chrom is None or not (ref + alt).isalpha() or max(len(ref), len(alt)) > length // 2:
            continue
        position = int(row["position"]) - 1
        if position + len(ref) > genome.lengths[chrom]:
            raise InputError(
                f"{genome.path}: {chrom} ends at {genome.lengths[chrom]:,}, before the variant at "
                f"{position + 1:,}; give the genome that the variants were scored with"
            )
        offset = (length - len(ref)) // 2
        start = position - offset
        # A deletion draws bases in from the right.
        beyond = max(len(ref) - len(alt), 0)
        there = read_codes(genome, chrom, start, start + length + beyond)
        found_ref = there[offset : offset + len(ref)]
        known = (found_ref < UNKNOWN) & (to_codes(ref) < UNKNOWN)
        if (found_ref != to_codes(ref))[known].any():
            raise InputError(
                f"{genome.path}: has {to_letters(found_ref)} at {chrom}:{position + 1}, where the "
                f"variant's REF is {ref}; give the genome that the variants were scored with"
            )
        changed = np.concatenate(
            [there[:offset], to_codes(alt), there[offset + len(ref) :]], dtype=np.uint8
        )
        codes = np.stack([there[:length], changed[:length]])
        both = np.arange(2)
        scores = [part.base_scores for part in explain_windows(model, codes, both, method=method)]
        found.append(
            AlleleView(
                name=f"{chrom}:{position + 1} {ref}>{alt}",
                start=start,
                offset=offset,
                same_length=len(ref) == len(alt),
                codes=codes,
                contributions=np.concatenate(scores),
                probability=card.probabilities(predict_logits(model, codes, both)),
            )
        )
        if progress:
            progress(1)
    return found
