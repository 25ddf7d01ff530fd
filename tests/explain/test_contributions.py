import numpy as np
import pytest
import torch

from helpers import LENGTH, planted_windows
from wavebind.core.errors import InputError
from wavebind.explain.contributions import (
    integrated_gradients,
    mutagenesis,
    mutant_logits,
    occlusion,
    to_onehot,
)
from wavebind.models import Classifier, ModelConfig, build_model, load_model
from wavebind.models.strands import both_strands
from wavebind.wavelets.encodings import ENCODINGS, encode_onehot, encoding_table
from wavebind.wavelets.images import ImageConfig
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained[0] / "model.safetensors")[0]


def windows(n, length=LENGTH, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (n, length), dtype=np.uint8)
    codes[0, 5:8] = 4
    return torch.from_numpy(codes)


def logit(model, codes):
    with torch.inference_mode():
        return both_strands(model, codes).double()


def networks():
    """One of each kind of beginning: affine in part, not at all, and without a transform."""
    generator = torch.Generator().manual_seed(0)
    small = ScalogramConfig(n_scales=8, max_period=32.0, stride=2)
    yield "scalenet", build_model(ModelConfig(LENGTH, small), generator)
    modulus = ScalogramConfig(n_scales=8, max_period=32.0, outputs=("modulus",))
    yield "modulus", build_model(ModelConfig(LENGTH, modulus), generator)
    yield "signal", build_model(ModelConfig(LENGTH, small, front="signal"), generator)
    yield "cnn", build_model(ModelConfig(LENGTH, backbone="cnn"), generator)
    yield "danq", build_model(ModelConfig(LENGTH, backbone="danq"), generator)
    curve = ScalogramConfig(encoding="walk", n_scales=8, max_period=32.0)
    yield "cumulated", build_model(ModelConfig(LENGTH, curve), generator)


NETWORKS = dict(networks())


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_one_hot_windows_give_the_same_features(encoding):
    codes = windows(4)
    config = ScalogramConfig(encoding=encoding, n_scales=6, max_period=24.0)
    model = Classifier(ModelConfig(LENGTH, config)).eval()
    found = model.features_of_onehot(to_onehot(codes))
    torch.testing.assert_close(found, model.features(codes), atol=1e-4, rtol=1e-4)


def test_signals_of_a_mixture_are_the_mixture_of_signals():
    table = encoding_table(ENCODINGS["onehot"])
    a, b = (to_onehot(windows(2, seed=s)) for s in (1, 2))
    mixed = encode_onehot(0.3 * a + 0.7 * b, table)
    torch.testing.assert_close(mixed, 0.3 * encode_onehot(a, table) + 0.7 * encode_onehot(b, table))


@pytest.mark.parametrize("name", NETWORKS)
def test_mutants_are_those_of_a_loop(name):
    model = NETWORKS[name].eval()
    assert bool(model.n_affine) == (name in ("scalenet", "signal"))
    codes = windows(2)
    found = mutant_logits(model, codes)
    for i, row in enumerate(codes):
        for position in (0, 5, 6, 17, LENGTH - 1):
            for base in range(4):
                mutant = row.clone()
                mutant[position] = base
                expected = logit(model, mutant[None])[0]
                assert found[i, position, base].item() == pytest.approx(expected.item(), abs=1e-4)


def test_mutants_of_a_trained_network_are_those_of_a_loop(model):
    codes = torch.from_numpy(planted_windows(2)[0])
    found = mutant_logits(model, codes)
    for i, row in enumerate(codes):
        mutants = row.repeat(LENGTH * 4, 1)
        for k in range(LENGTH * 4):
            mutants[k, k // 4] = k % 4
        expected = logit(model, mutants).view(LENGTH, 4)
        np.testing.assert_allclose(found[i].numpy(), expected.numpy(), atol=1e-4)


def test_mutagenesis_is_centred(model):
    codes = windows(2)
    scores = mutagenesis(model, codes)
    torch.testing.assert_close(scores.sum(-1), torch.zeros(2, LENGTH), atol=1e-4, rtol=0)
    assert scores.abs().max() > 0.01


@pytest.mark.parametrize("name", NETWORKS)
def test_integrated_gradients_are_complete(name):
    model = NETWORKS[name].eval()
    codes = windows(3)
    scores = integrated_gradients(model, codes)
    total = (scores * to_onehot(codes).transpose(1, 2)).sum((1, 2)).double()
    rise = logit(model, codes) - logit(model, torch.full_like(codes, 4))
    np.testing.assert_allclose(total.numpy(), rise.numpy(), rtol=0.01, atol=1e-3)


def test_integrated_gradients_of_a_trained_network_are_complete(model):
    codes = torch.from_numpy(planted_windows(8)[0])
    scores = integrated_gradients(model, codes)
    total = (scores * to_onehot(codes).transpose(1, 2)).sum((1, 2)).double()
    rise = logit(model, codes) - logit(model, torch.full_like(codes, 4))
    assert rise.min() > 1
    np.testing.assert_allclose(total.numpy(), rise.numpy(), rtol=0.01)


def test_the_short_way_is_that_of_captum(model):
    from wavebind.explain.contributions import (
        _average_gradients,
        _captum_gradients,
        _OneHot,
        evaluating,
    )

    onehot = to_onehot(torch.from_numpy(planted_windows(3)[0]))
    with evaluating(model):
        network = _OneHot(model).eval()
        short = _average_gradients(network, onehot, 16)
        expected = _captum_gradients(network, onehot, 16)
    torch.testing.assert_close(short, expected, atol=1e-3, rtol=1e-3)


def test_integrated_gradients_of_a_linear_network_are_its_weights():
    """A network that is linear in its input has one gradient everywhere."""
    config = ScalogramConfig(n_scales=8, max_period=32.0, stride=2)
    model = Classifier(ModelConfig(LENGTH, config)).eval()
    weights = torch.randn(model.front.shape, generator=torch.Generator().manual_seed(0))

    class Linear(torch.nn.Module):
        n_affine = 0

        def forward(self, x):
            return (x * weights).sum((1, 2, 3))[:, None]

    model.backbone = Linear()
    codes = windows(2)
    found = integrated_gradients(model, codes)
    front = Scalogram(config, LENGTH)
    for position in (0, 11, 40):
        for base in range(4):
            unit = torch.full((1, LENGTH), 4, dtype=torch.uint8)
            unit[0, position] = base
            turned = torch.full((1, LENGTH), 4, dtype=torch.uint8)
            turned[0, LENGTH - 1 - position] = 3 - base
            expected = sum((front(x) * weights).sum() for x in (unit, turned)) / 2
            for row in found:
                assert row[position, base].item() == pytest.approx(expected.item(), abs=1e-4)


@pytest.mark.parametrize("width", [1, 4])
def test_occlusion_is_that_of_a_loop(model, width):
    codes = windows(2)
    found = occlusion(model, codes, width)
    for i, row in enumerate(codes):
        whole = logit(model, row[None])[0].item()
        falls = []
        for start in range(LENGTH - width + 1):
            hidden = row.clone()
            hidden[start : start + width] = 4
            falls.append(whole - logit(model, hidden[None])[0].item())
        for position in (0, 3, 20, LENGTH - 1):
            over = [falls[s] for s in range(LENGTH - width + 1) if s <= position < s + width]
            expected = sum(over) / len(over) / width
            assert found[i, position].item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("method", [mutant_logits, integrated_gradients, occlusion])
def test_the_model_is_left_as_it_was(model, method):
    model.train()
    first = next(model.parameters())
    first.requires_grad_(requires_grad=False)
    others = [p for p in model.parameters() if p is not first]
    try:
        method(model, windows(1))
        with pytest.raises(InputError, match=f"is for windows of {LENGTH} bp"):
            method(model, windows(1, LENGTH + 2))
        assert model.training
        assert all(m.training for m in model.modules())
        assert not first.requires_grad
        assert all(p.requires_grad and p.grad is None for p in others)
    finally:
        model.requires_grad_(requires_grad=True)
        model.eval()


def test_what_cannot_be_explained_so(model):
    images = Classifier(ModelConfig(LENGTH, backbone="resnet18", image=ImageConfig(size=(32, 32))))
    with pytest.raises(
        InputError, match="reads images, whose colours have no gradient; explain it"
    ):
        integrated_gradients(images, windows(1))
    several = Classifier(ModelConfig(LENGTH, outputs=("a", "b")))
    with pytest.raises(InputError, match="several outputs; say which is explained: a, b"):
        mutagenesis(several, windows(1))
    with pytest.raises(InputError, match="a patch is from 1 to 47 bp wide; found 48"):
        occlusion(model, windows(1), LENGTH)


def test_images_are_mutated_as_they_are():
    config = ModelConfig(LENGTH, backbone="resnet18", image=ImageConfig(size=(32, 32)))
    model = build_model(config, torch.Generator().manual_seed(0)).eval()
    assert model.n_affine == 0
    codes = windows(1)
    found = mutant_logits(model, codes)
    mutant = codes.clone()
    mutant[0, 9] = 2
    assert found[0, 9, 2].item() == pytest.approx(logit(model, mutant)[0].item(), abs=1e-3)


def test_gradients_are_asked_for_in_batches_that_memory_holds(model, monkeypatch):
    sizes = []
    run = type(model).run_segments

    def counted(self, x, first, last=None):
        if last is None and x.requires_grad:
            sizes.append(len(x))
        return run(self, x, first, last)

    monkeypatch.setattr(type(model), "run_segments", counted)
    integrated_gradients(model, windows(40))
    assert sum(sizes) >= 40 * 32 * 2
    assert max(sizes) <= 128


def test_many_windows_of_a_network_without_an_affine_beginning(monkeypatch):
    """Captum warns of batches that are smaller than the number of windows."""
    monkeypatch.setattr("wavebind.explain.contributions._GRADIENT_BATCH", {"cpu": 2})
    codes = windows(5)
    together = integrated_gradients(NETWORKS["cnn"], codes)
    each = torch.cat([integrated_gradients(NETWORKS["cnn"], codes[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, each, atol=1e-5, rtol=1e-4)
