"""Windows read on the other strand, and shifted."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["both_strands", "reverse_complement_batch", "shift_windows"]


def shift_windows(codes: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Move each window to the right by its own number of bases; what comes in has code 4.

    Parameters
    ----------
    codes : torch.Tensor
        ``uint8``, shape ``(batch, position)``.
    shifts : torch.Tensor
        ``int64``, shape ``(batch,)``; negative moves to the left.
    """
    length = codes.shape[1]
    source = torch.arange(length, device=codes.device)[None, :] - shifts[:, None]
    inside = (source >= 0) & (source < length)
    moved = codes.gather(1, source.clamp(0, length - 1))
    return torch.where(inside, moved, torch.full_like(moved, 4))


def reverse_complement_batch(codes: torch.Tensor) -> torch.Tensor:
    """The other strand of a batch.

    Parameters
    ----------
    codes : torch.Tensor
        ``uint8``, shape ``(batch, position)``; code 4 stays 4.
    """
    return torch.where(codes < 4, 3 - codes, codes).flip(-1)


def both_strands(model: nn.Module, codes: torch.Tensor) -> torch.Tensor:
    """Mean logit of the two strands, ``float32``, shape ``(batch,)``.

    A model whose attribute ``reads_both_strands`` is true has the same for both, and is asked once.
    """
    if getattr(model, "reads_both_strands", False):
        once: torch.Tensor = model(codes).float()
        return once
    # Two calls rather than one of twice the size: half the memory, and no slower.
    forward: torch.Tensor = model(codes).float()
    reverse: torch.Tensor = model(reverse_complement_batch(codes)).float()
    return (forward + reverse) / 2
