"""A mean of networks with several starts: it is the mean, and it goes on where it stopped."""

import json
import shutil

import numpy as np
import pytest

import wavebind as wb
from helpers import random_dna
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import open_dataset
from wavebind.metrics.platt import fit_calibration
from wavebind.models import load_model
from wavebind.models.prediction import predict_logits
from wavebind.report.run_page import write_report
from wavebind.training.members import settled_members
from wavebind.training.recipes import load_recipe
from wavebind.training.starting import starts_of


@pytest.fixture(scope="module")
def joined(trained, tmp_path_factory):
    """A run of two networks: one begins with the trained run, one with random weights."""
    from wavebind.cli.main import run as run_cli

    folder = tmp_path_factory.mktemp("members")
    arguments = [
        "train", trained[1], "--out", folder / "run", "--start", f"{trained[0]}+none", "--epochs",
        "2", "--set", "training.batch_size=20", "--device", "cpu",
    ]  # fmt: skip
    assert run_cli([str(a) for a in arguments]) == 0
    return folder / "run", open_dataset(trained[1]), trained[0]


def test_it_is_the_mean_of_calibrated_logits(joined):
    run, data, _ = joined
    rows = data.indices("test")
    expected = np.zeros(len(rows))
    for number in (1, 2):
        model, card = load_model(run / "members" / str(number) / "model.safetensors")
        line = card.calibration[0]
        expected += line.slope * predict_logits(model, data.codes, rows) + line.intercept
    model, card = load_model(run / "model.safetensors")
    found = predict_logits(model, data.codes, rows, bf16=False)
    assert np.abs(found - expected / 2).max() < 0.1
    assert model.config.networks == 2
    # Calibration and threshold are those of the mean on valid.
    valid = data.indices("valid")
    line = fit_calibration(data.labels[valid], predict_logits(model, data.codes, valid))
    assert card.calibration[0].slope == pytest.approx(line.slope)


def test_the_members_begin_as_was_asked(joined):
    run, _, start = joined
    stored = json.loads((run / "run.json").read_text())
    assert [member["start"] for member in stored["members"]] == [str(start), "none"]
    assert stored["training"]["start"] == f"{start}+none"
    # Each has the steps of its own start.
    first, second = stored["members"]
    assert first["batch_size"] == second["batch_size"] == 20
    assert first["learning_rate"] != second["learning_rate"]


def test_evaluate_and_report_take_it(joined, tmp_path, cli):
    run, data, _ = joined
    copy = shutil.copytree(run, tmp_path / "run")
    code, out, err = cli("evaluate", copy, data.path, "--device", "cpu")
    assert code == 0, err
    assert float(out.split("auroc")[1].split()[0]) > 0.9
    page = write_report(copy).read_text()
    assert "from the weights of" in page


def test_it_goes_on_where_it_stopped(joined, tmp_path, cli):
    run, data, _ = joined
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "model.safetensors").unlink()
    before = (copy / "members" / "1" / "model.safetensors").stat().st_mtime_ns
    shutil.rmtree(copy / "members" / "2")
    code, _, err = cli("train", data.path, "--out", copy, "--resume", "--device", "cpu")
    assert code == 0, err
    assert (copy / "members" / "1" / "model.safetensors").stat().st_mtime_ns == before
    rows = data.indices("test")
    first, second = (
        predict_logits(load_model(place / "model.safetensors")[0], data.codes, rows)
        for place in (run, copy)
    )
    assert np.allclose(first, second, atol=0.05)
    code, _, err = cli("train", data.path, "--out", copy, "--resume", "--start", "none")
    assert code == 0
    assert "nothing to resume" in err


def test_other_starts_are_refused_when_it_goes_on(joined, tmp_path, cli):
    run, data, _ = joined
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "model.safetensors").unlink()
    code, _, err = cli("train", data.path, "--out", copy, "--resume", "--start", "none")
    assert code == 2
    assert "training.start was" in err


def test_a_path_with_a_plus_is_one_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert starts_of("a+b") == ["a", "b"]
    (tmp_path / "a+b").mkdir()
    assert starts_of("a+b") == ["a+b"]
    assert starts_of("factors") == ["factors"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"start": "none+none"}, "names a start twice"),
        ({"start": "none+nowhere"}, "nowhere: no such run"),
        ({"start": "none+factors", "crossfit": 2}, "a cross-fit is a mean already"),
    ],
)
def test_what_cannot_be_a_mean_is_refused(trained, given, words):
    data, recipe = open_dataset(trained[1]), load_recipe("default")
    with pytest.raises(InputError, match=words):
        settled_members(recipe.model_for(data), recipe.training, given, data)


def test_matrices_that_a_recipe_names_are_refused(trained):
    data, recipe = open_dataset(trained[1]), load_recipe("default")
    named = {**recipe.training, "matrices": 4}
    with pytest.raises(InputError, match="not beside a mean of several"):
        settled_members(recipe.model_for(data), named, {"start": "none+factors"}, data)


@pytest.mark.slow
def test_compare_takes_it(trained, tmp_path, cli):
    code, _, err = cli(
        "compare", trained[1], "--models", f"jaspar,default:{trained[0]}+none", "--out",
        tmp_path / "cmp", "--epochs", "1", "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    assert f"default:{trained[0].name}+none" in (tmp_path / "cmp" / "comparison.tsv").read_text()


def test_training_says_what_there_is_and_what_another_way_would_buy(trained, tmp_path, cli):
    arguments = ["train", trained[1], "--device", "cpu", "--epochs", "1"]
    code, _, err = cli(*arguments, "--out", tmp_path / "a", "--start", "none")
    assert code == 0
    assert "training windows of 48 bp; recipe default" in err
    # What begins with random weights because it was asked to gets no advice.
    assert "on six factors" not in err


@pytest.mark.parametrize(
    ("many", "words"),
    [
        (2000, "random weights (--start none) were 0.02 to 0.13 of AUROC behind on six factors"),
        (10, "--start factors+none takes the mean with a network from random weights: 0.015"),
    ],
)
def test_what_other_starts_gave_on_as_many_windows(tmp_path, monkeypatch, cli, many, words):
    monkeypatch.setattr("wavebind.api.training.MANY_BOUND", many)
    rng = np.random.default_rng(0)
    rows = [
        (random_dna(rng, 200), i % 3 == 0, part)
        for part, n in (("train", 60), ("valid", 40), ("test", 40))
        for i in range(n)
    ]
    sequences, labels, parts = zip(*rows, strict=True)
    wb.make_dataset(list(sequences), labels, split=parts, out=tmp_path / "data")
    code, _, err = cli(
        "train", tmp_path / "data", "--out", tmp_path / "run", "--epochs", "1", "--device", "cpu",
        "--set", "training.matrices=0",
    )  # fmt: skip
    assert code == 0, err
    assert "training begins with the weights of factors" in err
    assert words in err
