"""Labels that are smoothed or shared with teachers: by hand, by a loop, and by what is learnt."""

import json

import numpy as np
import pytest
import torch

from conftest import Interrupting, planted_rows, write_table
from wavebind.dataset import open_dataset
from wavebind.errors import InputError
from wavebind.models import ModelConfig, load_model
from wavebind.settings import from_dict
from wavebind.softlabels import load_teachers, soft_labels, teach
from wavebind.training import Devices, train
from wavebind.trainingconfig import TrainingConfig

FAST = ["--batch-size", "20", "--max-shift", "0", "--patience", "20", "--device", "cpu"]


def test_smoothing_takes_back_a_part_of_training_labels():
    labels = np.array([1, 0, -1, 1], dtype=np.int8)
    soft = soft_labels(labels, np.array([0, 1, 2]), TrainingConfig(smoothing=0.1))
    assert soft == pytest.approx([0.95, 0.05, -1, 1], abs=1e-7)


def test_the_smoothed_part_is_shared_by_classes_and_not_by_labels():
    labels = np.array([[1, 0, 0], [0, 0, 1]], dtype=np.int8)
    train, config = np.arange(2), TrainingConfig(smoothing=0.3)
    classes = soft_labels(labels, train, config, exclusive=True)
    assert classes[0] == pytest.approx([0.8, 0.1, 0.1], abs=1e-7)
    assert classes.sum(1) == pytest.approx([1, 1])
    assert soft_labels(labels, train, config)[0] == pytest.approx([0.85, 0.15, 0.15], abs=1e-7)


def test_what_teachers_say_is_mixed_in():
    labels = np.array([1, 0, 0], dtype=np.int8)
    taught = np.array([0.6, 0.2])
    config = TrainingConfig(smoothing=0.2, teachers=("run",), teacher_weight=0.25)
    soft = soft_labels(labels, np.array([0, 2]), config, taught)
    assert soft == pytest.approx([0.75 * 0.9 + 0.25 * 0.6, 0, 0.75 * 0.1 + 0.25 * 0.2], abs=1e-7)


def test_teachers_are_averaged_over_strands_and_runs(trained):
    run, folder = trained
    data = open_dataset(folder)
    first = load_model(run / "model.safetensors", torch.device("cpu"))[0].eval()
    second = load_model(run / "model.safetensors", torch.device("cpu"))[0].eval()
    with torch.no_grad():
        for p in second.backbone.head.parameters():
            p.mul_(-0.5)
    found = teach([first, second], data)
    train = data.indices("train")
    assert found.shape == (len(train),)
    for i in (0, 7, 33):
        codes = torch.from_numpy(np.array(data.codes[train[i]]))[None]
        other = torch.flip(3 - codes, (1,))
        with torch.no_grad():
            logits = [float(m(c)) for m in (first, second) for c in (codes, other)]
        expected = 1 / (1 + np.exp(-np.mean(logits)))
        assert found[i] == pytest.approx(expected, abs=0.01)


def test_a_network_learns_from_its_teacher_what_its_labels_do_not_say(trained, tmp_path, cli):
    rng = np.random.default_rng(0)
    rows = [
        (*r[:3], int(rng.integers(2)), *r[4:]) if r[4] == "train" else r for r in planted_rows(150)
    ]
    table = write_table(tmp_path / "noise.tsv", rows)
    assert cli("dataset", table, "--out", tmp_path / "noise")[0] == 0
    scores = {}
    for name, more in (
        ("alone", []),
        ("taught", ["--teacher", trained[0], "--teacher-weight", "1"]),
    ):
        out = tmp_path / name
        code, _, err = cli(
            "train", tmp_path / "noise", "--out", out, "--epochs", "12", *more, *FAST
        )
        assert code == 0, err
        scores[name] = json.loads((out / "history.json").read_text())[-1]["valid_auroc"]
    assert scores["taught"] > 0.9
    assert scores["alone"] < 0.7
    stored = json.loads((tmp_path / "taught" / "run.json").read_text())
    assert stored["training"]["teachers"] == [str(trained[0].resolve())]


def test_tutors_are_runs_whose_mean_is_learnt(trained, tmp_path, cli):
    """One command does what several do by hand; an interrupted one goes on."""
    folder = trained[1]
    short = ["--epochs", "2", "--teacher-weight", "0.7", *FAST]
    arguments = ["train", folder, "--seed", "3", *short]
    code, _, err = cli(*arguments, "--out", tmp_path / "one", "--tutors", "2")
    assert code == 0
    assert "tutor 2 of 2" in err
    data = open_dataset(folder)
    config = TrainingConfig(seed=3, tutors=2)
    seeds = [config.tutor(number).seed for number in (1, 2)]
    assert len({3, *seeds}) == 3
    named: list = []
    for seed in seeds:
        out = tmp_path / f"by-hand-{seed}"
        assert cli("train", folder, "--seed", str(seed), "--out", out, *short)[0] == 0
        named += ["--teacher", out]
    assert cli(*arguments, "--out", tmp_path / "hand", *named)[0] == 0

    def weights(run):
        return load_model(run / "model.safetensors", torch.device("cpu"))[0].state_dict()

    expected = weights(tmp_path / "hand")
    torch.testing.assert_close(weights(tmp_path / "one"), expected, rtol=0, atol=0)
    alone = tmp_path / "alone"
    assert cli(*arguments, "--out", alone)[0] == 0
    assert any((weights(alone)[k] != expected[k]).any() for k in expected)
    # Interrupted while the second tutor is trained.
    stored = json.loads((tmp_path / "one" / "run.json").read_text())["training"]
    assert stored["tutors"] == 2

    history = json.loads((tmp_path / "one" / "tutors" / "1" / "history.json").read_text())
    n_steps = len(history) * (len(data.indices("train")) // 20)
    broken, whole = tmp_path / "broken", from_dict(TrainingConfig, stored, "the run")
    model = load_model(tmp_path / "one" / "model.safetensors", torch.device("cpu"))[1].model
    with pytest.raises(KeyboardInterrupt):
        train(
            data,
            broken,
            model,
            whole,
            devices=Devices("cpu"),
            monitor=Interrupting(2 * n_steps - 1),
        )
    assert (broken / "tutors" / "1" / "model.safetensors").is_file()
    assert not (broken / "model.safetensors").exists()
    before = (broken / "tutors" / "1" / "model.safetensors").stat().st_mtime_ns
    assert cli("train", folder, "--out", broken, "--resume", "--device", "cpu")[0] == 0
    assert (broken / "tutors" / "1" / "model.safetensors").stat().st_mtime_ns == before
    torch.testing.assert_close(weights(broken), expected, rtol=0, atol=0)


def test_smoothed_training_is_less_certain(trained, tmp_path, cli):
    certain = {}
    for smoothing in ("0", "0.5"):
        out = tmp_path / f"s{smoothing}"
        arguments = ["train", trained[1], "--out", out, "--epochs", "6", "--smoothing", smoothing]
        assert cli(*arguments, *FAST)[0] == 0
        model, _ = load_model(out / "model.safetensors", torch.device("cpu"))
        data = open_dataset(trained[1])
        found = teach([model.eval()], data)
        certain[smoothing] = float(np.mean(np.abs(found - 0.5)))
    assert certain["0.5"] < 0.3 < certain["0"]


def test_what_cannot_teach(trained, tmp_path, cli):
    run, folder = trained
    data = open_dataset(folder)
    names = {
        "outputs": (ModelConfig(48, outputs=("a", "b")), "a teacher has the same outputs"),
        "task": (
            ModelConfig(48, task="regression"),
            "numbers are not softened; leave out the smoothing and the teachers",
        ),
    }
    for model, message in names.values():
        with pytest.raises(InputError, match=message):
            load_teachers(data, model, TrainingConfig(teachers=(str(run),)))
    with pytest.raises(InputError, match="a control with shuffled labels has no teachers"):
        TrainingConfig(teachers=("run",), shuffle_labels=True)
    with pytest.raises(InputError, match="a control with shuffled labels has no teachers"):
        TrainingConfig(tutors=1, shuffle_labels=True)
    with pytest.raises(InputError, match="tutors must be from 0 to 16; found 17"):
        TrainingConfig(tutors=17)
    two = Devices("cpu", 2)
    with pytest.raises(InputError, match="tutors are trained on one device; leave them out"):
        train(data, tmp_path / "two", ModelConfig(48), TrainingConfig(tutors=1), devices=two)
    assert not (tmp_path / "two").exists()
    with pytest.raises(InputError, match="smoothing must be from 0 to below 1; found 1"):
        TrainingConfig(smoothing=1)
    with pytest.raises(InputError, match="teacher_weight must be above 0 and at most 1; found 0"):
        TrainingConfig(teacher_weight=0)
    out = tmp_path / "out"
    code, _, err = cli("train", folder, "--out", out, "--teacher", tmp_path / "nothing", *FAST)
    assert code == 1
    assert "nothing" in err
    assert not out.exists()
