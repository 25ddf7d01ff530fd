"""One output of several: against the logits of the whole model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.metrics.platt import PlattScaling
from wavebind.models import ModelCard, ModelConfig, build_model
from wavebind.models.targets import one_target, outputs_of, target_card

OUTPUTS = ("CTCF:K562", "CTCF:A549", "CTCFL", "open:K562")


def model_and_card(networks=1, **more):
    config = ModelConfig(64, outputs=OUTPUTS, front="signal", networks=networks, **more)
    model = build_model(config, torch.Generator().manual_seed(3)).eval()
    lines = tuple(PlattScaling(1 + i / 4, i - 1.5, 0.1 + i / 10) for i in range(4))
    return model, ModelCard(model.config, (0.2, 0.4, 0.5, 0.6), 1, 2, calibration=lines)


@pytest.fixture
def codes():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 5, (6, 64)).astype(np.uint8))


@pytest.mark.parametrize("networks", [1, 3])
def test_an_output_by_its_name(codes, networks):
    model, card = model_and_card(networks)
    with torch.inference_mode():
        whole = model(codes)
        for j, name in enumerate(OUTPUTS):
            alone, its = one_target(model, card, name)
            torch.testing.assert_close(alone(codes), whole[:, j])
            assert its.model.outputs == (name,)
            assert its.calibration == card.calibration[j : j + 1]
            assert its.threshold == card.thresholds[j]


@pytest.mark.parametrize("networks", [1, 2])
def test_a_factor_is_the_mean_calibrated_logit_of_its_cells(codes, networks):
    model, card = model_and_card(networks)
    alone, its = one_target(model, card, "CTCF")
    with torch.inference_mode():
        whole, mine = model(codes).double(), alone(codes).double()
    lines = card.calibration[:2]
    expected = sum(line.slope * whole[:, j] + line.intercept for j, line in enumerate(lines)) / 2
    torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-5)
    assert its.model.outputs == ("CTCF",)
    # Means of the log-odds of 0.1 and 0.2, and of 0.2 and 0.4.
    odds = np.sqrt(0.1 / 0.9 * 0.2 / 0.8)
    assert its.calibration[0].prevalence == pytest.approx(odds / (1 + odds))
    odds = np.sqrt(0.2 / 0.8 * 0.4 / 0.6)
    assert its.threshold == pytest.approx(odds / (1 + odds))
    assert its.calibration[0].slope == 1
    assert its.calibration[0].intercept == 0


def test_classes_depend_on_each_other_and_stay_together(codes):
    model, card = model_and_card(task="multiclass")
    with torch.inference_mode():
        whole = model(codes)
        alone, its = one_target(model, card, "CTCFL")
        torch.testing.assert_close(alone(codes), whole[:, 2])
    assert its.model.outputs == ("CTCFL",)
    with pytest.raises(InputError, match="'CTCF' is several classes of the model"):
        one_target(*model_and_card(task="multiclass"), "CTCF")


def test_a_model_of_one_output_needs_no_name():
    config = ModelConfig(64, front="signal")
    model = build_model(config, torch.Generator().manual_seed(3)).eval()
    card = ModelCard(model.config, (0.5,), 1, 2)
    assert one_target(model, card, None) == (model, card)
    assert target_card(card, "bound") is card


def test_a_factor_without_prevalence_has_none():
    _, card = model_and_card()
    lines = (replace(card.calibration[0], prevalence=None), *card.calibration[1:])
    found = target_card(replace(card, calibration=lines), "CTCF")
    assert found.calibration[0].prevalence is None


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "the model has 4 outputs; choose one with --target: CTCF:K562, CTCF:A549, CTCFL"),
        ("JUND", "the model has no output 'JUND'; choose one with --target: CTCF:K562"),
        ("ctcf", "the model has no output 'ctcf'; choose one with --target: CTCF:K562"),
        ("opne", "the model has no output 'opne'; choose one with --target: open:K562"),
        ("CTFCL", "choose one with --target: CTCFL, CTCF:K562, CTCF:A549$"),
        ("open:A549", "no output 'open:A549'; choose one with --target: open:K562"),
    ],
)
def test_names_that_are_none(target, message):
    with pytest.raises(InputError, match=message):
        outputs_of(OUTPUTS, target)


def test_a_long_list_is_cut():
    with pytest.raises(InputError, match=r"a7, and 2 more \('wavebind models RUN' lists them\)"):
        outputs_of([f"a{i}" for i in range(10)], "b")
