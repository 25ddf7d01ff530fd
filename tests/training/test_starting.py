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
from wavebind.explain.contributions import to_onehot
from wavebind.explain.gradcam import grad_cam
from wavebind.models import ModelCard, ModelConfig, build_model, load_model, save_model
from wavebind.models.prediction import predict_logits
from wavebind.models.stretches import StretchScorer
from wavebind.training.batches import epoch_windows
from wavebind.training.config import TrainingConfig
from wavebind.training.initial import initial_model
from wavebind.training.starting import fine_tuning, misfit, settled_training, widened
from wavebind.wavelets.images import ImageConfig
from wavebind.wavelets.scalograms import ScalogramConfig

OPTIONS = {"stem_kernel": 9, "pool": 2, "band_width": 8, "position_width": 12, "position_blocks": 2}
NETWORK = ModelConfig(48, front="signal", options=OPTIONS)
PACKAGE = {"stem_kernel": 15, "pool": 4, "band_width": 64}
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
    model = initial_model(replace(NETWORK, reads=64), config, opened).eval()
    trained, card = load_model(trained_run / "model.safetensors")
    # The same layers on windows of another length.
    other = build_model(replace(card.model, length=48, reads=64), torch.Generator())
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


def test_many_windows_have_settings_of_their_own(trained_run, data, monkeypatch):
    monkeypatch.setattr("wavebind.training.starting.MANY_BOUND", 10)
    _, config, words = settled_training(
        NETWORK, {}, {"start": str(trained_run)}, open_dataset(data)
    )
    assert words.endswith("; settings for many bound windows")
    assert (config.batch_size, config.matrices) == (128, 16)


@pytest.mark.parametrize("n", [0, 3])
def test_the_number_of_matrices_that_a_recipe_names_holds(trained_run, data, n):
    recipe, start = {"matrices": n, "batch_size": 8}, {"start": str(trained_run)}
    _, config, _ = settled_training(NETWORK, recipe, start, open_dataset(data))
    assert (config.matrices, config.batch_size) == (n, fine_tuning(80)["batch_size"])
    _, config, _ = settled_training(NETWORK, recipe, {**start, "matrices": 5}, open_dataset(data))
    assert config.matrices == 5


def test_what_is_trained_how(trained_run, data):
    opened = open_dataset(data)
    recipe = {"epochs": 30, "learning_rate": 2e-3, "clip": 0.5}
    _, config, words = settled_training(
        NETWORK, recipe, {"start": str(trained_run), "epochs": 4}, opened
    )
    assert words == (
        f"training begins with the weights of {trained_run}, trained on 3 labels; it reads 64 bp, "
        f"the windows between unknown bases; settings for fewer than 2,000 bound windows"
    )
    assert (config.start, config.epochs, config.clip) == (str(trained_run), 4, 0.5)
    assert config.learning_rate == fine_tuning(80)["learning_rate"]
    _, config, words = settled_training(NETWORK, recipe, {"start": "none"}, opened)
    assert words == "training begins with random weights, as asked for (start none)"
    assert (config.start, config.epochs, config.learning_rate) == ("none", 30, 2e-3)
    package = ModelConfig(200, front="signal", options=PACKAGE)
    wide, config, words = settled_training(package, recipe, {}, opened)
    assert (wide, config.start) == (package, "factors")
    assert words == (
        "training begins with the weights of factors, trained on 121 labels; settings for fewer "
        "than 2,000 bound windows"
    )
    wide, config, words = settled_training(replace(package, length=101), recipe, {}, opened)
    assert (wide.reads, config.start) == (200, "factors")
    wide, config, words = settled_training(replace(package, length=99), recipe, {}, opened)
    assert (wide.reads, config.start) == (None, "none")
    assert words.endswith("does not fit, windows of 99 bp are less than half of what it reads")
    # The package's network is a larger one.
    _, config, words = settled_training(NETWORK, recipe, {}, opened)
    assert config.start == "none"
    assert words.startswith(
        "training begins with random weights: the model factors does not fit, its"
    )
    with pytest.raises(InputError, match=r"training cannot begin with .*: its pool is 2, not 4"):
        settled_training(
            replace(NETWORK, options={**OPTIONS, "pool": 4}),
            {},
            {"start": str(trained_run)},
            opened,
        )
    with pytest.raises(InputError, match="nowhere: no such run"):
        settled_training(NETWORK, {}, {"start": "nowhere"}, opened)


def test_shorter_windows_stand_between_unknown_bases(trained_run):
    card = load_model(trained_run / "model.safetensors")[1]
    assert widened(NETWORK, card).reads == 64
    assert widened(replace(NETWORK, length=64), card).reads is None
    assert widened(replace(NETWORK, length=99), card).reads is None
    model = build_model(replace(NETWORK, reads=65), torch.Generator().manual_seed(0)).eval()
    plain = build_model(replace(NETWORK, length=65), torch.Generator().manual_seed(0)).eval()
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (5, 48)).astype(np.uint8))
    whole = torch.full((5, 65), 4, dtype=torch.uint8)
    whole[:, 8:56] = codes
    with torch.inference_mode():
        torch.testing.assert_close(model(codes), plain(whole))
        torch.testing.assert_close(
            model.from_features(model.features_of_onehot(to_onehot(codes))), plain(whole)
        )
    assert StretchScorer(model).step == 0
    assert StretchScorer(plain).step > 0
    maps = grad_cam(model, codes, ["join"])
    assert maps.shape[2] == 48
    # Each map has its own scale. One that is moved by the bases before the window is less alike.
    whole_maps = grad_cam(plain, whole, ["join"])

    def alike(first):
        pairs = zip(maps.flatten(1), whole_maps[..., first : first + 48].flatten(1), strict=True)
        return np.mean([np.corrcoef(mine, other)[0, 1] for mine, other in pairs])

    assert alike(8) > 0.7 > alike(0) + 0.2


@pytest.mark.parametrize("reads", [48, 20, 48 * 17])
def test_what_is_read_is_more_than_a_window(reads):
    with pytest.raises(InputError, match="reads must be more than the 48 bp of a window"):
        replace(NETWORK, reads=reads)


def test_pictures_are_of_the_window_alone():
    with pytest.raises(InputError, match="reads is for networks of sequences and scalograms"):
        replace(NETWORK, front="wavelets", image=ImageConfig(), reads=64)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"weights": "imagenet"}, "training begins with the weights imagenet"),
        ({"crossfit": 3}, "factors has seen what each network of a cross-fit holds out"),
        ({"shuffle_labels": True}, "as a control on shuffled labels must"),
    ],
)
def test_trainings_that_begin_otherwise(data, given, words):
    _, config, found = settled_training(
        ModelConfig(200, front="signal"), {}, given, open_dataset(data)
    )
    assert config.start == "none"
    assert words in found


def test_many_windows_are_trained_in_larger_steps():
    few, many = fine_tuning(1999), fine_tuning(2000)
    assert (few["batch_size"], many["batch_size"]) == (32, 128)
    assert few.keys() == many.keys()


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
    assert f"training begins with the weights of {trained_run}, trained on 3 labels; it" in err
    stored = json.loads((out / "run.json").read_text())["training"]
    assert stored["start"] == str(trained_run)
    assert stored["epochs"] == 2
    assert stored["learning_rate"] == fine_tuning(80)["learning_rate"]
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
