"""Files as people have them, through the commands; the files are in tests/cases."""

import re

import numpy as np
import pytest

from genome_files import fasta_text, random_genome
from helpers import CASES
from wavebind.api.genome import scan_words
from wavebind.cli import console
from wavebind.cli.console import progress_words
from wavebind.datasets.dataset import open_dataset
from wavebind.genome.genomes import open_genome
from wavebind.genome.intervals import read_intervals
from wavebind.genome.tiles import grid, reach_grid, tiles_of
from wavebind.scan.genome import ScanSummary

pytestmark = pytest.mark.usefixtures("own_cache")
EIGHT = CASES / "eight_stretches.fa.gz"


def dataset(cli, name, out, *options):
    return cli(
        "dataset", "--peaks", CASES / name, "--genome", EIGHT, "--background", "flank",
        "--set", "split.blocks=true", "--set", "length=100", "--set", "split.block_size=50000",
        "--set", "split.block_gap=0", "--out", out, *options,
    )  # fmt: skip


def test_strengths_that_are_equal_are_drawn_with_the_seed(cli, tmp_path):
    kept = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        out = tmp_path / name
        code, _, err = dataset(cli, "flat.bed", out, "--set", "top=30", "--seed", seed)
        assert code == 0, err
        found = re.search(r"top 30: (\d+) windows have the strength at the cut, 0; 30 of", err)
        assert found, err
        assert int(found[1]) > 60
        assert f"drawn with seed {seed}" in err
        data = open_dataset(out)
        bound = data.labels == 1
        assert bound.sum() == 30
        # Not the first of the file, which are those of one chromosome.
        assert len(set(data.chrom[bound])) > 5
        kept.append(set(zip(data.chrom[bound], data.start[bound], strict=True)))
    assert kept[0] == kept[1] != kept[2]


def test_the_format_that_was_taken_is_said(cli, tmp_path):
    code, _, err = dataset(cli, "dot_q.bed", tmp_path / "d")
    assert code == 0, err
    assert "dot_q.bed: read as narrowPeak" in err
    assert "its summits are used" in err
    code, _, err = dataset(cli, "beyond.narrowPeak", tmp_path / "e")
    assert code == 0, err
    assert "left out, as 1 of 84 lines" in err
    code, _, err = dataset(cli, "gp.gappedPeak", tmp_path / "f")
    assert code == 0, err
    assert "half of its intervals are" in err


def test_every_narrow_region_has_a_window(trained, cli, tmp_path):
    import pyBigWig

    out = tmp_path / "s.bw"
    code, _, err = cli(
        "scan", trained[0], CASES / "sixty_kb.fa.gz", "--regions", CASES / "summits.bed",
        "--out", out, "--stride", 16, "--workers", 1,
    )  # fmt: skip
    assert code == 0, err
    track = pyBigWig.open(str(out))
    summits = read_intervals(CASES / "summits.bed")
    with open_genome(CASES / "sixty_kb.fa.gz") as genome:
        letters = genome.letters("chr1").tobytes().decode().upper()
    n_unknown = 0
    for place in map(int, summits["summit"]):
        values = np.array(track.values("chr1", place - 16, place + 17))
        if not np.isfinite(values).any():
            # None is skipped in silence: it lies in a run of N, and is counted.
            assert letters[place - 32 : place + 32].count("N") > 4, place
            n_unknown += 1
    assert 0 < n_unknown < 4
    scored = len(summits) - n_unknown
    assert f"{scored} windows every 16 bp scored; {n_unknown} left out because more than" in err


def test_regions_without_a_summit_are_read(trained, run_copy, cli, tmp_path):
    code, _, err = cli(
        "scan", trained[0], CASES / "sixty_kb.fa.gz", "--regions",
        CASES / "r_nosummit.narrowPeak", "--out", tmp_path / "s.bw", "--workers", 1,
    )  # fmt: skip
    assert code == 0, err
    code, _, err = cli(
        "explain", run_copy[0], CASES / "r_nosummit.narrowPeak", "--genome",
        CASES / "sixty_kb.fa.gz", "--n", 1, "--method", "gradcam", "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    assert "the middles of its intervals are taken" in err


@pytest.mark.parametrize("stride", [1, 7, 16, 30])
def test_regions_reach_the_grid_as_a_loop_finds_it(tmp_path, stride):
    import pandas as pd

    length = 48
    path = tmp_path / "g.fa"
    path.write_text(fasta_text(random_genome(2, {"chr1": 500, "chr2": 40, "chr3": 200})))
    rng = np.random.default_rng(stride)
    starts, widths = np.sort(rng.choice(480, 12, replace=False)), rng.integers(1, 20, 12)
    rows = [("chr1", int(a), int(a + n)) for a, n in zip(starts, widths, strict=True)]
    rows += [("chr2", 5, 6), ("chr3", 0, 1), ("chr3", 199, 200)]
    regions = pd.DataFrame(rows, columns=["chrom", "start", "end"])
    with open_genome(path) as genome:
        found = reach_grid(regions, genome.lengths, length, stride)
        assert list(found["chrom"]) == [c for c, *_ in rows if c != "chr2"]
        for row, (chrom, start, end) in zip(
            found.itertuples(), [r for r in rows if r[0] != "chr2"], strict=True
        ):
            middles = np.arange(0, genome.lengths[chrom] - length + 1, stride) + length // 2
            inside = middles[(middles >= start) & (middles < end)]
            if len(inside):
                assert (row.start, row.end) == (start, end)
            else:
                assert row.end == row.start + 1
                centre = (start + end - 1) / 2
                assert abs(row.start - centre) == np.abs(middles - centre).min()
            one = pd.DataFrame([(chrom, row.start, row.end)], columns=["chrom", "start", "end"])
            (tile,) = tiles_of(genome, length, 10_000, one)
            assert len(grid(tile, length, stride)) >= 1


def summary(**changes):
    values = {
        "n_windows": 1000, "n_unknown": 0, "stride": 10, "threshold": 0.5,
        "n_calls": 50, "decoy_rate": None, "n_bases": 10_000_000, "peaks": None,
        "prevalence": 0.2,
    }  # fmt: skip
    return "\n".join(scan_words(ScanSummary(**{**values, **changes}), None, None))


def test_a_scan_says_whether_its_calls_beat_chance():
    assert "--set count_decoys=true counts the sites of shuffled sequence" in summary()
    better = summary(decoy_calls=(3, 5_000_000))
    assert "more than chance calls: shuffled sequence has 0.6 a Mb (3 in 5,000,000 bp)" in better
    assert "NOT" not in better
    assert "NOT clearly more than chance calls" in summary(decoy_calls=(25, 5_000_000))
    assert "assume that 0.2 of the windows are bound" in better
    assert "--set prevalence=" in better
    assert "assume" not in summary(quantity="value")


def test_progress_is_said_with_rate_and_time_left():
    assert progress_words(300, 1200, 5) == "300 of 1,200 (25%), 300 a minute, about 3 min left"
    assert progress_words(6_000, 100_000_000, 100).endswith("100 a second, about 277.8 h left")
    assert progress_words(5, None, 1 / 12) == "5, 5 a minute"


def test_a_pause_does_not_spoil_what_is_left(monkeypatch, capsys):
    """Two hours asleep, then one a second again: the rest takes what it took before."""
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    advance = console._lines("training", 2_000)
    for _ in range(300):
        now[0] += 1.0
        advance(1)
    now[0] += 7_200.0
    for _ in range(300):
        now[0] += 1.0
        advance(1)
    last = capsys.readouterr().err.strip().split("\n")[-1]
    assert last == "training: 541 of 2,000 (27%), 60 a minute, about 24 min left"
