"""Codes to logits: the transform and a backbone as one module."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.core.settings import from_dict, to_dict
from wavebind.datasets.targets import TASKS, Task
from wavebind.genome.sequences import UNKNOWN
from wavebind.models.networks.gkm import Gkm
from wavebind.models.networks.matrices import BesideMatrices
from wavebind.models.networks.segments import SideBySide
from wavebind.models.normalisation import InputNormalisation
from wavebind.models.registry import get_backbone
from wavebind.wavelets.encodings import encode_onehot
from wavebind.wavelets.filters import Wavelet
from wavebind.wavelets.fronts import PyramidFront, check_front, make_front
from wavebind.wavelets.images import ImageConfig, ScalogramImage
from wavebind.wavelets.scalograms import ScalogramConfig

__all__ = [
    "Classifier",
    "ModelConfig",
    "build_model",
    "default_scalogram",
    "one_against_rest",
]


#: Of an ensemble: a bound for files from strangers.
MAX_NETWORKS = 64
#: Of what a network reads beyond its windows, likewise.
MAX_READS = 16


def default_scalogram() -> ScalogramConfig:
    """The representation of the recipe ``wavelets``."""
    # Short wavelets, even frequencies: docs/decisions/accuracy.md has the measurements.
    return ScalogramConfig(
        wavelet=Wavelet(beta=4.0),
        n_scales=16,
        max_period=10.0,
        spacing="frequencies",
        padding="none",
        stride=1,
    )


@dataclass(frozen=True)
class ModelConfig:
    """Everything that a network is built from.

    Attributes
    ----------
    length : int
        Window length in base pairs.
    scalogram : ScalogramConfig
    backbone : str
        A name of :func:`wavebind.models.registry.all_backbones`.
    options : dict
        The backbone's own settings, those that differ from its defaults.
    image : ImageConfig or None
        Where given, the backbone sees each scalogram as a colour image.
    outputs : tuple of str
        What each logit stands for; several in a network of several labels.
    front : str or None
        What stands before the backbone, one of :data:`wavebind.wavelets.fronts.FRONTS`; None for
        what the backbone reads by itself.
    task : {"binary", "multilabel", "multiclass", "regression"} or None
        What the outputs are; by default binary for one and multilabel for several.
    reads : int or None
        Positions that the network reads, where they are more than a window's: the window then
        stands in their middle, between unknown bases. So a network takes weights that were trained
        on longer windows.
    networks : int
        Networks of this kind whose mean logit is the prediction; see
        :mod:`wavebind.models.ensemble`.
    matrices : tuple of str
        Position weight matrices whose best hits add to the logit, by name, such as ``MA0139.1
        CTCF``; see :mod:`wavebind.models.networks.matrices`.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    length: int
    scalogram: ScalogramConfig = field(default_factory=default_scalogram)
    backbone: str = "scalenet"
    options: dict[str, Any] = field(default_factory=dict)
    image: ImageConfig | None = None
    outputs: tuple[str, ...] = ("bound",)
    front: str | None = None
    task: Task | None = None
    reads: int | None = None
    networks: int = 1
    matrices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.outputs or len(set(self.outputs)) < len(self.outputs):
            raise InputError(
                f"the outputs of a network have names, no two alike; found {self.outputs}"
            )
        several = len(self.outputs) > 1
        if self.task is not None and several != (self.task in ("multilabel", "multiclass")):
            raise InputError(
                f"a network for {self.task} ({TASKS[self.task]}) has "
                f"{'one output' if several else 'several outputs'}; found {len(self.outputs)}"
            )
        if not 1 <= self.networks <= MAX_NETWORKS:
            raise InputError(f"networks must be from 1 to {MAX_NETWORKS}; found {self.networks}")
        if self.length < 16:
            raise InputError(
                f"windows of {self.length} bp are shorter than a binding site; use 16 bp or more"
            )
        if self.matrices and self.networks > 1:
            raise InputError("matrices stand beside one network, not beside a mean of several")
        check_front(self.front_name)
        if self.reads is not None and not self.length < self.reads <= MAX_READS * self.length:
            raise InputError(
                f"reads must be more than the {self.length} bp of a window and at most "
                f"{MAX_READS} times as many; found {self.reads}"
            )
        if self.reads is not None and (self.image or self.front_name == "pyramid"):
            raise InputError("reads is for networks of sequences and scalograms, not of pictures")
        if self.image is not None and self.front_name in ("signal", "pyramid"):
            raise InputError(
                f"an image is drawn of a scalogram; the front {self.front_name!r} has none"
            )
        self.backbone_settings()

    @property
    def task_name(self) -> Task:
        """What the outputs are."""
        return self.task or ("binary" if len(self.outputs) == 1 else "multilabel")

    @property
    def front_name(self) -> str:
        """What stands before the backbone."""
        return self.front or get_backbone(self.backbone).front

    def backbone_settings(self) -> Any:
        """The backbone's settings, defaults filled in."""
        backbone = get_backbone(self.backbone)
        return from_dict(backbone.settings, self.options, f"options of {self.backbone}")

    def resolved(self) -> ModelConfig:
        """The same, with every default of the backbone written out."""
        options = to_dict(self.backbone_settings())
        return replace(self, options=options, front=self.front_name, task=self.task_name)


def one_against_rest(logits: torch.Tensor) -> torch.Tensor:
    """Log-odds of each class against all others, shape ``(batch, class)`` as the input.

    ``z_j - log sum_k!=j exp z_k``, so that the logistic function of it is the softmax.
    """
    n = logits.shape[-1]
    others = logits.unsqueeze(-2).expand(*logits.shape[:-1], n, n)
    own = torch.eye(n, dtype=torch.bool, device=logits.device)
    rest: torch.Tensor = others.masked_fill(own, -torch.inf).logsumexp(-1)
    return logits - rest


class Classifier(nn.Module):
    """A network from codes to a logit a window, or to several.

    Parameters
    ----------
    config : ModelConfig

    Attributes
    ----------
    front : Scalogram or Front
        The transform, or what stands in its place.
    periods : numpy.ndarray
        ``float64``, shape ``(scale,)``: those of the scalogram, in base pairs.
    normalise : InputNormalisation
        Puts what the backbone sees on the scale that it expects.
    backbone : SegmentedNetwork
        From normalised scalograms to logits.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config.resolved()
        #: Of several outputs, the one that is given alone; None for all of them.
        self.selected: int | None = None
        #: Positions that are read, and unknown ones before and behind a window.
        self.reads = config.reads or config.length
        left = (self.reads - config.length) // 2
        self.around = (left, self.reads - config.length - left)
        self.front = make_front(self.config.front_name, config.scalogram, self.reads)
        self.periods = config.scalogram.periods(config.length)
        self.image = None if config.image is None else ScalogramImage(config.image)
        channels, scales, positions = self.front.shape
        if config.image is not None:
            channels, (scales, positions) = 3 * channels, config.image.size or (scales, positions)
        self.normalise = InputNormalisation(channels)
        shape, more = (channels, scales, positions), {}
        if isinstance(self.front, PyramidFront):
            if get_backbone(config.backbone).front != "pyramid":
                raise InputError(
                    f"the front 'pyramid' is for the network pyramidnet; {config.backbone} reads "
                    f"scalograms of one resolution"
                )
            more["layout"] = self.front.layout
        backbones = [
            get_backbone(config.backbone).build(
                config.backbone_settings(), shape, len(config.outputs), **more
            )
            for _ in range(config.networks)
        ]
        self.backbone = backbones[0] if config.networks == 1 else SideBySide(backbones)
        if config.matrices:
            self.backbone = BesideMatrices(
                backbones[0], shape, len(config.matrices), len(config.outputs)
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
            Shape ``(batch,)``, or ``(batch, output)`` where there are several.
        """
        return self.from_features(self.features(codes))

    def features(self, codes: torch.Tensor) -> torch.Tensor:
        """Scalograms or images, ``(batch, channel, scale or height, position or width)``."""
        planes: torch.Tensor = self.front(functional.pad(codes, self.around, value=UNKNOWN))
        return planes if self.image is None else self.image(planes)

    def features_of_onehot(self, onehot: torch.Tensor) -> torch.Tensor:
        """Features of one-hot windows, differentiable.

        Parameters
        ----------
        onehot : torch.Tensor
            ``float32``, shape ``(batch, 4, position)``, channels A, C, G, T; zero for unknown.

        Raises
        ------
        InputError
            If the backbone sees images, whose colours are looked up, or counts words.
        """
        if isinstance(self.backbone, Gkm):
            raise InputError(
                "a gapped k-mer machine counts words, which has no gradient; explain it with ism "
                "or occlusion"
            )
        if self.image is not None:
            raise InputError(
                "this network reads images, whose colours have no gradient; explain it with ism, "
                "occlusion or gradcam"
            )
        encoding = self.front.encoding
        onehot = functional.pad(onehot, self.around)
        signals = encode_onehot(onehot, self.front.table, cumulated=encoding.cumulated)
        planes: torch.Tensor = self.front.from_signals(signals)
        return planes

    @property
    def n_affine(self) -> int:
        """How many of the first segments are, with the front, affine in the one-hot window."""
        linear = self.image is None and self.front.is_linear
        return self.backbone.n_affine if linear and not self.front.encoding.cumulated else 0

    def from_features(self, features: torch.Tensor) -> torch.Tensor:
        """Logits of what :meth:`features` gave."""
        return self.finish(self.backbone(self.normalise(features)))

    def run_segments(self, x: torch.Tensor, first: int, last: int | None = None) -> torch.Tensor:
        """The output of segment `last` - 1 from the input of segment `first`.

        Parameters
        ----------
        x : torch.Tensor
            Features where `first` is 0, otherwise the output of the segment before.
        first, last : int
            As in a slice of :meth:`SegmentedNetwork.segments`.
        """
        x = self.normalise(x) if first == 0 else x
        for segment in self.backbone.segments()[first:last]:
            x = segment.run(x)
        return x

    def finish(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits ``(batch, output)`` without the last axis where one output is given.

        Of classes they become the log-odds of each against all others, whose logistic function is
        the softmax. Each output then means by itself what the one of a binary network does.
        """
        if self.config.task_name == "multiclass":
            logits = one_against_rest(logits.float())
        if len(self.config.outputs) == 1:
            return logits.squeeze(1)
        return logits if self.selected is None else logits[:, self.selected]

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """The modules whose output maps an explanation can look at, first to last."""
        return self.backbone.stages()

    @property
    def reads_both_strands(self) -> bool:
        """Whether a window has the same logit on either strand."""
        return self.backbone.reads_both_strands

    @property
    def front_is_trained(self) -> bool:
        """Whether the front has weights of its own."""
        return any(True for _ in self.front.parameters())

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
