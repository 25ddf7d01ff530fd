"""What a transform has to compute, however it does that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wavebind.wavelets.filters import Norm, Wavelet, filter_bank

__all__ = ["Padding", "TransformTask"]

Padding = Literal["zero", "reflect", "periodic", "none"]


@dataclass(frozen=True, eq=False)
class TransformTask:
    """A transform of windows of one length.

    Attributes
    ----------
    wavelet : Wavelet
    periods : numpy.ndarray
        ``float64``, shape ``(scale,)``, base pairs.
    length : int
        Of a window, in base pairs.
    norm : {"l1", "l2"}
    stride : int
        One position in `stride` is kept.
    padding : {"zero", "reflect", "periodic", "none"}
    derivative : bool
        Of the coefficients along the positions, instead of the coefficients.
    """

    wavelet: Wavelet
    periods: NDArray[np.float64]
    length: int
    norm: Norm
    stride: int
    padding: Padding
    derivative: bool

    def bank(self, members: NDArray[np.int64], n: int) -> NDArray[np.complex128]:
        """Responses of some of the scales on `n` bins; see :func:`filter_bank`."""
        periods = self.periods[members]
        return filter_bank(self.wavelet, periods, n, self.norm, derivative=self.derivative)
