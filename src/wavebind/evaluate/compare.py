"""Many models on the same windows: trained, scored, compared, and kept in a folder.

Every model is trained on the train split in a process of its own. It is scored on valid, where its
calibration and its threshold come from, and on the split that is reported. A model that is
finished is not trained again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.events import Advanced, OnEvent, StageStarted, ignore
from wavebind.core.files import replace_file
from wavebind.core.jsonfiles import read_json, write_json
from wavebind.core.versions import versions
from wavebind.datasets.audit import audit, to_plain
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.identity import difference, work_identity
from wavebind.evaluate.compare_runs import (
    FORMAT,
    ComparisonConfig,
    Entry,
    fit_entry,
)
from wavebind.metrics.binary import METRICS
from wavebind.metrics.paired import ECE, N_RESAMPLES, PairedResult, compare_paired
from wavebind.motifs.jaspar import find_motif
from wavebind.motifs.pwms import best_hits

__all__ = ["Comparison", "ComparisonConfig", "compare", "read_comparison"]


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes
    ----------
    entries : list of Entry
        In the order of the models asked for.
    results : dict
        :class:`PairedResult` by label.
    reference : str
        The model that the others are compared with.
    labels : numpy.ndarray
        ``int8``, shape ``(window,)``.
    audit : dict
        Shortcuts on the same windows.
    alone : dict
        By label: how many windows only this model calls rightly, and wrongly.
    settings : dict
    """

    entries: list[Entry]
    results: dict[str, PairedResult]
    reference: str
    labels: NDArray[np.int8]
    audit: dict[str, Any]
    alone: dict[str, dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)


def compare(
    data: Dataset,
    out: Path,
    config: ComparisonConfig,
    on_event: OnEvent = ignore,
) -> Comparison:
    """Train and score every model; write the comparison.

    Leaves in the folder ``comparison.json``, ``comparison.tsv`` (one line a model),
    ``windows.parquet`` (every window with every model's probability) and ``models/`` with what
    each model left behind.

    Parameters
    ----------
    data : Dataset
        Its folder is opened again by the processes.
    out : pathlib.Path
        A comparison that was begun here is continued.
    config : ComparisonConfig
    on_event : callable
        Takes what happens; see :mod:`wavebind.core.events`.

    Raises
    ------
    InputError
        If the folder holds something else, or a model cannot be trained; what is finished is
        kept.
    """
    if len(data.outputs) > 1:
        raise InputError(
            f"{data.path}: has several labels ({', '.join(data.outputs)}); a comparison is of one: "
            f"name it with --target"
        )
    _open_folder(out, data)
    entries = [fit_entry(data, out, spec, config, on_event) for spec in config.models]
    indices = data.indices(config.part)
    labels = data.labels[indices]
    reference = config.reference or max(entries, key=lambda entry: entry.valid_auroc).label
    on_event(StageStarted("resampling windows", N_RESAMPLES))
    results = compare_paired(
        labels,
        {entry.label: entry.scores for entry in entries},
        reference,
        np.random.default_rng(0),
        progress=lambda n: on_event(Advanced(n)),
    )
    found = Comparison(
        entries=entries,
        results=results,
        reference=reference,
        labels=labels,
        audit=to_plain(audit(data, config.part, np.random.default_rng(0))),
        alone=_alone(data, indices, entries),
        settings={
            "part": config.part,
            "seeds": list(config.seeds),
            "train_bound": config.train_bound,
            "models": [asdict(spec) for spec in config.models],
            "data": {
                "path": str(data.path.resolve()),
                "codes_sha256": data.checksum,
                "output": data.outputs[0],
            },
            "versions": versions(),
        },
    )
    _write(out, found, data.names(indices))
    return found


def _open_folder(out: Path, data: Dataset) -> None:
    marker = out / "compare.json"
    if out.exists():
        if not marker.is_file():
            if not out.is_dir() or any(out.iterdir()):
                raise InputError(f"{out}: is there and is not a comparison; choose another --out")
        else:
            _require_same(out, read_json(marker), data)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made ({error.strerror or error})") from error
    write_json(
        marker,
        {"format": FORMAT, "output": data.outputs[0], **work_identity(data.identity)},
    )


def _require_same(out: Path, marker: dict[str, Any], data: Dataset) -> None:
    """Refuse to go on with a comparison on other windows, splits or labels, or by another version.

    What is stored there would be shown beside what is trained now.
    """
    other = difference(marker, work_identity(data.identity))
    if not other and marker.get("output", data.outputs[0]) != data.outputs[0]:
        other = f"the label was {marker['output']!r} and is {data.outputs[0]!r}"
    if not other and "splits_sha256" not in marker:
        other = "the splits and labels were not noted by the version that began it"
    if other:
        raise InputError(
            f"{out}: holds a comparison that cannot be continued with {data.path}: {other}; choose "
            f"another --out, or remove the folder"
        )


def _alone(
    data: Dataset, indices: NDArray[np.int64], entries: Sequence[Entry]
) -> dict[str, dict[str, Any]]:
    """Windows that only one model calls rightly, or wrongly, with their motif scores.

    Calls are those of the first seed. The motif is the one of JASPAR that a matrix among the
    models has settled on, if there is one.
    """
    labels = data.labels[indices] == 1
    right = np.stack([entry.scores[0].calls == labels for entry in entries])
    motif = next(
        (e.details[0].split()[0] for e in entries if e.label.split(":")[0] == "jaspar"), ""
    )
    bits = None
    if motif:
        codes = np.asarray(data.codes[indices])
        bits = best_hits(codes, [find_motif(motif)]).score[:, 0]
    n_right = right.sum(axis=0)
    found: dict[str, dict[str, Any]] = {}
    if len(entries) < 2:
        return found
    for entry, mine in zip(entries, right, strict=True):
        row: dict[str, Any] = {}
        for name, chosen in (
            ("right", mine & (n_right == 1)),
            ("wrong", ~mine & (n_right == len(entries) - 1)),
        ):
            for kind, windows in (("bound", chosen & labels), ("unbound", chosen & ~labels)):
                row[f"{name}_{kind}"] = int(windows.sum())
                if bits is not None and windows.any():
                    row[f"{name}_{kind}_bits"] = float(np.median(bits[windows]))
        found[entry.label] = row
    if bits is not None:
        found["all"] = {
            "motif": motif,
            "bound_bits": float(np.median(bits[labels])),
            "unbound_bits": float(np.median(bits[~labels])),
            "none_right_bound": int(((n_right == 0) & labels).sum()),
            "none_right_unbound": int(((n_right == 0) & ~labels).sum()),
        }
    return found


def _write(out: Path, found: Comparison, names: list[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {"name": names, "label": found.labels}
    for entry in found.entries:
        for i, scores in enumerate(entry.scores):
            suffix = f":{i}" if len(entry.scores) > 1 else ""
            columns[f"{entry.label}{suffix}"] = scores.probabilities
            columns[f"{entry.label}{suffix}:call"] = scores.calls
    with replace_file(out / "windows.parquet") as temporary:
        pq.write_table(pa.table(columns), temporary)
    with replace_file(out / "comparison.tsv") as temporary:
        temporary.write_text("\n".join(table_rows(found)) + "\n", encoding="utf-8")
    write_json(out / "comparison.json", to_json(found))


def table_rows(found: Comparison) -> list[str]:
    """One line a model, tab-separated, after a line of names."""
    names = (*METRICS, ECE)
    header = ["model", "seeds", "windows", "parameters", "seconds", "peak_mb", "valid_auroc"]
    for metric in names:
        header += [metric, f"{metric}_low", f"{metric}_high"]
    for metric in ("auroc", "auprc"):
        header += [f"behind_{metric}", f"behind_{metric}_low", f"behind_{metric}_high"]
    header += ["calibration_floor", "calibration_floor_low", "calibration_floor_high"]
    rows = ["\t".join([*header, "details"])]
    for entry in found.entries:
        result = found.results[entry.label]
        cells = [entry.label, str(len(entry.scores)), str(entry.n_windows)]
        cells += [str(entry.n_parameters), f"{entry.seconds:.1f}"]
        cells += [f"{entry.peak_memory / 1e6:.0f}", f"{entry.valid_auroc:.6f}"]
        for metric in names:
            e = result.metrics[metric]
            cells += [f"{x:.6f}" for x in (e.value, e.low, e.high)]
        for metric in ("auroc", "auprc"):
            e = result.behind[metric]
            cells += [f"{x:.6f}" for x in (e.value, e.low, e.high)]
        floor = result.floor
        cells += [f"{x:.6f}" for x in (floor.value, floor.low, floor.high)]
        rows.append("\t".join([*cells, entry.details[0]]))
    return rows


def to_json(found: Comparison) -> dict[str, Any]:
    """A comparison as plain data, without the scores of windows."""
    return {
        "format": FORMAT,
        **found.settings,
        "reference": found.reference,
        "n_windows": len(found.labels),
        "n_bound": int((found.labels == 1).sum()),
        "audit": found.audit,
        "alone": found.alone,
        "models_found": [
            {
                "label": entry.label,
                "details": entry.details,
                "n_parameters": entry.n_parameters,
                "n_windows": entry.n_windows,
                "seconds": entry.seconds,
                "peak_memory": entry.peak_memory,
                "valid_auroc": entry.valid_auroc,
                "thresholds": [s.threshold for s in entry.scores],
                "metrics": {k: asdict(v) for k, v in found.results[entry.label].metrics.items()},
                "by_seed": found.results[entry.label].seeds,
                "behind": {k: asdict(v) for k, v in found.results[entry.label].behind.items()},
                "calibration_floor": asdict(found.results[entry.label].floor),
            }
            for entry in found.entries
        ],
    }


def read_comparison(out: Path) -> dict[str, Any]:
    """``comparison.json`` of a folder.

    Raises
    ------
    InputError
        If there is none.
    """
    if not (out / "comparison.json").is_file():
        raise InputError(f"{out}: has no comparison.json; make it with 'wavebind compare'")
    found: dict[str, Any] = read_json(out / "comparison.json")
    return found
