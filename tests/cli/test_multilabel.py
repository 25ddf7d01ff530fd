import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.metrics import roc_auc_score

from helpers import MOTIF, metrics_of, only_result, random_dna, write_table
from wavebind.datasets.dataset import open_dataset
from wavebind.models import ModelConfig, build_model, load_model
from wavebind.models.prediction import predict_logits
from wavebind.models.results import EVALUATIONS, EXPLANATIONS, place_of
from wavebind.training.config import TrainingConfig
from wavebind.training.fit import Fit

HEADER = "chrom\tstart\tend\tsplit\tseq\tleft\tright"
OTHER = "TGACTCATTGACTCA"


def rows(n, seed=1):
    """Windows with one motif, the other, both or none; some labels are not known."""
    rng = np.random.default_rng(seed)
    found = []
    for p, part in enumerate(("train", "valid", "test")):
        for i in range(n):
            has = rng.random(2) < 0.5
            seq = random_dna(rng, 48)
            if has[0]:
                seq = seq[:3] + MOTIF + seq[3 + len(MOTIF) :]
            if has[1]:
                seq = seq[:28] + OTHER + seq[28 + len(OTHER) :]
            labels = [str(int(x)) for x in has]
            if i % 7 == 0:
                labels[i % 2] = ("-1", "2", "NA", "")[i % 4]
            found.append((f"chr{p}", 100 * i, 100 * i + 48, part, seq, *labels))
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from wavebind.cli.main import run as run_cli

    folder = tmp_path_factory.mktemp("multilabel")
    table = write_table(folder / "t.tsv", rows(300), HEADER)
    options = ["--set", "labels=left,right", "--out", str(folder / "data")]
    assert run_cli(["dataset", str(table), *options]) == 0
    arguments = ["train", str(folder / "data"), "--out", str(folder / "run"), "--epochs", "15"]
    arguments += [
        "--set",
        "training.batch_size=20",
        "--set",
        "training.max_shift=0",
        "--set",
        "training.patience=15",
        "--device",
        "cpu",
    ]
    assert run_cli(arguments) == 0
    return folder / "run", folder / "data"


def test_the_set_holds_every_label(run):
    data = open_dataset(run[1])
    assert data.outputs == ("left", "right")
    assert data.targets.shape == (len(data.labels), 2)
    assert set(np.unique(data.targets)) == {-1, 0, 1}
    np.testing.assert_array_equal(data.labels, (data.targets == 1).any(axis=1))
    left = data.of("left")
    assert len(left.indices("test")) == ((data.parts == "test") & (data.targets[:, 0] >= 0)).sum()


def test_each_output_learns_its_own_motif(cli, run):
    out, path = run
    code, text, err = cli("evaluate", out, path, "--device", "cpu")
    assert code == 0, err
    metrics = metrics_of(out)
    assert list(metrics["outputs"]) == ["left", "right"]
    data = open_dataset(path)
    table = pq.read_table(only_result(out, EVALUATIONS) / "scores.parquet").to_pandas()
    for j, name in enumerate(("left", "right")):
        labels = data.targets[table["index"], j]
        known = labels >= 0
        expected = roc_auc_score(labels[known], table[f"logit:{name}"][known])
        found = metrics["outputs"][name]
        assert found["auroc"]["value"] == pytest.approx(expected)
        assert found["n_windows"] == known.sum()
        assert expected > 0.9
        assert f"{name:<24} AUROC {expected:.4f}" in text
    crossed = roc_auc_score(data.targets[table["index"], 1][known], table["logit:left"][known])
    assert abs(crossed - 0.5) < 0.15
    assert metrics["auroc"] == metrics["outputs"]["left"]["auroc"]
    code, text, _ = cli("evaluate", out, path, "--target", "right", "--device", "cpu", "--force")
    metrics = metrics_of(out)
    assert metrics["output"] == "right"
    assert metrics["auroc"] == metrics["outputs"]["right"]["auroc"]


@pytest.mark.slow
def test_scores_explanations_and_report_of_an_output(cli, run, tmp_path):
    out, path = run
    fasta = tmp_path / "x.fa"
    rng = np.random.default_rng(3)
    plain = random_dna(rng, 48)
    fasta.write_text(f">a\n{plain[:3] + MOTIF + plain[3 + len(MOTIF) :]}\n>n\n{'N' * 48}\n")
    code, text, _ = cli("predict", out, fasta, "--device", "cpu")
    assert code == 0
    header, first, second = (line.split("\t") for line in text.splitlines())
    assert header == [
        "name", "probability:left", "logit:left", "probability:right", "logit:right",
    ]  # fmt: skip
    assert float(first[1]) > float(first[3])
    assert second == ["n", "NA", "NA", "NA", "NA"]
    for name, centre in (("left", 10), ("right", 35)):
        code, _, err = cli(
            "explain",
            out,
            path,
            "--n",
            12,
            "--target",
            name,
            "--set",
            "select=top",
            "--device",
            "cpu",
            "--force",
        )
        assert code == 0, err
        with np.load(only_result(out, EXPLANATIONS) / "explanations.npz") as file:
            profile = file["mean_profile"]
        assert abs(int(profile.argmax()) - centre) < 14
        assert (
            json.loads((only_result(out, EXPLANATIONS) / "explain.json").read_text())["output"]
            == name
        )
    assert cli("evaluate", out, path, "--target", "right", "--device", "cpu", "--force")[0] == 0
    assert cli("report", out)[0] == 0
    page = (out / "report.html").read_text()
    assert "Each output" in page
    assert "The page is about the output right" in page


def test_a_command_about_one_output_asks_which(cli, run, tmp_path):
    out, path = run
    long = tmp_path / "long.fa"
    long.write_text(">a\n" + "ACGT" * 20 + "\n")
    for command in (
        ("explain", out, path),
        ("motifs", out, path),
        ("scan", out, long, "--out", tmp_path / "x.bw"),
        ("predict", out, long, "--longer", "best"),
    ):
        code, text, err = cli(*command, "--device", "cpu")
        assert code == 1, command
        assert "the model has 2 outputs; choose one with --target: left, right" in err
        assert not text
    assert not (tmp_path / "x.bw").exists()


def test_one_output_is_predicted_alone(cli, run, tmp_path):
    out, _ = run
    fasta = tmp_path / "x.fa"
    rng = np.random.default_rng(3)
    fasta.write_text("".join(f">s{i}\n{random_dna(rng, 48)}\n" for i in range(9)))
    whole = cli("predict", out, fasta, "--device", "cpu", "--precision", "float32")[1]
    alone = cli(
        *("predict", out, fasta, "--device", "cpu", "--precision", "float32", "--target", "right")
    )[1]
    assert alone.splitlines()[0] == "name\tprobability\tlogit"
    for both, one in zip(whole.splitlines()[1:], alone.splitlines()[1:], strict=True):
        np.testing.assert_allclose(
            np.float64(both.split("\t")[3:]), np.float64(one.split("\t")[1:]), rtol=2e-5
        )


def test_variants_for_every_output_are_one_table(cli, run, tmp_path):
    out, _ = run
    rng = np.random.default_rng(8)
    letters = random_dna(rng, 900)
    letters = letters[:400] + MOTIF + letters[400 + len(MOTIF) :]
    (tmp_path / "g.fa").write_text(f">c\n{letters}\n")
    changes = [(at, "A" if letters[at] != "A" else "C") for at in (300, 406)]
    lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    lines += [f"c\t{at + 1}\tv{at}\t{letters[at]}\t{alt}\t.\t.\t." for at, alt in changes]
    lines.append(f"c\t500\tnone\t{letters[499]}\t.\t.\t.\t.")
    (tmp_path / "v.vcf").write_text("\n".join(lines) + "\n")
    options = ("--genome", tmp_path / "g.fa", "--device", "cpu", "--set", "n_null=30")
    words = ("variants", out, tmp_path / "v.vcf", *options)
    code, _, err = cli(*words, "--out", tmp_path / "all.tsv", "--target", "all")
    assert code == 0, err
    table = pd.read_csv(tmp_path / "all.tsv", sep="\t", na_values=["."])
    assert table["label"].fillna(".").tolist() == ["left", "right", "left", "right", "."]
    assert table["status"].tolist() == ["scored"] * 4 + ["no_alt"]
    for name in ("left", "right"):
        code, _, err = cli(*words, "--out", tmp_path / f"{name}.tsv", "--target", name)
        assert code == 0, err
        alone = pd.read_csv(tmp_path / f"{name}.tsv", sep="\t", na_values=["."])
        mine = table[table["label"] == name].drop(columns="label").reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, alone.iloc[:2], check_dtype=False, rtol=1e-3, atol=2e-4)
    code, _, err = cli(*words, "--out", tmp_path / "all.vcf", "--target", "all")
    assert code == 1
    assert "effects on every output are a table with a row for each; end its name in .tsv" in err


def test_the_labels_on_valid_are_in_a_table(run):
    out, path = run
    data = open_dataset(path)
    lines = [line.split("\t") for line in (out / "labels.tsv").read_text().splitlines()]
    assert lines[0][:5] == ["label", "valid_bound", "valid_unbound", "auroc", "auprc"]
    valid = data.indices("valid")
    model, card = load_model(out / "model.safetensors")
    logits = predict_logits(model, data.codes, valid)
    for j, cells in enumerate(lines[1:]):
        labels = data.targets[valid, j]
        assert cells[0] == ("left", "right")[j]
        assert [int(cells[1]), int(cells[2])] == [(labels == 1).sum(), (labels == 0).sum()]
        known = labels >= 0
        assert float(cells[3]) == pytest.approx(
            roc_auc_score(labels[known], logits[known, j]), abs=2e-4
        )
        assert cells[5:] == ["yes", "yes"]
    assert card.valid["auroc"] == pytest.approx(np.mean([float(x[3]) for x in lines[1:]]), abs=1e-4)


def test_one_label_can_be_scored_by_one_output(cli, run, trained):
    out, path = run
    code, _, err = cli("evaluate", out, trained[1], "--device", "cpu")
    assert code == 1
    assert "has one label and the model 2 outputs; choose one with --target: left, right" in err
    code, _, err = cli("evaluate", out, trained[1], "--target", "left", "--device", "cpu")
    assert code == 0, err
    place = place_of(out, EVALUATIONS, open_dataset(trained[1]), "test")
    metrics = json.loads((place / "metrics.json").read_text())
    assert metrics["outputs"] == {}
    assert metrics["auroc"]["value"] > 0.8
    code, _, err = cli("evaluate", out, path, "--target", "middle")
    assert code == 1
    assert "the model has no output 'middle'; choose one with --target: left, right" in err


def test_a_label_that_is_not_known_does_not_count():
    model = build_model(ModelConfig(48, outputs=("a", "b")), torch.Generator().manual_seed(0))
    fit = Fit(model, TrainingConfig(), 10, bound_weight=3.0)
    logits = torch.tensor([[0.3, -2.0], [1.0, 0.5]])
    labels = torch.tensor([[1.0, -1.0], [0.0, 1.0]])
    sigmoid = torch.sigmoid(logits)
    expected = -(3 * sigmoid[0, 0].log() + (1 - sigmoid[1, 0]).log() + 3 * sigmoid[1, 1].log()) / 3
    torch.testing.assert_close(fit._loss(logits, labels), expected)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (None, ["--set", "labels=left,up"], "column up missing"),
        (
            ("maybe", "1"),
            ["--set", "labels=left,right"],
            "left 'maybe' is not 1 (bound), 0 (unbound)",
        ),
    ],
)
def test_labels_that_are_none(cli, tmp_path, change, options, message):
    table = rows(4)
    if change:
        table[0] = (*table[0][:5], *change)
    path = write_table(tmp_path / "t.tsv", table, HEADER)
    code, _, err = cli("dataset", path, *options, "--out", tmp_path / "d")
    assert code == 1
    assert message in err


def test_windows_without_any_label_are_counted(cli, tmp_path):
    table = [*rows(20), ("chr0", 9000, 9048, "train", "ACGT" * 12, "NA", "2")]
    path = write_table(tmp_path / "t.tsv", table, HEADER)
    code, out, err = cli("dataset", path, "--set", "labels=left,right", "--out", tmp_path / "d")
    assert code == 0, err
    assert "dropped: 1 (none of its labels is known)" in out
    code, _, err = cli("dataset", path, "--set", "labels=left", "--out", tmp_path / "e")
    assert code == 2
    assert "the setting labels names two columns or more" in " ".join(err.replace("│", " ").split())


def test_the_model_knows_its_outputs(run):
    model, card = load_model(run[0] / "model.safetensors")
    assert card.model.outputs == ("left", "right")
    assert len(card.thresholds) == len(card.calibration) == 2
    assert model(torch.zeros(3, 48, dtype=torch.uint8)).shape == (3, 2)
