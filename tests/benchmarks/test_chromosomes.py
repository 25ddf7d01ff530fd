"""Every chromosome held out in turn."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmark_calls import BENCHMARKS, fails
from helpers import planted_rows, rows_of_classes, write_table
from wavebind.cli.main import run as run_cli
from wavebind.datasets.dataset import open_dataset
from wavebind.metrics.reliability import reliability_curve
from wavebind.models import load_model
from wavebind.models.prediction import predict_logits


def chromosomes_table(path):
    """Train on three chromosomes, one of them with five bound windows; chr2 valid, chr3 test."""
    rows = []
    for i, (_, start, label, *others) in enumerate(planted_rows(60)):
        if label and 80 <= i < 110:
            continue
        place = {**dict.fromkeys(range(50), "chr1"), **dict.fromkeys(range(50, 110), "chr4")}
        place |= dict.fromkeys(range(110, 120), "chr5") | dict.fromkeys(range(120, 240), "chr2")
        rows.append((place.get(i, "chr3"), start, label, *others))
    return write_table(path, rows)


@pytest.mark.slow
def test_every_chromosome_but_those_of_test_is_held_out(tmp_path):
    folder, table = tmp_path / "data", chromosomes_table(tmp_path / "t.tsv")
    assert run_cli(["dataset", str(table), "--out", str(folder)]) == 0
    text = 'about = "a"\nsource = "-"\nbackbone = "scalenet"\nfront = "signal"\n'
    (tmp_path / "a.toml").write_text(
        text + "[training]\nepochs = 6\nbatch_size = 16\nmatrices = 0\n"
    )
    words = [sys.executable, BENCHMARKS / "chromosomes.py", folder, tmp_path / "a.toml"]
    words += ["--out", tmp_path / "runs", "--least", 15, "--seed", 2]
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "always in train, with fewer than 15 bound or unbound: chr5" in done.stderr
    lines = [line.split() for line in done.stdout.splitlines()[1:]]
    rows = {line[0]: [float(re.sub(r"[()]", "", x)) for x in line[1:]] for line in lines[:-1]}
    assert list(rows) == ["chr1", "chr2", "chr4", "mean", "deviation"]
    data = open_dataset(folder)
    labels, logits, fractions, seconds, raw = {}, {}, {}, {}, {}
    for name, valid in (("chr1", "chr2"), ("chr2", "chr4"), ("chr4", "chr1")):
        run = tmp_path / "runs" / "a" / f"{name}-{valid}" / "run"
        model = load_model(run / "model.safetensors", torch.device("cpu"))[0]
        scores = predict_logits(model, data.codes)
        inside, outside = data.chrom == name, data.chrom == valid
        # The epoch was chosen on the chromosome after it.
        history = json.loads((run / "history.json").read_text())
        best = max(epoch["valid_auroc"] for epoch in history)
        on_valid = roc_auc_score(data.labels[outside], scores[outside])
        assert on_valid == pytest.approx(best, abs=1e-3)
        slope, intercept = line(data.labels[outside], scores[outside])
        labels[name], logits[name] = data.labels[inside], slope * scores[inside] + intercept
        raw[name] = scores[inside]
        fractions[name] = (data.labels[outside] == 1).mean()
        # Of its valid chromosome, with a line of the one that it held out.
        other = line(data.labels[inside], scores[inside])
        seconds[valid] = other[0] * scores[outside] + other[1]
    for name, y in labels.items():
        row, z = rows[name], logits[name]
        others = [k for k in labels if k != name]
        pooled = line(*(np.concatenate([x[k] for k in others]) for x in (labels, logits)))
        itself = line(y, z)
        assert row[0] == len(y)
        assert row[1:4] == pytest.approx([y.mean(), fractions[name], expit(z).mean()], abs=1e-3)
        expected = [roc_auc_score(y, z), average_precision_score(y, z)]
        assert row[4:6] == pytest.approx(expected, abs=1e-4)
        assert row[7] < row[8]
        told = (1, logit(y.mean()) - logit(fractions[name]))
        for found, (slope, intercept) in zip(
            (row[6], *row[9:12]), ((1, 0), told, pooled, itself), strict=True
        ):
            expected = reliability_curve(y, expit(slope * z + intercept)).error
            assert found == pytest.approx(expected, abs=3e-3)
        instead = line(*(np.concatenate([x[k] for k in others]) for x in (labels, raw)))
        expected = reliability_curve(y, expit(instead[0] * raw[name] + instead[1])).error
        assert row[12] == pytest.approx(expected, abs=3e-3)
        assert row[13:15] == pytest.approx(itself, rel=0.01, abs=2e-3)
        pair = (z + seconds[name]) / 2
        assert row[15] == pytest.approx(roc_auc_score(y, pair), abs=1e-4)
        assert row[16] == pytest.approx(reliability_curve(y, expit(pair)).error, abs=3e-3)
    for column, value in enumerate(rows["mean"]):
        held = [rows[name][column] for name in labels]
        # Rows and their mean are both rounded to three digits.
        assert value == pytest.approx(np.mean(held), abs=1 if column == 0 else 1.1e-3)
        deviation = rows["deviation"][column]
        assert deviation == pytest.approx(np.std(held, ddof=1), abs=1 if column == 0 else 2e-3)
    above = sum(rows[name][6] > rows[name][8] for name in labels)
    assert lines[-1][-3:] == [str(above), "of", "3"]


def line(labels, logits):
    """Platt's line by scikit-learn, with his smoothed targets as weights of both classes."""
    bound, unbound = int((labels == 1).sum()), int((labels == 0).sum())
    high, low = (bound + 1) / (bound + 2), 1 / (unbound + 2)
    wanted = np.where(labels == 1, high, low)
    x = np.concatenate([logits, logits])[:, None]
    y = np.repeat([1, 0], len(logits))
    model = LogisticRegression(C=1e8, max_iter=10_000, tol=1e-10)
    model.fit(x, y, np.concatenate([wanted, 1 - wanted]))
    return float(model.coef_[0, 0]), float(model.intercept_[0])


@pytest.mark.slow
def test_too_few_chromosomes_to_hold_one_out(trained, tmp_path):
    message = fails("chromosomes.py", trained[1], "onehot", "--out", tmp_path / "c")
    assert "data: 2 chromosomes of train and valid have 100 bound and unbound windows; " in message
    message = fails("chromosomes.py", trained[1], "onehot", "onehot")
    assert "two recipes have one name" in message
    assert not (tmp_path / "c").exists()
    table = write_table(
        tmp_path / "t.tsv", rows_of_classes(30), "chrom\tstart\tend\tsplit\tfactor\tseq"
    )
    arguments = ["dataset", str(table), "--target", "factor", "--out", str(tmp_path / "classes")]
    assert run_cli(arguments) == 0
    message = fails("chromosomes.py", tmp_path / "classes", "onehot")
    assert "classes: has other labels than bound and unbound; take such a set" in message
