"""``run.json``: how a run was begun, written before anything is trained."""

from __future__ import annotations

import shutil
from typing import Any

import torch

from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import read_json, write_json
from wavebind.core.settings import from_dict, to_dict
from wavebind.core.versions import versions
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.identity import difference, work_identity
from wavebind.models import ModelConfig
from wavebind.models.rundir import RunDir
from wavebind.training.config import TrainingConfig

__all__ = ["begin_run", "start_run", "stored_configuration", "threads_differ"]


def start_run(
    run: RunDir,
    data: Dataset,
    model: ModelConfig,
    config: TrainingConfig,
    overwrite: bool,
    **more: Any,
) -> None:
    """Begin a run directory with its ``run.json``; `more` are entries beside the usual ones.

    Raises
    ------
    InputError
        If the folder holds another run and `overwrite` is not set, or other files.
    """
    begin_run(
        run,
        {
            "data": data.identity,
            "model": to_dict(model.resolved()),
            "training": to_dict(config),
            "versions": versions(),
            "threads": torch.get_num_threads(),
            **more,
        },
        overwrite,
    )


def begin_run(run: RunDir, entries: dict[str, Any], overwrite: bool) -> None:
    """Make a run directory that holds a ``run.json``; see :func:`start_run`.

    Parameters
    ----------
    run : RunDir
    entries : dict
        Written as they are.
    overwrite : bool
        Whether an older run of that name is removed.

    Raises
    ------
    InputError
        If the folder holds another run and `overwrite` is not set, or other files.
    """
    if run.path.exists() and not run.path.is_dir():
        raise InputError(f"{run.path}: is a file; a run is a folder, choose another name")
    # A process that was killed at once leaves the beginning of run.json, and nothing else.
    for leftover in run.path.glob(f".{run.run_json.name}.*.part"):
        leftover.unlink(missing_ok=True)
    if run.path.is_dir() and any(run.path.iterdir()):
        if not run.run_json.is_file():
            raise InputError(f"{run.path}: is a folder with other files in it; choose another name")
        if not overwrite:
            raise InputError(
                f"{run.path}: holds a run already; choose another name, continue it with "
                f"--resume or replace it with --force"
            )
        shutil.rmtree(run.path)
    write_json(run.run_json, entries)


def stored_configuration(run: RunDir, data: Dataset) -> tuple[ModelConfig, TrainingConfig]:
    """How a run was begun.

    Raises
    ------
    InputError
        If it is not a run, was trained on other data, or its ``run.json`` is not whole.
    """
    stored = read_json(run.require().run_json)
    try:
        trained_on = dict(stored["data"], version=stored["versions"]["wavebind"])
        model, config = stored["model"], stored["training"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run.run_json}: the entry {error} is missing; train anew") from error
    other = difference(trained_on, work_identity(data.identity))
    if other:
        raise InputError(
            f"{run.path}: cannot be continued with {data.path}: {other}; it was begun with "
            f"{trained_on.get('path')}, train anew where that has changed"
        )
    name = str(run.run_json)
    return from_dict(ModelConfig, model, name), from_dict(TrainingConfig, config, name)


def threads_differ(run: RunDir) -> str:
    """What is to be said where a run was begun with another number of threads; empty otherwise.

    Sums of floating-point numbers depend on how many threads share them.
    """
    before = read_json(run.run_json).get("threads")
    now = torch.get_num_threads()
    if before in (None, now):
        return ""
    return (
        f"{run.path}: was begun with {before} threads and goes on with {now}; the result is not "
        f"that of an uninterrupted run to the last digit (--threads {before} makes it so)"
    )
