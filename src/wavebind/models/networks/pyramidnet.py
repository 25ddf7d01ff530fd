"""pyramidnet: a network for long windows, over scalograms of several resolutions.

Every octave of periods comes at positions half as dense as those of the octave before. So the work
grows with the length of the window and not with the number of octaves. From fine to coarse: the
octave's scales are read together, what the finer octave has become is halved and added, and
residual blocks look around. Maximum, mean and attention over the positions of every octave go to
the head, so that a short motif is not lost among long periods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.core.settings import Settings
from wavebind.models.networks.dropout import Dropout
from wavebind.models.networks.residual import Residual, check_dilations, check_odd
from wavebind.models.networks.segments import Segment, SegmentedNetwork

__all__ = ["PyramidNet", "PyramidNetConfig"]


@dataclass(frozen=True)
class PyramidNetConfig(Settings):
    """Size and regularisation of pyramidnet.

    Attributes
    ----------
    width, max_width : int
        Feature maps of the finest octave, and at most; they grow by half from one to the next.
    blocks : int
        Residual blocks an octave.
    stem_kernel, kernel : int
        Positions that the first convolution of an octave and a block read, odd.
    dilations : tuple of int
        Of the blocks, in turn.
    dropout, head_dropout : float
        Dropout within the blocks, and before the last layer.
    """

    width: Annotated[int, Field(ge=1)] = 48
    max_width: int = 128
    blocks: Annotated[int, Field(ge=1)] = 1
    stem_kernel: Annotated[int, Field(ge=1)] = 5
    kernel: Annotated[int, Field(ge=1)] = 5
    dilations: tuple[int, ...] = (1,)
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    head_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_width < self.width:
            raise InputError(
                f"max_width must be the width, {self.width}, or more; found {self.max_width}"
            )
        check_odd(stem_kernel=self.stem_kernel, kernel=self.kernel)
        check_dilations(self.dilations)


class _Octave(nn.Module):
    """One octave, with what the finer ones have become."""

    def __init__(
        self, channels: int, scales: int, before: int, width: int, config: PyramidNetConfig
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels * scales)
        self.stem = nn.Conv2d(
            channels * scales,
            width,
            (1, config.stem_kernel),
            padding=(0, config.stem_kernel // 2),
            bias=False,
        )
        self.carry = nn.Conv2d(before, width, 1, bias=False) if before else None
        self.blocks = nn.Sequential(
            *(
                Residual(
                    width,
                    (1, config.kernel),
                    config.dilations[i % len(config.dilations)],
                    config.dropout,
                    padded=True,
                )
                for i in range(config.blocks)
            )
        )
        self.out_norm = nn.BatchNorm2d(width)
        self.attention = nn.Conv2d(width, 1, 1)

    def forward(
        self, octave: torch.Tensor, finer: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps ``(batch, width, 1, position)``, and what the head sees of them."""
        x = self.stem(self.norm(octave.flatten(1, 2).unsqueeze(2)))
        if self.carry is not None and finer is not None:
            halved = functional.max_pool2d(finer, (1, 2), ceil_mode=True)
            x = x + self.carry(halved[..., : x.shape[-1]])
        x = self.blocks(x)
        y = functional.gelu(self.out_norm(x)).squeeze(2)
        weights = torch.softmax(self.attention(y.unsqueeze(2)).squeeze(2).float(), dim=-1)
        attended = (y * weights.to(y.dtype)).sum(-1)
        return x, torch.cat([y.amax(-1), y.mean(-1), attended], dim=1)


class PyramidNet(SegmentedNetwork):
    """See the module's docstring.

    Parameters
    ----------
    config : PyramidNetConfig
    shape : tuple of int
        ``(channel, 1, value)`` of a row of octaves.
    n_outputs : int
    layout : tuple of tuple
        ``(scale, position)`` of every octave; see :class:`wavebind.wavelets.fronts.PyramidFront`.

    Raises
    ------
    InputError
        If there is no layout: another front stands before it.
    """

    def __init__(
        self,
        config: PyramidNetConfig,
        shape: tuple[int, int, int],
        n_outputs: int = 1,
        layout: tuple[tuple[int, int], ...] = (),
    ) -> None:
        super().__init__()
        if sum(n * m for n, m in layout) != shape[2]:
            raise InputError(
                "pyramidnet reads octaves of a scalogram; leave the front to the network, or name "
                "'pyramid'"
            )
        self.config, self.layout = config, layout
        octaves = []
        before, total = 0, 0
        for k, (scales, _) in enumerate(layout):
            width = min(config.max_width, round(config.width * 1.5**k))
            octaves.append(_Octave(shape[0], scales, before, width, config))
            before, total = width, total + 3 * width
        self.octaves = nn.ModuleList(octaves)
        self.head_dropout = Dropout(config.head_dropout)
        self.head = nn.Linear(total, n_outputs)

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """The blocks of every octave, finest first."""
        return {
            f"octave{k + 1}": (octave.blocks,)
            for k, octave in enumerate(self.octaves)
            if isinstance(octave, _Octave)
        }

    def _octaves(self, row: torch.Tensor) -> torch.Tensor:
        finer: torch.Tensor | None = None
        seen = []
        pieces = torch.split(row.squeeze(2), [n * m for n, m in self.layout], dim=-1)
        for octave, piece, (scales, positions) in zip(
            self.octaves, pieces, self.layout, strict=True
        ):
            finer, summary = octave(piece.reshape(*piece.shape[:2], scales, positions), finer)
            seen.append(summary)
        return torch.cat(seen, dim=1)

    def _head(self, summaries: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.head_dropout(summaries))
        return logits

    def segments(self) -> list[Segment]:
        """``octaves`` and ``head``."""
        return [
            Segment("octaves", self._octaves, (self.octaves,)),
            Segment("head", self._head, (self.head,)),
        ]
