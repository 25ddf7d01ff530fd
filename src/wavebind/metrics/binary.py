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
    "BinnedError",
    "Calibration",
    "Curves",
    "Estimate",
    "Ranked",
    "auroc_with_interval",
    "best_threshold",
    "calibration",
    "calibration_error",
    "calibration_floor",
    "classification_metrics",
    "correlations",
    "curves",
    "estimate",
    "evaluate",
    "evaluate_classes",
    "evaluate_numbers",
    "ranking_metrics",
    "resamples",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]

METRICS = ("auroc", "auprc", "accuracy", "precision", "recall", "f1", "mcc")
N_RESAMPLES = 2000
N_BINS = 15
#: Draws of labels behind a calibration error's floor.
N_FLOOR = 1000


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


@dataclass(frozen=True)
class Calibration:
    """Predicted against observed frequency, in bins of equal numbers of windows.

    Attributes
    ----------
    predicted, observed : numpy.ndarray
        Shape ``(bin,)``: mean probability, and fraction of bound windows.
    n : numpy.ndarray
        Windows a bin.
    error : float
        Expected calibration error: the mean absolute difference, weighted by windows (Naeini et
        al. 2015, AAAI 29:2901).
    """

    predicted: Floats
    observed: Floats
    n: NDArray[np.int64]
    error: float


def _groups(probabilities: Floats, n_bins: int) -> list[NDArray[np.int64]]:
    """Windows in bins of equal numbers, by their probability."""
    order = np.argsort(probabilities, kind="stable")
    return [g for g in np.array_split(order, n_bins) if len(g)]


def calibration(labels: Integers, probabilities: Floats, n_bins: int = N_BINS) -> Calibration:
    """How far probabilities are frequencies."""
    groups = _groups(probabilities, n_bins)
    predicted = np.array([probabilities[g].mean() for g in groups])
    observed = np.array([labels[g].mean() for g in groups])
    n = np.array([len(g) for g in groups])
    error = float(np.sum(n * np.abs(predicted - observed)) / n.sum())
    return Calibration(predicted, observed, n, error)


class BinnedError:
    """The expected calibration error with the windows weighed, in the bins of :func:`calibration`.

    Parameters
    ----------
    labels, probabilities : numpy.ndarray
        Shape ``(window,)``.
    """

    def __init__(self, labels: Integers, probabilities: Floats) -> None:
        self._bins = np.empty(len(probabilities), dtype=np.int64)
        for i, group in enumerate(_groups(probabilities, N_BINS)):
            self._bins[group] = i
        self._probabilities = probabilities
        self._gap = probabilities - labels

    def error(self, weights: Floats) -> float:
        """With each window counted `weights` times, ``(window,)``."""
        gaps = np.bincount(self._bins, weights * self._gap, N_BINS)
        return float(np.abs(gaps).sum() / weights.sum())

    def relabelled(self, labels: Integers | NDArray[np.bool_]) -> float:
        """Of the same probabilities and bins with other labels, ``(window,)``."""
        gaps = np.bincount(self._bins, self._probabilities - labels, N_BINS)
        return float(np.abs(gaps).sum() / len(labels))


def calibration_error(
    labels: Integers,
    probabilities: Floats,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """The expected calibration error with its 95 % interval over resampled windows.

    The error of a resample is larger than that of the windows themselves, since it is an absolute
    difference: the interval leans upwards.
    """
    binned = BinnedError(labels, probabilities)
    draws = [binned.error(w) for w in resamples(labels, rng, n_resamples)]
    return estimate(binned.error(np.ones(len(labels))), np.array(draws))


def calibration_floor(
    probabilities: Floats, rng: np.random.Generator, n_draws: int = N_FLOOR
) -> Estimate:
    """The calibration error that these probabilities would have if they were exactly right.

    The error is an absolute difference of means over finite bins, so that it is above zero for a
    perfect model, too, and the more the fewer the windows are. Labels are drawn anew from the
    probabilities (consistency resampling: Bröcker & Smith 2007, Weather and Forecasting 22:651).

    Parameters
    ----------
    probabilities : numpy.ndarray
        Shape ``(window,)``, in 0-1.
    rng : numpy.random.Generator
    n_draws : int
        How often labels are drawn.

    Returns
    -------
    Estimate
        The mean, and the 2.5 and 97.5 percentiles. A model whose error lies below the upper one
        cannot be told from a perfectly calibrated one on so many windows.
    """
    binned = BinnedError(np.zeros(len(probabilities), dtype=np.int8), probabilities)
    draws = np.array(
        [binned.relabelled(rng.random(len(probabilities)) < probabilities) for _ in range(n_draws)]
    )
    return estimate(float(draws.mean()), draws)


def classification_metrics(truth: Integers, called: Integers, n_classes: int) -> dict[str, float]:
    """Accuracy and macro-averaged F1 of classes.

    Parameters
    ----------
    truth, called : numpy.ndarray
        Shape ``(window,)``, class numbers.
    n_classes : int

    Returns
    -------
    dict
        ``accuracy`` and ``macro_f1``, those of scikit-learn; a class that is neither there nor
        called counts 0.
    """
    table = np.bincount(truth * n_classes + called, minlength=n_classes**2)
    return _of_confusion(table.reshape(n_classes, n_classes).astype(np.float64))


def _of_confusion(table: Floats) -> dict[str, float]:
    hits = np.diag(table)
    sums = table.sum(0) + table.sum(1)
    f1 = np.divide(2 * hits, sums, out=np.zeros_like(hits), where=sums > 0)
    return {"accuracy": float(hits.sum() / table.sum()), "macro_f1": float(f1.mean())}


def correlations(values: Floats, predicted: Floats) -> dict[str, float]:
    """How well numbers are predicted.

    Returns
    -------
    dict
        ``pearson`` and ``spearman``; ``r2``, the share of the variance that is explained; and
        ``rmse``, in the unit of the values. Correlations with a constant are 0.
    """
    from scipy.stats import rankdata

    error = predicted - values
    spread = float(np.var(values))
    return {
        "pearson": _correlation(values, predicted),
        "spearman": _correlation(rankdata(values), rankdata(predicted)),
        "r2": 1 - float(np.mean(error**2)) / spread if spread else 0.0,
        "rmse": float(np.sqrt(np.mean(error**2))),
    }


def _correlation(a: Floats, b: Floats) -> float:
    scale = float(np.std(a) * np.std(b))
    return float(np.mean((a - a.mean()) * (b - b.mean()))) / scale if scale else 0.0


def evaluate_classes(
    truth: Integers,
    called: Integers,
    n_classes: int,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Estimate]:
    """:func:`classification_metrics` with 95 % intervals over resampled windows."""
    n, cell = len(truth), truth * n_classes + called
    draws: list[dict[str, float]] = []
    for _ in range(n_resamples):
        table = np.bincount(cell[rng.integers(0, n, n)], minlength=n_classes**2)
        draws.append(_of_confusion(table.reshape(n_classes, n_classes).astype(np.float64)))
    point = classification_metrics(truth, called, n_classes)
    return {name: estimate(v, np.array([d[name] for d in draws])) for name, v in point.items()}


def evaluate_numbers(
    values: Floats,
    predicted: Floats,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Estimate]:
    """:func:`correlations` with 95 % intervals over resampled windows."""
    n = len(values)
    draws = []
    for _ in range(n_resamples):
        chosen = rng.integers(0, n, n)
        draws.append(correlations(values[chosen], predicted[chosen]))
    point = correlations(values, predicted)
    return {name: estimate(v, np.array([d[name] for d in draws])) for name, v in point.items()}
