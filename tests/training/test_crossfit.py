"""A mean of networks that held out other chromosomes, against the same done by hand."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from benchmark_calls import call, fails
from helpers import (
    Interrupting,
    metrics_of,
    only_result,
    planted_rows,
    rows_of_classes,
    write_table,
)
from wavebind.cli.main import run as run_cli
from wavebind.core.errors import InputError
from wavebind.core.settings import from_dict
from wavebind.datasets.dataset import open_dataset
from wavebind.metrics.reliability import reliability_curve
from wavebind.models import ModelConfig, load_model
from wavebind.models.prediction import predict_logits
from wavebind.models.results import EVALUATIONS
from wavebind.training.config import TrainingConfig
from wavebind.training.crossfit import crossfit, share_out, without
from wavebind.training.train import Devices, train

FAST = [
    "--epochs",
    "5",
    "--set",
    "training.batch_size=20",
    "--set",
    "training.max_shift=0",
    "--device",
    "cpu",
]
RECIPE = """about = "a small one"
source = "-"
backbone = "scalenet"
front = "signal"
[options]
band_width = 16
position_width = 24
position_blocks = 1
[training]
learning_rate = 1e-2
averaging = 0.9
"""
#: Windows of train, in their order, by chromosome; chr2 is valid and chr3 test.
PLACES = (("chr1", 100), ("chr10", 60), ("chrX", 80))


def chromosome_rows():
    rows = []
    names = iter(np.repeat([name for name, _ in PLACES], [n for _, n in PLACES]).tolist())
    for chrom, *others in planted_rows(120):
        rows.append((next(names) if others[3] == "train" else chrom, *others))
    return rows


def make(folder, rows):
    table = write_table(folder.with_suffix(".tsv"), rows)
    assert run_cli(["dataset", str(table), "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def crossfitted(tmp_path_factory):
    """A run of three folds, and its dataset."""
    folder = tmp_path_factory.mktemp("crossfit")
    data = make(folder / "data", chromosome_rows())
    (folder / "a.toml").write_text(RECIPE)
    words = [
        "train",
        data,
        "--out",
        folder / "run",
        "--set",
        "training.crossfit=3",
        "--seed",
        "4",
        *FAST,
    ]
    words += ["--recipe", folder / "a.toml"]
    assert run_cli([str(word) for word in words]) == 0
    return folder / "run", data


def test_chromosomes_are_shared_out(crossfitted):
    data = open_dataset(crossfitted[1])
    sizes = dict(PLACES) | {"chr2": 240}
    assert share_out(data, 4) == [("chr1",), ("chr2",), ("chrX",), ("chr10",)]
    # chr2 alone has as many windows as the others together.
    assert share_out(data, 2) == [("chr1", "chrX", "chr10"), ("chr2",)]
    for n_folds in (2, 3, 4):
        folds = share_out(data, n_folds)
        assert sorted(name for fold in folds for name in fold) == sorted(sizes)
        for fold in folds:
            view = without(data, fold)
            held, train_part = (view.indices(part) for part in ("valid", "train"))
            assert set(data.chrom[held]) == set(fold)
            assert len(held) == sum(sizes[name] for name in fold)
            assert len(held) + len(train_part) == sum(sizes.values())
            assert (view.indices("test") == data.indices("test")).all()


def test_a_view_has_the_splits_of_its_set(crossfitted):
    """It lacks windows and has none in another part, so that what was trained on it is scored."""
    data = open_dataset(crossfitted[1])
    few = data.with_fewer(30, np.random.default_rng(0))
    assert (few.parts != data.parts).any()
    assert few.identity == data.identity == few.of("bound").identity
    folds = [without(view, ("chr1",)).identity for view in (data, few)]
    for fold in folds:
        assert fold["codes_sha256"] == data.checksum
        assert fold["splits_sha256"] != data.identity["splits_sha256"]
    assert folds[0] != folds[1]


@pytest.mark.slow
def test_it_is_the_mean_of_what_is_trained_by_hand(crossfitted, tmp_path, cli):
    run, folder = crossfitted
    stored = json.loads((run / "run.json").read_text())
    assert stored["folds"] == [["chr1"], ["chr2"], ["chrX", "chr10"]]
    data = open_dataset(folder)
    config = TrainingConfig(seed=4, crossfit=3)
    test = data.indices("test")
    test_logits, held_logits, held_labels = [], [], []
    for number, fold in enumerate(stored["folds"], 1):
        rows = [
            (
                *row[:4],
                "test" if row[4] == "test" else "valid" if row[0] in fold else "train",
                row[5],
            )
            for row in chromosome_rows()
        ]
        by_hand = make(tmp_path / f"data{number}", rows)
        seed = str(config.fold(number).seed)
        out = tmp_path / f"run{number}"
        recipe = ["--recipe", run.parent / "a.toml"]
        # A mean of networks has no matrices beside it.
        alone = ["--set", "training.matrices=0"]
        code, _, err = cli("train", by_hand, "--out", out, "--seed", seed, *FAST, *recipe, *alone)
        assert code == 0, err
        model, card = load_model(out / "model.safetensors", torch.device("cpu"))
        same, _ = load_model(run / "folds" / str(number) / "model.safetensors")
        torch.testing.assert_close(same.state_dict(), model.state_dict(), rtol=0, atol=0)
        logits = predict_logits(model, data.codes)
        calibrated = card.calibration[0].slope * logits + card.calibration[0].intercept
        held = np.isin(data.chrom, fold)
        test_logits.append(calibrated[test])
        held_logits.append(calibrated[held])
        held_labels.append(data.labels[held])
    assert len({config.fold(number).seed for number in (1, 2, 3)} | {4}) == 4
    merged, card = load_model(run / "model.safetensors", torch.device("cpu"))
    expected = np.mean(test_logits, axis=0)
    assert np.abs(test_logits[0] - test_logits[1]).max() > 0.3
    # In bfloat16, the lines before or after rounding.
    assert predict_logits(merged, data.codes, test) == pytest.approx(expected, abs=0.04)
    # What the card says is of the windows that were held out, by the network that held them out.
    labels, scores = np.concatenate(held_labels), np.concatenate(held_logits)
    assert card.valid["auroc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-4)
    assert card.valid["auprc"] == pytest.approx(average_precision_score(labels, scores), abs=1e-3)
    assert card.calibration[0].prevalence == pytest.approx(labels.mean())
    best = max(matthews_corrcoef(labels, scores >= z) for z in scores)
    called = matthews_corrcoef(labels, expit(scores) >= card.threshold)
    assert called == pytest.approx(best, abs=5e-3)
    code, out, err = cli("evaluate", run, folder)
    assert code == 0, err
    metrics = metrics_of(run)
    assert metrics["n_folds"] == 3
    assert "(chosen on what each network held out); seed 4" in out
    y = data.labels[test]
    assert metrics["auroc"]["value"] == pytest.approx(roc_auc_score(y, expected), abs=2e-3)
    table = pyarrow.parquet.read_table(only_result(run, EVALUATIONS) / "scores.parquet").to_pydict()
    assert table["probability"] == pytest.approx(expit(expected), abs=0.01)
    assert metrics["threshold"] == pytest.approx(card.threshold)


@pytest.mark.slow
def test_everything_takes_the_mean_as_it_takes_a_network(crossfitted, tmp_path, cli):
    run = shutil.copytree(crossfitted[0], tmp_path / "run")
    folder = crossfitted[1]
    assert cli("evaluate", run, folder)[0] == 0
    code, out, err = cli("report", run)
    assert code == 0, err
    page = (run / "report.html").read_text()
    words = re.sub(r"\s+", " ", page)
    assert (
        "chosen on the windows that each of the 3 networks, whose mean the model is, had" in words
    )
    assert "on the validation split (largest" not in words
    stored = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**stored, "folds": stored["folds"][:2]}))
    code, _, err = cli("report", run)
    assert code == 1
    assert "run.json: names 2 folds and the model is a mean of 3; is the run complete?" in err
    fasta = tmp_path / "w.fa"
    data = open_dataset(folder)
    letters = ["".join("ACGT"[c] for c in row) for row in data.codes[data.indices("test")][:5]]
    fasta.write_text("".join(f">w{i}\n{text}\n" for i, text in enumerate(letters)))
    code, out, err = cli("predict", run, fasta, "--device", "cpu")
    assert code == 0, err
    rows = [line.split("\t") for line in out.splitlines()]
    model, card = load_model(run / "model.safetensors", torch.device("cpu"))
    expected = card.probabilities(predict_logits(model, data.codes, data.indices("test")[:5]))
    column = rows[0].index("probability")
    assert [float(row[column]) for row in rows[1:]] == pytest.approx(expected, abs=1e-4)


def test_an_interrupted_one_goes_on(crossfitted, tmp_path, cli):
    run, folder = crossfitted
    data = open_dataset(folder)
    broken = tmp_path / "broken"

    first = without(data, ("chr1",))
    config = from_dict(
        TrainingConfig, json.loads((run / "run.json").read_text())["training"], "the run"
    )
    history = json.loads((run / "folds" / "1" / "history.json").read_text())
    before = len(history) * (len(first.indices("train")) // 20)
    model = load_model(run / "folds" / "1" / "model.safetensors")[1].model
    with pytest.raises(KeyboardInterrupt):
        crossfit(
            data, broken, model, config, devices=Devices("cpu"), on_event=Interrupting(before + 3)
        )
    assert not (broken / "model.safetensors").exists()
    stored = (broken / "run.json").read_text()
    (broken / "run.json").write_text(stored.replace('"chrX"', '"chrY"'))
    code, _, err = cli("train", folder, "--out", broken, "--resume", "--device", "cpu")
    assert code == 1
    assert "run.json: has other folds than these data are shared out to now; train anew" in err
    (broken / "run.json").write_text(stored)
    done = broken / "folds" / "1" / "model.safetensors"
    written = done.stat().st_mtime_ns
    code, out, err = cli("train", folder, "--out", broken, "--resume", "--device", "cpu")
    assert code == 0, err
    assert "network 3 of 3, which holds out chrX, chr10" in err
    assert "mean of 3 networks; each by itself, on what it held out: AUROC" in out
    assert done.stat().st_mtime_ns == written
    found, expected = (load_model(r / "model.safetensors")[0].state_dict() for r in (broken, run))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    code, _, err = cli("train", folder, "--out", broken, "--resume")
    assert code == 0
    assert "training has ended already" in err


def test_valid_says_nothing_of_a_mean_that_was_trained_on_it(crossfitted, tmp_path, cli):
    run, folder = crossfitted
    code, _, err = cli("evaluate", run, folder, "--split", "valid")
    assert code == 1
    assert (
        "is a mean of networks that were trained on valid, too (crossfit); score it on test" in err
    )
    # A network of a fold has seen what the dataset calls valid, or not seen all of train.
    code, _, err = cli("evaluate", run / "folds" / "1", folder)
    assert code == 1
    assert "was trained on other splits of the windows of" in err
    other = make(
        tmp_path / "other",
        [
            (
                *row[:4],
                "train" if row[0] == "chr2" else "valid" if row[0] == "chr1" else row[4],
                row[5],
            )
            for row in chromosome_rows()
        ],
    )
    for command in (["evaluate", run, other], ["train", other, "--out", run, "--resume"]):
        (run / "model.safetensors").rename(tmp_path / "m") if command[0] == "train" else None
        try:
            code, _, err = cli(*command)
        finally:
            if (tmp_path / "m").exists():
                (tmp_path / "m").rename(run / "model.safetensors")
        assert code == 1
        assert "splits of" in err or "the splits were" in err


def test_what_cannot_be_crossfitted(crossfitted, tmp_path, cli):
    folder = crossfitted[1]
    data = open_dataset(folder)
    with pytest.raises(InputError, match="have 4 chromosomes, which do not make 5 folds; take 4"):
        share_out(data, 5)
    with pytest.raises(InputError, match="windows of train and valid have no chromosome, which"):
        share_out(replace(data, chrom=np.where(data.chrom == "chrX", "", data.chrom)), 3)
    few = np.flatnonzero((data.chrom == "chr10") & (data.labels == 1))[5:]
    parts = data.parts.copy()
    parts[few] = "test"
    message = "a fold of chr10 has 5 bound windows, and 20 are needed .* take fewer folds than 4"
    with pytest.raises(InputError, match=message):
        share_out(replace(data, parts=parts), 4)
    with pytest.raises(InputError, match=r"crossfit must be 0, or 2 or more; found 1"):
        TrainingConfig(crossfit=1)
    config = TrainingConfig(crossfit=3)
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"are trained on one device; leave devices\.count out"):
        crossfit(data, out, ModelConfig(48), config, devices=Devices("cpu", 2))
    with pytest.raises(InputError, match="that have seen train and valid, and valid is what this"):
        train(data, out, ModelConfig(48), config)
    code, _, err = cli(
        "train", folder, "--out", out, "--set", "training.crossfit=3", "--model", "resnet18"
    )
    assert code == 1
    assert "networks that normalise their input themselves, which resnet18 does not" in err
    table = write_table(
        tmp_path / "t.tsv", rows_of_classes(30), "chrom\tstart\tend\tsplit\tfactor\tseq"
    )
    arguments = ["dataset", table, "--target", "factor", "--out", tmp_path / "classes"]
    assert cli(*arguments)[0] == 0
    words = [
        "train",
        tmp_path / "classes",
        "--set",
        "task=multilabel",
        "--out",
        out,
        "--set",
        "training.crossfit=2",
    ]
    code, _, err = cli(*words)
    assert code == 1
    assert "is for multiclass; crossfit is for bound and unbound windows" in err
    assert not out.exists()


@pytest.mark.slow
def test_the_benchmark_scores_each_network_and_their_mean(crossfitted, cli):
    run, folder = crossfitted
    data = open_dataset(folder)
    test = data.indices("test")
    labels = data.labels[test]
    lines = call("folds.py", folder, run).splitlines()
    assert lines[0] == f"240 windows of test, {labels.mean():.3f} bound"
    errors = []
    for line, name, path in zip(
        lines[2:6],
        ("none: their mean", "chr1", "chr2", "chrX, chr10"),
        (run, *(run / "folds" / str(number) for number in (1, 2, 3))),
        strict=True,
    ):
        assert line.startswith(name)
        model, card = load_model(path / "model.safetensors", torch.device("cpu"))
        logits = predict_logits(model, data.codes, test)
        p = card.probabilities(logits)
        numbers = [float(x) for x in re.findall(r"[-+]?\d+\.\d+", line[len(name) :])]
        expected = [roc_auc_score(labels, logits), average_precision_score(labels, logits)]
        assert numbers[:2] == pytest.approx(expected, abs=1e-3)
        first = name.startswith("none")
        assert numbers[2 if first else 5] == pytest.approx(p.mean(), abs=1e-3)
        error = reliability_curve(labels, p).error
        assert numbers[3 if first else 6] == pytest.approx(error, abs=1e-3)
        if first:
            mean = [*expected, error]
        else:
            errors.append(error)
            assert numbers[2] == pytest.approx(mean[0] - expected[0], abs=1e-3)
            assert numbers[9] == pytest.approx(mean[2] - error, abs=2e-3)
    found = [float(x) for x in re.findall(r"\d\.\d+", lines[6])]
    assert found == pytest.approx([np.mean(errors), min(errors), max(errors)], abs=1e-3)
    assert "1: is one network; train with --set training.crossfit=7" in fails(
        "folds.py", folder, run / "folds" / "1"
    )
