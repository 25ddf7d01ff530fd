"""The wavelet transform of a batch of signals, three ways that agree.

- ``matrix``: products with an operator in factors of low rank. Fastest for windows of a few hundred
  bases.
- ``fourier``: a fast Fourier transform a window, one product and one shorter inverse transform a
  scale. Kept positions are computed alone: keeping one in ``stride`` folds the spectrum, so coarse
  output is cheap.
- ``convolution``: strided convolutions with the wavelets cut where 1e-6 of their sum is left,
  scales of similar reach together. Only for scales whose response has died out at the Nyquist
  frequency; the others take the Fourier route.

All of them compute the linear convolution with the band-limited wavelet of
:func:`wavebind.wavelets.filters.filter_bank`, after padding. Without padding the filters are those
of :mod:`wavebind.wavelets.finite`, by a matrix or by convolution.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from wavebind.core.devices import has_fast_bf16
from wavebind.core.errors import InputError
from wavebind.wavelets.filters import Norm, Wavelet, filter_bank, time_spread
from wavebind.wavelets.finite import MAX_FINITE_MATRIX_LENGTH, FiniteTransform
from wavebind.wavelets.operators import (
    MAX_OPERATOR_ENTRIES,
    _dies_out,
    _groups,
    _spectrum_length,
    wavelet_operator,
)
from wavebind.wavelets.task import Padding, TransformTask

__all__ = [
    "METHODS",
    "PADDINGS",
    "ConvolutionTransform",
    "FourierTransform",
    "MatrixTransform",
    "Method",
    "TransformTask",
    "choose_method",
    "make_transform",
]

Method = Literal["matrix", "fourier", "convolution"]
METHODS: tuple[Method, ...] = ("matrix", "fourier", "convolution")
PADDINGS: tuple[Padding, ...] = ("zero", "reflect", "periodic", "none")

#: What a convolution leaves out of a wavelet, of the sum of its moduli.
CUT = 1e-6
#: Singular values below this fraction of the largest are rounding.
RANK_LIMIT = 1e-7
#: Bands of scales that share a pair of factors.
BANDS_AN_OCTAVE = 1
#: Longer windows are not given a matrix unasked.
MAX_MATRIX_LENGTH = 2048
#: Complex numbers of one batch: a few megabytes.
SPECTRUM_CHUNK = 2**20
#: Spectra of more complex numbers (1 GiB a signal) are refused.
MAX_SPECTRUM_ENTRIES = 2**27


def _factor(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The factors of smallest rank whose product is the matrix to :data:`RANK_LIMIT`."""
    # The singular vectors of a wide matrix from its small Gram matrix: many times faster, and
    # good to the square root of float64's rounding, which is below the limit.
    squares, left = np.linalg.eigh(matrix @ matrix.T)
    left = left[:, squares > RANK_LIMIT**2 * squares[-1]]
    return left, left.T @ matrix


class MatrixTransform(nn.Module):
    """Matrix products, of as low a rank as the scales have.

    A scale passes a band of frequencies, so it knows a window by fewer numbers than the window has
    bases. An octave around a period of 32 bp knows 200 bases by about 20 numbers. So the operator
    of each band of scales is kept as a product of two narrow factors, the best ones there are
    (Eckart & Young 1936, Psychometrika 1:211). It costs a third of the operations of the dense
    product at 200 bp. What is cut off lies below the rounding of float32.

    Parameters
    ----------
    task : TransformTask
    """

    left: torch.Tensor

    def __init__(self, task: TransformTask) -> None:
        super().__init__()
        length, periods = task.length, task.periods
        matrix = wavelet_operator(
            task.wavelet,
            periods,
            length,
            task.norm,
            task.stride,
            task.padding,
            derivative=task.derivative,
        )
        self.shape = (2, matrix.shape[1], matrix.shape[2])
        bands = np.floor(BANDS_AN_OCTAVE * np.log2(periods / periods[0]) + 1e-9).astype(int)
        self.bands: list[tuple[int, int]] = []
        self.ranks: list[int] = []
        lefts = []
        for band in np.unique(bands):
            members = np.flatnonzero(bands == band)
            part = matrix[:, members]
            flat = np.stack([part.real, part.imag], axis=1).reshape(length, -1)
            left, right = _factor(flat)
            if left.shape[1] * (length + flat.shape[1]) >= flat.size:
                left, right = np.eye(length), flat
            lefts.append(left)
            self.ranks.append(left.shape[1])
            self.bands.append((int(members[0]), int(members[-1]) + 1))
            name = f"right{len(lefts) - 1}"
            weights = torch.from_numpy(right.reshape(left.shape[1], 2, -1)).float()
            self.register_buffer(name, weights.transpose(0, 1).contiguous(), persistent=False)
        whole = torch.from_numpy(np.concatenate(lefts, axis=1)).float()
        self.register_buffer("left", whole, persistent=False)
        self._copies: dict[tuple[torch.device, torch.dtype], list[torch.Tensor]] = {}

    def _factors(self, dtype: torch.dtype) -> list[torch.Tensor]:
        """The factors in a type; a second one is kept beside the first, not made every time."""
        buffers = [self.left, *(getattr(self, f"right{i}") for i in range(len(self.bands)))]
        if buffers[0].dtype == dtype:
            return buffers
        key = (buffers[0].device, dtype)
        if key not in self._copies:
            self._copies = {key: [buffer.to(dtype) for buffer in buffers]}
        return self._copies[key]

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """``(batch, channel, position)`` to ``(batch, channel, part, scale, position)``."""
        batch, channels, length = signals.shape
        kind = signals.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else signals.dtype
        left, *rights = self._factors(dtype)
        with torch.autocast(kind, enabled=False):
            narrow = signals.reshape(batch * channels, length).to(dtype) @ left
            known = torch.split(narrow, self.ranks, dim=1)
            if torch.is_grad_enabled() and narrow.requires_grad:
                parts = [
                    (k @ right).reshape(2, len(k), -1, self.shape[2])
                    for k, right in zip(known, rights, strict=True)
                ]
                whole = torch.cat(parts, dim=2).transpose(0, 1)
            else:
                # Each product is written where it belongs; gathering them would be a second pass
                # over the whole output.
                whole = narrow.new_empty(batch * channels, *self.shape)
                for k, right, (first, stop) in zip(known, rights, self.bands, strict=True):
                    for part in range(2):
                        place = whole[:, part, first:stop].view(batch * channels, -1)
                        torch.mm(k, right[part], out=place)
        return whole.reshape(batch, channels, *self.shape)


class FourierTransform(nn.Module):
    """Products of spectra; the kept positions are computed alone.

    Keeping one position in ``stride`` of a signal of ``n`` folds its spectrum: bins that lie
    ``n / stride`` apart add up. Where `stride` does not divide the padded length, the greatest
    common divisor of the two is folded, and the rest is left out afterwards.

    Parameters
    ----------
    task : TransformTask
    """

    bank: torch.Tensor

    def __init__(self, task: TransformTask) -> None:
        super().__init__()
        wavelet, periods, length = task.wavelet, task.periods, task.length
        self.length, self.stride, self.padding = length, task.stride, task.padding
        self.positions = math.ceil(length / task.stride)
        # Bases of a window are less than its length apart: what a wavelet holds beyond that never
        # meets one, and twice the length is room enough for any period.
        self.size = _spectrum_length(wavelet, periods, length, task.padding)
        near = np.arange(1 - length, length)
        banks = []
        for n, members in _groups(wavelet, periods, length, task.padding):
            bank = task.bank(members, n)
            if n != self.size:
                impulse = np.zeros((len(members), self.size), dtype=np.complex128)
                impulse[:, near % self.size] = np.fft.ifft(bank, axis=1)[:, near % n]
                bank = np.fft.fft(impulse, axis=1)
            banks.append(bank)
        # Real and imaginary part apart, so that a module's .double() and .to(device) treat them as
        # they treat weights.
        parts = torch.view_as_real(torch.from_numpy(np.concatenate(banks))).float()
        self.register_buffer("bank", parts, persistent=False)

    def _padded(self, signals: torch.Tensor) -> torch.Tensor:
        if self.padding == "reflect" and self.length > 2:
            inner = signals[..., 1:-1].flip(-1)
            return torch.cat([signals, inner], dim=-1)
        return functional.pad(signals, (0, self.size - self.length))

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """``(batch, channel, position)`` to ``(batch, channel, part, scale, position)``."""
        signals = signals if signals.dtype == torch.float64 else signals.float()
        batch, channels, _ = signals.shape
        flat = signals.reshape(batch * channels, -1)
        with torch.autocast(signals.device.type, enabled=False):
            bank = torch.view_as_complex(self.bank)
            # A few signals at a time: the spectra of a whole batch would not fit a cache, nor, for
            # long windows, the memory.
            rows = max(1, SPECTRUM_CHUNK // bank.numel())
            pieces = [self._coefficients(piece, bank) for piece in torch.split(flat, rows)]
        whole = torch.cat(pieces) if len(pieces) > 1 else pieces[0]
        return whole.reshape(batch, channels, *whole.shape[1:])

    def _coefficients(self, signals: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
        """Signals ``(signal, position)`` to ``(signal, part, scale, kept position)``."""
        spectrum: torch.Tensor = torch.fft.fft(self._padded(signals))
        product = spectrum.unsqueeze(1) * bank
        fold = math.gcd(self.size, self.stride)
        if fold > 1:
            product = product.reshape(*product.shape[:-1], fold, self.size // fold).sum(-2) / fold
        step = self.stride // fold
        kept: torch.Tensor = torch.fft.ifft(product)[..., ::step][..., : self.positions]
        return torch.stack([kept.real, kept.imag], dim=1)


class ConvolutionTransform(nn.Module):
    """Strided convolutions, scales of similar reach together; see the module's docstring.

    Parameters
    ----------
    task : TransformTask
    """

    def __init__(self, task: TransformTask) -> None:
        super().__init__()
        wavelet, periods, length = task.wavelet, task.periods, task.length
        self.length, self.stride, self.padding = length, task.stride, task.padding
        self.positions = math.ceil(length / task.stride)
        reach = np.array([_reach(wavelet, float(p)) for p in periods])
        # A longer reach than the window is no convolution any more, and reflect has no more.
        local = reach < length - 1
        self.order: list[int] = []
        self.reaches: list[int] = []
        rest = np.flatnonzero(~local)
        self.rest: FourierTransform | None = None
        if rest.size:
            self.rest = FourierTransform(replace(task, periods=periods[rest]))
            self.order += rest.tolist()
        octaves = np.floor(np.log2(reach.astype(float)))
        for octave in np.unique(octaves[local]):
            members = np.flatnonzero(local & (octaves == octave))
            widest = int(reach[members].max())
            n = 1 << (4 * widest).bit_length()
            impulse = np.fft.ifft(task.bank(members, n), axis=1)
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


def _reach(wavelet: Wavelet, period: float) -> int:
    """Bases either side of its middle beyond which a wavelet holds 1e-6 of its sum.

    Returns
    -------
    int
        Very large for a wavelet that is still strong at the Nyquist frequency: its response ends
        there in a step, and a step rings for ever.
    """
    if not _dies_out(wavelet, period):
        return 2**62
    n = 1 << math.ceil(64 * max(time_spread(wavelet), 0.5) * period).bit_length()
    bank = filter_bank(wavelet, np.array([period]), n)[0]
    size = np.abs(np.fft.ifft(bank))[: n // 2]
    outside = np.cumsum(size[::-1])[::-1]
    return int(np.argmax(outside < CUT * size.sum()))


def choose_method(
    wavelet: Wavelet,
    periods: NDArray[np.float64],
    length: int,
    stride: int,
    padding: Padding,
    device: str,
) -> Method:
    """The method that is likely to be the fastest.

    A product grows with the square of the window. But it runs at a far higher rate than a Fourier
    transform, and in bfloat16 at several times that again. ``benchmarks/scalograms.py`` gave the
    factor. At 1,000 bp both took the same time in float32 on two cores, and the product a fifth of
    it in bfloat16.
    """
    fast = device != "cpu" or has_fast_bf16(torch.device("cpu"))
    ratio = 150.0 if fast else 30.0
    kept = math.ceil(length / stride)
    matrix = 4.0 * length * len(periods) * kept
    if padding == "none":
        return "matrix" if length <= MAX_FINITE_MATRIX_LENGTH else "convolution"
    n = _spectrum_length(wavelet, periods, length, padding)
    short = max(n / math.gcd(n, stride), 2.0)
    fourier = 5 * n * math.log2(max(n, 2)) + len(periods) * (8 * n + 5 * short * math.log2(short))
    too_large = 2 * length * len(periods) * kept > MAX_OPERATOR_ENTRIES
    # Factoring the operator takes the cube of the length, once: seconds at 2,000 bp.
    if length <= MAX_MATRIX_LENGTH and not too_large and matrix <= ratio * fourier:
        return "matrix"
    return "fourier"


def make_transform(
    method: Method,
    wavelet: Wavelet,
    periods: NDArray[np.float64],
    length: int,
    norm: Norm,
    stride: int,
    padding: Padding,
    *,
    derivative: bool = False,
) -> nn.Module:
    """A transform by the name of its method.

    Raises
    ------
    InputError
        If the method or the padding is not known, or the operator would not fit into memory.
    """
    if padding not in PADDINGS:
        raise InputError(f"padding {padding!r} is not known; choose one of: {', '.join(PADDINGS)}")
    if method not in METHODS:
        raise InputError(f"method {method!r} is not known; choose one of: {', '.join(METHODS)}")
    entries = 2 * length * len(periods) * math.ceil(length / stride)
    if method == "matrix" and entries > MAX_OPERATOR_ENTRIES:
        raise InputError(
            f"windows of {length} bp with {len(periods)} scales at stride {stride} need an "
            f"operator of {entries:,} numbers (the limit is {MAX_OPERATOR_ENTRIES:,}); choose the "
            f"method fourier"
        )
    task = TransformTask(wavelet, periods, length, norm, stride, padding, derivative)
    if padding == "none" and method != "matrix":
        if method == "fourier":
            raise InputError(
                "without padding the filters are finite; choose the method matrix or convolution"
            )
        return FiniteTransform(task)
    longest = _spectrum_length(wavelet, periods, length, padding)
    if method != "matrix" and longest * len(periods) > MAX_SPECTRUM_ENTRIES:
        raise InputError(
            f"a window of {length:,} bp with {len(periods)} scales needs spectra of "
            f"{longest * len(periods):,} numbers (the limit is {MAX_SPECTRUM_ENTRIES:,}); cut the "
            f"sequence into windows, lower the longest period or use fewer scales"
        )
    kinds = {
        "matrix": MatrixTransform,
        "fourier": FourierTransform,
        "convolution": ConvolutionTransform,
    }
    return kinds[method](task)
