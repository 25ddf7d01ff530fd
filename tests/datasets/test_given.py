"""Windows from FASTA files and regions, explained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from genome_files import fasta_text, random_genome
from helpers import LENGTH, only_result, planted_windows
from wavebind.core.errors import InputError
from wavebind.datasets.given import given_windows
from wavebind.genome.sequences import to_codes, to_letters
from wavebind.models.results import EXPLANATIONS

CLI = Callable[..., tuple[int, str, str]]


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    codes, _ = planted_windows(4)
    names = ["a one", "chr1:100-148", "b", "c"]
    text = "".join(f">{n}\n{to_letters(c)}\n" for n, c in zip(names, codes, strict=True))
    path = tmp_path / "w.fa"
    path.write_text(text)
    return path


def test_records_of_a_fasta_file(fasta: Path) -> None:
    codes, _ = planted_windows(4)
    data = given_windows(fasta, LENGTH)
    np.testing.assert_array_equal(data.codes, codes)
    assert data.names(data.indices("test")) == ["a", "chr1:100-148", "b", "c"]
    assert data.chrom.tolist() == ["", "chr1", "", ""]
    assert data.start.tolist() == [-1, 100, -1, -1]
    assert data.end.tolist() == [-1, 148, -1, -1]
    assert (data.labels == 1).all()


def test_regions_of_a_genome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "cache"))
    letters = random_genome(0, {"chr1": 3000})
    genome = tmp_path / "g.fa"
    genome.write_text(fasta_text(letters))
    bed = tmp_path / "r.bed"
    bed.write_text("1\t500\t520\n1\t700\t701\n1\t0\t10\nchr9\t1\t5\n1\t1200\t1210\n")
    notes: list[str] = []
    data = given_windows(bed, LENGTH, genome, notes.append)
    assert data.names(np.arange(2)) == ["chr1:486-534", "chr1:676-724"]
    for row, start in zip(data.codes, (486, 676), strict=True):
        np.testing.assert_array_equal(row, to_codes(letters["chr1"][start : start + LENGTH]))
    said = "\n".join(notes)
    assert "1 windows left out: they leave their chromosome" in said
    assert "chr9" in said
    # 1,000 to 1,500 is N.
    assert "1 of 3 windows left out: more than 10 %" in said


def test_files_that_cannot_be(fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "cache"))
    bed = tmp_path / "r.bed"
    bed.write_text("chr1\t5\t10\n")
    with pytest.raises(InputError, match="is neither a dataset nor FASTA; to take it as regions"):
        given_windows(bed, LENGTH)
    with pytest.raises(InputError, match="is FASTA, which needs no genome"):
        given_windows(fasta, LENGTH, fasta)
    with pytest.raises(InputError, match=r"w\.fa line 1: 'a' has 48 bp and the model was trained"):
        given_windows(fasta, 60)
    unknown = tmp_path / "n.fa"
    unknown.write_text(">a\n" + "N" * LENGTH + "\n")
    with pytest.raises(InputError, match="every window has too many unknown bases"):
        given_windows(unknown, LENGTH)
    genome = tmp_path / "g.fa"
    genome.write_text(fasta_text({"chr1": "ACGT" * 30}))
    with pytest.raises(InputError, match="no window of 48 bp lies on"):
        given_windows(bed, LENGTH, genome)


def test_the_command_explains_them(run_copy: tuple[Path, Path], fasta: Path, cli: CLI) -> None:
    run, data = run_copy
    code, out, err = cli("explain", run, fasta, "--n", 9, "--method", "gradcam")
    assert code == 0, err
    assert "4 windows explained by gradcam; the mean score of 4 windows peaks at base" in out
    assert "w.fa: there are only 4 windows; all are explained" in err
    rows = (only_result(run, EXPLANATIONS) / "base_scores.tsv").read_text().splitlines()[1:]
    assert len(rows) == 4 * LENGTH
    assert {row.split("\t")[0] for row in rows} == {"a", "chr1:100-148", "b", "c"}
    sites = (only_result(run, EXPLANATIONS) / "sites.bed").read_text().splitlines()
    assert len(sites) == 1
    assert sites[0].startswith("chr1\t1")
    assert cli("explain", run, data, "--genome", fasta)[0] == 2
