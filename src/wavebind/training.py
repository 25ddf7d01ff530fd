"""The fit: epochs, early stopping on valid, checkpoints, resumption.

Lightning drives the loop. A run is resumed at the end of its last whole epoch, and every random
choice depends on the seed, the epoch and the batch alone, so a resumed run repeats what an
uninterrupted one would have done.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import math
import pickle
import shutil
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from wavebind.augmentation import augment
from wavebind.dataset import Dataset, epoch_indices
from wavebind.devices import flush_denormals, has_fast_bf16, resolve_device
from wavebind.errors import InputError
from wavebind.evaluation import best_threshold, ranking_metrics
from wavebind.models import Classifier, ModelCard, ModelConfig, build_model, save_model
from wavebind.prediction import both_strands, predict_logits, probabilities
from wavebind.provenance import versions
from wavebind.rundir import RunDir, read_json, write_json
from wavebind.settings import from_dict, to_dict
from wavebind.textfiles import replace_file

__all__ = ["EpochReport", "TrainingConfig", "TrainingMonitor", "finished_card", "train"]

#: What decides the best epoch, on valid.
MONITOR = "valid_auroc"


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes
    ----------
    epochs : int
        At most this many; the learning rate falls to zero over them.
    seed : int
        Decides the first weights, the draws of unbound windows and the augmentation.
    batch_size : int
    learning_rate : float
        The highest of the schedule (one cycle: Smith & Topin 2019, Proc. SPIE 11006).
    weight_decay : float
        Decoupled (AdamW: Loshchilov & Hutter 2019), on matrices and filters only.
    warmup : float
        Fraction of the steps over which the learning rate rises.
    unbound_ratio : float or None
        Unbound windows an epoch for each bound one, drawn anew each epoch; None takes all.
    max_shift : int
        Largest shift of a training window in base pairs.
    strand : bool
        Whether training windows come from either strand.
    averaging : float
        Decay a step of the moving average of the weights that is validated and kept (Polyak &
        Juditsky 1992).
    clip : float
        Largest norm of a gradient.
    patience : int
        Stop when valid has not improved for this many epochs.
    shuffle_labels : bool
        A control: train on labels permuted among the training windows, to the last epoch, which
        is kept: choosing one on valid would let true labels in. What such a model scores on test
        beyond 0.5 is a leak.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    epochs: int = 10
    seed: int = 0
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: float = 0.15
    unbound_ratio: float | None = 3.0
    max_shift: int = 4
    strand: bool = True
    averaging: float = 0.998
    clip: float = 1.0
    patience: int = 4
    shuffle_labels: bool = False

    def __post_init__(self) -> None:
        rules = (
            ("epochs", self.epochs >= 1, "1 or more"),
            ("seed", 0 <= self.seed < 2**31, "from 0 to 2147483647"),
            ("batch_size", self.batch_size >= 2, "2 or more"),
            ("learning_rate", 0 < self.learning_rate <= 1, "above 0 and at most 1"),
            ("weight_decay", 0 <= self.weight_decay <= 1, "from 0 to 1"),
            ("warmup", 0 < self.warmup < 1, "between 0 and 1"),
            ("unbound_ratio", self.unbound_ratio is None or self.unbound_ratio > 0, "above 0"),
            ("max_shift", self.max_shift >= 0, "0 or more"),
            ("averaging", 0 <= self.averaging < 1, "from 0 to below 1"),
            ("clip", self.clip > 0, "above 0"),
            ("patience", self.patience >= 1, "1 or more"),
        )
        for name, holds, rule in rules:
            if not holds:
                raise InputError(f"{name} must be {rule}; found {getattr(self, name)!r}")


@dataclass(frozen=True)
class EpochReport:
    """What one epoch gave.

    Attributes
    ----------
    epoch : int
        From 1.
    loss : float
        Mean training loss.
    valid_auroc, valid_auprc, valid_loss : float
        Of the averaged weights, both strands.
    seconds : float
        Wall-clock time, validation included.
    """

    epoch: int
    loss: float
    valid_auroc: float
    valid_auprc: float
    valid_loss: float
    seconds: float


class TrainingMonitor(Protocol):
    """Who wants to know how training goes."""

    def start(self, n_weights: int, first_epoch: int, epochs: int, steps: int) -> None:
        """Before the first step."""

    def step(self) -> None:
        """After every step."""

    def epoch(self, report: EpochReport) -> None:
        """After every epoch."""


class _Windows(TorchDataset[Any]):
    """Windows by index; a whole batch is read from the memory map at once."""

    def __init__(self, data: Dataset, labels: NDArray[np.int8]) -> None:
        self.data = data
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = np.asarray(indices)
        # Sorted reading is kind to a disk; the order within a batch does not matter.
        chosen.sort()
        codes = torch.from_numpy(np.ascontiguousarray(self.data.codes[chosen]))
        return codes, torch.from_numpy(self.labels[chosen].astype(np.float32))


class _EpochSampler(Sampler[int]):
    """The windows of an epoch, a function of the seed and the epoch."""

    def __init__(
        self,
        labels: NDArray[np.int8],
        indices: NDArray[np.int64],
        config: TrainingConfig,
    ) -> None:
        self.labels, self.indices, self.config = labels, indices, config
        self.epoch = 0
        self.size = len(self._draw())

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before every epoch."""
        self.epoch = epoch

    def _draw(self) -> NDArray[np.int64]:
        rng = np.random.default_rng([self.config.seed, self.epoch])
        return epoch_indices(self.labels, self.indices, self.config.unbound_ratio, rng)

    def __iter__(self) -> Iterator[int]:
        return iter(self._draw().tolist())

    def __len__(self) -> int:
        return self.size


def _same(batch: Any) -> Any:
    return batch


class _Fit(pl.LightningModule):
    """A classifier, the moving average of its weights, and the rules of one step."""

    def __init__(self, model: Classifier, config: TrainingConfig, steps: int) -> None:
        super().__init__()
        self.model = model
        self.average = copy.deepcopy(model).requires_grad_(False).eval()
        self.config = config
        self.steps = steps
        self.history: list[dict[str, float]] = []
        self.report: EpochReport | None = None
        self._losses: list[torch.Tensor] = []
        self._valid: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._started = time.monotonic()

    def configure_optimizers(self) -> Any:
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        config = self.config
        optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": config.weight_decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            config.learning_rate,
            total_steps=self.steps + 1,
            pct_start=config.warmup,
            cycle_momentum=False,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_train_epoch_start(self) -> None:
        self._started = time.monotonic()
        self._losses = []
        # Lightning puts every module in training mode; the average is never trained.
        self.average.eval()

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        codes, labels = batch
        sequence = np.random.SeedSequence([self.config.seed, self.current_epoch, index])
        first, second = (int(x >> 1) for x in sequence.generate_state(2, np.uint64))
        generator = torch.Generator().manual_seed(first)
        codes = augment(
            codes, generator, strand=self.config.strand, max_shift=self.config.max_shift
        )
        # Dropout draws from the process's generator, which is put back afterwards.
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(second)
            logits = self.model(codes.to(self.device)).float()
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels.to(self.device))
        self._losses.append(loss.detach())
        return loss

    def transfer_batch_to_device(self, batch: Any, device: torch.device, index: int) -> Any:
        # Augmentation draws on the CPU, so that a seed means the same on every device.
        return (
            batch
            if self.trainer.training
            else super().transfer_batch_to_device(batch, device, index)
        )

    def on_train_batch_end(self, *_: Any) -> None:
        self.update_average(self.global_step)

    @torch.no_grad()
    def update_average(self, step: int) -> None:
        """Move the average towards the weights after step `step` (from 1)."""
        # A short memory at first, or the first weights would linger.
        decay = min(self.config.averaging, (1 + step) / (10 + step))
        new, old = self.model.state_dict(), self.average.state_dict()
        floats = [k for k, t in old.items() if t.is_floating_point()]
        torch._foreach_lerp_([old[k] for k in floats], [new[k] for k in floats], 1 - decay)
        for name in old.keys() - set(floats):
            old[name].copy_(new[name])

    def on_validation_epoch_start(self) -> None:
        self._valid = []

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> None:
        codes, labels = batch
        self._valid.append((both_strands(self.average, codes), labels))

    def on_validation_epoch_end(self) -> None:
        logits = torch.cat([x for x, _ in self._valid]).double().cpu()
        labels = torch.cat([y for _, y in self._valid]).double().cpu()
        self._valid = []
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels).item()
        training_loss = torch.stack(self._losses).mean().item() if self._losses else math.nan
        if not (math.isfinite(loss) and math.isfinite(training_loss)):
            raise InputError(
                f"training diverged in epoch {self.current_epoch + 1}: the loss is "
                f"{training_loss} on train and {loss} on valid; lower --learning-rate"
            )
        auroc, auprc = ranking_metrics(labels.numpy().astype(int), logits.numpy())
        self.log_dict({MONITOR: auroc, "valid_auprc": auprc, "valid_loss": loss})
        self.report = EpochReport(
            epoch=self.current_epoch + 1,
            loss=training_loss,
            valid_auroc=auroc,
            valid_auprc=auprc,
            valid_loss=loss,
            seconds=time.monotonic() - self._started,
        )
        self.history.append(to_dict(self.report))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint["history"])


class _WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear under their name only when whole, and are read without unpickling."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        # Through memory: a full disk is then an OSError, which replace_file can explain.
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        with replace_file(Path(path)) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        try:
            return dict(torch.load(path, map_location="cpu", weights_only=True))
        except (
            OSError,
            RuntimeError,
            ValueError,
            TypeError,
            EOFError,
            pickle.UnpicklingError,
        ) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(
                f"{path}: the checkpoint is damaged ({reason}); train anew with --force"
            ) from error


class _Report(Callback):
    """Hands steps and epochs on to a monitor, and keeps ``history.json`` up to date."""

    def __init__(self, run: RunDir, monitor: TrainingMonitor | None, steps: int) -> None:
        self.run, self.monitor, self.steps = run, monitor, steps

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.monitor:
            assert isinstance(pl_module, _Fit)
            self.monitor.start(
                pl_module.model.n_weights,
                trainer.current_epoch + 1,
                trainer.max_epochs or 0,
                self.steps,
            )

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        if self.monitor:
            self.monitor.step()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, _Fit)
        write_json(self.run.history, pl_module.history)
        if self.monitor and pl_module.report:
            self.monitor.epoch(pl_module.report)


def train(
    data: Dataset,
    out: Path,
    model: ModelConfig,
    config: TrainingConfig,
    *,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    monitor: TrainingMonitor | None = None,
) -> ModelCard:
    """Train a network and leave a run directory.

    Parameters
    ----------
    data : Dataset
    out : pathlib.Path
        The run directory. ``model.safetensors`` appears in it only when training has ended.
    model : ModelConfig
    config : TrainingConfig
        With `resume` both configurations are read from the run and these are passed over.
    device : str
        See :func:`wavebind.devices.resolve_device`.
    resume : bool
        Continue a run at the end of its last whole epoch.
    overwrite : bool
        Whether an older run of that name is removed.
    monitor : TrainingMonitor, optional

    Returns
    -------
    ModelCard

    Raises
    ------
    InputError
        If the run exists (or, with `resume`, does not), belongs to other data, cannot be written,
        or training diverges.
    """
    run = RunDir(out)
    target = resolve_device(device)
    if resume:
        model, config = _stored_configuration(run, data)
    else:
        _start_run(run, data, model, config, overwrite)
    labels = data.labels
    indices = {part: data.indices(part) for part in ("train", "valid")}
    if config.shuffle_labels:
        labels = labels.copy()
        shuffled = np.random.default_rng([config.seed, 2**32]).permutation(labels[indices["train"]])
        labels[indices["train"]] = shuffled
    windows = _Windows(data, labels)
    sampler = _EpochSampler(labels, indices["train"], config)
    batch_size = min(config.batch_size, len(sampler))
    train_loader = DataLoader(
        windows, batch_size=batch_size, sampler=sampler, drop_last=True, collate_fn=_same
    )
    valid_loader = DataLoader(
        windows, batch_size=512, sampler=indices["valid"].tolist(), collate_fn=_same
    )
    steps = len(train_loader) * config.epochs
    generator = torch.Generator().manual_seed(config.seed)
    fit = _Fit(build_model(model, generator), config, steps)
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
    callbacks: list[Callback] = [_Report(run, monitor, len(train_loader)), best, last]
    if not config.shuffle_labels:
        callbacks.insert(0, EarlyStopping(MONITOR, mode="max", patience=config.patience))
    with _quiet_lightning(), flush_denormals():
        trainer = pl.Trainer(
            accelerator={"cuda": "gpu"}.get(target.type, target.type),
            devices=[target.index or 0] if target.type == "cuda" else 1,
            precision="bf16-mixed" if has_fast_bf16(target) else "32-true",
            max_epochs=config.epochs,
            gradient_clip_val=config.clip,
            callbacks=callbacks,
            plugins=[_WholeCheckpoints()],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            inference_mode=True,
        )
        checkpoint = run.checkpoints / "last.ckpt"
        trainer.fit(
            fit,
            train_loader,
            valid_loader,
            ckpt_path=checkpoint if resume and checkpoint.is_file() else None,
            weights_only=True,
        )
    if trainer.interrupted:
        raise KeyboardInterrupt
    return _finish(run, data, fit, config, target)


def _start_run(
    run: RunDir, data: Dataset, model: ModelConfig, config: TrainingConfig, overwrite: bool
) -> None:
    if run.path.exists() and not run.path.is_dir():
        raise InputError(f"{run.path}: is a file; a run is a folder, choose another name")
    if run.path.is_dir() and any(run.path.iterdir()):
        if not run.run_json.is_file():
            raise InputError(f"{run.path}: is a folder with other files in it; choose another name")
        if not overwrite:
            raise InputError(
                f"{run.path}: holds a run already; choose another name, continue it with "
                f"--resume or replace it with --force"
            )
        shutil.rmtree(run.path)
    write_json(
        run.run_json,
        {
            "data": {"path": str(data.path), "codes_sha256": data.checksum},
            "model": to_dict(model.resolved()),
            "training": to_dict(config),
            "versions": versions(),
        },
    )


def _stored_configuration(run: RunDir, data: Dataset) -> tuple[ModelConfig, TrainingConfig]:
    stored = read_json(run.require().run_json)
    try:
        checksum = stored["data"]["codes_sha256"]
        model, config = stored["model"], stored["training"]
    except (KeyError, TypeError) as error:
        raise InputError(f"{run.run_json}: the entry {error} is missing; train anew") from error
    if checksum != data.checksum:
        raise InputError(
            f"{run.path}: was trained on other data than {data.path} (its checksum differs); "
            f"resume with {stored['data'].get('path')}"
        )
    name = str(run.run_json)
    return from_dict(ModelConfig, model, name), from_dict(TrainingConfig, config, name)


def finished_card(out: Path) -> ModelCard | None:
    """The card of a run whose training has ended, None of one that has not."""
    from wavebind.models import load_model

    run = RunDir(out).require()
    return load_model(run.model)[1] if run.model.is_file() else None


def _finish(
    run: RunDir, data: Dataset, fit: _Fit, config: TrainingConfig, device: torch.device
) -> ModelCard:
    """Keep the best epoch's weights, with the threshold that valid gives them."""
    kept = _WholeCheckpoints().load_checkpoint(run.checkpoints / "best.ckpt")
    prefix = "average."
    weights = {
        name[len(prefix) :]: tensor
        for name, tensor in kept["state_dict"].items()
        if name.startswith(prefix)
    }
    model = fit.average
    model.load_state_dict(weights)
    model.to(device)
    epoch = int(kept["epoch"]) + 1
    indices = data.indices("valid")
    scores = probabilities(predict_logits(model, data.codes, indices))
    entry = fit.history[epoch - 1]
    card = ModelCard(
        model=model.config,
        threshold=best_threshold(data.labels[indices], scores),
        seed=config.seed,
        epoch=epoch,
        valid={"auroc": entry["valid_auroc"], "auprc": entry["valid_auprc"]},
        data={"path": str(data.path), "codes_sha256": data.checksum},
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
            # Lightning's own use of something that PyTorch has deprecated.
            warnings.filterwarnings("ignore", ".*isinstance\\(treespec, LeafSpec\\).*")
            yield
    finally:
        for log, level in zip(loggers, levels, strict=True):
            log.setLevel(level)
