"""The continuous wavelet transform of a batch of windows, as a module of the network.

A scalogram has the shape ``(batch, channel, scale, position)``, finest scale first; its channels
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

from wavebind.encodings import encode, encoding_table, get_encoding
from wavebind.errors import InputError
from wavebind.wavelets import Norm, Wavelet, filter_bank, log_periods, time_spread

__all__ = [
    "Output",
    "Scalogram",
    "ScalogramConfig",
    "cone_of_influence",
    "wavelet_operator",
    "wavelet_picture",
]

Output = Literal["real", "imag", "modulus", "power", "phase"]
OUTPUTS: tuple[Output, ...] = ("real", "imag", "modulus", "power", "phase")
#: A wavelet has fallen below 1e-7 of its peak this many spreads from its middle.
SUPPORT_SPREADS = 8.0
#: Above this many entries a dense operator is refused: it would not fit a small machine.
MAX_OPERATOR_ENTRIES = 2**28


@dataclass(frozen=True)
class ScalogramConfig:
    """How a window becomes a scalogram.

    Attributes
    ----------
    encoding : str
        A name of :data:`wavebind.encodings.ENCODINGS`.
    wavelet : Wavelet
        The mother wavelet.
    n_scales : int
        Number of periods, spaced evenly in logarithm.
    min_period : float
        Shortest period in base pairs, 2 or more.
    max_period : float or None
        Longest period in base pairs; None means the length of the window.
    norm : {"l1", "l2"}
        See :func:`wavebind.wavelets.filter_bank`.
    outputs : tuple of str
        Which real numbers of each complex coefficient are kept, any of ``real``, ``imag``,
        ``modulus``, ``power``, ``phase`` (radians).
    stride : int
        Keep one position in `stride`. The coefficients of an analytic wavelet lose nothing at 2,
        where they are sampled at the bandwidth of a real signal.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    encoding: str = "onehot"
    wavelet: Wavelet = field(default_factory=Wavelet)
    n_scales: int = 32
    min_period: float = 2.0
    max_period: float | None = None
    norm: Norm = "l2"
    outputs: tuple[Output, ...] = ("real", "imag")
    stride: int = 1

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

    @property
    def channels(self) -> int:
        """Number of scalogram channels: signal channels times outputs."""
        return get_encoding(self.encoding).channels * len(self.outputs)

    def periods(self, length: int) -> NDArray[np.float64]:
        """The periods in base pairs for windows of `length`, shape ``(scale,)``."""
        longest = float(length) if self.max_period is None else self.max_period
        return log_periods(self.min_period, longest, self.n_scales)


def padded_length(wavelet: Wavelet, periods: NDArray[np.float64], length: int) -> int:
    """Length of the Fourier transform in base pairs: no wavelet wraps around within a window."""
    reach = math.ceil(SUPPORT_SPREADS * time_spread(wavelet) * float(np.max(periods)))
    return 1 << (2 * length + reach - 1).bit_length()


def wavelet_operator(
    wavelet: Wavelet, periods: NDArray[np.float64], length: int, norm: Norm, stride: int = 1
) -> NDArray[np.complex128]:
    """The transform of one window as a matrix: zero padding, exact linear convolution.

    Parameters
    ----------
    wavelet : Wavelet
    periods : numpy.ndarray
        Shape ``(scale,)``, base pairs.
    length : int
        Window length in base pairs.
    norm : {"l1", "l2"}
    stride : int
        One output position in `stride`, from position 0.

    Returns
    -------
    numpy.ndarray
        ``complex128``, shape ``(length, scale, ceil(length / stride))``: entry ``[u, s, t]`` is
        what a unit impulse at base ``u`` gives at scale ``s`` and position ``stride * t``.
    """
    n = padded_length(wavelet, periods, length)
    impulse = np.fft.ifft(filter_bank(wavelet, periods, n, norm), axis=1)
    offsets = np.arange(0, length, stride)[None, :] - np.arange(length)[:, None]
    return np.ascontiguousarray(impulse[:, offsets % n].transpose(1, 0, 2))


def cone_of_influence(wavelet: Wavelet, length: int) -> NDArray[np.float64]:
    """The longest period at each position that the edges do not reach.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(length,)``, base pairs: the distance to the nearer edge over the
        e-folding time of an edge in the wavelet power. For a Morlet wavelet of scale ``s`` this is
        ``sqrt(2) s`` (Torrence & Compo 1998, table 1), twice the spread of its energy.
    """
    position = np.arange(length)
    distance = np.minimum(position, length - 1 - position) + 0.5
    folding: NDArray[np.float64] = distance / (2 * time_spread(wavelet))
    return folding


def wavelet_picture(
    config: ScalogramConfig, codes: NDArray[np.uint8], output: Output = "modulus"
) -> NDArray[np.float64]:
    """One number a scale and base, for people to look at.

    Parameters
    ----------
    config : ScalogramConfig
        Its outputs and stride are passed over.
    codes : numpy.ndarray
        ``uint8``, shape ``(position,)``.
    output : str
        The modulus and the power add the powers of all signal channels; any other output is that
        of the first channel.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(scale, position)``, finest scale first.
    """
    whole = replace(config, outputs=("power" if output in ("modulus", "power") else output,))
    transform = Scalogram(replace(whole, stride=1), len(codes))
    with torch.inference_mode():
        planes = transform(torch.from_numpy(np.ascontiguousarray(codes))[None])[0].double().numpy()
    if output == "power":
        return np.asarray(planes.sum(axis=0))
    if output == "modulus":
        return np.asarray(np.sqrt(planes.sum(axis=0)))
    return np.asarray(planes[0])


class Scalogram(nn.Module):
    """Codes to scalograms, on the device of the module.

    One matrix product a batch, with the signal channels as its rows. It has no weights: its
    buffers are made again from the configuration and are not part of a saved model.

    Parameters
    ----------
    config : ScalogramConfig
    length : int
        Window length in base pairs.

    Attributes
    ----------
    periods : numpy.ndarray
        ``float64``, shape ``(scale,)``, base pairs.
    """

    table: torch.Tensor
    operator: torch.Tensor

    def __init__(self, config: ScalogramConfig, length: int) -> None:
        super().__init__()
        if length < 2:
            raise InputError(f"a scalogram needs a window of 2 bp or more; found {length}")
        self.config = config
        self.length = length
        self.periods = config.periods(length)
        self.positions = math.ceil(length / config.stride)
        entries = 2 * length * config.n_scales * self.positions
        if entries > MAX_OPERATOR_ENTRIES:
            raise InputError(
                f"windows of {length} bp with {config.n_scales} scales at stride {config.stride} "
                f"need an operator of {entries:,} numbers (the limit is "
                f"{MAX_OPERATOR_ENTRIES:,}); raise the stride or lower the number of scales"
            )
        matrix = wavelet_operator(
            config.wavelet, self.periods, length, config.norm, stride=config.stride
        )
        # (length, part, scale, position): the product then needs no transpose.
        parts = np.stack([matrix.real, matrix.imag], axis=1).reshape(length, -1)
        self.register_buffer("operator", torch.from_numpy(parts).float(), persistent=False)
        self.encoding = get_encoding(config.encoding)
        table = encoding_table(self.encoding)
        self.register_buffer("table", table, persistent=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(channel, scale, position)`` of one scalogram."""
        return self.config.channels, self.config.n_scales, self.positions

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
        batch, channels, length = signals.shape
        if length != self.length:
            raise InputError(
                f"this transform is for windows of {self.length} bp; found {length} bp"
            )
        flat = signals.reshape(batch * channels, length) @ self.operator
        return flat.view(batch, channels, 2, self.config.n_scales, self.positions)

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
        signals = encode(codes, self.table, cumulated=self.encoding.cumulated)
        parts = self.transform(signals)
        if self.config.outputs == ("real", "imag"):
            return parts.flatten(1, 2)
        real, imag = parts[:, :, 0], parts[:, :, 1]
        return torch.stack([part(name, real, imag) for name in self.config.outputs], 2).flatten(
            1, 2
        )


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
