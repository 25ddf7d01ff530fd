"""How a network is trained: the settings, where it runs, and what an epoch gave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from wavebind.core.devices import has_fast_bf16, resolve_device
from wavebind.core.errors import InputError
from wavebind.core.events import Event
from wavebind.core.settings import Removed, Settings
from wavebind.datasets.targets import Task
from wavebind.models.networks.matrices import MAX_MATRICES

__all__ = ["SCORES", "Devices", "EpochReport", "TrainingConfig", "score_words"]

MAX_FOLDS = 32
#: What decides the best epoch, the first of these that the task has.
SCORES = ("pearson", "macro_f1", "auroc")


def score_words(task: Task) -> str:
    """What decides the best epoch of a task, for people."""
    return {"regression": "Pearson correlation", "multiclass": "macro F1"}.get(task, "AUROC")


@dataclass(frozen=True)
class TrainingConfig(Settings):
    """How a network is trained.

    Attributes
    ----------
    epochs : int
        Most epochs of a training; the learning rate falls to zero over them.
    seed : int
        Seed of the first weights, the draws of unbound windows and the augmentation.
    batch_size : int
        Windows in each training step, on each device.
    learning_rate : float
        Highest learning rate of the schedule (one cycle: Smith & Topin 2019, Proc. SPIE 11006).
    weight_decay : float
        Weight decay of matrices and filters, decoupled (AdamW: Loshchilov & Hutter 2019).
    warmup : float
        Fraction of the steps over which the learning rate rises.
    unbound_ratio : float or "all"
        Unbound windows an epoch for each bound one; ``all`` takes every one.
    redraw : bool
        Whether unbound windows are drawn anew each epoch.
    class_weights : bool
        Weigh bound windows so that both classes count alike in the loss.
    max_shift : int
        Largest shift of a training window in base pairs.
    strand : bool
        Whether training windows come from either strand.
    mutation : float
        Probability of each base of a training window to become another one.
    crossfit : int
        Networks whose mean is the model, 0 for one network. Each holds out another part of the
        chromosomes of train and valid.
    averaging : float
        Decay at each step of the moving average of the weights, which is validated and kept
        (Polyak & Juditsky 1992).
    clip : float
        Largest norm of a gradient.
    accumulate : int
        Batches whose gradients are added up for one step.
    patience : int
        Stop when valid has not improved for this many epochs.
    judged : tuple of str
        Of several labels, those whose mean AUROC on valid decides the best epoch: names, or
        patterns such as ``CTCF:*`` and ``!open:*`` (all but these). Labels with fewer than 50 bound
        valid windows do not count, unless all have fewer.
    matrices : int
        Matrices of JASPAR whose best hits add to the logit, chosen by the training windows; 0 for
        none. They pay most where bound windows are few.
    start : str
        Trained weights that training begins with: ``none``, ``factors`` (the model of the
        package), a run, or ``auto`` (the package's where it fits). Several, joined by ``+``, are
        networks of their own whose mean is the model.
    weights : str
        What a network of images begins with: ``none`` (random), ``imagenet``, ``auto`` (ImageNet's
        if they can be had, random ones otherwise), or a file of weights.
    train : tuple of str
        Segments of the network that are trained, the head always; ``all`` for all of them.
    cache : bool
        Compute the output of frozen first segments once, where every epoch sees the same windows.
    log : tuple of str
        ``csv`` and ``tensorboard``: logs of every step, in the run directory.
    shuffle_labels : bool
        A control: train on permuted labels, and keep the last epoch, since valid has true labels.
        What such a model scores on test beyond 0.5 is a leak.
    """

    REMOVED: ClassVar[dict[str, Removed]] = {
        "smoothing": Removed((0, 0.0), "train again without label smoothing"),
        "teachers": Removed(((),), "train again without teachers"),
        "tutors": Removed((0,), "train again without tutors"),
        # Counted for nothing without teachers or tutors.
        "teacher_weight": Removed(None, "train again without teachers"),
    }

    epochs: Annotated[int, Field(ge=1)] = 20
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    batch_size: Annotated[int, Field(ge=2)] = 128
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.02
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.15
    #: None is what an earlier version wrote for all.
    unbound_ratio: Annotated[float, Field(gt=0)] | Literal["all"] | None = 3.0
    redraw: bool = True
    class_weights: bool = False
    max_shift: Annotated[int, Field(ge=0)] = 4
    strand: bool = True
    mutation: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    crossfit: Annotated[int, Field(ge=0, le=MAX_FOLDS)] = 0
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.998
    clip: Annotated[float, Field(gt=0)] = 1.0
    accumulate: Annotated[int, Field(ge=1)] = 1
    patience: Annotated[int, Field(ge=1)] = 4
    judged: tuple[str, ...] = ("*",)
    matrices: Annotated[int, Field(ge=0, le=MAX_MATRICES)] = 0
    start: str = "none"
    weights: str = "none"
    train: tuple[str, ...] = ("all",)
    cache: bool = True
    log: tuple[Literal["csv", "tensorboard"], ...] = ()
    shuffle_labels: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crossfit == 1:
            raise InputError("crossfit must be 0, or 2 or more; found 1")
        if not self.judged:
            raise InputError("judged must be names or patterns of labels; found none")
        if not self.train:
            raise InputError("train must be the names of segments, or all; found none")

    def fold(self, number: int) -> TrainingConfig:
        """How network `number` (from 1) of a cross-fit is trained: with a seed of its own."""
        sequence = np.random.SeedSequence([self.seed, number])
        return replace(self, crossfit=0, seed=int(sequence.generate_state(1)[0] >> 1))

    @property
    def augments(self) -> bool:
        """Whether a training window is ever changed."""
        return self.strand or self.max_shift > 0 or self.mutation > 0


@dataclass(frozen=True)
class EpochReport(Event):
    """What one epoch gave.

    Attributes
    ----------
    epoch : int
        From 1.
    loss : float
        Mean training loss.
    valid_auroc, valid_auprc, valid_loss : float
        Of the averaged weights, both strands; of several outputs their mean.
    seconds : float
        Wall-clock time, validation included.
    valid_accuracy, valid_macro_f1 : float or None
        Of classes.
    valid_pearson, valid_spearman : float or None
        Of numbers; the areas are then of windows at or above the training median.
    """

    epoch: int
    loss: float
    valid_auroc: float
    valid_auprc: float
    valid_loss: float
    seconds: float
    valid_accuracy: float | None = None
    valid_macro_f1: float | None = None
    valid_pearson: float | None = None
    valid_spearman: float | None = None

    @property
    def score(self) -> float:
        """What decides the best epoch: of numbers the correlation, of classes macro F1."""
        found = (getattr(self, f"valid_{name}") for name in SCORES)
        return next(float(metric) for metric in found if metric is not None)

    @property
    def words(self) -> str:
        """Epoch, loss and metrics for people."""
        named = (
            ("Pearson", self.valid_pearson),
            ("Spearman", self.valid_spearman),
            ("AUROC", self.valid_auroc),
            ("AUPRC", self.valid_auprc if self.valid_pearson is None else None),
            ("accuracy", self.valid_accuracy),
            ("macro F1", self.valid_macro_f1),
        )
        metrics = ", ".join(f"{name} {x:.4f}" for name, x in named if x is not None)
        return f"epoch {self.epoch}: loss {self.loss:.4f}, valid {metrics} ({self.seconds:.0f} s)"


@dataclass(frozen=True)
class Devices:
    """Where training runs.

    Attributes
    ----------
    device : str
        Where it computes: auto, cpu, cuda, cuda:N or mps.
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
