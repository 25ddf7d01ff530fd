"""Synchrosqueezing: coefficients moved to the period at which their phase really turns.

Daubechies, Lu & Wu 2011, Appl. Comput. Harmon. Anal. 30:243; the discrete form is that of Thakur et
al. 2013, Signal Process. 93:1079. It sharpens a scalogram along the scales and keeps what is needed
to put the signal together again.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wavebind.core.errors import InputError
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig
from wavebind.wavelets.transforms import make_transform

__all__ = ["Synchrosqueezed", "instantaneous_frequency", "squeeze", "squeezed_picture"]

#: A coefficient below this has no phase worth the name: ten roundings of float32 at one.
THRESHOLD = 10 * 1.1920929e-07


def instantaneous_frequency(
    coefficients: torch.Tensor, derivatives: torch.Tensor, threshold: float = THRESHOLD
) -> torch.Tensor:
    """Cycles a base pair at which the phase of each coefficient turns.

    Parameters
    ----------
    coefficients, derivatives : torch.Tensor
        Complex, of one shape: the transform, and its derivative along the positions.
    threshold : float
        Below this modulus there is no frequency.

    Returns
    -------
    torch.Tensor
        Real, the same shape; infinite where there is none.
    """
    strong = coefficients.abs() >= threshold
    safe = torch.where(strong, coefficients, torch.ones_like(coefficients))
    frequency = (derivatives / safe).imag.abs() / (2 * math.pi)
    return torch.where(strong, frequency, torch.full_like(frequency, math.inf))


def squeeze(
    coefficients: torch.Tensor, frequency: torch.Tensor, periods: NDArray[np.float64]
) -> torch.Tensor:
    """Add every coefficient to the scale whose period its phase turns at.

    Parameters
    ----------
    coefficients : torch.Tensor
        Complex, shape ``(..., scale, position)``, l1-normalised.
    frequency : torch.Tensor
        From :func:`instantaneous_frequency`, the same shape.
    periods : numpy.ndarray
        Shape ``(scale,)``, base pairs, spaced evenly in logarithm, finest first.

    Returns
    -------
    torch.Tensor
        Complex, the shape of `coefficients`. What turns faster than the finest period, or slower
        than the coarsest, is added to that one; what has no frequency is left out.
    """
    step = math.log(periods[1] / periods[0])
    place = -(frequency.double().log() + math.log(periods[0])) / step
    usable = torch.isfinite(frequency)
    place = torch.where(usable, place, torch.zeros_like(place))
    index = place.nan_to_num(neginf=0.0, posinf=float(len(periods))).round()
    index = index.clamp(0, len(periods) - 1).long()
    moved = torch.where(usable, coefficients, torch.zeros_like(coefficients)) * step
    target = torch.zeros_like(moved)
    return target.scatter_add(-2, index, moved)


def squeezed_picture(config: ScalogramConfig, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Modulus after synchrosqueezing, for people to look at.

    Parameters
    ----------
    config : ScalogramConfig
        Its norm, outputs and stride are passed over.
    codes : numpy.ndarray
        ``uint8``, shape ``(position,)``.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(scale, position)``; the powers of all signal channels are added.
    """
    module = Synchrosqueezed(replace(config, norm="l1", stride=1), len(codes))
    with torch.inference_mode():
        out = module(torch.from_numpy(np.ascontiguousarray(codes))[None])[0]
    return np.asarray(out.abs().square().sum(dim=0).sqrt().double())


class Synchrosqueezed(nn.Module):
    """Codes to synchrosqueezed coefficients, a batch at a time.

    Parameters
    ----------
    config : ScalogramConfig
        The wavelet must be analytic, the norm ``l1`` and the periods two or more, spaced by
        octaves; its outputs are passed over.
    length : int
        Window length in base pairs.
    device : str
        See :class:`wavebind.wavelets.scalograms.Scalogram`.

    Raises
    ------
    InputError
        If the configuration is not as above.
    """

    def __init__(self, config: ScalogramConfig, length: int, device: str = "cpu") -> None:
        super().__init__()
        self.periods = config.periods(length)
        if not config.wavelet.analytic:
            raise InputError(
                f"synchrosqueezing needs an analytic wavelet (morse or morlet); found "
                f"{config.wavelet.kind}"
            )
        if config.norm != "l1" or len(self.periods) < 2:
            raise InputError(
                f"synchrosqueezing needs the norm l1 and two or more scales; found "
                f"{config.norm} and {len(self.periods)}"
            )
        if config.spacing != "octaves":
            raise InputError(
                "synchrosqueezing adds up periods that are spaced evenly in logarithm; found "
                "evenly spaced frequencies, use the spacing octaves"
            )
        self.scalogram = Scalogram(config, length, device)
        self.derivatives = make_transform(
            self.scalogram.method,
            config.wavelet,
            self.periods,
            length,
            config.norm,
            config.stride,
            config.padding,
            derivative=True,
        )

    def transform(self, signals: torch.Tensor) -> torch.Tensor:
        """Signals ``(batch, channel, position)`` to ``(batch, channel, scale, position)``."""
        with torch.autocast(signals.device.type, enabled=False):
            w, d = self.scalogram.transform(signals), self.derivatives(signals)
        w = torch.complex(w[:, :, 0], w[:, :, 1])
        d = torch.complex(d[:, :, 0], d[:, :, 1])
        return squeeze(w, instantaneous_frequency(w, d), self.periods)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes ``(batch, position)`` to ``(batch, channel, scale, position)``, complex."""
        return self.transform(self.scalogram.signals(codes))
