"""One self-contained HTML page for a run: no network, everything that comes from files escaped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import replace_file
from wavebind.core.jsonfiles import read_json
from wavebind.core.versions import versions
from wavebind.datasets.audit import WORDS
from wavebind.datasets.dataset import open_dataset
from wavebind.evaluate.assess import read_scores, read_values
from wavebind.evaluate.compare import read_comparison
from wavebind.explain.allele_views import AlleleView
from wavebind.explain.attribution import METHODS
from wavebind.explain.run import read_explained
from wavebind.metrics.binary import METRICS, curves
from wavebind.metrics.reliability import reliability_curve
from wavebind.models import ModelCard, load_model
from wavebind.models.results import CHECKS, EXPLANATIONS, MOTIFS, Result
from wavebind.models.rundir import RunDir
from wavebind.motifs.pwms import Motif
from wavebind.report.allele_plots import allele_values, draw_allele, shown_alleles
from wavebind.report.choice import choose_evaluation, choose_result
from wavebind.report.explanation_plots import (
    draw_explanation,
    draw_mean_map,
    draw_motif,
    draw_profiles,
)
from wavebind.report.genome_view import igv_script
from wavebind.report.hover import describe_window
from wavebind.report.html import Picture, embed, render_page, script
from wavebind.report.plots import (
    draw_calibration,
    draw_histories,
    draw_history,
    draw_numbers,
    draw_precision_recall,
    draw_roc,
)
from wavebind.report.study_parts import (
    StudyParts,
    compared_rows,
    count_sites,
    in_short,
    methods_paragraph,
    variant_rows,
)
from wavebind.wavelets.planes import wavelet_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["StudyParts", "limits", "write_report"]

MAX_EXAMPLES = 6
MAX_MOTIFS = 8
#: Characters of a page that hold what it was made from.
_HEAD = 4_000


def write_report(
    run: Path,
    *,
    page: Path | None = None,
    evaluation: str | None = None,
    study: StudyParts | None = None,
    force: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Write a page about a run.

    It shows what is there: nothing is computed for it but pictures. Each section says of which
    windows it is.

    Parameters
    ----------
    run : pathlib.Path
        A run that was evaluated.
    page : pathlib.Path, optional
        By default ``report.html`` in the run.
    evaluation : str, optional
        Name of the folder in ``evaluations`` that the page is about; see
        :func:`wavebind.report.choice.choose_evaluation`.
    study : StudyParts, optional
        What else a study has found, for the same page.
    force : bool
        Whether a page about another evaluation, or another file, is replaced.
    progress : callable, optional
        Called with 1 for every picture that was drawn.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    InputError
        If the run is not trained or not evaluated, its dataset is gone, or another page is in the
        way.
    """
    folder = RunDir(run).require_model()
    model, card = load_model(folder.model)
    settings = read_json(folder.run_json)
    chosen = choose_evaluation(run, card, evaluation)
    metrics = chosen.found
    out = page or folder.report
    _require_replaceable(out, chosen, force)
    data = open_dataset(chosen.data)
    step = progress or (lambda _: None)

    def picture(figure: Figure, window: dict[str, Any] | None = None) -> Picture:
        embedded = embed(figure, window)
        step(1)
        return embedded

    checks = choose_result(run, CHECKS, chosen)
    motifs = choose_result(run, MOTIFS, chosen, METHODS)
    given = study or StudyParts()
    comparison = None if given.comparison is None else read_comparison(given.comparison)
    view = given.genome_view
    html = render_page(
        "report.html",
        scripts=() if view is None else (igv_script(), script("genome.js")),
        # igv.js reads its slices from addresses that hold them, and draws icons from memory.
        more_sources="" if view is None else "; connect-src data: blob:",
        genome_view=view,
        alleles=_alleles(given.alleles, card, picture),
        in_short=in_short(metrics, comparison, None if motifs is None else motifs.found),
        comparison=None if comparison is None else compared_rows(comparison),
        variants=variant_rows(given.variants),
        sites=count_sites(given.sites),
        sites_file="" if given.sites is None else given.sites.name,
        commands=given.commands,
        methods=methods_paragraph(card, metrics, data.description, comparison),
        title=_title(card, chosen, data.description),
        made_from=_made_from(chosen),
        trained_on=str(card.data.get("path", "not known")),
        scored_on=f"the {chosen.split} split of {chosen.data}",
        metrics=metrics,
        metric_names=METRICS,
        config=card.model,
        n_weights=model.n_weights,
        n_folds=card.n_folds,
        data=data.description,
        shortcut_words=WORDS,
        verdict=_verdict(metrics),
        warnings=limits(metrics, settings, chosen),
        curves=[
            {"picture": picture(figure), "caption": caption}
            for figure, caption in _curves(chosen, folder, card, settings)
        ],
        explanation=_explanation(run, card, chosen, picture),
        checks=None if checks is None else checks.found,
        checks_of="" if checks is None else checks.words(),
        method_names=METHODS,
        motifs=[] if motifs is None else _motifs(motifs, picture),
        motifs_of="" if motifs is None else motifs.words(),
        configuration=json.dumps(settings, indent=2),
        versions=versions(),
    )
    with replace_file(out) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return out


def _title(card: ModelCard, chosen: Result, scored: Mapping[str, Any]) -> str:
    """What was trained on what: the file that the windows come from says more than their folder."""
    folder = Path(str(card.data.get("path", ""))).name or "a dataset"
    if chosen.found.get("trained_on_this_data", True):
        files = [Path(str(given["path"])).name for given in scored.get("inputs", ())]
        return f"{card.model.backbone}, trained on {files[0] if files else folder}"
    return f"{card.model.backbone}, trained on {folder}, scored on {chosen.data.name}"


def _made_from(chosen: Result) -> str:
    """What tells the page of one evaluation from that of another."""
    return f"{chosen.path.name}; {chosen.found['data']['codes_sha256']}; {chosen.split}"


def _require_replaceable(out: Path, chosen: Result, force: bool) -> None:
    if force or not out.exists():
        return
    with out.open(encoding="utf-8", errors="replace") as stream:
        head = stream.read(_HEAD)
    if f'content="{_made_from(chosen)}"' not in head:
        raise InputError(
            f"{out}: is there and is not a page about {chosen.words()}; pass --force to replace "
            f"it, or choose another --out"
        )


def _curves(
    chosen: Result, folder: RunDir, card: ModelCard, settings: dict[str, Any]
) -> list[tuple[Figure, str]]:
    """The figures of the scores and of the training, each with its caption."""
    metrics, part = chosen.found, chosen.split
    labels, scores = read_scores(chosen)
    points = curves(labels, scores)
    figures = [
        (draw_roc(points, metrics["auroc"]["value"]), f"ROC, {part}"),
        (
            draw_precision_recall(points, metrics["auprc"]["value"], float(np.mean(labels))),
            f"precision and recall, {part}",
        ),
    ]
    if metrics["numbers"]:
        figures.append((draw_numbers(*read_values(chosen)), f"measured and predicted, {part}"))
    else:
        figures.append(
            (draw_calibration(reliability_curve(labels, scores)), f"calibration, {part}")
        )
    return [*figures, (_training(folder, card, settings), "training")]


def _training(run: RunDir, card: ModelCard, settings: dict[str, Any]) -> Figure:
    """How the network learnt, or the networks of a cross-fit."""
    members = settings.get("members", [])
    if members:
        return draw_histories(
            {
                f"begun with {Path(str(member['start'])).name}": read_json(
                    RunDir(run.member(number)).history
                )
                for number, member in enumerate(members, 1)
            }
        )
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


def _motifs(result: Result, picture: Callable[..., Picture]) -> list[dict[str, Any]]:
    """What 'wavebind motifs' found, with a logo each."""
    rows = []
    for item in result.found["motifs"][:MAX_MOTIFS]:
        best = item["matches"][0]
        motif = Motif(str(item["motif"]), str(best["name"]), np.array(item["counts"]))
        contributions = np.array(item["contributions"])
        figure = draw_motif(motif, contributions, motif.identifier)
        share = motif.probabilities(0.0)
        rows.append({**item, "best": best, "picture": picture(figure, _letters(share))})
    return rows


def _alleles(
    views: Sequence[AlleleView], card: ModelCard, picture: Callable[..., Picture]
) -> list[dict[str, Any]]:
    """Of each variant its name and a picture of each allele and of the difference."""
    config = card.model.scalogram
    return [
        {
            "name": view.name,
            "pictures": [
                {
                    "shown": shown,
                    "picture": picture(
                        draw_allele(view, shown, config), allele_values(view, shown, config)
                    ),
                }
                for shown in shown_alleles(view)
            ],
        }
        for view in views
    ]


def _letters(share: NDArray[np.float64]) -> dict[str, Any]:
    """What a cursor on a logo shows: the commonest base and the share of each."""
    rows = {f"share of {letter}": share[:, i] for i, letter in enumerate("ACGT")}
    return describe_window(share.argmax(axis=1).astype(np.uint8), rows)


def _explanation(
    run: Path, card: ModelCard, evaluation: Result, picture: Callable[..., Picture]
) -> dict[str, Any] | None:
    """The pictures of an explanation of the same dataset; None where there is none."""
    chosen = choose_result(run, EXPLANATIONS, evaluation, METHODS)
    if chosen is None:
        return None
    explained = read_explained(chosen.path)
    examples = []
    for i in range(min(MAX_EXAMPLES, len(explained.names))):
        codes, start = explained.codes[i], max(int(explained.start[i]), 0)
        missed = float(explained.probability[i]) < card.thresholds[0]
        figure = draw_explanation(
            explained.names[i],
            codes,
            explained.maps[i],
            explained.base_scores[i],
            card.model,
            float(explained.probability[i]),
            start=start,
            method=explained.method,
            missed=missed,
        )
        wavelets = card.model.scalogram
        plane = wavelet_picture(wavelets, codes), wavelets.periods(len(codes))
        contribution = {"contribution": explained.base_scores[i]}
        values = describe_window(codes, contribution, start=start, plane=plane)
        name = explained.names[i]
        examples.append({"name": name, "missed": missed, "picture": picture(figure, values)})
    mean_map = draw_mean_map(
        explained.mean_map,
        explained.mean_profile,
        explained.periods,
        explained.n_mean,
        explained.method,
    )
    profiles = draw_profiles(explained.profiles, explained.profile_logits, explained.method)
    signal = chosen.path / "signal.json"
    return {
        "of": chosen.words(),
        "split": chosen.split,
        "method": METHODS[explained.method],
        "n_mean": explained.n_mean,
        "mean_map": picture(mean_map),
        "profiles": picture(profiles),
        "examples": examples,
        "signal": str(read_json(signal)["words"]) if signal.is_file() else None,
    }


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


def limits(metrics: dict[str, Any], settings: dict[str, Any], evaluation: Result) -> list[str]:
    """Sentences that say for what the figures of an evaluation do not hold."""
    found = []
    if not metrics.get("trained_on_this_data", True):
        why = metrics.get("difference") or "other windows"
        found.append(
            f"The model was not trained on this dataset ({why}): these figures say how well it "
            f"does on {evaluation.data}, and not how well on what it was made for."
        )
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
