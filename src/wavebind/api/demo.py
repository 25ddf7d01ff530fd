"""The main job on data that the package carries."""

from __future__ import annotations

from pathlib import Path

from wavebind.api.dataset import make_dataset
from wavebind.api.frames import PathLike
from wavebind.api.results import Metrics
from wavebind.api.run import Run
from wavebind.api.training import train
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.demo import demo_table
from wavebind.datasets.example import ExampleFiles, write_example
from wavebind.report.text import audited_table

__all__ = ["demo", "demo_dataset", "example"]


def demo_dataset(
    out: PathLike | None = None, *, force: bool = False, on_event: OnEvent = ignore
) -> Dataset:
    """The dataset of the demo: CTCF peaks of GM12878 cells, and GC-matched windows of chr22.

    Parameters
    ----------
    out : path, optional
        The folder of the dataset. By default one that is removed when Python ends.
    force : bool
        Whether an older dataset is replaced.
    on_event : callable
    """
    with demo_table() as table:
        data = make_dataset(table, out=out, force=force, on_event=on_event)
    assert data is not None  # noqa: S101 - no share
    return data


def example(folder: PathLike, *, seed: int = 0, force: bool = False) -> ExampleFiles:
    """Write small files to try the commands on; see :mod:`wavebind.datasets.example`."""
    return write_example(Path(folder), seed=seed, force=force)


def demo(
    out: PathLike, *, device: str = "auto", force: bool = False, on_event: OnEvent = ignore
) -> tuple[Run, Metrics, Path]:
    """Dataset, training, evaluation, explanation and report on real data in the package.

    Parameters
    ----------
    out : path
        The folder for everything.
    device : str
    force : bool
        Whether an older demo is replaced.
    on_event : callable

    Returns
    -------
    tuple of Run, Metrics and pathlib.Path
        The run, its metrics on test, and the page about it.
    """
    folder = Path(out)
    data = demo_dataset(folder / "data", force=force, on_event=on_event)
    on_event(Message(audited_table(data)))
    run = train(data, folder / "run", recipe="small", device=device, force=force, on_event=on_event)
    assert run is not None  # noqa: S101 - one process
    metrics = run.evaluate(data, on_event=on_event)
    # The mean over a part of the bound windows is enough to see, and keeps the demo short.
    run.save_explanations(data, n=6, settings={"n_mean": 40}, on_event=on_event)
    return run, metrics, run.report(on_event=on_event)
