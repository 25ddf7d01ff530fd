"""What happens in a step and in an epoch: loss, moving average, validation.

With several processes every batch normalisation sees the joint batch, on any device (PyTorch's own
needs GPUs). Statistics are those of all processes' windows together, with gradients through the
exchange (Ioffe & Szegedy 2015, ICML, PMLR 37:448).
"""

from __future__ import annotations

import copy
import math
import time
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import torch.distributed
from numpy.typing import NDArray
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from wavebind.core.errors import InputError
from wavebind.core.settings import to_dict
from wavebind.metrics.tasks import classification_metrics, correlations
from wavebind.models import Classifier
from wavebind.models.strands import both_strands
from wavebind.training.augmentation import augment
from wavebind.training.batches import process
from wavebind.training.config import EpochReport, TrainingConfig
from wavebind.training.judging import mean_ranking

__all__ = ["MONITOR", "Fit", "use_joint_batches"]

#: What decides the best epoch, on valid.
MONITOR = "valid_score"


#: Metrics of classes and of numbers that are kept for every epoch.
_IN_HISTORY = ("accuracy", "macro_f1", "pearson", "spearman")


class Fit(pl.LightningModule):
    """A classifier, the moving average of its weights, and the rules of one step.

    Parameters
    ----------
    model : Classifier
    config : TrainingConfig
    steps : int
        Of the whole training.
    bound_weight : float
        Weight of a bound window in the loss.
    n_cached : int
        Segments whose output the batches hold in place of codes.
    middle : float
        Of a regression, the value from which a window counts as bound for the areas.
    judged : numpy.ndarray, optional
        ``bool``, shape ``(output,)``: whose areas the mean is taken over; all by default.
    """

    def __init__(
        self,
        model: Classifier,
        config: TrainingConfig,
        steps: int,
        bound_weight: float = 1.0,
        n_cached: int = 0,
        middle: float = 0.0,
        judged: NDArray[np.bool_] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.frozen = model.backbone.freeze_all_but(config.train)
        self.average = copy.deepcopy(model).requires_grad_(False).eval()
        self.config = config
        self.steps = steps
        self.bound_weight = bound_weight
        self.n_cached = n_cached
        self.task = model.config.task_name
        self.middle = middle
        n_outputs = len(model.config.outputs)
        self.judged = np.ones(n_outputs, dtype=bool) if judged is None else judged
        self.history: list[dict[str, float]] = []
        self.report: EpochReport | None = None
        self._losses: list[torch.Tensor] = []
        self._valid: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._started = time.monotonic()

    def configure_model(self) -> None:
        if process()[1] > 1:
            use_joint_batches(self.model)

    def configure_optimizers(self) -> Any:
        trained = [p for p in self.model.parameters() if p.requires_grad]
        config = self.config
        optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
                {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
            # One pass over the weights in place of nine: a tenth of a step of scalenet on a CPU.
            fused=self.device.type in ("cpu", "cuda"),
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

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        # Lightning refuses to clip for a fused optimizer, for fear of scaled gradients; bfloat16
        # has none.
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)

    def on_train_epoch_start(self) -> None:
        self._started = time.monotonic()
        self._losses = []
        # Lightning puts every module in training mode; the average and what is frozen never are.
        self.average.eval()
        for module in self.frozen:
            module.eval()

    def _logits(self, model: Classifier, inputs: torch.Tensor) -> torch.Tensor:
        """Logits of cached features."""
        # Mixed precision casts them where it computes in bfloat16.
        return model.finish(model.run_segments(inputs.float(), self.n_cached)).float()

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        inputs, labels = batch
        rank, n_processes = process()
        sequence = np.random.SeedSequence([self.config.seed, self.current_epoch, index])
        first, second = (int(x >> 1) for x in sequence.generate_state(2, np.uint64))
        if not self.n_cached:
            inputs = augment(
                inputs,
                torch.Generator().manual_seed(first),
                strand=self.config.strand,
                max_shift=self.config.max_shift,
                mutation=self.config.mutation,
                share=(rank, n_processes),
            )
        # Dropout draws from the process's generator, which is put back afterwards.
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(second + rank)
            inputs = inputs.to(self.device)
            if self.n_cached:
                logits = self._logits(self.model, inputs)
            else:
                logits = self.model(inputs).float()
        loss = self._loss(logits, labels.to(self.device))
        self._losses.append(loss.detach())
        if self.config.log:
            self.log("train_loss", loss.detach(), on_step=True, on_epoch=False)
        return loss

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean cross entropy of the labels that are known; of numbers the mean squared error."""
        if self.task == "regression":
            return nn.functional.mse_loss(logits, labels)
        if self.task == "multiclass":
            # The logistic function of the true class's log-odds is its softmax.
            losses = -nn.functional.logsigmoid(logits) * labels.clamp_min(0)
            return losses.sum() / labels.clamp_min(0).sum().clamp_min(1)
        known = labels >= 0
        weight = torch.as_tensor(self.bound_weight, device=logits.device)
        losses = nn.functional.binary_cross_entropy_with_logits(
            logits, labels.clamp_min(0), reduction="none", pos_weight=weight
        )
        return (losses * known).sum() / known.sum().clamp_min(1)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, index: int) -> Any:
        # Augmentation draws on the CPU, so that a seed means the same on every device.
        return (
            batch
            if self.trainer.training
            else super().transfer_batch_to_device(batch, device, index)
        )

    def on_train_batch_end(self, _outputs: Any, _batch: Any, index: int) -> None:
        steps = self.config.accumulate
        if (index + 1) % steps == 0 or self.trainer.is_last_batch:
            self.update_average(self.global_step)

    @torch.no_grad()
    def update_average(self, step: int) -> None:
        """Move the average towards the weights after step `step` (from 1)."""
        # A short memory at first, or the first weights would linger.
        decay = min(self.config.averaging, (1 + step) / (10 + step))
        new, old = self.model.state_dict(), self.average.state_dict()
        floats = [k for k, t in old.items() if t.is_floating_point()]
        move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        move([old[k] for k in floats], [new[k] for k in floats], step)
        for name in old.keys() - set(floats):
            old[name].copy_(new[name])

    def on_validation_epoch_start(self) -> None:
        self._valid = []

    def score(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits of the averaged weights, both strands, of codes or of cached features."""
        if not self.n_cached:
            return both_strands(self.average, inputs)
        strands = [self._logits(self.average, inputs[:, i]) for i in (0, 1)]
        return torch.stack(strands).mean(0)

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> None:
        inputs, labels = batch
        self._valid.append((self.score(inputs).double().cpu(), labels.cpu()))

    def _gathered(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and labels of all processes."""
        mine = [torch.cat(parts) for parts in zip(*self._valid, strict=True)] if self._valid else []
        self._valid = []
        if process()[1] == 1:
            return mine[0], mine[1]
        found: list[Any] = [None] * process()[1]
        torch.distributed.all_gather_object(found, [t.numpy() for t in mine])
        logits, labels = (
            torch.from_numpy(np.concatenate([f[i] for f in found if f])) for i in (0, 1)
        )
        return logits, labels

    def on_validation_epoch_end(self) -> None:
        logits, labels = self._gathered()
        loss = self._loss(logits, labels.double()).item()
        losses = torch.stack(self._losses).mean() if self._losses else torch.tensor(math.nan)
        if process()[1] > 1:
            losses = losses.clone()
            torch.distributed.all_reduce(losses)
            losses /= process()[1]
        training_loss = losses.item()
        if not (math.isfinite(loss) and math.isfinite(training_loss)):
            raise InputError(
                f"training diverged in epoch {self.current_epoch + 1}: the loss is "
                f"{training_loss} on train and {loss} on valid; lower the "
                f"learning rate (--set training.learning_rate=...)"
            )
        bound = labels >= self.middle if self.task == "regression" else labels
        auroc, auprc = mean_ranking(bound.numpy().astype(np.float32), logits.numpy(), self.judged)
        more: dict[str, float] = {}
        if self.task == "multiclass":
            known = labels.amax(1) > 0
            more = classification_metrics(
                labels[known].argmax(1).numpy(), logits[known].argmax(1).numpy(), logits.shape[1]
            )
        elif self.task == "regression":
            more = correlations(labels.double().numpy(), logits.numpy())
        names = {f"valid_{name}": value for name, value in more.items() if name in _IN_HISTORY}
        self.report = EpochReport(
            epoch=self.current_epoch + 1,
            loss=training_loss,
            valid_auroc=auroc,
            valid_auprc=auprc,
            valid_loss=loss,
            seconds=time.monotonic() - self._started,
            **names,
        )
        logged = {MONITOR: self.report.score, "valid_auroc": auroc, "valid_auprc": auprc}
        self.log_dict({**logged, **names, "valid_loss": loss}, sync_dist=False)
        self.history.append(to_dict(self.report))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint["history"])


#: The batch normalisations that networks here have.
_Norm = nn.BatchNorm1d | nn.BatchNorm2d


class _Sum(torch.autograd.Function):
    """The sum over all processes; so is its gradient, since every process uses it."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        del ctx
        total = x.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        del ctx
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


def _joint_forward(norm: _Norm, x: torch.Tensor) -> torch.Tensor:
    axes = [i for i in range(x.ndim) if i != 1]
    shape = [1, -1] + [1] * (x.ndim - 2)
    values = x.float()
    local = torch.stack([values.sum(axes), values.square().sum(axes)])
    n = torch.full_like(local[:1], values.numel() / values.shape[1])
    total: torch.Tensor = _Sum.apply(torch.cat([local, n]))  # type: ignore[no-untyped-call]
    mean = total[0] / total[2]
    variance = (total[1] / total[2] - mean.square()).clamp_min(0)
    if norm.track_running_stats and norm.running_mean is not None and norm.running_var is not None:
        momentum = 0.1 if norm.momentum is None else norm.momentum
        unbiased = variance * total[2] / (total[2] - 1).clamp_min(1)
        with torch.no_grad():
            norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
            norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), momentum)
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.add_(1)
    y = (values - mean.view(shape)) * torch.rsqrt(variance + norm.eps).view(shape)
    if norm.affine:
        y = y * norm.weight.view(shape) + norm.bias.view(shape)
    result: torch.Tensor = y.to(x.dtype)
    return result


def use_joint_batches(network: nn.Module) -> None:
    """Let every batch normalisation of a network see the joint batch while it trains."""

    def patch(norm: _Norm) -> None:
        own = norm.forward

        def forward(x: torch.Tensor) -> torch.Tensor:
            return _joint_forward(norm, x) if norm.training else own(x)

        norm.forward = forward  # type: ignore[method-assign, assignment]

    for module in network.modules():
        if isinstance(module, _Norm):
            patch(module)
