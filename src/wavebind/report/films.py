"""Films of one window over the stages of a network: where each layer sees the evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from wavebind.core.files import replace_file
from wavebind.explain.attribution import explain_windows
from wavebind.explain.gradcam import KINDS
from wavebind.explain.run import Explained
from wavebind.explain.tracks import file_name
from wavebind.models.prediction import load_selected
from wavebind.report.explanation_plots import draw_explanation
from wavebind.report.plots import to_gif, to_png

__all__ = ["write_films"]


def write_films(
    run: Path,
    explained: Explained,
    folder: Path,
    *,
    output: str | None = None,
    device: str = "auto",
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Draw every explained window once a stage, first to last, as animated GIFs.

    Parameters
    ----------
    run : pathlib.Path
        A run directory that was explained.
    explained : Explained
        What :func:`wavebind.explain.run.explain_run` returned. Maps are of its method, or of
        Grad-CAM where that has none.
    folder : pathlib.Path
        Where they are written.
    output : str, optional
        Of a model of several outputs, the one that was explained.
    device : str
    progress : callable, optional
        Called with 1 for every film.

    Returns
    -------
    list of pathlib.Path
    """
    model, card = load_selected(run, device, output)
    method = explained.method if explained.method in KINDS else "gradcam"
    written = []
    for i, name in enumerate(explained.names):
        frames = []
        for stage in model.stages():
            batches = list(
                explain_windows(
                    model, explained.codes, np.array([i]), method=method, stages=[stage]
                )
            )
            maps = batches[0].maps
            assert maps is not None  # noqa: S101 - the methods of KINDS have maps
            figure = draw_explanation(
                f"{name}, {stage}",
                explained.codes[i],
                maps[0],
                batches[0].base_scores[0],
                card.model,
                float(explained.probability[i]),
                start=max(int(explained.start[i]), 0),
                method=method,
            )
            frames.append(to_png(figure))
        written.append(folder / f"{file_name(i, name)}.gif")
        with replace_file(written[-1]) as temporary:
            temporary.write_bytes(to_gif(frames))
        if progress:
            progress(1)
    return written
