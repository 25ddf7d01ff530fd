"""Any network of timm, for those whose installation has it (https://huggingface.co/docs/timm)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from wavebind.core.errors import InputError
from wavebind.models.networks.segments import Segment, SegmentedNetwork

__all__ = ["TimmConfig", "TimmNet"]


@dataclass(frozen=True)
class TimmConfig:
    """Which network of timm.

    Attributes
    ----------
    name : str
        As timm calls it.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    name: str


class TimmNet(SegmentedNetwork):
    """A network of timm: ``body`` and ``head``.

    Parameters
    ----------
    config : TimmConfig
    shape : tuple of int
        ``(channel, height, width)`` of an input.
    n_outputs : int

    Raises
    ------
    InputError
        If timm is not installed, does not import, or has no such network.
    """

    def __init__(self, config: TimmConfig, shape: tuple[int, int, int], n_outputs: int = 1) -> None:
        super().__init__()
        self.net: Any = _timm().create_model(
            config.name, pretrained=False, in_chans=shape[0], num_classes=n_outputs
        )

    def segments(self) -> list[Segment]:
        """``body`` and ``head``."""
        classifier = self.net.get_classifier()
        body = tuple(child for child in self.net.children() if child is not classifier)
        return [
            Segment("body", self.net.forward_features, body),
            Segment("head", self._head, (classifier,)),
        ]

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.net.forward_head(x)
        return logits

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """The network's own parts with maps as output, as timm lists them."""
        names = [entry["module"] for entry in getattr(self.net, "feature_info", [])]
        found: dict[str, tuple[nn.Module, ...]] = {
            name: (module,) for name, module in self.net.named_modules() if name in names
        }
        if not found:
            raise InputError(
                "this network of timm does not name its stages; explain it with another method "
                "than Grad-CAM"
            )
        return found


def _timm() -> Any:
    try:
        import timm
    except Exception as error:  # timm pulls in torchvision, which can fail in any way
        raise InputError(
            f"timm cannot be used here ({type(error).__name__}: {error}); install it with "
            f"'pip install timm' beside a torchvision that fits this PyTorch, or choose another "
            f"network of 'wavebind models'"
        ) from error
    return timm


def check_name(name: str) -> None:
    """Raise an :class:`InputError` unless timm works here and has a network of that name."""
    if not _timm().is_model(name):
        raise InputError(f"timm has no network {name!r}; timm.list_models() lists those there are")
