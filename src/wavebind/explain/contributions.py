"""Scores of each letter at each position of a window: how much it speaks for binding.

What is explained is the logit of class 1, the mean of both strands, in float32. Three ways:

- ``ism``: in-silico mutagenesis, every single mutant (Alipanahi et al. 2015, Nat. Biotechnol.
  33:831).
- ``ig``: integrated gradients from the unknown window to the window (Sundararajan, Taly & Yan 2017,
  ICML, PMLR 70:3319), through the transform.
- ``occlusion``: a few neighbouring bases made unknown (Zeiler & Fergus 2014, ECCV, LNCS 8689:818).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from wavebind.core.errors import InputError
from wavebind.models import Classifier
from wavebind.models.matrixparts import matrix_gradients, matrix_module, without_matrices
from wavebind.models.networks.segments import Begun
from wavebind.models.strands import both_strands, reverse_complement_batch

__all__ = [
    "corrected_gradients",
    "evaluating",
    "integrated_gradients",
    "mutagenesis",
    "mutant_logits",
    "occlusion",
    "to_onehot",
]


#: Mutants of one batch.
_BATCH = 256
#: Windows of one batch whose gradients are asked for: all that the network computes is kept. More
#: are little faster on a processor, and take their memory.
_GRADIENT_BATCH = {"cpu": 32, "cuda": 256, "mps": 256}
_STEPS = (32, 64, 128, 512)
#: Scores must add up to this share of the rise of the logit, or of one logit if that is more.
_COMPLETE = 0.008
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
    """What the affine beginning of a network gives for each base at each position.

    A base changes that output at the positions that its filters reach, and these alone are kept.
    """

    def __init__(self, model: Classifier, begin: Callable[[torch.Tensor], Begun]) -> None:
        self.model, self.begin = model, begin
        device = next(model.parameters()).device
        # Twice over all bases: all responses at once would take gigabytes for a long window.
        reached = torch.cat([(found != 0).flatten(1, -2).any(1) for found in self._responses()])
        n = reached.shape[1]
        order = torch.arange(n, device=device)
        low = torch.where(reached, order, n).amin(1)
        high = torch.where(reached, order, -1).amax(1)
        # A base that no filter reads changes nothing, wherever that is put.
        self.width = int((high - low + 1).clamp_min(1).max())
        self.starts = low.clamp_max(n - self.width)
        positions = self.starts[:, None] + torch.arange(self.width, device=device)
        table, at = [], 0
        for found in self._responses():
            where = positions[at : at + len(found), None, None, None]
            table.append(found.gather(4, where.expand(*found.shape[:4], -1)))
            at += len(found)
        #: Shape ``(position, base, map, band, width)``.
        self.table = torch.cat(table)

    def _responses(self) -> Iterator[torch.Tensor]:
        """Of some bases at a time: ``(position, base, map, band, position of the output)``."""
        length = self.model.config.length
        device = next(self.model.parameters()).device
        blank = self._run(torch.zeros(1, 4, length, device=device))
        for at in range(0, length, 64):
            places = torch.arange(at, min(at + 64, length), device=device)
            unit = torch.zeros(len(places), 4, 4, length, device=device)
            rows = torch.arange(len(places), device=device)
            for base in range(4):
                unit[rows, base, base, places] = 1
            found = self._run(unit.flatten(0, 1)) - blank
            yield found.view(len(places), 4, *found.shape[1:])

    def _run(self, onehot: torch.Tensor) -> torch.Tensor:
        return self.model.run_segments(self.model.features_of_onehot(onehot), 0, 1)

    def mutants(self, codes: torch.Tensor) -> torch.Tensor:
        """Logits of every single mutant of some windows, each as one strand.

        ``(window, position)`` to ``(window, position, base)``.
        """
        known = torch.where(codes < _UNKNOWN, codes, 0).long()
        stem = self._run(to_onehot(codes)).contiguous(memory_format=torch.channels_last)
        begun = self.begin(stem)
        logits = self.model.finish(begun.logits()[..., 0]).float()
        logits = logits[:, None, None].repeat(1, codes.shape[1], 4)
        # What stands at the positions that a base reaches, without that base.
        reach = self.starts[:, None] + torch.arange(self.width, device=codes.device)
        places = torch.arange(codes.shape[1], device=codes.device)
        present = self.table[places, known] * (codes < _UNKNOWN)[..., None, None, None]
        without = stem[..., reach].permute(0, 3, 1, 2, 4) - present
        # The base that is there is no mutant.
        other = torch.arange(4, device=codes.device) != codes[..., None]
        mutants = torch.nonzero(other)
        for at in range(0, len(mutants), _BATCH):
            window, place, base = mutants[at : at + _BATCH].T
            changed = without[window, place] + self.table[place, base]
            changed = changed.contiguous(memory_format=torch.channels_last)
            found = begun.changed_logits(changed, self.starts[place], window)[..., 0]
            logits[window, place, base] = self.model.finish(found).float()
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

    Where a network begins with an affine layer behind a linear transform, as scalenet does, its
    output for a mutant is not computed again. It is that for the window and what two bases make of
    it; and of the layers after it only what that reaches: the same numbers to rounding.

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
    if model.config.matrices:
        found = mutant_logits(without_matrices(model), codes)
        with torch.inference_mode():
            for i, row in enumerate(codes):
                window = model.features(row[None])[0, :, 0]
                hits = matrix_module(model).mutant_hits(window).flatten(0, 1)
                found[i] += model.finish(matrix_module(model).head(hits)).view(-1, 4)
        return found
    with evaluating(model), torch.inference_mode():
        begin = model.backbone.changing() if model.n_affine == 1 else None
        if begin is not None:
            responses = _Responses(model, begin)
            turned = reverse_complement_batch(codes)
            for i in range(len(codes)):
                forward, reverse = responses.mutants(torch.stack([codes[i], turned[i]]))
                found[i] = (forward + reverse.flip(0, 1)) / 2
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

    The steps of the integral are increased, to 512 at most. They suffice when the scores of a
    window's bases add up to its logit less that of the unknown window, to half a percent.

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
    _check(model, codes)
    onehot = to_onehot(codes)
    if model.config.matrices:
        alone = integrated_gradients(without_matrices(model), codes)
        with evaluating(model):
            return alone + matrix_gradients(model, onehot).transpose(1, 2)
    found = torch.empty_like(onehot)
    waiting = torch.arange(len(codes), device=codes.device)
    with evaluating(model), torch.enable_grad():
        network = _OneHot(model).eval()
        average = _average_gradients if model.n_affine else _captum_gradients
        with torch.no_grad():
            rise = network(onehot) - network(torch.zeros_like(onehot[:1]))
        for steps in _STEPS:
            part = onehot[waiting]
            gradients = average(network, part, steps)
            found[waiting] = gradients
            error = ((gradients * part).sum((1, 2)) - rise[waiting]).abs()
            waiting = waiting[error > _COMPLETE * rise[waiting].abs().clamp_min(1.0)]
            if not len(waiting):
                break
    return found.transpose(1, 2).contiguous()


def corrected_gradients(model: Classifier, codes: torch.Tensor) -> torch.Tensor:
    """Integrated gradients less their mean over the four bases of a position.

    One-hot windows lie on a simplex, and a network is free off it: what gradients say of the
    direction away from it is arbitrary (Majdandzic et al. 2023, Genome Biol. 24:109). The scores of
    a window no longer add up to the rise of its logit.

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
    gradients = integrated_gradients(model, codes)
    return gradients - gradients.mean(dim=-1, keepdim=True)


def _captum_gradients(network: _OneHot, onehot: torch.Tensor, steps: int) -> torch.Tensor:
    """Gradients averaged from zero to the windows, ``(batch, 4, position)``."""
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(network, multiply_by_inputs=False)
    most = _GRADIENT_BATCH[onehot.device.type]
    # A batch of captum holds a step of every window at least, and it warns where it cannot.
    parts: list[torch.Tensor] = [
        method.attribute(part, torch.zeros_like(part[:1]), n_steps=steps, internal_batch_size=most)
        for part in torch.split(onehot, most)
    ]
    return torch.cat(parts).detach().float()


def _average_gradients(network: _OneHot, onehot: torch.Tensor, steps: int) -> torch.Tensor:
    """The same for a network with an affine beginning, which is passed once and not at each step.

    A straight line stays one through affine layers, and their gradient is the same everywhere. So
    the gradients at their output are averaged, and taken back through them at the end.
    """
    model = network.model
    n = model.n_affine
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    places = torch.from_numpy((nodes + 1) / 2).float().to(onehot.device)
    shares = torch.from_numpy(weights / 2).float().to(onehot.device)
    total = torch.zeros_like(onehot)
    size = max(1, _GRADIENT_BATCH[onehot.device.type] // steps)
    for turned in (False, True):
        windows = onehot.flip(1, 2) if turned else onehot
        for at in range(0, len(windows), size):
            part = windows[at : at + size].clone().requires_grad_()
            end = model.run_segments(model.features_of_onehot(part), 0, n)
            with torch.no_grad():
                blank = model.features_of_onehot(torch.zeros_like(part[:1]))
                begin = model.run_segments(blank, 0, n)
                line = begin + places.view(-1, 1, 1, 1, 1) * (end - begin)
            line = line.flatten(0, 1).requires_grad_()
            logits = model.finish(model.run_segments(line, n)).float()
            (gradients,) = torch.autograd.grad(logits.sum(), line)
            mean = torch.einsum("s,snchp->nchp", shares, gradients.unflatten(0, (steps, -1)))  # type: ignore[no-untyped-call]
            (back,) = torch.autograd.grad(end, part, mean)
            total[at : at + size] += back.flip(1, 2) if turned else back
    return total / 2


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
