"""The backbones there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from wavebind.errors import InputError
from wavebind.models.resnet import ResNet, ResNetConfig
from wavebind.models.scalenet import ScaleNet, ScaleNetConfig

__all__ = ["BACKBONES", "Backbone", "get_backbone"]


@dataclass(frozen=True)
class Backbone:
    """A network from scalograms to one logit.

    Attributes
    ----------
    name : str
    settings : type
        The dataclass of its options.
    build : callable
        Takes the settings and the ``(channel, scale, position)`` of a scalogram. The module it
        returns takes ``(batch, channel, scale, position)`` to logits ``(batch,)`` and has a method
        ``stages`` that names the modules an explanation can look at.
    about : str
        One line for lists.
    """

    name: str
    settings: type[Any]
    build: Callable[[Any, tuple[int, int, int]], nn.Module]
    about: str


BACKBONES: dict[str, Backbone] = {
    "scalenet": Backbone(
        "scalenet",
        ScaleNetConfig,
        ScaleNet,
        "compact residual network over scale and position, from scratch",
    ),
    "resnet": Backbone(
        "resnet",
        ResNetConfig,
        ResNet,
        "ResNet-18, -34 or -50 (option depth) under torchvision's names, from scratch",
    ),
}


def get_backbone(name: str) -> Backbone:
    """Look a backbone up by its name.

    Raises
    ------
    InputError
        If there is none of that name; the message lists those there are.
    """
    try:
        return BACKBONES[name]
    except KeyError:
        raise InputError(
            f"model {name!r} is not known; choose one of: {', '.join(BACKBONES)}"
        ) from None
