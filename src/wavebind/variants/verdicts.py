"""What an allele does to binding, in a word, and how likely chance does as much."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["VERDICTS", "Effect", "NullScores", "judge"]

#: Each verdict, and what it means.
VERDICTS = {
    "creates": "no site with REF and one with ALT",
    "strengthens": "a site with both, and a higher score with ALT",
    "weakens": "a site with both, and a lower score with ALT",
    "destroys": "a site with REF and none with ALT",
    "unchanged": "a site with both, and no difference beyond chance",
    "none": "a site with neither, or a difference that chance gives too",
}


@dataclass(frozen=True)
class Effect:
    """Scores of an allele beside the reference.

    Attributes
    ----------
    ref, alt : float
        Logit: the highest of the windows that see the allele.
    ref_centred, alt_centred : float
        Logit of the window that has the allele in its middle.
    ref_probability, alt_probability : float
        Of `ref` and `alt`.
    p : float
        Share of the null whose difference is at least as large; NaN without a null.
    verdict : str
        A key of :data:`VERDICTS`.
    motif : int
        The one with the best hit on either allele; -1 without motifs.
    ref_hit, alt_hit : float
        Its best hits, in bits.
    common_percentile : float
        Percent of common alleles with a smaller effect; NaN where none were named.
    delta_svm : float
        Of a gapped k-mer machine; see :func:`wavebind.variants.effects.delta_svm`.
    """

    ref: float
    alt: float
    ref_centred: float
    alt_centred: float
    ref_probability: float
    alt_probability: float
    p: float
    verdict: str
    motif: int
    ref_hit: float
    alt_hit: float
    common_percentile: float = math.nan
    delta_svm: float = math.nan

    @property
    def difference(self) -> float:
        """Of the logits, ALT less REF."""
        return self.alt - self.ref

    @property
    def centred_difference(self) -> float:
        """Of the logits of the centred windows, ALT less REF."""
        return self.alt_centred - self.ref_centred


class NullScores:
    """Differences that chance gives, by kind of allele.

    Parameters
    ----------
    differences : dict
        For each kind, the absolute differences, sorted.
    """

    def __init__(self, differences: dict[str, NDArray[np.float64]]) -> None:
        self._differences = differences

    @classmethod
    def of(cls, scores: Iterable[tuple[str, NDArray[np.float32]]]) -> NullScores:
        """From logits of one output, shape ``(change, 4)``, with their kinds."""
        found: dict[str, list[NDArray[np.float64]]] = {}
        for kind, logits in scores:
            difference = np.abs(logits[:, 1].astype(np.float64) - logits[:, 0])
            found.setdefault(kind, []).append(difference[np.isfinite(difference)])
        return cls({kind: np.sort(np.concatenate(parts)) for kind, parts in found.items()})

    def p_value(self, kind: str, logits: NDArray[np.float64]) -> float:
        """Share of the null with at least this difference, the allele itself counted (two-sided).

        Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39. Where the null has no alleles of
        the kind, those of the others stand in.
        """
        null = self._differences.get(kind)
        if null is None or not len(null):
            rest = [d for d in self._differences.values() if len(d)]
            if not rest:
                return math.nan
            null = np.sort(np.concatenate(rest))
        difference = abs(float(logits[1]) - float(logits[0]))
        above = len(null) - int(np.searchsorted(null, difference, side="left"))
        return (1 + above) / (1 + len(null))


def judge(
    logits: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    threshold: float,
    known: bool,
    p: float,
    alpha: float,
    motif: int,
    hits: NDArray[np.float32],
) -> Effect:
    """Put scores and verdict together.

    Parameters
    ----------
    logits : numpy.ndarray
        Shape ``(4,)``: highest of REF, highest of ALT, centred of REF, centred of ALT.
    probabilities : numpy.ndarray
        Of them.
    threshold : float
        A probability at or above this is a site.
    known : bool
        Whether they are probabilities, or values that a model predicts; a score without a scale is
        not given as one.
    p : float
        NaN without a null: then every difference counts.
    alpha : float
        A p-value above it says that there is no effect.
    motif : int
    hits : numpy.ndarray
        Shape ``(2,)``.
    """
    before, after = probabilities[0] >= threshold, probabilities[1] >= threshold
    by_chance = p > alpha or logits[0] == logits[1]
    if not before and not after:
        verdict = "none"
    elif by_chance:
        verdict = "unchanged" if before and after else "none"
    elif before and after:
        verdict = "strengthens" if logits[1] > logits[0] else "weakens"
    else:
        verdict = "creates" if after else "destroys"
    ref, alt, ref_centred, alt_centred = logits.tolist()
    return Effect(
        ref=ref,
        alt=alt,
        ref_centred=ref_centred,
        alt_centred=alt_centred,
        ref_probability=float(probabilities[0]) if known else math.nan,
        alt_probability=float(probabilities[1]) if known else math.nan,
        p=p,
        verdict=verdict,
        motif=motif,
        ref_hit=float(hits[0]),
        alt_hit=float(hits[1]),
    )
