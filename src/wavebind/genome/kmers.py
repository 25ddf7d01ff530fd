"""Words of a few bases in windows, the two strands together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wavebind.genome.composition import mixed
from wavebind.genome.sequences import UNKNOWN, Codes

__all__ = ["canonical_kmers", "hashed_kmers"]

#: An odd number for a multiplicative hash; any would do.
_ODD = np.uint64(0x9E3779B97F4A7C15)


def canonical_kmers(codes: Codes, k: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The word that begins at each position, as a number.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    k : int
        Bases a word, at most 31.

    Returns
    -------
    words : numpy.ndarray
        ``int64``, shape ``(window, position - k + 1)``: A C G T = 0 1 2 3 as digits of base 4, of
        the word or of its reverse complement, whichever is smaller.
    known : numpy.ndarray
        ``bool``, the same shape: whether every base of the word is known; the others mean nothing.
    """
    n = codes.shape[1] - k + 1
    forward = np.zeros((len(codes), n), dtype=np.int64)
    reverse = np.zeros_like(forward)
    known = np.ones(forward.shape, dtype=bool)
    for i in range(k):
        letters = codes[:, i : i + n].astype(np.int64)
        known &= letters < UNKNOWN
        forward = 4 * forward + letters
        reverse += (3 - letters) << (2 * i)
    return np.minimum(forward, reverse), known


def hashed_kmers(codes: Codes, k: int) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Hashes of all k-mers, the same for both strands, and which of them hold no N.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    k : int
        Bases of a k-mer, at most 64.

    Returns
    -------
    hashes, known : numpy.ndarray
        ``uint64`` and ``bool``, shape ``(window, position - k + 1)``.
    """
    forward, backward, bad = _words(codes, min(k, 32))
    if k > 32:
        # The first and the last 32 bases of a longer one overlap and are hashed together.
        n = codes.shape[1] - k + 1
        first, last = slice(n), slice(k - 32, k - 32 + n)
        forward, backward, bad = (
            mixed(forward[:, first]) * _ODD + forward[:, last],
            mixed(backward[:, last]) * _ODD + backward[:, first],
            bad[:, first] | bad[:, last],
        )
    return mixed(np.minimum(forward, backward)), ~bad


def _words(codes: Codes, k: int) -> _Kmers:
    """All k-mers as numbers, on either strand, and which of them hold an N."""
    # Two k-mers of k/2 make one of k, so five steps make a 24-mer.
    known = np.minimum(codes, 3).astype(np.uint64)
    built: dict[int, _Kmers] = {1: (known, 3 - known, codes >= UNKNOWN)}
    size = 1
    while 2 * size <= k:
        built[2 * size] = _joined(built[size], size, built[size], size)
        size *= 2
    total, whole = size, built[size]
    while total < k:
        size = max(s for s in built if s <= k - total)
        whole = _joined(whole, total, built[size], size)
        total += size
    return whole


_Kmers = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.bool_]]


def _joined(left: _Kmers, n_left: int, right: _Kmers, n_right: int) -> _Kmers:
    """K-mers of `n_left` bases, each followed by the one of `n_right` that begins where it ends."""
    width = left[0].shape[1] - n_right
    a, b = slice(width), slice(n_left, n_left + width)
    return (
        (left[0][:, a] << np.uint64(2 * n_right)) | right[0][:, b],
        (right[1][:, b] << np.uint64(2 * n_left)) | left[1][:, a],
        left[2][:, a] | right[2][:, b],
    )
