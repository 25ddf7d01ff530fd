"""How many bases each representation lets one recover.

    python benchmarks/inverse.py [--windows 32] [--scales 32] [--iterations 300]

Windows are real: bound windows of the test split of the table in the package. From complex
coefficients by least squares, from the modulus by phase retrieval, bases by the nearest value.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from wavebind.demodata import demo_table
from wavebind.encodings import encode, encoding_table, get_encoding
from wavebind.inverse import reconstruct, reconstruct_from_modulus, recovered
from wavebind.scalograms import Scalogram, ScalogramConfig
from wavebind.tables import read_labelled_table
from wavebind.wavelets import Wavelet


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--windows", type=int, default=32)
    parser.add_argument("--scales", type=int, default=32)
    parser.add_argument("--iterations", type=int, default=300)
    args = parser.parse_args()
    with demo_table() as table:
        found = [w.codes for w in read_labelled_table(table) if w.part == "test" and w.label == 1]
    codes = np.stack(found[: args.windows])
    length = codes.shape[1]
    print(f"{len(codes)} windows of {length} bp, {args.scales} scales; a guess recovers 0.25")
    print(
        f"{'encoding':<10}{'wavelet':<14}{'stride':>7}{'complex':>10}{'modulus':>10}{'seconds':>9}"
    )
    for name in ("integer", "onehot"):
        for beta in (60.0, 4.0):
            for stride in (1, 2):
                start = time.perf_counter()
                config = ScalogramConfig(
                    name, Wavelet(beta=beta), args.scales, norm="l2", stride=stride
                )
                encoding = get_encoding(name)
                signals = encode(torch.from_numpy(codes), encoding_table(encoding)).double()
                # In float32, as a network gets them.
                parts = Scalogram(config, length).transform(signals.float())
                both = recovered(codes, reconstruct(config, parts, length), encoding)
                alone = recovered(
                    codes,
                    reconstruct_from_modulus(
                        config,
                        torch.hypot(parts[:, :, 0], parts[:, :, 1]),
                        length,
                        torch.Generator().manual_seed(0),
                        iterations=args.iterations,
                    ),
                    encoding,
                )
                seconds = time.perf_counter() - start
                print(
                    f"{name:<10}{f'morse 3, {beta:g}':<14}{stride:>7}{both:>10.3f}{alone:>10.3f}"
                    f"{seconds:>9.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
