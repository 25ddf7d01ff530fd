"""Words of a few bases in windows, the two strands together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wavebind.genome.sequences import UNKNOWN, Codes

__all__ = ["canonical_kmers"]


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
