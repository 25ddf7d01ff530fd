"""Classes and numbers in place of bound and unbound: from a table to a scan."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, r2_score, roc_auc_score

from helpers import (
    LENGTH,
    MOTIFS,
    metrics_of,
    only_result,
    planted_rows,
    random_dna,
    rows_of_classes,
    write_table,
)
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import open_dataset
from wavebind.datasets.targets import read_target
from wavebind.genome.sequences import reverse_complement, to_codes, to_letters
from wavebind.metrics.platt import PlattScaling, fit_line
from wavebind.metrics.tasks import (
    classification_metrics,
    correlations,
    evaluate_classes,
    evaluate_numbers,
)
from wavebind.models import Classifier, ModelConfig, load_model, results
from wavebind.models.classifier import one_against_rest
from wavebind.models.prediction import predict_logits
from wavebind.training.recipes import load_recipe

FAST = [
    "--set",
    "training.batch_size=20",
    "--set",
    "training.max_shift=0",
    "--set",
    "training.patience=20",
    "--device",
    "cpu",
]


def rows_of_numbers(n_each=160, seed=2):
    """Strength is the number of motifs, 0 to 2, and a little noise."""
    rng = np.random.default_rng(seed)
    rows = []
    for part, chrom in (("train", "chr1"), ("valid", "chr2"), ("test", "chr3")):
        for i in range(n_each):
            seq, n = random_dna(rng, LENGTH), int(rng.integers(0, 3))
            for k in range(n):
                at = int(rng.integers(0, 9)) + 24 * k
                seq = seq[:at] + MOTIFS["ctcf"] + seq[at + 14 :]
            value = 50 + 100 * n + rng.normal(0, 5)
            start = 1000 * i
            rows.append((chrom, start, start + LENGTH, part, f"{value:.3f}", seq))
    return rows


HEADER = "chrom\tstart\tend\tsplit\t{}\tseq"


def trained_on(folder, rows, column, epochs):
    """A run on a column of a table, and its dataset."""
    from wavebind.cli.main import run

    table = write_table(folder / "t.tsv", rows, HEADER.format(column))
    assert run(["dataset", str(table), "--target", column, "--out", str(folder / "d")]) == 0
    arguments = ["train", str(folder / "d"), "--out", str(folder / "run"), "--epochs", str(epochs)]
    assert run([*arguments, *FAST]) == 0
    return folder / "run", folder / "d"


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """A run on three classes, and its dataset."""
    return trained_on(tmp_path_factory.mktemp("classes"), rows_of_classes(), "factor", 14)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """A run on numbers, and its dataset."""
    return trained_on(tmp_path_factory.mktemp("numbers"), rows_of_numbers(), "signal", 16)


def test_the_log_odds_of_a_class_are_those_of_the_softmax():
    logits = torch.randn(5, 4, dtype=torch.float64)
    found = torch.sigmoid(one_against_rest(logits))
    torch.testing.assert_close(found, torch.softmax(logits, 1))
    two = one_against_rest(logits[:, :2])
    torch.testing.assert_close(two[:, 0], logits[:, 0] - logits[:, 1])


def test_a_set_of_classes(classes):
    data = open_dataset(classes[1])
    assert data.task == "multiclass"
    # The background comes last.
    assert data.outputs == ("ap1", "ctcf", "unbound")
    assert (data.targets.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(data.labels, 1 - data.targets[:, 2])
    assert data.description["target"]["background"] == "unbound"


@pytest.mark.slow
def test_metrics_of_classes_are_those_of_scikit_learn(classes, cli):
    run, path = classes
    code, out, err = cli("evaluate", run, path, "--device", "cpu")
    assert code == 0, err
    data = open_dataset(path)
    indices = data.indices("test")
    model, card = load_model(run / "model.safetensors")
    assert card.model.task_name == "multiclass"
    logits = predict_logits(model, data.codes, indices)
    truth, called = data.targets[indices].argmax(1), logits.argmax(1)
    metrics = metrics_of(run)
    found = metrics["classes"]
    assert found["accuracy"]["value"] == pytest.approx(accuracy_score(truth, called))
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(truth, called, average="macro"))
    assert found["accuracy"]["value"] > 0.85
    assert found["composition"]["accuracy"]["value"] < found["accuracy"]["low"]
    table = np.array(found["confusion"])
    assert table.sum() == len(indices)
    assert np.trace(table) == (truth == called).sum()
    # Each output by itself is one class against the others.
    for j, name in enumerate(data.outputs):
        expected = roc_auc_score(data.targets[indices, j], logits[:, j])
        # Probabilities of classes add up to 1, which moves windows of nearly one logit.
        assert metrics["outputs"][name]["auroc"]["value"] == pytest.approx(expected, abs=2e-3)
    assert f"{found['macro_f1']['value']:.4f}" in out
    code, out, err = cli("report", run)
    assert code == 0, err
    page = (run / "report.html").read_text()
    assert "A window's class is the one with the highest probability." in page
    assert f"{found['macro_f1']['value']:.4f}" in page


def test_probabilities_of_classes_add_up(classes):
    run, path = classes
    data = open_dataset(path)
    model, _ = load_model(run / "model.safetensors")
    with torch.inference_mode():
        logits = model(torch.from_numpy(np.array(data.codes[:32])))
    torch.testing.assert_close(torch.sigmoid(logits).sum(1), torch.ones(32), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_classes_are_predicted_explained_and_scanned(classes, cli, tmp_path, own_cache):
    run, path = classes
    data = open_dataset(path)
    test = data.indices("test")[:6]
    fasta = tmp_path / "w.fa"
    text = "".join(f">w{i}\n{to_letters(np.asarray(data.codes[i]))}\n" for i in test)
    fasta.write_text(text + f">n\n{'N' * LENGTH}\n")
    code, out, _ = cli("predict", run, fasta, "--device", "cpu")
    assert code == 0
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0][:4] == ["name", "class", "probability:ap1", "logit:ap1"]
    assert [len(line) for line in lines] == [8] * 8
    assert lines[-1][1:] == ["NA"] * 7
    truth = [data.outputs[k] for k in data.targets[test].argmax(1)]
    assert sum(line[1] == name for line, name in zip(lines[1:7], truth, strict=True)) >= 5
    # The evidence for AP-1 lies on its motif.
    code, _, err = cli("explain", run, path, "--target", "ap1", "--n", "8", "--device", "cpu")
    assert code == 0, err
    file = np.load(only_result(run, results.EXPLANATIONS) / "explanations.npz")
    on, off = [], []
    for codes, scores in zip(file["codes"], file["base_scores"], strict=True):
        letters = to_letters(codes)
        at = letters.find(MOTIFS["ap1"])
        if at < 0:
            other = to_letters(reverse_complement(to_codes(MOTIFS["ap1"])))
            at = letters.find(other)
        assert at >= 0, "a window of another class was explained"
        on.append(scores[at : at + 14].mean())
        off.append(np.delete(scores, np.s_[at : at + 14]).mean())
    assert np.mean(on) > 3 * abs(np.mean(off))
    genome = tmp_path / "g.fa"
    rng = np.random.default_rng(9)
    seq = random_dna(rng, 1500)
    genome.write_text(f">c\n{seq[:700]}{MOTIFS['ap1']}{seq[714:]}\n")
    calls = tmp_path / "c.narrowPeak"
    arguments = ["--out", tmp_path / "s.bw", "--peaks", calls, "--target", "ap1", "--workers", 1]
    code, _, err = cli("scan", run, genome, *arguments, "--threshold", 0.6)
    assert code == 0, err
    tops = [int(line.split("\t")[1]) for line in calls.read_text().splitlines()]
    assert any(600 < at < 720 for at in tops)


@pytest.mark.slow
def test_numbers_are_learnt_and_measured(numbers, cli):
    run, path = numbers
    data = open_dataset(path)
    assert data.task == "regression"
    assert data.outputs == ("signal",)
    median = np.median(data.values[data.indices("train")])
    np.testing.assert_array_equal(data.labels, (data.values >= median).astype(int))
    code, out, err = cli("evaluate", run, path, "--device", "cpu")
    assert code == 0, err
    indices = data.indices("test")
    model, card = load_model(run / "model.safetensors")
    predicted = card.probabilities(predict_logits(model, data.codes, indices))
    values = data.values[indices]
    metrics = metrics_of(run)
    found = metrics["numbers"]
    assert found["pearson"]["value"] == pytest.approx(pearsonr(values, predicted)[0], abs=1e-4)
    assert found["spearman"]["value"] == pytest.approx(spearmanr(values, predicted)[0], abs=1e-4)
    assert found["r2"]["value"] == pytest.approx(r2_score(values, predicted), abs=1e-4)
    assert found["pearson"]["value"] > 0.8
    assert found["composition"]["pearson"]["value"] < found["pearson"]["low"]
    assert metrics["calibration_error"] is None
    assert card.thresholds[0] == pytest.approx(median)
    assert metrics["auroc"]["value"] == pytest.approx(
        roc_auc_score(data.labels[indices], predicted), abs=1e-4
    )
    history = json.loads((run / "history.json").read_text())
    best = max(history, key=lambda entry: entry["valid_pearson"])
    assert card.epoch == best["epoch"]
    assert f"{found['pearson']['value']:.4f}" in out
    assert cli("report", run)[0] == 0
    page = (run / "report.html").read_text()
    assert "Pearson correlation" in page
    assert "measured and predicted, test" in page


def test_numbers_are_predicted_and_scanned_in_their_unit(numbers, cli, tmp_path, own_cache):
    import pyBigWig

    run, _ = numbers
    rng = np.random.default_rng(9)
    seq = random_dna(rng, 1500)
    motif = MOTIFS["ctcf"]
    seq = f"{seq[:700]}{motif}{seq[714:724]}{motif}{seq[738:]}"
    fasta = tmp_path / "w.fa"
    fasta.write_text(f">two\n{seq[695 : 695 + LENGTH]}\n>none\n{seq[100 : 100 + LENGTH]}\n")
    code, out, _ = cli("predict", run, fasta, "--device", "cpu")
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0] == ["name", "value", "logit"]
    assert float(lines[1][1]) > 180 > float(lines[2][1])
    code, _, err = cli("predict", run, fasta, "--prevalence", "0.1", "--device", "cpu")
    assert code == 1
    assert "predicts numbers, which have no prevalence" in err
    genome = tmp_path / "g.fa"
    genome.write_text(f">c\n{seq}\n")
    calls = tmp_path / "c.narrowPeak"
    arguments = ["--out", tmp_path / "c.bw", "--peaks", calls, "--workers", 1]
    code, _, err = cli("scan", run, genome, *arguments, "--threshold", 170)
    assert code == 0, err
    assert "sites at a value of 170 or more" in err
    with pyBigWig.open(str(tmp_path / "c.bw")) as track:
        high = track.stats("c", 690, 740, type="max")[0]
        low = track.stats("c", 200, 400, type="mean")[0]
    assert high > 180 > 130 > low
    first = calls.read_text().splitlines()[0].split("\t")
    assert 0 <= int(first[4]) <= 1000
    assert 600 < int(first[1]) < 760


@pytest.mark.slow
def test_a_variant_of_numbers_is_judged(numbers, cli, tmp_path, own_cache):
    run, _ = numbers
    seq = random_dna(np.random.default_rng(9), 600)
    seq = f"{seq[:300]}{MOTIFS['ctcf']}{seq[314:]}"
    genome = tmp_path / "g.fa"
    genome.write_text(f">c\n{seq}\n")
    ref = seq[307]
    alt = "A" if ref != "A" else "T"
    vcf = tmp_path / "v.vcf"
    vcf.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=c>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        f"c\t308\t.\t{ref}\t{alt}\t.\t.\t.\n"
    )
    out = tmp_path / "v.tsv"
    code, _, err = cli("variants", run, vcf, "--genome", genome, "--out", out, "--workers", 1)
    assert code == 0, err
    names, row = (line.split("\t") for line in out.read_text().splitlines()[-2:])
    found = dict(zip(names, row, strict=True))
    probabilities = [float(v) for k, v in found.items() if "prob" in k.lower()]
    assert max(probabilities) > 1, "values are in their own unit"


def test_numbers_can_be_told_by_their_median(numbers, cli, tmp_path):
    arguments = ["--set", "task=binary", "--epochs", "1", "--out", tmp_path / "r", *FAST]
    code, out, err = cli("train", numbers[1], *arguments)
    assert code == 0, err
    assert load_model(tmp_path / "r" / "model.safetensors")[1].model.task_name == "binary"
    assert "valid AUROC" in out


def test_classes_can_be_told_one_by_one(classes, cli, tmp_path):
    arguments = ["--set", "task=multilabel", "--epochs", "1", "--out", tmp_path / "r", *FAST]
    assert cli("train", classes[1], *arguments)[0] == 0
    model, card = load_model(tmp_path / "r" / "model.safetensors")
    assert card.model.task_name == "multilabel"
    with torch.inference_mode():
        logits = model(torch.zeros(2, LENGTH, dtype=torch.uint8))
    assert abs(torch.sigmoid(logits).sum().item() - 2) > 1e-3


def test_a_network_for_what_the_set_is_not_for_is_refused(trained, classes, numbers, cli, tmp_path):
    for data, task in (
        (trained[1], "regression"),
        (classes[1], "binary"),
        (numbers[1], "multiclass"),
    ):
        code, _, err = cli("train", data, "--set", f"task={task}", "--out", tmp_path / "r")
        assert code == 1
        assert f"a network for {task} cannot be trained on it" in err
    assert not (tmp_path / "r").exists()
    code, _, err = cli("train", trained[1], "--set", "task=ranking", "--out", tmp_path / "r")
    assert code == 2
    assert "task is one of binary" in err
    code, _, err = cli("evaluate", numbers[0], trained[1], "--device", "cpu")
    assert code == 1
    assert "has no numbers" in err
    with pytest.raises(InputError, match=r"a network for regression .* has one output; found 2"):
        ModelConfig(LENGTH, outputs=("a", "b"), task="regression")
    with pytest.raises(
        InputError, match=r"a network for multiclass .* has several outputs; found 1"
    ):
        ModelConfig(LENGTH, task="multiclass")


@pytest.mark.parametrize(
    ("cells", "task", "message"),
    [
        (["1.5", "2.5", "x"], "regression", r"line 4: v 'x' is not a number"),
        (["1.5", "inf", "2"], "regression", r"line 3: v 'inf' is not a number"),
        (["3", "3", "3"], "regression", "fewer than two different numbers"),
        (["a", "a", "a"], None, "has 1 classes; 2 to 100"),
        (["a", "b", "a"], None, "the valid split has no window of class 'a'"),
        (["", ".", "NA"], None, "column v holds no value"),
    ],
)
def test_columns_that_cannot_be_targets(tmp_path, cells, task, message):
    rows = [
        ("chr1", 100 * i, 100 * i + 4, part, cell, "ACGT")
        for i, (part, cell) in enumerate(zip(("train", "valid", "test"), cells, strict=True))
    ]
    table = write_table(tmp_path / "t.tsv", rows, HEADER.format("v"))
    with pytest.raises(InputError, match=message):
        read_target([table], "v", task)


def test_what_a_column_is(tmp_path):
    parts = ("train", "valid", "test")
    rows = [
        ("chr1", 100 * i, 100 * i + 4, parts[i % 3], str(i // 3 % 3), "ACGT") for i in range(18)
    ]
    table = write_table(tmp_path / "t.tsv", rows, HEADER.format("v"))
    assert read_target([table], "v").task == "regression"
    found = read_target([table], "v", "multiclass")
    assert found.classes == ("1", "2", "0")
    with pytest.raises(InputError, match="column w missing"):
        read_target([table], "w")
    with pytest.raises(InputError, match="a target is for multiclass or regression"):
        read_target([table], "v", "binary")


def test_windows_without_a_value_are_counted(tmp_path, cli):
    rows = rows_of_numbers(20)
    rows[0] = (*rows[0][:4], "NA", rows[0][5])
    table = write_table(tmp_path / "t.tsv", rows, HEADER.format("signal"))
    code, out, _ = cli("dataset", table, "--target", "signal", "--out", tmp_path / "d")
    assert code == 0
    assert "its class or its value is not known" in out
    data = open_dataset(tmp_path / "d")
    assert len(data.labels) == len(rows) - 1
    for arguments, message in (
        (["--set", "task=regression"], "the setting task needs a --target"),
        (["--target", "signal", "--set", "labels=a,b"], "in place of the setting labels"),
    ):
        code, _, err = cli("dataset", table, *arguments, "--out", tmp_path / "e")
        assert code == 2
        assert message in " ".join(err.replace("│", " ").split())


def test_metrics_and_their_intervals():
    rng = np.random.default_rng(0)
    truth, called = rng.integers(0, 4, 300), rng.integers(0, 4, 300)
    found = classification_metrics(truth, called, 4)
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, called))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, called, average="macro"))
    interval = evaluate_classes(truth, called, 4, rng, 400)["accuracy"]
    # Of a binomial share, whose interval has a closed form.
    half = 1.96 * np.sqrt(interval.value * (1 - interval.value) / 300)
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.2)
    x = rng.normal(size=500)
    y = x + rng.normal(size=500)
    found = correlations(x, y)
    assert found["pearson"] == pytest.approx(pearsonr(x, y)[0])
    assert found["spearman"] == pytest.approx(spearmanr(x, y)[0])
    assert found["r2"] == pytest.approx(r2_score(x, y))
    assert correlations(x, np.zeros(500))["pearson"] == 0
    interval = evaluate_numbers(x, y, rng, 400)["pearson"]
    # Fisher's transformation.
    z, se = np.arctanh(interval.value), 1 / np.sqrt(497)
    width = np.tanh(z + 1.96 * se) - np.tanh(z - 1.96 * se)
    assert interval.high - interval.low == pytest.approx(width, rel=0.25)


def test_the_line_of_a_regression():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=200)
    start = PlattScaling(3.0, 10.0, link="identity")
    line = fit_line(5 * scores + 2, scores, start)
    assert (line.slope, line.intercept) == (pytest.approx(5), pytest.approx(2))
    np.testing.assert_allclose(line.logits(line.probabilities(scores)), scores)
    assert fit_line(-scores, scores, start) == start
    assert fit_line(scores, np.zeros(200), start) == start


def test_labels_by_a_name_alone_have_one_output(classes):
    data = open_dataset(classes[1]).only("ap1")
    assert load_recipe("default").model_for(data).task_name == "binary"
    assert data.targets.shape == (len(data.labels), 1)
    config = load_recipe("default").model_for(open_dataset(classes[1]))
    assert Classifier(config).backbone.head.out_features == 3


def test_scores_of_numbers_are_kept(numbers, cli):
    run, path = numbers
    assert cli("evaluate", run, path, "--split", "valid", "--device", "cpu")[0] == 0
    table = pq.read_table(
        only_result(run, results.EVALUATIONS, "valid") / "scores.parquet"
    ).to_pydict()
    data = open_dataset(path)
    np.testing.assert_allclose(table["value"], data.values[data.indices("valid")])


def test_rows_are_as_before_for_a_label(tmp_path, cli):
    table = write_table(tmp_path / "t.tsv", planted_rows(6))
    assert cli("dataset", table, "--out", tmp_path / "d")[0] == 0
    data = open_dataset(tmp_path / "d")
    assert (data.task, data.values, data.outputs) == ("binary", None, ("bound",))


def test_probabilities_of_classes_add_up_and_name_the_class(classes, tmp_path, cli):
    run, path = classes
    data = open_dataset(path)
    indices = data.indices("test")
    fasta = tmp_path / "w.fa"
    letters = data.sequences(indices)
    fasta.write_text("".join(f">w{i}\n{s}\n" for i, s in enumerate(letters)))
    code, out, err = cli("predict", run, fasta, "--device", "cpu")
    assert code == 0, err
    rows = [line.split("\t") for line in out.splitlines()]
    names = [c.removeprefix("probability:") for c in rows[0] if c.startswith("probability:")]
    where = [rows[0].index(f"probability:{name}") for name in names]
    p = np.array([[float(row[i]) for i in where] for row in rows[1:]])
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=2e-5)
    assert [names[i] for i in p.argmax(axis=1)] == [row[rows[0].index("class")] for row in rows[1:]]
    # Of one calibrated softmax, on valid the mean probability of a class is its share.
    model, card = load_model(run / "model.safetensors")
    valid = data.indices("valid")
    logits = predict_logits(model, data.codes, valid, bf16=False)
    mine = card.all_probabilities(logits.astype(np.float64))
    np.testing.assert_allclose(mine.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(mine.mean(axis=0), data.targets[valid].mean(axis=0), atol=0.03)


def test_one_softmax_is_that_of_a_regression_on_the_logits():
    """Against a search without gradients, with one scale and a bias for each class."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    from wavebind.metrics.platt import fit_softmax

    rng = np.random.default_rng(0)
    z = rng.normal(size=(3000, 3)) * 2
    p = np.exp(log_softmax(0.5 * z + [0.0, 1.0, -1.0], axis=1))
    classes = (p.cumsum(axis=1) > rng.random((3000, 1))).argmax(axis=1)
    scale, bias = fit_softmax(classes, z)
    assert scale == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(bias - bias.mean(), [0.0, 1.0, -1.0], atol=0.12)

    def loss(x):
        return -log_softmax(x[0] * z + [0, *x[1:]], axis=1)[np.arange(3000), classes].mean()

    naive = minimize(loss, [1.0, 0, 0], method="Nelder-Mead", options={"xatol": 1e-6}).x
    assert scale == pytest.approx(naive[0], abs=2e-3)
    np.testing.assert_allclose(bias - bias[0], [0, *naive[1:]], atol=5e-3)
