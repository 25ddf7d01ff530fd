"""The page of a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wavebind.core.files import replace_file
from wavebind.core.versions import versions
from wavebind.datasets.audit import WORDS
from wavebind.evaluate.benchmark import Benchmark, BenchmarkConfig, folder_of
from wavebind.evaluate.ranking import Ranking
from wavebind.report.comparison_page import write_comparison_page
from wavebind.report.html import png_text, render_page
from wavebind.report.plots import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["cliques", "draw_ranks", "write_benchmark_page"]

_METRICS = (("auroc", "AUROC"), ("auprc", "AUPRC"), ("mcc", "Matthews correlation"))


def write_benchmark_page(
    out: Path, found: Benchmark, config: BenchmarkConfig, *, title: str
) -> Path:
    """Write ``benchmark.html``, and the page of each dataset's comparison beside its table.

    Returns
    -------
    pathlib.Path
        The page.
    """
    models = [spec.label for spec in config.models]
    datasets = []
    for name, one in found.comparisons.items():
        write_comparison_page(out / folder_of(name), one, title=f"Models on {name}")
        best = one.audit["best_shortcut"]
        datasets.append(
            {
                "name": name,
                "windows": len(one.labels),
                "bound": int((one.labels == 1).sum()),
                "results": one.results,
                "reference": one.reference,
                "shortcut": best,
                "shortcut_word": WORDS[best["name"]],
                "entries": one.entries,
                "verdict": one.audit["verdict"],
            }
        )
    ranking = found.ranking
    several = np.isfinite(ranking.critical_difference)
    html = render_page(
        "benchmark.html",
        title=title,
        versions=versions(),
        datasets=datasets,
        models=models,
        part=config.part,
        seeds=config.seeds,
        train_bound=config.train_bound,
        chosen_reference=bool(config.reference),
        metrics=_METRICS,
        verdict=_verdict(found),
        ranking=ranking,
        diagram=png_text(draw_ranks(ranking)) if several else "",
        friedman=f"{ranking.p_value:.3g}" if np.isfinite(ranking.p_value) else "",
        cross=[(model, _matrix(found, model)) for model in models] if found.cross else [],
    )
    path = out / "benchmark.html"
    with replace_file(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return path


def _verdict(found: Benchmark) -> str:
    ranking = found.ranking
    best = ranking.models[0]
    n_first = sum(
        max(one.results, key=lambda label: one.results[label].metrics["auroc"].value) == best
        for one in found.comparisons.values()
    )
    words = (
        f"{best} has the best mean rank by AUROC, {ranking.ranks[0]:.2f} of "
        f"{len(ranking.models)}; it is first on {n_first} of {ranking.n_datasets} datasets."
    )
    if np.isfinite(ranking.critical_difference):
        level = [
            model
            for model, rank in zip(ranking.models[1:], ranking.ranks[1:], strict=True)
            if rank - ranking.ranks[0] < ranking.critical_difference
        ]
        if level:
            words += (
                f" With {ranking.n_datasets} datasets it is not told apart from {', '.join(level)}."
            )
    return words


def _matrix(found: Benchmark, model: str) -> list[tuple[str, list[dict[str, Any]]]]:
    cells = found.cross[model]
    return [
        (
            a,
            [
                {
                    "estimate": cells[a, b],
                    "home": a == b,
                    "shared": found.shared.get((a, b), 0),
                }
                for b in found.names
            ],
        )
        for a in found.names
    ]


def cliques(ranks: np.ndarray[Any, np.dtype[np.float64]], width: float) -> list[tuple[int, int]]:
    """First and last of each largest group of neighbours whose ranks lie within a width.

    Parameters
    ----------
    ranks : numpy.ndarray
        Shape ``(model,)``, ascending.
    width : float
    """
    found: list[tuple[int, int]] = []
    for i in range(len(ranks)):
        last = int(np.searchsorted(ranks, ranks[i] + width, side="left")) - 1
        if last > i and not any(a <= i and last <= b for a, b in found):
            found.append((i, last))
    return found


def draw_ranks(ranking: Ranking) -> Figure:
    """A critical-difference diagram."""
    n = len(ranking.models)
    groups = cliques(ranking.ranks, ranking.critical_difference)
    figure = new_figure(7.5, 1.2 + 0.24 * n + 0.12 * len(groups))
    axes = figure.subplots()
    low = 0.12 * len(groups) + 0.15
    for i, (model, rank) in enumerate(zip(ranking.models, ranking.ranks, strict=True)):
        height = -low - 0.25 * (i + 1)
        axes.plot([rank, rank], [0, height], color="black", lw=0.8)
        left = i < n / 2
        axes.plot([rank, 0.6 if left else n + 0.4], [height, height], color="black", lw=0.8)
        axes.text(
            0.55 if left else n + 0.45,
            height,
            f"{model} ({rank:.2f})",
            ha="right" if left else "left",
            va="center",
        )
    for k, (first, last) in enumerate(groups):
        height = -0.12 * (k + 1)
        axes.plot(ranking.ranks[[first, last]], [height, height], color="black", lw=3.5)
    axes.plot([1, 1 + ranking.critical_difference], [0.35, 0.35], color="black", lw=1.2)
    axes.text(1, 0.42, f"critical difference {ranking.critical_difference:.2f}", fontsize=8)
    axes.plot([1, n], [0, 0], color="black", lw=1.2)
    for rank in range(1, n + 1):
        axes.text(rank, 0.08, str(rank), ha="center", fontsize=8)
        axes.plot([rank, rank], [-0.03, 0.03], color="black", lw=1)
    axes.set_xlim(-1.5, n + 2.5)
    axes.set_ylim(-low - 0.25 * (n + 1), 0.6)
    axes.set_axis_off()
    return figure
