"""Whether a comparison's probabilities hold on another chromosome, and a prevalence helps them.

For each model of a comparison on test, from its ``windows.parquet``: the expected calibration
error as it is, what probabilities that are exactly right would have (the floor), the mean
probability beside the fraction of bound windows, and the error after two corrections that are
told that true fraction. The first multiplies the odds by the ratio of the prior odds of test and
valid, as ``--prevalence`` does (Saerens, Latinne & Decaestecker 2002); the second shifts the
logits until their mean probability is that fraction. Means over the seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.optimize import brentq

from wavebind.calibration import Calibration
from wavebind.comparison import read_comparison
from wavebind.dataset import open_dataset
from wavebind.errors import InputError
from wavebind.evaluation import calibration, calibration_floor


def shifted_to_mean(probabilities: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """The same logits plus a constant, with this mean probability; shape ``(window,)``."""
    logits = Calibration().logits(probabilities)
    return Calibration(1.0, float(brentq(_excess, -20, 20, (logits, mean)))).probabilities(logits)


def _excess(shift: float, logits: NDArray[np.float64], mean: float) -> float:
    return float(Calibration(1.0, shift).probabilities(logits).mean()) - mean


def row(
    labels: NDArray[np.int64], seeds: list[NDArray[np.float64]], valid: float
) -> tuple[float, ...]:
    """Error, the three numbers of its floor, mean probability, errors after either correction."""
    bound = float(labels.mean())
    found = []
    for p in seeds:
        floor = calibration_floor(p, np.random.default_rng(0))
        # The line is in the probabilities already: the identity, of valid's prevalence.
        line = Calibration(prevalence=valid)
        corrected = line.at_prevalence(bound).probabilities(line.logits(p))
        found.append(
            (
                calibration(labels, p).error,
                *(floor.value, floor.low, floor.high),
                float(p.mean()),
                calibration(labels, corrected).error,
                calibration(labels, shifted_to_mean(p, bound)).error,
            )
        )
    return tuple(float(x) for x in np.mean(found, axis=0))


def main() -> None:
    """Read the comparison, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset, made with 'wavebind dataset'")
    parser.add_argument("comparison", type=Path, help="of 'wavebind compare' on it")
    options = parser.parse_args()
    data, compared = open_dataset(options.data), read_comparison(options.comparison)
    if compared["data"]["codes_sha256"] != data.checksum:
        raise InputError(f"{options.comparison}: is of other windows than {options.data}")
    if compared["part"] != "test":
        raise InputError(f"{options.comparison}: is of {compared['part']}, where it was calibrated")
    valid = float((data.labels[data.indices("valid")] == 1).mean())
    windows = pq.read_table(options.comparison / "windows.parquet").to_pydict()
    labels = np.asarray(windows["label"], dtype=np.int64)
    bound = float(labels.mean())
    print(f"{len(labels):,} test windows, {labels.sum():,} bound: {bound:.3f}; valid {valid:.3f}")
    models = [m["label"] for m in compared["models_found"]]
    width = max(map(len, models)) + 2
    print(f"{'':<{width}}{'error':>6}  floor, and 95 % of it   mean p   prior odds   matched mean")
    for name in models:
        columns = [name] if name in windows else [k for k in windows if _is_seed(k, name)]
        found = row(labels, [np.asarray(windows[k]) for k in columns], valid)
        error, floor, low, high, mean, corrected, matched = found
        print(
            f"{name:<{width}}{error:>6.4f}  {floor:.4f} ({low:.4f}-{high:.4f})  {mean:>7.3f}"
            f"{corrected:>13.4f}{matched:>15.4f}"
        )


def _is_seed(column: str, name: str) -> bool:
    return column.startswith(f"{name}:") and column[len(name) + 1 :].isdigit()


if __name__ == "__main__":
    main()
