import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.models import Classifier, ModelConfig, build_model, get_backbone
from wavebind.models.networks.cnn import CNNConfig
from wavebind.models.networks.danq import DanQConfig
from wavebind.models.networks.deepbind import DeepBindConfig
from wavebind.training.recipes import load_recipe

NETWORKS = ("cnn", "deepbind", "danq")


def codes(n, length=64):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 5, (n, length), generator=generator, dtype=torch.uint8)


def build(name, length=64, **options):
    return build_model(
        ModelConfig(length, backbone=name, options=options), torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_they_read_the_sequence_and_nothing_else(name):
    model = build(name).eval()
    assert model.config.front == "signal"
    assert model.front.shape == (4, 1, 64)
    logits = model(codes(5))
    assert logits.shape == (5,)
    alone = torch.cat([model(row[None]) for row in codes(5)])
    torch.testing.assert_close(logits, alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_gets_a_gradient(name):
    model = build(name).train()
    model(codes(16)).square().sum().backward()
    for weight_name, weight in model.named_parameters():
        assert weight.grad is not None, weight_name
        assert weight.grad.abs().sum() > 0, weight_name


@pytest.mark.parametrize("name", NETWORKS)
def test_they_are_of_the_size_of_scalenet(name):
    scalenet = Classifier(ModelConfig(200)).n_weights
    assert 0.7 * scalenet < Classifier(ModelConfig(200, backbone=name)).n_weights < 1.1 * scalenet


def test_cnn_is_what_its_parts_make():
    model = build("cnn", widths=[8, 6], kernels=[5, 3], pools=[2, 4], hidden=7).eval()
    x = model.features(codes(3)).squeeze(2)
    network = model.backbone
    for layer, pool in zip(network.layers, (2, 4), strict=True):
        weight = layer.conv.weight.squeeze(2)
        x = torch.nn.functional.conv1d(x, weight, padding=weight.shape[-1] // 2)
        norm = layer.norm
        x = (x - norm.running_mean[:, None]) / (norm.running_var + norm.eps).sqrt()[:, None]
        x = (x * norm.weight[:, None] + norm.bias[:, None]).clamp_min(0)
        x = x.unfold(-1, pool, pool).amax(-1)
    pooled = torch.cat([x.amax(-1), x.mean(-1)], 1)
    hidden = (pooled @ network.hidden.weight.T + network.hidden.bias).clamp_min(0)
    expected = (hidden @ network.head.weight.T + network.head.bias).squeeze(1)
    torch.testing.assert_close(model(codes(3)), expected, atol=1e-5, rtol=1e-5)


def test_deepbind_does_not_care_where_a_motif_is():
    model = build("deepbind", length=100, width=16, kernel=9).eval()
    generator = torch.Generator().manual_seed(1)
    motif = torch.randint(0, 4, (12,), generator=generator, dtype=torch.uint8)
    rows = torch.full((2, 100), 4, dtype=torch.uint8)
    rows[0, 20:32] = motif
    rows[1, 61:73] = motif
    first, second = model(rows).tolist()
    assert first == pytest.approx(second, abs=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_recipe_changes_network_and_front_together(name):
    recipe = load_recipe("ruggeri2025").with_backbone(name)
    model = recipe.model(200)
    assert model.resolved().front == "signal"
    assert model.image is None
    assert get_backbone(name).front == "signal"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Classifier(ModelConfig(200, backbone="cnn", front="wavelets")),
            "cnn reads the encoded sequence, and was given 16 scales; leave the front to the",
        ),
        (lambda: build("danq", 20), "danq needs windows of 26 bp or more with these settings"),
        (lambda: CNNConfig(widths=(3, 4)), "one entry a layer each; found 2, 3 and 3"),
        (lambda: CNNConfig(hidden=0), "hidden must be 1 or more; found 0"),
        (lambda: DeepBindConfig(width=0), "width must be 1 or more; found 0"),
        (lambda: DanQConfig(dropout=1.0), "dropout must be below 1; found 1.0"),
    ],
)
def test_errors_say_what_to_do(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS])
def test_they_train_predict_and_explain(name, trained, tmp_path, cli):
    run = tmp_path / "run"
    arguments = [
        "--epochs",
        2,
        "--set",
        "training.batch_size=20",
        "--set",
        "training.max_shift=0",
        "--device",
        "cpu",
    ]
    code, _, err = cli("train", trained[1], "--out", run, "--model", name, *arguments)
    assert code == 0, err
    code, _, err = cli("evaluate", run, trained[1])
    assert code == 0, err
    code, _, err = cli("explain", run, trained[1], "--n", 2)
    assert code == 0, err
