"""The model file of a mean of networks, whichever way they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wavebind.core.settings import to_dict
from wavebind.datasets.dataset import Dataset
from wavebind.metrics.binary import best_threshold, ranking_metrics
from wavebind.metrics.platt import PlattScaling
from wavebind.models import Classifier, ModelCard, save_model
from wavebind.models.rundir import RunDir
from wavebind.training.config import TrainingConfig

__all__ = ["save_mean"]


def save_mean(
    run: RunDir,
    merged: Classifier,
    cards: Sequence[ModelCard],
    config: TrainingConfig,
    data: Dataset,
    *,
    labels: NDArray[np.integer],
    logits: NDArray[np.float64],
    line: PlattScaling,
) -> ModelCard:
    """Write a mean of networks with the threshold and the metrics of some windows.

    Parameters
    ----------
    run : RunDir
        Where ``model.safetensors`` is written.
    merged : Classifier
        What :func:`wavebind.models.make_ensemble` made.
    cards : sequence of ModelCard
        Of the networks.
    config : TrainingConfig
        Settings of the whole.
    data : Dataset
        That they were trained on.
    labels : numpy.ndarray
        Shape ``(window,)``: of windows that no score below was learnt from.
    logits : numpy.ndarray
        ``float64``, shape ``(window,)``.
    line : PlattScaling
        From these logits to probabilities.

    Returns
    -------
    ModelCard
    """
    auroc, auprc = ranking_metrics(labels, logits)
    card = replace(
        cards[0],
        model=merged.config,
        thresholds=(best_threshold(labels, line.probabilities(logits)),),
        calibration=(line,),
        seed=config.seed,
        epoch=int(np.median([card.epoch for card in cards])),
        valid={"auroc": auroc, "auprc": auprc},
        data=data.identity,
        training=to_dict(config),
    )
    save_model(run.model, merged, card)
    return card
