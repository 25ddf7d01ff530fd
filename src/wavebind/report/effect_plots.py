"""The curve of two motifs by distance, and its rhythm."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wavebind.explain.motif_pairs import ORIENTATIONS, PairEffect
from wavebind.report.plots import BLUE, new_figure
from wavebind.wavelets.filters import Wavelet
from wavebind.wavelets.operators import wavelet_operator

__all__ = ["curve_scalogram", "draw_pair"]

#: Periods of the scalogram of a curve, in base pairs.
_SHORTEST, _LONGEST, _N_PERIODS = 3.0, 40.0, 48
_COLOURS = (BLUE, "#d1495b", "#66a182", "#8d6a9f")


def curve_scalogram(curve: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The scalogram of a curve by distance.

    Parameters
    ----------
    curve : numpy.ndarray
        ``float64``, shape ``(distance,)``, one value a base pair.

    Returns
    -------
    tuple of numpy.ndarray
        Periods in base pairs, ``(period,)``; and the modulus, ``(period, distance)``, with the
        curve's mean taken out and its ends reflected.
    """
    longest = min(_LONGEST, len(curve) / 2)
    periods = np.geomspace(_SHORTEST, max(longest, _SHORTEST + 1), _N_PERIODS)
    operator = wavelet_operator(Wavelet(beta=6.0), periods, len(curve), "l1", padding="reflect")
    centred = curve - curve.mean()
    return periods, np.abs(np.einsum("u,ust->st", centred, operator))


def draw_pair(found: PairEffect) -> Figure:
    """The interaction by distance in each orientation, and the scalogram of the best one."""
    figure = new_figure(8.5, 6.4)
    top, below = figure.subplots(2, 1, sharex=True)
    for k, (name, colour) in enumerate(zip(ORIENTATIONS, _COLOURS, strict=True)):
        top.plot(found.distances, found.mean[k], color=colour, label=name, lw=1.4)
        band = found.low[k], found.high[k]
        top.fill_between(found.distances, *band, color=colour, alpha=0.15, lw=0)
    top.axhline(0, color="0.6", lw=0.8)
    top.set_ylabel("together less apart (logit)")
    top.legend(title="strands", ncols=4, fontsize=8)
    top.set_title(
        f"{found.first} and {found.second}, {found.n_windows:,} windows", fontsize=10, loc="left"
    )
    best = ORIENTATIONS.index(found.best[0])
    periods, modulus = curve_scalogram(found.mean[best])
    mesh = below.pcolormesh(found.distances, periods, modulus, cmap="viridis", shading="nearest")
    figure.colorbar(mesh, ax=[top, below], label="strength of the rhythm (logit)", pad=0.01)
    below.set_yscale("log")
    below.set_yticks([3, 5, 10, 20, 40], ["3", "5", "10", "20", "40"])
    below.set_yticks([], minor=True)
    below.set_ylim(periods[0], periods[-1])
    below.set_ylabel(f"period of the curve {found.best[0]} (bp)")
    below.set_xlabel("base pairs between the two motifs")
    return figure
