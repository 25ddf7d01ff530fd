"""The page of a search: how it went, what mattered, what won."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wavebind.core.files import replace_file
from wavebind.core.versions import versions
from wavebind.report.html import png_text, render_page
from wavebind.report.plots import BLUE, GREY, new_figure
from wavebind.training.recipes import recipe_text
from wavebind.tune.search import TuneConfig, Tuned, trial_rows, winner
from wavebind.tune.space import SearchSpace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["importances", "write_tuning_page"]

_SHOWN = 25
Rows = Sequence[Mapping[str, Any]]


def write_tuning_page(
    out: Path, found: Tuned, space: SearchSpace, config: TuneConfig, *, title: str
) -> Path:
    """Write ``tune.html`` into the folder of a search.

    Returns
    -------
    pathlib.Path
        The page.
    """
    rows = trial_rows(found.study)
    weights, reason = importances(found)
    ended = [row for row in rows if row["valid_score"] is not None]
    first = rows[0]["values"] if rows else {}
    ranked = sorted(rows, key=lambda r: (r["state"] != "complete", -(r["valid_score"] or 0)))
    shown = [{**row, "words": _changes(row, first)} for row in ranked[:_SHOWN]]
    html = render_page(
        "tune.html",
        title=title,
        versions=versions(),
        ended=found.ended,
        running=found.running,
        epochs=config.epochs,
        seed=config.seed,
        verdict=_verdict(rows, found),
        score=found.score,
        history=png_text(_history(ended, found.score)) if ended else "",
        importances=png_text(_bars(weights)) if weights else "",
        no_importances=reason,
        rows=shown,
        shown=len(shown),
        recipe="" if found.best is None else recipe_text(winner(found, space, config)),
    )
    path = out / "tune.html"
    with replace_file(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return path


def importances(found: Tuned) -> tuple[dict[str, float], str]:
    """How much of the variation among complete trials goes with each setting.

    Functional analysis of variance on a random forest: Hutter, Hoos & Leyton-Brown 2014, ICML, PMLR
    32:754.

    Returns
    -------
    tuple of dict and str
        Importance by setting, the largest first, and where there is none, why.
    """
    import optuna

    complete = found.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(complete) < 4:
        return {}, f"{len(complete)} trials were trained to the end; 4 are needed to say."
    if len({trial.value for trial in complete}) == 1:
        return {}, "All trials scored the same."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        weights = optuna.importance.get_param_importances(
            found.study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
    if not weights:
        return {}, "No setting is common to all trials."
    return dict(weights), ""


def _verdict(rows: Rows, found: Tuned) -> str:
    if found.best is None:
        return "No trial has been trained to the end yet."
    base = rows[0]["valid_score"]
    words = (
        f"Trial {found.best.number} has the highest valid {found.score} of {found.ended} trials, "
        f"{found.best.value:.4f}."
    )
    if found.best.number and base is not None and rows[0]["state"] == "complete":
        words += f" The first trial has {base:.4f}."
    return words


def _changes(row: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    if row["error"]:
        return str(row["error"])
    return ", ".join(
        f"{name.rpartition('.')[2]} {_short(value)}"
        for name, value in row["values"].items()
        if first.get(name) != value
    )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _history(rows: Rows, score: str) -> Figure:
    figure = new_figure(7, 3)
    axes = figure.subplots()
    number = np.array([row["trial"] for row in rows])
    value = np.array([row["valid_score"] for row in rows])
    whole = np.array([row["state"] == "complete" for row in rows])
    axes.plot(number[~whole], value[~whole], "x", color=GREY, label="ended early")
    axes.plot(number[whole], value[whole], "o", color=BLUE, label="complete")
    if whole.any():
        axes.step(
            number[whole], np.maximum.accumulate(value[whole]), where="post", color=BLUE, lw=1
        )
        axes.set_ylim(min(np.median(value), value[whole].min()) - 0.01, value.max() + 0.005)
    axes.set(xlabel="trial", ylabel=f"valid {score}")
    axes.legend(frameon=False)
    return figure


def _bars(weights: Mapping[str, float]) -> Figure:
    names = list(weights)[:20]
    figure = new_figure(7, 0.7 + 0.22 * len(names))
    axes = figure.subplots()
    axes.barh(names[::-1], [weights[name] for name in names[::-1]], color=BLUE)
    axes.set(xlabel="share of the variation")
    return figure
