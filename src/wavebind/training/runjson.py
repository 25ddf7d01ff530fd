"""``run.json``: how a run was begun, written before anything is trained."""

from __future__ import annotations

import shutil
from typing import Any

import torch

from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import read_json, write_json
from wavebind.core.settings import from_dict, to_dict
from wavebind.core.versions import version, versions
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.identity import difference
from wavebind.models import ModelConfig
from wavebind.models.modelfile import FORMAT, check_format
from wavebind.models.rundir import RunDir
from wavebind.training.config import TrainingConfig

__all__ = ["begin_run", "begun_otherwise", "start_run", "stored_configuration"]


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
            "format": FORMAT,
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
        trained_on = dict(stored["data"])
        model, config = stored["model"], stored["training"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run.run_json}: the entry {error} is missing; train anew") from error
    other = difference(trained_on, data.identity)
    if other:
        raise InputError(
            f"{run.path}: cannot be continued with {data.path}: {other}; it was begun with "
            f"{trained_on.get('path')}, train anew where that has changed"
        )
    name = str(run.run_json)
    backbone = model.get("backbone") if isinstance(model, dict) else None
    check_format(stored.get("format", 2), backbone, name)
    return from_dict(ModelConfig, model, name), from_dict(TrainingConfig, config, name)


def begun_otherwise(run: RunDir) -> str:
    """What is to be said of a run that goes on in other conditions; empty otherwise.

    Sums of floating-point numbers depend on how many threads share them, and on the version.
    """
    stored = read_json(run.run_json)
    threads, now = stored.get("threads"), torch.get_num_threads()
    found = []
    if threads not in (None, now):
        found.append(f"{threads} threads and goes on with {now} (--threads {threads} is the same)")
    before = stored.get("versions", {}).get("wavebind", version())
    if before != version():
        found.append(f"version {before} and goes on with {version()}")
    if not found:
        return ""
    return (
        f"{run.path}: was begun with {' and with '.join(found)}; the result is not that of an "
        f"uninterrupted run to the last digit"
    )
