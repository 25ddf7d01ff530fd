"""Where in a window the evidence for binding lies: every method by its name, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.devices import flush_denormals
from wavebind.core.errors import InputError
from wavebind.explain.contributions import (
    corrected_gradients,
    integrated_gradients,
    mutagenesis,
    occlusion,
    to_onehot,
)
from wavebind.explain.deepshap import deep_lift_shap
from wavebind.explain.gradcam import KINDS, default_stages, grad_cam
from wavebind.genome.sequences import Codes
from wavebind.models import Classifier
from wavebind.wavelets.operators import wavelet_operator
from wavebind.wavelets.scalograms import ScalogramConfig
from wavebind.wavelets.task import Padding

__all__ = ["METHODS", "Explanation", "base_weights", "check_method", "explain_windows"]

#: Weights of bases that are kept from batch to batch (256 MiB).
_MAX_WEIGHTS = 2**26

#: What is said of each method in lists.
METHODS: dict[str, str] = {
    "gradcam": "Grad-CAM: maps over scale and position from the network's layers",
    "gradcam++": "Grad-CAM++: the same, weighed by positive gradients",
    "layercam": "LayerCAM: each place by its own positive gradient",
    "ism": "in-silico mutagenesis: every single mutant",
    "ig": "integrated gradients through the transform",
    "ig-corrected": "integrated gradients, less their mean over the four bases",
    "deepshap": "DeepLIFT/SHAP against dinucleotide shuffles of the window",
    "occlusion": "a few neighbouring bases made unknown",
}


@dataclass(frozen=True)
class Explanation:
    """What one method says of some windows.

    Attributes
    ----------
    base_scores : numpy.ndarray
        ``float32``, shape ``(window, position)``: how much each base speaks for binding. Of maps
        not negative; otherwise in logits, negative for a base that speaks against it.
    maps : numpy.ndarray or None
        Of methods that have them: ``float32``, shape ``(window, scale, position)``, finest scale
        first, one position a base. Each map is not negative and has a maximum of 1, or is zero
        everywhere, where no evidence for class 1 was found.
    contributions : numpy.ndarray or None
        Of methods that have them: ``float32``, shape ``(window, position, 4)``, what each of A, C,
        G and T would speak for at each position.
    """

    base_scores: NDArray[np.float32]
    maps: NDArray[np.float32] | None = None
    contributions: NDArray[np.float32] | None = None


#: Methods that give four numbers a base.
_WITH_LETTERS: dict[str, Callable[[Classifier, torch.Tensor], torch.Tensor]] = {
    "ism": mutagenesis,
    "ig": integrated_gradients,
    "ig-corrected": corrected_gradients,
    "deepshap": deep_lift_shap,
}


def check_method(method: str) -> None:
    """Refuse a method that is not known.

    Raises
    ------
    InputError
        The message lists those there are.
    """
    if method not in METHODS:
        raise InputError(f"method {method!r} is not known; choose one of: {', '.join(METHODS)}")


def base_weights(config: ScalogramConfig, length: int) -> Iterator[NDArray[np.float32]]:
    """How much of a coefficient at each scale and position comes from each base, scale by scale.

    A coefficient of a long period sees many bases. Its score is shared out among them by the
    energy of the wavelet over each. So a map says what it can of bases and no more.

    Parameters
    ----------
    config : ScalogramConfig
    length : int
        Window length in base pairs.

    Yields
    ------
    numpy.ndarray
        ``float32``, shape ``(position, base)``; adds up to 1 over the bases. Those of all scales
        of a window of 4,000 bp would take gigabytes.
    """
    for period in config.periods(length):
        operator = wavelet_operator(
            config.wavelet, np.array([period]), length, config.norm, 1, _padding(config)
        )
        energy = np.abs(operator[:, 0].T) ** 2
        yield np.asarray(energy / energy.sum(axis=1, keepdims=True), dtype=np.float32)


def _padding(config: ScalogramConfig) -> Padding:
    """Maps have every base of a window, with or without a wavelet that fits there."""
    return "zero" if config.padding == "none" else config.padding


class _SharedOut:
    """One number a base from maps: over the scales, each shared out by its wavelets' support."""

    def __init__(self, model: Classifier) -> None:
        config, length = model.config.scalogram, model.config.length
        self.make = partial(base_weights, config, length)
        self.maps_are_bases = model.config.front_name == "signal"
        self.keep = len(config.periods(length)) * length**2 <= _MAX_WEIGHTS
        self.weights: list[NDArray[np.float32]] = []

    def __call__(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.maps_are_bases:
            return np.asarray(maps.mean(axis=1), dtype=np.float32)
        if self.keep and not self.weights:
            self.weights = list(self.make())
        found = np.zeros((len(maps), maps.shape[2]), dtype=np.float32)
        for scale, weights in enumerate(self.weights or self.make()):
            found += maps[:, scale] @ weights
        return found / np.float32(maps.shape[1])


def explain_windows(
    model: Classifier,
    codes: Codes,
    indices: NDArray[np.int64],
    *,
    method: str = "gradcam",
    stages: Sequence[str] | None = None,
    batch_size: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Explanation]:
    """Explain windows batch by batch, in bounded memory.

    Parameters
    ----------
    model : Classifier
        Left in the mode, and with the gradients, that it had.
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    indices : numpy.ndarray
        Which windows, in which order.
    method : str
        One of :data:`METHODS`.
    stages : sequence of str, optional
        Of the methods with maps: see :func:`wavebind.explain.gradcam.grad_cam`.
    batch_size : int
    progress : callable, optional
        Called with the number of windows done since the last call.

    Yields
    ------
    Explanation
        Of up to `batch_size` windows each.

    Raises
    ------
    InputError
        If the method is not known, or not one for this network.
    """
    check_method(method)
    if stages is not None and method not in KINDS:
        raise InputError(f"method {method!r} looks at bases, not at stages; leave them out")
    device = next(model.parameters()).device
    names = default_stages(model) if stages is None else tuple(stages)
    shared_out = _SharedOut(model)
    for start in range(0, len(indices), batch_size):
        part = indices[start : start + batch_size]
        batch = torch.from_numpy(np.ascontiguousarray(codes[part])).to(device)
        with flush_denormals():
            yield _explain(model, batch, method, names, shared_out)
        if progress:
            progress(len(part))


def _explain(
    model: Classifier,
    batch: torch.Tensor,
    method: str,
    stages: Sequence[str],
    shared_out: _SharedOut,
) -> Explanation:
    if method in KINDS:
        maps = grad_cam(model, batch, stages, method).cpu().numpy()
        return Explanation(shared_out(maps), maps)
    if method == "occlusion":
        return Explanation(occlusion(model, batch).cpu().numpy())
    contributions = _WITH_LETTERS[method](model, batch)
    scores = (contributions * to_onehot(batch).transpose(1, 2)).sum(dim=2)
    return Explanation(scores.cpu().numpy(), contributions=contributions.cpu().numpy())
