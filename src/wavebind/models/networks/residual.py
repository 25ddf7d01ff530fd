"""The residual block of scalenet and its kin, normalisation first.

He et al. 2016, ECCV, LNCS 9908:630.
"""

from __future__ import annotations

import torch
from torch import nn

from wavebind.core.errors import InputError
from wavebind.models.networks.dropout import Dropout

__all__ = ["Residual", "check_dilations", "check_odd"]


class Residual(nn.Module):
    """Normalise, read the neighbourhood, normalise, mix the maps; add to the input.

    Parameters
    ----------
    width : int
        Maps.
    kernel : tuple of int
        Rows and positions that are read, both odd.
    dilation : int
        Positions from one that is read to the next.
    dropout : float
    padded : bool
        Whether zeros stand beyond the first and the last position. Without them an output has
        fewer positions: those whose neighbourhood lies inside.
    """

    def __init__(
        self,
        width: int,
        kernel: tuple[int, int],
        dilation: int,
        dropout: float,
        *,
        padded: bool = False,
    ) -> None:
        super().__init__()
        reach = dilation * (kernel[1] // 2)
        #: Positions at either end that the output does not have.
        self.crop = 0 if padded else reach
        padding = (kernel[0] // 2, reach if padded else 0)
        # Modules of their own, which attribution rules are hung on; they have no weights.
        self.act1, self.act2 = nn.GELU(), nn.GELU()
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
        """``(batch, map, height, position)``, as the input but for the cropped positions."""
        y = self.conv1(self.act1(self.norm1(x)))
        y = self.conv2(self.dropout(self.act2(self.norm2(y))))
        result: torch.Tensor = x[..., self.crop : x.shape[-1] - self.crop] + y
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
