"""Networks as a chain of named segments, of which some can be frozen and cached."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from wavebind.core.errors import InputError

__all__ = ["Segment", "SegmentedNetwork", "SideBySide"]


@dataclass(frozen=True)
class Segment:
    """A stretch of a network.

    Attributes
    ----------
    name : str
        As in ``train --train NAME``.
    run : callable
        Takes the output of the segment before to its own.
    modules : tuple of torch.nn.Module
        Those whose weights belong to it.
    """

    name: str
    run: Callable[[torch.Tensor], torch.Tensor]
    modules: tuple[nn.Module, ...]


class SegmentedNetwork(nn.Module, ABC):
    """A network that is the composition of its segments; the last one is called ``head``."""

    @abstractmethod
    def segments(self) -> list[Segment]:
        """The segments, first to last."""

    @property
    def n_affine(self) -> int:
        """How many of the first segments are affine in their input, in evaluation mode."""
        return 0

    @property
    def step(self) -> int:
        """Positions from one window of :meth:`slide` to the next; 0 where it cannot slide."""
        return 0

    @property
    def reach(self) -> int:
        """How many input positions to either side an output of :meth:`slide` depends on."""
        return 0

    def slide(self, scalograms: torch.Tensor, first: int, count: int, width: int) -> torch.Tensor:
        """Logits of many windows of one stretch, which share all work but the last.

        A window given by itself sees zeros beyond its edges; here it sees its neighbours. So the
        logits are near those, not equal.

        Parameters
        ----------
        scalograms : torch.Tensor
            ``(batch, channel, scale, position)``, of a stretch longer than a window.
        first : int
            Where the first window begins, in units of :attr:`step`.
        count : int
            Number of windows, one a step.
        width : int
            Of a window, in units of :attr:`step`.

        Returns
        -------
        torch.Tensor
            ``float32``, shape ``(batch, output, window)``.

        Raises
        ------
        InputError
            If :attr:`step` is 0.
        """
        del scalograms, first, count, width
        raise InputError(f"the network {type(self).__name__} cannot slide along a sequence")

    @abstractmethod
    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """The modules whose output maps an explanation can look at, first to last.

        The maps of several modules of one stage lie side by side.
        """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Planes ``(batch, channel, height, width)`` to logits ``(batch, output)``."""
        for segment in self.segments():
            x = segment.run(x)
        return x

    def frozen_prefix(self, trained: tuple[str, ...]) -> int:
        """How many segments come before the first that is trained.

        Parameters
        ----------
        trained : tuple of str
            Names of segments, or ``all``. The head is trained always.

        Raises
        ------
        InputError
            If a segment is not known.
        """
        names = [segment.name for segment in self.segments()]
        unknown = [name for name in trained if name not in (*names, "all")]
        if unknown:
            raise InputError(
                f"stage {unknown[0]!r} of the network is not known; choose among all, "
                f"{', '.join(names)}"
            )
        if "all" in trained:
            return 0
        return next(i for i, name in enumerate(names) if name in (*trained, "head"))

    def freeze_all_but(self, trained: tuple[str, ...]) -> list[nn.Module]:
        """Freeze every segment but those named and the head; return the frozen modules.

        A frozen module must be kept in evaluation mode as well, or its batch normalisation would
        still move. The caller does so whenever the network goes into training mode.
        """
        self.frozen_prefix(trained)
        if "all" in trained:
            return []
        frozen = [
            module
            for segment in self.segments()
            if segment.name not in (*trained, "head")
            for module in segment.modules
        ]
        for module in frozen:
            module.requires_grad_(False)
            module.eval()
        return frozen


class SideBySide(SegmentedNetwork):
    """Networks of one shape that read the same input; the mean of their logits.

    Parameters
    ----------
    networks : sequence of SegmentedNetwork
    """

    def __init__(self, networks: Sequence[SegmentedNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def _all(self) -> list[SegmentedNetwork]:
        return [network for network in self.networks if isinstance(network, SegmentedNetwork)]

    @property
    def n_affine(self) -> int:
        """As of each network."""
        return self._all()[0].n_affine

    @property
    def step(self) -> int:
        """As of each network."""
        return self._all()[0].step

    @property
    def reach(self) -> int:
        """As of each network."""
        return self._all()[0].reach

    def slide(self, scalograms: torch.Tensor, first: int, count: int, width: int) -> torch.Tensor:
        """See :meth:`SegmentedNetwork.slide`."""
        found = [network.slide(scalograms, first, count, width) for network in self._all()]
        return torch.stack(found).mean(0)

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """Each stage of all networks."""
        each = [network.stages() for network in self._all()]
        return {name: sum((stages[name] for stages in each), ()) for name in each[0]}

    def _run(self, number: int, x: torch.Tensor) -> torch.Tensor:
        chains = [network.segments() for network in self._all()]
        # All read the same input; after that each reads what its own segment before gave.
        inputs = x.chunk(len(chains), dim=1) if number else [x] * len(chains)
        found = [
            chain[number].run(part.contiguous()) for chain, part in zip(chains, inputs, strict=True)
        ]
        if number == len(chains[0]) - 1:
            return torch.stack(found).mean(0)
        return torch.cat(found, dim=1)

    def segments(self) -> list[Segment]:
        """Those of each network, their outputs side by side along the maps; the mean at the end."""
        chains = [network.segments() for network in self._all()]
        return [
            Segment(
                same[0].name,
                partial(self._run, number),
                tuple(module for segment in same for module in segment.modules),
            )
            for number, same in enumerate(zip(*chains, strict=True))
        ]
