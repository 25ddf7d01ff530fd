"""Known factors in bound windows: against statsmodels' formula by hand, and planted sites."""

import numpy as np
import pytest
from scipy.stats.contingency import odds_ratio as scipy_odds_ratio

from helpers import random_dna, write_table
from wavebind.datasets.dataset import open_dataset
from wavebind.evaluate.known_factors import known_factors, odds_ratio

#: A strong site of CTCF, as MA0139 has it.
SITE = "TGGCCACCAGGGGGCGCTA"


def test_the_odds_ratio_is_that_of_scipy_for_many_counts():
    table = (400_000, 100_000, 200_000, 300_000)
    found = odds_ratio(*table)
    expected = scipy_odds_ratio([table[:2], table[2:]], kind="sample")
    interval = expected.confidence_interval(0.95)
    np.testing.assert_allclose(found, (expected.statistic, interval.low, interval.high), rtol=1e-4)


def test_the_odds_ratio_of_no_calls_is_finite():
    ratio, low, high = odds_ratio(0, 10, 0, 10)
    assert ratio == pytest.approx(1)
    assert 0 < low < 1 < high < np.inf


def dataset(cli, folder, length):
    rng = np.random.default_rng(3)
    rows = []
    for part in ("train", "valid", "test"):
        for i in range(80):
            seq = random_dna(rng, length)
            if i % 2:
                seq = seq[:20] + SITE + seq[20 + len(SITE) :]
            rows.append((seq, i % 2, part))
    table = write_table(folder / "t.tsv", rows, "seq\tlabel\tsplit")
    assert cli("dataset", table, "--out", folder / "data")[0] == 0
    return open_dataset(folder / "data")


def test_a_planted_site_is_named(cli, tmp_path):
    data = dataset(cli, tmp_path, 200)
    test = data.indices("test")
    found = known_factors(data, test, data.labels[test].astype(np.int64))
    assert found[0].factor in ("CTCF", "ZNF143")
    ctcf = next(one for one in found if one.factor == "CTCF")
    assert ctcf.low > 3
    assert ctcf.bound > ctcf.unbound
    assert not any(one.factor == "open" for one in found)
    lows = [one.low for one in found]
    assert lows == sorted(lows, reverse=True)
    # Labels that mean nothing: no factor stands out by much.
    shuffled = np.random.default_rng(1).permutation(data.labels[test]).astype(np.int64)
    assert known_factors(data, test, shuffled)[0].low < 3
    assert known_factors(data, test, np.ones(len(test), dtype=np.int64)) == []


def test_windows_of_another_length_are_passed_over(cli, tmp_path):
    data = dataset(cli, tmp_path, 100)
    test = data.indices("test")
    assert known_factors(data, test, data.labels[test].astype(np.int64)) == []
