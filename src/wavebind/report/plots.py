"""Pictures, as matplotlib figures that belong to no window and no global state."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from wavebind.genome.sequences import Codes, to_letters
from wavebind.metrics.binary import Curves
from wavebind.metrics.reliability import ReliabilityCurve
from wavebind.wavelets.planes import cone_of_influence, wavelet_picture
from wavebind.wavelets.scalograms import Output, ScalogramConfig
from wavebind.wavelets.synchrosqueezing import squeezed_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "COLOURS",
    "PICTURE_KINDS",
    "cell_edges",
    "draw_calibration",
    "draw_cone",
    "draw_history",
    "draw_numbers",
    "draw_plane",
    "draw_precision_recall",
    "draw_reliability",
    "draw_roc",
    "draw_rocs_and_precisions",
    "draw_scalograms",
    "new_figure",
    "to_gif",
    "to_image",
    "to_png",
    "transform_words",
]

Floats = NDArray[np.float64]

#: Letters are written along the axis of windows up to this length.
MAX_LETTERS = 80
COLOURS = {"A": "#2a9d4a", "C": "#2f6fd0", "G": "#e08a00", "T": "#d03a3a", "N": "#888888"}
#: What a figure can be written as.
PICTURE_KINDS = ("png", "svg", "pdf")
BLUE, GREY = "#2f6fd0", "#8a8a8a"
#: Of each output what it is called, and its unit.
_QUANTITIES = {
    "modulus": ("modulus", "units of the signal"),
    "power": ("power", "units of the signal, squared"),
    "real": ("real part", "units of the signal"),
    "imag": ("imaginary part", "units of the signal"),
    "phase": ("phase", "radians"),
    "squeezed": ("synchrosqueezed modulus", "units of the signal"),
}


def new_figure(width: float, height: float, **kwargs: Any) -> Figure:
    """An empty figure of a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", **kwargs)


def to_png(figure: Figure, dpi: int = 110) -> bytes:
    """A figure as the bytes of a PNG file."""
    return to_image(figure, "png", dpi)


def to_image(figure: Figure, kind: str, dpi: int = 110) -> bytes:
    """A figure as the bytes of a file.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    kind : {"png", "svg", "pdf"}
        In the two drawings letters stay text, and planes are pictures within.
    dpi : int
    """
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(buffer, format=kind, dpi=dpi)
    return buffer.getvalue()


def cell_edges(periods: Floats) -> Floats:
    """Bounds of the cells of a picture: half a step of the logarithm either side of a period."""
    logs = np.log(periods)
    half = np.diff(logs) / 2 if len(logs) > 1 else np.array([0.1])
    first, last = logs[:1] - half[0], logs[-1:] + half[-1]
    between = logs[:-1] + half if len(logs) > 1 else logs[:0]
    edges: Floats = np.exp(np.concatenate([first, between, last]))
    return edges


def draw_plane(
    axes: Axes,
    picture: NDArray[np.floating[Any]],
    periods: Floats,
    *,
    start: int = 0,
    cmap: str = "viridis",
    limits: tuple[float | None, float | None] = (None, None),
) -> Any:
    """Draw a (scale, position) array with the period on a logarithmic axis, finest on top."""
    length = picture.shape[1]
    edges = cell_edges(periods)
    mesh = axes.pcolormesh(
        start + np.arange(length + 1) - 0.5,
        edges,
        picture,
        cmap=cmap,
        shading="flat",
        vmin=limits[0],
        vmax=limits[1],
        rasterized=True,
    )
    axes.set_yscale("log", base=2)
    axes.set_ylim(edges[-1], edges[0])
    ticks = [2**k for k in range(1, 24) if edges[0] <= 2**k <= edges[-1]]
    axes.set_yticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    axes.set_ylabel("period (bp)")
    return mesh


def draw_cone(axes: Axes, config: ScalogramConfig, length: int, start: int = 0) -> None:
    """A dashed line below which the edges of the window reach."""
    limit = cone_of_influence(config.wavelet, length)
    bottom, top = axes.get_ylim()
    axes.plot(
        start + np.arange(length),
        np.clip(limit, top, bottom),
        color="white",
        linewidth=1.0,
        linestyle="--",
    )


def _letters(axes: Axes, codes: Codes, start: int) -> None:
    if len(codes) <= MAX_LETTERS:
        axes.set_xticks(start + np.arange(len(codes)), list(to_letters(codes)), fontsize=8)
        for label in axes.get_xticklabels():
            label.set_color(COLOURS[label.get_text()])
        axes.tick_params(axis="x", length=0)


def to_gif(pictures: list[bytes], seconds: float = 1.0) -> bytes:
    """PNG pictures of one size as a film that repeats, `seconds` each."""
    from PIL import Image

    frames = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=round(1000 * seconds),
        loop=0,
    )
    return buffer.getvalue()


def transform_words(config: ScalogramConfig) -> str:
    """Encoding and wavelet, as a title names them."""
    name = config.encoding if isinstance(config.encoding, str) else "of one's own"
    return f"encoding {name}, {config.wavelet.words}"


def draw_scalograms(
    windows: list[tuple[str, Codes]],
    config: ScalogramConfig,
    output: Output | Literal["squeezed"] = "modulus",
    columns: int = 1,
    colours: str = "viridis",
    highest: float | None = None,
) -> Figure:
    """Scalograms of one or several sequences, in a grid with one scale of colours.

    Parameters
    ----------
    windows : list of tuple
        Name and codes (``uint8``, shape ``(position,)``) of each.
    config : ScalogramConfig
        Its outputs and stride are passed over: the picture has one position a base.
    output : str
        What is drawn. Of an encoding with several channels the modulus and the power are summed
        over them (as power). Of any other output the first channel is drawn. ``squeezed`` is the
        modulus after synchrosqueezing, with the norm l1.
    columns : int
        Panels side by side.
    colours : str
        A map of matplotlib for sizes. Phases take a cyclic one, signed parts one with white at 0.
    highest : float, optional
        End of the scale of sizes; by default the highest that is drawn.
    """
    columns = min(columns, len(windows))
    rows = -(-len(windows) // columns)
    figure = new_figure(9 * columns**0.5, 3.0 * rows + 0.4)
    figure.suptitle(transform_words(config), fontsize=10)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(windows) :]:
        axes.axis("off")
    pictures = [_drawn(config, codes, output) for _, codes in windows]
    top = highest or max(float(np.abs(picture).max()) for picture in pictures) or 1.0
    cmap, limits = colours, (0.0, top)
    if output == "phase":
        cmap, limits = "twilight", (-np.pi, np.pi)
    elif output in ("real", "imag"):
        cmap, limits = "RdBu_r", (-top, top)
    for axes, (name, codes), picture in zip(panels, windows, pictures, strict=False):
        mesh = draw_plane(axes, picture, config.periods(len(codes)), cmap=cmap, limits=limits)
        draw_cone(axes, config, len(codes))
        _letters(axes, codes, 0)
        axes.set_xlabel("position (bp, from 0)")
        axes.set_title(name, fontsize=10, loc="left")
    quantity, unit = _QUANTITIES[output]
    figure.colorbar(mesh, ax=list(panels), label=f"{quantity} ({unit})", pad=0.01)
    return figure


def highest_drawn(
    windows: list[tuple[str, Codes]], config: ScalogramConfig, output: Output | Literal["squeezed"]
) -> float:
    """End of one scale for several figures of :func:`draw_scalograms`."""
    return max(float(np.abs(_drawn(config, codes, output)).max()) for _, codes in windows)


def _drawn(config: ScalogramConfig, codes: Codes, output: Output | Literal["squeezed"]) -> Floats:
    """What is drawn of one sequence, shape ``(scale, position)``."""
    if output == "squeezed":
        return squeezed_picture(config, codes)
    return wavelet_picture(config, codes, output)


def _square(xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    figure = new_figure(4.4, 4.2)
    axes = figure.subplots()
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.grid(visible=True, color="#e6e6e6")
    return figure, axes


def draw_roc(points: Curves, auroc: float) -> Figure:
    """The ROC curve."""
    figure, axes = _square("false positive rate", "true positive rate")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="chance 0.500")
    axes.plot(
        np.append(0, points.false_positive_rate),
        np.append(0, points.true_positive_rate),
        color=BLUE,
        label=f"AUROC {auroc:.3f}",
    )
    axes.legend(loc="lower right", frameon=False)
    return figure


def draw_precision_recall(points: Curves, auprc: float, prevalence: float) -> Figure:
    """The precision-recall curve."""
    figure, axes = _square("recall", "precision")
    axes.axhline(prevalence, color=GREY, linestyle=":", label=f"chance {prevalence:.3f}")
    axes.step(
        np.append(0, points.true_positive_rate),
        np.append(1, points.precision),
        where="post",
        color=BLUE,
        label=f"AUPRC {auprc:.3f}",
    )
    axes.legend(loc="lower left", frameon=False)
    return figure


def draw_rocs_and_precisions(models: dict[str, tuple[Curves, str]], prevalence: float) -> Figure:
    """ROC and precision-recall curves of several models, side by side.

    Parameters
    ----------
    models : dict
        By name the curves, and what the legend says beside the name.
    prevalence : float
        Fraction of bound windows.
    """
    from matplotlib import colormaps

    figure = new_figure(11.0, 4.6)
    left, right = figure.subplots(1, 2)
    colours = colormaps["tab10" if len(models) <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    for i, (name, (points, words)) in enumerate(models.items()):
        style: dict[str, Any] = {"color": colours[i % len(colours)], "linewidth": 1.3}
        x, y = points.false_positive_rate, points.true_positive_rate
        left.plot(np.append(0, x), np.append(0, y), label=f"{name}  {words}", **style)
        right.step(np.append(0, y), np.append(1, points.precision), where="post", **style)
    left.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    right.axhline(prevalence, color=GREY, linestyle=":")
    left.set(xlabel="false positive rate", ylabel="true positive rate")
    right.set(xlabel="recall", ylabel="precision")
    for axes in (left, right):
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
        axes.grid(visible=True, color="#e6e6e6")
    left.legend(loc="lower right", frameon=False, fontsize=8)
    return figure


def draw_reliability(models: dict[str, ReliabilityCurve]) -> Figure:
    """Predicted probability against observed frequency, of several models."""
    from matplotlib import colormaps

    figure, axes = _square("predicted probability", "fraction bound")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    colours = colormaps["tab10" if len(models) <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    for i, (name, bins) in enumerate(models.items()):
        colour = colours[i % len(colours)]
        axes.plot(bins.predicted, bins.observed, ".-", color=colour, linewidth=1, label=name)
    axes.legend(loc="upper left", frameon=False, fontsize=7)
    return figure


def draw_calibration(bins: ReliabilityCurve) -> Figure:
    """Predicted probability against observed frequency."""
    figure, axes = _square("predicted probability", "fraction bound")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="perfect")
    axes.plot(
        bins.predicted, bins.observed, "o-", color=BLUE, label=f"expected error {bins.error:.3f}"
    )
    axes.legend(loc="upper left", frameon=False)
    return figure


def draw_numbers(values: Floats, predicted: Floats) -> Figure:
    """True against predicted numbers, both ``(window,)``."""
    figure = new_figure(4.4, 4.2)
    axes = figure.subplots()
    low, high = float(min(values.min(), predicted.min())), float(max(values.max(), predicted.max()))
    axes.plot([low, high], [low, high], color=GREY, linestyle=":")
    axes.plot(values, predicted, ".", color=BLUE, markersize=3, alpha=0.4)
    axes.set(xlabel="measured", ylabel="predicted")
    return figure


def draw_histories(histories: dict[str, list[dict[str, float]]]) -> Figure:
    """Valid AUROC by epoch of several networks; the kept epoch of each is marked."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(4.4, 4.2)
    axes = figure.subplots()
    for name, history in histories.items():
        scores = [entry["valid_auroc"] for entry in history]
        epochs = [entry["epoch"] for entry in history]
        best = int(np.argmax(scores))
        (line,) = axes.plot(epochs, scores, linewidth=1, label=f"{name}: {scores[best]:.3f}")
        axes.plot(epochs[best], scores[best], "o", color=line.get_color(), markersize=4)
    axes.set_xlabel("epoch")
    axes.set_ylabel("AUROC on what is held out")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    return figure


def draw_history(history: list[dict[str, float]], best: int) -> Figure:
    """Loss and validation metrics by epoch; the kept epoch is marked."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(4.4, 4.2)
    left = figure.subplots()
    right = left.twinx()
    epochs = [entry["epoch"] for entry in history]
    left.plot(epochs, [e["loss"] for e in history], color=GREY, label="training loss")
    right.plot(epochs, [e["valid_auroc"] for e in history], color=BLUE, label="valid AUROC")
    right.plot(
        epochs, [e["valid_auprc"] for e in history], color=BLUE, ls="--", label="valid AUPRC"
    )
    right.axvline(best, color="#d03a3a", linewidth=0.8, label=f"kept: epoch {best}")
    left.set_xlabel("epoch")
    left.set_ylabel("training loss")
    right.set_ylabel("AUROC, AUPRC on valid")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles = [*left.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    right.legend(handles=handles, loc="center right", frameon=False, fontsize=8)
    return figure
