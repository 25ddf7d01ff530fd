"""What made a file: versions of the software."""

from __future__ import annotations

import platform
from importlib import metadata

__all__ = ["version", "versions"]

_PACKAGES = (
    "numpy",
    "torch",
    "lightning",
    "scikit-learn",
    "pandas",
    "pyarrow",
    "safetensors",
    "bioframe",
    "pyfaidx",
    "py2bit",
)


def version() -> str:
    """The version of wavebind."""
    return metadata.version("wavebind")


def versions() -> dict[str, str]:
    """Versions of wavebind, Python and the packages that a result depends on."""
    found = {"wavebind": version(), "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
