"""Whether an explanation explains: tests that a pretty picture fails.

Each is about the scores of bases of bound windows that hold a known motif.

- *tracking*: windows are shifted; the scores must move with the motif, or they are a habit of
  position.
- *randomised weights*: the network's weights are drawn anew from the last layer down; scores that
  stay come from somewhere else (Adebayo et al. 2018, NeurIPS 31:9505).
- *faithfulness*: bases are made unknown in the order of their scores. The logit must fall faster
  than for bases at random, and for those of the motif's best hit. And the other way: an unknown
  window is filled in (Petsiuk, Das & Saenko 2018, BMVC).
- *known sites*: the scores must tell the bases of motif hits from the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.explain.attribution import explain_windows
from wavebind.explain.tracks import best_stretch
from wavebind.genome.sequences import UNKNOWN, Codes, onehot
from wavebind.metrics.binary import estimate, mean_with_interval
from wavebind.models import Classifier, build_model
from wavebind.models.prediction import predict_logits
from wavebind.models.strands import shift_windows
from wavebind.motifs.pwms import Motif

__all__ = [
    "Sites",
    "faithfulness",
    "find_sites",
    "known_sites",
    "randomised_weights",
    "scores_of",
    "tracking",
]

Floats = NDArray[np.float64]
Scores = NDArray[np.float32]

SHIFTS = (-60, -40, -20, 0, 20, 40, 60)
STEPS = (1, 2, 4, 8, 16, 32)
P_VALUE = 1e-4
_N_RESAMPLES = 1000


@dataclass(frozen=True)
class Sites:
    """The best hit of a motif in each of some windows that have one.

    Attributes
    ----------
    window : numpy.ndarray
        ``int64``, shape ``(site,)``: which of the windows, each once.
    start, end : numpy.ndarray
        ``int64``, shape ``(site,)``: half-open.
    """

    window: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


def find_sites(codes: Codes, motif: Motif, p_value: float = P_VALUE) -> Sites:
    """Best hits by FIMO, as the library memelite has it.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    motif : Motif
    p_value : float
        Hits with a larger one are passed over.
    """
    from memelite import fimo

    table = {motif.identifier: motif.probabilities().T}
    hits = fimo(table, onehot(codes), threshold=p_value, reverse_complement=True)[0]
    hits = hits.sort_values(["sequence_name", "score"], ascending=[True, False], kind="stable")
    best = hits.drop_duplicates("sequence_name")
    return Sites(
        best["sequence_name"].to_numpy().astype(np.int64),
        best["start"].to_numpy().astype(np.int64),
        best["end"].to_numpy().astype(np.int64),
    )


def scores_of(
    model: Classifier,
    codes: Codes,
    method: str,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Scores of bases of windows, ``float32``, shape ``(window, position)``."""
    batches = explain_windows(model, codes, np.arange(len(codes)), method=method, progress=progress)
    return np.concatenate([batch.base_scores for batch in batches])


def _require(sites: Sites, what: str) -> None:
    if len(sites.window) < 2:
        raise InputError(
            f"{what} needs two or more bound windows with a hit of the motif at p {P_VALUE:g}; "
            f"found {len(sites.window)}. Name another motif, or explain more windows"
        )


def tracking(
    model: Classifier,
    codes: Codes,
    sites: Sites,
    method: str,
    rng: np.random.Generator,
    shifts: tuple[int, ...] = SHIFTS,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """How far the scores move when the window does.

    Every window is shifted by each distance that leaves its motif inside; what comes in is unknown.
    The centre of the scores is the middle of the 20 bases that score most.

    Parameters
    ----------
    model : Classifier
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    sites : Sites
        Of these windows.
    method : str
    rng : numpy.random.Generator
    shifts : tuple of int
        In base pairs.
    progress : callable, optional
        Called with the number of shifted windows explained since the last call.

    Returns
    -------
    dict
        ``slope`` of the centre's displacement by the shift, with its interval over windows: 1
        where it follows the motif, 0 where it stays. Also ``r2``, ``n_windows`` and ``n_shifted``.

    Raises
    ------
    InputError
        If fewer than two windows hold a site.
    """
    _require(sites, "tracking")
    length = codes.shape[1]
    rows, moved, by = [], [], []
    for window, start, end in zip(sites.window, sites.start, sites.end, strict=True):
        for shift in shifts:
            if start + shift >= 0 and end + shift <= length:
                rows.append(int(window))
                by.append(shift)
                moved.append(codes[window])
    batch = torch.from_numpy(np.stack(moved))
    shifted = shift_windows(batch, torch.tensor(by)).numpy()
    scores = scores_of(model, shifted, method, progress)
    centre = np.array([best_stretch(row)[0] for row in scores], dtype=np.float64)
    x, row = np.array(by, dtype=np.float64), np.array(rows)
    # Each window against itself: its own mean is taken off both.
    windows, inverse, counts = np.unique(row, return_inverse=True, return_counts=True)
    x = x - (np.bincount(inverse, x) / counts)[inverse]
    y = centre - (np.bincount(inverse, centre) / counts)[inverse]
    products, squares, heights = (np.bincount(inverse, v) for v in (x * y, x * x, y * y))
    slope = float(products.sum() / squares.sum())
    residual = float(((y - slope * x) ** 2).sum())
    total = float(heights.sum())
    draws = []
    for _ in range(_N_RESAMPLES):
        drawn = rng.integers(0, len(windows), len(windows))
        below = squares[drawn].sum()
        draws.append(products[drawn].sum() / below if below else slope)
    return {
        "slope": estimate(slope, np.array(draws)),
        "r2": 1 - residual / total if total else 0.0,
        "n_windows": len(windows),
        "n_shifted": len(rows),
    }


def randomised_weights(
    model: Classifier,
    codes: Codes,
    method: str,
    generator: torch.Generator,
    progress: Callable[[int], None] | None = None,
) -> dict[str, float]:
    """Rank correlation of the scores with those of a network whose last segments are random.

    Parameters
    ----------
    model : Classifier
        Left as it was.
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    method : str
    generator : torch.Generator
        Draws the weights.
    progress : callable, optional
        Called with the number of windows explained since the last call.

    Returns
    -------
    dict
        By segment, from the last one down to the first. The value is the mean over windows of
        Spearman's correlation of the scores' sizes, with that segment and all after it drawn anew.
    """
    from scipy.stats import spearmanr

    reference = np.abs(scores_of(model, codes, method, progress))
    fresh = build_model(model.config, generator)
    fresh.to(next(model.parameters()).device)
    kept = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    found: dict[str, float] = {}
    try:
        pairs = list(zip(model.backbone.segments(), fresh.backbone.segments(), strict=True))
        for old, new in reversed(pairs):
            for mine, random in zip(old.modules, new.modules, strict=True):
                mine.load_state_dict(random.state_dict())
            scores = np.abs(scores_of(model, codes, method, progress))
            values = [
                spearmanr(a, b).statistic if np.ptp(a) and np.ptp(b) else 0.0
                for a, b in zip(reference, scores, strict=True)
            ]
            found[old.name] = float(np.mean(values))
    finally:
        model.load_state_dict(kept)
    return found


def faithfulness(
    model: Classifier,
    codes: Codes,
    scores: Scores,
    sites: Sites,
    rng: np.random.Generator,
    steps: tuple[int, ...] = STEPS,
) -> dict[str, Any]:
    """What the bases that score most do to the logit.

    Parameters
    ----------
    model : Classifier
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    scores : numpy.ndarray
        ``float32``, the same shape.
    sites : Sites
        Of these windows; only those that hold one are used.
    rng : numpy.random.Generator
    steps : tuple of int
        How many bases are made unknown, or filled in.

    Returns
    -------
    dict
        ``deletion`` and ``insertion``, each with the mean logit after every step. Bases are taken
        by ``score``, by the ``motif`` (outwards from the middle of its best hit) and at
        ``random``. ``over_random`` and ``over_motif`` say how much further the logit has gone by
        the scores than by the others: the mean over the steps, with its interval over windows.

    Raises
    ------
    InputError
        If fewer than two windows hold a site.
    """
    _require(sites, "faithfulness")
    windows = codes[sites.window]
    n, length = windows.shape
    middle = (sites.start + sites.end - 1) / 2
    place = np.arange(length)
    orders = {
        "score": np.argsort(-scores[sites.window], axis=1, kind="stable"),
        "motif": np.argsort(np.abs(place - middle[:, None]), axis=1, kind="stable"),
        "random": np.argsort(rng.random((n, length)), axis=1),
    }
    whole = predict_logits(model, windows, bf16=False)
    empty = predict_logits(model, np.full((1, length), UNKNOWN, dtype=np.uint8), bf16=False)[0]
    found: dict[str, Any] = {"steps": list(steps), "n_windows": n, "whole": float(whole.mean())}
    for kind in ("deletion", "insertion"):
        curves: dict[str, Floats] = {}
        for name, order in orders.items():
            rows = []
            for k in steps:
                chosen = np.zeros((n, length), dtype=bool)
                np.put_along_axis(chosen, order[:, : min(k, length)], True, axis=1)
                hidden = chosen if kind == "deletion" else ~chosen
                changed = np.where(hidden, UNKNOWN, windows).astype(np.uint8)
                rows.append(predict_logits(model, changed, bf16=False))
            curves[name] = np.stack(rows, axis=1)
        sign = -1.0 if kind == "deletion" else 1.0
        gain = {
            other: sign * (curves["score"] - curves[other]).mean(axis=1)
            for other in ("random", "motif")
        }
        found[kind] = {
            "logits": {name: curve.mean(axis=0).tolist() for name, curve in curves.items()},
            "over_random": mean_with_interval(gain["random"], rng),
            "over_motif": mean_with_interval(gain["motif"], rng),
        }
    found["empty"] = float(empty)
    return found


def known_sites(scores: Scores, sites: Sites, rng: np.random.Generator) -> dict[str, Any]:
    """How well the scores tell the bases of motif hits from the others.

    Sites have bases that the model would rather see exchanged: their scores are below zero, and
    they are part of what it looks at. Hence the magnitude; with the sign, only what speaks for
    binding counts. Of maps, which have no sign, both are the same.

    Parameters
    ----------
    scores : numpy.ndarray
        ``float32``, shape ``(window, position)``.
    sites : Sites
        Of these windows; only those that hold one are used.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``auroc``: the mean over windows of the AUROC of the scores' magnitudes over their bases,
        with its interval over windows; ``auroc_signed``: of the scores; ``n_windows``.

    Raises
    ------
    InputError
        If fewer than two windows hold a site.
    """
    from wavebind.metrics.binary import ranking_metrics

    _require(sites, "the comparison with known sites")
    place = np.arange(scores.shape[1])
    sizes, signed = [], []
    for window, start, end in zip(sites.window, sites.start, sites.end, strict=True):
        inside = ((place >= start) & (place < end)).astype(np.int64)
        mine = scores[window].astype(np.float64)
        sizes.append(ranking_metrics(inside, np.abs(mine))[0])
        signed.append(ranking_metrics(inside, mine)[0])
    return {
        "auroc": mean_with_interval(np.array(sizes), rng),
        "auroc_signed": mean_with_interval(np.array(signed), rng),
        "n_windows": len(sizes),
    }
