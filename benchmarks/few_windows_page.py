"""Tables of learning curves, from the ``curves.tsv`` that ``few_windows.py`` wrote.

    python benchmarks/few_windows_page.py few/*/curves.tsv > few-windows.md

Each cell is the mean over the draws, and in brackets the mean of their 95 % intervals (over test
windows) to either side. Models are put together by what they begin with.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

#: What a label of a comparison is called, or its end.
_STARTS = {
    "jaspar": "JASPAR matrix",
    "matrices": "regression on all matrices",
    "gkm-all": "gapped k-mers",
    "cnn": "one-hot CNN",
    "none": "from random weights",
}


def start_of(label: str) -> str:
    """A column of the table: every trunk is one."""
    if ":" not in label:
        return _STARTS.get(label, label)
    recipe, start = label.split(":", 1)
    words = _STARTS.get(start, "from `factors`, seen" if start == "factors" else "from the trunk")
    if recipe == "plain":
        return f"{words}, no matrices"
    return words if recipe == "default" else f"{recipe}, {words}"


def table(curves: pd.DataFrame, value: str = "auroc") -> str:
    """A Markdown table: a row a factor and size, a column a start."""
    curves = curves.assign(start=curves["model"].map(start_of))
    # In the order of the names above; what is not among them follows as it comes.
    order = list(_STARTS.values())
    found = list(dict.fromkeys(curves["start"]))
    starts = sorted(found, key=lambda s: (order.index(s) if s in order else len(order), "," in s))
    sizes = sorted(set(curves["bound"]), key=lambda size: (size == "all", size.rjust(9)))
    lines = [
        "| factor, test windows | bound | draws | " + " | ".join(starts) + " |",
        "| --- | --- | --- |" + " --- |" * len(starts),
    ]
    for factor, of_factor in curves.groupby("factor", sort=False):
        for size in sizes:
            here = of_factor[of_factor["bound"] == size]
            if here.empty:
                continue
            cells = []
            for start in starts:
                mine = here[here["start"] == start]
                half = ((mine["high"] - mine["low"]) / 2).mean()
                with_interval = f" ({half:.3f})" if value == "auroc" else ""
                cells.append(f"{mine[value].mean():.3f}{with_interval}" if len(mine) else "-")
            windows = f"{str(factor).upper()}, {here['windows'].iloc[0]:,}"
            draws = here["draw"].nunique()
            lines.append(f"| {windows} | {size} | {draws} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print a table of each way of choosing valid, and one of the unseen windows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curves", nargs="+", type=Path)
    options = parser.parse_args()
    curves = pd.concat(
        [pd.read_csv(path, sep="\t", dtype={"bound": str}) for path in options.curves]
    )
    for valid, mine in curves.groupby("valid", sort=False):
        print(f"valid {valid}\n\n{table(mine)}\n")
        seen = (mine["seen"] / mine["windows"]).max()
        print(f"without the windows seen, at most {seen:.1%}\n\n{table(mine, 'auroc_unseen')}\n")


if __name__ == "__main__":
    main()
