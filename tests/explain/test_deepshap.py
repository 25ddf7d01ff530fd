"""DeepLIFT/SHAP: closed form where a network is linear, and scores that add up where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from helpers import planted_windows
from wavebind.core.errors import InputError
from wavebind.explain.contributions import (
    corrected_gradients,
    integrated_gradients,
    mutagenesis,
    to_onehot,
)
from wavebind.explain.deepshap import _shuffles, deep_lift_shap
from wavebind.models import ModelConfig, build_model, load_model
from wavebind.models.networks.segments import Segment
from wavebind.models.strands import both_strands
from wavebind.training.recipes import load_recipe

CODES = torch.from_numpy(planted_windows(6)[0])


def made(backbone, **more):
    recipe = load_recipe("default").with_backbone(backbone)
    config = ModelConfig(
        48, scalogram=recipe.scalogram, backbone=backbone, front=more.pop("front", "signal"), **more
    )
    return build_model(config, torch.Generator().manual_seed(3)).eval()


def rise(model, codes, seed, n):
    """The logit of each window less the mean of its shuffles."""
    shuffled = _shuffles(codes, seed, n)
    with torch.inference_mode():
        others = both_strands(model, shuffled.flatten(0, 1)).view(len(codes), n).mean(1)
        return both_strands(model, codes) - others


@pytest.mark.parametrize("backbone", ["scalenet", "cnn", "deepbind"])
def test_scores_add_up_to_the_rise_over_the_shuffles(backbone):
    model = made(backbone)
    found = deep_lift_shap(model, CODES, seed=4, n=5)
    assert found.shape == (6, 48, 4)
    sums = (found * to_onehot(CODES).transpose(1, 2)).sum((1, 2))
    np.testing.assert_allclose(sums, rise(model, CODES, 4, 5), atol=0.01)


def test_unknown_bases_have_no_score_and_stay():
    codes = CODES.clone()
    codes[0, :7] = 4
    codes[1, 20] = 4
    model = made("scalenet")
    found = deep_lift_shap(model, codes, n=4)
    assert found[0, :7].abs().max() == 0
    assert found[1, 20].abs().max() == 0
    sums = (found * to_onehot(codes).transpose(1, 2)).sum((1, 2))
    np.testing.assert_allclose(sums, rise(model, codes, 0, 4), atol=0.01)
    shuffled = _shuffles(codes, 0, 4)
    assert ((shuffled == 4) == (codes == 4)[:, None]).all()
    assert (shuffled.sort(-1).values == codes.sort(-1).values[:, None]).all()


def test_a_transform_that_is_not_linear_is_passed_as_a_whole():
    config = load_recipe("wavelets")
    model = build_model(
        ModelConfig(48, scalogram=replace(config.scalogram, outputs=("modulus",))),
        torch.Generator().manual_seed(1),
    ).eval()
    assert not model.front.is_linear
    found = deep_lift_shap(model, CODES[:2], n=3)
    sums = (found * to_onehot(CODES[:2]).transpose(1, 2)).sum((1, 2))
    np.testing.assert_allclose(sums, rise(model, CODES[:2], 0, 3), atol=0.02)


def test_of_a_linear_network_they_are_its_weights():
    """What a base adds: its weight less the mean weight of the bases that shuffles have there."""
    model = made("cnn")
    weights = torch.randn(4, 48, generator=torch.Generator().manual_seed(2))

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = nn.Parameter(weights)

        def forward(self, x):
            return (x[:, :, 0] * self.weights).sum((1, 2)).unsqueeze(1)

    linear = Linear()
    model.backbone.segments = lambda: [Segment("head", linear, (linear,))]
    model.normalise = nn.Identity()
    n = 6
    found = deep_lift_shap(model, CODES, seed=1, n=n)
    both = ((weights + weights.flip(0, 1)) / 2).T
    references = to_onehot(_shuffles(CODES, 1, n).flatten(0, 1)).view(6, n, 4, 48).mean(1)
    expected = both - (references.transpose(1, 2) * both).sum(2, keepdim=True)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_mode_and_the_gradients_of_a_model_are_left(trained):
    model = load_model(trained[0] / "model.safetensors")[0].train()
    before = [p.requires_grad for p in model.parameters()]
    deep_lift_shap(model, CODES[:1], n=2)
    assert model.training
    assert [p.requires_grad for p in model.parameters()] == before


def test_on_a_trained_network_it_agrees_with_the_others(trained):
    model = load_model(trained[0] / "model.safetensors")[0]
    found = [
        method(model, CODES).detach().numpy().ravel()
        for method in (deep_lift_shap, corrected_gradients, mutagenesis)
    ]
    assert np.corrcoef(found).min() > 0.7


def test_corrected_gradients_have_no_mean(trained):
    model = load_model(trained[0] / "model.safetensors")[0]
    found, plain = corrected_gradients(model, CODES), integrated_gradients(model, CODES)
    np.testing.assert_allclose(found.sum(-1), 0, atol=1e-5)
    difference = found - plain
    np.testing.assert_allclose(difference, difference[..., :1].expand(-1, -1, 4), atol=1e-5)


def test_a_network_without_rules_is_refused():
    """What is no module of a known kind has no rule; wrong scores are not given."""
    model = made("cnn")
    segments = model.backbone.segments()
    odd = [Segment("odd", lambda x: 3 * x.pow(3), ()), *segments]
    model.backbone.segments = lambda: odd
    with torch.no_grad():
        model.backbone.head.weight.mul_(200)
    with pytest.raises(InputError, match=r"does not explain this network \(cnn\): its scores miss"):
        deep_lift_shap(model, CODES[:3], n=4)


def test_by_the_command(run_copy, cli):
    run, data = run_copy
    code, out, err = cli(
        "explain", run, data, "--method", "deepshap", "--n", 2, "--set", "n_mean=3"
    )
    assert code == 0, err
    assert "2 windows explained by deepshap" in out
    code, out, err = cli(
        "explain", run, data, "--check", "--method", "ig-corrected", "--n", 10, "--set",
        "motif=MA0139.1",
    )  # fmt: skip
    assert code == 0, err
    assert "ig-corrected" in out
