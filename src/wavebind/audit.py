"""What a trivial model could cheat with.

Each shortcut is a score that sees only the composition of a window. Its direction, or its weights,
come from the training split; its AUROC is measured on the windows that the network is measured on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wavebind.dataset import Dataset
from wavebind.evaluation import Estimate, auroc_with_interval, ranking_metrics
from wavebind.sequences import UNKNOWN, Codes, gc_fraction

__all__ = ["best_shortcut", "cpg_fraction", "dinucleotide_frequencies", "shortcuts"]

#: More training windows than this do not change sixteen weights.
_MAX_FIT = 50_000
_N_RESAMPLES = 500


def dinucleotide_frequencies(codes: Codes) -> NDArray[np.float64]:
    """Frequencies of the sixteen dinucleotides, both strands counted together.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(window, 16)``, in the order AA, AC, ..., TT; pairs with an unknown
        base do not count, and a window without a pair is zero.
    """
    left, right = codes[:, :-1].astype(np.int64), codes[:, 1:].astype(np.int64)
    known = (left < UNKNOWN) & (right < UNKNOWN)
    pair = np.where(known, 4 * left + right, 16)
    rows = np.arange(len(codes))[:, None]
    counts = np.bincount((rows * 17 + pair).ravel(), minlength=17 * len(codes))
    table = counts.reshape(len(codes), 17)[:, :16].astype(np.float64)
    # The pair xy reads as the pair of the complements, exchanged, on the other strand.
    partner = [4 * (3 - y) + (3 - x) for x in range(4) for y in range(4)]
    table = (table + table[:, partner]) / 2
    frequencies: NDArray[np.float64] = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    return frequencies


def cpg_fraction(codes: Codes) -> NDArray[np.float64]:
    """Fraction of positions that begin a CpG, shape ``(window,)``."""
    cpg: NDArray[np.float64] = ((codes[:, :-1] == 1) & (codes[:, 1:] == 2)).mean(axis=1)
    return cpg


def shortcuts(
    data: Dataset, indices: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, Estimate]:
    """AUROC of each shortcut on some windows.

    Parameters
    ----------
    data : Dataset
    indices : numpy.ndarray
        The windows to score.
    rng : numpy.random.Generator
        For the bootstrap, and for a sample of the training windows where there are very many.

    Returns
    -------
    dict
        By name: ``gc``, ``cpg`` and ``dinucleotides`` (logistic regression on their frequencies).
        Window length is not among them: a dataset has one length.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fit = data.indices("train")
    if len(fit) > _MAX_FIT:
        fit = np.sort(rng.choice(fit, _MAX_FIT, replace=False))
    train, scored = data.codes[fit], data.codes[indices]
    train_labels, labels = data.labels[fit], data.labels[indices]
    found = {}
    for name, feature in (("gc", gc_fraction), ("cpg", cpg_fraction)):
        auroc, _ = ranking_metrics(train_labels, feature(train))
        sign = 1.0 if auroc >= 0.5 else -1.0
        found[name] = auroc_with_interval(labels, sign * feature(scored), rng, _N_RESAMPLES)
    model = make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=2000, class_weight="balanced")
    )
    model.fit(dinucleotide_frequencies(train), train_labels)
    scores = model.decision_function(dinucleotide_frequencies(scored))
    found["dinucleotides"] = auroc_with_interval(labels, scores, rng, _N_RESAMPLES)
    return found


def best_shortcut(found: dict[str, Estimate]) -> tuple[str, Estimate]:
    """The shortcut with the highest AUROC."""
    return max(found.items(), key=lambda item: item[1].value)
