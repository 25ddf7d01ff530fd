"""Matrices beside a network: against the hits of the matrices themselves, and window by window."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers import perturb
from wavebind.core.errors import InputError
from wavebind.explain.contributions import (
    _captum_gradients,
    _OneHot,
    integrated_gradients,
    mutant_logits,
    to_onehot,
)
from wavebind.explain.deepshap import deep_lift_shap
from wavebind.explain.gradcam import grad_cam
from wavebind.genome.sequences import reverse_complement
from wavebind.metrics.platt import PlattScaling
from wavebind.models import ModelCard, ModelConfig, build_model, load_model, save_model
from wavebind.models.ensemble import calibrated
from wavebind.models.matrixparts import without_matrices
from wavebind.models.networks.matrices import MAX_WIDTH, BesideMatrices, Matrices
from wavebind.models.prediction import predict_logits
from wavebind.models.strands import both_strands
from wavebind.models.stretches import StretchScorer, can_share
from wavebind.motifs.jaspar import all_motifs
from wavebind.motifs.pwms import best_hits

LENGTH = 72
OPTIONS = {"stem_kernel": 9, "pool": 4, "band_width": 8, "position_width": 12, "position_blocks": 2}


def some_motifs(n: int = 12):
    """Of many widths, the widest and the narrowest among them."""
    motifs = sorted(all_motifs(), key=lambda motif: motif.width)
    return [motifs[i] for i in np.linspace(0, len(motifs) - 1, n).astype(int)]


def windows(n: int, length: int = LENGTH, seed: int = 0) -> np.ndarray:
    codes = np.random.default_rng(seed).integers(0, 4, (n, length)).astype(np.uint8)
    codes[::3, 20:29] = 4
    return codes


def module(n: int = 12) -> Matrices:
    found = Matrices(n)
    found.set([torch.from_numpy(motif.log_odds()).float() for motif in some_motifs(n)])
    return found


def model_with_matrices(length: int = LENGTH, **changes: object):
    names = tuple(motif.label for motif in some_motifs())
    config = ModelConfig(length, front="signal", options=OPTIONS, matrices=names, **changes)
    model = build_model(config, torch.Generator().manual_seed(0)).eval()
    perturb(model, "backbone.network.")
    beside = model.backbone
    assert isinstance(beside, BesideMatrices)
    with torch.no_grad():
        beside.matrices.set([torch.from_numpy(m.log_odds()).float() for m in some_motifs()])
        beside.matrices.head.weight.uniform_(-0.1, 0.3, generator=torch.Generator().manual_seed(2))
    return model


def test_hits_are_those_of_the_matrices() -> None:
    codes = windows(30)
    found = module().hits(to_onehot(torch.from_numpy(codes)))
    expected = best_hits(codes, some_motifs()).score
    assert expected.std(axis=0).min() > 0.1
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(("length", "step"), [(72, 4), (72, 1), (40, 4), (37, 4), (40, 8), (96, 7)])
def test_windows_of_a_stretch_have_the_hits_of_the_windows(length: int, step: int) -> None:
    stretch = windows(2, 331, seed=3)
    found = module().window_hits(to_onehot(torch.from_numpy(stretch)), length, step)
    starts = np.arange(0, 331 - length + 1, step)
    assert found.shape == (2, 12, len(starts))
    for row, hits in zip(stretch, found, strict=True):
        cut = np.stack([row[start : start + length] for start in starts])
        np.testing.assert_allclose(hits.T, best_hits(cut, some_motifs()).score, atol=1e-4)


def test_the_logit_is_that_of_the_network_and_what_hits_add() -> None:
    model, codes = model_with_matrices(), windows(9)
    beside = model.backbone
    planes = model.features(torch.from_numpy(codes))
    with torch.no_grad():
        own = beside.network(planes)[:, 0].numpy()
        found = model(torch.from_numpy(codes)).numpy()
        by_segments = model.finish(model.run_segments(planes, 0)).numpy()
    added = best_hits(codes, some_motifs()).score @ beside.matrices.head.weight[0].detach().numpy()
    assert added.std() > 0.1
    np.testing.assert_allclose(found, own + added, atol=1e-4)
    np.testing.assert_allclose(by_segments, found, atol=1e-5)


def test_hits_count_on_either_strand() -> None:
    codes = windows(20)
    turned = np.stack([reverse_complement(row) for row in codes])
    matrices = module()
    one, other = (matrices(to_onehot(torch.from_numpy(x))).detach() for x in (codes, turned))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("length", "stride"), [(72, 4), (72, 1), (75, 6)])
def test_a_scan_is_exact(length: int, stride: int) -> None:
    model = model_with_matrices(length)
    codes = windows(1, 700, seed=5)[0]
    codes[300:330] = 4
    assert can_share(model)
    starts = np.arange(3, 700 - length + 1, stride)
    found = StretchScorer(model, bf16=False, block=240).logits(codes, starts)
    cut = np.stack([codes[start : start + length] for start in starts])
    expected = predict_logits(model, cut, bf16=False)
    assert expected.std() > 0.05
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_changes_along_a_stretch_are_exact() -> None:
    model = model_with_matrices()
    codes = windows(2, 2 * LENGTH - 1, seed=6)
    which = np.tile([0, 1], 3)
    others = codes[which].copy()
    others[:, 70:72] = (others[:, 70:72] + np.arange(1, 4).repeat(2)[:, None]) % 4
    starts = np.arange(0, LENGTH, 4)
    whole, found = StretchScorer(model, bf16=False).changed(codes, others, which, starts)
    for got, stretches in ((whole, codes), (found, others)):
        cut = np.stack([row[start : start + LENGTH] for row in stretches for start in starts])
        expected = predict_logits(model, cut, bf16=False).reshape(got.shape)
        np.testing.assert_allclose(got, expected, atol=1e-4)
    network = without_matrices(model)
    alone = StretchScorer(network, bf16=False).changed(codes, others, which, starts)[1]
    assert np.abs(found - alone).max() > 0.05


@pytest.mark.parametrize("length", [1, 20, LENGTH])
def test_hits_of_mutants_are_those_of_their_windows(length: int) -> None:
    codes = windows(1, LENGTH + 15, seed=7)[0][15 : 15 + length]
    found = module().mutant_hits(to_onehot(torch.from_numpy(codes[None]))[0])
    assert found.shape == (length, 4, 12)
    mutants = np.tile(codes, (length, 4, 1))
    for base in range(4):
        mutants[np.arange(length), base, np.arange(length)] = base
    whole = to_onehot(torch.from_numpy(mutants.reshape(-1, length)))
    expected = module().hits(whole).view(length, 4, 12)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_several_outputs_have_weights_of_their_own() -> None:
    model = model_with_matrices(outputs=("A", "B"))
    with torch.no_grad():
        model.backbone.matrices.head.weight[1] = 0
    codes = windows(8)
    added = model.backbone.matrices(model.features(torch.from_numpy(codes))[:, :, 0]).detach()
    assert added.shape == (8, 2)
    assert not added[:, 1].any()
    found = StretchScorer(model, bf16=False).batch(codes, np.array([0]))
    np.testing.assert_allclose(found[:, 0], predict_logits(model, codes, bf16=False), atol=1e-4)


def test_explanations_see_the_matrices() -> None:
    model, codes = model_with_matrices(), torch.from_numpy(windows(2, seed=2))
    mutants = mutant_logits(model, codes)
    changed = codes[0].repeat(4, 1)
    changed[:, 40] = torch.arange(4)
    with torch.no_grad():
        torch.testing.assert_close(mutants[0, 40], both_strands(model, changed))
        rise = both_strands(model, codes) - both_strands(model, torch.full_like(codes, 4))
    assert mutants.shape == (2, LENGTH, 4)
    mine = without_matrices(model)
    torch.testing.assert_close(mine(codes), model.backbone.network(model.features(codes))[:, 0])
    scores = integrated_gradients(model, codes)
    sums = (scores * to_onehot(codes).transpose(1, 2)).sum((1, 2))
    torch.testing.assert_close(sums, rise, rtol=0.01, atol=0.01)
    # Captum, through both parts at once.
    averaged = _captum_gradients(_OneHot(model), to_onehot(codes), 512)
    torch.testing.assert_close(scores.transpose(1, 2), averaged, rtol=0.01, atol=0.005)
    assert len(grad_cam(model, codes, ("positions",))) == 2
    shap = deep_lift_shap(model, codes, n=4)
    # What one matrix adds is in it: without its weight the scores are others.
    with torch.no_grad():
        model.backbone.matrices.head.weight.zero_()
    assert not torch.allclose(shap, deep_lift_shap(model, codes, n=4), atol=1e-3)


def test_a_file_keeps_them(tmp_path) -> None:
    model, codes = model_with_matrices(), windows(6)
    save_model(tmp_path / "m.safetensors", model, ModelCard(model.config, (0.5,), 0, 1))
    read, card = load_model(tmp_path / "m.safetensors")
    assert card.model.matrices == tuple(motif.label for motif in some_motifs())
    np.testing.assert_array_equal(predict_logits(read, codes), predict_logits(model, codes))


def test_calibration_scales_both_parts_once() -> None:
    model, codes = model_with_matrices(), windows(6)
    before = predict_logits(model, codes, bf16=False)
    model.load_state_dict(calibrated(model, [PlattScaling(0.5, -0.7)]))
    np.testing.assert_allclose(
        predict_logits(model, codes, bf16=False), 0.5 * before - 0.7, atol=1e-5
    )


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match=r"matrices stand beside networks that read one-hot"):
        build_model(ModelConfig(200, matrices=("MA0139.1 CTCF",)), torch.Generator())
    config = ModelConfig(200, front="signal", options=OPTIONS, matrices=("a", "b"))
    with pytest.raises(InputError, match=r"at most 256 matrices are used; found 257"):
        build_model(replace(config, matrices=tuple(map(str, range(257)))), torch.Generator())
    with pytest.raises(InputError, match=r"beside one network, not beside a mean of several"):
        replace(config, networks=2)


def test_widths_of_a_damaged_file_are_bounded() -> None:
    matrices = module()
    matrices.widths[:] = torch.tensor([0, -3, 10**9] * 4)
    found = matrices.hits(to_onehot(torch.from_numpy(windows(3))))
    assert found.shape == (3, 12)
    assert MAX_WIDTH <= LENGTH


def test_the_exported_network_is_the_same(tmp_path) -> None:
    import onnxruntime

    from wavebind.predict.onnx import export_onnx

    model, codes = model_with_matrices(), windows(12)
    export_onnx(model, ModelCard(model.config, (0.5,), 0, 1), tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    found = session.run(
        None, {session.get_inputs()[0].name: to_onehot(torch.from_numpy(codes)).numpy()}
    )
    np.testing.assert_allclose(
        found[0].ravel(), predict_logits(model, codes, bf16=False), atol=1e-4
    )
