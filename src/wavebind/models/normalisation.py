"""The scale on which a backbone expects its input; part of the model and stored with it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from wavebind.core.errors import InputError

__all__ = ["InputNormalisation"]


class InputNormalisation(nn.Module):
    """Subtract a mean and divide by a standard deviation, one of each a channel.

    Both are buffers, so that they are saved and loaded with the weights and training, prediction
    and explanation cannot differ. At first they change nothing.

    Parameters
    ----------
    n_channels : int
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_channels))
        self.register_buffer("std", torch.ones(n_channels))

    def set(
        self, mean: Sequence[float] | torch.Tensor, std: Sequence[float] | torch.Tensor
    ) -> None:
        """Take these numbers; a shorter list is repeated over the channels.

        Raises
        ------
        InputError
            If the channels are no multiple of the numbers, or a standard deviation is not
            positive.
        """
        for buffer, values in ((self.mean, mean), (self.std, std)):
            numbers = torch.as_tensor(values, dtype=buffer.dtype, device=buffer.device)
            if len(buffer) % len(numbers):
                raise InputError(
                    f"{len(numbers)} numbers of a normalisation do not fit {len(buffer)} channels"
                )
            buffer.copy_(numbers.repeat(len(buffer) // len(numbers)))
        if not bool((self.std > 0).all()):
            raise InputError("a standard deviation of the input is not positive; is it constant?")

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """Planes ``(batch, channel, height, width)``, each channel on its own scale."""
        shape = (1, -1, 1, 1)
        return (planes - self.mean.view(shape)) / self.std.view(shape)
