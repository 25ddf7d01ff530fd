"""Representation by network under one budget.

Does ImageNet help, does the phase, does one-hot?

Trains every combination on the same windows for the same number of epochs through the command line
and prints the AUROC and AUPRC on the validation split, which is what choices are made on; the test
split is not looked at. A run that is finished is not done again, so the table can be filled over
several evenings: call it again with more seeds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

REPRESENTATIONS = {
    "integer, modulus": ("integer", '["modulus"]'),
    "one-hot, modulus": ("onehot", '["modulus"]'),
    "one-hot, complex": ("onehot", '["real", "imag"]'),
}
NETWORKS = {
    "scalenet": ("scalenet", "none", 2e-3),
    "EfficientNet-Lite0, ImageNet": ("efficientnet-lite0", "imagenet", 1e-3),
    "EfficientNet-Lite0, random": ("efficientnet-lite0", "none", 1e-3),
    "ResNet-18, random": ("resnet18", "none", 1e-3),
}
RECIPE = """about = "ablation"
source = "benchmarks/ablation.py"
backbone = "{backbone}"

[scalogram]
encoding = "{encoding}"
wavelet = {{ kind = "morse", gamma = 3.0, beta = 4.0 }}
n_scales = 32
max_period = 64.0
outputs = {outputs}
stride = 2

[training]
start = "none"
epochs = {epochs}
batch_size = 128
learning_rate = {rate}
unbound_ratio = 1.0
averaging = 0.99
patience = {epochs}
weights = "{weights}"
"""


def main() -> None:
    """Train what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset, made with 'wavebind dataset'")
    parser.add_argument("--out", type=Path, default=Path("ablation"))
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in options.seeds:
        for representation, (encoding, outputs) in REPRESENTATIONS.items():
            for network, (backbone, weights, rate) in NETWORKS.items():
                name = f"{encoding}_{len(outputs.split())}_{backbone}_{weights}_{seed}"
                run = options.out / name
                recipe = options.out / f"{name}.toml"
                recipe.write_text(
                    RECIPE.format(
                        backbone=backbone,
                        encoding=encoding,
                        outputs=outputs,
                        epochs=options.epochs,
                        rate=rate,
                        weights=weights,
                    )
                )
                if not (run / "model.safetensors").is_file():
                    words = [sys.executable, "-m", "wavebind", "train", options.data]
                    words += ["--recipe", recipe, "--seed", seed, "--out", run, "--force"]
                    subprocess.run([str(w) for w in words], check=True, stdout=sys.stderr)  # noqa: S603
                history = json.loads((run / "history.json").read_text())
                best = max(history, key=lambda entry: entry["valid_auroc"])
                seconds = float(np.median([entry["seconds"] for entry in history]))
                rows.append((representation, network, seed, best, seconds))
    print(
        f"{'representation':<18}{'network':<31}{'seeds':>6}{'AUROC':>9}{'AUPRC':>9}{'s/epoch':>9}"
    )
    for representation in REPRESENTATIONS:
        for network in NETWORKS:
            mine = [row for row in rows if row[:2] == (representation, network)]
            auroc = np.mean([row[3]["valid_auroc"] for row in mine])
            auprc = np.mean([row[3]["valid_auprc"] for row in mine])
            seconds = np.median([row[4] for row in mine])
            print(
                f"{representation:<18}{network:<31}{len(mine):>6}{auroc:>9.4f}{auprc:>9.4f}"
                f"{seconds:>9.0f}"
            )


if __name__ == "__main__":
    main()
