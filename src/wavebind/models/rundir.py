"""The folder of one run: what is in it, and under which name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wavebind.core.errors import InputError
from wavebind.models.shipped import SHIPPED, shipped_folder

__all__ = ["RunDir"]


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
    def labels(self) -> Path:
        """Of several labels, how each came out on valid; a table."""
        return self.path / "labels.tsv"

    @property
    def checkpoints(self) -> Path:
        """What ``--resume`` continues from."""
        return self.path / "checkpoints"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    def fold(self, number: int) -> Path:
        """The run of one of the networks whose mean this one is; from 1."""
        return self.path / "folds" / str(number)

    def member(self, number: int) -> Path:
        """The run of one of several networks, each with a start of its own; from 1."""
        return self.path / "members" / str(number)

    def require(self) -> RunDir:
        """Itself, if it is a run directory; or that of a model of the package.

        Raises
        ------
        InputError
            If it is missing or is not one.
        """
        shipped = shipped_folder(self.path)
        if shipped is not None:
            return RunDir(shipped)
        if not self.path.exists():
            raise InputError(
                f"{self.path}: no such run; make one with 'wavebind train', or name the model of "
                f"the package: {', '.join(SHIPPED)}"
            )
        if not self.run_json.is_file():
            raise InputError(
                f"{self.path}: is not a run (it has no run.json); give the folder that "
                f"'wavebind train --out' made"
            )
        return self

    def require_model(self) -> RunDir:
        """Itself, if training has ended; or the folder of a model of the package.

        Raises
        ------
        InputError
            If it is not a run, or its training has not ended.
        """
        found = self.require()
        if found.path != self.path:
            return found
        if not self.model.is_file():
            raise InputError(
                f"{self.path}: has no model.safetensors, so its training has not ended; continue "
                f"it with 'wavebind train DATA --out {self.path} --resume'"
            )
        return self
