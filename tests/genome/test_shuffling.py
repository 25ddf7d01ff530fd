from collections import Counter
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from wavebind.genome.sequences import to_codes, to_letters
from wavebind.genome.shuffling import dinucleotide_shuffle


def arrangements(text):
    """All sequences with the same dinucleotides and the same ends, by trying every order."""
    pairs = Counter(pairwise(text))
    inner = set(permutations(text[1:-1]))
    every = {text[0] + "".join(p) + text[-1] for p in inner}
    return sorted(s for s in every if Counter(pairwise(s)) == pairs)


@pytest.mark.parametrize(
    "text", ["ACGTACGAT", "AACCAACCAC", "ANCANACNA", "GGATTAGAGA", "TCTGTCGTA", "ACACGTGTAC"]
)
def test_every_arrangement_is_equally_likely(text):
    every = arrangements(text)
    assert len(every) > 1
    rng = np.random.default_rng(7)
    found = dinucleotide_shuffle(np.repeat(to_codes(text)[None], 30_000, axis=0), rng)
    counts = Counter(map(to_letters, found))
    assert sorted(counts) == every
    assert chisquare([counts[s] for s in every]).pvalue > 1e-3


def test_a_test_that_can_fail():
    # A shuffle of single letters reaches other sequences; the counts above would tell.
    rng = np.random.default_rng(0)
    codes = np.repeat(to_codes("ACGTACGAT")[None], 1000, axis=0)
    assert len(Counter(map(to_letters, rng.permuted(codes, axis=1)))) > len(
        arrangements("ACGTACGAT")
    )


@given(st.lists(st.text("ACGTN", min_size=40, max_size=40), min_size=1, max_size=5), st.integers(0))
def test_dinucleotides_and_ends_are_kept(texts, seed):
    codes = np.stack([to_codes(t) for t in texts])
    found = dinucleotide_shuffle(codes, np.random.default_rng(seed))
    for before, after in zip(codes, found, strict=True):
        assert Counter(pairwise(before.tolist())) == Counter(pairwise(after.tolist()))
        assert before[0] == after[0]
        assert before[-1] == after[-1]


def test_long_windows_do_change_and_short_ones_cannot():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (200, 200), dtype=np.uint8)
    found = dinucleotide_shuffle(codes, rng)
    assert (found == codes).mean() < 0.35
    assert len(np.unique(found, axis=0)) == 200
    for width in (1, 2):
        short = codes[:, :width]
        np.testing.assert_array_equal(dinucleotide_shuffle(short, rng), short)
    assert dinucleotide_shuffle(codes[:0], rng).shape == (0, 200)


def test_a_letter_that_is_seldom_left():
    # The last exit of C is one of two hundred; popping cycles finds it.
    text = "AC" * 200 + "G"
    found = dinucleotide_shuffle(to_codes(text)[None], np.random.default_rng(0))
    assert to_letters(found[0]) == text
