"""Maps over scale and position of the evidence for binding, from a network's own layers.

- ``gradcam``: the maps of a layer weighed by the mean of their gradients (Selvaraju et al. 2017,
  ICCV, p. 618).
- ``gradcam++``: weighed by their positive gradients, each place by its share of the maps' response
  (Chattopadhay et al. 2018, WACV, p. 839).
- ``layercam``: each place of each map by its own positive gradient (Jiang et al. 2021, IEEE Trans.
  Image Process. 30:5875).

The explained class is 1, bound; the network and its normalisation are those of prediction, and both
strands are averaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.explain.contributions import evaluating
from wavebind.models import Classifier
from wavebind.models.strands import reverse_complement_batch
from wavebind.wavelets.scalograms import Scalogram

__all__ = ["KINDS", "default_stages", "grad_cam"]

KINDS = ("gradcam", "gradcam++", "layercam")


def default_stages(model: Classifier) -> tuple[str, ...]:
    """The last convolutional blocks of a model: its stages but the first ones, at most three."""
    return tuple(model.stages())[-3:]


@contextmanager
def _recorded(modules: Sequence[nn.Module]) -> Iterator[dict[nn.Module, torch.Tensor]]:
    """Collect the outputs of modules; the hooks are gone after the block, whatever happens."""
    outputs: dict[nn.Module, torch.Tensor] = {}

    def keep(module: nn.Module, _args: object, output: torch.Tensor) -> None:
        outputs[module] = output

    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _weighed(kind: str, maps: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """A layer's maps ``(batch, map, height, width)``, weighed and added up over the maps."""
    if kind == "gradcam":
        weights = gradients.mean(dim=(2, 3), keepdim=True)
    elif kind == "gradcam++":
        # Of an exponential score, whose higher derivatives are powers of the first (equation 19).
        # The terms below can cancel.
        maps, gradients = maps.double(), gradients.double()
        square, cube = gradients.square(), gradients**3
        below = 2 * square + (maps * cube).sum(dim=(2, 3), keepdim=True)
        share = torch.where(below != 0, square / torch.where(below != 0, below, 1.0), 0.0)
        weights = (share * functional.relu(gradients)).sum(dim=(2, 3), keepdim=True)
    else:
        weights = functional.relu(gradients)
    return functional.relu((weights * maps).sum(dim=1, keepdim=True)).float().detach()


def _one_strand(
    model: Classifier, codes: torch.Tensor, names: Sequence[str], kind: str
) -> torch.Tensor:
    """Mean over stages of the normalised maps, shape ``(batch, scale, position of the window)``."""
    modules = [module for name in names for module in model.stages()[name]]
    with torch.enable_grad(), _recorded(modules) as recorded:
        # The input asks for gradients, so that frozen weights make no difference.
        features = model.features(codes).detach().requires_grad_()
        logits = model.from_features(features)
        outputs = [recorded[module] for module in modules]
        gradients = dict(zip(modules, torch.autograd.grad(logits.sum(), outputs), strict=True))
    total = torch.zeros(len(codes), len(model.periods), codes.shape[1], device=codes.device)
    for name in names:
        stage = model.stages()[name]
        output = torch.cat([recorded[module] for module in stage], dim=1).float()
        gradient = torch.cat([gradients[module] for module in stage], dim=1).float()
        cam = _weighed(kind, output, gradient)
        read = _spread_out(cam, total.shape[1], model.reads, _place(model, name))
        # What the network reads beyond the window is unknown bases, which nobody is shown.
        left = model.around[0]
        total += _to_unit(read[..., left : left + codes.shape[1]])
    return total / len(names)


def _place(model: Classifier, stage: str) -> tuple[float, float] | None:
    """Base of the first position of a stage's maps and bases from one to the next, if known."""
    places = model.backbone.places()
    if stage not in places:
        return None
    first, step = places[stage]
    front = model.front
    if not isinstance(front, Scalogram):
        return first, step
    return front.first + first * front.config.stride, step * front.config.stride


def _spread_out(
    cam: torch.Tensor, n_scales: int, length: int, place: tuple[float, float] | None
) -> torch.Tensor:
    """Maps ``(batch, 1, height, position)`` as ``(batch, scale, base)``.

    Where it is known on which base each position lies, they stand there, and bases beyond the first
    and the last position have nothing. Otherwise they span the window.
    """
    if place is None:
        whole = functional.interpolate(
            cam, size=(n_scales, length), mode="bilinear", align_corners=False
        )
        return whole.squeeze(1)
    first, step = place
    width = cam.shape[-1]
    cam = functional.interpolate(
        cam, size=(n_scales, width), mode="bilinear", align_corners=False
    ).squeeze(1)
    at = (torch.arange(length, device=cam.device) - first) / step
    low = at.floor().clamp(0, width - 1).long()
    share = (at - low).clamp(0, 1)
    spread = cam[..., low] * (1 - share) + cam[..., (low + 1).clamp_max(width - 1)] * share
    # Half a step further belongs to the outermost positions.
    inside = (at >= -0.5) & (at <= width - 0.5)
    return spread * inside


def _to_unit(maps: torch.Tensor) -> torch.Tensor:
    top = maps.amax(dim=(1, 2), keepdim=True)
    return torch.where(top > 0, maps / top.clamp_min(torch.finfo(maps.dtype).tiny), maps)


def grad_cam(
    model: Classifier,
    codes: torch.Tensor,
    stages: Sequence[str] | None = None,
    kind: str = "gradcam",
) -> torch.Tensor:
    """Grad-CAM of class 1, or one of its kin, of a batch: the mean over stages and strands.

    Parameters
    ----------
    model : Classifier
        Left in the mode, and with the gradients, that it had.
    codes : torch.Tensor
        ``uint8``, shape ``(batch, position)``, on the model's device.
    stages : sequence of str, optional
        Names from :meth:`Classifier.stages`; default :func:`default_stages`.
    kind : str
        One of :data:`KINDS`.

    Returns
    -------
    torch.Tensor
        ``float32``, shape ``(batch, scale, position)``, one position a base, each map with a
        maximum of 1 (or zero everywhere).

    Raises
    ------
    InputError
        If a stage is not one of the model's, or the kind is not known.
    """
    if kind not in KINDS:
        raise InputError(f"map {kind!r} is not known; choose one of: {', '.join(KINDS)}")
    there = model.stages()
    names = default_stages(model) if stages is None else tuple(stages)
    for name in names:
        if name not in there:
            raise InputError(
                f"stage {name!r} is not one of this model; choose from: {', '.join(there)}"
            )
    if not names:
        if not there:
            raise InputError(
                "the model has no maps over scale and position; explain it with ism or occlusion"
            )
        raise InputError(f"name at least one stage of: {', '.join(there)}")
    with evaluating(model):
        forward = _one_strand(model, codes, names, kind)
        reverse = _one_strand(model, reverse_complement_batch(codes), names, kind).flip(-1)
    return _to_unit((forward + reverse) / 2)
