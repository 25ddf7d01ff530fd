"""Logistic regression whose penalty valid chooses, for baselines on features of windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.metrics.binary import ranking_metrics

__all__ = ["chosen_regression"]


def chosen_regression(
    features: Any,
    labels: NDArray[np.integer],
    held: Any,
    held_labels: NDArray[np.integer],
    strengths: Sequence[float],
) -> tuple[Any, float]:
    """Fit at each penalty; keep the one with the highest AUROC on held-out windows.

    Parameters
    ----------
    features, held : array or sparse array
        Shape ``(window, feature)``, of training and of held-out windows.
    labels, held_labels : numpy.ndarray
        Shape ``(window,)``, 0 or 1. Both classes weigh alike.
    strengths : sequence of float
        Inverse strengths of the penalty on weights.

    Returns
    -------
    tuple of LogisticRegression and float
        The fitted regression and its inverse strength; of equal ones the first.
    """
    from sklearn.linear_model import LogisticRegression

    found = []
    for strength in strengths:
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=500, tol=1e-3)
        model.fit(features, labels)
        found.append((ranking_metrics(held_labels, model.decision_function(held))[0], model))
    best = int(np.argmax([auroc for auroc, _ in found]))
    return found[best][1], strengths[best]
