import shutil
from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from helpers import Interrupting
from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import read_json
from wavebind.datasets.dataset import open_dataset
from wavebind.models import ModelConfig, build_model
from wavebind.models.images import featurecache
from wavebind.models.images.featurecache import feature_key, frozen_features
from wavebind.models.rundir import RunDir
from wavebind.training.train import Devices, TrainingConfig, train
from wavebind.wavelets.images import ImageConfig
from wavebind.wavelets.scalograms import ScalogramConfig

IMAGE = ModelConfig(
    48,
    ScalogramConfig("integer", outputs=("modulus",), n_scales=8),
    "resnet18",
    {},
    ImageConfig(size=(32, 32)),
)
CONFIG = TrainingConfig(
    epochs=2, batch_size=32, train=("layer4",), strand=False, max_shift=0, redraw=False,
    unbound_ratio=0.5, learning_rate=1e-3, averaging=0.0,
)  # fmt: skip


@pytest.fixture
def data(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "cache"))
    return open_dataset(trained[1])


def model(seed=0, config=IMAGE):
    return build_model(config, torch.Generator().manual_seed(seed)).eval()


def test_what_is_kept_is_the_output_of_the_segments(data):
    network = model()
    indices = data.indices("test")[:70]
    found = frozen_features(network, 3, data, indices, strands=2)
    assert found.shape == (70, 2, 128, 4, 4)
    codes = torch.from_numpy(data.codes[indices])
    with torch.no_grad():
        expected = network.run_segments(network.features(codes), 0, 3)
        other = torch.where(codes < 4, 3 - codes, codes).flip(-1)
        reverse = network.run_segments(network.features(other), 0, 3)
    stored = torch.from_numpy(np.array(found)).view(torch.bfloat16).float()
    torch.testing.assert_close(stored[:, 0], expected, rtol=0.03, atol=0.03)
    torch.testing.assert_close(stored[:, 1], reverse, rtol=0.03, atol=0.03)


def test_it_is_computed_once(data, tmp_path):
    seen = []
    for _ in range(2):
        frozen_features(model(), 3, data, data.indices("test"), progress=seen.append)
    assert sum(seen) == len(data.indices("test"))
    assert len(list((tmp_path / "cache" / "features").iterdir())) == 1


def test_whatever_it_depends_on_changes_its_name(data):
    indices = data.indices("test")
    base = feature_key(model(), 3, data, indices, 1)
    assert feature_key(model(), 3, data, indices, 1) == base
    other_data = replace(data, description={**data.description, "codes_sha256": "x"})
    scaled = model()
    scaled.normalise.set([0.5], [2.0])
    moved = model()
    with torch.no_grad():
        moved.backbone.bn1.running_mean += 1
    other = ModelConfig(
        48, replace(IMAGE.scalogram, padding="reflect"), "resnet18", {}, IMAGE.image
    )
    picture = replace(IMAGE, image=ImageConfig(size=(32, 32), colours="viridis"))
    keys = [
        feature_key(model(1), 3, data, indices, 1),
        feature_key(model(), 2, data, indices, 1),
        feature_key(model(), 3, data, indices, 2),
        feature_key(model(), 3, data, indices[:-1], 1),
        feature_key(model(), 3, other_data, indices, 1),
        feature_key(scaled, 3, data, indices, 1),
        feature_key(moved, 3, data, indices, 1),
        feature_key(model(0, other), 3, data, indices, 1),
        feature_key(model(0, picture), 3, data, indices, 1),
    ]
    assert len({base, *keys}) == len(keys) + 1
    # What comes after the frozen segments makes no difference.
    late = model()
    with torch.no_grad():
        late.backbone.fc.weight += 1
    assert feature_key(late, 3, data, indices, 1) == base


@pytest.mark.slow
def test_training_on_the_cache_is_training_without_it(data, tmp_path):
    histories = []
    for name, cache in (("a", True), ("b", False)):
        train(data, tmp_path / name, IMAGE, replace(CONFIG, cache=cache), devices=Devices("cpu"))
        histories.append(read_json(RunDir(tmp_path / name).history))
    assert len(list((tmp_path / "cache" / "features").iterdir())) == 2
    for a, b in zip(*histories, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=0.05)
        assert a["valid_auroc"] == pytest.approx(b["valid_auroc"], abs=0.02)


@pytest.mark.slow
def test_what_is_frozen_does_not_move(data, tmp_path):
    """Weights and the statistics of batch normalisation, on the cache or off it."""
    from wavebind.models import load_model
    from wavebind.training.initial import initial_model

    before = initial_model(IMAGE, CONFIG, data).state_dict()
    for cache in (True, False):
        out = tmp_path / f"run{cache}"
        train(data, out, IMAGE, replace(CONFIG, cache=cache), devices=Devices("cpu"))
        after = load_model(out / "model.safetensors")[0].state_dict()
        for name, old in before.items():
            moved = not torch.equal(old, after[name])
            trained = name.startswith(("backbone.layer4", "backbone.fc"))
            assert moved == trained, name


def test_windows_that_change_are_not_kept(data, tmp_path):
    config = replace(CONFIG, strand=True, epochs=1)
    train(data, tmp_path / "r", IMAGE, config, devices=Devices("cpu"))
    assert not (tmp_path / "cache" / "features").exists()


def test_a_disk_with_too_little_room(data, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 1000))
    with pytest.raises(InputError, match=r"needs 0\.\d GB and the disk has 0\.0 GB; set WAVEBIND"):
        frozen_features(model(), 3, data, data.indices("test"))


def test_an_interrupted_computation_leaves_nothing(data, tmp_path, monkeypatch):
    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(featurecache, "reverse_complement_batch", broken)
    with pytest.raises(KeyboardInterrupt):
        frozen_features(model(), 3, data, data.indices("test"))
    assert list((tmp_path / "cache" / "features").iterdir()) == []


def test_stages_that_are_not(cli, trained, tmp_path):
    code, _, err = cli(
        "train", trained[1], "--out", tmp_path / "r", "--set", "training.train=layer9"
    )
    assert code == 1
    assert "stage 'layer9' of the network is not known; choose among all, stem, bands" in err
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_an_interrupted_run_goes_on_with_the_frozen_weights_it_had(data, tmp_path):
    other = model(seed=9).backbone.state_dict()
    save_file({k: v.contiguous() for k, v in other.items()}, tmp_path / "w.safetensors")
    config = replace(CONFIG, weights=str(tmp_path / "w.safetensors"))
    train(data, tmp_path / "whole", IMAGE, config, devices=Devices("cpu"))
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "r", IMAGE, config, devices=Devices("cpu"), on_event=Interrupting(8))
    assert (tmp_path / "r" / "checkpoints" / "last.ckpt").is_file()
    # Neither the file nor the cache need be there any more.
    (tmp_path / "w.safetensors").unlink()
    shutil.rmtree(tmp_path / "cache")
    train(data, tmp_path / "r", IMAGE, config, devices=Devices("cpu"), resume=True)
    histories = [read_json(RunDir(tmp_path / name).history) for name in ("whole", "r")]
    for whole, resumed in zip(*histories, strict=True):
        for key in ("loss", "valid_auroc", "valid_loss"):
            assert whole[key] == resumed[key], key
