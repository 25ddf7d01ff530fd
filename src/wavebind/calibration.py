"""Logits to probabilities that mean what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.errors import InputError

__all__ = ["Calibration", "fit_calibration"]


@dataclass(frozen=True)
class Calibration:
    """A line through the logits (Platt 1999, Advances in Large Margin Classifiers, p. 61).

    Attributes
    ----------
    slope, intercept : float
        The probability is the logistic function of ``slope * logit + intercept``.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.slope < 1e6 and abs(self.intercept) < 1e6):
            raise InputError(
                f"a calibration has a positive slope and finite numbers; found {self.slope!r} and "
                f"{self.intercept!r}"
            )

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logistic function of the calibrated logits, without overflow; any shape."""
        return 0.5 * (1 + np.tanh(0.5 * (self.slope * logits + self.intercept)))


def fit_calibration(labels: NDArray[np.int8], logits: NDArray[np.float64]) -> Calibration:
    """The calibration that makes these labels most likely.

    Training sees fewer unbound windows than there are; this puts the proportion of the windows it
    is fitted on back. Targets are smoothed as Platt advises, so that separable classes have an
    answer. Logits that do not rise with the labels are left as they are.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape ``(window,)``: 1 = bound, 0 = unbound.
    logits : numpy.ndarray
        Shape ``(window,)``.
    """
    from scipy.optimize import minimize

    n_bound = int((labels == 1).sum())
    n_unbound = len(labels) - n_bound
    high, low = (n_bound + 1) / (n_bound + 2), 1 / (n_unbound + 2)
    wanted = np.where(labels == 1, high, low)
    # On a common scale, whatever the network's.
    centre, scale = float(np.median(logits)), float(np.std(logits)) or 1.0
    x = (logits - centre) / scale

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = line[0] * x + line[1]
        error = 0.5 * (1 + np.tanh(0.5 * z)) - wanted
        value = np.mean(np.logaddexp(0, z) - wanted * z)
        return float(value), np.array([np.mean(error * x), np.mean(error)])

    if not np.std(logits):
        return Calibration()
    slope, intercept = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    slope, intercept = slope / scale, intercept - slope * centre / scale
    if not (1e-6 < slope < 1e5 and abs(intercept) < 1e5):
        return Calibration()
    return Calibration(float(slope), float(intercept))
