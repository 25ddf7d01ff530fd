"""How far a network's scores and probabilities hold on a chromosome it has not seen; any of them.

One chromosome is a single draw: what a table says of the test chromosome, another might not. Here
every chromosome of train and valid is held out in turn, the next one is valid (it chooses the
epoch and calibrates), and the rest is train. Test is not touched. Beside the calibration error of
each held-out chromosome stand its floor (what probabilities that are exactly right would have) and
the error after a second line through the calibrated logits: one fitted to the other chromosomes
when they were held out, and one fitted to the chromosome itself, which no line can beat by much;
and after a line that is fitted, in place of valid's, to what the other networks said of the
chromosomes that they held out.
The slope and intercept of the latter tell what was wrong: a slope below 1 is of probabilities that
were too sure, an intercept is by how much the logarithm of the odds was too low throughout. And
the error when the odds are multiplied by the ratio of the prior odds of the chromosome and of
valid, as ``--prevalence`` does.

Each chromosome has been left out by a second network, too, whose valid it was. Calibrated on what
that one held out, and averaged with the first, it says what a mean of two networks with lines of
two chromosomes has, AUROC and error; its epoch, and nothing else, was chosen on the chromosome.

What is finished is kept, so that recipes can be added later.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.cli.console import TerminalProgress
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.evaluate.baselines.networks import Network
from wavebind.metrics.binary import ranking_metrics
from wavebind.metrics.platt import PlattScaling, fit_calibration
from wavebind.metrics.reliability import calibration_floor, reliability_curve
from wavebind.training.recipes import load_recipe

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """A held-out chromosome.

    Attributes
    ----------
    labels : numpy.ndarray
        ``int8``, shape ``(window,)``.
    logits : numpy.ndarray
        ``float64``, shape ``(window,)``; the line from valid is in them.
    valid : float
        Fraction of valid's windows that are bound.
    raw : numpy.ndarray
        The same without that line.
    crossed : numpy.ndarray
        ``float64``, shape ``(valid window,)``: what the network says of its valid chromosome, with
        a line of the one that is held out.
    """

    labels: NDArray[np.int8]
    logits: Floats
    valid: float
    raw: Floats
    crossed: Floats


def rotations(data: Dataset, least: int) -> dict[tuple[str, str], NDArray[np.str_]]:
    """The parts of all windows for each chromosome that is held out, as test, and its valid.

    Raises
    ------
    SystemExit
        If fewer than three chromosomes have that many bound and unbound windows.
    """
    seen = np.isin(data.parts, ("train", "valid")) & (data.chrom != "")
    names: list[str] = []
    few: list[str] = []
    for name in sorted(set(data.chrom[seen].tolist()), key=lambda name: (len(name), name)):
        labels = data.labels[seen & (data.chrom == name)]
        enough = min((labels == 1).sum(), (labels == 0).sum()) >= least
        (names if enough else few).append(name)
    if few:
        print(
            f"always in train, with fewer than {least} bound or unbound: {', '.join(few)}",
            file=sys.stderr,
        )
    if len(names) < 3:
        raise SystemExit(
            f"{data.path}: {len(names)} chromosomes of train and valid have {least} bound and "
            f"unbound windows; three are needed, to hold one out and choose on another"
        )
    found = {}
    for name, following in zip(names, names[1:] + names[:1], strict=True):
        parts = np.where(seen, "train", "").astype(data.parts.dtype)
        parts[seen & (data.chrom == following)] = "valid"
        parts[seen & (data.chrom == name)] = "test"
        found[name, following] = parts
    return found


def held_out(data: Dataset, recipe: str, folder: Path, seed: int, epochs: int | None) -> Fold:
    """Train, unless that is done; score the chromosome that is its test part."""
    # The package's model has seen what is held out here.
    network = Network(load_recipe(recipe), epochs, start="none")
    with TerminalProgress() as on_event:
        network.fit(data, folder, seed, on_event)
    valid, test = data.indices("valid"), data.indices("test")
    raw = {"valid": network.predict(data.codes[valid]), "test": network.predict(data.codes[test])}
    line = fit_calibration(data.labels[valid], raw["valid"])
    other = fit_calibration(data.labels[test], raw["test"])
    return Fold(
        data.labels[test],
        line.slope * raw["test"] + line.intercept,
        float((data.labels[valid] == 1).mean()),
        raw["test"],
        other.slope * raw["valid"] + other.intercept,
    )


def pooled(folds: dict[str, Fold], without: str, *, raw: bool = False) -> PlattScaling:
    """A line of all chromosomes but one: a second one, or one of the raw logits."""
    others = [fold for name, fold in folds.items() if name != without]
    return fit_calibration(
        np.concatenate([fold.labels for fold in others]),
        np.concatenate([fold.raw if raw else fold.logits for fold in others]),
    )


def measures(folds: dict[str, Fold], name: str, second: str) -> dict[str, float]:
    """What the table says of a chromosome, which was valid when `second` was held out."""
    fold = folds[name]
    pair = (fold.logits + folds[second].crossed) / 2
    itself = fit_calibration(fold.labels, fold.logits)
    bound = float((fold.labels == 1).mean())
    # The line from valid is in the logits already.
    same = PlattScaling(prevalence=fold.valid)
    others = pooled(folds, name)
    lines = {"valid": same, "told": same.at_prevalence(bound), "others": others, "itself": itself}
    p = {key: line.probabilities(fold.logits) for key, line in lines.items()}
    p["instead"] = pooled(folds, name, raw=True).probabilities(fold.raw)
    p["pair"] = same.probabilities(pair)
    floor = calibration_floor(p["valid"], np.random.default_rng(0))
    auroc, auprc = ranking_metrics(fold.labels, fold.logits)
    return {
        "windows": len(fold.labels),
        "bound": bound,
        "bound_valid": fold.valid,
        "mean_p": float(p["valid"].mean()),
        "auroc": auroc,
        "auprc": auprc,
        "auroc_pair": ranking_metrics(fold.labels, pair)[0],
        "floor": floor.value,
        "floor_high": floor.high,
        **{key: reliability_curve(fold.labels, value).error for key, value in p.items()},
        "slope": itself.slope,
        "intercept": itself.intercept,
    }


def print_table(recipe: str, found: dict[str, dict[str, float]]) -> None:
    """A line a chromosome, their mean and their standard deviation."""
    print(
        f"{Path(recipe).stem:<14}{'windows':>8}{'bound':>7}{'valid':>7}{'mean p':>8}{'AUROC':>8}"
        f"{'AUPRC':>8}{'error':>8}{'floor (97.5 %)':>17}{'told':>8}{'+ others':>10}"
        f"{'+ itself':>10}{'instead':>9}{'slope':>8}{'intercept':>11}"
        f"{'of two: AUROC':>15}{'error':>8}"
    )
    keys = list(next(iter(found.values())))
    rows = dict(found)
    for name, over in (("mean", np.mean), ("deviation", partial(np.std, ddof=1))):
        rows[name] = {key: float(over([row[key] for row in found.values()])) for key in keys}
    for name, row in rows.items():
        floor = f"{row['floor']:.4f} ({row['floor_high']:.4f})"
        print(
            f"{name:<14}{row['windows']:>8,.0f}{row['bound']:>7.3f}{row['bound_valid']:>7.3f}"
            f"{row['mean_p']:>8.3f}{row['auroc']:>8.4f}{row['auprc']:>8.4f}{row['valid']:>8.4f}"
            f"{floor:>17}{row['told']:>8.4f}{row['others']:>10.4f}{row['itself']:>10.4f}"
            f"{row['instead']:>9.4f}{row['slope']:>8.3f}{row['intercept']:>+11.3f}"
            f"{row['auroc_pair']:>15.4f}{row['pair']:>8.4f}"
        )
    above = sum(row["valid"] > row["floor_high"] for row in found.values())
    print(f"error above its floor's interval: {above} of {len(found)}")


def main() -> None:
    """Train all folds, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset, made with 'wavebind dataset'")
    parser.add_argument("recipes", nargs="+", help="names of recipes, or .toml files")
    parser.add_argument("--out", type=Path, default=Path("chromosomes"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="instead of those of the recipe")
    parser.add_argument(
        "--least", type=int, default=100, help="bound and unbound windows to hold one out"
    )
    options = parser.parse_args()
    if len({Path(name).stem for name in options.recipes}) < len(options.recipes):
        parser.error("two recipes have one name")
    data = open_dataset(options.data)
    if data.task != "binary":
        raise SystemExit(
            f"{options.data}: has other labels than bound and unbound; take such a set"
        )
    splits = rotations(data, options.least)
    for recipe in options.recipes:
        folds = {}
        for (name, valid), parts in splits.items():
            folder = options.out / Path(recipe).stem / f"{name}-{valid}"
            view = replace(data, parts=parts)
            folds[name] = held_out(view, recipe, folder, options.seed, options.epochs)
        before = {valid: name for name, valid in splits}
        print_table(recipe, {name: measures(folds, name, before[name]) for name in folds})


if __name__ == "__main__":
    main()
