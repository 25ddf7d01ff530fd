"""Parts of the networks that read the encoded sequence."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.models.networks.dropout import Dropout

__all__ = ["Layer", "pooled_logits", "sequence_channels"]


def sequence_channels(name: str, shape: tuple[int, int, int], least: int) -> int:
    """Channels of the input, which must have one scale and positions enough."""
    channels, scales, positions = shape
    if scales != 1:
        raise InputError(
            f"{name} reads the encoded sequence, and was given {scales} scales; leave the front "
            f"to the network, or name 'signal'"
        )
    if positions < least:
        raise InputError(
            f"{name} needs windows of {least} bp or more with these settings; found {positions}"
        )
    return channels


class Layer(nn.Module):
    """Convolution, normalisation, rectification, maximum over neighbours, dropout."""

    def __init__(self, inputs: int, width: int, kernel: int, pool: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, (1, kernel), padding=(0, kernel // 2), bias=False)
        self.norm = nn.BatchNorm2d(width)
        # A module of its own, which attribution rules are hung on.
        self.act = nn.ReLU()
        self.pool = nn.MaxPool2d((1, pool))
        self.dropout = Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(batch, map, 1, position)`` to as many maps as the layer has, fewer positions."""
        y: torch.Tensor = self.dropout(self.pool(self.act(self.norm(self.conv(x)))))
        return y


def pooled_logits(
    x: torch.Tensor, hidden: nn.Linear, head: nn.Linear, dropout: Dropout
) -> torch.Tensor:
    """Maximum and mean over the window, a hidden layer, logits."""
    pooled = torch.cat([x.amax((2, 3)), x.mean((2, 3))], dim=1)
    logits: torch.Tensor = head(dropout(functional.relu(hidden(dropout(pooled)))))
    return logits
