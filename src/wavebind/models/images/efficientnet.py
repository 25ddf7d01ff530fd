"""EfficientNet-Lite0 under the parameter names of its published weights.

The plan of EfficientNet-B0 (Tan & Le 2019, ICML, PMLR 97:6105) without squeeze and excitation and
with ReLU6 (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite). As in
TensorFlow, padding makes an output of ceil(input / stride), the odd pixel on the far side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.models.networks.segments import Segment, SegmentedNetwork

__all__ = ["EfficientNetConfig", "EfficientNetLite0"]

#: Kernel, stride, expansion, outer width, repeats of each stage.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_STEM, _HEAD = 32, 1280


@dataclass(frozen=True)
class EfficientNetConfig:
    """Regularisation of EfficientNet-Lite0.

    Attributes
    ----------
    dropout : float
        Before the last layer.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    dropout: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be from 0 to below 1; found {self.dropout}")


class _SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow pads it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pads: list[int] = []
        # The last axis first, as pad() wants it.
        for axis in (1, 0):
            size, kernel, stride = x.shape[2 + axis], self.kernel_size[axis], self.stride[axis]
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(functional.pad(x, pads) if any(pads) else x)


def _norm(width: int) -> nn.BatchNorm2d:
    # PyTorch's momentum, and not the published 0.01: that takes hundreds of steps to forget the
    # first statistics, and a network from random weights validated at AUROC 0.5000 after 284.
    return nn.BatchNorm2d(width, eps=1e-3)


class _Block(nn.Module):
    """Widen, read the neighbourhood map by map, narrow; add to the input where shapes allow."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inner * expansion
        self.expand = expansion > 1
        if self.expand:
            self._expand_conv = _SameConv2d(inner, width, 1, bias=False)
            self._bn0 = _norm(width)
        self._depthwise_conv = _SameConv2d(
            width, width, kernel, stride=stride, groups=width, bias=False
        )
        self._bn1 = _norm(width)
        self._project_conv = _SameConv2d(width, outer, 1, bias=False)
        self._bn2 = _norm(outer)
        self.skip = stride == 1 and inner == outer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expand else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        result: torch.Tensor = x + y if self.skip else y
        return result


class EfficientNetLite0(SegmentedNetwork):
    """See the module's docstring.

    Parameters
    ----------
    config : EfficientNetConfig
    shape : tuple of int
        ``(channel, height, width)`` of an input.
    n_outputs : int
    """

    def __init__(
        self, config: EfficientNetConfig, shape: tuple[int, int, int], n_outputs: int = 1
    ) -> None:
        super().__init__()
        self._conv_stem = _SameConv2d(shape[0], _STEM, 3, stride=2, bias=False)
        self._bn0 = _norm(_STEM)
        blocks: list[nn.Module] = []
        self._ends: list[int] = []
        inner = _STEM
        for kernel, stride, expansion, outer, repeats in _STAGES:
            for i in range(repeats):
                blocks.append(_Block(inner, outer, kernel, stride if i == 0 else 1, expansion))
                inner = outer
            self._ends.append(len(blocks))
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _SameConv2d(inner, _HEAD, 1, bias=False)
        self._bn1 = _norm(_HEAD)
        self._dropout = nn.Dropout(config.dropout)
        self._fc = nn.Linear(_HEAD, n_outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def _stem(self, x: torch.Tensor) -> torch.Tensor:
        stem: torch.Tensor = functional.relu6(self._bn0(self._conv_stem(x)))
        return stem

    def _last(self, x: torch.Tensor) -> torch.Tensor:
        last: torch.Tensor = functional.relu6(self._bn1(self._conv_head(x)))
        return last

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self._fc(self._dropout(x.mean((2, 3))))
        return logits

    def segments(self) -> list[Segment]:
        """``stem``, ``stage1`` to ``stage7``, ``last`` and ``head``."""
        found = [Segment("stem", self._stem, (self._conv_stem, self._bn0))]
        for i, (a, b) in enumerate(zip([0, *self._ends], self._ends, strict=False)):
            stage = nn.Sequential(*list(self._blocks)[a:b])
            found.append(Segment(f"stage{i + 1}", stage, (stage,)))
        found.append(Segment("last", self._last, (self._conv_head, self._bn1)))
        found.append(Segment("head", self._head, (self._fc,)))
        return found

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """The last block of each stage."""
        return {f"stage{i + 1}": (self._blocks[end - 1],) for i, end in enumerate(self._ends)}
