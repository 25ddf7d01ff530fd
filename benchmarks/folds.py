"""What a mean of networks is ahead of each of them, on test, which none of them has seen.

A run of ``wavebind train --set training.crossfit=7`` has networks that held out other chromosomes,
each calibrated on what it held out. Their spread says how much of one of them, and of the
chromosome that it was calibrated on, is chance; the mean is the model. Differences are on the same
resampled windows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from wavebind.core.jsonfiles import read_json
from wavebind.datasets.dataset import open_dataset
from wavebind.metrics.binary import Estimate
from wavebind.metrics.paired import ECE, Scores, compare_paired
from wavebind.models.prediction import load_run, predict_logits
from wavebind.models.rundir import RunDir

MEAN = "none: their mean"


def main() -> None:
    """Score, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset, made with 'wavebind dataset'")
    parser.add_argument("run", type=Path, help="made with --set training.crossfit=7")
    options = parser.parse_args()
    data, run = open_dataset(options.data), RunDir(options.run)
    if not load_run(run.path, data)[1].n_folds:
        raise SystemExit(f"{run.path}: is one network; train with --set training.crossfit=7")
    paths = {MEAN: run.path}
    for number, chromosomes in enumerate(read_json(run.run_json)["folds"], 1):
        paths[", ".join(chromosomes)] = run.fold(number)
    test = data.indices("test")
    models = {}
    for name, path in paths.items():
        network, card = load_run(path, data)
        logits = predict_logits(network, data.codes, test)
        models[name] = [Scores(logits, card.calibration[0], card.threshold)]
    found = compare_paired(data.labels[test], models, MEAN, np.random.default_rng(0))
    print(f"{len(test):,} windows of test, {(data.labels[test] == 1).mean():.3f} bound")
    width = 2 + max(map(len, models))
    print(
        f"{'held out':<{width}}{'AUROC':>8}{'AUPRC':>8}{'mean less it: AUROC':>30}"
        f"{'mean p':>9}{'error':>8}{'floor (97.5 %)':>17}{'error of the mean less it':>31}"
    )
    for name, result in found.items():
        metrics, behind = result.metrics, result.behind
        floor = f"{result.floor.value:.4f} ({result.floor.high:.4f})"
        print(
            f"{name:<{width}}{metrics['auroc'].value:>8.4f}{metrics['auprc'].value:>8.4f}"
            f"{_words(behind['auroc'], name):>30}{models[name][0].probabilities.mean():>9.3f}"
            f"{metrics[ECE].value:>8.4f}{floor:>17}{_words(behind[ECE], name):>31}"
        )
    errors = [result.metrics[ECE].value for name, result in found.items() if name != MEAN]
    print(
        f"error of one network: {np.mean(errors):.4f} on average, {min(errors):.4f} to "
        f"{max(errors):.4f}"
    )


def _words(difference: Estimate, name: str) -> str:
    if name == MEAN:
        return "-"
    return f"{difference.value:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"


if __name__ == "__main__":
    main()
