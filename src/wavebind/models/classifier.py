"""Codes to logits: the transform and a backbone as one module."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from wavebind.errors import InputError
from wavebind.images import ImageConfig, ScalogramImage
from wavebind.models.registry import get_backbone
from wavebind.scalograms import Scalogram, ScalogramConfig
from wavebind.settings import from_dict, to_dict
from wavebind.wavelets import Wavelet

__all__ = ["Classifier", "ModelConfig", "build_model", "default_scalogram"]


def default_scalogram() -> ScalogramConfig:
    """The representation of the default recipe."""
    # Short wavelets and no period beyond 64 bp: docs/decisions/accuracy.md has the measurements.
    return ScalogramConfig(wavelet=Wavelet(beta=4.0), max_period=64.0, stride=2)


@dataclass(frozen=True)
class ModelConfig:
    """Everything that a network is built from.

    Attributes
    ----------
    length : int
        Window length in base pairs.
    scalogram : ScalogramConfig
    backbone : str
        A name of :data:`wavebind.models.registry.BACKBONES`.
    options : dict
        The backbone's own settings, those that differ from its defaults.
    image : ImageConfig or None
        Where given, the backbone sees each scalogram as a colour image.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    length: int
    scalogram: ScalogramConfig = field(default_factory=default_scalogram)
    backbone: str = "scalenet"
    options: dict[str, Any] = field(default_factory=dict)
    image: ImageConfig | None = None

    def __post_init__(self) -> None:
        if self.length < 16:
            raise InputError(
                f"windows of {self.length} bp are shorter than a binding site; use 16 bp or more"
            )
        self.backbone_settings()

    def backbone_settings(self) -> Any:
        """The backbone's settings, defaults filled in."""
        backbone = get_backbone(self.backbone)
        return from_dict(backbone.settings, self.options, f"options of {self.backbone}")

    def resolved(self) -> ModelConfig:
        """The same, with every default of the backbone written out."""
        return replace(self, options=to_dict(self.backbone_settings()))


class Classifier(nn.Module):
    """A network from codes to one logit a window.

    Parameters
    ----------
    config : ModelConfig

    Attributes
    ----------
    scalogram : Scalogram
        The transform; it has no weights.
    backbone : torch.nn.Module
        From scalograms to logits.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config.resolved()
        self.scalogram = Scalogram(config.scalogram, config.length)
        self.image = None if config.image is None else ScalogramImage(config.image)
        channels, scales, positions = self.scalogram.shape
        if config.image is not None:
            channels, (scales, positions) = 3 * channels, config.image.size or (scales, positions)
        self.backbone = get_backbone(config.backbone).build(
            config.backbone_settings(), (channels, scales, positions)
        )

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Logits of a batch of windows as they are, one strand.

        Parameters
        ----------
        codes : torch.Tensor
            ``uint8``, shape ``(batch, position)``.

        Returns
        -------
        torch.Tensor
            Shape ``(batch,)``.
        """
        logits: torch.Tensor = self.backbone(self.features(codes))
        return logits

    def features(self, codes: torch.Tensor) -> torch.Tensor:
        """What the backbone sees, ``(batch, channel, scale or height, position or width)``."""
        planes: torch.Tensor = self.scalogram(codes)
        return planes if self.image is None else self.image(planes)

    def stages(self) -> dict[str, nn.Module]:
        """The modules whose output an explanation can look at, first to last."""
        stages: dict[str, nn.Module] = self.backbone.stages()  # type: ignore[operator]
        return stages

    @property
    def n_weights(self) -> int:
        """Number of trained numbers."""
        return sum(p.numel() for p in self.parameters())


def build_model(config: ModelConfig, generator: torch.Generator) -> Classifier:
    """A classifier with fresh weights.

    Parameters
    ----------
    config : ModelConfig
    generator : torch.Generator
        Decides the weights. The process's own generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator).item()))
        return Classifier(config)
