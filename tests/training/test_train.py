import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.datasets.dataset import open_dataset
from wavebind.metrics.platt import fit_calibration
from wavebind.models import ModelConfig, load_model
from wavebind.models.prediction import predict_logits
from wavebind.models.rundir import RunDir
from wavebind.training.batches import epoch_windows
from wavebind.training.fit import Fit
from wavebind.training.prepare import bound_weight
from wavebind.training.recipes import load_recipe
from wavebind.training.train import Devices, TrainingConfig, finished_card, train


class Evil:
    """What a stranger could put into a pickle."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


QUICK = {"batch_size": 40, "max_shift": 0, "patience": 20}


def quick(data, out, epochs=2, **options):
    config = TrainingConfig(epochs=epochs, **{**QUICK, **options})
    return train(data, out, ModelConfig(data.length), config, devices=Devices("cpu"))


@pytest.fixture(scope="module")
def data(trained):
    return open_dataset(trained[1])


def history(run):
    return json.loads((run / "history.json").read_text())


def without_seconds(entries):
    return [{k: v for k, v in e.items() if k != "seconds"} for e in entries]


def test_a_planted_motif_is_learned(trained):
    run, _ = trained
    entries = history(run)
    assert entries[-1]["loss"] < 0.6 * entries[0]["loss"]
    assert max(e["valid_auroc"] for e in entries) > 0.97


def test_the_best_epoch_on_valid_is_kept(trained):
    run, _ = trained
    entries = history(run)
    _, card = load_model(run / "model.safetensors")
    best = max(range(len(entries)), key=lambda i: entries[i]["valid_auroc"])
    assert card.epoch == best + 1
    assert card.valid["auroc"] == pytest.approx(entries[best]["valid_auroc"])
    assert not (run / "checkpoints").exists()


def test_a_seed_repeats_a_run_bit_for_bit(data, tmp_path):
    quick(data, tmp_path / "a", seed=1)
    quick(data, tmp_path / "b", seed=1)
    quick(data, tmp_path / "c", seed=2)
    a, b, c = (load_model(tmp_path / x / "model.safetensors")[0].state_dict() for x in "abc")
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not all(torch.equal(a[k], c[k]) for k in a)
    assert without_seconds(history(tmp_path / "a")) == without_seconds(history(tmp_path / "b"))


def test_the_run_says_how_to_repeat_it(trained):
    stored = json.loads((trained[0] / "run.json").read_text())
    assert stored["training"]["epochs"] == 12
    assert stored["training"]["seed"] == 0
    assert stored["model"]["scalogram"]["outputs"] == ["real", "imag"]
    assert stored["model"]["options"]["kernel"] == 5
    assert len(stored["data"]["codes_sha256"]) == 64
    assert stored["versions"]["torch"] == torch.__version__


def test_early_stopping(data, tmp_path):
    # A learning rate that changes nothing: no epoch is better than the first by much.
    quick(data, tmp_path / "r", epochs=30, patience=1, learning_rate=1e-9)
    assert len(history(tmp_path / "r")) < 30


def test_shuffled_labels_teach_nothing(data, tmp_path):
    # Nothing is chosen on valid either: no early stopping, and the last epoch is kept.
    card = quick(data, tmp_path / "r", epochs=6, shuffle_labels=True, patience=1)
    assert card.epoch == 6
    assert len(history(tmp_path / "r")) == 6
    assert abs(history(tmp_path / "r")[-1]["valid_auroc"] - 0.5) < 0.2


def start(data, out, epochs):
    """A training in a process of its own."""
    code = "import sys; from wavebind.cli.main import run; sys.exit(run(sys.argv[1:]))"
    arguments = [
        "train",
        data.path,
        "--out",
        out,
        "--epochs",
        epochs,
        "--set",
        "training.batch_size=40",
        "--recipe",
        "wavelets",
    ]
    arguments += [
        "--set",
        "training.max_shift=0",
        "--set",
        "training.patience=50",
        "--device",
        "cpu",
    ]
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.DEVNULL
    )


def test_kill_9_then_resume(data, tmp_path):
    epochs = 5
    out = tmp_path / "killed"
    process = start(data, out, epochs)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (out / "history.json").is_file() and len(history(out)) >= 2:
            break
        assert process.poll() is None, "training ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = len(history(out))
    assert 2 <= done < epochs
    assert not (out / "model.safetensors").exists()
    assert finished_card(out) is None
    card = train(
        data, out, ModelConfig(data.length), TrainingConfig(), devices=Devices("cpu"), resume=True
    )
    model = load_recipe("wavelets").model(data.length)
    config = TrainingConfig(epochs=epochs, **{**QUICK, "patience": 50})
    train(data, tmp_path / "whole", model, config, devices=Devices("cpu"))
    resumed, whole = history(out), history(tmp_path / "whole")
    assert [e["epoch"] for e in resumed] == list(range(1, epochs + 1))
    # The same seed, the same epochs: not just within noise, but the same run.
    for a, b in zip(resumed, whole, strict=True):
        assert a["valid_auroc"] == pytest.approx(b["valid_auroc"], abs=0.02)
        assert a["loss"] == pytest.approx(b["loss"], abs=0.02)
    assert (out / "model.safetensors").is_file()
    assert finished_card(out) == card


def test_resume_without_a_checkpoint_starts_at_the_beginning(data, tmp_path):
    quick(data, tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "model.safetensors").unlink()
    (tmp_path / "b" / "history.json").unlink()
    train(
        data,
        tmp_path / "b",
        ModelConfig(200),
        TrainingConfig(),
        devices=Devices("cpu"),
        resume=True,
    )
    assert without_seconds(history(tmp_path / "a")) == without_seconds(history(tmp_path / "b"))


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"\x80\x02N.", b""])
def test_a_checkpoint_that_is_damaged(data, tmp_path, trained, content):
    run = RunDir(shutil.copytree(trained[0], tmp_path / "r"))
    run.model.unlink()
    run.checkpoints.mkdir()
    (run.checkpoints / "last.ckpt").write_bytes(content)
    with pytest.raises(InputError, match=r"the checkpoint is damaged .* train anew with --force"):
        train(
            data, run.path, ModelConfig(48), TrainingConfig(), devices=Devices("cpu"), resume=True
        )


def test_a_hostile_checkpoint_is_not_executed(data, tmp_path, trained):
    run = RunDir(shutil.copytree(trained[0], tmp_path / "r"))
    run.model.unlink()
    run.checkpoints.mkdir()
    torch.save({"state_dict": Evil(tmp_path / "was-here")}, run.checkpoints / "last.ckpt")
    with pytest.raises(InputError, match="the checkpoint is damaged"):
        train(
            data, run.path, ModelConfig(48), TrainingConfig(), devices=Devices("cpu"), resume=True
        )
    assert not (tmp_path / "was-here").exists()


def test_a_full_disk_at_a_checkpoint(data, tmp_path, monkeypatch):
    def full(path, _):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(InputError, match=r"ckpt: cannot be written: the disk is full"):
        quick(data, tmp_path / "r")
    assert list((tmp_path / "r" / "checkpoints").iterdir()) == []


def test_resume_with_other_data_or_no_run(data, tmp_path, trained, table):
    from wavebind.datasets.tables import read_labelled_table
    from wavebind.datasets.writing import write_dataset

    with pytest.raises(InputError, match="no such run"):
        finished_card(tmp_path / "none")
    write_dataset(read_labelled_table(table), tmp_path / "other")
    other = open_dataset(tmp_path / "other")
    with pytest.raises(InputError, match=r"the windows were .* and are .*; it was begun with"):
        train(other, trained[0], ModelConfig(48), TrainingConfig(), resume=True)


def test_a_run_is_not_overwritten(data, tmp_path):
    out = tmp_path / "r"
    out.mkdir()
    (out / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="is a folder with other files in it"):
        quick(data, out)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / ".run.json.k3x.part").write_text("{")  # killed while it wrote run.json
    quick(data, tmp_path / "s", epochs=1)
    assert not list((tmp_path / "s").glob(".run.json.*"))
    with pytest.raises(InputError, match="holds a run already"):
        quick(data, tmp_path / "s")
    (tmp_path / "f").write_text("x")
    with pytest.raises(InputError, match="is a file; a run is a folder"):
        quick(data, tmp_path / "f")


def test_a_run_json_that_is_damaged(run_copy):
    run, path = run_copy
    data = open_dataset(path)
    (run / "run.json").write_text("{}")
    with pytest.raises(InputError, match="the entry 'data' is missing"):
        train(data, run, ModelConfig(48), TrainingConfig(), resume=True)
    (run / "run.json").write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        train(data, run, ModelConfig(48), TrainingConfig(), resume=True)


def test_divergence_is_an_error_and_leaves_no_model(data, tmp_path, monkeypatch):
    def broken(self, codes):
        return self.finish(self.backbone(self.front(codes))) * float("nan")

    monkeypatch.setattr("wavebind.models.classifier.Classifier.forward", broken)
    with pytest.raises(InputError, match=r"training diverged in epoch 1.*lower the learning rate"):
        quick(data, tmp_path / "r")
    assert not RunDir(tmp_path / "r").model.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be 1 or more; found 0"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"unbound_ratio": 0.0}, "unbound_ratio must be above 0"),
        ({"batch_size": 1}, "batch_size must be 2 or more"),
        ({"patience": 0}, "patience must be 1 or more"),
        ({"averaging": 1.0}, "averaging must be below 1"),
        ({"max_shift": -1}, "max_shift must be 0 or more"),
    ],
)
def test_settings_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        TrainingConfig(**options)


def test_the_average_is_a_moving_average(data, tmp_path):
    """Against a loop over the weights of every step."""

    config = TrainingConfig(averaging=0.5)
    from wavebind.models import build_model

    model = build_model(ModelConfig(data.length), torch.Generator().manual_seed(0))
    fit = Fit(model, config, 10)
    name = "backbone.head.weight"
    expected = model.state_dict()[name].clone()
    rng = np.random.default_rng(0)
    for step in range(1, 6):
        with torch.no_grad():
            model.state_dict()[name].copy_(torch.from_numpy(rng.normal(size=expected.shape)))
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.state_dict()[name]
        fit.update_average(step)
        torch.testing.assert_close(fit.average.state_dict()[name], expected)


def test_the_same_windows_each_epoch_in_another_order(data):
    train_windows = data.indices("train")
    for redraw in (True, False):
        config = TrainingConfig(unbound_ratio=0.5, redraw=redraw)
        first, second = (epoch_windows(data.labels, train_windows, config, e) for e in (0, 1))
        assert (set(first) == set(second)) is not redraw
        assert first.tolist() != second.tolist()


def test_class_weights_make_both_classes_count_alike(data):
    config = TrainingConfig(unbound_ratio=0.5, class_weights=True)
    train_windows = data.indices("train")
    chosen = data.labels[epoch_windows(data.labels, train_windows, config, 0)]
    weight = bound_weight(data.labels, train_windows, config)
    assert weight * (chosen == 1).sum() == pytest.approx((chosen == 0).sum())
    assert bound_weight(data.labels, train_windows, TrainingConfig()) == 1.0


def test_accumulated_batches_make_one_step(data, tmp_path, monkeypatch):
    seen = []
    own = Fit.update_average

    def count(self, step):
        seen.append(step)
        own(self, step)

    monkeypatch.setattr(Fit, "update_average", count)
    config = TrainingConfig(epochs=2, batch_size=30, accumulate=4, unbound_ratio=None)
    train(data, tmp_path / "r", ModelConfig(48), config, devices=Devices("cpu"))
    # 300 windows: ten batches, two steps of four and one of the two that are left, twice.
    assert seen == [1, 2, 3, 4, 5, 6]


def test_logs_of_every_step(cli, trained, tmp_path):
    out = tmp_path / "r"
    code, _, err = cli(
        "train",
        trained[1],
        "--out",
        out,
        "--epochs",
        2,
        "--set",
        "training.batch_size=60",
        "--set",
        "training.log=csv,tensorboard",
        "--set",
        "training.mutation=0.01",
        "--set",
        "training.class_weights=true",
        "--set",
        "training.accumulate=2",
        "--device",
        "cpu",
    )
    assert code == 0, err
    with (out / "logs" / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    losses = [float(row["train_loss"]) for row in rows if row["train_loss"]]
    # Five batches an epoch, two of them a step: three steps.
    assert len(losses) == 6
    assert 0.3 < min(losses) <= max(losses) < 1
    assert any(row["valid_auroc"] for row in rows)
    events = list((out / "tensorboard").iterdir())
    assert any(p.name.startswith("events.out") for p in events)
    stored = json.loads((out / "run.json").read_text())["training"]
    assert (stored["mutation"], stored["class_weights"], stored["accumulate"]) == (0.01, True, 2)


def test_probabilities_are_calibrated_on_valid(trained):
    model, card = load_model(trained[0] / "model.safetensors")
    data = open_dataset(trained[1])
    indices = data.indices("valid")
    logits = predict_logits(model, data.codes, indices)
    expected = fit_calibration(data.labels[indices], logits)
    assert card.calibration[0].slope == pytest.approx(expected.slope, rel=0.05)
    scores = card.probabilities(logits)
    assert scores.mean() == pytest.approx(data.labels[indices].mean(), abs=0.03)
    assert card.training["batch_size"] == 20
