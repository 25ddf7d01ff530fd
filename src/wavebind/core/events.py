"""What long work says while it goes on.

A function that takes long has a parameter ``on_event``, a callable that takes every
:class:`Event`. Events are plain data, so that they can come from another process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Advanced", "Event", "Message", "OnEvent", "StageStarted", "ignore"]


@dataclass(frozen=True)
class Event:
    """Base of all events."""

    @property
    def words(self) -> str:
        """What a person should read; empty for nothing."""
        return ""


@dataclass(frozen=True)
class Message(Event):
    """A sentence for people.

    Attributes
    ----------
    text : str
    """

    text: str

    @property
    def words(self) -> str:
        """The sentence."""
        return self.text


@dataclass(frozen=True)
class StageStarted(Event):
    """A stage of the work begins; the one before has ended.

    Attributes
    ----------
    name : str
    total : int or None
        Units of work in it; None where that is not known.
    """

    name: str
    total: int | None = None


@dataclass(frozen=True)
class Advanced(Event):
    """Work was done in the stage that is going on.

    Attributes
    ----------
    n : int
        Units since the last event of this kind.
    """

    n: int = 1


OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Take an event and do nothing."""
