"""deepbind: one layer of motif detectors (Alipanahi et al. 2015, Nat. Biotechnol. 33:831).

Their maximum and mean over the window go to one hidden layer. A baseline near scalenet's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from wavebind.core.settings import Settings
from wavebind.models.networks.dropout import Dropout
from wavebind.models.networks.layers import Layer, pooled_logits, sequence_channels
from wavebind.models.networks.segments import Segment, SegmentedNetwork

__all__ = ["DeepBind", "DeepBindConfig"]


@dataclass(frozen=True)
class DeepBindConfig(Settings):
    """Size and regularisation of the network after DeepBind.

    Attributes
    ----------
    width : int
        Motif detectors.
    kernel : int
        Positions that each reads.
    hidden : int
        Units of the hidden layer.
    dropout : float
        Before the hidden and the last layer.
    """

    width: Annotated[int, Field(ge=1)] = 512
    kernel: Annotated[int, Field(ge=1)] = 24
    hidden: Annotated[int, Field(ge=1)] = 256
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3


class DeepBind(SegmentedNetwork):
    """See the module's docstring.

    Parameters
    ----------
    config : DeepBindConfig
    shape : tuple of int
        ``(channel, 1, position)``.
    n_outputs : int
    """

    def __init__(
        self, config: DeepBindConfig, shape: tuple[int, int, int], n_outputs: int = 1
    ) -> None:
        super().__init__()
        channels = sequence_channels("deepbind", shape, 2)
        self.detectors = Layer(channels, config.width, config.kernel, 1, 0.0)
        self.hidden = nn.Linear(2 * config.width, config.hidden)
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(config.hidden, n_outputs)

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """The motif detectors."""
        return {"detectors": (self.detectors,)}

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        return pooled_logits(x, self.hidden, self.head, self.dropout)

    def segments(self) -> list[Segment]:
        """``detectors`` and ``head``."""
        return [
            Segment("detectors", self.detectors, (self.detectors,)),
            Segment("head", self._head, (self.hidden, self.head)),
        ]
