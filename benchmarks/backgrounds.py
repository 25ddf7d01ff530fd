"""One factor, four backgrounds: what the audit finds and what the model scores, side by side.

For each kind of background: ``wavebind dataset``, ``wavebind train --recipe small``, ``wavebind
evaluate``. A run that is finished is not done again. The peer in the table is the best shortcut, on
the same windows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

KINDS = ("accessible", "gc", "flank", "shuffle")


def command(*arguments: object) -> None:
    """Run wavebind; its own messages go to stderr."""
    words = [sys.executable, "-m", "wavebind", *map(str, arguments)]
    subprocess.run(words, check=True, stdout=sys.stderr)  # noqa: S603


def main() -> None:
    """Build, train, evaluate, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peaks", nargs="+", type=Path, required=True)
    parser.add_argument("--genome", type=Path, required=True)
    parser.add_argument("--accessible", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("backgrounds"))
    parser.add_argument("--ratio", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows = []
    for kind in KINDS:
        data, run = options.out / f"data_{kind}", options.out / f"run_{kind}"
        if not (run / "evaluations" / f"{data.name}-test" / "metrics.json").is_file():
            extra = ["--accessible", options.accessible] if kind == "accessible" else []
            command(
                "dataset",
                "--peaks",
                *options.peaks,
                "--genome",
                options.genome,
                "--background",
                kind,
                *extra,
                "--set",
                "split.blocks=true",
                "--set",
                f"background.ratio={options.ratio}",
                "--out",
                data,
                "--force",
            )
            command(
                "train", data, "--recipe", "small", "--seed", options.seed, "--out", run, "--force"
            )
            command("evaluate", run, data)
        rows.append(
            (
                kind,
                json.loads(
                    (run / "evaluations" / f"{data.name}-test" / "metrics.json").read_text()
                ),
            )
        )
    print("background   windows   bound   GC alone   best shortcut                    model AUROC")
    for kind, m in rows:
        gc, best, auroc = m["shortcuts"]["gc"], m["best_shortcut"], m["auroc"]
        shortcut = f"{best['value']:.3f} ({best['low']:.3f}-{best['high']:.3f}) {best['name']}"
        print(
            f"{kind:<12}{m['n_windows']:>8,}{m['n_bound']:>8,}{gc['value']:>11.3f}   "
            f"{shortcut:<33}{auroc['value']:.3f} ({auroc['low']:.3f}-{auroc['high']:.3f})"
        )


if __name__ == "__main__":
    main()
