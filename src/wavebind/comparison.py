"""Many models on the same windows: trained, scored, compared, and kept in a folder.

Every model is trained on the train split in a process of its own and scored on valid, where its
calibration and its threshold come from, and on the split that is reported. A model that is finished
is not trained again.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wavebind.audit import audit, to_plain
from wavebind.baselines import Fitted, ModelSpec, make_rival
from wavebind.baselines.networks import Network
from wavebind.baselines.registry import AVERAGE
from wavebind.calibration import fit_calibration
from wavebind.contests import ECE, N_RESAMPLES, Contest, Scores, contest
from wavebind.dataset import Dataset, open_dataset
from wavebind.errors import InputError
from wavebind.evaluation import METRICS, best_threshold, ranking_metrics
from wavebind.isolation import run_isolated
from wavebind.jaspar import find_motif
from wavebind.provenance import versions
from wavebind.pwms import best_hits
from wavebind.rundir import read_json, write_json
from wavebind.settings import to_dict
from wavebind.textfiles import replace_file

__all__ = ["Comparison", "ComparisonConfig", "ComparisonMonitor", "compare", "read_comparison"]

FORMAT = 1
_MAX_BYTES = 2**32


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
    """

    models: tuple[ModelSpec, ...]
    seeds: tuple[int, ...] = (0,)
    part: str = "test"
    device: str = "auto"
    reference: str = ""
    train_bound: int | None = None

    def __post_init__(self) -> None:
        labels = [spec.label for spec in self.models]
        if not labels:
            raise InputError("name at least one model")
        twice = {label for label in labels if labels.count(label) > 1}
        if twice:
            raise InputError(f"model {sorted(twice)[0]!r} is named twice")
        if AVERAGE in labels and len(labels) < 3:
            raise InputError(f"{AVERAGE!r} is of the best two of the others: name two or more")
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


class ComparisonMonitor(Protocol):
    """Who wants to know how a comparison goes."""

    def model(self, label: str, seed: int, reused: bool) -> None:
        """Before a model is trained, or where it was trained before."""

    def message(self, kind: str, *content: Any) -> None:
        """What a training says; the kinds are the methods of ``TrainingMonitor``."""

    def resampling(self, total: int) -> None:
        """Before the windows are resampled `total` times."""

    def resampled(self, n: int) -> None:
        """After so many resamples more."""


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
    """

    label: str
    details: list[str]
    n_parameters: int
    n_windows: int
    seconds: float
    peak_memory: int
    valid_auroc: float
    scores: list[Scores]


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes
    ----------
    entries : list of Entry
        In the order of the models asked for.
    contests : dict
        :class:`Contest` by label.
    reference : str
        The model that the others are compared with.
    labels : numpy.ndarray
        ``int8``, shape ``(window,)``.
    audit : dict
        Shortcuts on the same windows.
    alone : dict
        By label: how many windows only this model calls rightly, and wrongly.
    settings : dict
    """

    entries: list[Entry]
    contests: dict[str, Contest]
    reference: str
    labels: NDArray[np.int8]
    audit: dict[str, Any]
    alone: dict[str, dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)


class _Relay:
    """A training monitor whose words go to another process."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say

    def said(self, text: str) -> None:
        self._say("said", text)

    def caching(self, n_windows: int, n_bytes: int) -> None:
        self._say("caching", n_windows, n_bytes)

    def cached(self, n_windows: int) -> None:
        self._say("cached", n_windows)

    def start(self, n_weights: int, first_epoch: int, epochs: int, steps: int) -> None:
        self._say("start", n_weights, first_epoch, epochs, steps)

    def step(self) -> None:
        self._say("step")

    def epoch(self, report: Any) -> None:
        self._say("epoch", report)


def _fit_and_score(
    path: Path,
    spec: ModelSpec,
    folder: Path,
    seed: int,
    device: str,
    train_bound: int | None,
    say: Callable[..., None],
) -> tuple[Fitted, dict[str, NDArray[np.float64]]]:
    """Runs in a process of its own."""
    data = open_dataset(path)
    if train_bound is not None:
        data = data.with_fewer(train_bound, np.random.default_rng(seed))
    rival = make_rival(spec, device)
    fitted = rival.fit(data, folder, seed, _Relay(say))
    scores = {}
    for part in ("valid", "test"):
        if (data.parts == part).any():
            scores[part] = rival.predict(np.asarray(data.codes[data.indices(part)]))
    return fitted, scores


def compare(
    data: Dataset,
    out: Path,
    config: ComparisonConfig,
    monitor: ComparisonMonitor | None = None,
) -> Comparison:
    """Train and score every model; write the comparison.

    Leaves in the folder ``comparison.json``, ``comparison.tsv`` (one line a model),
    ``windows.parquet`` (every window with every model's probability) and ``models/`` with what
    each model left behind.

    Parameters
    ----------
    data : Dataset
        Its folder is opened again by the processes.
    out : pathlib.Path
        A comparison that was begun here is continued.
    config : ComparisonConfig
    monitor : ComparisonMonitor, optional

    Raises
    ------
    InputError
        If the folder holds something else, or a model cannot be trained; what is finished is
        kept.
    """
    if len(data.outputs) > 1:
        raise InputError(
            f"{data.path}: has several labels ({', '.join(data.outputs)}); a comparison is of one"
        )
    _open_folder(out, data)
    entries = []
    for spec in config.models:
        if spec.label != AVERAGE:
            entries.append(_entry(data, out, spec, config, monitor))
    if any(spec.label == AVERAGE for spec in config.models):
        entries.append(_average(data, out, entries, config))
    order = [spec.label for spec in config.models]
    entries.sort(key=lambda entry: order.index(entry.label))
    indices = data.indices(config.part)
    labels = data.labels[indices]
    reference = config.reference or max(entries, key=lambda entry: entry.valid_auroc).label
    if monitor:
        monitor.resampling(N_RESAMPLES)
    contests = contest(
        labels,
        {entry.label: entry.scores for entry in entries},
        reference,
        np.random.default_rng(0),
        progress=monitor.resampled if monitor else None,
    )
    found = Comparison(
        entries=entries,
        contests=contests,
        reference=reference,
        labels=labels,
        audit=to_plain(audit(data, config.part, np.random.default_rng(0))),
        alone=_alone(data, indices, entries),
        settings={
            "part": config.part,
            "seeds": list(config.seeds),
            "train_bound": config.train_bound,
            "models": [asdict(spec) for spec in config.models],
            "data": {"path": str(data.path.resolve()), "codes_sha256": data.checksum},
            "versions": versions(),
        },
    )
    _write(out, found, data.names(indices))
    return found


def _open_folder(out: Path, data: Dataset) -> None:
    marker = out / "compare.json"
    if out.exists():
        if not marker.is_file():
            if not out.is_dir() or any(out.iterdir()):
                raise InputError(f"{out}: is there and is not a comparison; choose another --out")
        elif read_json(marker).get("codes_sha256") != data.checksum:
            raise InputError(
                f"{out}: holds a comparison on other data than {data.path}; choose another --out"
            )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made ({error.strerror or error})") from error
    write_json(marker, {"format": FORMAT, "codes_sha256": data.checksum})


def _seeds(spec: ModelSpec, config: ComparisonConfig) -> tuple[int, ...]:
    """The seeds that make a difference to a model."""
    seeded = make_rival(spec).seeded or config.train_bound is not None
    return config.seeds if seeded else (0,)


def _key(spec: ModelSpec, seed: int, train_bound: int | None) -> str:
    """A name for a folder, of all that the model depends on beside the data."""
    rival = make_rival(spec)
    settings: dict[str, Any] = {"format": FORMAT, "spec": asdict(spec), "seed": seed}
    settings["train_bound"] = train_bound
    if isinstance(rival, Network):
        settings["recipe"] = to_dict(rival.recipe)
        settings["training"] = to_dict(rival.config)
    text = json.dumps(settings, sort_keys=True)
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in spec.label)[:60]
    return f"{safe}_{seed}_{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def _entry(
    data: Dataset,
    out: Path,
    spec: ModelSpec,
    config: ComparisonConfig,
    monitor: ComparisonMonitor | None,
) -> Entry:
    """Every seed of one model."""
    cards, scores, valid = [], [], []
    for seed in _seeds(spec, config):
        folder = out / "models" / _key(spec, seed, config.train_bound)
        done = folder / "fit.json"
        if monitor:
            monitor.model(spec.label, seed, done.is_file())
        if not done.is_file():
            _train(data, spec, folder, seed, config, monitor)
        card = read_json(done)
        stored = _read_scores(folder / "scores.npz", data)
        cards.append(card)
        valid.append(ranking_metrics(data.labels[data.indices("valid")], stored["valid"])[0])
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
    )


def _train(
    data: Dataset,
    spec: ModelSpec,
    folder: Path,
    seed: int,
    config: ComparisonConfig,
    monitor: ComparisonMonitor | None,
) -> None:
    # A network that was interrupted continues from its checkpoint, so the folder may be there.
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (fitted, scores), cost = run_isolated(
            _fit_and_score,
            (data.path.resolve(), spec, folder, seed, config.device, config.train_bound),
            monitor.message if monitor else lambda *_: None,
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
        if scores.shape != (len(data.indices(part)),) or not np.isfinite(scores).all():
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


def _average(data: Dataset, out: Path, entries: list[Entry], config: ComparisonConfig) -> Entry:
    """The mean of the calibrated logits of the two best on valid, seed by seed."""
    best = sorted(entries, key=lambda entry: -entry.valid_auroc)[:2]
    n_seeds = max(len(entry.scores) for entry in best)
    labels = data.labels[data.indices("valid")]
    scores, valid = [], []
    for i in range(n_seeds):
        held = np.zeros(len(labels))
        reported = np.zeros(len(data.indices(config.part)))
        for entry in best:
            spec = next(s for s in config.models if s.label == entry.label)
            j = i % len(entry.scores)
            key = _key(spec, _seeds(spec, config)[j], config.train_bound)
            stored = _read_scores(out / "models" / key / "scores.npz", data)
            line = entry.scores[j].calibration
            held += (line.slope * stored["valid"] + line.intercept) / 2
            reported += (line.slope * stored[config.part] + line.intercept) / 2
        valid.append(ranking_metrics(labels, held)[0])
        scores.append(_calibrated(data, {"valid": held, config.part: reported}, config.part))
    return Entry(
        label=AVERAGE,
        details=[f"{best[0].label} and {best[1].label}"] * n_seeds,
        n_parameters=sum(entry.n_parameters for entry in best),
        n_windows=max(entry.n_windows for entry in best),
        seconds=sum(entry.seconds for entry in best),
        peak_memory=max(entry.peak_memory for entry in best),
        valid_auroc=float(np.mean(valid)),
        scores=scores,
    )


def _alone(
    data: Dataset, indices: NDArray[np.int64], entries: Sequence[Entry]
) -> dict[str, dict[str, Any]]:
    """Windows that only one model calls rightly, or wrongly, with their motif scores.

    Calls are those of the first seed. The motif is the one of JASPAR that a matrix among the
    models has settled on, if there is one.
    """
    members = [entry for entry in entries if entry.label != AVERAGE]
    labels = data.labels[indices] == 1
    right = np.stack([entry.scores[0].calls == labels for entry in members])
    motif = next(
        (e.details[0].split()[0] for e in members if e.label.split(":")[0] == "jaspar"), ""
    )
    bits = None
    if motif:
        codes = np.asarray(data.codes[indices])
        bits = best_hits(codes, [find_motif(motif)]).score[:, 0]
    n_right = right.sum(axis=0)
    found: dict[str, dict[str, Any]] = {}
    if len(members) < 2:
        return found
    for entry, mine in zip(members, right, strict=True):
        row: dict[str, Any] = {}
        for name, chosen in (
            ("right", mine & (n_right == 1)),
            ("wrong", ~mine & (n_right == len(members) - 1)),
        ):
            for kind, windows in (("bound", chosen & labels), ("unbound", chosen & ~labels)):
                row[f"{name}_{kind}"] = int(windows.sum())
                if bits is not None and windows.any():
                    row[f"{name}_{kind}_bits"] = float(np.median(bits[windows]))
        found[entry.label] = row
    if bits is not None:
        found["all"] = {
            "motif": motif,
            "bound_bits": float(np.median(bits[labels])),
            "unbound_bits": float(np.median(bits[~labels])),
            "none_right_bound": int(((n_right == 0) & labels).sum()),
            "none_right_unbound": int(((n_right == 0) & ~labels).sum()),
        }
    return found


def _write(out: Path, found: Comparison, names: list[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {"name": names, "label": found.labels}
    for entry in found.entries:
        for i, scores in enumerate(entry.scores):
            suffix = f":{i}" if len(entry.scores) > 1 else ""
            columns[f"{entry.label}{suffix}"] = scores.probabilities
            columns[f"{entry.label}{suffix}:call"] = scores.calls
    with replace_file(out / "windows.parquet") as temporary:
        pq.write_table(pa.table(columns), temporary)
    with replace_file(out / "comparison.tsv") as temporary:
        temporary.write_text("\n".join(table_rows(found)) + "\n", encoding="utf-8")
    write_json(out / "comparison.json", to_json(found))


def table_rows(found: Comparison) -> list[str]:
    """One line a model, tab-separated, after a line of names."""
    names = (*METRICS, ECE)
    header = ["model", "seeds", "windows", "parameters", "seconds", "peak_mb", "valid_auroc"]
    for metric in names:
        header += [metric, f"{metric}_low", f"{metric}_high"]
    for metric in ("auroc", "auprc"):
        header += [f"behind_{metric}", f"behind_{metric}_low", f"behind_{metric}_high"]
    rows = ["\t".join([*header, "details"])]
    for entry in found.entries:
        result = found.contests[entry.label]
        cells = [entry.label, str(len(entry.scores)), str(entry.n_windows)]
        cells += [str(entry.n_parameters), f"{entry.seconds:.1f}"]
        cells += [f"{entry.peak_memory / 1e6:.0f}", f"{entry.valid_auroc:.6f}"]
        for metric in names:
            e = result.metrics[metric]
            cells += [f"{x:.6f}" for x in (e.value, e.low, e.high)]
        for metric in ("auroc", "auprc"):
            e = result.behind[metric]
            cells += [f"{x:.6f}" for x in (e.value, e.low, e.high)]
        rows.append("\t".join([*cells, entry.details[0]]))
    return rows


def to_json(found: Comparison) -> dict[str, Any]:
    """A comparison as plain data, without the scores of windows."""
    return {
        "format": FORMAT,
        **found.settings,
        "reference": found.reference,
        "n_windows": len(found.labels),
        "n_bound": int((found.labels == 1).sum()),
        "audit": found.audit,
        "alone": found.alone,
        "models_found": [
            {
                "label": entry.label,
                "details": entry.details,
                "n_parameters": entry.n_parameters,
                "n_windows": entry.n_windows,
                "seconds": entry.seconds,
                "peak_memory": entry.peak_memory,
                "valid_auroc": entry.valid_auroc,
                "thresholds": [s.threshold for s in entry.scores],
                "metrics": {k: asdict(v) for k, v in found.contests[entry.label].metrics.items()},
                "by_seed": found.contests[entry.label].seeds,
                "behind": {k: asdict(v) for k, v in found.contests[entry.label].behind.items()},
            }
            for entry in found.entries
        ],
    }


def read_comparison(out: Path) -> dict[str, Any]:
    """``comparison.json`` of a folder.

    Raises
    ------
    InputError
        If there is none.
    """
    if not (out / "comparison.json").is_file():
        raise InputError(f"{out}: has no comparison.json; make it with 'wavebind compare'")
    found: dict[str, Any] = read_json(out / "comparison.json")
    return found
