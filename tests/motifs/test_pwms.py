import math

import numpy as np
import pytest

from wavebind.core.errors import InputError
from wavebind.genome.sequences import reverse_complement, to_codes
from wavebind.motifs.jaspar import all_motifs, find_motif, latest_motifs
from wavebind.motifs.pwms import Motif, best_hits, read_meme, write_meme

RNG = np.random.default_rng(5)
CODES = RNG.integers(0, 4, (60, 50)).astype(np.uint8)


def naive_best(codes, table):
    """Every place on both strands, one at a time."""
    best = (-math.inf, 0, False)
    width = len(table)
    for start in range(len(codes) - width + 1):
        site = codes[start : start + width]
        for reverse in (False, True):
            read = reverse_complement(site) if reverse else site
            bits = sum(table[i, c] for i, c in enumerate(read) if c < 4)
            if bits > best[0] + 1e-9:
                best = (bits, start, reverse)
    return best


def test_best_hits_are_those_of_a_loop():
    motifs = [find_motif("MA0139.1"), find_motif("MA1141.2"), find_motif("MA0148.4")]
    codes = CODES[:12].copy()
    codes[3, 10:14] = 4
    background = (0.3, 0.2, 0.2, 0.3)
    hits = best_hits(codes, motifs, pseudocount=0.5, background=background)
    for i, row in enumerate(codes):
        for j, motif in enumerate(motifs):
            bits, start, reverse = naive_best(row, motif.log_odds(0.5, background))
            assert hits.score[i, j] == pytest.approx(bits, abs=1e-4)
            assert (hits.start[i, j], hits.reverse[i, j]) == (start, reverse)


@pytest.mark.slow
def test_scores_are_those_of_memelite():
    from memelite import fimo

    motif = find_motif("MA0139.1")
    share = motif.counts / motif.counts.sum(1, keepdims=True)
    onehot = np.stack([base == CODES for base in range(4)], axis=1).astype(np.int8)
    found = fimo({"m": share.T}, onehot, threshold=0.05, bin_size=0.01, eps=1e-4)[0]
    assert len(found) > 40
    table = np.log2(share + 1e-4) - np.log2(0.25)
    width = motif.width
    for hit in found.itertuples():
        site = CODES[int(hit.sequence_name), hit.start : hit.start + width]
        read = reverse_complement(site) if hit.strand == "-" else site
        # memelite adds its epsilon to probabilities, so its table is made here in its way.
        assert hit.score == pytest.approx(table[np.arange(width), read].sum(), abs=0.05)
    ours = best_hits(CODES, [motif], pseudocount=0.05)
    best = found.loc[found.groupby("sequence_name").score.idxmax()]
    same = sum(
        ours.start[int(hit.sequence_name), 0] == hit.start
        and ours.reverse[int(hit.sequence_name), 0] == (hit.strand == "-")
        for hit in best.itertuples()
    )
    assert same >= 0.9 * len(best)


def test_a_window_and_its_reverse_complement_score_alike():
    motifs = list(latest_motifs()[::50])
    turned = np.stack([reverse_complement(row) for row in CODES])
    here, there = best_hits(CODES, motifs), best_hits(turned, motifs)
    np.testing.assert_allclose(here.score, there.score, atol=1e-4)


def test_windows_shorter_than_a_motif_have_no_hit():
    hits = best_hits(CODES[:3, :10], [find_motif("MA0139.1"), find_motif("MA1141.2")])
    assert np.isneginf(hits.score[:, 0]).all()
    motif = Motif("x", "", np.ones((8, 4)))
    assert np.isfinite(best_hits(CODES[:3, :10], [motif]).score).all()


def test_information_of_known_columns():
    motif = Motif("x", "", [[10, 0, 0, 0], [5, 5, 0, 0], [1, 1, 1, 1]])
    np.testing.assert_allclose(motif.information(), [2, 1, 0], atol=1e-12)


def test_log_odds_by_hand():
    motif = Motif("x", "", [[3, 1, 0, 0]])
    expected = np.log2((np.array([3, 1, 0, 0]) + 0.1 * 0.25) / 4.1 / 0.25)
    np.testing.assert_allclose(motif.log_odds(0.1)[0], expected, atol=1e-12)
    assert motif.log_odds(0.0)[0, 2] == -math.inf


def test_meme_files_come_back(tmp_path):
    motifs = [find_motif("CTCF"), find_motif("FOXA1")]
    write_meme(tmp_path / "m.meme", motifs)
    back = read_meme(tmp_path / "m.meme")
    assert [(m.identifier, m.name) for m in back] == [(m.identifier, m.name) for m in motifs]
    for a, b in zip(motifs, back, strict=True):
        np.testing.assert_allclose(a.probabilities(0), b.probabilities(0), atol=2e-6)


def test_meme_files_are_read_by_memelite(tmp_path):
    from memelite.io import read_meme as independent

    motif = find_motif("MA0139.1")
    write_meme(tmp_path / "m.meme", [motif])
    found = independent(str(tmp_path / "m.meme"))
    assert list(found) == ["MA0139.1 CTCF"]
    table = np.asarray(found["MA0139.1 CTCF"])
    np.testing.assert_allclose(table, motif.probabilities(0).T, atol=2e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello\n", "is not in MEME format; its first lines lack 'MEME version'"),
        ("MEME version 4\n", "holds no motif"),
        *(
            (
                f"MEME version 4\nMOTIF a\nletter-probability matrix: w= 1 nsites= {n}\n"
                f"0.5 0.5 0 0\n",
                f"line 3: nsites is the number of sites .*; found '{n}'",
            )
            for n in (".", "-3", "1e400", "nan", "many")
        ),
        (
            "MEME version 4\nMOTIF a\nletter-probability matrix: w= 2\n0.5 0.5 0 0\n",
            "motif a has 1 rows and says 2 of its width",
        ),
        (
            "MEME version 4\nMOTIF a\nletter-probability matrix: w= 1\n0.5 0.9 0 0\n",
            "line 4: a row of a matrix has four probabilities that add up to 1; found '0.5 0.9 0",
        ),
        (
            "MEME version 4\nMOTIF a\nletter-probability matrix: w= 1\n0.5 0.5 0\n",
            "line 4: a row of a matrix has four probabilities",
        ),
        ("MEME version 4\nMOTIF\n", "line 2: MOTIF has no name"),
        (">MA0139.1 CTCF\nA  [ 87 167 ]\nC [ 2 3 ]\nG [ 2 3 ]\nT [ 2 3 ]\n", "'jaspar2meme'"),
        (">NNGG\tCTCF\t6.0\n0.2\t0.3\t0.3\t0.2\n0.1\t0.1\t0.7\t0.1\n", "'homer2meme'"),
        ("AC  M00001\nXX\nID  V$MYOD\nP0  A C G T\n01 1 2 2 0\n", "'transfac2meme'"),
        (
            "MEME version 4\n\nALPHABET= TGCA\n\nMOTIF m\nletter-probability matrix: w= 1\n"
            "0.1 0.2 0.3 0.4\n",
            "line 3: the alphabet is 'TGCA'",
        ),
        ("MEME version 4\nALPHABET= ACDEFGHIKLMNPQRSTVWY\nMOTIF m\n", "the alphabet is 'ACDEF"),
    ],
)
def test_bad_meme_files(tmp_path, text, message):
    path = tmp_path / "m.meme"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_meme(path)


def test_a_meme_file_that_is_not_text(tmp_path):
    path = tmp_path / "m.meme"
    path.write_bytes(b"MEME version 4\n\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_meme(path)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.ones((3, 3)), "counts have the shape"),
        (np.ones((0, 4)), "counts have the shape"),
        (np.ones((201, 4)), "at most 200 positions"),
        (np.zeros((2, 4)), "every position has some"),
        (-np.ones((2, 4)), "counts are not negative"),
    ],
)
def test_bad_counts(counts, message):
    with pytest.raises(InputError, match=message):
        Motif("m", "", counts)


def test_jaspar_is_there_by_identifier_and_by_name():
    assert find_motif("MA0139.1").name == "CTCF"
    assert find_motif("ma0139").identifier == "MA0139.2"
    assert find_motif("fos::jund").identifier.startswith("MA1141.")
    assert len(all_motifs()) > 2000
    assert 900 < len(latest_motifs()) < len(all_motifs())
    assert len({m.identifier for m in all_motifs()}) == len(all_motifs())
    # The consensus of the CTCF matrix, as the literature has it.
    letters = "".join("ACGT"[i] for i in find_motif("MA0139.1").counts.argmax(1))
    assert "CCACTAGGGGGC" in letters or "CCACCAGGGGGC" in letters


def test_an_unknown_motif_is_said():
    with pytest.raises(InputError, match="motif 'NOPE' is not in JASPAR CORE vertebrates; name"):
        find_motif("NOPE")


def test_a_planted_site_is_found_where_it_is():
    motif = find_motif("MA0139.1")
    consensus = "".join("ACGT"[i] for i in motif.counts.argmax(1))
    row = CODES[0].copy()
    row[20 : 20 + motif.width] = reverse_complement(to_codes(consensus))
    hits = best_hits(row[None], [motif])
    assert hits.start[0, 0] == 20
    assert hits.reverse[0, 0]


def test_a_gzipped_file_is_read(tmp_path):
    import gzip

    write_meme(tmp_path / "m.meme", [find_motif("CTCF")])
    packed = tmp_path / "m.meme.gz"
    packed.write_bytes(gzip.compress((tmp_path / "m.meme").read_bytes()))
    (plain,), (found,) = read_meme(tmp_path / "m.meme"), read_meme(packed)
    np.testing.assert_array_equal(plain.counts, found.counts)
