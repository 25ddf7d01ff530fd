"""The output of a network's frozen first segments, computed once and kept on disk.

An entry is found by a hash of all it depends on: the windows, the transform, the images, the
normalisation and those segments' weights. Anything else gives another name, so that a stale entry
is never read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.cache import cache_folder, make_room
from wavebind.core.devices import autocast, flush_denormals
from wavebind.core.errors import InputError
from wavebind.core.files import replace_file
from wavebind.core.settings import to_dict
from wavebind.datasets.dataset import Dataset
from wavebind.models import Classifier
from wavebind.models.strands import reverse_complement_batch

__all__ = ["feature_bytes", "feature_key", "frozen_features"]

#: Part of every name; changed whenever the numbers would be.
_VERSION = 1
_BATCH = 64


def feature_key(
    model: Classifier, n_segments: int, data: Dataset, indices: NDArray[np.int64], strands: int
) -> str:
    """The name of an entry: SHA-256 of all that it depends on, in hexadecimal."""
    config = model.config
    digest = hashlib.sha256()
    settings = {
        "version": _VERSION,
        "data": data.checksum,
        "length": config.length,
        "scalogram": to_dict(config.scalogram),
        "image": None if config.image is None else to_dict(config.image),
        "front": config.front_name,
        "backbone": config.backbone,
        "segments": n_segments,
        "strands": strands,
        "torch": torch.__version__,
    }
    digest.update(json.dumps(settings, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(indices, dtype=np.int64).tobytes())
    modules = [m for s in model.backbone.segments()[:n_segments] for m in s.modules]
    for module in [model.front, model.normalise, *modules]:
        for name, tensor in module.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().float().numpy().tobytes())
    return digest.hexdigest()


def _shape(model: Classifier, n_segments: int, length: int) -> tuple[int, ...]:
    device = next(model.parameters()).device
    with _evaluating(model), torch.inference_mode():
        codes = torch.zeros(1, length, dtype=torch.uint8, device=device)
        return tuple(model.run_segments(model.features(codes), 0, n_segments).shape[1:])


@contextlib.contextmanager
def _evaluating(model: Classifier) -> Iterator[None]:
    """Evaluation mode within the block; in training mode a pass would move the normalisations."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def feature_bytes(model: Classifier, n_segments: int, n_windows: int, strands: int) -> int:
    """How large an entry is, in bytes."""
    return 2 * n_windows * strands * int(np.prod(_shape(model, n_segments, model.config.length)))


def frozen_features(
    model: Classifier,
    n_segments: int,
    data: Dataset,
    indices: NDArray[np.int64],
    *,
    strands: int = 1,
    folder: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.int16]:
    """The output of the first segments for some windows, from the cache or computed into it.

    Parameters
    ----------
    model : Classifier
        In evaluation mode while it is used; put back afterwards.
    n_segments : int
        How many segments.
    data : Dataset
    indices : numpy.ndarray
        Which windows.
    strands : int
        1, or 2 for the window and its reverse complement.
    folder : pathlib.Path, optional
        By default ``features`` in :func:`wavebind.core.cache.cache_folder`.
    progress : callable, optional
        Called with the number of windows done since the last call.

    Returns
    -------
    numpy.ndarray
        bfloat16 as ``int16``, memory-mapped, shape ``(window, strand, map, height, width)``;
        without the strand axis where `strands` is 1.

    Raises
    ------
    InputError
        If the disk has too little room.
    """
    place = (folder or cache_folder() / "features").expanduser()
    path = place / f"{feature_key(model, n_segments, data, indices, strands)}.npy"
    shape = (len(indices), strands, *_shape(model, n_segments, data.length))
    if not path.is_file():
        place.mkdir(parents=True, exist_ok=True)
        size = 2 * int(np.prod(shape))
        make_room(place, size)
        free = shutil.disk_usage(place).free
        if size > 0.9 * free:
            raise InputError(
                f"{place}: the cache of frozen features needs {size / 1e9:.1f} GB and the disk has "
                f"{free / 1e9:.1f} GB; set WAVEBIND_CACHE to another disk, or pass --set "
                f"training.cache=false"
            )
        with replace_file(path) as temporary:
            _compute(model, n_segments, data, indices, shape, temporary, progress)
    else:
        with contextlib.suppress(OSError):  # a cache that others fill can be read-only
            path.touch()
    stored = np.load(path, mmap_mode="r", allow_pickle=False)
    return np.asarray(stored[:, 0] if strands == 1 else stored).view(np.int16)


def _compute(
    model: Classifier,
    n_segments: int,
    data: Dataset,
    indices: NDArray[np.int64],
    shape: tuple[int, ...],
    path: Path,
    progress: Callable[[int], None] | None,
) -> None:
    device = next(model.parameters()).device
    target = np.lib.format.open_memmap(path, mode="w+", dtype=np.int16, shape=shape)
    with _evaluating(model), torch.inference_mode(), flush_denormals(), autocast(device):
        for at in range(0, len(indices), _BATCH):
            rows = indices[at : at + _BATCH]
            codes = torch.from_numpy(np.ascontiguousarray(data.codes[rows])).to(device)
            both = [codes, reverse_complement_batch(codes)][: shape[1]]
            found = torch.stack(
                [model.run_segments(model.features(x), 0, n_segments) for x in both], dim=1
            )
            bits = found.to(torch.bfloat16).cpu().view(torch.int16).numpy()
            target[at : at + len(rows)] = bits
            if progress:
                progress(len(rows))
    target.flush()
