"""``run.json``: how a run was begun, written before anything is trained."""

from __future__ import annotations

import shutil
from typing import Any

from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import read_json, write_json
from wavebind.core.settings import from_dict, to_dict
from wavebind.core.versions import versions
from wavebind.datasets.dataset import Dataset
from wavebind.models import ModelConfig
from wavebind.models.rundir import RunDir
from wavebind.training.config import TrainingConfig

__all__ = ["begin_run", "start_run", "stored_configuration"]


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
        checksum = stored["data"]["codes_sha256"]
        model, config = stored["model"], stored["training"]
    except (KeyError, TypeError) as error:
        raise InputError(f"{run.run_json}: the entry {error} is missing; train anew") from error
    if checksum != data.checksum:
        raise InputError(
            f"{run.path}: was trained on other data than {data.path} (its checksum differs); "
            f"resume with {stored['data'].get('path')}"
        )
    # Runs of before splits were noted have no entry.
    splits = data.identity["splits_sha256"]
    if stored["data"].get("splits_sha256", splits) != splits:
        raise InputError(
            f"{run.path}: was trained on other splits of these windows than {data.path} has now; "
            f"train anew"
        )
    name = str(run.run_json)
    return from_dict(ModelConfig, model, name), from_dict(TrainingConfig, config, name)
