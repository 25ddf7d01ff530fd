"""Unbound windows that are shuffles of bound ones: twins, which have exactly the same composition.

A shuffle keeps the counts of bases, or of dinucleotides, of the window that it was made of
(Altschul & Erickson 1985, Mol. Biol. Evol. 2:526). Where a window is in the training split and its
twin is not, the opposite of the twin's label is right without any motif.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.datasets.dataset import Dataset
from wavebind.datasets.splits import PARTS
from wavebind.genome.composition import OTHER_STRAND, dinucleotide_counts
from wavebind.genome.sequences import Codes
from wavebind.metrics.binary import Estimate, evaluate

__all__ = ["Twins", "find_twins", "twin_calls", "twin_words"]

_CHUNK = 65_536
_N_RESAMPLES = 500
#: Windows agree by chance in their bases, hardly in their dinucleotides. They are called twins
#: where unbound windows agree with bound ones more often, by this much, than bound ones do.
EXCESS = 0.1
_KEPT = {"dinucleotides": "dinucleotide counts", "bases": "counts of A, C, G and T"}


@dataclass(frozen=True)
class Twins:
    """Windows of a part that have a twin of the other class.

    Attributes
    ----------
    kept : {"dinucleotides", "bases"}
        What twins have in common.
    n_windows, n_unbound : int
        Of the part.
    n_within : int
        Unbound windows with a bound twin in the same part.
    n_in_train : int
        Windows, bound or not, whose twin of the other class is in train.
    by_chance : float
        Share of bound windows that agree with another bound window.
    mcc : Estimate or None
        Matthews correlation of calling the opposite of the twin in train; windows without one are
        called unbound. None where no window has one.
    """

    kept: str
    n_windows: int
    n_unbound: int
    n_within: int
    n_in_train: int
    by_chance: float
    mcc: Estimate | None


def _signatures(codes: Codes, kept: str) -> NDArray[np.int64]:
    """The composition of windows as numbers, the same for both strands: equal where it is."""
    counts = dinucleotide_counts(codes)
    other = counts[:, OTHER_STRAND]
    if kept == "bases":
        counts = np.stack([(codes == base).sum(axis=1) for base in range(4)], axis=1)
        other = counts[:, ::-1]
    # The strand whose counts come first in alphabetical order stands for both.
    differs = counts != other
    first = differs.argmax(axis=1)
    rows = np.arange(len(counts))
    swap = differs.any(axis=1) & (counts[rows, first] > other[rows, first])
    return np.where(swap[:, None], other, counts)


def _groups(data: Dataset, kept: str) -> NDArray[np.int64]:
    """The number of each window's composition, shape ``(window,)``."""
    pieces = [
        _signatures(np.asarray(data.codes[at : at + _CHUNK]), kept).astype(np.int32)
        for at in range(0, len(data.codes), _CHUNK)
    ]
    table = np.ascontiguousarray(np.concatenate(pieces))
    rows = table.view(np.dtype((np.void, table.dtype.itemsize * table.shape[1]))).ravel()
    return np.unique(rows, return_inverse=True)[1].astype(np.int64).ravel()


def _counts(data: Dataset, group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Windows by composition, part and class, shape ``(composition, 3, 2)``."""
    part = np.searchsorted(sorted(PARTS), data.parts)
    order = [sorted(PARTS).index(name) for name in PARTS]
    known = data.labels >= 0
    cell = (group * 3 + part) * 2 + data.labels.astype(np.int64)
    n = int(group.max()) + 1
    return np.bincount(cell[known], minlength=6 * n).reshape(n, 3, 2)[:, order]


def find_twins(data: Dataset, part: str, rng: np.random.Generator) -> Twins | None:
    """Look for unbound windows that are shuffles of bound ones.

    Parameters
    ----------
    data : Dataset
    part : str
        ``train``, ``valid`` or ``test``.
    rng : numpy.random.Generator
        For the interval.

    Returns
    -------
    Twins or None
        Those of dinucleotides where there are any, otherwise those of bases; None where the
        windows are no shuffles.
    """
    mine = data.indices(part)
    labels = data.labels[mine]
    for kept in _KEPT:
        group = _groups(data, kept)
        counts = _counts(data, group)
        every = counts.sum(axis=1)
        n_bound, n_unbound = every.sum(axis=0)[[1, 0]]
        by_chance = float(every[every[:, 1] > 1, 1].sum() / max(n_bound, 1))
        agree = float(every[every[:, 1] > 0, 0].sum() / max(n_unbound, 1))
        if agree - by_chance < EXCESS:
            continue
        own, in_train = counts[group[mine], PARTS.index(part)], counts[group[mine], 0]
        crossed = part != "train"
        opposite = np.take_along_axis(in_train, 1 - labels[:, None].clip(0), axis=1)[:, 0]
        n_in_train = int((opposite > 0).sum()) if crossed else 0
        mcc = None
        if n_in_train:
            mcc = evaluate(labels, _opposite(in_train), 0.5, rng, _N_RESAMPLES)["mcc"]
        return Twins(
            kept=kept,
            n_windows=len(mine),
            n_unbound=int((labels == 0).sum()),
            n_within=int(((labels == 0) & (own[:, 1] > 0)).sum()),
            n_in_train=n_in_train,
            by_chance=by_chance,
            mcc=mcc,
        )
    return None


def twin_calls(data: Dataset, part: str, kept: str = "dinucleotides") -> NDArray[np.float64]:
    """The opposite of each window's twin in train: 1 bound, -1 unbound, 0 where it has none.

    Parameters
    ----------
    data : Dataset
    part : str
        ``valid`` or ``test``.
    kept : {"dinucleotides", "bases"}
        What twins have in common.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(window,)``.
    """
    group = _groups(data, kept)
    in_train = _counts(data, group)[group[data.indices(part)], 0]
    return _opposite(in_train)


def _opposite(in_train: NDArray[np.int64]) -> NDArray[np.float64]:
    """Calls from the unbound and bound training windows of each window's composition."""
    calls: NDArray[np.float64] = np.sign(in_train[:, 0] - in_train[:, 1]).astype(np.float64)
    return calls


def twin_words(part: str, found: Twins) -> str:
    """What was found, in a sentence or two, and what to do about it."""
    kept = _KEPT[found.kept]
    if found.n_in_train and found.mcc is not None:
        return (
            f"The twin of {found.n_in_train:,} of {found.n_windows:,} {part} windows is in train, "
            f"with the other label: a window with exactly the same {kept}, as a shuffle has. "
            f"Calling each window the opposite of its twin scores an MCC of {found.mcc.value:.3f} "
            f"({found.mcc.low:.3f}-{found.mcc.high:.3f}) without any motif. Keep the two of a pair "
            f"in one split, as --background shuffle does, or leave these windows out."
        )
    return (
        f"{found.n_within:,} of {found.n_unbound:,} unbound {part} windows are twins of bound ones "
        f"in the same split: they have exactly the same {kept}, as shuffles have. Composition is "
        f"then no shortcut, but a model may learn what shuffled DNA looks like; open chromatin as "
        f"background (--background accessible) is the harder test."
    )
