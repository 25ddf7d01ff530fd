"""What :class:`wavebind.training.estimator.TFBSClassifier` is given, and what it would misread."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.genome.sequences import MAX_UNKNOWN, UNKNOWN, Codes, to_codes

__all__ = ["checked_codes", "codes_of_text", "positive_class", "text_of"]

#: The positive one of two labels, where their names say which.
_POSITIVE = {("bound", "unbound"): "bound", ("negative", "positive"): "positive"}


def text_of(X: Any) -> list[str] | None:  # noqa: N803 - as scikit-learn calls it
    """The sequences, where the windows are given as letters; None where they are numbers.

    Lists, tuples, arrays and Series of ``str`` or ``bytes``, and tables or arrays of one column.

    Raises
    ------
    TypeError
        If it is one sequence.
    """
    if isinstance(X, str | bytes):
        raise TypeError("X is one sequence; give a list of them")
    if getattr(X, "ndim", 1) == 2 and X.shape[1] == 1:
        column = X.iloc[:, 0] if hasattr(X, "iloc") else np.asarray(X)[:, 0]
        # A column of numbers is windows of one base, which are said to be too short elsewhere.
        return text_of(column) if getattr(column.dtype, "kind", "O") in "OSUT" else None
    if not isinstance(X, list | tuple):
        kind = getattr(getattr(X, "dtype", None), "kind", "")
        if getattr(X, "ndim", 0) != 1 or kind not in ("U", "T", "O", "S"):
            return None
    items = list(X)
    if not items or not all(isinstance(x, str | bytes) for x in items):
        return None
    return [x.decode("ascii", "replace") if isinstance(x, bytes) else str(x) for x in items]


def codes_of_text(lines: list[str]) -> Codes:
    """Codes of sequences, ``uint8``, shape ``(window, position)``.

    Raises
    ------
    ValueError
        If they differ in length, a letter is not a nucleotide, or too many bases are unknown.
    """
    lengths = {len(x) for x in lines}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            f"sequences must be of one length, and not empty; found lengths "
            f"{', '.join(map(str, sorted(lengths)[:5]))}"
        )
    try:
        codes = np.stack([to_codes(x, place=f"sequence {i}") for i, x in enumerate(lines)])
    except InputError as error:
        raise ValueError(str(error)) from error
    unknown = (codes == UNKNOWN).mean(axis=1) > MAX_UNKNOWN
    if unknown.any():
        raise ValueError(
            f"{int(unknown.sum()):,} of {len(codes):,} sequences have more than "
            f"{MAX_UNKNOWN:.0%} unknown bases, sequence {int(np.argmax(unknown))} is the first; "
            f"leave them out"
        )
    return codes


def checked_codes(values: NDArray[Any], name: str) -> Codes:
    """Codes from an array of numbers that can be nothing else.

    Parameters
    ----------
    values : numpy.ndarray
        Shape ``(window, position)``.
    name : str
        Of the class, for messages.

    Raises
    ------
    ValueError
        If they are negative or no whole numbers; or if they look like codes from 1 to 4, or like
        one-hot windows laid flat.
    """
    if np.any(values < 0):
        # The first words are what scikit-learn's own checks look for.
        raise ValueError(
            f"Negative values in data passed to {name}: codes are A C G T = 0 1 2 3, and 4 or more "
            f"for an unknown base"
        )
    if np.any(values != np.floor(values)):
        raise ValueError(
            "codes are whole numbers: A C G T = 0 1 2 3, and 4 or more for an unknown base"
        )
    if set(np.unique(values).tolist()) == {1, 2, 3, 4}:
        raise ValueError(
            "X holds 1, 2, 3 and 4 and no 0: codes are A C G T = 0 1 2 3 here, and 4 is an unknown "
            "base; subtract 1"
        )
    if _is_flat_onehot(values):
        raise ValueError(
            "X looks like one-hot windows laid flat, four numbers a base of which one is 1; give "
            "codes (argmax over the bases) or the sequences themselves"
        )
    codes: Codes = np.minimum(values, UNKNOWN).astype(np.uint8)
    unknown = (codes == UNKNOWN).mean(axis=1) > MAX_UNKNOWN
    if unknown.any():
        warnings.warn(
            f"{int(unknown.sum()):,} of {len(codes):,} windows have more than {MAX_UNKNOWN:.0%} "
            f"unknown bases (codes of 4 and above)",
            UserWarning,
            stacklevel=4,
        )
    return codes


def _is_flat_onehot(values: NDArray[Any]) -> bool:
    n, width = values.shape
    if width < 16 or width % 4 or not np.isin(values, (0, 1)).all():
        return False
    by_base = values.reshape(n, width // 4, 4).sum(axis=2)
    by_channel = values.reshape(n, 4, width // 4).sum(axis=1)
    # An unknown base is four zeros; most are known.
    return any((sums <= 1).all() and sums.mean() > 0.5 for sums in (by_base, by_channel))


def positive_class(classes: NDArray[Any], pos_label: Any) -> int:
    """Which of two sorted labels is bound.

    Parameters
    ----------
    classes : numpy.ndarray
        Shape ``(2,)``.
    pos_label : object or None
        As it was named. Without it ``bound`` of ``bound`` and ``unbound``, ``positive`` of
        ``negative`` and ``positive``, and otherwise the greater one.

    Raises
    ------
    ValueError
        If there is no such label.
    """
    names = tuple(str(x).lower() for x in classes)
    if pos_label is None:
        found = _POSITIVE.get(names)  # type: ignore[arg-type]
        return names.index(found) if found else 1
    matches = np.flatnonzero(classes == pos_label)
    if len(matches) != 1:
        raise ValueError(
            f"pos_label {pos_label!r} is not a label; y holds {', '.join(map(repr, classes))}"
        )
    return int(matches[0])
