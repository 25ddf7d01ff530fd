"""Recipes: a representation, a network and a way of training, by name or from a file.

A recipe is a TOML file with the entries ``about``, ``source``, ``backbone``, ``front``, ``format``
and the tables ``scalogram``, ``image``, ``options`` and ``training``. What is left out takes its
default.
"""

from __future__ import annotations

import logging
import re
import tomllib
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from wavebind.core.errors import InputError
from wavebind.core.files import check_readable
from wavebind.core.settings import from_dict, to_dict
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.targets import Task
from wavebind.models import ModelConfig, get_backbone
from wavebind.models.classifier import default_scalogram
from wavebind.models.modelfile import FORMAT, check_format
from wavebind.wavelets.fronts import check_front
from wavebind.wavelets.images import ImageConfig
from wavebind.wavelets.scalograms import ScalogramConfig

__all__ = ["Recipe", "load_recipe", "recipe_names", "recipe_text"]

_MAX_BYTES = 2**20


@dataclass(frozen=True)
class Recipe:
    """What is needed to train, apart from the data.

    Attributes
    ----------
    about : str
        One line for lists.
    source : str
        Where the settings come from.
    scalogram : ScalogramConfig
    backbone : str
    options : dict
        Of the backbone.
    image : ImageConfig or None
        Where given, the backbone sees colour images.
    front : str or None
        What stands before the backbone; see :mod:`wavebind.wavelets.fronts`.
    training : dict
        Settings of :class:`wavebind.training.train.TrainingConfig` that differ from its defaults.
    format : int
        That of the models that it was written for; see :mod:`wavebind.models.modelfile`.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    about: str = ""
    source: str = ""
    scalogram: ScalogramConfig = field(default_factory=default_scalogram)
    backbone: str = "scalenet"
    options: dict[str, Any] = field(default_factory=dict)
    image: ImageConfig | None = None
    training: dict[str, Any] = field(default_factory=dict)
    front: str | None = None
    format: int = FORMAT

    def __post_init__(self) -> None:
        check_format(self.format, self.backbone, "the recipe")

    def model_for(self, data: Dataset, task: Task | None = None) -> ModelConfig:
        """The network for a dataset's windows and labels.

        Parameters
        ----------
        data : Dataset
        task : {"binary", "multilabel", "multiclass", "regression"}, optional
            What it is trained for; by default what the dataset was made for. Numbers can be told
            by their median (binary), and classes one by one (multilabel).

        Raises
        ------
        InputError
            If the dataset has no such labels.
        """
        chosen = task or data.task
        others = {"regression": ("binary",), "multiclass": ("multilabel",)}
        if chosen not in (data.task, *others.get(data.task, ())):
            raise InputError(
                f"{data.path}: is for {data.task}; a network for {chosen} cannot be trained on it"
            )
        return replace(self.model(data.length), outputs=data.outputs, task=chosen)

    def model(self, length: int) -> ModelConfig:
        """The network for windows of a length."""
        return ModelConfig(
            length,
            self.scalogram,
            self.backbone,
            dict(self.options),
            self.image,
            front=self.front,
        )

    def with_backbone(self, name: str) -> Recipe:
        """The same with another network, in its default size and with the front that it reads.

        Raises
        ------
        InputError
            If there is none of that name, or it is not trained here.
        """
        if name == self.backbone:
            return self
        if not get_backbone(name).trained:
            raise InputError(
                f"model {name!r} is read from another program's model ('wavebind models --import') "
                f"and not trained; 'wavebind compare --models gkm-all' trains one like it"
            )
        image = self.image if get_backbone(name).front == "wavelets" else None
        return replace(self, backbone=name, options={}, image=image, front=None)

    def with_front(self, name: str) -> Recipe:
        """The same with another front.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        check_front(name)
        return replace(self, front=name)


def recipe_names() -> list[str]:
    """The recipes in the package."""
    files = (resources.files("wavebind") / "recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load_recipe(name: str) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    name : str
        One of :func:`recipe_names`, or the path of a TOML file.

    Raises
    ------
    InputError
        If there is none of that name, the file is not TOML, or a setting is unknown or wrong.
    """
    if re.fullmatch(r"[A-Za-z0-9_-]+", name) and not Path(name).exists():
        if name not in recipe_names():
            raise InputError(
                f"recipe {name!r} is not known; choose one of: {', '.join(recipe_names())}, or "
                f"give the path of a TOML file"
            )
        data = (resources.files("wavebind") / "recipes" / f"{name}.toml").read_bytes()
    else:
        path = Path(name)
        check_readable(path)
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}: larger than {_MAX_BYTES:,} bytes; it is not a recipe")
        data = path.read_bytes()
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{name}: is not TOML ({error})") from error
    recipe = from_dict(Recipe, table, name)
    if "format" not in table and recipe.backbone == "scalenet":
        logging.getLogger("wavebind").warning(
            "%s: names no format, so it may be of version 0.1, whose scalenet padded the ends of a "
            "window; this version's does not. Add 'format = %d' above its tables if that is meant",
            name,
            FORMAT,
        )
    return recipe


def recipe_text(recipe: Recipe) -> str:
    """A recipe as TOML, which :func:`load_recipe` reads back as it was."""
    import tomli_w

    return tomli_w.dumps(_without_none(to_dict(recipe)))


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    """TOML has no word for nothing: an entry that is left out takes its default."""
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if value is not None
    }
