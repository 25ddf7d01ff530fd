"""The errors that a user can cause, and can mend.

Everything may import this module; it imports nothing of wavebind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "InputError",
    "Interrupted",
    "UsageError",
    "WavebindError",
    "WritingError",
    "keeping",
]


class WavebindError(Exception):
    """Base of every error that wavebind raises on purpose.

    The message names the input, the rule, what was found and the remedy. The command line prints
    it without a traceback and exits with code 1.
    """


class InputError(WavebindError):
    """A file, a value or a folder that wavebind was given cannot be used as it is."""


class WritingError(InputError):
    """A file or a folder cannot be written: no room, no right, no such place."""


class Interrupted(KeyboardInterrupt):
    """Work was stopped with Ctrl-C, and some of it is kept.

    Parameters
    ----------
    kept : str
        What, and where it lies.
    option : str
        What the same command needs beside its arguments to go on, as ``--resume``.
    """

    def __init__(self, kept: str, option: str = "") -> None:
        super().__init__(kept)
        self.kept, self.option = kept, option


class UsageError(InputError):
    """Arguments or options do not go together. The command line exits with code 2."""


@contextmanager
def keeping(kept: str, option: str = "") -> Iterator[None]:
    """Say of work that is stopped within the block what is kept of it.

    Parameters
    ----------
    kept, option : str
        See :class:`Interrupted`.

    Raises
    ------
    Interrupted
        On Ctrl-C, unless something within has said more.
    """
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted(kept, option) from None
