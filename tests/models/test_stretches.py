"""Windows that come out of one pass over their stretch, against each window by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers import perturb
from wavebind.core.errors import InputError
from wavebind.genome.sequences import Codes
from wavebind.models import Classifier, ModelConfig, build_model
from wavebind.models.networks.foldedscalenet import (
    SPREAD,
    FoldedScaleNet,
    pool_positions,
    sliding_max,
    sliding_sum,
    softmax_mean,
)
from wavebind.models.prediction import predict_logits
from wavebind.models.stretches import StretchScorer, can_share
from wavebind.wavelets.filters import Wavelet
from wavebind.wavelets.images import ImageConfig
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig

LENGTH = 96
SMALL = {"band_width": 8, "position_width": 12}
WAVELETS = ScalogramConfig(
    wavelet=Wavelet(beta=2.0), max_period=12.0, n_scales=12, padding="none",
    spacing="frequencies", stride=2,
)  # fmt: skip


def model_of(front: str = "signal", length: int = LENGTH, **changes: object) -> Classifier:
    """With weights and normalisations that do something."""
    config = ModelConfig(
        length,
        changes.pop("scalogram", WAVELETS),
        options={**SMALL, **changes.pop("options", {})},
        front=front,
        **changes,
    )
    return perturb(build_model(config, torch.Generator().manual_seed(0)).eval())


def sequence(n: int, seed: int = 0) -> Codes:
    """With runs of unknown bases."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, n).astype(np.uint8)
    for start in rng.integers(0, n, 3):
        codes[start : start + 7] = 4
    return codes


def by_windows(model: Classifier, codes: Codes, starts: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(codes, model.config.length)
    return predict_logits(model, windows, starts, bf16=False)


@pytest.mark.parametrize("width", [1, 2, 3, 7, 16, 50])
def test_sliding_sums_are_sums(width: int) -> None:
    x = torch.randn(2, 3, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    naive = torch.stack([x[..., i : i + width].sum(-1) for i in range(61 - width)], -1)
    torch.testing.assert_close(sliding_sum(x, width), naive)


@pytest.mark.parametrize("length", [60, 61])
@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("width", [1, 2, 3, 7, 16, 18])
def test_sliding_maxima_are_maxima(width: int, every: int, length: int) -> None:
    x = torch.randn(2, length, 3, generator=torch.Generator().manual_seed(0))
    starts = range(0, length - width + 1, every)
    naive = torch.stack([x[:, i : i + width].amax(1) for i in starts], 1)
    assert torch.equal(sliding_max(x, width, every), naive)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_pooled_positions_are_those_of_torch(width: int) -> None:
    x = torch.randn(2, 3, 1, 62, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.max_pool2d(x, (1, width))
    assert torch.equal(pool_positions(x, width), expected)


@pytest.mark.parametrize("scale", [1.0, 2 * SPREAD])
def test_attention_of_every_window_is_its_own_softmax(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x, scores = (
        torch.randn(2, 3, 80, generator=generator),
        torch.randn(2, 1, 80, generator=generator),
    )
    scores *= scale
    naive = [
        (x[..., i : i + 9] * torch.softmax(scores[..., i : i + 9], -1)).sum(-1) for i in range(72)
    ]
    torch.testing.assert_close(softmax_mean(x, scores, 9), torch.stack(naive, -1))


def test_a_large_bias_of_the_stem_costs_no_digits_in_bfloat16() -> None:
    network = model_of().backbone
    planes = torch.randn(2, 4, 1, 150, generator=torch.Generator().manual_seed(0))
    plain = FoldedScaleNet(network, torch.bfloat16)(planes)
    with torch.no_grad():
        # What the bias adds, the normalisations behind it take away.
        before = network.stem(torch.zeros(1, 4, 1, 150) + network.input_norm.bias[:, None, None])
        network.input_norm.bias += 50
        after = network.stem(torch.zeros(1, 4, 1, 150) + network.input_norm.bias[:, None, None])
        more = (after - before)[0, :, 0, 0]
        assert more.abs().max() > 20
        network.bands[0].norm1.running_mean += more
        network.pooled_norm.running_mean += more
    exact = FoldedScaleNet(network, torch.float32)(planes)
    found = FoldedScaleNet(network, torch.bfloat16)(planes)
    assert (found - exact).abs().max() < 1.5 * (plain - exact).abs().max() + 1e-4


@pytest.mark.parametrize(
    ("front", "length", "stride"),
    [
        ("signal", LENGTH, 1), ("signal", LENGTH, 2), ("signal", LENGTH, 6), ("signal", 97, 7),
        ("signal", LENGTH, 4), ("signal", 99, 4), ("wavelets", LENGTH, 8),
        ("wavelets", LENGTH, 4), ("wavelets", 101, 3), ("signal", 200, 8),
    ],
)  # fmt: skip
def test_a_stretch_gives_what_the_windows_give(front: str, length: int, stride: int) -> None:
    model = model_of(front, length)
    codes = sequence(900)
    scorer = StretchScorer(model, bf16=False, block=300)
    assert scorer.step == 2 * (2 if front == "wavelets" else 1)
    starts = np.arange(5, len(codes) - length + 1, stride)
    found = scorer.logits(codes, starts)
    assert found.dtype == np.float32
    expected = by_windows(model, codes, starts)
    assert expected.std() > 0.003
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("encoding", ["onehot", "zcurve"])
@pytest.mark.parametrize("networks", [1, 2])
def test_a_transform_is_a_part_of_the_stem(networks: int, encoding: str) -> None:
    """With a position a base the transform and the stem are one convolution."""
    scalogram = replace(WAVELETS, stride=1, encoding=encoding)
    model = model_of("wavelets", scalogram=scalogram, networks=networks)
    model.normalise.set([0.3, -0.2], [1.5, 0.7])
    codes = sequence(700)
    starts = np.arange(0, len(codes) - LENGTH + 1, 6)
    expected = by_windows(model, codes, starts)
    assert expected.std() > 0.003
    found = StretchScorer(model, bf16=False, block=300).logits(codes, starts)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    rounded = StretchScorer(model, block=300).logits(codes, starts)
    assert np.abs(rounded - expected).max() < 0.2 * expected.std()


def test_what_lies_around_a_window_changes_nothing() -> None:
    model = model_of("wavelets")
    window = sequence(LENGTH)
    around = [np.concatenate([sequence(60, s), window, sequence(40, s + 9)]) for s in (1, 2)]
    scorer = StretchScorer(model, bf16=False)
    one, two = (scorer.logits(codes, np.array([20, 60])) for codes in around)
    assert one[1] == pytest.approx(two[1], abs=1e-6)
    assert abs(one[0] - two[0]) > 1e-3


def test_only_the_windows_that_are_asked_for() -> None:
    model = model_of()
    codes = sequence(5000)
    starts = np.array([0, 1, 8, 9, 700, 703, 704, 4000, 4904])
    seen: list[int] = []
    found = StretchScorer(model, bf16=False, block=200).logits(codes, starts, seen.append)
    np.testing.assert_allclose(found, by_windows(model, codes, starts), atol=2e-5)
    assert sum(seen) == len(starts)
    assert StretchScorer(model).logits(codes, starts[:0]).shape == (0,)


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
def test_several_outputs_of_several_stretches(task: str) -> None:
    model = model_of(outputs=("a", "b", "c"), task=task)
    codes = np.stack([sequence(200, s) for s in range(5)])
    starts = np.arange(0, 100, 4)
    found = StretchScorer(model, bf16=False, block=410).batch(codes, starts)
    assert found.shape == (5, 25, 3)
    for row, mine in zip(found, codes, strict=True):
        np.testing.assert_allclose(row, by_windows(model, mine, starts), atol=2e-5)
    model.selected = 1
    one = StretchScorer(model, bf16=False).batch(codes, starts)
    np.testing.assert_allclose(one, found[..., 1], atol=1e-5)


def test_an_ensemble_shares_too() -> None:
    model = model_of(networks=3)
    codes, starts = sequence(300), np.arange(0, 200, 4)
    found = StretchScorer(model, bf16=False).logits(codes, starts)
    np.testing.assert_allclose(found, by_windows(model, codes, starts), atol=2e-5)


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(64, ScalogramConfig(max_period=16.0)),
        ModelConfig(64, ScalogramConfig(encoding="walk"), front="signal"),
        ModelConfig(64, ScalogramConfig(), "cnn"),
        ModelConfig(64, ScalogramConfig(outputs=("modulus",)), "resnet18", image=ImageConfig()),
    ],
)
def test_what_cannot_share_scores_every_window_by_itself(config: ModelConfig) -> None:
    model = build_model(config, torch.Generator().manual_seed(0)).eval()
    assert not can_share(model)
    scorer = StretchScorer(model, bf16=False)
    assert scorer.step == 0
    codes, starts = sequence(130), np.array([0, 3, 60])
    np.testing.assert_allclose(
        scorer.logits(codes, starts), by_windows(model, codes, starts), atol=1e-6
    )
    if config.backbone == "cnn":
        with pytest.raises(InputError, match="the network CNN cannot slide along a sequence"):
            model.backbone.sliding(torch.float32)


def test_logits_that_are_not_finite() -> None:
    model = model_of()
    with torch.no_grad():
        model.backbone.head.bias.fill_(torch.nan)
    with pytest.raises(InputError, match=r"25 of 25 logits are not finite; the model is damaged"):
        StretchScorer(model).logits(sequence(200), np.arange(0, 100, 4))


def test_what_is_changed_in_the_weights_later_is_not_seen() -> None:
    model = model_of()
    codes, starts = sequence(200), np.arange(0, 100, 4)
    scorer = StretchScorer(model, bf16=False)
    before = scorer.logits(codes, starts)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 1
    np.testing.assert_array_equal(scorer.logits(codes, starts), before)


def changed_bases(
    codes: Codes, n_each: int, places: slice, seed: int = 3
) -> tuple[Codes, np.ndarray]:
    """Stretches with other bases at some places, and which stretch each comes from."""
    rng = np.random.default_rng(seed)
    which = np.tile(np.arange(len(codes)), n_each)
    others = codes[which].copy()
    others[:, places] = (others[:, places] + rng.integers(1, 4, others[:, places].shape)) % 4
    return others, which


@pytest.mark.parametrize(
    ("front", "places"),
    [
        ("signal", slice(95, 96)),
        ("signal", slice(2, 5)),
        ("signal", slice(182, 185)),
        ("signal", slice(90, 97)),
        ("wavelets", slice(95, 96)),
        ("wavelets", slice(3, 5)),
    ],
)
def test_a_change_gives_what_the_changed_stretch_gives(front: str, places: slice) -> None:
    model = model_of(front, scalogram=replace(WAVELETS, stride=1))
    scorer = StretchScorer(model, bf16=False, block=450)
    codes = np.stack([sequence(2 * LENGTH - 1, seed) for seed in range(3)])
    others, which = changed_bases(codes, 5, places)
    starts = np.arange(0, LENGTH, 6)
    whole, found = scorer.changed(codes, others, which, starts)
    for got, stretches in ((whole, codes), (found, others)):
        expected = np.stack([by_windows(model, row, starts) for row in stretches])
        np.testing.assert_allclose(got, expected, atol=2e-5)
    assert np.abs(found - whole[which]).max() > 0.001


def test_a_change_is_not_computed_as_a_whole_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = StretchScorer(model_of(), bf16=False)
    codes = sequence(2 * LENGTH - 1)[None]
    others, which = changed_bases(codes, 4, slice(95, 96))
    monkeypatch.setattr(StretchScorer, "batch", None)
    scorer.changed(codes, others, which, np.arange(0, LENGTH, 4))


@pytest.mark.parametrize("networks", [1, 2])
def test_a_change_makes_no_scalograms(networks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("wavelets", scalogram=replace(WAVELETS, stride=1), networks=networks)
    model.normalise.set([0.3, -0.2], [1.5, 0.7])
    scorer = StretchScorer(model, bf16=False)
    codes = np.stack([sequence(2 * LENGTH - 1, seed) for seed in range(2)])
    others, which = changed_bases(codes, 2, slice(95, 97))
    starts = np.arange(0, LENGTH, 4)
    expected = np.stack([by_windows(model, row, starts) for row in others])
    monkeypatch.setattr(Scalogram, "from_signals", None)
    whole, found = scorer.changed(codes, others, which, starts)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert np.abs(found - whole[which]).max() > 0.001


@pytest.mark.parametrize(
    ("model", "places", "starts"),
    [
        # Two phases, changes that are far apart, a change that no window sees, and networks that
        # have no such way.
        (model_of(), slice(95, 96), np.array([0, 3, 6])),
        (model_of(), slice(5, 90), np.array([0, 4, 8])),
        (model_of(), slice(190, 191), np.array([0, 4, 8])),
        (model_of("wavelets"), slice(95, 96), np.array([0, 4, 8])),
    ],
)
def test_other_changes_are_whole_stretches(
    model: Classifier, places: slice, starts: np.ndarray
) -> None:
    scorer = StretchScorer(model, bf16=False)
    codes = sequence(2 * LENGTH - 1)[None]
    others, which = changed_bases(codes, 2, places)
    whole, found = scorer.changed(codes, others, which, starts)
    np.testing.assert_array_equal(whole, scorer.batch(codes, starts))
    np.testing.assert_array_equal(found, scorer.batch(others, starts))


def test_changes_of_several_outputs() -> None:
    model = model_of(outputs=("a", "b", "c"))
    codes = np.stack([sequence(2 * LENGTH - 1, seed) for seed in range(2)])
    others, which = changed_bases(codes, 2, slice(95, 96))
    starts = np.arange(0, LENGTH, 4)
    _, found = StretchScorer(model, bf16=False).changed(codes, others, which, starts)
    expected = np.stack([by_windows(model, row, starts) for row in others])
    assert found.shape == (4, len(starts), 3)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_damaged_model_is_told_where_changes_are_scored() -> None:
    model = model_of()
    with torch.no_grad():
        next(iter(model.backbone.parameters())).fill_(float("nan"))
    codes = sequence(2 * LENGTH - 1)[None]
    others, which = changed_bases(codes, 1, slice(95, 96))
    with pytest.raises(InputError, match="48 of 48 logits are not finite"):
        StretchScorer(model, bf16=False).changed(codes, others, which, np.arange(0, LENGTH, 2))
