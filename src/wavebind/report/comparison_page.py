"""The page of a comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from wavebind.core.files import replace_file
from wavebind.core.versions import versions
from wavebind.datasets.audit import WORDS
from wavebind.evaluate.compare import Comparison, to_json
from wavebind.metrics.binary import curves
from wavebind.metrics.paired import N_RESAMPLES
from wavebind.metrics.reliability import reliability_curve
from wavebind.report.explanation_plots import draw_profiles
from wavebind.report.html import png_text, render_page
from wavebind.report.plots import draw_reliability, draw_rocs_and_precisions, to_png

__all__ = ["write_comparison_page"]


def write_comparison_page(
    out: Path, found: Comparison, *, title: str, chosen_reference: bool = False
) -> Path:
    """Write ``comparison.html`` into the folder of a comparison.

    Parameters
    ----------
    out : pathlib.Path
    found : Comparison
    title : str
    chosen_reference : bool
        Whether the reference was named, and not found on valid.

    Returns
    -------
    pathlib.Path
        The page.
    """
    plain = to_json(found)
    labels = found.labels.astype(np.int64)
    points = {
        entry.label: (
            curves(labels, entry.scores[0].scores),
            f"{found.results[entry.label].seeds['auroc'][0]:.3f}",
        )
        for entry in found.entries
    }
    bins = {
        entry.label: reliability_curve(labels, entry.scores[0].probabilities)
        for entry in found.entries
    }
    html = render_page(
        "comparison.html",
        title=title,
        found=plain,
        verdict=_verdict(found),
        n_resamples=N_RESAMPLES,
        chosen_reference=chosen_reference,
        shortcut_word=WORDS[plain["audit"]["best_shortcut"]["name"]],
        curves=png_text(draw_rocs_and_precisions(points, float(labels.mean()))),
        reliability=png_text(draw_reliability(bins)),
        settings=json.dumps(found.settings, indent=2),
        versions=versions(),
    )
    _draw_profiles(out)
    path = out / "comparison.html"
    with replace_file(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return path


def _draw_profiles(out: Path) -> None:
    """Beside the scores of bases that a model has left, their picture."""
    for file in sorted((out / "models").glob("*/profiles.npz")):
        with np.load(file, allow_pickle=False) as stored:
            if "scores" not in stored:
                # Of version 0.1, which drew it at once.
                continue
            figure = draw_profiles(stored["base_scores"], stored["scores"], "gapped k-mers")
        with replace_file(file.with_suffix(".png")) as temporary:
            temporary.write_bytes(to_png(figure))


def _verdict(found: Comparison) -> str:
    """In words: whom the reference is clearly above, and whom not."""
    above: list[str] = []
    level: list[str] = []
    below: list[str] = []
    for entry in found.entries:
        if entry.label == found.reference:
            continue
        gap = found.results[entry.label].behind["auroc"]
        (above if gap.low > 0 else below if gap.high < 0 else level).append(entry.label)
    auroc = found.results[found.reference].metrics["auroc"]
    best: dict[str, Any] = found.audit["best_shortcut"]
    words = [
        f"{found.reference} has an AUROC of {auroc.value:.3f} ({auroc.low:.3f} to {auroc.high:.3f})"
        f"; {WORDS[best['name']]} alone would have {best['value']:.3f}."
    ]
    for names, what in (
        (above, "It is clearly above"),
        (level, "Not told apart from it on these windows:"),
        (below, "Clearly above it:"),
    ):
        if names:
            words.append(f"{what} {', '.join(names)}.")
    return " ".join(words)
