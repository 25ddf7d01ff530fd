"""A model with matrices in its two parts: the network, and what the matrices add to its logit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.genome.sequences import Codes
from wavebind.models.classifier import Classifier
from wavebind.models.networks.matrices import BesideMatrices, Matrices

__all__ = [
    "matrix_gradients",
    "matrix_hits",
    "matrix_logits",
    "matrix_module",
    "without_matrices",
]

_BATCH = 1024


def matrix_module(model: Classifier) -> Matrices:
    """The matrices beside a model's network.

    Raises
    ------
    InputError
        If there are none.
    """
    if not isinstance(model.backbone, BesideMatrices):
        raise InputError("this model has no matrices beside its network")
    return model.backbone.matrices


def without_matrices(model: Classifier) -> Classifier:
    """The network of a model alone, with the same layers and not a copy of them."""
    if not isinstance(model.backbone, BesideMatrices):
        return model
    alone = Classifier(replace(model.config, matrices=()))
    alone.front, alone.normalise = model.front, model.normalise
    alone.backbone, alone.selected = model.backbone.network, model.selected
    return alone.train(model.training)


def matrix_gradients(model: Classifier, onehot: torch.Tensor) -> torch.Tensor:
    """Gradients of what the matrices add, averaged from the unknown window to the window.

    Scores of a matrix grow in proportion along that line, so that the best hit stays where it is.
    The average is the gradient at its end: the columns of each matrix at its best hit.

    Parameters
    ----------
    model : Classifier
        With matrices and one output, or one that is selected.
    onehot : torch.Tensor
        ``float32``, shape ``(batch, 4, position)``.

    Returns
    -------
    torch.Tensor
        ``float32``, shape ``(batch, 4, position)``.
    """
    with torch.enable_grad():
        windows = onehot.detach().clone().requires_grad_()
        added = model.finish(matrix_module(model)(model.features_of_onehot(windows)[:, :, 0]))
        found: torch.Tensor = torch.autograd.grad(added.sum(), windows)[0]
    return found


def matrix_hits(model: Classifier, codes: Codes, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The best hit of each matrix in each window, as the model reads it.

    Parameters
    ----------
    model : Classifier
        With matrices.
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``; may be memory-mapped.
    rows : numpy.ndarray
        ``int64``, shape ``(chosen,)``: which windows.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(chosen, matrix)``, bits.

    Raises
    ------
    InputError
        If the model has no matrices.
    """
    matrices, device = matrix_module(model), next(model.parameters()).device
    parts = []
    with torch.inference_mode():
        for at in range(0, len(rows), _BATCH):
            batch = np.ascontiguousarray(codes[rows[at : at + _BATCH]])
            planes = model.features(torch.from_numpy(batch).to(device))
            parts.append(matrices.hits(planes[:, :, 0]).cpu().double())
    found: NDArray[np.float64] = torch.cat(parts).numpy()
    return found


def matrix_logits(model: Classifier, codes: Codes, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each matrix adds to the logit of each window.

    Parameters
    ----------
    model, codes, rows
        As for :func:`matrix_hits`; a model of one output.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(chosen, matrix)``, log-odds before calibration. The network adds the
        rest.

    Raises
    ------
    InputError
        As :func:`matrix_hits`.
    """
    weights = matrix_module(model).head.weight.detach().cpu().double().numpy()[0]
    added: NDArray[np.float64] = matrix_hits(model, codes, rows) * weights
    return added
