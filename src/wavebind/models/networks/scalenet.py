"""scalenet: a compact residual network over scale and position.

No layer pads along the positions: a window's logit depends on what lies inside it alone. So the
logits of a stretch's windows are those of the windows by themselves, and share their work.

Scalogram -> normalisation a channel and scale -> stem that reads bands of neighbouring scales ->
residual blocks over (band, position) -> maximum of neighbouring positions -> one convolution over
all bands -> dilated residual blocks over position -> maximum, mean and attention over position, and
maximum and mean over the positions before these blocks -> logit.

Residual blocks with the normalisation first: He et al. 2016, ECCV, LNCS 9908:630. Attention over
positions: Ilse et al. 2018, ICML, PMLR 80:2127.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.core.settings import Removed, Settings
from wavebind.models.networks.composed import LinearFront, compose
from wavebind.models.networks.dropout import Dropout
from wavebind.models.networks.foldedscalenet import FoldedScaleNet
from wavebind.models.networks.localchanges import ChangedStretches
from wavebind.models.networks.residual import Residual, check_dilations, check_odd
from wavebind.models.networks.segments import Begun, Segment, SegmentedNetwork, Slide

__all__ = ["ScaleNet", "ScaleNetConfig"]

_SEVERAL = (
    "remove the model file of a run of a cross-fit and continue the run with --resume, "
    "which makes the file anew; train any other network again"
)


@dataclass(frozen=True)
class ScaleNetConfig(Settings):
    """Size and regularisation of scalenet.

    Attributes
    ----------
    band : int
        Scales that the stem joins into one band; it reads twice as many, overlapping.
    stem_kernel : int
        Positions that the stem reads, odd.
    band_width, position_width : int
        Feature maps before and after the bands are joined.
    band_blocks, position_blocks : int
        Residual blocks before and after the bands are joined.
    kernel : int
        Positions that a later block reads, odd.
    dilations : tuple of int
        Dilations of the later blocks, in turn; less in windows that have no room for them.
    pool : int
        Neighbouring positions joined by their maximum before the bands are joined.
    dropout, head_dropout : float
        Dropout within the blocks, and before the last layer.
    """

    REMOVED: ClassVar[dict[str, Removed]] = {
        "members": Removed((1,), _SEVERAL),
        "inputs": Removed((1,), _SEVERAL),
    }

    band: Annotated[int, Field(ge=1)] = 4
    stem_kernel: Annotated[int, Field(ge=1)] = 5
    band_width: Annotated[int, Field(ge=1)] = 32
    position_width: Annotated[int, Field(ge=1)] = 128
    band_blocks: Annotated[int, Field(ge=0)] = 1
    position_blocks: Annotated[int, Field(ge=0)] = 3
    kernel: Annotated[int, Field(ge=1)] = 5
    dilations: tuple[int, ...] = (1, 2, 4)
    pool: Annotated[int, Field(ge=1)] = 2
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    head_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_odd(stem_kernel=self.stem_kernel, kernel=self.kernel)
        check_dilations(self.dilations)


def fitting_dilations(config: ScaleNetConfig, positions: int) -> tuple[int, ...]:
    """Dilations of the later blocks that a window has room for.

    Blocks do not pad, so each takes positions away. The largest dilation is halved until a third
    of the positions is left; where that is not enough, the last blocks are left out.

    Parameters
    ----------
    config : ScaleNetConfig
    positions : int
        Before the later blocks.
    """
    found = [config.dilations[i % len(config.dilations)] for i in range(config.position_blocks)]
    most = (positions - math.ceil(positions / 3)) // (2 * (config.kernel // 2) or 1)
    while sum(found) > most and max(found) > 1:
        largest = max(range(len(found)), key=lambda i: (found[i], i))
        found[largest] //= 2
    return tuple(found[: max(0, most)]) if sum(found) > most else tuple(found)


class ScaleNet(SegmentedNetwork):
    """See the module's docstring.

    Parameters
    ----------
    config : ScaleNetConfig
    shape : tuple of int
        ``(channel, scale, position)`` of a scalogram.
    n_outputs : int
    """

    def __init__(
        self, config: ScaleNetConfig, shape: tuple[int, int, int], n_outputs: int = 1
    ) -> None:
        super().__init__()
        self.config = config
        channels, scales, positions = shape
        # One scale is no scalogram: the stem reads it alone.
        band = 1 if scales == 1 else config.band
        self.band_crop = config.band_blocks
        kept = positions - 2 * (config.stem_kernel // 2) - 2 * self.band_crop
        if scales < band or kept < config.pool:
            least = config.stem_kernel - 1 + 2 * self.band_crop + config.pool
            raise InputError(
                f"scalenet needs at least {band} scales and {least} positions; found {scales} and "
                f"{positions}. Use more scales, longer windows, a smaller stride or a shorter "
                f"longest period"
            )
        band_width, position_width = config.band_width, config.position_width
        self.input_norm = nn.BatchNorm1d(channels * scales)
        #: Of scales and positions; only the first are padded.
        self.stem_padding = (band // 2, 0)
        self.stem = nn.Conv2d(
            channels,
            band_width,
            (1 if scales == 1 else 2 * band, config.stem_kernel),
            stride=(band, 1),
            padding=self.stem_padding,
            bias=False,
        )
        with torch.no_grad():
            empty = torch.zeros(1, channels, scales, positions)
            bands = self.stem(empty).shape[2]
        self.bands = nn.Sequential(
            *(
                Residual(band_width, (1 if bands == 1 else 3, 3), 1, config.dropout)
                for _ in range(config.band_blocks)
            )
        )
        self.pool = nn.MaxPool2d((1, config.pool))
        # By another name than before the maximum came first: older weights do not fit by theirs.
        self.pooled_norm = nn.BatchNorm2d(band_width)
        self.pooled_act = nn.GELU()
        self.join = nn.Conv2d(band_width, position_width, (bands, 1), bias=False)
        dilations = fitting_dilations(config, kept // config.pool)
        self.positions = nn.Sequential(
            *(
                Residual(position_width, (1, config.kernel), dilation, config.dropout)
                for dilation in dilations
            )
        )
        self.position_crop = config.kernel // 2 * sum(dilations)
        #: Positions that the pooling over a window reads.
        self.width = kept // config.pool - 2 * self.position_crop
        self.head_norm = nn.BatchNorm2d(position_width)
        self.attention = nn.Conv2d(position_width, 1, 1, bias=False)
        self.head_dropout = Dropout(config.head_dropout)
        # Each late position reads much of a window, and there are few. The early ones tell what is
        # anywhere in it.
        self.early_norm = nn.BatchNorm2d(position_width)
        self.head = nn.Linear(5 * position_width, n_outputs)

    @property
    def n_affine(self) -> int:
        """The stem: a normalisation, and a convolution without a bias."""
        return 1

    @property
    def step(self) -> int:
        """The positions that are joined by their maximum."""
        return self.config.pool

    def sliding(self, dtype: torch.dtype, front: LinearFront | None = None) -> Slide:
        """See :meth:`SegmentedNetwork.sliding`."""
        if front is None:
            return FoldedScaleNet(self, dtype)
        stem = copy.deepcopy(self).to("cpu").segments()[0].run
        return FoldedScaleNet(self, dtype, compose(front, stem))

    def changing(self) -> Callable[[torch.Tensor], Begun]:
        """See :meth:`SegmentedNetwork.changing`."""
        return partial(ChangedStretches, FoldedScaleNet(self, torch.float32))

    def places(self) -> dict[str, tuple[float, float]]:
        """See :meth:`SegmentedNetwork.places`."""
        c = self.config
        early = c.stem_kernel // 2 + self.band_crop
        # The middle of the positions that the maximum joins.
        late = early + (c.pool - 1) / 2 + c.pool * self.position_crop
        pooled = (early + (c.pool - 1) / 2, float(c.pool))
        return {"bands": (early, 1.0), "join": pooled, "positions": (late, float(c.pool))}

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """Modules with output ``(batch, map, band or 1, position)``, first to last."""
        return {"bands": (self.bands,), "join": (self.join,), "positions": (self.positions,)}

    def _stem(self, scalograms: torch.Tensor) -> torch.Tensor:
        x = self.input_norm(scalograms.flatten(1, 2))
        bands: torch.Tensor = self.stem(x.unflatten(1, (-1, scalograms.shape[2])))
        return bands

    def _join(self, x: torch.Tensor) -> torch.Tensor:
        # The maximum first: what follows then has fewer positions.
        joined: torch.Tensor = self.join(self.pooled_act(self.pooled_norm(self.pool(x))))
        return joined

    def _positions(self, x: torch.Tensor) -> torch.Tensor:
        """The late positions, and behind them the early ones."""
        return torch.cat([self.positions(x), x], dim=-1)

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        """``(batch, output)``."""
        late, joined = x[..., : self.width], x[..., self.width :]
        x = functional.gelu(self.head_norm(late)).squeeze(2)
        scores = self.attention(x.unsqueeze(2)).squeeze(2).float()
        attended = (x * torch.softmax(scores, dim=-1).to(x.dtype)).sum(-1)
        early = functional.gelu(self.early_norm(joined)).squeeze(2)
        pooled = torch.cat(
            [x.amax(-1), x.mean(-1), attended, early.amax(-1), early.mean(-1)], dim=1
        )
        logits: torch.Tensor = self.head(self.head_dropout(pooled))
        return logits

    def segments(self) -> list[Segment]:
        """``stem``, ``bands``, ``join``, ``positions`` and ``head``."""
        return [
            Segment("stem", self._stem, (self.input_norm, self.stem)),
            Segment("bands", self.bands, (self.bands,)),
            Segment("join", self._join, (self.pooled_norm, self.join)),
            Segment("positions", self._positions, (self.positions,)),
            Segment(
                "head",
                self._head,
                (self.head_norm, self.attention, self.early_norm, self.head),
            ),
        ]
