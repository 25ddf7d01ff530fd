"""Devices, pipes, full disks and Ctrl-C, with real processes."""

import os
import re
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genome_files import fasta_text, random_genome
from helpers import CASES

VCF = CASES / "blankend.vcf"
GENOME = CASES / "sixty_kb.fa.gz"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "wavebind", *map(str, arguments)]


def variants(run: Path, out: str) -> list[str]:
    options = ("--null", "none", "--workers", 1)
    return command("variants", run, VCF, "--genome", GENOME, "--out", out, *options)


def begun(arguments: list[str]) -> subprocess.Popen[str]:
    """A command in a session of its own that Ctrl-C interrupts.

    A test run in the background of a shell ignores the signal, and would hand that on.
    """
    return subprocess.Popen(
        arguments,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "cache"))


def test_a_table_goes_to_a_device_and_the_device_stays(trained, tmp_path):
    done = subprocess.run(
        variants(trained[0], "/dev/stdout"), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "##fileformat=VCFv4.2"
    assert "WB_DIFF=" in lines[-1]
    assert Path("/dev/stdout").is_symlink()
    # What a shell appends to keeps what it holds.
    target = tmp_path / "kept.vcf"
    target.write_text("before\n")
    with target.open("a") as stream:
        subprocess.run(variants(trained[0], "/dev/stdout"), stdout=stream, check=True, timeout=300)
    # The job is another one, as its work lies in another folder.
    found, expected = (re.sub(r"job \w+", "", t) for t in (target.read_text(), done.stdout))
    assert found == "before\n" + expected


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_device_is_said_and_stays(trained, cli):
    code, _, err = cli(*variants(trained[0], "/dev/full")[3:])
    assert code == 1
    assert "/dev/full: cannot be written: the disk is full" in err
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_a_bigwig_is_refused_for_a_device(trained, tmp_path, cli):
    pipe = tmp_path / "pipe.bw"
    os.mkfifo(pipe)
    for out in (pipe, "/dev/null"):
        code, _, err = cli("scan", trained[0], GENOME, "--out", out)
        assert code == 1
        assert "is a device or a pipe, and a bigWig is written at places here and there" in err
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    code, _, err = cli("scan", trained[0], GENOME, "--out", tmp_path / "a.txt")
    assert "the track of a scan is a bigWig; end its name in one of: .bw, .bigWig" in err
    out = tmp_path / "a.bw"
    code, _, err = cli("scan", trained[0], GENOME, "--out", out, "--peaks", tmp_path / "a.txt")
    assert "called sites are a narrowPeak; end its name in one of" in err
    code, _, err = cli("report", trained[0], "--out", "/dev/null")
    assert code in (1, 2)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


TRACK = """
import resource, sys
from pathlib import Path
import numpy as np
from wavebind.core.errors import InputError
from wavebind.core.files import replace_file
from wavebind.scan.bigwig import BigWigWriter
n = 20_000
if __name__ == "__main__":
    values = np.random.default_rng(0).random(n - 5).round(4)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    try:
        with replace_file(Path(sys.argv[1])) as temporary:
            with BigWigWriter(temporary, {"chr1": 10 * n}) as track:
                track.add("chr1", 20, 10, values)
    except InputError as error:
        print(error)
"""


def test_a_disk_that_fills_up_at_any_byte_leaves_no_track(tmp_path):
    """The library that writes it says nothing: the file is read back before it has its name."""

    def write(limit: int) -> tuple[str, Path]:
        out = tmp_path / f"{limit}.bw"
        done = subprocess.run(
            [sys.executable, "-c", TRACK, str(out), str(limit)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, out

    said, out = write(100_000_000)
    assert (said, out.is_file()) == ("", True)
    size = out.stat().st_size
    for limit in (0, 100, size // 3, size // 2, size - 2000, size - 5, size - 1):
        said, out = write(limit)
        assert "cannot be written: it was not written to its end; is the disk" in said, limit
        assert not out.exists()
    assert [p.name for p in tmp_path.iterdir() if p.name != "cache"] == ["100000000.bw"]


@pytest.mark.slow
def test_a_scan_on_a_full_disk_keeps_its_chunks_and_goes_on(trained, tmp_path):
    genome = tmp_path / "g.fa"
    genome.write_text(fasta_text(random_genome(3, {f"chr{i}": 4000 for i in range(1, 31)})))
    out = tmp_path / "s.bw"
    arguments = command("scan", trained[0], genome, "--out", out, "--stride", 2, "--workers", 1)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))

    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    first = subprocess.run(arguments, capture_output=True, text=True, env=env)
    assert first.returncode == 0, first.stderr
    whole = out.read_bytes()
    assert len(whole) > 40_000
    out.unlink()
    for share in ("1/2", "2/2"):
        subprocess.run([*arguments, "--shard", share], check=True, capture_output=True, env=env)
    merge = command("merge", out)
    full = subprocess.run(merge, capture_output=True, text=True, preexec_fn=limited, env=env)
    assert full.returncode == 1
    assert "s.bw: cannot be written" in full.stderr
    assert not out.exists()
    assert list((tmp_path / "s.bw.parts").glob("piece-*.npz"))
    again = subprocess.run(merge, capture_output=True, text=True, env=env)
    assert again.returncode == 0, again.stderr
    assert out.read_bytes() == whole
    assert not (tmp_path / "s.bw.parts").exists()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_keeps_what_was_done_and_says_how_to_go_on(trained, tmp_path, workers):
    """And a second scan with the same output is refused while the first is at work."""
    genome = tmp_path / "g.fa"
    genome.write_text(fasta_text(random_genome(3, {f"chr{i}": 60_000 for i in range(1, 41)})))
    out = tmp_path / "s.bw"
    arguments = command(
        "scan", trained[0], genome, "--out", out, "--stride", 1,
        "--workers", workers,
    )  # fmt: skip
    process = begun(arguments)
    parts = tmp_path / "s.bw.parts"
    while not list(parts.glob("piece-*.npz")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    other = subprocess.run(arguments, capture_output=True, text=True)
    assert other.returncode == 1
    assert f"process {process.pid} on" in other.stderr
    assert "is doing this work now" in other.stderr
    # To the whole group, as a terminal does.
    os.killpg(process.pid, signal.SIGINT)
    err = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "Traceback" not in err
    kept = len(list(parts.glob("piece-*.npz")))
    assert f"{kept} chunks are kept in {parts}" in err
    assert f"go on with: wavebind scan {trained[0]} {genome} --out {out}" in err


@pytest.mark.slow
def test_ctrl_c_in_training_and_the_command_that_it_names(trained, tmp_path):
    run = tmp_path / "run"
    options = ("--epochs", 40, "--set", "training.batch_size=20", "--set", "training.patience=40")
    arguments = command("train", trained[1], "--out", run, *options, "--device", "cpu")
    process = begun(arguments)
    while not (run / "history.json").is_file():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    err = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "of the training are kept in" in err
    line = next(x for x in err.splitlines() if x.startswith("go on with: "))
    again = line.removeprefix("go on with: wavebind ").split()
    assert again[-1] == "--resume"
    done = subprocess.run(command(*again), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (run / "model.safetensors").is_file()
