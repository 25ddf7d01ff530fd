"""The example's files: what lies where is what the demo's table holds."""

import gzip
from importlib.resources import files

import pytest

from wavebind.datasets.example import write_example


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_example(tmp_path_factory.mktemp("example") / "ex")


@pytest.fixture(scope="module")
def genome(made):
    found, name = {}, ""
    for line in made.genome.read_text().split("\n"):
        if line.startswith(">"):
            name = line[1:]
            found[name] = []
        else:
            found[name].append(line)
    return {name: "".join(lines) for name, lines in found.items()}


def table():
    with (files("wavebind") / "resources" / "ctcf_gm12878_hg19.tsv.gz").open("rb") as stream:
        lines = gzip.decompress(stream.read()).decode().strip().split("\n")[1:]
    return [line.split("\t") for line in lines]


def rows(path):
    return [line.split("\t") for line in path.read_text().strip().split("\n")]


def test_every_peak_is_a_bound_window(made, genome):
    bound = {(row[0], row[5].upper()) for row in table() if row[3] == "1"}
    peaks = rows(made.peaks)
    found = {(c, genome[c][int(s) : int(e)]) for c, s, e in peaks}
    assert found == bound
    assert len(peaks) == 500


def test_open_places_hold_unbound_windows_as_well(made, genome):
    unbound = {row[5].upper() for row in table() if row[3] == "0"}
    peaks = {tuple(row) for row in rows(made.peaks)}
    inner = [(c, int(s) + 100, int(e) - 100) for c, s, e in rows(made.accessible)]
    others = [p for p in inner if (p[0], str(p[1]), str(p[2])) not in peaks]
    assert len(inner) == 1500
    assert len(others) == 1000
    assert all(genome[c][s:e] in unbound for c, s, e in others)


def test_variants_fit_the_genome_and_half_lie_in_peaks(made, genome):
    peaks = [(c, int(s), int(e)) for c, s, e in rows(made.peaks)]
    lines = [row for row in rows(made.variants) if not row[0].startswith("#")]
    near = 0
    for chrom, position, _, ref, alt, *_ in lines:
        at = int(position) - 1
        assert genome[chrom][at] == ref != alt
        near += any(c == chrom and s <= at < e for c, s, e in peaks)
    assert len(lines) == 120
    assert near >= 60
    names = list(genome)
    keys = [(names.index(row[0]), int(row[1])) for row in lines]
    assert keys == sorted(keys)


def test_the_same_files_each_time(made, tmp_path):
    again = write_example(tmp_path / "ex")
    for name in ("genome", "peaks", "accessible", "variants"):
        assert getattr(again, name).read_bytes() == getattr(made, name).read_bytes()
    other = write_example(tmp_path / "other", seed=1)
    assert other.genome.read_bytes() != made.genome.read_bytes()


def test_the_command_writes_them_and_names_what_comes_next(tmp_path, cli):
    code, out, err = cli("demo", "--files", tmp_path / "ex")
    assert code == 0
    assert out.count("written: ") == 4
    assert f"next: wavebind run --peaks {tmp_path / 'ex' / 'peaks.bed'} --genome" in err
    code, _, err = cli("demo", "--files", tmp_path / "ex")
    assert code == 1
    assert "exists already; choose another name or pass --force" in err
    assert cli("demo", "--files", tmp_path / "ex", "--force")[0] == 0
