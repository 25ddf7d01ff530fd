"""Windows that only a faint rhythm tells apart."""

import csv
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmark_calls import call, fails
from wavebind.datasets.dataset import open_dataset

LENGTH, DEPTH = 80, 0.2


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The rows of a table, the dataset made of it, and what was printed."""
    out = tmp_path_factory.mktemp("rhythms") / "r"
    printed = call("rhythms.py", "--out", out, "--length", LENGTH, "--depth", DEPTH)
    with out.with_name("r.tsv").open() as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return rows, out, printed


def powers(rows, period=10.2):
    """By sines and cosines, letter by letter."""
    found = []
    for row in rows:
        signs = [1 if letter in "AT" else -1 for letter in row["seq"]]
        angles = 2 * np.pi * np.arange(len(signs)) / period
        found.append(np.dot(signs, np.cos(angles)) ** 2 + np.dot(signs, np.sin(angles)) ** 2)
    return np.array(found)


@pytest.mark.slow
def test_the_reference_is_the_power_at_the_period(made):
    rows, _, printed = made
    for part, n in (("valid", "2,000"), ("test", "4,000")):
        chosen = [row for row in rows if row["split"] == part]
        area = roc_auc_score([int(row["label"]) for row in chosen], powers(chosen))
        assert f"power at 10.2 bp: AUROC {area:.3f} (" in printed
        assert f"on {n} {part} windows" in printed
        assert 0.8 < area < 0.99


@pytest.mark.slow
def test_the_rhythm_is_as_deep_as_was_asked_for_and_shuffles_have_none(made):
    rows = made[0]
    bound, unbound = ([r for r in rows if r["label"] == label] for label in "10")
    # Of n steps of +1 or -1 with means 2 d cos(w j + phase): variances, and the square of the sum.
    expected = LENGTH * (1 - 2 * DEPTH**2) + (DEPTH * LENGTH) ** 2
    assert powers(bound).mean() == pytest.approx(expected, rel=0.05)
    assert powers(unbound).mean() == pytest.approx(LENGTH, rel=0.15)


@pytest.mark.slow
def test_dinucleotides_and_places_do_not_tell(made):
    rows, path, _ = made
    counts = [Counter(), Counter()]
    for row in rows:
        counts[int(row["label"])].update(a + b for a, b in pairwise(row["seq"]))
    total = counts[0].total()
    assert counts[1].total() == total
    for pair in counts[0]:
        error = 6 * np.sqrt(2 * counts[0][pair])
        assert abs(counts[0][pair] - counts[1][pair]) < error
    starts = [int(row["start"]) for row in rows if row["split"] == "train"]
    labels = [int(row["label"]) for row in rows if row["split"] == "train"]
    assert abs(roc_auc_score(labels, starts) - 0.5) < 0.03
    assert len({row["seq"] for row in rows}) == len(rows)
    data = open_dataset(path)
    found = {part: len(data.indices(part)) for part in ("train", "valid", "test")}
    assert found == {"train": 8000, "valid": 2000, "test": 4000}


def test_what_cannot_be_made_is_refused(tmp_path):
    out = tmp_path / "r"
    assert "--depth is above 0 and at most 0.5; found 0.6" in fails(
        "rhythms.py", "--out", out, "--depth", 0.6
    )
    assert "--length is from 40 to 5000; found 20" in fails(
        "rhythms.py", "--out", out, "--length", 20
    )
    assert f"{tmp_path} is there already" in fails("rhythms.py", "--out", tmp_path)
    assert not list(tmp_path.iterdir())
