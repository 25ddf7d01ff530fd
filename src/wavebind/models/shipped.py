"""Models that come with the package, by name."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from wavebind.core.files import replace_dir

__all__ = ["SHIPPED", "copy_shipped", "package_folder", "shipped_folder"]

#: Name and what it is, for lists.
SHIPPED = {"factors": "many transcription factors and cells at once, and where chromatin is open"}
_FOLDER = Path(__file__).parent.parent / "resources"


def package_folder(name: str) -> Path:
    """Where a model of the package lies."""
    return _FOLDER / name


def shipped_folder(run: Path) -> Path | None:
    """The folder of a model of the package; None where a run of one's own is meant.

    Parameters
    ----------
    run : pathlib.Path
        A folder of that name here is meant before the package's.
    """
    name = str(run)
    return package_folder(name) if name in SHIPPED and not run.exists() else None


def copy_shipped(run: Path) -> None:
    """Make a run here of a model of the package, for results about it; nothing for other runs.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    source = shipped_folder(run)
    if source is None:
        return
    with replace_dir(run) as temporary:
        for file in source.iterdir():
            shutil.copyfile(file, temporary / file.name)
    logging.getLogger("wavebind").warning(
        "%s: the package's model is copied here, since results about a model lie in its folder", run
    )
