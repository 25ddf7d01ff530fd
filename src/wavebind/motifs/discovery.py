"""A motif that tells bound windows from unbound ones, from the windows alone.

The steps are those of STREME (Bailey 2021, Bioinformatics 37:2834). Words that are enriched are
made into matrices. Each matrix is refined on its own best hits at the score that tells the classes
apart best. The one that does so most significantly is kept. Significance is that of Fisher's exact
test, one-sided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.genome.kmers import canonical_kmers
from wavebind.genome.sequences import UNKNOWN, Codes, to_letters
from wavebind.motifs.pwms import Hits, Motif, best_hits

__all__ = ["Discovered", "discover_motifs", "enriched_words"]

Floats = NDArray[np.float64]

WORD = 7
_N_SEEDS = 24
_ITERATIONS = 20
_PATIENCE = 3
#: Probability of a word's own letter in the matrix that refinement begins with.
_SEED_SHARE = 0.8
_N_LEVELS = 60
#: Columns at the ends with less information, in bits, are cut off.
_LEAST_BITS = 0.2
_LEAST_WIDTH = 6
_PSEUDOCOUNT = 1.0


@dataclass(frozen=True)
class Discovered:
    """A motif and how well it tells the windows apart that it was found in.

    Attributes
    ----------
    motif : Motif
        Counts of its sites in bound windows.
    log10_p : float
        Of Fisher's exact test, for the best threshold of all that were tried; not corrected for
        having tried them.
    threshold : float
        Score in bits from which a window counts as having a site.
    n_bound, n_unbound : int
        Windows with a site.
    """

    motif: Motif
    log10_p: float
    threshold: float
    n_bound: int
    n_unbound: int


def enriched_words(bound: Codes, unbound: Codes, k: int = WORD, n: int = _N_SEEDS) -> list[str]:
    """Words that more bound than unbound windows hold, on either strand, best first.

    Parameters
    ----------
    bound, unbound : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    k : int
        Length of a word.
    n : int
        How many. A word that is another one of the list moved by up to two bases, but for one
        letter, is passed over. Refinement would make the same matrix of it.

    Returns
    -------
    list of str
    """
    share = [_word_presence(part, k).mean(axis=0) for part in (bound, unbound)]
    total = (share[0] * len(bound) + share[1] * len(unbound)) / (len(bound) + len(unbound))
    spread = np.sqrt(total * (1 - total) * (1 / len(bound) + 1 / len(unbound)))
    z = np.divide(share[0] - share[1], spread, out=np.zeros_like(total), where=spread > 0)
    chosen: list[NDArray[np.uint8]] = []
    for index in np.argsort(-z, kind="stable"):
        if len(chosen) == n or z[index] <= 0:
            break
        word = ((int(index) >> (2 * np.arange(k - 1, -1, -1))) & 3).astype(np.uint8)
        if not any(_alike(word, other) or _alike(3 - word[::-1], other) for other in chosen):
            chosen.append(word)
    return [to_letters(word) for word in chosen]


def _word_presence(codes: Codes, k: int) -> NDArray[np.bool_]:
    """Whether each window holds each word on either strand; the smaller of the two stands for both.

    Shape ``(window, 4 ** k)``.
    """
    words, known = canonical_kmers(codes, k)
    present = np.zeros((len(codes), 4**k), dtype=bool)
    rows = np.broadcast_to(np.arange(len(codes))[:, None], words.shape)
    present[rows[known], words[known]] = True
    return present


def _alike(word: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    k = len(word)
    for shift in (-2, -1, 0, 1, 2):
        a = word[max(0, shift) : k + min(0, shift)]
        b = other[max(0, -shift) : k - max(0, shift)]
        if int((a != b).sum()) <= 1:
            return True
    return False


def discover_motifs(
    bound: Codes,
    unbound: Codes,
    *,
    n_motifs: int = 1,
    width: int = 20,
    progress: Callable[[int], None] | None = None,
) -> list[Discovered]:
    """Find motifs one after the other; the sites of each are masked before the next.

    Parameters
    ----------
    bound, unbound : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    n_motifs : int
    width : int
        Widest motif.
    progress : callable, optional
        Called with 1 after each round of refinement, of at most ``20 * n_motifs``.

    Returns
    -------
    list of Discovered
        Best first; fewer than asked for where no word is enriched any more.

    Raises
    ------
    InputError
        If a class has no window, or windows are shorter than a word.
    """
    if not len(bound) or not len(unbound):
        raise InputError("a motif is found between bound and unbound windows; a class is missing")
    length = bound.shape[1]
    if length < WORD + 2:
        raise InputError(f"windows of {length} bp are too short to find a motif in")
    width = min(width, length)
    codes = np.concatenate([bound, unbound])
    labels = np.repeat([True, False], [len(bound), len(unbound)])
    counts = np.bincount(unbound.ravel(), minlength=5)[:4] + 1.0
    background = tuple((counts / counts.sum()).tolist())
    found: list[Discovered] = []
    for i in range(n_motifs):
        words = enriched_words(codes[labels], codes[~labels])
        if not words:
            break
        best = _refine_all(
            [_matrix(word, width) for word in words], codes, labels, background, progress
        )
        trimmed = _trim(best.motif, f"motif{i + 1}")
        scored = _score(trimmed, codes, labels, background)
        found.append(scored)
        if i + 1 < n_motifs:
            codes = _masked(codes, scored, background)
    return found


def _matrix(word: str, width: int) -> Motif:
    """A word as counts, in the middle of a matrix that says nothing either side."""
    counts = np.full((width, 4), 0.25)
    first = (width - len(word)) // 2
    for i, letter in enumerate(word):
        counts[first + i] = (1 - _SEED_SHARE) / 3
        counts[first + i, "ACGT".index(letter)] = _SEED_SHARE
    return Motif(word, "", counts)


def _hits(motifs: Sequence[Motif], codes: Codes, background: Sequence[float]) -> Hits:
    return best_hits(codes, motifs, pseudocount=_PSEUDOCOUNT, background=background)


def _best_level(scores: Floats, labels: NDArray[np.bool_]) -> tuple[float, float, int, int]:
    """The threshold with the smallest p: log10 p, threshold, windows of each class at or above."""
    from scipy.stats import hypergeom

    finite = scores[labels & np.isfinite(scores)]
    if not finite.size:
        return 0.0, float("inf"), 0, 0
    levels = np.unique(np.quantile(finite, np.linspace(0.02, 0.98, _N_LEVELS)))
    ordered = [np.sort(scores[part]) for part in (labels, ~labels)]
    above = [len(part) - np.searchsorted(part, levels, side="left") for part in ordered]
    n = len(labels)
    log_p = hypergeom.logsf(above[0] - 1, n, int(labels.sum()), above[0] + above[1]) / np.log(10)
    best = int(np.argmin(log_p))
    return float(log_p[best]), float(levels[best]), int(above[0][best]), int(above[1][best])


def _sites(
    codes: Codes, start: NDArray[np.int64], reverse: NDArray[np.bool_], first: int, width: int
) -> Floats:
    """Counts of the bases around hits, from `first` bases after a hit's start on, as it reads.

    Shape ``(width, 4)``; what lies beyond a window counts nothing.
    """
    length = codes.shape[1]
    padded = np.full((len(codes), length + 4 * width), UNKNOWN, dtype=np.uint8)
    padded[:, 2 * width : 2 * width + length] = codes
    place = start[:, None] + 2 * width + np.arange(first, first + width)
    sites = np.take_along_axis(padded, place, axis=1)
    turned = sites[:, ::-1]
    other = np.where(turned < UNKNOWN, 3 - turned, UNKNOWN)
    sites = np.where(reverse[:, None], other, sites)
    return np.stack([(sites == base).sum(axis=0) for base in range(4)], axis=1).astype(np.float64)


def _refine_all(
    motifs: list[Motif],
    codes: Codes,
    labels: NDArray[np.bool_],
    background: Sequence[float],
    progress: Callable[[int], None] | None,
) -> Discovered:
    """Refine every matrix on its own hits until none gets better; return the best one."""
    best: Discovered | None = None
    current = list(motifs)
    tops = [0.0] * len(current)
    waiting = [0] * len(current)
    for iteration in range(_ITERATIONS):
        active = [j for j in range(len(current)) if waiting[j] < _PATIENCE]
        if not active:
            break
        hits = _hits([current[j] for j in active], codes, background)
        for column, j in enumerate(active):
            log_p, level, n_bound, n_unbound = _best_level(hits.score[:, column], labels)
            if log_p < tops[j] - 0.01:
                tops[j], waiting[j] = log_p, 0
            else:
                waiting[j] += 1
            if best is None or log_p < best.log10_p:
                best = Discovered(current[j], log_p, level, n_bound, n_unbound)
            chosen = labels & (hits.score[:, column] >= level)
            if not chosen.any():
                waiting[j] = _PATIENCE
                continue
            current[j] = _realigned(
                current[j], codes[chosen], hits.start[chosen, column], hits.reverse[chosen, column]
            )
        if iteration == 4:
            # Most words lead to the same few motifs; the better half goes on.
            half = sorted(range(len(current)), key=tops.__getitem__)[len(current) // 2 :]
            for j in half:
                waiting[j] = _PATIENCE
        if progress:
            progress(1)
    assert best is not None  # noqa: S101 - there is at least one matrix
    return best


def _realigned(
    motif: Motif, codes: Codes, start: NDArray[np.int64], reverse: NDArray[np.bool_]
) -> Motif:
    """Counts of the sites, moved sideways to where they say most."""
    width = motif.width
    margin = width // 4
    # Seen from a hit on the other strand its surroundings are mirrored, and so is the margin.
    wide = _sites(codes, start, reverse, -margin, width + 2 * margin)
    wide += _PSEUDOCOUNT
    bits = Motif("", "", wide).information()
    gains = np.convolve(bits, np.ones(width), mode="valid")
    first = int(np.argmax(gains))
    return Motif(motif.identifier, motif.name, wide[first : first + width])


def _trim(motif: Motif, name: str) -> Motif:
    """Without the columns at the ends that say next to nothing."""
    telling = np.flatnonzero(motif.information() >= _LEAST_BITS)
    first, stop = (int(telling[0]), int(telling[-1]) + 1) if telling.size else (0, motif.width)
    while stop - first < min(_LEAST_WIDTH, motif.width):
        first, stop = max(0, first - 1), min(motif.width, stop + 1)
    counts = motif.counts[first:stop]
    letters = ["ACGT"[i] for i in counts.argmax(axis=1)]
    return Motif(name, "".join(letters), counts)


def _score(
    motif: Motif, codes: Codes, labels: NDArray[np.bool_], background: Sequence[float]
) -> Discovered:
    hits = _hits([motif], codes, background)
    return Discovered(motif, *_best_level(hits.score[:, 0], labels))


def _masked(codes: Codes, found: Discovered, background: Sequence[float]) -> Codes:
    """The windows with every best hit above the threshold made unknown, until there is none."""
    codes = codes.copy()
    width = found.motif.width
    while True:
        hits = _hits([found.motif], codes, background)
        rows = np.flatnonzero(hits.score[:, 0] >= found.threshold)
        place = hits.start[rows, 0][:, None] + np.arange(width)
        fresh = (codes[rows[:, None], place] < UNKNOWN).any(axis=1)
        if not fresh.any():
            return codes
        codes[rows[fresh, None], place[fresh]] = UNKNOWN
