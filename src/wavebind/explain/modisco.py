"""Recurring patterns in scores of bases: seqlets, clustered, by TF-MoDISco.

TF-MoDISco (Shrikumar et al. 2018, arXiv:1811.00416) as the library tfmodisco-lite has it. It starts
processes of its own by forking, which a process with threads should not do: call it through
:func:`wavebind.core.processes.run_isolated`. Nothing here imports PyTorch, so that the process is
small.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError

__all__ = ["Pattern", "find_patterns", "trim_bounds"]

Floats = NDArray[np.float64]

#: Columns of a pattern whose contribution is a smaller share of the largest are cut off its ends.
TRIM_SHARE = 0.3
TRIM_FLANK = 2
#: Positions put around every window: seqlets reach ten bases beyond their core, so that sites at an
#: edge would be passed over; and the library takes its idea of noise from positions that say next
#: to nothing, of which short windows have too few. Random letters with a tenth of the common score.
_PADDING = 30
_LEAST_LENGTH = 200
_NOISE = 0.1
#: Clusterings with other seeds, of which the best is kept. Each takes seconds with thousands of
#: seqlets, and there are dozens of stages: with the library's 50 a thousand windows take half an
#: hour. Its own program makes 2.
_N_RUNS = 8


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
    origin : numpy.ndarray
        ``int64``, shape ``(seqlet,)``: where they begin, which may be before the window.
    """

    counts: Floats
    contributions: Floats
    window: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    reverse: NDArray[np.bool_]
    positive: bool
    origin: NDArray[np.int64]

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

    Raises
    ------
    InputError
        If the library fails on them, as it does where there are too few or none varies.
    """
    del say
    from modiscolite.tfmodisco import TFMoDISco

    length = onehot.shape[1]
    pad = max(_PADDING, (_LEAST_LENGTH - length + 1) // 2)
    known, scores = _padded(onehot, contributions, pad)
    with warnings.catch_warnings():
        # Divisions by the spread of stretches that do not vary.
        warnings.simplefilter("ignore")
        try:
            found = TFMoDISco(
                known,
                scores,
                min_metacluster_size=least,
                final_min_cluster_size=max(5, min(20, least)),
                max_seqlets_per_metacluster=20_000,
                n_leiden_runs=_N_RUNS,
            )
        except (ArithmeticError, IndexError, ValueError) as error:
            raise InputError(
                f"clustering can make nothing of the scores of {len(onehot):,} windows "
                f"({error}); explain more windows, or another model"
            ) from error
    patterns = []
    for sets, positive in zip(found, (True, False), strict=True):
        for item in sets or []:
            patterns.append(_plain(item.seqlets, onehot, contributions, pad, positive))
    return sorted(patterns, key=lambda p: (not p.positive, -p.n_seqlets))


def _padded(
    onehot: NDArray[np.int8], contributions: NDArray[np.float32], pad: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Windows and scores with noise around them, always the same."""
    rng = np.random.default_rng(0)
    n, length, _ = onehot.shape
    known = np.eye(4, dtype=np.float32)[rng.integers(0, 4, (n, length + 2 * pad))]
    size = _NOISE * float(np.median(np.abs(contributions))) or 1e-6
    scores = rng.normal(0, size, known.shape).astype(np.float32)
    known[:, pad : pad + length] = onehot
    scores[:, pad : pad + length] = contributions
    return known, scores


def _plain(
    seqlets: Any,
    onehot: NDArray[np.int8],
    contributions: NDArray[np.float32],
    pad: int,
    positive: bool,
) -> Pattern:
    """A pattern of the library as arrays; what lies beyond the windows counts nothing."""
    length = onehot.shape[1]
    window = np.array([seqlet.example_idx for seqlet in seqlets], dtype=np.int64)
    reverse = np.array([bool(seqlet.is_revcomp) for seqlet in seqlets])
    first = np.array([seqlet.start for seqlet in seqlets], dtype=np.int64)
    width = len(seqlets[0])
    around = ((0, 0), (pad, pad), (0, 0))
    letters = np.pad(onehot, around)
    counts, scores = np.zeros((width, 4)), np.zeros((width, 4))
    for i, at, turned in zip(window, first, reverse, strict=True):
        here = letters[i, at : at + width]
        inner = slice(max(at - pad, 0), min(at - pad + width, length))
        said = np.zeros((width, 4))
        offset = inner.start - (at - pad)
        said[offset : offset + inner.stop - inner.start] = contributions[i, inner]
        said = said * here
        counts += here[::-1, ::-1] if turned else here
        scores += said[::-1, ::-1] if turned else said
    return Pattern(
        counts,
        scores / len(window),
        window,
        np.clip(first - pad, 0, length),
        np.clip(first - pad + width, 0, length),
        reverse,
        positive,
        first - pad,
    )
