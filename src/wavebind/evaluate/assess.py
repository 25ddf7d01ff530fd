"""Scoring a run on a split: what ``metrics.json`` holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import replace_file
from wavebind.core.jsonfiles import write_json
from wavebind.core.settings import to_dict
from wavebind.core.versions import versions
from wavebind.datasets.audit import audit, to_plain
from wavebind.datasets.composition_scores import composition_classes, composition_numbers
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.identity import difference
from wavebind.datasets.leakage import SHARED_K, share_a_kmer
from wavebind.evaluate.known_factors import known_factors
from wavebind.metrics.binary import Estimate, auroc_with_interval, evaluate
from wavebind.metrics.reliability import calibration_error, calibration_floor
from wavebind.metrics.tasks import evaluate_classes, evaluate_numbers
from wavebind.models import ModelCard
from wavebind.models.prediction import load_run, predict_logits
from wavebind.models.results import EVALUATIONS, Result, place_of, require_same_options
from wavebind.models.shipped import copy_shipped
from wavebind.models.targets import one_target, some_names

__all__ = ["assess", "read_scores", "read_values"]

_AUDITED = (
    "best_shortcut",
    "shortcuts",
    "skipped",
    "kmers",
    "twins",
    "leakage",
    "n_seen",
    "verdict",
)


def assess(
    run: Path,
    data: Dataset,
    part: str = "test",
    *,
    output: str | None = None,
    device: str = "auto",
    force: bool = False,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Score a trained run on one split of a dataset.

    Writes ``metrics.json`` and ``scores.parquet`` (name, label, logit, probability; of a model of
    several outputs also ``label:NAME`` and so on) into ``evaluations/NAME-SPLIT`` of the run; see
    :mod:`wavebind.models.results`.

    Parameters
    ----------
    run : pathlib.Path
        The run directory.
    data : Dataset
    part : str
        ``train``, ``valid`` or ``test``.
    output : str, optional
        Of a model of several outputs, the one that stands first. Where the data have one label it
        is the only one, and can be a factor, the mean over its cells.
    device : str
    force : bool
        Whether an evaluation of the same windows with another `output` is replaced.
    progress : callable, optional
        Called with the number of windows done since the last call.

    Returns
    -------
    dict
        What ``metrics.json`` holds. Each metric has ``value``, ``low`` and ``high`` (95 %
        bootstrap over windows). Beside them stand the numbers of windows, the threshold chosen on
        valid, the split and the seed. The expected calibration error has its interval and the
        floor that right probabilities would have. Where there are several kinds of background,
        each has its AUROC. ``without_shared`` has every metric again without the windows that share
        a 40-mer with training windows, where there are any. The audit of these windows stands
        beside them: ``shortcuts``, ``best_shortcut``, ``skipped``, ``kmers``, ``twins``,
        ``leakage``, ``n_seen`` and ``verdict``. Of several outputs
        the same for each of them under ``outputs``. Of classes, under ``classes``, accuracy and
        macro F1 with intervals, those of composition alone, and the confusions; of numbers, under
        ``numbers``, correlations, explained variance and error, and those of composition alone:
        the other metrics are then of windows at or above the training median. Under
        ``known_factors`` what the bound windows look like to the package's model.

    Raises
    ------
    InputError
        If the run is not a trained one, the lengths or labels differ, or the split lacks a class.
        Also if the split is valid and the networks of a cross-fit were trained on it.
    """
    model, card = load_run(run, data, device)
    if output is not None and (len(data.outputs) == 1 or output not in card.model.outputs):
        model, card = one_target(model, card, output)
    names = _outputs(card.model.outputs, data, output)
    if card.model.task_name == "regression" and data.values is None:
        raise InputError(
            f"{data.path}: has no numbers, which {run} predicts; make it with 'wavebind dataset "
            f"--target COLUMN'"
        )
    data = _as_trained(data, card, part, run)
    copy_shipped(run)
    place = place_of(run, EVALUATIONS, data, part)
    require_same_options(place, EVALUATIONS, {"output": names[0]}, force)
    indices = data.indices(part)
    logits = predict_logits(model, data.codes, indices, progress=progress)
    columns: dict[str, Any] = {"name": data.names(indices), "index": indices}
    found: dict[str, dict[str, Any]] = {}
    n_outputs = len(card.model.outputs)
    predicted = card.all_probabilities(logits.reshape(len(indices), n_outputs).astype(np.float64))
    for name in names:
        j = card.output(name)
        # A model of one label among several says by its name which of them it is.
        view = data.of(name) if len(data.outputs) > 1 and name in data.outputs else data
        mine = logits if logits.ndim == 1 else logits[:, j]
        labels = view.labels[indices].astype(np.int64)
        scores = predicted[:, j]
        found[name] = _assess_one(view, part, labels, scores, card, j)
        for suffix in ("", f":{name}") if len(names) > 1 else ("",):
            if suffix or name == names[0]:
                columns[f"label{suffix}"] = labels.astype(np.int8)
                columns[f"logit{suffix}"] = mine
                columns[f"probability{suffix}"] = scores
    if data.values is not None:
        columns["value"] = data.values[indices]
    result = {
        **found[names[0]],
        "task": card.model.task_name,
        "quantity": card.quantity,
        "output": names[0],
        **_of_task(data, part, indices, predicted, card),
        "outputs": found if len(names) > 1 else {},
        "data": {**data.identity, "path": str(data.path.resolve())},
        "trained_on_this_data": not difference(card.data, data.identity),
        "difference": difference(card.data, data.identity),
        "known_factors": [to_dict(one) for one in known_factors(data, indices, columns["label"])],
        "versions": versions(),
    }
    _write_scores(place / "scores.parquet", columns)
    write_json(place / EVALUATIONS.marker, result)
    return result


def _as_trained(data: Dataset, card: ModelCard, part: str, run: Path) -> Dataset:
    """The set with the splits that the model saw: to a cross-fit valid is a part of train."""
    if card.data.get("codes_sha256") != data.checksum:
        return data
    splits = {"splits_sha256": data.identity["splits_sha256"]}
    other = difference(card.data, splits)
    if other:
        raise InputError(
            f"{run}: was trained on other splits of the windows of {data.path} ({other}), so that "
            f"it may know windows of {part}; score it with the splits it was trained with"
        )
    if not card.n_folds:
        return data
    if part == "valid":
        raise InputError(
            f"{run}: is a mean of networks that were trained on valid, too (crossfit); score it "
            f"on test. What they score on the windows that each held out was printed by train"
        )
    return replace(data, parts=np.where(data.parts == "valid", "train", data.parts))


def _outputs(outputs: tuple[str, ...], data: Dataset, wanted: str | None) -> tuple[str, ...]:
    """The outputs to score, the wanted one first."""
    if len(outputs) == 1:
        if wanted is not None and len(data.outputs) > 1 and outputs[0] not in data.outputs:
            raise InputError(
                f"{data.path}: has no label {outputs[0]!r}; it has {', '.join(data.outputs)}"
            )
        return outputs
    if len(data.outputs) == 1:
        raise InputError(
            f"{data.path}: has one label and the model {len(outputs)} outputs; choose one "
            f"with --target: {some_names(outputs)}"
        )
    missing = [name for name in outputs if name not in data.outputs]
    if missing:
        raise InputError(
            f"{data.path}: has no label {missing[0]!r}, which the model was trained on; it has "
            f"{', '.join(data.outputs)}"
        )
    first = wanted or outputs[0]
    return (first, *(name for name in outputs if name != first))


def _assess_one(
    data: Dataset,
    part: str,
    labels: NDArray[np.int64],
    scores: NDArray[np.float64],
    card: ModelCard,
    output: int,
) -> dict[str, Any]:
    """Metrics and audit of one output; labels of -1 are left out."""
    known = labels >= 0
    labels, scores = labels[known], scores[known]
    if not 0 < labels.sum() < len(labels):
        raise InputError(
            f"{data.path}: the {part} split has {int(labels.sum()):,} bound windows of "
            f"{len(labels):,}; metrics need both classes"
        )
    rng = np.random.default_rng(card.seed)
    # A stream of its own, so that the other intervals stay as they were.
    stream = np.random.default_rng(card.seed).spawn(2)[1]
    threshold = card.thresholds[output]
    probabilities = card.quantity == "probability"
    audited = to_plain(audit(data, part, rng))
    return {
        "split": part,
        "n_windows": len(labels),
        "n_bound": int(labels.sum()),
        "threshold": threshold,
        "seed": card.seed,
        "epoch": card.epoch,
        "n_folds": card.n_folds,
        **{k: to_dict(v) for k, v in evaluate(labels, scores, threshold, rng).items()},
        "calibration_error": to_dict(calibration_error(labels, scores, rng))
        if probabilities
        else None,
        # From a stream of its own, so that the intervals after it stay as they were.
        "calibration_floor": to_dict(calibration_floor(scores, rng.spawn(1)[0]))
        if probabilities
        else None,
        "without_shared": _without_shared(data, part, labels, scores, threshold, stream)
        if audited["leakage"] and audited["leakage"]["n_sharing"]
        else None,
        "auroc_by_background": _by_background(data, data.indices(part), labels, scores, rng),
        **{key: audited[key] for key in _AUDITED},
    }


def _without_shared(
    data: Dataset,
    part: str,
    labels: NDArray[np.int64],
    scores: NDArray[np.float64],
    threshold: float,
    rng: np.random.Generator,
) -> dict[str, Any] | None:
    """Every metric of the windows that share no long k-mer with a training window."""
    kept = ~share_a_kmer(data, part)
    if not 0 < labels[kept].sum() < kept.sum():
        return None
    return {
        "k": min(SHARED_K, data.length),
        "n_windows": int(kept.sum()),
        "n_bound": int(labels[kept].sum()),
        **_plain(evaluate(labels[kept], scores[kept], threshold, rng)),
    }


def _of_task(
    data: Dataset,
    part: str,
    indices: NDArray[np.int64],
    predicted: NDArray[np.float64],
    card: ModelCard,
) -> dict[str, Any]:
    """What ``metrics.json`` has of telling classes apart, and of predicting numbers."""
    found: dict[str, Any] = {"classes": None, "numbers": None}
    rng = np.random.default_rng(card.seed)
    task = card.model.task_name
    if task == "multiclass" and data.outputs == card.model.outputs:
        # The class with the highest probability is called.
        truth, called = data.targets[indices].argmax(axis=1), predicted.argmax(axis=1)
        n = len(data.outputs)
        table = np.bincount(truth * n + called, minlength=n * n).reshape(n, n)
        found["classes"] = {
            "names": list(data.outputs),
            **_plain(evaluate_classes(truth, called, n, rng)),
            "composition": _plain(composition_classes(data, part, rng)),
            "confusion": table.tolist(),
        }
    if task == "regression" and data.values is not None:
        found["numbers"] = {
            **_plain(evaluate_numbers(data.values[indices], predicted[:, 0], rng)),
            "composition": _plain(composition_numbers(data, part, rng)),
        }
    return found


def _plain(metrics: dict[str, Estimate]) -> dict[str, Any]:
    return {name: to_dict(value) for name, value in metrics.items()}


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


def _write_scores(path: Path, columns: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with replace_file(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def read_values(result: Result) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True and predicted numbers that :func:`assess` wrote, both ``float64``, ``(window,)``.

    Raises
    ------
    InputError
        If the split was not scored, or the file is damaged.
    """
    truth, predicted = _read_columns(result, ["value", "probability"])
    return truth.astype(np.float64), predicted.astype(np.float64)


def read_scores(result: Result) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels and probabilities that :func:`assess` wrote, of the output that stands first.

    Returns
    -------
    tuple of numpy.ndarray
        ``int64`` labels and ``float64`` probabilities, both of shape ``(window,)``; windows whose
        label is not known are left out.

    Raises
    ------
    InputError
        If the split was not scored, or the file is damaged.
    """
    labels, scores = _read_columns(result, ["label", "probability"])
    labels, scores = labels.astype(np.int64), scores.astype(np.float64)
    return labels[labels >= 0], scores[labels >= 0]


def _read_columns(result: Result, names: list[str]) -> list[NDArray[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = result.scores
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; score the split with 'wavebind evaluate {result.run} "
            f"{result.data} --split {result.split}'"
        )
    try:
        table = pq.read_table(path, columns=names)
        return [table.column(name).to_numpy() for name in names]
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{path}: is damaged ({error}); run 'wavebind evaluate' again") from error
