"""Many datasets by many models: the lines, the ranks, and tests across datasets."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from helpers import metrics_of, planted_rows, write_table
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import open_dataset
from wavebind.evaluate.baselines import parse_model
from wavebind.evaluate.benchmark import BenchmarkConfig, benchmark, benchmark_datasets
from wavebind.evaluate.ranking import critical_difference, rank_models
from wavebind.report.benchmark_page import cliques

MODELS = "jaspar:CTCF,kmers,cnn"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A benchmark of two tables, one of which is noise, with tests across them."""
    from wavebind.cli.main import run

    folder = tmp_path_factory.mktemp("bench")
    strong = write_table(folder / "strong.tsv", planted_rows(60))
    rows = planted_rows(60, seed=2)
    rng = np.random.default_rng(0)
    noise = [(*r[:3], int(rng.integers(2)), *r[4:]) for r in rows]
    weak = write_table(folder / "weak.tsv.gz", noise)
    arguments = ["benchmark", str(strong), str(weak), "--models", MODELS, "--epochs", "1"]
    arguments += ["--out", str(folder / "out"), "--cross", "--seeds", "0,1", "--device", "cpu"]
    assert run(arguments) == 0
    return folder / "out", arguments


@pytest.mark.slow
def test_every_run_is_a_line_with_the_numbers_of_its_windows(made):
    rows = pq.read_table(made[0] / "runs.parquet").to_pylist()
    # Two matrices and k-mer machines a dataset, two seeds of the network; at home and away.
    assert len(rows) == 2 * 2 * (1 + 1 + 2)
    data = {name: open_dataset(made[0] / "data" / name) for name in ("strong", "weak")}
    for row in rows:
        if row["trained_on"] != row["tested_on"]:
            continue
        name, column = row["trained_on"], row["model"]
        windows = pq.read_table(made[0] / name / "windows.parquet").to_pydict()
        if column == "cnn":
            column = f"cnn:{row['seed']}"
        test = data[name].indices("test")
        expected = roc_auc_score(data[name].labels[test], windows[column])
        assert row["auroc"] == pytest.approx(expected, abs=1e-9)
        assert row["auroc_low"] <= row["auroc"] <= row["auroc_high"]
        assert row["windows"] == len(test)
        assert row["seconds"] > 0
        assert row["peak_memory"] > 10**7
        assert row["shortcut_low"] <= row["shortcut_auroc"] <= row["shortcut_high"]
    by_key = {(r["trained_on"], r["tested_on"], r["model"], r["seed"]): r for r in rows}
    # A matrix is the same wherever it was "trained", so it scores the same windows alike.
    for name in ("strong", "weak"):
        other = {"strong": "weak", "weak": "strong"}[name]
        away, home = (by_key[where, name, "jaspar:CTCF", 0] for where in (other, name))
        assert away["auroc"] == pytest.approx(home["auroc"], abs=2e-3)
    assert by_key["strong", "strong", "jaspar:CTCF", 0]["auroc"] > 0.9
    assert by_key["strong", "weak", "jaspar:CTCF", 0]["auroc"] < 0.7


@pytest.mark.slow
def test_the_page_and_the_table(made, cli):
    code, out, err = cli(*made[1])
    assert code == 0
    # Nothing is trained again.
    assert err.count("scored before") == 8
    assert "training" not in err
    rows = pq.read_table(made[0] / "runs.parquet").to_pylist()
    auroc = next(r for r in rows if r["model"] == "kmers" and r["tested_on"] == "strong")["auroc"]
    assert re.search(rf"strong .*{auroc:.4f}", out)
    assert re.search(r"\nmean rank  [123]\.\d\d ", out)
    assert "kmers: AUROC, trained on (rows), tested on (columns)" in out
    page = (made[0] / "benchmark.html").read_text()
    assert "Trained on one, tested on another" in page
    assert f"{auroc:.3f}" in page
    assert page.count("data:image/png;base64,") == 1
    assert (made[0] / "strong" / "comparison.html").is_file()
    plain = json.loads((made[0] / "benchmark.json").read_text())
    assert plain["datasets"] == ["strong", "weak"]
    assert sorted(plain["ranking"]["models"]) == sorted(MODELS.split(","))


@pytest.mark.slow
def test_fewer_windows_and_a_reference(tmp_path, trained, cli):
    models = ["--models", "jaspar:CTCF,kmers", "--seeds", "0", "--out", tmp_path / "out"]
    code, _, err = cli(
        "benchmark", trained[1], *models, "--train-bound", "12", "--reference", "jaspar:CTCF"
    )
    assert code == 0, err
    data = open_dataset(trained[1])
    labels = data.labels[data.indices("train")]
    wanted = 12 + round(12 * float(np.sum(labels == 0)) / float(np.sum(labels == 1)))
    rows = {r["model"]: r for r in pq.read_table(tmp_path / "out" / "runs.parquet").to_pylist()}
    assert rows["kmers"]["training_windows"] == wanted
    page = (tmp_path / "out" / "benchmark.html").read_text()
    assert "trained on 12 bound windows each" in page
    assert "The reference was named beforehand." in page
    gap = rows["jaspar:CTCF"]["auroc"] - rows["kmers"]["auroc"]
    assert f"<td>{gap:.4f}\n" in page
    plain = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert plain["train_bound"] == 12
    assert list(plain["reference"].values()) == ["jaspar:CTCF"]
    code, _, err = cli("benchmark", trained[1], *models, "--reference", "cnn")
    assert code == 1
    assert "the reference 'cnn' is not among the models: jaspar:CTCF, kmers" in err
    code, _, err = cli("benchmark", trained[1], *models, "--train-bound", "1")
    assert code == 1
    assert "2 bound training windows or more are needed; found 1" in err


def test_ranks_are_those_of_the_definition():
    scores = {
        "a": {"x": 0.9, "y": 0.8, "z": 0.7},
        "b": {"x": 0.9, "y": 0.95, "z": 0.7},
        "c": {"x": 0.6, "y": 0.6, "z": 0.5},
        "d": {"x": 0.8, "y": 0.7, "z": 0.9},
    }
    found = rank_models(scores)
    assert found.models == ["x", "y", "z"]
    np.testing.assert_allclose(found.ranks, [(1 + 2 + 1.5 + 2) / 4, (2 + 1 + 1.5 + 3) / 4, 2.5])
    assert 0 < found.p_value < 1


def test_the_critical_difference_is_that_of_the_published_table():
    # Demsar 2006, table 5(a): q at 0.05 for 2 to 10 classifiers.
    published = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 10: 3.164}
    for k, q in published.items():
        # He rounds to three digits.
        assert critical_difference(k, 10) == pytest.approx(q * (k * (k + 1) / 60) ** 0.5, rel=1e-3)
    # His example: four classifiers, fourteen datasets.
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.01)
    assert np.isnan(critical_difference(1, 10))
    assert np.isnan(critical_difference(4, 1))


def test_groups_of_models_that_are_not_told_apart():
    ranks = np.array([1.0, 1.5, 2.4, 4.0])
    assert cliques(ranks, 1.0) == [(0, 1), (1, 2)]
    assert cliques(ranks, 0.4) == []
    assert cliques(ranks, 5.0) == [(0, 3)]


@pytest.mark.slow
def test_labels_of_one_table_are_datasets_of_their_own(tmp_path, cli):
    rows = []
    for i, (chrom, start, end, label, part, seq) in enumerate(planted_rows(40)):
        other = label if i % 3 else 1 - label
        rows.append((chrom, start, end, part, label, other if i % 7 else "NA", seq))
    table = write_table(tmp_path / "t.tsv", rows, "chrom\tstart\tend\tsplit\tliver\tlung\tseq")
    assert cli("dataset", table, "--set", "labels=liver,lung", "--out", tmp_path / "d")[0] == 0
    data = open_dataset(tmp_path / "d")
    found = benchmark(
        benchmark_datasets("d", data),
        tmp_path / "out",
        BenchmarkConfig((parse_model("jaspar:CTCF"), parse_model("cnn", 1)), cross=True),
    )
    assert found.names == ["liver", "lung"]
    lung = found.comparisons["lung"]
    assert len(lung.labels) == int((data.of("lung").parts == "test").sum())
    assert len(lung.labels) < len(found.comparisons["liver"].labels)
    assert found.cross["jaspar:CTCF"]["liver", "lung"].value == pytest.approx(
        found.cross["jaspar:CTCF"]["lung", "lung"].value, abs=0.02
    )
    assert found.cross["cnn"].keys() == {(a, b) for a in found.names for b in found.names}
    # The run of one label is evaluated on that label.
    run = next((tmp_path / "out" / "lung" / "models").glob("cnn_*")) / "run"
    code, out, _ = cli("evaluate", run, tmp_path / "d", "--device", "cpu")
    assert code == 0
    expected = lung.results["cnn"].metrics["auroc"].value
    assert metrics_of(run)["auroc"]["value"] == pytest.approx(expected, abs=1e-3)
    # And a comparison can be of one label.
    arguments = ["--models", "jaspar:CTCF", "--target", "lung", "--out", tmp_path / "one"]
    code, out, _ = cli("compare", tmp_path / "d", *arguments)
    assert code == 0
    assert f"{lung.results['jaspar:CTCF'].metrics['auroc'].value:.4f}" in out
    code, _, err = cli("compare", tmp_path / "d", "--models", "kmers", "--out", tmp_path / "x")
    assert code == 1
    assert "a comparison is of one: name it with --target" in err


@pytest.mark.slow
def test_windows_that_the_other_set_was_trained_on_are_counted(tmp_path, cli):
    rows = planted_rows(40)
    swapped = [(*r[:4], {"train": "test", "test": "train"}.get(r[4], r[4]), r[5]) for r in rows]
    for name, table in (("a", rows), ("b", swapped)):
        path = write_table(tmp_path / f"{name}.tsv", table)
        assert cli("dataset", path, "--out", tmp_path / name)[0] == 0
    sets = [c for n in "ab" for c in benchmark_datasets(n, open_dataset(tmp_path / n))]
    config = BenchmarkConfig((parse_model("jaspar:CTCF"),), cross=True)
    found = benchmark(sets, tmp_path / "out", config)
    n = len(sets[1].data.indices("test"))
    assert found.shared["a", "b"] == n
    lines = pq.read_table(tmp_path / "out" / "runs.parquet").to_pylist()
    assert [r["overlapping_train"] for r in lines if r["trained_on"] == r["tested_on"]] == [0, 0]
    assert [r["overlapping_train"] for r in lines if r["trained_on"] != r["tested_on"]] == [n, n]


@pytest.mark.slow
def test_a_dataset_that_comes_in_later_is_scored(tmp_path, trained, cli):
    path = write_table(tmp_path / "new.tsv", planted_rows(30, seed=5))
    config = BenchmarkConfig((parse_model("jaspar:CTCF"),), cross=True)
    first = benchmark_datasets("one", open_dataset(trained[1]))
    benchmark(first, tmp_path / "out", config)
    assert cli("dataset", path, "--out", tmp_path / "new")[0] == 0
    both = [*first, *benchmark_datasets("new", open_dataset(tmp_path / "new"))]
    found = benchmark(both, tmp_path / "out", config)
    assert found.cross["jaspar:CTCF"]["one", "new"].value > 0.8


def test_what_cannot_be_is_refused(tmp_path, trained, cli):
    data = open_dataset(trained[1])
    config = BenchmarkConfig((parse_model("jaspar:CTCF"),), cross=True)
    with pytest.raises(InputError, match="two datasets are called 'a'; rename"):
        benchmark(
            [*benchmark_datasets("a", data), *benchmark_datasets("a", data)], tmp_path / "o", config
        )
    with pytest.raises(InputError, match="name at least one dataset"):
        benchmark([], tmp_path / "o", config)
    short = write_table(tmp_path / "s.tsv", planted_rows(6, length=40))
    assert cli("dataset", short, "--out", tmp_path / "s")[0] == 0
    pair = [*benchmark_datasets("a", data), *benchmark_datasets("s", open_dataset(tmp_path / "s"))]
    with pytest.raises(InputError, match="windows of one length; found 40 bp, 48 bp"):
        benchmark(pair, tmp_path / "o", config)
    with pytest.raises(InputError, match="tests across datasets are of test windows"):
        BenchmarkConfig((parse_model("kmers"),), part="valid", cross=True)
    with pytest.raises(InputError, match="seeds are different numbers"):
        BenchmarkConfig((parse_model("kmers"),), seeds=(1, 1))
    code, _, err = cli("benchmark", tmp_path / "nowhere", "--out", tmp_path / "o")
    assert code == 1
    assert "no such folder" in err
