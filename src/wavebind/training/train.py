"""The fit: epochs, early stopping on valid, checkpoints, resumption.

A run is resumed at the end of its last whole epoch. Every random choice depends on the seed, the
epoch and the batch alone. So a resumed run repeats what an uninterrupted one would have done.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.devices import autocast, flush_denormals, resolve_device
from wavebind.core.errors import InputError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.settings import to_dict
from wavebind.datasets.dataset import Dataset
from wavebind.metrics.binary import best_threshold, ranking_metrics
from wavebind.metrics.platt import PlattScaling, fit_calibration, fit_line, fit_softmax
from wavebind.models import Classifier, ModelCard, ModelConfig, load_model, save_model
from wavebind.models.classifier import one_against_rest
from wavebind.models.ensemble import calibrated
from wavebind.models.prediction import predict_logits
from wavebind.models.rundir import RunDir
from wavebind.training.config import Devices, EpochReport, TrainingConfig
from wavebind.training.initial import initial_model, resolve_weights
from wavebind.training.judging import labels_on_valid, labels_words, write_labels
from wavebind.training.matrices import beside_matrices, matrices_words
from wavebind.training.prepare import TrainingSet, prepare, training_targets
from wavebind.training.runjson import start_run, stored_configuration

if TYPE_CHECKING:
    from wavebind.training.fit import Fit

__all__ = [
    "Devices",
    "EpochReport",
    "TrainingConfig",
    "finished_card",
    "train",
    "train_once",
]


def train(
    data: Dataset,
    out: Path,
    model: ModelConfig,
    config: TrainingConfig,
    *,
    devices: Devices | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_event: OnEvent = ignore,
) -> ModelCard | None:
    """Train a network and leave a run directory.

    Parameters
    ----------
    data : Dataset
    out : pathlib.Path
        The run directory. ``model.safetensors`` appears in it only when training has ended.
    model : ModelConfig
    config : TrainingConfig
        With `resume` both configurations are read from the run and these are passed over.
    devices : Devices, optional
    resume : bool
        Continue a run at the end of its last whole epoch.
    overwrite : bool
        Whether an older run of that name is removed.
    on_event : callable
        Takes what happens; see :mod:`wavebind.core.events`. After every epoch an
        :class:`EpochReport`.

    Returns
    -------
    ModelCard or None
        None in every process but the first.

    Raises
    ------
    InputError
        If the run exists (or, with `resume`, does not), belongs to other data, or cannot be
        written. If the weights to begin with do not fit, or training diverges.
    """
    run = RunDir(out)
    # Takes seconds, which whoever only imports this module need not wait for.
    from lightning.pytorch.utilities import rank_zero_only

    from wavebind.training.checkpoints import stored_weights
    from wavebind.training.engine import run_fit

    where = devices or Devices()
    # Says what is wrong with the devices before anything is made.
    where.trainer_settings()
    first = not getattr(rank_zero_only, "rank", 0)
    if not first:
        on_event = ignore
    if resume:
        model, config = stored_configuration(run, data)
    else:
        config, reason = resolve_weights(model, config)
        if reason:
            on_event(Message(f"training begins with random weights: no ImageNet weights, {reason}"))
    if config.crossfit:
        raise InputError(
            "crossfit makes a model of several networks that have seen train and valid, and valid "
            "is what this chooses on; leave it out here (0), or train with 'wavebind train "
            "--set training.crossfit=5'"
        )
    training_targets(data, model)
    checkpoint = run.checkpoints / "last.ckpt"
    continues = resume and checkpoint.is_file()
    network = initial_model(model, config, data, load_weights=not continues)
    if continues:
        # The weights at once, and not when fitting starts: what is frozen is computed before.
        network.load_state_dict(stored_weights(checkpoint, "model."))
    # An unknown name is said before anything is made.
    network.backbone.frozen_prefix(config.train)
    if not resume and first:
        start_run(run, data, model, config, overwrite)
    target = resolve_device(where.device)
    with flush_denormals():
        windows = prepare(data, network.to(target), config, where.n_processes, on_event)
    fit = run_fit(run, network, windows, config, where, checkpoint if continues else None, on_event)
    return _finish(run, fit, windows, config, target, on_event) if first else None


def train_once(
    data: Dataset,
    out: Path,
    model: ModelConfig,
    config: TrainingConfig,
    *,
    devices: Devices | None = None,
    on_event: OnEvent = ignore,
) -> None:
    """:func:`train`, unless the run has ended already; one that was interrupted is continued."""
    begun = RunDir(out).run_json.is_file()
    if not (begun and finished_card(out)):
        train(data, out, model, config, devices=devices, resume=begun, on_event=on_event)


def finished_card(run: Path) -> ModelCard | None:
    """The card of a run whose training has ended, None of one that has not."""
    folder = RunDir(run).require()
    return load_model(folder.model)[1] if folder.model.is_file() else None


def _finish(
    run: RunDir,
    fit: Fit,
    windows: TrainingSet,
    config: TrainingConfig,
    device: torch.device,
    on_event: OnEvent,
) -> ModelCard:
    """Keep the best epoch's weights, with the calibration and threshold that valid gives them."""
    from wavebind.training.checkpoints import stored_checkpoint, stored_weights

    best = run.checkpoints / "best.ckpt"
    model, data = fit.average, windows.data
    model.load_state_dict(stored_weights(best, "average."))
    fit.to(device)
    epoch = int(stored_checkpoint(best)["epoch"]) + 1
    indices, size = windows.valid_index, windows.valid_batch_size
    with torch.inference_mode(), flush_denormals(), autocast(device):
        parts = [
            fit.score(windows.valid[indices[at : at + size].tolist()][0].to(device)).double().cpu()
            for at in range(0, len(indices), size)
        ]
    logits = torch.cat(parts).numpy().reshape(len(indices), -1)
    labels = windows.valid.labels[indices].reshape(len(indices), -1)
    if config.matrices:
        model = beside_matrices(model, config, data, on_event)
        logits = predict_logits(model, data.codes, indices)[:, None]
        on_event(Message(matrices_words(model, data)))
    if model.config.task_name == "multiclass":
        logits = _calibrate_classes(model, labels, logits)
    calibration, thresholds = [], []
    if data.values is not None and model.config.task_name == "regression":
        calibration.append(fit_line(data.values[indices], logits[:, 0], windows.line))
        thresholds.append(float(np.median(data.values[windows.train_index])))
        labels, logits = labels[:, :0], logits[:, :0]
    on_valid = None
    if model.config.task_name == "multilabel":
        names = model.config.outputs
        on_valid = labels_on_valid(names, labels, logits, windows.judged)
        write_labels(run.labels, on_valid)
        on_event(Message(labels_words(on_valid, run.labels)))
    for j, (mine, scores) in enumerate(zip(labels.T, logits.T, strict=True)):
        known = mine >= 0
        if model.config.task_name == "multiclass":
            # The last layer has it, so that the probabilities of a window add up to 1.
            fitted = PlattScaling(prevalence=_share(mine[known]))
        elif on_valid and not on_valid[j].calibrated:
            fitted = PlattScaling()
        else:
            fitted = fit_calibration(mine[known], scores[known])
        calibration.append(fitted)
        both = len(np.unique(mine[known])) == 2
        chosen = best_threshold(mine[known], fitted.probabilities(scores[known])) if both else 0.5
        thresholds.append(chosen)
    entry = fit.history[epoch - 1]
    if config.matrices:
        # The history is of the network alone.
        auroc, auprc = ranking_metrics(labels[:, 0], logits[:, 0])
        entry = {**entry, "valid_auroc": auroc, "valid_auprc": auprc}
    card = ModelCard(
        model=model.config,
        thresholds=tuple(thresholds),
        calibration=tuple(calibration),
        seed=config.seed,
        epoch=epoch,
        valid={
            name.removeprefix("valid_"): value
            for name, value in entry.items()
            if name.startswith("valid_") and name != "valid_loss" and value is not None
        },
        data=data.identity,
        training=to_dict(config),
    )
    save_model(run.model, model, card)
    shutil.rmtree(run.checkpoints, ignore_errors=True)
    return card


def _calibrate_classes(
    model: Classifier, labels: NDArray[np.int8], logits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the last layer one calibrated softmax; the log-odds of valid as they are then."""
    known = (labels >= 0).all(axis=1)
    # The log-odds of each class against the others, as a network gives them, to log-probabilities.
    raw = -np.logaddexp(0, -logits)
    scale, bias = fit_softmax(labels[known].argmax(axis=1), raw[known])
    lines = [PlattScaling(scale, float(value)) for value in bias]
    model.load_state_dict(calibrated(model, lines))
    moved = torch.from_numpy(scale * raw + bias)
    found: NDArray[np.float64] = one_against_rest(moved).numpy()
    return found


def _share(labels: NDArray[np.int8]) -> float | None:
    share = float((labels == 1).mean())
    return share if 0 < share < 1 else None
