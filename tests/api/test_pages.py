"""A page with what other commands have found beside its run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyBigWig
import pytest

import wavebind as wb
from genome_files import write_genome
from helpers import MOTIF, random_dna
from wavebind.api.pages import PageFiles
from wavebind.core.errors import InputError

pytestmark = pytest.mark.usefixtures("own_cache")

SITE = 2_000


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    letters = list(random_dna(np.random.default_rng(5), 6_000))
    letters[SITE : SITE + len(MOTIF)] = MOTIF
    return write_genome(tmp_path, "g.fa", {"chr1": "".join(letters)})


@pytest.fixture
def evaluated(run_copy, cli):
    run, data = run_copy
    assert cli("evaluate", run, data, "--device", "cpu")[0] == 0
    return run, data


@pytest.fixture
def beside(evaluated, genome, tmp_path, cli) -> dict[str, Path]:
    """Everything that can stand beside a run."""
    run, data = evaluated
    records = "".join(
        f"chr1\t{SITE + i + 1}\trs{i}\t{MOTIF[i]}\t{'T' if MOTIF[i] != 'T' else 'A'}\t.\t.\t.\n"
        for i in range(4, 12)
    )
    head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (tmp_path / "v.vcf").write_text(head + records)
    scored = tmp_path / "v.tsv"
    code, _, err = cli(
        "variants", run, tmp_path / "v.vcf", "--genome", genome, "--out", scored, "--device", "cpu"
    )
    assert code == 0, err
    compared = tmp_path / "compare"
    assert cli("compare", data, "--models", "kmers", "--out", compared)[0] == 0
    sites, peaks, track = (tmp_path / name for name in ("s.narrowPeak", "p.bed", "t.bw"))
    sites.write_text(f"chr1\t{SITE - 50}\t{SITE + 70}\ts1\t900\t.\t8.5\t-1\t-1\t60\n")
    peaks.write_text(f"chr1\t{SITE - 90}\t{SITE + 90}\n")
    with pyBigWig.open(str(track), "w") as stream:
        stream.addHeader([("1", 6_000)])
        stream.addEntries("1", [SITE], values=[0.75], span=8)
    return {
        "comparison": compared, "variants": scored, "sites": sites, "track": track,
        "peaks": peaks, "genome": genome,
    }  # fmt: skip


def test_what_other_commands_found_stands_on_the_page(evaluated, beside, tmp_path, cli):
    words = [word for name, path in beside.items() for word in (f"--{name}", path)]
    page = tmp_path / "page.html"
    code, _, err = cli("report", evaluated[0], "--out", page, *words)
    assert code == 0, err
    html = page.read_text()
    # The strongest allele of the table comes first, and has both alleles drawn.
    head, *lines = beside["variants"].read_text().splitlines()
    rows = [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
    effects = [r for r in rows if r["verdict"] not in ("none", "unchanged")]
    assert effects
    strongest = max(effects, key=lambda row: abs(float(row["difference"])))
    (first,) = re.findall(r'<tr id="row-1">(.*?)</tr>', html, re.S)
    assert f"<td>{strongest['difference']}</td>" in first
    assert f">chr1:{strongest['position']}</a>" in first
    assert html.count('id="allele-') == min(len(effects), 6)
    found = json.loads((beside["comparison"] / "comparison.json").read_text())["models_found"][0]
    assert f"{found['metrics']['auroc']['value']:.3f}" in html
    assert "1 site is called (s.narrowPeak)" in html
    (data,) = re.findall(r'id="genome-data">(.*?)</script>', html, re.S)
    tracks = {t["name"]: t["features"] for t in json.loads(data)["options"]["tracks"]}
    # The bigWig names the chromosome without chr.
    assert tracks["probability of binding"] == [
        {"chr": "chr1", "start": SITE, "end": SITE + 8, "value": 0.75}
    ]
    assert [len(tracks[name]) for name in ("peaks", "called sites")] == [1, 1]


def test_a_table_of_variants_needs_no_genome(evaluated, beside, tmp_path):
    page = wb.load(evaluated[0]).report(tmp_path / "p.html", variants=beside["variants"])
    html = page.read_text()
    assert '<tr id="row-1">' in html
    assert 'id="allele-' not in html
    assert "genome-data" not in html


@pytest.mark.parametrize("name", ["track", "peaks"])
def test_what_is_shown_along_the_genome_needs_one(tmp_path, name):
    path = tmp_path / "x"
    with pytest.raises(InputError, match="x: is shown along the genome; give its FASTA or 2bit"):
        PageFiles(**{name: path})
    with pytest.raises(InputError, match="x: is shown around variants and sites; give a table of"):
        PageFiles(**{name: path}, genome=tmp_path / "g.fa")


def test_what_does_not_fit_the_page_is_refused(evaluated, beside, tmp_path, cli):
    run, data = evaluated

    def refused(**files):
        words = [word for name, path in files.items() for word in (f"--{name}", path)]
        page = tmp_path / "page.html"
        code, _, err = cli("report", run, "--out", page, *words)
        assert code == 1
        assert not page.exists()
        return err

    table = beside["variants"].read_text()
    bad = tmp_path / "bad.tsv"
    bad.write_text("variant\tlabel\tdifference\n")
    assert "bad.tsv: is not a table of 'wavebind variants' with one score an allele: it has no " \
        "column 'chrom'" in refused(variants=bad)  # fmt: skip
    bad.write_text("")
    assert "bad.tsv: " in refused(variants=bad)
    bad.write_text(table + "chr1\t5\n")
    lines = len(table.splitlines()) + 1
    assert f"bad.tsv line {lines}: found 'chr1\\t5', which is no line" in refused(variants=bad)
    bad.write_text(re.sub(r"\tscored\t(\S+)\t(\S+)\t\S+", r"\tscored\t\1\t\2\tmuch", table))
    assert "bad.tsv line 2: found " in refused(variants=bad)
    assert "none.tsv: no such file" in refused(variants=tmp_path / "none.tsv")
    other = write_genome(tmp_path, "other.fa", {"chr1": "A" * 6_000})
    err = refused(variants=beside["variants"], genome=other)
    assert re.search(r"other\.fa: has A at chr1:\d+, where the variant's REF is [CGT]", err)
    head, first = table.splitlines()[:2]
    cells = first.split("\t")
    cells[1] = "9999999"
    bad.write_text(f"{head}\n" + "\t".join(cells) + "\n")
    err = refused(variants=bad, genome=beside["genome"])
    assert "g.fa: chr1 ends at 6,000, before the variant at 9,999,999; give the genome" in err
    assert "compare: has no comparison.json" in refused(comparison=tmp_path / "v" / "compare")
    valid = tmp_path / "valid"
    assert cli("compare", data, "--models", "kmers", "--out", valid, "--split", "valid")[0] == 0
    assert "valid: compares models on the valid windows of " in refused(comparison=valid)
