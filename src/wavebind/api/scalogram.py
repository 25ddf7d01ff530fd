"""Scalograms of sequences, as arrays and as pictures."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

from wavebind.api.frames import PathLike
from wavebind.api.progress import advancing
from wavebind.api.results import ScalogramArray
from wavebind.api.settings import GivenSettings
from wavebind.core.errors import InputError, UsageError
from wavebind.core.events import OnEvent, ignore
from wavebind.core.files import replace_file, require_new
from wavebind.core.settings import with_values
from wavebind.genome.sequences import Codes, read_fasta, to_codes
from wavebind.report.plots import (
    PICTURE_KINDS,
    draw_scalograms,
    highest_drawn,
    to_gif,
    to_image,
    to_png,
)
from wavebind.training.recipes import load_recipe
from wavebind.wavelets.filters import Wavelet
from wavebind.wavelets.planes import wavelet_picture
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig

__all__ = ["draw_scalogram", "scalogram", "scalogram_settings"]

#: A picture of more sequences than this is too tall to look at, a film of more too long.
MAX_PANELS = 64
SHOWN = ("modulus", "power", "real", "imag", "phase", "squeezed")


def scalogram_settings(recipe: str | None, settings: GivenSettings = ()) -> ScalogramConfig:
    """The transform of a recipe, or one with long wavelets, with some settings replaced.

    Parameters
    ----------
    recipe : str or None
        By default one-hot signals, Morse wavelets of gamma 3 and beta 20, 64 scales.
    settings : sequence of str, or mapping
        As ``["wavelet.beta=4", "n_scales=32"]``.
    """
    base = ScalogramConfig(norm="l1", n_scales=64, wavelet=Wavelet(beta=20.0))
    return with_values(base if recipe is None else load_recipe(recipe).scalogram, settings)


def scalogram(window: str, config: ScalogramConfig | None = None) -> ScalogramArray:
    """The scalogram of a sequence.

    Parameters
    ----------
    window : str
        Letters.
    config : ScalogramConfig, optional
        The transform of the recipe ``wavelets`` where none is given.
    """
    config = config or load_recipe("wavelets").scalogram
    codes = to_codes(window, place="the sequence")
    transform = Scalogram(config, len(codes))
    with torch.inference_mode():
        values = transform(torch.from_numpy(codes)[None])[0].numpy()
    names = [
        f"{channel}:{output}"
        for channel in range(len(values) // len(config.outputs))
        for output in config.outputs
    ]
    positions = transform.first + np.arange(values.shape[2]) * config.stride
    picture = wavelet_picture(config, codes)
    return ScalogramArray(values, names, transform.periods, positions, picture)


def draw_scalogram(
    sequence: PathLike,
    out: PathLike,
    *,
    show: str = "modulus",
    recipe: str | None = None,
    columns: int = 1,
    force: bool = False,
    settings: GivenSettings = (),
    on_event: OnEvent = ignore,
) -> Path:
    """Draw the scalogram of a sequence, or of the records of a FASTA file.

    Parameters
    ----------
    sequence : str or path
        Letters, or a FASTA file.
    out : path
        A grid where it ends in ``.png``, ``.svg`` or ``.pdf``, a film where it ends in ``.gif``.
    show : str
        ``modulus``, ``power``, ``real``, ``imag``, ``phase``, or ``squeezed``, the synchrosqueezed
        modulus.
    recipe : str, optional
        Whose transform it is; see :func:`scalogram_settings`.
    columns : int
        Sequences side by side.
    force : bool
        Whether an older file is replaced.
    settings : sequence of str, or mapping
        Of the transform.
    on_event : callable

    Raises
    ------
    UsageError
        If the name of the file or what is shown is not one that can be drawn.
    InputError
        If there are too many sequences, or one is not DNA.
    """
    path = Path(out)
    ending = path.suffix.lower()
    kind = ending.removeprefix(".")
    if kind not in (*PICTURE_KINDS, "gif"):
        raise UsageError(
            f"--out {out}: end the name with .png, .svg or .pdf, or with .gif for a film"
        )
    if show not in SHOWN:
        raise UsageError(f"--show is one of {', '.join(SHOWN)}; found {show!r}")
    require_new(path, force)
    windows = _windows(str(sequence))
    config = scalogram_settings(recipe, settings)
    image = None if recipe is None else load_recipe(recipe).image
    colours = "viridis" if image is None else image.colours
    advance = advancing(on_event, "drawing", len(windows))
    if kind == "gif":
        # One scale for all, or two frames could not be compared.
        highest = highest_drawn(windows, config, show)  # type: ignore[arg-type]
        frames = []
        for window in windows:
            figure = draw_scalograms([window], config, show, colours=colours, highest=highest)  # type: ignore[arg-type]
            frames.append(to_png(figure))
            advance(1)
        picture = to_gif(frames)
    else:
        figure = draw_scalograms(windows, config, show, columns=columns, colours=colours)  # type: ignore[arg-type]
        picture = to_image(figure, kind)
    with replace_file(path) as temporary:
        temporary.write_bytes(picture)
    return path


def _windows(sequence: str) -> list[tuple[str, Codes]]:
    if re.fullmatch(r"[A-Za-z]+", sequence) and not Path(sequence).exists():
        return [(f"{len(sequence)} bp", to_codes(sequence, place="the sequence"))]
    windows = [(record.name, record.codes) for record in read_fasta(Path(sequence))]
    if len(windows) > MAX_PANELS:
        raise InputError(
            f"{sequence}: holds {len(windows):,} sequences; one picture shows {MAX_PANELS} at "
            f"most, give a file with fewer"
        )
    return windows
