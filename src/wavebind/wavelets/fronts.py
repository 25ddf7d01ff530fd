"""What stands between codes and a network: the wavelet transform, or none.

Every front is a module from codes to planes ``(batch, channel, scale, position)``:

- ``wavelets``: the transform.
- ``signal``: no transform: the encoded window itself, as a plane of one scale.
- ``pyramid``: the transform an octave of periods at a time, each with half the positions of the one
  before: for long windows.

``benchmarks/filter_fronts.py`` has learned and random filters, which the wavelets are compared
with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import nn

from wavebind.core.errors import InputError
from wavebind.wavelets.encodings import encode, encoding_table, get_encoding
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig, ScalogramPyramid

__all__ = [
    "FRONTS",
    "Front",
    "PyramidFront",
    "SignalFront",
    "check_front",
    "make_front",
]

#: Fronts that version 0.1 had.
_REMOVED = ("learned-wavelets", "learned-filters", "random-filters")


class Front(nn.Module, ABC):
    """Codes to planes.

    Parameters
    ----------
    config : ScalogramConfig
    length : int
        Window length in base pairs.
    """

    table: torch.Tensor

    def __init__(self, config: ScalogramConfig, length: int) -> None:
        super().__init__()
        if length < 2:
            raise InputError(f"a network needs a window of 2 bp or more; found {length}")
        self.config, self.length = config, length
        self.encoding = get_encoding(config.encoding)
        self.register_buffer("table", encoding_table(self.encoding), persistent=False)

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """``(channel, scale, position)`` of one window."""

    def signals(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes ``(batch, position)`` to signals ``(batch, channel, position)``, ``float32``."""
        if codes.shape[-1] != self.length:
            raise InputError(
                f"this network is for windows of {self.length} bp; found {codes.shape[-1]} bp"
            )
        return encode(codes, self.table, cumulated=self.encoding.cumulated)

    @abstractmethod
    def from_signals(self, signals: torch.Tensor) -> torch.Tensor:
        """Planes of signals ``(batch, channel, position)``."""

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Planes of codes ``(batch, position)``."""
        return self.from_signals(self.signals(codes))

    @property
    def is_linear(self) -> bool:
        """Whether planes are linear in the signals."""
        return True


class SignalFront(Front):
    """The encoded window as it is."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """One scale, every position."""
        return self.encoding.channels, 1, self.length

    def from_signals(self, signals: torch.Tensor) -> torch.Tensor:
        """``(batch, channel, 1, position)``."""
        return signals.unsqueeze(2)


class PyramidFront(Front):
    """Scalograms of several resolutions, one after the other in one row.

    See :class:`wavebind.wavelets.scalograms.ScalogramPyramid`. The values of a channel stand octave
    by octave, finest first, within an octave scale by scale; :attr:`layout` says how many there
    are.

    Attributes
    ----------
    layout : tuple of tuple
        ``(scale, position)`` of every octave.
    """

    def __init__(self, config: ScalogramConfig, length: int) -> None:
        super().__init__(config, length)
        self.pyramid = ScalogramPyramid(config, length)
        self.layout = tuple(level.shape[1:] for level in self._levels())

    def _levels(self) -> list[Scalogram]:
        return [level for level in self.pyramid.levels if isinstance(level, Scalogram)]

    @property
    def shape(self) -> tuple[int, int, int]:
        """One row of all octaves."""
        return self.config.channels, 1, sum(n * m for n, m in self.layout)

    @property
    def is_linear(self) -> bool:
        """Real and imaginary parts are."""
        return set(self.config.outputs) <= {"real", "imag"}

    def from_signals(self, signals: torch.Tensor) -> torch.Tensor:
        """``(batch, channel, 1, value)``."""
        rows = [level.from_signals(signals).flatten(2) for level in self._levels()]
        return torch.cat(rows, dim=-1).unsqueeze(2)


#: What makes each front of a configuration and a window length. Others can be added by their name.
FRONTS: dict[str, Callable[[ScalogramConfig, int], Scalogram | Front]] = {
    "wavelets": Scalogram,
    "signal": SignalFront,
    "pyramid": PyramidFront,
}


def check_front(name: str) -> None:
    """Refuse a front that is not there.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name in FRONTS:
        return
    if name in _REMOVED:
        raise InputError(
            f"front {name!r} was removed after version 0.1, since it gained nothing over the "
            f"wavelets; train again with one of: {', '.join(FRONTS)}"
        )
    raise InputError(f"front {name!r} is not known; choose one of: {', '.join(FRONTS)}")


def make_front(name: str, config: ScalogramConfig, length: int) -> Scalogram | Front:
    """A front by its name.

    Parameters
    ----------
    name : str
        One of :data:`FRONTS`.
    config : ScalogramConfig
        Of ``signal`` only the encoding counts.
    length : int
        Window length in base pairs.

    Raises
    ------
    InputError
        If there is none of that name, or the configuration is not one that this front can have.
    """
    check_front(name)
    return FRONTS[name](config, length)
