"""scalenet: a compact residual network over scale and position.

Scalogram -> normalisation a channel and scale -> stem that reads bands of neighbouring scales ->
residual blocks over (band, position) -> one convolution over all bands -> dilated residual blocks
over position -> maximum, mean and attention over position -> logit.

Residual blocks with the normalisation first: He et al. 2016, ECCV, LNCS 9908:630. Attention over
positions: Ilse et al. 2018, ICML, PMLR 80:2127.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.core.settings import Removed, Settings
from wavebind.models.networks.dropout import Dropout
from wavebind.models.networks.residual import Residual, check_dilations, check_odd
from wavebind.models.networks.segments import Segment, SegmentedNetwork

__all__ = ["ScaleNet", "ScaleNetConfig"]

#: Logarithm of the least weight of a position, which float32 still holds.
_LEAST = -80.0
_SEVERAL = (
    "remove the model file of a run of 'train --crossfit' and continue the run with --resume, "
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
        Dilations of the later blocks, in turn.
    pool : int
        Neighbouring positions joined by their maximum before the later blocks.
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


def _sliding_sum(x: torch.Tensor, width: int) -> torch.Tensor:
    """Sums of `width` neighbours along the last axis, by sums of 1, 2, 4, ... of them.

    Differences of a running sum would be cheaper, and lose all digits of a small sum between large
    ones, which the weights of attention have.
    """
    length = x.shape[-1] - width + 1
    total = x.new_zeros((*x.shape[:-1], length))
    offset, n = 0, 1
    while n <= width:
        if width & n:
            total += x[..., offset : offset + length]
            offset += n
        # Of twice as many neighbours.
        x = x[..., :-n] + x[..., n:]
        n *= 2
    return total


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
        if scales < band or positions < 2 * config.pool:
            raise InputError(
                f"scalenet needs at least {config.band} scales and {2 * config.pool} positions; "
                f"found {scales} and {positions}. Use more scales, longer windows or a smaller "
                f"stride"
            )
        band_width, position_width = config.band_width, config.position_width
        self.input_norm = nn.BatchNorm1d(channels * scales)
        self.stem = nn.Conv2d(
            channels,
            band_width,
            (1 if scales == 1 else 2 * band, config.stem_kernel),
            stride=(band, 1),
            padding=(band // 2, config.stem_kernel // 2),
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
        self.join_norm = nn.BatchNorm2d(band_width)
        self.join = nn.Conv2d(band_width, position_width, (bands, 1), bias=False)
        self.pool = nn.MaxPool2d((1, config.pool))
        self.positions = nn.Sequential(
            *(
                Residual(
                    position_width,
                    (1, config.kernel),
                    config.dilations[i % len(config.dilations)],
                    config.dropout,
                )
                for i in range(config.position_blocks)
            )
        )
        self.head_norm = nn.BatchNorm2d(position_width)
        self.attention = nn.Conv2d(position_width, 1, 1)
        self.head_dropout = Dropout(config.head_dropout)
        self.head = nn.Linear(3 * position_width, n_outputs)

    @property
    def n_affine(self) -> int:
        """The stem: a normalisation, and a convolution without a bias."""
        return 1

    @property
    def step(self) -> int:
        """The positions that are joined by their maximum."""
        return self.config.pool

    @property
    def reach(self) -> int:
        """To either side: stem, blocks over bands, and, after joining, blocks over positions."""
        c = self.config
        dilations = (c.dilations[i % len(c.dilations)] for i in range(c.position_blocks))
        late = (c.kernel // 2) * sum(dilations) + 1
        return c.stem_kernel // 2 + c.band_blocks + c.pool * late

    def slide(self, scalograms: torch.Tensor, first: int, count: int, width: int) -> torch.Tensor:
        """See :meth:`SegmentedNetwork.slide`."""
        x = scalograms
        for segment in self.segments()[:-1]:
            x = segment.run(x)
        x = x[..., first : first + count - 1 + width]
        x = functional.gelu(self.head_norm(x)).squeeze(2)
        scores = self.attention(x.unsqueeze(2)).squeeze(2).float()
        # One reference for the whole stretch instead of one a window: a common factor cancels.
        weights = (scores - scores.amax(-1, keepdim=True)).clamp_min(_LEAST).exp()
        x = x.float()
        attended = _sliding_sum(x * weights, width) / _sliding_sum(weights, width)
        highest = functional.max_pool1d(x, width, 1)
        mean = _sliding_sum(x, width) / width
        pooled = torch.cat([highest, mean, attended], dim=1)
        logits: torch.Tensor = self.head(pooled.transpose(1, 2))
        return logits.transpose(1, 2)

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """Modules with output ``(batch, map, band or 1, position)``, first to last."""
        return {"bands": (self.bands,), "join": (self.join,), "positions": (self.positions,)}

    def _stem(self, scalograms: torch.Tensor) -> torch.Tensor:
        x = self.input_norm(scalograms.flatten(1, 2))
        bands: torch.Tensor = self.stem(x.unflatten(1, (-1, scalograms.shape[2])))
        return bands

    def _join(self, x: torch.Tensor) -> torch.Tensor:
        joined: torch.Tensor = self.pool(self.join(functional.gelu(self.join_norm(x))))
        return joined

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        """``(batch, output)``."""
        x = functional.gelu(self.head_norm(x)).squeeze(2)
        weights = torch.softmax(self.attention(x.unsqueeze(2)).squeeze(2).float(), dim=-1)
        attended = (x * weights.to(x.dtype)).sum(-1)
        pooled = torch.cat([x.amax(-1), x.mean(-1), attended], dim=1)
        logits: torch.Tensor = self.head(self.head_dropout(pooled))
        return logits

    def segments(self) -> list[Segment]:
        """``stem``, ``bands``, ``join``, ``positions`` and ``head``."""
        return [
            Segment("stem", self._stem, (self.input_norm, self.stem)),
            Segment("bands", self.bands, (self.bands,)),
            Segment("join", self._join, (self.join_norm, self.join)),
            Segment("positions", self.positions, (self.positions,)),
            Segment("head", self._head, (self.head_norm, self.attention, self.head)),
        ]
