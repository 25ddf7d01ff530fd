import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from helpers import random_dna
from wavebind.datasets.dataset import open_dataset
from wavebind.datasets.kmer_labels import kmer_labels, kmer_words
from wavebind.datasets.tables import LabelledWindow
from wavebind.datasets.writing import write_dataset
from wavebind.genome.sequences import to_codes, to_letters


def dataset(folder, word, label=1, n=600):
    """Windows of one class hold a word more often than the others."""
    rng = np.random.default_rng(2)
    windows = []
    for i in range(n):
        text = random_dna(rng, 60)
        if word and i % 2 == label and rng.random() < 0.8:
            at = int(rng.integers(0, 50))
            text = text[:at] + word + text[at + len(word) :]
        part = ("train", "valid", "test")[i % 3]
        windows.append(LabelledWindow(to_codes(text), i % 2, part, "", -1, -1, "x"))
    write_dataset(windows, folder)
    return open_dataset(folder)


def count(text, word):
    other = word.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    return sum(text[i : i + len(word)] in (word, other) for i in range(len(text)))


@pytest.mark.parametrize("label", [0, 1])
def test_the_best_word_against_a_loop(tmp_path, label):
    data = dataset(tmp_path / "d", "GATA", label)
    test = data.indices("test")
    found = kmer_labels(data, data.indices("train"), test, np.random.default_rng(0))
    assert [len(one.kmer) for one in found] == [1, 2, 3, 4]
    assert found[3].kmer in ("GATA", "TATC")
    assert found[3].more_in_bound == (label == 1)
    for one in found:
        counts = [count(to_letters(codes), one.kmer) for codes in data.codes[test]]
        sign = 1 if one.more_in_bound else -1
        expected = roc_auc_score(data.labels[test], sign * np.array(counts))
        assert one.value == pytest.approx(expected)
        assert one.low <= one.value <= one.high
    words = kmer_words(found)
    assert words.startswith(f"The count of one word, {found[3].kmer} or its reverse complement")
    assert f"there is {'more' if label else 'less'} of it in bound windows" in words


def test_no_word_is_no_sentence(tmp_path):
    data = dataset(tmp_path / "d", "")
    found = kmer_labels(data, data.indices("train"), data.indices("test"), np.random.default_rng(0))
    assert kmer_words(found) is None
    assert kmer_words(()) is None


def test_one_class_alone_has_no_word(tmp_path):
    data = dataset(tmp_path / "d", "GATA")
    bound = np.flatnonzero(data.labels == 1)
    assert kmer_labels(data, bound, data.indices("test"), np.random.default_rng(0)) == ()
