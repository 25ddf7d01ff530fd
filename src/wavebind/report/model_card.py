"""The card of a model, in the form that model hubs read: YAML in front, Markdown behind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from wavebind.core.versions import versions
from wavebind.datasets.audit import WORDS
from wavebind.metrics.binary import METRICS
from wavebind.models import ModelCard
from wavebind.report.html import render_page
from wavebind.report.study_parts import in_short, methods_paragraph

__all__ = ["card_text"]

#: What the metrics of hubs are called, by our own names.
_HUB_METRICS = {
    "auroc": "roc_auc",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "f1",
    "mcc": "matthews_correlation",
}


def card_text(
    name: str,
    folder: str,
    card: ModelCard,
    metrics: Mapping[str, Any],
    data: Mapping[str, Any],
    *,
    dataset: str,
    n_weights: int,
    motifs: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
) -> str:
    """The card.

    Parameters
    ----------
    name : str
        Of the model.
    folder : str
        Where the model lies, for the examples.
    card : ModelCard
    metrics : mapping
        What ``metrics.json`` holds.
    data : mapping
        The description of the dataset that was scored.
    dataset : str
        Its name.
    n_weights : int
    motifs : mapping, optional
        What ``motifs.json`` holds.
    warnings : sequence of str
        Sentences that limit the figures.
    """
    text = render_page(
        "card.md",
        name=name,
        folder=folder,
        card=card,
        metrics=metrics,
        metric_names=METRICS,
        dataset=dataset,
        shortcut=WORDS[metrics["best_shortcut"]["name"]],
        in_short=in_short(metrics, None, motifs)[: 3 if motifs else 2],
        methods=methods_paragraph(card, metrics, data, None),
        warnings=warnings,
        n_weights=n_weights,
        versions=versions(),
    )
    return f"---\n{_front(name, metrics, dataset)}---\n\n{text}\n"


def _front(name: str, metrics: Mapping[str, Any], dataset: str) -> str:
    """What hubs read, as YAML; every value is written as JSON, which YAML holds."""
    results = [
        {
            "type": hub,
            "name": f"{own}, 95 % interval {metrics[own]['low']:.4f} to {metrics[own]['high']:.4f}",
            "value": round(metrics[own]["value"], 4),
        }
        for own, hub in _HUB_METRICS.items()
    ]
    values = {
        "library_name": "wavebind",
        "tags": ["biology", "genomics", "dna", "transcription-factor", "chip-seq"],
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": "other", "name": "transcription factor binding"},
                        "dataset": {
                            "type": "chip-seq", "name": dataset, "split": metrics["split"],
                        },
                        "metrics": results,
                    }
                ],
            }
        ],
    }  # fmt: skip
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())
