"""Training that begins with trained weights: against scikit-learn, and the weights themselves."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from helpers import MOTIF, random_dna, write_table
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import open_dataset
from wavebind.models import ModelCard, ModelConfig, build_model, load_model, save_model
from wavebind.models.prediction import predict_logits
from wavebind.training.batches import epoch_windows
from wavebind.training.config import TrainingConfig
from wavebind.training.initial import initial_model
from wavebind.training.starting import FINE_TUNING, misfit, settled_training
from wavebind.wavelets.images import ImageConfig
from wavebind.wavelets.scalograms import ScalogramConfig

OPTIONS = {"stem_kernel": 9, "pool": 2, "band_width": 8, "position_width": 12, "position_blocks": 2}
NETWORK = ModelConfig(48, front="signal", options=OPTIONS)
LABELS = ("A:x", "A:y", "B:x")


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory):
    """A model of three outputs whose weights and statistics are of no particular kind."""
    folder = tmp_path_factory.mktemp("start") / "many"
    folder.mkdir()
    generator = torch.Generator().manual_seed(5)
    model = build_model(replace(NETWORK, length=64, outputs=LABELS), generator).eval()
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    card = ModelCard(model.config, (0.5,) * 3, 0, 1)
    save_model(folder / "model.safetensors", model, card)
    (folder / "run.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    from wavebind.cli.main import run as run_cli

    folder = tmp_path_factory.mktemp("start-data")
    rng = np.random.default_rng(1)
    rows = []
    for part in ("train", "valid", "test"):
        for i in range(240):
            seq = random_dna(rng, 48)
            if i % 3 == 0:
                seq = seq[:9] + MOTIF + seq[9 + len(MOTIF) :]
            rows.append((seq, str(int(i % 3 == 0)), part))
    table = write_table(folder / "t.tsv", rows, "seq\tlabel\tsplit")
    assert run_cli(["dataset", str(table), "--out", str(folder / "data")]) == 0
    return folder / "data"


def test_the_head_begins_as_a_logistic_regression_on_the_trained_outputs(trained_run, data):
    opened = open_dataset(data)
    config = TrainingConfig(start=str(trained_run), seed=3, unbound_ratio=1.5)
    model = initial_model(NETWORK, config, opened).eval()
    trained, card = load_model(trained_run / "model.safetensors")
    # The same layers on windows of another length.
    other = build_model(replace(card.model, length=48), torch.Generator())
    other.load_state_dict(trained.state_dict())
    train = opened.indices("train")
    rows = np.sort(epoch_windows(opened.labels, train, config, 0))
    x = predict_logits(other, opened.codes, rows, bf16=False)
    scaler = StandardScaler().fit(x)
    expected = LogisticRegression(C=0.3, max_iter=1000).fit(
        scaler.transform(x), opened.labels[rows]
    )
    valid = opened.indices("valid")
    x = predict_logits(other, opened.codes, valid, bf16=False)
    np.testing.assert_allclose(
        predict_logits(model, opened.codes, valid, bf16=False),
        expected.decision_function(scaler.transform(x)),
        atol=1e-3,
    )
    for name, tensor in model.state_dict().items():
        if name.startswith("backbone.") and not name.startswith("backbone.head."):
            torch.testing.assert_close(tensor, trained.state_dict()[name])


def test_a_label_of_one_kind_begins_at_zero(trained_run, data):
    opened = open_dataset(data)
    targets = np.stack([opened.labels, np.zeros_like(opened.labels)], axis=1)
    several = replace(opened, outputs=("a", "b"), targets=targets)
    model = initial_model(
        replace(NETWORK, outputs=("a", "b")), TrainingConfig(start=str(trained_run)), several
    )
    head = model.backbone.head
    assert head.weight[0].abs().sum() > 0
    assert head.weight[1].abs().sum() == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"options": {**OPTIONS, "dropout": 0.5, "head_dropout": 0.0}}, ""),
        ({"length": 200}, ""),
        ({"outputs": ("a", "b")}, ""),
        ({"backbone": "cnn", "options": {}}, "its network is scalenet, not cnn"),
        ({"front": "wavelets"}, "it reads sequences without a transform"),
        ({"options": {**OPTIONS, "pool": 4}}, "its pool is 2, not 4"),
        ({"task": "regression"}, "it is for labels, not for a number"),
        ({"length": 24}, "windows of 24 bp have no room for all of its layers"),
        (
            {"scalogram": ScalogramConfig(encoding="eiip")},
            "its encoding is onehot, not eiip",
        ),
    ],
)
def test_what_fits(trained_run, change, reason):
    card = load_model(trained_run / "model.safetensors")[1]
    assert misfit(replace(NETWORK, **change), card) == reason


def test_transforms_and_pictures_must_be_the_same(trained_run):
    card = load_model(trained_run / "model.safetensors")[1]
    wavelets = replace(NETWORK, front="wavelets")
    other = replace(card, model=replace(card.model, front="wavelets"))
    assert misfit(wavelets, other) == ""
    changed = replace(wavelets, scalogram=replace(wavelets.scalogram, n_scales=12))
    assert misfit(changed, other) == "its transform is another one"
    pictures = replace(wavelets, image=ImageConfig())
    assert misfit(pictures, other) == "the one reads pictures, or other ones"
    several = replace(card, model=replace(card.model, networks=3))
    assert misfit(NETWORK, several) == "it is a mean of 3 networks"


def test_what_is_trained_how(trained_run):
    recipe = {"epochs": 30, "learning_rate": 2e-3, "clip": 0.5}
    config, words = settled_training(NETWORK, recipe, {"start": str(trained_run), "epochs": 4})
    assert words == f"training begins with the weights of {trained_run}, trained on 3 labels"
    assert (config.start, config.epochs, config.clip) == (str(trained_run), 4, 0.5)
    assert config.learning_rate == FINE_TUNING["learning_rate"]
    config, words = settled_training(NETWORK, recipe, {"start": "none"})
    assert words == "training begins with random weights, as asked for (start none)"
    assert (config.start, config.epochs, config.learning_rate) == ("none", 30, 2e-3)
    # The package's network is a larger one.
    config, words = settled_training(NETWORK, recipe, {})
    assert config.start == "none"
    assert words.startswith(
        "training begins with random weights: the model factors does not fit, its"
    )
    with pytest.raises(InputError, match=r"training cannot begin with .*: its pool is 2, not 4"):
        settled_training(
            replace(NETWORK, options={**OPTIONS, "pool": 4}), {}, {"start": str(trained_run)}
        )
    with pytest.raises(InputError, match="nowhere: no such run"):
        settled_training(NETWORK, {}, {"start": "nowhere"})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"weights": "imagenet"}, "training begins with the weights imagenet"),
        ({"crossfit": 3}, "factors has seen what each network of a cross-fit holds out"),
        ({"shuffle_labels": True}, "as a control on shuffled labels must"),
    ],
)
def test_trainings_that_begin_otherwise(given, words):
    config, found = settled_training(ModelConfig(200, front="signal"), {}, given)
    assert config.start == "none"
    assert words in found


def test_a_run_begins_with_another_and_is_resumed(cli, trained_run, data, tmp_path):
    out = tmp_path / "run"
    recipe = tmp_path / "a.toml"
    options = "\n".join(f"{name} = {value}" for name, value in OPTIONS.items())
    recipe.write_text(
        f'backbone = "scalenet"\nformat = 3\nfront = "signal"\n[options]\n{options}\n'
        '[scalogram]\nencoding = "onehot"\n'
    )
    words = ("train", data, "--recipe", recipe, "--device", "cpu")
    code, _, err = cli(*words, "--out", out, "--start", trained_run, "--epochs", "2")
    assert code == 0, err
    assert f"training begins with the weights of {trained_run}, trained on 3 labels" in err
    stored = json.loads((out / "run.json").read_text())["training"]
    assert stored["start"] == str(trained_run)
    assert stored["epochs"] == 2
    assert stored["learning_rate"] == FINE_TUNING["learning_rate"]
    # Without the model file it is as if the last epoch had just ended.
    code, _, err = cli(*words, "--out", out, "--resume", "--start", "none")
    assert code == 0
    assert "training has ended already" in err
    (out / "model.safetensors").unlink()
    code, _, err = cli(*words, "--out", out, "--resume", "--start", "none")
    assert code == 2
    assert "--resume goes on with the settings of the run" in err
    code, _, err = cli(*words, "--out", tmp_path / "x", "--start", "nowhere")
    assert code == 1
    assert "nowhere: no such run" in err
    assert not (tmp_path / "x").exists()
