"""Networks as a chain of named segments, of which some can be frozen and cached."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import nn

from wavebind.core.errors import InputError
from wavebind.models.networks.composed import LinearFront

__all__ = ["Begun", "Segment", "SegmentedNetwork", "SideBySide", "Slide"]

#: From planes ``(batch, channel, scale, position)`` of stretches, and a number n, to the logits of
#: every n-th window, ``(batch, output, window)``; see :meth:`SegmentedNetwork.sliding`.
Slide = Callable[[torch.Tensor, int], torch.Tensor]


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


class Begun(Protocol):
    """Stretches that the first segment of a network has read, and what changes make of them."""

    def logits(self) -> torch.Tensor:
        """Of the stretches as they are, ``float32``, shape ``(stretch, output, window)``."""

    def changed_logits(
        self, changed: torch.Tensor, starts: torch.Tensor, which: torch.Tensor
    ) -> torch.Tensor:
        """Logits after changes of the first segment's output, each by itself.

        Parameters
        ----------
        changed : torch.Tensor
            What stands there instead, ``(change, map, height, width)``.
        starts : torch.Tensor
            ``int64``, shape ``(change,)``: position of the first of them.
        which : torch.Tensor
            ``int64``, shape ``(change,)``: the stretch that each change is made in.

        Returns
        -------
        torch.Tensor
            ``float32``, shape ``(change, output, window)``.
        """


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
        """Positions between two windows of :meth:`sliding`; 0 where each is scored alone."""
        return 0

    @property
    def reads_both_strands(self) -> bool:
        """Whether a window has the same logit on either strand, so that one need not be read."""
        return False

    def sliding(self, dtype: torch.dtype, front: LinearFront | None = None) -> Slide:
        """What gives the logits of all windows of a stretch that lie :attr:`step` positions apart.

        They equal those of the windows by themselves to rounding, and share all work but the last.

        Parameters
        ----------
        dtype : torch.dtype
            What convolutions are computed in.
        front : LinearFront, optional
            Made a part of the network, which is then called with signals in place of planes.

        Returns
        -------
        callable
            From planes ``(batch, channel, scale, position)`` of a stretch at least as long as a
            window to logits ``(batch, output, window)``, ``float32``. The first window begins where
            the stretch does. A second argument of n leaves out all windows but every n-th, from the
            first on. The weights are those of now, in evaluation mode.

        Raises
        ------
        InputError
            If :attr:`step` is 0.
        """
        del dtype, front
        raise InputError(f"the network {type(self).__name__} cannot slide along a sequence")

    def changing(self) -> Callable[[torch.Tensor], Begun] | None:
        """What gives logits after small changes, if the network has such a way.

        Returns
        -------
        callable or None
            From the output of the first segment for some stretches as they are,
            ``(stretch, map, height, position)``, to what scores their changes.
        """
        return None

    def places(self) -> dict[str, tuple[float, float]]:
        """Where the maps of a stage lie: first position and step, in positions of the input.

        Stages without an entry have maps that span the whole window.
        """
        return {}

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


def _laid_out(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous(memory_format=torch.channels_last)


class _ChangedSideBySide:
    """See :class:`Begun`; the mean over networks whose maps lie side by side."""

    def __init__(
        self, ways: Sequence[Callable[[torch.Tensor], Begun]], begun: torch.Tensor
    ) -> None:
        parts = zip(ways, begun.chunk(len(ways), dim=1), strict=True)
        self.each = [way(_laid_out(part)) for way, part in parts]

    def logits(self) -> torch.Tensor:
        return torch.stack([one.logits() for one in self.each]).mean(0)

    def changed_logits(
        self, changed: torch.Tensor, starts: torch.Tensor, which: torch.Tensor
    ) -> torch.Tensor:
        parts = zip(self.each, changed.chunk(len(self.each), dim=1), strict=True)
        found = [one.changed_logits(_laid_out(part), starts, which) for one, part in parts]
        return torch.stack(found).mean(0)


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

    def sliding(self, dtype: torch.dtype, front: LinearFront | None = None) -> Slide:
        """See :meth:`SegmentedNetwork.sliding`."""
        each = [network.sliding(dtype, front) for network in self._all()]
        return lambda planes, every: torch.stack([slide(planes, every) for slide in each]).mean(0)

    def changing(self) -> Callable[[torch.Tensor], Begun] | None:
        """See :meth:`SegmentedNetwork.changing`."""
        each = [network.changing() for network in self._all()]
        ways = [way for way in each if way is not None]
        return partial(_ChangedSideBySide, ways) if len(ways) == len(each) else None

    def places(self) -> dict[str, tuple[float, float]]:
        """As of each network."""
        return self._all()[0].places()

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
