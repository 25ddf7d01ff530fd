import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import MOTIF, SHARED
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import balanced_sample, open_dataset
from wavebind.evaluate.baselines import MODELS, STANDARD_MODELS, make_baseline, parse_model
from wavebind.evaluate.baselines.allmatrices import AllMatrices
from wavebind.evaluate.baselines.kmers import KmerRegression, kmer_counts
from wavebind.evaluate.baselines.matrices import DiscoveredMatrix, JasparMatrix
from wavebind.evaluate.compare import ComparisonConfig
from wavebind.genome.sequences import reverse_complement, to_codes, to_letters
from wavebind.metrics.binary import ranking_metrics
from wavebind.motifs.jaspar import all_motifs
from wavebind.motifs.pwms import best_hits, read_meme


@pytest.fixture
def data(trained):
    return open_dataset(trained[1])


def auroc(baseline, data, part="test"):
    indices = data.indices(part)
    return ranking_metrics(data.labels[indices].astype(int), baseline.predict(data.codes[indices]))[
        0
    ]


def test_kmer_counts_by_a_loop():
    codes = np.array([to_codes("ACGTTGNCAACG"), to_codes("TTTTTTTTTTTT")])
    for k in (1, 2, 3):
        found = kmer_counts(codes, k).toarray()
        for row, letters in zip(found, map(to_letters, codes), strict=True):
            expected = np.zeros(4**k)
            for i in range(len(letters) - k + 1):
                word = letters[i : i + k]
                if "N" in word:
                    continue
                other = to_letters(reverse_complement(to_codes(word)))
                smaller = min(word, other)
                expected[int("".join(str("ACGT".index(c)) for c in smaller), 4)] += 1
            np.testing.assert_array_equal(row, expected)


def test_kmer_regression_sees_both_strands_alike(data, tmp_path):
    baseline = KmerRegression(5)
    fitted = baseline.fit(data, tmp_path, 0)
    assert fitted.n_windows == 300
    assert auroc(baseline, data) > 0.9
    codes = np.asarray(data.codes[:20])
    turned = np.stack([reverse_complement(row) for row in codes])
    np.testing.assert_allclose(baseline.predict(codes), baseline.predict(turned), atol=1e-9)


def test_the_named_matrix_is_used(data, tmp_path):
    baseline = JasparMatrix("MA0139.1")
    fitted = baseline.fit(data, tmp_path, 0)
    assert fitted.details == "MA0139.1 CTCF"
    assert auroc(baseline, data) > 0.95
    assert read_meme(tmp_path / "motif.meme")[0].identifier == "MA0139.1"


def test_all_matrices_are_weighed(data, tmp_path):
    baseline = AllMatrices()
    fitted = baseline.fit(data, tmp_path, 0)
    codes = np.asarray(data.codes[data.indices("train")])
    labels = data.labels[data.indices("train")]
    motifs = [motif for motif in all_motifs() if motif.width <= data.length]
    assert fitted.n_windows == 300
    assert fitted.details.startswith(f"best hits of {len(motifs):,} matrices of JASPAR, C ")
    assert auroc(baseline, data) > 0.95
    # The same by hand, at the penalty that valid chose.
    scores = best_hits(codes, motifs).score
    hand = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=fitted.extra["C"], class_weight="balanced", max_iter=2000),
    ).fit(scores, labels)
    test = np.asarray(data.codes[data.indices("test")])
    expected = hand.decision_function(best_hits(test, motifs).score)
    found = baseline.predict(test)
    assert np.corrcoef(found, expected)[0, 1] > 0.9999
    np.testing.assert_allclose(found, expected, atol=0.2)
    turned = np.stack([reverse_complement(row) for row in test[:9]])
    np.testing.assert_allclose(baseline.predict(test[:9]), baseline.predict(turned), atol=1e-5)


def test_the_best_matrix_is_found(data, tmp_path):
    baseline = JasparMatrix()
    fitted = baseline.fit(data, tmp_path, 0)
    # The motif that was planted is the core of CTCF's.
    assert "CTCF" in fitted.details
    assert "the best of" in fitted.details
    assert auroc(baseline, data) > 0.95


def test_a_matrix_wider_than_the_windows(data, tmp_path):
    from dataclasses import replace

    short = replace(data, codes=data.codes[:, :12])
    with pytest.raises(InputError, match=r"is 19 bp wide, and the windows of .* have 12 bp"):
        JasparMatrix("MA0139.1").fit(short, tmp_path, 0)


def test_the_discovered_matrix_is_the_planted_motif(data, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    baseline = DiscoveredMatrix()
    fitted = baseline.fit(data, tmp_path, 0)
    assert "by the package's own search" in fitted.details
    assert auroc(baseline, data) > 0.97
    letters = to_letters(baseline.motif.counts.argmax(1).astype(np.uint8))
    core = MOTIF[2:-2]
    assert core in letters or to_letters(reverse_complement(to_codes(core))) in letters


STREME = """#!{python}
import sys
assert sys.argv[1] == "--p" and sys.argv[3] == "--n" and sys.argv[-1] == "--text"
assert open(sys.argv[2]).read().startswith(">0")
if {fail}:
    sys.exit("out of luck")
print("MEME version 5.5\\nMOTIF 1-CCAC STREME-1")
print("letter-probability matrix: alength= 4 w= 4 nsites= 10 E= 0")
print("0 1 0 0\\n0 1 0 0\\n1 0 0 0\\n0 1 0 0")
"""


@pytest.mark.parametrize("fail", [False, True])
def test_streme_is_used_where_it_is(data, tmp_path, monkeypatch, fail):
    program = tmp_path / "streme"
    program.write_text(STREME.format(python=sys.executable, fail=fail))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    baseline = DiscoveredMatrix()
    if fail:
        with pytest.raises(InputError, match="streme: ended with code 1: out of luck"):
            baseline.fit(data, tmp_path, 0)
        return
    assert "streme of the MEME suite" in baseline.fit(data, tmp_path, 0).details
    assert baseline.motif.identifier == "1-CCAC"
    assert baseline.motif.width == 4


def test_a_balanced_sample_is_balanced(data):
    codes, labels = balanced_sample(data, np.random.default_rng(0), 30)
    assert labels.sum() == 30
    assert len(codes) == len(labels) == 60
    train = {row.tobytes() for row in data.codes[data.indices("train")]}
    assert all(row.tobytes() in train for row in codes)
    assert len({row.tobytes() for row in codes}) == 60


def test_every_listed_model_can_be_made():
    for name in MODELS:
        make_baseline(parse_model(name))
    assert set(STANDARD_MODELS) == set(MODELS) - {"matrices", "ruggeri2025"}
    assert make_baseline(parse_model("small")).described()["epochs"] == 30
    assert make_baseline(parse_model("cnn", epochs=2)).described()["epochs"] == 2
    assert make_baseline(parse_model("default:none")).described()["start"] == "none"
    assert make_baseline(parse_model("resnet18")).recipe.backbone == "resnet18"


def test_one_recipe_file_can_begin_in_two_ways(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('backbone = "cnn"\n')
    models = [parse_model(f"{recipe}{start}") for start in ("", ":none", ":auto")]
    assert [spec.label for spec in models] == ["mine", "mine:none", "mine:auto"]
    assert len(ComparisonConfig(tuple(models)).models) == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("forest", "model 'forest' is not known; choose among jaspar, discovered, matrices"),
        ("jaspar:NOPE", "motif 'NOPE' is not in JASPAR"),
        ("cnn:3", "3: no such run"),
        ("kmers:3", "model 'kmers:3': only jaspar takes something behind a colon, its matrix, and"),
        ("gone.toml", "gone.toml"),
    ],
)
def test_models_that_are_not(name, message):
    with pytest.raises(InputError, match=message):
        parse_model(name)


def test_k_is_checked():
    with pytest.raises(InputError, match="must be from 1 to 10; found 11"):
        KmerRegression(11)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the development data are not there ({SHARED})")
def test_on_real_windows_the_ctcf_matrix_is_the_best(tmp_path, cli):
    table = SHARED / "ctcf_open_chromatin" / "ctcf_200bp.tsv.gz"
    code, _, err = cli("dataset", table, "--out", tmp_path / "ctcf")
    assert code == 0, err
    data = open_dataset(tmp_path / "ctcf")
    fitted = JasparMatrix().fit(data, tmp_path, 0)
    assert fitted.extra["motif"].startswith("MA0139")
