"""A model's front for stretches that are longer or shorter than its windows."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from wavebind.models.classifier import Classifier
from wavebind.models.networks.composed import LinearFront
from wavebind.wavelets.fronts import Front, SignalFront
from wavebind.wavelets.scalograms import Scalogram

__all__ = ["linear_front", "resized"]


def resized(front: Front | Scalogram, size: int) -> Front | Scalogram:
    """A front of the same settings for stretches of `size` bases, on the CPU.

    Parameters
    ----------
    front : Front or Scalogram
        The signal itself, or a transform without padding.
    size : int
    """
    if not isinstance(front, Scalogram):
        return SignalFront(front.config, size)
    config = replace(
        front.config,
        # The scales of the model, whatever the stretch has room for.
        max_period=float(front.periods[-1]),
        n_scales=len(front.periods),
        voices=None,
        method="auto",
    )
    return Scalogram(config, size)


def linear_front(model: Classifier) -> LinearFront | None:
    """The transform and the scale of its planes; None where they are not linear.

    None as well where the transform leaves out positions, and where there is no transform.

    Parameters
    ----------
    model : Classifier
    """
    front = model.front
    if not isinstance(front, Scalogram) or not front.is_linear or front.config.stride > 1:
        return None
    normalise = copy.deepcopy(model.normalise).to("cpu")

    def planes(signals: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = normalise(resized(front, signals.shape[-1]).from_signals(signals))
        return found

    return LinearFront(front.encoding.channels, model.config.length, planes)
