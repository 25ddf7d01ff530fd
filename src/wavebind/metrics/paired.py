"""Models against each other on the same windows: metrics with intervals, and paired differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.metrics.binary import METRICS, Estimate, Ranked, estimate, resamples
from wavebind.metrics.platt import PlattScaling
from wavebind.metrics.reliability import BinnedError, calibration_floor

__all__ = ["ECE", "PairedResult", "Scores", "compare_paired"]

Floats = NDArray[np.float64]
N_RESAMPLES = 2000
#: Name of the expected calibration error among the metrics.
ECE = "calibration_error"


@dataclass(frozen=True)
class Scores:
    """Scores of one fitted model.

    Attributes
    ----------
    scores : numpy.ndarray
        Shape ``(window,)``, higher for bound.
    calibration : PlattScaling
        From scores to probabilities, fitted on valid.
    threshold : float
        Probability from which a window is called bound, chosen on valid.
    """

    scores: Floats
    calibration: PlattScaling
    threshold: float

    @property
    def probabilities(self) -> Floats:
        """Calibrated, shape ``(window,)``."""
        return self.calibration.probabilities(self.scores)

    @property
    def calls(self) -> NDArray[np.bool_]:
        """Which windows are called bound."""
        return self.probabilities >= self.threshold


@dataclass(frozen=True)
class PairedResult:
    """What one model scored, and how far the reference is above it.

    Attributes
    ----------
    metrics : dict
        :class:`Estimate` by the names of :data:`wavebind.metrics.binary.METRICS` and :data:`ECE`;
        the mean over the model's seeds, its interval over resampled windows.
    seeds : dict
        The same metrics of each seed alone, without intervals.
    behind : dict
        Reference minus this model, on the same resampled windows.
    floor : Estimate
        The calibration error that its probabilities would have if they were exactly right, the
        mean over the seeds. Its interval holds 95 % of what chance makes of that.
    """

    metrics: dict[str, Estimate]
    seeds: dict[str, list[float]]
    behind: dict[str, Estimate]
    floor: Estimate


def compare_paired(
    labels: NDArray[np.int8],
    models: Mapping[str, Sequence[Scores]],
    reference: str,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    progress: Callable[[int], None] | None = None,
) -> dict[str, PairedResult]:
    """Score models on the same windows, resampled together.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape ``(window,)``: 1 = bound, 0 = unbound.
    models : mapping
        :class:`Scores` of each seed, by name.
    reference : str
        The model that all are compared with.
    rng : numpy.random.Generator
    n_resamples : int
        Bootstrap resamples; every model sees the same ones (Efron & Tibshirani 1993, chapter 13).
    progress : callable, optional
        Called with 1 after each resample.

    Returns
    -------
    dict
        :class:`PairedResult` by name.

    Raises
    ------
    InputError
        If the reference is not among the models, scores are of other windows, or a class is
        missing.
    """
    if reference not in models:
        raise InputError(f"the reference {reference!r} is not among {', '.join(models)}")
    prepared = {
        name: [
            (Ranked(labels, s.probabilities), BinnedError(labels, s.probabilities), s.threshold)
            for s in seeds
        ]
        for name, seeds in models.items()
    }
    names = (*METRICS, ECE)

    def measure(weights: Floats) -> dict[str, list[list[float]]]:
        found = {}
        for name, seeds in prepared.items():
            rows = []
            for ranked, binned, threshold in seeds:
                metrics = ranked.metrics(weights, threshold)
                rows.append([*(metrics[m] for m in METRICS), binned.error(weights)])
            found[name] = rows
        return found

    points = measure(np.ones(len(labels)))
    draws: dict[str, list[Floats]] = {name: [] for name in models}
    for weights in resamples(labels, rng, n_resamples):
        for name, rows in measure(weights).items():
            draws[name].append(np.mean(rows, axis=0))
        if progress:
            progress(1)
    spread = {name: np.array(rows) for name, rows in draws.items()}
    centre = {name: np.mean(rows, axis=0) for name, rows in points.items()}
    # A stream of its own: resamples are those of the generator as it was given.
    floors = rng.spawn(1)[0]
    result = {}
    for name in models:
        gap = centre[reference] - centre[name]
        result[name] = PairedResult(
            {m: estimate(centre[name][j], spread[name][:, j]) for j, m in enumerate(names)},
            {m: [row[j] for row in points[name]] for j, m in enumerate(names)},
            {
                m: estimate(gap[j], spread[reference][:, j] - spread[name][:, j])
                for j, m in enumerate(names)
            },
            _floor(models[name], floors),
        )
    return result


def _floor(seeds: Sequence[Scores], rng: np.random.Generator) -> Estimate:
    """The floor of the calibration error, its numbers averaged over the seeds."""
    found = [calibration_floor(s.probabilities, rng) for s in seeds]
    return Estimate(*(float(x) for x in np.mean([(f.value, f.low, f.high) for f in found], 0)))
