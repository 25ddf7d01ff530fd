"""Trained networks made one, whose logit is the mean of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from wavebind.calibration import Calibration
from wavebind.errors import InputError
from wavebind.models.classifier import Classifier, ModelConfig
from wavebind.settings import to_dict

__all__ = ["average", "require_averageable"]

_NETWORK = "scalenet"
#: Fronts that are the same in every network: no weights, nothing drawn.
_FRONTS = ("wavelets", "signal")


def require_averageable(config: ModelConfig) -> None:
    """Refuse what :func:`average` cannot join.

    Raises
    ------
    InputError
        If the network is not scalenet, its front differs between trainings, or its outputs are
        classes, whose logits lean on one another.
    """
    if config.backbone != _NETWORK:
        raise InputError(
            f"several networks are made one where they are {_NETWORK}; found {config.backbone}. "
            f"Take a recipe with {_NETWORK}, or leave crossfit out"
        )
    if config.front_name not in _FRONTS:
        raise InputError(
            f"several networks are made one behind a front that is the same for all: "
            f"{' or '.join(_FRONTS)}; found {config.front_name}"
        )
    if config.task_name == "multiclass":
        raise InputError(
            "the logits of classes lean on one another, so that networks with calibrations of "
            "their own are not made one; leave crossfit out"
        )


def average(models: Sequence[Classifier], lines: Sequence[Sequence[Calibration]]) -> Classifier:
    """One network that gives the mean of the calibrated logits of several.

    Their maps lie side by side in grouped convolutions, so that whatever takes one network takes
    this one, and the lines are in the weights of the last layer.

    Parameters
    ----------
    models : sequence of Classifier
        Two or more, of one configuration.
    lines : sequence of sequence of Calibration
        For each network that of each output.

    Returns
    -------
    Classifier
        In evaluation mode, on the CPU.

    Raises
    ------
    InputError
        If the configurations differ, what stands before the networks differs, or the networks are
        of a kind that cannot be joined.
    """
    first = models[0].config
    require_averageable(first)
    if any(model.config != first for model in models):
        raise InputError("only networks of one configuration are made one")
    settings = first.backbone_settings()
    many = {name: len(models) * getattr(settings, name) for name in ("members", "inputs")}
    merged = Classifier(replace(first, options={**to_dict(settings), **many}))
    states = [_calibrated(model, line) for model, line in zip(models, lines, strict=True)]
    joined = {}
    for name, wanted in merged.state_dict().items():
        parts = [state[name] for state in states]
        # Each network has maps of its own, in the first axis of every weight and statistic.
        alike = parts[0].shape == wanted.shape
        if alike and wanted.is_floating_point() and any((p != parts[0]).any() for p in parts):
            raise InputError(f"the networks do not read the same input: {name} differs")
        joined[name] = parts[0] if alike else torch.cat(parts)
    merged.load_state_dict(joined)
    return merged.eval()


def _calibrated(model: Classifier, lines: Sequence[Calibration]) -> dict[str, torch.Tensor]:
    """The state of a network whose last layer gives the calibrated logits."""
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    weight, bias = state["backbone.head.weight"], state["backbone.head.bias"]
    # One row an output, of the first member, then of the second.
    each = len(bias) // len(lines)
    slopes = torch.tensor([line.slope for line in lines], dtype=weight.dtype).repeat(each)
    intercepts = torch.tensor([line.intercept for line in lines], dtype=bias.dtype).repeat(each)
    state["backbone.head.weight"] = weight * slopes[:, None]
    state["backbone.head.bias"] = bias * slopes + intercepts
    return state
