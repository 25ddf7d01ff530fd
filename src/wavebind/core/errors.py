"""The errors that a user can cause, and can mend.

Everything may import this module; it imports nothing of wavebind.
"""

from __future__ import annotations

__all__ = ["InputError", "UsageError", "WavebindError"]


class WavebindError(Exception):
    """Base of every error that wavebind raises on purpose.

    The message names the input, the rule, what was found and the remedy. The command line prints
    it without a traceback and exits with code 1.
    """


class InputError(WavebindError):
    """A file, a value or a folder that wavebind was given cannot be used as it is."""


class UsageError(InputError):
    """Arguments or options do not go together. The command line exits with code 2."""
