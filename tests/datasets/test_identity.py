"""Labels corrected and splits swapped in place are told from what was there before."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers import planted_rows, write_table
from wavebind.core.errors import InputError, UsageError
from wavebind.core.jsonfiles import read_json, write_json
from wavebind.datasets.dataset import open_dataset
from wavebind.datasets.identity import difference, work_identity
from wavebind.models.rundir import RunDir
from wavebind.training.runjson import begun_otherwise


@pytest.fixture
def data(tmp_path: Path, cli) -> Path:
    table = write_table(tmp_path / "w.tsv", planted_rows(40))
    assert cli("dataset", table, "--out", tmp_path / "data")[0] == 0
    return tmp_path / "data"


def edit(data: Path, column: str, change) -> None:
    """Change a column of the windows in place, as a script of a user's would."""
    path = data / "windows.parquet"
    table = pq.read_table(path)
    values = change(table.column(column).to_numpy(zero_copy_only=False).copy())
    at = table.column_names.index(column)
    pq.write_table(table.set_column(at, column, pa.array(values)), path)


def flip_one(values: np.ndarray) -> np.ndarray:
    values[0] = 1 - values[0]
    return values


def swap_splits(values: np.ndarray) -> np.ndarray:
    other = {"test": "valid", "valid": "test"}
    return np.array([other.get(str(v), str(v)) for v in values])


CHANGES = [("label", flip_one, "labels 'bound'"), ("split", swap_splits, "splits")]


@pytest.mark.parametrize(("column", "change", "words"), CHANGES)
def test_a_change_in_place_is_named_with_both_values(data, column, change, words):
    before = open_dataset(data).identity
    edit(data, column, change)
    now = open_dataset(data).identity
    key = next(k for k in now if now[k] != before[k])
    assert difference(before, now) == (
        f"the {words} were {before[key][:12]} and are {now[key][:12]}"
    )
    assert difference(now, now) == ""
    # What an earlier version did not note is passed over.
    assert difference({"codes_sha256": now["codes_sha256"]}, now) == ""
    old = {**now, "version": "0.0.1"}
    assert difference(old, work_identity(now)).startswith("the version of wavebind was 0.0.1 and")


def test_a_comparison_does_not_go_on_after_a_change(data, tmp_path, cli):
    arguments = ["compare", data, "--models", "jaspar:CTCF", "--out", tmp_path / "c"]
    assert cli(*arguments)[0] == 0
    windows = (data / "windows.parquet").read_bytes()
    edit(data, *CHANGES[0][:2])
    # With a real process, as a person would run it again.
    command = [sys.executable, "-m", "wavebind", *map(str, arguments)]
    again = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert again.returncode == 1
    assert "holds a comparison that cannot be continued with" in again.stderr
    assert "the labels 'bound' were " in again.stderr
    (data / "windows.parquet").write_bytes(windows)
    edit(data, *CHANGES[1][:2])
    code, _, err = cli(*arguments)
    assert code == 1
    assert "the splits were " in err
    (data / "windows.parquet").write_bytes(windows)
    marker = tmp_path / "c" / "compare.json"
    stored = json.loads(marker.read_text())
    write_json(marker, {k: stored[k] for k in ("format", "output", "codes_sha256")})
    assert "were not noted by the version that began it" in cli(*arguments)[2]


def begun(data: Path, run: Path, cli, *options: object) -> None:
    """A run as one leaves it that is killed in its first epoch."""
    assert cli("train", data, "--out", run, "--epochs", 1, "--device", "cpu", *options)[0] == 0
    (run / "model.safetensors").unlink()


def test_training_goes_on_with_the_options_it_was_begun_with(data, tmp_path, cli):
    run = tmp_path / "run"
    options = ("--epochs", 1, "--set", "training.batch_size=20", "--device", "cpu")
    begun(data, run, cli, *options[2:4])
    code, _, err = cli("train", data, "--out", run, *options[:2], "--resume",
                       "--set", "training.batch_size=30", "--device", "cpu")  # fmt: skip
    assert code == 2
    assert "training.batch_size was 20 when the run was begun and is 30 now" in err
    code, _, err = cli("train", data, "--out", run, "--epochs", 5, "--resume")
    assert code == 2
    assert "training.epochs was 1 when the run was begun and is 5 now" in err
    code, _, err = cli("train", data, "--out", run, *options, "--resume")
    assert code == 0, err
    assert (run / "model.safetensors").is_file()


@pytest.mark.parametrize(("column", "change", "words"), CHANGES)
def test_training_does_not_go_on_after_a_change(data, tmp_path, cli, column, change, words):
    import wavebind as wb

    run = tmp_path / "run"
    wb.train(data, run, epochs=1, device="cpu", settings={"training.batch_size": 20})
    (run / "model.safetensors").unlink()
    edit(data, column, change)
    code, _, err = cli("train", data, "--out", run, "--resume")
    assert code == 1
    assert f"the {words} were " in err
    with pytest.raises((InputError, UsageError), match="cannot be continued with"):
        wb.train(data, run, resume=True)


def test_another_number_of_threads_is_said(trained, tmp_path):
    import shutil

    run = RunDir(Path(shutil.copytree(trained[0], tmp_path / "run")))
    assert begun_otherwise(run) == ""
    stored = read_json(run.run_json)
    assert stored["threads"] == 1
    write_json(run.run_json, {**stored, "threads": 7})
    assert "was begun with 7 threads and goes on with 1 (--threads 7" in begun_otherwise(run)
    versions = {**stored["versions"], "wavebind": "0.0.1"}
    write_json(run.run_json, {**stored, "versions": versions})
    assert "was begun with version 0.0.1 and goes on with" in begun_otherwise(run)
    # Runs of 0.1 do not say how many.
    write_json(run.run_json, {k: v for k, v in stored.items() if k != "threads"})
    assert begun_otherwise(run) == ""
