"""Small inputs that are real enough, and one trained run for all tests that need one."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from wavebind.cli.main import run as run_cli
from wavebind.events import Advanced, Event, StageStarted
from wavebind.sequences import reverse_complement, to_codes, to_letters

# Two libraries that compile with numba must not each bring threads of their own.
os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")
# Batches this small gain nothing from a second thread, and lose much on a busy machine.
torch.set_num_threads(1)

LENGTH = 48
MOTIF = "CCACCAGGGGGCGC"
#: Two factors, to be told apart.
MOTIFS = {"ctcf": "CCACCAGGGGGCGC", "ap1": "GATGACTCATCGGA"}
SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


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


def random_dna(rng: np.random.Generator, length: int) -> str:
    return "".join(rng.choice(list("ACGT"), length))


def planted_rows(n_each: int, seed: int = 1, length: int = LENGTH) -> list[tuple]:
    """Rows of a table in which bound windows hold the motif, on either strand, anywhere."""
    rng = np.random.default_rng(seed)
    other = MOTIF.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    rows = []
    for part, chrom in (("train", "chr1"), ("valid", "chr2"), ("test", "chr3")):
        for i in range(n_each):
            for label in (0, 1):
                seq = random_dna(rng, length)
                if label:
                    at = int(rng.integers(0, length - len(MOTIF) + 1))
                    motif = MOTIF if rng.random() < 0.5 else other
                    seq = seq[:at] + motif + seq[at + len(motif) :]
                start = 1000 * (2 * i + label)
                rows.append((chrom, start, start + length, label, part, seq))
    return rows


def rows_of_classes(n_each: int = 70, seed: int = 1) -> list[tuple]:
    """Rows of a table with a class, two factors and unbound, in place of a label."""
    rng = np.random.default_rng(seed)
    rows = []
    for part, chrom in (("train", "chr1"), ("valid", "chr2"), ("test", "chr3")):
        for i in range(n_each):
            for k, name in enumerate(("ctcf", "ap1", "unbound")):
                seq = random_dna(rng, LENGTH)
                if name in MOTIFS:
                    at = int(rng.integers(0, LENGTH - 13))
                    seq = seq[:at] + MOTIFS[name] + seq[at + 14 :]
                    if rng.random() < 0.5:
                        seq = to_letters(reverse_complement(to_codes(seq)))
                start = 1000 * (3 * i + k)
                rows.append((chrom, start, start + LENGTH, part, name, seq))
    return rows


def write_table(path: Path, rows: list[tuple], header: str | None = None) -> Path:
    text = (header or "chrom\tstart\tend\tlabel\tsplit\tseq") + "\n"
    text += "".join("\t".join(map(str, row)) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


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
    """A run and its dataset, with a planted motif that a network finds in seconds."""
    folder = tmp_path_factory.mktemp("trained")
    table = write_table(folder / "windows.tsv", planted_rows(150))
    assert run_cli(["dataset", str(table), "--out", str(folder / "data")]) == 0
    arguments = ["train", str(folder / "data"), "--out", str(folder / "run"), "--epochs", "12"]
    arguments += ["--batch-size", "20", "--max-shift", "0", "--patience", "12", "--device", "cpu"]
    assert run_cli(arguments) == 0
    return folder / "run", folder / "data"


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes of genomes go to a folder of the test's own."""
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def run_copy(trained: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the trained run that a test may change, and the dataset."""
    run, data = trained
    return Path(shutil.copytree(run, tmp_path / "run")), data


class Interrupting:
    """Takes the events of a training and ends it at a step, as Ctrl-C does."""

    def __init__(self, at: int) -> None:
        self.steps, self.at, self.training = 0, at, False

    def __call__(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self.training = event.name == "training"
        if self.training and isinstance(event, Advanced):
            self.steps += event.n
            if self.steps == self.at:
                raise KeyboardInterrupt


def planted_windows(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Windows with the motif on either strand, and where it begins."""
    rng = np.random.default_rng(3)
    windows, starts = [], []
    for i in range(n):
        letters = list("".join(rng.choice(list("ACGT"), LENGTH)))
        at = int(rng.integers(0, LENGTH - len(MOTIF) + 1))
        letters[at : at + len(MOTIF)] = MOTIF
        codes = to_codes("".join(letters))
        windows.append(reverse_complement(codes) if i % 2 else codes)
        starts.append(LENGTH - at - len(MOTIF) if i % 2 else at)
    return np.stack(windows), np.array(starts)
