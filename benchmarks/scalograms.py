"""Windows a second of the transform, beside named peers, in one run.

    python benchmarks/scalograms.py [--length 200] [--scales 64] [--seconds 3] [--threads 2]

Every route makes complex Morse coefficients (gamma 3, beta 60) of the integer code at the same
periods (PyWavelets has no Morse wavelet and takes a complex Morlet one). Ours is measured in
float32 from codes to a tensor ready for a network; the looped and the batched ssqueezepy get
signals that are encoded already, which favours them.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

from wavebind.scalograms import Scalogram, ScalogramConfig
from wavebind.wavelets import Wavelet, peak_frequency


def rate(work: Callable[[], object], windows: int, seconds: float) -> float:
    """Windows a second: the best of as many repeats as fit, at least three after one to warm up."""
    work()
    best, stop, n = 0.0, time.perf_counter() + seconds, 0
    while n < 3 or time.perf_counter() < stop:
        start = time.perf_counter()
        work()
        best = max(best, windows / (time.perf_counter() - start))
        n += 1
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--scales", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    wavelet = Wavelet(gamma=3.0, beta=60.0)
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.integers(0, 4, (512, args.length), dtype=np.uint8))
    signals = codes.numpy().astype(np.float32) + 1
    rows: list[tuple[str, float]] = []

    def ours(encoding: str, stride: int) -> float:
        config = ScalogramConfig(encoding, wavelet, args.scales, norm="l1", stride=stride)
        module = Scalogram(config, args.length)
        with torch.inference_mode():
            return rate(lambda: module(codes), len(codes), args.seconds)

    rows.append(("wavebind, integer", ours("integer", 1)))
    rows.append(("wavebind, one-hot (four signals)", ours("onehot", 1)))
    rows.append(("wavebind, one-hot, every second position", ours("onehot", 2)))
    periods = ScalogramConfig("integer", wavelet, args.scales).periods(args.length)
    scales = peak_frequency(wavelet) * periods / (2 * np.pi)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import ssqueezepy

            morse = ssqueezepy.Wavelet(("gmw", {"gamma": 3, "beta": 60}), dtype="float32")
            options = {"wavelet": morse, "scales": scales.astype("float32"), "padtype": "zero"}
            rows.append(
                (
                    "ssqueezepy, 64 windows a call",
                    rate(lambda: ssqueezepy.cwt(signals[:64], **options), 64, args.seconds),
                )
            )
            rows.append(
                (
                    "ssqueezepy, a window at a time",
                    rate(
                        lambda: [ssqueezepy.cwt(s, **options) for s in signals[:16]],
                        16,
                        args.seconds,
                    ),
                )
            )
        except ImportError:
            print("ssqueezepy is not installed; left out")
        try:
            import pywt

            wave = "cmor1.5-1.0"
            rows.append(
                (
                    "PyWavelets cwt (fft), 64 windows a call",
                    rate(
                        lambda: pywt.cwt(signals[:64], periods, wave, method="fft", axis=1),
                        64,
                        args.seconds,
                    ),
                )
            )
        except ImportError:
            print("PyWavelets is not installed; left out")
    base = dict(rows).get("ssqueezepy, a window at a time", rows[-1][1])
    print(
        f"{args.length} bp, {args.scales} scales, {args.threads} threads, torch {torch.__version__}"
    )
    print(f"{'route':<44}{'windows/s':>12}{'ratio':>9}")
    for name, value in rows:
        print(f"{name:<44}{value:>12,.0f}{value / base:>9.1f}")


if __name__ == "__main__":
    main()
