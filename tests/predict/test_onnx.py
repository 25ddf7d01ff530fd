import builtins
import json

import numpy as np
import pytest
import torch

from wavebind.models import ModelCard, ModelConfig, build_model, load_model, save_model
from wavebind.models.prediction import predict_logits
from wavebind.models.rundir import RunDir
from wavebind.wavelets.images import ImageConfig
from wavebind.wavelets.scalograms import ScalogramConfig

CONFIGS = {
    "default": None,
    "image": ModelConfig(
        48,
        ScalogramConfig("integer", outputs=("modulus",), n_scales=8),
        "resnet18",
        {},
        ImageConfig(size=(32, 32)),
    ),
    "ensemble": ModelConfig(48, options={"band_width": 8, "position_width": 12}, networks=2),
    "several outputs": ModelConfig(48, backbone="efficientnet-lite0", outputs=("a", "b")),
}


@pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=pytest.mark.slow) for k in CONFIGS],
)
def test_another_runtime_gives_the_same_numbers(cli, run_copy, tmp_path, kind):
    import onnxruntime

    run, _ = run_copy
    if CONFIGS[kind] is not None:
        model = build_model(CONFIGS[kind], torch.Generator().manual_seed(0))
        n = len(CONFIGS[kind].outputs)
        save_model(RunDir(run).model, model, ModelCard(model.config, (0.5,) * n, 0, 1))
    code, out, err = cli("export", run, "--onnx", tmp_path / "m.onnx")
    assert code == 0, err
    assert out.strip() == f"written: {tmp_path / 'm.onnx'}"
    model, card = load_model(RunDir(run).model)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, (9, 48), dtype=np.uint8)
    codes[:5] %= 4
    onehot = np.zeros((9, 4, 48), dtype=np.float32)
    for base in range(4):
        onehot[:, base] = codes == base
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    logits, scores = session.run(None, {"onehot": onehot})
    expected = predict_logits(model, codes, bf16=False).reshape(9, -1)
    np.testing.assert_allclose(logits, expected, atol=1e-3)
    for j in range(expected.shape[1]):
        np.testing.assert_allclose(scores[:, j], card.probabilities(expected[:, j], j), atol=1e-3)
    assert session.run(None, {"onehot": onehot[:1]})[0].shape == (1, expected.shape[1])
    about = session.get_modelmeta().custom_metadata_map["wavebind"]
    assert json.loads(about)["model"]["length"] == 48


def test_without_the_packages(cli, trained, tmp_path, monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name == "onnx":
            raise ModuleNotFoundError("no", name="onnx")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    code, _, err = cli("export", trained[0], "--onnx", tmp_path / "m.onnx")
    assert code == 1
    assert "export needs the package onnx; install it with \"pip install 'wavebind[onnx]'\"" in err
    assert not (tmp_path / "m.onnx").exists()
