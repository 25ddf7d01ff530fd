"""Networks made one are their mean: against the networks themselves."""

import numpy as np
import pytest
import torch

from wavebind.calibration import Calibration
from wavebind.errors import InputError
from wavebind.images import ImageConfig
from wavebind.models import ModelConfig, average, build_model
from wavebind.models.averaging import require_averageable
from wavebind.scalograms import ScalogramConfig

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
        ("wavelets", {"members": 2}, ("bound",)),
        ("signal", {"members": 2}, ("a", "b")),
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
    lines = [[Calibration(0.5 + k + j, k - 0.7 * j) for j in range(len(outputs))] for k in range(3)]
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 5, (20, LENGTH), dtype=np.uint8))
    with torch.inference_mode():
        each = []
        for model, line in zip(models, lines, strict=True):
            logits = model(codes).reshape(20, -1)
            slopes = torch.tensor([one.slope for one in line])
            each.append(logits * slopes + torch.tensor([one.intercept for one in line]))
        merged = average(models, lines)
        found = merged(codes).reshape(20, -1)
    expected = torch.stack(each).mean(0)
    assert expected.std() > 0.02
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert merged.n_weights == sum(model.n_weights for model in models)
    # One averaged again is still the mean of all.
    with torch.inference_mode():
        twice = average(
            [merged, average(models[::-1], lines[::-1])], [[Calibration()] * len(outputs)] * 2
        )
        torch.testing.assert_close(twice(codes).reshape(20, -1), expected, rtol=1e-4, atol=1e-4)


def test_networks_that_are_not_made_one():
    config = ModelConfig(length=LENGTH, options=SMALL, front="signal")
    models = networks(config, 2)
    lines = [[Calibration()]] * 2
    other = networks(ModelConfig(length=LENGTH, options=SMALL), 1)
    with pytest.raises(InputError, match="only networks of one configuration are made one"):
        average([*models, *other], [*lines, [Calibration()]])
    models[1].normalise.set([1.0], [2.0])
    with pytest.raises(InputError, match=r"do not read the same input: normalise\.mean differs"):
        average(models, lines)
    for wrong, message in (
        ({"backbone": "cnn"}, "made one where they are scalenet; found cnn"),
        (
            {"backbone": "resnet18", "image": ImageConfig()},
            "where they are scalenet; found resnet18",
        ),
        ({"front": "learned-filters"}, "wavelets or signal; found learned-filters"),
        ({"front": "random-filters"}, "wavelets or signal; found random-filters"),
        (
            {"task": "multiclass", "outputs": ("a", "b")},
            "the logits of classes lean on one another",
        ),
    ):
        with pytest.raises(InputError, match=message):
            require_averageable(ModelConfig(length=LENGTH, **wrong))


def test_inputs_that_members_cannot_share():
    with pytest.raises(InputError, match="members must be a multiple of inputs, 2; found 3"):
        ModelConfig(length=LENGTH, options={"members": 3, "inputs": 2})
    with pytest.raises(InputError, match="inputs must be 1 or more; found 0"):
        ModelConfig(length=LENGTH, options={"inputs": 0})
