"""Calls from a track, and what chance calls."""

from __future__ import annotations

import io

import numpy as np
import pytest

from wavebind.core.errors import InputError
from wavebind.scan.sites import (
    Call,
    call_sites,
    decoy_rate,
    decoy_threshold,
    q_values,
    write_narrowpeak,
)


def test_windows_above_the_threshold_are_joined() -> None:
    middle = np.array([100, 110, 120, 130, 300, 400, 410])
    logits = np.array([1.0, 3.0, 3.0, 0.9, 2.0, 0.0, 1.5], dtype=np.float32)
    calls = call_sites("chr1", middle, logits, 1.0, stride=10, gap=100)
    assert calls == [
        Call("chr1", 95, 125, 120, 3.0),
        Call("chr1", 295, 305, 300, 2.0),
        Call("chr1", 405, 415, 410, 1.5),
    ]
    # A larger gap joins the last two, and the best of them is the summit.
    joined = call_sites("chr1", middle, logits, 1.0, stride=10, gap=110)
    assert joined[-1] == Call("chr1", 295, 415, 300, 2.0)
    assert call_sites("chr1", middle, logits, 9.0, stride=10, gap=100) == []


def test_a_call_never_begins_before_the_chromosome() -> None:
    calls = call_sites("c", np.array([2]), np.array([1.0], np.float32), 0.0, stride=10, gap=5)
    assert (calls[0].start, calls[0].end) == (0, 7)


def test_the_decoy_threshold_lets_no_more_through_than_allowed() -> None:
    rng = np.random.default_rng(0)
    decoys = rng.normal(size=500).astype(np.float32)
    for rate in (1.0, 7.0, 50.0):
        threshold = decoy_threshold(decoys, 5_000_000, rate)
        above = (decoys >= threshold).sum()
        assert above == int(rate * 5)
        assert decoy_rate(decoys, 5_000_000, np.array([threshold]))[0] == above / 5
    with pytest.raises(InputError, match=r"0\.1 false positives a megabase .* take 10 Mb or more"):
        decoy_threshold(decoys, 5_000_000, 0.1)
    assert decoy_threshold(decoys[:3], 5_000_000, 1.0) == decoys[:3].min()


def test_q_values_against_the_definition() -> None:
    rng = np.random.default_rng(1)
    decoys = rng.normal(size=200).astype(np.float32)
    logits = np.round(np.concatenate([rng.normal(3, 1, 50), rng.normal(size=50)]), 1)
    q = q_values(logits, 3_000_000, decoys, 1_000_000)
    raw = [min(1.0, 3 * (1 + (decoys >= x).sum()) / (logits >= x).sum()) for x in logits]
    naive = [min(r for r, y in zip(raw, logits, strict=True) if y <= x) for x in logits]
    np.testing.assert_allclose(q, naive)
    assert len(q_values(np.empty(0), 1, decoys, 1)) == 0


def test_narrowpeak_columns() -> None:
    stream = io.StringIO()
    calls = [Call("chr1", 95, 125, 110, 3.0), Call("chr2", 0, 10, 5, -1.25)]
    write_narrowpeak(stream, calls, [0.99951, 0.25], [0.01, 1.0])
    assert stream.getvalue().splitlines() == [
        "chr1\t95\t125\tsite_1\t1000\t.\t3.00000\t-1\t2.0000\t15",
        "chr2\t0\t10\tsite_2\t250\t.\t-1.25000\t-1\t0.0000\t5",
    ]
    stream = io.StringIO()
    write_narrowpeak(stream, calls[:1], [0.5])
    assert stream.getvalue().split("\t")[8] == "-1"
