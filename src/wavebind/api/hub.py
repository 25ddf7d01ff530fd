"""A run as a folder that a model hub can show, and that wavebind reads as a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wavebind.core.errors import InputError
from wavebind.core.files import replace_dir
from wavebind.core.jsonfiles import read_json, write_json
from wavebind.datasets.dataset import open_dataset
from wavebind.explain.attribution import METHODS
from wavebind.models import load_model
from wavebind.models.modelfile import save_model
from wavebind.models.results import MOTIFS
from wavebind.models.rundir import RunDir
from wavebind.report.choice import choose_evaluation, choose_result
from wavebind.report.model_card import card_text
from wavebind.report.run_page import limits
from wavebind.training.starting import SEPARATOR, starts_of

__all__ = ["export_hub"]

#: Entries that may be paths.
_PLACES = ("path", "weights")


def export_hub(
    run: Path, folder: Path, *, evaluation: str | None = None, force: bool = False
) -> Path:
    """Write a model folder: the model, what it was made with, its figures, and a card.

    Paths of this machine stay behind: of a path its last part is kept. A name and a licence are
    for whoever publishes it to add.

    Parameters
    ----------
    run : pathlib.Path
        A run that was evaluated.
    folder : pathlib.Path
        Where it is written: ``model.safetensors``, ``run.json``, ``metrics.json``, ``README.md``.
    evaluation : str, optional
        The one whose figures the card gives; see :func:`wavebind.report.choice.choose_evaluation`.
    force : bool
        Whether an older folder of this kind is replaced.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    InputError
        If the run was not evaluated, its dataset is gone, or the folder is in the way.
    """
    place = RunDir(run).require_model()
    if place.path != run:
        raise InputError(
            f"{run}: is a model of the package, which everyone has; export a run of your own"
        )
    model, card = load_model(place.model)
    chosen = choose_evaluation(run, card, evaluation)
    metrics = dict(chosen.found)
    settings = read_json(place.run_json)
    motifs = choose_result(run, MOTIFS, chosen, METHODS)
    text = card_text(
        folder.name,
        folder.name,
        card,
        metrics,
        open_dataset(chosen.data).description,
        dataset=chosen.data.name,
        n_weights=model.n_weights,
        motifs=None if motifs is None else motifs.found,
        warnings=limits(metrics, settings, chosen),
    )
    here = replace(card, data=_without_places(card.data), training=_without_places(card.training))
    with replace_dir(folder, overwrite=force, marker="README.md") as temporary:
        save_model(temporary / "model.safetensors", model, here)
        write_json(temporary / "run.json", _without_places(settings))
        write_json(temporary / "metrics.json", _without_places(metrics))
        (temporary / "README.md").write_text(text, encoding="utf-8")
    return folder


def _without_places(values: Mapping[str, Any]) -> dict[str, Any]:
    """Paths say much of whose machine it was, and nothing on another; at any depth."""
    return {name: _without_place(name, value) for name, value in values.items()}


def _without_place(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return _without_places(value)
    if isinstance(value, list):
        return [_without_place(name, one) for one in value]
    if isinstance(value, str) and name == "start":
        # Several runs may be named, whose mean the model is.
        return SEPARATOR.join(Path(one).name for one in starts_of(value))
    if isinstance(value, str) and name in _PLACES:
        return Path(value).name
    return value
