"""The network for long windows, and the row of octaves that it reads."""

import numpy as np
import pytest
import torch

from helpers import metrics_of, planted_rows, write_table
from wavebind.core.errors import InputError
from wavebind.models import ModelConfig, build_model, load_model
from wavebind.models.networks.pyramidnet import PyramidNetConfig
from wavebind.training.recipes import load_recipe
from wavebind.wavelets.filters import Wavelet
from wavebind.wavelets.fronts import PyramidFront
from wavebind.wavelets.scalograms import ScalogramConfig, ScalogramPyramid

CONFIG = ScalogramConfig(wavelet=Wavelet(beta=4.0), voices=3, max_period=64.0)


def codes(n, length, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 4, (n, length)).astype(np.uint8))


def test_the_row_holds_the_octaves_one_after_the_other():
    windows = codes(2, 150)
    front, pyramid = PyramidFront(CONFIG, 150), ScalogramPyramid(CONFIG, 150)
    row = front(windows)
    assert row.shape[1:] == front.shape
    at = 0
    for octave, (scales, positions) in zip(pyramid(windows), front.layout, strict=True):
        assert octave.shape[2:] == (scales, positions)
        piece = row[:, :, 0, at : at + scales * positions].reshape(octave.shape)
        torch.testing.assert_close(piece, octave, atol=1e-5, rtol=1e-4)
        at += scales * positions
    assert at == row.shape[-1]
    # Every octave has half the positions of the one before.
    counts = [positions for _, positions in front.layout]
    assert counts == [-(-150 // 2**k) for k in range(len(counts))]


@pytest.mark.parametrize("length", [150, 1000, pytest.param(1001, marks=pytest.mark.slow)])
def test_it_reads_windows_of_any_length(length):
    config = load_recipe("long").model(length)
    model = build_model(config, torch.Generator().manual_seed(0)).eval()
    with torch.inference_mode():
        logits = model(codes(3, length))
    assert logits.shape == (3,)
    assert torch.isfinite(logits).all()


@pytest.mark.slow
def test_work_grows_with_the_length_and_weights_do_not():
    def parts(length):
        model = build_model(load_recipe("long").model(length), torch.Generator().manual_seed(0))
        return model.n_weights, model.front.shape[2]

    (short, few), (long, many) = parts(1000), parts(4000)
    assert short == long
    assert 3.9 < many / few < 4.1
    # A plane of one resolution would hold every scale at every position.
    periods = len(load_recipe("long").scalogram.periods(1000))
    assert few < 0.3 * periods * 1000


def test_every_octave_reaches_the_head():
    model = build_model(load_recipe("long").model(400), torch.Generator().manual_seed(0))
    model.train()
    model(codes(4, 400)).sum().backward()
    for name, weight in model.backbone.named_parameters():
        assert weight.grad is not None, name
    for octave in model.backbone.octaves:
        assert octave.stem.weight.grad.abs().sum() > 0


@pytest.mark.slow
def test_contributions_are_complete():
    from wavebind.explain.contributions import integrated_gradients

    model = build_model(load_recipe("long").model(300), torch.Generator().manual_seed(0)).eval()
    windows = codes(2, 300)
    found = integrated_gradients(model, windows)
    assert found.shape == (2, 300, 4)
    assert found.abs().sum() > 0


@pytest.mark.slow
def test_it_learns_is_kept_and_explained(tmp_path, cli):
    table = write_table(tmp_path / "t.tsv", planted_rows(120, length=256))
    assert cli("dataset", table, "--out", tmp_path / "d")[0] == 0
    arguments = [
        "--recipe",
        "long",
        "--epochs",
        "12",
        "--set",
        "training.batch_size=20",
        "--set",
        "training.max_shift=0",
    ]
    arguments += ["--set", "training.patience=12", "--out", tmp_path / "run", "--device", "cpu"]
    code, _, err = cli("train", tmp_path / "d", *arguments)
    assert code == 0, err
    assert cli("evaluate", tmp_path / "run", tmp_path / "d", "--device", "cpu")[0] == 0
    metrics = metrics_of(tmp_path / "run")
    assert metrics["auroc"]["value"] > 0.85
    _, card = load_model(tmp_path / "run" / "model.safetensors")
    assert (card.model.backbone, card.model.front) == ("pyramidnet", "pyramid")
    for method in ("ig", "gradcam"):
        arguments = ["--method", method, "--n", "4", "--set", "n_mean=4", "--device", "cpu"]
        code, _, err = cli("explain", tmp_path / "run", tmp_path / "d", *arguments)
        assert code == 0, err


def test_what_does_not_go_together_is_refused():
    with pytest.raises(InputError, match="pyramidnet reads octaves of a scalogram"):
        build_model(
            ModelConfig(200, CONFIG, "pyramidnet", front="wavelets"),
            torch.Generator().manual_seed(0),
        )
    with pytest.raises(InputError, match="the front 'pyramid' is for the network pyramidnet"):
        build_model(
            ModelConfig(200, CONFIG, "scalenet", front="pyramid"), torch.Generator().manual_seed(0)
        )
    for options, message in (
        ({"width": 0}, "width must be 1 or more; found 0"),
        ({"max_width": 8}, "max_width must be the width, 48, or more; found 8"),
        ({"kernel": 4}, "kernel must be odd; found 4"),
        ({"dilations": ()}, "dilations must be 1 or more"),
        ({"dropout": 1.0}, "dropout must be below 1; found 1.0"),
    ):
        with pytest.raises(InputError, match=message):
            PyramidNetConfig(**options)
