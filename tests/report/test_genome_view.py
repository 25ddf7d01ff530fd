"""Slices of a genome, as igv.js takes them."""

import base64
import hashlib

import pyBigWig
import pytest

from genome_files import random_genome, write_genome
from wavebind.genome.genomes import open_genome
from wavebind.report.genome_view import GenomeFiles, igv_script, view_genome

pytestmark = pytest.mark.usefixtures("own_cache")

GENOME = random_genome(4, {"chr1": 30_000, "chr2": 9_000})
ROW = {"chrom": "1", "position": "12001", "ref": "A", "alt": "G", "difference": "-1.5"}


@pytest.fixture
def genome(tmp_path):
    path = write_genome(tmp_path, "g.fa", GENOME)
    with open_genome(path) as opened:
        yield opened


@pytest.fixture
def peaks(tmp_path):
    path = tmp_path / "peaks.bed"
    path.write_text("1\t11500\t11700\n1\t25000\t25200\n2\t10\t200\n")
    return path


def slices_of(view):
    text = base64.b64decode(view["options"]["reference"]["fastaURL"].split(",")[1]).decode()
    lines = text.split("\n")
    return dict(zip(lines[::2], lines[1::2], strict=True))


def test_slices_are_those_of_the_genome(genome, peaks):
    view = view_genome(GenomeFiles(genome, peaks), [ROW])
    assert view["places"] == [{"name": "chr1:12001 A>G -1.50", "locus": "chr1:11001-13000"}]
    found = slices_of(view)
    assert found == {">chr1:11001-13000 @len=30000": GENOME["chr1"][11_000:13_000].upper()}
    tracks = {track["name"]: track["features"] for track in view["options"]["tracks"]}
    # Of the three peaks one lies in the slice.
    assert tracks["peaks"] == [{"chr": "chr1", "start": 11_500, "end": 11_700, "score": 0.0}]
    (mark,) = tracks["variants (change in log-odds)"]
    assert (mark["start"], mark["end"], mark["name"]) == (12_000, 12_001, "A>G -1.50")
    assert "probability of binding" not in tracks


def test_sites_and_probabilities_of_a_scan(genome, peaks, tmp_path):
    sites = tmp_path / "sites.narrowPeak"
    sites.write_text(
        "chr2\t100\t160\ts1\t900\t.\t8.5\t-1\t-1\t30\nchr1\t29950\t29990\ts2\t500\t.\t1.5\t-1\t-1\t9\n"
    )
    track = str(tmp_path / "scores.bw")
    with pyBigWig.open(track, "w") as stream:
        stream.addHeader([("chr1", 30_000), ("chr2", 9_000)])
        stream.addEntries("chr2", [120, 5_000], values=[0.75, 0.5], span=8)
    view = view_genome(GenomeFiles(genome, peaks, sites, tmp_path / "scores.bw"))
    # The strongest first; slices end where chromosomes do.
    assert [place["locus"] for place in view["places"]] == ["chr2:1-1130", "chr1:28971-30000"]
    tracks = {track["name"]: track["features"] for track in view["options"]["tracks"]}
    assert tracks["probability of binding"] == [
        {"chr": "chr2", "start": 120, "end": 128, "value": 0.75}
    ]
    assert [s["start"] for s in tracks["called sites"]] == [100, 29_950]


def test_nothing_to_show(genome, peaks, tmp_path):
    empty = tmp_path / "none.narrowPeak"
    empty.touch()
    assert view_genome(GenomeFiles(genome, peaks, empty)) is None
    assert view_genome(GenomeFiles(genome, peaks), [{**ROW, "chrom": "unknown"}]) is None


def test_the_script_is_the_one_of_npm():
    """SHA-256 of dist/igv.min.js in the package igv 3.8.10 of npm."""
    expected = "87b991ae2a720978172e269dd5127c495e56df5af31144dff19c83124e2f5744"
    assert hashlib.sha256(igv_script().encode()).hexdigest() == expected
