import json
from dataclasses import replace

import pytest

from helpers import only_result
from wavebind.core.errors import InputError
from wavebind.core.settings import from_dict
from wavebind.models import Classifier, ModelConfig
from wavebind.models.results import EXPLANATIONS
from wavebind.training.recipes import load_recipe, recipe_names
from wavebind.training.train import TrainingConfig

NAMES = ["default", "long", "onehot", "ruggeri2025", "sequence", "small", "wavedna", "wavelets"]


def test_the_recipes_there_are():
    assert recipe_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_whole(name):
    recipe = load_recipe(name)
    assert recipe.about
    assert recipe.source
    from_dict(TrainingConfig, recipe.training, name)
    assert recipe.model(200).backbone_settings() is not None


def test_the_recipe_on_wavelets_is_the_default_of_the_code():
    recipe = load_recipe("wavelets")
    assert recipe.model(200) == ModelConfig(200, options={"pool": 4})
    assert from_dict(TrainingConfig, recipe.training, "x") == TrainingConfig()


def test_the_published_recipe():
    recipe = load_recipe("ruggeri2025")
    model = Classifier(recipe.model(200))
    assert model.front.shape == (1, 64, 200)
    assert model.config.image.size == (224, 224)
    assert model.backbone.conv1.in_channels == 3
    assert model.n_weights == 25_557_032 - 1000 * 2049 + 2049
    training = from_dict(TrainingConfig, recipe.training, "x")
    assert (training.epochs, training.learning_rate) == (20, 1e-3)
    later = from_dict(TrainingConfig, load_recipe("wavedna").training, "x")
    assert (later.epochs, later.learning_rate) == (3, 3e-5)


def test_a_recipe_of_ones_own(cli, trained, tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(
        'about = "mine"\nbackbone = "scalenet"\n[scalogram]\nencoding = "zcurve"\nn_scales = 8\n'
        "[options]\nband_width = 8\nposition_width = 16\n[training]\nepochs = 2\nmax_shift = 0\n"
    )
    out = tmp_path / "run"
    arguments = ["train", trained[1], "--out", out, "--recipe", path, "--seed", "3"]
    assert cli(*arguments, "--device", "cpu")[0] == 0
    stored = json.loads((out / "run.json").read_text())
    assert stored["model"]["scalogram"]["encoding"] == "zcurve"
    assert stored["model"]["options"]["band_width"] == 8
    assert stored["training"]["epochs"] == 2
    assert stored["training"]["seed"] == 3
    assert cli("evaluate", out, trained[1], "--device", "cpu")[0] == 0


@pytest.mark.slow
def test_an_image_network_trains_and_explains(cli, trained, tmp_path):
    path = tmp_path / "image.toml"
    path.write_text(
        'backbone = "resnet18"\n[scalogram]\nencoding = "integer"\nn_scales = 8\n'
        'outputs = ["modulus"]\n[image]\nsize = [32, 32]\n'
        "[training]\nepochs = 1\nbatch_size = 64\n"
    )
    out = tmp_path / "run"
    arguments = ["train", trained[1], "--out", out, "--recipe", path, "--device", "cpu"]
    assert cli(*arguments)[0] == 0
    code, text, _ = cli("explain", out, trained[1], "--n", "2", "--device", "cpu")
    assert code == 0
    assert "2 windows explained" in text
    settings = json.loads((only_result(out, EXPLANATIONS) / "explain.json").read_text())
    assert settings["stages"] == ["layer3", "layer4.0", "layer4.1"]


def test_listing_and_printing(cli, tmp_path):
    code, out, _ = cli("recipes")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == recipe_names()
    code, out, _ = cli("recipes", "wavedna")
    (tmp_path / "w.toml").write_text(out)
    assert load_recipe(str(tmp_path / "w.toml")) == load_recipe("wavedna")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = = 1", "is not TOML"),
        ("colour = 1", "colour: "),
        ("[scalogram]\nencoding = 'morse'", "encoding 'morse' is not known"),
        ("[scalogram]\nscale = 3", "scalogram.scale: "),
        ("[image]\ncolours = 'rainbow'", "colour map 'rainbow' is not known"),
    ],
)
def test_files_that_are_not_recipes(tmp_path, text, message):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_recipe(str(path))


def test_names_that_are_not_recipes(cli, trained, tmp_path):
    with pytest.raises(InputError, match="recipe 'cake' is not known; choose one of: default"):
        load_recipe("cake")
    with pytest.raises(InputError, match="no such file"):
        load_recipe("./cake.toml")
    path = tmp_path / "r.toml"
    path.write_text("[training]\nepoch = 3")
    code, _, err = cli("train", trained[1], "--out", tmp_path / "r", "--recipe", path)
    assert code == 1
    assert "the settings: epoch: " in err
    assert not (tmp_path / "r").exists()


def test_sequence_is_trained_as_small():
    assert load_recipe("sequence").training == load_recipe("small").training
    assert load_recipe("sequence").model(200).front_name == "signal"


def test_default_and_onehot_are_one_recipe():
    """And wavelets differ in their front and what suits it, sequence in its training alone."""
    onehot, default = load_recipe("onehot"), load_recipe("default")
    assert replace(onehot, about="") == replace(default, about="")
    wavelets = load_recipe("wavelets")
    assert wavelets.training == default.training
    assert wavelets.backbone == default.backbone
    assert (wavelets.model(200).front_name, default.model(200).front_name) == ("wavelets", "signal")
    assert onehot.model(200).resolved() == load_recipe("sequence").model(200).resolved()
