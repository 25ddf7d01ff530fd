"""One self-contained HTML page for a run: no script, no network, everything escaped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wavebind.core.errors import InputError
from wavebind.core.files import replace_file
from wavebind.core.jsonfiles import read_json
from wavebind.core.versions import versions
from wavebind.datasets.audit import WORDS
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.evaluate.assess import read_scores, read_values
from wavebind.explain.attribution import METHODS
from wavebind.explain.run import CHECKS, Explained, explain_run, read_explained
from wavebind.metrics.binary import METRICS, curves
from wavebind.metrics.reliability import reliability_curve
from wavebind.models import ModelCard, load_model
from wavebind.models.rundir import RunDir
from wavebind.motifs.pwms import Motif
from wavebind.report.explanation_plots import (
    draw_explanation,
    draw_mean_map,
    draw_motif,
    draw_profiles,
)
from wavebind.report.html import png_text, render_page
from wavebind.report.plots import (
    draw_calibration,
    draw_histories,
    draw_history,
    draw_numbers,
    draw_precision_recall,
    draw_roc,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_report"]

MAX_EXAMPLES = 6
MAX_MOTIFS = 8


def write_report(
    run: Path, *, device: str = "auto", progress: Callable[[int], None] | None = None
) -> Path:
    """Write ``report.html`` into a run directory.

    Parameters
    ----------
    run : pathlib.Path
        A run that was evaluated. Where it was not explained, the bound windows of the evaluated
        split are explained first.
    device : str
        For explaining.
    progress : callable, optional
        Called with 1 for every picture that was drawn.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    InputError
        If the run is not trained or not evaluated, or its dataset is gone.
    """
    folder = RunDir(run).require_model()
    if not folder.metrics.is_file():
        raise InputError(
            f"{run}: has no metrics.json; score the run with 'wavebind evaluate {run} DATA' first"
        )
    metrics = read_json(folder.metrics)
    model, card = load_model(folder.model)
    settings = read_json(folder.run_json)
    part = str(metrics["split"])
    data = open_dataset(Path(metrics["data"]["path"]))
    explained, explain_split = _explanation(folder, metrics, device)
    labels, scores = read_scores(run, part)
    points = curves(labels, scores)
    step = progress or (lambda _: None)

    def picture(figure: Figure) -> str:
        png = png_text(figure)
        step(1)
        return png

    figures = [
        (draw_roc(points, metrics["auroc"]["value"]), f"ROC, {part}"),
        (
            draw_precision_recall(points, metrics["auprc"]["value"], float(np.mean(labels))),
            f"precision and recall, {part}",
        ),
        (
            draw_numbers(*read_values(run, part))
            if metrics["numbers"]
            else draw_calibration(reliability_curve(labels, scores)),
            f"measured and predicted, {part}" if metrics["numbers"] else f"calibration, {part}",
        ),
        (_training(folder, card, settings), "training"),
    ]
    examples = [
        {
            "name": explained.names[i],
            "png": picture(
                draw_explanation(
                    explained.names[i],
                    explained.codes[i],
                    explained.maps[i],
                    explained.base_scores[i],
                    card.model.scalogram,
                    float(explained.probability[i]),
                    start=max(int(explained.start[i]), 0),
                    method=explained.method,
                )
            ),
        }
        for i in range(min(MAX_EXAMPLES, len(explained.names)))
    ]
    mean_map = draw_mean_map(
        explained.mean_map,
        explained.mean_profile,
        explained.periods,
        explained.n_mean,
        explained.method,
    )
    profiles = draw_profiles(explained.profiles, explained.profile_logits, explained.method)
    html = render_page(
        "report.html",
        title=f"{card.model.backbone} on {_data_name(data)}",
        metrics=metrics,
        metric_names=METRICS,
        config=card.model,
        n_weights=model.n_weights,
        n_folds=card.n_folds,
        data=data.description,
        shortcut_words=WORDS,
        verdict=_verdict(metrics),
        warnings=_warnings(metrics, settings),
        curves=[{"png": picture(figure), "caption": caption} for figure, caption in figures],
        mean_map=picture(mean_map),
        profiles=picture(profiles),
        method=METHODS[explained.method],
        n_mean=explained.n_mean,
        explain_split=explain_split,
        examples=examples,
        checks=_checks(folder, metrics),
        method_names=METHODS,
        signal=_signal(folder),
        motifs=_motifs(folder, metrics, picture),
        configuration=json.dumps(settings, indent=2),
        versions=versions(),
    )
    with replace_file(folder.report) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return folder.report


def _training(run: RunDir, card: ModelCard, settings: dict[str, Any]) -> Figure:
    """How the network learnt, or the networks of a cross-fit."""
    if not card.n_folds:
        return draw_history(read_json(run.history), card.epoch)
    folds = settings.get("folds", [])
    if len(folds) != card.n_folds:
        raise InputError(
            f"{run.run_json}: names {len(folds)} folds and the model is a mean of {card.n_folds}; "
            f"is the run complete?"
        )
    return draw_histories(
        {
            ", ".join(chromosomes): read_json(RunDir(run.fold(number)).history)
            for number, chromosomes in enumerate(folds, 1)
        }
    )


def _checks(run: RunDir, metrics: dict[str, Any]) -> dict[str, Any] | None:
    """What 'explain --check' found on the same data."""
    file = run.explanations / CHECKS
    if not file.is_file():
        return None
    found = read_json(file)
    same = found["data"]["codes_sha256"] == metrics["data"]["codes_sha256"]
    return dict(found) if same else None


def _signal(run: RunDir) -> str | None:
    """What 'explain --signal' found, in words."""
    file = run.explanations / "signal.json"
    return str(read_json(file)["words"]) if file.is_file() else None


def _motifs(
    run: RunDir, metrics: dict[str, Any], picture: Callable[[Figure], str]
) -> list[dict[str, Any]]:
    """What 'wavebind motifs' found on the same data, with a logo each."""
    file = run.motifs / "motifs.json"
    if not file.is_file():
        return []
    found = read_json(file)
    if found["data"]["codes_sha256"] != metrics["data"]["codes_sha256"]:
        return []
    rows = []
    for item in found["motifs"][:MAX_MOTIFS]:
        best = item["matches"][0]
        motif = Motif(str(item["motif"]), str(best["name"]), np.array(item["counts"]))
        figure = draw_motif(motif, np.array(item["contributions"]), motif.identifier)
        rows.append({**item, "best": best, "png": picture(figure)})
    return rows


def _explanation(run: RunDir, metrics: dict[str, Any], device: str) -> tuple[Explained, str]:
    """The explanation that is there, if it is of this data and split; a new one otherwise."""
    file = run.explanations / "explain.json"
    if file.is_file():
        settings = read_json(file)
        same = settings["data"]["codes_sha256"] == metrics["data"]["codes_sha256"]
        same = same and settings["output"] == metrics["output"]
        if same and settings["split"] == metrics["split"]:
            return read_explained(run.path), str(settings["split"])
    data = open_dataset(Path(metrics["data"]["path"]))
    part = str(metrics["split"])
    output = str(metrics["output"]) if metrics["outputs"] else None
    explained, _ = explain_run(
        run.path, data, part=part, n=MAX_EXAMPLES, output=output, device=device
    )
    return explained, part


def _data_name(data: Dataset) -> str:
    """What the windows were made from, for a heading."""
    inputs = [Path(str(item["path"])).name for item in data.description["inputs"]]
    return ", ".join(inputs) or data.path.name


def _verdict(metrics: dict[str, Any]) -> str:
    """In words: how far the model is above the best shortcut."""
    auroc, best = metrics["auroc"], metrics["best_shortcut"]
    word = WORDS[best["name"]]
    if auroc["low"] > best["high"]:
        return (
            f"The model's AUROC, {auroc['value']:.3f}, is above what composition alone explains: "
            f"the best shortcut ({word}) reaches {best['value']:.3f} on the same windows."
        )
    return (
        f"The model's AUROC, {auroc['value']:.3f}, is not clearly above what composition alone "
        f"explains: the best shortcut ({word}) reaches {best['value']:.3f} on the same windows."
    )


def _warnings(metrics: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    found = []
    if metrics["split"] != "test":
        found.append(
            f"These are figures of the {metrics['split']} split, on which the model was trained "
            f"or chosen; they say nothing about new sequences."
        )
    if settings["training"].get("shuffle_labels"):
        found.append(
            "A control: this model was trained on shuffled labels. What it scores above 0.5 is a "
            "leak or chance."
        )
    if metrics["n_bound"] < 100:
        found.append(
            f"Only {metrics['n_bound']} bound windows were scored; the intervals are wide."
        )
    return found
