"""What decides a scan, and where it goes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from wavebind.core.devices import Precision
from wavebind.core.errors import InputError
from wavebind.core.filekinds import is_device
from wavebind.core.settings import Settings

__all__ = ["ScanConfig", "ScanJob", "bigwig_path", "peaks_path"]


@dataclass(frozen=True)
class ScanConfig(Settings):
    """How a genome is scanned.

    Attributes
    ----------
    stride : int or None
        Base pairs between two windows. The default is 8, or the multiple of the network's step
        that comes nearest below.
    precision : {"auto", "float32"}
        Numbers to compute with. auto: bfloat16 where the device multiplies it in hardware, as
        predict does; otherwise float32.
    threshold : float or None
        Probability at or above which a window is called; by default the model's, chosen on valid.
        Of a model that predicts numbers, a number; by default the median of its training values.
    false_positives : float or None
        Instead: sites a megabase that may be called in shuffled sequence.
    decoys : float
        Megabases of shuffled sequence that are scanned to count what chance calls.
    count_decoys : bool
        Whether to scan shuffled sequence for q-values without --false-positives, too.
    prevalence : float or None
        Fraction of bound windows to expect along the genome; that of the validation split by
        default. The threshold moves with the probabilities.
    seed : int
        Decides the shuffles.
    length : int or None
        Window length in base pairs, of a model of LS-GKM; another model has its own.
    """

    stride: Annotated[int, Field(ge=1)] | None = None
    precision: Precision = "auto"
    threshold: float | None = None
    false_positives: Annotated[float, Field(gt=0)] | None = None
    decoys: Annotated[float, Field(ge=0.01, le=10_000)] = 5.0
    count_decoys: bool = False
    prevalence: float | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    length: Annotated[int, Field(ge=16)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise InputError(f"threshold must be a number; found {self.threshold!r}")
        if self.threshold is not None and self.false_positives is not None:
            raise InputError("give a threshold or a rate of false positives, not both")

    @property
    def uses_decoys(self) -> bool:
        """Whether shuffled sequence is scanned."""
        return self.count_decoys or self.false_positives is not None


def bigwig_path(path: Path) -> Path:
    """The path, where a bigWig can be written there under a name that tells what it is.

    Raises
    ------
    InputError
        If its name has another ending, or it is a device or a pipe.
    """
    if is_device(path):
        raise InputError(
            f"{path}: is a device or a pipe, and a bigWig is written at places here and there; "
            f"name a file"
        )
    return _ending(path, (".bw", ".bigWig"), "the track of a scan is a bigWig")


def peaks_path(path: Path) -> Path:
    """The path, where called sites can be written there; as :func:`bigwig_path`."""
    if is_device(path):
        return path
    return _ending(path, (".narrowPeak", ".bed"), "called sites are a narrowPeak")


def _ending(path: Path, endings: tuple[str, ...], what: str) -> Path:
    if path.name.lower().endswith(tuple(ending.lower() for ending in endings)):
        return path
    raise InputError(f"{path}: {what}; end its name in one of: {', '.join(endings)}")


@dataclass(frozen=True)
class ScanJob:
    """Everything that decides a scan, and where it goes.

    Attributes
    ----------
    run, genome : str
        Paths.
    out : str
        The bigWig.
    peaks : str or None
        The narrowPeak.
    regions : str or None
        BED file: windows whose middle lies there.
    output : str or None
        Of a model of several outputs; the first by default.
    device : str
    config : ScanConfig
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    run: str
    genome: str
    out: str
    peaks: str | None = None
    regions: str | None = None
    output: str | None = None
    device: str = "auto"
    config: ScanConfig = field(default_factory=ScanConfig)
