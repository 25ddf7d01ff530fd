"""Percentiles of effects among common variants, and deltaSVM, against counting by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import percentileofscore

from genome_files import fasta_text
from helpers import random_dna
from wavebind.genome.vcf import VcfRecord
from wavebind.variants.common import CommonEffects, allele_frequencies
from wavebind.variants.effects import Change

HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
LETTERS = random_dna(np.random.default_rng(6), 9000)
pytestmark = pytest.mark.usefixtures("own_cache")


def snvs(places, info):
    rows = []
    for p in places:
        ref = LETTERS[p - 1].upper()
        alt = {"A": "G", "C": "T", "G": "A", "T": "C"}[ref]
        rows.append(f"chr1\t{p}\t.\t{ref}\t{alt}\t.\t.\t{info(p)}\n")
    return rows


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "g.fa").write_text(fasta_text({"chr1": LETTERS}))
    common = snvs(range(100, 8000, 100), lambda p: f"AF={0.2 if p % 300 else 0.001}")
    for p in range(150, 4150, 200):
        ref = LETTERS[p - 1].upper()
        common.append(f"chr1\t{p}\t.\t{ref}\t{ref}AC\t.\t.\tAC=3;AN=10\n")
    (tmp_path / "common.vcf").write_text(HEAD + "".join(common))
    (tmp_path / "v.vcf").write_text(HEAD + "".join(snvs([333, 4444, 8055], lambda p: ".")))
    (tmp_path / "open.bed").write_text("chr1\t0\t4000\n")
    return {p.name: p for p in tmp_path.iterdir()}


def table(path):
    header, *rows = path.read_text().splitlines()
    return [dict(zip(header.split("\t"), row.split("\t"), strict=True)) for row in rows]


def test_percentiles_are_those_of_counting(run_copy, files, tmp_path, cli):
    run, _ = run_copy

    def score(vcf, out, *options):
        code, _, err = cli(
            "variants", run, vcf, "--genome", files["g.fa"], "--out", tmp_path / out, "--null",
            "none", "--workers", 1, *options,
        )  # fmt: skip
        assert code == 0, err
        return err

    named = ("--set", f"common={files['common.vcf']}")
    err = score(files["v.vcf"], "v.tsv", *named)
    words = "effects are held against 73 of 99 alleles, the common ones (left out: 26 rarer than"
    assert words in " ".join(err.split())
    score(files["common.vcf"], "common.tsv")
    substitutions = [
        abs(float(row["difference"]))
        for row in table(tmp_path / "common.tsv")
        if len(row["ref"]) == len(row["alt"]) and int(row["position"]) % 300
    ]
    rows = table(tmp_path / "v.tsv")
    for row in rows:
        size = abs(float(row["difference"]))
        expected = percentileofscore(substitutions, size, kind="mean")
        # The table has five digits, so that a tie may go either way.
        assert float(row["common_percentile"]) == pytest.approx(expected, abs=1)
    # They are scored once: the second time they are read.
    err = score(files["v.vcf"], "again.tsv", *named)
    assert "common variants were scored before" in err
    assert table(tmp_path / "again.tsv") == rows
    err = score(files["v.vcf"], "near.tsv", *named, "--set", f"common_regions={files['open.bed']}")
    assert "far from the regions" in err
    score(files["v.vcf"], "v.vcf.gz", *named)
    import pysam

    with pysam.VariantFile(str(tmp_path / "v.vcf.gz")) as scored:
        found = [record.info["WB_CPCT"][0] for record in scored]
    np.testing.assert_allclose(found, [float(r["common_percentile"]) for r in rows], rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["common=v.vcf"], "Percentiles need 50 common alleles, 20 of them scored; name more"),
        (["common=common.vcf", "common_frequency=0.9"], "99 rarer than 0.9"),
        (["common_regions=open.bed"], "common_regions says where common variants lie; name them"),
    ],
)
def test_too_few_common_variants(run_copy, files, tmp_path, cli, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    more = [word for option in options for word in ("--set", option)]
    code, _, err = cli(
        "variants", run_copy[0], "v.vcf", "--genome", "g.fa", "--out", "v.tsv", "--null", "none",
        "--workers", 1, *more,
    )  # fmt: skip
    assert code == 1
    assert message in err
    assert not (tmp_path / "v.tsv").exists()


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ("AF=0.1,0.2", [0.1, 0.2]),
        ("AC=1,4;AN=8", [0.125, 0.5]),
        ("AF=.,0.2", [0.0, 0.2]),
        ("AF=0.1", [0.0, 0.0]),
        ("DP=3", None),
        ("AC=1,4;AN=0", None),
    ],
)
def test_frequencies(info, expected):
    record = VcfRecord(1, f"1\t5\t.\tA\tC,G\t.\t.\t{info}", "1", 4, ".", "A", ("C", "G"))
    assert allele_frequencies(record) == expected


def test_kinds_with_few_alleles_are_joined():
    sizes = np.arange(100.0)
    found = CommonEffects(({"substitution": sizes},), (np.r_[sizes, sizes + 100],))
    assert found.percentile(Change("1", 0, "A", "C"), -50.0) == 50.5
    assert found.percentile(Change("1", 0, "A", "AC"), 100.5) == 50.5
