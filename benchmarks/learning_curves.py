"""How many bound windows each model needs.

Every model on 500, 1,000, 2,000, ... bound training windows, unbound ones in proportion, drawn anew
for each seed; one 'wavebind compare' a size, and a table of all sizes at the end. What is finished
is kept, so that sizes, seeds and models can be added later.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

SIZES = (500, 1000, 2000, 5000)
#: The networks are trained by small steps, as few windows want it, the one-hot CNN too.
MODELS = f"jaspar,gkm-all,{Path(__file__).with_name('cnn-small.toml')},small:none,sequence:none"


def main() -> None:
    """Compare at each size, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset, made with 'wavebind dataset'")
    parser.add_argument("--out", type=Path, default=Path("learning-curves"))
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--split", default="test")
    parser.add_argument("--reference", default="sequence:none")
    options = parser.parse_args()
    rows = {}
    for size in options.sizes:
        out = options.out / str(size)
        words = [sys.executable, "-m", "wavebind", "compare", options.data, "--out", out]
        words += ["--models", options.models, "--seeds", options.seeds, "--split", options.split]
        words += ["--train-bound", size, "--reference", options.reference]
        subprocess.run([str(w) for w in words], check=True, stdout=sys.stderr)  # noqa: S603
        rows[size] = json.loads((out / "comparison.json").read_text())
    print(f"{'bound':>7}  {'model':<16}{'AUROC':>7}  95 % interval  {'AUPRC':>7}  behind in AUROC")
    for size, found in rows.items():
        for model in found["models_found"]:
            auroc, auprc = model["metrics"]["auroc"], model["metrics"]["auprc"]
            gap = model["behind"]["auroc"]
            print(
                f"{size:>7,}  {model['label']:<16}{auroc['value']:>7.4f}  {auroc['low']:.4f}-"
                f"{auroc['high']:.4f}  {auprc['value']:>7.4f}  {gap['value']:+.4f} "
                f"({gap['low']:+.4f} to {gap['high']:+.4f})"
            )


if __name__ == "__main__":
    main()
