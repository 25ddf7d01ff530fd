"""What a page says first, and the sections that a whole study adds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines
from wavebind.core.versions import versions
from wavebind.datasets.audit import WORDS
from wavebind.explain.allele_views import AlleleView
from wavebind.models import ModelCard

__all__ = [
    "StudyParts",
    "compared_rows",
    "count_sites",
    "in_short",
    "methods_paragraph",
    "variant_rows",
]

#: What a table of variants must have.
_COLUMNS = ("chrom", "position", "id", "ref", "alt", "status", "difference", "verdict")
#: Tomtom's q below which a motif is called like a matrix.
_LIKE = 0.05
#: Alleles that a page lists.
_SHOWN = 50
#: Names of baselines for people.
_NAMES = {"jaspar": "best JASPAR matrix", "gkm-all": "gapped k-mers"}


@dataclass(frozen=True)
class StudyParts:
    """What a study has beside its run.

    Attributes
    ----------
    comparison : pathlib.Path or None
        The folder of a comparison.
    variants, sites : pathlib.Path or None
        A table of scored variants, and a narrowPeak of called sites.
    commands : tuple of str
        The steps, as commands.
    alleles : tuple of AlleleView
        The strongest variants, explained.
    genome_view : dict or None
        See :func:`wavebind.report.genome_view.view_genome`.
    """

    comparison: Path | None = None
    variants: Path | None = None
    sites: Path | None = None
    commands: tuple[str, ...] = ()
    alleles: tuple[AlleleView, ...] = ()
    genome_view: Mapping[str, Any] | None = None


def in_short(
    metrics: Mapping[str, Any],
    comparison: Mapping[str, Any] | None,
    motifs: Mapping[str, Any] | None,
) -> list[str]:
    """Three sentences: how well, compared with what, and what was learnt.

    Parameters
    ----------
    metrics : mapping
        What ``metrics.json`` holds.
    comparison : mapping or None
        What ``comparison.json`` holds, of the same windows.
    motifs : mapping or None
        What ``motifs.json`` holds.
    """
    auroc, best = metrics["auroc"], metrics["best_shortcut"]
    first = (
        f"How well: of {metrics['n_windows']:,} {metrics['split']} windows, {metrics['n_bound']:,} "
        f"bound, the model ranks a bound one above an unbound one with a probability (AUROC) of "
        f"{_interval(auroc)}."
    )
    others = [
        f"{_NAMES.get(m['label'], m['label'])} {_interval(m['metrics']['auroc'])}"
        for m in (comparison or {}).get("models_found", ())
    ]
    others.append(f"{WORDS[best['name']]} alone {_interval(best)}")
    second = f"Compared with: {'; '.join(others)}, on the same windows."
    third = "What was learnt: not looked for yet; 'wavebind motifs RUN DATA' finds it."
    if motifs is not None:
        # Several patterns may be most like one matrix, as halves of a long motif are.
        named: dict[str, Mapping[str, Any]] = {}
        for motif in motifs["motifs"]:
            if motif["for_binding"]:
                named.setdefault(_name_of(motif), motif)
        said = [_motif_words(motif) for motif in list(named.values())[:3]]
        third = f"What was learnt: {'; '.join(said) or 'no motif that speaks for binding'}."
    return [first, second, third]


def _name_of(motif: Mapping[str, Any]) -> str:
    best = motif["matches"][0]
    return str(best["name"] if best["q"] < _LIKE else motif["motif"])


def _motif_words(motif: Mapping[str, Any]) -> str:
    best = motif["matches"][0]
    share = f"in {motif['share']:.0%} of the bound windows"
    if best["q"] < _LIKE:
        return f"{best['name']} ({best['identifier']}, q {best['q']:.1g}) {share}"
    return f"a motif unlike those of JASPAR {share}"


def _interval(e: Mapping[str, float]) -> str:
    return f"{e['value']:.3f} ({e['low']:.3f}-{e['high']:.3f})"


def compared_rows(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a model of a comparison."""
    return [
        {
            "name": _NAMES.get(m["label"], m["label"]),
            "details": m["details"][0],
            "auroc": m["metrics"]["auroc"],
            "auprc": m["metrics"]["auprc"],
        }
        for m in comparison["models_found"]
    ]


def variant_rows(path: Path | None) -> dict[str, Any] | None:
    """The alleles with the largest effects that make or break a site, and how many there are.

    Parameters
    ----------
    path : pathlib.Path or None
        What ``wavebind variants`` wrote as a table.

    Raises
    ------
    InputError
        If it is no such table.
    """
    if path is None:
        return None
    lines = read_lines(path)
    columns = next(lines, (0, ""))[1].split("\t")
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise InputError(
            f"{path}: is not a table of 'wavebind variants' with one score an allele: it has no "
            f"column {missing[0]!r}; write one with --out ending in .tsv"
        )
    counts: Counter[str] = Counter()
    rows: list[dict[str, str]] = []
    for number, line in lines:
        row = dict(zip(columns, line.split("\t"), strict=False))
        if len(row) < len(columns) or not _is_scored(row):
            raise InputError(
                f"{path} line {number}: found {line[:60]!r}, which is no line of the table that "
                f"'wavebind variants' writes; score the variants again"
            )
        counts[row["verdict"] if row["status"] == "scored" else "not scored"] += 1
        if row["status"] == "scored" and row["verdict"] not in ("none", "unchanged"):
            rows.append(row)
    rows.sort(key=lambda row: -abs(float(row["difference"])))
    return {"rows": rows[:_SHOWN], "n": len(rows), "counts": dict(counts)}


def _is_scored(row: Mapping[str, str]) -> bool:
    """Whether the numbers of a line of the table are numbers."""
    if row["status"] != "scored":
        return True
    try:
        return int(row["position"]) > 0 and math.isfinite(float(row["difference"]))
    except ValueError:
        return False


def count_sites(path: Path | None) -> int | None:
    """Called sites of a narrowPeak file; None where there is none."""
    if path is None:
        return None
    return 0 if path.stat().st_size == 0 else sum(1 for _ in read_lines(path))


def methods_paragraph(
    card: ModelCard,
    metrics: Mapping[str, Any],
    data: Mapping[str, Any],
    comparison: Mapping[str, Any] | None,
) -> str:
    """How it was done, as a paper says it.

    Parameters
    ----------
    card : ModelCard
    metrics : mapping
        What ``metrics.json`` holds.
    data : mapping
        The description of the dataset.
    comparison : mapping or None
    """
    counts = data["counts"]
    found = versions()
    parts = ", ".join(
        f"{counts[part]['bound']:,} bound and {counts[part]['unbound']:,} unbound {part} windows"
        for part in ("train", "valid", "test")
    )
    start = card.training.get("start", "none")
    begun = (
        "from random weights" if start == "none" else f"from the weights of {Path(str(start)).name}"
    )
    text = (
        f"A network ({card.model.backbone}, wavebind {found['wavebind']}, PyTorch "
        f"{found['torch']}) was trained {begun} on windows of {card.model.length} bp: {parts}. "
        f"The epoch and the threshold were chosen on the validation windows, and the "
        f"{metrics['split']} windows were scored once. Intervals are 95 % percentiles of 2,000 "
        f"bootstrap resamples of the windows (Efron & Tibshirani 1993)."
    )
    if card.model.matrices:
        names = card.model.matrices
        text += (
            f" {len(names)} matrices of JASPAR CORE (Rauluseviciute et al. 2024), chosen on the "
            f"training windows by logistic regression, add their best hits to the logit "
            f"({', '.join(name.split()[0] for name in names)})."
        )
    if comparison is not None:
        text += (
            " On the same windows stand the best hit of the JASPAR CORE matrix that tells the "
            "training windows apart best (Rauluseviciute et al. 2024), and a gapped k-mer machine "
            "with the kernel of LS-GKM (Lee 2016)."
        )
    return text
