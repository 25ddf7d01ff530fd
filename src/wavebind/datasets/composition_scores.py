"""What composition alone would score where windows have classes or numbers.

The counterpart, for those tasks, of the shortcuts of :mod:`wavebind.datasets.audit`. It is fitted
to the training windows' dinucleotide frequencies and measured on the windows that the model is
measured on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wavebind.datasets.dataset import Dataset
from wavebind.genome.composition import dinucleotide_frequencies
from wavebind.metrics.binary import Estimate
from wavebind.metrics.tasks import evaluate_classes, evaluate_numbers

__all__ = ["composition_classes", "composition_numbers"]

#: Training windows that are looked at, at most.
_N_FITTED = 20_000


def _features(data: Dataset, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    return dinucleotide_frequencies(np.asarray(data.codes[indices]))


def _training(data: Dataset, rng: np.random.Generator) -> NDArray[np.int64]:
    train = data.indices("train")
    if len(train) > _N_FITTED:
        train = np.sort(rng.choice(train, _N_FITTED, replace=False))
    return train


def composition_numbers(data: Dataset, part: str, rng: np.random.Generator) -> dict[str, Estimate]:
    """Ridge regression of the values on dinucleotide frequencies.

    Parameters
    ----------
    data : Dataset
        Of numbers.
    part : str
        What it is measured on.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        As :func:`wavebind.metrics.tasks.evaluate_numbers`.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values = data.values
    assert values is not None  # noqa: S101 - of numbers
    train, indices = _training(data, rng), data.indices(part)
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 4, 15)))
    model.fit(_features(data, train), values[train])
    predicted = np.asarray(model.predict(_features(data, indices)), dtype=np.float64)
    return evaluate_numbers(values[indices], predicted, rng)


def composition_classes(data: Dataset, part: str, rng: np.random.Generator) -> dict[str, Estimate]:
    """Logistic regression of the class on dinucleotide frequencies, classes weighed alike.

    Returns
    -------
    dict
        As :func:`wavebind.metrics.tasks.evaluate_classes`.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classes = data.targets.argmax(axis=1)
    train, indices = _training(data, rng), data.indices(part)
    model = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
    model.fit(_features(data, train), classes[train])
    called = np.asarray(model.predict(_features(data, indices)))
    return evaluate_classes(classes[indices], called, len(data.outputs), rng)
