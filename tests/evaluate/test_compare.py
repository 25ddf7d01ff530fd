import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from wavebind.core.errors import InputError
from wavebind.datasets.dataset import open_dataset
from wavebind.evaluate.baselines import parse_model
from wavebind.evaluate.compare import ComparisonConfig, read_comparison
from wavebind.metrics.reliability import reliability_curve


@pytest.fixture(scope="module")
def compared(trained, tmp_path_factory):
    from wavebind.cli.main import run as run_cli

    out = tmp_path_factory.mktemp("cmp") / "out"
    arguments = ["compare", str(trained[1]), "--models", "jaspar:CTCF,kmers,cnn"]
    arguments += ["--epochs", "1", "--seeds", "0,3", "--out", str(out), "--device", "cpu"]
    assert run_cli(arguments) == 0
    return out


@pytest.fixture
def compared_copy(compared, tmp_path):
    """A copy that a test may go on with."""
    return shutil.copytree(compared, tmp_path / "compared")


def test_the_table_is_of_the_windows(compared, trained):
    data = open_dataset(trained[1])
    indices = data.indices("test")
    windows = pq.read_table(compared / "windows.parquet").to_pydict()
    assert windows["name"] == data.names(indices)
    np.testing.assert_array_equal(windows["label"], data.labels[indices])
    lines = (compared / "comparison.tsv").read_text().splitlines()
    names = lines[0].split("\t")
    rows = {
        row[0]: dict(zip(names, row, strict=True))
        for row in (line.split("\t") for line in lines[1:])
    }
    assert list(rows) == ["jaspar:CTCF", "kmers", "cnn"]
    for label in ("jaspar:CTCF", "kmers"):
        expected = roc_auc_score(data.labels[indices], windows[label])
        assert float(rows[label]["auroc"]) == pytest.approx(expected, abs=1e-6)
    both = [roc_auc_score(data.labels[indices], windows[f"cnn:{i}"]) for i in (0, 1)]
    assert float(rows["cnn"]["auroc"]) == pytest.approx(np.mean(both), abs=1e-6)
    assert rows["cnn"]["seeds"] == "2"
    assert int(rows["cnn"]["parameters"]) > 200_000
    assert float(rows["cnn"]["peak_mb"]) > 100
    assert all(0 < float(row["calibration_error"]) < 1 for row in rows.values())
    for label, columns in (("kmers", ["kmers"]), ("cnn", ["cnn:0", "cnn:1"])):
        # Labels drawn from the probabilities that were written, and the error of those.
        rng, p = np.random.default_rng(1), [np.array(windows[c]) for c in columns]
        drawn = [reliability_curve(rng.random(len(q)) < q, q).error for q in p for _ in range(300)]
        assert float(rows[label]["calibration_floor"]) == pytest.approx(np.mean(drawn), rel=0.1)


def test_the_best_on_valid_is_the_reference(compared):
    found = read_comparison(compared)
    models = {m["label"]: m for m in found["models_found"]}
    assert found["reference"] == max(models.values(), key=lambda m: m["valid_auroc"])["label"]
    assert models[found["reference"]]["behind"]["auroc"]["value"] == 0
    assert 0.5 < found["audit"]["best_shortcut"]["value"] < 1


def test_what_is_finished_is_not_done_again(compared_copy, trained, cli):
    before = {p: p.stat().st_mtime_ns for p in (compared_copy / "models").rglob("fit.json")}
    assert len(before) == 4
    code, out, err = cli(
        "compare", trained[1], "--models", "jaspar:CTCF,cnn", "--epochs", 1, "--seeds", "3",
        "--out", compared_copy, "--device", "cpu", "--reference", "cnn", "--split", "valid",
    )  # fmt: skip
    assert code == 0, err
    assert "jaspar:CTCF, seed 0: scored before" in err
    assert "cnn, seed 3: scored before" in err
    assert re.search(r"^cnn +0\.\d{4} ", out, re.MULTILINE)
    (cnn,) = (m for m in read_comparison(compared_copy)["models_found"] if m["label"] == "cnn")
    error, floor = cnn["metrics"]["calibration_error"]["value"], cnn["calibration_floor"]["value"]
    assert re.search(rf"^cnn .*  {error:.3f}  {floor:.3f}  ", out, re.MULTILINE)
    assert "the reference" in out
    assert {p: p.stat().st_mtime_ns for p in (compared_copy / "models").rglob("fit.json")} == before
    page = (compared_copy / "comparison.html").read_text()
    assert "These are figures of the valid split" in page
    assert "the model that was named" in page


@pytest.mark.slow
def test_scores_of_bases_that_a_model_left_are_drawn(compared_copy, trained, cli):
    left = compared_copy / "models" / "gkm-all_0_0" / "profiles.npz"
    left.parent.mkdir()
    rng = np.random.default_rng(0)
    np.savez_compressed(left, base_scores=rng.normal(size=(7, 48)), scores=rng.normal(size=7))
    before = compared_copy / "models" / "of_0_1" / "profiles.npz"
    before.parent.mkdir()
    np.savez_compressed(before, base_scores=rng.normal(size=(7, 48)))
    code, _, err = cli(
        "compare", trained[1], "--models", "kmers", "--out", compared_copy, "--device", "cpu"
    )
    assert code == 0, err
    assert left.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert not before.with_suffix(".png").exists()


def test_the_page_is_whole(compared_copy, trained, cli):
    code, _, err = cli(
        "compare", trained[1], "--models", "jaspar:CTCF,kmers,cnn", "--epochs", 1,
        "--seeds", "0,3", "--out", compared_copy, "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    page = (compared_copy / "comparison.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert not re.search(r"https?://", page)
    for label in ("jaspar:CTCF", "kmers", "cnn"):
        assert f"<td>{label}" in page
    assert "Where they disagree" in page
    assert "<th>its floor</th>" in page
    found = read_comparison(compared_copy)
    alone = found["alone"]
    windows = pq.read_table(compared_copy / "windows.parquet").to_pydict()
    label = np.array(windows["label"]) == 1
    columns = {"jaspar:CTCF": "jaspar:CTCF", "kmers": "kmers", "cnn": "cnn:0"}
    calls = {name: np.array(windows[f"{column}:call"]) for name, column in columns.items()}
    right = {name: call == label for name, call in calls.items()}
    for name in calls:
        others = [right[other] for other in calls if other != name]
        only = right[name] & ~np.any(others, axis=0)
        assert alone[name]["right_bound"] == (only & label).sum()
        assert alone[name]["right_unbound"] == (only & ~label).sum()
        wrong = ~right[name] & np.all(others, axis=0)
        assert alone[name]["wrong_bound"] == (wrong & label).sum()
    assert alone["all"]["motif"].startswith("MA0139")
    assert alone["all"]["bound_bits"] > alone["all"]["unbound_bits"]


def test_models_are_listed(cli):
    code, out, _ = cli("compare", "--list")
    assert code == 0
    assert "gkm-all" in out
    assert "jaspar:MA0139.1" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--models", "nope"], 1, "model 'nope' is not known"),
        (["--models", "cnn,cnn"], 1, "model 'cnn' is named twice"),
        (["--models", "cnn,average"], 1, "model 'average' was removed after version 0.1"),
        (["--models", "gkm-svm"], 1, "'gkm-all' has the same kernel"),
        (["--models", ","], 1, "name at least one model"),
        (["--models", "cnn", "--seeds", "a"], 2, "--seeds are whole numbers"),
        (["--models", "cnn", "--seeds", "1,1"], 1, "seeds are different numbers of 0 or more"),
        (["--models", "cnn", "--split", "train"], 1, "a comparison is of test or valid"),
        (["--models", "cnn", "--reference", "kmers"], 1, "the reference 'kmers' is not among"),
    ],
)
def test_wrong_commands(arguments, code, message, trained, tmp_path, cli):
    found, _, err = cli("compare", trained[1], "--out", tmp_path / "c", *arguments)
    assert found == code
    assert message in " ".join(re.sub(r"[│╭╮╰╯─]", " ", err).split())
    assert not (tmp_path / "c").exists()


def test_without_data(cli):
    code, _, err = cli("compare")
    assert code == 2
    assert "name a dataset, or pass --list" in err


def test_a_folder_with_something_else(trained, tmp_path, cli):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "thesis.tex").write_text("x")
    code, _, err = cli("compare", trained[1], "--models", "kmers", "--out", tmp_path / "c")
    assert code == 1
    assert "is there and is not a comparison; choose another --out" in err


def test_a_comparison_on_other_data(trained, tmp_path, cli):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "compare.json").write_text(json.dumps({"codes_sha256": "x"}))
    code, _, err = cli("compare", trained[1], "--models", "kmers", "--out", tmp_path / "c")
    assert code == 1
    assert "holds a comparison that cannot be continued with" in err
    assert "the windows were x and are" in err


@pytest.mark.slow
def test_damaged_scores_are_said(trained, tmp_path, cli):
    arguments = ["compare", trained[1], "--models", "jaspar:CTCF", "--out", tmp_path / "c"]
    assert cli(*arguments)[0] == 0
    (path,) = (tmp_path / "c" / "models").rglob("scores.npz")
    path.write_bytes(b"PK\x03\x04 nothing")
    code, _, err = cli(*arguments)
    assert code == 1
    assert "is damaged" in err
    with path.open("wb") as stream:
        np.savez_compressed(stream, valid=np.zeros(3), test=np.zeros(3))
    code, _, err = cli(*arguments)
    assert code == 1
    assert "does not hold a finite score for every window of valid" in err


@pytest.mark.slow
def test_a_model_that_cannot_be_trained_is_named(trained, tmp_path, cli):
    recipe = tmp_path / "wild.toml"
    recipe.write_text('backbone = "cnn"\n[training]\nweights = "nowhere.safetensors"\nepochs = 1\n')
    code, _, err = cli(
        "compare", trained[1], "--models", f"jaspar:CTCF,{recipe}", "--out", tmp_path / "c"
    )
    assert code == 1
    assert "model wild, seed 0: nowhere.safetensors" in err
    assert len(list((tmp_path / "c" / "models").rglob("fit.json"))) == 1


def test_settings_check_themselves():
    spec = parse_model("kmers")
    with pytest.raises(InputError, match="seeds are different numbers"):
        ComparisonConfig((spec,), seeds=(-1,))
    with pytest.raises(InputError, match=r"has no comparison\.json; make it with"):
        read_comparison(Path("/nonexistent"))


@pytest.mark.slow
def test_fewer_windows_are_fewer(trained, tmp_path, cli):
    data = open_dataset(trained[1])
    few = data.with_fewer(20, np.random.default_rng(0))
    train = few.indices("train")
    assert (few.labels[train] == 1).sum() == 20
    assert (few.labels[train] == 0).sum() == 20
    assert set(train) < set(data.indices("train"))
    np.testing.assert_array_equal(few.indices("test"), data.indices("test"))
    with pytest.raises(InputError, match="has 150 bound windows of train; 151 cannot be kept"):
        data.with_fewer(151, np.random.default_rng(0))
    code, _, err = cli(
        "compare", trained[1], "--models", "kmers", "--train-bound", 20, "--seeds", "0,1",
        "--out", tmp_path / "c",
    )  # fmt: skip
    assert code == 0, err
    found = read_comparison(tmp_path / "c")
    (model,) = found["models_found"]
    assert model["n_windows"] == 40
    # Each seed draws windows of its own.
    assert len(set(model["by_seed"]["auroc"])) == 2
    code, _, err = cli("compare", trained[1], "--models", "kmers", "--train-bound", 1)
    assert code == 1
    assert "2 bound training windows or more are needed; found 1" in err
