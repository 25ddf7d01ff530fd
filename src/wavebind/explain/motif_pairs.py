"""What two motifs do together, by their distance and orientation, and its rhythm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.datasets.dataset import Dataset
from wavebind.explain.motif_effects import (
    N_OF_PAIRS,
    EffectOptions,
    background_windows,
    keep_effect,
    opened_run,
)
from wavebind.explain.perturb import Spacing, other_strand, read_pattern, space

__all__ = ["ORIENTATIONS", "PairEffect", "pair_motifs"]

Floats = NDArray[np.float64]

#: The farthest that two motifs are set apart.
_MAX_DISTANCE = 150
#: Distances that the trend of a curve is smoothed over.
_TREND = 31
#: Two motifs, each on one of two strands, the first on the left; the other four are these, read on
#: the other strand.
ORIENTATIONS = ("++", "+-", "-+", "--")


@dataclass(frozen=True)
class PairEffect:
    """What two motifs do together, by distance and orientation.

    Attributes
    ----------
    first, second : str
        Their names.
    distances : numpy.ndarray
        ``int64``, shape ``(distance,)``, base pairs between them.
    mean, low, high : numpy.ndarray
        ``float64``, shape ``(orientation, distance)``: the logit with both beyond the sum of what
        each does alone, the mean over windows and its 95 % interval.
    best : tuple
        Orientation and distance with the largest mean.
    period, share : float
        The strongest period of that orientation's curve about its trend, in base pairs, and its
        share of that variance.
    n_windows : int
    words : str
    """

    first: str
    second: str
    distances: NDArray[np.int64]
    mean: Floats
    low: Floats
    high: Floats
    best: tuple[str, int]
    period: float
    share: float
    n_windows: int
    words: str


def pair_motifs(
    run: Path,
    data: Dataset,
    first: str,
    second: str,
    options: EffectOptions,
    progress: Callable[[int], None] | None = None,
) -> tuple[PairEffect, Path]:
    """Set two motifs into backgrounds at every distance, in each orientation.

    Parameters
    ----------
    run : pathlib.Path
    data : Dataset
    first, second : str
        See :func:`wavebind.explain.perturb.read_pattern`.
    options : EffectOptions
    progress : callable, optional
        Called with 1 for every distance of every orientation.

    Raises
    ------
    InputError
        If a motif is not known, the pair does not fit, or there is no background.
    """
    model, data = opened_run(run, data, options)
    (left, name, _), (right, other, _) = read_pattern(first), read_pattern(second)
    codes = background_windows(data, options, N_OF_PAIRS)
    room = codes.shape[1] - len(left) - len(right)
    if room < 1:
        raise InputError(
            f"{name} and {other} have {len(left) + len(right)} bp, and do not fit beside each "
            f"other into windows of {codes.shape[1]} bp"
        )
    distances = range(min(room, _MAX_DISTANCE) + 1)
    curves: list[Spacing] = []
    for strands in ORIENTATIONS:
        one = left if strands[0] == "+" else other_strand(left)
        two = right if strands[1] == "+" else other_strand(right)
        curves.append(space(model, codes, one, two, distances, progress))
    rng = np.random.default_rng([options.seed, 1])
    values = np.stack([curve.interaction for curve in curves])
    draws = _resampled_means(values, rng)
    mean = values.mean(axis=1)
    k, j = np.unravel_index(int(mean.argmax()), mean.shape)
    period, share = _rhythm(mean[k])
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    words = (
        f"{name} and {other} do most together {int(distances[j])} bp apart ({ORIENTATIONS[k]}): "
        f"{mean[k, j]:.2f} ({low[k, j]:.2f} to {high[k, j]:.2f}) in the logit beyond the sum of "
        f"what each does alone, in {len(codes):,} windows. The strongest period of that curve "
        f"about its trend is {period:.1f} bp ({share:.0%} of its variance)."
    )
    found = PairEffect(
        name, other, np.array(distances), mean, low, high,
        (ORIENTATIONS[k], int(distances[j])), period, share, len(codes), words,
    )  # fmt: skip
    table = _curve_table(found)
    plain = {k: v for k, v in asdict(found).items() if not isinstance(v, np.ndarray)}
    asked = {"asked": f"{first},{second}"}
    return found, keep_effect(run, data, "pair", options, asked, plain, {"curve.tsv": table})


def _resampled_means(values: Floats, rng: np.random.Generator) -> Floats:
    """Means over resampled windows, ``(resample, orientation, distance)``."""
    n = values.shape[1]
    return np.stack([values[:, rng.integers(0, n, n)].mean(axis=1) for _ in range(500)])


def _rhythm(curve: Floats) -> tuple[float, float]:
    """The strongest period of a curve about its trend, and its share of that variance."""
    width = min(_TREND, len(curve) // 2 * 2 - 1)
    from scipy.signal import periodogram, savgol_filter

    rest = curve - savgol_filter(curve, width, 2) if width >= 5 else curve - curve.mean()
    frequency, power = periodogram(rest)
    # Shorter periods than 3 bp are noise of single distances.
    kept = (frequency > 0) & (frequency <= 1 / 3)
    if not power[kept].sum():
        return float("nan"), 0.0
    best = int(np.argmax(np.where(kept, power, -1)))
    return float(1 / frequency[best]), float(power[best] / power.sum())


def _curve_table(found: PairEffect) -> str:
    lines = ["orientation\tdistance\tinteraction\tlow\thigh"]
    lines += [
        f"{name}\t{d}\t{found.mean[k, j]:.5f}\t{found.low[k, j]:.5f}\t{found.high[k, j]:.5f}"
        for k, name in enumerate(ORIENTATIONS)
        for j, d in enumerate(found.distances)
    ]
    return "\n".join(lines) + "\n"
