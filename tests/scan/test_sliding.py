"""Sliding along a sequence, against the same pooling done window by window, and against windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers import LENGTH
from wavebind.core.errors import InputError
from wavebind.models import Classifier, ModelConfig, build_model, load_model
from wavebind.models.networks.scalenet import _sliding_sum
from wavebind.models.prediction import predict_logits
from wavebind.models.strands import reverse_complement_batch
from wavebind.scan.sliding import Slider, can_slide
from wavebind.wavelets.filters import Wavelet
from wavebind.wavelets.images import ImageConfig
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig


def model_of(length: int = 60, **options: object) -> Classifier:
    scalogram = ScalogramConfig(
        wavelet=Wavelet(beta=4.0), max_period=16.0, n_scales=12, stride=options.pop("stride", 2)
    )
    config = ModelConfig(
        length,
        scalogram,
        options={"band_width": 8, "position_width": 12, **options},
        outputs=("a", "b"),
    )
    model = build_model(config, torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        # Normalisations that do something.
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1, generator=torch.Generator().manual_seed(1))
                module.running_var.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(2))
    return model


@pytest.mark.parametrize("width", [1, 2, 3, 7, 16, 50])
def test_sliding_sums_are_sums(width: int) -> None:
    x = torch.randn(2, 3, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    naive = torch.stack([x[..., i : i + width].sum(-1) for i in range(61 - width)], -1)
    torch.testing.assert_close(_sliding_sum(x, width), naive)


@pytest.mark.parametrize(
    ("length", "pool", "stride"),
    [(60, 2, 2), (61, 2, 2), (63, 3, 1)],
)
def test_logits_are_those_of_the_head_on_each_window(length: int, pool: int, stride: int) -> None:
    """The naive way: the network's features of the whole stretch, and its head on every slice."""
    model = model_of(length, pool=pool, stride=stride)
    slider = Slider(model, stretch=200)
    assert slider.step == pool * stride
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 500).astype(np.uint8)
    count = 30
    found = slider.logits(codes, 100, count, bf16=False)
    assert found.shape == (2, count)

    def naive(strand: np.ndarray, first: int) -> np.ndarray:
        """Features of a strand of which window ``i`` begins at ``first + i * step``."""
        begin = first % slider.step
        stretch = torch.from_numpy(strand[begin:].copy())[None]
        config = model.front.config
        front = Scalogram(config, stretch.shape[1])
        with torch.inference_mode():
            x = model.run_segments(front(stretch), 0, 4)
            width = model.front.positions // pool
            at = (first - begin) // slider.step
            rows = [model.backbone._head(x[..., at + i : at + i + width]) for i in range(count)]
        return torch.stack(rows, -1)[0].numpy()

    other = reverse_complement_batch(torch.from_numpy(codes)[None])[0].numpy()
    # The last window on this strand is the first on the other.
    last = len(codes) - (100 + (count - 1) * slider.step) - length
    both = (naive(codes, 100) + naive(other, last)[:, ::-1]) / 2
    np.testing.assert_allclose(found, both, atol=2e-4)


def test_where_a_stretch_begins_does_not_matter() -> None:
    model = model_of()
    codes = np.random.default_rng(1).integers(0, 4, 900).astype(np.uint8)
    whole = Slider(model, stretch=900).logits(codes, 40, 120, bf16=False)
    parts = Slider(model, stretch=200).logits(codes, 40, 120, bf16=False)
    np.testing.assert_allclose(parts, whole, atol=2e-4)
    later = Slider(model, stretch=200).logits(codes, 40 + 40, 110, bf16=False)
    np.testing.assert_allclose(later, whole[:, 10:], atol=2e-4)


def test_beyond_the_ends_lie_unknown_bases() -> None:
    model = model_of()
    codes = np.random.default_rng(2).integers(0, 4, 300).astype(np.uint8)
    slider = Slider(model)
    padded = np.concatenate([np.full(400, 4, np.uint8), codes, np.full(400, 4, np.uint8)])
    inside = slider.logits(padded, 400, 40, bf16=False)
    np.testing.assert_allclose(slider.logits(codes, 0, 40, bf16=False), inside, atol=1e-4)


def test_a_trained_network_slides_near_its_windows(trained: tuple) -> None:
    model, _ = load_model(trained[0] / "model.safetensors")
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 4, 4000).astype(np.uint8)
    slider = Slider(model)
    starts = np.arange(0, len(codes) - LENGTH + 1, slider.step)
    rough = slider.logits(codes, 0, len(starts))[0]
    exact = predict_logits(model, np.lib.stride_tricks.sliding_window_view(codes, LENGTH)[starts])
    assert np.corrcoef(rough, exact)[0, 1] > 0.6


def test_what_cannot_slide_says_so() -> None:
    config = ModelConfig(64, ScalogramConfig(max_period=16.0), "resnet18")
    model = Classifier(config)
    assert not can_slide(model)
    with pytest.raises(
        InputError, match=r"resnet18 on this front cannot share work.*--set mode=windows"
    ):
        Slider(model)
    with pytest.raises(InputError, match="the network ResNet cannot slide along a sequence"):
        model.backbone.slide(torch.zeros(1, 8, 32, 64), 0, 1, 1)


@pytest.mark.parametrize(
    "scalogram",
    [
        ScalogramConfig(max_period=16.0, padding="reflect"),
        ScalogramConfig(max_period=16.0, encoding="walk"),
    ],
)
def test_what_depends_on_the_whole_window_cannot_slide(scalogram: ScalogramConfig) -> None:
    assert not can_slide(Classifier(ModelConfig(64, scalogram)))
    image = ModelConfig(64, ScalogramConfig(outputs=("modulus",)), image=ImageConfig())
    assert not can_slide(Classifier(image))
