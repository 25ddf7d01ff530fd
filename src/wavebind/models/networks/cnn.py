"""cnn: convolutions and maxima in turn (after Basset: Kelley et al. 2016, Genome Res. 26:990).

A network on the encoded sequence, without a transform: a baseline, at a size near scalenet's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from wavebind.core.errors import InputError
from wavebind.core.settings import Settings
from wavebind.models.networks.dropout import Dropout
from wavebind.models.networks.layers import Layer, pooled_logits, sequence_channels
from wavebind.models.networks.segments import Segment, SegmentedNetwork

__all__ = ["CNN", "CNNConfig"]


@dataclass(frozen=True)
class CNNConfig(Settings):
    """Size and regularisation of the convolutional network.

    Attributes
    ----------
    widths : tuple of int
        Feature maps of each layer.
    kernels : tuple of int
        Positions that each layer reads.
    pools : tuple of int
        Neighbouring positions joined by their maximum after each layer.
    hidden : int
        Units of the hidden layer.
    dropout : float
        After each layer.
    head_dropout : float
        Before the hidden and the last layer.
    """

    widths: tuple[int, ...] = (128, 128, 160)
    kernels: tuple[int, ...] = (15, 7, 5)
    pools: tuple[int, ...] = (2, 2, 2)
    hidden: Annotated[int, Field(ge=1)] = 128
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    head_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not len(self.widths) == len(self.kernels) == len(self.pools) > 0:
            raise InputError(
                f"widths, kernels and pools must have one entry a layer each; found "
                f"{len(self.widths)}, {len(self.kernels)} and {len(self.pools)}"
            )
        for name in ("widths", "kernels", "pools"):
            if min(getattr(self, name)) < 1:
                raise InputError(f"{name} must be 1 or more; found {getattr(self, name)}")


class CNN(SegmentedNetwork):
    """See the module's docstring.

    Parameters
    ----------
    config : CNNConfig
    shape : tuple of int
        ``(channel, 1, position)``.
    n_outputs : int
    """

    def __init__(self, config: CNNConfig, shape: tuple[int, int, int], n_outputs: int = 1) -> None:
        super().__init__()
        least = 1
        for pool in config.pools:
            least *= pool
        channels = sequence_channels("cnn", shape, 2 * least)
        inputs = (channels, *config.widths)
        self.layers = nn.ModuleList(
            Layer(inputs[i], config.widths[i], config.kernels[i], config.pools[i], config.dropout)
            for i in range(len(config.widths))
        )
        self.hidden = nn.Linear(2 * config.widths[-1], config.hidden)
        self.head_dropout = Dropout(config.head_dropout)
        self.head = nn.Linear(config.hidden, n_outputs)

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """Each layer, by its name."""
        return {f"layer{i}": (layer,) for i, layer in enumerate(self.layers, 1)}

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        return pooled_logits(x, self.hidden, self.head, self.head_dropout)

    def segments(self) -> list[Segment]:
        """``layer1`` and on, and ``head``."""
        layers = [Segment(f"layer{i}", layer, (layer,)) for i, layer in enumerate(self.layers, 1)]
        return [*layers, Segment("head", self._head, (self.hidden, self.head))]
