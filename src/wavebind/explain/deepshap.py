"""DeepLIFT/SHAP against shuffles of the window, through tangermeme.

Shrikumar, Greenside & Kundaje 2017 (ICML, PMLR 70:3145) and Lundberg & Lee 2017 (NeurIPS 30:4765).
References are dinucleotide shuffles of the window. Activations and maxima follow the rescale rule.
A transform that is not linear, best hits of matrices and the pooling at the end of a network have
none. They are passed by integrated gradients between the two activations.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.explain.contributions import evaluating, to_onehot
from wavebind.genome.sequences import UNKNOWN
from wavebind.genome.shuffling import dinucleotide_shuffle
from wavebind.models import Classifier
from wavebind.models.matrixparts import matrix_module, without_matrices
from wavebind.models.strands import both_strands, reverse_complement_batch

__all__ = ["deep_lift_shap"]

#: Shuffles of each window, as many as is usual.
N_REFERENCES = 20
#: Scores add up to the rise of the logit to this share of it, or of one logit if that is more.
_COMPLETE = 0.02
#: Pairs of a window and a shuffle in one batch, and steps of integrals along what has no rule.
_PAIRS, _NODES = 64, 16
#: The same along best hits, which jump from place to place.
_JUMPS = 256


class _Whole(nn.Module):
    """A part of the network that is passed as a whole."""

    def __init__(self, run: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.run = run

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.run(x)


class _Network(nn.Module):
    """One-hot windows to a column of logits, with the parts that need it passed as a whole."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model
        self.whole_front = not model.front.is_linear
        self.begin = _Whole(model.features_of_onehot)
        n = len(model.backbone.segments())
        self.n = n
        self.end = _Whole(lambda x: self._column(model, x, n))

    @staticmethod
    def _column(model: Classifier, x: torch.Tensor, n: int) -> torch.Tensor:
        logits = model.finish(model.run_segments(x, n - 1, n)).float()
        return logits.reshape(len(x), -1)

    def forward(self, x: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        x = x * known
        features = self.begin(x) if self.whole_front else self.model.features_of_onehot(x)
        found: torch.Tensor = self.end(self.model.run_segments(features, 0, self.n - 1))
        return found


def deep_lift_shap(
    model: Classifier, codes: torch.Tensor, seed: int = 0, n: int = N_REFERENCES
) -> torch.Tensor:
    """What each base adds to the logit, beside shuffles of the window; the mean of both strands.

    Parameters
    ----------
    model : Classifier
        With one output.
    codes : torch.Tensor
        ``uint8``, shape ``(batch, position)``, on the model's device.
    seed : int
        Of the shuffles.
    n : int
        Shuffles of each window.

    Returns
    -------
    torch.Tensor
        ``float32``, shape ``(batch, position, 4)``: hypothetical contributions of A, C, G, T.

    Raises
    ------
    InputError
        If the network reads images. If its activations follow no rule, so that the scores do not
        add up to the logit less that of the shuffles.
    """
    from tangermeme.deep_lift_shap import deep_lift_shap as attribute
    from tangermeme.deep_lift_shap import integrated_gradients_op

    shuffled = _shuffles(codes, seed, n)
    strands: list[torch.Tensor] = []
    with evaluating(model):
        network = _Network(without_matrices(model)).eval()
        for turned in (False, True):
            windows = reverse_complement_batch(codes) if turned else codes
            known = (windows < UNKNOWN)[:, None].float()
            others = reverse_complement_batch(shuffled) if turned else shuffled
            with warnings.catch_warnings():
                # It warns where scores do not add up; that is measured below, over both strands.
                warnings.simplefilter("ignore")
                found: torch.Tensor = attribute(
                    network,
                    # An unknown base is any one here, and taken out by the network.
                    to_onehot(windows.clamp_max(3)),
                    args=(known,),
                    references=to_onehot(others.flatten(0, 1)).view(*others.shape[:2], 4, -1),
                    hypothetical=True,
                    batch_size=_PAIRS,
                    additional_nonlinear_ops={_Whole: integrated_gradients_op(_NODES)},
                    device=codes.device,
                )
            strands.append(found.flip(1, 2) if turned else found)
        contributions = ((strands[0] + strands[1]) / 2).transpose(1, 2).float().detach()
        if model.config.matrices:
            contributions += _matrix_part(model, codes, shuffled)
        _require_complete(model, codes, shuffled, contributions)
    return contributions


def _matrix_part(model: Classifier, codes: torch.Tensor, shuffled: torch.Tensor) -> torch.Tensor:
    """What each base adds by way of the matrices, ``(batch, position, 4)``.

    Along the line from a shuffle to the window, the score of each place changes in proportion. So
    the places of the best hits along it follow from the scores at its two ends.
    """
    matrices = matrix_module(model)
    left, length = model.around[0], codes.shape[1]
    places = (torch.arange(_JUMPS, device=codes.device) + 0.5) / _JUMPS
    found = []
    with torch.no_grad():
        for row, others in zip(codes, shuffled, strict=True):
            onehot = functional.pad(to_onehot(torch.cat([row[None], others])), model.around)
            # Places beyond the window have no difference; finite, they never are the best.
            scores = matrices.place_scores(onehot).clamp_min(-1e6)
            mine, theirs = scores[:1], scores[1:]
            shares = torch.zeros_like(theirs)
            part = torch.full_like(theirs[..., :1], 1 / _JUMPS)
            for share in places.tolist():
                best = (theirs + share * (mine - theirs)).argmax(-1, keepdim=True)
                shares.scatter_add_(2, best, part)
            gradients = matrices.spread(shares)[..., left : left + length]
            references = onehot[1:, :, left : left + length]
            hypothetical = gradients - (gradients * references).sum(1, keepdim=True)
            found.append(hypothetical.mean(0).T)
    return torch.stack(found)


def _shuffles(codes: torch.Tensor, seed: int, n: int) -> torch.Tensor:
    """Shuffles of each window, ``(batch, n, position)``; unknown bases stay where they are."""
    rng = np.random.default_rng(seed)
    rows = []
    for row in codes.cpu().numpy():
        known = row < UNKNOWN
        copies = np.repeat(row[None], n, axis=0)
        copies[:, known] = dinucleotide_shuffle(copies[:, known], rng)
        rows.append(copies)
    return torch.from_numpy(np.stack(rows)).to(codes.device)


def _require_complete(
    model: Classifier, codes: torch.Tensor, shuffled: torch.Tensor, contributions: torch.Tensor
) -> None:
    """Raise an :class:`InputError` unless scores add up to what the shuffles lack."""
    with torch.inference_mode():
        own = both_strands(model, codes)
        others = both_strands(model, shuffled.flatten(0, 1)).view(shuffled.shape[:2]).mean(1)
    sums = (contributions * to_onehot(codes).transpose(1, 2)).sum((1, 2))
    rise = own - others
    error = (sums - rise).abs() / rise.abs().clamp_min(1.0)
    if float(error.max()) > _COMPLETE:
        raise InputError(
            f"DeepLIFT/SHAP does not explain this network ({model.config.backbone}): its scores "
            f"miss the rise of the logit by {float(error.max()):.0%}, since a part of it follows "
            f"no rule; use ig or ism"
        )
