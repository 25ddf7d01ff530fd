"""A model folder for others: it reads back as the same model, its card says what was measured."""

import json
from dataclasses import replace

import numpy as np
import pytest

import wavebind as wb
from helpers import metrics_of
from wavebind.datasets.dataset import open_dataset
from wavebind.evaluate.assess import assess
from wavebind.genome.sequences import to_letters
from wavebind.models import load_model, save_model


@pytest.fixture
def exported(run_copy, tmp_path, cli):
    run, data = run_copy
    assess(run, open_dataset(data), device="cpu")
    code, out, err = cli("export", run, "--hub", tmp_path / "hub" / "my-model")
    assert code == 0, err
    assert f"written: {tmp_path / 'hub' / 'my-model'}" in out
    return run, data, tmp_path / "hub" / "my-model"


def test_it_is_the_same_model(exported):
    run, data, folder = exported
    windows = open_dataset(data)
    letters = [to_letters(codes) for codes in windows.codes[windows.indices("test")[:20]]]
    first, second = (wb.load(place, "cpu").predict(letters) for place in (run, folder))
    assert np.array_equal(first.to_numpy(), second.to_numpy())
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "metrics.json", "model.safetensors", "run.json",
    }  # fmt: skip


def test_no_path_of_this_machine_goes_with_it(exported, tmp_path):
    _, _, folder = exported
    for path in folder.iterdir():
        assert str(tmp_path.parent).encode() not in path.read_bytes(), path.name
    assert json.loads((folder / "run.json").read_text())["data"]["path"] == "data"


def test_a_run_that_began_with_others_does_not_tell_where_they_lie(run_copy, tmp_path):
    run, data = run_copy
    model, card = load_model(run / "model.safetensors")
    training = {**card.training, "start": f"{tmp_path}/old+none", "weights": f"{tmp_path}/w.pt"}
    save_model(run / "model.safetensors", model, replace(card, training=training))
    stored = json.loads((run / "run.json").read_text())
    members = [{**stored["training"], "start": start} for start in (f"{tmp_path}/old", "none")]
    stored |= {"training": training, "members": members}
    (run / "run.json").write_text(json.dumps(stored))
    assess(run, open_dataset(data), device="cpu")
    folder = wb.load(run, "cpu").export_hub(tmp_path / "hub")
    for path in folder.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path.name
    told = json.loads((folder / "run.json").read_text())
    assert told["training"]["start"] == "old+none"
    assert [member["start"] for member in told["members"]] == ["old", "none"]


def test_a_hub_reads_its_figures(exported):
    hub = pytest.importorskip("huggingface_hub")
    run, _, folder = exported
    metrics = metrics_of(run)
    found = {
        one.metric_type: one for one in hub.ModelCard.load(folder / "README.md").data.eval_results
    }
    for ours, theirs in (("auroc", "roc_auc"), ("mcc", "matthews_correlation"), ("f1", "f1")):
        assert found[theirs].metric_value == pytest.approx(metrics[ours]["value"], abs=5e-5)
        assert f"{metrics[ours]['low']:.4f} to" in found[theirs].metric_name
    assert found["roc_auc"].dataset_split == "test"


def test_the_card_tells_figures_and_limits(exported):
    run, _, folder = exported
    metrics, text = metrics_of(run), (folder / "README.md").read_text()
    auroc = metrics["auroc"]
    assert f"| auroc | {auroc['value']:.4f} | {auroc['low']:.4f} to {auroc['high']:.4f} |" in text
    assert "300 windows of the test split of data, 150 of them bound" in text
    assert "best shortcut, AUROC" in text
    assert "On other cells, species or ways to choose unbound windows" in text
    assert metrics["verdict"][0][:40] in text


def test_an_older_folder_needs_force_and_another_folder_stays(exported, tmp_path, cli):
    run, _, folder = exported
    code, _, err = cli("export", run, "--hub", folder)
    assert code == 1
    assert "exists already; choose another name or pass --force" in err
    assert cli("export", run, "--hub", folder, "--force")[0] == 0
    (tmp_path / "mine").mkdir()
    code, _, err = cli("export", run, "--hub", tmp_path / "mine", "--force")
    assert code == 1
    assert "holds no README.md, so it is not replaced" in err


def test_what_has_no_figures_has_no_card(run_copy, tmp_path, cli):
    code, _, err = cli("export", run_copy[0], "--hub", tmp_path / "hub")
    assert code == 1
    assert "has no metrics.json; score the run with 'wavebind evaluate" in err
    assert not (tmp_path / "hub").exists()


def test_a_model_of_the_package_is_not_exported(tmp_path, cli):
    code, _, err = cli("export", "factors", "--hub", tmp_path / "hub")
    assert code == 1
    assert "is a model of the package, which everyone has" in err


@pytest.mark.parametrize("both", [False, True])
def test_one_kind_at_a_time(run_copy, tmp_path, cli, both):
    more = ("--hub", tmp_path / "h", "--onnx", tmp_path / "o.onnx") if both else ()
    code, _, err = cli("export", run_copy[0], *more)
    assert code == 2
    assert "export takes one of --onnx FILE and --hub FOLDER" in err
