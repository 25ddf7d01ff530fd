"""Models by their mean rank over datasets, with Nemenyi's critical difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wavebind.metrics.binary import Floats

__all__ = ["LEVEL", "Ranking", "critical_difference", "rank_models"]

#: The level of the critical difference and of the intervals.
LEVEL = 0.05


@dataclass(frozen=True)
class Ranking:
    """Models by their mean rank over datasets.

    Attributes
    ----------
    models : list of str
        The best first.
    ranks : numpy.ndarray
        Mean rank of each, 1 for the best.
    critical_difference : float
        Two models whose ranks differ by less are not told apart at the 5 % level. NaN with fewer
        than two datasets or models.
    p_value : float
        Of Friedman's test that all models are alike; NaN where it cannot be made.
    n_datasets : int
    """

    models: list[str]
    ranks: Floats
    critical_difference: float
    p_value: float
    n_datasets: int


def rank_models(scores: Mapping[str, Mapping[str, float]]) -> Ranking:
    """Mean ranks over datasets, with the critical difference of Nemenyi's test.

    Demsar 2006, J. Mach. Learn. Res. 7:1. Equal scores share the mean of their ranks.

    Parameters
    ----------
    scores : mapping
        By dataset, then by model; higher is better.
    """
    from scipy.stats import friedmanchisquare, rankdata

    datasets = list(scores)
    models = list(next(iter(scores.values())))
    table = np.array([[scores[d][m] for m in models] for d in datasets])
    ranks = np.stack([rankdata(-row) for row in table])
    mean = ranks.mean(axis=0)
    order = np.argsort(mean, kind="stable")
    p_value = float("nan")
    if len(models) > 2 and len(datasets) > 1:
        p_value = float(friedmanchisquare(*table.T).pvalue)
    return Ranking(
        [models[i] for i in order],
        mean[order],
        critical_difference(len(models), len(datasets)),
        p_value,
        len(datasets),
    )


def critical_difference(n_models: int, n_datasets: int) -> float:
    """The difference of mean ranks from which two models are told apart at the 5 % level.

    Nemenyi's test, equation 5 of Demsar 2006; NaN with fewer than two of either.
    """
    from scipy.stats import studentized_range

    if n_models < 2 or n_datasets < 2:
        return float("nan")
    q = float(studentized_range.ppf(1 - LEVEL, n_models, np.inf)) / 2**0.5
    return float(q * (n_models * (n_models + 1) / (6 * n_datasets)) ** 0.5)
