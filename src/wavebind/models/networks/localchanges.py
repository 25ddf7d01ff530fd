"""scalenet after small changes of some stretches: only what a change reaches is computed again.

A substitution changes the stem's output at a few neighbouring positions, and each layer after it at
a few more. Everything else is that of the stretch as it is (Nair et al. 2022, Bioinformatics
38:2397, "fastISM").
"""

from __future__ import annotations

import torch

from wavebind.models.networks.foldedscalenet import FoldedScaleNet, pool_positions

__all__ = ["ChangedStretches"]


class ChangedStretches:
    """Some stretches, and the logits of their windows after small changes.

    Parameters
    ----------
    network : FoldedScaleNet
    stem : torch.Tensor
        Output of the stem for the stretches as they are, ``(stretch, map, band, position)``.
    """

    def __init__(self, network: FoldedScaleNet, stem: torch.Tensor) -> None:
        self.network = network
        x = stem
        #: What each block reads.
        self.before_bands, self.before_positions = [], []
        for block in network.bands:
            self.before_bands.append(x)
            x = block.run(x)
        self.before_join = x
        x = network.joined(pool_positions(x, network.pool))
        self.early = network.early_maps(x)
        for block in network.positions:
            self.before_positions.append(x)
            x = block.run(x)
        self.late = network.late_maps(x)

    def logits(self) -> torch.Tensor:
        """Of the stretches as they are, ``float32``, shape ``(stretch, output, window)``."""
        return self.network.head(self.late, self.early)

    def changed_logits(
        self, changed: torch.Tensor, starts: torch.Tensor, which: torch.Tensor
    ) -> torch.Tensor:
        """See :meth:`wavebind.models.networks.segments.Begun.changed_logits`."""
        network = self.network
        for block, before in zip(network.bands, self.before_bands, strict=True):
            around, starts = _around(before, block.crop, changed, starts, which)
            changed = block.run(around)
        groups, starts = self._groups(changed, starts, which)
        changed = network.joined(pool_positions(groups, network.pool))
        early = _whole(self.early, network.early_maps(changed), starts, which)
        for block, before in zip(network.positions, self.before_positions, strict=True):
            around, starts = _around(before, block.crop, changed, starts, which)
            changed = block.run(around)
        late = _whole(self.late, network.late_maps(changed), starts, which)
        return network.head(late, early)

    def _groups(
        self, changed: torch.Tensor, starts: torch.Tensor, which: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The positions that share a maximum with a changed one, and where the maxima begin."""
        pool = self.network.pool
        kept = self.before_join.shape[-1] // pool
        width = min((changed.shape[-1] - 1) // pool + 2, kept)
        first = (starts // pool).clamp(0, kept - width)
        # The last positions of a stretch may fill no group; a change can lie there.
        around = _spliced(
            self.before_join, changed, starts, which, first * pool, (width + 1) * pool
        )
        return around[..., : width * pool], first


def _around(
    whole: torch.Tensor,
    crop: int,
    changed: torch.Tensor,
    starts: torch.Tensor,
    which: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a layer that takes `crop` positions from either end reads, and where that begins."""
    kept = whole.shape[-1] - 2 * crop
    width = min(changed.shape[-1] + 2 * crop, kept)
    first = (starts - 2 * crop).clamp(0, kept - width)
    return _spliced(whole, changed, starts, which, first, width + 2 * crop), first


def _whole(
    whole: torch.Tensor, changed: torch.Tensor, starts: torch.Tensor, which: torch.Tensor
) -> torch.Tensor:
    """Whole stretches with their changes."""
    if changed.shape[-1] == whole.shape[-1]:
        return changed
    return _spliced(whole, changed, starts, which, torch.zeros_like(starts), whole.shape[-1])


def _spliced(
    whole: torch.Tensor,
    changed: torch.Tensor,
    starts: torch.Tensor,
    which: torch.Tensor,
    first: torch.Tensor,
    width: int,
) -> torch.Tensor:
    """Pieces of stretches with changes written into them, ``(change, map, band, width)``.

    A piece begins at `first`, and its change at `starts`. Beyond the end of a stretch the last
    position is repeated.
    """
    n, length = len(changed), whole.shape[-1]
    # A row is all maps of a position, which are next to one another in memory.
    rows = whole.permute(0, 3, 2, 1).flatten(0, 1)
    at = first[:, None] + torch.arange(width, device=whole.device)
    index = which[:, None] * length + at.clamp_max(length - 1)
    pieces = rows.index_select(0, index.flatten())
    offset = torch.arange(n, device=whole.device) * width + starts - first
    here = offset[:, None] + torch.arange(changed.shape[-1], device=whole.device)
    pieces.index_copy_(0, here.flatten(), changed.permute(0, 3, 2, 1).flatten(0, 1))
    found = pieces.view(n, width, *rows.shape[1:]).permute(0, 3, 2, 1)
    return found.contiguous(memory_format=torch.channels_last)
