"""Fronts for stretches of another length than a window's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from helpers import perturb
from wavebind.models import Classifier, ModelConfig, build_model
from wavebind.models.resizing import linear_front, resized
from wavebind.wavelets.filters import Wavelet
from wavebind.wavelets.scalograms import ScalogramConfig

SCALOGRAM = ScalogramConfig(
    wavelet=Wavelet(beta=2.0), max_period=12.0, n_scales=12, padding="none",
    spacing="frequencies", stride=1,
)  # fmt: skip


def model_of(scalogram: ScalogramConfig, front: str = "wavelets") -> Classifier:
    options = {"band_width": 8, "position_width": 12}
    config = ModelConfig(96, scalogram, options=options, front=front)
    return perturb(build_model(config, torch.Generator().manual_seed(0)).eval())


@pytest.mark.parametrize("front", ["wavelets", "signal"])
def test_another_length_has_the_same_planes_where_both_are(front: str) -> None:
    model = model_of(SCALOGRAM, front)
    codes = torch.randint(0, 4, (1, 140), generator=torch.Generator().manual_seed(0))
    codes = codes.to(torch.uint8)
    longer = resized(model.front, 140)(codes)
    window = model.front(codes[:, 20:116])
    torch.testing.assert_close(
        longer[..., 20 : 20 + window.shape[-1]], window, atol=1e-5, rtol=1e-4
    )


def test_planes_of_signals_are_those_that_the_network_reads() -> None:
    model = model_of(SCALOGRAM)
    model.normalise.set([0.1, 0.2], [2.0, 3.0])
    front = linear_front(model)
    assert front is not None
    assert (front.channels, front.length) == (4, 96)
    codes = torch.randint(0, 4, (2, 96), generator=torch.Generator().manual_seed(0))
    codes = codes.to(torch.uint8)
    expected = model.normalise(model.front(codes))
    found = front.planes(model.front.signals(codes))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("changes", "front"),
    [({"stride": 2}, "wavelets"), ({"outputs": ("modulus",)}, "wavelets"), ({}, "signal")],
)
def test_what_cannot_be_composed(changes: dict[str, object], front: str) -> None:
    assert linear_front(model_of(replace(SCALOGRAM, **changes), front)) is None
