"""danq: motif detectors read by a bidirectional LSTM.

Quang & Xie 2016, Nucleic Acids Res. 44:e107. A baseline, at a size near scalenet's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from wavebind.core.settings import Settings
from wavebind.models.networks.dropout import Dropout
from wavebind.models.networks.layers import Layer, sequence_channels
from wavebind.models.networks.segments import Segment, SegmentedNetwork

__all__ = ["DanQ", "DanQConfig"]


@dataclass(frozen=True)
class DanQConfig(Settings):
    """Size and regularisation of the network after DanQ.

    Attributes
    ----------
    width : int
        Motif detectors.
    kernel : int
        Positions that each reads.
    pool : int
        Neighbouring positions joined by their maximum.
    lstm : int
        Units of the LSTM in each direction.
    hidden : int
        Units of the hidden layer.
    dropout : float
        After the detectors and after the LSTM.
    """

    width: Annotated[int, Field(ge=1)] = 96
    kernel: Annotated[int, Field(ge=1)] = 26
    pool: Annotated[int, Field(ge=1)] = 13
    lstm: Annotated[int, Field(ge=1)] = 96
    hidden: Annotated[int, Field(ge=1)] = 64
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3


class DanQ(SegmentedNetwork):
    """See the module's docstring.

    Parameters
    ----------
    config : DanQConfig
    shape : tuple of int
        ``(channel, 1, position)``.
    n_outputs : int
    """

    def __init__(self, config: DanQConfig, shape: tuple[int, int, int], n_outputs: int = 1) -> None:
        super().__init__()
        channels = sequence_channels("danq", shape, 2 * config.pool)
        self.detectors = Layer(channels, config.width, config.kernel, config.pool, config.dropout)
        with torch.no_grad():
            # An even filter gives one position more than it reads.
            steps = self.detectors(torch.zeros(1, channels, 1, shape[2])).shape[3]
        self.lstm = nn.LSTM(config.width, config.lstm, bidirectional=True, batch_first=True)
        self.dropout = Dropout(config.dropout)
        self.hidden = nn.Linear(2 * config.lstm * steps, config.hidden)
        self.head = nn.Linear(config.hidden, n_outputs)

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """The motif detectors."""
        return {"detectors": (self.detectors,)}

    def _lstm(self, x: torch.Tensor) -> torch.Tensor:
        # A recurrence adds its rounding up: it is computed in float32.
        # cuDNN gives no gradients outside of training, which explanations ask for.
        plain = torch.is_grad_enabled() and not self.training
        with (
            torch.autocast(x.device.type, enabled=False),
            torch.backends.cudnn.flags(enabled=not plain),
        ):
            steps: torch.Tensor = self.lstm(x.float().squeeze(2).transpose(1, 2).contiguous())[0]
        return steps

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        hidden = functional.relu(self.hidden(self.dropout(x).flatten(1)))
        logits: torch.Tensor = self.head(hidden)
        return logits

    def segments(self) -> list[Segment]:
        """``detectors``, ``lstm`` and ``head``."""
        return [
            Segment("detectors", self.detectors, (self.detectors,)),
            Segment("lstm", self._lstm, (self.lstm,)),
            Segment("head", self._head, (self.hidden, self.head)),
        ]
