"""What tests share: small inputs that are real enough, and places in the checkout."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import torch

from wavebind.core.events import Advanced, Event, StageStarted
from wavebind.genome.sequences import reverse_complement, to_codes, to_letters
from wavebind.models.results import EVALUATIONS, Kind, find_results

ROOT = Path(__file__).parent.parent
#: Small inputs that go wrong; see the README there.
CASES = ROOT / "tests" / "cases"
LENGTH = 48
MOTIF = "CCACCAGGGGGCGC"
#: Two factors, to be told apart.
MOTIFS = {"ctcf": "CCACCAGGGGGCGC", "ap1": "GATGACTCATCGGA"}
SHARED = ROOT.parent / "shared" / "data"


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


def only_result(run: Path, kind: Kind, split: str | None = None) -> Path:
    """The folder of the one result of a kind that a run has, or has of a split."""
    results = [r for r in find_results(Path(run), kind) if split in (None, r.split)]
    (found,) = results
    return found.path


def metrics_of(run: Path, split: str | None = None) -> dict:
    """The metrics of the one evaluation that a run has, or has of a split."""
    return json.loads((only_result(run, EVALUATIONS, split) / "metrics.json").read_text())


def perturb(model: torch.nn.Module, prefix: str = "") -> torch.nn.Module:
    """Give weights and normalisations values that do something, those under a prefix alone."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif name.startswith(prefix) and tensor.is_floating_point():
                tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
    return model
