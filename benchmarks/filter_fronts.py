"""Filters in place of the wavelets: what stands before a network in benchmarks/fronts.py.

- ``learned-wavelets``: Morse wavelets whose gamma, betas and periods are trained, beginning with
  those of the configuration.
- ``learned-filters``: as many filters of the same reach, random at first, every number trained.
- ``random-filters``: the same, left as they were drawn.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wavebind.core.errors import InputError
from wavebind.wavelets.filters import time_spread
from wavebind.wavelets.fronts import Front
from wavebind.wavelets.scalograms import ScalogramConfig, select_outputs

#: Trained parameters stay positive: their logarithms are kept, within these bounds.
_GAMMA = (0.5, 12.0)
_BETA = (0.5, 200.0)


class KernelFront(Front):
    """Convolutions with one complex filter a scale, the same for every channel.

    A filter is given at every lag between two bases of a window, so that its place in the window
    makes a matrix of it, and the whole front is one product.
    """

    def __init__(self, config: ScalogramConfig, length: int) -> None:
        super().__init__(config, length)
        if config.padding != "zero":
            raise InputError(
                f"filters other than fixed wavelets see zeros beyond the edges; padding "
                f"{config.padding!r} is for the front 'wavelets'"
            )
        self.periods = config.periods(length)
        self.positions = math.ceil(length / config.stride)

    @property
    def shape(self) -> tuple[int, int, int]:
        """As of a scalogram."""
        return self.config.channels, len(self.periods), self.positions

    @property
    def is_linear(self) -> bool:
        """Real and imaginary parts are."""
        return set(self.config.outputs) <= {"real", "imag"}

    @abstractmethod
    def kernels(self) -> torch.Tensor:
        """Filters ``(part, scale, lag)``, lags from ``1 - length`` to ``length - 1``."""

    def operator(self) -> torch.Tensor:
        """The front as a matrix, ``(length, part * scale * position)``."""
        # Row t of the unfolded filters holds lags t * stride - u for bases u, from the last one on.
        rows = self.kernels().unfold(-1, self.length, self.config.stride).flip(-1)
        return rows.flatten(0, 2).T

    def from_signals(self, signals: torch.Tensor) -> torch.Tensor:
        """Planes as :class:`Scalogram` gives them."""
        batch, channels, length = signals.shape
        flat = signals.reshape(batch * channels, length) @ self.operator()
        parts = flat.view(batch, channels, 2, len(self.periods), self.positions)
        return select_outputs(parts, self.config.outputs)


class LearnedWavelets(KernelFront):
    """Morse wavelets whose parameters are trained.

    Parameters
    ----------
    config : ScalogramConfig
        Its wavelet, of kind ``morse``, and its periods are where training begins.
    length : int
    """

    cosines: torch.Tensor
    sines: torch.Tensor
    omega: torch.Tensor

    def __init__(self, config: ScalogramConfig, length: int) -> None:
        super().__init__(config, length)
        if config.wavelet.kind != "morse":
            raise InputError(
                f"learned wavelets are Morse wavelets; found {config.wavelet.kind!r}, use the "
                f"front 'wavelets' for it"
            )
        n = len(self.periods)
        self.log_gamma = nn.Parameter(torch.tensor(math.log(config.wavelet.gamma)))
        self.log_beta = nn.Parameter(torch.full((n,), math.log(config.wavelet.beta)))
        self.log_period = nn.Parameter(torch.from_numpy(np.log(self.periods)).float())
        # Room enough that no filter wraps around within a window.
        size = 1 << (4 * length - 1).bit_length()
        omega = 2 * np.pi * np.arange(1, size // 2 + 1) / size
        phase = np.outer(omega, np.arange(1 - length, length)) % (2 * np.pi)
        # Half of the Nyquist bin, as in the fixed transform.
        weight = np.where(np.arange(1, size // 2 + 1) == size // 2, 0.5, 1.0)[:, None] / size
        for name, values in (
            ("omega", omega),
            ("cosines", weight * np.cos(phase)),
            ("sines", weight * np.sin(phase)),
        ):
            self.register_buffer(name, torch.from_numpy(values).float(), persistent=False)
        self._size = size

    def parameters_now(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Gamma, betas ``(scale,)`` and periods ``(scale,)`` in base pairs, within their bounds."""
        gamma = self.log_gamma.clamp(*map(math.log, _GAMMA)).exp()
        beta = self.log_beta.clamp(*map(math.log, _BETA)).exp()
        period = self.log_period.clamp(math.log(2.0), math.log(2.0 * self.length)).exp()
        return gamma, beta, period

    def kernels(self) -> torch.Tensor:
        """See :func:`wavebind.wavelets.filters.frequency_response` for the formula."""
        with torch.autocast(self.omega.device.type, enabled=False):
            gamma, beta, period = self.parameters_now()
            log_peak = (beta.log() - gamma.log()) / gamma
            log_w = (self.omega / (2 * math.pi)).log() + (period.log() + log_peak)[:, None]
            # At the peak the response is 2.
            shape = beta[:, None] * (log_w - log_peak[:, None]) - (gamma * log_w).exp()
            response = 2 * (shape + (gamma * log_peak).exp()[:, None]).exp()
            if self.config.norm == "l2":
                squares = response.square()
                # The Nyquist bin, the last one, counts half, hence its square a quarter.
                total = squares.sum(1) - 0.75 * squares[:, -1]
                response = response / (total / self._size).sqrt()[:, None]
            return torch.stack([response @ self.cosines, response @ self.sines])


class Filters(KernelFront):
    """Filters of the reach of the wavelets that they replace, random at first.

    White noise under the envelope of each scale's wavelet, in energy as long as it
    (:func:`wavebind.wavelets.filters.time_spread`), scaled to an energy of 1. The envelope is
    fixed; what is trained is what lies under it.

    Parameters
    ----------
    config : ScalogramConfig
    length : int
    trained : bool
    """

    noise: torch.Tensor
    envelope: torch.Tensor

    def __init__(self, config: ScalogramConfig, length: int, *, trained: bool) -> None:
        super().__init__(config, length)
        lags = np.arange(1 - length, length)
        # Filters shorter than three bases could not tell two apart.
        spread = np.maximum(time_spread(config.wavelet) * self.periods, 0.75)[:, None]
        envelope: NDArray[np.float64] = np.exp(-0.25 * (lags / spread) ** 2)
        envelope[envelope < 1e-3] = 0.0
        noise = torch.randn(2, len(self.periods), len(lags))
        energy = (noise.double() * torch.from_numpy(envelope)).square().sum((0, 2)).sqrt()
        noise = (noise / energy[:, None]).float()
        if trained:
            self.noise = nn.Parameter(noise)
        else:
            self.register_buffer("noise", noise)
        self.register_buffer("envelope", torch.from_numpy(envelope).float(), persistent=False)

    def kernels(self) -> torch.Tensor:
        """Noise under its envelope."""
        return self.noise * self.envelope


#: By name, for :data:`wavebind.wavelets.fronts.FRONTS`.
FILTER_FRONTS: dict[str, Callable[[ScalogramConfig, int], Front]] = {
    "learned-wavelets": LearnedWavelets,
    "learned-filters": partial(Filters, trained=True),
    "random-filters": partial(Filters, trained=False),
}
