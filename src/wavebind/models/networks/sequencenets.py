"""Convolutional networks on encoded sequences, without a transform: the baselines.

They are built after published ones, at sizes near that of scalenet:

- ``cnn``: convolutions and maxima in turn, after Basset (Kelley et al. 2016, Genome Res. 26:990).
- ``deepbind``: one layer of motif detectors, their maximum and mean over the window, one hidden
  layer (Alipanahi et al. 2015, Nat. Biotechnol. 33:831).
- ``danq``: one layer of motif detectors read by a bidirectional LSTM (Quang & Xie 2016, Nucleic
  Acids Res. 44:e107).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.models.networks.dropout import Dropout
from wavebind.models.networks.segments import Segment, SegmentedNetwork

__all__ = ["CNN", "CNNConfig", "DanQ", "DanQConfig", "DeepBind", "DeepBindConfig"]


def _sequence_channels(name: str, shape: tuple[int, int, int], least: int) -> int:
    """Channels of the input, which must have one scale and positions enough."""
    channels, scales, positions = shape
    if scales != 1:
        raise InputError(
            f"{name} reads the encoded sequence, and was given {scales} scales; leave the front "
            f"to the network, or name 'signal'"
        )
    if positions < least:
        raise InputError(
            f"{name} needs windows of {least} bp or more with these settings; found {positions}"
        )
    return channels


def _check_sizes(name: str, sizes: dict[str, int], rates: dict[str, float]) -> None:
    for field, value in sizes.items():
        if value < 1:
            raise InputError(f"{name} {field} must be 1 or more; found {value}")
    for field, rate in rates.items():
        if not 0 <= rate < 1:
            raise InputError(f"{name} {field} must be from 0 to below 1; found {rate}")


@dataclass(frozen=True)
class CNNConfig:
    """Size and regularisation of the convolutional network.

    Attributes
    ----------
    widths : tuple of int
        Feature maps of each layer.
    kernels : tuple of int
        Positions that each layer reads.
    pools : tuple of int
        Neighbouring positions joined by their maximum after each layer.
    hidden : int
        Units of the hidden layer.
    dropout : float
        After each layer.
    head_dropout : float
        Before the hidden and the last layer.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    widths: tuple[int, ...] = (128, 128, 160)
    kernels: tuple[int, ...] = (15, 7, 5)
    pools: tuple[int, ...] = (2, 2, 2)
    hidden: int = 128
    dropout: float = 0.1
    head_dropout: float = 0.3

    def __post_init__(self) -> None:
        if not len(self.widths) == len(self.kernels) == len(self.pools) > 0:
            raise InputError(
                f"cnn widths, kernels and pools must have one entry a layer each; found "
                f"{len(self.widths)}, {len(self.kernels)} and {len(self.pools)}"
            )
        sizes = {"widths": min(self.widths), "kernels": min(self.kernels)}
        sizes |= {"pools": min(self.pools), "hidden": self.hidden}
        rates = {"dropout": self.dropout, "head_dropout": self.head_dropout}
        _check_sizes("cnn", sizes, rates)


class _Layer(nn.Module):
    """Convolution, normalisation, rectification, maximum over neighbours, dropout."""

    def __init__(self, inputs: int, width: int, kernel: int, pool: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, (1, kernel), padding=(0, kernel // 2), bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d((1, pool))
        self.dropout = Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.dropout(self.pool(functional.relu(self.norm(self.conv(x)))))
        return y


def _classify(
    x: torch.Tensor, hidden: nn.Linear, head: nn.Linear, dropout: Dropout
) -> torch.Tensor:
    """Maximum and mean over the window, a hidden layer, logits."""
    pooled = torch.cat([x.amax((2, 3)), x.mean((2, 3))], dim=1)
    logits: torch.Tensor = head(dropout(functional.relu(hidden(dropout(pooled)))))
    return logits


class CNN(SegmentedNetwork):
    """See the module's docstring.

    Parameters
    ----------
    config : CNNConfig
    shape : tuple of int
        ``(channel, 1, position)``.
    n_outputs : int
    """

    def __init__(self, config: CNNConfig, shape: tuple[int, int, int], n_outputs: int = 1) -> None:
        super().__init__()
        least = 1
        for pool in config.pools:
            least *= pool
        channels = _sequence_channels("cnn", shape, 2 * least)
        inputs = (channels, *config.widths)
        self.layers = nn.ModuleList(
            _Layer(inputs[i], config.widths[i], config.kernels[i], config.pools[i], config.dropout)
            for i in range(len(config.widths))
        )
        self.hidden = nn.Linear(2 * config.widths[-1], config.hidden)
        self.head_dropout = Dropout(config.head_dropout)
        self.head = nn.Linear(config.hidden, n_outputs)

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """Each layer, by its name."""
        return {f"layer{i}": (layer,) for i, layer in enumerate(self.layers, 1)}

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        return _classify(x, self.hidden, self.head, self.head_dropout)

    def segments(self) -> list[Segment]:
        """``layer1`` and on, and ``head``."""
        layers = [Segment(f"layer{i}", layer, (layer,)) for i, layer in enumerate(self.layers, 1)]
        return [*layers, Segment("head", self._head, (self.hidden, self.head))]


@dataclass(frozen=True)
class DeepBindConfig:
    """Size and regularisation of the network after DeepBind.

    Attributes
    ----------
    width : int
        Motif detectors.
    kernel : int
        Positions that each reads.
    hidden : int
        Units of the hidden layer.
    dropout : float
        Before the hidden and the last layer.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    width: int = 512
    kernel: int = 24
    hidden: int = 256
    dropout: float = 0.3

    def __post_init__(self) -> None:
        sizes = {"width": self.width, "kernel": self.kernel, "hidden": self.hidden}
        _check_sizes("deepbind", sizes, {"dropout": self.dropout})


class DeepBind(SegmentedNetwork):
    """See the module's docstring.

    Parameters
    ----------
    config : DeepBindConfig
    shape : tuple of int
        ``(channel, 1, position)``.
    n_outputs : int
    """

    def __init__(
        self, config: DeepBindConfig, shape: tuple[int, int, int], n_outputs: int = 1
    ) -> None:
        super().__init__()
        channels = _sequence_channels("deepbind", shape, 2)
        self.detectors = _Layer(channels, config.width, config.kernel, 1, 0.0)
        self.hidden = nn.Linear(2 * config.width, config.hidden)
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(config.hidden, n_outputs)

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """The motif detectors."""
        return {"detectors": (self.detectors,)}

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        return _classify(x, self.hidden, self.head, self.dropout)

    def segments(self) -> list[Segment]:
        """``detectors`` and ``head``."""
        return [
            Segment("detectors", self.detectors, (self.detectors,)),
            Segment("head", self._head, (self.hidden, self.head)),
        ]


@dataclass(frozen=True)
class DanQConfig:
    """Size and regularisation of the network after DanQ.

    Attributes
    ----------
    width : int
        Motif detectors.
    kernel : int
        Positions that each reads.
    pool : int
        Neighbouring positions joined by their maximum.
    lstm : int
        Units of the LSTM in each direction.
    hidden : int
        Units of the hidden layer.
    dropout : float
        After the detectors and after the LSTM.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    width: int = 96
    kernel: int = 26
    pool: int = 13
    lstm: int = 96
    hidden: int = 64
    dropout: float = 0.3

    def __post_init__(self) -> None:
        sizes = {
            name: getattr(self, name) for name in ("width", "kernel", "pool", "lstm", "hidden")
        }
        _check_sizes("danq", sizes, {"dropout": self.dropout})


class DanQ(SegmentedNetwork):
    """See the module's docstring.

    Parameters
    ----------
    config : DanQConfig
    shape : tuple of int
        ``(channel, 1, position)``.
    n_outputs : int
    """

    def __init__(self, config: DanQConfig, shape: tuple[int, int, int], n_outputs: int = 1) -> None:
        super().__init__()
        channels = _sequence_channels("danq", shape, 2 * config.pool)
        self.detectors = _Layer(channels, config.width, config.kernel, config.pool, config.dropout)
        with torch.no_grad():
            # An even filter gives one position more than it reads.
            steps = self.detectors(torch.zeros(1, channels, 1, shape[2])).shape[3]
        self.lstm = nn.LSTM(config.width, config.lstm, bidirectional=True, batch_first=True)
        self.dropout = Dropout(config.dropout)
        self.hidden = nn.Linear(2 * config.lstm * steps, config.hidden)
        self.head = nn.Linear(config.hidden, n_outputs)

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """The motif detectors."""
        return {"detectors": (self.detectors,)}

    def _lstm(self, x: torch.Tensor) -> torch.Tensor:
        # A recurrence adds its rounding up: it is computed in float32.
        # cuDNN gives no gradients outside of training, which explanations ask for.
        plain = torch.is_grad_enabled() and not self.training
        with (
            torch.autocast(x.device.type, enabled=False),
            torch.backends.cudnn.flags(enabled=not plain),
        ):
            steps: torch.Tensor = self.lstm(x.float().squeeze(2).transpose(1, 2).contiguous())[0]
        return steps

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        hidden = functional.relu(self.hidden(self.dropout(x).flatten(1)))
        logits: torch.Tensor = self.head(hidden)
        return logits

    def segments(self) -> list[Segment]:
        """``detectors``, ``lstm`` and ``head``."""
        return [
            Segment("detectors", self.detectors, (self.detectors,)),
            Segment("lstm", self._lstm, (self.lstm,)),
            Segment("head", self._head, (self.hidden, self.head)),
        ]
