"""Whether a comparison's probabilities hold on another chromosome, and a prevalence helps them.

For each model of a comparison on test, from its ``windows.parquet``: the expected calibration
error as it is, what probabilities that are exactly right would have (the floor), the mean
probability beside the fraction of bound windows, and the error after two corrections that are
told that true fraction. The first multiplies the odds by the ratio of the prior odds of test and
valid, as ``--prevalence`` does (Saerens, Latinne & Decaestecker 2002); the second shifts the
logits until their mean probability is that fraction. Means over the seeds.

With ``--methods`` instead: the log-loss of other calibrations of each trained model's scores, in
cross-validation within valid.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.optimize import brentq
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.evaluate.compare import read_comparison
from wavebind.metrics.platt import PlattScaling, fit_calibration
from wavebind.metrics.reliability import calibration_floor, reliability_curve

Floats = NDArray[np.float64]


def line(labels: NDArray[np.int8], scores: Floats, new: Floats) -> Floats:
    """The package's own calibration, fitted to some windows, of others; shape ``(window,)``."""
    return fit_calibration(labels, scores).probabilities(new)


def isotonic(labels: NDArray[np.int8], scores: Floats, new: Floats) -> Floats:
    """A rising step function; its ends, 0 and 1, are drawn in a little."""
    steps = IsotonicRegression(out_of_bounds="clip", y_min=1e-4, y_max=1 - 1e-4)
    return np.asarray(steps.fit(scores, labels).predict(new), dtype=np.float64)


def beta(labels: NDArray[np.int8], scores: Floats, new: Floats) -> Floats:
    """Beta calibration of the logistic function of the scores (Kull et al. 2017, PMLR 54:623)."""
    return _logistic(labels, _beta_terms(scores), _beta_terms(new))


def quadratic(labels: NDArray[np.int8], scores: Floats, new: Floats) -> Floats:
    """A parabola through the logits."""
    return _logistic(labels, np.c_[scores, scores**2], np.c_[new, new**2])


METHODS = {"line": line, "isotonic": isotonic, "beta": beta, "quadratic": quadratic}


def _beta_terms(scores: Floats) -> Floats:
    return np.column_stack([-np.logaddexp(0, -scores), np.logaddexp(0, scores)])


def _logistic(labels: NDArray[np.int8], terms: Floats, new: Floats) -> Floats:
    fitted = LogisticRegression(C=1e6, max_iter=1000).fit(terms, labels)
    return np.asarray(fitted.predict_proba(new)[:, 1], dtype=np.float64)


def held_out(labels: NDArray[np.int8], scores: Floats, method: str, n_folds: int = 10) -> float:
    """Log-loss of windows that the calibration was not fitted to."""
    folds = np.random.default_rng(0).integers(0, n_folds, len(labels))
    p = np.empty(len(labels))
    for k in range(n_folds):
        inside = folds == k
        p[inside] = METHODS[method](labels[~inside], scores[~inside], scores[inside])
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return float(-np.mean(np.where(labels == 1, np.log(p), np.log1p(-p))))


def print_methods(labels: NDArray[np.int8], models: Path) -> None:
    """A line a trained model of the comparison."""
    found = sorted(models.glob("*/scores.npz"))
    width = max(len(path.parent.name) for path in found) + 2
    print(f"{'log-loss within valid':<{width}}" + "".join(f"{name:>11}" for name in METHODS))
    for path in found:
        with np.load(path, allow_pickle=False) as stored:
            scores = stored["valid"]
        losses = [held_out(labels, scores, name) for name in METHODS]
        print(f"{path.parent.name:<{width}}" + "".join(f"{loss:>11.4f}" for loss in losses))


def shifted_to_mean(probabilities: Floats, mean: float) -> Floats:
    """The same logits plus a constant, with this mean probability; shape ``(window,)``."""
    logits = PlattScaling().logits(probabilities)
    return PlattScaling(1.0, float(brentq(_excess, -20, 20, (logits, mean)))).probabilities(logits)


def _excess(shift: float, logits: Floats, mean: float) -> float:
    return float(PlattScaling(1.0, shift).probabilities(logits).mean()) - mean


def row(labels: NDArray[np.int64], seeds: list[Floats], valid: float) -> tuple[float, ...]:
    """Error, the three numbers of its floor, mean probability, errors after either correction."""
    bound = float(labels.mean())
    found = []
    for p in seeds:
        floor = calibration_floor(p, np.random.default_rng(0))
        # The line is in the probabilities already: the identity, of valid's prevalence.
        same = PlattScaling(prevalence=valid)
        corrected = same.at_prevalence(bound).probabilities(same.logits(p))
        found.append(
            (
                reliability_curve(labels, p).error,
                *(floor.value, floor.low, floor.high),
                float(p.mean()),
                reliability_curve(labels, corrected).error,
                reliability_curve(labels, shifted_to_mean(p, bound)).error,
            )
        )
    return tuple(float(x) for x in np.mean(found, axis=0))


def main() -> None:
    """Read the comparison, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset, made with 'wavebind dataset'")
    parser.add_argument("comparison", type=Path, help="of 'wavebind compare' on it")
    parser.add_argument("--methods", action="store_true", help="other calibrations, on valid")
    options = parser.parse_args()
    data, compared = open_dataset(options.data), read_comparison(options.comparison)
    if compared["data"]["codes_sha256"] != data.checksum:
        raise SystemExit(f"{options.comparison}: is of other windows than {options.data}")
    if options.methods:
        labels = (data.labels[data.indices("valid")] == 1).astype(np.int8)
        print_methods(labels, options.comparison / "models")
        return
    if compared["part"] != "test":
        raise SystemExit(
            f"{options.comparison}: is of {compared['part']}, where it was calibrated; compare "
            f"with --split test, or pass --methods"
        )
    print_shift(data, compared, options.comparison)


def print_shift(data: Dataset, compared: dict[str, Any], folder: Path) -> None:
    """A line a model of the comparison."""
    valid = float((data.labels[data.indices("valid")] == 1).mean())
    windows = pq.read_table(folder / "windows.parquet").to_pydict()
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
