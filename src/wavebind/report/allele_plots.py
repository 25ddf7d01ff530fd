"""Pictures of a variant: each allele and their difference, over one axis and on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from wavebind.explain.allele_views import AlleleView
from wavebind.genome.sequences import Codes
from wavebind.report.explanation_plots import draw_logo
from wavebind.report.hover import describe_window
from wavebind.report.plots import draw_plane, new_figure, transform_words
from wavebind.wavelets.planes import wavelet_picture
from wavebind.wavelets.scalograms import ScalogramConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Shown", "allele_values", "draw_allele", "shown_alleles"]

Shown = Literal["reference", "alternative", "difference"]
#: Bases of the logo, the variant in their middle.
_ZOOM = 51
Floats = NDArray[np.floating[Any]]


def shown_alleles(view: AlleleView) -> tuple[Shown, ...]:
    """What can be drawn: the difference only where bases stand over one another."""
    return ("reference", "alternative", *(("difference",) if view.same_length else ()))


def _parts(view: AlleleView, shown: Shown, config: ScalogramConfig) -> tuple[Codes, Floats, Floats]:
    """Codes, contributions ``(position,)`` and modulus ``(period, position)``."""
    planes = [wavelet_picture(config, codes) for codes in view.codes]
    if shown == "difference":
        change = view.contributions[1] - view.contributions[0]
        return view.codes[1], change, planes[1] - planes[0]
    which = 0 if shown == "reference" else 1
    return view.codes[which], view.contributions[which], planes[which]


def draw_allele(view: AlleleView, shown: Shown, config: ScalogramConfig) -> Figure:
    """One allele: scalogram, contributions along the window, and a logo around the variant.

    Parameters
    ----------
    view : AlleleView
    shown : {"reference", "alternative", "difference"}
        The difference is alternative less reference.
    config : ScalogramConfig
    """
    codes, scores, plane = _parts(view, shown, config)
    length = len(codes)
    position = view.start + np.arange(length)
    figure = new_figure(9, 5.8)
    top, bars, logo = figure.subplots(3, 1, gridspec_kw={"height_ratios": [2.4, 1.2, 1.6]})
    if shown == "difference":
        size = float(np.abs(plane).max()) or 1.0
        cmap, limits, what = "RdBu_r", (-size, size), "alternative less reference"
    else:
        size = max(float(wavelet_picture(config, one).max()) for one in view.codes)
        cmap, limits = "viridis", (0.0, size)
        which = 0 if shown == "reference" else 1
        what = f"{shown} allele, probability of binding {view.probability[which]:.3f}"
    mesh = draw_plane(
        top, plane, config.periods(length), start=view.start, cmap=cmap, limits=limits
    )
    figure.colorbar(mesh, ax=top, label="modulus\n(units of the signal)", pad=0.01)
    top.set_title(
        f"{view.name}: {what}\nscalogram: {transform_words(config)}", fontsize=10, loc="left"
    )
    bars.bar(position, scores, width=1.0, color=np.where(scores < 0, "#b2182b", "#2166ac"))
    bars.axhline(0, color="#555555", linewidth=0.6)
    bars.set_ylabel("contribution\n(log-odds)")
    at = view.start + view.offset
    for axes in (top, bars):
        axes.axvline(at, color="#d1495b", linewidth=0.9, linestyle=":")
        axes.set_xlim(view.start - 0.5, view.start + length - 0.5)
        axes.ticklabel_format(axis="x", style="plain", useOffset=False)
    top.tick_params(axis="x", labelbottom=False)
    first = max(view.offset - _ZOOM // 2, 0)
    stretch = slice(first, min(first + _ZOOM, length))
    heights = np.zeros((stretch.stop - first, 4))
    known = np.flatnonzero(codes[stretch] < 4)
    heights[known, codes[stretch][known]] = scores[stretch][known]
    draw_logo(logo, heights, view.start + first)
    logo.axvline(at, color="#d1495b", linewidth=0.9, linestyle=":")
    logo.ticklabel_format(axis="x", style="plain", useOffset=False)
    logo.set_ylabel("around\nthe variant")
    logo.set_xlabel("coordinate (bp, 0-based)")
    if shown != "difference":
        _one_scale(bars, view.contributions)
        _one_scale(logo, view.contributions)
    return figure


def _one_scale(axes: Any, contributions: Floats) -> None:
    """The same limits for both alleles, so that their pictures can be compared."""
    low, high = min(float(contributions.min()), 0.0), max(float(contributions.max()), 1e-6)
    axes.set_ylim(1.1 * low, 1.1 * high)


def allele_values(view: AlleleView, shown: Shown, config: ScalogramConfig) -> dict[str, Any]:
    """What a cursor on the picture shows; see :func:`wavebind.report.hover.describe_window`."""
    codes, scores, plane = _parts(view, shown, config)
    name = "change of contribution" if shown == "difference" else "contribution"
    # Steps of a plane begin at zero: of a difference the base by base values alone are shown.
    values = None if shown == "difference" else (plane, config.periods(len(codes)))
    return describe_window(codes, {name: scores}, start=view.start, plane=values)
