"""Which known factors' sites bound windows look like, by the model of the package.

A factor counts as called in a window where its mean calibrated log-odds over its cells reach the
threshold. What is told is how much more often that is so in bound windows than in unbound ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from wavebind.datasets.dataset import Dataset
from wavebind.models import Classifier, ModelCard, load_model
from wavebind.models.prediction import predict_logits
from wavebind.models.shipped import package_folder
from wavebind.models.targets import outputs_of, target_card

__all__ = ["KnownFactor", "known_factors", "odds_ratio"]

#: Windows of each class that are looked at, at most.
_MOST = 3000
_OPEN = "open"


@dataclass(frozen=True)
class KnownFactor:
    """How often a factor is called in bound and in unbound windows.

    Attributes
    ----------
    factor : str
    bound, unbound : float
        Share of the windows in which it is called.
    odds_ratio, low, high : float
        Of the two, with its 95 % interval.
    """

    factor: str
    bound: float
    unbound: float
    odds_ratio: float
    low: float
    high: float


def odds_ratio(a: int, b: int, c: int, d: int) -> tuple[float, float, float]:
    """The odds ratio of a table of two rows, ``a, b`` and ``c, d``, with its 95 % interval.

    By its logarithm, whose standard error is the root of the sum of the inverse counts; a half is
    added to each (Haldane 1956, Ann. Hum. Genet. 20:309; Woolf 1955, Ann. Hum. Genet. 19:251).
    """
    counts = np.array([a, b, c, d]) + 0.5
    log = float(np.log(counts[0] * counts[3] / (counts[1] * counts[2])))
    error = 1.959964 * float(np.sqrt((1 / counts).sum()))
    return float(np.exp(log)), float(np.exp(log - error)), float(np.exp(log + error))


def known_factors(
    data: Dataset, indices: NDArray[np.int64], labels: NDArray[np.integer]
) -> list[KnownFactor]:
    """Every factor of the package's model, the most enriched in bound windows first.

    Parameters
    ----------
    data : Dataset
    indices : numpy.ndarray
        ``int64``, shape ``(window,)``: windows of the set.
    labels : numpy.ndarray
        Shape ``(window,)``: 1 bound, 0 unbound; others are passed over.

    Returns
    -------
    list of KnownFactor
        By the lower end of the interval; empty where the windows have another length than the
        model's, or one class is missing.
    """
    model, card = _package_model()
    if data.length != card.model.length:
        return []
    rng = np.random.default_rng(0)
    classes = [
        np.sort(rng.choice(mine, min(_MOST, len(mine)), replace=False))
        for mine in (indices[labels == 1], indices[labels == 0])
    ]
    if not all(map(len, classes)):
        return []
    called = [_called(model, card, data, rows) for rows in classes]
    found = []
    for factor in called[0]:
        yes = [int(one[factor].sum()) for one in called]
        no = [len(rows) - n for rows, n in zip(classes, yes, strict=True)]
        ratio, low, high = odds_ratio(yes[0], no[0], yes[1], no[1])
        shares = [n / len(rows) for rows, n in zip(classes, yes, strict=True)]
        found.append(KnownFactor(factor, shares[0], shares[1], ratio, low, high))
    return sorted(found, key=lambda one: -one.low)


@lru_cache(maxsize=1)
def _package_model() -> tuple[Classifier, ModelCard]:
    return load_model(package_folder("factors") / "model.safetensors")


def _called(
    model: Classifier, card: ModelCard, data: Dataset, rows: NDArray[np.int64]
) -> dict[str, NDArray[np.bool_]]:
    """Whether each factor is called in each window."""
    logits = predict_logits(model, data.codes, rows)
    odds = [line.slope * logits[:, j] + line.intercept for j, line in enumerate(card.calibration)]
    outputs = card.model.outputs
    factors = dict.fromkeys(name.split(":")[0] for name in outputs)
    found = {}
    for factor in factors:
        if factor == _OPEN:
            continue
        one = target_card(card, factor)
        mean = np.mean([odds[j] for j in outputs_of(outputs, factor)], axis=0)
        found[factor] = expit(mean) >= one.threshold
    return found
