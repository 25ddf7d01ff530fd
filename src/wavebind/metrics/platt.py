"""Logits to probabilities that mean what they say, and of a regression to values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from wavebind.core.errors import InputError

__all__ = ["PlattScaling", "fit_calibration", "fit_line", "fit_softmax"]


@dataclass(frozen=True)
class PlattScaling:
    """A line through the logits (Platt 1999, Advances in Large Margin Classifiers, p. 61).

    Attributes
    ----------
    slope, intercept : float
        The probability is the logistic function of ``slope * logit + intercept``.
    prevalence : float or None
        Fraction of bound windows that the line was fitted to, which its probabilities are for.
    link : {"logistic", "identity"}
        With ``identity`` the line itself is what is predicted. Wherever a probability is spoken
        of, it is then a number in the unit of the training values.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    slope: float = 1.0
    intercept: float = 0.0
    prevalence: float | None = None
    link: Literal["logistic", "identity"] = "logistic"

    def __post_init__(self) -> None:
        limit = 1e6 if self.link == "logistic" else math.inf
        if not (0 < self.slope < limit and abs(self.intercept) < limit):
            raise InputError(
                f"a calibration has a positive slope and finite numbers; found {self.slope!r} and "
                f"{self.intercept!r}"
            )

        if self.prevalence is not None and not 0 < self.prevalence < 1:
            raise InputError(
                f"a prevalence lies between 0 and 1, both excluded; found {self.prevalence!r}"
            )

    def at_prevalence(self, prevalence: float) -> PlattScaling:
        """The calibration where another fraction of the windows is bound.

        The odds are multiplied by the ratio of the prior odds (Saerens, Latinne & Decaestecker
        2002, Neural Comput. 14:21): right where bound windows look like the bound ones that the
        line was fitted to, and unbound ones like the unbound ones.

        Parameters
        ----------
        prevalence : float
            Between 0 and 1.

        Raises
        ------
        InputError
            If it does not lie there, or it is not known what the line was fitted to.
        """
        if self.link == "identity":
            raise InputError("the model predicts numbers, which have no prevalence; leave it out")
        if self.prevalence is None:
            raise InputError(
                "the model does not say which fraction of its windows was bound; train it again "
                "with this version, or leave the prevalence out"
            )
        if not 0 < prevalence < 1:
            raise InputError(
                f"a prevalence lies between 0 and 1, both excluded; found {prevalence!r}"
            )
        shift = _log_odds(prevalence) - _log_odds(self.prevalence)
        return PlattScaling(self.slope, self.intercept + shift, prevalence)

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logistic function of the calibrated logits, without overflow; any shape."""
        if self.link == "identity":
            return np.asarray(self.slope * logits + self.intercept)
        return np.asarray(expit(self.slope * logits + self.intercept))

    def logits(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """The logits that these probabilities are of; 0 and 1 are those of the ends of float64."""
        if self.link == "identity":
            return np.asarray((probabilities - self.intercept) / self.slope)
        limit = np.finfo(np.float64).eps
        p = np.clip(probabilities, limit, 1 - limit)
        return np.asarray((np.log(p) - np.log1p(-p) - self.intercept) / self.slope)


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))


def fit_calibration(labels: NDArray[np.int8], logits: NDArray[np.float64]) -> PlattScaling:
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
        error = expit(z) - wanted
        value = np.mean(np.logaddexp(0, z) - wanted * z)
        return float(value), np.array([np.mean(error * x), np.mean(error)])

    if not np.std(logits) or not n_bound or not n_unbound:
        return PlattScaling()
    slope, intercept = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    slope, intercept = slope / scale, intercept - slope * centre / scale
    if not (1e-6 < slope < 1e5 and abs(intercept) < 1e5):
        return PlattScaling()
    return PlattScaling(float(slope), float(intercept), n_bound / len(labels))


def fit_softmax(
    classes: NDArray[np.int64], logits: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """One scale for all classes, and a bias for each, that make the classes most likely.

    Temperature scaling (Guo et al. 2017, ICML, PMLR 70:1321) with biases, which put the proportions
    of the classes back. The probabilities of a window are then ``softmax(scale * logits + bias)``.

    Parameters
    ----------
    classes : numpy.ndarray
        ``int64``, shape ``(window,)``: the class of each, from 0.
    logits : numpy.ndarray
        ``float64``, shape ``(window, class)``.

    Returns
    -------
    tuple of float and numpy.ndarray
        The scale, above 0, and the biases, shape ``(class,)``.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax, softmax

    n = logits.shape[1]
    own = np.eye(n)[classes]

    def loss(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scale, bias = float(np.exp(x[0])), x[1:]
        z = scale * logits + bias
        error = (softmax(z, axis=1) - own) / len(z)
        # A class that is not there would have a bias without end.
        value = -float((own * log_softmax(z, axis=1)).sum() / len(z)) + 1e-4 * float(x @ x)
        slope = np.r_[scale * (error * logits).sum(), error.sum(axis=0)] + 2e-4 * x
        return value, slope

    found = minimize(loss, np.zeros(n + 1), jac=True, method="L-BFGS-B").x
    return float(np.exp(found[0])), found[1:]


def fit_line(
    values: NDArray[np.float64], scores: NDArray[np.float64], start: PlattScaling
) -> PlattScaling:
    """The line from a regression's scores to values, by least squares.

    Parameters
    ----------
    values, scores : numpy.ndarray
        Shape ``(window,)``.
    start : PlattScaling
        The line that training used; taken where the scores do not rise with the values.
    """
    spread = float(np.var(scores))
    slope = float(np.mean((scores - scores.mean()) * (values - values.mean()))) / (spread or 1.0)
    if not spread or not 1e-3 * start.slope < slope < math.inf:
        return start
    intercept = float(values.mean() - slope * scores.mean())
    return PlattScaling(slope, intercept, link="identity")
