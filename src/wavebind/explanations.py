"""Explaining a run: the pictures, the scores a base, and the mean map of its bound windows."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wavebind.attribution import default_stages, explain_windows
from wavebind.dataset import Dataset
from wavebind.errors import InputError
from wavebind.models import ModelConfig
from wavebind.prediction import load_run, predict_logits
from wavebind.rundir import RunDir, write_json
from wavebind.sequences import Codes, to_letters
from wavebind.textfiles import replace_dir, replace_file

__all__ = ["Explained", "explain_run", "explanation_size", "read_explained", "write_pictures"]

Select = Literal["random", "top"]
#: The mean map takes at most this many bound windows, drawn at random from more.
MAX_MEAN = 2_000
_MAX_ARRAY_BYTES = 2**31


@dataclass(frozen=True)
class Explained:
    """The windows that were explained, and the mean over many.

    Attributes
    ----------
    names : list of str
    index : numpy.ndarray
        ``int64``, shape ``(window,)``: places in the dataset.
    start : numpy.ndarray
        ``int64``, shape ``(window,)``: coordinate of the first base, 0-based, -1 if not known.
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    probability : numpy.ndarray
        ``float64``, shape ``(window,)``.
    maps : numpy.ndarray
        ``float32``, shape ``(window, scale, position)``.
    base_scores : numpy.ndarray
        ``float32``, shape ``(window, position)``.
    mean_map, mean_profile : numpy.ndarray
        ``float64``, shape ``(scale, position)`` and ``(position,)``, over `n_mean` bound windows.
    n_mean : int
    periods : numpy.ndarray
        ``float64``, shape ``(scale,)``, base pairs.
    """

    names: list[str]
    index: NDArray[np.int64]
    start: NDArray[np.int64]
    codes: Codes
    probability: NDArray[np.float64]
    maps: NDArray[np.float32]
    base_scores: NDArray[np.float32]
    mean_map: NDArray[np.float64]
    mean_profile: NDArray[np.float64]
    n_mean: int
    periods: NDArray[np.float64]


def explanation_size(data: Dataset, part: str, n: int) -> int:
    """How many windows :func:`explain_run` will pass over, for a progress bar."""
    n_bound = int((data.labels[data.indices(part)] == 1).sum())
    return min(n, n_bound) + min(MAX_MEAN, n_bound)


def explain_run(
    out: Path,
    data: Dataset,
    *,
    part: str = "test",
    n: int = 20,
    select: Select = "random",
    seed: int = 0,
    stages: Sequence[str] | None = None,
    output: str | None = None,
    device: str = "auto",
    progress: Callable[[int], None] | None = None,
) -> tuple[Explained, ModelConfig]:
    """Explain bound windows of one split, and keep the result in the run directory.

    Writes ``explain/explanations.npz``, ``explain/base_scores.tsv`` (name, position, coordinate,
    base, score) and ``explain/explain.json``; an older explanation is replaced.

    Parameters
    ----------
    out : pathlib.Path
        The run directory.
    data : Dataset
    part : str
    n : int
        Bound windows to explain one by one; all of them if there are fewer.
    select : {"random", "top"}
        A random choice, or those with the highest probability.
    seed : int
        Decides the random choice.
    stages : sequence of str, optional
        See :func:`wavebind.attribution.grad_cam`.
    output : str, optional
        Of a model of several outputs, which one; the first by default.
    device : str
    progress : callable, optional
        Called with the number of windows done since the last call.

    Raises
    ------
    InputError
        If the run is not a trained one, or the split has no bound window.
    """
    if n < 1:
        raise InputError(f"the number of windows to explain must be 1 or more; found {n}")
    if select not in ("random", "top"):
        raise InputError(f"selection {select!r} is not known; choose random or top")
    model, card = load_run(out, data, device)
    which = card.output(output)
    if len(card.model.outputs) > 1:
        model.selected = which
        if len(data.outputs) > 1:
            data = data.of(card.model.outputs[which])
    indices = data.indices(part)
    bound = indices[data.labels[indices] == 1]
    if not bound.size:
        raise InputError(f"{data.path}: the {part} split has no bound windows to explain")
    rng = np.random.default_rng(seed)
    if select == "random":
        chosen = np.sort(rng.choice(bound, min(n, len(bound)), replace=False))
    else:
        chosen = bound[np.argsort(-predict_logits(model, data.codes, bound), kind="stable")[:n]]
    averaged = bound
    if len(bound) > MAX_MEAN:
        averaged = np.sort(rng.choice(bound, MAX_MEAN, replace=False))
    names = default_stages(model) if stages is None else tuple(stages)
    parts = list(explain_windows(model, data.codes, chosen, stages=names, progress=progress))
    maps = np.concatenate([p.maps for p in parts])
    base_scores = np.concatenate([p.base_scores for p in parts])
    mean = np.zeros(maps.shape[1:], dtype=np.float64)
    for piece in explain_windows(model, data.codes, averaged, stages=names, progress=progress):
        mean += piece.maps.sum(axis=0, dtype=np.float64)
    mean /= len(averaged)
    explained = Explained(
        names=data.names(chosen),
        index=chosen,
        start=data.start[chosen],
        codes=np.asarray(data.codes[chosen]),
        probability=card.probabilities(predict_logits(model, data.codes, chosen), which),
        maps=maps,
        base_scores=base_scores,
        mean_map=mean,
        mean_profile=mean.mean(axis=0),
        n_mean=len(averaged),
        periods=model.periods,
    )
    settings = {
        "method": "gradcam",
        "class": 1,
        "output": card.model.outputs[which],
        "stages": list(names),
        "split": part,
        "select": select,
        "seed": seed,
        "n_windows": len(chosen),
        "n_mean": len(averaged),
        "data": {"path": str(data.path.resolve()), "codes_sha256": data.checksum},
    }
    _write(RunDir(out), explained, settings)
    return explained, card.model


def _write(run: RunDir, explained: Explained, settings: dict[str, object]) -> None:
    with replace_dir(run.explanations, overwrite=True, marker="explain.json") as folder:
        np.savez_compressed(
            folder / "explanations.npz",
            names=np.array(explained.names),
            index=explained.index,
            start=explained.start,
            codes=explained.codes,
            probability=explained.probability,
            maps=explained.maps.astype(np.float16),
            base_scores=explained.base_scores,
            mean_map=explained.mean_map,
            mean_profile=explained.mean_profile,
            n_mean=np.array(explained.n_mean),
            periods=explained.periods,
        )
        with (folder / "base_scores.tsv").open("w", encoding="utf-8") as stream:
            stream.write("name\tposition\tcoordinate\tbase\tscore\n")
            for name, start, codes, scores in zip(
                explained.names,
                explained.start,
                explained.codes,
                explained.base_scores,
                strict=True,
            ):
                for i, (letter, score) in enumerate(zip(to_letters(codes), scores, strict=True)):
                    coordinate = str(start + i) if start >= 0 else ""
                    stream.write(f"{name}\t{i}\t{coordinate}\t{letter}\t{score:.5f}\n")
        write_json(folder / "explain.json", settings)


def read_explained(out: Path) -> Explained:
    """Read what :func:`explain_run` wrote.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    path = RunDir(out).explanations / "explanations.npz"
    if not path.is_file():
        raise InputError(f"{path}: no such file; make it with 'wavebind explain {out} DATA'")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _MAX_ARRAY_BYTES:
            raise InputError(f"{path}: unpacks to {size:,} bytes; it was not written by wavebind")
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return Explained(
                names=[str(x) for x in file["names"]],
                index=file["index"],
                start=file["start"],
                codes=file["codes"],
                probability=file["probability"],
                maps=file["maps"].astype(np.float32),
                base_scores=file["base_scores"],
                mean_map=file["mean_map"],
                mean_profile=file["mean_profile"],
                n_mean=int(file["n_mean"]),
                periods=file["periods"],
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: is damaged ({error}); run 'wavebind explain' again") from error


def write_pictures(
    out: Path,
    explained: Explained,
    config: ModelConfig,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Draw each explained window, and the mean map, as PNG files in ``explain/``."""
    from wavebind.plotting import draw_explanation, draw_mean_map, to_png

    folder = RunDir(out).explanations
    written = []
    for i, name in enumerate(explained.names):
        figure = draw_explanation(
            name,
            explained.codes[i],
            explained.maps[i],
            explained.base_scores[i],
            config.scalogram,
            float(explained.probability[i]),
            start=max(int(explained.start[i]), 0),
        )
        safe = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:80]
        written.append(folder / f"{i + 1:03d}_{safe}.png")
        with replace_file(written[-1]) as temporary:
            temporary.write_bytes(to_png(figure))
        if progress:
            progress(1)
    figure = draw_mean_map(
        explained.mean_map, explained.mean_profile, explained.periods, explained.n_mean
    )
    written.append(folder / "mean_map.png")
    with replace_file(written[-1]) as temporary:
        temporary.write_bytes(to_png(figure))
    return written
