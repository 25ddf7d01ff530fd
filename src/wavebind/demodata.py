"""The labelled table inside the package, and how the demo trains on it.

What it is, where it comes from and its licence: ``data/README.md`` beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from wavebind.errors import InputError
from wavebind.textfiles import sha256
from wavebind.training import TrainingConfig

__all__ = ["DEMO_TRAINING", "SHA256", "demo_table"]

NAME = "ctcf_gm12878_hg19.tsv.gz"
SHA256 = "e8992851be77169ccec2916c9019f347ac2bd0cb2494d88953da0d0c82dcbb6a"

#: Three hundred bound windows want small steps and many epochs; chosen on the valid split.
DEMO_TRAINING = TrainingConfig(
    epochs=30, batch_size=32, learning_rate=2e-3, unbound_ratio=2.0, averaging=0.99, patience=10
)


@contextmanager
def demo_table() -> Iterator[Path]:
    """The path of the table, for the block.

    Raises
    ------
    InputError
        If the file is not the one that was shipped.
    """
    with resources.as_file(resources.files("wavebind") / "data" / NAME) as path:
        if sha256(path) != SHA256:
            raise InputError(f"{path}: is not the file that was shipped; install wavebind again")
        yield path
