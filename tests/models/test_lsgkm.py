"""Models of LS-GKM: their scores against LS-GKM's own, and against loops over pairs of l-mers."""

from __future__ import annotations

import gzip
import itertools
import math

import numpy as np
import pytest

from helpers import metrics_of, planted_rows, random_dna, write_table
from wavebind.api.lsgkm import import_model
from wavebind.api.run import load
from wavebind.core.errors import InputError
from wavebind.genome.sequences import to_codes
from wavebind.models.lsgkm import read_lsgkm
from wavebind.models.networks.gkmkernel import centre_weights, count_weights, estimated_weights

RNG = np.random.default_rng(7)
L, K, D = 6, 4, 2
VECTORS = [random_dna(RNG, n) for n in (40, 40, 33, 51, 40)]
COEFFICIENTS = [0.5, -0.25, 1.0, -0.75, 0.125]
QUERIES = [random_dna(RNG, n) for n in (40, 40, 6, 27, 64)]
RHO = 0.3

KERNELS = ["gkm_cnt", "gkm_estfull", "gkm_esttrunc", "gkmrbf", "wgkm", "wgkmrbf", "gkm_cnt_rbf"]
MORE = {"gkmrbf": "gamma 2\n", "wgkm": "M 20\nH 10\n", "wgkmrbf": "gamma 2\nM 20\nH 10\n",
        "gkm_cnt_rbf": "gamma 2\n"}  # fmt: skip


def text(kernel="gkm_esttrunc", more=None, vectors=VECTORS, machine="c_svc", n=None):
    lines = [
        f"svm_type {machine}",
        f"kernel_type {kernel}",
        f"L {L}",
        f"k {K}",
        f"d {D}",
        *(MORE.get(kernel, "") if more is None else more).split("\n")[:-1],
        "nr_class 2",
        f"total_sv {n or len(vectors)}",
        f"rho {RHO}",
        "label 1 -1",
        "nr_sv 3 2",
        "SV",
        *(f"{c:.16g} {v}" for c, v in zip(COEFFICIENTS, vectors, strict=False)),
    ]
    return "\n".join(lines) + "\n"


def other_strand(sequence):
    return sequence.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def naive_kernel(kernel, a, b, both=True):
    """The kernel of two sequences, one pair of l-mers after the other."""
    counts = kernel.startswith("gkm_cnt")
    weights = (
        count_weights(L, K, D)
        if counts
        else estimated_weights(L, K, D, truncated=kernel != "gkm_estfull")
    )

    def places(sequence):
        n = len(sequence) - L + 1
        return centre_weights(n, 20, 10) if kernel.startswith("wgkm") else np.ones(n)

    total = 0.0
    wa, wb = places(a), places(b)
    for i in range(len(a) - L + 1):
        for j in range(len(b) - L + 1):
            word = b[j : j + L]
            for other in (word, other_strand(word)) if both else (word,):
                m = sum(x != y for x, y in zip(a[i : i + L], other, strict=True))
                total += wa[i] * wb[j] * weights[m]
    return total


def naive_score(kernel, query, both=True):
    found = -RHO
    for coefficient, vector in zip(COEFFICIENTS, VECTORS, strict=True):
        k = naive_kernel(kernel, query, vector, both) / math.sqrt(
            naive_kernel(kernel, query, query, both) * naive_kernel(kernel, vector, vector, both)
        )
        found += coefficient * (math.exp(2 * (k - 1)) if "rbf" in kernel else k)
    return found


def write(tmp_path, content, name="m.model.txt"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return path


def scores(cli, run, tmp_path, queries=QUERIES):
    fasta = tmp_path / "q.fa"
    fasta.write_text("".join(f">q{i}\n{q}\n" for i, q in enumerate(queries)))
    code, out, err = cli("predict", run, fasta)
    assert code == 0, err
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0] == ["name", "score"]
    return [float(cells[1]) for cells in lines[1:]]


@pytest.mark.parametrize("kernel", KERNELS)
def test_scores_are_those_of_a_loop(tmp_path, cli, kernel):
    code, out, err = cli(
        "models", "--import", write(tmp_path, text(kernel), "m.gz"), "--out", tmp_path / "run"
    )
    assert code == 0, err
    assert "L 6, k 4, d 2, 5 support vectors; windows of 40 bp" in out
    expected = [naive_score(kernel, q) for q in QUERIES]
    np.testing.assert_allclose(scores(cli, tmp_path / "run", tmp_path), expected, rtol=2e-5)


def test_one_strand_alone(tmp_path, cli):
    import_model(write(tmp_path, text(more="norc 1\n")), tmp_path / "run")
    expected = [naive_score("gkm_esttrunc", q, both=False) for q in QUERIES]
    np.testing.assert_allclose(scores(cli, tmp_path / "run", tmp_path), expected, rtol=2e-5)
    # A window on the genome has no strand: the mean of both stands for it.
    table = load(tmp_path / "run").predict(QUERIES[:1])
    both = [
        naive_score("gkm_esttrunc", q, both=False) for q in (QUERIES[0], other_strand(QUERIES[0]))
    ]
    assert table["score"][0] == pytest.approx(np.mean(both), rel=2e-5)
    assert "probability" not in table


def test_counts_of_gapped_kmers_by_hand():
    """The weight of -t 0 is the number of gapped k-mers that two l-mers have in common."""
    weights = count_weights(6, 4, 2)
    for m in range(3):
        a, b = "ACGTAC", "T" * m + "ACGTAC"[m:]
        common = sum(
            all(a[i] == b[i] for i in chosen) for chosen in itertools.combinations(range(6), 4)
        )
        assert (weights[m] == common) == (sum(x != y for x, y in zip(a, b, strict=True)) == m)


def test_a_regression_is_read_too(tmp_path, cli):
    content = text(machine="epsilon_svr").replace("label 1 -1\n", "").replace("nr_sv 3 2\n", "")
    import_model(write(tmp_path, content), tmp_path / "run")
    expected = [naive_score("gkm_esttrunc", q) for q in QUERIES]
    np.testing.assert_allclose(scores(cli, tmp_path / "run", tmp_path), expected, rtol=2e-5)


def test_unknown_bases_are_read_as_a(tmp_path, cli):
    import_model(write(tmp_path, text()), tmp_path / "run")
    with_n = QUERIES[0][:10] + "N" + QUERIES[0][11:]
    expected = naive_score("gkm_esttrunc", with_n.replace("N", "A"))
    assert scores(cli, tmp_path / "run", tmp_path, [with_n]) == pytest.approx([expected], rel=2e-5)
    _, _, err = cli("predict", tmp_path / "run", tmp_path / "q.fa")
    assert "1 unknown bases are read as A, as LS-GKM does" in err
    vectors = [VECTORS[0].replace("A", "N", 2), *VECTORS[1:]]
    words = import_model(write(tmp_path, text(vectors=vectors)), tmp_path / "other")
    assert "2 letters that are no base are read as A" in words


def test_scores_of_ls_gkm_itself(shared_data, tmp_path, cli):
    folder = shared_data / "published" / "lsgkm"
    name = "nfe2_gm12878"
    import_model(folder / f"{name}.model.txt.gz", tmp_path / "run")
    for part in ("test", "neg.test"):
        code, out, err = cli("predict", tmp_path / "run", folder / f"{name}.{part}.fa.gz")
        assert code == 0, err
        found = dict(line.split("\t") for line in out.splitlines()[1:])
        with gzip.open(folder / f"{name}.{part}.pred.txt.gz", "rt") as stream:
            expected = dict(line.split() for line in stream)
        assert found.keys() == expected.keys()
        assert len(found) == 69
        for key, value in expected.items():
            assert float(found[key]) == pytest.approx(float(value), abs=1e-4)


def test_it_scans_explains_and_scores_variants(tmp_path, cli):
    """Windows of a length that is asked for; each number is what the machine gives that window."""
    import_model(write(tmp_path, text()), tmp_path / "run")
    genome = random_dna(np.random.default_rng(3), 400)
    (tmp_path / "g.fa").write_text(f">chr1\n{genome}\n")
    run = tmp_path / "run"
    code, _, err = cli(
        "scan", run, tmp_path / "g.fa", "--out", tmp_path / "s.bw", "--peaks",
        tmp_path / "s.narrowPeak", "--length", 30, "--stride", 10, "--workers", 1, "--threshold",
        -5,
    )  # fmt: skip
    assert code == 0, err
    assert "scores every window by itself" in err
    best = max(naive_score("gkm_esttrunc", genome[i : i + 30]) for i in range(0, 371, 10))
    (site,) = (tmp_path / "s.narrowPeak").read_text().splitlines()
    assert float(site.split("\t")[6]) == pytest.approx(best, abs=2e-5)

    vcf = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    alt = {"A": "C"}.get(genome[200], "A")
    (tmp_path / "v.vcf").write_text(f"{vcf}chr1\t201\tx\t{genome[200]}\t{alt}\t.\t.\t.\n")
    code, _, err = cli(
        "variants", run, tmp_path / "v.vcf", "--genome", tmp_path / "g.fa", "--out",
        tmp_path / "v.tsv", "--null", "none", "--length", 30, "--workers", 1,
    )  # fmt: skip
    assert code == 0, err
    header, row = ((tmp_path / "v.tsv").read_text()).splitlines()
    cells = dict(zip(header.split("\t"), row.split("\t"), strict=True))
    start = 201 - 16
    window = genome[start : start + 30]
    changed = window[:15] + alt + window[16:]
    assert float(cells["ref_centred"]) == pytest.approx(
        naive_score("gkm_esttrunc", window), abs=1e-4
    )
    assert float(cells["alt_centred"]) == pytest.approx(
        naive_score("gkm_esttrunc", changed), abs=1e-4
    )
    assert cells["ref_probability"] == "."
    # deltaSVM: the scores of all words over the allele, each as a sequence by itself.
    around = genome[201 - 6 : 200 + 6]
    changed_around = around[:5] + alt + around[6:]
    by_words = [
        sum(naive_score("gkm_esttrunc", text[i : i + 6]) for i in range(6))
        for text in (around, changed_around)
    ]
    assert float(cells["delta_svm"]) == pytest.approx(by_words[1] - by_words[0], abs=1e-4)

    (tmp_path / "w.fa").write_text(f">w\n{window}\n")
    code, out, err = cli("explain", run, tmp_path / "w.fa", "--length", 30, "--n", 1)
    assert code == 0, err
    assert "explained by ism" in out
    with np.load(run / "explanations" / "ism" / "w.fa-test" / "explanations.npz") as found:
        there = found["contributions"][0, 15, "ACGT".index(alt)]
        base = found["contributions"][0, 15, "ACGT".index(window[15])]
    gain = naive_score("gkm_esttrunc", changed) - naive_score("gkm_esttrunc", window)
    assert there - base == pytest.approx(gain, abs=1e-4)
    for method, words in (("ig", "has no gradient"), ("gradcam", "has no maps")):
        code, _, err = cli("explain", run, tmp_path / "w.fa", "--length", 30, "--method", method)
        assert code == 1
        assert words in err


def test_it_is_evaluated_on_windows_of_any_length(tmp_path, cli):
    import_model(write(tmp_path, text()), tmp_path / "run")
    table = write_table(tmp_path / "t.tsv", planted_rows(20))
    cli("dataset", table, "--out", tmp_path / "d")
    code, out, err = cli("evaluate", tmp_path / "run", tmp_path / "d")
    assert code == 0, err
    metrics = metrics_of(tmp_path / "run")
    assert (metrics["quantity"], metrics["calibration_error"], metrics["threshold"]) == (
        "score", None, 0.0
    )  # fmt: skip
    assert "threshold 0.0000 (where the machine parts the classes)" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text("polynomial"), "line 2: kernel_type 'polynomial' is not known; LS-GKM has gkm_cnt"),
        (text(machine="c_svm"), "line 1: svm_type 'c_svm' is not known"),
        ("hello\n", "line 1: 'hello' is no entry of a model of LS-GKM"),
        (text(n=7), "has 5 support vectors and says that it has 7; the file is cut short"),
        (text().replace("rho 0.3", "rho x"), "line 8: 'x' is not a number"),
        (text().replace("rho 0.3\n", ""), "the header has no rho"),
        (text().replace("L 6", "L 13"), "line 3: L must be a whole number from 2 to 12"),
        (text().replace("d 2", "d 3"), "line 5: d must be a whole number from 0 to 2"),
        (text().replace("label 1 -1", "label -1 1"), "the bound class is the second"),
        (text().replace("nr_sv 3 2", "nr_sv 3 2 1"), "nr_sv has 3 values; this version reads"),
        (text("wgkm", more="M 20\n"), "the kernel wgkm needs H, which is missing"),
        (text("gkmrbf", more="gamma 0\n"), "line 6: gamma must be above 0"),
        (text().replace("0.125 ", "0.125 A "), "a support vector is a coefficient and a sequence"),
        (text(vectors=["ACGT", *VECTORS[1:]]), "line 12: the sequence has 4 bp; it must have from"),
        (text().replace("\nSV\n", "\n"), "'0.5 .* is no entry of a model"),
        (text().split("SV\n")[0], "has no line SV"),
    ],
)
def test_files_that_break_a_rule(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_lsgkm(write(tmp_path, content))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["models", "--import", "m.model.txt"], 2, "--import needs an --out"),
        (["models", "--out", "x"], 2, "--out, --length and --force are for --import"),
    ],
)
def test_command_lines(tmp_path, cli, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, text())
    found, _, err = cli(*arguments)
    assert (found, message in err) == (code, True), err


def test_a_sequence_that_is_shorter_than_a_word(tmp_path, cli):
    import_model(write(tmp_path, text()), tmp_path / "run")
    (tmp_path / "q.fa").write_text(">short\nACGTA\n")
    code, out, err = cli("predict", tmp_path / "run", tmp_path / "q.fa")
    assert (code, out) == (1, "")
    assert "q.fa line 1: 'short' has 5 bp; the words of this model have 6 (L)" in err


def test_a_network_has_its_own_length(trained, tmp_path, cli):
    run, data = trained
    code, _, err = cli("train", data, "--model", "gkm", "--out", tmp_path / "r")
    assert code == 1
    assert "model 'gkm' is read from another program's model" in err
    (tmp_path / "g.fa").write_text(f">chr1\n{random_dna(RNG, 400)}\n")
    code, _, err = cli("scan", run, tmp_path / "g.fa", "--out", tmp_path / "s.bw", "--length", 100)
    assert code == 1
    assert "was trained on windows of 48 bp and reads no others; leave out --length 100" in err


def test_codes_of_the_file_are_read(tmp_path):
    found = read_lsgkm(write(tmp_path, text().replace(VECTORS[0], VECTORS[0].lower())))
    np.testing.assert_array_equal(found.vectors[0], to_codes(VECTORS[0]))
    assert (found.rho, found.coefficients.tolist()) == (RHO, COEFFICIENTS)
    assert found.usual_length == 40
