"""Scores of windows: batched, and the mean of both strands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wavebind.core.devices import autocast, flush_denormals, resolve_device
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import Dataset
from wavebind.genome.sequences import Codes
from wavebind.models import Classifier, ModelCard, load_model
from wavebind.models.rundir import RunDir
from wavebind.models.strands import both_strands
from wavebind.models.targets import one_target

__all__ = [
    "length_card",
    "load_output",
    "load_run",
    "load_selected",
    "predict_logits",
    "with_length",
]


def load_run(run: Path, data: Dataset, device: str = "auto") -> tuple[Classifier, ModelCard]:
    """The trained model of a run, for the windows of a dataset.

    Parameters
    ----------
    run : pathlib.Path
    data : Dataset
    device : str

    Raises
    ------
    InputError
        If the run is not a trained one, or the windows have another length.
    """
    folder = RunDir(run).require_model()
    model, card = load_model(folder.model, resolve_device(device))
    if card.quantity == "score":
        model, card = with_length(model, card, data.length)
    if data.length != card.model.length:
        raise InputError(
            f"{data.path}: has windows of {data.length} bp and {run} was trained on "
            f"{card.model.length} bp; make a dataset of that length"
        )
    return model, card


def with_length(
    model: Classifier, card: ModelCard, length: int | None
) -> tuple[Classifier, ModelCard]:
    """A model with windows of another length, where it has none of its own.

    Parameters
    ----------
    model : Classifier
    card : ModelCard
    length : int or None
        In base pairs; None for the one it has.

    Raises
    ------
    InputError
        If the model was trained on windows of another length.
    """
    card = length_card(card, length)
    if card.model.length == model.config.length:
        return model, card
    other = Classifier(card.model).to(next(model.parameters()).device)
    other.load_state_dict(model.state_dict())
    return other.eval(), card


def length_card(card: ModelCard, length: int | None) -> ModelCard:
    """The card of a model with windows of another length; see :func:`with_length`."""
    if length is None or length == card.model.length:
        return card
    if card.quantity != "score":
        raise InputError(
            f"the model was trained on windows of {card.model.length} bp and reads no others; "
            f"leave out --length {length}, which is for models of LS-GKM"
        )
    return replace(card, model=replace(card.model, length=length))


def load_selected(
    run: Path, device: str = "auto", output: str | None = None, length: int | None = None
) -> tuple[Classifier, ModelCard]:
    """The trained model of a run, which gives one logit a window; and its card.

    Parameters
    ----------
    run : pathlib.Path
    device : str
    output : str, optional
        Of a model of several outputs, which one, or a factor; see
        :func:`wavebind.models.targets.outputs_of`.
    length : int, optional
        Of windows, for a model that has none of its own; see :func:`with_length`.

    Raises
    ------
    InputError
        If the run is not a trained one, there is no such output, or there are several and none is
        named. If it has windows of another length.
    """
    folder = RunDir(run).require_model()
    model, card = load_model(folder.model, resolve_device(device))
    return one_target(*with_length(model, card, length), output)


def load_output(
    run: Path, data: Dataset, device: str = "auto", output: str | None = None
) -> tuple[Classifier, ModelCard, Dataset]:
    """The trained model of a run for one of its outputs, and the dataset as that output sees it.

    Parameters
    ----------
    run : pathlib.Path
    data : Dataset
    device : str
    output : str, optional
        As in :func:`load_selected`.

    Returns
    -------
    tuple
        The model, which gives one logit a window; the card of that output; and the dataset with
        the labels of that output, where it has several.

    Raises
    ------
    InputError
        As :func:`load_run`.
    """
    model, card = load_run(run, data, device)
    model, card = one_target(model, card, output)
    if len(data.outputs) > 1 and card.model.outputs[0] in data.outputs:
        data = data.of(card.model.outputs[0])
    return model, card, data


def predict_logits(
    model: nn.Module,
    codes: Codes,
    indices: NDArray[np.int64] | None = None,
    *,
    batch_size: int = 512,
    bf16: bool = True,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    """Strand-averaged logits of many windows.

    Parameters
    ----------
    model : torch.nn.Module
        Takes ``uint8`` codes ``(batch, position)`` to logits ``(batch,)``. Its mode is put back.
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``; may be memory-mapped.
    indices : numpy.ndarray, optional
        Which windows; default all of them.
    batch_size : int
    bf16 : bool
        Compute in bfloat16 where the device has it.
    progress : callable, optional
        Called with the number of windows done since the last call.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(window,)``, or ``(window, output)`` where the model has several. The
        same whatever the batch size, to rounding.

    Raises
    ------
    InputError
        If a logit is not a finite number.
    """
    chosen = np.arange(len(codes)) if indices is None else indices
    device = next(model.parameters()).device
    was_training = model.training
    parts: list[NDArray[np.float64]] = []
    model.eval()
    try:
        with torch.inference_mode(), flush_denormals(), autocast(device, bf16):
            for start in range(0, len(chosen), batch_size):
                part = chosen[start : start + batch_size]
                batch = torch.from_numpy(np.ascontiguousarray(codes[part])).to(device)
                parts.append(both_strands(model, batch).cpu().numpy().astype(np.float64))
                if progress:
                    progress(len(part))
    finally:
        model.train(was_training)
    logits = np.concatenate(parts) if parts else np.empty(0)
    if not np.all(np.isfinite(logits)):
        raise InputError(
            f"{int(np.sum(~np.isfinite(logits))):,} of {logits.size:,} logits are not finite; "
            f"the model is damaged or its training diverged"
        )
    return logits
