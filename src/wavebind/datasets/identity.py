"""What earlier work was done on, told from what is there now."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from wavebind.core.versions import version

__all__ = ["difference", "identity_of", "work_identity"]

_LABELS = "labels_sha256:"
_NAMES = {"codes_sha256": "windows", "splits_sha256": "splits", "version": "version of wavebind"}


def identity_of(
    path: str,
    checksum: str,
    splits: NDArray[np.str_],
    outputs: Sequence[str],
    targets: NDArray[np.int8],
    values: NDArray[np.float64] | None,
) -> dict[str, str]:
    """Path of a dataset, and checksums of its windows, of their splits and of each of its labels.

    Parameters
    ----------
    path, checksum : str
        Of the folder, and of the codes as they were recorded.
    splits : numpy.ndarray
        ``str``, shape ``(window,)``.
    outputs : sequence of str
        Names of the labels.
    targets : numpy.ndarray
        ``int8``, shape ``(window, output)``.
    values : numpy.ndarray or None
        ``float64``, shape ``(window,)``: of a set of numbers, in place of labels.
    """
    found = {
        "path": path,
        "codes_sha256": checksum,
        "splits_sha256": hashlib.sha256("\n".join(splits.tolist()).encode()).hexdigest(),
    }
    for name, column in zip(outputs, targets.T, strict=True):
        content = np.ascontiguousarray(column if values is None else values).tobytes()
        found[f"{_LABELS}{name}"] = hashlib.sha256(content).hexdigest()
    return found


def work_identity(identity: Mapping[str, str]) -> dict[str, str]:
    """What work that may be continued later must have in common: the data and the version."""
    return {**identity, "version": version()}


def difference(before: Mapping[str, object], now: Mapping[str, str]) -> str:
    """The first entry in which earlier work differs from what is there now, in words.

    Parameters
    ----------
    before : mapping
        As it was stored. What an earlier version did not store is passed over.
    now : mapping
        As :func:`identity_of` gives it, and the version where that matters.

    Returns
    -------
    str
        As ``the splits were 3f2a... and are 77bc...``; empty where nothing differs.
    """
    for key, value in now.items():
        old = before.get(key, value)
        if key == "path" or old == value:
            continue
        name = _NAMES.get(key, f"labels {key.removeprefix(_LABELS)!r}")
        was, isnow = (text if key == "version" else text[:12] for text in (str(old), value))
        verb = ("was", "is") if key == "version" else ("were", "are")
        return f"the {name} {verb[0]} {was} and {verb[1]} {isnow}"
    return ""
