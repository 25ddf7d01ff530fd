"""Freed memory is kept: measured in page faults of a process."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from wavebind.core.memory import keep_memory
if sys.argv[1] == "keep":
    assert keep_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        # Three blocks, the largest freed last, as in a network.
        a, b, c = (np.ones(n * 2**17) for n in (10, 20, 30))
        del a, b, c
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone has the setting")
def test_pages_are_used_again() -> None:
    found = {}
    for word in ("keep", "leave"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, word], capture_output=True, text=True, check=True
        )
        found[word] = int(done.stdout)
    assert found["leave"] > 20_000
    assert found["keep"] < found["leave"] / 10
