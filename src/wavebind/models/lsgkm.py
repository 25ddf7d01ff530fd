"""Models of LS-GKM, read into a run that predicts, scans, scores variants and explains.

The format is the text that ``gkmtrain`` and ``gkmtrain-svr`` write (Lee 2016, Bioinformatics
32:2196): a header of names and values, then a line a support vector, its coefficient and its
sequence. Scores are those of ``gkmpredict``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines, replace_dir, sha256
from wavebind.core.jsonfiles import write_json
from wavebind.core.settings import to_dict
from wavebind.core.versions import versions
from wavebind.genome.sequences import Codes, to_codes
from wavebind.metrics.platt import PlattScaling
from wavebind.models.classifier import Classifier, ModelConfig
from wavebind.models.modelfile import ModelCard, save_model
from wavebind.models.networks.gkm import Gkm, GkmConfig
from wavebind.models.networks.gkmkernel import Filter
from wavebind.wavelets.scalograms import ScalogramConfig

__all__ = ["LsGkmModel", "import_lsgkm", "read_lsgkm", "write_machine"]

Floats = NDArray[np.float64]

#: Weighing, weights by place and radial or not, of each kernel by its name in the file.
_KERNELS: dict[str, tuple[Filter, bool, bool]] = {
    "gkm_cnt": ("counts", False, False),
    "gkm_estfull": ("full", False, False),
    "gkm_esttrunc": ("truncated", False, False),
    "gkmrbf": ("truncated", False, True),
    "wgkm": ("truncated", True, False),
    "wgkmrbf": ("truncated", True, True),
    "gkm_cnt_rbf": ("counts", False, True),
}
_MACHINES = ("c_svc", "nu_svc", "one_class", "epsilon_svr", "nu_svr")
#: Values that each entry of the header has; -1 for one a class.
_ENTRIES = {
    "svm_type": 1,
    "kernel_type": 1,
    "L": 1,
    "k": 1,
    "d": 1,
    "gamma": 1,
    "M": 1,
    "H": 1,
    "norc": 1,
    "nr_class": 1,
    "total_sv": 1,
    "rho": 1,
    "label": 2,
    "probA": 1,
    "probB": 1,
    "nr_sv": 2,
}
#: LS-GKM itself reads 2,047 bases of a sequence at most.
_MAX_BASES = 100_000
_MAX_VECTORS = 5_000_000


@dataclass(frozen=True)
class LsGkmModel:
    """What stands in the file.

    Attributes
    ----------
    config : GkmConfig
        Without the counts of support vectors.
    rho : float
        Subtracted from the sum.
    coefficients : numpy.ndarray
        ``float64``, shape ``(vector,)``.
    vectors : list of numpy.ndarray
        ``uint8`` codes of each support vector; lengths differ.
    n_unknown : int
        Letters of them that are not A, C, G or T, and are read as A.
    """

    config: GkmConfig
    rho: float
    coefficients: Floats
    vectors: list[Codes]
    n_unknown: int = 0

    @property
    def usual_length(self) -> int:
        """The length that most support vectors have, in base pairs."""
        return Counter(len(v) for v in self.vectors).most_common(1)[0][0]


@dataclass
class _Header:
    """Entries of the header by name, and the line that each stands on."""

    values: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def read_lsgkm(path: Path) -> LsGkmModel:
    """Read a model of LS-GKM, gzipped or not.

    Raises
    ------
    InputError
        If the file is not such a model, or an entry is missing or is no number. If it does not have
        as many support vectors as it says.
    """
    lines = read_lines(path, max_line=2 * _MAX_BASES)
    header = _read_header(path, lines)
    config = _config(path, header)
    n = _integer(path, header, "total_sv", 1, _MAX_VECTORS)
    coefficients, vectors, n_unknown = [], [], 0
    for number, line in lines:
        if not line.strip():
            continue
        cells = line.split()
        place = f"{path} line {number}"
        if len(cells) != 2:
            raise InputError(
                f"{place}: a support vector is a coefficient and a sequence; found {len(cells)} "
                f"words"
            )
        coefficients.append(_number(cells[0], place))
        codes = to_codes(cells[1].upper(), None, place)
        if not config.l <= len(codes) <= _MAX_BASES:
            raise InputError(
                f"{place}: the sequence has {len(codes)} bp; it must have from {config.l} (L) to "
                f"{_MAX_BASES:,}"
            )
        n_unknown += int((codes > 3).sum())
        vectors.append(codes)
    if len(vectors) != n:
        raise InputError(
            f"{path}: has {len(vectors):,} support vectors and says that it has {n:,}; the file is "
            f"cut short, copy it again"
        )
    rho = _number(header.values["rho"][0], f"{path} line {header.lines['rho']}")
    return LsGkmModel(config, rho, np.array(coefficients), vectors, n_unknown)


def _read_header(path: Path, lines: Iterator[tuple[int, str]]) -> _Header:
    found = _Header()
    for number, line in lines:
        words = line.split()
        if words == ["SV"]:
            break
        name = words[0] if words else ""
        if name not in _ENTRIES:
            raise InputError(
                f"{path} line {number}: {line[:40]!r} is no entry of a model of LS-GKM, which "
                f"begins with svm_type and kernel_type; give the .model.txt that gkmtrain wrote"
            )
        if len(words) != 1 + _ENTRIES[name]:
            raise InputError(
                f"{path} line {number}: {name} has {len(words) - 1} values; this version reads "
                f"models of two classes, or of a regression, where it has {_ENTRIES[name]}"
            )
        found.values[name], found.lines[name] = words[1:], number
    else:
        raise InputError(f"{path}: has no line SV, after which the support vectors stand")
    missing = [
        name
        for name in ("svm_type", "kernel_type", "L", "k", "d", "total_sv", "rho")
        if name not in found.values
    ]
    if missing:
        raise InputError(f"{path}: the header has no {missing[0]}; it is no model of LS-GKM")
    return found


def _config(path: Path, header: _Header) -> GkmConfig:
    kind, machine = header.values["kernel_type"][0], header.values["svm_type"][0]
    for name, known, value in (
        ("kernel_type", tuple(_KERNELS), kind),
        ("svm_type", _MACHINES, machine),
    ):
        if value not in known:
            raise InputError(
                f"{path} line {header.lines[name]}: {name} {value[:40]!r} is not known; LS-GKM has "
                f"{', '.join(known)}"
            )
    labels = header.values.get("label")
    if labels and _number(labels[0], str(path)) < _number(labels[1], str(path)):
        raise InputError(
            f"{path} line {header.lines['label']}: the bound class is the second, so that a high "
            f"score would mean unbound; train with the bound sequences first, as gkmtrain does"
        )
    weighing, placed, radial = _KERNELS[kind]
    for name, needed in (("M", placed), ("H", placed), ("gamma", radial)):
        if needed and name not in header.values:
            raise InputError(f"{path}: the kernel {kind} needs {name}, which is missing")
    l = _integer(path, header, "L", 2, 12)  # noqa: E741
    k = _integer(path, header, "k", 1, l)

    def positive(name: str) -> float:
        value = _number(header.values[name][0], f"{path} line {header.lines[name]}")
        if value <= 0:
            raise InputError(f"{path} line {header.lines[name]}: {name} must be above 0")
        return value

    return GkmConfig(
        l=l,
        k=k,
        d=_integer(path, header, "d", 0, l - k),
        weighing=weighing,
        most=_integer(path, header, "M", 1, 255) if placed else 0,
        half_life=positive("H") if placed else 50.0,
        gamma=positive("gamma") if radial else 0.0,
        both_strands=header.values.get("norc", ["0"])[0] == "0",
    )


def _integer(path: Path, header: _Header, name: str, low: int, high: int) -> int:
    text, place = header.values[name][0], f"{path} line {header.lines[name]}"
    value = _number(text, place)
    if value != int(value) or not low <= value <= high:
        raise InputError(f"{place}: {name} must be a whole number from {low} to {high:,}")
    return int(value)


def _number(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise InputError(f"{place}: {text[:40]!r} is not a number")
    return value


def import_lsgkm(path: Path, out: Path, length: int | None = None, *, force: bool = False) -> Path:
    """Make a run of a model of LS-GKM.

    Parameters
    ----------
    path : pathlib.Path
        What ``gkmtrain`` wrote, gzipped or not.
    out : pathlib.Path
        The folder of the run.
    length : int, optional
        Window length in base pairs, for whatever goes along a genome: LS-GKM has none. By default
        the length that most support vectors have.
    force : bool
        Whether an older run is replaced.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    InputError
        If the file is not such a model, or the folder is there.
    """
    found = read_lsgkm(path)
    window = length or found.usual_length
    data = {"path": str(path.resolve()), "sha256": sha256(path)}
    training = {
        "lsgkm": to_dict(found.config),
        "n_vectors": len(found.vectors),
        "n_unknown": found.n_unknown,
    }
    network = _network(found, window)
    _write_run(out, network, lambda m: _fill(m, found), data, training, force=force)
    return out


def _write_run(
    out: Path,
    config: ModelConfig,
    fill: Callable[[Gkm], None],
    data: Mapping[str, str],
    training: dict[str, Any],
    *,
    force: bool = False,
) -> None:
    """A run of a machine whose numbers `fill` sets."""
    model = Classifier(config)
    machine = model.backbone
    if not isinstance(machine, Gkm):
        raise TypeError("the backbone is no gapped k-mer machine")
    with torch.no_grad():
        fill(machine)
    card = ModelCard(
        model=model.config,
        thresholds=(0.0,),
        seed=0,
        epoch=0,
        data=dict(data),
        training=training,
        calibration=(PlattScaling(link="identity"),),
    )
    with replace_dir(out, overwrite=force, marker="run.json") as folder:
        save_model(folder / "model.safetensors", model, card)
        write_json(
            folder / "run.json",
            {"made_from": dict(data), "model": to_dict(model.config), "versions": versions()},
        )


def write_machine(
    out: Path, length: int, table: Floats, bias: float, data: Mapping[str, str]
) -> None:
    """Make a run of a gapped k-mer machine of the package, with LS-GKM's default kernel.

    Parameters
    ----------
    out : pathlib.Path
        The folder, which must not be there.
    length : int
        Window length in base pairs.
    table : numpy.ndarray
        ``float64``, shape ``(4 ** 11,)``: what each l-mer adds.
    bias : float
    data : mapping
        What it was trained on.
    """
    config = ModelConfig(
        length, scalogram=ScalogramConfig(encoding="onehot"), backbone="gkm", front="signal"
    )

    def fill(machine: Gkm) -> None:
        machine.table.copy_(torch.from_numpy(table.astype(np.float32)))
        machine.bias.fill_(bias)

    _write_run(out, config, fill, data, {})


def _network(found: LsGkmModel, length: int) -> ModelConfig:
    options = to_dict(found.config)
    if found.config.gamma > 0:
        n_lmers = sum(len(v) - found.config.l + 1 for v in found.vectors)
        options |= {"n_vectors": len(found.vectors), "n_lmers": n_lmers}
    return ModelConfig(
        length,
        scalogram=ScalogramConfig(encoding="onehot"),
        backbone="gkm",
        options=options,
        front="signal",
    )


def _fill(machine: Gkm, found: LsGkmModel) -> None:
    """The support vectors as a table of l-mers, or one by one for a radial kernel."""
    kernel = machine.kernel
    words: list[NDArray[np.int32]] = [np.empty(0, np.int32)] * len(found.vectors)
    norms = np.empty(len(found.vectors))
    by_length: dict[int, list[int]] = {}
    for i, vector in enumerate(found.vectors):
        by_length.setdefault(len(vector), []).append(i)
    for rows in by_length.values():
        mine = kernel.lmers(np.stack([found.vectors[i] for i in rows]))
        of_length = kernel.norms(mine, machine.place_weights(mine.shape[1]))
        for i, one, norm in zip(rows, mine, of_length, strict=True):
            words[i], norms[i] = one, norm
    machine.bias.fill_(-found.rho)
    if found.config.gamma > 0:
        machine.lmers.copy_(torch.from_numpy(np.concatenate(words)))
        machine.sizes.copy_(torch.tensor([len(w) for w in words], dtype=torch.int32))
        machine.norms.copy_(torch.from_numpy(norms))
        machine.coefficients.copy_(torch.from_numpy(found.coefficients))
        return
    weights = []
    for one, norm, coefficient in zip(words, norms, found.coefficients, strict=True):
        places = machine.place_weights(len(one))
        weight = np.ones(len(one)) if places is None else places
        weights.append(weight * (coefficient / norm))
    table = kernel.smoothed(kernel.counts(np.concatenate(words), np.concatenate(weights)))
    machine.table.copy_(torch.from_numpy(table.astype(np.float32)))
