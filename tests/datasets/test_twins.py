"""Windows that are shuffles of each other, planted and counted by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from helpers import random_dna
from wavebind.datasets.dataset import open_dataset
from wavebind.datasets.tables import LabelledWindow
from wavebind.datasets.twins import find_twins, twin_calls, twin_words
from wavebind.datasets.writing import write_dataset
from wavebind.genome.sequences import reverse_complement, to_codes
from wavebind.genome.shuffling import dinucleotide_shuffle


def dataset(folder, pairs, others=0):
    """Bound windows and their shuffles; `pairs` says the parts of the two of each pair."""
    rng = np.random.default_rng(0)
    windows = []

    def add(codes, label, part):
        windows.append(LabelledWindow(codes, label, part, "", -1, -1, "x"))

    for n, (first, second, kind) in enumerate(pairs):
        codes = to_codes(random_dna(rng, 101))
        add(codes, 1, first)
        twin = (
            dinucleotide_shuffle(codes[None], rng)[0]
            if kind == "dinucleotides"
            else rng.permutation(codes)
        )
        add(reverse_complement(twin) if n % 2 else twin, 0, second)
    for i in range(others):
        add(to_codes(random_dna(rng, 101)), i % 2, ("train", "valid", "test")[i % 3])
    write_dataset(windows, folder)
    return open_dataset(folder)


SAME = [(p, p, "dinucleotides") for p in ("train", "valid", "test") for _ in range(20)]


def signature(text):
    def counts(t):
        return tuple(sorted(Counter(t[i : i + 2] for i in range(len(t) - 1)).items()))

    other = text.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    return min(counts(text), counts(other))


def test_twins_across_splits_against_a_loop(tmp_path):
    pairs = [
        *SAME,
        *[("train", "test", "dinucleotides")] * 15,
        *[("test", "train", "dinucleotides")] * 10,
        *[("valid", "test", "dinucleotides")] * 5,
    ]
    data = dataset(tmp_path / "d", pairs, others=30)
    found = find_twins(data, "test", np.random.default_rng(0))
    assert (found.kept, found.n_in_train, found.by_chance) == ("dinucleotides", 25, 0.0)
    assert (found.n_within, found.n_unbound, found.n_windows) == (20, 45, 80)
    letters = ["".join("ACGT"[b] for b in codes) for codes in data.codes]
    train = {signature(letters[i]): int(data.labels[i]) for i in data.indices("train")}
    test = data.indices("test")
    calls = [{1: -1, 0: 1, None: 0}[train.get(signature(letters[i]))] for i in test]
    np.testing.assert_array_equal(twin_calls(data, "test"), calls)
    expected = matthews_corrcoef(data.labels[test], np.array(calls) > 0.5)
    assert found.mcc.value == pytest.approx(expected)
    assert found.mcc.low < expected < found.mcc.high
    words = twin_words("test", found)
    assert words.startswith("The twin of 25 of 80 test windows is in train, with the other label")
    assert f"scores an MCC of {expected:.3f} (" in words


def test_twins_in_one_split_are_another_sentence(tmp_path):
    found = find_twins(dataset(tmp_path / "d", SAME), "test", np.random.default_rng(0))
    assert (found.n_in_train, found.mcc, found.n_within) == (0, None, 20)
    assert twin_words("test", found).startswith(
        "20 of 20 unbound test windows are twins of bound ones in the same split: they have "
        "exactly the same dinucleotide counts"
    )


def test_shuffled_bases(tmp_path):
    pairs = [(p, p, "bases") for p, _, _ in SAME] + [("train", "test", "bases")] * 30
    found = find_twins(dataset(tmp_path / "d", pairs), "test", np.random.default_rng(0))
    assert (found.kept, found.n_in_train >= 30) == ("bases", True)
    assert "exactly the same counts of A, C, G and T" in twin_words("test", found)


def test_windows_that_are_no_shuffles(tmp_path):
    """Base counts of short windows agree by chance; that is no twin."""
    data = dataset(tmp_path / "d", [], others=3000)
    assert find_twins(data, "test", np.random.default_rng(0)) is None


def test_what_the_audit_says(tmp_path, cli):
    rng = np.random.default_rng(5)
    rows = []
    for _ in range(240):
        codes = to_codes(random_dna(rng, 60))
        rows += [(codes, 1), (dinucleotide_shuffle(codes[None], rng)[0], 0)]
    order = rng.permutation(len(rows))
    for name, part in (("train", order[:380]), ("valid", order[380:420]), ("test", order[420:])):
        text = "".join(f"{''.join('ACGT'[b] for b in rows[i][0])},{rows[i][1]}\n" for i in part)
        (tmp_path / f"{name}.csv").write_text("sequence,label\n" + text)
    code, out, err = cli(
        "dataset", tmp_path / "train.csv", "--valid", tmp_path / "valid.csv", "--test",
        tmp_path / "test.csv", "--out", tmp_path / "d",
    )  # fmt: skip
    assert code == 0, err
    partner = {i: i ^ 1 for i in range(len(rows))}
    crossed = sum(partner[i] in set(order[:380].tolist()) for i in order[420:].tolist())
    assert f"The twin of {crossed} of 60 test windows is in train, with the other label" in out


def test_the_published_mouse_sets(shared_data, tmp_path, cli):
    folder = shared_data / "published" / "gue"
    for name, sentence in (
        ("mouse_0", "The twin of 663 of 810 test windows is in train, with the other label"),
        ("mouse_2", "The twin of 266 of 328 test windows is in train, with the other label"),
    ):
        train, valid, test = (folder / f"{name}_{p}.csv.gz" for p in ("train", "dev", "test"))
        code, out, err = cli(
            "dataset", train, "--valid", valid, "--test", test, "--out", tmp_path / name
        )
        assert code == 0, err
        assert sentence in out
