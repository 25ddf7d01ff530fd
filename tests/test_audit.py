from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from wavebind.audit import best_shortcut, cpg_fraction, dinucleotide_frequencies, shortcuts
from wavebind.dataset import open_dataset, write_dataset
from wavebind.sequences import gc_fraction, reverse_complement, to_codes
from wavebind.tables import LabelledWindow


def test_dinucleotides_against_a_loop():
    rng = np.random.default_rng(0)
    windows = rng.integers(0, 5, (20, 30), dtype=np.uint8)
    found = dinucleotide_frequencies(windows)
    for row, codes in zip(found, windows, strict=True):
        counts = np.zeros(16)
        for strand in (codes, reverse_complement(codes)):
            for a, b in pairwise(strand):
                if a < 4 and b < 4:
                    counts[4 * a + b] += 1
        np.testing.assert_allclose(row, counts / max(counts.sum(), 1))
    other = dinucleotide_frequencies(reverse_complement(windows))
    np.testing.assert_allclose(found, other)


def test_cpg_fraction():
    assert cpg_fraction(np.stack([to_codes("ACGCGT")])).tolist() == [2 / 5]


def make(folder, gc, n=900):
    rng = np.random.default_rng(0)

    def windows():
        for i in range(n):
            label, part = i % 2, ("train", "valid", "test")[i % 3]
            p = gc[label]
            codes = rng.choice(4, 60, p=[(1 - p) / 2, p / 2, p / 2, (1 - p) / 2]).astype(np.uint8)
            yield LabelledWindow(codes, label, part, "chr1", 100 * i, 100 * i + 60, "x")

    write_dataset(windows(), folder)
    return open_dataset(folder)


@pytest.mark.parametrize("gc", [(0.4, 0.6), (0.6, 0.4)])
def test_a_gc_bias_is_seen_in_either_direction(tmp_path, gc):
    data = make(tmp_path / "d", gc)
    test = data.indices("test")
    found, _ = shortcuts(data, test, np.random.default_rng(0))
    sign = 1 if gc[1] > gc[0] else -1
    expected = roc_auc_score(data.labels[test], sign * gc_fraction(data.codes[test]))
    assert found["gc"].value == pytest.approx(expected)
    assert found["gc"].low > 0.9
    assert best_shortcut(found)[1].value >= found["gc"].value


def test_without_a_bias_no_shortcut_helps(tmp_path):
    data = make(tmp_path / "d", (0.5, 0.5), n=9000)
    found, _ = shortcuts(data, data.indices("test"), np.random.default_rng(0))
    for estimate in found.values():
        assert abs(estimate.value - 0.5) < 0.04
