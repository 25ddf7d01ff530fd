"""What a run's verbs return: arrays and tables that draw themselves and show well in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.explain.learned_motifs import FoundMotif
from wavebind.genome.sequences import Codes, onehot, to_letters
from wavebind.metrics.binary import METRICS
from wavebind.motifs.matches import Match
from wavebind.report.explanation_plots import draw_logo
from wavebind.report.plots import draw_plane
from wavebind.report.text import comparison_table, metrics_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from wavebind.evaluate.compare import Comparison

__all__ = ["ComparedModels", "Explanations", "LearnedMotif", "Metrics", "ScalogramArray"]


def _axes(ax: Axes | None, width: float, height: float) -> Axes:
    """The axes that were given, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(width, height), layout="constrained")
    axes: Axes = figure.subplots()
    return axes


class Metrics(Mapping[str, Any]):
    """The metrics of a run on one split, with 95 % intervals: what ``metrics.json`` holds.

    Attributes
    ----------
    folder : pathlib.Path
        Where they are kept.

    ``metrics["auroc"]["value"]`` is one of them; see ``docs/file-formats.md`` for all entries.

    Parameters
    ----------
    found : mapping
    folder : pathlib.Path
    """

    def __init__(self, found: Mapping[str, Any], folder: Path) -> None:
        self._found = dict(found)
        self.folder = folder

    def __getitem__(self, name: str) -> Any:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return metrics_table(self._found)

    def to_frame(self) -> pd.DataFrame:
        """A row a metric: ``metric``, ``value``, ``low``, ``high``, ``windows``.

        The last row is the AUROC of the best shortcut on the same windows.
        """
        import pandas as pd

        rows = [{"metric": name, **self._found[name]} for name in METRICS]
        error = self._found["calibration_error"]
        rows += [{"metric": "calibration_error", **error}] if error else []
        best = self._found["best_shortcut"]
        shortcut = {name: best[name] for name in ("value", "low", "high")}
        rows.append({"metric": f"shortcut: {best['name']}", **shortcut})
        frame = pd.DataFrame(rows)[["metric", "value", "low", "high"]]
        return frame.assign(windows=self._found["n_windows"])

    def _repr_html_(self) -> str:
        text: str = self.to_frame().to_html(index=False, float_format="{:.4f}".format)
        return text


@dataclass(frozen=True)
class Explanations:
    """How much each base of some windows speaks for binding; an array of scores.

    Attributes
    ----------
    scores : numpy.ndarray
        ``float32``, shape ``(window, position)``. Of ``ig``, ``ism`` and ``occlusion`` in logits,
        negative for a base that speaks against binding; of maps not negative.
    names : list of str
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    chrom : numpy.ndarray
        ``str``, shape ``(window,)``; empty where it is not known.
    start : numpy.ndarray
        ``int64``, shape ``(window,)``, 0-based; -1 where it is not known.
    method : str
    contributions : numpy.ndarray or None
        Of ``ig`` and ``ism``: ``float32``, shape ``(window, position, 4)``, what each of A, C, G
        and T would contribute.
    maps : numpy.ndarray or None
        Of Grad-CAM and its kin: ``float32``, shape ``(window, scale, position)``.
    periods : numpy.ndarray
        ``float64``, shape ``(scale,)``, base pairs.
    """

    scores: NDArray[np.float32]
    names: list[str]
    codes: Codes
    chrom: NDArray[np.str_]
    start: NDArray[np.int64]
    method: str
    contributions: NDArray[np.float32] | None
    maps: NDArray[np.float32] | None
    periods: NDArray[np.float64]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The scores, for numpy."""
        return np.array(self.scores, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: Any) -> Any:
        return self.scores[index]

    def __repr__(self) -> str:
        n, length = self.shape
        return f"scores of {n:,} windows of {length} bp by {self.method}, shape {self.shape}"

    @property
    def shape(self) -> tuple[int, int]:
        """``(window, position)``."""
        n, length = self.scores.shape
        return n, length

    def to_frame(self) -> pd.DataFrame:
        """A row a window and position.

        Columns: ``window`` (its name), ``position`` (from 0), ``coordinate`` (0-based; missing
        where it is not known), ``base`` and ``score``.
        """
        import pandas as pd

        n, length = self.shape
        position = np.tile(np.arange(length), n)
        start = np.repeat(self.start, length)
        coordinate = pd.array(start + position, dtype="Int64")
        coordinate[start < 0] = pd.NA
        return pd.DataFrame(
            {
                "window": np.repeat(self.names, length),
                "position": position,
                "coordinate": coordinate,
                "base": list("".join(to_letters(row) for row in self.codes)),
                "score": self.scores.ravel(),
            }
        )

    def plot(self, i: int = 0, ax: Axes | None = None) -> Axes:
        """Draw the scores of window `i` along its positions.

        Parameters
        ----------
        i : int
        ax : matplotlib.axes.Axes, optional
            A new figure by default.
        """
        axes = _axes(ax, 9, 2)
        first = max(int(self.start[i]), 0)
        axes.bar(first + np.arange(self.shape[1]), self.scores[i], width=1.0, color="#2f6fd0")
        axes.axhline(0, color="#555555", linewidth=0.6)
        axes.set_title(self.names[i], loc="left", fontsize=10)
        axes.set(xlabel="position (bp)", ylabel=f"score ({self.method})")
        return axes

    def logo(
        self, i: int = 0, ax: Axes | None = None, region: tuple[int, int] | None = None
    ) -> Axes:
        """Draw the letters of window `i` as high as they score.

        Parameters
        ----------
        i : int
        ax : matplotlib.axes.Axes, optional
            A new figure by default.
        region : tuple of int, optional
            First position and the one after the last; the whole window by default.
        """
        first, end = region or (0, self.shape[1])
        axes = _axes(ax, max(4.0, 0.12 * (end - first)), 1.6)
        letters = onehot(self.codes[i : i + 1])[0].T
        draw_logo(axes, (letters * self.scores[i][:, None])[first:end], first)
        axes.set_title(self.names[i], loc="left", fontsize=10)
        axes.set(xlabel="position (bp)", ylabel=f"score ({self.method})")
        return axes


@dataclass(frozen=True)
class ScalogramArray:
    """The scalogram of one sequence, as a run's network sees it; an array with its axes.

    Attributes
    ----------
    values : numpy.ndarray
        ``float32``, shape ``(channel, scale, position)``, finest scale first.
    channels : list of str
        What each channel is: channel of the encoding and output of the transform.
    periods : numpy.ndarray
        ``float64``, shape ``(scale,)``, base pairs.
    positions : numpy.ndarray
        ``int64``, shape ``(position,)``: the base that each column stands for, from 0.
    picture : numpy.ndarray
        ``float64``, shape ``(scale, base)``: the modulus, a column a base, for drawing.
    """

    values: NDArray[np.float32]
    channels: list[str]
    periods: NDArray[np.float64]
    positions: NDArray[np.int64]
    picture: NDArray[np.float64]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The values, for numpy."""
        return np.array(self.values, dtype=dtype, copy=copy)

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]

    def __repr__(self) -> str:
        low, high = self.periods[0], self.periods[-1]
        return f"scalogram of periods {low:.3g} to {high:.3g} bp, shape {self.shape}"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(channel, scale, position)``."""
        return self.values.shape

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the modulus over period and position.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            A new figure by default.
        """
        axes = _axes(ax, 9, 3)
        mesh = draw_plane(axes, self.picture, self.periods, cmap="viridis")
        axes.figure.colorbar(mesh, ax=axes, label="modulus")
        axes.set_xlabel("position (bp)")
        return axes


@dataclass(frozen=True)
class LearnedMotif:
    """A motif that a network has learnt.

    Attributes
    ----------
    found : FoundMotif
        Everything that is known of it.
    """

    found: FoundMotif

    def __repr__(self) -> str:
        match = self.match
        name = "no match" if match is None else f"{match.identifier} {match.name}, q {match.q:.1g}"
        return f"{self.name} {self.consensus}: {name}; {self.found.n_sites:,} sites"

    @property
    def name(self) -> str:
        """``for1``, ``for2``, ... of those that speak for binding, ``against1``, ... of others."""
        return self.found.motif.identifier

    @property
    def consensus(self) -> str:
        """The commonest base at each position."""
        return "".join("ACGT"[i] for i in self.found.motif.counts.argmax(axis=1))

    @property
    def pwm(self) -> NDArray[np.float64]:
        """Probabilities of A, C, G and T, ``float64``, shape ``(position, 4)``."""
        return self.found.motif.probabilities(0.0)

    @property
    def match(self) -> Match | None:
        """The matrix of JASPAR that resembles it most; None where q is 0.05 or more."""
        best = self.found.matches[0]
        return best if best.q < 0.05 else None

    def logo(self, ax: Axes | None = None) -> Axes:
        """Draw the motif, letters as high as their information in bits.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            A new figure by default.
        """
        axes = _axes(ax, max(3.2, 0.28 * self.found.motif.width + 1.0), 1.8)
        draw_logo(axes, self.pwm * self.found.motif.information()[:, None])
        axes.set_ylim(0, 2)
        axes.set_title(repr(self), loc="left", fontsize=9)
        axes.set(xlabel="position (bp)", ylabel="bits")
        return axes


class ComparedModels:
    """Models on the same windows, with paired intervals.

    Parameters
    ----------
    found : Comparison
    page : pathlib.Path
        The page that tells it all.
    """

    def __init__(self, found: Comparison, page: Path) -> None:
        self.found, self.page = found, page

    def __repr__(self) -> str:
        return comparison_table(self.found)

    def __getitem__(self, label: str) -> Any:
        """The metrics of one model.

        Raises
        ------
        InputError
            If there is no model of that name.
        """
        if label not in self.found.results:
            raise InputError(
                f"model {label!r} was not compared; choose one of: {', '.join(self.found.results)}"
            )
        return self.found.results[label].metrics

    def to_frame(self) -> pd.DataFrame:
        """A row a model.

        Columns: ``model``; ``auroc``, ``auprc`` and ``mcc``, each with ``_low`` and ``_high``;
        ``behind_auroc`` with ``_low`` and ``_high``, the reference less the model on the same
        windows; ``seconds``.
        """
        import pandas as pd

        rows = []
        for entry in self.found.entries:
            result = self.found.results[entry.label]
            row: dict[str, Any] = {"model": entry.label}
            for name in ("auroc", "auprc", "mcc"):
                m = result.metrics[name]
                row |= {name: m.value, f"{name}_low": m.low, f"{name}_high": m.high}
            gap = result.behind["auroc"]
            row |= {"behind_auroc": gap.value, "behind_auroc_low": gap.low}
            row |= {"behind_auroc_high": gap.high, "seconds": entry.seconds}
            rows.append(row)
        return pd.DataFrame(rows)

    def _repr_html_(self) -> str:
        text: str = self.to_frame().to_html(index=False, float_format="{:.4f}".format)
        return text
