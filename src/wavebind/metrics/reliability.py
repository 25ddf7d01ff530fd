"""How far probabilities are frequencies: the reliability curve and its error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.metrics.binary import N_RESAMPLES, Estimate, Floats, Integers, estimate, resamples

__all__ = [
    "N_BINS",
    "N_FLOOR",
    "BinnedError",
    "ReliabilityCurve",
    "calibration_error",
    "calibration_floor",
    "reliability_curve",
]

N_BINS = 15
#: Draws of labels behind a calibration error's floor.
N_FLOOR = 1000


@dataclass(frozen=True)
class ReliabilityCurve:
    """Predicted against observed frequency, in bins of equal numbers of windows.

    Attributes
    ----------
    predicted, observed : numpy.ndarray
        Shape ``(bin,)``: mean probability, and fraction of bound windows.
    n : numpy.ndarray
        Windows a bin.
    error : float
        Expected calibration error: the mean absolute difference, weighted by windows (Naeini et
        al. 2015, AAAI 29:2901).
    """

    predicted: Floats
    observed: Floats
    n: NDArray[np.int64]
    error: float


def _groups(probabilities: Floats, n_bins: int) -> list[NDArray[np.int64]]:
    """Windows in bins of equal numbers, by their probability."""
    order = np.argsort(probabilities, kind="stable")
    return [g for g in np.array_split(order, n_bins) if len(g)]


def reliability_curve(
    labels: Integers, probabilities: Floats, n_bins: int = N_BINS
) -> ReliabilityCurve:
    """How far probabilities are frequencies."""
    groups = _groups(probabilities, n_bins)
    predicted = np.array([probabilities[g].mean() for g in groups])
    observed = np.array([labels[g].mean() for g in groups])
    n = np.array([len(g) for g in groups])
    error = float(np.sum(n * np.abs(predicted - observed)) / n.sum())
    return ReliabilityCurve(predicted, observed, n, error)


class BinnedError:
    """The expected calibration error with windows weighed; bins as in :func:`reliability_curve`.

    Parameters
    ----------
    labels, probabilities : numpy.ndarray
        Shape ``(window,)``.
    """

    def __init__(self, labels: Integers, probabilities: Floats) -> None:
        self._bins = np.empty(len(probabilities), dtype=np.int64)
        for i, group in enumerate(_groups(probabilities, N_BINS)):
            self._bins[group] = i
        self._probabilities = probabilities
        self._gap = probabilities - labels

    def error(self, weights: Floats) -> float:
        """With each window counted `weights` times, ``(window,)``."""
        gaps = np.bincount(self._bins, weights * self._gap, N_BINS)
        return float(np.abs(gaps).sum() / weights.sum())

    def relabelled(self, labels: Integers | NDArray[np.bool_]) -> float:
        """Of the same probabilities and bins with other labels, ``(window,)``."""
        gaps = np.bincount(self._bins, self._probabilities - labels, N_BINS)
        return float(np.abs(gaps).sum() / len(labels))


def calibration_error(
    labels: Integers,
    probabilities: Floats,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """The expected calibration error with its 95 % interval over resampled windows.

    The error of a resample is larger than that of the windows themselves, since it is an absolute
    difference: the interval leans upwards.
    """
    binned = BinnedError(labels, probabilities)
    draws = [binned.error(w) for w in resamples(labels, rng, n_resamples)]
    return estimate(binned.error(np.ones(len(labels))), np.array(draws))


def calibration_floor(
    probabilities: Floats, rng: np.random.Generator, n_draws: int = N_FLOOR
) -> Estimate:
    """The calibration error that these probabilities would have if they were exactly right.

    The error is an absolute difference of means over finite bins. So it is above zero for a
    perfect model too, and the more so the fewer the windows are. Labels are drawn anew from the
    probabilities (consistency resampling: Bröcker & Smith 2007, Weather and Forecasting 22:651).

    Parameters
    ----------
    probabilities : numpy.ndarray
        Shape ``(window,)``, in 0-1.
    rng : numpy.random.Generator
    n_draws : int
        How often labels are drawn.

    Returns
    -------
    Estimate
        The mean, and the 2.5 and 97.5 percentiles. A model whose error lies below the upper one
        cannot be told from a perfectly calibrated one on so many windows.
    """
    binned = BinnedError(np.zeros(len(probabilities), dtype=np.int8), probabilities)
    draws = np.array(
        [binned.relabelled(rng.random(len(probabilities)) < probabilities) for _ in range(n_draws)]
    )
    return estimate(float(draws.mean()), draws)
