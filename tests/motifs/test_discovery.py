import numpy as np
import pytest
from scipy.stats import fisher_exact

from wavebind.core.errors import InputError
from wavebind.genome.kmers import canonical_kmers
from wavebind.genome.sequences import UNKNOWN, reverse_complement, to_codes, to_letters
from wavebind.motifs.discovery import discover_motifs, enriched_words
from wavebind.motifs.pwms import best_hits

WORDS = ("TGACTCATTC", "GTAAACAGGAAC")


def windows(n, length=60, word=None, share=0.7, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (n, length)).astype(np.uint8)
    for row in codes:
        if word and rng.random() < share:
            site = to_codes(word)
            site = site if rng.random() < 0.5 else reverse_complement(site)
            # One letter in eight of a site is another one.
            hit = rng.random(len(site)) < 0.125
            site = np.where(hit, rng.integers(0, 4, len(site)), site).astype(np.uint8)
            at = rng.integers(0, length - len(site) + 1)
            row[at : at + len(site)] = site
    return codes


def consensus(motif):
    return "".join("ACGT"[i] for i in motif.counts.argmax(1))


def holds(found, word):
    other = to_letters(reverse_complement(to_codes(word)))
    core, turned = word[2:-2], other[2:-2]
    return core in consensus(found.motif) or turned in consensus(found.motif)


def test_words_by_a_loop():
    codes = windows(5, 12)
    codes[2, 4] = UNKNOWN
    words, known = canonical_kmers(codes, 3)
    for i, row in enumerate(codes):
        for j in range(10):
            word = row[j : j + 3]
            assert known[i, j] == (word < 4).all()
            if known[i, j]:
                values = [int("".join(map(str, w)), 4) for w in (word, reverse_complement(word))]
                assert words[i, j] == min(values)


@pytest.mark.parametrize("word", WORDS)
def test_the_planted_motif_is_found(word):
    bound, unbound = windows(300, word=word), windows(300, seed=1)
    found = discover_motifs(bound, unbound)[0]
    assert holds(found, word)
    assert found.log10_p < -40
    assert len(word) - 2 <= found.motif.width <= len(word) + 6
    # What is said of it is so.
    counts = np.bincount(unbound.ravel(), minlength=5)[:4] + 1.0
    hits = [
        best_hits(part, [found.motif], pseudocount=1.0, background=counts / counts.sum()).score
        for part in (bound, unbound)
    ]
    n = [int((part >= found.threshold).sum()) for part in hits]
    assert n == [found.n_bound, found.n_unbound]
    table = [[n[0], 300 - n[0]], [n[1], 300 - n[1]]]
    p = fisher_exact(table, alternative="greater").pvalue
    assert found.log10_p == pytest.approx(np.log10(p), abs=1e-3)


def test_two_motifs_one_after_the_other():
    bound = np.concatenate([windows(250, word=WORDS[0]), windows(200, word=WORDS[1], seed=2)])
    found = discover_motifs(bound, windows(450, seed=1), n_motifs=2)
    assert len(found) == 2
    assert any(holds(found[0], w) for w in WORDS)
    assert any(holds(found[1], w) for w in WORDS)
    assert not any(holds(found[0], w) and holds(found[1], w) for w in WORDS)


def test_where_there_is_no_motif_little_is_claimed():
    found = discover_motifs(windows(300, seed=3), windows(300, seed=4))
    # The best of many thousand words and thresholds; a planted motif is at 40 and more.
    assert found[0].log10_p > -20


def test_the_first_word_is_the_planted_one():
    found = enriched_words(windows(300, word="GATTACA", share=1.0), windows(300, seed=1))
    assert found[0] in ("GATTACA", "TGTAATC")
    assert len(found) <= 24


@pytest.mark.parametrize(
    ("bound", "unbound", "message"),
    [
        (windows(3), windows(0), "a class is missing"),
        (windows(3, 8), windows(3, 8), "windows of 8 bp are too short to find a motif in"),
    ],
)
def test_errors(bound, unbound, message):
    with pytest.raises(InputError, match=message):
        discover_motifs(bound, unbound)
