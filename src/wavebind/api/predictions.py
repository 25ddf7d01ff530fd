"""Scores of windows as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wavebind.api.frames import Windows
from wavebind.genome.sequences import MAX_UNKNOWN, UNKNOWN
from wavebind.metrics.platt import PlattScaling
from wavebind.models import Classifier, ModelCard
from wavebind.models.prediction import predict_logits
from wavebind.models.rundir import RunDir
from wavebind.models.targets import one_target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["labels_table", "predictions"]


def labels_table(folder: RunDir, card: ModelCard) -> pd.DataFrame:
    """See :meth:`wavebind.api.run.Run.labels`."""
    import pandas as pd

    if folder.labels.is_file():
        return pd.read_csv(folder.labels, sep="\t", keep_default_na=False)
    lines = card.calibration or (PlattScaling(),) * len(card.thresholds)
    return pd.DataFrame(
        {
            "label": card.model.outputs,
            "threshold": card.thresholds,
            "calibrated": ["no" if line.prevalence is None else "yes" for line in lines],
        }
    )


def predictions(
    model: Classifier,
    card: ModelCard,
    read: Windows,
    *,
    target: str | None = None,
    prevalence: float | None = None,
) -> pd.DataFrame:
    """See :meth:`wavebind.api.run.Run.predict`."""
    import pandas as pd

    if target is not None:
        model, card = one_target(model, card, target)
    if prevalence is not None:
        card = card.at_prevalence(prevalence)
    known = (read.codes == UNKNOWN).sum(axis=1) <= MAX_UNKNOWN * read.codes.shape[1]
    n = len(card.model.outputs)
    logits = np.full((len(read.codes), n), np.nan)
    logits[known] = predict_logits(model, read.codes, np.flatnonzero(known)).reshape(-1, n)
    columns: dict[str, Any] = {"name": read.names}
    if card.model.task_name == "multiclass":
        best = np.nan_to_num(card.all_probabilities(logits), nan=-np.inf).argmax(axis=1)
        columns["class"] = [
            card.model.outputs[i] if there else None for i, there in zip(best, known, strict=True)
        ]
    all_predicted = card.all_probabilities(logits)
    for j, name in enumerate(card.model.outputs):
        suffix = "" if n == 1 else f":{name}"
        predicted = all_predicted[:, j]
        columns[f"logit{suffix}"] = logits[:, j]
        columns[f"{card.quantity}{suffix}"] = predicted
        if card.quantity == "probability":
            called = pd.array(predicted >= card.thresholds[j], dtype="boolean")
            called[~known] = pd.NA
            columns[f"bound{suffix}"] = called
    return pd.DataFrame(columns)
