"""Formats of peaks, told by their first line; the files are in tests/cases."""

import numpy as np
import pandas as pd
import pytest

from helpers import CASES
from wavebind.core.errors import InputError
from wavebind.genome.genomes import open_genome
from wavebind.genome.intervals import read_interval_file, read_intervals
from wavebind.genome.peaks import DROP_BEYOND, place_on_genome

pytestmark = pytest.mark.usefixtures("own_cache")


def cells(name: str) -> list[list[str]]:
    return [line.split() for line in (CASES / name).read_text().splitlines()]


@pytest.mark.parametrize("columns", [20, 12])
@pytest.mark.parametrize("name", ["x.txt", "x.bed", "x.narrowPeak"])
def test_columns_behind_narrowpeak_do_not_hide_it(tmp_path, columns, name):
    rows = cells("asym_idr20.txt")
    path = tmp_path / name
    path.write_text("".join("\t".join(row[:columns]) + "\n" for row in rows))
    found = read_interval_file(path)
    assert found.format == "narrowPeak"
    assert found.called == len(rows)
    np.testing.assert_array_equal(found.table["summit"], [int(row[1]) + 20 for row in rows])
    np.testing.assert_allclose(found.table["score"], [float(row[6]) for row in rows])


def test_dots_for_p_values_are_narrowpeak_whatever_the_name():
    found = read_interval_file(CASES / "dot_q.bed")
    assert (
        found.words()
        == f"read as narrowPeak, {len(cells('dot_q.bed'))} lines; its summits are used"
    )
    assert list(found.table["summit"][:2]) == [30962 + 20, 66923 + 20]


def test_twelve_columns_of_blocks_are_bed(tmp_path):
    path = tmp_path / "genes.bed"
    path.write_text("chr1\t10\t500\tg\t7\t+\t10\t500\t0\t2\t50,40,\t0,450,\n")
    found = read_interval_file(path)
    assert (found.format, found.called) == ("BED", 0)
    assert (found.table["summit"][0], found.table["score"][0]) == (255, 7)


def test_a_gapped_peak_has_middles_and_its_signal():
    found = read_interval_file(CASES / "gp.gappedPeak")
    assert "read as gappedPeak" in found.words()
    assert "the middles of its intervals are taken" in found.words()
    assert found.table["summit"][0] == (30962 + 31202) // 2
    assert found.table["score"][0] == 22.8779


def test_seacr_has_the_region_of_its_highest_signal(tmp_path):
    path = tmp_path / "x.stringent.bed"
    path.write_text("chr1\t100\t900\t523.5\t12.25\tchr1:700-720\n")
    found = read_interval_file(path)
    assert (found.format, found.called) == ("SEACR", 1)
    assert (found.table["summit"][0], found.table["score"][0]) == (710, 523.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ((CASES / "xls_nohead.bed").read_text(), "this is a MACS .xls; give _peaks.narrowPeak"),
        ((CASES / "peaks.xls").read_text(), "line 4: this is a MACS .xls; give _peaks.narrowPeak"),
        ("chr1\t30963\t31202\t240\t30.0\t12.3\t22.8\t5.0\tp\n", "this is a MACS .xls"),
        ("chrom start end score\nchr1 1 2 3\n", "line 1: is a line of column names"),
        ("# x\n1-1\tchr1\t100\t200\t+\t5\n", "line 2: this is a HOMER peak file"),
        ("chr1\tx\tgene\t10\t20\t.\t+\t.\tID=a\n", "line 1: this is GFF, which counts from 1"),
        ("##fileformat=VCFv4.2\n#CHROM\nchr1\t1\t.\n", "is a VCF; intervals are needed"),
        ("chr1\t1e+05\t100300\n", "options(scipen=999)"),
        ("chr1\t1000\t1e+05\n", "line 1: end '1e+05' is not a whole number; R writes"),
    ],
)
def test_tables_of_peak_callers_are_named(tmp_path, text, message):
    path = tmp_path / "p.bed"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_intervals(path)
    assert message in str(error.value)


def test_a_summit_that_was_not_called_matters_only_where_it_is_used():
    path = CASES / "r_nosummit.narrowPeak"
    with pytest.raises(InputError, match="the summit is -1, so none was called"):
        read_intervals(path)
    found = read_interval_file(path, centre="any")
    assert (found.table["summit"][0], found.called) == (13150, 0)
    with open_genome(CASES / "sixty_kb.fa.gz") as genome:
        placed = place_on_genome([path], genome, centre=None)
        assert (len(placed.table), placed.notes) == (1, [])


def test_a_peak_beyond_its_chromosome_is_left_out_and_counted():
    path = CASES / "beyond.narrowPeak"
    n = len(cells("beyond.narrowPeak"))
    with open_genome(CASES / "eight_stretches.fa.gz") as genome:
        placed = place_on_genome([path], genome)
        assert len(placed.table) == n - 1
        assert placed.dropped == {DROP_BEYOND: 1}
        assert f"left out, as 1 of {n} lines" in placed.notes[-1]


def test_many_peaks_beyond_are_of_another_build(tmp_path):
    path = tmp_path / "p.bed"
    lines = [f"chr1\t{i * 100}\t{i * 100 + 50}\n" for i in range(40)]
    with open_genome(CASES / "sixty_kb.fa.gz") as genome:
        path.write_text("".join(lines + ["chr1\t59990\t60001\n"] * 3))
        assert place_on_genome([path], genome).dropped == {DROP_BEYOND: 3}
        path.write_text("".join(lines + ["chr1\t59990\t60001\n"] * 4))
        with pytest.raises(InputError, match=r"\(4 of 44 lines do\); wrong genome build\?"):
            place_on_genome([path], genome)
        path.write_text("chr1\t59990\t60001\n")
        with pytest.raises(InputError, match=r"\(1 of 1 lines do\); wrong genome build\?"):
            place_on_genome([path], genome)


def test_wide_intervals_without_summits_are_said(tmp_path):
    path = tmp_path / "p.bed"
    path.write_text("chr1\t100\t2100\nchr1\t5000\t5300\nchr1\t7000\t9000\n")
    with open_genome(CASES / "sixty_kb.fa.gz") as genome:
        notes = place_on_genome([path], genome, length=200).notes
        assert "half of its intervals are 2,000 bp or more, and windows have 200 bp" in notes[1]
        assert len(place_on_genome([path], genome, length=1000).notes) == 1


def test_names_of_chromosomes_as_people_write_them(tmp_path):
    genome_file = tmp_path / "g.fa"
    genome_file.write_text(">chr1\nACGT\n>chrX\nACGT\n>MT\nACGT\n>Chr2\nAC\n>2\nAC\n")
    path = tmp_path / "p.bed"
    names = ["Chr1", "chr01", "1 ", "CHR1", "X", "chrM"]
    path.write_text("".join(f"{name}\t1\t3\n" for name in names))
    with open_genome(genome_file) as genome:
        placed = place_on_genome([path], genome)
        assert list(placed.table["chrom"]) == ["chr1"] * 4 + ["chrX", "MT"]
        path.write_text("chr2\t0\t1\n")
        with pytest.raises(InputError, match="has no chromosome 'chr2'"):
            place_on_genome([path], genome)
    assert isinstance(placed.table, pd.DataFrame)
