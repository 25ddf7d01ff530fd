"""Many datasets by many models: every run on one line, ranks, and tests across datasets."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.files import replace_file
from wavebind.core.jsonfiles import write_json
from wavebind.datasets.dataset import Dataset
from wavebind.evaluate.baselines import ModelSpec
from wavebind.evaluate.compare import Comparison, compare
from wavebind.evaluate.compare_runs import ComparisonConfig, DatasetLocation, Entry
from wavebind.evaluate.ranking import Ranking, rank_models
from wavebind.metrics.binary import METRICS, Estimate, evaluate

__all__ = [
    "Benchmark",
    "BenchmarkConfig",
    "BenchmarkDataset",
    "benchmark",
    "benchmark_datasets",
    "folder_of",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BenchmarkConfig:
    """What is run.

    Attributes
    ----------
    models : tuple of ModelSpec
    seeds : tuple of int
    part : str
        ``test``, or ``valid`` while one is still choosing.
    cross : bool
        Whether every model is scored on the test windows of every other dataset, too.
    device : str
    reference : str
        The model that the others are compared with in pairs; empty for the best on valid of each
        dataset.
    train_bound : int or None
        Train on so many bound windows of every dataset; None for all there are.
    """

    models: tuple[ModelSpec, ...]
    seeds: tuple[int, ...] = (0,)
    part: str = "test"
    cross: bool = False
    device: str = "auto"
    reference: str = ""
    train_bound: int | None = None

    def __post_init__(self) -> None:
        # Names, seeds and the split are looked at before the first dataset is opened.
        self.comparison()
        if self.cross and self.part != "test":
            raise InputError("tests across datasets are of test windows; leave out --split")

    def comparison(self, others: tuple[tuple[str, DatasetLocation], ...] = ()) -> ComparisonConfig:
        """The comparison on one dataset, whose models score the `others`, too."""
        return ComparisonConfig(
            self.models,
            self.seeds,
            self.part,
            self.device,
            self.reference,
            self.train_bound,
            others if self.cross else (),
        )


@dataclass(frozen=True)
class BenchmarkDataset:
    """A dataset, or one label of one that has several.

    Attributes
    ----------
    name : str
        What it is called in tables.
    data : Dataset
        With one label.
    location : DatasetLocation
    """

    name: str
    data: Dataset
    location: DatasetLocation


@dataclass(frozen=True)
class Benchmark:
    """What was found.

    Attributes
    ----------
    names : list of str
        Of the datasets.
    comparisons : dict
        :class:`Comparison` by the name of the dataset.
    rows : list of dict
        One a run: what ``runs.parquet`` holds.
    ranking : Ranking
        By AUROC.
    cross : dict
        By model, then by the names of the datasets that it was trained and tested on: AUROC, the
        mean over seeds, as :class:`Estimate`.
    shared : dict
        By the same two names: how many test windows overlap training windows of the other set.
    """

    names: list[str]
    comparisons: dict[str, Comparison]
    rows: list[dict[str, Any]]
    ranking: Ranking
    cross: dict[str, dict[tuple[str, str], Estimate]] = field(default_factory=dict)
    shared: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def models(self) -> list[str]:
        """Labels of the models, in the order in which they were asked for."""
        return [entry.label for entry in next(iter(self.comparisons.values())).entries]


def benchmark_datasets(name: str, data: Dataset) -> list[BenchmarkDataset]:
    """The datasets that a dataset makes: itself, or one a label."""
    path = data.path.resolve()
    if len(data.outputs) == 1:
        return [BenchmarkDataset(name, data, DatasetLocation(path))]
    return [
        BenchmarkDataset(label, data.only(label), DatasetLocation(path, label))
        for label in data.outputs
    ]


def benchmark(
    datasets: Sequence[BenchmarkDataset],
    out: Path,
    config: BenchmarkConfig,
    on_event: OnEvent = ignore,
) -> Benchmark:
    """Compare models on every dataset.

    Leaves in the folder ``runs.parquet``, a line a run, ``benchmark.json``, and a folder for each
    dataset, which is that of a comparison. One that was begun here is continued; no finished run
    is made again.

    Parameters
    ----------
    datasets : sequence of BenchmarkDataset
    out : pathlib.Path
    config : BenchmarkConfig
    on_event : callable
        Takes what happens; see :mod:`wavebind.core.events`.

    Raises
    ------
    InputError
        If two datasets have one name, windows of tests across datasets differ in length, or a
        model cannot be trained.
    """
    names = [c.name for c in datasets]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two datasets are called {twice[0]!r}; rename the folder of one")
    if not names:
        raise InputError("name at least one dataset")
    lengths = {c.data.length for c in datasets}
    if config.cross and len(lengths) > 1:
        raise InputError(
            f"tests across datasets need windows of one length; found "
            f"{', '.join(f'{n} bp' for n in sorted(lengths))}"
        )
    out.mkdir(parents=True, exist_ok=True)
    comparisons = {}
    for number, one in enumerate(datasets, 1):
        on_event(Message(f"dataset {one.name}, {number} of {len(names)}"))
        others = tuple((c.name, c.location) for c in datasets if c is not one)
        comparisons[one.name] = compare(
            one.data,
            out / folder_of(one.name),
            config.comparison(others),
            on_event,
        )
    shared = {}
    if config.cross:
        for a, b in itertools.permutations(datasets, 2):
            shared[a.name, b.name] = _n_shared(a.data, b.data)
    rows, cross = _rows(datasets, comparisons, shared, config)
    found = Benchmark(
        names,
        comparisons,
        rows,
        rank_models(
            {
                name: {
                    e.label: found.results[e.label].metrics["auroc"].value for e in found.entries
                }
                for name, found in comparisons.items()
            }
        ),
        cross,
        shared,
    )
    _write(out, found, config)
    return found


def folder_of(name: str) -> str:
    """The folder of a dataset within that of the benchmark."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)[:80].lstrip(".") or "_"


def _n_shared(trained: Dataset, tested: Dataset) -> int:
    """Test windows of one set that overlap a training window of another, where places are known."""
    train, test = trained.indices("train"), tested.indices("test")
    n = 0
    for chrom in np.intersect1d(trained.chrom[train], tested.chrom[test]):
        if not chrom:
            continue
        mine = train[(trained.chrom[train] == chrom) & (trained.start[train] >= 0)]
        theirs = test[(tested.chrom[test] == chrom) & (tested.start[test] >= 0)]
        starts, ends = np.sort(trained.start[mine]), np.sort(trained.end[mine])
        # Windows that begin before the end, less those that end before the start.
        before = np.searchsorted(starts, tested.end[theirs], side="left")
        gone = np.searchsorted(ends, tested.start[theirs], side="right")
        n += int(np.sum(before > gone))
    return n


def _rows(
    datasets: Sequence[BenchmarkDataset],
    comparisons: Mapping[str, Comparison],
    shared: Mapping[tuple[str, str], int],
    config: BenchmarkConfig,
) -> tuple[list[dict[str, Any]], dict[str, dict[tuple[str, str], Estimate]]]:
    rows: list[dict[str, Any]] = []
    cross: dict[str, dict[tuple[str, str], Estimate]] = {}
    by_name = {c.name: c.data for c in datasets}
    for name, found in comparisons.items():
        for entry in found.entries:
            at_home = cross.setdefault(entry.label, {})
            at_home[name, name] = found.results[entry.label].metrics["auroc"]
            for i, scores in enumerate(entry.scores):
                metrics = evaluate(
                    found.labels,
                    scores.probabilities,
                    scores.threshold,
                    np.random.default_rng(0),
                )
                rows.append(_row(name, name, config.part, entry, i, metrics, found, found.labels))
            for other, arrays in entry.elsewhere.items():
                data = by_name[other]
                labels = data.labels[data.indices("test")]
                if any(len(array) != len(labels) for array in arrays):
                    raise InputError(
                        f"{data.path}: has changed since {entry.label} was scored on it; choose "
                        f"another --out"
                    )
                each = []
                for i, array in enumerate(arrays):
                    line, threshold = entry.scores[i].calibration, entry.scores[i].threshold
                    metrics = evaluate(
                        labels, line.probabilities(array), threshold, np.random.default_rng(0)
                    )
                    each.append(metrics["auroc"])
                    row = _row(name, other, "test", entry, i, metrics, comparisons[other], labels)
                    rows.append({**row, "overlapping_train": shared[name, other]})
                at_home[name, other] = Estimate(
                    *(
                        float(np.mean([getattr(e, k) for e in each]))
                        for k in ("value", "low", "high")
                    )
                )
    return rows, cross if config.cross else {}


def _row(
    trained: str,
    tested: str,
    part: str,
    entry: Entry,
    i: int,
    metrics: Mapping[str, Estimate],
    audited: Comparison,
    labels: NDArray[np.int8],
) -> dict[str, Any]:
    best = audited.audit["best_shortcut"]
    row: dict[str, Any] = {
        "trained_on": trained,
        "tested_on": tested,
        "split": part,
        "model": entry.label,
        "seed": entry.seeds[i],
        "windows": len(labels),
        "bound": int((labels == 1).sum()),
    }
    for metric in METRICS:
        e = metrics[metric]
        row |= {metric: e.value, f"{metric}_low": e.low, f"{metric}_high": e.high}
    return row | {
        "valid_auroc": entry.valid_auroc,
        "shortcut": str(best["name"]),
        "shortcut_auroc": float(best["value"]),
        "shortcut_low": float(best["low"]),
        "shortcut_high": float(best["high"]),
        "overlapping_train": 0,
        "seconds": float(entry.costs[i]["seconds"]),
        "peak_memory": int(entry.costs[i]["peak_memory"]),
        "parameters": entry.n_parameters,
        "training_windows": entry.n_windows,
        "details": entry.details[i],
    }


def _write(out: Path, found: Benchmark, config: BenchmarkConfig) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with replace_file(out / "runs.parquet") as temporary:
        pq.write_table(pa.Table.from_pylist(found.rows), temporary)
    ranking = found.ranking
    write_json(
        out / "benchmark.json",
        {
            "datasets": found.names,
            "models": [spec.label for spec in config.models],
            "seeds": list(config.seeds),
            "split": config.part,
            "train_bound": config.train_bound,
            "reference": {name: one.reference for name, one in found.comparisons.items()},
            "ranking": {
                "models": ranking.models,
                "ranks": ranking.ranks.tolist(),
                "critical_difference": _or_none(ranking.critical_difference),
                "friedman_p": _or_none(ranking.p_value),
            },
        },
    )


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
