"""A linear front and the first segment of a network as one convolution of the signals.

The transform, the scale of the input and the stem are one affine map that is the same at every
position. As one convolution it writes no planes of coefficients, which took more than half of the
time of a stretch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

__all__ = ["ComposedStem", "LinearFront", "compose"]


@dataclass(frozen=True, eq=False)
class LinearFront:
    """What comes before a network, where it is affine and the same at every position.

    Attributes
    ----------
    channels, length : int
        Of the signals of a window.
    planes : callable
        From signals ``(batch, channel, position)`` of any length, ``float32`` on the CPU, to the
        planes ``(batch, plane, scale, position)`` that the network reads.
    """

    channels: int
    length: int
    planes: Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class ComposedStem:
    """Front and stem as one convolution.

    Attributes
    ----------
    weight : torch.Tensor
        ``float32``, shape ``(band, map, channel, reach)``.
    bias : torch.Tensor
        ``float32``, shape ``(band, map)``.
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def to(self, device: torch.device) -> ComposedStem:
        """The same on a device."""
        return ComposedStem(self.weight.to(device), self.bias.to(device))

    def run(self, signals: torch.Tensor) -> torch.Tensor:
        """Signals ``(batch, channel, position)`` to the stem's ``(batch, map, band, position)``.

        Positions are fewer by the reach less one; both are ``float32``.
        """
        maps = functional.conv1d(signals, self.weight.flatten(0, 1), self.bias.flatten())
        split = maps.view(len(maps), *self.weight.shape[:2], maps.shape[-1])
        return split.transpose(1, 2)


@torch.no_grad()
def compose(front: LinearFront, stem: Callable[[torch.Tensor], torch.Tensor]) -> ComposedStem:
    """The convolution, read off what comes of an impulse in each channel.

    Parameters
    ----------
    front : LinearFront
    stem : callable
        From planes to ``(batch, map, band, position)``, on the CPU.
    """

    def run(signals: torch.Tensor) -> torch.Tensor:
        return stem(front.planes(signals))

    n_positions = run(torch.zeros(1, front.channels, front.length)).shape[-1]
    reach = front.length - n_positions + 1
    # So long that an impulse in the middle reaches every position of the output.
    bias = run(torch.zeros(1, front.channels, 2 * reach - 1))[0, ..., 0]
    impulses = torch.zeros(front.channels, front.channels, 2 * reach - 1)
    impulses[..., reach - 1] = torch.eye(front.channels)
    # The output at a position reads the signals from there on: the last tap comes first.
    taps = run(impulses).flip(-1) - bias[..., None]
    return ComposedStem(taps.permute(2, 1, 0, 3).contiguous(), bias.t().contiguous())
