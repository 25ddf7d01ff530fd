"""Where the results of a run lie: side by side, each under its dataset, split and method.

``evaluations/NAME-SPLIT``, ``explanations/METHOD/NAME-SPLIT``, ``explanations/checks/NAME-SPLIT``,
``explanations/insert-MOTIF/NAME-SPLIT`` and so on,
and ``motifs/METHOD/NAME-SPLIT``, where NAME is that of the dataset. Runs of version 0.1 have one
result of each kind, in other places; they are read where they lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import read_json
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.identity import difference

__all__ = [
    "CHECKS",
    "EFFECTS",
    "EVALUATIONS",
    "EXPLANATIONS",
    "MOTIFS",
    "Kind",
    "Result",
    "find_results",
    "place_of",
    "require_same_options",
]


@dataclass(frozen=True)
class Kind:
    """A kind of results.

    Attributes
    ----------
    name : str
        One of them, in words.
    folder : str
        Of all of them, within the run.
    marker : str
        The file that says what one was made from.
    old : str
        The folder where version 0.1 kept its only one.
    """

    name: str
    folder: str
    marker: str
    old: str


EVALUATIONS = Kind("an evaluation", "evaluations", "metrics.json", "")
EXPLANATIONS = Kind("an explanation", "explanations", "explain.json", "explain")
CHECKS = Kind("checks of explanations", "explanations", "checks.json", "explain")
EFFECTS = Kind("an experiment with motifs", "explanations", "effect.json", "explain")
MOTIFS = Kind("motifs", "motifs", "motifs.json", "motifs")


@dataclass(frozen=True)
class Result:
    """An earlier result of a run.

    Attributes
    ----------
    kind : Kind
    run, path : pathlib.Path
        The run, and the folder of the result.
    found : dict
        What its marker holds.
    """

    kind: Kind
    run: Path
    path: Path
    found: dict[str, Any]

    @property
    def split(self) -> str:
        """Of the windows."""
        return str(self.found["split"])

    @property
    def data(self) -> Path:
        """Where the dataset lay."""
        return Path(str(self.found["data"]["path"]))

    @property
    def scores(self) -> Path:
        """Of an evaluation: scores of every window."""
        if self.path == self.run:
            return self.path / f"scores_{self.split}.parquet"
        return self.path / "scores.parquet"

    def is_of(self, identity: Mapping[str, str]) -> bool:
        """Whether it was made from this dataset, with these splits and labels."""
        return not difference(self.found["data"], identity)

    def same_windows(self, other: Result) -> bool:
        """Whether another result is of the same dataset and split."""
        return self.split == other.split and not difference(
            self.found["data"], {k: str(v) for k, v in other.found["data"].items()}
        )

    def words(self) -> str:
        """What it is, for a person."""
        where = self.path.relative_to(self.run)
        place = "" if self.path == self.run else f"{where}: "
        return f"{place}the {self.split} split of {self.data}"


def find_results(run: Path, kind: Kind) -> list[Result]:
    """All results of a kind that a run has, by the names of their folders.

    Raises
    ------
    InputError
        If one of them is damaged.
    """
    markers = sorted((run / kind.folder).rglob(kind.marker))
    old = run / kind.old / kind.marker
    if old.is_file() and old not in markers:
        markers.append(old)
    return [Result(kind, run, marker.parent, _read(marker)) for marker in markers]


def _read(marker: Path) -> dict[str, Any]:
    found = read_json(marker)
    if not isinstance(found, dict) or not isinstance(found.get("data"), dict):
        raise InputError(
            f"{marker}: does not say what it was made from; remove it and make it again"
        )
    if "split" not in found or "path" not in found["data"]:
        raise InputError(f"{marker}: has no split or no path of its data; make it again")
    return found


def place_of(run: Path, kind: Kind, data: Dataset, split: str, method: str = "") -> Path:
    """The folder of a result; another dataset of the same name has another one.

    Parameters
    ----------
    run : pathlib.Path
    kind : Kind
    data : Dataset
    split : str
    method : str
        Of explanations and motifs.
    """
    root = run / kind.folder / method if method else run / kind.folder
    identity = data.identity
    name = "".join(c if c.isalnum() or c in "._+" else "_" for c in data.path.name)[:80] or "data"
    place = root / f"{name}-{split}"
    marker = place / kind.marker
    if marker.is_file() and difference(_read(marker)["data"], identity):
        checksums = "".join(v for k, v in sorted(identity.items()) if k != "path")
        fingerprint = hashlib.sha256(checksums.encode()).hexdigest()[:8]
        return root / f"{name}-{fingerprint}-{split}"
    return place


def require_same_options(place: Path, kind: Kind, options: Mapping[str, Any], force: bool) -> None:
    """Refuse to replace a result that was made with other options.

    Parameters
    ----------
    place : pathlib.Path
    kind : Kind
    options : mapping
        Entries of the marker that the options decide.
    force : bool
        Whether it is replaced all the same.

    Raises
    ------
    InputError
        If there is one with other options.
    """
    marker = place / kind.marker
    if force or not marker.is_file():
        return
    found = read_json(marker)
    for name, value in options.items():
        if found.get(name, value) != value:
            raise InputError(
                f"{place}: holds {kind.name} made with other options: {name} was "
                f"{found[name]!r} and is {value!r}; pass --force to replace it"
            )
