"""Metrics of several classes and of numbers."""

from __future__ import annotations

import numpy as np

from wavebind.metrics.binary import N_RESAMPLES, Estimate, Floats, Integers, estimate

__all__ = ["classification_metrics", "correlations", "evaluate_classes", "evaluate_numbers"]


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
