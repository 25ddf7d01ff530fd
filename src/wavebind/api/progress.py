"""Events in the forms that functions of the package take progress in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from wavebind.core.events import Advanced, Message, OnEvent, StageStarted

__all__ = ["advancing", "noting", "stages"]


def advancing(on_event: OnEvent, name: str, total: int | None) -> Callable[[int], None]:
    """Begin a stage; what is returned takes the amount done since the last call."""
    on_event(StageStarted(name, total))
    return lambda n: on_event(Advanced(n))


def noting(on_event: OnEvent) -> Callable[[str], None]:
    """What takes sentences for people."""
    return lambda text: on_event(Message(text))


def stages(
    on_event: OnEvent,
) -> Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]:
    """What opens a stage as a context, which gives the function that advances it."""

    @contextmanager
    def stage(name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        yield advancing(on_event, name, total)

    return stage
