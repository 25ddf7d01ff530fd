import numpy as np
import pytest

from helpers import random_dna
from wavebind.datasets import leakage as duplicates
from wavebind.datasets.dataset import open_dataset
from wavebind.datasets.leakage import find_leakage, share_a_kmer, shared_kmers
from wavebind.datasets.tables import LabelledWindow
from wavebind.datasets.writing import write_dataset
from wavebind.genome.sequences import reverse_complement, to_codes, to_letters


def naive(codes, indices, others, k):
    def kmers(window):
        text = to_letters(window)
        found = [text[i : i + k] for i in range(len(text) - k + 1)]
        return [min(x, to_letters(reverse_complement(to_codes(x)))) for x in found if "N" not in x]

    known = {x for i in others for x in kmers(codes[i])}
    result = []
    for i in indices:
        mine = kmers(codes[i])
        result.append(sum(x in known for x in mine) / max(len(mine), 1))
    return result


@pytest.mark.parametrize("k", [4, 7, 12, 24, 31, 32, 33, 40, 47])
def test_shared_kmers_against_sets(k):
    rng = np.random.default_rng(k)
    codes = rng.integers(0, 5, (60, 50), dtype=np.uint8)
    codes[rng.random(codes.shape) < 0.5] %= 4
    codes[:50] = codes[:50] % 4
    codes[10, 5:45] = codes[40, 2:42]
    codes[11] = reverse_complement(codes[41])
    codes[12, :30] = reverse_complement(codes[42, 20:])
    mine, others = np.arange(30), np.arange(30, 60)
    np.testing.assert_allclose(shared_kmers(codes, mine, others, k), naive(codes, mine, others, k))


def test_a_sample_of_kmers_finds_the_same_windows(monkeypatch):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (400, 200), dtype=np.uint8)
    codes[:20] = codes[200:220]
    mine, others = np.arange(200), np.arange(200, 400)
    monkeypatch.setattr(duplicates, "_MAX_KMERS", 4000)
    found = shared_kmers(codes, mine, others)
    assert np.all(found[:20] == 1)
    assert np.all(found[20:] == 0)


def make(tmp_path, change=lambda windows: windows):
    rng = np.random.default_rng(0)
    windows = []
    for i in range(90):
        part = ("train", "valid", "test")[i % 3]
        chrom = f"chr{i % 3 + 1}"
        codes = to_codes(random_dna(rng, 60))
        windows.append(LabelledWindow(codes, i % 2, part, chrom, 100 * i, 100 * i + 60, "x"))
    write_dataset(change(windows), tmp_path / "d")
    return open_dataset(tmp_path / "d")


def replace(window, **fields):
    return LabelledWindow(**{**vars(window), **fields})


def test_parts_that_are_apart(tmp_path):
    found = find_leakage(make(tmp_path), "test")
    assert (found.n_windows, found.k, found.n_placed) == (30, 24, 30)
    assert (found.n_near_duplicates, found.n_overlapping, found.examples) == (0, 0, ())


def test_a_window_of_the_test_that_was_trained_on(tmp_path):
    def change(windows):
        # A near-duplicate, on the other strand and shifted; an exact one would be left out.
        codes = np.r_[windows[0].codes[6:], windows[5].codes[:6]]
        windows[2] = replace(windows[2], codes=reverse_complement(codes))
        windows[5] = replace(windows[5], chrom="chr1", start=30, end=90)
        windows[8] = replace(windows[8], chrom="", start=-1, end=-1)
        return windows

    found = find_leakage(make(tmp_path, change), "test")
    assert (found.n_near_duplicates, found.n_overlapping, found.n_placed) == (1, 1, 29)
    assert found.examples == ("chr3:200-260", "chr1:30-90")
    assert find_leakage(open_dataset(tmp_path / "d"), "valid").n_overlapping == 0


@pytest.mark.parametrize("limit", [20_000_000, 300])
def test_windows_that_share_a_stretch_of_forty_bases(tmp_path, monkeypatch, limit):
    """However few hashes are held at a time, and on either strand."""

    def change(windows):
        def with_stretch(window, other, n, turned=False):
            stretch = other.codes[7 : 7 + n]
            stretch = reverse_complement(stretch) if turned else stretch
            codes = np.r_[window.codes[:3], stretch, window.codes[3 + n :]]
            return replace(window, codes=codes)

        windows[2] = with_stretch(windows[2], windows[0], 40)
        windows[5] = with_stretch(windows[5], windows[3], 45, turned=True)
        windows[8] = with_stretch(windows[8], windows[6], 34)
        windows[11] = with_stretch(windows[11], windows[10], 45)  # of valid, not of train
        return windows

    monkeypatch.setattr(duplicates, "_MAX_KMERS", limit)
    data = make(tmp_path, change)
    found = share_a_kmer(data, "test")
    assert np.flatnonzero(found).tolist() == [0, 1]
    assert find_leakage(data, "test").n_sharing == 2
    expected = np.array(naive(data.codes, data.indices("test"), data.indices("train"), 31)) > 0
    np.testing.assert_array_equal(share_a_kmer(data, "test", 31), expected)
