"""Which variant learns most from few windows, told without touching test.

Recipes are trained on some of the bound training windows, and scored on the training windows that
were left over, which are many more than valid has: differences of 0.002 in AUROC show. Epochs are
chosen on valid, as always. Differences are from the first recipe, on the same resampled windows.

With ``--lengths``, every recipe is trained on the middle of the windows, so many base pairs of it:
what the sequence further away is worth. All lengths see the same windows.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.cli.console import TerminalProgress
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.evaluate.baselines.networks import Network
from wavebind.metrics.binary import ranking_metrics
from wavebind.metrics.paired import Scores, compare_paired
from wavebind.metrics.platt import fit_calibration
from wavebind.training.recipes import load_recipe


def left_over(whole: Dataset, part: Dataset, n_unbound: int) -> NDArray[np.int64]:
    """Training windows that are in no part any more: all bound ones, and some of the unbound."""
    rest = np.flatnonzero((whole.parts == "train") & (part.parts != "train"))
    unbound = rest[whole.labels[rest] == 0]
    chosen = np.random.default_rng(5).choice(unbound, min(n_unbound, len(unbound)), replace=False)
    return np.sort(np.concatenate([rest[whole.labels[rest] == 1], chosen]))


def middle(data: Dataset, length: int) -> Dataset:
    """The set with the middle of its windows; where halves differ the left one is shorter."""
    first = (data.length - length) // 2
    return replace(data, codes=data.codes[:, first : first + length])


def main() -> None:
    """Train, score, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset, made with 'wavebind dataset'")
    parser.add_argument("recipes", nargs="+", help="names of recipes, or .toml files")
    parser.add_argument("--out", type=Path, default=Path("leftover"))
    parser.add_argument("--train-bound", type=int, default=2000)
    parser.add_argument("--unbound", type=int, default=16000, help="unbound windows to score")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lengths", type=int, nargs="+", help="of the windows' middles, in bp")
    options = parser.parse_args()
    whole = open_dataset(options.data)
    lengths = options.lengths or [whole.length]
    if not all(20 <= length <= whole.length for length in lengths):
        parser.error(f"--lengths are from 20 to the windows' own, {whole.length}")
    datasets = {}
    for name in options.recipes:
        for length in lengths:
            label = f"{Path(name).stem}, {length} bp" if options.lengths else Path(name).stem
            if label in datasets:
                parser.error(f"two recipes have one name, or a length is there twice: {label}")
            datasets[label] = (load_recipe(name), length)
    data = whole.with_fewer(options.train_bound, np.random.default_rng(options.seed))
    rest, valid = left_over(whole, data, options.unbound), whole.indices("valid")
    labels = whole.labels[rest]
    if labels.max(initial=0) < 1:
        raise InputError(f"{options.data}: no bound window is left over; train on fewer")
    logits, on_valid = {}, {}
    for name, (recipe, length) in datasets.items():
        network = Network(recipe, start="none")
        folder = options.out / name.replace(", ", "-").replace(" ", "")
        with TerminalProgress() as on_event:
            network.fit(middle(data, length), folder, options.seed, on_event)
        codes = middle(whole, length).codes
        logits[name] = network.predict(codes[rest])
        on_valid[name] = ranking_metrics(whole.labels[valid], network.predict(codes[valid]))
    if len(datasets) > 1 and not options.lengths:
        logits["their mean"] = np.mean(list(logits.values()), axis=0)
    models = {k: [Scores(v, fit_calibration(labels, v), 0.5)] for k, v in logits.items()}
    found = compare_paired(labels, models, next(iter(models)), np.random.default_rng(0))
    print(f"{len(rest):,} windows left over, {int((labels == 1).sum()):,} bound", file=sys.stderr)
    width = max(14, *(len(name) + 1 for name in found))
    print(f"{'':<{width}}{'AUROC':>7}{'AUPRC':>8}  {'gain in AUROC':<30}on valid")
    for name, result in found.items():
        gain = result.behind["auroc"]
        # Zero has no sign.
        value, low, high = (0.0 - x for x in (gain.value, gain.high, gain.low))
        gained = f"{value:+.4f} ({low:+.4f} to {high:+.4f})"
        a, p = on_valid.get(name, (np.nan, np.nan))
        print(
            f"{name:<{width}}{result.metrics['auroc'].value:>7.4f}"
            f"{result.metrics['auprc'].value:>8.4f}  {gained:<30}"
            + (f"{a:.4f} {p:.4f}" if name in on_valid else "-")
        )


if __name__ == "__main__":
    main()
