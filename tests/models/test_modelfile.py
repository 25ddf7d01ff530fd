import json
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from wavebind.core.errors import InputError
from wavebind.models import ModelCard, ModelConfig, build_model, load_model, save_model


@pytest.fixture
def model():
    return build_model(ModelConfig(48), torch.Generator().manual_seed(0)).eval()


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, model, ModelCard(model.config, (0.25,), seed=3, epoch=2))
    return path


def test_a_model_comes_back(model, saved):
    loaded, card = load_model(saved)
    codes = torch.randint(0, 4, (3, 48), dtype=torch.uint8)
    assert torch.equal(loaded(codes), model(codes))
    assert (card.threshold, card.seed, card.epoch) == (0.25, 3, 2)
    assert card.model == model.config
    assert card.labels == ("unbound", "bound")
    assert "torch" in card.versions
    assert not loaded.training


def rewrite(path, tensors=None, header=None):
    with safe_open(path, "pt") as file:
        old = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = file.metadata()["wavebind"]
    card = json.loads(text)
    if header:
        card.update(header)
    save_file(tensors(old) if tensors else old, path, metadata={"wavebind": json.dumps(card)})


def drop(tensors):
    tensors.pop("backbone.head.bias")
    return tensors


def nan(tensors):
    tensors["backbone.head.bias"] = torch.tensor([float("nan")])
    return tensors


def shape(tensors):
    tensors["backbone.head.bias"] = torch.zeros(2)
    return tensors


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("/tmp/wavebind-was-here"),)  # noqa: S108


def damage(path, kind):
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Evil()))
    elif kind == "checkpoint":
        torch.save({"a": torch.zeros(2)}, path)
    elif kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("data.pkl", b"\0" * 10_000_000)
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif kind == "header length":
        path.write_bytes((2**62).to_bytes(8, "little") + b"{}")
    elif kind == "other":
        save_file({"a": torch.zeros(1)}, path)
    elif kind == "json":
        save_file({"a": torch.zeros(1)}, path, metadata={"wavebind": "{"})
    elif kind == "missing":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("pickle", "is not a whole safetensors file"),
        ("checkpoint", "is not a whole safetensors file"),
        ("zip", "is not a whole safetensors file"),
        ("truncated", "is not a whole safetensors file"),
        ("header length", "is not a whole safetensors file"),
        ("other", "is a safetensors file, but not a model of wavebind"),
        ("json", "the header is not JSON"),
        ("missing", "no such file"),
        ("empty", "the file is empty"),
    ],
)
def test_files_that_are_not_models(saved, kind, message):
    damage(saved, kind)
    with pytest.raises(InputError, match=message):
        load_model(saved)
    assert not Path("/tmp/wavebind-was-here").exists()  # noqa: S108


@pytest.mark.parametrize(
    ("tensors", "header", "message"),
    [
        (drop, None, "'backbone.head.bias' is missing"),
        (nan, None, "'backbone.head.bias' holds numbers that are not finite"),
        (shape, None, r"has shape \(2,\); the configuration gives \(1,\)"),
        (None, {"format": 4}, "format 4; this version .* reads formats 2 and 3"),
        (None, {"format": 2}, "is a scalenet of version 0.1, whose layers padded"),
        (None, {"thresholds": [0.5, 0.5]}, "has 1 outputs and 2 entries of thresholds"),
        (None, {"calibration": [{"slope": -1.0}]}, "a calibration has a positive slope"),
        (None, {"thresholds": [7.0]}, "the threshold must be a probability"),
        (None, {"thresholds": ["x"]}, "thresholds.0: Input should be a valid number"),
        (None, {"model": {"length": 48, "backbone": "vgg"}}, "model 'vgg' is not known"),
        (None, {"model": {"length": 48, "code": "x"}}, "model.code: "),
        (None, {"surprise": 1}, "surprise: "),
    ],
)
def test_models_that_do_not_fit_their_header(saved, tensors, header, message):
    rewrite(saved, tensors, header)
    with pytest.raises(InputError, match=message):
        load_model(saved)
