"""Windows that overlap share their work: all of them come out of one pass over their stretch.

A network that pads nowhere reads only what lies in a window. The logit of a window is then the same
from a stretch as from the window alone, to rounding, whatever lies around it. Networks that pad, or
that look at a window as a whole, score every window by itself.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.devices import autocast, flush_denormals, has_fast_bf16
from wavebind.core.errors import InputError
from wavebind.genome.sequences import UNKNOWN, Codes
from wavebind.models.classifier import Classifier
from wavebind.models.networks.composed import compose
from wavebind.models.networks.matrices import BesideMatrices
from wavebind.models.networks.segments import SegmentedNetwork
from wavebind.models.packing import Packed, pack
from wavebind.models.prediction import predict_logits
from wavebind.models.resizing import linear_front, resized
from wavebind.models.strands import reverse_complement_batch
from wavebind.wavelets.fronts import Front, SignalFront
from wavebind.wavelets.scalograms import Scalogram

__all__ = ["StretchScorer", "can_share"]

#: Bases of one pass, about. Longer ones waste less where blocks overlap, and leave the cache of a
#: processor.
_BLOCK, _BLOCK_ON_GPU = 2**14, 2**19
#: Sizes of a pass between one and its double.
_SIZES_AN_OCTAVE = 6


def can_share(model: Classifier) -> bool:
    """Whether overlapping windows of a network can share their work."""
    front = model.front
    local = isinstance(front, SignalFront) or (
        isinstance(front, Scalogram) and front.config.padding == "none"
    )
    whole = front.encoding.cumulated or model.image is not None or sum(model.around) > 0
    return local and not whole and model.backbone.step > 0


def _round_up(n: int) -> int:
    """The next of 32, 36, 41, 46, 51, 58, 64, 72, ..., six steps from a number to its double."""
    steps = math.ceil(_SIZES_AN_OCTAVE * math.log2(n))
    return max(32, math.ceil(2 ** (steps / _SIZES_AN_OCTAVE)))


class StretchScorer:
    """Logits of windows of stretches of sequence, the mean of both strands.

    Parameters
    ----------
    model : Classifier
        In evaluation mode; what is changed in its weights later is not seen.
    bf16 : bool
        Compute in bfloat16 where the device has it.
    block : int, optional
        Bases of one pass, about; by default what suits the device.

    Attributes
    ----------
    step : int
        Windows that lie a multiple of so many base pairs apart share their work; 0 where each is
        scored by itself.
    length : int
        Of a window, in base pairs.
    n_outputs : int
        Logits of a window.
    """

    def __init__(self, model: Classifier, *, bf16: bool = True, block: int | None = None) -> None:
        self.model, self.bf16 = model, bf16
        on_cpu = next(model.parameters()).device.type == "cpu"
        self.block = block or (_BLOCK if on_cpu else _BLOCK_ON_GPU)
        self.length = model.config.length
        self.n_outputs = len(model.config.outputs) if model.selected is None else 1
        stride = model.front.config.stride if isinstance(model.front, Scalogram) else 1
        self.step = stride * model.backbone.step if can_share(model) else 0
        self._front: Front | Scalogram = model.front
        device = next(model.parameters()).device
        fast = bf16 and has_fast_bf16(device)
        dtype = torch.bfloat16 if fast else torch.float32
        self._linear = linear_front(model) if self.step else None
        backbone: SegmentedNetwork = model.backbone
        self._beside = backbone if isinstance(backbone, BesideMatrices) else None
        self._network = self._beside.network if self._beside else backbone
        self._slide = self._network.sliding(dtype, self._linear) if self.step else None
        exact = self.step and dtype == torch.float32 and stride == 1
        self._begin = self._network.changing() if exact else None
        self._stem: Callable[[torch.Tensor], torch.Tensor] = self._network.segments()[0].run
        if self._begin is not None and self._linear is not None:
            stem = copy.deepcopy(self._network).to("cpu").segments()[0].run
            self._stem = compose(self._linear, stem).to(device).run

    def logits(
        self,
        codes: Codes,
        starts: NDArray[np.int64],
        progress: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Logits of windows of one stretch.

        Parameters
        ----------
        codes : numpy.ndarray
            ``uint8``, shape ``(base,)``.
        starts : numpy.ndarray
            ``int64``, shape ``(window,)``, rising: first base of each window in `codes`.
        progress : callable, optional
            Called with the number of windows done since the last call.

        Returns
        -------
        numpy.ndarray
            ``float32``, shape ``(window,)``, or ``(window, output)`` where the model gives several.

        Raises
        ------
        InputError
            If a logit is not a finite number.
        """
        found: NDArray[np.float32] = self.batch(codes[None], starts, progress)[0]
        return found

    def batch(
        self,
        codes: Codes,
        starts: NDArray[np.int64],
        progress: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Logits of the same windows of several stretches of one length.

        Parameters
        ----------
        codes : numpy.ndarray
            ``uint8``, shape ``(stretch, base)``.
        starts : numpy.ndarray
            As for :meth:`logits`.
        progress : callable, optional
            As for :meth:`logits`.

        Returns
        -------
        numpy.ndarray
            ``float32``, shape ``(stretch, window)`` or ``(stretch, window, output)``.

        Raises
        ------
        InputError
            If a logit is not a finite number.
        """
        more = (self.n_outputs,) if self.n_outputs > 1 else ()
        found = np.empty((len(codes), len(starts), *more), dtype=np.float32)
        if not found.size:
            return found
        if not self.step:
            windows = np.lib.stride_tricks.sliding_window_view(codes, self.length, axis=1)
            # One stretch may be a chromosome, whose windows are never all copied.
            single = len(codes) == 1
            logits = predict_logits(
                self.model,
                windows[0] if single else windows[:, starts].reshape(-1, self.length),
                starts if single else None,
                bf16=self.bf16,
                progress=progress,
            )
            return logits.astype(np.float32).reshape(found.shape)
        with torch.inference_mode(), flush_denormals():
            # Half of the windows need half of the last layers' work.
            alone = len(np.unique(starts % (2 * self.step))) == 1
            step = 2 * self.step if alone else self.step
            self._score(pack(codes, starts, self.length, step), found, progress)
        _check_finite(found)
        return found

    def changed(
        self,
        codes: Codes,
        others: Codes,
        which: NDArray[np.int64],
        starts: NDArray[np.int64],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits of the same windows of some stretches, and of others that differ at a few bases.

        Of the others only what the different bases reach is computed, where the network has a way
        to do so, and the precision is float32.

        Parameters
        ----------
        codes, others : numpy.ndarray
            ``uint8``, shapes ``(stretch, base)`` and ``(other, base)``.
        which : numpy.ndarray
            ``int64``, shape ``(other,)``: the stretch that each of the others differs from. Each
            stretch is named.
        starts : numpy.ndarray
            As for :meth:`logits`.

        Returns
        -------
        tuple of numpy.ndarray
            As of :meth:`batch`, of the stretches and of the others.

        Raises
        ------
        InputError
            If a logit is not a finite number.
        """
        places = np.flatnonzero((others != codes[which]).any(axis=0))
        if not self._small_change(places, starts):
            return self.batch(codes, starts), self.batch(others, starts)
        low, high = int(starts[0]), int(starts[-1]) + self.length
        span = int(places[0]) - low, int(places[-1]) + 1 - low
        at = (starts - low) // self.step
        more = (self.n_outputs,) if self.n_outputs > 1 else ()
        whole = np.empty((len(codes), len(starts), *more), dtype=np.float32)
        found = np.empty((len(others), len(starts), *more), dtype=np.float32)
        device = next(self.model.parameters()).device
        order = np.argsort(which, kind="stable")
        each = max(1, self.block // (high - low))
        with torch.inference_mode(), flush_denormals():
            for first in range(0, len(order), each):
                mine = order[first : first + each]
                named, place = np.unique(which[mine], return_inverse=True)
                one, two = (
                    torch.from_numpy(part[rows, low:high]).to(device)
                    for part, rows in ((codes, named), (others, mine))
                )
                base, other = self._both_changed(one, two, torch.from_numpy(place).to(device), span)
                whole[named], found[mine] = base[:, at], other[:, at]
        for logits in (whole, found):
            _check_finite(logits)
        return whole, found

    def _small_change(self, places: NDArray[np.int64], starts: NDArray[np.int64]) -> bool:
        """Whether bases that differ are few, in what the windows read, and those in one phase."""
        if self._begin is None or not len(places) or len(np.unique(starts % self.step)) != 1:
            return False
        first, last = places[0], places[-1]
        inside = starts[0] <= first and last < starts[-1] + self.length
        return bool(inside and 2 * (last + 1 - first) <= self.length)

    def _score(
        self, packed: Packed, found: NDArray[np.float32], progress: Callable[[int], None] | None
    ) -> None:
        """Score what is packed in passes of one size, but for its end.

        A library that computes convolutions prepares itself for every shape that it meets.
        """
        most = max(1, (self.block - self.length) // packed.step + 1)
        n_windows = int(packed.at[-1]) + 1
        rest = n_windows % most
        full = [
            (row, at) for row in range(len(packed.codes)) for at in range(0, n_windows - rest, most)
        ]
        ends = [(row, n_windows - rest) for row in range(len(packed.codes) if rest else 0)]
        for count, passes in ((most, full), (min(most, _round_up(rest or 1)), ends)):
            self._passes(packed, count, passes, found, progress)

    def _passes(
        self,
        packed: Packed,
        count: int,
        passes: list[tuple[int, int]],
        found: NDArray[np.float32],
        progress: Callable[[int], None] | None,
    ) -> None:
        """Score passes of `count` windows each, from a stretch and a window on."""
        size = (count - 1) * packed.step + self.length
        every = packed.step // self.step
        device = next(self.model.parameters()).device
        done, rows = 0, 1 << (max(1, self.block // size).bit_length() - 1)
        while done < len(passes):
            while rows > len(passes) - done:
                rows //= 2
            part = passes[done : done + rows]
            batch = np.full((rows, size), UNKNOWN, dtype=np.uint8)
            for line, (row, first) in zip(batch, part, strict=True):
                bases = packed.codes[row, first * packed.step :][:size]
                line[: len(bases)] = bases
            logits = self._both_strands(torch.from_numpy(batch).to(device), every)
            lines = logits.float().cpu().numpy()
            for line, (row, first) in zip(lines, part, strict=True):
                mine = slice(*np.searchsorted(packed.at, [first, first + count]))
                found[row, packed.window[mine]] = line[packed.at[mine] - first]
                if progress:
                    progress(len(packed.at[mine]))
            done += rows

    def _both_strands(self, codes: torch.Tensor, every: int) -> torch.Tensor:
        """``float32``, shape ``(stretch, window)`` or ``(stretch, window, output)``.

        The stretch ends where its last window does.
        """
        added = self._added(codes, every)
        forward = self._one_strand(codes, every, added)
        # The last window on this strand is the first on the other.
        turned = reverse_complement_batch(codes)
        reverse = self._one_strand(turned, every, _turned(added)).flip(1)
        return (forward + reverse) / 2

    def _added(self, codes: torch.Tensor, every: int = 1) -> torch.Tensor | None:
        """What matrices add, ``(stretch, output, window)``. It is the same on either strand."""
        return self._beside.added(self._planes(codes), every) if self._beside else None

    def _one_strand(
        self, codes: torch.Tensor, every: int, added: torch.Tensor | None
    ) -> torch.Tensor:
        if self._slide is None:
            raise InputError("this network scores every window by itself")
        if self._linear is not None:
            planes = self.model.front.signals(codes).unsqueeze(2)
        else:
            with autocast(codes.device, self.bf16):
                planes = self._planes(codes)
        return self._finish(self._slide(planes, every), added)

    def _both_changed(
        self, codes: torch.Tensor, others: torch.Tensor, which: torch.Tensor, span: tuple[int, int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both strands of stretches, and of others that differ from them in `span` alone."""
        size = codes.shape[1]
        added = self._added(codes), self._added(others)
        forward = self._changed(codes, others, which, span, added)
        turned = reverse_complement_batch(codes), reverse_complement_batch(others)
        there = (size - span[1], size - span[0])
        reverse = self._changed(*turned, which, there, (_turned(added[0]), _turned(added[1])))
        whole, found = (
            ((one + two.flip(1)) / 2).cpu().numpy()
            for one, two in zip(forward, reverse, strict=True)
        )
        return whole, found

    def _changed(
        self,
        codes: torch.Tensor,
        others: torch.Tensor,
        which: torch.Tensor,
        span: tuple[int, int],
        added: tuple[torch.Tensor | None, torch.Tensor | None],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One strand, as :meth:`_one_strand`."""
        if self._begin is None:
            raise InputError("this network computes every change as a whole")
        # A linear front is a part of the stem, which then reads signals.
        read = self.model.front.signals if self._linear is not None else self._planes
        planes, changed = read(codes), read(others)
        whole = self._stem(planes).contiguous(memory_format=torch.channels_last)
        # Position i of the stem's output reads the bases from i on, so many less one.
        less = codes.shape[1] - whole.shape[-1]
        first, last = max(0, span[0] - less), min(whole.shape[-1], span[1])
        part = self._stem(changed[..., first : last + planes.shape[-1] - whole.shape[-1]])
        begun = self._begin(whole)
        base = begun.logits()
        begins = torch.full_like(which, first)
        other = begun.changed_logits(
            part.contiguous(memory_format=torch.channels_last), begins, which
        )
        return self._finish(base, added[0]), self._finish(other, added[1])

    def _planes(self, codes: torch.Tensor) -> torch.Tensor:
        planes: torch.Tensor = self.model.normalise(self._front_for(codes.shape[1])(codes))
        return planes

    def _finish(self, logits: torch.Tensor, added: torch.Tensor | None) -> torch.Tensor:
        """``(stretch, output, window)`` to ``(stretch, window)``, ``(stretch, window, output)``."""
        whole = logits.float() if added is None else logits.float() + added
        rows = whole.transpose(1, 2)
        finished = self.model.finish(rows.flatten(0, 1))
        return finished.view(*rows.shape[:2], *finished.shape[1:])

    def _front_for(self, size: int) -> Front | Scalogram:
        """The model's front for stretches of a length; that of the last length is kept."""
        if self._front.length != size:
            made = resized(self.model.front, size)
            self._front = made.to(next(self.model.parameters()).device)
        return self._front


def _turned(added: torch.Tensor | None) -> torch.Tensor | None:
    """The windows of the other strand: the last one first."""
    return None if added is None else added.flip(-1)


def _check_finite(logits: NDArray[np.float32]) -> None:
    if not np.isfinite(logits).all():
        raise InputError(
            f"{int((~np.isfinite(logits)).sum()):,} of {logits.size:,} logits are not finite; "
            f"the model is damaged or its training diverged"
        )
