"""The folder of one run: what is in it, and under which name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavebind.core.errors import InputError
from wavebind.core.files import replace_file

__all__ = ["RunDir", "read_json", "write_json"]

_MAX_JSON = 64 * 2**20


@dataclass(frozen=True)
class RunDir:
    """Names within a run directory.

    ``run.json`` holds the resolved configuration, versions and seed from the start;
    ``model.safetensors`` appears when training has ended.
    """

    path: Path

    @property
    def run_json(self) -> Path:
        """Configuration, versions, seed, training set."""
        return self.path / "run.json"

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.path / "model.safetensors"

    @property
    def history(self) -> Path:
        """One entry an epoch."""
        return self.path / "history.json"

    @property
    def checkpoints(self) -> Path:
        """What ``--resume`` continues from."""
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        """The last evaluation."""
        return self.path / "metrics.json"

    @property
    def explanations(self) -> Path:
        """Pictures and scores a base."""
        return self.path / "explain"

    @property
    def motifs(self) -> Path:
        """What the model has learnt, as matrices."""
        return self.path / "motifs"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    def fold(self, number: int) -> Path:
        """The run of one of the networks whose mean this one is; from 1."""
        return self.path / "folds" / str(number)

    def scores(self, part: str) -> Path:
        """Scores of every window of a split."""
        return self.path / f"scores_{part}.parquet"

    def require(self) -> RunDir:
        """Itself, if it is a run directory.

        Raises
        ------
        InputError
            If it is missing or is not one.
        """
        if not self.path.exists():
            raise InputError(f"{self.path}: no such run; make one with 'wavebind train'")
        if not self.run_json.is_file():
            raise InputError(
                f"{self.path}: is not a run (it has no run.json); give the folder that "
                f"'wavebind train --out' made"
            )
        return self

    def require_model(self) -> RunDir:
        """Itself, if training has ended.

        Raises
        ------
        InputError
            If it is not a run, or its training has not ended.
        """
        self.require()
        if not self.model.is_file():
            raise InputError(
                f"{self.path}: has no model.safetensors, so its training has not ended; continue "
                f"it with 'wavebind train DATA --out {self.path} --resume'"
            )
        return self


def read_json(path: Path) -> Any:
    """Read a JSON file of a run.

    Raises
    ------
    InputError
        If it is missing, too large or not JSON.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; is the run complete?")
    if path.stat().st_size > _MAX_JSON:
        raise InputError(f"{path}: larger than {_MAX_JSON:,} bytes; it was not written by wavebind")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error})") from error


def write_json(path: Path, data: Any) -> None:
    """Write JSON; the file appears under its name only when whole."""
    with replace_file(path) as temporary:
        temporary.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
