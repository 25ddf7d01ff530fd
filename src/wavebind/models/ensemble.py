"""Several trained networks as one, whose logit is the mean of theirs.

The networks read the same input and lie side by side in one file. So whatever takes a network
takes an ensemble: scoring, scanning, explanations, export.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from wavebind.core.errors import InputError
from wavebind.metrics.platt import PlattScaling
from wavebind.models.classifier import Classifier, ModelConfig
from wavebind.models.registry import get_backbone

__all__ = ["calibrated", "make_ensemble", "require_ensemble"]


def require_ensemble(config: ModelConfig) -> None:
    """Refuse networks that :func:`make_ensemble` cannot join.

    Raises
    ------
    InputError
        If the network does not normalise its input itself, or its outputs are classes, whose logits
        depend on each other.
    """
    if not get_backbone(config.backbone).own_normalisation:
        raise InputError(
            f"an ensemble is of networks that normalise their input themselves, which "
            f"{config.backbone} does not; choose scalenet or cnn, or leave crossfit out"
        )
    if config.task_name == "multiclass":
        raise InputError(
            "the logits of classes depend on each other, so that networks with calibrations of "
            "their own have no common mean; leave crossfit out"
        )


def make_ensemble(
    models: Sequence[Classifier], lines: Sequence[Sequence[PlattScaling]]
) -> Classifier:
    """One network that gives the mean of the calibrated logits of several.

    Parameters
    ----------
    models : sequence of Classifier
        Two or more, of one configuration.
    lines : sequence of sequence of PlattScaling
        For each network the calibration of each output. It becomes part of the weights of the
        network's last layer.

    Returns
    -------
    Classifier
        In evaluation mode, on the CPU.

    Raises
    ------
    InputError
        If the configurations differ, the networks do not read the same input, or they are of a kind
        that cannot be joined.
    """
    first = models[0]
    require_ensemble(first.config)
    if any(model.config != first.config for model in models):
        raise InputError("an ensemble is of networks of one configuration; found several")
    merged = Classifier(replace(first.config, networks=len(models) * first.config.networks))
    states = [calibrated(model, line) for model, line in zip(models, lines, strict=True)]
    joined: dict[str, torch.Tensor] = {}
    for name, tensor in states[0].items():
        if name.startswith("backbone."):
            continue
        if any((state[name] != tensor).any() for state in states):
            raise InputError(f"the networks do not read the same input: {name} differs")
        joined[name] = tensor
    members = [state for model, mine in zip(models, states, strict=True)
               for state in _members(model, mine)]  # fmt: skip
    for i, member in enumerate(members):
        joined |= {f"backbone.networks.{i}.{name}": tensor for name, tensor in member.items()}
    merged.load_state_dict(joined)
    return merged.eval()


def _members(model: Classifier, state: dict[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
    """The weights of each backbone of a network, which may be an ensemble itself."""
    n = model.config.networks
    prefixes = ["backbone."] if n == 1 else [f"backbone.networks.{i}." for i in range(n)]
    return [
        {
            name.removeprefix(prefix): tensor
            for name, tensor in state.items()
            if name.startswith(prefix)
        }
        for prefix in prefixes
    ]


def calibrated(model: Classifier, lines: Sequence[PlattScaling]) -> dict[str, torch.Tensor]:
    """The state of a network whose last layer gives the calibrated logits, one line an output."""
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    head = get_backbone(model.config.backbone).head
    for name in [n for n in state if n.endswith((f"{head}weight", f"{head}bias"))]:
        tensor = state[name]
        slopes = torch.tensor([line.slope for line in lines], dtype=tensor.dtype)
        if name.endswith("bias"):
            intercepts = torch.tensor([line.intercept for line in lines], dtype=tensor.dtype)
            state[name] = tensor * slopes + intercepts
        else:
            state[name] = tensor * slopes[:, None]
    return state
