"""One trained run for all tests that need one, and commands in this process."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from helpers import SHARED, planted_rows, write_table
from wavebind.cli.main import run as run_cli

# Two libraries that compile with numba must not each bring threads of their own.
os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")
# Batches this small gain nothing from a second thread, and lose much on a busy machine.
torch.set_num_threads(1)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument and number: what a test is called must not hang on what
    they hold, which need not be the same in every process (gzip writes the time)."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data for development; a checkout without it skips the tests that need it."""
    if not SHARED.is_dir():
        pytest.skip(f"the development data are not there ({SHARED})")
    return SHARED


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "windows.tsv", planted_rows(6))


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process: its exit code, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_cli([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run and its dataset, with a planted motif that a network finds in seconds.

    Several processes of a test run train it once, and each has a copy of its own.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "trained.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = shared / "trained-once"
        if not made.exists():
            folder = shared / "trained-begun"
            folder.mkdir()
            _train(folder)
            folder.rename(made)
    folder = tmp_path_factory.mktemp("trained") / "made"
    shutil.copytree(made, folder)
    return folder / "run", folder / "data"


def _train(folder: Path) -> None:
    table = write_table(folder / "windows.tsv", planted_rows(150))
    assert run_cli(["dataset", str(table), "--out", str(folder / "data")]) == 0
    arguments = ["train", str(folder / "data"), "--out", str(folder / "run"), "--epochs", "12"]
    arguments += [
        "--set",
        "training.batch_size=20",
        "--set",
        "training.max_shift=0",
        "--set",
        "training.patience=12",
        # The planted sites are those of a matrix, which would make the model perfect.
        "--set",
        "training.matrices=0",
        "--device",
        "cpu",
    ]
    assert run_cli(arguments) == 0


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes of genomes go to a folder of the test's own."""
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def run_copy(trained: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the trained run that a test may change, and the dataset."""
    run, data = trained
    return Path(shutil.copytree(run, tmp_path / "run")), data
