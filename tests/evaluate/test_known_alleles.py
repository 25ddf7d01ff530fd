"""Measured alleles: motifs that a substitution breaks or makes, and how well scores tell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from genome_files import fasta_text
from helpers import MOTIF, random_dna
from wavebind.core.errors import InputError
from wavebind.evaluate.known_alleles import allele_accuracy, read_truth, truth_of
from wavebind.models import load_model
from wavebind.models.modelfile import save_model

HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def alleles() -> tuple[str, list[tuple[int, str, str, float]]]:
    """Sites along a chromosome: half whole and broken by ALT, half broken and mended by it."""
    rng = np.random.default_rng(1)
    letters = list(random_dna(rng, 16_000))
    rows = []
    for i in range(80):
        at, place = 100 + 190 * i, int(rng.integers(2, len(MOTIF) - 2))
        letters[at : at + len(MOTIF)] = MOTIF
        other = {"A": "T", "C": "A", "G": "T", "T": "A"}[MOTIF[place]]
        size = round(float(rng.uniform(0.2, 2)), 3)
        if i % 2:
            letters[at + place] = other
            rows.append((at + place + 1, other, MOTIF[place], size))
        else:
            rows.append((at + place + 1, MOTIF[place], other, -size))
    return "".join(letters), rows


@pytest.fixture
def files(tmp_path: Path, alleles, run_copy) -> tuple[Path, Path, Path]:
    """A run that knows where its training windows are, a genome, and a VCF with what was found."""
    letters, rows = alleles
    run, data = run_copy
    model, card = load_model(run / "model.safetensors")
    card = replace(card, data={**card.data, "path": str(data)})
    save_model(run / "model.safetensors", model, card)
    (tmp_path / "g.fa").write_text(fasta_text({"chr1": letters}))
    lines = [f"chr1\t{p}\t.\t{ref}\t{alt}\t.\t.\tLR={v}\n" for p, ref, alt, v in rows]
    (tmp_path / "v.vcf").write_text(HEAD + "".join(lines))
    return run, tmp_path / "g.fa", tmp_path / "v.vcf"


@pytest.mark.slow
def test_a_run_a_matrix_and_gapped_kmers_on_the_same_alleles(files, alleles, tmp_path, cli):
    run, genome, vcf = files
    code, out, err = cli(
        "variants", run, vcf, "--genome", genome, "--out", tmp_path / "s.tsv", "--null", "none",
        "--truth", "LR", "--workers", 1,
    )  # fmt: skip
    assert code == 0, err
    assert "80 alleles measured and scored, 40 with more binding on ALT" in out
    found = json.loads((tmp_path / "s.tsv.truth.json").read_text())["accuracy"]
    assert [name.split()[0] for name in found] == ["this", "matrix", "gapped"]
    header, *lines = (tmp_path / "s.tsv").read_text().splitlines()
    rows = [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
    scores = [float(row["difference"]) for row in rows]
    truth = [value for *_, value in alleles[1]]
    mine = found["this run"]
    assert mine["direction"]["value"] == pytest.approx(roc_auc_score(np.array(truth) > 0, scores))
    assert mine["correlation"]["value"] == pytest.approx(spearmanr(truth, scores)[0])
    for one in found.values():
        assert one["direction"]["low"] <= one["direction"]["value"] <= one["direction"]["high"]
        assert one["direction"]["value"] > 0.9
        assert one["n"] == 80
    # A machine was made once, and is a run of its own.
    code, _, err = cli("predict", run / "gkm", genome, "--longer", "best")
    assert code == 0, err
    # The same from a table, and from a VCF of scores.
    table = tmp_path / "alleles.csv"
    text = "".join(f"chr1,{p},{ref},{alt},{2.0**v}\n" for p, ref, alt, v in alleles[1])
    table.write_text("chrom,pos,ref,alt,ratio\n" + text)
    code, again, err = cli(
        "variants", run, table, "--genome", genome, "--out", tmp_path / "s.vcf.gz", "--null",
        "none", "--truth", "ratio", "--workers", 1,
    )  # fmt: skip
    assert code == 0, err
    assert "(ratios of ALT to REF, above 1 where ALT binds more)" in again
    assert again.splitlines()[1:5] == out.splitlines()[1:5]


def test_without_the_training_windows_there_is_a_note(files, alleles, tmp_path, cli):
    run, genome, vcf = files
    model, card = load_model(run / "model.safetensors")
    save_model(run / "model.safetensors", model, replace(card, data={"path": "/nowhere"}))
    code, out, err = cli(
        "variants", run, vcf, "--genome", genome, "--out", tmp_path / "s.tsv", "--null", "none",
        "--truth", "LR", "--workers", 1, "--motif", "MA0139.1",
    )  # fmt: skip
    assert code == 0, err
    assert "no gapped k-mer machine stands beside the run: its training windows are not at" in out
    assert "matrix MA0139.1" in out
    assert "80 alleles measured and scored, 40 with more binding on ALT" in out
    header, *lines = (tmp_path / "s.tsv").read_text().splitlines()
    rows = [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
    scores = [float(row["difference"]) for row in rows]
    truth = np.array([value for *_, value in alleles[1]])
    found = json.loads((tmp_path / "s.tsv.truth.json").read_text())["accuracy"]["this run"]
    assert found["direction"]["value"] == pytest.approx(roc_auc_score(truth > 0, scores))
    assert found["correlation"]["value"] == pytest.approx(spearmanr(truth, scores)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["v.vcf", "--truth", "ASB"], "no record has ASB in INFO; its keys are LR"),
        (["t.csv", "--truth", "ASB"], "the table of alleles has no column ASB; it has chrom"),
        (["bad.csv", "--truth", "x"], "bad.csv line 1: is no VCF, and as a table of alleles has"),
        (["few.vcf", "--truth", "LR"], "bind more with ALT and 0 less; a verdict needs 10 of each"),
        (["word.vcf", "--truth", "LR"], "word.vcf line 3: LR 'up' is not a number"),
    ],
)
def test_what_cannot_be_measured(files, alleles, tmp_path, cli, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    rows = alleles[1]
    (tmp_path / "t.csv").write_text("chrom,pos,ref,alt,x\nchr1,102,A,C,1\n")
    (tmp_path / "bad.csv").write_text("name,value\na,1\n")
    lines = [f"chr1\t{p}\t.\t{ref}\t{alt}\t.\t.\tLR=1\n" for p, ref, alt, _ in rows[:12]]
    (tmp_path / "few.vcf").write_text(HEAD + "".join(lines))
    (tmp_path / "word.vcf").write_text(HEAD + lines[0].replace("LR=1", "LR=up"))
    code, _, err = cli(
        "variants", files[0], arguments[0], "--genome", files[1], "--out", "o.tsv", "--null",
        "none", "--workers", 1, *arguments[1:],
    )  # fmt: skip
    assert code == 1
    assert message in " ".join(err.split()), err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", "1/2"], "--truth needs all alleles at once; leave out --shard"),
        (["--target", "all"], "--truth is for one output; choose one with --target NAME"),
        (["--out", "/dev/stdout"], "is a device or a pipe, and --truth reads the scores again"),
    ],
)
def test_what_leaves_no_scores_to_read(files, tmp_path, cli, options, message):
    out = [] if "--out" in options else ["--out", tmp_path / "o.tsv"]
    code, _, err = cli(
        "variants", files[0], files[2], "--genome", files[1], "--truth", "LR", *out, *options
    )
    assert (code, message in " ".join(err.split())) == (2, True), err


@pytest.mark.parametrize(
    ("values", "expected", "words"),
    [
        ([-1.0, 0, 2], [-1, 0, 2], "log ratios"),
        ([0.2, 0.5, 0.9], [-0.3, 0, 0.4], "shares of ALT"),
        ([0.5, 1, 4], [-1, 0, 2], "ratios of ALT to REF"),
        ([0.0, 1, 4], [-1, 0, 2], "ratios of ALT to REF"),
    ],
)
def test_the_scale_of_a_measurement(values, expected, words):
    found = truth_of(np.array([*values, np.nan]))
    np.testing.assert_allclose(found.values[:-1], expected)
    assert words in found.scale
    assert np.isnan(found.values[-1])


def test_scores_are_compared_on_the_alleles_that_all_have():
    rng = np.random.default_rng(0)
    truth = truth_of(rng.normal(size=200))
    a, b = truth.values + rng.normal(size=200), rng.normal(size=200)
    b[:50] = np.nan
    found = allele_accuracy({"a": a, "b": b}, truth)
    assert found["a"].n == found["b"].n == 150
    assert found["a"].direction.value == pytest.approx(roc_auc_score(truth.values[50:] > 0, a[50:]))


def test_values_of_several_alleles(tmp_path):
    path = tmp_path / "v.vcf"
    path.write_text(HEAD + "1\t5\t.\tA\tC,G\t.\t.\tX=1,.\n1\t9\t.\tA\tC,G\t.\t.\tX=3\n")
    found = read_truth(path, "X")
    assert found["1", 5, "A", "C"] == 1
    assert np.isnan(found["1", 5, "A", "G"])
    assert found["1", 9, "A", "C"] == found["1", 9, "A", "G"] == 3
    path.write_text(HEAD + "1\t5\t.\tA\tC\t.\t.\tX=1,2\n")
    with pytest.raises(InputError, match="line 3: X has 2 values for 1 alleles"):
        read_truth(path, "X")
