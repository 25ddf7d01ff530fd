"""The tables of the page on one chromosome, against the files that they are made from."""

from __future__ import annotations

import json

import pandas as pd

from genome_scan_page import accuracy_table, growth_table
from helpers import ROOT

RESULTS = ROOT / "docs/results"


def test_a_line_a_place_and_a_way_to_score() -> None:
    metrics = {
        "AUPRC": [0.5771, 0.5, 0.6],
        "precision at recall 0.5": [0.4, 0.31, 0.44],
        "precision at recall 0.8": [0.1, 0.0, 0.2],
    }
    lines = accuracy_table({"scan": {"MB": 3}, "open, wavebind scan": metrics})
    assert lines[2:] == [
        "| in open chromatin | wavebind scan | 0.577 (0.500-0.600) | 0.400 (0.310-0.440) "
        "| 0.100 (0.000-0.200) |"
    ]


def test_a_line_a_size() -> None:
    rows = pd.DataFrame(
        [
            ["scan", 1, 1, 8.4, 8, 300.2],
            ["scan", 1, 2, 5.1, 8, 290.0],
            ["variants", 1e4, 1, 30, 9, 7],
            ["variants", 1e4, 2, 20, 9, 9],
        ],
        columns=["command", "size", "workers", "wall s", "CPU s", "MB"],
    )
    assert growth_table(rows) == [
        "| | size | workers 1, s | workers 2, s | MB a process |",
        "| --- | --- | --- | --- | --- |",
        "| scan | 1 Mb | 8 | 5 | 300 |",
        "| variants | 10,000 alleles | 30 | 20 | 9 |",
    ]


def test_the_page_has_the_tables_of_its_files() -> None:
    page = (RESULTS / "chromosome.md").read_text(encoding="utf-8").splitlines()
    files = RESULTS / "files"
    found = json.loads((files / "chromosome.json").read_text(encoding="utf-8"))
    growth = pd.read_csv(files / "chromosome-growth.tsv", sep="\t")
    missing = [line for line in accuracy_table(found) + growth_table(growth) if line not in page]
    assert not missing
