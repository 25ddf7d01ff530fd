"""Windows a second of the transform, beside named peers and the machine's floor, in one run.

    python benchmarks/scalograms.py [--lengths 200 1000] [--scales 64] [--seconds 2] [--threads 2]

Every route makes complex Morse coefficients (gamma 3, beta 60) at the same periods; PyWavelets has
no Morse wavelet and takes a complex Morlet one. "Published route" is what the article's code does:
one window at a time through ssqueezepy, its modulus drawn with matplotlib as a turbo PNG. Ours runs
from codes to a tensor ready for the network, which is bfloat16 where the processor multiplies it;
the peers get signals that are encoded already, which favours them. A one-hot window is four
signals. A batch is what gives 32 MB of output: beyond that an allocator returns pages to the
system, and getting them back costs more than the transform.

The floor is the larger of the operations over the measured rate of a matrix product and the bytes
over the measured bandwidth of a copy, for the type and the operations of the row above it; for a
Fourier transform, which is no matrix product, of the bytes alone.
"""

from __future__ import annotations

import argparse
import io
import os
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

from wavebind.core.devices import has_fast_bf16
from wavebind.wavelets.encodings import encoding_table, get_encoding
from wavebind.wavelets.filters import Wavelet, peak_frequency
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig
from wavebind.wavelets.transforms import MatrixTransform

WAVELET = Wavelet(gamma=3.0, beta=60.0)


def rate(work: Callable[[], object], windows: int, seconds: float) -> float:
    """Windows a second: the best of as many repeats as fit, at least two after one to warm up."""
    work()
    best, stop, n = 0.0, time.perf_counter() + seconds, 0
    while n < 2 or time.perf_counter() < stop:
        start = time.perf_counter()
        work()
        best = max(best, windows / (time.perf_counter() - start))
        n += 1
    return best


def machine_rates(dtype: torch.dtype, seconds: float) -> tuple[float, float]:
    """Operations a second of a matrix product, and bytes a second of a copy (read and written)."""
    a, b = torch.randn(1024, 1024).to(dtype), torch.randn(1024, 1024).to(dtype)
    operations = 2 * 1024**3 * rate(lambda: a @ b, 1, seconds)
    source = torch.zeros(64 * 2**20, dtype=torch.uint8)
    target = torch.empty_like(source)
    return operations, 2 * source.numel() * rate(lambda: target.copy_(source), 1, seconds)


def floor(module: Scalogram, dtype: torch.dtype, channels: int, seconds: float) -> float:
    """Windows a second that the machine allows for what a module computes."""
    flops, bandwidth = machine_rates(dtype, seconds)
    transform = module.coefficients
    _, scales, positions = module.shape
    operations = 0.0
    if isinstance(transform, MatrixTransform):
        operations = 2.0 * module.length * sum(transform.ranks)
        for rank, (first, stop) in zip(transform.ranks, transform.bands, strict=True):
            operations += 4.0 * rank * (stop - first) * positions
    size = torch.empty(0, dtype=dtype).element_size() * (2 * scales * positions + module.length)
    return 1 / (channels * max(operations / flops, size / bandwidth))


def draw(coefficients: np.ndarray) -> bytes:
    """The modulus of one window as a turbo PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.24, 2.24), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(np.abs(coefficients), aspect="auto", cmap="turbo")
    axes.axis("off")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def measure(length: int, encoding: str, scales: int, seconds: float) -> list[tuple[str, float]]:
    """Every route for one length and encoding."""
    rng = np.random.default_rng(0)
    per_window = get_encoding(encoding).channels * 4 * scales * length
    n = max(8, 2**25 // per_window)
    codes = torch.from_numpy(rng.integers(0, 4, (n, length), dtype=np.uint8))
    table = encoding_table(get_encoding(encoding)).numpy()
    signals = np.ascontiguousarray(table[codes.numpy()].transpose(0, 2, 1))
    channels = signals.shape[1]
    periods = ScalogramConfig(encoding, WAVELET, scales).periods(length)
    atoms = (peak_frequency(WAVELET) * periods / (2 * np.pi)).astype("float32")
    rows: list[tuple[str, float]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import ssqueezepy

            morse = ssqueezepy.Wavelet(("gmw", {"gamma": 3, "beta": 60}), dtype="float32")

            def cwt(x: np.ndarray) -> np.ndarray:
                return ssqueezepy.cwt(x, morse, scales=atoms, padtype="zero")[0]

            one, many = signals[0], signals[: max(1, 6400 // length)]
            flat = many.reshape(-1, length)
            rows += [
                ("published route", rate(lambda: [draw(cwt(x)) for x in one], 1, seconds)),
                ("ssqueezepy, a window", rate(lambda: [cwt(x) for x in one], 1, seconds)),
                ("ssqueezepy, batched", rate(lambda: cwt(flat), len(many), seconds)),
            ]
        except ImportError:
            print("ssqueezepy is not installed; its rows are left out")
        try:
            import pywt

            flat = signals[:8].reshape(-1, length)
            rows.append(
                (
                    "PyWavelets, batched",
                    rate(
                        lambda: pywt.cwt(flat, periods, "cmor1.5-1.0", method="fft", axis=1),
                        len(signals[:8]),
                        seconds,
                    ),
                )
            )
        except ImportError:
            print("PyWavelets is not installed; its row is left out")
    types = [torch.float32]
    if has_fast_bf16(torch.device("cpu")):
        types.append(torch.bfloat16)
    for dtype in types:
        config = ScalogramConfig(encoding, WAVELET, scales, norm="l1")
        module = Scalogram(config, length)
        name = str(dtype).removeprefix("torch.")
        bf16 = dtype == torch.bfloat16
        if bf16 and module.method != "matrix":
            continue  # Fourier transforms stay in float32.
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            rows.append(
                (f"wavebind, {module.method}, {name}", rate(lambda m=module: m(codes), n, seconds))
            )
        rows.append((f"  floor, {name}", floor(module, dtype, channels, seconds)))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--encodings", nargs="+", default=["integer", "onehot"])
    parser.add_argument("--scales", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"{args.scales} scales, {args.threads} threads, torch {torch.__version__}")
    print(f"{'bp':>6} {'encoding':<9}{'route':<34}{'windows/s':>12}{'published = 1':>15}")
    for length in args.lengths:
        for encoding in args.encodings:
            rows = measure(length, encoding, args.scales, args.seconds)
            base = rows[0][1]
            for name, value in rows:
                print(f"{length:>6} {encoding:<9}{name:<34}{value:>12,.1f}{value / base:>15,.1f}")


if __name__ == "__main__":
    main()
