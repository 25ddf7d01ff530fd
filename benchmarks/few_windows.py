"""Learning curves from few windows on: what a trunk, matrices and training from scratch reach.

For each size and draw the training windows are thinned to so many bound ones, unbound ones in
proportion, and valid likewise (at least 10 bound), since who has 50 peaks has not 900 to choose on.
``--whole-valid`` keeps valid as it is. The test windows are always all of them. Every model is
trained and scored by ``wavebind compare``; what is finished is kept. Where ``default`` begins with
random and with trained weights, the mean of both logits is a model, too. ``OUT/curves.tsv`` has a
line a size, draw and model. Its last columns are of the windows that ``factors`` has not seen by
sequence. A trunk of the same windows has not seen them, either. ``few_windows_page.py`` makes the
tables of the documents from such files.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.metrics import roc_auc_score

import wavebind as wb
from wavebind.core.files import replace_file
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.datasets.seen import find_seen
from wavebind.metrics.paired import Scores, compare_paired
from wavebind.metrics.platt import fit_calibration

LEAST_VALID = 10
UNBOUND_A_BOUND = 10
#: What the mean of two starts is called.
MEAN = "mean of both starts"


def from_table(table: Path, factor: str, folder: Path, seed: int = 0) -> Dataset:
    """One factor's set out of a table of many labels, as if its peaks were all there is.

    Bound is what is bound (1) in any cell that has openness data; unbound what is unbound (0) in
    one of these, and bound or ambiguous (2) in none. At most ten unbound windows a bound one are
    kept.
    """
    if not (folder / "dataset.json").is_file():
        columns = pd.read_csv(table, sep="\t", nrows=0).columns
        mine = [c for c in columns if c.startswith(f"{factor}:") and not c.endswith(":noDHS")]
        if not mine:
            raise SystemExit(f"{table}: has no label of {factor} with openness data")
        frame = pd.read_csv(table, sep="\t", usecols=["split", "seq", *mine])
        labels = frame[mine].to_numpy()
        bound = (labels == 1).any(axis=1)
        unbound = (labels == 0).any(axis=1) & ~np.isin(labels, (1, 2)).any(axis=1)
        rng = np.random.default_rng(seed)
        kept = []
        for part in ("train", "valid", "test"):
            here = (frame["split"] == part).to_numpy()
            some, others = np.flatnonzero(here & bound), np.flatnonzero(here & unbound)
            n = min(len(others), UNBOUND_A_BOUND * len(some))
            kept += [some, rng.choice(others, n, replace=False)]
        rows = np.sort(np.concatenate(kept))
        wb.make_dataset(
            frame["seq"].iloc[rows].tolist(),
            bound[rows].astype(int),
            split=frame["split"].iloc[rows].to_numpy(dtype=str),
            out=folder,
        )
    return open_dataset(folder)


def thinned(data: Dataset, n_bound: int | None, draw: int, *, whole_valid: bool) -> Dataset:
    """Fewer training windows, and as many fewer of valid."""
    if n_bound is None:
        return data
    train = data.indices("train")
    share = n_bound / int((data.labels[train] == 1).sum())
    fewer = data.with_fewer(n_bound, np.random.default_rng([draw, n_bound]))
    if whole_valid:
        return fewer
    valid = data.indices("valid")
    n_valid = max(LEAST_VALID, round(share * int((data.labels[valid] == 1).sum())))
    return fewer.with_fewer(n_valid, np.random.default_rng([draw, n_bound, 1]), part="valid")


def written(data: Dataset, folder: Path) -> Path:
    """A dataset folder of the windows that are in some part."""
    if not (folder / "dataset.json").is_file():
        rows = np.flatnonzero(data.parts != "")
        wb.make_dataset(data.sequences(rows), data.labels[rows], split=data.parts[rows], out=folder)
    return folder


def seen_windows(data: Dataset, part: str) -> NDArray[np.bool_]:
    """Which windows of a part ``factors`` has seen by sequence."""
    seen = find_seen(data, part)
    if seen is None:
        raise SystemExit("the package has no record of the windows that factors has seen")
    return seen


def unseen(folder: Path, seen: NDArray[np.bool_]) -> dict[str, float]:
    """AUROC of each compared model on the windows that ``factors`` has not seen."""
    scores = pd.read_parquet(folder / "windows.parquet")
    kept = scores[~seen]
    models = [c for c in scores.columns if c not in ("name", "label") and not c.endswith(":call")]
    return {model: float(roc_auc_score(kept["label"], kept[model])) for model in models}


def mean_of_starts(folder: Path, seen: NDArray[np.bool_]) -> dict[str, float] | None:
    """AUROC of the mean of the calibrated logits of ``default`` from random and trained weights."""
    windows = pd.read_parquet(folder / "windows.parquet")
    mine = [c for c in windows.columns if c.startswith("default:") and not c.endswith(":call")]
    if len(mine) != 2 or "default:none" not in mine:
        return None
    labels = windows["label"].to_numpy()
    logits = logit(windows[mine].to_numpy().clip(1e-12, 1 - 1e-12)).mean(axis=1)
    # The line changes no rank, and a threshold is not what is asked about.
    scores = {"mean": [Scores(logits, fit_calibration(labels, logits), 0.5)]}
    found = compare_paired(labels, scores, "mean", np.random.default_rng(0))["mean"]
    auroc = found.metrics["auroc"]
    return {
        "auroc": auroc.value,
        "low": auroc.low,
        "high": auroc.high,
        "auroc_unseen": float(roc_auc_score(labels[~seen], logits[~seen])),
    }


def add_lines(path: Path, lines: list[dict[str, object]]) -> None:
    """Write the lines, and keep those of other sizes, draws and models that are there."""
    key = ["bound", "valid", "draw", "model", "part"]
    frame = pd.DataFrame(lines)
    if path.is_file():
        older = pd.read_csv(path, sep="\t", dtype={"bound": str})
        frame = pd.concat([older, frame]).drop_duplicates(key, keep="last")
    with replace_file(path) as temporary:
        frame.sort_values(key, kind="stable").to_csv(
            temporary, sep="\t", index=False, float_format="%.6f"
        )


def main() -> None:
    """Make the sets, compare the models, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset; with --factor, a table of many labels")
    parser.add_argument("--factor", help="make the set of this factor from the table's labels")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", nargs="+", default=["50", "125", "500", "2000", "all"])
    parser.add_argument("--draws", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--models", default="jaspar,default:none,default:factors")
    parser.add_argument("--split", default="test")
    parser.add_argument("--whole-valid", action="store_true")
    options = parser.parse_args()
    if options.factor:
        data = from_table(options.data, options.factor, options.out / "data" / "whole")
    else:
        data = open_dataset(options.data)
    found: dict[tuple[str, str], list[float]] = {}
    lines = []
    for size in options.sizes:
        for draw in options.draws if size != "all" else options.draws[:1]:
            mine = thinned(
                data, None if size == "all" else int(size), draw, whole_valid=options.whole_valid
            )
            name = f"{size}{'-whole' if options.whole_valid else ''}-{draw}"
            folder = written(mine, options.out / "data" / name)
            out = options.out / name
            words = ["compare", folder, "--models", options.models, "--seeds", draw]
            words += ["--split", options.split, "--out", out]
            subprocess.run(  # noqa: S603
                [sys.executable, "-m", "wavebind", *map(str, words)], check=True, stdout=sys.stderr
            )
            seen = seen_windows(mine, options.split)
            apart = unseen(out, seen)
            scored = {
                model["label"]: {
                    "auroc": model["metrics"]["auroc"]["value"],
                    "low": model["metrics"]["auroc"]["low"],
                    "high": model["metrics"]["auroc"]["high"],
                    "auroc_unseen": apart[model["label"]],
                }
                for model in json.loads((out / "comparison.json").read_text())["models_found"]
            }
            mean = mean_of_starts(out, seen)
            if mean:
                scored[MEAN] = mean
            for label, auroc in scored.items():
                found.setdefault((size, label), []).append(auroc["auroc"])
                lines.append(
                    {
                        "factor": options.out.name,
                        "bound": size,
                        "valid": "whole" if options.whole_valid or size == "all" else "thinned",
                        "draw": draw,
                        "model": label,
                        "part": options.split,
                        "windows": len(seen),
                        "seen": int(seen.sum()),
                        **auroc,
                    }
                )
                print(
                    f"{size:>6}  draw {draw}  {label:<24}{auroc['auroc']:>8.4f}  "
                    f"{auroc['low']:.4f}-{auroc['high']:.4f}",
                    flush=True,
                )
    add_lines(options.out / "curves.tsv", lines)
    print("means over the draws")
    for (size, label), values in found.items():
        print(f"{size:>6}  {label:<24}{np.mean(values):>8.4f}  of {len(values)}")


if __name__ == "__main__":
    main()
