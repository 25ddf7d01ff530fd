"""Training labels that are not certain: smoothed, or shared with what other networks say.

Smoothing (Szegedy et al. 2016, CVPR, p. 2818) takes back a part of every label: a peak caller
draws a line through windows that are bound a little. Distillation (Hinton et al. 2015,
arXiv:1503.02531) trains on the mean probability of trained networks beside the label, so that one
network learns what several know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.dataset import Dataset
from wavebind.errors import InputError
from wavebind.models import Classifier, ModelConfig
from wavebind.prediction import load_run, predict_logits
from wavebind.trainingconfig import TrainingConfig

__all__ = ["load_teachers", "soft_labels", "teach"]

Floats = NDArray[np.float32]


def load_teachers(
    data: Dataset, model: ModelConfig, config: TrainingConfig, device: str = "auto"
) -> list[Classifier]:
    """The networks that a training learns from.

    Parameters
    ----------
    data : Dataset
    model : ModelConfig
        Of the network that is to learn.
    config : TrainingConfig
        Names the teachers, which are run directories.
    device : str

    Raises
    ------
    InputError
        If a teacher is not a trained run, has other outputs or another window length, or was
        trained for something else; or if labels are to be softened that are numbers.
    """
    if config.softens and model.task_name == "regression":
        raise InputError("numbers are not softened; leave out the smoothing and the teachers")
    found = []
    for name in config.teachers:
        teacher, card = load_run(Path(name), data, device)
        if card.model.outputs != model.outputs or card.model.task_name != model.task_name:
            raise InputError(
                f"{name}: gives {', '.join(card.model.outputs)} ({card.model.task_name}) and the "
                f"network is to give {', '.join(model.outputs)} ({model.task_name}); a teacher has "
                f"the same outputs"
            )
        found.append(teacher)
    return found


def teach(
    teachers: Sequence[Classifier],
    data: Dataset,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    """What teachers say of the training windows.

    Parameters
    ----------
    teachers : sequence of Classifier
        At least one.
    data : Dataset
    progress : callable, optional
        Called with the number of windows that one teacher has seen since the last call.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(training window,)`` or ``(training window, output)``: the logistic
        function of the mean of the teachers' logits, both strands. It is not calibrated: a teacher
        saw unbound windows as rarely as the network that learns.
    """
    train = data.indices("train")
    logits = [predict_logits(one, data.codes, train, progress=progress) for one in teachers]
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.mean(logits, axis=0))))


def soft_labels(
    labels: NDArray[Any],
    train: NDArray[np.int64],
    config: TrainingConfig,
    taught: NDArray[np.float64] | None = None,
    *,
    exclusive: bool = False,
) -> Floats:
    """Labels of the training windows, smoothed and mixed with what teachers say.

    Parameters
    ----------
    labels : numpy.ndarray
        ``int8``, shape ``(window,)`` or ``(window, output)``; -1 where not known.
    train : numpy.ndarray
        The training windows; the labels of others stay.
    config : TrainingConfig
    taught : numpy.ndarray, optional
        What :func:`teach` gave.
    exclusive : bool
        Whether outputs are classes, among which the smoothed part is shared out so that their sum
        stays 1.

    Returns
    -------
    numpy.ndarray
        ``float32``, in the shape of the labels; -1 where not known.
    """
    soft = labels.astype(np.float32)
    mine = soft[train]
    share = config.smoothing / (mine.shape[1] if exclusive else 2)
    mixed = mine * (1 - config.smoothing) + share
    if taught is not None:
        weight = config.teacher_weight
        mixed = (1 - weight) * mixed + weight * taught.astype(np.float32)
    soft[train] = np.where(mine >= 0, mixed, mine)
    return soft
