"""Recipes told apart on training windows that were left over."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from benchmark_calls import call, fails
from helpers import LENGTH
from wavebind.datasets.dataset import open_dataset
from wavebind.models import load_model
from wavebind.models.prediction import predict_logits


@pytest.mark.slow
def test_what_was_left_over_is_scored(trained, tmp_path):
    """Against scikit-learn, and letters read from the dataset's own file."""
    for name, front in (("a", "wavelets"), ("b", "signal")):
        text = f'about = "{name}"\nsource = "-"\nbackbone = "scalenet"\nfront = "{front}"\n'
        (tmp_path / f"{name}.toml").write_text(text + "[training]\nepochs = 1\nbatch_size = 16\n")
    table = call(
        "leftover.py", trained[1], tmp_path / "a.toml", tmp_path / "b.toml", "--train-bound", 30,
        "--seed", 4, "--out", tmp_path / "runs",
    )  # fmt: skip
    rows = {line[:14].strip(): line[14:].split() for line in table.splitlines()[1:]}
    assert list(rows) == ["a", "b", "their mean"]
    data = open_dataset(trained[1])
    kept = set(data.with_fewer(30, np.random.default_rng(4)).indices("train").tolist())
    rest = np.array([i for i in data.indices("train") if i not in kept])
    assert (data.labels[rest] == 1).sum() == (data.labels[data.indices("train")] == 1).sum() - 30
    codes = np.load(trained[1] / "codes.npy")[rest]
    logits = []
    for name in ("a", "b"):
        run = tmp_path / "runs" / name / "run"
        model = load_model(run / "model.safetensors", torch.device("cpu"))[0]
        with torch.inference_mode():
            both = [model.eval()(torch.from_numpy(c.copy())) for c in (codes, 3 - codes[:, ::-1])]
        logits.append(((both[0] + both[1]) / 2).numpy())
        found = roc_auc_score(data.labels[rest], logits[-1])
        assert float(rows[name][0]) == pytest.approx(found, abs=0.01)
    mean = roc_auc_score(data.labels[rest], sum(logits))
    assert float(rows["their mean"][0]) == pytest.approx(mean, abs=0.01)
    assert rows["a"][2] == "+0.0000"


@pytest.mark.slow
def test_middles_of_the_windows_are_compared(trained, tmp_path):
    text = 'about = "a"\nsource = "-"\nbackbone = "scalenet"\nfront = "signal"\n'
    (tmp_path / "a.toml").write_text(text + "[training]\nepochs = 1\nbatch_size = 16\n")
    words = ["leftover.py", trained[1], tmp_path / "a.toml", "--train-bound", 30]
    table = call(*words, "--seed", 4, "--lengths", LENGTH, 21, "--out", tmp_path / "runs")
    rows = {line[:14].strip(): line[14:].split() for line in table.splitlines()[1:]}
    assert list(rows) == [f"a, {LENGTH} bp", "a, 21 bp"]
    data = open_dataset(trained[1])
    kept = set(data.with_fewer(30, np.random.default_rng(4)).indices("train").tolist())
    rest = np.array([i for i in data.indices("train") if i not in kept])
    first = (LENGTH - 21) // 2
    for length, codes in ((LENGTH, data.codes), (21, data.codes[:, first : first + 21])):
        run = tmp_path / "runs" / f"a-{length}bp" / "run"
        model, card = load_model(run / "model.safetensors", torch.device("cpu"))
        assert card.model.length == length
        found = roc_auc_score(data.labels[rest], predict_logits(model, np.array(codes), rest))
        assert float(rows[f"a, {length} bp"][0]) == pytest.approx(found, abs=6e-5)
    message = fails(*words, "--lengths", LENGTH + 1, 30, "--out", tmp_path / "none")
    assert f"--lengths are from 20 to the windows' own, {LENGTH}" in message
    message = fails(*words, "--lengths", 30, 30, "--out", tmp_path / "none")
    assert "two recipes have one name, or a length is there twice: a, 30 bp" in message
