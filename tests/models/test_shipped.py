"""The model that comes with the package."""

import numpy as np
import pytest

from helpers import random_dna, write_table
from wavebind.core.errors import InputError
from wavebind.datasets.seen import SKETCH, read_seen
from wavebind.models import load_model
from wavebind.models.rundir import RunDir
from wavebind.models.shipped import package_folder, shipped_folder


@pytest.fixture
def windows(tmp_path):
    rng = np.random.default_rng(2)
    text = "".join(f">s{i}\n{random_dna(rng, 200)}\n" for i in range(4))
    (tmp_path / "w.fa").write_text(text)
    return tmp_path / "w.fa"


def test_what_lies_in_the_package():
    folder = RunDir(package_folder("factors")).require_model()
    size = sum(file.stat().st_size for file in folder.path.iterdir())
    assert size < 5e6
    _, card = load_model(folder.model)
    assert card.model.length == 200
    assert len(card.model.outputs) == len(card.calibration) == len(card.thresholds)
    assert not any(name.endswith((":norelaxed", ":noDHS")) for name in card.model.outputs)
    assert 0.1 < np.unpackbits(read_seen(folder.path / SKETCH).bits).mean() < 0.4
    # Nothing of the machine that made it.
    assert "/" not in card.data["path"]
    assert '"/' not in folder.run_json.read_text()


def test_a_run_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped_folder(RunDir(package_folder("factors")).path) is None
    assert RunDir(RunDir(package_folder("factors")).path).require_model()
    (tmp_path / "factors").mkdir()
    with pytest.raises(InputError, match=r"factors: is not a run \(it has no run.json\)"):
        RunDir(RunDir(package_folder("factors")).path.relative_to(package_folder(""))).require()


def test_a_factor_without_training(cli, windows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("predict", "factors", windows, "--device", "cpu", "--precision", "float32")
    code, whole, err = cli(*words)
    assert code == 0, err
    header = whole.splitlines()[0].split("\t")
    cells = np.array([line.split("\t")[1:] for line in whole.splitlines()[1:]], dtype=float)
    code, alone, err = cli(*words, "--target", "CTCF")
    assert code == 0, err
    _, card = load_model(package_folder("factors") / "model.safetensors")
    lines = [
        line.slope * cells[:, header.index(f"logit:{name}") - 1] + line.intercept
        for name, line in zip(card.model.outputs, card.calibration, strict=True)
        if name.startswith("CTCF:")
    ]
    assert len(lines) > 1
    found = np.array([line.split("\t")[1:] for line in alone.splitlines()[1:]], dtype=float)
    np.testing.assert_allclose(found[:, 1], np.mean(lines, axis=0), atol=2e-4)
    assert not (tmp_path / "factors").exists()


def test_the_site_of_a_factor_is_found(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    letters = random_dna(rng, 4000)
    # A strong site of CTCF, as MA0139 has it.
    site = "TGGCCACCAGGGGGCGCTA"
    letters = letters[:2000] + site + letters[2000 + len(site) :]
    (tmp_path / "g.fa").write_text(f">c\n{letters}\n")
    words = ("scan", "factors", "g.fa", "--target", "CTCF", "--device", "cpu", "--workers", "1")
    code, _, err = cli(*words, "--out", "c.bw", "--peaks", "c.narrowPeak")
    assert code == 0, err
    sites = [line.split("\t") for line in (tmp_path / "c.narrowPeak").read_text().splitlines()]
    best = max(sites, key=lambda cells: float(cells[6]))
    assert abs(int(best[1]) + int(best[9]) - 2009) < 100


def test_its_labels_are_listed(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text, _ = cli("models", "factors")
    assert code == 0
    _, card = load_model(package_folder("factors") / "model.safetensors")
    listed = [line.split("  ")[0].strip() for line in text.splitlines()[1:]]
    assert {"label", "test_bound", "auroc", "low", "high", "use"} <= set(
        text.split("\n")[0].split()
    )
    assert len(listed) == len(card.model.outputs)
    code, text, _ = cli("models")
    assert "'wavebind models factors' lists them" in text


def test_results_lie_in_a_copy(cli, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    site = "TGGCCACCAGGGGGCGCTA"
    rows = []
    for part in ("train", "valid", "test"):
        for i in range(30):
            seq = random_dna(rng, 200)
            if i % 2:
                seq = seq[:90] + site + seq[90 + len(site) :]
            rows.append((seq, i % 2, part))
    table = write_table(tmp_path / "t.tsv", rows, "seq\tlabel\tsplit")
    assert cli("dataset", table, "--out", "data")[0] == 0
    code, _, err = cli("evaluate", "factors", "data", "--device", "cpu")
    assert code == 1
    assert "has one label and the model" in err
    code, _, err = cli("evaluate", "factors", "data", "--target", "CTCF", "--device", "cpu")
    assert code == 0, err
    assert "factors: the package's model is copied here" in caplog.text
    assert (tmp_path / "factors" / "evaluations" / "data-test" / "metrics.json").is_file()
    assert not (package_folder("factors") / "evaluations").exists()
    assert cli("report", "factors")[0] == 0
    assert (tmp_path / "factors" / "report.html").is_file()
