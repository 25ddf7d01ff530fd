"""What windows are made of, counted straight from a chromosome's letters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.genome.genomes import Letters
from wavebind.genome.sequences import UNKNOWN, Codes, letter_codes

__all__ = [
    "OTHER_STRAND",
    "Composition",
    "composition",
    "cpg_fraction",
    "dinucleotide_counts",
    "dinucleotide_frequencies",
    "mixed",
    "sequence_hash",
]

_CHUNK = 16_384
#: Odd numbers for a multiplicative hash of a position's code; any fixed ones would do.
_HASH_SEED = 20_26


@dataclass(frozen=True)
class Composition:
    """Counts of each window.

    Attributes
    ----------
    gc, unknown, repeat : numpy.ndarray
        ``int32``, shape ``(window,)``: bases that are G or C, that are not known, and that are
        soft-masked (lower case).
    key : numpy.ndarray
        ``uint64``, shape ``(window,)``: a hash of the sequence that both strands share.
    """

    gc: NDArray[np.int32]
    unknown: NDArray[np.int32]
    repeat: NDArray[np.int32]
    key: NDArray[np.uint64]


def sequence_hash(codes: Codes) -> NDArray[np.uint64]:
    """A 64-bit hash of each window that does not depend on the strand it is read from.

    Two different windows share it with a probability of about 5e-20; it is not made to withstand
    an adversary.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.

    Returns
    -------
    numpy.ndarray
        ``uint64``, shape ``(window,)``.
    """
    length = codes.shape[1]
    weights = np.random.default_rng(_HASH_SEED).integers(
        0, 2**64, (length, 5), dtype=np.uint64, endpoint=False
    )
    complement = weights[::-1, [3, 2, 1, 0, 4]]
    columns = codes.T
    forward = np.zeros(len(codes), dtype=np.uint64)
    backward = np.zeros(len(codes), dtype=np.uint64)
    for position in range(length):
        forward += weights[position][columns[position]]
        backward += complement[position][columns[position]]
    return mixed(np.minimum(forward, backward))


def mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread numbers evenly over 64 bits: two steps of the finaliser of MurmurHash3 (A. Appleby).

    Parameters
    ----------
    x : numpy.ndarray
        ``uint64``, any shape.
    """
    x = x ^ (x >> np.uint64(33))
    x = x * np.uint64(0xFF51AFD7ED558CCD)
    return x ^ (x >> np.uint64(33))


def composition(letters: Letters, start: NDArray[np.int64], length: int) -> Composition:
    """Count what each window of a chromosome is made of.

    Parameters
    ----------
    letters : numpy.ndarray
        ``uint8``, ASCII, shape ``(position,)``: the whole chromosome.
    start : numpy.ndarray
        Shape ``(window,)``, 0-based.
    length : int
        Of every window.
    """
    n = len(start)
    gc, unknown, repeat = (np.zeros(n, dtype=np.int32) for _ in range(3))
    key = np.zeros(n, dtype=np.uint64)
    views = np.lib.stride_tricks.sliding_window_view(letters, length)
    for at in range(0, n, _CHUNK):
        part = slice(at, at + _CHUNK)
        text = views[start[part]]
        codes = letter_codes(text)
        gc[part] = ((codes == 1) | (codes == 2)).sum(axis=1)
        unknown[part] = (codes == UNKNOWN).sum(axis=1)
        # Lower-case ASCII letters have this bit set.
        repeat[part] = ((text & 32) > 0).sum(axis=1)
        key[part] = sequence_hash(codes)
    return Composition(gc, unknown, repeat, key)


#: The dinucleotide xy reads as that of the complements, exchanged, on the other strand.
OTHER_STRAND = tuple(4 * (3 - y) + (3 - x) for x in range(4) for y in range(4))


def dinucleotide_counts(codes: Codes) -> NDArray[np.int64]:
    """Counts of the sixteen dinucleotides as the windows are read.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.

    Returns
    -------
    numpy.ndarray
        ``int64``, shape ``(window, 16)``, in the order AA, AC, ..., TT. Pairs with an unknown base
        do not count.
    """
    left, right = codes[:, :-1].astype(np.int64), codes[:, 1:].astype(np.int64)
    known = (left < UNKNOWN) & (right < UNKNOWN)
    pair = np.where(known, 4 * left + right, 16)
    rows = np.arange(len(codes))[:, None]
    counts = np.bincount((rows * 17 + pair).ravel(), minlength=17 * len(codes))
    return counts.reshape(len(codes), 17)[:, :16]


def dinucleotide_frequencies(codes: Codes) -> NDArray[np.float64]:
    """Frequencies of the sixteen dinucleotides, both strands counted together.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(window, 16)``, in the order AA, AC, ..., TT. Pairs with an unknown
        base do not count, and a window without a pair is zero.
    """
    table = dinucleotide_counts(codes).astype(np.float64)
    table = (table + table[:, OTHER_STRAND]) / 2
    frequencies: NDArray[np.float64] = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    return frequencies


def cpg_fraction(codes: Codes) -> NDArray[np.float64]:
    """Fraction of positions that begin a CpG, shape ``(window,)``."""
    cpg: NDArray[np.float64] = ((codes[:, :-1] == 1) & (codes[:, 1:] == 2)).mean(axis=1)
    return cpg
