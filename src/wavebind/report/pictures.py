"""The pictures of explanations and of learnt motifs, as files in a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from wavebind.core.files import replace_file
from wavebind.explain.learned_motifs import FoundMotif
from wavebind.explain.run import Explained
from wavebind.explain.tracks import file_name
from wavebind.models import ModelConfig
from wavebind.report.explanation_plots import (
    draw_explanation,
    draw_mean_map,
    draw_motif,
    draw_profiles,
)
from wavebind.report.plots import to_image

__all__ = ["write_logos", "write_pictures"]


def write_pictures(
    folder: Path,
    explained: Explained,
    config: ModelConfig,
    *,
    kind: str = "png",
    threshold: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Draw each explained window, the mean map and all profiles, as files in a folder.

    Parameters
    ----------
    folder : pathlib.Path
    explained : Explained
    config : ModelConfig
    kind : {"png", "svg", "pdf"}
    threshold : float, optional
        Where all windows are known to be bound: the probability below which the model is wrong
        about one, which its picture then says.
    progress : callable, optional
        Called with 1 for every window.
    """
    written = []
    for i, name in enumerate(explained.names):
        figure = draw_explanation(
            name,
            explained.codes[i],
            explained.maps[i],
            explained.base_scores[i],
            config,
            float(explained.probability[i]),
            start=max(int(explained.start[i]), 0),
            method=explained.method,
            missed=threshold is not None and float(explained.probability[i]) < threshold,
        )
        written.append(folder / f"{file_name(i, name)}.{kind}")
        with replace_file(written[-1]) as temporary:
            temporary.write_bytes(to_image(figure, kind))
        if progress:
            progress(1)
    means = {
        "mean_map": draw_mean_map(
            explained.mean_map,
            explained.mean_profile,
            explained.periods,
            explained.n_mean,
            explained.method,
            explained.kind,
        ),
        "profiles": draw_profiles(
            explained.profiles, explained.profile_logits, explained.method, explained.kind
        ),
    }
    for name, figure in means.items():
        written.append(folder / f"{name}.{kind}")
        with replace_file(written[-1]) as temporary:
            temporary.write_bytes(to_image(figure, kind))
    return written


def write_logos(folder: Path, motifs: Sequence[FoundMotif], kind: str = "png") -> list[Path]:
    """Draw each motif that :func:`wavebind.explain.learned_motifs.find_motifs` found.

    Parameters
    ----------
    folder : pathlib.Path
    motifs : sequence of FoundMotif
    kind : {"png", "svg", "pdf"}
    """
    written = []
    for found in motifs:
        best = found.matches[0]
        words = f"{best.identifier} {best.name}, q {best.q:.1g}" if best.q < 0.05 else "no match"
        title = (
            f"{found.motif.identifier}: {words}; {found.n_sites:,} sites in {found.share:.0%} of "
            f"the windows"
        )
        written.append(folder / f"{found.motif.identifier}.{kind}")
        figure = draw_motif(found.motif, found.contributions, title)
        with replace_file(written[-1]) as temporary:
            temporary.write_bytes(to_image(figure, kind))
    return written
