"""Tables of the page on one chromosome, from what genome_scan.py and growth.py have written."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

PLACES = {"all known": "all known", "open": "in open chromatin"}
METRICS = ("AUPRC", "precision at recall 0.5", "precision at recall 0.8")


def accuracy_table(found: dict[str, Any]) -> list[str]:
    """Metrics of the scan and of the matrix, over all bins and over the open ones."""
    lines = [
        "| bins | scored by | AUPRC | precision at recall 0.5 | at recall 0.8 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for place, words in PLACES.items():
        for key in (key for key in found if key.startswith(f"{place}, ")):
            cells = ["{:.3f} ({:.3f}-{:.3f})".format(*found[key][metric]) for metric in METRICS]
            lines.append(f"| {words} | {key.split(', ')[1]} | {' | '.join(cells)} |")
    return lines


def growth_table(rows: pd.DataFrame) -> list[str]:
    """Wall seconds by size and number of workers, and the memory of a process."""
    workers = sorted(rows["workers"].unique())
    lines = [
        f"| | size | {' | '.join(f'workers {n}, s' for n in workers)} | MB a process |",
        f"| --- | --- | {' | '.join('---' for _ in workers)} | --- |",
    ]
    for (command, size), some in rows.groupby(["command", "size"], sort=False):
        unit = "Mb" if command == "scan" else "alleles"
        cells = [f"{some.loc[some['workers'] == n, 'wall s'].item():.0f}" for n in workers]
        lines.append(
            f"| {command} | {round(size):,} {unit} | {' | '.join(cells)} | {some['MB'].max():.0f} |"
        )
    return lines


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path, help="JSON file of genome_scan.py")
    parser.add_argument("growth", type=Path, help="what growth.py printed")
    options = parser.parse_args()
    print("\n".join(accuracy_table(json.loads(options.scan.read_text()))))
    print()
    print("\n".join(growth_table(pd.read_csv(options.growth, sep="\t"))))


if __name__ == "__main__":
    main()
