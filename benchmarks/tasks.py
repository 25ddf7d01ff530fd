"""Which of several factors binds, and how strongly: classes and numbers from labelled tables.

    python benchmarks/tasks.py --table CTCF=ctcf.tsv.gz --table JUND=jund.tsv.gz \
        --table FOXA1=foxa1.tsv.gz --signal ctcf.tsv.gz:max_signalValue --out tasks

The tables have the columns ``chrom start end label split seq``. Classes: windows that are bound by
one factor and are in no other table's bound or unbound windows under another class; unbound ones as
many as bound ones. Numbers: bound windows of one table, logarithm of a column. Everything is chosen
on valid; test is scored once. Prints a table, with what composition alone reaches.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

NAMES = ("chrom", "start", "end", "split")


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a table, gzipped or not."""
    with contextlib.ExitStack() as stack:
        if path.suffix == ".gz":
            stream = stack.enter_context(gzip.open(path, "rt"))
        else:
            stream = stack.enter_context(path.open())
        yield from csv.DictReader(stream, delimiter="\t")


def write(path: Path, column: str, chosen: list[dict[str, str]]) -> None:
    """A table with one column beside place, split and sequence."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write("\t".join([*NAMES, column, "seq"]) + "\n")
        for row in chosen:
            stream.write(
                "\t".join([*(row[name] for name in NAMES), row[column], row["seq"]]) + "\n"
            )


def classes(tables: dict[str, Path], seed: int) -> list[dict[str, str]]:
    """Windows of one class each."""
    bound: dict[tuple[str, str], set[str]] = {}
    found: dict[tuple[str, str], dict[str, str]] = {}
    unbound: dict[tuple[str, str], dict[str, str]] = {}
    for factor, path in tables.items():
        for row in rows(path):
            place = (row["chrom"], row["start"])
            if row["label"] == "1":
                bound.setdefault(place, set()).add(factor)
                found[place] = {**row, "factor": factor}
            else:
                unbound[place] = {**row, "factor": "unbound"}
    alone = [found[place] for place, factors in bound.items() if len(factors) == 1]
    several = sum(len(factors) > 1 for factors in bound.values())
    print(f"{several:,} windows are bound by several factors and are left out", file=sys.stderr)
    rng = np.random.default_rng(seed)
    open_ = [row for place, row in sorted(unbound.items()) if place not in bound]
    for part in ("train", "valid", "test"):
        mine = [row for row in open_ if row["split"] == part]
        n = min(len(mine), sum(row["split"] == part for row in alone))
        alone += [mine[i] for i in rng.choice(len(mine), n, replace=False)]
    return alone


def run(*arguments: object) -> None:
    """One command of wavebind, its output passed on."""
    command = [sys.executable, "-m", "wavebind", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603


def one(
    out: Path, name: str, column: str, chosen: list[dict[str, str]], more: list[object]
) -> None:
    """Make a dataset, train, score test once, print."""
    table, data, folder = out / f"{name}.tsv", out / name, out / f"run_{name}"
    write(table, column, chosen)
    run("dataset", table, "--target", column, "--out", data, "--force")
    run("train", data, "--out", folder, "--force", *more)
    run("evaluate", folder, data)
    metrics = json.loads(
        (folder / "evaluations" / f"{data.name}-test" / "metrics.json").read_text()
    )
    found = metrics["classes"] or metrics["numbers"]
    print(f"{name}: {metrics['n_windows']:,} test windows, epoch {metrics['epoch']}")
    print(f"{'metric':<10} {'scalenet':<24} composition alone")
    for metric, other in found["composition"].items():
        cells = [
            f"{e['value']:.3f} ({e['low']:.3f}-{e['high']:.3f})" for e in (found[metric], other)
        ]
        print(f"{metric:<10} {cells[0]:<24} {cells[1]}")
    for label, m in metrics["outputs"].items():
        auroc = m["auroc"]
        print(f"AUROC of {label}: {auroc['value']:.3f} ({auroc['low']:.3f}-{auroc['high']:.3f})")
    if metrics["classes"]:
        print("true / called:", found["names"])
        for label, row in zip(found["names"], found["confusion"], strict=True):
            print(f"  {label:<10}", row)


def main() -> None:
    """Read the arguments and do both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--signal", metavar="FILE:COLUMN")
    parser.add_argument("--out", type=Path, default=Path("tasks"))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    more = ["--epochs", given.epochs, "--seed", given.seed]
    if given.table:
        tables = {name: Path(path) for name, path in (t.split("=", 1) for t in given.table)}
        one(given.out, "classes", "factor", classes(tables, given.seed), more)
    if given.signal:
        path, column = given.signal.rsplit(":", 1)
        chosen = [
            {**row, "log_signal": f"{math.log2(float(row[column])):.5f}"}
            for row in rows(Path(path))
            if row["label"] == "1" and float(row[column]) > 0
        ]
        one(given.out, "numbers", "log_signal", chosen, more)


if __name__ == "__main__":
    main()
