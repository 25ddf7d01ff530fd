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

from math import comb

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.genome.sequences import Codes

__all__ = ["GkmKernel", "estimated_weights", "transform"]

Floats = NDArray[np.float64]

_CHUNK = 64
#: Transforms are products with Hadamard matrices of this many bits at most.
_BITS = 6
_MAX_L = 12


def estimated_weights(l: int = 11, k: int = 7, d: int = 3) -> Floats:  # noqa: E741
    """Weight of a pair of l-mers by its mismatches: LS-GKM's default kernel.

    Parameters
    ----------
    l : int
        Length of an l-mer.
    k : int
        Informative positions.
    d : int
        Largest number of mismatches with a weight.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(l + 1,)``: the estimated counts of l-mers with a truncated filter
        (Ghandi et al. 2014, equations 4, 14 and 15; ``-t 2`` of LS-GKM), applied on both sides.
    """
    if not 1 <= k <= l <= _MAX_L or not 0 <= d <= l:
        raise InputError(
            f"a gapped k-mer kernel has 1 <= k <= l <= {_MAX_L} and 0 <= d <= l; found l {l}, k "
            f"{k}, d {d}"
        )
    # Estimate of an l-mer's count from the counts of gapped k-mers, by mismatches (equation 14):
    # products of the inverse of the incidence of gapped k-mers and l-mers.
    filtered = np.array([_count_weight(l, k, m) for m in range(l + 1)])
    negative = np.flatnonzero(filtered < 1e-50)
    if negative.size:
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
    """

    def __init__(self, l: int = 11, k: int = 7, d: int = 3) -> None:  # noqa: E741
        self.l = l
        self.weights = estimated_weights(l, k, d)
        self._spectrum = self._eigenvalues()

    def _eigenvalues(self) -> Floats:
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

    def norms(self, words: NDArray[np.int32]) -> Floats:
        """Square roots of the kernel of each window with itself, shape ``(window,)``."""
        found = np.empty(len(words))
        for at in range(0, len(words), _CHUNK):
            part = words[at : at + _CHUNK]
            other = np.concatenate([part, self.reverse_complements(part)], axis=1)
            differ = part[:, :, None] ^ other[:, None, :]
            differ = (differ | (differ >> 1)) & 0x55555555
            differ = (differ & 0x33333333) + ((differ >> 2) & 0x33333333)
            differ = (differ + (differ >> 4)) & 0x0F0F0F0F
            differ = (differ + (differ >> 8) + (differ >> 16)) & 0x1F
            found[at : at + _CHUNK] = self.weights[differ].sum(axis=(1, 2))
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
        weights = np.repeat(coefficients[used], words.shape[1])
        size = 4**self.l
        counts: Floats = np.bincount(words[used].ravel(), weights, size).astype(np.float64)
        other = self.reverse_complements(words[used]).ravel()
        counts = counts + np.bincount(other, weights, size)
        return transform(transform(counts) * self._spectrum)

    def sums(self, words: NDArray[np.int32], table: Floats) -> Floats:
        """The sum of kernels for each window, before it is divided by the window's norm."""
        totals: Floats = table[words].sum(axis=1)
        return totals
