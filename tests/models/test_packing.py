"""Packed windows, against the windows of the stretch itself."""

from __future__ import annotations

import numpy as np
import pytest

from wavebind.models.packing import pack

LENGTH = 10


@pytest.mark.parametrize(
    "starts",
    [
        np.arange(0, 80, 4),
        np.arange(1, 80, 3),
        np.array([0, 4, 40, 44, 71]),
        np.array([90]),
        np.array([0, 1, 2, 3, 60, 61, 90]),
    ],
)
def test_every_window_has_its_own_bases(starts: np.ndarray) -> None:
    codes = np.random.default_rng(0).integers(0, 4, (2, 100)).astype(np.uint8)
    packed = pack(codes, starts, LENGTH, 4)
    assert packed.codes.shape[1] % 4 == 0
    assert (np.diff(packed.at) > 0).all()
    assert sorted(packed.window.tolist()) == list(range(len(starts)))
    for at, window in zip(packed.at.tolist(), packed.window.tolist(), strict=True):
        begin = starts[window]
        np.testing.assert_array_equal(
            packed.codes[:, 4 * at : 4 * at + LENGTH], codes[:, begin : begin + LENGTH]
        )


def test_gaps_are_left_out_and_neighbours_share() -> None:
    codes = np.zeros((1, 1000), dtype=np.uint8)
    assert pack(codes, np.array([0, 4, 8, 900]), LENGTH, 4).codes.shape == (1, 20 + 12)
    # A gap shorter than a window is cheaper read than begun again.
    assert pack(codes, np.array([0, 8, 16]), LENGTH, 4).codes.shape == (1, 28)
