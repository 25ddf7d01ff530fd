"""Which of several labels decide the best epoch, and how good each is on valid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import replace_file
from wavebind.metrics.binary import ranking_metrics

__all__ = [
    "LabelOnValid",
    "judged_outputs",
    "labels_on_valid",
    "labels_words",
    "mean_ranking",
    "write_labels",
]

#: Bound valid windows from which on a label decides the best epoch, and is calibrated.
LEAST_JUDGED = 50
LEAST_CALIBRATED = 20


@dataclass(frozen=True)
class LabelOnValid:
    """How one of several labels came out on valid.

    Attributes
    ----------
    name : str
    bound, unbound : int
        Valid windows.
    auroc, auprc : float
        NaN where a class is missing.
    calibrated : bool
        Whether there were windows enough to fit its probabilities to.
    judged : bool
        Whether it was one of those that decided the best epoch.
    """

    name: str
    bound: int
    unbound: int
    auroc: float
    auprc: float
    calibrated: bool
    judged: bool


def judged_outputs(
    outputs: Sequence[str], labels: NDArray[np.integer], patterns: Sequence[str]
) -> NDArray[np.bool_]:
    """The labels whose mean AUROC on valid decides the best epoch.

    Parameters
    ----------
    outputs : sequence of str
        Names of the labels.
    labels : numpy.ndarray
        ``int8``, shape ``(window, output)``: of the valid windows.
    patterns : sequence of str
        As :attr:`wavebind.training.config.TrainingConfig.judged`.

    Returns
    -------
    numpy.ndarray
        ``bool``, shape ``(output,)``; at least one is true.

    Raises
    ------
    InputError
        If a pattern fits no label, or none is left.
    """
    chosen = np.full(len(outputs), patterns[0].startswith("!"))
    for pattern in patterns:
        name = pattern.removeprefix("!")
        fits = np.array([fnmatchcase(output, name) for output in outputs])
        if not fits.any():
            raise InputError(
                f"training.judged: {name!r} fits no label; the labels are "
                f"{', '.join(outputs[:12])}{', ...' if len(outputs) > 12 else ''}"
            )
        chosen = chosen & ~fits if pattern.startswith("!") else chosen | fits
    if not chosen.any():
        raise InputError(f"training.judged: {', '.join(patterns)} leaves no label")
    often = chosen & ((labels == 1).sum(axis=0) >= LEAST_JUDGED)
    return often if often.any() else chosen


def labels_on_valid(
    outputs: Sequence[str],
    labels: NDArray[np.integer],
    logits: NDArray[np.float64],
    judged: NDArray[np.bool_],
) -> list[LabelOnValid]:
    """How each label came out.

    Parameters
    ----------
    outputs : sequence of str
    labels : numpy.ndarray
        ``int8``, shape ``(window, output)``: 1, 0, or -1 where not known.
    logits : numpy.ndarray
        Shape ``(window, output)``.
    judged : numpy.ndarray
        ``bool``, shape ``(output,)``.
    """
    found = []
    for j, name in enumerate(outputs):
        known = labels[:, j] >= 0
        mine = labels[known, j].astype(np.int64)
        bound = int(mine.sum())
        auroc = auprc = float("nan")
        if 0 < bound < len(mine):
            auroc, auprc = ranking_metrics(mine, logits[known, j])
        found.append(
            LabelOnValid(
                name=name,
                bound=bound,
                unbound=len(mine) - bound,
                auroc=auroc,
                auprc=auprc,
                calibrated=bound >= LEAST_CALIBRATED,
                judged=bool(judged[j]),
            )
        )
    return found


def mean_ranking(
    labels: NDArray[np.float32], logits: NDArray[np.float64], judged: NDArray[np.bool_]
) -> tuple[float, float]:
    """AUROC and AUPRC, their means over the judged outputs of which both classes are known.

    Parameters
    ----------
    labels, logits : numpy.ndarray
        Shape ``(window,)`` or ``(window, output)``; labels below 0 are not known.
    judged : numpy.ndarray
        ``bool``, shape ``(output,)``.
    """
    columns = labels.reshape(len(labels), -1), logits.reshape(len(logits), -1)
    found = []
    for mine, scores in zip(columns[0].T[judged], columns[1].T[judged], strict=True):
        known = mine >= 0
        if len(np.unique(mine[known])) == 2:
            found.append(ranking_metrics(mine[known].astype(int), scores[known]))
    auroc, auprc = np.mean(found, axis=0)
    return float(auroc), float(auprc)


def labels_words(found: Sequence[LabelOnValid], path: Path) -> str:
    """How many labels decided the best epoch, and which have no calibrated probabilities."""
    n = sum(x.judged for x in found)
    words = (
        f"the mean AUROC of {n} of {len(found)} labels decided the best epoch; each is in {path}"
    )
    few = [x.name for x in found if not x.calibrated]
    if few:
        more = f" and {len(few) - 5} more" if len(few) > 5 else ""
        words += (
            f". Not calibrated, with fewer than {LEAST_CALIBRATED} bound valid windows: "
            f"{', '.join(few[:5])}{more}"
        )
    return words


def write_labels(path: Path, found: Sequence[LabelOnValid]) -> None:
    """Write a table with a row a label, tab-separated."""
    head = "label\tvalid_bound\tvalid_unbound\tauroc\tauprc\tcalibrated\tjudged\n"
    with replace_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(head)
        for x in found:
            numbers = "\t".join("NA" if np.isnan(v) else f"{v:.4f}" for v in (x.auroc, x.auprc))
            marks = "\t".join("yes" if v else "no" for v in (x.calibrated, x.judged))
            file.write(f"{x.name}\t{x.bound}\t{x.unbound}\t{numbers}\t{marks}\n")
