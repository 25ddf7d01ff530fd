"""Position weight matrices beside a network: the best hit of each adds to the logit.

A network that has seen few windows of a factor has hardly learnt its motif, which somebody else may
have measured. The matrices are fixed; how much a hit adds is a weight of the last layer. A hit lies
wholly inside the window, on either strand, so that a scan stays exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.models.networks.foldedscalenet import sliding_max
from wavebind.models.networks.segments import Segment, SegmentedNetwork

__all__ = ["MAX_MATRICES", "MAX_WIDTH", "BesideMatrices", "Matrices"]

#: Bounds for files from strangers. The widest matrix of JASPAR 2024 has 35 positions.
MAX_MATRICES, MAX_WIDTH = 256, 40


class Matrices(nn.Module):
    """What the best hits of some matrices add to each logit.

    Parameters
    ----------
    n_matrices : int
    n_outputs : int

    Attributes
    ----------
    tables : torch.Tensor
        ``float32``, shape ``(matrix, base, position)``, log-odds in bits; zero beyond a matrix.
    widths : torch.Tensor
        ``int64``, shape ``(matrix,)``: positions of each matrix.
    head : torch.nn.Linear
        What one bit adds to the logit, shape ``(output, matrix)``.
    """

    tables: torch.Tensor
    widths: torch.Tensor

    def __init__(self, n_matrices: int, n_outputs: int = 1) -> None:
        super().__init__()
        self.register_buffer("tables", torch.zeros(n_matrices, 4, MAX_WIDTH))
        self.register_buffer("widths", torch.ones(n_matrices, dtype=torch.int64))
        self.head = nn.Linear(n_matrices, n_outputs, bias=False)

    def set(self, tables: Sequence[torch.Tensor]) -> None:
        """Take the log-odds of each matrix, ``(position, base)``."""
        for number, table in enumerate(tables):
            self.widths[number] = len(table)
            self.tables[number] = 0
            self.tables[number, :, : len(table)] = table.T

    def hits(self, onehot: torch.Tensor) -> torch.Tensor:
        """The best hit of each matrix in each window, in bits.

        Parameters
        ----------
        onehot : torch.Tensor
            Shape ``(batch, 4, position)``, bases A, C, G, T; zero for unknown, which adds nothing.

        Returns
        -------
        torch.Tensor
            ``float32``, shape ``(batch, matrix)``.
        """
        with torch.autocast(onehot.device.type, enabled=False):
            return self.place_scores(onehot).amax(-1)

    def place_scores(self, onehot: torch.Tensor) -> torch.Tensor:
        """Log-odds at each place of both strands.

        Parameters
        ----------
        onehot : torch.Tensor
            As in :meth:`hits`.

        Returns
        -------
        torch.Tensor
            ``float32``, shape ``(batch, matrix, 2 * position)``: first positions of hits on the
            strand itself, then those on the other one. Minus infinity where a hit would leave the
            window.
        """
        # All widths at once: no shape depends on a weight, so that the network can be exported.
        length = onehot.shape[2]
        last = length - self.widths.clamp(1, min(MAX_WIDTH, length))
        beyond = torch.arange(length, device=onehot.device) > last[:, None]
        strands = [one.masked_fill(beyond, -torch.inf) for one in self._strands(onehot, MAX_WIDTH)]
        return torch.cat(strands, dim=2)

    def _strands(self, onehot: torch.Tensor, reach: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-odds at each place of either strand, ``(batch, matrix, position)``.

        No matrix has more than `reach` positions. What leaves the window is unknown there.
        """
        windows = functional.pad(onehot.float(), (0, reach - 1))
        tables = torch.cat([self.tables, self._turned()])[..., :reach]
        forward, reverse = functional.conv1d(windows, tables).chunk(2, dim=1)
        return forward, reverse

    def spread(self, shares: torch.Tensor) -> torch.Tensor:
        """The columns of the matrices at some places, times their weights: a gradient.

        Parameters
        ----------
        shares : torch.Tensor
            Shape ``(batch, matrix, 2 * position)``, places as in :meth:`place_scores`.

        Returns
        -------
        torch.Tensor
            Shape ``(batch, 4, position)``, of the one output.
        """
        length = shares.shape[2] // 2
        weighed = shares * self.head.weight[0, :, None]
        both = torch.cat([weighed[..., :length], weighed[..., length:]], dim=1)
        tables = torch.cat([self.tables, self._turned()])
        return functional.conv_transpose1d(both, tables)[..., :length]

    def _turned(self) -> torch.Tensor:
        """The matrices of the other strand, from the first position on."""
        place = self.widths.clamp(1, MAX_WIDTH)[:, None] - 1
        source = place - torch.arange(MAX_WIDTH, device=place.device)
        turned = self.tables.flip(1).gather(2, source.clamp_min(0)[:, None].expand(-1, 4, -1))
        return turned * (source >= 0)[:, None]

    def window_hits(self, onehot: torch.Tensor, length: int, step: int) -> torch.Tensor:
        """The best hits in all windows of a stretch that lie `step` positions apart.

        Parameters
        ----------
        onehot : torch.Tensor
            As in :meth:`hits`, at least `length` positions.
        length, step : int
            Positions of a window, and between the first positions of two.

        Returns
        -------
        torch.Tensor
            ``float32``, shape ``(batch, matrix, window)``.
        """
        n_windows = (onehot.shape[2] - length) // step + 1
        parts, order = [], []
        # A product of bfloat16 would round what is compared.
        with torch.autocast(onehot.device.type, enabled=False):
            widths = self.widths.clamp(1, MAX_WIDTH)
            better = torch.maximum(*self._strands(onehot, int(widths.max())))
            for width in sorted(set(widths.tolist())):
                members = torch.nonzero(widths == width)[:, 0]
                scores = better[:, members, : onehot.shape[2] - width + 1]
                parts.append(_running_maximum(scores, length - width + 1, step, n_windows))
                order.append(members)
        return torch.cat(parts, dim=1)[:, torch.argsort(torch.cat(order))]

    def mutant_hits(self, onehot: torch.Tensor) -> torch.Tensor:
        """The best hits after each substitution of one base.

        Only the places that a base is a part of are scored anew.

        Parameters
        ----------
        onehot : torch.Tensor
            Shape ``(4, position)``, bases A, C, G, T; zero for unknown.

        Returns
        -------
        torch.Tensor
            ``float32``, shape ``(position, 4, matrix)``.
        """
        window, length = onehot.float(), onehot.shape[1]
        reach = min(int(self.widths.clamp(1, MAX_WIDTH).max()), length)
        places = self.place_scores(window[None])[0].chunk(2, dim=1)
        better = torch.maximum(*places)
        none = better.new_full((len(better), 1), -torch.inf)
        before = torch.cat([none, better.cummax(1).values], dim=1)
        after = torch.cat([better.flip(1).cummax(1).values.flip(1), none], dim=1)
        at = torch.arange(length, device=onehot.device)
        elsewhere = torch.maximum(before[:, (at - reach + 1).clamp_min(0)], after[:, at + 1])
        best = elsewhere[:, :, None].expand(-1, -1, 4)
        for scores, tables in zip(places, (self.tables, self._turned()), strict=True):
            for k in range(reach):
                # Of the hit that has this base at its position k.
                hit = torch.cat([none.expand(-1, k), scores[:, : length - k]], dim=1)
                table = tables[:, :, k]
                gain = table[:, None] - (table @ window)[:, :, None]
                best = torch.maximum(best, hit[:, :, None] + gain)
        return best.permute(1, 2, 0)

    def forward(self, onehot: torch.Tensor) -> torch.Tensor:
        """What is added to the logits, ``(batch, output)``, ``float32``."""
        with torch.autocast(onehot.device.type, enabled=False):
            found: torch.Tensor = self.head(self.hits(onehot))
        return found


def _running_maximum(scores: torch.Tensor, span: int, step: int, n_windows: int) -> torch.Tensor:
    """The maximum of `span` positions from each multiple of `step` on, ``(..., window)``."""
    if span <= step or n_windows == 1:
        found = scores.unfold(2, span, step).amax(-1)
        return found[..., :n_windows]
    # Whole groups of `step` first, then the last `step` positions.
    groups = functional.max_pool1d(scores, step).transpose(1, 2)
    whole = sliding_max(groups, span // step).transpose(1, 2)
    last = functional.max_pool1d(scores[..., span - step :], step)
    return torch.maximum(whole[..., :n_windows], last[..., :n_windows])


class BesideMatrices(SegmentedNetwork):
    """A network, and matrices whose best hits are added to its logits.

    Along a stretch the network slides by itself, and :meth:`added` gives the rest.

    Parameters
    ----------
    network : SegmentedNetwork
        It reads one-hot windows.
    shape : tuple of int
        ``(4, 1, position)`` of a window.
    n_matrices, n_outputs : int

    Raises
    ------
    InputError
        If windows are not one-hot, or there are too many matrices.
    """

    def __init__(
        self,
        network: SegmentedNetwork,
        shape: tuple[int, int, int],
        n_matrices: int,
        n_outputs: int,
    ) -> None:
        super().__init__()
        if shape[:2] != (4, 1):
            raise InputError(
                f"matrices stand beside networks that read one-hot windows; this one reads "
                f"{shape[0]} channels of {shape[1]} scales"
            )
        if n_matrices > MAX_MATRICES:
            raise InputError(f"at most {MAX_MATRICES} matrices are used; found {n_matrices}")
        self.network = network
        self.length = shape[2]
        self.n_outputs = n_outputs
        self.matrices = Matrices(n_matrices, n_outputs)

    @property
    def step(self) -> int:
        """As of the network."""
        return self.network.step

    def added(self, planes: torch.Tensor, every: int = 1) -> torch.Tensor:
        """What the matrices add to the logits of a stretch's windows, ``(batch, output, window)``.

        Parameters
        ----------
        planes : torch.Tensor
            Shape ``(batch, 4, 1, position)``.
        every : int
            Leave out all windows but every so many.
        """
        step = self.step * every
        hits = self.matrices.window_hits(planes[:, :, 0].float(), self.length, step)
        return torch.einsum("om,bmw->bow", self.matrices.head.weight, hits)

    def places(self) -> dict[str, tuple[float, float]]:
        """As of the network."""
        return self.network.places()

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """As of the network."""
        return self.network.stages()

    def _run(self, segment: Segment, first: bool, last: bool, x: torch.Tensor) -> torch.Tensor:
        # What the matrices add rides along, as maps that are the same everywhere.
        added = self.matrices(x[:, :, 0]) if first else x[:, -self.n_outputs :, 0, 0]
        found = segment.run(x if first else x[:, : -self.n_outputs].contiguous())
        if last:
            return found.float() + added.float()
        maps = added.to(found.dtype)[:, :, None, None].expand(-1, -1, *found.shape[2:])
        return torch.cat([found, maps], dim=1)

    def segments(self) -> list[Segment]:
        """Those of the network; the matrices belong to the first."""
        chain = self.network.segments()
        return [
            Segment(
                segment.name,
                partial(self._run, segment, number == 0, number == len(chain) - 1),
                (*segment.modules, self.matrices) if number == 0 else segment.modules,
            )
            for number, segment in enumerate(chain)
        ]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Planes ``(batch, 4, 1, position)`` to logits ``(batch, output)``."""
        logits: torch.Tensor = self.network(x).float() + self.matrices(x[:, :, 0])
        return logits
