"""Scanning a genome: against windows cut and scored one by one, and the same whoever does it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from genome_files import fasta_text, random_genome, twobit
from helpers import LENGTH, MOTIF, random_dna
from wavebind.core.errors import InputError
from wavebind.core.shards import Shard
from wavebind.core.workers import WorkerPool
from wavebind.genome.genomes import open_genome
from wavebind.genome.sequences import to_codes
from wavebind.genome.tiles import grid, tiles_of
from wavebind.models import load_model
from wavebind.models.prediction import predict_logits
from wavebind.scan.genome import merge_scan, scan_genome
from wavebind.scan.plan import ScanPlan
from wavebind.scan.settings import ScanConfig, ScanJob

CLI = Callable[..., tuple[int, str, str]]
HERE = WorkerPool(1)
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def genome(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Two chromosomes with the motif planted every 700 bases, N and lower case."""
    letters = random_genome(3, {"chr1": 6000, "chr2": 4003})
    rng = np.random.default_rng(0)
    for name, text in letters.items():
        for at in range(350, len(text) - 60, 700):
            text = text[:at] + MOTIF.lower() + text[at + len(MOTIF) :]
        letters[name] = text
    letters["tiny"] = random_dna(rng, LENGTH - 1)
    path = tmp_path / "g.fa"
    path.write_text(fasta_text(letters))
    return path, letters


def naive(run: Path, letters: str, stride: int) -> dict[int, float]:
    """First base of each window of the grid, and its probability; most bases known."""
    model, card = load_model(run / "model.safetensors")
    found = {}
    for start in range(0, len(letters) - LENGTH + 1, stride):
        window = letters[start : start + LENGTH]
        if window.upper().count("N") <= 0.1 * LENGTH:
            logit = predict_logits(model, to_codes(window)[None], bf16=False)
            found[start] = float(card.probabilities(logit)[0])
    return found


def read_track(path: Path) -> dict[str, dict[int, float]]:
    """First base and value of each entry, by chromosome."""
    with pyBigWig.open(str(path)) as track:
        return {
            chrom: {a: v for a, _, v in track.intervals(chrom) or ()} for chrom in track.chroms()
        }


@pytest.mark.parametrize("stride", [7, pytest.param(8, marks=pytest.mark.slow)])
def test_the_track_is_that_of_windows_scored_one_by_one(
    trained: tuple[Path, Path], genome: tuple, tmp_path: Path, stride: int
) -> None:
    path, letters = genome
    out, peaks = tmp_path / "s.bw", tmp_path / "s.narrowPeak"
    config = ScanConfig(stride=stride, precision="float32")
    job = ScanJob(str(trained[0]), str(path), str(out), str(peaks), config=config)
    summary = scan_genome(job, pool=HERE)
    assert summary is not None
    track = read_track(out)
    assert set(track) == {"chr1", "chr2"}
    n = 0
    for chrom in track:
        wanted = naive(trained[0], letters[chrom], stride)
        offset = LENGTH // 2 - stride // 2
        assert {a - offset for a in track[chrom]} == set(wanted)
        ours = np.array([track[chrom][s + offset] for s in wanted])
        theirs = np.array(list(wanted.values()))
        # bigWig has seven digits, of which four are written.
        np.testing.assert_allclose(ours, theirs, rtol=6e-4, atol=1e-6)
        n += len(wanted)
        windows = (len(letters[chrom]) - LENGTH) // stride + 1
        assert summary.n_windows >= windows > len(wanted)
    assert summary.n_windows - summary.n_unknown == n
    assert not (tmp_path / "s.bw.parts").exists()
    # Calls, from the track alone.
    rows = [line.split("\t") for line in peaks.read_text().splitlines()]
    assert summary.n_calls == len(rows) > 0
    for row in rows:
        summit = int(row[1]) + int(row[9])
        value = track[row[0]][summit - stride // 2]
        assert value >= summary.threshold - 1e-4
        assert int(row[4]) == pytest.approx(1000 * value, abs=1)
        inside = [v for a, v in track[row[0]].items() if int(row[1]) <= a < int(row[2])]
        assert max(inside) == value


def test_calls_lie_on_the_planted_sites(
    trained: tuple[Path, Path], genome: tuple, tmp_path: Path
) -> None:
    path, letters = genome
    out, peaks = tmp_path / "s.bw", tmp_path / "p.bed"
    config = ScanConfig(stride=4, false_positives=500.0, decoys=0.1)
    job = ScanJob(str(trained[0]), str(path), str(out), str(peaks), config=config)
    summary = scan_genome(job, pool=HERE)
    assert summary is not None
    assert summary.decoy_rate is not None
    assert 0 < summary.decoy_rate <= 500.0
    hits = 0
    rows = [line.split("\t") for line in peaks.read_text().splitlines()]
    for row in rows:
        summit = int(row[1]) + int(row[9])
        near = letters[row[0]][max(0, summit - 40) : summit + 40].upper()
        other = MOTIF.translate(str.maketrans("ACGT", "TGCA"))[::-1]
        hits += MOTIF in near or other in near
    assert len(rows) >= 5
    # By chance 15 % of the places would have a motif as near.
    assert hits >= 0.6 * len(rows)
    assert all(float(row[8]) >= 0 for row in rows)


def test_regions_change_no_score(trained: tuple[Path, Path], genome: tuple, tmp_path: Path) -> None:
    path, _ = genome
    bed = tmp_path / "r.bed"
    bed.write_text("1\t1000\t1300\n1\t1200\t1500\nchr2\t3900\t4003\nchrX\t1\t9\n")
    whole, part = tmp_path / "a.bw", tmp_path / "b.bw"
    notes: list[str] = []
    for out, regions in ((whole, None), (part, str(bed))):
        config = ScanConfig(stride=8)
        job = ScanJob(str(trained[0]), str(path), str(out), regions=regions, config=config)
        scan_genome(job, pool=HERE, note=notes.append)
    everything, some = read_track(whole), read_track(part)
    for chrom, ranges in (("chr1", [(1000, 1500)]), ("chr2", [(3900, 4003)])):
        wanted = {
            a: v
            for a, v in everything[chrom].items()
            if any(low <= a + 4 < high for low, high in ranges)
        }
        assert some[chrom].keys() == wanted.keys()
        np.testing.assert_allclose(list(some[chrom].values()), list(wanted.values()), atol=2e-3)
    assert any("chrX" in line for line in notes)


def test_the_same_bytes_whoever_does_the_work(
    trained: tuple[Path, Path], genome: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = genome
    monkeypatch.setattr("wavebind.scan.plan._TILE", 1000)
    monkeypatch.setattr("wavebind.scan.plan._DECOY_PIECE", 10_000)
    results = []

    def job(name: str) -> ScanJob:
        config = ScanConfig(stride=16, count_decoys=True, decoys=0.03)
        out = tmp_path / name
        return ScanJob(str(trained[0]), str(path), str(out), f"{out}.peaks", config=config)

    def keep(name: str) -> None:
        out = tmp_path / name
        results.append((out.read_bytes(), Path(f"{out}.peaks").read_bytes()))

    scan_genome(job("one.bw"), pool=WorkerPool(1))
    keep("one.bw")
    scan_genome(job("two.bw"), pool=WorkerPool(2))
    keep("two.bw")
    for i in (3, 1, 2):
        assert scan_genome(job("three.bw"), pool=HERE, shard=Shard(i, 3)) is None
        if i != 2:
            with pytest.raises(InputError, match="is not done yet; run the missing shards"):
                merge_scan(job("three.bw"))
    assert not (tmp_path / "three.bw").exists()
    merge_scan(job("three.bw"))
    keep("three.bw")
    assert results[0] == results[1] == results[2]


@pytest.mark.slow
def test_dask_gives_the_same_bytes(
    trained: tuple[Path, Path], genome: tuple, tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    path, _ = genome
    config = ScanConfig(stride=8)
    outs = [tmp_path / "here.bw", tmp_path / "dask.bw"]
    jobs = [ScanJob(str(trained[0]), str(path), str(out), config=config) for out in outs]
    scan_genome(jobs[0], pool=HERE)
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        # Any free port: without a dashboard the server would still want 8787, as another test may.
        dashboard_address="127.0.0.1:0",
        local_directory=str(tmp_path / "dask"),
        silence_logs=50,
    ) as cluster:
        scan_genome(jobs[1], pool=WorkerPool(dask=cluster.scheduler_address))
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_an_output_that_cannot_be_written_ends_the_scoring(
    trained: tuple[Path, Path], genome: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wavebind.scan.plan._TILE", 1000)
    written: list[Future[object]] = []

    class Noted(ThreadPoolExecutor):
        def submit(self, *args: object) -> Future[object]:
            written.append(super().submit(*args))
            return written[-1]

    def full(_path: Path, _plan: ScanPlan, chunks: Iterator[object]) -> None:
        next(chunks)
        raise InputError("the disk is full")

    scored = []

    def progress(n: int) -> None:
        wait(written, timeout=60)
        scored.append(n)

    monkeypatch.setattr("wavebind.scan.genome.ThreadPoolExecutor", Noted)
    monkeypatch.setattr("wavebind.scan.genome.write_track", full)
    job = ScanJob(str(trained[0]), str(genome[0]), str(tmp_path / "o.bw"))
    with pytest.raises(InputError, match="the disk is full"):
        scan_genome(job, pool=HERE, progress=progress)
    assert len(scored) == 1
    # The same call goes on where it stopped.
    monkeypatch.undo()
    monkeypatch.setattr("wavebind.scan.plan._TILE", 1000)
    assert len(list((tmp_path / "o.bw.parts").glob("piece-*.npz"))) == 1
    assert scan_genome(job, pool=HERE) is not None
    assert sorted(p.name for p in tmp_path.glob("o.bw*")) == ["o.bw"]


@pytest.mark.slow
def test_killed_and_started_again(
    trained: tuple[Path, Path], genome: tuple, tmp_path: Path, cli: CLI
) -> None:
    """The command is killed after its first chunk; the same command goes on and ends."""
    path, _ = genome
    out, whole = tmp_path / "k.bw", tmp_path / "w.bw"
    options = [
        "--stride",
        "2",
        "--set",
        "count_decoys=true",
        "--set",
        "decoys=0.01",
        "--workers",
        "1",
    ]
    command = [sys.executable, "-m", "wavebind", "scan", str(trained[0]), str(path)]
    process = subprocess.Popen([*command, "--out", str(out), *options], stderr=subprocess.DEVNULL)
    parts = tmp_path / "k.bw.parts"
    deadline = time.monotonic() + 120
    while not list(parts.glob("piece-*.npz")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    done = {p.name: p.stat().st_mtime_ns for p in parts.glob("piece-*.npz")}
    merged = cli("merge", out)
    assert merged[0] == 1
    assert "this chunk is not done yet" in merged[2]
    # What was done is not done again: its file would be newer.
    job = json.loads((parts / "job.json").read_text())["job"]
    job["config"] = ScanConfig(**job["config"])
    half = scan_genome(ScanJob(**job), pool=HERE, shard=Shard(2, 2))
    assert half is None
    now = {p.name: p.stat().st_mtime_ns for p in parts.glob("piece-*.npz")}
    assert all(now[name] == when for name, when in done.items())
    code, _, err = cli("scan", *command[4:], "--out", out, *options)
    assert code == 0, err
    code, _, _ = cli("scan", *command[4:], "--out", whole, *options)
    assert out.read_bytes() == whole.read_bytes()


def test_the_command_says_what_it_did(
    trained: tuple[Path, Path], genome: tuple, tmp_path: Path, cli: CLI
) -> None:
    path, letters = genome
    out = tmp_path / "s.bw"
    code, printed, err = cli(
        "scan", trained[0], path, "--out", out, "--peaks", tmp_path / "p.narrowPeak", "--workers", 1
    )
    assert code == 0
    assert printed == ""
    n = sum(len(naive(trained[0], letters[c], 8)) for c in ("chr1", "chr2"))
    assert f"{n:,} windows every 8 bp scored" in err
    n_calls = len((tmp_path / "p.narrowPeak").read_text().splitlines())
    assert f"{n_calls:,} sites at a probability of" in err
    for i in (1, 2):
        code, _, err = cli(
            "scan", trained[0], path, "--out", tmp_path / "t.bw", "--shard", f"{i}/2",
            "--workers", 1, "--peaks", tmp_path / "q.bed",
        )  # fmt: skip
        assert code == 0
        assert f"share {i}/2 done" in err
    code, _, err = cli("merge", tmp_path / "t.bw")
    assert code == 0
    assert f"written: {tmp_path / 't.bw'}, {tmp_path / 'q.bed'}" in err
    assert (tmp_path / "t.bw").read_bytes() == out.read_bytes()
    assert (tmp_path / "q.bed").read_bytes() == (tmp_path / "p.narrowPeak").read_bytes()


def test_2bit_gives_the_same_track(
    trained: tuple[Path, Path], genome: tuple, tmp_path: Path
) -> None:
    path, letters = genome
    packed = tmp_path / "g.2bit"
    packed.write_bytes(twobit(letters))
    outs = []
    for source in (path, packed):
        outs.append(tmp_path / f"{source.suffix}.bw")
        config = ScanConfig(stride=16)
        scan_genome(ScanJob(str(trained[0]), str(source), str(outs[-1]), config=config), pool=HERE)
    assert outs[0].read_bytes() == outs[1].read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stride", "0"], "stride must be 1 or more; found 0"),
        (["--stride", "999"], "a stride of 999 bp leaves gaps between windows of 48 bp"),
        (
            ["--threshold", "1.5"],
            "threshold must be between 0 and 1, as a probability is; found 1.5",
        ),
        (["--threshold", "0.5", "--set", "false_positives=1"], "not both"),
        (["--set", "false_positives=0"], "false_positives must be above 0"),
        (["--shard", "2/1"], "shard 2/1: the first number goes from 1 to the second"),
        (["--set", "prevalence=2"], "a prevalence lies between 0 and 1"),
        (["--workers", "0"], "workers must be from 1 to 1024"),
        (["--regions", "no.bed"], "no.bed: no such file"),
        (["--target", "other"], "the model has no output 'other'"),
    ],
)
def test_bad_options(
    trained: tuple[Path, Path], genome: tuple, tmp_path: Path, cli: CLI, options: list, message: str
) -> None:
    import re

    out = tmp_path / "s.bw"
    code, _, err = cli("scan", trained[0], genome[0], "--out", out, *options)
    assert code == 1
    assert re.search(message, err), err
    assert "Traceback" not in err
    assert not out.exists()


def test_bad_inputs(trained: tuple[Path, Path], tmp_path: Path, cli: CLI) -> None:
    def err(*arguments: object) -> str:
        code, _, text = cli("scan", *arguments, "--workers", 1)
        assert code == 1
        return text

    out = tmp_path / "o.bw"
    assert "no such file" in err(trained[0], tmp_path / "none.fa", "--out", out)
    assert "no such run" in err(tmp_path / "none", tmp_path / "g.fa", "--out", out)
    short, unknown = tmp_path / "short.fa", tmp_path / "n.fa"
    short.write_text(">a\nACGT\n")
    unknown.write_text(">a\n" + "N" * 500 + "\n")
    assert "no window of 48 bp fits there" in err(trained[0], short, "--out", out)
    assert "has too many unknown bases" in err(trained[0], unknown, "--out", out)
    assert not out.exists()
    assert "holds no chunks" in cli("merge", tmp_path / "nothing.bw")[2]
    parts = tmp_path / "evil.bw.parts"
    parts.mkdir()
    for text, message in (
        ("[]", "does not say what work this is"),
        ('{"command": "rm", "job": {"a": 1}}', "does not say what work this is"),
        ('{"command": "scan", "job": {"a": 1}}', "job.json: run: Field required"),
    ):
        (parts / "job.json").write_text(text)
        code, _, said = cli("merge", tmp_path / "evil.bw")
        assert code == 1
        assert message in said


def test_tiles_cover_every_window_once(tmp_path: Path) -> None:
    import pandas as pd

    path = tmp_path / "g.fa"
    path.write_text(fasta_text(random_genome(0, {"a": 1000, "b": 100, "c": 19})))
    with open_genome(path) as genome:
        tiles = tiles_of(genome, 20, 300)
        starts = {c: [] for c in "abc"}
        for tile in tiles:
            starts[tile.chrom] += grid(tile, 20, 7).tolist()
        assert starts == {"a": list(range(0, 981, 7)), "b": list(range(0, 81, 7)), "c": []}
        table = pd.DataFrame(
            {"chrom": ["a", "a", "b"], "start": [5, 290, 40], "end": [30, 330, 60]}
        )
        found = []
        for tile in tiles_of(genome, 20, 300, table):
            found += [(tile.chrom, s + 10) for s in grid(tile, 20, 7).tolist()]
    regions = [("a", 5, 30), ("a", 290, 330), ("b", 40, 60)]
    wanted = [
        (c, m)
        for c, n in (("a", 981), ("b", 81))
        for m in range(10, n + 10, 7)
        if any(c == r and a <= m < b for r, a, b in regions)
    ]
    assert found == wanted


def test_a_draft_genome_costs_what_its_bases_cost(
    trained: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of scaffolds share the chunks, and the index is read once a chunk."""
    rng = np.random.default_rng(0)
    scaffolds = {f"s{i}": random_dna(rng, int(n)) for i, n in enumerate(rng.integers(20, 200, 900))}
    path = tmp_path / "draft.fa"
    path.write_text(fasta_text(scaffolds))
    config = ScanConfig(stride=16)
    job = ScanJob(str(trained[0]), str(path), str(tmp_path / "d.bw"), config=config)
    plan = ScanPlan(job, None)
    fit = [name for name, letters in scaffolds.items() if len(letters) >= LENGTH]
    assert len(plan.tiles) == len(fit) > 700
    assert len(plan.chunks) == 1
    monkeypatch.setattr("wavebind.scan.plan._TILE", 20_000)
    assert 3 <= len(ScanPlan(job, None).chunks) <= 5
    assert sum(len(tiles) for _, tiles in ScanPlan(job, None).chunks) == len(fit)
    summary = scan_genome(job, pool=HERE)
    assert summary is not None
    track = pyBigWig.open(str(tmp_path / "d.bw"))
    assert list(track.chroms()) == fit
    model, card = load_model(trained[0] / "model.safetensors")
    n = 0
    for name in fit:
        starts = np.arange(0, len(scaffolds[name]) - LENGTH + 1, 16)
        n += len(starts)
        if name not in fit[::100]:
            continue
        codes = np.stack([to_codes(scaffolds[name][s : s + LENGTH]) for s in starts])
        expected = card.probabilities(predict_logits(model, codes).astype(np.float64))
        found = [track.values(name, int(s) + LENGTH // 2, int(s) + LENGTH // 2 + 1)[0]
                 for s in starts]  # fmt: skip
        np.testing.assert_allclose(found, expected, rtol=0.1, atol=2e-3)
    assert summary.n_windows == n
