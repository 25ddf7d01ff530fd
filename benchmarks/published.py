"""The field's benchmarks: what models reach on them, and what shortcuts do.

Makes a dataset of each set (five of GUE, five of FastSK, as they are handed out), trains models
with ``wavebind compare``, and writes one page: every figure with its interval, beside shortcuts
and published figures, and without the test windows that share a 31-mer with train. Models that
begin with trained weights (a name behind a colon that is not ``none``) are measured on the test
windows that those have not seen, beside all others on the same windows. What is finished is kept.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import wavebind as wb
from published_page import GUE, PUBLISHED, SHARED_K, figure, write_pages
from wavebind.cli.console import TerminalProgress
from wavebind.core.events import OnEvent
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.datasets.leakage import share_a_kmer
from wavebind.datasets.seen import find_seen
from wavebind.datasets.twins import find_twins, twin_calls
from wavebind.evaluate.compare_runs import Entry
from wavebind.genome.composition import dinucleotide_frequencies
from wavebind.metrics.paired import Scores, compare_paired
from wavebind.metrics.platt import fit_calibration

#: Of the probabilities that were calibrated on dev. Classes are of one size in all sets, and on
#: halves of dev it gave an MCC 0.008 above the threshold with the largest MCC on the other half.
THRESHOLD = 0.5
_N_RESAMPLES = 1000


def made(folder: Path, name: str, out: Path, on_event: OnEvent) -> Dataset:
    """The dataset of a set, made once."""
    if not (out / "audit.json").is_file():
        if name in GUE:
            train, valid, test = (
                folder / "gue" / f"{name}_{part}.csv.gz" for part in ("train", "dev", "test")
            )
        else:
            train, valid = folder / "fastsk" / f"{name}.train.fasta.gz", None
            test = folder / "fastsk" / f"{name}.test.fasta.gz"
        wb.make_dataset(train, valid=valid, test=test, out=out, force=True, on_event=on_event)
    return open_dataset(out)


def dinucleotides(data: Dataset) -> tuple[Scores, float, float]:
    """Logistic regression on sixteen frequencies: scores on test, AUROC on valid, and seconds."""
    begun = time.perf_counter()
    parts = {part: data.indices(part) for part in ("train", "valid", "test")}
    features = {
        part: dinucleotide_frequencies(np.asarray(data.codes[rows])) for part, rows in parts.items()
    }
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(features["train"], data.labels[parts["train"]])
    valid, test = (model.decision_function(features[part]) for part in ("valid", "test"))
    labels = data.labels[parts["valid"]]
    line = fit_calibration(labels, valid)
    auroc = float(roc_auc_score(labels, valid))
    return Scores(test, line, THRESHOLD), auroc, time.perf_counter() - begun


def measured(
    data: Dataset, models: dict[str, list[Scores]], rows: NDArray[np.bool_]
) -> dict[str, dict[str, Any]]:
    """Metrics of every model on some test windows, resampled together."""
    labels = data.labels[data.indices("test")][rows]
    if len(np.unique(labels)) < 2:
        return {}
    some = {
        name: [Scores(s.scores[rows], s.calibration, s.threshold) for s in seeds]
        for name, seeds in models.items()
    }
    first = next(iter(some))
    found = compare_paired(labels, some, first, np.random.default_rng(0), _N_RESAMPLES)
    return {
        name: {
            "n_windows": len(labels),
            "n_bound": int(labels.sum()),
            **{
                metric: {
                    "value": one.metrics[metric].value,
                    "low": one.metrics[metric].low,
                    "high": one.metrics[metric].high,
                    "seeds": one.seeds[metric],
                }
                for metric in ("mcc", "auroc", "auprc", "f1")
            },
        }
        for name, one in found.items()
    }


def dev_and_test(data: Dataset) -> dict[str, dict[str, float]]:
    """In what the valid and the test windows of a class differ: make-up.

    Returns
    -------
    dict
        By class the mean GC content of both, and how well dinucleotides tell a window of valid
        from one of test: the AUROC of a logistic regression in five-fold cross-validation.
    """
    found = {}
    for word, label in (("bound", 1), ("unbound", 0)):
        rows = [data.indices(part) for part in ("valid", "test")]
        rows = [one[data.labels[one] == label] for one in rows]
        features = [dinucleotide_frequencies(np.asarray(data.codes[one])) for one in rows]
        x = np.concatenate(features)
        y = np.repeat([0, 1], [len(one) for one in features])
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        told = cross_val_predict(
            model, x, y, cv=StratifiedKFold(5, shuffle=True, random_state=0),
            method="decision_function",
        )  # fmt: skip
        gc = [float(np.isin(data.codes[one], (1, 2)).mean()) for one in rows]
        found[word] = {
            "valid_gc": gc[0], "test_gc": gc[1], "auroc": float(roc_auc_score(y, told)),
        }  # fmt: skip
    return found


def calibrated(one: Scores, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits on the scale of valid's odds."""
    return one.calibration.slope * logits + one.calibration.intercept


def pooled(data: Dataset, entries: Sequence[Entry]) -> Entry:
    """The mean of all seeds of several models, as a model without a seed."""
    labels = data.labels[data.indices("valid")]
    members = [(entry, k) for entry in entries for k in range(len(entry.scores))]
    valid, test = (
        np.mean([calibrated(e.scores[k], part(e, k)) for e, k in members], axis=0)
        for part in (lambda e, k: e.valid_scores[k], lambda e, k: e.scores[k].scores)
    )
    line = fit_calibration(labels, valid)
    return replace(
        entries[0],
        label=f"mean of {' and '.join(entry.label for entry in entries)} and all seeds",
        n_parameters=sum(entry.n_parameters * len(entry.scores) for entry in entries),
        seconds=sum(entry.seconds * len(entry.scores) for entry in entries),
        valid_auroc=float(roc_auc_score(labels, valid)),
        scores=[Scores(test, line, THRESHOLD)],
        valid_scores=[valid],
    )


def mean_of(data: Dataset, entries: Sequence[Entry]) -> list[Scores]:
    """The mean of the calibrated logits of several models, seed by seed.

    Calibration and threshold of the mean come from valid, as those of a model do.
    """
    labels = data.labels[data.indices("valid")]
    found = []
    for seed in range(max(len(entry.scores) for entry in entries)):
        valid, test = np.zeros(len(labels)), np.zeros(len(data.indices("test")))
        for entry in entries:
            # A baseline without a seed is the same for all.
            one = entry.scores[min(seed, len(entry.scores) - 1)]
            own = entry.valid_scores[min(seed, len(entry.scores) - 1)]
            valid += calibrated(one, own) / len(entries)
            test += calibrated(one, one.scores) / len(entries)
        line = fit_calibration(labels, valid)
        found.append(Scores(test, line, THRESHOLD))
    return found


def valid_of_means(
    data: Dataset, entries: Mapping[str, Entry], means: Sequence[str]
) -> dict[str, float]:
    """AUROC on valid of each mean, averaged over the seeds."""
    labels = data.labels[data.indices("valid")]
    found = {}
    for mean in means:
        members = [entries[label] for label in mean.split("+")]
        n = max(len(member.scores) for member in members)
        aurocs = []
        for seed in range(n):
            parts = [(m, min(seed, len(m.scores) - 1)) for m in members]
            joined = sum(calibrated(m.scores[k], m.valid_scores[k]) for m, k in parts)
            aurocs.append(float(roc_auc_score(labels, joined)))
        found[f"mean of {' and '.join(m.label for m in members)}"] = float(np.mean(aurocs))
    return found


def of_set(
    data: Dataset,
    out: Path,
    models: Sequence[str],
    seeds: Sequence[int],
    on_event: OnEvent,
    means: Sequence[str] = (),
) -> dict[str, Any]:
    """Every model on one set."""
    compared = wb.compare(data, models, out, seeds=seeds, on_event=on_event).found
    scores: dict[str, list[Scores]] = {}
    costs: dict[str, dict[str, float]] = {}
    shortcut, on_valid, seconds = dinucleotides(data)
    scores["dinucleotides"] = [shortcut]
    costs["dinucleotides"] = {"weights": 17, "seconds": seconds}
    for entry in compared.entries:
        scores[entry.label] = [replace(one, threshold=THRESHOLD) for one in entry.scores]
        costs[entry.label] = {"weights": entry.n_parameters, "seconds": entry.seconds}
    by_label = {entry.label: entry for entry in compared.entries}
    for mean in means:
        members = [by_label[label] for label in mean.split("+")]
        label = f"mean of {' and '.join(member.label for member in members)}"
        scores[label] = mean_of(data, members)
        costs[label] = {
            "weights": sum(member.n_parameters for member in members),
            "seconds": sum(member.seconds for member in members),
        }
    joint = [
        pooled(data, [by_label[label] for label in mean.split("+")])
        for mean in (means if len(seeds) > 1 else ())
    ]
    for entry in joint:
        scores[entry.label] = entry.scores
        costs[entry.label] = {"weights": entry.n_parameters, "seconds": entry.seconds}
    n = len(data.indices("test"))
    apart = ~share_a_kmer(data, "test", SHARED_K)
    seen = find_seen(data, "test")
    twins = find_twins(data, "test", np.random.default_rng(0))
    twin = None
    if twins is not None and twins.n_in_train:
        calls = twin_calls(data, "test", twins.kept)
        plain = fit_calibration(data.labels[data.indices("test")], calls)
        scored = {"twins": [Scores(calls, plain, float(plain.probabilities(np.array([0.5]))[0]))]}
        twin = {
            "n_in_train": twins.n_in_train,
            **measured(data, scored, np.ones(n, dtype=bool))["twins"],
        }
    trained = [label for label in scores if begins_with_weights(label)]
    return {
        "windows": {
            part: {
                "bound": int((data.labels[data.indices(part)] == 1).sum()),
                "unbound": int((data.labels[data.indices(part)] == 0).sum()),
            }
            for part in ("train", "valid", "test")
        },
        "length": data.length,
        "all": measured(data, scores, np.ones(n, dtype=bool)),
        "apart": measured(data, scores, apart),
        "n_sharing": int((~apart).sum()),
        "unseen": measured(data, scores, ~seen),
        "n_seen": int(seen.sum()),
        "begun_with_weights": trained,
        "twins": twin,
        "costs": costs,
        "on_valid": {
            "dinucleotides": on_valid,
            **{entry.label: entry.valid_auroc for entry in (*compared.entries, *joint)},
            **valid_of_means(data, by_label, means),
        },
        "dev_and_test": dev_and_test(data),
        "verdict": compared.audit["verdict"],
        "seeds": list(seeds),
    }


def begins_with_weights(label: str) -> bool:
    """Whether a row's model, or one of those whose mean it is, begins with trained weights."""
    if label.startswith("mean of "):
        return any(
            begins_with_weights(one) for one in label.removeprefix("mean of ").split(" and ")
        )
    return ":" in label and not label.endswith(":none") and not label.startswith("jaspar:")


def main() -> None:
    """Make the sets, compare the models, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with gue/ and fastsk/ as they are handed out")
    parser.add_argument("--out", type=Path, required=True, help="datasets, runs and figures")
    parser.add_argument("--sets", nargs="+", default=list(PUBLISHED), choices=list(PUBLISHED))
    parser.add_argument(
        "--models", default="jaspar,gkm-all,cnn,default:none,wavelets:none,default:factors"
    )
    parser.add_argument(
        "--means", nargs="*", default=[], help="rows that are means of models, as A+B of --models"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--page",
        type=Path,
        help="the page to write, of all sets in --out; each group of sets has one beside it",
    )
    parser.add_argument(
        "--note", action="append", default=[], help="a line for the page, on how it was measured"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with TerminalProgress() as on_event:
        for name in options.sets:
            data = made(options.folder, name, options.out / "data" / name, on_event)
            models = options.models.split(",")
            found = of_set(data, options.out / name, models, options.seeds, on_event, options.means)
            path = options.out / f"{name}.json"
            path.write_text(json.dumps(found, indent=2) + "\n")
            for label, entry in found["all"].items():
                print(f"{name:<8} {label:<18} {figure(entry, name)}", flush=True)
    if options.page is not None:
        files = [options.out / f"{name}.json" for name in PUBLISHED]
        there = {f.stem: json.loads(f.read_text()) for f in files if f.is_file()}
        seeds = " ".join(map(str, options.seeds))
        command = (
            f"python benchmarks/published.py PUBLISHED --out published --models {options.models} "
            f"{'--means ' + ' '.join(options.means) + ' ' if options.means else ''}"
            f"--seeds {seeds} --page docs/results/published.md"
        )
        write_pages(options.page, there, command, options.note)


if __name__ == "__main__":
    main()
