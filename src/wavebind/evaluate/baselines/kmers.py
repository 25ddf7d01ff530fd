"""Logistic regression on the counts of short words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.events import OnEvent, ignore
from wavebind.datasets.dataset import Dataset
from wavebind.evaluate.baselines.baseline import Baseline, Fitted
from wavebind.evaluate.baselines.regression import chosen_regression
from wavebind.genome.kmers import canonical_kmers
from wavebind.genome.sequences import Codes

__all__ = ["KmerRegression", "kmer_counts"]

_MAX_WINDOWS = 60_000
#: Inverse strengths of the penalty on weights.
_STRENGTHS = (0.01, 0.1, 1.0, 10.0)


def kmer_counts(codes: Codes, k: int) -> Any:
    """How often each word occurs in each window, a word and its reverse complement together.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``; a word with an unknown base is passed over.
    k : int

    Returns
    -------
    scipy.sparse.csr_array
        ``float32``, shape ``(window, 4 ** k)``. A word is a number with A C G T = 0 1 2 3 as
        digits of base 4. The smaller of it and its reverse complement stands for both. The columns
        of the others are empty.
    """
    from scipy.sparse import csr_array

    words, known = canonical_kmers(codes, k)
    rows = np.broadcast_to(np.arange(len(codes))[:, None], words.shape)[known]
    ones = np.ones(len(rows), dtype=np.float32)
    counts = csr_array((ones, (rows, words[known])), shape=(len(codes), 4**k))
    counts.sum_duplicates()
    return counts


class KmerRegression(Baseline):
    """Logistic regression on words of 1 to `k` bases, the penalty chosen on valid.

    Parameters
    ----------
    k : int
    """

    def __init__(self, k: int = 6) -> None:
        if not 1 <= k <= 10:
            raise InputError(f"k of the k-mer regression must be from 1 to 10; found {k}")
        self.k = k

    def _features(self, codes: Codes) -> Any:
        from scipy.sparse import hstack

        return hstack([kmer_counts(codes, k) for k in range(1, self.k + 1)], format="csr")

    def fit(self, data: Dataset, folder: Path, seed: int, on_event: OnEvent = ignore) -> Fitted:
        """Fit at each penalty; keep the best on valid."""
        from sklearn.preprocessing import MaxAbsScaler

        del folder, on_event
        train, valid = data.indices("train"), data.indices("valid")
        if len(train) > _MAX_WINDOWS:
            chosen = np.random.default_rng(0).choice(train, _MAX_WINDOWS, replace=False)
            train = np.sort(chosen)
        features = self._features(np.asarray(data.codes[train]))
        # A word that no training window holds has no weight.
        self._seen = np.flatnonzero(np.diff(features.tocsc().indptr))
        self._scale = MaxAbsScaler().fit(features[:, self._seen])
        x = self._scale.transform(features[:, self._seen])
        y = data.labels[train]
        held = self._scale.transform(self._features(np.asarray(data.codes[valid]))[:, self._seen])
        self._model, kept = chosen_regression(x, y, held, data.labels[valid], _STRENGTHS)
        del seed
        return Fitted(
            len(self._seen) + 1,
            len(train),
            f"words of 1 to {self.k} bases, C {kept:g}",
            {"C": kept},
        )

    def predict(self, codes: Codes) -> NDArray[np.float64]:
        """Log-odds."""
        x = self._scale.transform(self._features(codes)[:, self._seen])
        scores: NDArray[np.float64] = np.asarray(self._model.decision_function(x), dtype=np.float64)
        return scores
