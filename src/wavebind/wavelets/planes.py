"""Scalograms as people look at them: one plane a window, and where its edges reach."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.wavelets.filters import Wavelet, time_spread
from wavebind.wavelets.scalograms import Output, Scalogram, ScalogramConfig

__all__ = ["cone_of_influence", "wavelet_picture"]


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
    if config.padding == "none":
        whole = replace(whole, padding="zero", max_period=float(config.periods(len(codes))[-1]))
    transform = _picture_transform(replace(whole, stride=1), len(codes))
    batch = torch.from_numpy(np.ascontiguousarray(codes))[None]
    with torch.inference_mode():
        planes = transform(batch)[0].double().numpy()
    if output not in ("power", "modulus"):
        return np.asarray(planes[0])
    power = np.asarray(planes.sum(axis=0))
    return power if output == "power" else np.sqrt(power)


@functools.lru_cache(maxsize=2)
def _picture_transform(config: ScalogramConfig, length: int) -> Scalogram:
    """Made once for all windows of a page: its matrices take longer than a picture."""
    return Scalogram(config, length)
