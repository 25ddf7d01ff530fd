"""Where wavebind keeps what it can make or fetch again."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import stat
import tempfile
from pathlib import Path

from wavebind.core.errors import InputError

__all__ = ["cache_folder", "cache_limit", "make_room", "spare_folder"]

#: Bytes of computed features that are kept unless WAVEBIND_CACHE_GB says otherwise.
DEFAULT_LIMIT = 20 * 10**9


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


def cache_limit() -> int:
    """Bytes that a folder of the cache may hold: ``WAVEBIND_CACHE_GB``, by default 20 GB.

    Raises
    ------
    InputError
        If the variable holds no positive number.
    """
    text = os.environ.get("WAVEBIND_CACHE_GB")
    if text is None:
        return DEFAULT_LIMIT
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 < limit < 1e9:
        raise InputError(
            f"WAVEBIND_CACHE_GB is the size of the cache in GB, a positive number; found {text!r}"
        )
    return int(limit * 1e9)


def make_room(folder: Path, size: int) -> int:
    """Remove the files of a cache that were used longest ago, until a new one has its place.

    Parameters
    ----------
    folder : pathlib.Path
        Of files that can be computed again; a file's time of change is that of its last use.
    size : int
        Bytes of the new file. One that is larger than the limit gets its place all the same.

    Returns
    -------
    int
        Number of files that were removed.
    """
    entries = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may remove it at this moment
            found = path.lstat()
            # A hidden name is that of a file which another process is writing.
            if stat.S_ISREG(found.st_mode) and not path.name.startswith("."):
                entries.append((found.st_mtime_ns, found.st_size, path))
    room = cache_limit() - size - sum(n for _, n, _ in entries)
    removed = 0
    for _, n, path in sorted(entries):
        if room >= 0:
            break
        with contextlib.suppress(OSError):
            path.unlink()
            room, removed = room + n, removed + 1
    if removed:
        logging.getLogger("wavebind").warning(
            "%s: %d computed files that were used longest ago are removed; WAVEBIND_CACHE_GB sets "
            "the size of the cache (now %g)",
            folder,
            removed,
            cache_limit() / 1e9,
        )
    return removed


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
