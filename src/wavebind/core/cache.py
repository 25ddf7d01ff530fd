"""Where wavebind keeps what it can make or fetch again."""

from __future__ import annotations

import logging
import multiprocessing
import os
import stat
import tempfile
from pathlib import Path

__all__ = ["cache_folder", "spare_folder"]


def cache_folder() -> Path:
    """Folder of unpacked genomes, indices, published weights and cached features.

    ``WAVEBIND_CACHE`` if it is set, otherwise ``wavebind`` in ``XDG_CACHE_HOME`` or ``~/.cache``.
    Where that cannot be written, as in a container without a home, :func:`spare_folder`.
    """
    own = os.environ.get("WAVEBIND_CACHE")
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return Path(own) if own else spare_folder("there is no home folder")
    folder = Path(own) if own else Path(home) / "wavebind"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return spare_folder(f"{folder}: {error.strerror or error}")
    if not os.access(folder, os.W_OK):
        return spare_folder(f"{folder} is read-only")
    return folder


def spare_folder(why: str) -> Path:
    """A folder for temporary files that takes the place of the cache; says so in one line.

    Parameters
    ----------
    why : str
        What is wrong with the cache.
    """
    folder = Path(tempfile.gettempdir()) / f"wavebind-cache-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        mine = found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode)
        safe = mine and not found.st_mode & 0o022
    except OSError:
        safe = False
    if not safe:
        # Somebody else has made a folder of that name, where they could put what they like.
        folder = Path(tempfile.mkdtemp(prefix="wavebind-cache-"))
    if multiprocessing.parent_process() is None:
        logging.getLogger("wavebind").warning(
            "the cache cannot be used (%s), so %s takes its place; set WAVEBIND_CACHE to a folder "
            "that can be written",
            why,
            folder,
        )
    return folder
