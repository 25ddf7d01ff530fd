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
from wavebind.core.settings import to_dict, with_values
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.seen import find_seen, seen_words
from wavebind.datasets.targets import TASKS, Task
from wavebind.models import ModelConfig
from wavebind.models.rundir import RunDir
from wavebind.training.config import Devices, TrainingConfig
from wavebind.training.crossfit import crossfit as fit_folds
from wavebind.training.initial import resolve_weights
from wavebind.training.members import (
    joint_settings,
    settled_members,
    train_members,
)
from wavebind.training.recipes import Recipe
from wavebind.training.runjson import begun_otherwise, stored_configuration
from wavebind.training.starting import MANY_BOUND, settled_training, starts_of
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
    start: PathLike | None = None,
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
    start : path, optional
        Trained weights to begin with: ``factors`` (the model of the package), a run, or ``none``.
        By default the package's where it fits the network. Of several, joined by ``+``, each begins
        a network of its own, and their mean is the model.
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    resume : bool
        Continue an interrupted run with the settings that it has; others that are given must be
        the same.
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
        If a run is resumed with other settings than it was begun with.
    InputError
        If an input cannot be used, or training diverges.
    """
    path = Path(out)
    given: dict[str, Any] = {
        "epochs": epochs,
        "seed": seed,
        "crossfit": crossfit,
        "start": None if start is None else str(start),
    }
    more = {f"training.{name}": value for name, value in given.items() if value is not None}
    if resume and force:
        raise UsageError("--resume continues a run and --force replaces it; give one of them")
    opened = opened_dataset(data)
    members: list[TrainingConfig] = []
    if resume:
        if finished_card(path):
            on_event(Message(f"{path}: training has ended already; nothing to resume"))
            return Run(path, device)
        network, configuration = stored_configuration(RunDir(path), opened)
        devices = Devices(device)
        if recipe is not None or model is not None or settings:
            merged = _merged(settings, more)
            whole = train_settings(recipe or "default", model, merged)
            asked_network = whole.model_for(opened, None)
            asked_for = {name: whole.training[name] for name in _training_names(merged)}
            asked_for = {"start": configuration.start, **asked_for}
            asked_network, asked, _, _ = _settled(asked_network, whole.training, asked_for, opened)
            _require_stored(path, network, configuration, asked_network, asked)
        elif more:
            asked = with_values(
                configuration, {key: v for key, v in given.items() if v is not None}
            )
            _require_stored(path, network, configuration, network, asked)
        other = begun_otherwise(RunDir(path))
        if other:
            on_event(Message(other))
    else:
        merged = _merged(settings, more)
        whole = train_settings(recipe or "default", model, merged)
        network = whole.model_for(opened, _task(whole.task))
        asked_for = {name: whole.training[name] for name in _training_names(merged)}
        network, configuration, members, words = _settled(
            network, whole.training, asked_for, opened
        )
        on_event(
            Message(
                _sizes(opened, "given" if isinstance(recipe, Recipe) else str(recipe or "default"))
            )
        )
        on_event(Message(words))
        if configuration.start == "factors" and network.task_name == "binary":
            on_event(Message(_other_ways(opened)))
        begun = starts_of(configuration.start)
        for part in ("valid", "test") if "factors" in begun else ():
            seen = find_seen(opened, part)
            if seen is not None and seen.any():
                on_event(Message(seen_words(part, seen)))
        devices = whole.devices if device == "auto" else replace(whole.devices, device=device)
    if len(starts_of(configuration.start)) > 1:
        joined = train_members(
            opened,
            path,
            network,
            members,
            devices=devices,
            resume=resume,
            overwrite=force,
            on_event=on_event,
        )
        return Run(path, device) if joined else None
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


def _other_ways(data: Dataset) -> str:
    """What other starts gave on six factors that the weights had not seen: few-windows.md."""
    if int((data.labels[data.indices("train")] == 1).sum()) < MANY_BOUND:
        return (
            "with so few bound windows random weights (--start none) were 0.02 to 0.13 of AUROC "
            "behind on six factors, and the mean of both starts up to 0.03"
        )
    return (
        "--start factors+none takes the mean with a network from random weights: 0.015 of AUROC "
        "less to 0.002 more on six factors, for two to three times the time"
    )


def _sizes(data: Dataset, recipe: str) -> str:
    """How much there is to learn from, and what learns it."""
    labels = data.labels[data.indices("train")]
    if data.task != "binary":
        return f"{len(labels):,} training windows of {data.length} bp; recipe {recipe}"
    bound = int((labels == 1).sum())
    few = "; few: figures will hang on the draw, and a matrix may do as well" if bound < 100 else ""
    return (
        f"{bound:,} bound and {len(labels) - bound:,} unbound training windows of {data.length} "
        f"bp; recipe {recipe}{few}"
    )


def _settled(
    network: ModelConfig, recipe: Mapping[str, Any], given: Mapping[str, Any], data: Dataset
) -> tuple[ModelConfig, TrainingConfig, list[TrainingConfig], str]:
    """Network, settings, those of each network of a mean, and what training begins with."""
    if len(starts_of(str(given.get("start", "")))) == 1:
        network, configuration, words = settled_training(network, recipe, given, data)
        return network, configuration, [], words
    network, members, said = settled_members(network, recipe, given, data)
    return network, joint_settings(members), members, "; ".join(said)


def _require_stored(
    path: Path,
    network: ModelConfig,
    training: TrainingConfig,
    asked_network: ModelConfig,
    asked: TrainingConfig,
) -> None:
    """Refuse options with --resume that are not those the run was begun with."""
    asked, _ = resolve_weights(asked_network, asked)
    for kind, before, now in (
        ("", to_dict(network.resolved()), to_dict(asked_network.resolved())),
        ("training.", to_dict(training), to_dict(asked)),
    ):
        for name in before:
            if before[name] != now.get(name):
                raise UsageError(
                    f"{path}: {kind}{name} was {before[name]!r} when the run was begun and is "
                    f"{now.get(name)!r} now; --resume goes on with the settings of the run, leave "
                    f"the option out or train anew"
                )


def _training_names(settings: GivenSettings) -> list[str]:
    """The settings of training that somebody has given."""
    names = [entry.split("=", 1)[0] if isinstance(entry, str) else entry for entry in settings]
    return [n.removeprefix("training.") for n in names if n.startswith("training.")]


def _merged(settings: GivenSettings, more: Mapping[str, Any]) -> GivenSettings:
    if isinstance(settings, Mapping):
        return {**settings, **more}
    return [*settings, *(f"{name}={value}" for name, value in more.items())]


def _task(name: str | None) -> Task | None:
    if name is not None and name not in TASKS:
        raise UsageError(f"task is one of {', '.join(TASKS)}; found {name!r}")
    return cast("Task | None", name)
