"""Whether the scores of bases go with the ChIP-seq signal of their windows, beyond a central bump.

The signal of a peak is highest in its middle, and so are most scores, whatever the sequence. Any
bump in the middle correlates with it. So the mean signal of all windows is taken out of both
first. What counts is the correlation that is left within a window, against the same scores paired
with the signal of other windows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.datasets.dataset import Dataset
from wavebind.genome.bigwigs import name_in_track, open_bigwig
from wavebind.metrics.binary import estimate

__all__ = ["SignalCheck", "compare_with_signal", "read_signal", "smooth"]

Floats = NDArray[np.float64]

#: Standard deviation of the smoothing of the scores, in base pairs: about a binding site.
SPREAD = 10.0
_PERMUTATIONS = 1000
_RESAMPLES = 2000
_LEAST = 20


@dataclass(frozen=True)
class SignalCheck:
    """How scores and signal go together; correlations are means over windows (Pearson).

    Attributes
    ----------
    n_windows, n_left_out : int
        Windows compared; and those without a place, without a signal, or with a constant one.
    scores : dict
        Correlation of the smoothed scores with the signal: value, low and high.
    bump : dict
        The same of the mean signal of all windows, which knows nothing of the sequence.
    beyond : dict
        Of scores and signal, both without the part that the bump explains.
    chance : float
        Mean of `beyond` where scores are paired with the signal of other windows.
    p : float
        Share of such pairings that reach `beyond`.
    """

    n_windows: int
    n_left_out: int
    scores: dict[str, float]
    bump: dict[str, float]
    beyond: dict[str, float]
    chance: float
    p: float

    @property
    def words(self) -> str:
        """One sentence for a biologist."""
        b = self.beyond
        verdict = (
            "the scores follow the signal of their own window"
            if self.p <= 0.05 and b["value"] > 0
            else "beyond that they say nothing about the signal of their own window"
        )
        return (
            f"Scores and ChIP-seq signal correlate at {self.scores['value']:.2f} within a window, "
            f"a bump in the middle at {self.bump['value']:.2f}; without the bump "
            f"{b['value']:.2f} is left ({b['low']:.2f} to {b['high']:.2f}; pairs of different "
            f"windows {self.chance:.2f}, p {self.p:.2g}; {self.n_windows:,} windows): {verdict}."
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "words": self.words}


def smooth(scores: NDArray[Any], spread: float = SPREAD) -> Floats:
    """Scores of bases, ``(window, position)``, under a Gaussian of `spread` base pairs."""
    from scipy.ndimage import gaussian_filter1d

    found: Floats = gaussian_filter1d(scores.astype(np.float64), spread, axis=1, mode="constant")
    return found


def read_signal(path: Path, data: Dataset, indices: NDArray[np.int64]) -> Floats:
    """The signal of windows, base by base.

    Parameters
    ----------
    path : pathlib.Path
        A bigWig.
    data : Dataset
    indices : numpy.ndarray
        Which windows.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(window, position)``. Bases without a value are 0, and a window whose
        place is not known, or not in the file, is NaN throughout.

    Raises
    ------
    InputError
        If the file is not a bigWig.
    """
    found = np.full((len(indices), data.length), np.nan)
    with open_bigwig(path) as file:
        sizes = file.chroms()
        for row, index in enumerate(indices.tolist()):
            chrom, start = str(data.chrom[index]), int(data.start[index])
            name = name_in_track(chrom, sizes)
            if start < 0 or name is None or start + data.length > sizes[name]:
                continue
            values = file.values(name, start, start + data.length, numpy=True)
            found[row] = np.nan_to_num(values, nan=0.0)
    return found


def compare_with_signal(
    scores: NDArray[Any],
    signal: Floats,
    rng: np.random.Generator,
    progress: Callable[[int], None] | None = None,
) -> SignalCheck:
    """Compare the scores of bases with a signal.

    Parameters
    ----------
    scores : numpy.ndarray
        Shape ``(window, position)``.
    signal : numpy.ndarray
        ``float64``, the same shape; rows of NaN are left out.
    rng : numpy.random.Generator
    progress : callable, optional
        Called with the number of permutations done since the last call.

    Raises
    ------
    InputError
        If fewer than 20 windows have a signal.
    """
    levels = smooth(scores)
    usable: NDArray[np.bool_] = np.asarray(np.isfinite(signal).all(axis=1))
    usable[usable] = (signal[usable].std(axis=1) > 0) & (levels[usable].std(axis=1) > 0)
    n = int(usable.sum())
    if n < _LEAST:
        raise InputError(
            f"{n} of {len(signal):,} windows have a signal that varies; {_LEAST} are needed. Are "
            f"windows and signal of the same genome, and have the windows places?"
        )
    levels, signal = levels[usable], signal[usable]
    bump = _standard(signal).mean(axis=0)
    whole_scores, whole_signal = _standard(levels), _standard(signal)
    left_scores, left_signal = _standard(_without(levels, bump)), _standard(_without(signal, bump))
    beyond = (left_scores * left_signal).mean(axis=1)
    shuffled = np.empty(_PERMUTATIONS)
    for i in range(_PERMUTATIONS):
        other = _derangement(n, rng)
        shuffled[i] = (left_scores * left_signal[other]).mean()
        if progress:
            progress(1)
    above = int((shuffled >= beyond.mean()).sum())
    return SignalCheck(
        n_windows=n,
        n_left_out=len(usable) - n,
        scores=_mean((whole_scores * whole_signal).mean(axis=1), rng),
        bump=_mean((_standard(bump[None]) * whole_signal).mean(axis=1), rng),
        beyond=_mean(beyond, rng),
        chance=float(shuffled.mean()),
        p=(1 + above) / (1 + _PERMUTATIONS),
    )


def _standard(rows: Floats) -> Floats:
    """Each row with mean 0 and standard deviation 1; zero where it is constant."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    # What a bump explains wholly leaves rounding behind, which must not be blown up.
    floor = 1e-9 * np.abs(rows).max(axis=1, keepdims=True)
    found: Floats = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > floor)
    return found


def _without(rows: Floats, bump: Floats) -> Floats:
    """Each row without the part that a constant and a profile explain, by least squares."""
    shape = _standard(bump[None])[0]
    centred = rows - rows.mean(axis=1, keepdims=True)
    left: Floats = centred - (centred @ shape / len(shape))[:, None] * shape
    return left


def _derangement(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """An order in which nothing stays in its place: a random one, turned by one."""
    order = rng.permutation(n)
    found = np.empty(n, dtype=np.int64)
    found[order] = np.roll(order, 1)
    return found


def _mean(values: Floats, rng: np.random.Generator) -> dict[str, float]:
    n = len(values)
    draws = np.array([values[rng.integers(0, n, n)].mean() for _ in range(_RESAMPLES)])
    return asdict(estimate(float(values.mean()), draws))
