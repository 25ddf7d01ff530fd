"""Alleles whose effect was measured, and how well scores tell its direction and size.

Allele-specific binding is read off the reads of heterozygous sites, or off a reporter: a ratio of
ALT to REF. Scores of models are differences, ALT less REF.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.genome.vcf import info_values, read_records
from wavebind.metrics.binary import Estimate, auroc_with_interval
from wavebind.metrics.tasks import evaluate_numbers

__all__ = [
    "AlleleAccuracy",
    "KnownAlleles",
    "Truth",
    "allele_accuracy",
    "read_truth",
    "require_both",
    "truth_of",
]

#: Alleles of one direction, at least, before anything is said.
LEAST = 10
_N_RESAMPLES = 1000


@dataclass(frozen=True)
class Truth:
    """What was measured.

    Attributes
    ----------
    values : numpy.ndarray
        ``float64``, shape ``(allele,)``, NaN where nothing was measured. Above 0 where ALT binds
        more.
    scale : str
        What the numbers were taken for, in words.
    """

    values: NDArray[np.float64]
    scale: str


@dataclass(frozen=True)
class AlleleAccuracy:
    """How well one score does.

    Attributes
    ----------
    n : int
        Alleles that were measured and scored.
    n_more : int
        Of them those with more binding on ALT.
    direction : Estimate
        AUROC of telling alleles with more binding from those with less.
    correlation : Estimate
        Spearman's, of the score and the measured ratio.
    """

    n: int
    n_more: int
    direction: Estimate
    correlation: Estimate


@dataclass(frozen=True)
class KnownAlleles:
    """What was found.

    Attributes
    ----------
    scale : str
        What the measured numbers were taken for.
    accuracy : dict
        :class:`AlleleAccuracy` by the name of the score, the run's first.
    notes : tuple of str
        Scores that are not there, and why.
    """

    scale: str
    accuracy: dict[str, AlleleAccuracy]
    notes: tuple[str, ...] = ()


def read_truth(vcf: Path, key: str) -> dict[tuple[str, int, str, str], float]:
    """Measured numbers of a VCF's alleles, by chromosome, position (1-based), REF and ALT.

    Parameters
    ----------
    vcf : pathlib.Path
    key : str
        Of INFO: one number an ALT, or one for all.

    Raises
    ------
    InputError
        If no record has the key, or a value is no number.
    """
    found: dict[tuple[str, int, str, str], float] = {}
    keys: set[str] = set()
    for record in read_records(vcf):
        info = info_values(record.text)
        keys.update(info)
        if key not in info:
            continue
        values = info[key].split(",")
        if len(values) not in (1, len(record.alts)):
            raise InputError(
                f"{vcf} line {record.line}: {key} has {len(values)} values for "
                f"{len(record.alts)} alleles ALT"
            )
        # One value stands for all of them.
        for alt, text in zip(record.alts, values * (len(record.alts) // len(values)), strict=True):
            place = record.chrom, record.position + 1, record.ref, alt
            found[place] = _number(text, f"{vcf} line {record.line}", key)
    if not found:
        there = ", ".join(sorted(keys - {"."})[:12]) or "none"
        raise InputError(f"{vcf}: no record has {key} in INFO; its keys are {there}")
    return found


def _number(text: str, place: str, key: str) -> float:
    if text in ("", ".", "NA", "nan", "NaN"):
        return np.nan
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{place}: {key} {text[:40]!r} is not a number") from None
    if not np.isfinite(value):
        raise InputError(f"{place}: {key} {text[:40]!r} is not a finite number")
    return value


def truth_of(values: NDArray[np.float64]) -> Truth:
    """Measured numbers with 0 for no difference, whatever scale they are on.

    Parameters
    ----------
    values : numpy.ndarray
        ``float64``, shape ``(allele,)``. With a number below 0 they are differences or log ratios;
        all from 0 to 1 the share of ALT; otherwise ratios of ALT to REF.
    """
    known = values[np.isfinite(values)]
    if (known < 0).any():
        return Truth(values, "differences or log ratios, above 0 where ALT binds more")
    if (known <= 1).all():
        return Truth(values - 0.5, "shares of ALT, above 0.5 where it binds more")
    # A ratio of 0 has no logarithm; below every other it keeps its rank.
    least = known[known > 0].min()
    with np.errstate(invalid="ignore"):
        logs = np.log2(np.maximum(values, least / 2))
    return Truth(logs, "ratios of ALT to REF, above 1 where ALT binds more")


def require_both(values: NDArray[np.float64], what: str = "measured alleles") -> int:
    """Raise an :class:`InputError` unless enough alleles bind more with ALT, and enough less.

    Parameters
    ----------
    values : numpy.ndarray
        ``float64``, shape ``(allele,)``: above 0 where ALT binds more.
    what : str
        How the message names them.

    Returns
    -------
    int
        Those that bind more.
    """
    more, less = int((values > 0).sum()), int((values < 0).sum())
    if min(more, less) < LEAST:
        raise InputError(
            f"{more:,} {what} bind more with ALT and {less:,} less; a verdict needs {LEAST} of each"
        )
    return more


def allele_accuracy(
    scores: Mapping[str, NDArray[np.float64]], truth: Truth, seed: int = 0
) -> dict[str, AlleleAccuracy]:
    """How well scores do, all on the same alleles.

    Parameters
    ----------
    scores : mapping
        Differences of each score by its name, ``float64``, shape ``(allele,)``, NaN where an allele
        was not scored.
    truth : Truth
    seed : int
        Of the resamples; the same ones for every score.

    Raises
    ------
    InputError
        If fewer than ten alleles of either direction are left.
    """
    known = np.isfinite(truth.values)
    for values in scores.values():
        known &= np.isfinite(values)
    measured = truth.values[known]
    more = require_both(measured, "measured and scored alleles")
    directed = measured != 0
    found = {}
    for name, values in scores.items():
        mine = values[known]
        found[name] = AlleleAccuracy(
            n=len(measured),
            n_more=more,
            direction=auroc_with_interval(
                (measured[directed] > 0).astype(np.int64),
                mine[directed],
                np.random.default_rng(seed),
                _N_RESAMPLES,
            ),
            correlation=evaluate_numbers(measured, mine, np.random.default_rng(seed), _N_RESAMPLES)[
                "spearman"
            ],
        )
    return found
