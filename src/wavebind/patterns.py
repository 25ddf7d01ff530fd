"""Recurring patterns in scores of bases: seqlets, clustered, by TF-MoDISco.

TF-MoDISco (Shrikumar et al. 2018, arXiv:1811.00416) as the library tfmodisco-lite has it. It starts
processes of its own by forking, which a process with threads should not do: call it through
:func:`wavebind.isolation.run_isolated`. Nothing here imports PyTorch, so that the process is small.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pattern", "find_patterns", "trim_bounds"]

Floats = NDArray[np.float64]

#: Columns of a pattern whose contribution is a smaller share of the largest are cut off its ends.
TRIM_SHARE = 0.3
TRIM_FLANK = 2


@dataclass(frozen=True)
class Pattern:
    """Stretches of windows that score alike, aligned.

    Attributes
    ----------
    counts : numpy.ndarray
        ``float64``, shape ``(position, 4)``: how many seqlets have A, C, G or T there.
    contributions : numpy.ndarray
        ``float64``, shape ``(position, 4)``: mean score of the letters that are there.
    window, start, end : numpy.ndarray
        ``int64``, shape ``(seqlet,)``: where they lie, half-open, on the window as it is.
    reverse : numpy.ndarray
        ``bool``, shape ``(seqlet,)``: whether a seqlet is read on the other strand.
    positive : bool
        Whether it speaks for binding.
    """

    counts: Floats
    contributions: Floats
    window: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    reverse: NDArray[np.bool_]
    positive: bool

    @property
    def n_seqlets(self) -> int:
        """How many."""
        return len(self.window)


def trim_bounds(contributions: Floats, share: float = TRIM_SHARE) -> tuple[int, int]:
    """First and last-plus-one column of a pattern that contribute, and two either side.

    Parameters
    ----------
    contributions : numpy.ndarray
        Shape ``(position, 4)``.
    share : float
        Of the largest column's contribution.
    """
    strength = np.abs(contributions).sum(axis=1)
    telling = np.flatnonzero(strength >= share * strength.max())
    first, stop = int(telling[0]) - TRIM_FLANK, int(telling[-1]) + 1 + TRIM_FLANK
    return max(first, 0), min(stop, len(contributions))


def find_patterns(
    onehot: NDArray[np.int8],
    contributions: NDArray[np.float32],
    least: int,
    say: Callable[..., None],
) -> list[Pattern]:
    """Find patterns, those that speak for binding first, most seqlets first.

    Parameters
    ----------
    onehot : numpy.ndarray
        ``int8``, shape ``(window, position, 4)``.
    contributions : numpy.ndarray
        ``float32``, shape ``(window, position, 4)``: what each letter would contribute.
    least : int
        Seqlets of a sign, fewer than which are not clustered.
    say : callable
        Passed over: there is nothing to say on the way.

    Returns
    -------
    list of Pattern
    """
    del say
    from modiscolite.tfmodisco import TFMoDISco

    known = np.ascontiguousarray(onehot, dtype=np.float32)
    scores = np.ascontiguousarray(contributions, dtype=np.float32)
    with warnings.catch_warnings():
        # Divisions by the spread of stretches that do not vary.
        warnings.simplefilter("ignore")
        found = TFMoDISco(
            known,
            scores,
            min_metacluster_size=least,
            final_min_cluster_size=max(5, min(20, least)),
            max_seqlets_per_metacluster=20_000,
        )
    patterns = []
    for sets, positive in zip(found, (True, False), strict=True):
        for item in sets or []:
            patterns.append(_plain(item, positive))
    return sorted(patterns, key=lambda p: (not p.positive, -p.n_seqlets))


def _plain(item: Any, positive: bool) -> Pattern:
    """A pattern of the library as arrays."""
    seqlets = item.seqlets
    counts = np.asarray([seqlet.sequence for seqlet in seqlets], dtype=np.float64).sum(axis=0)
    scores = np.asarray([s.contrib_scores for s in seqlets], dtype=np.float64).mean(axis=0)
    return Pattern(
        counts,
        scores,
        np.array([seqlet.example_idx for seqlet in seqlets], dtype=np.int64),
        np.array([seqlet.start for seqlet in seqlets], dtype=np.int64),
        np.array([seqlet.end for seqlet in seqlets], dtype=np.int64),
        np.array([bool(seqlet.is_revcomp) for seqlet in seqlets]),
        positive,
    )
