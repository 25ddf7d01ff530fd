"""Scoring a run on a split: what ``metrics.json`` holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.audit import audit, to_plain
from wavebind.dataset import Dataset
from wavebind.errors import InputError
from wavebind.evaluation import auroc_with_interval, calibration, evaluate
from wavebind.prediction import load_run, predict_logits, probabilities
from wavebind.provenance import versions
from wavebind.rundir import RunDir, write_json
from wavebind.settings import to_dict
from wavebind.textfiles import replace_file

__all__ = ["assess", "read_scores"]

_AUDITED = ("best_shortcut", "shortcuts", "skipped", "leakage", "verdict")


def assess(
    out: Path,
    data: Dataset,
    part: str = "test",
    *,
    device: str = "auto",
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Score a trained run on one split of a dataset.

    Writes ``metrics.json`` and ``scores_SPLIT.parquet`` (name, label, logit, probability) into the
    run directory.

    Parameters
    ----------
    out : pathlib.Path
        The run directory.
    data : Dataset
    part : str
        ``train``, ``valid`` or ``test``.
    device : str
    progress : callable, optional
        Called with the number of windows done since the last call.

    Returns
    -------
    dict
        What ``metrics.json`` holds: for each metric ``value``, ``low`` and ``high`` (95 %
        bootstrap over windows), the numbers of windows, the threshold chosen on valid, the split,
        the seed, the expected calibration error, the AUROC against each kind of background where
        there are several, and the audit of these windows: ``shortcuts``, ``best_shortcut``,
        ``skipped``, ``leakage`` and ``verdict``.

    Raises
    ------
    InputError
        If the run is not a trained one, the lengths differ, or the split lacks a class.
    """
    model, card = load_run(out, data, device)
    run = RunDir(out)
    indices = data.indices(part)
    labels = data.labels[indices].astype(np.int64)
    if not 0 < labels.sum() < len(labels):
        raise InputError(
            f"{data.path}: the {part} split has {int(labels.sum()):,} bound windows of "
            f"{len(labels):,}; metrics need both classes"
        )
    logits = predict_logits(model, data.codes, indices, progress=progress)
    scores = probabilities(logits)
    rng = np.random.default_rng(card.seed)
    metrics = evaluate(labels, scores, card.threshold, rng)
    audited = to_plain(audit(data, part, rng))
    result = {
        "split": part,
        "n_windows": len(labels),
        "n_bound": int(labels.sum()),
        "threshold": card.threshold,
        "seed": card.seed,
        "epoch": card.epoch,
        **{key: to_dict(estimate) for key, estimate in metrics.items()},
        "calibration_error": calibration(labels, scores).error,
        "auroc_by_background": _by_background(data, indices, labels, scores, rng),
        **{key: audited[key] for key in _AUDITED},
        "data": {"path": str(data.path.resolve()), "codes_sha256": data.checksum},
        "trained_on_this_data": card.data.get("codes_sha256") == data.checksum,
        "versions": versions(),
    }
    _write_scores(run.scores(part), data, indices, labels, logits)
    write_json(run.metrics, result)
    return result


def _by_background(
    data: Dataset,
    indices: NDArray[np.int64],
    labels: NDArray[np.int64],
    scores: NDArray[np.float64],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """AUROC of all bound windows against the unbound ones of each kind, where there are several."""
    source = data.source[indices]
    kinds = [str(kind) for kind in np.unique(source[labels == 0]) if kind]
    if len(kinds) < 2:
        return {}
    found = {}
    for kind in kinds:
        mine = (labels == 1) | (source == kind)
        estimate = auroc_with_interval(labels[mine], scores[mine], rng)
        found[kind] = {**to_dict(estimate), "n_windows": int(mine.sum())}
    return found


def _write_scores(
    path: Path,
    data: Dataset,
    indices: NDArray[np.int64],
    labels: NDArray[np.int64],
    logits: NDArray[np.float64],
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "name": data.names(indices),
            "index": indices,
            "label": labels.astype(np.int8),
            "logit": logits,
            "probability": probabilities(logits),
        }
    )
    with replace_file(path) as temporary:
        pq.write_table(table, temporary)


def read_scores(out: Path, part: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels and logits that :func:`assess` wrote.

    Returns
    -------
    tuple of numpy.ndarray
        ``int64`` labels and ``float64`` logits, both of shape ``(window,)``.

    Raises
    ------
    InputError
        If the split was not scored, or the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = RunDir(out).scores(part)
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; score the split with 'wavebind evaluate {out} DATA --split "
            f"{part}'"
        )
    try:
        table = pq.read_table(path, columns=["label", "logit"])
        return (
            table.column("label").to_numpy().astype(np.int64),
            table.column("logit").to_numpy().astype(np.float64),
        )
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: is damaged ({error}); run 'wavebind evaluate' again") from error
