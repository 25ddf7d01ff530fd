"""The fit: epochs, early stopping on valid, checkpoints, resumption.

Lightning drives the loop, on one device, several, or several nodes. A run is resumed at the end of
its last whole epoch, and every random choice depends on the seed, the epoch and the batch alone, so
a resumed run repeats what an uninterrupted one would have done.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
)
from lightning.pytorch.utilities import rank_zero_only
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from wavebind.batches import EpochBatches, ValidBatches, Windows, epoch_windows, training_labels
from wavebind.calibration import Calibration, fit_calibration, fit_line
from wavebind.checkpoints import WholeCheckpoints
from wavebind.dataset import Dataset
from wavebind.devices import autocast, flush_denormals, has_fast_bf16, resolve_device
from wavebind.errors import InputError
from wavebind.evaluation import best_threshold
from wavebind.featurecache import feature_bytes, frozen_features
from wavebind.fitting import MONITOR, Fit
from wavebind.initial import initial_model, resolve_weights
from wavebind.models import Classifier, ModelCard, ModelConfig, save_model
from wavebind.prediction import load_run
from wavebind.rundir import RunDir, write_json
from wavebind.runjson import start_run, stored_configuration
from wavebind.settings import to_dict
from wavebind.softlabels import load_teachers, soft_labels, teach
from wavebind.trainingconfig import EpochReport, TrainingConfig, TrainingMonitor

__all__ = [
    "Devices",
    "EpochReport",
    "TrainingConfig",
    "TrainingMonitor",
    "finished_card",
    "train",
    "train_once",
]

_VALID_BATCH = 512


@dataclass(frozen=True)
class Devices:
    """Where training runs.

    Attributes
    ----------
    device : str
        See :func:`wavebind.devices.resolve_device`.
    count : int
        Devices (processes, on a CPU) of each node.
    nodes : int
        Started with torchrun or by SLURM where there are several.
    """

    device: str = "auto"
    count: int = 1
    nodes: int = 1

    def __post_init__(self) -> None:
        for name in ("count", "nodes"):
            if getattr(self, name) < 1:
                raise InputError(f"the number of {name} must be 1 or more")

    @property
    def n_processes(self) -> int:
        """On all nodes together."""
        return self.count * self.nodes

    def trainer_settings(self) -> dict[str, Any]:
        """What Lightning's Trainer is told."""
        target = resolve_device(self.device)
        settings: dict[str, Any] = {
            "accelerator": {"cuda": "gpu"}.get(target.type, target.type),
            "devices": [target.index or 0] if target.type == "cuda" else 1,
            "precision": "bf16-mixed" if has_fast_bf16(target) else "32-true",
        }
        if self.n_processes > 1:
            if target.type == "cuda" and self.count > torch.cuda.device_count():
                raise InputError(
                    f"{self.count} devices were asked for and this machine has "
                    f"{torch.cuda.device_count()}"
                )
            settings |= {"devices": self.count, "num_nodes": self.nodes, "strategy": "ddp"}
        return settings


class _Report(Callback):
    """Hands steps and epochs on to a monitor, and keeps ``history.json`` up to date."""

    def __init__(self, run: RunDir, monitor: TrainingMonitor | None, steps: int) -> None:
        self.run, self.monitor, self.steps = run, monitor, steps

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.monitor:
            assert isinstance(pl_module, Fit)
            self.monitor.start(
                sum(p.numel() for p in pl_module.model.parameters() if p.requires_grad),
                trainer.current_epoch + 1,
                trainer.max_epochs or 0,
                self.steps,
            )

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        if self.monitor:
            self.monitor.step()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Fit)
        write_json(self.run.history, pl_module.history)
        if self.monitor and pl_module.report:
            self.monitor.epoch(pl_module.report)


def train(
    data: Dataset,
    out: Path,
    model: ModelConfig,
    config: TrainingConfig,
    *,
    devices: Devices | None = None,
    resume: bool = False,
    overwrite: bool = False,
    monitor: TrainingMonitor | None = None,
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
    monitor : TrainingMonitor, optional

    Returns
    -------
    ModelCard or None
        None in every process but the first.

    Raises
    ------
    InputError
        If the run exists (or, with `resume`, does not), belongs to other data, cannot be written,
        the weights to begin with do not fit, or training diverges.
    """
    run = RunDir(out)
    where = devices or Devices()
    settings = where.trainer_settings()
    first = not getattr(rank_zero_only, "rank", 0)
    if resume:
        model, config = stored_configuration(run, data)
    else:
        config, reason = resolve_weights(model, config)
        if reason and monitor and first:
            monitor.said(f"training begins with random weights: no ImageNet weights, {reason}")
    if config.crossfit:
        raise InputError(
            "crossfit makes a model of several networks that have seen train and valid, and valid "
            "is what this chooses on; leave it out here (0), or train with 'wavebind train "
            "--crossfit'"
        )
    if config.tutors and where.n_processes > 1:
        raise InputError(
            "tutors are trained on one device; leave them out, or train them by themselves and "
            "name them as teachers"
        )
    targets, line = _targets(data, model)
    checkpoint = run.checkpoints / "last.ckpt"
    continues = resume and checkpoint.is_file()
    network = initial_model(model, config, data, load_weights=not continues)
    if continues:
        # The weights at once, and not when fitting starts: what is frozen is computed before.
        network.load_state_dict(_stored_weights(checkpoint, "model."))
    # An unknown name, and a teacher that cannot be one, is said before anything is made.
    network.backbone.frozen_prefix(config.train)
    teachers = load_teachers(data, model, config, where.device)
    if not resume and first:
        start_run(run, data, model, config, overwrite)
    teachers += _tutors(run, data, model, config, where, monitor)
    parts = {part: data.indices(part) for part in ("train", "valid")}
    bound = training_labels(data.labels, parts["train"], config)
    labels = training_labels(targets, parts["train"], config)
    labels = _soften(labels, data, model, config, teachers, monitor if first else None)
    target = resolve_device(where.device)
    with flush_denormals():
        n_cached, sources = _inputs(
            network.to(target), data, parts, bound, config, where, monitor if first else None
        )
    batches = EpochBatches(bound, parts["train"], config, where.n_processes)
    valid = ValidBatches(parts["valid"], 64 if n_cached else _VALID_BATCH, where.n_processes)
    loaders = [
        DataLoader(Windows(inputs, table, rows), batch_size=None, sampler=sampler)
        for (inputs, rows), table, sampler in zip(
            sources, (labels, targets), (batches, valid), strict=True
        )
    ]
    n_steps = -(-len(batches) // config.accumulate)
    fit = Fit(
        network,
        config,
        n_steps * config.epochs,
        _bound_weight(bound, parts["train"], config),
        n_cached,
        _middle(data, line),
    )
    watcher = _Report(run, monitor if first else None, len(batches))
    with _quiet_lightning(), flush_denormals():
        trainer = pl.Trainer(
            **settings,
            max_epochs=config.epochs,
            accumulate_grad_batches=config.accumulate,
            callbacks=[*_callbacks(run, config), watcher],
            plugins=[WholeCheckpoints()],
            logger=_loggers(run, config),
            log_every_n_steps=1,
            use_distributed_sampler=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            inference_mode=True,
        )
        try:
            trainer.fit(
                fit,
                loaders[0],
                loaders[1],
                ckpt_path=checkpoint if continues else None,
                weights_only=True,
            )
        except SystemExit:
            # Lightning makes this of an interrupt.
            if not trainer.interrupted:
                raise
    if trainer.interrupted:
        raise KeyboardInterrupt
    if not first:
        return None
    rows = Windows(sources[1][0], targets, sources[1][1])
    return _finish(run, data, fit, config, target, rows, line)


def _tutors(
    run: RunDir,
    data: Dataset,
    model: ModelConfig,
    config: TrainingConfig,
    where: Devices,
    monitor: TrainingMonitor | None,
) -> list[Classifier]:
    """The tutors of a run, trained or, where they are there already, read; see `run.tutor`."""
    found = []
    for number in range(1, config.tutors + 1):
        if monitor:
            monitor.said(f"tutor {number} of {config.tutors}")
        tutor = run.tutor(number)
        train_once(data, tutor, model, config.tutor(number), devices=where, monitor=monitor)
        found.append(load_run(tutor, data, where.device)[0])
    if found and monitor:
        monitor.said("the network that learns from them")
    return found


def _targets(data: Dataset, model: ModelConfig) -> tuple[NDArray[Any], Calibration]:
    """What the outputs are trained towards, ``(window,)`` or ``(window, output)``.

    Labels, or numbers on a common scale and the line that leads back from it.
    """
    if model.task_name == "regression":
        if data.values is None:
            raise InputError(
                f"{data.path}: has labels and no numbers; make a dataset of numbers with "
                f"'wavebind dataset --target COLUMN'"
            )
        known = data.values[data.indices("train")]
        line = Calibration(float(np.std(known)), float(np.mean(known)), link="identity")
        return line.logits(data.values).astype(np.float32), line
    if model.task_name == "multiclass" and data.task != "multiclass":
        raise InputError(
            f"{data.path}: is for {data.task}, and has no classes that exclude each other; make a "
            f"dataset of them with 'wavebind dataset --target COLUMN'"
        )
    return _labels(data, model), Calibration()


def _soften(
    labels: NDArray[Any],
    data: Dataset,
    model: ModelConfig,
    config: TrainingConfig,
    teachers: list[Classifier],
    monitor: TrainingMonitor | None,
) -> NDArray[Any]:
    """The training labels, softened where that is asked for."""
    if not config.softens:
        return labels
    train, taught = data.indices("train"), None
    if teachers:
        if monitor:
            monitor.teaching(len(teachers) * len(train))
        taught = teach(teachers, data, monitor.taught if monitor else None)
    exclusive = model.task_name == "multiclass"
    return soft_labels(labels, train, config, taught, exclusive=exclusive)


def _middle(data: Dataset, line: Calibration) -> float:
    """The median of the training values on the scale of training."""
    if data.values is None:
        return 0.0
    return float(line.logits(np.array([np.median(data.values[data.indices("train")])]))[0])


def _labels(data: Dataset, model: ModelConfig) -> NDArray[np.int8]:
    if len(model.outputs) == 1:
        return data.labels
    if model.outputs != data.outputs:
        raise InputError(
            f"the network has the outputs {', '.join(model.outputs)} and {data.path} the labels "
            f"{', '.join(data.outputs)}"
        )
    return data.targets


def _bound_weight(
    bound: NDArray[np.int8], train: NDArray[np.int64], config: TrainingConfig
) -> float:
    if not config.class_weights:
        return 1.0
    labels = bound[epoch_windows(bound, train, config, 0)]
    return float((labels != 1).sum() / max(1, (labels == 1).sum()))


def _inputs(
    network: Classifier,
    data: Dataset,
    parts: dict[str, NDArray[np.int64]],
    bound: NDArray[np.int8],
    config: TrainingConfig,
    where: Devices,
    monitor: TrainingMonitor | None,
) -> tuple[int, list[tuple[Any, NDArray[np.int64] | None]]]:
    """Codes, or the cached output of the frozen first segments; and how many segments that is.

    The cache holds the windows as they are, so that it is of use only where training does not
    change them.
    """
    n_cached = network.backbone.frozen_prefix(config.train)
    if network.front_is_trained or not config.cache or config.augments:
        n_cached = 0
    if not n_cached or where.n_processes > 1:
        return 0, [(data.codes, None), (data.codes, None)]
    epochs = range(config.epochs if config.redraw else 1)
    chosen = [epoch_windows(bound, parts["train"], config, epoch) for epoch in epochs]
    windows = [np.unique(np.concatenate(chosen)), np.sort(parts["valid"])]
    sizes = [
        feature_bytes(network, n_cached, len(w), s) for w, s in zip(windows, (1, 2), strict=True)
    ]
    if monitor:
        monitor.caching(sum(map(len, windows)), sum(sizes))
    features = [
        frozen_features(
            network,
            n_cached,
            data,
            rows,
            strands=strands,
            progress=monitor.cached if monitor else None,
        )
        for rows, strands in zip(windows, (1, 2), strict=True)
    ]
    return n_cached, list(zip(features, windows, strict=True))


def _callbacks(run: RunDir, config: TrainingConfig) -> list[Callback]:
    best = ModelCheckpoint(
        dirpath=run.checkpoints,
        filename="best",
        monitor=None if config.shuffle_labels else MONITOR,
        mode="max",
        enable_version_counter=False,
        save_weights_only=True,
        save_on_train_epoch_end=True,
    )
    last = ModelCheckpoint(
        dirpath=run.checkpoints,
        filename="last",
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    callbacks: list[Callback] = [best, last]
    if not config.shuffle_labels:
        callbacks.insert(0, EarlyStopping(MONITOR, mode="max", patience=config.patience))
    if config.log:
        callbacks.append(LearningRateMonitor("step"))
    return callbacks


def _loggers(run: RunDir, config: TrainingConfig) -> Any:
    """Lightning's loggers, into the run directory; False for none."""
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    found: list[Any] = []
    if "csv" in config.log:
        found.append(CSVLogger(run.path, name="logs", version=""))
    if "tensorboard" in config.log:
        try:
            found.append(TensorBoardLogger(run.path, name="tensorboard", version=""))
        except ModuleNotFoundError as error:
            raise InputError(
                "a log for TensorBoard needs the package tensorboard; install it with "
                "\"pip install 'wavebind[tensorboard]'\", or log to csv"
            ) from error
    return found or False


def train_once(
    data: Dataset,
    out: Path,
    model: ModelConfig,
    config: TrainingConfig,
    *,
    devices: Devices | None = None,
    monitor: TrainingMonitor | None = None,
) -> None:
    """:func:`train`, unless the run has ended already; one that was interrupted is continued."""
    begun = RunDir(out).run_json.is_file()
    if not (begun and finished_card(out)):
        train(data, out, model, config, devices=devices, resume=begun, monitor=monitor)


def finished_card(out: Path) -> ModelCard | None:
    """The card of a run whose training has ended, None of one that has not."""
    from wavebind.models import load_model

    run = RunDir(out).require()
    return load_model(run.model)[1] if run.model.is_file() else None


def _stored_weights(checkpoint: Path, prefix: str) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint whose names begin with a prefix, without it."""
    stored = WholeCheckpoints().load_checkpoint(checkpoint)
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in stored["state_dict"].items()
        if name.startswith(prefix)
    }


def _finish(
    run: RunDir,
    data: Dataset,
    fit: Fit,
    config: TrainingConfig,
    device: torch.device,
    valid: Windows,
    line: Calibration,
) -> ModelCard:
    """Keep the best epoch's weights, with the calibration and threshold that valid gives them."""
    best = run.checkpoints / "best.ckpt"
    model = fit.average
    model.load_state_dict(_stored_weights(best, "average."))
    fit.to(device)
    epoch = int(WholeCheckpoints().load_checkpoint(best)["epoch"]) + 1
    indices = data.indices("valid")
    size = 64 if fit.n_cached else _VALID_BATCH
    with torch.inference_mode(), flush_denormals(), autocast(device):
        parts = [
            fit.score(valid[indices[at : at + size].tolist()][0].to(device)).double().cpu()
            for at in range(0, len(indices), size)
        ]
    logits = torch.cat(parts).numpy().reshape(len(indices), -1)
    labels = valid.labels[indices].reshape(len(indices), -1)
    calibration, thresholds = [], []
    if model.config.task_name == "regression":
        assert data.values is not None
        calibration.append(fit_line(data.values[indices], logits[:, 0], line))
        thresholds.append(float(np.median(data.values[data.indices("train")])))
        labels, logits = labels[:, :0], logits[:, :0]
    for mine, scores in zip(labels.T, logits.T, strict=True):
        known = mine >= 0
        fitted = fit_calibration(mine[known], scores[known])
        calibration.append(fitted)
        thresholds.append(best_threshold(mine[known], fitted.probabilities(scores[known])))
    entry = fit.history[epoch - 1]
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


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Silence Lightning's advertisements and its advice on data loaders, for the block only."""
    loggers = [
        logging.getLogger(name)
        for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero")
    ]
    levels = [log.level for log in loggers]
    for log in loggers:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # The windows are in memory; worker processes would only cost.
            warnings.filterwarnings("ignore", ".*does not have many workers.*")
            warnings.filterwarnings("ignore", ".*Checkpoint directory .* exists and is not empty.*")
            # The average is in evaluation mode on purpose.
            warnings.filterwarnings("ignore", ".*in eval mode at the start of training.*")
            # Every process logs the same numbers: they were gathered before.
            warnings.filterwarnings("ignore", ".*sync_dist=True.*")
            # Lightning's own use of something that PyTorch has deprecated.
            warnings.filterwarnings("ignore", ".*isinstance\\(treespec, LeafSpec\\).*")
            yield
    finally:
        for log, level in zip(loggers, levels, strict=True):
            log.setLevel(level)
