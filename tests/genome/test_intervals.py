import gzip
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intervaltree import IntervalTree

from wavebind.core.errors import InputError
from wavebind.genome.intervals import merged, overlapping, read_intervals

PEAK = "chr1\t100\t300\t.\t0\t.\t{signal}\t-1\t2.5\t{summit}\n"


def write(path, text):
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def row(path, **options):
    table = read_intervals(path, **options)
    assert len(table) == 1
    return table.iloc[0]


def test_narrowpeak_has_summit_and_signal(tmp_path):
    text = "track name=x\n# a comment\n\n" + PEAK.format(signal=7.5, summit=30)
    for name in ("p.narrowPeak", "p.narrowPeak.gz", "p.bed"):
        found = row(write(tmp_path / name, text))
        assert (found.chrom, found.start, found.end, found.summit) == ("chr1", 100, 300, 130)
        assert found.score == 7.5
        assert found.line == 4
    assert row(tmp_path / "p.bed", centre="middle").summit == 200
    # One past the last base, as rounding leaves it in ENCODE's own files.
    assert row(write(tmp_path / "q.bed", PEAK.format(signal=1, summit=200))).summit == 299


def test_bed_of_any_width(tmp_path):
    assert row(write(tmp_path / "a.bed", "chr1\t10\t21\n")).summit == 15
    found = row(write(tmp_path / "b.bed", "chr1 10 11 peak_1 44.5\n"))
    assert (found.summit, found.score) == (10, 44.5)
    assert math.isnan(row(write(tmp_path / "c.bed", "chr1\t10\t21\tx\t.\t+\n")).score)
    broad = "chr1\t10\t21\tx\t3\t.\t8.25\t1\t2\n"
    assert row(write(tmp_path / "d.broadPeak", broad)).score == 8.25
    assert row(write(tmp_path / "d.bed", broad)).score == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "chr1\t1\t5\nchr1\t500\t400\n",
            "p.bed line 2: start 500 is after end 400; BED is 0-based",
        ),
        ("chr1\t5\t5\n", "line 1: start and end are both 5"),
        ("chr1\t5\n", "line 1: found 2 columns; BED has at least three"),
        ("chr1\t1\t5\nchr1\t1\t5\tx\n", "line 2: found 4 columns and 3 on the lines before"),
        ("chr1\tone\t5\n", "line 1: start 'one' is not a whole number"),
        ("chr1\t1_0\t50\n", "start '1_0' is not a whole number"),
        ("chr1\t1\t5.0\n", "end '5.0' is not a whole number"),
        ("chr1\t-1\t5\n", "start -1 is out of range"),
        ("chr1\t1\t99999999999999\n", "end 99999999999999 is out of range"),
        ("\t1\t5\n", "line 1: the chromosome is empty"),
        ("# nothing\n", "p.bed: holds no interval"),
        (
            "chr1\t1\t5\r\nchr1\t7\t9\r\n",
            "line 1: ends in a carriage return, as files from Windows",
        ),
        ("chr1\t1\t5\n" + "x" * 1_000_001, "p.bed line 2: longer than 1,000,000 characters"),
        (PEAK.format(signal=1, summit=-1), "line 1: the summit is -1.*--set centre=middle"),
        (PEAK.format(signal=1, summit=201), "summit 201 lies outside the peak, which has 200 bp"),
        (PEAK.format(signal=1, summit=-2), "summit -2 is out of range"),
        (PEAK.format(signal="nan", summit=3), "the signal value 'nan' is not a number"),
    ],
)
def test_lines_that_break_a_rule(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_intervals(write(tmp_path / "p.bed", text))


def test_a_summit_of_minus_one_is_fine_where_it_is_not_asked_for(tmp_path):
    path = write(tmp_path / "p.bed", PEAK.format(signal=1, summit=-1))
    assert row(path, centre="middle").summit == 200
    with pytest.raises(InputError, match="centre 'left' is not known"):
        read_intervals(path, centre="left")


def test_a_name_that_promises_more_than_the_file_holds(tmp_path):
    with pytest.raises(InputError, match=r"is called narrowPeak, which has 10 columns .*; found 3"):
        read_intervals(write(tmp_path / "p.narrowPeak", "chr1\t1\t5\n"))
    with pytest.raises(InputError, match="signal value 'x' is not a number"):
        read_intervals(write(tmp_path / "p.narrowPeak", PEAK.format(signal="x", summit=3)))


def test_a_truncated_file(tmp_path):
    path = tmp_path / "p.bed.gz"
    rng = np.random.default_rng(0)
    lines = "".join(f"chr1\t{s}\t{s + 5}\n" for s in rng.integers(0, 10**8, 5000))
    path.write_bytes(gzip.compress(lines.encode())[:-5000])
    with pytest.raises(InputError, match=r"p.bed.gz after line \d+: the gzip data ends"):
        read_intervals(path)


spans = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 30)), max_size=25)


@settings(deadline=None)  # the first call imports pandas and bioframe
@given(regions=spans, windows=spans, pad=st.integers(0, 5))
def test_overlaps_are_those_of_another_tool(regions, windows, pad):
    table = pd.DataFrame(
        {
            "chrom": np.array(["chr1"] * len(regions), dtype=object),
            "start": np.array([s for s, _ in regions], dtype=np.int64),
            "end": np.array([s + n for s, n in regions], dtype=np.int64),
        }
    )
    tree = IntervalTree.from_tuples((max(0, s - pad), s + n + pad) for s, n in regions)
    found = merged([table], pad=pad)
    assert found["end"].sum() - found["start"].sum() == len(
        {b for s, n in regions for b in range(max(0, s - pad), s + n + pad)}
    )
    start = np.array([s for s, _ in windows], dtype=np.int64)
    end = np.array([s + n for s, n in windows], dtype=np.int64)
    hits = overlapping("chr1", start, end, found)
    assert hits.tolist() == [tree.overlaps(s, s + n) for s, n in windows]
    assert not overlapping("chr2", start, end, found).any()
