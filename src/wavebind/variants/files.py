"""Scored variants as a VCF that keeps every record as it was, or as a table."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from wavebind.core.errors import InputError
from wavebind.core.files import NOT_WHOLE
from wavebind.core.versions import version
from wavebind.genome.vcf import VcfHeader, VcfRecord, ends_whole, with_info
from wavebind.variants.verdicts import VERDICTS, Effect

__all__ = ["COLUMNS", "MORE", "VariantWriter", "output_kind", "table_columns"]

_ENDINGS = {
    ".vcf": "vcf",
    ".vcf.gz": "vcf",
    ".vcf.bgz": "vcf",
    ".tsv": "table",
    ".tsv.gz": "table",
}


def output_kind(name: str) -> str:
    """Whether an output is a VCF or a table, by the ending of its name.

    Returns
    -------
    str
        ``vcf`` or ``table``.

    Raises
    ------
    InputError
        If the ending is another one.
    """
    for ending, kind in _ENDINGS.items():
        if name.lower().endswith(ending):
            return kind
    raise InputError(
        f"{name}: the ending does not tell the format; end it in one of: {', '.join(_ENDINGS)}"
    )


def _number(value: float) -> str:
    return "." if math.isnan(value) else f"{value + 0.0:.5g}"


#: Key, type, description and value of each INFO entry; one value an ALT.
_INFO: tuple[tuple[str, str, str, Callable[[Effect], str]], ...] = (
    (
        "WB_REF",
        "Float",
        "Logit with REF, the highest of the windows that see it",
        lambda e: _number(e.ref),
    ),
    (
        "WB_ALT",
        "Float",
        "Logit with ALT, the highest of the windows that see it",
        lambda e: _number(e.alt),
    ),
    ("WB_DIFF", "Float", "WB_ALT less WB_REF", lambda e: _number(e.difference)),
    (
        "WB_REFP",
        "Float",
        "Probability of binding with REF, of WB_REF",
        lambda e: _number(e.ref_probability),
    ),
    (
        "WB_ALTP",
        "Float",
        "Probability of binding with ALT, of WB_ALT",
        lambda e: _number(e.alt_probability),
    ),
    (
        "WB_CREF",
        "Float",
        "Logit of the window with REF in its middle",
        lambda e: _number(e.ref_centred),
    ),
    (
        "WB_CALT",
        "Float",
        "Logit of the window with ALT in its middle",
        lambda e: _number(e.alt_centred),
    ),
    ("WB_CDIFF", "Float", "WB_CALT less WB_CREF", lambda e: _number(e.centred_difference)),
    (
        "WB_P",
        "Float",
        "Share of null variants with at least this difference, two-sided",
        lambda e: _number(e.p),
    ),
    (
        "WB_VERDICT",
        "String",
        "; ".join(f"{k}: {v}" for k, v in VERDICTS.items()),
        lambda e: e.verdict,
    ),
)
_MOTIF_INFO = (
    ("WB_MOTIF", "String", "Motif with the best hit on either allele"),
    ("WB_REFHIT", "Float", "Best hit of WB_MOTIF on REF, bits"),
    ("WB_ALTHIT", "Float", "Best hit of WB_MOTIF on ALT, bits"),
)

#: Columns that only some jobs have, with their entry of INFO.
MORE: dict[str, tuple[str, str, str, Callable[[Effect], str]]] = {
    "common_percentile": (
        "WB_CPCT",
        "Float",
        "Percent of common alleles of the kind with a smaller difference than WB_DIFF, in size",
        lambda e: _number(e.common_percentile),
    ),
    "delta_svm": (
        "WB_DSVM",
        "Float",
        "deltaSVM: scores of the l-mers over ALT less those over REF",
        lambda e: _number(e.delta_svm),
    ),
}

COLUMNS = (
    "chrom",
    "position",
    "id",
    "ref",
    "alt",
    "status",
    "ref_logit",
    "alt_logit",
    "difference",
    "ref_probability",
    "alt_probability",
    "ref_centred",
    "alt_centred",
    "centred_difference",
    "p",
    "verdict",
    "motif",
    "ref_hit",
    "alt_hit",
)


def table_columns(*, several: bool, more: Sequence[str] = ()) -> tuple[str, ...]:
    """Columns of a table; of several outputs there is one more, ``label``.

    Parameters
    ----------
    several : bool
    more : sequence of str
        Names of :data:`MORE`, which come last.
    """
    columns = (*COLUMNS[:5], "label", *COLUMNS[5:]) if several else COLUMNS
    return (*columns, *more)


class VariantWriter:
    """Writes scored records; a context manager.

    Parameters
    ----------
    path : pathlib.Path
        What is written to.
    name : str
        Decides the format (:func:`output_kind`); bgzipped if it ends in ``.gz`` or ``.bgz``.
    header : VcfHeader
        Of the input.
    motifs : sequence of str
        Their labels.
    outputs : sequence of str
        Names of the outputs, where a table has a row for each; otherwise there is one output.
    more : sequence of str
        Names of :data:`MORE`, whose columns or entries there are, too.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        header: VcfHeader,
        motifs: Sequence[str],
        outputs: Sequence[str] = (),
        more: Sequence[str] = (),
    ) -> None:
        self._path, self._header = path, header
        self._more = tuple(more)
        self._info = (*_INFO, *(MORE[name] for name in more))
        self._motifs = [_word(m) for m in motifs]
        self._outputs = list(outputs)
        self._packed = name.lower().endswith((".gz", ".bgz"))
        self._table = output_kind(name) == "table"
        self._stream: Any = None

    def __enter__(self) -> VariantWriter:
        if self._packed:
            import pysam

            self._stream = pysam.BGZFile(str(self._path), "wb", None)
        else:
            stream: IO[bytes] = self._path.open("wb")
            self._stream = stream
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._stream.close()
        # bgzip's library says nothing of a disk that fills up at the end.
        if self._packed and kind is None and not ends_whole(self._path):
            raise OSError(errno.EIO, NOT_WHOLE)

    def _line(self, text: str) -> None:
        self._stream.write(text.encode() + b"\n")

    def write_header(
        self, chromosomes: Mapping[str, int | None], run: str, fingerprint: str
    ) -> None:
        """The input's header with what was added, or the names of the columns.

        Parameters
        ----------
        chromosomes : mapping
            Length of each chromosome of the records, None where not known. Those that the header
            does not declare are added, which readers ask for.
        run : str
        fingerprint : str
            Of the job.
        """
        if self._table:
            self._line("\t".join(table_columns(several=bool(self._outputs), more=self._more)))
            return
        entries = [(k, t, d) for k, t, d, _ in self._info] + (
            list(_MOTIF_INFO) if self._motifs else []
        )
        mine = tuple(f"##INFO=<ID={key}," for key, _, _ in entries)
        for line in self._header.lines:
            # Scored before: the entries are replaced.
            if not line.startswith(mine):
                self._line(line)
        for name, length in chromosomes.items():
            if name not in self._header.contigs and name == _word(name):
                size = "" if length is None else f",length={length}"
                self._line(f"##contig=<ID={name}{size}>")
        self._line(f"##wavebind=version {version()}; run {_word(run)}; job {fingerprint}")
        for key, kind, words in entries:
            self._line(f'##INFO=<ID={key},Number=A,Type={kind},Description="{words}">')
        self._line(self._header.columns)

    def write(
        self,
        record: VcfRecord,
        effects: Sequence[Sequence[Effect] | None],
        reasons: Sequence[str],
    ) -> None:
        """One record.

        Parameters
        ----------
        record : VcfRecord
        effects : sequence of sequence of Effect, or None
            Of each ALT, one an output; None where it was not scored.
        reasons : sequence of str
            Why not.
        """
        if self._table:
            self._write_rows(record, effects, reasons)
            return
        if not any(effects):
            self._line(record.text)
            return
        only = [None if found is None else found[0] for found in effects]
        entries = [
            f"{key}={','.join('.' if e is None else value(e) for e in only)}"
            for key, _, _, value in self._info
        ]
        if self._motifs:
            entries += [
                f"{key}={','.join('.' if e is None else cells[i] for e, cells in pairs)}"
                for pairs in [[(e, self._motif_cells(e)) for e in only]]
                for i, (key, _, _) in enumerate(_MOTIF_INFO)
            ]
        self._line(with_info(record.text, ";".join(entries)))

    def _motif_cells(self, effect: Effect | None) -> tuple[str, str, str]:
        if effect is None or effect.motif < 0:
            return ".", ".", "."
        return self._motifs[effect.motif], _number(effect.ref_hit), _number(effect.alt_hit)

    def _write_rows(
        self,
        record: VcfRecord,
        effects: Sequence[Sequence[Effect] | None],
        reasons: Sequence[str],
    ) -> None:
        place = (record.chrom, str(record.position + 1), record.identifier, record.ref)
        label = ["."] if self._outputs else []
        n = 13 + len(self._more)
        if not record.alts:
            self._line("\t".join((*place, ".", *label, "no_alt", *["."] * n)))
        for alt, found, reason in zip(record.alts, effects, reasons, strict=True):
            if found is None:
                self._line("\t".join((*place, alt, *label, reason, *["."] * n)))
                continue
            for k, effect in enumerate(found):
                label = self._outputs[k : k + 1]
                self._line("\t".join((*place, alt, *label, *self._cells(effect))))

    def _cells(self, e: Effect) -> list[str]:
        numbers = (
            e.ref,
            e.alt,
            e.difference,
            e.ref_probability,
            e.alt_probability,
            e.ref_centred,
            e.alt_centred,
            e.centred_difference,
            e.p,
        )
        more = [MORE[name][3](e) for name in self._more]
        return ["scored", *map(_number, numbers), e.verdict, *self._motif_cells(e), *more]


def _word(text: str) -> str:
    """Without the characters that separate things in a VCF."""
    return "".join("_" if c in " ;,=\t\"'<>" or not c.isprintable() else c for c in text)
