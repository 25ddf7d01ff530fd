"""Settings: frozen dataclasses that check themselves, to dictionaries and back, by name and value.

A settings class inherits from :class:`Settings` and gives the bounds of its fields as annotations,
``Annotated[int, Field(ge=1)]``. What a field means stands in the docstring of the class.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
import inspect
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from wavebind.core.errors import InputError, UsageError

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

__all__ = [
    "Removed",
    "Setting",
    "Settings",
    "UnknownSettingError",
    "describe",
    "from_dict",
    "names_of",
    "to_dict",
    "with_values",
]

T = TypeVar("T")
_TYPES = re.compile(r"__root__|constrained-\w+|literal\[.*\]")

_RULES = {
    "greater_than_equal": "{ge} or more",
    "greater_than": "above {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "below {lt}",
}


@dataclasses.dataclass(frozen=True)
class Removed:
    """A setting that an earlier version had and this one does not.

    A settings class lists its own in a class variable ``REMOVED``, by name.

    Attributes
    ----------
    neutral : tuple or None
        Values at which the setting changed nothing; an entry with one of them is passed over.
        None for any value.
    remedy : str
        What to do where it has another value.
    """

    neutral: tuple[Any, ...] | None
    remedy: str


class UnknownSettingError(UsageError):
    """A setting that is named does not exist."""


class Settings:
    """Base of settings classes, which are frozen dataclasses.

    Raises
    ------
    InputError
        If a field is not within the bounds of its annotation.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}
    REMOVED: ClassVar[dict[str, Removed]] = {}

    def __post_init__(self) -> None:
        from pydantic import ValidationError

        for name, adapter in _adapters(cast("Hashable", type(self))).items():
            value = getattr(self, name)
            try:
                adapter.validate_python(value)
            except ValidationError as error:
                raise InputError(_words(error.errors(include_url=False)[0], name)) from error


@functools.cache
def _adapters(kind: Any) -> dict[str, TypeAdapter[Any]]:
    """What checks each field of plain values; nested settings have checked themselves."""
    from pydantic import TypeAdapter

    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in dataclasses.fields(kind)]
    return {name: TypeAdapter(hints[name]) for name in names if not _nested(hints[name])}


def _nested(hint: Any) -> bool:
    parts = getattr(hint, "__args__", (hint,))
    return any(dataclasses.is_dataclass(part) for part in (hint, *parts))


def _words(error: ErrorDetails, name: str = "") -> str:
    """An error of pydantic in the words of this package."""
    # Of a value of several types the place names the type, too.
    place = [str(part) for part in error["loc"] if not _TYPES.fullmatch(str(part))]
    where = ".".join([name, *place] if name else place) or "settings"
    rule = _RULES.get(error["type"])
    if rule is None:
        return f"{where}: {error['msg']}"
    bound = {key: f"{value:g}" for key, value in error["ctx"].items()}
    return f"{where} must be {rule.format(**bound)}; found {error['input']!r}"


def to_dict(settings: Any) -> dict[str, Any]:
    """A (nested) settings dataclass as plain dictionaries, lists and numbers.

    The result is the same before and after a trip through JSON.
    """
    plain: dict[str, Any] = _plain(dataclasses.asdict(settings))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def from_dict(kind: type[T], data: object, name: str) -> T:
    """Build a settings dataclass from plain data, as read from JSON or TOML.

    Parameters
    ----------
    kind : type
        A dataclass. A field that it does not have is refused, one that is missing takes its
        default. A field of an earlier version is passed over at a neutral value; see
        :class:`Removed`.
    data : object
        Plain data; a dictionary, if it is right.
    name : str
        What a message calls the source.

    Raises
    ------
    InputError
        If a field is unknown, of the wrong type or out of range; the message names the field.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(_without_removed(kind, data, name))
    except InputError as error:
        # Of a class that checks itself.
        if str(error).startswith(name):
            raise
        raise InputError(f"{name}: {error}") from error
    except ValidationError as error:
        raise InputError(f"{name}: {_words(error.errors(include_url=False)[0])}") from error


def _without_removed(kind: type[Any], data: object, name: str) -> object:
    removed: dict[str, Removed] = getattr(kind, "REMOVED", {})
    if not isinstance(data, dict) or not removed:
        return data
    for key, value in data.items():
        neutral = removed[key].neutral if key in removed else None
        plain = tuple(value) if isinstance(value, list) else value
        if neutral is not None and plain not in neutral:
            raise InputError(
                f"{name}: {key} is {value!r}, a setting that this version does not have; "
                f"{removed[key].remedy}"
            )
    return {key: value for key, value in data.items() if key not in removed}


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting of a settings class.

    Attributes
    ----------
    name : str
        Its place, ``background.ratio``.
    default : object
        None where it has none.
    meaning : str
        From the docstring of the class.
    """

    name: str
    default: Any
    meaning: str


def describe(settings: Any, prefix: str = "") -> Iterator[Setting]:
    """Every setting of an instance of a settings class, those of nested classes after their place.

    Parameters
    ----------
    settings : Settings
        Its values are given as defaults.
    prefix : str
        What all names begin with.
    """
    meanings = _meanings(cast("Hashable", type(settings)))
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from describe(value, f"{prefix}{field.name}.")
        else:
            yield Setting(f"{prefix}{field.name}", value, meanings.get(field.name, ""))


@functools.cache
def _meanings(kind: Any) -> Mapping[str, str]:
    """What each field means, from the section Attributes of the docstrings."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if dataclasses.is_dataclass(base):
            found |= _attributes(inspect.getdoc(base) or "")
    return found


def _attributes(text: str) -> dict[str, str]:
    """The meanings of the attributes, with the values that are named in place of a type."""
    found: dict[str, str] = {}
    choices: dict[str, list[str]] = {}
    names: list[str] = []
    lines = text.split("\n")
    section = False
    for line, rule in zip(lines, [*lines[1:], ""], strict=True):
        if rule and not rule.strip("-"):
            section = line == "Attributes"
        elif section and line and not line.startswith((" ", "-")):
            names = names_of(line.partition(" : ")[0])
            choices |= dict.fromkeys(names, re.findall(r'[{ ]"([^"]+)"', line))
        elif section and line.startswith(" "):
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    for name, values in choices.items():
        words = re.findall(r"[\w-]+", found.get(name, ""))
        if not set(values) <= set(words):
            found[name] = f"{found.get(name, '')} One of: {', '.join(values)}.".strip()
    return found


def with_values(
    settings: T,
    values: Sequence[str] | Mapping[str, Any],
    kinds: Mapping[str, type[Any]] | None = None,
) -> T:
    """Settings with some of their values replaced.

    Parameters
    ----------
    settings : Settings
    values : sequence of str, or mapping
        ``NAME=VALUE``, with the name as :func:`describe` gives it. A comma stands between the
        entries of a list; ``none`` or ``all`` is no limit. Or values by their names.
    kinds : mapping
        For entries that are dictionaries of settings, the class that they belong to.

    Raises
    ------
    UnknownSettingError
        If there is no setting of that name; the message has the nearest one.
    UsageError
        If the text of a number is none.
    InputError
        If a value is not one that the setting can have.
    """
    table, kinds = to_dict(settings), kinds or {}
    for name, value in _pairs(values):
        *outer, last = name.split(".")
        inner: Any = table
        for part in outer:
            inner = inner.get(part) if isinstance(inner, dict) else None
        kind = kinds.get(".".join(outer))
        known = inner if kind is None else {field.name for field in dataclasses.fields(kind)}
        if not isinstance(inner, dict) or last not in known:
            raise UnknownSettingError(_unknown(name, settings, kinds))
        if isinstance(value, str) and isinstance(inner.get(last), dict):
            raise UnknownSettingError(
                f"{name!r} is a group of settings; name one of them, as {name}.NAME=VALUE"
            )
        if isinstance(value, str):
            hint = _hint(type(settings), [*outer, last], kinds)
            try:
                value = _value(value.strip(), hint)
            except UsageError as error:
                raise UsageError(f"{name}: {error}") from None
        inner[last] = _plain(value)
    return from_dict(type(settings), table, "the settings")


def _pairs(values: Sequence[str] | Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(values, Mapping):
        yield from values.items()
        return
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UnknownSettingError(f"{text!r}: give a setting as NAME=VALUE")
        yield name.strip(), value


def _unknown(name: str, settings: Any, kinds: Mapping[str, type[Any]]) -> str:
    known = [setting.name for setting in describe(settings)]
    for place, kind in kinds.items():
        known += [f"{place}.{field.name}" for field in dataclasses.fields(kind)]
    near = difflib.get_close_matches(name, known, 1, 0.0)
    # A setting of another place, called by its last name alone.
    same = [other for other in known if other.rpartition(".")[2] == name.rpartition(".")[2]]
    return f"there is no setting {name!r}; did you mean {(same or near)[0]!r}?"


def _hint(kind: type[Any], place: list[str], kinds: Mapping[str, type[Any]]) -> Any:
    for i, name in enumerate(place):
        at = ".".join(place[:i])
        if at in kinds:
            kind = kinds[at]
        hint = get_type_hints(kind).get(name, str)
        parts = [p for p in (hint, *getattr(hint, "__args__", ())) if dataclasses.is_dataclass(p)]
        if parts and isinstance(parts[0], type):
            kind = parts[0]
    return hint


def _value(text: str, hint: Any) -> Any:
    """A value from its text; numbers and truth values are read by the settings class itself."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if text.lower() in ("none", "all") and type(None) in options:
        return None
    origins = {get_origin(option) or option for option in options}
    several = tuple in origins or list in origins
    if several and not (str in options and "," not in text):
        return names_of(text)
    if str not in options and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number in (int, float):
        with contextlib.suppress(ValueError):
            # A number, so that a message about it quotes one.
            return text if str in options else number(text)
    if set(options) <= {int, float, type(None)}:
        raise UsageError(f"{text!r} is not a number")
    return text


def names_of(text: str) -> list[str]:
    """The entries of a list with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]
