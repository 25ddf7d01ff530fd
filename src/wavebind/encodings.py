"""Codes to signals: numbers for nucleotides.

A code is one byte a base (A C G T = 0 1 2 3, everything else 4); a signal is one or more real
channels over the positions. ``N`` (code 4) is zero in every channel of every encoding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from wavebind.errors import InputError

__all__ = ["ENCODINGS", "Encoding", "encode", "encoding_table", "get_encoding"]

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
    """

    name: str
    values: tuple[tuple[float, float, float, float], ...]
    keeps: str
    loses: str
    source: str

    def __post_init__(self) -> None:
        if not self.values:
            raise InputError(f"encoding {self.name!r} has no channel; give at least one")
        for row in self.values:
            if len(row) != 4 or not np.all(np.isfinite(row)):
                raise InputError(
                    f"encoding {self.name!r}: a channel takes four finite numbers, for A, C, G "
                    f"and T; found {row!r}"
                )

    @property
    def channels(self) -> int:
        """Number of signal channels."""
        return len(self.values)


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
            "eiip",
            ((0.1260, 0.1340, 0.0806, 0.1335),),
            "the electron-ion interaction potential of each base",
            "almost all difference between C (0.1340) and T (0.1335)",
            "Nair & Sreenadhan 2006, Bioinformation 1:197",
        ),
    )
}


def get_encoding(name: str) -> Encoding:
    """Look an encoding up by its name.

    Raises
    ------
    InputError
        If there is none of that name; the message lists those there are.
    """
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


def encode(codes: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Turn codes into signals.

    Parameters
    ----------
    codes : torch.Tensor
        ``uint8``, shape ``(batch, position)``, values 0 to 4.
    table : torch.Tensor
        From :func:`encoding_table`, shape ``(5, channel)``, on the device of `codes`.

    Returns
    -------
    torch.Tensor
        Shape ``(batch, channel, position)``, the dtype of `table`.
    """
    # One gather a channel writes the result in its final layout; embedding() would need a
    # transpose of the whole batch after it.
    index = codes.long()
    return torch.stack([column[index] for column in table.T], dim=1)
