"""Shuffles of a sequence that keep its dinucleotides, every one of them equally likely.

A sequence is a walk through the multigraph whose edges are its dinucleotides. The sequences with
the same dinucleotides and ends are the Eulerian walks of that graph. A uniform one takes a uniform
tree of last exits towards the final letter and a uniform order of the others (Altschul and
Erickson 1985, Mol. Biol. Evol. 2:526; Kandel, Matias, Unger and Winkler 1996, Discrete Appl. Math.
71:171). The tree is drawn by popping cycles (Propp and Wilson 1998, J. Algorithms 27:170).
"""

from __future__ import annotations

import numpy as np

from wavebind.core.errors import InputError
from wavebind.genome.sequences import Codes

__all__ = ["dinucleotide_shuffle"]

_LETTERS = 5
#: Cycles are popped until none is left; the expected number of rounds is below the window length.
_MAX_ROUNDS = 1_000_000


def dinucleotide_shuffle(codes: Codes, rng: np.random.Generator) -> Codes:
    """Shuffle each window, keeping its first and last base and the count of each dinucleotide.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``; N counts as a fifth letter.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        ``uint8``, the same shape. Every arrangement that is possible is equally likely, the
        original one among them.
    """
    n, length = codes.shape
    if length < 3 or not n:
        return codes.copy()
    left, right = codes[:, :-1].astype(np.int64), codes[:, 1:].astype(np.int64)
    last_exit = _last_exits(left, right, rng)
    # Exits in the order of use: by letter, then at random, the last exit of each letter last.
    keys = rng.random(left.shape)
    rows = np.arange(n)[:, None]
    known = last_exit >= 0
    keys[np.nonzero(known)[0], last_exit[known]] = 2.0
    order = np.lexsort((keys, left), axis=1)
    to = np.take_along_axis(right, order, axis=1)
    counts = np.zeros((n, _LETTERS), dtype=np.int64)
    np.add.at(counts, (rows, left), 1)
    at = np.cumsum(counts, axis=1) - counts
    shuffled = np.empty_like(codes)
    here = codes[:, 0].astype(np.int64)
    every = np.arange(n)
    for i in range(length - 1):
        shuffled[:, i] = here
        edge = at[every, here]
        at[every, here] += 1
        here = to[every, edge]
    shuffled[:, -1] = here
    return shuffled


def _last_exits(left: np.ndarray, right: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An edge for each letter but the final one, together a uniform tree towards the final one.

    Returns
    -------
    numpy.ndarray
        ``int64``, shape ``(window, letter)``: the position of the edge, -1 where there is none.
    """
    n = len(left)
    final = right[:, -1]
    # A last exit that returns to its own letter is a cycle; leave those out from the start.
    useful = left != right
    counts = np.zeros((n, _LETTERS), dtype=np.int64)
    np.add.at(counts, (np.broadcast_to(np.arange(n)[:, None], left.shape)[useful], left[useful]), 1)
    # Useful edges sorted by letter, so that the k-th exit of a letter is found at once.
    order = np.argsort(np.where(useful, left, _LETTERS), axis=1, kind="stable")
    first = np.cumsum(counts, axis=1) - counts
    needs = (counts > 0) & (np.arange(_LETTERS)[None, :] != final[:, None])
    exits = np.full((n, _LETTERS), -1, dtype=np.int64)
    draw = needs.copy()
    window = np.arange(n)
    for _ in range(_MAX_ROUNDS):
        rows, letters = np.nonzero(draw)
        if not len(rows):
            break
        which = (rng.random(len(rows)) * counts[rows, letters]).astype(np.int64)
        exits[rows, letters] = order[rows, first[rows, letters] + which]
        # Follow the exits: a letter that comes back to itself lies on a cycle, which is popped.
        todo = np.unique(rows)
        step = np.where(
            exits[todo] >= 0,
            np.take_along_axis(right[todo], np.maximum(exits[todo], 0), axis=1),
            np.arange(_LETTERS)[None, :],
        )
        reached = step.copy()
        cyclic = np.zeros(step.shape, dtype=bool)
        for _ in range(_LETTERS):
            cyclic |= (reached == np.arange(_LETTERS)[None, :]) & needs[todo]
            reached = np.take_along_axis(step, reached, axis=1)
        draw[:] = False
        draw[window[todo]] = cyclic
    else:
        raise InputError("a sequence could not be shuffled; it is not a sequence of nucleotides")
    return exits
