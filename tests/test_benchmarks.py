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
        assert abs(float(seconds) - 20_000 / windows) < 0.06 + 0.02 * float(seconds)
