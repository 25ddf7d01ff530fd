"""A run's scores of alleles whose effect was measured, beside a matrix and gapped k-mers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wavebind.api import genome as on_genome
from wavebind.api.frames import PathLike, variants_file
from wavebind.api.scratch import scratch_folder
from wavebind.api.settings import GivenSettings
from wavebind.core.errors import InputError, UsageError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.filekinds import is_device
from wavebind.core.files import read_lines
from wavebind.core.jsonfiles import write_json
from wavebind.core.settings import to_dict
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.evaluate.baselines.gkmall import GkmAll
from wavebind.evaluate.baselines.matrices import JasparMatrix
from wavebind.evaluate.known_alleles import (
    KnownAlleles,
    allele_accuracy,
    read_truth,
    require_both,
    truth_of,
)
from wavebind.genome.vcf import info_values, read_records
from wavebind.models import load_model
from wavebind.models.lsgkm import write_machine
from wavebind.models.rundir import RunDir
from wavebind.models.targets import ALL

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_allele_table", "score_known_alleles"]

_KEY = "WB_TRUTH"
#: Settings that a run and what it is compared with have in common.
_SHARED = ("haplotypes", "sample", "step", "max_allele", "dask")
_Place = tuple[str, int, str, str]


def read_allele_table(path: Path) -> pd.DataFrame | None:
    """A table of alleles; None where the file is a VCF.

    Parameters
    ----------
    path : pathlib.Path
        Separated by tabs or commas, with columns ``chrom``, ``pos`` (or ``position``, 1-based),
        ``ref`` and ``alt``, whatever their case.

    Raises
    ------
    InputError
        If it is neither.
    """
    import pandas as pd

    _, first = next(iter(read_lines(path)))
    if first.startswith(("##fileformat=VCF", "#CHROM\t")):
        return None
    separator = "\t" if "\t" in first else ","
    try:
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{path}: is neither a VCF nor a table ({error})") from None
    names = {name: name.lstrip("#").lower() for name in table.columns}
    table = table.rename(columns={k: v for k, v in names.items() if v in _COLUMNS})
    table = table.rename(columns={"pos": "position", "chr": "chrom"})
    missing = [name for name in ("chrom", "position", "ref", "alt") if name not in table.columns]
    if missing:
        raise InputError(
            f"{path} line 1: is no VCF, and as a table of alleles has no column {missing[0]}; it "
            f"needs chrom, pos, ref and alt"
        )
    return table


_COLUMNS = ("chrom", "chr", "pos", "position", "ref", "alt", "id")


def score_known_alleles(
    run: PathLike,
    variants: PathLike | pd.DataFrame,
    genome: PathLike,
    truth: str,
    *,
    out: PathLike,
    motif: str | None = None,
    device: str = "auto",
    on_event: OnEvent = ignore,
    **options: Any,
) -> KnownAlleles:
    """Score alleles as ``wavebind variants`` does, and say how well they agree with a measurement.

    Beside the run stand the best hit of a matrix and a gapped k-mer machine, on the same alleles.
    The machine is trained on the run's own training windows, and kept in the run's folder ``gkm``.

    Parameters
    ----------
    run : path
    variants : path, or pandas.DataFrame
        A VCF, or a table with ``chrom``, ``pos`` (1-based), ``ref`` and ``alt``.
    genome : path
    truth : str
        What was measured: a key of INFO, or a column of the table.
    out : path
        The VCF or table of scores to write; ``OUT.truth.json`` beside it has the accuracy.
    motif : str, optional
        The matrix, by its name in JASPAR; by default the one that tells the training windows of the
        run apart best.
    device : str
    on_event : callable
    **options
        As of :meth:`wavebind.api.run.Run.score_variants`.

    Raises
    ------
    InputError
        If the measurement is not there, or too few alleles have one.
    """
    _refuse(options, Path(out))
    if isinstance(variants, str | Path):
        table = read_allele_table(Path(variants))
        variants = Path(variants) if table is None else table
    folder = RunDir(Path(run)).require_model()
    with scratch_folder() as scratch:
        key, vcf = truth, variants
        if not isinstance(variants, Path):
            if truth not in variants.columns:
                raise InputError(
                    f"the table of alleles has no column {truth}; it has "
                    f"{', '.join(map(str, variants.columns[:12]))}"
                )
            key, vcf = _KEY, variants_file(variants, scratch, {_KEY: variants[truth].tolist()})
        measured = read_truth(Path(str(vcf)), key)
        places = list(measured)
        scale = truth_of(np.array([measured[place] for place in places]))
        # Before anything is trained or scored.
        require_both(scale.values)
        data, notes = _training_windows(folder)
        own_motif = motif
        if data is not None and motif is None:
            matrix = JasparMatrix()
            matrix.fit(data, scratch, 0, on_event)
            own_motif = matrix.motif.identifier
        on_genome.variants(
            Path(run), Path(str(vcf)), genome, out=out, motif=motif, device=device,
            on_event=on_event, **options,
        )  # fmt: skip
        scores = {"this run": _differences(Path(out), places)[0]}
        plain = {k: v for k, v in options.items() if k in ("workers", "haplotypes", "sample")}
        plain["settings"] = _of_alleles(options.get("settings") or ())
        rival = Path(run) if data is None else _machine(Path(run), data, on_event)
        if data is not None or motif is not None:
            beside = scratch / "beside.tsv"
            if data is None:
                plain["target"] = options.get("target")
            length = load_model(folder.model)[1].model.length
            on_genome.variants(
                rival, Path(str(vcf)), genome, out=beside, motif=own_motif, null="none",
                length=length if data is not None else options.get("length"), device=device,
                on_event=on_event, **plain,
            )  # fmt: skip
            machine, hits = _differences(beside, places)
            if own_motif is not None:
                scores[f"matrix {own_motif}"] = hits
            if data is not None:
                scores["gapped k-mers"] = machine
        if own_motif is None:
            notes = (*notes, "no matrix was named (--motif), so that none stands beside it")
        accuracy = allele_accuracy(scores, scale)
    result = KnownAlleles(scale.scale, accuracy, notes)
    place = Path(f"{out}.truth.json")
    write_json(place, {"truth": truth, **to_dict(result)})
    on_event(Message(f"written: {place}"))
    return result


def _training_windows(folder: RunDir) -> tuple[Dataset | None, tuple[str, ...]]:
    """The windows that a run was trained on, where they are still there as they were."""
    card = load_model(folder.model)[1]
    path = Path(card.data.get("path", ""))
    why = ""
    if len(card.model.outputs) > 1 or card.quantity != "probability":
        why = "it is no model of one label that was trained here"
    elif not (path / "dataset.json").is_file():
        why = f"its training windows are not at {path} any more"
    else:
        data = open_dataset(path)
        if data.checksum == card.data.get("codes_sha256"):
            return data, ()
        why = f"{path} holds other windows now"
    return None, (f"no gapped k-mer machine stands beside the run: {why}",)


def _refuse(options: Mapping[str, Any], out: Path) -> None:
    """Raise a :class:`UsageError` for what leaves no scores of single alleles to read."""
    if options.get("shard") is not None:
        raise UsageError("--truth needs all alleles at once; leave out --shard")
    if options.get("target") == ALL:
        raise UsageError("--truth is for one output; choose one with --target NAME")
    if is_device(out):
        raise UsageError(f"{out}: is a device or a pipe, and --truth reads the scores again")


def _of_alleles(settings: GivenSettings) -> dict[str, Any]:
    """Of the settings those that decide which alleles are scored, and in which surroundings."""
    pairs = (
        settings.items()
        if isinstance(settings, Mapping)
        else (entry.split("=", 1) for entry in settings)
    )
    return {name: value for name, value in pairs if name in _SHARED}


def _machine(run: Path, data: Dataset, on_event: OnEvent) -> Path:
    """A gapped k-mer machine trained on the run's windows; made once."""
    place = run / "gkm"
    if (place / "model.safetensors").is_file():
        return place
    on_event(Message("training a gapped k-mer machine on the run's windows, once"))
    machine = GkmAll()
    with scratch_folder() as scratch:
        machine.fit(data, scratch, 0, on_event)
    write_machine(place, data.length, machine.table, machine.bias, data.identity)
    return place


def _differences(
    out: Path, places: list[_Place]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Differences of the logits and of motif hits, ALT less REF, of each allele; NaN unscored."""
    found = dict(_scored(out))
    nothing = (np.nan, np.nan)
    pairs = np.array([found.get(place, nothing) for place in places])
    return pairs[:, 0], pairs[:, 1]


def _scored(out: Path) -> Iterator[tuple[_Place, tuple[float, float]]]:
    """Each allele of what ``wavebind variants`` wrote."""
    if not out.name.lower().endswith((".tsv", ".tsv.gz")):
        for record in read_records(out):
            info = info_values(record.text)
            for i, alt in enumerate(record.alts):
                values = [
                    _at(info.get(key, ""), i) for key in ("WB_DIFF", "WB_ALTHIT", "WB_REFHIT")
                ]
                place = record.chrom, record.position + 1, record.ref, alt
                yield place, (values[0], values[1] - values[2])
        return
    lines = read_lines(out)
    columns = next(lines)[1].split("\t")
    for _, line in lines:
        cells = dict(zip(columns, line.split("\t"), strict=True))
        values = [_value(cells[key]) for key in ("difference", "alt_hit", "ref_hit")]
        place = cells["chrom"], int(cells["position"]), cells["ref"], cells["alt"]
        yield place, (values[0], values[1] - values[2])


def _at(text: str, i: int) -> float:
    cells = text.split(",")
    return _value(cells[i]) if i < len(cells) else np.nan


def _value(text: str) -> float:
    return np.nan if text in (".", "") else float(text)
