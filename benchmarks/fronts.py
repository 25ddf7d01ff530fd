"""What the wavelets buy.

The default network behind each front: the fixed wavelets with periods spaced by octaves, or with
evenly spaced frequencies; wavelets whose parameters are trained; as many filters of the same reach
that are trained from random, the same left random; and none (the one-hot window itself, read by a
longer first layer). Same windows, same training, same seeds, in
one 'wavebind compare', which prints the table, and keeps what is finished, so that seeds can be
added later.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import wavebind.wavelets.fronts
from filter_fronts import FILTER_FRONTS
from wavebind.cli.main import run
from wavebind.models.networks.scalenet import ScaleNetConfig
from wavebind.training.recipes import load_recipe

# Here and in the processes that 'compare' starts, which import this module.
wavebind.wavelets.fronts.FRONTS.update(FILTER_FRONTS)

RECIPE = """about = "benchmarks/fronts.py"
backbone = "scalenet"
format = 3
front = "{front}"

[scalogram]
encoding = "onehot"
wavelet = {{ kind = "morse", gamma = 3.0, beta = 4.0 }}
n_scales = 32
max_period = 64.0
outputs = ["real", "imag"]
stride = 2
spacing = "{spacing}"

[options]
{options}
"""
#: Without a transform every position is there, twice as many: the first layer reads as far as the
#: shorter wavelets do, and twice as many neighbours are joined.
OPTIONS = {"signal": {"stem_kernel": 15, "pool": 4, "band_width": 64}}
#: The front and the spacing of its periods, by the name in the table.
FRONTS = {
    "wavelets": ("wavelets", "octaves"),
    "even-wavelets": ("wavelets", "frequencies"),
    "learned-wavelets": ("learned-wavelets", "octaves"),
    "learned-filters": ("learned-filters", "octaves"),
    "random-filters": ("random-filters", "octaves"),
    "signal": ("signal", "octaves"),
}


def shrunk(front: str, by: int) -> dict[str, int]:
    """Options of the network behind a front with its widths divided."""
    widths = {name: getattr(ScaleNetConfig(), name) for name in ("band_width", "position_width")}
    size = {**widths, **OPTIONS.get(front, {})}
    return size | {name: max(1, size[name] // by) for name in widths}


def main() -> None:
    """Write the recipes, compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset, made with 'wavebind dataset'")
    parser.add_argument("--out", type=Path, default=Path("fronts"))
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--training", default="default", help="train as this recipe does")
    parser.add_argument("--fronts", nargs="+", default=list(FRONTS), choices=FRONTS)
    parser.add_argument("--train-bound", type=int, help="a point of a learning curve")
    parser.add_argument("--split", default="valid")
    parser.add_argument(
        "--shrink", type=int, default=1, help="divide the network's widths: fewer weights"
    )
    options = parser.parse_args()
    if options.shrink < 1:
        parser.error(f"--shrink is 1 or more; found {options.shrink}")
    options.out.mkdir(parents=True, exist_ok=True)
    recipes = []
    # Every front from random weights: the package's model has one of them.
    training = {**load_recipe(options.training).training, "start": "none"}
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in training.items())
    for name in options.fronts:
        recipes.append(options.out / f"{name}.toml")
        front, spacing = FRONTS[name]
        size = shrunk(name, options.shrink)
        sizes = "\n".join(f"{key} = {value}" for key, value in size.items())
        text = RECIPE.format(front=front, spacing=spacing, options=sizes)
        recipes[-1].write_text(f"{text}\n[training]\n{lines}")
    words = ["compare", options.data]
    words += ["--models", ",".join(map(str, recipes)), "--seeds", options.seeds]
    words += ["--epochs", options.epochs, "--split", options.split]
    words += ["--reference", options.fronts[0]]
    out = options.out / "all"
    if options.train_bound:
        words += ["--train-bound", options.train_bound]
        out = options.out / f"bound{options.train_bound}"
    raise SystemExit(run([str(w) for w in [*words, "--out", out]]))


if __name__ == "__main__":
    main()
