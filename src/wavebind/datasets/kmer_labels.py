"""Labels that the count of one short word explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.datasets.dataset import Dataset
from wavebind.genome.kmers import canonical_kmers
from wavebind.genome.sequences import to_letters
from wavebind.metrics.binary import Estimate, auroc_with_interval

__all__ = ["KmerLabel", "kmer_labels", "kmer_words"]

#: Words of so many bases at most.
_MAX_K = 4
_CHUNK = 16_384
_N_RESAMPLES = 500
#: From this AUROC on one word is worth a warning.
_NOTABLE = 0.65


@dataclass(frozen=True)
class KmerLabel:
    """The word of a length whose count tells the classes apart best.

    Attributes
    ----------
    kmer : str
        The word, or its reverse complement: both count. Chosen on train.
    more_in_bound : bool
    value, low, high : float
        AUROC of its count and the 95 % interval.
    n_windows : int
    """

    kmer: str
    more_in_bound: bool
    value: float
    low: float
    high: float
    n_windows: int


def _counts(data: Dataset, indices: NDArray[np.int64], k: int) -> NDArray[np.int32]:
    """Counts of all canonical words, shape ``(window, 4 ** k)``."""
    pieces = []
    for at in range(0, len(indices), _CHUNK):
        words, known = canonical_kmers(np.asarray(data.codes[indices[at : at + _CHUNK]]), k)
        n = len(words)
        cell = np.arange(n)[:, None] * 4**k + words
        counts = np.bincount(cell[known], minlength=n * 4**k)
        pieces.append(counts.reshape(n, 4**k).astype(np.int32))
    return np.concatenate(pieces)


def _column_aurocs(counts: NDArray[np.int32], labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """AUROC of each column alone, from the distributions of its few different values."""
    found = np.full(counts.shape[1], 0.5)
    bound, n_values = labels == 1, int(counts.max()) + 1
    for j in range(counts.shape[1]):
        p = np.bincount(counts[bound, j], minlength=n_values) / bound.sum()
        q = np.bincount(counts[~bound, j], minlength=n_values) / (~bound).sum()
        below = np.cumsum(q) - q
        found[j] = float(p @ (below + q / 2))
    return found


def kmer_labels(
    data: Dataset,
    fit: NDArray[np.int64],
    indices: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[KmerLabel, ...]:
    """Of each length from 1 to 4 the word that tells the classes apart best.

    Parameters
    ----------
    data : Dataset
    fit : numpy.ndarray
        The training windows that the word and its direction are chosen on.
    indices : numpy.ndarray
        The windows that it is measured on.
    rng : numpy.random.Generator
        For the intervals.

    Returns
    -------
    tuple of KmerLabel
        Of 1, 2, 3 and 4 bases; none where a class is missing.
    """
    labels = data.labels[fit], data.labels[indices]
    if any(len(np.unique(found)) < 2 for found in labels):
        return ()
    found = []
    for k in range(1, min(_MAX_K, data.length) + 1):
        aurocs = _column_aurocs(_counts(data, fit, k), labels[0])
        best = int(np.abs(aurocs - 0.5).argmax())
        sign = 1.0 if aurocs[best] >= 0.5 else -1.0
        scores: NDArray[np.float64] = sign * _counts(data, indices, k)[:, best].astype(np.float64)
        e: Estimate = auroc_with_interval(labels[1], scores, rng, _N_RESAMPLES)
        word = to_letters(np.array([(best >> (2 * (k - 1 - i))) & 3 for i in range(k)], np.uint8))
        found.append(KmerLabel(word, sign > 0, e.value, e.low, e.high, len(indices)))
    return tuple(found)


def kmer_words(found: tuple[KmerLabel, ...]) -> str | None:
    """A sentence on the best of them; None where none is notable."""
    best = max(found, key=lambda one: one.value, default=None)
    if best is None or best.value < _NOTABLE or best.low <= 0.5:
        return None
    return (
        f"The count of one word, {best.kmer} or its reverse complement, reaches an AUROC of "
        f"{best.value:.3f} ({best.low:.3f}-{best.high:.3f}); there is "
        f"{'more' if best.more_in_bound else 'less'} of it in bound windows. Where it is no part "
        f"of the motif, take a background matched in composition (--background gc or shuffle)."
    )
