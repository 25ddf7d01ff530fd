"""From a track of probabilities to called sites, and how many of them chance would call.

A call is a stretch of windows at or above the threshold; its summit is the middle of the best one.
What chance calls is counted on shuffled sequence, as decoys (Elias & Gygi 2007, Nat. Methods
4:207).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError

__all__ = ["Call", "call_sites", "decoy_rate", "decoy_threshold", "q_values", "write_narrowpeak"]


@dataclass(frozen=True)
class Call:
    """A called site.

    Attributes
    ----------
    chrom : str
    start, end, summit : int
        0-based, half-open; the summit is a base.
    logit : float
        Of the best window.
    """

    chrom: str
    start: int
    end: int
    summit: int
    logit: float


def call_sites(
    chrom: str,
    middle: NDArray[np.int64],
    logits: NDArray[np.float32],
    threshold: float,
    *,
    stride: int,
    gap: int,
) -> list[Call]:
    """Join windows at or above a threshold to sites.

    Parameters
    ----------
    chrom : str
    middle : numpy.ndarray
        ``int64``, shape ``(window,)``, sorted: middles of the windows.
    logits : numpy.ndarray
        Shape ``(window,)``.
    threshold : float
        A logit.
    stride : int
        Bases that a window stands for, around its middle.
    gap : int
        Windows above the threshold whose middles are at most this far apart are one site.

    Returns
    -------
    list of Call
        In the order of the chromosome. Of equally good windows the summit is the central one.
    """
    above = np.flatnonzero(logits >= threshold)
    if not above.size:
        return []
    edges = np.flatnonzero(np.diff(middle[above]) > gap) + 1
    calls = []
    for group in np.split(above, edges):
        best = group[logits[group] == logits[group].max()]
        summit = int(middle[best[len(best) // 2]])
        start = int(middle[group[0]]) - stride // 2
        end = int(middle[group[-1]]) - stride // 2 + stride
        calls.append(Call(chrom, max(start, 0), end, summit, float(logits[group].max())))
    return calls


def decoy_rate(
    decoys: NDArray[np.float32], n_bases: int, logits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Decoys at or above each logit, a megabase.

    Parameters
    ----------
    decoys : numpy.ndarray
        Shape ``(decoy,)``: logits.
    n_bases : int
        Of shuffled sequence.
    logits : numpy.ndarray
        Shape ``(call,)``.
    """
    ordered = np.sort(decoys)
    above = len(ordered) - np.searchsorted(ordered, logits, side="left")
    rate: NDArray[np.float64] = above / (n_bases / 1e6)
    return rate


def decoy_threshold(decoys: NDArray[np.float32], n_bases: int, per_megabase: float) -> float:
    """The lowest logit above which chance calls at most so many sites a megabase.

    Raises
    ------
    InputError
        If there is too little shuffled sequence to tell.
    """
    allowed = math.floor(per_megabase * n_bases / 1e6)
    if allowed < 1:
        need = 1 / per_megabase
        raise InputError(
            f"{per_megabase:g} false positives a megabase cannot be told from {n_bases / 1e6:g} Mb "
            f"of shuffled sequence; take {need:.3g} Mb or more (--set decoys=...), or allow more"
        )
    ordered = np.sort(decoys)[::-1]
    if len(ordered) <= allowed:
        return float(ordered[-1]) if len(ordered) else -math.inf
    return float(np.nextafter(np.float32(ordered[allowed]), np.float32(np.inf)))


def q_values(
    logits: NDArray[np.float64], n_bases: int, decoys: NDArray[np.float32], n_decoy_bases: int
) -> NDArray[np.float64]:
    """Share of calls at least as good that chance would give.

    Parameters
    ----------
    logits : numpy.ndarray
        Shape ``(call,)``.
    n_bases : int
        That were scanned for them.
    decoys : numpy.ndarray
        Shape ``(decoy,)``.
    n_decoy_bases : int

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(call,)``, at most 1; one decoy more than were found is counted, so
        that none is ever 0.
    """
    if not len(logits):
        return np.empty(0)
    order = np.argsort(-logits, kind="stable")
    ordered = np.sort(decoys)
    above = 1 + len(ordered) - np.searchsorted(ordered, logits[order], side="left")
    expected = above * (n_bases / n_decoy_bases)
    # Calls that tie are all counted.
    n_calls = len(logits) - np.searchsorted(np.sort(logits), logits[order], side="left")
    rate = np.minimum(expected / n_calls, 1.0)
    q = np.empty(len(logits))
    q[order] = np.minimum.accumulate(rate[::-1])[::-1]
    return q


def write_narrowpeak(
    stream: TextIO,
    calls: Iterable[Call],
    probabilities: Sequence[float],
    q: Sequence[float] | None = None,
) -> None:
    """Write calls as narrowPeak (https://genome.ucsc.edu/FAQ/FAQformat.html#format12).

    ``score`` is a thousand times the probability, ``signalValue`` the logit, ``pValue`` -1, and
    ``qValue`` minus the decimal logarithm of the q-value, or -1.
    """
    for i, call in enumerate(calls):
        level = min(1000, max(0, round(1000 * probabilities[i])))
        last = "-1" if q is None else f"{-math.log10(q[i]) + 0.0:.4f}"
        stream.write(
            f"{call.chrom}\t{call.start}\t{call.end}\tsite_{i + 1}\t{level}\t.\t{call.logit:.5f}"
            f"\t-1\t{last}\t{call.summit - call.start}\n"
        )
