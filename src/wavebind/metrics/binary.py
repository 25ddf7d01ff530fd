"""Metrics with intervals, the threshold, and calibration.

Every metric is computed from the sorted scores and per-window weights, so that the windows can be
resampled without sorting again. The point values are those of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError

__all__ = [
    "METRICS",
    "Curves",
    "Estimate",
    "Ranked",
    "auroc_with_interval",
    "best_threshold",
    "curves",
    "estimate",
    "evaluate",
    "mean_with_interval",
    "ranking_metrics",
    "resamples",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]

METRICS = ("auroc", "auprc", "accuracy", "precision", "recall", "f1", "mcc")
N_RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A metric and its 95 % interval."""

    value: float
    low: float
    high: float


class Ranked:
    """Scores sorted once, ready to be weighed many times.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape ``(window,)``: 1 = bound, 0 = unbound.
    scores : numpy.ndarray
        Shape ``(window,)``.
    """

    def __init__(self, labels: Integers, scores: Floats) -> None:
        labels = np.asarray(labels)
        scores = np.asarray(scores, dtype=np.float64)
        if labels.shape != scores.shape or labels.ndim != 1:
            raise InputError(
                f"labels and scores must be two lists of one length; found {labels.shape} and "
                f"{scores.shape}"
            )
        if not np.all(np.isfinite(scores)):
            bad = int(np.sum(~np.isfinite(scores)))
            raise InputError(f"{bad:,} of {len(scores):,} scores are not finite numbers")
        if not 0 < labels.sum() < len(labels):
            raise InputError(
                f"metrics need windows of both classes; found {int(labels.sum()):,} bound of "
                f"{len(labels):,}"
            )
        self.order = np.argsort(-scores, kind="stable")
        ranked = scores[self.order]
        self.scores = ranked
        self.bound = labels[self.order] == 1
        # The last place of every group of equal scores: ties are taken or left together.
        self.ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)

    def counts(self, weights: Floats) -> tuple[Floats, Floats]:
        """True and false positives at each distinct score, from the highest down."""
        w = weights[self.order]
        true = np.cumsum(np.where(self.bound, w, 0.0))[self.ends]
        false = np.cumsum(np.where(self.bound, 0.0, w))[self.ends]
        return true, false

    def metrics(self, weights: Floats, threshold: float) -> dict[str, float]:
        """:data:`METRICS` with each window counted `weights` times, ``(window,)``."""
        true, false = self.counts(weights)
        n_bound, n_unbound = true[-1], false[-1]
        tp, fp = _counts_above(self.scores[self.ends], true, false, threshold)
        return {
            "auroc": _auroc(true, false),
            "auprc": _average_precision(true, false),
            **_confusion_metrics(tp, fp, n_bound, n_unbound),
        }


def _counts_above(
    levels: Floats, true: Floats, false: Floats, threshold: float
) -> tuple[float, float]:
    """True and false positives among the scores at or above the threshold."""
    k = int(np.searchsorted(-levels, -threshold, side="right"))
    return (float(true[k - 1]), float(false[k - 1])) if k else (0.0, 0.0)


def _auroc(true: Floats, false: Floats) -> float:
    area = np.trapezoid(np.append(0.0, true), np.append(0.0, false))
    return float(area / (true[-1] * false[-1]))


def _average_precision(true: Floats, false: Floats) -> float:
    called = true + false
    precision = np.divide(true, called, out=np.ones_like(true), where=called > 0)
    return float(np.sum(np.diff(np.append(0.0, true)) * precision) / true[-1])


def _confusion_metrics(tp: float, fp: float, n_bound: float, n_unbound: float) -> dict[str, float]:
    fn, tn = n_bound - tp, n_unbound - fp
    spread = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return {
        "accuracy": (tp + tn) / (n_bound + n_unbound),
        # As in scikit-learn with zero_division=0: a model that calls nothing has precision 0.
        "precision": tp / (tp + fp) if tp + fp else 0.0,
        "recall": tp / n_bound if n_bound else 0.0,
        "f1": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0,
        "mcc": (tp * tn - fp * fn) / spread**0.5 if spread else 0.0,
    }


def resamples(labels: Integers, rng: np.random.Generator, n_resamples: int) -> Iterator[Floats]:
    """Bootstrap weights: how often each window was drawn, one resample at a time.

    A resample in which a class is absent has no AUROC; it is drawn again.
    """
    n = len(labels)
    for _ in range(n_resamples):
        while True:
            weights = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
            if 0 < weights @ labels < n:
                break
        yield weights


def evaluate(
    labels: Integers,
    scores: Floats,
    threshold: float,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Estimate]:
    """Every metric with its 95 % percentile interval over resampled windows.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape ``(window,)``: 1 = bound, 0 = unbound.
    scores : numpy.ndarray
        Shape ``(window,)``: probabilities or logits, higher for bound.
    threshold : float
        A window is called bound where its score is at or above it.
    rng : numpy.random.Generator
    n_resamples : int
        Bootstrap resamples (Efron & Tibshirani 1993, chapter 13).

    Returns
    -------
    dict
        :class:`Estimate` by the names of :data:`METRICS`.

    Raises
    ------
    InputError
        If the lengths differ, a score is not finite, or only one class is there.
    """
    ranked = Ranked(labels, scores)
    n = len(scores)
    point = ranked.metrics(np.ones(n), threshold)
    draws: dict[str, list[float]] = {name: [] for name in METRICS}
    for weights in resamples(labels, rng, n_resamples):
        for name, value in ranked.metrics(weights, threshold).items():
            draws[name].append(value)
    return {name: estimate(point[name], np.array(draws[name])) for name in METRICS}


def ranking_metrics(labels: Integers, scores: Floats) -> tuple[float, float]:
    """AUROC and AUPRC, without intervals."""
    true, false = Ranked(labels, scores).counts(np.ones(len(scores)))
    return _auroc(true, false), _average_precision(true, false)


def auroc_with_interval(
    labels: Integers,
    scores: Floats,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """AUROC alone, as :func:`evaluate` gives it."""
    ranked = Ranked(labels, scores)
    n = len(scores)
    draws = [_auroc(*ranked.counts(w)) for w in resamples(labels, rng, n_resamples)]
    return estimate(_auroc(*ranked.counts(np.ones(n))), np.array(draws))


def estimate(value: float, draws: Floats) -> Estimate:
    """A value with the 2.5 and 97.5 percentiles of what resampling made of it."""
    low, high = np.percentile(draws, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def mean_with_interval(
    values: Floats, rng: np.random.Generator, n_resamples: int = 1000
) -> Estimate:
    """A mean over windows with its 95 % bootstrap interval.

    Parameters
    ----------
    values : numpy.ndarray
        Shape ``(window,)``.
    rng : numpy.random.Generator
    n_resamples : int
    """
    n = len(values)
    draws = np.array([values[rng.integers(0, n, n)].mean() for _ in range(n_resamples)])
    return estimate(float(values.mean()), draws)


def best_threshold(labels: Integers, scores: Floats) -> float:
    """The threshold with the largest Matthews correlation.

    It weighs both kinds of error whatever the proportion of bound windows, and does not reward
    calling everything unbound, as accuracy does.

    Returns
    -------
    float
        Half-way between the two neighbouring scores, so that it does not sit on a window.
    """
    ranked = Ranked(labels, scores)
    true, false = ranked.counts(np.ones(len(scores)))
    n_bound, n_unbound = true[-1], false[-1]
    fn, tn = n_bound - true, n_unbound - false
    spread = (true + false) * n_bound * n_unbound * (tn + fn)
    mcc = np.divide(
        true * tn - false * fn, np.sqrt(spread), where=spread > 0, out=-np.ones_like(true)
    )
    best = int(np.argmax(mcc))
    levels = ranked.scores[ranked.ends]
    if best + 1 < len(levels):
        return float((levels[best] + levels[best + 1]) / 2)
    return float(levels[best])


@dataclass(frozen=True)
class Curves:
    """Points of the ROC and the precision-recall curve, from the highest score down."""

    false_positive_rate: Floats
    true_positive_rate: Floats
    precision: Floats


def curves(labels: Integers, scores: Floats) -> Curves:
    """The curves behind AUROC and AUPRC, one point for each distinct score."""
    ranked = Ranked(labels, scores)
    true, false = ranked.counts(np.ones(len(scores)))
    return Curves(false / false[-1], true / true[-1], true / (true + false))
