"""How the process keeps memory that was freed.

glibc gives large blocks back to the system as soon as they are freed. A network frees and asks for
the same tens of megabytes with every batch. The system then clears the same pages again and again,
which halves the speed of prediction on a processor. Kept blocks are used again at once.
"""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_memory"]

#: Names and numbers of mallopt(3); the threshold is the largest that glibc takes.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_TRIM, _LARGEST_MMAP = 2**31 - 1, 32 * 2**20


def keep_memory() -> bool:
    """Keep up to 2 GiB of freed memory for the next request; a setting of the whole process.

    Meant for programs at their start: a library has no business to change it.

    Returns
    -------
    bool
        Whether this system has such a setting.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    return bool(mallopt(_TRIM_THRESHOLD, _LARGEST_TRIM) and mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP))
