"""What it costs to explain windows, method by method, in one run.

    python benchmarks/explanations.py run ctcf --windows 1000 --few 100

Bound windows of the test split, both strands, from codes to a score a base. Methods that look at
every base take `--few` windows; the column for 1,000 is then multiplied up, and says so.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from wavebind.core.errors import InputError
from wavebind.core.memory import keep_memory
from wavebind.datasets.dataset import open_dataset
from wavebind.explain.attribution import METHODS, explain_windows
from wavebind.models.prediction import load_run

#: Passes over a window for every base.
SLOW = ("ism", "occlusion", "ig", "ig-corrected", "deepshap")


def main() -> None:
    """Time every method that the network has, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a run, made with 'wavebind train'")
    parser.add_argument("data", type=Path, help="a dataset, made with 'wavebind dataset'")
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--few", type=int, default=100)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    keep_memory()
    data = open_dataset(options.data)
    model, _ = load_run(options.run, data, options.device)
    test = data.indices("test")
    bound = test[data.labels[test] == 1]
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, float32")
    print(f"{'method':<12}{'windows':>8}{'seconds':>10}{'for 1,000':>12}")
    for method in METHODS:
        chosen = bound[: options.few if method in SLOW else options.windows]
        try:
            # Once before, so that nothing is compiled or loaded within the time.
            list(explain_windows(model, data.codes, chosen[:4], method=method))
        except InputError as error:
            print(f"{method:<12}  not for this network: {error}")
            continue
        started = time.perf_counter()
        for found in explain_windows(model, data.codes, chosen, method=method):
            assert np.isfinite(found.base_scores).all()  # noqa: S101
        seconds = time.perf_counter() - started
        scaled = "" if len(chosen) == 1000 else " (scaled)"
        print(
            f"{method:<12}{len(chosen):>8,}{seconds:>10.1f}{1000 * seconds / len(chosen):>12,.0f}"
            f"{scaled}"
        )


if __name__ == "__main__":
    main()
