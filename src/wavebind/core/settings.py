"""Settings to dictionaries and back, every field checked."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from wavebind.core.errors import InputError

__all__ = ["Removed", "from_dict", "to_dict"]

T = TypeVar("T")


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
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        raise InputError(f"{name}: {where}: {first['msg']}") from error


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
