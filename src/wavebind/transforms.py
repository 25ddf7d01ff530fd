"""The wavelet transform of a batch of signals, three ways that agree.

- ``matrix``: one product with a dense operator. Fastest for windows of a few hundred bases.
- ``fourier``: a fast Fourier transform a window, one product and one shorter inverse transform a
  scale. Kept positions are computed alone: keeping one in ``stride`` folds the spectrum, so coarse
  output is cheap.
- ``convolution``: strided convolutions with the wavelets cut at 1e-7 of their peak, scales of
  similar reach together. Only for scales whose response has died out at the Nyquist frequency;
  the others take the Fourier route.

All of them compute the linear convolution with the band-limited wavelet of
:func:`wavebind.wavelets.filter_bank`, after padding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from wavebind.errors import InputError
from wavebind.wavelets import Norm, Wavelet, filter_bank, time_spread

__all__ = [
    "METHODS",
    "PADDINGS",
    "ConvolutionTransform",
    "FourierTransform",
    "MatrixTransform",
    "Method",
    "Padding",
    "padded_length",
    "wavelet_operator",
]

Method = Literal["matrix", "fourier", "convolution"]
METHODS: tuple[Method, ...] = ("matrix", "fourier", "convolution")
Padding = Literal["zero", "reflect", "periodic"]
PADDINGS: tuple[Padding, ...] = ("zero", "reflect", "periodic")

#: A wavelet has fallen below 1e-7 of its peak this many spreads from its middle.
SUPPORT_SPREADS = 8.0
#: A response below this fraction of its peak at the Nyquist frequency has died out.
NYQUIST_LIMIT = 1e-7


def padded_length(wavelet: Wavelet, period: float, length: int, padding: Padding) -> int:
    """Length of the Fourier transform for one scale, in base pairs.

    Parameters
    ----------
    wavelet : Wavelet
    period : float
        Base pairs.
    length : int
        Of the window.
    padding : {"zero", "reflect", "periodic"}

    Returns
    -------
    int
        With zeros, a power of two long enough that no wavelet wraps around into the window. A
        periodic signal has its own length, a reflected one (whole-sample, the edges not repeated,
        as in :func:`numpy.pad`) the period ``2 * length - 2``.
    """
    if padding == "periodic":
        return length
    if padding == "reflect":
        return max(2 * length - 2, 1)
    reach = math.ceil(SUPPORT_SPREADS * time_spread(wavelet) * period)
    return 1 << (2 * length + reach - 1).bit_length()


def _groups(
    wavelet: Wavelet, periods: NDArray[np.float64], length: int, padding: Padding
) -> list[tuple[int, NDArray[np.int64]]]:
    """Scales that share a length of the Fourier transform, finest first."""
    lengths = np.array([padded_length(wavelet, float(p), length, padding) for p in periods])
    return [(int(n), np.flatnonzero(lengths == n)) for n in np.unique(lengths)]


def _sources(n: int, length: int, padding: Padding) -> NDArray[np.int64]:
    """For each place of the padded signal the base that it repeats; -1 is zero."""
    place = np.arange(n)
    if padding == "periodic" or length == 1:
        return place % length
    if padding == "reflect":
        return np.minimum(place, n - place)
    return np.where(place < length, place, -1)


def wavelet_operator(
    wavelet: Wavelet,
    periods: NDArray[np.float64],
    length: int,
    norm: Norm,
    stride: int = 1,
    padding: Padding = "zero",
) -> NDArray[np.complex128]:
    """The transform of one window as a matrix.

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
    padding : {"zero", "reflect", "periodic"}

    Returns
    -------
    numpy.ndarray
        ``complex128``, shape ``(length, scale, ceil(length / stride))``: entry ``[u, s, t]`` is
        what a unit impulse at base ``u`` gives at scale ``s`` and position ``stride * t``.
    """
    kept = np.arange(0, length, stride)
    operator = np.zeros((length, len(periods), len(kept)), dtype=np.complex128)
    for n, members in _groups(wavelet, periods, length, padding):
        impulse = np.fft.ifft(filter_bank(wavelet, periods[members], n, norm), axis=1)
        for place, source in enumerate(_sources(n, length, padding)):
            if source >= 0:
                operator[source, members] += impulse[:, (kept - place) % n]
    return operator


class MatrixTransform(nn.Module):
    """One matrix product a batch.

    Parameters
    ----------
    wavelet, periods, length, norm, stride, padding
        As :func:`wavelet_operator`.
    """

    operator: torch.Tensor

    def __init__(
        self,
        wavelet: Wavelet,
        periods: NDArray[np.float64],
        length: int,
        norm: Norm,
        stride: int,
        padding: Padding,
    ) -> None:
        super().__init__()
        matrix = wavelet_operator(wavelet, periods, length, norm, stride, padding)
        self.shape = (2, matrix.shape[1], matrix.shape[2])
        # (length, part, scale, position): the product then needs no transpose.
        parts = np.stack([matrix.real, matrix.imag], axis=1).reshape(length, -1)
        self.register_buffer("operator", torch.from_numpy(parts).float(), persistent=False)

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """``(batch, channel, position)`` to ``(batch, channel, part, scale, position)``."""
        batch, channels, length = signals.shape
        flat = signals.reshape(batch * channels, length) @ self.operator
        return flat.view(batch, channels, *self.shape)


class FourierTransform(nn.Module):
    """Products of spectra; the kept positions are computed alone.

    Keeping one position in ``stride`` of a signal of ``n`` folds its spectrum: bins that lie
    ``n / stride`` apart add up. Where `stride` does not divide the padded length, the greatest
    common divisor of the two is folded, and the rest is left out afterwards.

    Parameters
    ----------
    wavelet, periods, length, norm, stride, padding
        As :func:`wavelet_operator`.
    """

    def __init__(
        self,
        wavelet: Wavelet,
        periods: NDArray[np.float64],
        length: int,
        norm: Norm,
        stride: int,
        padding: Padding,
    ) -> None:
        super().__init__()
        self.length, self.stride, self.padding = length, stride, padding
        self.positions = math.ceil(length / stride)
        self.sizes: list[int] = []
        for i, (n, members) in enumerate(_groups(wavelet, periods, length, padding)):
            bank = torch.from_numpy(filter_bank(wavelet, periods[members], n, norm))
            # A wavelet has no use for the bins where it is nothing; an analytic one has no
            # negative ones. Real and imaginary part apart, so that a module's .double() and
            # .to(device) treat them as they treat weights.
            self.sizes.append(n)
            parts = torch.view_as_real(bank).float()
            self.register_buffer(f"bank{i}", parts, persistent=False)

    def _padded(self, signals: torch.Tensor, n: int) -> torch.Tensor:
        if self.padding == "reflect" and self.length > 2:
            inner = signals[..., 1:-1].flip(-1)
            return torch.cat([signals, inner], dim=-1)
        return functional.pad(signals, (0, n - self.length))

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """``(batch, channel, position)`` to ``(batch, channel, part, scale, position)``."""
        signals = signals if signals.dtype == torch.float64 else signals.float()
        found = []
        with torch.autocast(signals.device.type, enabled=False):
            for i, n in enumerate(self.sizes):
                bank = torch.view_as_complex(getattr(self, f"bank{i}"))
                spectrum = torch.fft.fft(self._padded(signals, n))
                product = spectrum.unsqueeze(2) * bank
                fold = math.gcd(n, self.stride)
                if fold > 1:
                    product = product.unflatten(-1, (fold, n // fold)).sum(-2) / fold
                step = self.stride // fold
                found.append(torch.fft.ifft(product)[..., ::step][..., : self.positions])
        whole = torch.cat(found, dim=2)
        return torch.stack([whole.real, whole.imag], dim=2)


class ConvolutionTransform(nn.Module):
    """Strided convolutions, scales of similar reach together; see the module's docstring.

    Parameters
    ----------
    wavelet, periods, length, norm, stride, padding
        As :func:`wavelet_operator`.
    """

    def __init__(
        self,
        wavelet: Wavelet,
        periods: NDArray[np.float64],
        length: int,
        norm: Norm,
        stride: int,
        padding: Padding,
    ) -> None:
        super().__init__()
        self.length, self.stride, self.padding = length, stride, padding
        self.positions = math.ceil(length / stride)
        bank = filter_bank(wavelet, periods, 4096, norm)
        at_nyquist = np.abs(bank[:, 2048]) / np.abs(bank).max(axis=1)
        reach = np.ceil(SUPPORT_SPREADS * time_spread(wavelet) * periods).astype(int)
        # A longer reach than the window is no convolution any more, and reflect has no more.
        local = (at_nyquist < NYQUIST_LIMIT) & (reach < length - 1)
        self.order: list[int] = []
        self.reaches: list[int] = []
        rest = np.flatnonzero(~local)
        self.rest: FourierTransform | None = None
        if rest.size:
            self.rest = FourierTransform(wavelet, periods[rest], length, norm, stride, padding)
            self.order += rest.tolist()
        for octave in np.unique(np.floor(np.log2(reach[local]))) if local.any() else ():
            members = np.flatnonzero(local & (np.floor(np.log2(reach)) == octave))
            widest = int(reach[members].max())
            n = 1 << (4 * widest).bit_length()
            impulse = np.fft.ifft(filter_bank(wavelet, periods[members], n, norm), axis=1)
            # conv1d correlates: entry j of a kernel meets the base j - widest away.
            kernel = impulse[:, -np.arange(-widest, widest + 1) % n]
            weight = torch.from_numpy(np.concatenate([kernel.real, kernel.imag])).float()
            name = f"kernel{len(self.reaches)}"
            self.register_buffer(name, weight.unsqueeze(1), persistent=False)
            self.reaches.append(widest)
            self.order += members.tolist()

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """``(batch, channel, position)`` to ``(batch, channel, part, scale, position)``."""
        batch, channels, _ = signals.shape
        flat = signals.reshape(batch * channels, 1, self.length)
        found = [self.rest(signals)] if self.rest is not None else []
        modes = {"zero": "constant", "reflect": "reflect", "periodic": "circular"}
        for i, reach in enumerate(self.reaches):
            padded = functional.pad(flat, (reach, reach), mode=modes[self.padding])
            out = functional.conv1d(padded, getattr(self, f"kernel{i}"), stride=self.stride)
            found.append(out.view(batch, channels, 2, -1, self.positions))
        return torch.cat(found, dim=3)[:, :, :, np.argsort(self.order).tolist()]


def estimated_seconds(
    method: Method, shape: tuple[int, int, int], stride: int, device: str
) -> float:
    """Time of one signal, roughly, to choose a method by.

    Parameters
    ----------
    method : {"matrix", "fourier"}
    shape : tuple of int
        Window length, scales, mean padded length.
    stride : int
    device : str
        ``cpu`` or another.
    """
    length, scales, padded = shape
    # Rates of two laptop cores, and of one data-centre card; only their ratio matters.
    matrix, fourier = (1e11, 4e9) if device == "cpu" else (2e13, 1e12)
    if method == "matrix":
        return 4.0 * length * scales * math.ceil(length / stride) / matrix
    kept = padded / stride
    return (8 * scales * padded + 5 * scales * kept * math.log2(max(kept, 2))) / fourier


Parts = Sequence[torch.Tensor]
