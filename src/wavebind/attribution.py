"""Where in a window the evidence for binding lies.

Grad-CAM: Selvaraju et al. 2017, ICCV, p. 618. The explained class is 1, bound; the network and its
normalisation are those of prediction, and both strands are averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from wavebind.devices import flush_denormals
from wavebind.errors import InputError
from wavebind.models import Classifier
from wavebind.prediction import reverse_complement_batch
from wavebind.sequences import Codes

__all__ = ["Explanation", "default_stages", "explain_windows", "grad_cam"]


@dataclass(frozen=True)
class Explanation:
    """Grad-CAM of some windows.

    Attributes
    ----------
    maps : numpy.ndarray
        ``float32``, shape ``(window, scale, position)``, finest scale first, one position a base.
        Each map is not negative and has a maximum of 1, or is zero everywhere, where no evidence
        for class 1 was found.
    base_scores : numpy.ndarray
        ``float32``, shape ``(window, position)``: the mean of a map over its scales.
    stages : tuple of str
        The stages whose maps were averaged.
    """

    maps: NDArray[np.float32]
    base_scores: NDArray[np.float32]
    stages: tuple[str, ...]


def default_stages(model: Classifier) -> tuple[str, ...]:
    """The last convolutional blocks of a model: its stages but the first ones, at most three."""
    return tuple(model.stages())[-3:]


@contextmanager
def _recorded(modules: Sequence[nn.Module]) -> Iterator[list[torch.Tensor]]:
    """Collect the outputs of modules; the hooks are gone after the block, whatever happens."""
    outputs: list[torch.Tensor] = []

    def keep(_module: nn.Module, _args: object, output: torch.Tensor) -> None:
        outputs.append(output)

    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _one_strand(model: Classifier, codes: torch.Tensor, modules: list[nn.Module]) -> torch.Tensor:
    """Mean over stages of the normalised maps, shape ``(batch, scale, position of the window)``."""
    with torch.enable_grad(), _recorded(modules) as outputs:
        # The input asks for gradients, so that frozen weights make no difference.
        features = model.features(codes).detach().requires_grad_()
        logits = model.from_features(features)
        gradients = torch.autograd.grad(logits.sum(), outputs)
    total = torch.zeros(len(codes), len(model.periods), codes.shape[1], device=codes.device)
    for output, gradient in zip(outputs, gradients, strict=True):
        weights = gradient.mean(dim=(2, 3), keepdim=True)
        cam = functional.relu((weights * output).sum(dim=1, keepdim=True)).detach()
        cam = functional.interpolate(
            cam.float(), size=total.shape[1:], mode="bilinear", align_corners=False
        ).squeeze(1)
        total += _to_unit(cam)
    return total / len(modules)


def _to_unit(maps: torch.Tensor) -> torch.Tensor:
    top = maps.amax(dim=(1, 2), keepdim=True)
    return torch.where(top > 0, maps / top.clamp_min(torch.finfo(maps.dtype).tiny), maps)


def grad_cam(
    model: Classifier, codes: torch.Tensor, stages: Sequence[str] | None = None
) -> torch.Tensor:
    """Grad-CAM of class 1 for a batch of windows, the mean over stages and strands.

    Parameters
    ----------
    model : Classifier
        Left in the mode, and with the gradients, that it had.
    codes : torch.Tensor
        ``uint8``, shape ``(batch, position)``, on the model's device.
    stages : sequence of str, optional
        Names from :meth:`Classifier.stages`; default :func:`default_stages`.

    Returns
    -------
    torch.Tensor
        ``float32``, shape ``(batch, scale, position)``, one position a base, each map with a
        maximum of 1 (or zero everywhere).

    Raises
    ------
    InputError
        If a stage is not one of the model's.
    """
    there = model.stages()
    names = default_stages(model) if stages is None else tuple(stages)
    for name in names:
        if name not in there:
            raise InputError(
                f"stage {name!r} is not one of this model; choose from: {', '.join(there)}"
            )
    if not names:
        raise InputError(f"name at least one stage of: {', '.join(there)}")
    modules = [there[name] for name in names]
    was_training = model.training
    model.eval()
    try:
        forward = _one_strand(model, codes, modules)
        reverse = _one_strand(model, reverse_complement_batch(codes), modules).flip(-1)
    finally:
        model.train(was_training)
    return _to_unit((forward + reverse) / 2)


def explain_windows(
    model: Classifier,
    codes: Codes,
    indices: NDArray[np.int64],
    *,
    stages: Sequence[str] | None = None,
    batch_size: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Explanation]:
    """Explain windows batch by batch, in bounded memory.

    Parameters
    ----------
    model : Classifier
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    indices : numpy.ndarray
        Which windows, in which order.
    stages : sequence of str, optional
        See :func:`grad_cam`.
    batch_size : int
    progress : callable, optional
        Called with the number of windows done since the last call.

    Yields
    ------
    Explanation
        Of up to `batch_size` windows each.
    """
    device = next(model.parameters()).device
    names = default_stages(model) if stages is None else tuple(stages)
    for start in range(0, len(indices), batch_size):
        part = indices[start : start + batch_size]
        batch = torch.from_numpy(np.ascontiguousarray(codes[part])).to(device)
        with flush_denormals():
            maps = grad_cam(model, batch, names).cpu()
        yield Explanation(maps.numpy(), maps.mean(dim=1).numpy(), names)
        if progress:
            progress(len(part))
