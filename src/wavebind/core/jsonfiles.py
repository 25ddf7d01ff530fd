"""JSON files: bounded when read, whole when written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wavebind.core.errors import InputError
from wavebind.core.files import replace_file

__all__ = ["read_json", "write_json"]


_MAX_JSON = 64 * 2**20


def read_json(path: Path) -> Any:
    """Read a JSON file of a run.

    Raises
    ------
    InputError
        If it is missing, too large or not JSON.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; is the run complete?")
    if path.stat().st_size > _MAX_JSON:
        raise InputError(f"{path}: larger than {_MAX_JSON:,} bytes; it was not written by wavebind")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error})") from error


def write_json(path: Path, data: Any) -> None:
    """Write JSON; the file appears under its name only when whole."""
    with replace_file(path) as temporary:
        temporary.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
