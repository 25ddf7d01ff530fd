"""Dropout that does not wait for its random numbers on a CPU.

PyTorch draws a number for every element, one after the other, which was a sixth of a training step
of scalenet on two cores. Here one draw of 64 bits decides four elements.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["Dropout"]

#: Elements that one draw of 64 bits decides, and the values that each part of it can have.
_SHARE = 4
_VALUES = 2**16


class Dropout(nn.Module):
    """Zero each element with a probability, and scale the others so that the mean stays.

    Srivastava et al. 2014, J. Mach. Learn. Res. 15:1929. On a CPU the probability is rounded to a
    multiple of 1/65,536, and the scale is that of the rounded probability. Elsewhere this is
    PyTorch's own dropout.

    Parameters
    ----------
    p : float
        Probability of zero, from 0 to below 1.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"p={self.p}"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Any shape and floating type; outside training the input itself."""
        dropped = round(self.p * _VALUES)
        if not self.training or not dropped:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.p)
        n = x.numel()
        draws = torch.empty(-(-n // _SHARE), dtype=torch.int64).random_(-(2**63), None)
        kept = draws.view(torch.int16)[:n] >= dropped - _VALUES // 2
        scale = _VALUES / (_VALUES - dropped)
        return x * (kept.view(x.shape).to(x.dtype) * scale)
