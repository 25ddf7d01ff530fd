"""Joining what shards did, whatever the work was."""

from __future__ import annotations

from pathlib import Path

from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import read_json
from wavebind.core.settings import from_dict
from wavebind.core.shards import chunks_folder
from wavebind.datasets.from_peaks.job import PeakJob, merge_dataset
from wavebind.datasets.writing import DatasetSummary
from wavebind.scan.genome import ScanSummary, merge_scan
from wavebind.scan.settings import ScanJob
from wavebind.variants.score import merge_variants
from wavebind.variants.settings import VariantJob, VariantSummary

__all__ = ["merge_parts"]


def merge_parts(out: Path) -> ScanSummary | VariantSummary | DatasetSummary:
    """Write an output from the chunks that lie beside it, in ``OUT.parts``.

    Parameters
    ----------
    out : pathlib.Path
        The ``--out`` of the shards.

    Raises
    ------
    InputError
        If there are no chunks, one is missing, or an input is not what it was.
    """
    folder = chunks_folder(out)
    path = folder / "job.json"
    if not path.is_file():
        raise InputError(
            f"{folder}: holds no chunks; give the --out of 'wavebind scan', 'wavebind variants' "
            f"or 'wavebind dataset' run with --shard"
        )
    found = read_json(path)
    job = found.get("job") if isinstance(found, dict) else None
    if isinstance(job, dict):
        # The folder may have been carried to another place.
        job["out"] = str(out.absolute())
    if job and found.get("command") == "scan":
        return merge_scan(from_dict(ScanJob, job, str(path)))
    if job and found.get("command") == "variants":
        return merge_variants(from_dict(VariantJob, job, str(path)))
    if job and found.get("command") == "dataset":
        return merge_dataset(from_dict(PeakJob, job, str(path)))
    raise InputError(f"{path}: does not say what work this is; it was not written by wavebind")
