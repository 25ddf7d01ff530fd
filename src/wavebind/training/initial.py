"""A network before its first step: random or published weights, and the scale of its input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from wavebind.core.errors import InputError
from wavebind.datasets.dataset import Dataset
from wavebind.models import Classifier, ModelConfig, build_model, get_backbone
from wavebind.models.images.pretrained import load_into, read_weights
from wavebind.training.config import TrainingConfig
from wavebind.training.starting import begin_with

__all__ = ["initial_model", "measure_normalisation", "resolve_weights"]

#: Windows from which the scale of the input is measured.
_N_MEASURED = 1024
_BATCH = 64


def initial_model(
    config: ModelConfig, training: TrainingConfig, data: Dataset, *, load_weights: bool = True
) -> Classifier:
    """Build a network for training.

    Parameters
    ----------
    config : ModelConfig
    training : TrainingConfig
        Its seed and weights.
    data : Dataset
        Its training windows give the scale of the input, unless the network normalises its input
        itself. Images that begin with published weights use the scale of those.
    load_weights : bool
        False where a checkpoint is going to be loaded in any case.

    Raises
    ------
    InputError
        If there are no published weights for the network, or weights do not fit.
    """
    model = build_model(config, torch.Generator().manual_seed(training.seed))
    if training.start != "none":
        if load_weights:
            begin_with(model, training, data)
        return model
    backbone = get_backbone(config.backbone)
    published = None
    if load_weights and training.weights != "none":
        if training.weights == "imagenet":
            published = backbone.pretrained
            if published is None:
                raise InputError(
                    f"there are no ImageNet weights for {backbone.name}; 'wavebind models' lists "
                    f"the networks that have some"
                )
            path = published.find()
        else:
            path = Path(training.weights)
        try:
            load_into(model.backbone, read_weights(path), backbone.first, backbone.head)
        except InputError as error:
            if str(error).startswith(str(path)):
                raise
            raise InputError(f"{path}: {error}") from error
    if backbone.own_normalisation or not load_weights:
        return model
    if published is not None and config.image is not None:
        model.normalise.set(published.mean, published.std)
    else:
        measure_normalisation(model, data)
    return model


def resolve_weights(config: ModelConfig, training: TrainingConfig) -> tuple[TrainingConfig, str]:
    """Settle weights of ``auto``: ImageNet's if they can be had, random ones otherwise.

    Returns
    -------
    tuple of TrainingConfig and str
        The settings with weights that are one or the other, and why they are random, if they are.
    """
    if training.weights != "auto":
        return training, ""
    published = get_backbone(config.backbone).pretrained
    reason = f"there are none for {config.backbone}"
    if published is not None:
        try:
            published.find()
            return replace(training, weights="imagenet"), ""
        except InputError as error:
            reason = str(error)
    return replace(training, weights="none"), reason


def measure_normalisation(model: Classifier, data: Dataset) -> None:
    """Set the scale of each channel to that of training windows, evenly chosen.

    Parameters
    ----------
    model : Classifier
    data : Dataset
    """
    train = data.indices("train")
    chosen = train[np.linspace(0, len(train) - 1, min(_N_MEASURED, len(train))).astype(np.int64)]
    total = torch.zeros(2, len(model.normalise.mean), dtype=torch.float64)
    n = 0
    with torch.inference_mode():
        for at in range(0, len(chosen), _BATCH):
            codes = torch.from_numpy(np.ascontiguousarray(data.codes[chosen[at : at + _BATCH]]))
            planes = model.features(codes).double()
            total[0] += planes.sum((0, 2, 3))
            total[1] += planes.square().sum((0, 2, 3))
            n += planes.numel() // planes.shape[1]
    mean = total[0] / n
    variance = (total[1] / n - mean.square()).clamp_min(0)
    # A channel that never changes tells nothing; it is left on its own scale.
    std = torch.where(variance > 1e-12, variance, torch.ones_like(variance)).sqrt()
    model.normalise.set(mean.float(), std.float())
