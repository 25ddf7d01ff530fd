"""Codes to signals: numbers for nucleotides.

A code is one byte a base (A C G T = 0 1 2 3, everything else 4). A signal is one or more real
channels over the positions. ``N`` (code 4) is zero in every channel of every encoding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.errors import InputError

__all__ = [
    "ENCODINGS",
    "Encoding",
    "EncodingChoice",
    "complement_matrix",
    "encode",
    "encode_onehot",
    "encoding_table",
    "get_encoding",
    "reverse_complement_signal",
]

#: Number of distinct codes: A, C, G, T and "not a base".
N_CODES = 5


@dataclass(frozen=True)
class Encoding:
    """One numeric representation of DNA.

    Attributes
    ----------
    name : str
        What the configuration calls it.
    values : tuple of tuple of float
        One row a channel; in each, the values of A, C, G and T.
    keeps : str
        What a reader of the signal can still tell.
    loses : str
        What it cannot.
    source : str
        Where the values come from.
    cumulated : bool
        Whether the signal is the running sum of these values; it is still zero at ``N``.
    """

    name: str
    values: tuple[tuple[float, float, float, float], ...]
    keeps: str
    loses: str
    source: str
    cumulated: bool = False

    def __post_init__(self) -> None:
        if not self.values:
            raise InputError(f"encoding {self.name!r} has no channel; give at least one")
        for row in self.values:
            if not isinstance(row, tuple) or len(row) != 4 or not np.all(np.isfinite(row)):
                raise InputError(
                    f"encoding {self.name!r}: a channel takes four finite numbers, for A, C, G "
                    f"and T; found {row!r}"
                )

    @property
    def channels(self) -> int:
        """Number of signal channels."""
        return len(self.values)


_ROOT2, _ROOT6 = math.sqrt(2.0), math.sqrt(6.0)

ENCODINGS: dict[str, Encoding] = {
    e.name: e
    for e in (
        Encoding(
            "onehot",
            ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)),
            "every base, with equal distances between them",
            "nothing",
            "Voss 1992, Phys. Rev. Lett. 68:3805",
        ),
        Encoding(
            "integer",
            ((1, 2, 3, 4),),
            "every base, as a number",
            "equal distances: A and T stand three apart, A and C one",
            "the published recipe (A C G T = 1 2 3 4)",
        ),
        Encoding(
            "integer0",
            ((0, 1, 2, 3),),
            "every base, as a number",
            "equal distances, and the difference between A and an unknown base",
            "A C G T = 0 1 2 3",
        ),
        Encoding(
            "real",
            ((-1.5, 0.5, -0.5, 1.5),),
            "every base, as a number; a complement is the negative",
            "equal distances: A and T stand three apart, A and G one",
            "Chakravarthy et al. 2004, EURASIP J. Appl. Signal Process. 2004:13",
        ),
        Encoding(
            "complex",
            ((1, -1, -1, 1), (1, 1, -1, -1)),
            "every base, as a corner of a square; a complement is the conjugate",
            "equal distances: A and G stand across the square, A and C along its side",
            "Anastassiou 2001, IEEE Signal Process. Mag. 18(4):8",
        ),
        Encoding(
            "eiip",
            ((0.1260, 0.1340, 0.0806, 0.1335),),
            "the electron-ion interaction potential of each base",
            "almost all difference between C (0.1340) and T (0.1335)",
            "Nair & Sreenadhan 2006, Bioinformation 1:197",
        ),
        Encoding(
            "atomic",
            ((70, 58, 78, 66),),
            "every base, as the atomic number of its molecule",
            "equal distances: A and T stand four apart, C and G twenty",
            "Holden et al. 2007, Proc. SPIE 6694:669417",
        ),
        Encoding(
            "purine",
            ((1, -1, 1, -1),),
            "purine (A, G) or pyrimidine (C, T)",
            "A from G, and C from T",
            "Peng et al. 1992, Nature 356:168 (a step of the walk, sign reversed)",
        ),
        Encoding(
            "paired",
            ((1, -1, -1, 1),),
            "weak (A, T) or strong (C, G) pairing; both strands read the same",
            "A from T, and C from G",
            "Akhtar et al. 2007, IEEE GENSIPS",
        ),
        Encoding(
            "zcurve",
            ((1, -1, 1, -1), (1, 1, -1, -1), (1, -1, -1, 1)),
            "every base, with equal distances; the axes are purine, amino and weak",
            "nothing",
            "Zhang & Zhang 1994, J. Biomol. Struct. Dyn. 11:767 (increments)",
        ),
        Encoding(
            "zcurve-cumulated",
            ((1, -1, 1, -1), (1, 1, -1, -1), (1, -1, -1, 1)),
            "every base, as a step; composition over long stretches as a trend",
            "nothing, but a single base is small beside the trend",
            "Zhang & Zhang 1994, J. Biomol. Struct. Dyn. 11:767",
            cumulated=True,
        ),
        Encoding(
            "tetrahedron",
            (
                (0, -_ROOT2 / 3, -_ROOT2 / 3, 2 * _ROOT2 / 3),
                (0, _ROOT6 / 3, -_ROOT6 / 3, 0),
                (1, -1 / 3, -1 / 3, -1 / 3),
            ),
            "every base, with equal distances, in three channels instead of four",
            "nothing",
            "Silverman & Linsker 1986, J. Theor. Biol. 118:295",
        ),
        Encoding(
            "walk",
            ((-1, 1, -1, 1),),
            "the balance of pyrimidines (C, T, up) over purines (A, G, down) so far",
            "A from G, and C from T; a single base is small beside the trend",
            "Peng et al. 1992, Nature 356:168",
            cumulated=True,
        ),
    )
}


#: How a configuration gives an encoding: a name, the four values of one channel, or a row of four
#: values for each of several.
EncodingChoice = str | tuple[float, ...] | tuple[tuple[float, ...], ...]


def get_encoding(name: EncodingChoice) -> Encoding:
    """Look an encoding up by its name, or make one of a user's own values.

    Parameters
    ----------
    name : str or tuple
        A name of :data:`ENCODINGS`; or four numbers, for A, C, G and T; or a row of four numbers
        for each channel.

    Raises
    ------
    InputError
        If there is none of that name (the message lists those there are), or a channel does not
        have four finite numbers.
    """
    if not isinstance(name, str):
        rows = [row if isinstance(row, tuple) else None for row in name]
        given = tuple(name) if all(row is not None for row in rows) else (tuple(name),)
        return Encoding("own", given, "what its values tell apart", "the rest", "configuration")  # type: ignore[arg-type]
    try:
        return ENCODINGS[name]
    except KeyError:
        known = ", ".join(ENCODINGS)
        raise InputError(f"encoding {name!r} is not known; choose one of: {known}") from None


def encoding_table(encoding: Encoding, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """The look-up table of an encoding.

    Returns
    -------
    torch.Tensor
        Shape ``(5, channel)``: the row of a code holds its value in each channel. The last row,
        for what is not a base, is zero.
    """
    table = torch.zeros(N_CODES, encoding.channels, dtype=dtype)
    table[:4] = torch.tensor(encoding.values, dtype=dtype).T
    return table


def encode(codes: torch.Tensor, table: torch.Tensor, *, cumulated: bool = False) -> torch.Tensor:
    """Turn codes into signals.

    Parameters
    ----------
    codes : torch.Tensor
        ``uint8``, shape ``(batch, position)``, values 0 to 4.
    table : torch.Tensor
        From :func:`encoding_table`, shape ``(5, channel)``, on the device of `codes`.
    cumulated : bool
        Sum along the positions, as :attr:`Encoding.cumulated` says.

    Returns
    -------
    torch.Tensor
        Shape ``(batch, channel, position)``, the dtype of `table`; zero where the code is 4.
    """
    # One gather a channel writes the result in its final layout; embedding() would need a
    # transpose of the whole batch after it.
    index = codes.long()
    signals = torch.stack([column[index] for column in table.T], dim=1)
    if not cumulated:
        return signals
    known = (codes < N_CODES - 1).unsqueeze(1)
    return torch.where(known, signals.cumsum(dim=-1), torch.zeros_like(signals))


def encode_onehot(
    onehot: torch.Tensor, table: torch.Tensor, *, cumulated: bool = False
) -> torch.Tensor:
    """The signals of one-hot windows: :func:`encode`, linear in its input and differentiable.

    Parameters
    ----------
    onehot : torch.Tensor
        Shape ``(batch, 4, position)``, channels A, C, G, T; zero where a base is unknown. Numbers
        between 0 and 1 are a path from one window to another.
    table : torch.Tensor
        As for :func:`encode`.
    cumulated : bool
        As for :func:`encode`.

    Returns
    -------
    torch.Tensor
        Shape ``(batch, channel, position)``.
    """
    signals = torch.einsum("bc,nbt->nct", table[: N_CODES - 1].to(onehot.dtype), onehot)
    if not cumulated:
        return signals
    return signals.cumsum(dim=-1) * onehot.sum(dim=1, keepdim=True)


def complement_matrix(encoding: Encoding) -> NDArray[np.float64]:
    """The linear map of channels that turns a base into its complement.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(channel, channel)``: this matrix times the values of A, C, G and T
        gives those of T, G, C and A.

    Raises
    ------
    InputError
        If there is none, as for the integer code, or the signal is cumulated.
    """
    values = np.array(encoding.values, dtype=np.float64)
    turned = values[:, ::-1]
    matrix: NDArray[np.float64] = turned @ np.linalg.pinv(values)
    if encoding.cumulated or not np.allclose(matrix @ values, turned, atol=1e-9):
        raise InputError(
            f"encoding {encoding.name!r} has no reverse complement as an operation on signals; "
            f"turn the codes around and encode them again"
        )
    return matrix


def reverse_complement_signal(signals: torch.Tensor, encoding: Encoding) -> torch.Tensor:
    """The signal of the other strand, from the signal of this one.

    Parameters
    ----------
    signals : torch.Tensor
        Shape ``(batch, channel, position)``.
    encoding : Encoding
        The one that made it.

    Raises
    ------
    InputError
        As :func:`complement_matrix`.
    """
    matrix = torch.as_tensor(complement_matrix(encoding), dtype=signals.dtype).to(signals.device)
    return torch.einsum("ij,bjt->bit", matrix, signals.flip(-1))
