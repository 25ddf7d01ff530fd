"""The gapped k-mer kernel applied to all windows at once, exactly, without a matrix of pairs.

The kernel of two windows is a sum over pairs of their l-mers. The weight of a pair depends on the
number of mismatches alone (Ghandi et al. 2014, PLoS Comput. Biol. 10:e1003711). On the table of
all ``4 ** l`` l-mers such a weight is a convolution over the group ``(Z/2)^(2 l)``. A
Walsh-Hadamard transform makes it a product. Its factors depend on how many bases of the frequency
are not zero. Training and prediction need a weighted sum of kernels with every window of a set. It
takes two transforms of the table and a look-up for each l-mer, however many windows there are.
That is a fraction of a second in place of one evaluation a pair.
"""

from __future__ import annotations

from functools import cached_property
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.genome.sequences import Codes

__all__ = [
    "FILTERS",
    "Filter",
    "GkmKernel",
    "centre_weights",
    "count_weights",
    "estimated_weights",
    "transform",
]

Floats = NDArray[np.float64]

_CHUNK = 64
#: Transforms are products with Hadamard matrices of this many bits at most.
_BITS = 6
MAX_L = 12

#: How a pair of l-mers is weighed; see :func:`estimated_weights` and :func:`count_weights`.
Filter = Literal["truncated", "full", "counts"]
FILTERS: tuple[Filter, ...] = ("truncated", "full", "counts")


def _check(l: int, k: int, d: int) -> None:  # noqa: E741
    if not 1 <= k <= l <= MAX_L or not 0 <= d <= l:
        raise InputError(
            f"a gapped k-mer kernel has 1 <= k <= l <= {MAX_L} and 0 <= d <= l; found l {l}, k "
            f"{k}, d {d}"
        )


def count_weights(l: int, k: int, d: int) -> Floats:  # noqa: E741
    """Weight of a pair of l-mers by its mismatches: gapped k-mers that both have.

    Parameters
    ----------
    l, k, d : int
        As for :func:`estimated_weights`.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(l + 1,)``: the choices of `k` among the positions that agree (Ghandi
        et al. 2014, equation 3; ``-t 0`` of LS-GKM).
    """
    _check(l, k, d)
    weights = np.array([float(comb(l - m, k)) for m in range(l + 1)])
    weights[d + 1 :] = 0.0
    return weights


def centre_weights(n: int, most: int, half_life: float) -> Floats:
    """Weights of the l-mers of a window, largest in its middle, as LS-GKM's wgkm kernels have.

    Parameters
    ----------
    n : int
        L-mers of the window.
    most : int
        Of the l-mer in the middle (option -M).
    half_life : float
        Distance from the middle at which the weight has halved, in base pairs (option -H).

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(lmer,)``: ``floor(M exp(-ln(2) D / H) + 1)``, at most M.
    """
    distance = np.abs(n // 2 - np.arange(n))
    decayed = np.floor(most * np.exp(-np.log(2) * distance / half_life) + 1)
    weights: Floats = np.minimum(decayed, most)
    return weights


def estimated_weights(
    l: int = 11,  # noqa: E741
    k: int = 7,
    d: int = 3,
    *,
    truncated: bool = True,
) -> Floats:
    """Weight of a pair of l-mers by its mismatches: LS-GKM's default kernel.

    Parameters
    ----------
    l : int
        Length of an l-mer.
    k : int
        Informative positions.
    d : int
        Largest number of mismatches with a weight.
    truncated : bool
        Whether the filter ends where it first becomes negative (``-t 2`` of LS-GKM, otherwise
        ``-t 1``).

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(l + 1,)``: the estimated counts of l-mers with that filter (Ghandi et
        al. 2014, equations 4, 14 and 15), applied on both sides.
    """
    _check(l, k, d)
    # Estimate of an l-mer's count from the counts of gapped k-mers, by mismatches (equation 14):
    # products of the inverse of the incidence of gapped k-mers and l-mers.
    filtered = np.array([_count_weight(l, k, m) for m in range(l + 1)])
    negative = np.flatnonzero(filtered < 1e-50)
    if negative.size and truncated:
        filtered[negative[0] :] = 0.0
    weights = np.array([_joint(filtered, l, m) for m in range(l + 1)])
    weights[d + 1 :] = 0.0
    return weights


def _count_weight(l: int, k: int, m: int) -> float:  # noqa: E741
    """Weight of an l-mer with `m` mismatches in the estimate of another one's count.

    The gapped k-mers of the one that agree with the other at ``k - t`` informative positions enter
    with ``w_t``. Here ``w_t = (-1)^t C(l, k)^-1 4^-l * sum_n C(l, n) 3^n`` with the sum and the
    signs of equation 10.
    """
    total = 0.0
    for t in range(min(m, k) + 1):
        if l - m >= k - t:
            total += _gapped_weight(l, k, t) * comb(l - m, k - t) * comb(m, t)
    return total


def _gapped_weight(l: int, k: int, t: int) -> float:  # noqa: E741
    """Weight of a gapped k-mer with `t` mismatches in the least-squares estimate of a count."""
    # The estimate of least norm: frequencies that involve n positions are seen through
    # C(l - n, k - n) of the C(l, k) choices of positions.
    total = 0.0
    for n in range(k + 1):
        # Sum over the frequencies of n positions, all of them informative, of the character.
        within = sum((-1) ** j * 3 ** (n - j) * comb(t, j) * comb(k - t, n - j)
                     for j in range(max(0, n - (k - t)), min(t, n) + 1))  # fmt: skip
        total += within / comb(l - n, k - n)
    return total / 4.0**l


def _joint(filtered: Floats, l: int, m: int) -> float:  # noqa: E741
    """Sum over all l-mers of the product of their weights with two that differ in `m` places."""
    total = 0.0
    for same in range(l - m + 1):
        # Of the positions where the two agree, `same` are changed: 3 ways each.
        for first in range(m + 1):
            for second in range(m - first + 1):
                # Where they differ: `first` like the first, `second` like the second, the rest
                # like neither, 2 ways each.
                neither = m - first - second
                a, b = same + second + neither, same + first + neither
                if filtered[a] and filtered[b]:
                    ways = comb(l - m, same) * 3**same * comb(m, first)
                    ways *= comb(m - first, second) * 2**neither
                    total += ways * filtered[a] * filtered[b]
    return total


def transform(table: Floats) -> Floats:
    """The Walsh-Hadamard transform of a table of ``2 ** n`` numbers, not normalised."""
    bits = int(table.size).bit_length() - 1
    shape: list[int] = []
    while sum(shape) < bits:
        shape.append(min(_BITS, bits - sum(shape)))
    x = table.reshape([1 << b for b in shape])
    for axis, b in enumerate(shape):
        hadamard = np.ones((1, 1))
        for _ in range(b):
            hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
        x = np.moveaxis(np.tensordot(hadamard, x, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(x).reshape(-1)


class GkmKernel:
    """The kernel with the windows of a set, both strands, normalised.

    Parameters
    ----------
    l, k, d : int
        See :func:`estimated_weights`.
    weighing : {"truncated", "full", "counts"}
        Estimated counts of l-mers with either filter, or counts of gapped k-mers.
    both_strands : bool
        Whether the reverse complement of every l-mer counts, too.
    """

    def __init__(
        self,
        l: int = 11,  # noqa: E741
        k: int = 7,
        d: int = 3,
        *,
        weighing: Filter = "truncated",
        both_strands: bool = True,
    ) -> None:
        self.l, self.both_strands = l, both_strands
        if weighing == "counts":
            self.weights = count_weights(l, k, d)
        else:
            self.weights = estimated_weights(l, k, d, truncated=weighing == "truncated")

    @cached_property
    def _spectrum(self) -> Floats:
        """The weight's transform, for each frequency of the table, divided by its size."""
        by_weight = np.array(
            [
                sum(
                    self.weights[m]
                    * sum(
                        (-1) ** j * 3 ** (m - j) * comb(w, j) * comb(self.l - w, m - j)
                        for j in range(min(w, m) + 1)
                    )
                    for m in range(self.l + 1)
                )
                for w in range(self.l + 1)
            ]
        )
        index = np.arange(4**self.l, dtype=np.int64)
        involved = np.zeros(index.shape, dtype=np.int8)
        for i in range(self.l):
            involved += ((index >> (2 * i)) & 3) > 0
        values: Floats = by_weight[involved] / 4.0**self.l
        return values

    def lmers(self, codes: Codes) -> NDArray[np.int32]:
        """The l-mers of windows as places in the table.

        Parameters
        ----------
        codes : numpy.ndarray
            ``uint8``, shape ``(window, position)``; an unknown base is taken for A, as LS-GKM does.

        Returns
        -------
        numpy.ndarray
            ``int32``, shape ``(window, position - l + 1)``.
        """
        if codes.shape[1] < self.l:
            raise InputError(
                f"windows of {codes.shape[1]} bp are shorter than l-mers of {self.l} bp"
            )
        known = np.where(codes < 4, codes, 0).astype(np.int32)
        n = codes.shape[1] - self.l + 1
        words = np.zeros((len(codes), n), dtype=np.int32)
        for i in range(self.l):
            words = 4 * words + known[:, i : i + n]
        return words

    def reverse_complements(self, words: NDArray[np.int32]) -> NDArray[np.int32]:
        """The same l-mers read on the other strand."""
        turned = np.zeros_like(words)
        rest = words.copy()
        for _ in range(self.l):
            turned = 4 * turned + (3 - (rest & 3))
            rest >>= 2
        return turned

    def norms(self, words: NDArray[np.int32], places: Floats | None = None) -> Floats:
        """Square roots of the kernel of each window with itself, shape ``(window,)``.

        Parameters
        ----------
        words : numpy.ndarray
            ``int32``, shape ``(window, lmer)``.
        places : numpy.ndarray, optional
            ``float64``, shape ``(lmer,)``: what an l-mer counts by its place; 1 by default.
        """
        found = np.empty(len(words))
        pairs = None
        if places is not None:
            pairs = places[:, None] * np.concatenate([places] * (1 + self.both_strands))
        for at in range(0, len(words), _CHUNK):
            part = words[at : at + _CHUNK]
            other = part
            if self.both_strands:
                other = np.concatenate([part, self.reverse_complements(part)], axis=1)
            differ = part[:, :, None] ^ other[:, None, :]
            differ = (differ | (differ >> 1)) & 0x55555555
            differ = (differ & 0x33333333) + ((differ >> 2) & 0x33333333)
            differ = (differ + (differ >> 4)) & 0x0F0F0F0F
            differ = (differ + (differ >> 8) + (differ >> 16)) & 0x1F
            weights = self.weights[differ]
            found[at : at + _CHUNK] = (weights if pairs is None else weights * pairs).sum((1, 2))
        # A window of one repeated l-mer still has itself.
        return np.sqrt(np.maximum(found, np.finfo(np.float64).tiny))

    def table(self, words: NDArray[np.int32], coefficients: Floats) -> Floats:
        """What each l-mer adds to a sum of kernels with windows.

        Parameters
        ----------
        words : numpy.ndarray
            ``int32``, shape ``(window, lmer)``.
        coefficients : numpy.ndarray
            ``float64``, shape ``(window,)``, of the windows' kernels, divided by their norms.

        Returns
        -------
        numpy.ndarray
            ``float64``, shape ``(4 ** l,)``.
        """
        used = np.flatnonzero(coefficients)
        return self.smoothed(
            self.counts(words[used].ravel(), np.repeat(coefficients[used], words.shape[1]))
        )

    def counts(self, words: NDArray[np.int32], weights: Floats) -> Floats:
        """How much of each l-mer there is, on the strands that count.

        Parameters
        ----------
        words : numpy.ndarray
            ``int32``, shape ``(lmer,)``.
        weights : numpy.ndarray
            ``float64``, the same shape.

        Returns
        -------
        numpy.ndarray
            ``float64``, shape ``(4 ** l,)``.
        """
        size = 4**self.l
        counts: Floats = np.bincount(words, weights, size).astype(np.float64)
        if self.both_strands:
            counts = counts + np.bincount(self.reverse_complements(words), weights, size)
        return counts

    def smoothed(self, counts: Floats) -> Floats:
        """Counts of l-mers to what each l-mer shares with them, both ``float64``, ``(4 ** l,)``."""
        return transform(transform(counts) * self._spectrum)

    def sums(self, words: NDArray[np.int32], table: Floats) -> Floats:
        """The sum of kernels for each window, before it is divided by the window's norm."""
        totals: Floats = table[words].sum(axis=1)
        return totals
