"""What a training reads: windows, labels and targets, made once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.events import Advanced, Message, OnEvent, StageStarted
from wavebind.datasets.dataset import Dataset
from wavebind.metrics.platt import PlattScaling
from wavebind.models import Classifier, ModelConfig
from wavebind.models.images.featurecache import feature_bytes, frozen_features
from wavebind.training.batches import Windows, epoch_windows, training_labels
from wavebind.training.config import TrainingConfig
from wavebind.training.judging import judged_outputs

__all__ = ["TrainingSet", "bound_weight", "prepare", "training_targets"]


@dataclass(frozen=True)
class TrainingSet:
    """The windows of a dataset as a training sees them.

    Attributes
    ----------
    data : Dataset
    train, valid : Windows
        Inputs with what the outputs are trained towards, and with what they are validated on. The
        inputs are codes, or the output of the first `n_cached` segments.
    train_index, valid_index : numpy.ndarray
        ``int64``, shape ``(window,)``: places in the dataset.
    bound : numpy.ndarray
        ``int8``, shape ``(window,)`` of the whole dataset: 1 where a window counts as bound when
        the windows of an epoch are drawn.
    bound_weight : float
        Weight of a bound window in the loss.
    n_cached : int
        Segments of the network that the inputs have passed through.
    line : PlattScaling
        Of numbers, the line from what the network is trained towards back to values.
    median : float
        Of numbers, the median of the training values on the scale of training.
    judged : numpy.ndarray
        ``bool``, shape ``(output,)``: the labels that decide the best epoch.
    """

    data: Dataset
    train: Windows
    valid: Windows
    train_index: NDArray[np.int64]
    valid_index: NDArray[np.int64]
    bound: NDArray[np.int8]
    bound_weight: float
    n_cached: int
    line: PlattScaling
    median: float
    judged: NDArray[np.bool_]

    @property
    def valid_batch_size(self) -> int:
        """Windows that are validated at a time: few where each has a large cached output."""
        return 64 if self.n_cached else 512


def prepare(
    data: Dataset,
    network: Classifier,
    config: TrainingConfig,
    n_processes: int,
    on_event: OnEvent,
) -> TrainingSet:
    """Make the training set of a network.

    Parameters
    ----------
    data : Dataset
    network : Classifier
        On the device that computes frozen segments.
    config : TrainingConfig
    n_processes : int
        Of the training; with several, nothing is cached.
    on_event : callable

    Raises
    ------
    InputError
        If the dataset has no labels of the network's task.
    """
    targets, line = training_targets(data, network.config)
    train, valid = data.indices("train"), data.indices("valid")
    bound = training_labels(data.labels, train, config)
    labels = training_labels(targets, train, config)
    n_cached = network.backbone.frozen_prefix(config.train)
    # The cache holds the windows as they are: of use only where training does not change them.
    if network.front_is_trained or not config.cache or config.augments or n_processes > 1:
        n_cached = 0
    sources: list[tuple[Any, NDArray[np.int64] | None]] = [(data.codes, None)] * 2
    if n_cached:
        sources = _cached(data, network, n_cached, bound, config, on_event)
    return TrainingSet(
        data=data,
        train=Windows(sources[0][0], labels, sources[0][1]),
        valid=Windows(sources[1][0], targets, sources[1][1]),
        train_index=train,
        valid_index=valid,
        bound=bound,
        bound_weight=bound_weight(bound, train, config),
        n_cached=n_cached,
        line=line,
        median=_median(data, line),
        judged=_judged(network.config, targets[valid], config),
    )


def _judged(model: ModelConfig, labels: NDArray[Any], config: TrainingConfig) -> NDArray[np.bool_]:
    if model.task_name != "multilabel":
        return np.ones(len(model.outputs), dtype=bool)
    return judged_outputs(model.outputs, labels, config.judged)


def training_targets(data: Dataset, model: ModelConfig) -> tuple[NDArray[Any], PlattScaling]:
    """What the outputs of a network are trained towards.

    Returns
    -------
    tuple
        Labels (``int8``, -1 where not known) or numbers on a common scale (``float32``), shape
        ``(window,)`` or ``(window, output)``. And the line that leads back from that scale.

    Raises
    ------
    InputError
        If the dataset has no labels of the network's task.
    """
    if model.task_name == "regression":
        if data.values is None:
            raise InputError(
                f"{data.path}: has labels and no numbers; make a dataset of numbers with "
                f"'wavebind dataset --target COLUMN'"
            )
        known = data.values[data.indices("train")]
        line = PlattScaling(float(np.std(known)), float(np.mean(known)), link="identity")
        return line.logits(data.values).astype(np.float32), line
    if model.task_name == "multiclass" and data.task != "multiclass":
        raise InputError(
            f"{data.path}: is for {data.task}, and has no classes that exclude each other; make a "
            f"dataset of them with 'wavebind dataset --target COLUMN'"
        )
    if len(model.outputs) == 1:
        return data.labels, PlattScaling()
    if model.outputs != data.outputs:
        raise InputError(
            f"the network has the outputs {', '.join(model.outputs)} and {data.path} the labels "
            f"{', '.join(data.outputs)}"
        )
    return data.targets, PlattScaling()


def _median(data: Dataset, line: PlattScaling) -> float:
    if data.values is None:
        return 0.0
    return float(line.logits(np.array([np.median(data.values[data.indices("train")])]))[0])


def bound_weight(
    bound: NDArray[np.int8], train: NDArray[np.int64], config: TrainingConfig
) -> float:
    """Weight of a bound window in the loss: 1, or as many unbound as bound windows of an epoch.

    Parameters
    ----------
    bound : numpy.ndarray
        ``int8``, shape ``(window,)``.
    train : numpy.ndarray
        The training windows.
    config : TrainingConfig
    """
    if not config.class_weights:
        return 1.0
    labels = bound[epoch_windows(bound, train, config, 0)]
    return float((labels != 1).sum() / max(1, (labels == 1).sum()))


def _cached(
    data: Dataset,
    network: Classifier,
    n_cached: int,
    bound: NDArray[np.int8],
    config: TrainingConfig,
    on_event: OnEvent,
) -> list[tuple[Any, NDArray[np.int64] | None]]:
    """The output of the frozen first segments, of training and of valid windows."""
    epochs = range(config.epochs if config.redraw else 1)
    train = data.indices("train")
    chosen = [epoch_windows(bound, train, config, epoch) for epoch in epochs]
    windows = [np.unique(np.concatenate(chosen)), np.sort(data.indices("valid"))]
    n_strands = (1, 2)
    size = sum(
        feature_bytes(network, n_cached, len(rows), strands)
        for rows, strands in zip(windows, n_strands, strict=True)
    )
    n_windows = sum(map(len, windows))
    on_event(
        Message(
            f"frozen stages of {n_windows:,} windows are computed once ({size / 1e9:.1f} GB on "
            f"disk)"
        )
    )
    on_event(StageStarted("frozen stages", n_windows))
    features = [
        frozen_features(
            network,
            n_cached,
            data,
            rows,
            strands=strands,
            progress=lambda n: on_event(Advanced(n)),
        )
        for rows, strands in zip(windows, n_strands, strict=True)
    ]
    return list(zip(features, windows, strict=True))
