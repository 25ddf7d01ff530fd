"""Logistic regression on the best hits of all matrices of JASPAR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.events import OnEvent, ignore
from wavebind.datasets.dataset import Dataset
from wavebind.evaluate.baselines.baseline import Baseline, Fitted
from wavebind.evaluate.baselines.regression import chosen_regression
from wavebind.genome.sequences import Codes
from wavebind.motifs.jaspar import all_motifs
from wavebind.motifs.pwms import Motif, best_hits

__all__ = ["AllMatrices"]

#: Hits of a thousand matrices are slow to find, and more windows hardly change the weights.
_MAX_WINDOWS = 12_000
#: Inverse strengths of the penalty on weights.
_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)


class AllMatrices(Baseline):
    """Logistic regression on the best hit of every matrix, the penalty chosen on valid."""

    _motifs: list[Motif]

    def fit(self, data: Dataset, folder: Path, seed: int, on_event: OnEvent = ignore) -> Fitted:
        """Fit at each penalty; keep the best on valid."""
        from sklearn.preprocessing import StandardScaler

        del folder, seed, on_event
        train, valid = data.indices("train"), data.indices("valid")
        if len(train) > _MAX_WINDOWS:
            chosen = np.random.default_rng(0).choice(train, _MAX_WINDOWS, replace=False)
            train = np.sort(chosen)
        self._motifs = [motif for motif in all_motifs() if motif.width <= data.length]
        hits = best_hits(np.asarray(data.codes[train]), self._motifs).score
        self._scale = StandardScaler().fit(hits)
        x, y = self._scale.transform(hits), data.labels[train]
        held = best_hits(np.asarray(data.codes[valid]), self._motifs).score
        held = self._scale.transform(held)
        self._model, kept = chosen_regression(x, y, held, data.labels[valid], _STRENGTHS)
        return Fitted(
            len(self._motifs) + 1,
            len(train),
            f"best hits of {len(self._motifs):,} matrices of JASPAR, C {kept:g}",
            {"C": kept},
        )

    def predict(self, codes: Codes) -> NDArray[np.float64]:
        """Log-odds."""
        x = self._scale.transform(best_hits(codes, self._motifs).score)
        scores: NDArray[np.float64] = np.asarray(self._model.decision_function(x), dtype=np.float64)
        return scores
