"""How many bases each representation lets one recover.

    python benchmarks/inverse.py [--windows 32] [--scales 32] [--iterations 300]

Windows are real: bound windows of the test split of the table in the package. From complex
coefficients by least squares, from the modulus by phase retrieval, bases by the nearest value.

The transform is linear, so from complex coefficients the signal follows by least squares; what that
cannot recover is gone. From the modulus alone it has to be searched for: phases are put in at
random and made consistent in turns (Griffin & Lim 1984, IEEE Trans. Acoust. 32:236). What the
search does not find may still be there, but is hard to reach, for a network too.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import torch

from wavebind.core.errors import InputError
from wavebind.datasets.demo import demo_table
from wavebind.datasets.tables import read_labelled_table
from wavebind.wavelets.encodings import Encoding, encode, encoding_table, get_encoding
from wavebind.wavelets.filters import Wavelet
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig

#: Directions that the transform makes smaller than this fraction of the largest are lost.
RANK_LIMIT = 1e-6


def analysis_matrix(config: ScalogramConfig, length: int) -> torch.Tensor:
    """The transform of one signal as a real matrix.

    Returns
    -------
    torch.Tensor
        ``float64``, shape ``(2 * scale * position, length)``: real parts, then imaginary parts.
    """
    transform = Scalogram(replace(config, outputs=("real", "imag")), length).double()
    with torch.no_grad():
        columns: torch.Tensor = transform.transform(torch.eye(length).double().unsqueeze(1))
    return columns.reshape(length, -1).T.contiguous()


def _synthesis(matrix: torch.Tensor) -> torch.Tensor:
    inverse: torch.Tensor = torch.linalg.pinv(matrix, rtol=RANK_LIMIT)
    return inverse


def reconstruct(config: ScalogramConfig, coefficients: torch.Tensor, length: int) -> torch.Tensor:
    """The signal of least squares for complex coefficients.

    Parameters
    ----------
    config : ScalogramConfig
    coefficients : torch.Tensor
        Shape ``(batch, channel, part, scale, position)``, from :meth:`Scalogram.transform`.
    length : int
        Of the window in base pairs.

    Returns
    -------
    torch.Tensor
        ``float64``, shape ``(batch, channel, position)``. Where the transform loses nothing it is
        the signal; what it loses (a constant, where padding is periodic) comes back as zero.

    Raises
    ------
    InputError
        If the shape is not that of the configuration.
    """
    matrix = analysis_matrix(config, length)
    batch, channels = coefficients.shape[:2]
    flat = coefficients.double().reshape(batch * channels, -1)
    if flat.shape[1] != matrix.shape[0]:
        raise InputError(
            f"the coefficients hold {flat.shape[1]:,} numbers a signal; this configuration makes "
            f"{matrix.shape[0]:,} of a window of {length} bp"
        )
    return (flat @ _synthesis(matrix).T).reshape(batch, channels, length)


def reconstruct_from_modulus(
    config: ScalogramConfig,
    modulus: torch.Tensor,
    length: int,
    generator: torch.Generator,
    *,
    iterations: int = 300,
    restarts: int = 4,
) -> torch.Tensor:
    """A signal whose coefficients have these moduli, as nearly as can be found.

    Parameters
    ----------
    config : ScalogramConfig
    modulus : torch.Tensor
        Shape ``(batch, channel, scale, position)``.
    length : int
        Of the window in base pairs.
    generator : torch.Generator
        Draws the first phases.
    iterations : int
        Turns of each start.
    restarts : int
        Random starts; for each signal the one with the smallest error in modulus is kept.

    Returns
    -------
    torch.Tensor
        ``float64``, shape ``(batch, channel, position)``. A signal and its negative have the same
        modulus; of the two the one with the larger sum is returned, which is right for one-hot
        and integer codes.
    """
    matrix = analysis_matrix(config, length)
    back = _synthesis(matrix)
    batch, channels = modulus.shape[:2]
    wanted = modulus.double().reshape(batch * channels, -1)
    if 2 * wanted.shape[1] != matrix.shape[0]:
        raise InputError(
            f"the scalogram holds {wanted.shape[1]:,} moduli a signal; this configuration makes "
            f"{matrix.shape[0] // 2:,} of a window of {length} bp"
        )
    best = torch.zeros(len(wanted), length, dtype=torch.float64)
    best_error = torch.full((len(wanted),), torch.inf, dtype=torch.float64)
    for _ in range(restarts):
        phase = 2 * torch.pi * torch.rand(wanted.shape, generator=generator, dtype=torch.float64)
        parts = torch.cat([wanted * phase.cos(), wanted * phase.sin()], dim=1)
        previous = torch.zeros_like(parts)
        for _ in range(iterations):
            signal = parts @ back.T
            found = signal @ matrix.T
            # A step beyond the projection gets out of flat places (Perraudin et al. 2013,
            # IEEE WASPAA: the fast Griffin-Lim algorithm).
            ahead = found + 0.99 * (found - previous)
            previous = found
            real, imag = ahead.chunk(2, dim=1)
            size = torch.hypot(real, imag).clamp_min(1e-12)
            parts = torch.cat([wanted * real / size, wanted * imag / size], dim=1)
        signal = parts @ back.T
        real, imag = (signal @ matrix.T).chunk(2, dim=1)
        error = (torch.hypot(real, imag) - wanted).square().sum(dim=1)
        better = error < best_error
        best[better], best_error[better] = signal[better], error[better]
    best = torch.where(best.sum(dim=1, keepdim=True) < 0, -best, best)
    return best.reshape(batch, channels, length)


def decode(signals: torch.Tensor, encoding: Encoding) -> torch.Tensor:
    """The base whose values lie nearest to each position of a signal.

    Parameters
    ----------
    signals : torch.Tensor
        Shape ``(batch, channel, position)``.
    encoding : Encoding
        Not a cumulated one.

    Returns
    -------
    torch.Tensor
        ``uint8``, shape ``(batch, position)``, 0 to 3. Bases with the same values (purine code)
        decode to the first of them.

    Raises
    ------
    InputError
        If the encoding is cumulated.
    """
    if encoding.cumulated:
        raise InputError(f"encoding {encoding.name!r} is a running sum; decode its increments")
    values = encoding_table(encoding, torch.float64)[:4]
    distance = (signals.double().unsqueeze(1) - values[None, :, :, None]).square().sum(dim=2)
    return distance.argmin(dim=1).to(torch.uint8)


def recovered(codes: np.ndarray, signals: torch.Tensor, encoding: Encoding) -> float:
    """Fraction of the known bases that a reconstructed signal decodes to."""
    truth = torch.from_numpy(np.ascontiguousarray(codes))
    known = truth < 4
    return float((decode(signals, encoding) == truth)[known].double().mean())


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
