"""What a search tries: one table of settings, where each lies in a recipe, and between what bounds.

A setting is called by its place in a recipe, ``scalogram.wavelet.beta``. A value is a number or,
where a choice is of lists, their entries with commas between.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from wavebind.core.errors import InputError
from wavebind.core.settings import from_dict, to_dict
from wavebind.models import get_backbone
from wavebind.training.config import TrainingConfig
from wavebind.training.recipes import Recipe

__all__ = ["GROUPS", "SearchSpace", "Setting", "Suggests"]

Value = str | int | float

#: What can be searched, by the names of ``tune --search``.
GROUPS: dict[str, str] = {
    "encoding": "how bases become numbers",
    "wavelet": "mother wavelet and its parameters",
    "scales": "number of scales, shortest and longest period, positions kept, outputs",
    "network": "size and regularisation of the network",
    "augmentation": "shifts, mutations, strands and unbound windows of an epoch",
    "optimiser": "learning rate, weight decay, batch size, moving average",
}

_ENCODINGS = ("onehot", "integer", "real", "complex", "eiip", "zcurve", "tetrahedron", "walk")


class Suggests(Protocol):
    """What of an Optuna trial is used here."""

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """One of the choices."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        """A whole number within bounds."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """A number within bounds."""


@dataclass(frozen=True)
class Setting:
    """One setting of the search.

    Attributes
    ----------
    name : str
        Its place in a recipe.
    group : str
        One of :data:`GROUPS`.
    choices : tuple of str
        Where it is a choice; a comma stands between the entries of a list.
    low, high : float
        Bounds, both included, where it is a number.
    log : bool
        Whether numbers are spread by their logarithm.
    step : int
        Of a whole number; 0 for any number.
    backbone : str
        The network that has it; empty for all.
    wavelet : str
        The kind of wavelet that has it; empty for all.
    """

    name: str
    group: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: int = 0
    backbone: str = ""
    wavelet: str = ""

    def suggest(self, trial: Suggests) -> Value:
        """Draw a value."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        if self.step:
            return trial.suggest_int(
                self.name, int(self.low), int(self.high), step=self.step, log=self.log
            )
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)

    def including(self, value: Value) -> Setting:
        """The setting with its bounds or choices widened, so that a value can be drawn."""
        if self.choices:
            return (
                self
                if value in self.choices
                else replace(self, choices=(*self.choices, str(value)))
            )
        number = float(value)
        low, high = min(self.low, number), max(self.high, number)
        if not self.step:
            return replace(self, low=low, high=high)
        step = math.gcd(self.step, *(abs(int(number - end)) for end in (self.low, self.high)))
        return replace(self, low=low, high=high, step=step)


def _number(name: str, group: str, low: float, high: float, **more: Any) -> Setting:
    return Setting(name, group, low=low, high=high, **more)


def _settings(length: int) -> tuple[Setting, ...]:
    net = "network"
    cnn: dict[str, Any] = {"backbone": "cnn"}
    scalenet: dict[str, Any] = {"backbone": "scalenet"}
    longest = float(min(max(length, 64), 512))
    return (
        Setting("scalogram.encoding", "encoding", _ENCODINGS),
        Setting("scalogram.wavelet.kind", "wavelet", ("morse", "morlet", "dog")),
        _number("scalogram.wavelet.gamma", "wavelet", 2, 6, wavelet="morse"),
        _number("scalogram.wavelet.beta", "wavelet", 1.5, 60, log=True, wavelet="morse"),
        _number("scalogram.wavelet.mu", "wavelet", 4, 12, wavelet="morlet"),
        _number("scalogram.wavelet.order", "wavelet", 1, 6, step=1, wavelet="dog"),
        Setting("scalogram.norm", "wavelet", ("l1", "l2")),
        _number("scalogram.n_scales", "scales", 16, 64, step=4),
        _number("scalogram.min_period", "scales", 2, 4),
        _number("scalogram.max_period", "scales", 16, longest, log=True),
        Setting("scalogram.spacing", "scales", ("octaves", "frequencies")),
        _number("scalogram.stride", "scales", 1, 4, step=1),
        Setting(
            "scalogram.outputs", "scales", ("real,imag", "real", "modulus", "real,imag,modulus")
        ),
        _number("options.band", net, 2, 8, step=2, **scalenet),
        _number("options.stem_kernel", net, 3, 11, step=2, **scalenet),
        _number("options.band_width", net, 16, 64, step=8, **scalenet),
        _number("options.position_width", net, 64, 256, step=32, **scalenet),
        _number("options.band_blocks", net, 0, 2, step=1, **scalenet),
        _number("options.position_blocks", net, 1, 5, step=1, **scalenet),
        _number("options.kernel", net, 3, 9, step=2, **scalenet),
        Setting("options.dilations", net, ("1", "1,2", "1,2,4", "1,2,4,8"), **scalenet),
        _number("options.dropout", net, 0, 0.4, **scalenet),
        _number("options.head_dropout", net, 0, 0.6, **scalenet),
        Setting("options.widths", net, ("64,64,96", "128,128,160", "192,192,256"), **cnn),
        Setting("options.kernels", net, ("9,5,5", "15,7,5", "21,9,5"), **cnn),
        _number("options.hidden", net, 64, 256, step=32, **cnn),
        _number("options.dropout", net, 0, 0.4, **cnn),
        _number("options.head_dropout", net, 0, 0.6, **cnn),
        _number("training.max_shift", "augmentation", 0, 20, step=1),
        _number("training.mutation", "augmentation", 0, 0.05),
        _number("training.unbound_ratio", "augmentation", 1, 6),
        Setting("training.strand", "augmentation", ("true", "false")),
        _number("training.learning_rate", "optimiser", 3e-4, 1e-2, log=True),
        _number("training.weight_decay", "optimiser", 1e-3, 0.3, log=True),
        Setting("training.batch_size", "optimiser", ("64", "128", "256")),
        _number("training.averaging", "optimiser", 0.99, 0.9995),
        _number("training.warmup", "optimiser", 0.05, 0.4),
    )


@dataclass(frozen=True)
class SearchSpace:
    """Recipes near a base one.

    Attributes
    ----------
    base : Recipe
        Says what is not searched.
    length : int
        Window length in base pairs.
    groups : tuple of str
        What is searched: names of :data:`GROUPS`, and of single settings.
    backbones : tuple of str
        Networks to choose from; that of the base where empty.
    """

    base: Recipe
    length: int
    groups: tuple[str, ...] = tuple(GROUPS)
    backbones: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        single = {setting.name for setting in _settings(self.length)}
        unknown = [name for name in self.groups if name not in GROUPS and name not in single]
        if unknown:
            raise InputError(
                f"there is nothing called {unknown[0]!r} to search; choose among "
                f"{', '.join(GROUPS)}, or single settings: {', '.join(sorted(single))}"
            )
        if not self.groups and len(self.backbones) < 2:
            raise InputError(f"nothing is searched; name one of {', '.join(GROUPS)}")
        for name in self.backbones:
            get_backbone(name)
        if len(self.backbones) < 2 and self.values_of_base() == {}:
            raise InputError(
                f"nothing is searched: what {', '.join(self.groups)} would change is not part of "
                f"this recipe, which reads the window without a transform; use --recipe wavelets"
            )
        if len(set(self.backbones)) < len(self.backbones):
            raise InputError(f"a network is named twice in {', '.join(self.backbones)}")

    def recipe(self, trial: Suggests) -> Recipe:
        """The recipe of a trial.

        Raises
        ------
        InputError
            If the values do not go together; the message says why.
        """
        base = self.base
        if len(self.backbones) > 1:
            base = base.with_backbone(trial.suggest_categorical("backbone", self.backbones))
        elif self.backbones:
            base = base.with_backbone(self.backbones[0])
        table = _table(base)
        for setting in self.settings():
            if self._applies(setting, table):
                _put(table, setting.name, setting.suggest(trial))
        return from_dict(Recipe, table, "the settings of the trial")

    def settings(self) -> tuple[Setting, ...]:
        """Every setting, within bounds that hold the value of the base recipe.

        One that the recipe has no value for, as a ratio where all windows are taken, is not
        searched.
        """
        table = _table(self._first())
        found = []
        for setting in _settings(self.length):
            if not self._applies(setting, table):
                found.append(setting)
                continue
            value = _get(table, setting)
            if value is not None:
                found.append(setting.including(value))
        return tuple(found)

    def values_of_base(self) -> dict[str, Value]:
        """What the first trial draws, so that it is the base recipe."""
        base = self._first()
        found: dict[str, Value] = {}
        if len(self.backbones) > 1:
            found["backbone"] = base.backbone
        table = _table(base)
        for setting in self.settings():
            value = _get(table, setting) if self._applies(setting, table) else None
            if value is not None:
                found[setting.name] = value
        return found

    def _first(self) -> Recipe:
        """The recipe of the first trial: the base, with a network that is searched."""
        if self.backbones and self.base.backbone not in self.backbones:
            return self.base.with_backbone(self.backbones[0])
        return self.base

    def _applies(self, setting: Setting, table: Mapping[str, Any]) -> bool:
        backbone = table["backbone"]
        front = table.get("front") or get_backbone(backbone).front
        if setting.group not in self.groups and setting.name not in self.groups:
            return False
        if setting.backbone not in ("", backbone):
            return False
        if setting.group in ("wavelet", "scales") and front == "signal":
            return False
        kind = table["scalogram"]["wavelet"]["kind"]
        return setting.wavelet in ("", kind)


def _table(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain data, defaults of the network and of the training filled in."""
    table = copy.deepcopy(to_dict(recipe))
    table["options"] = to_dict(
        from_dict(get_backbone(recipe.backbone).settings, recipe.options, "the options")
    )
    training = to_dict(from_dict(TrainingConfig, recipe.training, "the training"))
    table["training"] = training
    return table


_WORDS = {"true": True, "false": False}


def _put(table: dict[str, Any], name: str, value: Value) -> None:
    *outer, last = name.split(".")
    for part in outer:
        table = table[part]
    old = table[last]
    plain: Any = value
    if isinstance(value, str):
        if isinstance(old, list):
            entries = value.split(",")
            plain = [int(entry) for entry in entries] if entries[0].isdigit() else entries
        elif value in _WORDS:
            plain = _WORDS[value]
        elif value.isdigit():
            plain = int(value)
    table[last] = plain


def _get(table: Mapping[str, Any], setting: Setting) -> Value | None:
    found: Any = table
    for part in setting.name.split("."):
        found = found[part]
    if isinstance(found, list):
        return ",".join(map(str, found))
    if isinstance(found, bool) or (setting.choices and isinstance(found, int)):
        return str(found).lower()
    if found is None or isinstance(found, str | int | float):
        return found
    return None
