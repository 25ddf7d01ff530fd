"""Checkpoints that appear only when whole, and are read without unpickling."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from wavebind.core.errors import InputError
from wavebind.core.files import replace_file

__all__ = ["WholeCheckpoints", "stored_checkpoint", "stored_weights"]


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear under their name only when whole, and are read without unpickling."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint under a temporary name, then rename it."""
        del storage_options
        # Through memory: a full disk is then an OSError, which replace_file can explain.
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        with replace_file(Path(path)) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """Read tensors and plain values only.

        Raises
        ------
        InputError
            If the file is damaged, or holds anything else.
        """
        try:
            return dict(torch.load(path, map_location="cpu", weights_only=True))
        except (
            OSError,
            RuntimeError,
            ValueError,
            TypeError,
            EOFError,
            pickle.UnpicklingError,
        ) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(
                f"{path}: the checkpoint is damaged ({reason}); train anew with --force"
            ) from error


def stored_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds; see :meth:`WholeCheckpoints.load_checkpoint`."""
    return WholeCheckpoints().load_checkpoint(path)


def stored_weights(path: Path, prefix: str) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint whose names begin with a prefix, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in stored_checkpoint(path)["state_dict"].items()
        if name.startswith(prefix)
    }
