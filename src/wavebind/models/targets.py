"""One output of a model of several: by its name, or a factor's mean over its cells."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import expit, logit

from wavebind.core.errors import InputError
from wavebind.metrics.platt import PlattScaling
from wavebind.models.classifier import Classifier
from wavebind.models.modelfile import ModelCard
from wavebind.models.registry import get_backbone

__all__ = ["ALL", "one_target", "outputs_of", "some_names", "target_card"]

#: A target that stands for every output, where a command can give them side by side.
ALL = "all"
#: What parts a factor from its cell in the name of an output.
_PART = ":"


def outputs_of(outputs: Sequence[str], target: str | None) -> list[int]:
    """The outputs that a target is made of.

    Parameters
    ----------
    outputs : sequence of str
    target : str or None
        The name of an output; or a factor, whose outputs are called ``FACTOR:CELL``. None where
        there is one output alone.

    Returns
    -------
    list of int
        Several for a factor of several cells.

    Raises
    ------
    InputError
        If no output is called so, or there are several and none is named.
    """
    if target is None:
        if len(outputs) == 1:
            return [0]
        raise InputError(
            f"the model has {len(outputs)} outputs; choose one with --target: {some_names(outputs)}"
        )
    if target in outputs:
        return [list(outputs).index(target)]
    found = [i for i, name in enumerate(outputs) if name.startswith(target + _PART)]
    if not found:
        raise InputError(
            f"the model has no output {target!r}; choose one with --target: "
            f"{some_names(_near(outputs, target) or outputs)}"
        )
    return found


def _near(outputs: Sequence[str], target: str) -> list[str]:
    """The outputs of factors whose names contain a target's, or are spelt nearly like it."""
    asked = target.lower().split(_PART)[0]
    factors = {name: name.lower().split(_PART)[0] for name in outputs}
    spelt = difflib.get_close_matches(asked, sorted(set(factors.values())), 3)
    within = [name for name in outputs if asked in name.lower()]
    return within or [name for factor in spelt for name in outputs if factors[name] == factor]


def some_names(names: Sequence[str]) -> str:
    """The first names of a list, for a message."""
    more = f", and {len(names) - 8} more ('wavebind models RUN' lists them)"
    return ", ".join(names[:8]) + (more if len(names) > 8 else "")


def target_card(card: ModelCard, target: str | None) -> ModelCard:
    """The card of a model as one of its outputs alone; see :func:`one_target`.

    Of a factor of several cells, the logit is the mean of the calibrated ones, which needs no line
    any more. Prevalence and threshold are means of their log-odds.
    """
    chosen = outputs_of(card.model.outputs, target)
    if len(card.model.outputs) == 1:
        return card
    name = card.model.outputs[chosen[0]] if len(chosen) == 1 else str(target)
    model = replace(card.model, outputs=(name,), task="binary")
    lines = [card.calibration[i] if card.calibration else PlattScaling() for i in chosen]
    thresholds = [card.thresholds[i] for i in chosen]
    if len(chosen) == 1:
        return replace(card, model=model, calibration=tuple(lines), thresholds=tuple(thresholds))
    prevalences = [line.prevalence for line in lines]
    known = [p for p in prevalences if p is not None]
    line = PlattScaling(prevalence=_mean_odds(known) if len(known) == len(lines) else None)
    return replace(
        card, model=model, calibration=(line,), thresholds=(_mean_odds(thresholds),), valid={}
    )


def one_target(
    model: Classifier, card: ModelCard, target: str | None
) -> tuple[Classifier, ModelCard]:
    """A model as one of its outputs alone, which gives one logit a window.

    Parameters
    ----------
    model : Classifier
    card : ModelCard
    target : str or None
        See :func:`outputs_of`.

    Returns
    -------
    tuple of Classifier and ModelCard
        On the same device, in evaluation mode. Of independent labels the last layer is reduced to
        one output. Of classes, whose logits depend on each other, the model is the same and gives
        one of them.

    Raises
    ------
    InputError
        If no output is called so, or there are several and none is named.
    """
    chosen = outputs_of(card.model.outputs, target)
    if len(card.model.outputs) == 1:
        return model, card
    new = target_card(card, target)
    if card.model.task_name == "multiclass":
        if len(chosen) > 1:
            raise InputError(f"{target!r} is several classes of the model; choose one of them")
        model.selected = chosen[0]
        return model, new
    # A factor's mean is of calibrated logits; a single output keeps its line on the card.
    lines = [PlattScaling()]
    if len(chosen) > 1:
        lines = [card.calibration[i] if card.calibration else PlattScaling() for i in chosen]
    head = get_backbone(model.config.backbone).head
    state = model.state_dict()
    for name in [n for n in state if n.endswith((f"{head}weight", f"{head}bias"))]:
        rows = state[name][chosen]
        slopes = rows.new_tensor([line.slope for line in lines])
        mixed = (rows * slopes.view(-1, *[1] * (rows.ndim - 1))).mean(0, keepdim=True)
        if name.endswith("bias"):
            mixed = mixed + rows.new_tensor([line.intercept for line in lines]).mean()
        state[name] = mixed
    reduced = Classifier(new.model).to(next(iter(state.values())).device)
    reduced.load_state_dict(state)
    return reduced.eval(), new


def _mean_odds(probabilities: Sequence[float]) -> float:
    """The probability of mean log-odds."""
    limit = 1e-9
    return float(expit(logit(np.clip(probabilities, limit, 1 - limit)).mean()))
