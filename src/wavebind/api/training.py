"""From a dataset and a recipe to a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from wavebind.api.frames import PathLike, opened_dataset
from wavebind.api.run import Run
from wavebind.api.settings import GivenSettings, train_settings
from wavebind.core.errors import UsageError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.settings import from_dict
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.targets import TASKS, Task
from wavebind.models.rundir import RunDir
from wavebind.training.config import Devices, TrainingConfig
from wavebind.training.crossfit import crossfit as fit_folds
from wavebind.training.recipes import Recipe
from wavebind.training.runjson import stored_configuration
from wavebind.training.train import finished_card
from wavebind.training.train import train as fit

__all__ = ["train"]


def train(
    data: PathLike | Dataset,
    out: PathLike,
    *,
    recipe: PathLike | Recipe | None = None,
    model: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    crossfit: int | None = None,
    device: str = "auto",
    resume: bool = False,
    force: bool = False,
    settings: GivenSettings = (),
    on_event: OnEvent = ignore,
) -> Run | None:
    """Train a network; the best epoch on the validation split is kept.

    Parameters
    ----------
    data : path or Dataset
        See :func:`wavebind.api.dataset.make_dataset`.
    out : path
        The folder of the run.
    recipe : str, path or Recipe, optional
        Representation, network and training: a name of ``wavebind recipes``, or a TOML file. The
        recipe ``default`` where none is named.
    model : str, optional
        The network, instead of that of the recipe.
    epochs : int, optional
        Largest number of epochs, instead of the recipe's.
    seed : int, optional
        Decides every random choice; 0 by default.
    crossfit : int, optional
        Folds of the chromosomes of train and valid. One network holds out each, and their mean is
        the model.
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    resume : bool
        Continue an interrupted run with the settings that it has.
    force : bool
        Whether an older run is replaced.
    settings : sequence of str, or mapping
        Any other setting, as ``{"training.learning_rate": 1e-3}``; ``wavebind train --settings``
        lists them.
    on_event : callable
        Takes what happens; see :mod:`wavebind.core.events`.

    Returns
    -------
    Run or None
        None in every process but the first.

    Raises
    ------
    UsageError
        If a run is resumed with other settings.
    InputError
        If an input cannot be used, or training diverges.
    """
    path = Path(out)
    given = {"epochs": epochs, "seed": seed, "crossfit": crossfit}
    if resume:
        others: dict[str, Any] = {"recipe": recipe, "model": model, "force": force or None}
        others |= given
        extra = [f"--{name}" for name, value in others.items() if value is not None]
        if settings:
            extra.append("--set")
        if extra:
            raise UsageError(
                f"--resume continues with the settings of the run; leave out {', '.join(extra)}"
            )
    opened = opened_dataset(data)
    if resume:
        if finished_card(path):
            on_event(Message(f"{path}: training has ended already; nothing to resume"))
            return Run(path, device)
        network, configuration = stored_configuration(RunDir(path), opened)
        devices = Devices(device)
    else:
        more = {f"training.{name}": value for name, value in given.items() if value is not None}
        whole = train_settings(recipe or "default", model, _merged(settings, more))
        configuration = from_dict(TrainingConfig, whole.training, "the settings")
        network = whole.model_for(opened, _task(whole.task))
        devices = whole.devices if device == "auto" else replace(whole.devices, device=device)
    card = (fit_folds if configuration.crossfit else fit)(
        opened,
        path,
        network,
        configuration,
        devices=devices,
        resume=resume,
        overwrite=force,
        on_event=on_event,
    )
    return None if card is None else Run(path, device)


def _merged(settings: GivenSettings, more: Mapping[str, Any]) -> GivenSettings:
    if isinstance(settings, Mapping):
        return {**settings, **more}
    return [*settings, *(f"{name}={value}" for name, value in more.items())]


def _task(name: str | None) -> Task | None:
    if name is not None and name not in TASKS:
        raise UsageError(f"task is one of {', '.join(TASKS)}; found {name!r}")
    return cast("Task | None", name)
