"""Pictures of explanations: maps over scalograms, logos, and many windows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wavebind.explain.gradcam import KINDS
from wavebind.genome.sequences import Codes, to_letters
from wavebind.motifs.pwms import Motif
from wavebind.report.plots import (
    BLUE,
    COLOURS,
    cell_edges,
    draw_cone,
    draw_plane,
    new_figure,
    transform_words,
)
from wavebind.wavelets.planes import wavelet_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from wavebind.models import ModelConfig

__all__ = ["draw_explanation", "draw_logo", "draw_mean_map", "draw_motif", "draw_profiles"]

Floats = NDArray[np.float64]
Scores = NDArray[np.floating[Any]]

#: Bases of the enlarged stretch of a picture.
ZOOM = 44
#: What the score of a base is, by the kind of method.
SCORE_WORDS = {
    "map": "evidence\nof each base",
    "base": "contribution of\neach base (log-odds)",
}


def draw_logo(axes: Axes, heights: Scores, start: int = 0) -> None:
    """Letters as high as they score, below the line where that is negative.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    heights : numpy.ndarray
        Shape ``(position, 4)``: A, C, G, T.
    start : int
        Coordinate of the first position.
    """
    import logomaker
    import pandas as pd

    table = pd.DataFrame(np.asarray(heights, dtype=np.float64), columns=list("ACGT"))
    table.index = pd.RangeIndex(start, start + len(table))
    colours = {letter: COLOURS[letter] for letter in "ACGT"}
    logomaker.Logo(table, ax=axes, color_scheme=colours, show_spines=False)
    axes.axhline(0, color="#555555", linewidth=0.6)
    axes.set_xlim(start - 0.5, start + len(table) - 0.5)


def draw_motif(motif: Motif, contributions: Scores, title: str) -> Figure:
    """A motif twice: its information content, and what its letters contribute.

    Parameters
    ----------
    motif : Motif
    contributions : numpy.ndarray
        Shape ``(position, 4)``.
    title : str
    """
    figure = new_figure(max(3.2, 0.28 * motif.width + 1.0), 3.4)
    information, scores = figure.subplots(2, 1, sharex=True)
    share = motif.probabilities(0.0)
    draw_logo(information, share * motif.information()[:, None])
    information.set_ylim(0, 2)
    information.set_ylabel("bits")
    information.set_title(title, fontsize=9, loc="left")
    draw_logo(scores, contributions)
    scores.set_ylabel("mean contribution\n(log-odds)")
    scores.set_xlabel("position (bp)")
    return figure


def draw_explanation(
    name: str,
    codes: Codes,
    cam: NDArray[np.float32],
    base_scores: NDArray[np.float32],
    config: ModelConfig,
    probability: float,
    *,
    start: int = 0,
    method: str = "gradcam",
    missed: bool = False,
) -> Figure:
    """One window: its scalogram, the map over it, the score of each base, and the best stretch.

    Beside a network that reads the bases themselves the scalogram is a picture for people, which
    its title says.

    Parameters
    ----------
    name : str
    codes : numpy.ndarray
        ``uint8``, shape ``(position,)``.
    cam : numpy.ndarray
        Shape ``(scale, position)``, from 0 to 1.
    base_scores : numpy.ndarray
        Shape ``(position,)``.
    config : ModelConfig
    probability : float
        The model's, for the title.
    start : int
        Coordinate of the first base.
    method : str
        Where the scores of the bases come from, for the label.
    missed : bool
        Whether the window is bound and the model calls it unbound, which the title then says.
    """
    figure = new_figure(9, 7.6)
    rows = figure.subplots(4, 1, gridspec_kw={"height_ratios": [3, 3, 1.5, 1.7]})
    scalogram, overlay, bases, zoom = rows
    wavelets = config.scalogram
    periods = wavelets.periods(len(codes))
    picture = wavelet_picture(wavelets, codes, "modulus")
    mesh = draw_plane(scalogram, picture, periods, start=start)
    figure.colorbar(mesh, ax=scalogram, label="modulus\n(units of the signal)", pad=0.01)
    draw_cone(scalogram, wavelets, len(codes), start)
    title = f"{name}   probability of binding {probability:.3f}"
    if missed:
        title += "   WRONG: bound, and called unbound"
    title += f"\nscalogram: {transform_words(wavelets)}"
    if config.front_name == "signal":
        title += "; a picture for people: this network reads the bases themselves"
    scalogram.set_title(title, fontsize=10, loc="left", color="#b3261e" if missed else "black")
    # In grey, so that colour is the map's alone.
    draw_plane(overlay, picture, periods, start=start, cmap="gray")
    rgba = _inferno(cam)
    _image_over(overlay, rgba, periods, start)
    figure.colorbar(_scale("inferno"), ax=overlay, label="evidence\n(1: the most)", pad=0.01)
    overlay.set_title("evidence for binding, over the scalogram in grey", fontsize=9, loc="left")
    letters = to_letters(codes)
    position = start + np.arange(len(codes))
    for letter, colour in COLOURS.items():
        here = np.array([c == letter for c in letters])
        if here.any():
            bases.bar(position[here], base_scores[here], width=1.0, color=colour, label=letter)
    # Beside so low a panel a label would reach into the next one.
    words = SCORE_WORDS["map" if method in KINDS else "base"].replace("\n", " ")
    bases.set_title(words, fontsize=9, loc="left")
    bases.legend(ncols=5, fontsize=7, loc="upper right", frameon=False, handlelength=0.8)
    low, high = float(min(base_scores.min(), 0)), float(max(base_scores.max(), 1e-6))
    bases.set_ylim(1.1 * low, high * 1.35)
    for axes in (scalogram, overlay, bases):
        axes.set_xlim(start - 0.5, start + len(codes) - 0.5)
        axes.ticklabel_format(axis="x", style="plain", useOffset=False)
    for axes in (scalogram, overlay):
        axes.tick_params(axis="x", labelbottom=False)
    width = min(ZOOM, len(codes))
    sums = np.convolve(np.maximum(base_scores, 0), np.ones(width), mode="valid")
    first = int(np.argmax(sums))
    heights = np.zeros((width, 4))
    known = codes[first : first + width] < 4
    rows_known = np.flatnonzero(known)
    heights[rows_known, codes[first : first + width][known]] = base_scores[first : first + width][
        known
    ]
    draw_logo(zoom, heights, start + first)
    zoom.ticklabel_format(axis="x", style="plain", useOffset=False)
    zoom.set_ylabel("best stretch")
    zoom.set_xlabel("position (bp)" if start == 0 else "coordinate (bp, 0-based)")
    return figure


def _scale(name: str) -> Any:
    """What a bar of colours from 0 to 1 is made of."""
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(cmap=name)


def _inferno(cam: NDArray[np.float32]) -> NDArray[np.float64]:
    import matplotlib as mpl

    rgba: NDArray[np.float64] = mpl.colormaps["inferno"](cam)
    rgba[..., 3] = np.clip(cam, 0, 1) * 0.85
    return rgba


def _image_over(axes: Axes, rgba: NDArray[np.float64], periods: Floats, start: int) -> None:
    limits = axes.get_xlim(), axes.get_ylim()
    across = start + np.arange(rgba.shape[1] + 1) - 0.5
    axes.pcolormesh(across, cell_edges(periods), rgba, shading="flat", rasterized=True)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])


def draw_mean_map(
    mean_map: Scores,
    profile: Scores,
    periods: Floats,
    n_windows: int,
    method: str = "gradcam",
    kind: str = "bound windows",
) -> Figure:
    """The mean map of many windows, and their mean score at each base; `kind` names them.

    Positions are relative to the middle of the window.
    """
    figure = new_figure(9, 4.6)
    plane, line = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1.4]})
    start = -(mean_map.shape[1] // 2)
    mesh = draw_plane(plane, mean_map, periods, start=start, cmap="inferno", limits=(0, None))
    figure.colorbar(mesh, ax=plane, label="mean evidence for binding", pad=0.01)
    plane.set_title(f"mean of {n_windows:,} {kind}", fontsize=10, loc="left")
    line.plot(start + np.arange(len(profile)), profile, color=BLUE)
    line.set_ylim(min(0, 1.1 * float(profile.min())), None)
    line.set_ylabel("mean " + SCORE_WORDS["map" if method in KINDS else "base"], fontsize=8)
    line.set_xlabel("position from the middle of the window (bp)")
    return figure


def draw_profiles(
    profiles: Scores, logits: Floats, method: str, kind: str = "bound windows"
) -> Figure:
    """The scores of many windows, sorted by the model's logit, and their mean.

    Parameters
    ----------
    profiles : numpy.ndarray
        Shape ``(window, position)``: a score a base.
    logits : numpy.ndarray
        Shape ``(window,)``.
    method : str
        What the scores are, for the labels.
    kind : str
        What the windows are.
    """
    order = np.argsort(-logits, kind="stable")
    figure = new_figure(7.5, 6.2)
    heat, line = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    start = -(profiles.shape[1] // 2)
    signed = bool((profiles < 0).any())
    top = float(np.quantile(np.abs(profiles), 0.995)) or 1e-6
    mesh = heat.imshow(
        profiles[order],
        aspect="auto",
        interpolation="nearest",
        cmap="RdBu_r" if signed else "inferno",
        vmin=-top if signed else 0,
        vmax=top,
        extent=(start - 0.5, start + profiles.shape[1] - 0.5, len(profiles), 0),
    )
    figure.colorbar(
        mesh, ax=heat, label=SCORE_WORDS["map" if method in KINDS else "base"], pad=0.01
    )
    heat.set_ylabel(f"{kind}, best first")
    heat.set_title(f"{len(profiles):,} {kind}", fontsize=10, loc="left")
    line.plot(start + np.arange(profiles.shape[1]), profiles.mean(axis=0), color=BLUE)
    line.set_ylabel("mean")
    line.set_xlabel("position from the middle of the window (bp)")
    return figure
