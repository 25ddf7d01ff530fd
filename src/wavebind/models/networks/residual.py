"""The residual block of scalenet and its kin, normalisation first.

He et al. 2016, ECCV, LNCS 9908:630.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.models.networks.dropout import Dropout

__all__ = ["Residual", "check_dilations", "check_odd"]


class Residual(nn.Module):
    """Normalise, read the neighbourhood, normalise, mix the maps; add to the input."""

    def __init__(self, width: int, kernel: tuple[int, int], dilation: int, dropout: float) -> None:
        super().__init__()
        padding = (kernel[0] // 2, dilation * (kernel[1] // 2))
        self.norm1 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(
            width,
            width,
            kernel,
            padding=padding,
            dilation=(1, dilation),
            bias=False,
        )
        self.norm2 = nn.BatchNorm2d(width)
        self.dropout = Dropout(dropout)
        self.conv2 = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(batch, map, height, position)``, as the input."""
        y = self.conv1(functional.gelu(self.norm1(x)))
        y = self.conv2(self.dropout(functional.gelu(self.norm2(y))))
        result: torch.Tensor = x + y
        return result


def check_odd(**kernels: int) -> None:
    """Refuse kernels, by their names, that have no middle.

    Raises
    ------
    InputError
        If one is even.
    """
    for name, kernel in kernels.items():
        if kernel % 2 == 0:
            raise InputError(f"{name} must be odd; found {kernel}")


def check_dilations(dilations: tuple[int, ...]) -> None:
    """Refuse dilations that a block cannot have.

    Raises
    ------
    InputError
        If there is none, or one is below 1.
    """
    if not dilations or min(dilations) < 1:
        raise InputError(f"dilations must be 1 or more; found {dilations}")
