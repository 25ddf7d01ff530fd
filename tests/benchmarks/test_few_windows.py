"""Sets of one factor out of many labels, and thinned sets: against counts by hand."""

import numpy as np
import pytest

from few_windows import LEAST_VALID, from_table, thinned, written
from helpers import random_dna, write_table
from wavebind.datasets.dataset import open_dataset

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
