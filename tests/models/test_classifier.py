import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.models import Classifier, ModelConfig, build_model
from wavebind.models.networks.scalenet import ScaleNet, ScaleNetConfig
from wavebind.wavelets.scalograms import ScalogramConfig


def codes(n, length=48, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 5, (n, length), generator=generator, dtype=torch.uint8)


def small(seed=0, **options):
    return build_model(ModelConfig(48, options=options), torch.Generator().manual_seed(seed))


def test_one_logit_a_window():
    model = small().eval()
    logits = model(codes(5))
    assert logits.shape == (5,)
    torch.testing.assert_close(
        logits, torch.cat([model(c[None]) for c in codes(5)]), atol=1e-4, rtol=1e-4
    )


def test_the_seed_decides_the_weights_and_nothing_else_is_seeded():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    a, b, c = small(1), small(1), small(2)
    torch.testing.assert_close(torch.rand(3), expected)
    for x, y in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(x, y)
    assert not all(torch.equal(x, y) for x, y in zip(a.parameters(), c.parameters(), strict=True))


def test_the_default_is_small():
    model = Classifier(ModelConfig(200))
    assert 100_000 < model.n_weights < 2_000_000
    assert model.front.shape == (8, 16, 174)


def test_every_weight_gets_a_gradient():
    model = small()
    model(codes(8)).square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def test_stages_are_maps_over_scale_and_position():
    model = small().eval()
    shapes = {}
    handles = [
        module.register_forward_hook(lambda m, a, out, name=name: shapes.update({name: out.shape}))
        for name, (module,) in model.stages().items()
    ]
    model(codes(2))
    for handle in handles:
        handle.remove()
    assert list(shapes) == ["bands", "join", "positions"]
    assert shapes["bands"][2] > 1
    assert shapes["join"][2] == shapes["positions"][2] == 1
    assert all(len(shape) == 4 for shape in shapes.values())


def test_configurations_are_resolved_and_checked():
    model = Classifier(ModelConfig(48, options={"band_width": 8}))
    assert model.config.options["band_width"] == 8
    assert model.config.options["kernel"] == ScaleNetConfig().kernel


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ModelConfig(48, backbone="vgg"),
            "model 'vgg' is not known; choose one of: scalenet, pyramidnet, cnn",
        ),
        (lambda: ModelConfig(10), "windows of 10 bp are shorter than a binding site"),
        (lambda: ModelConfig(48, options={"size": 3}), "options of scalenet: size: "),
        (lambda: ModelConfig(48, options={"kernel": "x"}), "options of scalenet: kernel: "),
        (lambda: ScaleNetConfig(kernel=4), "kernel must be odd; found 4"),
        (lambda: ScaleNetConfig(dropout=1.0), "dropout must be below 1"),
        (lambda: ScaleNetConfig(pool=0), "pool must be 1 or more"),
        (lambda: ScaleNetConfig(band_blocks=-1), "band_blocks must be 0 or more"),
        (lambda: ScaleNetConfig(dilations=()), "dilations must be 1 or more"),
        (
            lambda: ScaleNet(ScaleNetConfig(), (8, 3, 100)),
            "at least 4 scales and 8 positions; found 3",
        ),
        (
            lambda: Classifier(ModelConfig(48, ScalogramConfig(n_scales=2))),
            "at least 4 scales",
        ),
    ],
)
def test_configurations_that_are_not(make, message):
    with pytest.raises(InputError, match=message):
        make()
