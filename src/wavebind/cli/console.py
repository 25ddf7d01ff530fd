"""Messages and progress on stderr, which stdout is not for."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from wavebind.core.events import Event

__all__ = ["TerminalProgress", "next_step", "note", "progress_words"]

#: Seconds between two lines about progress where stderr is no terminal.
_EVERY = 60.0
#: Such lines whose pace tells what is left.
_MARKS = 4


def note(text: str) -> None:
    """Say something to the person at the terminal, on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def next_step(*words: object) -> None:
    """Say, on stderr, which command usually comes next.

    Parameters
    ----------
    *words
        Of the command, without ``wavebind``.
    """
    import shlex

    note(f"next: {shlex.join(['wavebind', *map(str, words)])}")


class TerminalProgress:
    """Shows events: sentences as lines, a stage as a bar; a context manager.

    Where stderr is no terminal, a stage that takes long gets a line a minute.
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._advance: Callable[[int], None] | None = None

    def __enter__(self) -> TerminalProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, event: Event) -> None:
        """Take an event; see :mod:`wavebind.core.events`."""
        from wavebind.core.events import Advanced, StageStarted

        if isinstance(event, StageStarted):
            self._stack.close()
            self._advance = self._stack.enter_context(_stage(event.name, event.total))
        elif isinstance(event, Advanced):
            if self._advance:
                self._advance(event.n)
        elif event.words:
            note(event.words)


@contextlib.contextmanager
def _stage(name: str, total: int | None) -> Iterator[Callable[[int], None]]:
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console, name, total) as advance:
            yield advance
    else:
        yield _lines(name, total)


@contextlib.contextmanager
def _bar(console: Console, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task(name, total=total)
        yield lambda n: progress.advance(task, n)


def _lines(name: str, total: int | None) -> Callable[[int], None]:
    done = 0
    # The pace of the last minutes tells what is left: a pause, or a slow start, is soon forgotten.
    marks = deque([(time.monotonic(), 0)], maxlen=_MARKS)

    def advance(n: int) -> None:
        nonlocal done
        done += n
        now = time.monotonic()
        if now - marks[-1][0] >= _EVERY:
            since, before = marks[0]
            note(f"{name}: {progress_words(done, total, (done - before) / (now - since))}")
            marks.append((now, done))

    return advance


def progress_words(done: int, total: int | None, rate: float) -> str:
    """What is done, how fast, and how long the rest will take.

    Parameters
    ----------
    done : int
    total : int or None
    rate : float
        Done a second, of late.
    """
    speed = f"{rate:,.0f} a second" if rate >= 10 else f"{60 * rate:,.3g} a minute"
    if not total:
        return f"{done:,}, {speed}"
    left = (total - done) / rate if rate else 0.0
    time_left = f"{left / 3600:.1f} h" if left >= 5400 else f"{max(left / 60, 0):.0f} min"
    return f"{done:,} of {total:,} ({done / total:.0%}), {speed}, about {time_left} left"
