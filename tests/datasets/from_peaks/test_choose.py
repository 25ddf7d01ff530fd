"""Datasets from peaks and a genome: every window checked with other tools."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from intervaltree import IntervalTree
from sklearn.metrics import roc_auc_score

from genome_files import random_genome, write_genome
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import open_dataset
from wavebind.datasets.from_peaks.matching import Tolerance, match_composition
from wavebind.datasets.from_peaks.settings import PeakDatasetConfig
from wavebind.datasets.splits import PARTS, BlockSplit, ChromosomeSplit
from wavebind.datasets.twins import find_twins
from wavebind.genome.peaks import not_overlapping
from wavebind.genome.sequences import to_letters

SIZES = {"chr1": 120_000, "chr2": 90_000, "chr8": 60_000, "chr20": 60_000}
GENOME = random_genome(3, SIZES)
LENGTH = 100


def peak_lines(seed=5, every=1500):
    rng = np.random.default_rng(seed)
    lines = []
    for chrom, size in SIZES.items():
        for at in range(400, size - 400, every):
            start = at + int(rng.integers(0, 300))
            width = int(rng.integers(60, 300))
            summit = int(rng.integers(0, width))
            if start + width < size:
                signal = round(float(rng.random() * 100), 3)
                lines.append((chrom, start, start + width, ".", 0, ".", signal, -1, 2, summit))
    return lines


def write_lines(path, lines):
    data = "".join("\t".join(map(str, line)) + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def open_regions(seed=9):
    rng = np.random.default_rng(seed)
    return [
        (chrom, int(s), int(s) + 150, "open")
        for chrom, size in SIZES.items()
        for s in np.sort(rng.choice(np.arange(0, size - 200, 190), size // 400, replace=False))
    ]


@pytest.fixture
def build(tmp_path, monkeypatch, cli):
    """Run ``wavebind dataset`` on the small genome; the dataset and what was printed."""
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "cache"))
    genome = write_genome(tmp_path, "genome.fa.gz", GENOME)
    peaks = write_lines(tmp_path / "p.narrowPeak.gz", peak_lines())
    accessible = write_lines(tmp_path / "open.bed", open_regions())

    def call(*options, name="d", background="gc"):
        arguments = ["--peaks", peaks, "--genome", genome, "--background", background]
        arguments += [
            "--set",
            f"length={LENGTH}",
            "--set",
            "background.gap=50",
            "--out",
            tmp_path / name,
            *options,
        ]
        if "accessible" in background:
            arguments += ["--accessible", accessible]
        code, out, err = cli("dataset", *arguments)
        assert code == 0, err
        return open_dataset(tmp_path / name), out, err

    return call


def check_windows(data, peaks, gap, genome=GENOME):
    """No unbound window near a peak, no two windows on one place, every sequence the genome's."""
    near, taken = {}, {}
    for chrom, start, end, *_ in peaks:
        near.setdefault(chrom, IntervalTree()).addi(start - gap, end + gap)
    bound = data.labels == 1
    for i in np.flatnonzero(bound):
        near[data.chrom[i]].addi(data.start[i] - gap, data.end[i] + gap)
    for i in range(len(data.labels)):
        chrom, start, end = data.chrom[i], int(data.start[i]), int(data.end[i])
        if start < 0:
            assert data.source[i] == "shuffle"
            continue
        assert end - start == data.length
        tree = taken.setdefault(chrom, IntervalTree())
        assert not tree.overlaps(start, end)
        tree.addi(start, end)
        if not bound[i]:
            assert not near[chrom].overlaps(start, end)
        assert to_letters(data.codes[i]) == genome[chrom][start:end].upper()
        lower = sum(c.islower() for c in genome[chrom][start:end]) / data.length
        assert data.repeat[i] == pytest.approx(lower)


@pytest.mark.parametrize("background", ["accessible", "gc", "flank", "shuffle"])
def test_every_window_of_every_background(build, background):
    ratio = 1 if background != "shuffle" else 3
    data, out, _ = build("--set", f"background.ratio={ratio}", background=background)
    check_windows(data, peak_lines(), 50)
    for part in PARTS:
        mine = data.labels[data.parts == part]
        assert (mine == 0).sum() == ratio * (mine == 1).sum() > 0
    assert set(data.chrom[data.parts == "test"]) == {"chr2"}
    assert set(data.chrom[data.parts == "valid"]) == {"chr8", "chr20"}
    assert set(data.source[data.labels == 0]) == {background}
    assert set(data.source[data.labels == 1]) == {"p"}
    assert f"{len(data.labels):,} windows of {LENGTH} bp" in out
    described = data.description
    assert described["settings"]["background"]["kinds"] == [background]
    assert len(described["inputs"]) == (3 if background == "accessible" else 2)
    assert all(len(i["sha256"]) == 64 for i in described["inputs"])
    assert {"bioframe", "pyfaidx", "py2bit"} <= set(described["versions"])


def test_several_backgrounds_keep_clear_of_each_other(build):
    data, _, _ = build(background="accessible,flank,gc,shuffle")
    check_windows(data, peak_lines(), 50)
    for part in PARTS:
        counts = Counter(data.source[data.parts == part])
        assert counts["p"] == counts["accessible"] == counts["flank"] == counts["gc"]
        assert counts["shuffle"] == counts["p"]


def test_bound_windows_are_centred_and_the_strongest_wins(build, tmp_path):
    lines = [
        ("chr1", 1000, 1200, ".", 0, ".", 5.0, -1, 1, 100),
        ("chr1", 1050, 1250, ".", 0, ".", 9.0, -1, 1, 90),  # window overlaps the first
        ("chr1", 1230, 1300, ".", 0, ".", 2.0, -1, 1, 9),  # and the third overlaps the second only
        ("chr1", 10, 90, ".", 0, ".", 9.0, -1, 1, 5),  # leaves the chromosome
        ("chr1", 40_000, 40_300, ".", 0, ".", 3.0, -1, 1, 150),  # unknown bases
        ("chr2", 5000, 5100, ".", 0, ".", 4.0, -1, 1, 50),
        ("chr8", 5000, 5100, ".", 0, ".", 4.0, -1, 1, 50),
        ("chr8", 9000, 9100, ".", 0, ".", 1.0, -1, 1, 50),
        ("chr20", 5000, 5100, ".", 0, ".", 4.0, -1, 1, 50),
    ]
    write_lines(tmp_path / "p.narrowPeak.gz", lines)
    excluded = write_lines(tmp_path / "black.bed", [("20", 5040, 5041)])
    data, out, err = build("--set", f"exclude={excluded}")
    bound = data.labels == 1
    places = list(
        zip(data.chrom[bound], data.start[bound].tolist(), data.score[bound], strict=True)
    )
    assert places == [
        ("chr1", 1090, 9.0),
        ("chr2", 5000, 4.0),
        ("chr8", 5000, 4.0),
        ("chr8", 9000, 1.0),
    ]
    assert "dropped: 1 (window leaves the chromosome)" in out
    assert "dropped: 1 (more than 10 % unknown bases)" in out
    assert "dropped: 1 (window overlaps an excluded region)" in out
    assert "dropped: 2 (window overlaps that of a stronger summit)" in out
    assert "1 chromosome name matched to the genome's (20 is chr20 there)" in err


def test_of_overlapping_windows_against_a_loop():
    rng = np.random.default_rng(0)
    start = rng.integers(0, 3000, 300)
    score = rng.integers(0, 40, 300).astype(float)
    score[:20] = np.nan
    chrom = np.where(rng.random(300) < 0.5, "chr1", "chr2").astype(object)
    table = pd.DataFrame({"chrom": chrom, "start": start, "end": start + 50, "score": score})
    found = not_overlapping(table)
    kept = list(zip(found["chrom"], found["start"], found["end"], strict=True))
    assert kept == sorted(kept)
    expected: list = []
    rank = np.where(np.isnan(score), -1, score)
    for i in sorted(range(300), key=lambda i: (-rank[i], chrom[i], start[i])):
        mine = (chrom[i], start[i], start[i] + 50)
        if all(c != mine[0] or mine[1] >= e or s >= mine[2] for c, s, e in expected):
            expected.append(mine)
    assert kept == sorted(expected)


def test_several_peak_files_become_one_set(build, tmp_path):
    lines = peak_lines()
    other = [
        (line[0], line[1] + 20, line[2] + 20, *line[3:6], line[6] + 1000, *line[7:])
        for line in lines[::2]
    ]
    second = write_lines(tmp_path / "other.narrowPeak", other)
    data, _, _ = build("--peaks", second)
    sources = Counter(data.source[data.labels == 1])
    assert sources["other"] > 0.9 * len(other)
    assert sources["p"] > 0.9 * (len(lines) - len(other))
    check_windows(data, [*lines, *other], 50)
    # A shell's wildcard leaves further files behind the first; they are peak files, too.
    again, _, _ = build(second, name="again")
    np.testing.assert_array_equal(again.codes, data.codes)


def test_top_takes_the_strongest_and_keeps_clear_of_all(build):
    data, out, _ = build("--set", "top=20")
    kept = data.score[data.labels == 1]
    everything, _, _ = build(name="all")
    scores = np.sort(everything.score[everything.labels == 1])[::-1]
    np.testing.assert_allclose(np.sort(kept)[::-1], scores[:20])
    assert "(weaker than the strongest that were asked for)" in out
    check_windows(data, peak_lines(), 50)


def test_gc_windows_have_the_gc_and_the_repeats_of_the_bound_ones(build):
    data, _, _ = build("--set", "background.ratio=2")
    gc = ((data.codes == 1) | (data.codes == 2)).mean(axis=1)
    for part in PARTS:
        mine = data.parts == part
        assert 0.47 < roc_auc_score(data.labels[mine], gc[mine]) < 0.53
        assert 0.44 < roc_auc_score(data.labels[mine], data.repeat[mine]) < 0.56


def test_accessible_windows_can_be_matched_too(build, tmp_path):
    rich = [line for line in peak_lines() if np.sin(line[1] / 1500) > 0.3]
    write_lines(tmp_path / "p.narrowPeak.gz", rich)
    plain, _, _ = build(background="accessible", name="plain")
    options = [
        "--set",
        "background.ratio=0.5",
        "--set",
        "background.match_gc=true",
        "--set",
        "background.gc_tolerance=0.05",
    ]
    matched, _, _ = build(*options, background="accessible", name="matched")
    assert bias(plain) > 0.2
    assert abs(bias(matched)) < 0.05


def bias(data):
    gc = ((data.codes == 1) | (data.codes == 2)).mean(axis=1)
    return roc_auc_score(data.labels, gc) - 0.5


def test_flanks_are_the_nearest_free_places(build):
    data, _, _ = build(background="flank")
    bound = data.labels == 1
    middle = {c: (data.start[bound & (data.chrom == c)] + LENGTH // 2) for c in SIZES}
    distance = [
        np.abs(middle[data.chrom[i]] - data.start[i] - LENGTH // 2).min()
        for i in np.flatnonzero(~bound)
    ]
    assert max(distance) < 700
    assert min(distance) >= 100


def test_shuffles_keep_the_dinucleotides_of_a_bound_window(build):
    data, _, _ = build("--set", "background.ratio=2", background="shuffle")
    bound = data.labels == 1
    profiles = {tuple(sorted(Counter(pairwise(c.tolist())).items())) for c in data.codes[bound]}
    for codes in data.codes[~bound]:
        assert tuple(sorted(Counter(pairwise(codes.tolist())).items())) in profiles
    assert len(np.unique(data.codes, axis=0)) == len(data.codes)
    assert np.isnan(data.repeat[~bound]).all()


def test_the_seed_decides(build):
    a, _, _ = build(name="a")
    b, _, _ = build(name="b")
    c, _, _ = build("--seed", 1, name="c")
    np.testing.assert_array_equal(a.codes, b.codes)
    assert a.checksum != c.checksum


def test_blocks_and_their_gaps(build):
    data, out, _ = build(
        "--set",
        "split.blocks=true",
        "--set",
        "split.block_size=10_000",
        "--set",
        "split.block_gap=600",
    )
    pattern = ("train", "train", "valid", "train", "test")
    for start, end, part in zip(data.start, data.end, data.parts, strict=True):
        for at in (max(start - 300, 0), end + 299):
            assert pattern[at // 10_000 % 5] == part
    assert "window in the gap between two blocks" in out
    for chrom in SIZES:
        here = data.chrom == chrom
        edges = [(data.start[i], data.end[i], data.parts[i]) for i in np.flatnonzero(here)]
        edges.sort()
        for (_, end, part), (start, _, after) in pairwise(edges):
            assert part == after or start - end >= 600


def test_all_there_is(build):
    data, _, _ = build("--set", "background.ratio=all", background="accessible")
    near = {c: IntervalTree() for c in SIZES}
    for chrom, start, end, *_ in peak_lines():
        near[chrom].addi(start - 50, end + 50)
    bound = data.labels == 1
    for i in np.flatnonzero(bound):
        near[data.chrom[i]].addi(data.start[i] - 50, data.end[i] + 50)
    expected = 0
    for chrom, start, end, _ in open_regions():
        s = (start + end) // 2 - LENGTH // 2
        letters = GENOME[chrom][s : s + LENGTH]
        inside = s >= 0 and s + LENGTH <= SIZES[chrom]
        expected += inside and letters.count("N") <= 10 and not near[chrom].overlaps(s, s + LENGTH)
    assert (~bound).sum() == expected


TINY_BLOCKS = ["gc", "--set", "split.blocks=true", "--set", "split.block_size=90"]


def base(tmp_path):
    return [
        "dataset", "--peaks", tmp_path / "p.narrowPeak.gz", "--genome", tmp_path / "genome.fa.gz",
        "--set", f"length={LENGTH}", "--out", tmp_path / "bad",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        ([("chrZ", 5, 50)], ["gc"], "q.bed line 1: the genome .* has no chromosome 'chrZ'"),
        ([("chr1", 5, 120_001)], ["gc"], "q.bed line 1: chr1:5-120001 ends beyond the chromosome"),
        ([("chr1", 0, 10)], ["gc"], "no bound window is left of 1 peaks"),
        ([("chr1", 5000, 5100)], ["gc"], "a part has no bound window .found: train 1, valid 0"),
        (
            None,
            ["gc", "--set", "background.ratio=900"],
            "needs .* windows and .* match in GC within 2%.*lower back",
        ),
        (
            None,
            ["flank", "--set", "background.gap=3000"],
            "background 'flank': the train part needs .* lower",
        ),
        (None, ["accessible"], "names? a BED file with --accessible"),
        (None, ["gc", "--set", "top=0"], "top 0 is not a positive number"),
        (None, ["gc", "--set", "length=2"], "length 2 bp is not between 4 and 1,000,000"),
        (None, ["gc", "--set", "background.ratio=0"], "ratio 0 is not above 0"),
        (
            None,
            ["gc", "--set", "background.ratio=all"],
            "a ratio of all is for accessible and flank",
        ),
        (None, ["dark"], "background 'dark' is not known; choose among accessible"),
        (None, ["gc,gc"], "names a kind twice"),
        (None, ["gc", "--set", "background.gap=-1"], "gap -1 bp is not between"),
        (
            None,
            ["gc", "--set", "background.gc_tolerance=2"],
            "gc_tolerance 2 is not between 0 and 1",
        ),
        (None, ["gc", "--set", "chroms=chr7"], "has no chromosome chr7; it has chr1, chr2"),
        (None, [*TINY_BLOCKS, "--set", "split.block_gap=0"], "do not fit into blocks of 90"),
        (
            None,
            ["gc", "--set", "split.blocks=true", "--set", "split.block_size=0"],
            "block size 0 bp is not positive",
        ),
        (
            None,
            ["gc", "--set", "split.blocks=true", "--set", "split.block_size=5000"],
            "block gap 10,000 bp does not fit",
        ),
        (
            None,
            ["gc", "--set", "split.blocks=true"],
            "lower split.block_size, so that every part has blocks",
        ),
        (None, ["gc", "--set", "centre=left"], "centre 'left' is not known"),
        (None, ["gc", "--accessible", "x.bed"], "add --background accessible"),
    ],
)
def test_what_cannot_be_built(build, cli, tmp_path, lines, options, message):
    arguments = base(tmp_path)
    if lines:
        arguments[2] = write_lines(tmp_path / "q.bed", lines)
    code, out, err = cli(*arguments, "--background", *options)
    assert code == 1, err
    assert re.search(message, " ".join(err.split())), err
    assert out == ""
    assert not (tmp_path / "bad").exists()


def test_no_strength_to_choose_by(build, cli, tmp_path):
    arguments = base(tmp_path)
    arguments[2] = write_lines(tmp_path / "q.bed", [line[:3] for line in peak_lines()])
    code, _, err = cli(*arguments, "--background", "gc", "--set", "top=5")
    assert code == 1
    assert "--set top=N needs the strength of every peak" in err


def test_peaks_that_can_hardly_be_shuffled(build, cli, tmp_path):
    genome = dict(GENOME)
    at = 20_000
    genome["chr2"] = GENOME["chr2"][:at] + "CA" * 200 + GENOME["chr2"][at + 400 :]
    write_genome(tmp_path, "genome.fa.gz", genome)
    lines = [("chr1", 5000, 5100), ("chr8", 5000, 5100), ("chr2", at + 100, at + 200)]
    arguments = base(tmp_path)
    arguments[2] = write_lines(tmp_path / "q.bed", lines)
    code, _, err = cli(*arguments, "--background", "shuffle")
    assert code == 1
    assert "background 'shuffle': the test part needs 1 windows and 0" in err
    assert not (tmp_path / "bad").exists()
    # Beside another peak, that one is shuffled twice.
    write_lines(tmp_path / "q.bed", [*lines, ("chr2", 40_000, 40_100)])
    code, _, err = cli(*arguments, "--background", "shuffle")
    assert code == 0, err
    data = open_dataset(tmp_path / "bad")
    assert ((data.labels == 0) & (data.parts == "test")).sum() == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--peaks", "p", "--out", "d"], "--peaks needs the --genome"),
        (["--peaks", "p", "--genome", "g", "--out", "d"], "--peaks needs a --background"),
        (["x.tsv", "--genome", "g", "--out", "d"], "need --peaks"),
        (["x.tsv", "--set", "split.blocks=true", "--out", "d"], "split.blocks needs --peaks"),
        (
            ["--peaks", "p", "--genome", "g", "--set", "positives=f", "--out", "d"],
            "give either --peaks, or windows",
        ),
        (
            [
                "--peaks",
                "p",
                "--genome",
                "g",
                "--background",
                "gc",
                "--set",
                "background.ratio=x",
                "--out",
                "d",
            ],
            "is not a number",
        ),
        (
            [
                "x",
                "--set",
                "split.blocks=true",
                "--set",
                "split.test=a",
                "--set",
                "split.valid=b",
                "--out",
                "d",
            ],
            "two ways to split; give one",
        ),
    ],
)
def test_command_lines_that_contradict_themselves(cli, options, message):
    code, _, err = cli("dataset", *options)
    assert code == 2
    assert message in " ".join(err.replace("│", " ").split())


def windows(gc, repeat=0.0, step=100):
    start = np.arange(len(gc)) * step
    return pd.DataFrame(
        {"chrom": "chr1", "start": start, "end": start + 100, "gc": gc, "repeat": repeat}
    )


def test_matching_is_within_the_tolerance_and_exact_where_it_can_be():
    rng = np.random.default_rng(0)
    target = rng.normal(0.55, 0.08, 300).clip(0, 1)
    pool = rng.uniform(0.2, 0.9, 20_000)
    tolerance = Tolerance(0.02, 0.25)
    chosen, n_far = match_composition(windows(target), windows(pool), 300, tolerance, rng)
    assert len(np.unique(chosen)) == 300
    assert n_far == 0
    np.testing.assert_array_equal(
        np.sort(np.floor(pool[chosen] * 100 + 1e-4)), np.sort(np.floor(target * 100 + 1e-4))
    )
    few = rng.uniform(0.6, 0.9, 400)
    chosen, n_far = match_composition(windows(target), windows(few), 300, tolerance, rng)
    assert 0 < len(chosen) < 300
    assert n_far == 0
    assert few[chosen].max() < target.max() + 0.03
    repeats = np.where(rng.random(20_000) < 0.5, 1.0, 0.0)
    chosen, _ = match_composition(windows(target, 1.0), windows(pool, repeats), 300, tolerance, rng)
    assert repeats[chosen].all()
    # Of windows that overlap, one.
    tight = windows(pool, step=30)
    chosen, _ = match_composition(windows(target), tight, 300, tolerance, rng)
    assert len(chosen) == 300
    assert np.diff(tight["start"].to_numpy()[chosen]).min() >= 100
    assert len(match_composition(windows(target), tight[:0], 300, tolerance, rng)[0]) == 0


def test_a_few_rare_windows_may_be_matched_less_closely():
    rng = np.random.default_rng(0)
    target = np.r_[np.full(98, 0.5), 0.8, 0.8]
    pool = windows(np.r_[np.full(200, 0.5), 0.7, 0.72])
    chosen, n_far = match_composition(windows(target), pool, 100, Tolerance(0.02, 0.25), rng)
    assert n_far == 2
    assert chosen[-2:].tolist() == [200, 201]
    more = np.r_[np.full(97, 0.5), 0.8, 0.8, 0.8]
    chosen, n_far = match_composition(windows(more), pool, 100, Tolerance(0.02, 0.25), rng)
    assert (len(chosen), n_far) == (97, 0)


def test_settings_are_checked_when_made():
    with pytest.raises(InputError, match="seed -1 is negative"):
        PeakDatasetConfig(seed=-1)
    assert BlockSplit().parts("x", np.array([0]), np.array([5])).tolist() == [0]
    assert ChromosomeSplit().parts("2", np.array([0, 9]), np.array([5, 12])).tolist() == [2, 2]


@pytest.mark.slow
def test_the_real_peaks_of_chr22(cli, tmp_path, shared_data, monkeypatch):
    """The command of the documentation, every kind of background at once."""
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "cache"))
    folder = shared_data / "chr22_hg19"
    peaks = folder / "CTCF_K562.narrowPeak.gz"
    code, _, err = cli(
        "dataset", "--peaks", peaks, "--genome", folder / "chr22.fa.gz", "--background",
        "accessible,gc,flank,shuffle", "--accessible", folder / "open_chromatin.bed.gz",
        "--set", "split.blocks=true", "--out", tmp_path / "c22",
    )  # fmt: skip
    assert code == 0, err
    data = open_dataset(tmp_path / "c22")
    with gzip.open(folder / "chr22.fa.gz", "rt") as stream:
        letters = "".join(line.strip() for line in stream if not line.startswith(">"))
    with gzip.open(peaks, "rt") as stream:
        lines = [(c[0], int(c[1]), int(c[2])) for c in (line.split("\t") for line in stream)]
    check_windows(data, lines, 300, {"chr22": letters})
    found = json.loads((tmp_path / "c22" / "audit.json").read_text())
    alone = open_dataset(tmp_path / "c22")
    mine = (alone.parts == "test") & ((alone.labels == 1) | (alone.source == "gc"))
    gc = ((alone.codes == 1) | (alone.codes == 2)).sum(axis=1) / (alone.codes < 4).sum(axis=1)
    assert 0.47 < roc_auc_score(alone.labels[mine], gc[mine]) < 0.53
    assert found["n_windows"] == (data.parts == "test").sum()


ALL_KINDS = "accessible,flank,gc,shuffle"


@pytest.mark.slow
def test_the_same_dataset_whoever_counts(build, tmp_path, cli):
    """In this process, in two, and in shards that are merged: the same files."""
    build("--set", "background.ratio=0.5", background=ALL_KINDS, name="here")
    build("--set", "background.ratio=0.5", "--set", "workers=2", background=ALL_KINDS, name="two")
    shares = ["--set", "background.ratio=0.5", "--peaks", tmp_path / "p.narrowPeak.gz"]
    shares += ["--genome", tmp_path / "genome.fa.gz", "--accessible", tmp_path / "open.bed"]
    shares += ["--background", ALL_KINDS, "--set", f"length={LENGTH}", "--set", "background.gap=50"]
    shares += ["--out", tmp_path / "shared"]
    for text in ("2/3", "1/3"):
        code, out, err = cli("dataset", *shares, "--set", f"shard={text}")
        assert code == 0, err
        assert out == ""
        assert f"share {text} done" in err
    code, _, err = cli("merge", tmp_path / "shared")
    assert code == 1
    assert "this chunk is not done yet; run the missing shards, then merge again" in err
    assert not (tmp_path / "shared").exists()
    assert cli("dataset", *shares, "--set", "shard=3/3")[0] == 0
    code, out, err = cli("merge", tmp_path / "shared")
    assert code == 0, err
    assert f"written: {tmp_path / 'shared'}" in out
    assert not (tmp_path / "shared.parts").exists()
    for name in ("codes.npy", "windows.parquet"):
        files = [(tmp_path / folder / name).read_bytes() for folder in ("here", "two", "shared")]
        assert files[0] == files[1] == files[2]


def test_sharing_needs_peaks_and_a_free_name(build, tmp_path, cli):
    build(name="d")
    genome, peaks = tmp_path / "genome.fa.gz", tmp_path / "p.narrowPeak.gz"
    words = ["--peaks", peaks, "--genome", genome, "--background", "gc", "--out", tmp_path / "d"]
    code, _, err = cli("dataset", *words, "--set", "shard=1/2")
    assert code == 1
    assert "exists already; choose another name or pass --force" in err
    code, _, err = cli("dataset", peaks, "--out", tmp_path / "e", "--set", "workers=2")
    assert code == 2
    assert "need --peaks" in err


def test_a_shuffle_and_its_window_are_in_one_split(build):
    """Twins in different splits would tell each other's labels."""
    data, out, _ = build(background="shuffle")
    twins = find_twins(data, "test", np.random.default_rng(0))
    assert (twins.kept, twins.n_in_train, twins.n_within) == (
        "dinucleotides", 0, twins.n_unbound
    )  # fmt: skip
    for part in ("train", "valid"):
        found = find_twins(data, part, np.random.default_rng(0))
        assert (found.n_within, found.n_in_train) == (found.n_unbound, 0)
    assert "unbound test windows are twins of bound ones in the same split" in out
