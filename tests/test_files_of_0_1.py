"""Files that version 0.1 wrote: read as they were meant, or refused by name.

``files_of_0_1`` was written by the commands of version 0.1 on 240 windows with a planted
motif: small networks, two epochs.
"""

import csv
import shutil
from pathlib import Path

import pytest

from wavebind.core.errors import InputError
from wavebind.core.settings import from_dict
from wavebind.datasets.dataset import open_dataset
from wavebind.models import load_model
from wavebind.models.rundir import RunDir
from wavebind.training.config import TrainingConfig
from wavebind.training.recipes import load_recipe
from wavebind.training.runjson import stored_configuration

FILES = Path(__file__).parent / "files_of_0_1"


def scores(text):
    return {row["name"]: float(row["logit"]) for row in csv.DictReader(text, delimiter="\t")}


def test_a_network_that_is_the_same_scores_as_it_did(cli):
    code, out, err = cli("predict", FILES / "cnn", FILES / "windows.fa", "--device", "cpu")
    assert code == 0, err
    expected = scores((FILES / "cnn.scores.tsv").read_text().splitlines())
    found = scores(out.splitlines())
    assert list(found) == list(expected)
    assert found == pytest.approx(expected, abs=0.02)


def test_a_recipe_with_neutral_settings_is_read_and_said_to_train_other_layers(caplog):
    with caplog.at_level("WARNING", logger="wavebind"):
        recipe = load_recipe(str(FILES / "neutral.toml"))
    (line,) = caplog.messages
    assert "names no format, so it may be of version 0.1, whose scalenet padded" in line
    assert "Add 'format = 3'" in line
    assert recipe.model(48).resolved().options["band_width"] == 4
    assert from_dict(TrainingConfig, recipe.training, "the recipe").epochs == 2


def test_a_recipe_that_names_its_format_is_taken_or_refused(tmp_path, caplog):
    path = tmp_path / "r.toml"
    text = (FILES / "neutral.toml").read_text()
    path.write_text(f"format = 3\n{text}")
    assert load_recipe(str(path)).format == 3
    assert load_recipe("default").format == 3
    assert not caplog.messages
    path.write_text(f"format = 2\n{text}")
    with pytest.raises(InputError, match=r"is a scalenet of version 0\.1, whose layers padded"):
        load_recipe(str(path))


@pytest.mark.parametrize("name", ["neutral", "onehot", "smoothed", "crossfit"])
def test_a_network_that_padded_is_refused_and_never_scored_by_the_new_layers(name, tmp_path):
    """Its weights have the names and shapes of the new ones."""
    file = FILES / name / "model.safetensors"
    with pytest.raises(InputError, match=r"scalenet of version 0\.1.*Train again") as caught:
        load_model(file)
    assert str(caught.value).startswith(str(file))


@pytest.fixture
def data(tmp_path, cli):
    code, _, err = cli("dataset", FILES / "windows.tsv.gz", "--out", tmp_path / "data")
    assert code == 0, err
    return tmp_path / "data"


def test_a_run_of_a_network_that_padded_is_not_resumed(data, tmp_path, cli):
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(FILES / "neutral" / "run.json", run)
    code, _, err = cli("train", data, "--out", run, "--resume", "--device", "cpu")
    assert code == 1
    assert "run.json: is a scalenet of version 0.1, whose layers padded" in err


def test_a_run_of_another_network_is_resumed(data, tmp_path, cli):
    run = tmp_path / "run"
    run.mkdir()
    # As if it had been interrupted before its first epoch.
    shutil.copy(FILES / "cnn" / "run.json", run)
    model, config = stored_configuration(RunDir(run), open_dataset(data))
    assert config.batch_size == 20
    code, _, err = cli("train", data, "--out", run, "--resume", "--device", "cpu")
    assert code == 0, err
    assert load_model(run / "model.safetensors")[1].model == model.resolved()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("members", "members is 2, a setting that this version does not have"),
        ("learned", "front 'learned-wavelets' was removed"),
    ],
)
def test_a_recipe_with_what_is_gone_is_refused_by_name(name, message):
    with pytest.raises(InputError, match=message):
        load_recipe(str(FILES / f"{name}.toml")).model(48)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("smoothing", 0.1, "smoothing is 0.1, a setting that .*; train again without label smooth"),
        ("teachers", ["run"], "teachers is .*run.*; train again without teachers"),
        ("tutors", 2, "tutors is 2, .*; train again without tutors"),
    ],
)
def test_a_training_with_what_is_gone_is_refused_by_name(name, value, message):
    with pytest.raises(InputError, match=message):
        from_dict(TrainingConfig, {name: value}, "run.json")


def test_a_crossfit_that_padded_is_not_joined_anew(data, tmp_path, cli):
    run = shutil.copytree(FILES / "crossfit", tmp_path / "run")
    (run / "model.safetensors").unlink()
    code, _, err = cli("train", data, "--out", run, "--resume", "--device", "cpu")
    assert code == 1
    assert "is a scalenet of version 0.1, whose layers padded" in err
