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


@pytest.mark.parametrize("name", ["neutral", "onehot", "smoothed"])
def test_a_model_scores_as_it_did(name, cli):
    """Label smoothing was of the training alone: what was learnt is read as it is."""
    code, out, err = cli("predict", FILES / name, FILES / "windows.fa", "--device", "cpu")
    assert code == 0, err
    expected = scores((FILES / f"{name}.scores.tsv").read_text().splitlines())
    found = scores(out.splitlines())
    assert list(found) == list(expected)
    assert found == pytest.approx(expected, abs=0.02)


def test_a_recipe_with_neutral_settings_is_read():
    recipe = load_recipe(str(FILES / "neutral.toml"))
    assert recipe.model(48).resolved().options["band_width"] == 4
    assert from_dict(TrainingConfig, recipe.training, "the recipe").epochs == 2


@pytest.fixture
def data(tmp_path, cli):
    code, _, err = cli("dataset", FILES / "windows.tsv.gz", "--out", tmp_path / "data")
    assert code == 0, err
    return tmp_path / "data"


def test_a_run_with_neutral_settings_is_resumed(data, tmp_path, cli):
    run = tmp_path / "run"
    run.mkdir()
    # As if it had been interrupted before its first epoch.
    shutil.copy(FILES / "neutral" / "run.json", run)
    model, config = stored_configuration(RunDir(run), open_dataset(data))
    assert config.batch_size == 20
    code, _, err = cli("train", data, "--out", run, "--resume", "--device", "cpu")
    assert code == 0, err
    assert load_model(run / "model.safetensors")[1].model == model.resolved()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("members", "members is 2, a setting that this version does not have; remove the model"),
        ("learned", "front 'learned-wavelets' was removed after version 0.1"),
        ("crossfit", "inputs is 2, a setting that this version does not have|members is 2"),
    ],
)
def test_a_network_that_is_gone_is_refused_by_name(name, message):
    file = FILES / name / "model.safetensors"
    with pytest.raises(InputError, match=message) as caught:
        load_model(file)
    assert str(caught.value).startswith(str(file))


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


def test_a_smoothed_run_is_not_resumed_in_silence(data, tmp_path, cli):
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(FILES / "smoothed" / "run.json", run)
    code, _, err = cli("train", data, "--out", run, "--resume", "--device", "cpu")
    assert code == 1
    assert "run.json: smoothing is 0.1, a setting that this version does not have" in err


def test_a_crossfit_is_joined_anew_from_its_networks(data, tmp_path, cli):
    run = shutil.copytree(FILES / "crossfit", tmp_path / "run")
    (run / "model.safetensors").unlink()
    code, _, err = cli("train", data, "--out", run, "--resume", "--device", "cpu")
    assert code == 0, err
    code, out, err = cli("predict", run, FILES / "windows.fa", "--device", "cpu")
    assert code == 0, err
    expected = scores((FILES / "crossfit.scores.tsv").read_text().splitlines())
    assert scores(out.splitlines()) == pytest.approx(expected, abs=0.02)
