"""The labelled table inside the package.

What it is, where it comes from and its licence: ``data/README.md`` beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from wavebind.core.errors import InputError
from wavebind.core.files import sha256

__all__ = ["SHA256", "demo_table"]

NAME = "ctcf_gm12878_hg19.tsv.gz"
SHA256 = "e8992851be77169ccec2916c9019f347ac2bd0cb2494d88953da0d0c82dcbb6a"


@contextmanager
def demo_table() -> Iterator[Path]:
    """The path of the table, for the block.

    Raises
    ------
    InputError
        If the file is not the one that was shipped.
    """
    with resources.as_file(resources.files("wavebind") / "resources" / NAME) as path:
        if sha256(path) != SHA256:
            raise InputError(f"{path}: is not the file that was shipped; install wavebind again")
        yield path
