"""ResNet-18, -34 and -50 under torchvision's parameter names.

He et al. 2016, CVPR, p. 770; in the 50-layer network the stride lies in the 3x3 convolution of a
bottleneck, as in torchvision. The names of all parameters and buffers are those of torchvision, so
weights published for it fit. Exceptions are the first convolution, where the number of channels
differs, and the last layer, which has one output.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from wavebind.models.networks.segments import Segment, SegmentedNetwork

__all__ = ["ResNet", "ResNetConfig"]

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


@dataclass(frozen=True)
class ResNetConfig:
    """A ResNet has no settings but its depth, which its name tells."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012


def _convolution(inner: int, outer: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, size, stride=stride, padding=size // 2, bias=False)


def _shortcut(inner: int, outer: int, stride: int) -> nn.Sequential | None:
    if inner == outer and stride == 1:
        return None
    return nn.Sequential(_convolution(inner, outer, 1, stride), nn.BatchNorm2d(outer))


class _Basic(nn.Module):
    expansion = 1

    def __init__(self, inner: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(inner, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inner, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class _Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inner: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(inner, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _convolution(width, 4 * width, 1)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = _shortcut(inner, 4 * width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(SegmentedNetwork):
    """See the module's docstring.

    Parameters
    ----------
    depth : int
        18, 34 or 50.
    config : ResNetConfig
    shape : tuple of int
        ``(channel, height, width)`` of an input.
    n_outputs : int
    """

    def __init__(
        self,
        depth: int,
        config: ResNetConfig,
        shape: tuple[int, int, int],
        n_outputs: int = 1,
    ) -> None:
        super().__init__()
        del config
        block = _Bottleneck if depth == 50 else _Basic
        self.conv1 = nn.Conv2d(shape[0], 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inner = 64
        for i, n in enumerate(_BLOCKS[depth]):
            width = 64 * 2**i
            blocks = []
            for j in range(n):
                blocks.append(block(inner, width, 2 if i and not j else 1))
                inner = width * block.expansion
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inner, n_outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """``layer1`` to ``layer3``, and each block of ``layer4``."""
        stages = {f"layer{i}": (getattr(self, f"layer{i}"),) for i in (1, 2, 3)}
        last = self.layer4
        assert isinstance(last, nn.Sequential)  # noqa: S101
        return {**stages, **{f"layer4.{j}": (block,) for j, block in enumerate(last)}}

    def _stem(self, x: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self.maxpool(functional.relu(self.bn1(self.conv1(x))))
        return pooled

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits

    def segments(self) -> list[Segment]:
        """``stem``, ``layer1`` to ``layer4`` and ``head``."""
        layers = [(f"layer{i}", getattr(self, f"layer{i}")) for i in range(1, 5)]
        return [
            Segment("stem", self._stem, (self.conv1, self.bn1)),
            *(Segment(name, layer, (layer,)) for name, layer in layers),
            Segment("head", self._head, (self.fc,)),
        ]
