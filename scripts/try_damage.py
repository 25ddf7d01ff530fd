"""What is lost when a command is killed, the disk is full, or two begin at once: it prints a table.

Every command runs once undisturbed. Then it is killed with SIGKILL at several moments, given a
limit on the size of its files, and started twice at once. After each, what was there before must
be there unchanged, no output may be half written, and the same command must end with the same
files.

    python scripts/try_damage.py /tmp/damage
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

EXACT = {".tsv", ".vcf", ".narrowPeak", ".bw", ".bed", ".npy", ".meme", ".csv", ".onnx"}
MOMENTS = (0.5, 0.75, 0.95)
MOTIF = "TGGCCACCAGGGGGCGCTA"


@dataclass(frozen=True)
class Stage:
    """A command, where it writes, and what is added when it is repeated after damage."""

    name: str
    arguments: str
    out: str
    again: str = ""

    @property
    def repeat(self) -> str:
        """The arguments after damage."""
        return f"{self.arguments} {self.again}".strip()


STAGES = (
    Stage(
        "dataset", "dataset --peaks peaks.bed --genome genome.fa --background gc --out data", "data"
    ),
    Stage("train", "train data --out run --recipe sequence --epochs 4 --seed 1", "run", "--resume"),
    Stage("evaluate", "evaluate run data", "run/evaluations"),
    Stage("explain", "explain run data --n 6", "run/explanations"),
    Stage("motifs", "motifs run data", "run/motifs"),
    Stage("predict", "predict run windows.fa --out scores.tsv", "scores.tsv"),
    Stage(
        "scan", "scan run genome.fa --out scan.bw --peaks scan.narrowPeak --workers 2", "scan.bw"
    ),
    Stage(
        "variants",
        "variants run variants.vcf --genome genome.fa --out scored.vcf --workers 2",
        "scored.vcf",
    ),
    Stage("export", "export run --onnx model.onnx", "model.onnx"),
    Stage("compare", "compare data --out contest --models jaspar:CTCF,kmers", "contest"),
    Stage("tune", "tune data --out search --recipe sequence --trials 2 --epochs 1", "search"),
    Stage("report", "report run", "run/report.html"),
)


def make_inputs(folder: Path) -> None:
    """A genome of four chromosomes with planted motifs, peaks on them, variants and windows."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True)
    peaks, genome, variants = [], [], []
    for chrom in ("chr1", "chr2", "chr8", "chr9"):
        bases = rng.choice(list("ACGT"), 400_000)
        for start in range(2_000, 390_000, 2_500):
            at = start + 90
            bases[at : at + len(MOTIF)] = list(MOTIF)
            peaks.append(f"{chrom}\t{start}\t{start + 200}")
            variants.append((chrom, at + 8, bases[at + 8]))
        text = "".join(bases)
        lines = (text[i : i + 60] for i in range(0, len(text), 60))
        genome.append(f">{chrom}\n" + "\n".join(lines) + "\n")
    (folder / "genome.fa").write_text("".join(genome))
    (folder / "peaks.bed").write_text("\n".join(peaks) + "\n")
    head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    rows = (f"{c}\t{p + 1}\t.\t{r}\t{'A' if r != 'A' else 'T'}\t.\t.\t.\n" for c, p, r in variants)
    (folder / "variants.vcf").write_text(head + "".join(rows))
    windows = ("".join(rng.choice(list("ACGT"), 200)) for _ in range(20_000))
    (folder / "windows.fa").write_text("".join(f">{i}\n{w}\n" for i, w in enumerate(windows)))


def start(folder: Path, arguments: str, limit: int | None = None) -> subprocess.Popen[str]:
    """The command as a process group of its own."""

    def limited() -> None:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "wavebind", *arguments.split()]
    return subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, preexec_fn=limited,
        env={**os.environ, "OMP_NUM_THREADS": "1", "WAVEBIND_CACHE": str(folder / ".cache")},
    )  # fmt: skip


def contents(folder: Path) -> dict[str, str]:
    """The names of all files, with a hash of those that have no times or versions in them."""

    def of(path: Path) -> str:
        if path.suffix not in EXACT:
            return ""
        data = path.read_bytes()
        if path.suffix == ".vcf":  # its header names files by their whole paths
            data = b"\n".join(x for x in data.split(b"\n") if not x.startswith(b"##"))
        return hashlib.sha256(data).hexdigest()

    files = (path for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts)
    return {str(path.relative_to(folder)): of(path) for path in files}


def lost(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Files that were there and are gone or changed."""
    return [name for name, text in before.items() if now.get(name) != text]


def half_written(before: dict[str, str], now: dict[str, str], whole: dict[str, str]) -> list[str]:
    """New files under a final name that are not those of the undisturbed command."""
    new = set(now) - set(before)
    final = (n for n in new if Path(n).suffix in EXACT and not _temporary(n))
    return [name for name in final if name in whole and whole[name] != now[name]]


def differences(now: dict[str, str], whole: dict[str, str]) -> list[str]:
    """Files that are not those of the undisturbed command."""
    odd = sorted(name for name in set(now) ^ set(whole) if not _temporary(name))
    return odd + [name for name in whole if name in now and now[name] != whole[name]]


def _temporary(name: str) -> bool:
    return any(part.startswith(".") or ".parts" in part for part in Path(name).parts)


def killed(folder: Path, stage: Stage, seconds: float) -> str:
    """Killed after a while."""
    process = start(folder, stage.arguments)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return ""
    return "ended before"


def full(folder: Path, stage: Stage, limit: int) -> str:
    """Stopped by a limit on the size of its files."""
    process = start(folder, stage.arguments, limit)
    _, errors = process.communicate()
    if "Traceback" in errors:
        return f"traceback: {errors.strip().splitlines()[-1]}"
    if process.returncode == 0:
        return "fitted"
    return "" if process.returncode == 1 else f"exit code {process.returncode}"


def doubled(folder: Path, stage: Stage) -> str:
    """Started twice at once: both end well, or one of them says why not."""
    both = [start(folder, stage.arguments) for _ in range(2)]
    errors = [process.communicate()[1] for process in both]
    codes = sorted(process.returncode for process in both)
    if any("Traceback" in text for text in errors):
        return "traceback"
    return {(0, 0): "both ended", (0, 1): "the second says so"}.get(
        (codes[0], codes[1]), str(codes)
    )


def tries(
    stage: Stage, seconds: float, largest: int
) -> Iterator[tuple[str, Callable[[Path], str]]]:
    """Each kind of damage with what does it."""
    for moment in MOMENTS:
        yield f"kill -9 at {moment:.0%}", lambda f, m=moment: killed(f, stage, m * seconds)
    for share in (0.1, 0.9):
        yield f"disk full at {share:.0%}", lambda f, s=share: full(f, stage, int(s * largest))
    yield "started twice", lambda f: doubled(f, stage)


def main() -> int:
    """Damage every stage, and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", help="comma-separated names of stages")
    given = parser.parse_args()
    base, bad = given.folder / "base", 0
    if not base.exists():
        make_inputs(base)
    print("stage\tdamage\tremark\tlost\thalf written\tsame after repeating", flush=True)
    for stage in STAGES:
        before, begun = contents(base), time.monotonic()
        work = given.folder / "work"
        chosen = given.only is None or stage.name in given.only.split(",")
        saved = given.folder / "before"
        shutil.rmtree(saved, ignore_errors=True)
        shutil.copytree(base, saved)
        process = start(base, stage.arguments)
        _, errors = process.communicate()
        if process.returncode:
            print(errors, file=sys.stderr)
            return 1
        seconds, whole = time.monotonic() - begun, contents(base)
        sizes = [
            p.stat().st_size for p in base.rglob("*") if str(p.relative_to(base)) not in before
        ]
        for name, damage in tries(stage, seconds, max(sizes)) if chosen else ():
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(saved, work)
            remark = damage(work)
            now = contents(work)
            gone, half = lost(before, now), half_written(before, now, whole)
            # A command that had ended when it was killed has nothing to repeat.
            done = not differences(now, whole)
            repeat = (
                stage.repeat if (work / stage.out).exists() and stage.again else stage.arguments
            )
            again = None if done else start(work, repeat)
            said = again.communicate()[1] if again else ""
            odd = differences(contents(work), whole)
            same = not odd and not (again and again.returncode)
            bad += bool(gone or half or not same)
            verdict = "yes" if same else f"no: {odd[:3]} {said[-300:]!r}"
            print(stage.name, name, remark, gone or "nothing", half or "nothing", verdict,
                  sep="\t", flush=True)  # fmt: skip
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())
