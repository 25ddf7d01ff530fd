"""A network along a chromosome, its work shared between the windows that overlap.

The transform and the convolutions are computed once for a stretch; only the pooling over the
positions of a window is done for each window. What differs from scoring a window by itself is what
it sees beyond its edges: its neighbours, not zeros.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.devices import autocast, flush_denormals
from wavebind.core.errors import InputError
from wavebind.genome.sequences import UNKNOWN, Codes
from wavebind.models import Classifier
from wavebind.models.classifier import one_against_rest
from wavebind.models.strands import reverse_complement_batch
from wavebind.wavelets.filters import time_spread
from wavebind.wavelets.scalograms import Scalogram

__all__ = ["Slider", "can_slide"]

#: Spreads of the longest wavelet after which a neighbour is not felt any more.
_SPREADS = 6.0
#: Bases of a stretch, about; longer ones waste less at their ends and need more memory.
_STRETCH = 4096
_BATCH = 8


def can_slide(model: Classifier) -> bool:
    """Whether windows of a network can share their work."""
    front = model.front
    return (
        isinstance(front, Scalogram)
        and front.config.padding == "zero"
        and not front.encoding.cumulated
        and model.image is None
        and model.backbone.step > 0
    )


class Slider:
    """Scores all windows of a stretch of sequence at every step.

    Parameters
    ----------
    model : Classifier
        For which :func:`can_slide` holds; in evaluation mode.
    stretch : int
        Length that the transform is made for, in base pairs, about.

    Attributes
    ----------
    step : int
        Base pairs between two windows: the stride of the scalogram times what the network joins.
    span : int
        Window starts that one stretch covers, in base pairs; a multiple of `step`.
    margin : int
        Bases to either side that the windows of a stretch can feel; a multiple of `step`.

    Raises
    ------
    InputError
        If the network cannot slide.
    """

    def __init__(self, model: Classifier, stretch: int = _STRETCH) -> None:
        front = model.front
        if not can_slide(model) or not isinstance(front, Scalogram):
            raise InputError(
                f"the network {model.config.backbone} on this front cannot share work between "
                f"windows; score every window by itself (--set mode=windows)"
            )
        self.model, self.length = model, model.config.length
        self.step = front.config.stride * model.backbone.step
        felt = model.backbone.reach * front.config.stride
        felt += math.ceil(_SPREADS * time_spread(front.config.wavelet) * float(front.periods[-1]))
        self.margin = self.step * math.ceil(felt / self.step)
        around = self.length + 2 * self.margin
        self.span = self.step * max(1, (max(stretch, 2 * around) - around) // self.step)
        config = replace(front.config, max_period=float(front.periods[-1]), voices=None)
        # Factors of a matrix of this length would take longer to find than a chromosome to scan.
        config = replace(config, n_scales=len(front.periods), method="fourier")
        device = next(model.parameters()).device
        self._front = Scalogram(config, self.span + around, device.type).to(device)
        self._width = front.positions // model.backbone.step

    def logits(
        self,
        codes: Codes,
        first: int,
        count: int,
        *,
        bf16: bool = True,
        progress: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Strand-averaged logits of windows one step apart.

        Parameters
        ----------
        codes : numpy.ndarray
            ``uint8``, shape ``(base,)``: a sequence. Beyond its ends lie unknown bases.
        first : int
            First base of the first window; may be negative.
        count : int
            How many windows. Where a stretch begins is counted from `first`: for the same logits
            to the last bit, begin at the same place.
        bf16 : bool
            Compute in bfloat16 where the device has it.
        progress : callable, optional
            Called with the number of windows done since the last call.

        Returns
        -------
        numpy.ndarray
            ``float32``, shape ``(output, window)``.
        """
        each = self.span // self.step
        n_stretches = -(-count // each)
        begin = first - self.margin
        end = begin + n_stretches * self.span + self.length + 2 * self.margin
        padded = np.full(end - begin, UNKNOWN, dtype=np.uint8)
        low, high = max(begin, 0), min(end, len(codes))
        if low < high:
            padded[low - begin : high - begin] = codes[low:high]
        views = np.lib.stride_tricks.sliding_window_view(padded, self._front.length)[:: self.span]
        device = next(self.model.parameters()).device
        parts = []
        first_window = self.margin // self.step
        with torch.inference_mode(), flush_denormals(), autocast(device, bf16):
            for at in range(0, n_stretches, _BATCH):
                batch = torch.from_numpy(views[at : at + _BATCH].copy()).to(device)
                ahead = self._one_strand(batch, first_window)
                # A stretch has room for one window more, which comes first on the other strand.
                other = reverse_complement_batch(batch)
                behind = self._one_strand(other, first_window + 1).flip(-1)
                parts.append(((ahead + behind) / 2).cpu().numpy())
                if progress:
                    progress(batch.shape[0] * each)
        found = np.concatenate(parts).transpose(1, 0, 2)
        logits: NDArray[np.float32] = found.reshape(found.shape[0], -1)[:, :count]
        return logits

    def _one_strand(self, codes: torch.Tensor, first: int) -> torch.Tensor:
        """``float32``, shape ``(stretch, output, window)``."""
        planes = self.model.normalise(self._front(codes))
        count = self.span // self.step
        logits = self.model.backbone.slide(planes, first, count, self._width).float()
        if self.model.config.task_name == "multiclass":
            logits = one_against_rest(logits.transpose(1, 2)).transpose(1, 2)
        return logits
