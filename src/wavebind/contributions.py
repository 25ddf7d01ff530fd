"""Scores of each letter at each position of a window: how much it speaks for binding.

What is explained is the logit of class 1, the mean of both strands, in float32. Three ways:

- ``ism``: in-silico mutagenesis, every single mutant (Alipanahi et al. 2015, Nat. Biotechnol.
  33:831).
- ``ig``: integrated gradients from the unknown window to the window (Sundararajan, Taly & Yan 2017,
  ICML, PMLR 70:3319), through the transform.
- ``occlusion``: a few neighbouring bases made unknown (Zeiler & Fergus 2014, ECCV, LNCS 8689:818).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from wavebind.errors import InputError
from wavebind.models import Classifier
from wavebind.prediction import both_strands, reverse_complement_batch

__all__ = [
    "evaluating",
    "integrated_gradients",
    "mutagenesis",
    "mutant_logits",
    "occlusion",
    "to_onehot",
]

#: Mutants of one batch.
_BATCH = 1024
#: Numbers of a table of responses (1 GiB).
_MAX_TABLE = 2**28
_STEPS = (32, 128, 512)
_COMPLETE = 0.005
_UNKNOWN = 4


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients of weights within the block; as they were after it."""
    modes = [(module, module.training) for module in model.modules()]
    asked = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    try:
        model.eval()
        model.requires_grad_(False)
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, required, gradient in asked:
            parameter.requires_grad_(required)
            parameter.grad = gradient


def to_onehot(codes: torch.Tensor) -> torch.Tensor:
    """Codes ``(batch, position)`` to ``float32`` ``(batch, 4, position)``; zero for unknown."""
    return torch.stack([codes == base for base in range(4)], dim=1).float()


class _OneHot(nn.Module):
    """Mean logit of both strands of one-hot windows, shape ``(batch,)``."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, onehot: torch.Tensor) -> torch.Tensor:
        strands = [
            self.model.from_features(self.model.features_of_onehot(x)).float()
            for x in (onehot, onehot.flip(1, 2))
        ]
        return (strands[0] + strands[1]) / 2


def _check(model: Classifier, codes: torch.Tensor) -> None:
    length = model.config.length
    if codes.shape[1] != length:
        raise InputError(f"this network is for windows of {length} bp; found {codes.shape[1]} bp")
    if len(model.config.outputs) > 1 and model.selected is None:
        raise InputError(
            f"the model has several outputs; say which is explained: "
            f"{', '.join(model.config.outputs)}"
        )


class _Responses:
    """What the affine beginning of a network gives for each base at each position."""

    def __init__(self, model: Classifier) -> None:
        self.model, self.n = model, model.n_affine
        length = model.config.length
        device = next(model.parameters()).device
        blank = torch.zeros(1, 4, length, device=device)
        self.blank = self._run(blank)
        table = torch.empty(length, 4, *self.blank.shape[1:], device=device)
        for at in range(0, length, 64):
            places = torch.arange(at, min(at + 64, length), device=device)
            unit = torch.zeros(len(places), 4, 4, length, device=device)
            rows = torch.arange(len(places), device=device)
            for base in range(4):
                unit[rows, base, base, places] = 1
            found = self._run(unit.flatten(0, 1)) - self.blank
            table[places] = found.view(len(places), 4, *found.shape[1:])
        self.table = table

    def _run(self, onehot: torch.Tensor) -> torch.Tensor:
        return self.model.run_segments(self.model.features_of_onehot(onehot), 0, self.n)

    def finish(self, x: torch.Tensor) -> torch.Tensor:
        return self.model.finish(self.model.run_segments(x, self.n)).float()

    @staticmethod
    def size(model: Classifier) -> int:
        """Numbers in the table; 0 where the network has no affine beginning."""
        if not model.n_affine:
            return 0
        length = model.config.length
        device = next(model.parameters()).device
        blank = torch.zeros(1, 4, length, device=device)
        shape = model.run_segments(model.features_of_onehot(blank), 0, model.n_affine).shape
        return int(4 * length * shape[1:].numel())

    def mutants(self, codes: torch.Tensor) -> torch.Tensor:
        """Logits of one strand of every single mutant of one window, ``(position, base)``."""
        known = torch.where(codes < _UNKNOWN, codes, 0).long()
        places = torch.arange(len(codes), device=codes.device)
        present = self.table[places, known]
        present[codes >= _UNKNOWN] = 0
        window = self.blank[0] + present.sum(0)
        logits = torch.empty(len(codes), 4, device=codes.device)
        step = max(1, _BATCH // 4)
        for at in range(0, len(codes), step):
            rows = slice(at, at + step)
            changed = window + self.table[rows] - present[rows].unsqueeze(1)
            logits[rows] = self.finish(changed.flatten(0, 1)).view(-1, 4)
        return logits


def _in_batches(model: Classifier, codes: torch.Tensor) -> torch.Tensor:
    """Logits of many windows, the mean of both strands."""
    parts = range(0, len(codes), _BATCH)
    return torch.cat([both_strands(model, codes[at : at + _BATCH]) for at in parts])


def _mutant_codes(codes: torch.Tensor) -> torch.Tensor:
    """All single mutants of one window, the window itself among them, ``(4 * position, position)``.

    Position by position, and there A, C, G, T.
    """
    length = len(codes)
    mutants = codes.repeat(length, 4, 1)
    places = torch.arange(length, device=codes.device)
    for base in range(4):
        mutants[places, base, places] = base
    return mutants.flatten(0, 1)


def mutant_logits(model: Classifier, codes: torch.Tensor) -> torch.Tensor:
    """Logits of every single mutant, the mean of both strands.

    Where a network begins with affine layers behind a linear transform, as scalenet does, their
    output for a mutant is that for the window and what two bases make of it, and is not computed
    again: the same numbers to rounding.

    Parameters
    ----------
    model : Classifier
        Left in the mode, and with the gradients, that it had.
    codes : torch.Tensor
        ``uint8``, shape ``(batch, position)``, on the model's device.

    Returns
    -------
    torch.Tensor
        ``float32``, shape ``(batch, position, 4)``: bases A, C, G, T; that of the base which is
        there is the window itself.
    """
    _check(model, codes)
    found = torch.empty(*codes.shape, 4, device=codes.device)
    with evaluating(model), torch.inference_mode():
        size = _Responses.size(model)
        if 0 < size <= _MAX_TABLE:
            responses = _Responses(model)
            turned = reverse_complement_batch(codes)
            for i in range(len(codes)):
                forward = responses.mutants(codes[i])
                reverse = responses.mutants(turned[i]).flip(0, 1)
                found[i] = (forward + reverse) / 2
        else:
            for i, row in enumerate(codes):
                found[i] = _in_batches(model, _mutant_codes(row)).view(-1, 4)
    return found


def mutagenesis(model: Classifier, codes: torch.Tensor) -> torch.Tensor:
    """Each letter's logit less the mean of the four at its position.

    Parameters
    ----------
    model : Classifier
    codes : torch.Tensor
        As for :func:`mutant_logits`.

    Returns
    -------
    torch.Tensor
        ``float32``, shape ``(batch, position, 4)``.
    """
    logits = mutant_logits(model, codes)
    return logits - logits.mean(dim=-1, keepdim=True)


def integrated_gradients(model: Classifier, codes: torch.Tensor) -> torch.Tensor:
    """Gradients averaged along the straight line from the unknown window to the window.

    The steps of the integral are increased until the scores of a window's bases add up to its
    logit less that of the unknown window, to half a percent, or to 512 steps.

    Parameters
    ----------
    model : Classifier
    codes : torch.Tensor
        As for :func:`mutant_logits`.

    Returns
    -------
    torch.Tensor
        ``float32``, shape ``(batch, position, 4)``. At the base that is there: its contribution.
        At another one: what it would contribute if the gradients were the same.

    Raises
    ------
    InputError
        If the network reads images.
    """
    from captum.attr import IntegratedGradients

    _check(model, codes)
    onehot = to_onehot(codes)
    found = torch.empty_like(onehot)
    waiting = torch.arange(len(codes))
    with evaluating(model), torch.enable_grad():
        network = _OneHot(model).eval()
        method = IntegratedGradients(network, multiply_by_inputs=False)
        with torch.no_grad():
            rise = network(onehot) - network(torch.zeros_like(onehot[:1]))
        for steps in _STEPS:
            part = onehot[waiting]
            gradients = method.attribute(
                part, torch.zeros_like(part[:1]), n_steps=steps, internal_batch_size=512
            ).detach()
            found[waiting] = gradients.float()
            error = ((gradients * part).sum((1, 2)) - rise[waiting]).abs()
            # Where the rise itself is next to nothing a share of it means nothing.
            allowed = _COMPLETE * rise[waiting].abs().clamp_min(0.1)
            waiting = waiting[(error > allowed).cpu()]
            if not len(waiting):
                break
    return found.transpose(1, 2).contiguous()


def occlusion(model: Classifier, codes: torch.Tensor, width: int = 5) -> torch.Tensor:
    """How much the logit falls when bases are made unknown.

    Parameters
    ----------
    model : Classifier
    codes : torch.Tensor
        As for :func:`mutant_logits`.
    width : int
        Neighbouring bases that are made unknown together.

    Returns
    -------
    torch.Tensor
        ``float32``, shape ``(batch, position)``: the mean fall over the places of the patch that
        cover a base, a share of `width` each.

    Raises
    ------
    InputError
        If the patch is not at least one base wide and narrower than the window.
    """
    _check(model, codes)
    length = codes.shape[1]
    if not 1 <= width < length:
        raise InputError(f"a patch is from 1 to {length - 1} bp wide; found {width}")
    starts = torch.arange(length - width + 1, device=codes.device)
    places = torch.arange(length, device=codes.device)
    covered = (places >= starts[:, None]) & (places < starts[:, None] + width)
    share = covered.float() / covered.sum(0) / width
    found = torch.empty(codes.shape, device=codes.device)
    with evaluating(model), torch.inference_mode():
        whole = _in_batches(model, codes)
        for i, row in enumerate(codes):
            hidden = torch.where(covered, torch.full_like(row, _UNKNOWN), row)
            found[i] = (whole[i] - _in_batches(model, hidden)) @ share
    return found
