"""What averages give: over networks, and over shifted windows.

Runs of one dataset, each by itself, the mean of their logits, and each of these again as the mean
over windows shifted by some base pairs (what leaves a window is lost, what enters it is unknown).
On valid, unless test is asked for. Differences are from the first run, on the same resampled
windows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.genome.sequences import UNKNOWN, Codes
from wavebind.metrics.paired import Scores, compare_paired
from wavebind.metrics.platt import fit_calibration
from wavebind.models.prediction import load_run, predict_logits


def shifted(codes: Codes, by: int) -> Codes:
    """Windows moved to the right, unknown bases behind them."""
    moved = np.roll(codes, by, axis=1)
    if by > 0:
        moved[:, :by] = UNKNOWN
    elif by < 0:
        moved[:, by:] = UNKNOWN
    return moved


def logits_of(run: Path, data: Dataset, part: str, shift: int) -> list[NDArray[np.float64]]:
    """Logits of a run: of the windows as they are, and the mean over shifts."""
    model, _ = load_run(run, data)
    codes = np.asarray(data.codes[data.indices(part)])
    found = {by: predict_logits(model, shifted(codes, by)) for by in {0, shift, -shift}}
    return [found[0], np.mean(list(found.values()), axis=0)]


def main() -> None:
    """Score, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset, made with 'wavebind dataset'")
    parser.add_argument("runs", type=Path, nargs="+", help="run directories")
    parser.add_argument("--shift", type=int, default=4, help="bp to either side")
    parser.add_argument("--split", default="valid")
    options = parser.parse_args()
    data = open_dataset(options.data)
    labels = data.labels[data.indices(options.split)]
    scores: dict[str, NDArray[np.float64]] = {}
    names = [run.name for run in options.runs]
    if len(set(names)) < len(names):
        names = [str(run) for run in options.runs]
    for name, run in zip(names, options.runs, strict=True):
        plain, moved = logits_of(run, data, options.split, options.shift)
        scores[name], scores[f"{name}, shifts"] = plain, moved
    if len(options.runs) > 1:
        for ending in ("", ", shifts"):
            each = [scores[name + ending] for name in names]
            scores[f"mean of {len(each)}{ending}"] = np.mean(each, axis=0)
    # The line changes no rank, and a threshold is not what is asked about.
    models = {k: [Scores(v, fit_calibration(labels, v), 0.5)] for k, v in scores.items()}
    found = compare_paired(labels, models, names[0], np.random.default_rng(0))
    print(f"{len(labels):,} windows of {options.split}, {int((labels == 1).sum()):,} bound")
    width = max(24, *(len(name) + 1 for name in found))
    print(f"{'':<{width}}{'AUROC':>8}  95 % interval  {'AUPRC':>8}  95 % interval    gain in AUROC")
    for name, result in found.items():
        a, p, gain = result.metrics["auroc"], result.metrics["auprc"], result.behind["auroc"]
        print(
            f"{name:<{width}}{a.value:>8.4f}  {a.low:.4f}-{a.high:.4f}  {p.value:>8.4f}  "
            f"{p.low:.4f}-{p.high:.4f}  {-gain.value:+.4f} ({-gain.high:+.4f} to {-gain.low:+.4f})"
        )


if __name__ == "__main__":
    main()
