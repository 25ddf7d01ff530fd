"""Sets of one factor out of many labels, and thinned sets: against counts by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from few_windows import (
    LEAST_VALID,
    MEAN,
    add_lines,
    from_table,
    mean_of_starts,
    thinned,
    unseen,
    written,
)
from few_windows_page import start_of, table
from helpers import ROOT, random_dna, write_table
from wavebind.datasets.dataset import open_dataset
from wavebind.training.recipes import load_recipe

HEADER = "chrom\tstart\tend\tsplit\tMYC:A\tMYC:B\tMYC:C:noDHS\tMAX:A\tseq"


def rows(n=240):
    """Every combination of the two labels that count, over and over."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(n):
        part = ("train", "valid", "test")[i % 3]
        a, b = (1, 0, 2, -1)[i // 3 % 4], (1, 0, 2, -1)[i // 12 % 4]
        found.append(("chr1", 50 * i, 50 * i + 40, part, a, b, i % 2, 1, random_dna(rng, 40)))
    return found


def test_the_set_of_one_factor(tmp_path):
    table = write_table(tmp_path / "t.tsv", rows(), HEADER)
    data = from_table(table, "MYC", tmp_path / "myc")
    by_sequence = {row[8]: row for row in rows()}
    assert len(data.labels) == len(set(data.sequences(range(len(data.labels)))))
    for letters, label, part in zip(
        data.sequences(range(len(data.labels))), data.labels, data.parts, strict=True
    ):
        row = by_sequence[letters]
        assert part == row[3]
        mine = row[4:6]
        assert label == (1 in mine)
        assert label or (0 in mine and 2 not in mine)
    counts = {p: [int(((data.parts == p) & (data.labels == x)).sum()) for x in (0, 1)] for p in
              ("train", "valid", "test")}  # fmt: skip
    expected = {
        p: [
            sum(r[3] == p and 0 in r[4:6] and not {1, 2} & set(r[4:6]) for r in rows()),
            sum(r[3] == p and 1 in r[4:6] for r in rows()),
        ]
        for p in ("train", "valid", "test")
    }
    assert counts == expected
    with pytest.raises(SystemExit, match="has no label of JUND with openness data"):
        from_table(table, "JUND", tmp_path / "jund")


def test_fewer_windows_of_train_and_of_valid(tmp_path):
    rng = np.random.default_rng(1)
    made = [
        (random_dna(rng, 40), int(i % 4 == 0), part)
        for part, n in (("train", 800), ("valid", 400), ("test", 100))
        for i in range(n)
    ]
    table = write_table(tmp_path / "t.tsv", made, "seq\tlabel\tsplit")
    from wavebind import make_dataset

    make_dataset(table, out=tmp_path / "data")
    data = open_dataset(tmp_path / "data")

    def counts(found):
        return [
            tuple(int((found.labels[found.indices(p)] == x).sum()) for x in (1, 0))
            for p in ("train", "valid", "test")
        ]

    assert counts(data) == [(200, 600), (100, 300), (25, 75)]
    assert counts(thinned(data, 50, 1, whole_valid=False)) == [(50, 150), (25, 75), (25, 75)]
    assert counts(thinned(data, 50, 1, whole_valid=True)) == [(50, 150), (100, 300), (25, 75)]
    few = thinned(data, 4, 1, whole_valid=False)
    assert counts(few) == [(4, 12), (LEAST_VALID, 30), (25, 75)]
    assert thinned(data, None, 1, whole_valid=False) is data
    again = open_dataset(written(few, tmp_path / "few"))
    assert counts(again) == counts(few)
    kept = set(few.sequences(np.flatnonzero(few.parts != "")))
    assert set(again.sequences(range(len(again.labels)))) == kept
    other = thinned(data, 4, 2, whole_valid=False)
    assert set(other.sequences(other.indices("train"))) != set(few.sequences(few.indices("train")))


def test_curves_keep_what_is_there_and_become_a_table(tmp_path):
    def line(size, draw, model, auroc):
        return {
            "factor": "myc", "bound": size, "valid": "whole", "draw": draw, "model": model,
            "part": "test", "windows": 1200, "auroc": auroc, "low": auroc - 0.01,
            "high": auroc + 0.03, "seen": 30, "auroc_unseen": auroc - 0.1,
        }  # fmt: skip

    path = tmp_path / "curves.tsv"
    add_lines(path, [line("500", 1, "jaspar", 0.8), line("500", 2, "jaspar", 0.7)])
    add_lines(path, [line("50", 1, "default:/tmp/trunk", 0.9), line("500", 2, "jaspar", 0.9)])
    curves = pd.read_csv(path, sep="\t", dtype={"bound": str})
    assert len(curves) == 3
    assert table(curves).splitlines() == [
        "| factor, test windows | bound | draws | JASPAR matrix | from the trunk |",
        "| --- | --- | --- | --- | --- |",
        "| MYC, 1,200 | 50 | 1 | - | 0.900 (0.020) |",
        "| MYC, 1,200 | 500 | 2 | 0.850 (0.020) | - |",
    ]
    assert "| MYC, 1,200 | 500 | 2 | 0.750 | - |" in table(curves, "auroc_unseen")


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("default:none", "from random weights"),
        ("default:factors", "from `factors`, seen"),
        ("default:some/trunk", "from the trunk"),
        ("sequence:none", "sequence, from random weights"),
        ("gkm-all", "gapped k-mers"),
        ("plain:none", "from random weights, no matrices"),
        ("plain:trunk-a", "from the trunk, no matrices"),
        ("mean of both starts", "mean of both starts"),
    ],
)
def test_columns_are_called_by_what_a_model_begins_with(label, words):
    assert start_of(label) == words


def test_windows_that_were_seen_are_left_out(tmp_path):
    scores = pd.DataFrame(
        {"name": list("abcd"), "label": [1, 0, 1, 0], "jaspar": [0.1, 0.2, 0.9, 0.3],
         "jaspar:call": [False] * 4}
    )  # fmt: skip
    scores.to_parquet(tmp_path / "windows.parquet")
    seen = np.array([True, False, False, False])
    assert unseen(tmp_path, seen) == {"jaspar": 1.0}
    assert mean_of_starts(tmp_path, seen) is None


def test_the_mean_of_two_starts_is_that_of_their_logits(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4 == 0
    one, other = (1.5 * labels + rng.normal(size=400) for _ in range(2))
    scores = pd.DataFrame(
        {"name": "w", "label": labels.astype(int), "default:none": expit(one),
         "default:none:call": one > 0, "default:trunk": expit(other), "cnn": 0.5}
    )  # fmt: skip
    scores.to_parquet(tmp_path / "windows.parquet")
    seen = np.arange(400) < 100
    found = mean_of_starts(tmp_path, seen)
    assert found["auroc"] == roc_auc_score(labels, one + other)
    assert found["auroc_unseen"] == roc_auc_score(labels[100:], (one + other)[100:])
    assert found["low"] < found["auroc"] < found["high"]


def test_the_pages_show_what_their_file_gives():
    folder = ROOT / "docs" / "results"
    curves = pd.read_csv(folder / "files" / "few-windows.tsv", sep="\t", dtype={"bound": str})
    pages = {
        valid: (folder / f"few-windows{more}.md").read_text(encoding="utf-8").splitlines()
        for valid, more in (("thinned", ""), ("whole", "-whole"))
    }
    for _, mine in curves.groupby(["factor", "bound", "valid"]):
        draws = mine["model"].value_counts()
        assert draws.get(MEAN, draws.get("default:none")) == draws.get("default:none")
    for valid, mine in curves.groupby("valid"):
        missing = [line for line in table(mine).splitlines() if line not in pages[valid]]
        assert missing == []


def test_the_plain_recipe_is_the_default_without_matrices():
    plain, default = load_recipe(str(ROOT / "benchmarks" / "plain.toml")), load_recipe("default")
    assert plain.training == {**default.training, "matrices": 0}
    assert (plain.backbone, plain.front, plain.scalogram, plain.options) == (
        default.backbone,
        default.front,
        default.scalogram,
        default.options,
    )
