"""Explaining a run: the scores a base, the maps, and the mean over its bound windows."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import replace_dir
from wavebind.core.jsonfiles import write_json
from wavebind.datasets.dataset import Dataset
from wavebind.explain.attribution import Explanation, check_method, explain_windows
from wavebind.explain.gradcam import KINDS, default_stages
from wavebind.explain.tracks import matrix_table, write_tracks
from wavebind.genome.sequences import Codes, onehot, to_letters
from wavebind.models import Classifier, ModelConfig
from wavebind.models.prediction import load_output, predict_logits
from wavebind.models.registry import get_backbone
from wavebind.models.results import EXPLANATIONS, place_of, require_same_options
from wavebind.models.shipped import copy_shipped

__all__ = [
    "Explained",
    "default_method",
    "explain_run",
    "explanation_size",
    "read_explained",
]

Select = Literal["random", "top"]
#: The mean takes at most this many bound windows, drawn at random from more.
MAX_MEAN = 2_000
#: Fewer where every window costs hundreds of passes through the network.
MAX_MEAN_SLOW = 500
_SLOW = ("ism", "ig", "ig-corrected", "deepshap", "occlusion")
_MAX_ARRAY_BYTES = 2**31


@dataclass(frozen=True)
class Explained:
    """The windows that were explained, and the mean over many.

    Attributes
    ----------
    method : str
        Where the scores of the bases come from; see :data:`wavebind.explain.attribution.METHODS`.
    names : list of str
    index : numpy.ndarray
        ``int64``, shape ``(window,)``: places in the dataset.
    chrom : numpy.ndarray
        ``str``, shape ``(window,)``: empty if not known.
    start : numpy.ndarray
        ``int64``, shape ``(window,)``: coordinate of the first base, 0-based, -1 if not known.
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    probability : numpy.ndarray
        ``float64``, shape ``(window,)``.
    maps : numpy.ndarray
        ``float32``, shape ``(window, scale, position)``; of Grad-CAM where the method has none.
    base_scores : numpy.ndarray
        ``float32``, shape ``(window, position)``.
    contributions : numpy.ndarray
        ``float32``, shape ``(window, position, 4)``; no window where the method has none.
    mean_map, mean_profile : numpy.ndarray
        ``float64``, shape ``(scale, position)`` and ``(position,)``, over `n_mean` bound windows.
    profiles : numpy.ndarray
        ``float32``, shape ``(n_mean, position)``: the scores behind the mean profile.
    profile_index : numpy.ndarray
        ``int64``, shape ``(n_mean,)``: places of those windows in the dataset.
    profile_logits : numpy.ndarray
        ``float64``, shape ``(n_mean,)``.
    periods : numpy.ndarray
        ``float64``, shape ``(scale,)``, base pairs.
    labelled : bool
        Whether the windows are known to be bound.
    """

    method: str
    names: list[str]
    index: NDArray[np.int64]
    chrom: NDArray[np.str_]
    start: NDArray[np.int64]
    codes: Codes
    probability: NDArray[np.float64]
    maps: NDArray[np.float32]
    base_scores: NDArray[np.float32]
    contributions: NDArray[np.float32]
    mean_map: NDArray[np.float64]
    mean_profile: NDArray[np.float64]
    profiles: NDArray[np.float32]
    profile_index: NDArray[np.int64]
    profile_logits: NDArray[np.float64]
    periods: NDArray[np.float64]
    labelled: bool = True

    @property
    def kind(self) -> str:
        """What the windows are, for people."""
        return "bound windows" if self.labelled else "windows"

    @property
    def n_mean(self) -> int:
        """Windows that the mean is of."""
        return len(self.profiles)


def default_method(config: ModelConfig) -> str:
    """Integrated gradients where letters have them, Grad-CAM for images, mutants otherwise."""
    if config.image is not None:
        return "gradcam"
    return "ig" if get_backbone(config.backbone).trained else "ism"


def _most(method: str, n_mean: int | None) -> int:
    if n_mean is not None:
        return n_mean
    return MAX_MEAN_SLOW if method in _SLOW else MAX_MEAN


def explanation_size(
    data: Dataset, part: str, n: int, method: str = "gradcam", n_mean: int | None = None
) -> int:
    """How many windows :func:`explain_run` will pass over, for a progress bar."""
    n_bound = int((data.labels[data.indices(part)] == 1).sum())
    passes = 1 if method in KINDS else 2
    return passes * (min(n, n_bound) + min(_most(method, n_mean), n_bound))


def explain_run(
    run: Path,
    data: Dataset,
    *,
    method: str | None = None,
    part: str = "test",
    n: int = 20,
    select: Select = "random",
    seed: int = 0,
    stages: Sequence[str] | None = None,
    n_mean: int | None = None,
    output: str | None = None,
    device: str = "auto",
    force: bool = False,
    progress: Callable[[int], None] | None = None,
) -> tuple[Explained, ModelConfig, Path]:
    """Explain bound windows of one split, and keep the result in the run directory.

    Writes into ``explanations/METHOD/NAME-SPLIT``: ``explanations.npz``, ``base_scores.tsv``
    (name, position, coordinate, base, score), ``explain.json``; where coordinates are known,
    ``base_scores.bw`` and ``sites.bed``. A method with four numbers a base adds
    ``modisco_sequences.npz`` and ``modisco_scores.npz``. An older one of the same windows and
    options is replaced. Where matrices stand beside the network, ``matrices.tsv`` says
    what each adds.

    Parameters
    ----------
    run : pathlib.Path
        The run directory.
    data : Dataset
    method : str, optional
        One of :data:`wavebind.explain.attribution.METHODS`; :func:`default_method` by default.
    part : str
    n : int
        Bound windows to explain one by one; all of them if there are fewer.
    select : {"random", "top"}
        A random choice, or those with the highest probability.
    seed : int
        Decides the random choice.
    stages : sequence of str, optional
        See :func:`wavebind.explain.gradcam.grad_cam`.
    n_mean : int, optional
        Bound windows behind the means, at most; by default 2,000, and 500 of a slow method.
    output : str, optional
        Of a model of several outputs, which one, or a factor.
    device : str
    force : bool
        Whether an explanation of the same windows with other options is replaced.
    progress : callable, optional
        Called with the number of windows done since the last call.

    Returns
    -------
    tuple of Explained, ModelConfig and pathlib.Path
        What was found, what the model is, and the folder that it is kept in.

    Raises
    ------
    InputError
        If the run is not a trained one, the method is not one for it, or the split has no bound
        window. If there is an explanation of other options.
    """
    if n < 1 or (n_mean is not None and n_mean < 1):
        raise InputError(f"the number of windows to explain must be 1 or more; found {n}")
    if select not in ("random", "top"):
        raise InputError(f"selection {select!r} is not known; choose random or top")
    if method is not None:
        check_method(method)
    model, card, data = load_output(run, data, device, output)
    chosen_method = method or default_method(card.model)
    indices = data.indices(part)
    bound = indices[data.labels[indices] == 1]
    if not bound.size:
        raise InputError(f"{data.path}: the {part} split has no bound windows to explain")
    rng = np.random.default_rng(seed)
    if select == "random":
        chosen = np.sort(rng.choice(bound, min(n, len(bound)), replace=False))
    else:
        chosen = bound[np.argsort(-predict_logits(model, data.codes, bound), kind="stable")[:n]]
    most = _most(chosen_method, n_mean)
    averaged = np.sort(rng.choice(bound, most, replace=False)) if len(bound) > most else bound
    names = default_stages(model) if stages is None else tuple(stages)
    settings = {
        "method": chosen_method,
        "class": 1,
        "output": card.model.outputs[0],
        "stages": list(names),
        "split": part,
        "select": select,
        "seed": seed,
        "n_windows": len(chosen),
        "n_mean": len(averaged),
    }
    copy_shipped(run)
    place = place_of(run, EXPLANATIONS, data, part, chosen_method)
    require_same_options(place, EXPLANATIONS, settings, force)
    mine = _scores(model, data, chosen, chosen_method, names, progress)
    many = _scores(model, data, averaged, chosen_method, names, progress, mean_map=True)
    logits = predict_logits(model, data.codes, chosen)
    explained = Explained(
        method=chosen_method,
        names=data.names(chosen),
        index=chosen,
        chrom=data.chrom[chosen],
        start=data.start[chosen],
        codes=np.asarray(data.codes[chosen]),
        probability=card.probabilities(logits),
        maps=mine["maps"],
        base_scores=mine["base_scores"],
        contributions=mine["contributions"],
        mean_map=many["mean_map"],
        mean_profile=many["base_scores"].mean(axis=0, dtype=np.float64),
        profiles=many["base_scores"],
        profile_index=averaged,
        profile_logits=predict_logits(model, data.codes, averaged),
        periods=model.periods,
        labelled=data.labelled,
    )
    made_from = {**data.identity, "path": str(data.path.resolve())}
    parts = matrix_table(model, explained.names, explained.codes)
    _write(place, explained, {**settings, "data": made_from}, data, parts)
    return explained, card.model, place


def _scores(
    model: Classifier,
    data: Dataset,
    indices: NDArray[np.int64],
    method: str,
    stages: Sequence[str],
    progress: Callable[[int], None] | None,
    *,
    mean_map: bool = False,
) -> dict[str, NDArray[Any]]:
    """Scores by the method, and maps by it or by Grad-CAM; of maps the mean alone on request.

    A model without stages has no Grad-CAM: the evidence of each base then stands at every period.
    """
    drawn = method if method in KINDS else "gradcam"
    maps, scores, contributions = [], [], []
    total = np.zeros((len(model.periods), data.length))
    passes: Iterator[Explanation] = iter(())
    if model.stages() or method in KINDS:
        passes = explain_windows(
            model, data.codes, indices, method=drawn, stages=stages, progress=progress
        )
    for batch in passes:
        assert batch.maps is not None  # noqa: S101 - Grad-CAM and its kin have maps
        if mean_map:
            total += batch.maps.sum(axis=0, dtype=np.float64)
        else:
            maps.append(batch.maps)
        if method in KINDS:
            scores.append(batch.base_scores)
    if method not in KINDS:
        for batch in explain_windows(model, data.codes, indices, method=method, progress=progress):
            scores.append(batch.base_scores)
            if batch.contributions is not None and not mean_map:
                contributions.append(batch.contributions)
            if not model.stages():
                evidence = np.clip(batch.base_scores, 0, None)[:, None]
                spread = np.broadcast_to(evidence, (len(evidence), *total.shape))
                if mean_map:
                    total += spread.sum(axis=0, dtype=np.float64)
                else:
                    maps.append(spread)
    return {
        "mean_map": total / len(indices),
        "maps": np.concatenate(maps) if maps else np.empty((0, *total.shape), np.float32),
        "base_scores": np.concatenate(scores),
        "contributions": np.concatenate(contributions)
        if contributions
        else np.empty((0, data.length, 4), np.float32),
    }


def _write(
    place: Path, explained: Explained, settings: dict[str, object], data: Dataset, parts: str
) -> None:
    with replace_dir(place, overwrite=True, marker=EXPLANATIONS.marker) as folder:
        np.savez_compressed(
            folder / "explanations.npz",
            method=np.array(explained.method),
            names=np.array(explained.names),
            index=explained.index,
            chrom=explained.chrom,
            start=explained.start,
            codes=explained.codes,
            probability=explained.probability,
            maps=explained.maps.astype(np.float16),
            base_scores=explained.base_scores,
            contributions=explained.contributions,
            mean_map=explained.mean_map,
            mean_profile=explained.mean_profile,
            profiles=explained.profiles,
            profile_index=explained.profile_index,
            profile_logits=explained.profile_logits,
            periods=explained.periods,
            labelled=explained.labelled,
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
        if len(explained.contributions):
            # tf-modisco takes (window, base, position): one-hot windows, and what each base there
            # would contribute.
            np.savez_compressed(folder / "modisco_sequences.npz", onehot(explained.codes))
            scores = explained.contributions.transpose(0, 2, 1).astype(np.float32)
            np.savez_compressed(folder / "modisco_scores.npz", scores)
        write_tracks(
            folder, explained.chrom, explained.start, explained.names, explained.base_scores, data
        )
        if parts:
            (folder / "matrices.tsv").write_text(parts, encoding="utf-8")
        write_json(folder / EXPLANATIONS.marker, settings)


def read_explained(folder: Path) -> Explained:
    """Read what :func:`explain_run` wrote into a folder.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    path = folder / "explanations.npz"
    if not path.is_file():
        raise InputError(f"{path}: no such file; make it with 'wavebind explain RUN DATA'")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _MAX_ARRAY_BYTES:
            raise InputError(f"{path}: unpacks to {size:,} bytes; it was not written by wavebind")
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return Explained(
                method=str(file["method"]),
                names=[str(x) for x in file["names"]],
                index=file["index"],
                chrom=file["chrom"].astype(str),
                start=file["start"],
                codes=file["codes"],
                probability=file["probability"],
                maps=file["maps"].astype(np.float32),
                base_scores=file["base_scores"],
                contributions=file["contributions"],
                mean_map=file["mean_map"],
                mean_profile=file["mean_profile"],
                profiles=file["profiles"],
                profile_index=file["profile_index"],
                profile_logits=file["profile_logits"],
                periods=file["periods"],
                labelled=bool(file.get("labelled", True)),
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: is damaged ({error}); run 'wavebind explain' again") from error
