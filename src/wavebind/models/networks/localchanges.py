"""scalenet after small changes of one window: only what a change reaches is computed again.

A substitution changes the stem's output at a few neighbouring positions, and each layer after it at
a few more. Everything else is that of the window as it is (Nair et al. 2022, Bioinformatics
38:2397, "fastISM").
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from wavebind.models.networks.foldedscalenet import FoldedScaleNet, pool_positions

__all__ = ["changed_logits"]

Layer = Callable[[torch.Tensor], torch.Tensor]


def changed_logits(
    network: FoldedScaleNet, base: torch.Tensor, changed: torch.Tensor, starts: torch.Tensor
) -> torch.Tensor:
    """Logits of a window with its stem's output changed at a few positions.

    Parameters
    ----------
    network : FoldedScaleNet
    base : torch.Tensor
        Output of the stem for the window, ``(map, band, position)``.
    changed : torch.Tensor
        What stands there instead, ``(change, map, band, width)``.
    starts : torch.Tensor
        ``int64``, shape ``(change,)``: position of the first of them.

    Returns
    -------
    torch.Tensor
        ``float32``, shape ``(change, output)``.
    """
    whole = base.unsqueeze(0)
    for block in network.bands:
        changed, starts = _through(block.run, block.crop, whole, changed, starts)
        whole = block.run(whole)
    changed, starts = _joined(network, whole, changed, starts)
    early = whole = network.joined(pool_positions(whole, network.pool))
    early = _put(early.repeat(len(changed), 1, 1, 1), changed, starts)
    for block in network.positions:
        changed, starts = _through(block.run, block.crop, whole, changed, starts)
        whole = block.run(whole)
    last = whole.repeat(len(changed), 1, 1, 1)
    return network.head(_put(last, changed, starts), early)[..., 0]


def _through(
    layer: Layer, crop: int, whole: torch.Tensor, changed: torch.Tensor, starts: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """A layer that takes `crop` positions from either end, around the changes alone."""
    kept = whole.shape[-1] - 2 * crop
    width = min(changed.shape[-1] + 2 * crop, kept)
    first = (starts - 2 * crop).clamp(0, kept - width)
    around = _cut(whole, first, width + 2 * crop)
    return layer(_put(around, changed, starts - first)), first


def _joined(
    network: FoldedScaleNet, whole: torch.Tensor, changed: torch.Tensor, starts: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Neighbouring positions by their maximum, and the bands joined."""
    pool = network.pool
    kept = whole.shape[-1] // pool
    width = min((changed.shape[-1] - 1) // pool + 2, kept)
    first = (starts // pool).clamp(0, kept - width)
    # The last positions of a window may fill no group; a change can lie there.
    longer = functional.pad(whole, (0, pool))
    around = _put(_cut(longer, first * pool, (width + 1) * pool), changed, starts - first * pool)
    return network.joined(pool_positions(around[..., : width * pool], pool)), first


def _cut(whole: torch.Tensor, starts: torch.Tensor, width: int) -> torch.Tensor:
    """Stretches of ``(1, map, band, position)``: ``(start, map, band, width)``."""
    at = starts[:, None] + torch.arange(width, device=whole.device)
    return whole[0][..., at].permute(2, 0, 1, 3).contiguous(memory_format=torch.channels_last)


def _put(around: torch.Tensor, changed: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
    """Write changes into their surroundings, each from its own position on."""
    at = starts[:, None] + torch.arange(changed.shape[-1], device=changed.device)
    return around.scatter_(3, at[:, None, None].expand_as(changed), changed)
