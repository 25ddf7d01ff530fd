"""Closed-form wavelet filters in the frequency domain.

Angular frequencies are in radians a base pair, periods in base pairs. A sinusoid of period ``p``
has the angular frequency ``2 pi / p``. Two bases (``pi``) is the shortest period there is.

References
----------
- Generalised Morse: Olhede & Walden 2002, IEEE Trans. Signal Process. 50:2661; notation and peak
  frequency of Lilly & Olhede 2009, IEEE Trans. Signal Process. 57:146.
- Morlet and derivative of Gaussian: Torrence & Compo 1998, Bull. Am. Meteorol. Soc. 79:61.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError

__all__ = [
    "Wavelet",
    "filter_bank",
    "frequency_periods",
    "frequency_response",
    "log_periods",
    "peak_frequency",
    "time_spread",
]

Kind = Literal["morse", "morlet", "dog"]
Norm = Literal["l1", "l2"]


@dataclass(frozen=True)
class Wavelet:
    """A mother wavelet and its parameters.

    Attributes
    ----------
    kind : {"morse", "morlet", "dog"}
        Generalised Morse, analytic Morlet, or derivative of Gaussian.
    gamma, beta : float
        Symmetry and order of the Morse wavelet. A larger `beta` means more oscillations: finer in
        period, coarser in position. (3, 60) is what the published recipe uses.
    mu : float
        Centre frequency of the Morlet wavelet in radians.
    order : int
        Order of the derivative of Gaussian; 2 is the Mexican hat.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    kind: Kind = "morse"
    gamma: float = 3.0
    beta: float = 60.0
    mu: float = 6.0
    order: int = 2

    def __post_init__(self) -> None:
        if self.kind not in ("morse", "morlet", "dog"):
            raise InputError(
                f"wavelet {self.kind!r} is not known; choose one of: morse, morlet, dog"
            )
        for name, value in (("gamma", self.gamma), ("beta", self.beta), ("mu", self.mu)):
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"wavelet {name} must be a positive number; found {value!r}")
        if self.kind == "morlet" and self.mu < 4:
            raise InputError(
                f"morlet mu must be at least 4, below which its peak is no longer where the "
                f"period says; found {self.mu!r}"
            )
        if self.order < 1:
            raise InputError(f"derivative of Gaussian order must be 1 or more; found {self.order}")

    @property
    def analytic(self) -> bool:
        """Whether the wavelet has no negative frequencies, hence complex coefficients."""
        return self.kind != "dog"

    @property
    def words(self) -> str:
        """What it is called below a picture."""
        if self.kind == "morse":
            return f"Morse wavelet ({self.gamma:g}, {self.beta:g})"
        if self.kind == "morlet":
            return f"Morlet wavelet ({self.mu:g})"
        return f"derivative of Gaussian ({self.order})"


def peak_frequency(wavelet: Wavelet) -> float:
    """Angular frequency (radians) at which the mother wavelet's response is largest.

    Morse: ``(beta / gamma) ** (1 / gamma)`` (Lilly & Olhede 2009). Derivative of Gaussian:
    ``sqrt(order)``. Morlet: the root of the derivative of its response, found by Newton's method
    from `mu`. It differs from that by less than 1e-3 at ``mu = 4`` and 1e-7 at 6.
    """
    if wavelet.kind == "morse":
        return float((wavelet.beta / wavelet.gamma) ** (1 / wavelet.gamma))
    if wavelet.kind == "dog":
        return math.sqrt(wavelet.order)
    mu = wavelet.mu
    omega = mu
    for _ in range(50):
        # d/dw of exp(-(w-mu)^2/2) - exp(-mu^2/2) exp(-w^2/2), times exp((w-mu)^2/2)
        tail = math.exp(-mu * omega)
        slope = -(omega - mu) + omega * tail
        omega -= slope / (-1 + tail - mu * omega * tail)
    return omega


def frequency_response(wavelet: Wavelet, omega: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Fourier transform of the mother wavelet.

    Parameters
    ----------
    wavelet : Wavelet
    omega : numpy.ndarray
        Angular frequencies in radians, any shape.

    Returns
    -------
    numpy.ndarray
        Complex, the shape of `omega`. The largest modulus is 2 for an analytic wavelet, so that
        the modulus of a coefficient is the amplitude of a sinusoid. It is 1 for the derivative of
        Gaussian, which sees both halves of the spectrum.
    """
    omega = np.asarray(omega, dtype=np.float64)
    positive = omega > 0
    safe = np.where(positive, omega, 1.0)
    peak = peak_frequency(wavelet)
    if wavelet.kind == "morse":
        # The logarithm keeps omega ** beta within range for any beta.
        gamma, beta = wavelet.gamma, wavelet.beta
        exponent = beta * np.log(safe) - safe**gamma - beta * math.log(peak) + peak**gamma
        return np.where(positive, 2 * np.exp(exponent), 0.0).astype(np.complex128)
    if wavelet.kind == "morlet":
        mu = wavelet.mu

        def raw(w: NDArray[np.float64]) -> NDArray[np.float64]:
            # The second term makes the mean zero (Torrence & Compo, note 2).
            gauss: NDArray[np.float64] = np.exp(-0.5 * (w - mu) ** 2)
            return gauss - np.exp(-0.5 * (w**2 + mu**2))

        top = float(raw(np.array([peak]))[0])
        return np.where(positive, 2 * raw(omega) / top, 0.0).astype(np.complex128)
    order = wavelet.order
    # (-1) * (i w)^m exp(-w^2/2): the sign that makes order 2 a hat and not a bowl.
    size = np.abs(omega) ** order * np.exp(-0.5 * omega**2)
    size /= peak**order * math.exp(-0.5 * peak**2)
    return size * -((1j * np.sign(omega)) ** order)


def time_spread(wavelet: Wavelet) -> float:
    """Standard deviation of the mother wavelet's energy in time, in periods.

    From the Gaussian that matches the curvature of the response at its peak. For Morse that is
    ``sqrt(beta * gamma) / (2 pi) / sqrt(2)`` (Lilly & Olhede 2009: the duration is ``sqrt(beta *
    gamma)``). The edges of a window reach about two such spreads inwards.
    """
    if wavelet.kind == "morse":
        duration = math.sqrt(wavelet.beta * wavelet.gamma)
    elif wavelet.kind == "morlet":
        duration = wavelet.mu
    else:
        duration = math.sqrt(2.0) * math.sqrt(wavelet.order)
    return duration / (2 * math.pi) / math.sqrt(2.0)


def log_periods(min_period: float, max_period: float, n: int) -> NDArray[np.float64]:
    """Periods spaced evenly in logarithm, finest first.

    Parameters
    ----------
    min_period, max_period : float
        First and last period in base pairs.
    n : int
        How many.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(n,)``, in base pairs.

    Raises
    ------
    InputError
        If a period is below 2 bp, the range is empty, or `n` is not positive.
    """
    if not min_period >= 2:
        raise InputError(
            f"the shortest period must be 2 bp or more, the limit of sampling by bases; "
            f"found {min_period:g}"
        )
    if n < 1:
        raise InputError(f"the number of scales must be 1 or more; found {n}")
    if not max_period >= min_period or (n > 1 and max_period == min_period):
        raise InputError(
            f"the longest period ({max_period:g} bp) must exceed the shortest ({min_period:g} bp)"
        )
    return np.geomspace(min_period, max_period, n)


def frequency_periods(min_period: float, max_period: float, n: int) -> NDArray[np.float64]:
    """Periods whose frequencies are spaced evenly, finest first.

    Of wavelets of one energy, evenly spaced frequencies give white noise the same power at every
    frequency. Evenly spaced logarithms give low frequencies more, as 1 / f.

    Parameters
    ----------
    min_period, max_period : float
        First and last period in base pairs.
    n : int
        How many.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(n,)``, in base pairs.

    Raises
    ------
    InputError
        As :func:`log_periods`.
    """
    ends = log_periods(min_period, max_period, n)
    periods = 1 / np.linspace(1 / min_period, 1 / max_period, n)
    # To the last bit, whatever the divisions did.
    periods[0], periods[-1] = ends[0], ends[-1]
    return periods


def filter_bank(
    wavelet: Wavelet,
    periods: NDArray[np.float64],
    n: int,
    norm: Norm = "l1",
    *,
    derivative: bool = False,
) -> NDArray[np.complex128]:
    """The wavelet's response at each period, on the bins of a discrete Fourier transform.

    Parameters
    ----------
    wavelet : Wavelet
    periods : numpy.ndarray
        Shape ``(scale,)``, base pairs.
    n : int
        Length of the transform in base pairs.
    norm : {"l1", "l2"}
        ``"l1"``: every filter peaks at the same height, so a sinusoid gives the same modulus at
        every scale. ``"l2"``: every filter has the same energy (1 in time), so white noise gives
        the same variance at every scale.
    derivative : bool
        The response of the transform's derivative along the positions (per base pair) instead.

    Returns
    -------
    numpy.ndarray
        ``complex128``, shape ``(scale, n)``, in the order of ``numpy.fft.fftfreq``. The Nyquist
        bin of an even `n` belongs to both signs of the frequency: an analytic wavelet keeps half
        of it (Marple 1999, IEEE Trans. Signal Process. 47:2600), a real one its real part.
    """
    if norm not in ("l1", "l2"):
        raise InputError(f"norm {norm!r} is not known; choose l1 or l2")
    bins = np.arange(n)
    omega = 2 * np.pi * np.where(bins <= n // 2, bins, bins - n) / n
    # scale * omega is the peak frequency where omega is that of the period.
    scales = peak_frequency(wavelet) * np.asarray(periods, dtype=np.float64) / (2 * np.pi)
    bank = frequency_response(wavelet, scales[:, None] * omega)
    if n % 2 == 0:
        nyquist = bank[:, n // 2]
        bank[:, n // 2] = nyquist / 2 if wavelet.analytic else nyquist.real
    if norm == "l2":
        energy = np.sqrt((np.abs(bank) ** 2).mean(axis=1, keepdims=True))
        bank = bank / energy
    return bank * (1j * omega) if derivative else bank
