"""A mean of networks that begin with different weights, and otherwise see the same.

A network that begins with trained weights and one that begins with random ones err on different
windows. Their mean is more accurate than either, at the price of both
(docs/decisions/fine-tuning.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wavebind.core.errors import InputError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.jsonfiles import read_json
from wavebind.core.settings import from_dict, to_dict
from wavebind.datasets.dataset import Dataset
from wavebind.metrics.platt import fit_calibration
from wavebind.models import ModelCard, ModelConfig, make_ensemble, require_ensemble
from wavebind.models.prediction import load_run, predict_logits
from wavebind.models.rundir import RunDir
from wavebind.training.config import TrainingConfig
from wavebind.training.means import save_mean
from wavebind.training.runjson import start_run, stored_configuration
from wavebind.training.starting import SEPARATOR, settled_training, starts_of
from wavebind.training.train import Devices, train_once

__all__ = ["joint_settings", "settled_members", "train_members"]


def settled_members(
    model: ModelConfig, recipe: Mapping[str, Any], given: Mapping[str, Any], data: Dataset
) -> tuple[ModelConfig, list[TrainingConfig], list[str]]:
    """The settings of each network of a mean; see :func:`settled_training`.

    Parameters
    ----------
    model : ModelConfig
    recipe, given : mapping
        Of the settings that somebody asked for, ``start`` has several starts.
    data : Dataset

    Returns
    -------
    tuple of ModelConfig, list of TrainingConfig and list of str
        One network for all, the settings of each training, and what each begins with.

    Raises
    ------
    InputError
        If a start does not fit, is named twice, or the networks cannot be joined.
    """
    starts = starts_of(str(given["start"]))
    if len(set(starts)) < len(starts):
        raise InputError(
            f"start {given['start']!r} names a start twice; name each network's once, as in "
            f"factors+none"
        )
    if data.task != "binary":
        raise InputError(
            f"{data.path}: is for {data.task}; a mean of several starts is for bound and unbound "
            f"windows, so give one start"
        )
    # None beside a network of a mean; those that a recipe names are refused below.
    given = {"matrices": recipe.get("matrices", 0), **given}
    configs, words = [], []
    for start in starts:
        wide, config, said = settled_training(model, recipe, {**given, "start": start}, data)
        if config.matrices:
            raise InputError(
                "matrices stand beside one network, not beside a mean of several; leave "
                "training.matrices out, or give one start"
            )
        # What one of them needs room for, all have.
        model = wide
        configs.append(config)
        words.append(said)
    if any(config.crossfit for config in configs):
        raise InputError("a cross-fit is a mean already; give one start, or leave crossfit out")
    require_ensemble(model)
    return model, configs, words


def train_members(
    data: Dataset,
    out: Path,
    model: ModelConfig,
    configs: Sequence[TrainingConfig],
    *,
    devices: Devices | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_event: OnEvent = ignore,
) -> ModelCard:
    """Train each network, and leave a run directory of their mean.

    The networks themselves are runs in its folder ``members``. All choose their epoch on valid, and
    the calibration and the threshold of the mean come from valid as well.

    Parameters
    ----------
    data : Dataset
    out : pathlib.Path
    model : ModelConfig
    configs : sequence of TrainingConfig
        One for each network. With `resume` they are read from the run and these are passed over.
    devices : Devices, optional
        One device.
    resume : bool
        Continue a run: networks that are trained are kept.
    overwrite : bool
        Whether an older run of that name is removed.
    on_event : callable

    Raises
    ------
    InputError
        As :func:`wavebind.training.train.train` does.
    """
    run, where = RunDir(out), devices or Devices()
    if where.n_processes > 1:
        raise InputError(
            "the networks of a mean are trained on one device; leave devices.count out"
        )
    if resume:
        model, _ = stored_configuration(run, data)
        stored = read_json(run.run_json).get("members", [])
        configs = [from_dict(TrainingConfig, one, str(run.run_json)) for one in stored]
        if not configs:
            raise InputError(f"{run.run_json}: names no members; train anew")
    else:
        members = [to_dict(config) for config in configs]
        start_run(run, data, model, joint_settings(configs), overwrite, members=members)
    for number, config in enumerate(configs, 1):
        on_event(Message(f"network {number} of {len(configs)}, which begins with {config.start}"))
        train_once(data, run.member(number), model, config, devices=where, on_event=on_event)
    return _join(run, data, configs, where)


def joint_settings(configs: Sequence[TrainingConfig]) -> TrainingConfig:
    """The settings of the first, with all starts."""
    return replace(configs[0], start=SEPARATOR.join(config.start for config in configs))


def _join(
    run: RunDir, data: Dataset, configs: Sequence[TrainingConfig], where: Devices
) -> ModelCard:
    networks, cards = [], []
    for number in range(1, len(configs) + 1):
        network, card = load_run(run.member(number), data, where.device)
        networks.append(network)
        cards.append(card)
    merged = make_ensemble(networks, [card.calibration for card in cards])
    valid = data.indices("valid")
    labels = data.labels[valid]
    logits = predict_logits(merged, data.codes, valid)
    line = fit_calibration(labels, logits)
    whole = joint_settings(configs)
    return save_mean(run, merged, cards, whole, data, labels=labels, logits=logits, line=line)
