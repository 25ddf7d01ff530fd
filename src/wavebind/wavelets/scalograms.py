"""The continuous wavelet transform of a batch of windows, as a module of the network.

A scalogram has the shape ``(batch, channel, scale, position)``, finest scale first. Its channels
are every output of the first signal channel, then every output of the second, and so on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wavebind.core.errors import InputError
from wavebind.wavelets.encodings import EncodingChoice, encode, encoding_table, get_encoding
from wavebind.wavelets.filters import Norm, Wavelet, frequency_periods, log_periods
from wavebind.wavelets.finite import finite_positions, longest_that_fits
from wavebind.wavelets.task import Padding
from wavebind.wavelets.transforms import METHODS, PADDINGS, Method, choose_method, make_transform

__all__ = [
    "Output",
    "Scalogram",
    "ScalogramConfig",
    "ScalogramPyramid",
    "select_outputs",
]

Output = Literal["real", "imag", "modulus", "power", "phase"]
Spacing = Literal["octaves", "frequencies"]
#: How the periods of a scalogram follow one another.
SPACINGS = {"octaves": log_periods, "frequencies": frequency_periods}
OUTPUTS: tuple[Output, ...] = ("real", "imag", "modulus", "power", "phase")


@dataclass(frozen=True)
class ScalogramConfig:
    """How a window becomes a scalogram.

    Attributes
    ----------
    encoding : str or tuple
        How letters become numbers: onehot, integer, integer0, real, complex, eiip, atomic, purine,
        paired, zcurve, zcurve-cumulated, tetrahedron or walk. Or values of one's own: four numbers,
        for A, C, G and T, or a row of four for each channel.
    wavelet : Wavelet
        The mother wavelet.
    n_scales : int
        Number of periods.
    voices : int or None
        Periods an octave; where given, they decide the number of periods instead of `n_scales`.
    spacing : {"octaves", "frequencies"}
        Whether periods are spaced evenly in logarithm, or their frequencies evenly.
    min_period : float
        Shortest period in base pairs, 2 or more.
    max_period : float or None
        Longest period in base pairs; None means the length of the window. Without padding it is
        shorter where the wavelet would leave less than half of the window.
    norm : {"l1", "l2"}
        Scale of each wavelet: the same response to a wave of any period, or the same energy.
    outputs : tuple of str
        Which real numbers of each complex coefficient are kept, any of ``real``, ``imag``,
        ``modulus``, ``power``, ``phase`` (radians).
    stride : int
        Keep one position in `stride`. The coefficients of an analytic wavelet lose nothing at 2,
        where they are sampled at the bandwidth of a real signal.
    padding : {"zero", "reflect", "periodic", "none"}
        What lies beyond the edges of a window. With none, wavelets are finite filters, used only
        where they lie inside.
    method : {"auto", "matrix", "fourier", "convolution"}
        How the transform is computed. All agree to rounding; auto takes the fastest.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    encoding: EncodingChoice = "onehot"
    wavelet: Wavelet = field(default_factory=Wavelet)
    n_scales: int = 32
    min_period: float = 2.0
    max_period: float | None = None
    norm: Norm = "l2"
    outputs: tuple[Output, ...] = ("real", "imag")
    stride: int = 1
    voices: int | None = None
    padding: Padding = "zero"
    method: Literal["auto"] | Method = "auto"
    spacing: Spacing = "octaves"

    def __post_init__(self) -> None:
        get_encoding(self.encoding)
        if self.norm not in ("l1", "l2"):
            raise InputError(f"norm {self.norm!r} is not known; choose l1 or l2")
        if not self.outputs:
            raise InputError("a scalogram needs at least one output, for example modulus")
        for name in self.outputs:
            if name not in OUTPUTS:
                raise InputError(
                    f"output {name!r} is not known; choose any of: {', '.join(OUTPUTS)}"
                )
        if self.stride < 1:
            raise InputError(f"stride must be 1 or more; found {self.stride}")
        if self.max_period is not None:
            log_periods(self.min_period, self.max_period, self.n_scales)
        else:
            log_periods(self.min_period, self.min_period, 1)
        if self.n_scales < 1:
            raise InputError(f"the number of scales must be 1 or more; found {self.n_scales}")
        if self.voices is not None and self.voices < 1:
            raise InputError(f"voices an octave must be 1 or more; found {self.voices}")
        if self.spacing not in SPACINGS:
            raise InputError(
                f"spacing {self.spacing!r} is not known; choose one of: {', '.join(SPACINGS)}"
            )
        if self.voices is not None and self.spacing != "octaves":
            raise InputError(
                "voices are periods an octave; evenly spaced frequencies want a number of scales"
            )
        if self.padding not in PADDINGS:
            raise InputError(
                f"padding {self.padding!r} is not known; choose one of: {', '.join(PADDINGS)}"
            )
        if self.method != "auto" and self.method not in METHODS:
            raise InputError(
                f"method {self.method!r} is not known; choose one of: auto, {', '.join(METHODS)}"
            )

    @property
    def channels(self) -> int:
        """Number of scalogram channels: signal channels times outputs."""
        return get_encoding(self.encoding).channels * len(self.outputs)

    def periods(self, length: int) -> NDArray[np.float64]:
        """The periods in base pairs for windows of `length`, shape ``(scale,)``."""
        longest = float(length) if self.max_period is None else self.max_period
        if self.padding == "none":
            longest = longest_that_fits(self.wavelet, length, self.min_period, longest)
        if self.voices is not None:
            n = math.floor(self.voices * math.log2(longest / self.min_period) + 1e-9) + 1
            longest = self.min_period * 2 ** ((n - 1) / self.voices)
            return log_periods(self.min_period, longest, n)
        return SPACINGS[self.spacing](self.min_period, longest, self.n_scales)


class Scalogram(nn.Module):
    """Codes to scalograms, on the device of the module.

    It has no weights: its buffers are made again from the configuration and are not part of a
    saved model.

    Parameters
    ----------
    config : ScalogramConfig
    length : int
        Window length in base pairs.
    device : str
        The kind of device that it is meant for, ``cpu`` or another; decides the method, where
        that is ``auto``.

    Attributes
    ----------
    periods : numpy.ndarray
        ``float64``, shape ``(scale,)``, base pairs.
    method : str
        How it is computed.
    first, positions : int
        Base of the first position, and how many.
    """

    table: torch.Tensor

    def __init__(self, config: ScalogramConfig, length: int, device: str = "cpu") -> None:
        super().__init__()
        if length < 2:
            raise InputError(f"a scalogram needs a window of 2 bp or more; found {length}")
        self.config = config
        self.length = length
        self.periods = config.periods(length)
        self.first, self.positions = 0, math.ceil(length / config.stride)
        if config.padding == "none":
            self.first, self.positions = finite_positions(
                config.wavelet, self.periods, length, config.stride
            )
        self.method: Method = (
            config.method
            if config.method != "auto"
            else choose_method(
                config.wavelet, self.periods, length, config.stride, config.padding, device
            )
        )
        self.coefficients = make_transform(
            self.method,
            config.wavelet,
            self.periods,
            length,
            config.norm,
            config.stride,
            config.padding,
        )
        self.encoding = get_encoding(config.encoding)
        self.register_buffer("table", encoding_table(self.encoding), persistent=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(channel, scale, position)`` of one scalogram."""
        return self.config.channels, len(self.periods), self.positions

    def signals(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes ``(batch, position)`` to signals ``(batch, channel, position)``, ``float32``."""
        return encode(codes, self.table, cumulated=self.encoding.cumulated)

    def transform(self, signals: torch.Tensor) -> torch.Tensor:
        """Coefficients of a batch of signals.

        Parameters
        ----------
        signals : torch.Tensor
            ``float32``, shape ``(batch, channel, position)``.

        Returns
        -------
        torch.Tensor
            Shape ``(batch, channel, part, scale, position)``; the parts are real and imaginary.
        """
        if signals.shape[-1] != self.length:
            raise InputError(
                f"this transform is for windows of {self.length} bp; found {signals.shape[-1]} bp"
            )
        parts: torch.Tensor = self.coefficients(signals)
        return parts

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Scalograms of a batch of windows.

        Parameters
        ----------
        codes : torch.Tensor
            ``uint8``, shape ``(batch, position)``.

        Returns
        -------
        torch.Tensor
            ``float32`` (or the type that autocast chooses), shape
            ``(batch, channel, scale, position)``.
        """
        return self.from_signals(self.signals(codes))

    def from_signals(self, signals: torch.Tensor) -> torch.Tensor:
        """Scalograms of signals ``(batch, channel, position)``."""
        return select_outputs(self.transform(signals), self.config.outputs)

    @property
    def is_linear(self) -> bool:
        """Whether scalograms are linear in the signals."""
        return set(self.config.outputs) <= {"real", "imag"}


def select_outputs(parts: torch.Tensor, outputs: tuple[Output, ...]) -> torch.Tensor:
    """Real planes of complex coefficients.

    Parameters
    ----------
    parts : torch.Tensor
        Shape ``(batch, channel, part, scale, position)``; the parts are real and imaginary.
    outputs : tuple of str

    Returns
    -------
    torch.Tensor
        Shape ``(batch, channel * output, scale, position)``.
    """
    if outputs == ("real", "imag"):
        return parts.flatten(1, 2)
    real, imag = parts[:, :, 0], parts[:, :, 1]
    return torch.stack([part(name, real, imag) for name in outputs], 2).flatten(1, 2)


def part(name: Output, real: torch.Tensor, imag: torch.Tensor) -> torch.Tensor:
    """One output of complex coefficients, given as their real and imaginary part."""
    if name == "real":
        return real
    if name == "imag":
        return imag
    if name == "phase":
        return torch.atan2(imag, real)
    power = real.square() + imag.square()
    if name == "power":
        return power
    # sqrt has no gradient at zero, which is where windows of N are.
    return (power + torch.finfo(power.dtype).tiny).sqrt()


class ScalogramPyramid(nn.Module):
    """Codes to scalograms of several resolutions, for long windows.

    Coefficients at a period of 64 bp change over tens of bases; computing one at every base is a
    waste. Each octave of periods gets a scalogram of its own, with half the positions of the
    octave before.

    Parameters
    ----------
    config : ScalogramConfig
        Its stride is that of the finest octave, 1 to 2 bp or 2 to 4, wherever the periods begin.
    length : int
        Window length in base pairs.
    device : str
        See :class:`Scalogram`.

    Attributes
    ----------
    levels : torch.nn.ModuleList
        A :class:`Scalogram` an octave, finest first; each knows its periods and its stride.
    """

    def __init__(self, config: ScalogramConfig, length: int, device: str = "cpu") -> None:
        super().__init__()
        periods = config.periods(length)
        octave = np.floor(np.log2(periods / periods[0]) + 1e-9).astype(int)
        levels = []
        for k in np.unique(octave):
            members = periods[octave == k]
            part = replace(
                config,
                min_period=float(members[0]),
                max_period=float(members[-1]),
                n_scales=len(members),
                voices=None,
                stride=config.stride * 2 ** int(k),
            )
            levels.append(Scalogram(part, length, device))
        self.levels = nn.ModuleList(levels)

    def forward(self, codes: torch.Tensor) -> list[torch.Tensor]:
        """Scalograms of a batch, one an octave.

        Parameters
        ----------
        codes : torch.Tensor
            ``uint8``, shape ``(batch, position)``.

        Returns
        -------
        list of torch.Tensor
            Each ``(batch, channel, scale, position)``, finest octave first.
        """
        return [level(codes) for level in self.levels]
