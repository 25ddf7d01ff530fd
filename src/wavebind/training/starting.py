"""Trained weights that a training begins with: of the package's model, or of another run.

The body of the network is copied. The head begins as a logistic regression on the outputs that the
trained model has for the training windows. Both are linear, so the regression is a head of the
body's features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import sha256
from wavebind.core.settings import from_dict
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.targets import TASKS
from wavebind.models import Classifier, ModelCard, ModelConfig, get_backbone, load_model
from wavebind.models.matrixparts import without_matrices
from wavebind.models.prediction import predict_logits
from wavebind.models.rundir import RunDir
from wavebind.models.shipped import SHIPPED, package_folder
from wavebind.training.batches import epoch_windows, training_labels
from wavebind.training.config import TrainingConfig
from wavebind.training.matrices import no_matrices

__all__ = [
    "AUTO",
    "MANY_BOUND",
    "SEPARATOR",
    "begin_with",
    "check_start",
    "fine_tuning",
    "from_scratch",
    "misfit",
    "settled_training",
    "starts_of",
    "weights_of",
    "widened",
]

#: What ``start`` is where nobody has said: the package's model where it fits.
AUTO, NONE = "auto", "none"
#: Between the starts of networks whose mean is the model, as in ``factors+none``.
SEPARATOR = "+"
_TRUNK = next(iter(SHIPPED))
#: Bound training windows from which on the steps are those of many windows.
MANY_BOUND = 2000
#: Settings of a training that begins with trained weights, with few and with many bound windows.
#: They are taken unless others are asked for. Chosen on valid: docs/decisions/fine-tuning.md.
_FEW_WINDOWS: dict[str, Any] = {
    "epochs": 20,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "unbound_ratio": 2.0,
    "averaging": 0.99,
    "patience": 6,
    "matrices": 16,
}
#: With few windows and random weights, where a recipe does not say otherwise.
_FEW_FROM_SCRATCH: dict[str, Any] = {
    "epochs": 30,
    "batch_size": 32,
    "learning_rate": 2e-3,
    "unbound_ratio": 2.0,
    "averaging": 0.99,
    "patience": 10,
    "matrices": 16,
}
_MANY_WINDOWS: dict[str, Any] = {
    "epochs": 20,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "unbound_ratio": 3.0,
    "averaging": 0.998,
    "patience": 4,
    "matrices": 16,
}
#: The network that random weights and few windows were tried with, and the tasks that have bound
#: windows.
_SMALL_STEPS, _LABELS = "scalenet", ("binary", "multilabel")
_READS = {"signal": "sequences without a transform", "wavelets": "scalograms"}
#: Inverse strength of the regularisation of the first head.
_STRENGTH = 0.3
#: Options that have no weights.
_WITHOUT_WEIGHTS = ("dropout", "head_dropout")
#: Windows that the first head is fitted to, at most.
_MOST_WINDOWS = 6_000


def fine_tuning(n_bound: int) -> dict[str, Any]:
    """Settings of a training that begins with trained weights, by its bound windows."""
    return dict(_FEW_WINDOWS if n_bound < MANY_BOUND else _MANY_WINDOWS)


def from_scratch(model: ModelConfig, n_bound: int) -> dict[str, Any]:
    """Settings of a training that begins with random weights, by its bound windows."""
    few = n_bound < MANY_BOUND and model.backbone == _SMALL_STEPS and model.task_name in _LABELS
    return dict(_FEW_FROM_SCRATCH) if few else {}


def settled_training(
    model: ModelConfig, recipe: Mapping[str, Any], given: Mapping[str, Any], data: Dataset
) -> tuple[ModelConfig, TrainingConfig, str]:
    """The settings of a training, and what it begins with.

    Parameters
    ----------
    model : ModelConfig
        The network that is going to be trained.
    recipe, given : mapping
        Settings of the recipe, and those that somebody asked for. Where training begins with
        trained weights, those of :func:`fine_tuning` come between the two, but for the number of
        matrices that a recipe names. Where it begins with random ones, those of
        :func:`from_scratch` come before the recipe's.
    data : Dataset
        Its bound training windows are counted.

    Returns
    -------
    tuple of ModelConfig, TrainingConfig and str
        The network with room for the trained layers. ``start`` is a run or ``none``. The words say
        what training begins with, and why.

    Raises
    ------
    InputError
        If the run that was asked for does not fit the network, or a setting is wrong.
    """
    n_bound = int((data.labels[data.indices("train")] == 1).sum())
    said = {**recipe, **given}
    whole = {"start": AUTO, **from_scratch(model, n_bound), **said}
    asked = _matrices_that_fit(model, from_dict(TrainingConfig, whole, "the settings"), said)
    if asked.start == NONE:
        return model, asked, "training begins with random weights, as asked for (start none)"
    name = _TRUNK if asked.start == AUTO else asked.start
    if asked.start == AUTO:
        other = _other_beginning(asked)
        if other:
            return model, replace(asked, start=NONE), other
    card = load_model(_folder(name).model)[1]
    reason = misfit(model, card)
    if not reason and asked.start == AUTO and 2 * model.length < card.model.length:
        # Most of what it reads would be unknown, at the price of all of it.
        reason = f"windows of {model.length} bp are less than half of what it reads"
    if reason and asked.start != AUTO:
        raise InputError(f"training cannot begin with {name}: {reason}")
    if reason:
        return (
            model,
            replace(asked, start=NONE),
            f"training begins with random weights: the model {name} does not fit, {reason}",
        )
    # The steps of a recipe are those from random weights. How many matrices is no matter of steps.
    kept = {"matrices": recipe["matrices"]} if "matrices" in recipe else {}
    settings = {**recipe, **fine_tuning(n_bound), **kept, **given, "start": name}
    wide = widened(model, card)
    tuned = _matrices_that_fit(wide, from_dict(TrainingConfig, settings, "the settings"), said)
    n = len(card.model.outputs)
    labels = f", trained on {n} labels" if n > 1 else ""
    room = f"; it reads {wide.reads} bp, the windows between unknown bases" if wide.reads else ""
    size = (
        f"fewer than {MANY_BOUND:,} bound windows" if n_bound < MANY_BOUND else "many bound windows"
    )
    return (
        wide,
        tuned,
        f"training begins with the weights of {name}{labels}{room}; settings for {size}",
    )


def _matrices_that_fit(
    model: ModelConfig, config: TrainingConfig, said: Mapping[str, Any]
) -> TrainingConfig:
    """The settings without matrices where they cannot stand beside the network.

    Raises
    ------
    InputError
        If the recipe or somebody asked for them there.
    """
    if not config.matrices:
        return config
    reason = no_matrices(model)
    if config.crossfit:
        reason = "they stand beside one network, not beside a mean of several"
    if config.shuffle_labels:
        reason = "true labels choose them, and the labels are shuffled"
    if reason and said.get("matrices"):
        raise InputError(f"matrices cannot stand beside this network: {reason}")
    return replace(config, matrices=0) if reason else config


def starts_of(start: str) -> list[str]:
    """The starts that are named: one, or several joined by ``+``. A path with a ``+`` is one."""
    return [start] if Path(start).exists() else start.split(SEPARATOR)


def check_start(start: str) -> None:
    """Refuse a start that is neither a word for one nor a trained run.

    Raises
    ------
    InputError
        As :meth:`wavebind.models.rundir.RunDir.require_model`.
    """
    for one in starts_of(start):
        if one not in (AUTO, NONE):
            _folder(one)


def weights_of(start: str, model: ModelConfig) -> dict[str, str]:
    """Checksums of the weights that a training may begin with.

    Parameters
    ----------
    start : str
        As in :class:`wavebind.training.config.TrainingConfig`.
    model : ModelConfig
        The network, of any length. Where ``start`` is ``auto``, the model of the package is meant
        if it fits this network.

    Returns
    -------
    dict
        SHA-256 of the model file by the start's name. Empty for random weights.

    Raises
    ------
    InputError
        If a run is not there.
    """
    found = {}
    for one in starts_of(start):
        name = _TRUNK if one == AUTO else one
        if one == NONE or (one == AUTO and misfit(model, load_model(_folder(name).model)[1])):
            continue
        found[name] = sha256(_folder(name).model)
    return found


def _folder(start: str) -> RunDir:
    """The run that is meant: by its name alone that of the package, whatever lies here."""
    path = package_folder(start) if start in SHIPPED else Path(start)
    return RunDir(path).require_model()


def _other_beginning(asked: TrainingConfig) -> str:
    """Why a training that did not ask for a start begins otherwise; empty if it does not."""
    if asked.weights != "none":
        return f"training begins with the weights {asked.weights}"
    if asked.crossfit:
        return (
            f"training begins with random weights: {_TRUNK} has seen what each network of a "
            f"cross-fit holds out"
        )
    if asked.shuffle_labels:
        return "training begins with random weights, as a control on shuffled labels must"
    return ""


def misfit(model: ModelConfig, card: ModelCard) -> str:
    """Why a network cannot take the weights of a trained one; empty if it can.

    Parameters
    ----------
    model : ModelConfig
        The network that is going to be trained.
    card : ModelCard
        Of the trained one.
    """
    mine, other = model.resolved(), card.model.resolved()
    if mine.backbone != other.backbone:
        return f"its network is {other.backbone}, not {mine.backbone}"
    if mine.front != other.front:
        return f"it reads {_READS.get(str(other.front), other.front)}"
    if other.networks > 1:
        return f"it is a mean of {other.networks} networks"
    if mine.image != other.image:
        return "the one reads pictures, or other ones"
    if mine.front != "signal" and mine.scalogram != other.scalogram:
        return "its transform is another one"
    if mine.scalogram.encoding != other.scalogram.encoding:
        return f"its encoding is {other.scalogram.encoding}, not {mine.scalogram.encoding}"
    for name, value in mine.options.items():
        if name not in _WITHOUT_WEIGHTS and other.options.get(name) != value:
            return f"its {name} is {other.options.get(name)}, not {value}"
    if model.task_name not in _LABELS:
        return f"it is for labels, not for {TASKS[model.task_name]}"
    return ""


def widened(model: ModelConfig, card: ModelCard) -> ModelConfig:
    """The network with room for the layers of a trained one.

    Windows shorter than those it was trained on stand between unknown bases, as they did in its
    training wherever a window was shifted.
    """
    longest = card.model.reads or card.model.length
    return replace(model, reads=longest) if model.length < longest else model


def begin_with(model: Classifier, config: TrainingConfig, data: Dataset) -> None:
    """Give a fresh network the weights that its training begins with.

    Parameters
    ----------
    model : Classifier
        Changed in place.
    config : TrainingConfig
        Its ``start`` is a run, or a model of the package.
    data : Dataset
        Its training windows give the head.

    Raises
    ------
    InputError
        If the run does not fit the network.
    """
    found, card = load_model(_folder(config.start).model)
    reason = misfit(model.config, card)
    if reason:
        raise InputError(f"training cannot begin with {config.start}: {reason}")
    # The same weights for windows of this length: no layer of the network depends on it.
    length, reads = model.config.length, model.config.reads
    trained = Classifier(replace(card.model, length=length, reads=reads, matrices=()))
    state = {
        k: v for k, v in without_matrices(found).state_dict().items() if not k.startswith("front.")
    }
    trained.load_state_dict({**trained.state_dict(), **state})
    head = get_backbone(card.model.backbone).head
    names = {name for name in state if name.endswith((f"{head}weight", f"{head}bias"))}
    weight = next(name for name in names if name.endswith("weight"))
    bias = next(name for name in names if name.endswith("bias"))
    mixing, constant = _first_heads(trained, model.config, config, data)
    mixed = torch.from_numpy(mixing)
    first = {
        weight: (mixed @ state[weight].double()).float(),
        bias: (mixed @ state[bias].double() + torch.from_numpy(constant)).float(),
    }
    model.load_state_dict({**model.state_dict(), **state, **first})


def _first_heads(
    trained: Classifier, model: ModelConfig, config: TrainingConfig, data: Dataset
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logistic regressions on the trained outputs: weights ``(label, output)`` and constants."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    train = data.indices("train")
    targets = data.targets if len(model.outputs) > 1 else data.labels[:, None]
    targets = training_labels(targets, train, config)
    rows = epoch_windows(data.labels, train, config, 0)[:_MOST_WINDOWS]
    rows = np.sort(rows)
    logits = predict_logits(trained, data.codes, rows, bf16=False).reshape(len(rows), -1)
    scaler = StandardScaler().fit(logits)
    features = scaler.transform(logits)
    mixing = np.zeros((targets.shape[1], logits.shape[1]))
    constant = np.zeros(len(mixing))
    for j, labels in enumerate(targets[rows].T):
        known = labels >= 0
        if len(np.unique(labels[known])) < 2:
            continue
        fitted = LogisticRegression(C=_STRENGTH, max_iter=1000).fit(features[known], labels[known])
        mixing[j] = fitted.coef_[0] / scaler.scale_
        constant[j] = fitted.intercept_[0] - mixing[j] @ scaler.mean_
    return mixing, constant
