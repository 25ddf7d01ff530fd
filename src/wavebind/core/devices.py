"""Where the numbers are crunched, and in which precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

import torch

from wavebind.core.errors import InputError

__all__ = [
    "Precision",
    "autocast",
    "flush_denormals",
    "has_fast_bf16",
    "one_thread",
    "resolve_device",
]

#: What predictions are computed in. auto: bfloat16 where it is multiplied in hardware.
Precision = Literal["auto", "float32"]


def resolve_device(name: str = "auto") -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps`` into a device that is there.

    Raises
    ------
    InputError
        If the name is not one, or this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(
            f"device {name!r} is not known; choose auto, cpu, cuda, cuda:N or mps"
        ) from None
    if device.type == "cuda":
        n = torch.cuda.device_count()
        if (device.index or 0) >= n:
            raise InputError(f"device {name!r} is not there: this machine has {n} CUDA devices")
    elif device.type == "mps":
        if not torch.backends.mps.is_available():
            raise InputError("device 'mps' is not there: this machine has no Apple GPU")
    elif device.type != "cpu":
        raise InputError(f"device {name!r} is not supported; choose auto, cpu, cuda, cuda:N or mps")
    return device


def has_fast_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware.

    Elsewhere bf16 is emulated, and slower than float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # An older PyTorch cannot be asked; that counts as no.
        ask = getattr(torch.cpu, "get_capabilities", dict)
        found: dict[str, object] = ask()
        return bool(found.get("avx512_bf16") or found.get("amx_tile"))
    return False


@contextlib.contextmanager
def autocast(device: torch.device, enabled: bool = True) -> Iterator[None]:
    """Compute in bfloat16 where the device has it, in float32 elsewhere."""
    use = enabled and has_fast_bf16(device)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=use):
        yield


@contextlib.contextmanager
def flush_denormals() -> Iterator[None]:
    """Treat numbers below 1e-38 as zero within the block.

    A processor takes up to a hundred times longer for them, and late in training weights that
    decay towards zero are full of them. The state belongs to the process; it is off before and
    after, which is PyTorch's default.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread within the block: its sums are then the same on every machine size.

    The number belongs to the process; it is put back afterwards.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
