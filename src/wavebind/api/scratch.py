"""Folders for what was given in memory and is read from a file."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wavebind.core.errors import InputError
from wavebind.core.files import writing_error

__all__ = ["lasting_folder", "scratch_folder"]


def lasting_folder() -> Path:
    """A folder that is there until Python ends: a result in it can be read meanwhile."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="wavebind-"))
    except OSError as error:
        raise writing_error(Path(tempfile.gettempdir()), error) from error
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is removed afterwards.

    Messages name a file in it by its name alone, ``variants.vcf line 7``: its user gave a table,
    and has never seen the folder.
    """
    try:
        temporary = tempfile.TemporaryDirectory(prefix="wavebind-")
    except OSError as error:
        raise writing_error(Path(tempfile.gettempdir()), error) from error
    with temporary as name:
        try:
            yield Path(name)
        except InputError as error:
            if name not in str(error):
                raise
            raise type(error)(str(error).replace(f"{name}/", "")) from error
