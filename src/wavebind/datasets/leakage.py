"""Windows of one part that are found again in another: by sequence, and by place.

Near-duplicates are found by long k-mers, read on either strand. Where there are very many, only
those whose hash falls into a fixed fraction of all hashes are kept. The fraction is the same in
every window (Broder 1997, Proc. Compression and Complexity of Sequences, p. 21).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.datasets.dataset import Dataset
from wavebind.genome.intervals import merged, overlapping
from wavebind.genome.kmers import hashed_kmers
from wavebind.genome.sequences import Codes

__all__ = ["SHARED_K", "Leakage", "find_leakage", "share_a_kmer", "shared_kmers"]

#: Long enough that two windows of a genome hardly share one by chance (4**24 is 3e14).
K = 24
#: Two windows that share a stretch of so many bases have it from one place, or from a repeat.
SHARED_K = 40
#: A window of which this fraction of k-mers is in the other part is a near-duplicate.
NEAR = 0.5
_MAX_KMERS = 20_000_000
_CHUNK = 4096


@dataclass(frozen=True)
class Leakage:
    """What windows of a part share with the training part.

    Attributes
    ----------
    n_windows : int
    k : int
        Length of the k-mers.
    n_near_duplicates : int
        Windows with at least half of their k-mers in training windows.
    n_overlapping : int
        Windows that share a base of the genome with a training window.
    n_placed : int
        Windows whose place is known.
    shared_k : int
        Length of the k-mers of `n_sharing`.
    n_sharing : int
        Windows that share a k-mer of that length with a training window, on either strand.
    examples : tuple of str
        Names of some of them.
    """

    n_windows: int
    k: int
    n_near_duplicates: int
    n_overlapping: int
    n_placed: int
    shared_k: int
    n_sharing: int
    examples: tuple[str, ...]


def _some_hashes(
    codes: Codes, indices: NDArray[np.int64], k: int, one_in: int, turn: int = 0
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
    """Rows (positions within `indices`) and k-mer hashes, a chunk of windows at a time.

    Of the hashes those that leave `turn` when they are divided by `one_in`.
    """
    for at in range(0, len(indices), _CHUNK):
        hashes, keep = hashed_kmers(np.asarray(codes[indices[at : at + _CHUNK]]), k)
        if one_in > 1:
            keep &= hashes % np.uint64(one_in) == np.uint64(turn)
        rows, columns = np.nonzero(keep)
        yield rows + at, hashes[rows, columns]


def shared_kmers(
    codes: Codes, indices: NDArray[np.int64], others: NDArray[np.int64], k: int = K
) -> NDArray[np.float64]:
    """Fraction of each window's k-mers that occur, on either strand, in any of the others.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    indices, others : numpy.ndarray
        Rows of `codes`.
    k : int

    Returns
    -------
    numpy.ndarray
        ``float64``, shape of `indices`; 0 for a window without a k-mer.
    """
    width = codes.shape[1] - k + 1
    one_in = -(-len(others) * width // _MAX_KMERS)
    known = np.unique(
        np.concatenate([np.unique(h) for _, h in _some_hashes(codes, others, k, one_in)])
    )
    hits = np.zeros(len(indices))
    total = np.zeros(len(indices))
    for rows, hashes in _some_hashes(codes, indices, k, one_in):
        if len(known):
            at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
            np.add.at(hits, rows[known[at] == hashes], 1)
        np.add.at(total, rows, 1)
    return hits / np.maximum(total, 1)


def share_a_kmer(data: Dataset, part: str, k: int = SHARED_K) -> NDArray[np.bool_]:
    """Which windows of a part share a k-mer with a training window, on either strand.

    Parameters
    ----------
    data : Dataset
    part : str
        ``valid`` or ``test``.
    k : int
        Bases of a k-mer; the whole window where that is shorter.

    Returns
    -------
    numpy.ndarray
        ``bool``, shape ``(window,)``.
    """
    k = min(k, data.length)
    train, mine = data.indices("train"), data.indices(part)
    found = np.zeros(len(mine), dtype=bool)
    # A share of the hashes at a time, so that memory stays bounded and none is passed over.
    n_rounds = -(-len(train) * (data.length - k + 1) // _MAX_KMERS)
    for turn in range(n_rounds):
        theirs = _some_hashes(data.codes, train, k, n_rounds, turn)
        known = np.unique(np.concatenate([np.unique(h) for _, h in theirs]))
        for rows, hashes in _some_hashes(data.codes, mine, k, n_rounds, turn):
            if len(known):
                at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
                found[rows[known[at] == hashes]] = True
    return found


def find_leakage(data: Dataset, part: str) -> Leakage:
    """What the windows of a part share with the training part.

    Parameters
    ----------
    data : Dataset
    part : str
        ``valid`` or ``test``.
    """
    import pandas as pd

    train, mine = data.indices("train"), data.indices(part)
    k = min(K, max(4, data.length // 2))
    near = shared_kmers(data.codes, mine, train, k) >= NEAR
    placed = (data.start >= 0) & (data.chrom != "")
    overlap = np.zeros(len(mine), dtype=bool)
    anchors = train[placed[train]]
    if len(anchors):
        regions = merged(
            [
                pd.DataFrame(
                    {
                        "chrom": data.chrom[anchors].astype(object),
                        "start": data.start[anchors],
                        "end": data.end[anchors],
                    }
                )
            ]
        )
        for chrom in np.unique(data.chrom[mine]):
            here = np.flatnonzero((data.chrom[mine] == chrom) & placed[mine])
            rows = mine[here]
            overlap[here] = overlapping(str(chrom), data.start[rows], data.end[rows], regions)
    return Leakage(
        n_windows=len(mine),
        k=k,
        n_near_duplicates=int(near.sum()),
        n_overlapping=int(overlap.sum()),
        n_placed=int(placed[mine].sum()),
        shared_k=min(SHARED_K, data.length),
        n_sharing=int(share_a_kmer(data, part).sum()),
        examples=tuple(data.names(mine[near | overlap][:5])),
    )
