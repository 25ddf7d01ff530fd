"""What lies below the cursor in a picture of a page: values, and where the axes are."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wavebind.genome.sequences import Codes, to_letters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["describe_window", "find_panels"]

#: Points of a line that a page holds.
_MAX_POINTS = 400
_DIGITS = 5


def find_panels(figure: Figure) -> list[dict[str, Any]]:
    """Where the axes of a figure that was drawn lie, and the lines in them.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        One that was written once, so that its layout is final.

    Returns
    -------
    list of dict
        A dict an axes. ``box`` has left, top, right and bottom as shares of the picture from its
        upper left corner. ``x`` and ``y`` have the values at the left and right and at the bottom
        and top. ``log`` says whether y is logarithmic. ``lines`` holds the named lines.
    """
    panels: list[dict[str, Any]] = []
    for axes in figure.axes:
        # A bar of colours holds no values of its own.
        if axes.get_label() == "<colorbar>":
            continue
        place = axes.get_position()
        box = [_round(v) for v in (place.x0, 1 - place.y1, place.x1, 1 - place.y0)]
        lines = _lines(axes)
        same = next((panel for panel in panels if panel["box"] == box), None)
        if same is not None:
            # Two scales over one another, as of loss and AUROC.
            same["lines"] += lines
            continue
        panels.append(
            {
                "box": box,
                "x": [_round(v) for v in axes.get_xlim()],
                "y": [_round(v) for v in axes.get_ylim()],
                "log": axes.get_yscale() == "log",
                "names": [axes.get_xlabel(), axes.get_ylabel()],
                "lines": lines,
            }
        )
    return panels


def _round(value: float) -> float:
    return float(f"{float(value):.{_DIGITS}g}") if abs(value) < 1e4 else float(value)


def _lines(axes: Axes) -> list[dict[str, Any]]:
    found = []
    for line in axes.get_lines():
        points = np.asarray(line.get_xydata(), dtype=np.float64)
        name = str(line.get_label())
        if name.startswith("_") or len(points) < 3 or not np.isfinite(points).all():
            continue
        kept = np.unique(np.linspace(0, len(points) - 1, _MAX_POINTS).round().astype(int))
        found.append(
            {
                "name": name,
                "label": axes.get_ylabel(),
                "x": [_round(v) for v in points[kept, 0]],
                "y": [_round(v) for v in points[kept, 1]],
            }
        )
    return found


def describe_window(
    codes: Codes,
    rows: Mapping[str, NDArray[np.floating[Any]]],
    *,
    start: int = 0,
    plane: tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]] | None = None,
) -> dict[str, Any]:
    """The values of a window, base by base.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(position,)``.
    rows : mapping
        By name a number a base, ``(position,)``.
    start : int
        Coordinate of the first base.
    plane : tuple of numpy.ndarray, optional
        The modulus, ``(period, position)``, and the periods in base pairs. It is kept in 255 steps.

    Returns
    -------
    dict
    """
    found: dict[str, Any] = {
        "start": start,
        "unit": "position" if start == 0 else "coordinate",
        "letters": to_letters(codes),
        "rows": [
            {"name": name, "values": [_round(v) for v in values]} for name, values in rows.items()
        ],
    }
    if plane is not None:
        modulus, periods = plane
        step = float(modulus.max()) / 255 or 1.0
        steps = np.rint(modulus / step).astype(np.uint8)
        found["plane"] = {
            "values": base64.b64encode(steps.tobytes()).decode("ascii"),
            "step": _round(step),
            "periods": [_round(v) for v in periods],
        }
    return found
