"""Time and memory of a scan and of variants against the size of the work and the number of workers.

A made-up genome of unrelated bases is scanned at several sizes, and lists of substitutions on it
are scored. Every number is of a command in a process of its own; the time of its start, which is
that of the smallest job, is part of it. It writes a table and a plot. With ``--dask`` the workers
are those of a Dask cluster on this machine, which has begun before; the memory is then that of the
command alone.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np


def timed(words: list[object]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds, and MB of the largest process of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    # What a child peaks at is known of the largest child so far: each command has its own parent.
    code = (
        "import resource, subprocess, sys\n"
        "rc = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.exit(rc)\n"
    )
    command = [sys.executable, "-c", code, sys.executable, "-m", "wavebind", *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, int(done.stdout.split()[-1]) / 1024


@contextmanager
def pool(workers: int, dask: bool) -> Iterator[list[object]]:
    """The words that give a command its workers, which Dask has begun if asked for."""
    if not dask:
        yield ["--workers", workers]
        return
    from dask.distributed import LocalCluster

    with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster:
        yield ["--set", f"dask={cluster.scheduler_address}"]


def write_genome(path: Path, megabases: float) -> None:
    """One chromosome of unrelated bases."""
    rng = np.random.default_rng(1)
    with path.open("w", encoding="ascii") as stream:
        stream.write(">chr1\n")
        for _ in range(round(megabases * 10)):
            letters = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, 100_000)]
            lines = np.concatenate([letters.reshape(-1, 100), np.full((1000, 1), 10, np.uint8)], 1)
            stream.write(lines.tobytes().decode("ascii"))


def write_variants(path: Path, genome: Path, n: int) -> None:
    """Substitutions of bases that are there, in order."""
    letters = genome.read_text(encoding="ascii").split("\n", 1)[1].replace("\n", "")
    rng = np.random.default_rng(2)
    with path.open("w", encoding="ascii") as stream:
        stream.write("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for at in np.sort(rng.choice(len(letters) - 2000, n, replace=False) + 1000).tolist():
            ref = letters[at]
            alt = "CGTA"["ACGT".index(ref)]
            stream.write(f"chr1\t{at + 1}\t.\t{ref}\t{alt}\t.\t.\t.\n")


def draw(rows: list[tuple[str, float, int, float, float, float]], path: Path) -> None:
    """Seconds against the size, a line for each number of workers, beside the memory."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    kinds = ("scan", "variants")
    axes = figure.subplots(1, 3)
    for ax, kind in zip(axes, kinds, strict=False):
        for workers in sorted({row[2] for row in rows}):
            mine = [row for row in rows if row[0] == kind and row[2] == workers]
            ax.plot(*zip(*((r[1], r[3]) for r in mine), strict=True), "o-", label=f"{workers}")
        ax.set(xscale="log", yscale="log", ylabel="seconds", title=kind)
        ax.set_xlabel("Mb" if kind == "scan" else "alleles")
        ax.legend(title="workers", frameon=False)
    for kind in kinds:
        mine = [row for row in rows if row[0] == kind and row[2] == 1]
        sizes = range(len(mine))
        axes[2].plot(sizes, [r[5] for r in mine], "o-", label=kind)
    axes[2].set(ylabel="MB, largest process", ylim=(0, 1.1 * max(r[5] for r in rows)))
    axes[2].set_title("memory, 1 worker")
    axes[2].set_xlabel("size, in steps of ten")
    axes[2].legend(frameon=False)
    figure.savefig(path)


def main() -> None:
    """Time every size and number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--megabases", type=float, nargs="+", default=[1, 10, 100])
    parser.add_argument("--alleles", type=int, nargs="+", default=[10, 100, 1000, 10_000, 100_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--dask", action="store_true", help="workers of a local Dask cluster")
    parser.add_argument("--out", type=Path, default=Path("growth.png"))
    options = parser.parse_args()
    rows: list[tuple[str, float, int, float, float, float]] = []
    print("command\tsize\tworkers\twall s\tCPU s\tMB")
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def measure(kind: str, size: float, workers: int, words: list[object]) -> None:
            with pool(workers, options.dask) as how:
                found = timed([*words, *how, "--force"])
            rows.append((kind, size, workers, *found))
            print("\t".join([kind, f"{size:g}", str(workers), *(f"{x:.1f}" for x in found)]))

        for size in options.megabases:
            genome = folder / f"{size:g}.fa"
            write_genome(genome, size)
            for workers in options.workers:
                words = ["scan", options.run, genome, "--out", folder / "s.bw"]
                measure("scan", size, workers, words)
        genome = folder / f"{min(options.megabases):g}.fa"
        for n in options.alleles:
            variants = folder / f"{n}.vcf"
            write_variants(variants, genome, n)
            for workers in options.workers:
                words = ["variants", options.run, variants, "--genome", genome, "--null", "none"]
                measure("variants", n, workers, [*words, "--out", folder / "v.vcf"])
    draw(rows, options.out)


if __name__ == "__main__":
    main()
