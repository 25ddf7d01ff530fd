"""Models against each other, on one dataset or many, and a search for better settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wavebind.api.frames import PathLike, opened_dataset
from wavebind.api.progress import advancing
from wavebind.api.results import ComparedModels
from wavebind.api.scratch import lasting_folder
from wavebind.api.settings import GivenSettings
from wavebind.core.errors import keeping
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.files import sha256
from wavebind.core.settings import with_values
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.datasets.tables import read_labelled_table
from wavebind.datasets.writing import write_dataset
from wavebind.evaluate.baselines import MODELS, STANDARD_MODELS, ModelSpec, parse_model
from wavebind.evaluate.benchmark import (
    Benchmark,
    BenchmarkConfig,
    benchmark_datasets,
)
from wavebind.evaluate.benchmark import benchmark as run_benchmark
from wavebind.evaluate.compare import ComparisonConfig
from wavebind.evaluate.compare import compare as run_comparison
from wavebind.report.benchmark_page import write_benchmark_page
from wavebind.report.comparison_page import write_comparison_page
from wavebind.report.tuning_page import write_tuning_page
from wavebind.tune.search import TuneConfig, Tuned, space_of
from wavebind.tune.search import tune as search

__all__ = ["benchmark", "compare", "tune"]


def _specs(models: Sequence[str], epochs: int | None) -> tuple[ModelSpec, ...]:
    """Models by their names, the words ``default`` and ``all`` written out."""
    names: list[str] = []
    for name in models:
        names += {"standard": list(STANDARD_MODELS), "all": list(MODELS)}.get(name, [name])
    return tuple(parse_model(name, epochs) for name in names)


def compare(
    data: PathLike | Dataset,
    models: Sequence[str] = ("standard",),
    out: PathLike | None = None,
    *,
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    train_bound: int | None = None,
    reference: str = "",
    target: str | None = None,
    split: str = "test",
    device: str = "auto",
    on_event: OnEvent = ignore,
) -> ComparedModels:
    """Train several models on the same windows and compare them, with paired intervals.

    Parameters
    ----------
    data : path or Dataset
    models : sequence of str
        Names of ``wavebind compare --list``, of recipes or of networks, or paths of recipes.
        ``standard`` stands for all listed models that are not slow, ``all`` for all.
    out : path, optional
        A folder; a comparison that was begun there is continued. By default one that is removed
        when Python ends.
    seeds : sequence of int
        Models that depend on a seed are trained with each.
    epochs : int, optional
        Epochs of every network, instead of its recipe's.
    train_bound : int, optional
        Bound windows to train on, with unbound ones in proportion; all by default.
    reference : str
        The model that the others are compared with; the best on valid by default.
    target : str, optional
        Of a dataset with several labels, the one to compare models on.
    split : {"test", "valid"}
    device : str
    on_event : callable

    Raises
    ------
    InputError
        If a model is not known or cannot be trained.
    """
    config = ComparisonConfig(
        models=_specs(models, epochs),
        seeds=tuple(seeds),
        part=split,
        device=device,
        reference=reference,
        train_bound=train_bound,
    )
    opened = opened_dataset(data)
    if target is not None:
        opened = opened.only(target)
    folder = lasting_folder() / "comparison" if out is None else Path(out)
    with keeping(f"models that had ended are kept in {folder}"):
        found = run_comparison(opened, folder, config, on_event)
    page = write_comparison_page(
        folder, found, title=f"Models on {opened.path.name}", chosen_reference=bool(reference)
    )
    return ComparedModels(found, page)


def benchmark(
    data: Sequence[PathLike],
    models: Sequence[str],
    out: PathLike,
    *,
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    train_bound: int | None = None,
    reference: str = "",
    cross: bool = False,
    split: str = "test",
    device: str = "auto",
    on_event: OnEvent = ignore,
) -> tuple[Benchmark, Path]:
    """Run many datasets by many models: a table, ranks, costs, and tests across datasets.

    Parameters
    ----------
    data : sequence of path
        Datasets, or labelled tables with a split column. A dataset with several labels counts as
        one for each.
    models, seeds, epochs, train_bound, reference, split, device, on_event
        As for :func:`compare`.
    out : path
        A folder; what is finished there is not done again.
    cross : bool
        Score every model on the test windows of every other dataset, too.

    Returns
    -------
    tuple of Benchmark and pathlib.Path
        What was found, and the page that tells it.

    Raises
    ------
    InputError
        As :func:`wavebind.evaluate.benchmark.benchmark`.
    """
    config = BenchmarkConfig(
        models=_specs(models, epochs),
        seeds=tuple(seeds),
        part=split,
        cross=cross,
        device=device,
        reference=reference,
        train_bound=train_bound,
    )
    folder = Path(out)
    datasets = []
    for path in map(Path, data):
        datasets += benchmark_datasets(_name(path), _opened(path, folder, on_event))
    with keeping(f"models that had ended are kept in {folder}"):
        found = run_benchmark(datasets, folder, config, on_event)
    page = write_benchmark_page(folder, found, config, title=f"{len(datasets)} datasets")
    return found, page


def _name(path: Path) -> str:
    return path.resolve().name.removesuffix(".gz").removesuffix(".tsv")


def _opened(path: Path, out: Path, on_event: OnEvent) -> Dataset:
    """A dataset, made of a table first where it is one."""
    if not path.is_file():
        return open_dataset(path)
    folder = out / "data" / _name(path)
    if folder.exists():
        made = open_dataset(folder)
        if [entry["sha256"] for entry in made.description["inputs"]] == [sha256(path)]:
            return made
    folder.parent.mkdir(parents=True, exist_ok=True)
    summary = write_dataset(
        read_labelled_table(path),
        folder,
        inputs=[path],
        overwrite=True,
        progress=advancing(on_event, f"reading {path.name}", None),
    )
    for reason, n in summary.dropped.items():
        on_event(Message(f"{path.name}: {n:,} windows dropped: {reason}"))
    return open_dataset(folder)


def tune(
    data: PathLike | Dataset,
    out: PathLike,
    *,
    settings: GivenSettings = (),
    on_event: OnEvent = ignore,
) -> tuple[Tuned, Path]:
    """Search for better settings on the validation split; the winner is a recipe.

    Parameters
    ----------
    data : path or Dataset
    out : path
        A folder. Processes that are started with the same one share the search.
    settings : sequence of str, or mapping
        Those of :class:`wavebind.tune.search.TuneConfig`.
    on_event : callable

    Returns
    -------
    tuple of Tuned and pathlib.Path
        What was found so far, and the page that tells it; ``best.toml`` lies beside it.

    Raises
    ------
    InputError
        As :func:`wavebind.tune.search.tune`.
    """
    config = with_values(TuneConfig(), settings)
    opened = opened_dataset(data)
    with keeping(f"trials that had ended are kept in {out}"):
        found = search(opened, Path(out), config, on_event)
    page = write_tuning_page(
        Path(out), found, space_of(opened, config), config, title=f"Search on {opened.path.name}"
    )
    return found, page
