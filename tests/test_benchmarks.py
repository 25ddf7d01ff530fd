"""The benchmark scripts run, on whatever device there is."""

import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def test_the_device_benchmark_prints_its_table():
    words = [sys.executable, BENCHMARKS / "gpu.py", "--device", "cpu", "--batch", "4"]
    words += ["--size", "32", "--seconds", "0.05"]
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.match(r"CPU, torch .*, matrix product \d+\.\d\d TFLOP/s", lines[0])
    rows = [re.split(r"\s{2,}", line) for line in lines[2:]]
    assert len(rows) == 9
    for name, what, rate, share, seconds in rows:
        assert name.startswith(("scalenet", "resnet50"))
        assert what in ("transform", "predict", "train")
        windows = float(rate.replace(",", ""))
        assert windows > 0
        assert 0 <= float(share.rstrip("%")) < 120
        # Both are rounded, the rate to whole windows.
        assert abs(float(seconds) - 20_000 / windows) < 0.06 + 0.6 * float(seconds) / windows


def call(script, *arguments):
    words = [sys.executable, BENCHMARKS / script, *arguments]
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_learning_curves_have_a_row_for_each_size_and_model(trained, tmp_path):
    table = call(
        "learning_curves.py", trained[1], "--out", tmp_path, "--sizes", 3, 60,
        "--models", "kmers", "--seeds", "1", "--reference", "kmers",
    )  # fmt: skip
    rows = [re.split(r"\s{2,}", line.strip()) for line in table.splitlines()[1:]]
    assert [(row[0], row[1]) for row in rows] == [("3", "kmers"), ("60", "kmers")]
    assert float(rows[1][2]) > float(rows[0][2])


def test_fronts_are_compared(trained, tmp_path):
    table = call(
        "fronts.py", trained[1], "--out", tmp_path, "--epochs", 1,
        "--fronts", "wavelets", "signal",
    )  # fmt: skip
    assert re.search(r"^wavelets +0\.\d{4} .*the reference$", table, re.MULTILINE)
    assert re.search(r"^signal +0\.\d{4} ", table, re.MULTILINE)
    assert "300 windows of the valid split" in table
