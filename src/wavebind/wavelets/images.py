"""Scalograms as colour images, for image networks: scaled, coloured and resized on their device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError

__all__ = ["COLOUR_MAPS", "ImageConfig", "ScalogramImage", "colour_table", "unit_range"]

COLOUR_MAPS = ("turbo", "viridis", "magma", "inferno", "jet", "gray")
Scaling = Literal["window", "dataset"]


@dataclass(frozen=True)
class ImageConfig:
    """How a scalogram becomes an image.

    Attributes
    ----------
    colours : str
        One of :data:`COLOUR_MAPS`; tables of 256 colours, those of matplotlib.
    size : tuple of int or None
        Height and width in pixels that it is resized to; None keeps scale by position.
    scaling : {"window", "dataset"}
        What maps to the ends of the colour map: the extremes of each window and channel, or `low`
        and `high`.
    low, high : float or None
        The ends for ``"dataset"``, one pair for all windows.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    colours: str = "turbo"
    size: tuple[int, int] | None = (224, 224)
    scaling: Scaling = "window"
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.colours not in COLOUR_MAPS:
            raise InputError(
                f"colour map {self.colours!r} is not known; choose one of: {', '.join(COLOUR_MAPS)}"
            )
        if self.size is not None and min(self.size) < 1:
            raise InputError(f"an image has 1 pixel or more each way; found {self.size}")
        if self.scaling not in ("window", "dataset"):
            raise InputError(f"scaling {self.scaling!r} is not known; choose window or dataset")
        if self.scaling == "dataset" and not (
            self.low is not None and self.high is not None and self.low < self.high
        ):
            raise InputError(
                f"scaling by dataset needs low < high; found {self.low!r} and {self.high!r}"
            )


def colour_table(name: str) -> torch.Tensor:
    """A colour map as a table, ``float32``, shape ``(256, 3)``: red, green and blue, 0 to 1."""
    import matplotlib as mpl

    if name not in COLOUR_MAPS:
        raise InputError(
            f"colour map {name!r} is not known; choose one of: {', '.join(COLOUR_MAPS)}"
        )
    colours = mpl.colormaps[name](np.arange(256))[:, :3]
    return torch.from_numpy(np.ascontiguousarray(colours)).float()


def unit_range(planes: torch.Tensor, low: float | None, high: float | None) -> torch.Tensor:
    """Map values to 0 to 1: by the given ends, or by those of each plane.

    Parameters
    ----------
    planes : torch.Tensor
        Shape ``(batch, channel, scale, position)``.
    low, high : float or None
        Both, or neither. Values beyond them are cut.

    Returns
    -------
    torch.Tensor
        The same shape; zero for a plane that is the same everywhere.
    """
    if low is None or high is None:
        least, most = planes.amin((2, 3), keepdim=True), planes.amax((2, 3), keepdim=True)
        span = (most - least).clamp_min(torch.finfo(planes.dtype).tiny)
        return torch.where(most > least, (planes - least) / span, torch.zeros_like(planes))
    return ((planes - low) / (high - low)).clamp(0, 1)


class ScalogramImage(nn.Module):
    """Scalograms to colour images, one look-up for all pixels of a batch.

    Resizing comes before colouring, as an image of a smooth surface should be made. Colours of a
    table are not a straight line: the mean of two of them is a third that is not in it.

    Parameters
    ----------
    config : ImageConfig
    """

    table: torch.Tensor

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("table", colour_table(config.colours), persistent=False)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """Images of a batch of scalograms.

        Parameters
        ----------
        planes : torch.Tensor
            Shape ``(batch, channel, scale, position)``, finest scale first.

        Returns
        -------
        torch.Tensor
            ``float32``, shape ``(batch, 3 * channel, height, width)``. Red, green and blue of the
            first channel come first, then those of the second. Values are 0 to 1, the finest scale
            on top.
        """
        config = self.config
        ends = (config.low, config.high) if config.scaling == "dataset" else (None, None)
        values = unit_range(planes.float(), *ends)
        if config.size is not None and values.shape[2:] != config.size:
            values = functional.interpolate(
                values, config.size, mode="bilinear", align_corners=False, antialias=True
            ).clamp(0, 1)
        index = (values * 255).round().long()
        images = self.table[index]
        return images.permute(0, 1, 4, 2, 3).flatten(1, 2)
