"""Settings to dictionaries and back, every field checked."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from wavebind.errors import InputError

__all__ = ["from_dict", "to_dict"]

T = TypeVar("T")


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
        default.
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
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        raise InputError(f"{name}: {where}: {first['msg']}") from error
