"""Run the benchmark scripts."""

import subprocess
import sys

from helpers import ROOT

BENCHMARKS = ROOT / "benchmarks"


def call(script, *arguments):
    words = [sys.executable, BENCHMARKS / script, *arguments]
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fails(script, *arguments):
    words = [sys.executable, BENCHMARKS / script, *arguments]
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=300)
    assert done.returncode, done.stdout
    return done.stderr
