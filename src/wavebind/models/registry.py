"""The backbones there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from wavebind.core.errors import InputError
from wavebind.models.networks.cnn import CNN, CNNConfig
from wavebind.models.networks.danq import DanQ, DanQConfig
from wavebind.models.networks.deepbind import DeepBind, DeepBindConfig
from wavebind.models.networks.gkm import Gkm, GkmConfig
from wavebind.models.networks.pyramidnet import PyramidNet, PyramidNetConfig
from wavebind.models.networks.scalenet import ScaleNet, ScaleNetConfig
from wavebind.models.networks.segments import SegmentedNetwork

if TYPE_CHECKING:
    from wavebind.models.images.pretrained import Pretrained

__all__ = ["Backbone", "all_backbones", "get_backbone"]


@dataclass(frozen=True)
class Backbone:
    """A network from scalograms, or images of them, to logits.

    Attributes
    ----------
    name : str
    settings : type
        The dataclass of its options.
    build : callable
        Takes the settings, the ``(channel, scale, position)`` of its input and the number of
        outputs. Behind the front ``pyramid`` it also takes `layout`, the ``(scale, position)`` of
        every octave.
    about : str
        One line for lists.
    inputs : str
        What it reads, for lists.
    first, head : str
        Names of the first filters, and of the last layer up to its dot.
    pretrained : Pretrained or None
    own_normalisation : bool
        Whether it takes its input as it is, or begins with a normalisation that it learns.
        Otherwise the input is put on the scale of the published weights, or on that of the
        training windows.
    front : str
        What stands before it unless something else is asked for; see
        :mod:`wavebind.wavelets.fronts`.
    trained : bool
        Whether it is trained here; otherwise it is read from another program's model.
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
    trained: bool = True


_SEQUENCE_NETWORKS: tuple[tuple[str, type[Any], Any, str], ...] = (
    ("cnn", CNNConfig, CNN, "convolutions and maxima in turn, of the kind of Basset"),
    ("deepbind", DeepBindConfig, DeepBind, "one layer of motif detectors, of the kind of DeepBind"),
    ("danq", DanQConfig, DanQ, "motif detectors read by an LSTM, of the kind of DanQ"),
)
#: The networks of this package but those of :mod:`wavebind.models.images`.
_OWN: dict[str, Backbone] = {
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
            "network over octaves of a scalogram, for windows of 1 to 10 kb (experimental)",
            "scalograms of several resolutions",
            head="head.",
            own_normalisation=True,
            front="pyramid",
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


#: What is read from models of other programs.
_IMPORTED: dict[str, Backbone] = {
    "gkm": Backbone(
        "gkm",
        GkmConfig,
        Gkm,
        "gapped k-mer support vector machine, read from a model of LS-GKM",
        "one-hot sequences",
        head="head.",
        own_normalisation=True,
        front="signal",
        trained=False,
    )
}


@cache
def all_backbones() -> dict[str, Backbone]:
    """Every network of this package, by name; those that read images among them."""
    from wavebind.models.images import BACKBONES

    return {**_OWN, **BACKBONES}


def get_backbone(name: str) -> Backbone:
    """Look a backbone up by its name, ``timm:NAME`` for one of timm.

    Raises
    ------
    InputError
        If there is none of that name; the message lists those there are.
    """
    if name in _OWN:
        return _OWN[name]
    if name in _IMPORTED:
        return _IMPORTED[name]
    if name.startswith("timm:"):
        from wavebind.models.images import timm_backbone

        return timm_backbone(name.removeprefix("timm:"))
    try:
        return all_backbones()[name]
    except KeyError:
        known = ", ".join(all_backbones())
        raise InputError(
            f"model {name!r} is not known; choose one of: {known}, or timm:NAME"
        ) from None
