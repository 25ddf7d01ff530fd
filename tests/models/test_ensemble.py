"""Networks made one are their mean: against the networks themselves."""

import numpy as np
import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.explain.contributions import integrated_gradients
from wavebind.explain.gradcam import grad_cam
from wavebind.metrics.platt import PlattScaling
from wavebind.models import ModelConfig, build_model, make_ensemble, require_ensemble
from wavebind.wavelets.images import ImageConfig
from wavebind.wavelets.scalograms import ScalogramConfig

LENGTH = 64
SMALL = {"band_width": 8, "position_width": 12, "position_blocks": 1}


def networks(config, n):
    """Networks whose statistics and weights all differ, as after so many trainings."""
    found = []
    for seed in range(n):
        generator = torch.Generator().manual_seed(seed)
        model = build_model(config, generator)
        for name, tensor in model.backbone.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            elif tensor.is_floating_point():
                tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
        found.append(model.eval())
    return found


@pytest.mark.parametrize(
    ("front", "options", "outputs"),
    [
        ("wavelets", {}, ("bound",)),
        ("signal", {"stem_kernel": 15, "pool": 4}, ("bound",)),
        ("signal", {}, ("a", "b")),
    ],
)
def test_the_mean_of_calibrated_logits(front, options, outputs):
    config = ModelConfig(
        length=LENGTH,
        scalogram=ScalogramConfig(n_scales=12),
        options={**SMALL, **options},
        outputs=outputs,
        front=front,
    )
    models = networks(config, 3)
    lines = [
        [PlattScaling(0.5 + k + j, k - 0.7 * j) for j in range(len(outputs))] for k in range(3)
    ]
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 5, (20, LENGTH), dtype=np.uint8))
    with torch.inference_mode():
        each = []
        for model, line in zip(models, lines, strict=True):
            logits = model(codes).reshape(20, -1)
            slopes = torch.tensor([one.slope for one in line])
            each.append(logits * slopes + torch.tensor([one.intercept for one in line]))
        merged = make_ensemble(models, lines)
        found = merged(codes).reshape(20, -1)
    expected = torch.stack(each).mean(0)
    assert expected.std() > 0.02
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert merged.n_weights == sum(model.n_weights for model in models)
    # One averaged again is still the mean of all.
    with torch.inference_mode():
        twice = make_ensemble(
            [merged, make_ensemble(models[::-1], lines[::-1])],
            [[PlattScaling()] * len(outputs)] * 2,
        )
        torch.testing.assert_close(twice(codes).reshape(20, -1), expected, rtol=1e-4, atol=1e-4)


def test_networks_that_are_not_made_one():
    config = ModelConfig(length=LENGTH, options=SMALL, front="signal")
    models = networks(config, 2)
    lines = [[PlattScaling()]] * 2
    other = networks(ModelConfig(length=LENGTH, options=SMALL), 1)
    with pytest.raises(InputError, match="of networks of one configuration; found several"):
        make_ensemble([*models, *other], [*lines, [PlattScaling()]])
    models[1].normalise.set([1.0], [2.0])
    with pytest.raises(InputError, match=r"do not read the same input: normalise\.mean differs"):
        make_ensemble(models, lines)
    for wrong, message in (
        (
            {"backbone": "resnet18", "image": ImageConfig()},
            "networks that normalise their input themselves, which resnet18 does not",
        ),
        (
            {"task": "multiclass", "outputs": ("a", "b")},
            "the logits of classes depend on each other",
        ),
    ):
        with pytest.raises(InputError, match=message):
            require_ensemble(ModelConfig(length=LENGTH, **wrong))


@pytest.mark.parametrize("backbone", ["cnn", "danq"])
def test_other_networks_are_joined_too(backbone):
    config = ModelConfig(length=LENGTH, backbone=backbone)
    models = networks(config, 2)
    lines = [[PlattScaling(0.7, 0.2)], [PlattScaling(1.3, -0.4)]]
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 5, (9, LENGTH), dtype=np.uint8))
    with torch.inference_mode():
        each = [
            line[0].slope * model(codes) + line[0].intercept
            for model, line in zip(models, lines, strict=True)
        ]
        found = make_ensemble(models, lines)(codes)
    torch.testing.assert_close(found, torch.stack(each).mean(0), rtol=1e-4, atol=1e-4)


def test_an_ensemble_is_explained_as_its_networks_are():
    config = ModelConfig(length=LENGTH, scalogram=ScalogramConfig(n_scales=12), options=SMALL)
    models = networks(config, 2)
    merged = make_ensemble(models, [[PlattScaling()]] * 2)
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.integers(0, 4, (3, LENGTH), dtype=np.uint8))
    both = [integrated_gradients(model, codes) for model in models]
    torch.testing.assert_close(
        integrated_gradients(merged, codes), (both[0] + both[1]) / 2, rtol=1e-2, atol=1e-3
    )
    assert grad_cam(merged, codes).shape == (3, 12, LENGTH)


def test_how_many_networks_there_can_be():
    with pytest.raises(InputError, match="networks must be from 1 to 64; found 0"):
        ModelConfig(length=LENGTH, networks=0)
