"""Where wavebind keeps what it can make or fetch again."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """Folder of unpacked genomes, indices, published weights and cached features.

    ``WAVEBIND_CACHE`` if it is set, otherwise ``wavebind`` in ``XDG_CACHE_HOME`` or ``~/.cache``.
    """
    own = os.environ.get("WAVEBIND_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wavebind"
