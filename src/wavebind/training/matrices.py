"""Matrices of JASPAR beside a network.

The matrices and what a hit of each adds come from the training windows, by two logistic
regressions. How much all of them count beside the network depends on the number of bound training
windows (docs/decisions/matrices.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.events import Advanced, OnEvent, StageStarted, ignore
from wavebind.datasets.dataset import Dataset
from wavebind.models import Classifier, ModelConfig, get_backbone
from wavebind.models.matrixparts import matrix_hits, matrix_logits, matrix_module
from wavebind.models.networks.matrices import MAX_WIDTH
from wavebind.models.prediction import predict_logits
from wavebind.motifs.jaspar import all_motifs
from wavebind.motifs.pwms import Motif, best_hits
from wavebind.training.config import TrainingConfig

__all__ = ["beside_matrices", "matrices_words", "no_matrices", "weight_beside"]

#: Inverse strength of the regularisation: of the choice among all matrices, and of those chosen.
#: With the number of matrices the best on valid: docs/decisions/matrices.md.
_CHOOSING, _CHOSEN = 1e-3, 1e-2
#: How much matrices count beside the network: at most, and bound training windows with which they
#: would count as much as it.
_MOST, _LEVEL = 0.5, 50
#: Windows that the regressions are fitted to, and that spreads are measured on, at most.
_MOST_WINDOWS = 6_000


def no_matrices(model: ModelConfig) -> str:
    """Why matrices cannot stand beside a network; empty if they can."""
    if model.task_name != "binary":
        return "they are for bound and unbound windows"
    front = model.front_name
    if front != "signal" or model.scalogram.encoding != "onehot" or model.image:
        return "they read the one-hot window, and this network reads something else"
    if not get_backbone(model.backbone).own_normalisation:
        return f"{model.backbone} reads windows on another scale"
    if model.networks > 1:
        return "they stand beside one network, not beside a mean of several"
    return ""


def weight_beside(n_bound: int) -> float:
    """How much matrices count beside a network, as spreads over windows.

    Parameters
    ----------
    n_bound : int
        Bound training windows.

    Returns
    -------
    float
        0.5 with 200 windows or fewer, and less with the root of their number. Chosen on valid of
        six factors with 50 to 15,000 bound windows: docs/decisions/matrices.md.
    """
    return float(min(_MOST, np.sqrt(_LEVEL / max(n_bound, 1))))


def beside_matrices(
    network: Classifier, config: TrainingConfig, data: Dataset, on_event: OnEvent = ignore
) -> Classifier:
    """The trained network with the matrices that its training windows choose.

    Parameters
    ----------
    network : Classifier
        Trained, for bound and unbound windows.
    config : TrainingConfig
        Its ``matrices`` is their number.
    data : Dataset
        Its training windows choose. Its valid windows say how far the logits spread.
    on_event : callable
        Told of the windows that all matrices were tried on.

    Returns
    -------
    Classifier
        In evaluation mode, on the device of `network`.

    Raises
    ------
    InputError
        If matrices cannot stand beside this network.
    """
    reason = no_matrices(network.config)
    if reason:
        raise InputError(f"matrices cannot stand beside this network: {reason}")
    device = next(network.parameters()).device
    rows = _windows(data, config.seed)
    labels = data.labels[rows]
    n_bound = int((data.labels[data.indices("train")] == 1).sum())
    on_event(StageStarted("trying the matrices of JASPAR", len(rows)))
    codes = np.asarray(data.codes[rows])
    chosen = _chosen(codes, labels, config.matrices, lambda n: on_event(Advanced(n)))
    merged = Classifier(replace(network.config, matrices=tuple(motif.label for motif in chosen)))
    matrices = matrix_module(merged)
    matrices.set([torch.from_numpy(motif.log_odds()).float() for motif in chosen])
    hits = matrix_hits(merged, data.codes, rows)
    weights = _regression(hits, labels, _CHOSEN)
    valid = data.indices("valid")[:_MOST_WINDOWS]
    own = predict_logits(network, data.codes, valid).std()
    theirs = (matrix_hits(merged, data.codes, valid) @ weights).std()
    weights *= weight_beside(n_bound) * own / max(float(theirs), 1e-6)
    state = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    mine = {
        name.replace("backbone.", "backbone.network.", 1): tensor for name, tensor in state.items()
    }
    mine["backbone.matrices.tables"] = matrices.tables
    mine["backbone.matrices.widths"] = matrices.widths
    mine["backbone.matrices.head.weight"] = torch.from_numpy(weights[None]).float()
    # The middle of what the matrices add is taken from the network, so that neither is far from 0.
    head = f"backbone.network.{get_backbone(network.config.backbone).head}bias"
    mine[head] = mine[head] - float((hits @ weights).mean())
    merged.load_state_dict(mine)
    return merged.to(device).eval()


def _windows(data: Dataset, seed: int) -> NDArray[np.int64]:
    """All training windows, or a draw: at most half of them bound where there are others."""
    train = data.indices("train")
    bound, others = train[data.labels[train] == 1], train[data.labels[train] != 1]
    rng = np.random.default_rng([seed, max(0, _MOST_WINDOWS - len(bound))])
    bound = _at_most(bound, max(_MOST_WINDOWS // 2, _MOST_WINDOWS - len(others)), rng)
    others = _at_most(others, _MOST_WINDOWS - len(bound), rng)
    return np.sort(np.concatenate([bound, others]))


def _at_most(rows: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.choice(rows, n, replace=False) if len(rows) > n else rows


def matrices_words(model: Classifier, data: Dataset) -> str:
    """How many matrices stand beside a network, and which differ most between its windows."""
    rows = data.indices("valid")[:_MOST_WINDOWS]
    spreads = matrix_logits(model, data.codes, rows).std(axis=0)
    names = model.config.matrices
    most = [names[j] for j in np.argsort(-spreads, kind="stable")[:3]]
    return (
        f"{len(names)} matrices of JASPAR, chosen on the training windows, add to the network's "
        f"logit; most: {', '.join(most)}"
    )


def _chosen(
    codes: NDArray[np.uint8],
    labels: NDArray[np.integer],
    n: int,
    progress: Callable[[int], None] | None = None,
) -> list[Motif]:
    """The matrices with the largest weights of a regression on all of them."""
    motifs = [m for m in all_motifs() if m.width <= min(MAX_WIDTH, codes.shape[1])]
    scores = best_hits(codes, motifs, progress=progress).score
    weights = np.abs(_regression(scores, labels, _CHOOSING) * scores.std(axis=0))
    return [motifs[j] for j in np.argsort(-weights, kind="stable")[:n]]


def _regression(
    scores: NDArray[np.float64], labels: NDArray[np.integer], strength: float
) -> NDArray[np.float64]:
    """Weights of a logistic regression on standardised scores, for the scores as they are."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(scores)
    fitted = LogisticRegression(C=strength, max_iter=1000).fit(scaler.transform(scores), labels)
    weights: NDArray[np.float64] = fitted.coef_[0] / scaler.scale_
    return weights
