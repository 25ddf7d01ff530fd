"""The models of a comparison, each trained in a process of its own and scored.

A model is scored on valid, where its calibration and its threshold come from, and on test. Where
it is asked for, it is scored on the test splits of other datasets too. One that is finished is not
trained again.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.files import replace_file
from wavebind.core.jsonfiles import read_json, write_json
from wavebind.core.processes import run_isolated
from wavebind.core.settings import to_dict
from wavebind.core.versions import versions
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.evaluate.baselines import Fitted, ModelSpec, make_baseline
from wavebind.evaluate.baselines.networks import Network
from wavebind.metrics.binary import best_threshold, ranking_metrics
from wavebind.metrics.paired import Scores
from wavebind.metrics.platt import fit_calibration

__all__ = [
    "FORMAT",
    "ComparisonConfig",
    "DatasetLocation",
    "Entry",
    "fit_entry",
    "run_key",
]

FORMAT = 1
_MAX_BYTES = 2**32
#: What the names of scores of another dataset begin with.
_ELSEWHERE = "on:"


@dataclass(frozen=True)
class DatasetLocation:
    """Where the windows of a dataset, or of one of its labels, are.

    Attributes
    ----------
    path : pathlib.Path
    output : str
        One of several labels; empty where there is one.
    """

    path: Path
    output: str = ""

    def open(self) -> Dataset:
        """The windows with that one label."""
        data = open_dataset(self.path)
        return data.only(self.output) if self.output else data


@dataclass(frozen=True)
class ComparisonConfig:
    """What is compared.

    Attributes
    ----------
    models : tuple of ModelSpec
    seeds : tuple of int
        Models that depend on a seed are trained with each; their metrics are averaged.
    part : str
        The split that is reported: ``test``, or ``valid`` while one is still choosing.
    device : str
        Of networks.
    reference : str
        The model that the others are compared with; empty for the best on valid.
    train_bound : int or None
        Train on so many bound windows, and unbound ones in proportion, drawn anew for each seed;
        None for all there are.
    others : tuple
        Names and :class:`DatasetLocation` of further datasets, whose test windows every model
        scores, too.
    """

    models: tuple[ModelSpec, ...]
    seeds: tuple[int, ...] = (0,)
    part: str = "test"
    device: str = "auto"
    reference: str = ""
    train_bound: int | None = None
    others: tuple[tuple[str, DatasetLocation], ...] = ()

    def __post_init__(self) -> None:
        labels = [spec.label for spec in self.models]
        if not labels:
            raise InputError("name at least one model")
        twice = {label for label in labels if labels.count(label) > 1}
        if twice:
            raise InputError(f"model {sorted(twice)[0]!r} is named twice")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise InputError(f"seeds are different numbers of 0 or more; found {self.seeds}")
        if self.train_bound is not None and self.train_bound < 2:
            raise InputError(
                f"2 bound training windows or more are needed; found {self.train_bound}"
            )
        if self.part not in ("test", "valid"):
            raise InputError(f"a comparison is of test or valid; found {self.part!r}")
        if self.reference and self.reference not in labels:
            raise InputError(
                f"the reference {self.reference!r} is not among the models: {', '.join(labels)}"
            )


@dataclass(frozen=True)
class Entry:
    """One model of a comparison, fitted.

    Attributes
    ----------
    label : str
    details : list of str
        What each seed's model turned out to be.
    n_parameters, n_windows : int
    seconds : float
        Median over seeds, of fitting and scoring both splits.
    peak_memory : int
        Largest over seeds, bytes.
    valid_auroc : float
        Mean over seeds.
    scores : list of Scores
        On the reported split, one a seed.
    valid_scores : list of numpy.ndarray
        On valid, ``float64``, shape ``(window,)``, one a seed.
    seeds : list of int
        The seeds that were trained.
    costs : list of dict
        Seconds, peak memory and more of each seed's run.
    elsewhere : dict
        By the name of another dataset: scores of its test windows, one array a seed.
    """

    label: str
    details: list[str]
    n_parameters: int
    n_windows: int
    seconds: float
    peak_memory: int
    valid_auroc: float
    scores: list[Scores]
    valid_scores: list[NDArray[np.float64]]
    seeds: list[int] = field(default_factory=list)
    costs: list[dict[str, Any]] = field(default_factory=list)
    elsewhere: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)


def _fit_and_score(
    location: DatasetLocation,
    spec: ModelSpec,
    folder: Path,
    seed: int,
    device: str,
    train_bound: int | None,
    others: tuple[tuple[str, DatasetLocation], ...],
    say: Callable[..., None],
) -> tuple[Fitted, dict[str, NDArray[np.float64]]]:
    """Runs in a process of its own."""
    data = location.open()
    if train_bound is not None:
        data = data.with_fewer(train_bound, np.random.default_rng(seed))
    baseline = make_baseline(spec, device)
    fitted = baseline.fit(data, folder, seed, say)
    scores = {}
    for part in ("valid", "test"):
        if (data.parts == part).any():
            scores[part] = baseline.predict(np.asarray(data.codes[data.indices(part)]))
    for name, where in others:
        other = where.open()
        scores[_ELSEWHERE + name] = baseline.predict(np.asarray(other.codes[other.indices("test")]))
    return fitted, scores


def _seeds(spec: ModelSpec, config: ComparisonConfig) -> tuple[int, ...]:
    """The seeds that make a difference to a model."""
    seeded = make_baseline(spec).seeded or config.train_bound is not None
    return config.seeds if seeded else (0,)


def run_key(spec: ModelSpec, seed: int, train_bound: int | None = None) -> str:
    """A name for a folder, of all that the model depends on beside the data."""
    baseline = make_baseline(spec)
    settings: dict[str, Any] = {"format": FORMAT, "spec": asdict(spec), "seed": seed}
    settings["train_bound"] = train_bound
    if isinstance(baseline, Network):
        # What is said about a recipe changes no model.
        words = ("about", "source")
        recipe = to_dict(baseline.recipe)
        settings["recipe"] = {k: v for k, v in recipe.items() if k not in words}
        settings["training"] = baseline.described()
    text = json.dumps(settings, sort_keys=True)
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in spec.label)[:60]
    return f"{safe}_{seed}_{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def fit_entry(
    data: Dataset,
    out: Path,
    spec: ModelSpec,
    config: ComparisonConfig,
    on_event: OnEvent = ignore,
) -> Entry:
    """Every seed of one model, trained or read.

    Parameters
    ----------
    data : Dataset
        With one label; its folder is opened again by the processes.
    out : pathlib.Path
        The folder of the comparison.
    spec : ModelSpec
    config : ComparisonConfig
    on_event : callable
        Takes what happens; see :mod:`wavebind.core.events`.

    Raises
    ------
    InputError
        If it cannot be trained, or what is stored is damaged.
    """
    cards, scores, valid, valid_scores = [], [], [], []
    elsewhere: dict[str, list[NDArray[np.float64]]] = {name: [] for name, _ in config.others}
    wanted = {_ELSEWHERE + name for name in elsewhere}
    for seed in _seeds(spec, config):
        folder = out / "models" / run_key(spec, seed, config.train_bound)
        done = folder / "fit.json"
        # Of a run before, scores of a dataset that has come in since are missing.
        whole = done.is_file() and wanted <= set(_read_scores(folder / "scores.npz", data))
        on_event(Message(f"{spec.label}, seed {seed}: {'scored before' if whole else 'training'}"))
        if not whole:
            _train(data, spec, folder, seed, config, on_event)
        card = read_json(done)
        stored = _read_scores(folder / "scores.npz", data)
        for name, found in elsewhere.items():
            found.append(stored[_ELSEWHERE + name])
        cards.append(card)
        valid.append(ranking_metrics(data.labels[data.indices("valid")], stored["valid"])[0])
        valid_scores.append(stored["valid"])
        scores.append(_calibrated(data, stored, config.part))
    return Entry(
        label=spec.label,
        details=[str(card["details"]) for card in cards],
        n_parameters=int(cards[0]["n_parameters"]),
        n_windows=int(cards[0]["n_windows"]),
        seconds=float(np.median([card["seconds"] for card in cards])),
        peak_memory=max(int(card["peak_memory"]) for card in cards),
        valid_auroc=float(np.mean(valid)),
        scores=scores,
        valid_scores=valid_scores,
        seeds=list(_seeds(spec, config)),
        costs=[{name: card[name] for name in ("seconds", "peak_memory")} for card in cards],
        elsewhere=elsewhere,
    )


def _train(
    data: Dataset,
    spec: ModelSpec,
    folder: Path,
    seed: int,
    config: ComparisonConfig,
    on_event: OnEvent,
) -> None:
    # A network that was interrupted continues from its checkpoint, so the folder may be there.
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (fitted, scores), cost = run_isolated(
            _fit_and_score,
            (
                _location(data),
                spec,
                folder,
                seed,
                config.device,
                config.train_bound,
                config.others,
            ),
            on_event,
        )
    except InputError as error:
        raise InputError(f"model {spec.label}, seed {seed}: {error}") from error
    with replace_file(folder / "scores.npz") as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **scores)
    write_json(
        folder / "fit.json",
        {**asdict(fitted), **asdict(cost), "spec": asdict(spec), "seed": seed,
         "versions": versions()},
    )  # fmt: skip


def _location(data: Dataset) -> DatasetLocation:
    named = len(data.description.get("outputs", [])) > 1
    return DatasetLocation(data.path.resolve(), data.outputs[0] if named else "")


def _read_scores(path: Path, data: Dataset) -> dict[str, NDArray[np.float64]]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}: is too large to be scores")
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = {name: file[name].astype(np.float64) for name in file.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path}: is damaged ({error}); remove its folder and compare again"
        ) from error
    for part, scores in found.items():
        # How many windows another dataset has is checked where they are scored.
        n = len(scores) if part.startswith(_ELSEWHERE) else len(data.indices(part))
        if scores.shape != (n,) or not np.isfinite(scores).all():
            raise InputError(
                f"{path}: does not hold a finite score for every window of {part}; remove its "
                f"folder and compare again"
            )
    return found


def _calibrated(data: Dataset, stored: dict[str, NDArray[np.float64]], part: str) -> Scores:
    """Scores of a split with the calibration and the threshold that valid gives."""
    labels = data.labels[data.indices("valid")]
    line = fit_calibration(labels, stored["valid"])
    threshold = best_threshold(labels, line.probabilities(stored["valid"]))
    return Scores(stored[part], line, threshold)
