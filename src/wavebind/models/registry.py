"""The backbones there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from wavebind.core.errors import InputError
from wavebind.models.images.efficientnet import EfficientNetConfig, EfficientNetLite0
from wavebind.models.images.pretrained import LITE0_IMAGENET, RESNET_IMAGENET, Pretrained
from wavebind.models.images.resnet import ResNet, ResNetConfig
from wavebind.models.images.timmnet import TimmConfig, TimmNet, check_name
from wavebind.models.networks.pyramidnet import PyramidNet, PyramidNetConfig
from wavebind.models.networks.scalenet import ScaleNet, ScaleNetConfig
from wavebind.models.networks.segments import SegmentedNetwork
from wavebind.models.networks.sequencenets import (
    CNN,
    CNNConfig,
    DanQ,
    DanQConfig,
    DeepBind,
    DeepBindConfig,
)

__all__ = ["BACKBONES", "Backbone", "get_backbone"]


@dataclass(frozen=True)
class Backbone:
    """A network from scalograms, or images of them, to logits.

    Attributes
    ----------
    name : str
    settings : type
        The dataclass of its options.
    build : callable
        Takes the settings, the ``(channel, scale, position)`` of its input, the number of outputs,
        and, behind the front ``pyramid``, `layout`, the ``(scale, position)`` of every octave.
    about : str
        One line for lists.
    inputs : str
        What it reads, for lists.
    first, head : str
        Names of the first filters, and of the last layer up to its dot.
    pretrained : Pretrained or None
    own_normalisation : bool
        Whether it takes its input as it is, or begins with a normalisation that it learns;
        otherwise the input is put on the scale of the published weights, or on that of the
        training windows.
    front : str
        What stands before it unless something else is asked for; see
        :mod:`wavebind.wavelets.fronts`.
    """

    name: str
    settings: type[Any]
    build: Callable[..., SegmentedNetwork]
    about: str
    inputs: str
    first: str = ""
    head: str = ""
    pretrained: Pretrained | None = None
    own_normalisation: bool = False
    front: str = "wavelets"


_SEQUENCE_NETWORKS: tuple[tuple[str, type[Any], Any, str], ...] = (
    ("cnn", CNNConfig, CNN, "convolutions and maxima in turn, of the kind of Basset"),
    ("deepbind", DeepBindConfig, DeepBind, "one layer of motif detectors, of the kind of DeepBind"),
    ("danq", DanQConfig, DanQ, "motif detectors read by an LSTM, of the kind of DanQ"),
)
_IMAGES = "images or scalograms, any number of channels"

BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            "scalenet",
            ScaleNetConfig,
            ScaleNet,
            "compact residual network over scale and position",
            "scalograms",
            head="head.",
            own_normalisation=True,
        ),
        Backbone(
            "pyramidnet",
            PyramidNetConfig,
            PyramidNet,
            "network over octaves of a scalogram, for windows of 1 to 10 kb",
            "scalograms of several resolutions",
            head="head.",
            own_normalisation=True,
            front="pyramid",
        ),
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
        *(
            Backbone(
                name,
                settings,
                build,
                about,
                "encoded sequences, without a transform",
                head="head.",
                own_normalisation=True,
                front="signal",
            )
            for name, settings, build, about in _SEQUENCE_NETWORKS
        ),
    )
}


@dataclass(frozen=True)
class _NoSettings:
    """A network of timm is built as timm builds it."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012


def _build_timm(
    name: str, settings: Any, shape: tuple[int, int, int], n_outputs: int
) -> SegmentedNetwork:
    del settings
    return TimmNet(TimmConfig(name), shape, n_outputs)


def get_backbone(name: str) -> Backbone:
    """Look a backbone up by its name, ``timm:NAME`` for one of timm.

    Raises
    ------
    InputError
        If there is none of that name; the message lists those there are.
    """
    if name.startswith("timm:"):
        inner = name.removeprefix("timm:")
        check_name(inner)
        return Backbone(name, _NoSettings, partial(_build_timm, inner), f"{inner} of timm", _IMAGES)
    try:
        return BACKBONES[name]
    except KeyError:
        raise InputError(
            f"model {name!r} is not known; choose one of: {', '.join(BACKBONES)}, or timm:NAME"
        ) from None
