"""Sequences that are not windows: longer, shorter, regions of a genome."""

import numpy as np
import pytest

from genome_files import fasta_text, random_genome
from helpers import LENGTH, MOTIF
from wavebind.genome.sequences import parse_locus, read_fasta, to_codes
from wavebind.models import load_model
from wavebind.models.prediction import predict_logits

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def genome():
    letters = random_genome(8, {"chr1": 3000})["chr1"].upper().replace("N", "A")
    return letters[:1500] + MOTIF + letters[1500 + len(MOTIF) :]


def rows(text):
    lines = [line.split("\t") for line in text.splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def naive(run, sequence):
    model = load_model(run / "model.safetensors")[0]
    starts = range(len(sequence) - LENGTH + 1)
    codes = np.stack([to_codes(sequence[i : i + LENGTH]) for i in starts])
    return predict_logits(model, codes, bf16=False)


def test_the_windows_of_longer_sequences(trained, genome, tmp_path, cli):
    run = trained[0]
    long, window = genome[1430:1580], genome[100 : 100 + LENGTH]
    path = tmp_path / "s.fa"
    path.write_text(f">long\n{long}\n>window\n{window}\n")
    code, _, err = cli("predict", run, path, "--device", "cpu")
    assert code == 1
    assert "1 of 2 sequences are not 48 bp long" in err
    assert "--longer best takes the best window of each" in err
    expected = naive(run, long)
    exact = ["--device", "cpu", "--precision", "float32"]
    code, out, err = cli("predict", run, path, *exact, "--longer", "each")
    assert code == 0, err
    found = rows(out)
    assert [r["name"] for r in found] == ["long"] * len(expected) + ["window"]
    assert [int(r["start"]) for r in found] == [*range(len(expected)), 0]
    mine = [float(r["logit"]) for r in found[:-1]]
    np.testing.assert_allclose(mine, expected, atol=1e-4)
    code, out, err = cli("predict", run, path, *exact, "--longer", "best")
    assert code == 0, err
    best, other = rows(out)
    assert float(best["logit"]) == pytest.approx(expected.max(), abs=1e-4)
    assert expected[int(best["start"])] == pytest.approx(expected.max(), abs=1e-4)
    # The motif lies at base 70 of it.
    assert 70 + len(MOTIF) - LENGTH <= int(best["start"]) <= 70
    assert other["start"] == "0"
    assert list(best) == ["name", "probability", "logit", "start"]


def test_unknown_bases_in_longer_sequences(trained, genome, tmp_path, cli):
    path = tmp_path / "s.fa"
    path.write_text(f">half\n{'N' * 60}{genome[1490:1560]}\n>all\n{'N' * 90}\n")
    code, out, _ = cli("predict", trained[0], path, "--device", "cpu", "--longer", "best")
    assert code == 0
    half, unknown = rows(out)
    assert int(half["start"]) >= 60 - LENGTH // 10
    assert (unknown["logit"], unknown["probability"]) == ("NA", "NA")


def test_shorter_sequences_are_refused_with_a_remedy(trained, tmp_path, cli):
    path = tmp_path / "s.fa"
    path.write_text(">short\nACGTACGT\n")
    for options in ((), ("--longer", "best")):
        code, out, err = cli("predict", trained[0], path, "--device", "cpu", *options)
        assert code == 1
        assert out == ""
        assert "'short' (line 1) has 8 bp; shorter ones need more of the sequence" in err
        assert "bedtools slop" in err
        assert "--longer" not in err


def test_shorter_and_longer_sequences_have_a_remedy_each(trained, tmp_path, cli):
    path = tmp_path / "s.fa"
    path.write_text(f">long\n{'ACGT' * 30}\n>short\nACGTACGT\n")
    _, _, err = cli("predict", trained[0], path, "--device", "cpu")
    assert "2 of 2 sequences are not 48 bp long" in err
    assert "'long' (line 1) has 120 bp; shorter ones need" in err
    assert "--longer best takes the best window of each longer one" in err
    code, out, err = cli("predict", trained[0], path, "--device", "cpu", "--longer", "best")
    assert (code, out) == (1, "")
    assert "1 of 2 sequences are shorter than 48 bp" in err


def test_regions_of_a_genome(trained, genome, tmp_path, cli):
    fasta = tmp_path / "g.fa"
    fasta.write_text(fasta_text({"chr1": genome}))
    bed = tmp_path / "r.bed"
    bed.write_text("1\t1490\t1530\nchr1\t200\t260\nchr1\t0\t10\n")
    code, out, err = cli("predict", trained[0], bed, "--genome", fasta, "--device", "cpu")
    assert code == 0, err
    assert "1 windows left out: they leave their chromosome" in err
    starts = [1510 - LENGTH // 2, 230 - LENGTH // 2]
    found = rows(out)
    assert [r["name"] for r in found] == [f"chr1:{s}-{s + LENGTH}" for s in starts]
    codes = np.stack([to_codes(genome[s : s + LENGTH]) for s in starts])
    expected = predict_logits(load_model(trained[0] / "model.safetensors")[0], codes)
    np.testing.assert_allclose([float(r["logit"]) for r in found], expected, atol=0.06)


@pytest.mark.parametrize(
    "header",
    [
        "chr1:100-110",
        "chr1:101-110",
        "peak_7::chr1:100-110(+)",
        "chr1:101-110/rc",
        "hg38_dna range=chr1:101-110 5'pad=0 3'pad=0 strand=+ repeatMasking=none",
        "name=x chr1:1-5 range=chr1:101-110",
    ],
)
def test_places_in_headers(tmp_path, header):
    path = tmp_path / "s.fa"
    path.write_bytes(f">{header}\nACGTACGTAC\n".encode())
    (record,) = read_fasta(path)
    locus = record.locus
    assert locus is not None
    assert (locus.chrom, locus.start, locus.end) == ("chr1", 100, 110)


@pytest.mark.parametrize("header", ["peak_7", "chr1:100-111", "chr1:0-9", "x=chr1:100-110"])
def test_headers_without_a_place(header):
    assert parse_locus(header, 10) is None


def test_float32_is_exact(trained, genome, tmp_path, cli):
    path = tmp_path / "s.fa"
    path.write_text("".join(f">w{i}\n{genome[i : i + LENGTH]}\n" for i in range(0, 400, 8)))
    arguments = ["predict", trained[0], path, "--device", "cpu"]
    code, out, _ = cli(*arguments, "--precision", "float32")
    assert code == 0
    model, _ = load_model(trained[0] / "model.safetensors")
    codes = np.stack([to_codes(genome[i : i + LENGTH]) for i in range(0, 400, 8)])
    expected = predict_logits(model, codes, bf16=False)
    found = np.array([float(row["logit"]) for row in rows(out)])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    rough = np.array([float(row["logit"]) for row in rows(cli(*arguments)[1])])
    np.testing.assert_allclose(rough, expected, atol=0.3)
    assert cli(*arguments, "--precision", "float16")[0] == 2
