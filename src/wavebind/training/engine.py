"""Lightning's loop around a fit: one device, several, or several nodes."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
)
from torch.utils.data import DataLoader

from wavebind.core.devices import flush_denormals
from wavebind.core.errors import InputError, Interrupted
from wavebind.core.events import Advanced, Message, OnEvent, StageStarted
from wavebind.core.jsonfiles import write_json
from wavebind.models import Classifier
from wavebind.models.rundir import RunDir
from wavebind.training.batches import EpochBatches, ValidBatches
from wavebind.training.checkpoints import WholeCheckpoints
from wavebind.training.config import Devices, TrainingConfig
from wavebind.training.fit import MONITOR, Fit
from wavebind.training.prepare import TrainingSet

__all__ = ["run_fit"]


class _Report(Callback):
    """Says what happens, and keeps ``history.json`` up to date."""

    def __init__(self, run: RunDir, on_event: OnEvent, steps: int) -> None:
        self.run, self.on_event, self.steps = run, on_event, steps

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Fit)  # noqa: S101 - the module that it was made for
        n_weights = sum(p.numel() for p in pl_module.model.parameters() if p.requires_grad)
        first, last = trainer.current_epoch + 1, trainer.max_epochs or 0
        self.on_event(
            Message(
                f"training {n_weights:,} weights, epochs {first} to {last} of {self.steps:,} steps"
            )
        )
        self.on_event(StageStarted("training", self.steps * (last - first + 1)))

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        self.on_event(Advanced())

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        del trainer
        assert isinstance(pl_module, Fit)  # noqa: S101 - the module that it was made for
        write_json(self.run.history, pl_module.history)
        if pl_module.report:
            self.on_event(pl_module.report)


def run_fit(
    run: RunDir,
    network: Classifier,
    windows: TrainingSet,
    config: TrainingConfig,
    where: Devices,
    checkpoint: Path | None,
    on_event: OnEvent,
) -> Fit:
    """Train a network on its windows.

    Parameters
    ----------
    run : RunDir
        Takes checkpoints, ``history.json`` and logs.
    network : Classifier
    windows : TrainingSet
    config : TrainingConfig
    where : Devices
    checkpoint : pathlib.Path or None
        What to continue from.
    on_event : callable

    Raises
    ------
    InputError
        If training diverges, or a log needs a package that is not there.
    Interrupted
        On Ctrl-C; whole epochs are kept.
    """
    batches = EpochBatches(windows.bound, windows.train_index, config, where.n_processes)
    valid = ValidBatches(windows.valid_index, windows.valid_batch_size, where.n_processes)
    loaders = [
        DataLoader(part, batch_size=None, sampler=sampler)
        for part, sampler in ((windows.train, batches), (windows.valid, valid))
    ]
    n_steps = -(-len(batches) // config.accumulate)
    fit = Fit(
        network,
        config,
        n_steps * config.epochs,
        windows.bound_weight,
        windows.n_cached,
        windows.median,
        windows.judged,
    )
    with _quiet_lightning(), flush_denormals():
        trainer = pl.Trainer(
            **where.trainer_settings(),
            max_epochs=config.epochs,
            accumulate_grad_batches=config.accumulate,
            callbacks=[*_callbacks(run, config), _Report(run, on_event, len(batches))],
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
            trainer.fit(fit, loaders[0], loaders[1], ckpt_path=checkpoint, weights_only=True)
        except SystemExit:
            # Lightning makes this of an interrupt.
            if not trainer.interrupted:
                raise
    if trainer.interrupted:
        kept = len(fit.history)
        raise Interrupted(
            f"{kept} whole epoch{'s' * (kept != 1)} of the training are kept in {run.path}",
            option="--resume",
        )
    return fit


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
