"""The published route: networks on images of scalograms, with published weights.

It is loaded on demand, by the registry, the recipes and training; nothing else needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from wavebind.core.settings import Settings
from wavebind.models.images.efficientnet import EfficientNetConfig, EfficientNetLite0
from wavebind.models.images.pretrained import LITE0_IMAGENET, RESNET_IMAGENET
from wavebind.models.images.resnet import ResNet, ResNetConfig
from wavebind.models.images.timmnet import TimmConfig, TimmNet, check_name
from wavebind.models.networks.segments import SegmentedNetwork
from wavebind.models.registry import Backbone

__all__ = ["BACKBONES", "timm_backbone"]

_IMAGES = "images or scalograms, any number of channels"

BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        *(
            Backbone(
                f"resnet{depth}",
                ResNetConfig,
                partial(ResNet, depth),
                f"ResNet-{depth} under torchvision's names",
                _IMAGES,
                first="conv1.weight",
                head="fc.",
                pretrained=RESNET_IMAGENET[depth],
            )
            for depth in (18, 34, 50)
        ),
        Backbone(
            "efficientnet-lite0",
            EfficientNetConfig,
            EfficientNetLite0,
            "EfficientNet-Lite0 under the names of its published weights",
            _IMAGES,
            first="_conv_stem.weight",
            head="_fc.",
            pretrained=LITE0_IMAGENET,
        ),
    )
}


@dataclass(frozen=True)
class _NoSettings(Settings):
    """A network of timm is built as timm builds it."""


def _build_timm(
    name: str, settings: Any, shape: tuple[int, int, int], n_outputs: int
) -> SegmentedNetwork:
    del settings
    return TimmNet(TimmConfig(name), shape, n_outputs)


def timm_backbone(name: str) -> Backbone:
    """A network of timm by its name there.

    Raises
    ------
    InputError
        If the name is not one that timm could have.
    """
    check_name(name)
    return Backbone(
        f"timm:{name}", _NoSettings, partial(_build_timm, name), f"{name} of timm", _IMAGES
    )
