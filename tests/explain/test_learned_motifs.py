import json

import numpy as np
import pytest

from helpers import LENGTH, MOTIF, only_result
from wavebind.cli.main import run as run_cli
from wavebind.core.errors import InputError
from wavebind.core.processes import run_isolated
from wavebind.datasets.dataset import open_dataset
from wavebind.explain.learned_motifs import FoundMotif, find_motifs, told_apart
from wavebind.explain.modisco import find_patterns, trim_bounds
from wavebind.genome.sequences import reverse_complement, to_codes, to_letters
from wavebind.models.results import MOTIFS
from wavebind.motifs.jaspar import find_motif
from wavebind.motifs.matches import match_motifs
from wavebind.motifs.pwms import Motif, read_meme


@pytest.mark.slow
def test_a_matrix_is_its_own_best_match():
    for name in ("MA0139.2", "MA1141.2", "MA0148.5"):
        motif = find_motif(name)
        turned = motif.reverse_complement()
        for query in (motif, turned):
            best = match_motifs([query])[0][0]
            assert best.identifier == name
            assert best.q < 1e-4
    assert match_motifs([]) == []


def test_matches_are_those_of_memelite():
    from memelite import tomtom

    from wavebind.motifs.jaspar import latest_motifs

    query = find_motif("MA0139.1")
    targets = latest_motifs()
    expected = tomtom(
        [query.probabilities().T], [t.probabilities().T for t in targets], n_target_bins=None
    )[0][0]
    found = match_motifs([query], n=len(targets))[0]
    by_name = {match.identifier: match.p for match in found}
    for target, p in zip(targets, expected, strict=True):
        assert by_name[target.identifier] == pytest.approx(p, rel=1e-6, abs=1e-300)
    assert found[0].name == "CTCF"


def test_a_motif_of_nothing_matches_nothing():
    """Of matrices of random sites few should match at a false discovery rate of 1 %."""
    rng = np.random.default_rng(0)
    noise = [Motif(str(i), "", rng.dirichlet([0.5] * 4, 10) * 100) for i in range(20)]
    assert sum(matches[0].q < 0.01 for matches in match_motifs(noise)) <= 4


@pytest.mark.parametrize(
    ("strength", "expected"),
    [
        ([0, 0, 0, 1, 2, 1, 0, 0, 0], (1, 8)),
        ([2, 1, 0, 0], (0, 4)),
        ([0, 0, -2, 0, 0, 0], (0, 5)),
    ],
)
def test_ends_that_contribute_nothing_are_cut(strength, expected):
    contributions = np.zeros((len(strength), 4))
    contributions[:, 1] = strength
    assert trim_bounds(contributions) == expected


def planted_scores(n=120, length=60, seed=0):
    """Windows with a site that scores, and small noise elsewhere."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (n, length))
    scores = rng.normal(0, 0.01, (n, length, 4))
    starts = rng.integers(12, length - 26, n)
    motif = to_codes(MOTIF)
    for i, at in enumerate(starts):
        site = motif if i % 2 else reverse_complement(motif)
        codes[i, at : at + len(site)] = site
        for j, base in enumerate(site):
            scores[i, at + j] = -0.3
            scores[i, at + j, base] = 1.0
    onehot = np.stack([codes == base for base in range(4)], axis=2).astype(np.int8)
    return onehot, scores.astype(np.float32), starts


@pytest.mark.slow
def test_patterns_are_found_where_they_were_planted():
    onehot, scores, starts = planted_scores()
    patterns, _ = run_isolated(find_patterns, (onehot, scores, 20), print)
    best = patterns[0]
    assert best.positive
    assert best.n_seqlets > 100
    first, stop = trim_bounds(best.contributions)
    letters = "".join("ACGT"[i] for i in best.counts[first:stop].argmax(1))
    other = to_letters(reverse_complement(to_codes(MOTIF)))
    assert MOTIF in letters or other in letters
    # Every seqlet lies over the site of its window, and its counts are its letters.
    for window, start, end in zip(best.window, best.start, best.end, strict=True):
        assert start <= starts[window] + 4
        assert end >= starts[window] + len(MOTIF) - 4
    width = len(best.counts)
    counts = np.zeros_like(best.counts)
    for window, start, end, reverse in zip(
        best.window, best.start, best.end, best.reverse, strict=True
    ):
        piece = onehot[window, start:end].astype(float)
        # What lies beyond an edge is empty.
        missing = np.zeros((width - len(piece), 4))
        piece = np.concatenate([missing, piece] if start == 0 else [piece, missing])
        counts += piece[::-1, ::-1] if reverse else piece
    np.testing.assert_array_equal(counts, best.counts)


@pytest.fixture(scope="module")
def learnt(trained, tmp_path_factory):
    import shutil

    run = tmp_path_factory.mktemp("motifs") / "run"
    shutil.copytree(trained[0], run)
    assert run_cli(["motifs", str(run), str(trained[1]), "--device", "cpu"]) == 0
    return run


@pytest.mark.slow
def test_the_planted_motif_is_learnt_and_has_a_name(learnt, trained):
    folder = only_result(learnt, MOTIFS)
    rows = [line.split("\t") for line in (folder / "motifs.tsv").read_text().splitlines()]
    best = dict(zip(rows[0], rows[1], strict=True))
    assert best["motif"] == "for1"
    assert best["match_name"] in ("CTCF", "CTCFL")
    assert float(best["q"]) < 0.01
    core = MOTIF[2:-2]
    assert (
        core in best["consensus"]
        or to_letters(reverse_complement(to_codes(core))) in (best["consensus"])
    )
    assert float(best["share"]) > 0.5
    motifs = read_meme(folder / "motifs.meme")
    assert [m.identifier for m in motifs] == [row[0] for row in rows[1:]]
    data = open_dataset(trained[1])
    bound = data.indices("test")[data.labels[data.indices("test")] == 1]
    places = dict(zip(data.names(bound), bound, strict=True))
    sites = [line.split("\t") for line in (folder / "sites.tsv").read_text().splitlines()[1:]]
    assert len([s for s in sites if s[0] == "for1"]) == int(best["sites"])
    held = 0
    for _, window, start, end, _ in sites:
        letters = to_letters(data.codes[places[window]])
        assert 0 <= int(start) < int(end) <= LENGTH
        piece = letters[int(start) : int(end)]
        held += core in piece or core in to_letters(reverse_complement(to_codes(piece)))
    assert held / len(sites) > 0.7
    # On the genome: as wide as the motif, and on its strand.
    bed = [line.split("\t") for line in (folder / "sites.bed").read_text().splitlines()]
    mine = [row for row in bed if row[3] == "for1"]
    assert len(mine) == int(best["sites"])
    assert {int(row[2]) - int(row[1]) for row in mine} == {len(best["consensus"])}
    where = {(str(data.chrom[i]), int(data.start[i])): i for i in bound}
    counts = np.zeros((len(best["consensus"]), 4))
    for chrom, start, end, _, _, strand in mine:
        at = next((i for (c, s), i in where.items() if c == chrom and s <= int(start)
                   and int(end) <= s + LENGTH), None)  # fmt: skip
        if at is not None:
            offset = int(start) - int(data.start[at])
            codes = data.codes[at][offset : offset + len(counts)]
            codes = reverse_complement(codes[None])[0] if strand == "-" else codes
            counts += np.eye(5)[codes][:, :4]
    assert counts.sum(axis=1).max() > 0.5 * len(mine)
    assert "".join("ACGT"[i] for i in counts.argmax(axis=1)) == best["consensus"]
    assert (folder / "for1.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((folder / "motifs.json").read_text())
    assert found["method"] == "ig"
    assert found["motifs"][0]["n_sites"] == int(best["sites"])


@pytest.mark.slow
def test_the_same_windows_give_the_same_motifs(learnt, trained, cli):
    before = (only_result(learnt, MOTIFS) / "motifs.tsv").read_text()
    code, out, err = cli("motifs", learnt, trained[1], "--device", "cpu")
    assert code == 0, err
    assert (only_result(learnt, MOTIFS) / "motifs.tsv").read_text() == before
    assert "for1" in out
    assert "clustering; this has no progress to show" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--method", "gradcam"],
            "which 'gradcam' does not give; choose one of: ig, ig-cor",
        ),
        (["--n", 0], "the number of windows must be 1 or more; found 0"),
        pytest.param(
            ["--n", 3, "--force"],
            "no pattern recurs in the scores of 3 bound windows",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_motifs_that_cannot_be(learnt, trained, cli, arguments, message):
    code, _, err = cli("motifs", learnt, trained[1], "--device", "cpu", *arguments)
    assert code == 1
    assert message in err


def test_a_split_without_bound_windows(learnt, trained):
    from dataclasses import replace

    data = open_dataset(trained[1])
    data = replace(data, labels=np.zeros_like(data.labels))
    with pytest.raises(InputError, match="the test split has no bound windows to explain"):
        find_motifs(learnt, data, device="cpu")


@pytest.mark.slow
def test_the_report_shows_them(learnt, trained, cli):
    best = json.loads((only_result(learnt, MOTIFS) / "motifs.json").read_text())["motifs"][0]
    assert cli("evaluate", learnt, trained[1])[0] == 0
    assert cli("report", learnt)[0] == 0
    page = (learnt / "report.html").read_text()
    assert "What it has learnt" in page
    match = best["matches"][0]
    assert f"{match['identifier']} {match['name']}" in page
    assert f"{best['n_sites']:,}" in page
    assert '<img alt="for1" src="data:image/png' in page


def found_motif(counts, positive):
    return FoundMotif(Motif("m", "", counts), counts * 0, positive, 50, 50, 0.5, 0.0, [])


def test_what_only_seems_to_speak_against_binding_is_left_out():
    ctcf, ap1 = (find_motif(name).counts for name in ("MA0139.1", "MA0099.3"))
    noise = np.random.default_rng(0).dirichlet([20] * 4, 12) * 100
    motifs = [
        found_motif(ctcf, True),
        found_motif(ctcf[4:14], False),
        found_motif(ctcf[::-1, ::-1][3:12], False),
        found_motif(noise, False),
        found_motif(ap1, False),
        found_motif(noise, True),
    ]
    assert told_apart(motifs) == [0, 4, 5]


def test_of_equal_q_the_matrix_that_people_know_comes_first():
    counts = find_motif("MA0139.1").counts
    known = [
        Motif("MA9000.1", "CTCF::ZNF", counts),
        Motif("MA1929.2", "CTCF", counts),
        Motif("MA0139.2", "CTCF", counts),
    ]
    rng = np.random.default_rng(0)
    known += [Motif(f"MX{i:04}.1", "NOISE", rng.dirichlet([1] * 4, 10) * 100) for i in range(40)]
    found = match_motifs([Motif("for1", "", counts)], known)[0]
    assert [m.identifier for m in found[:3]] == ["MA0139.2", "MA1929.2", "MA9000.1"]
    assert found[0].q == found[2].q < found[3].q
