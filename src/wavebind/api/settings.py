"""What is rarely changed about a command, as settings that ``--set NAME=VALUE`` reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from wavebind.core.settings import Setting, Settings, describe, from_dict, with_values
from wavebind.models import get_backbone
from wavebind.scan.settings import ScanConfig
from wavebind.training.config import Devices, TrainingConfig
from wavebind.training.recipes import Recipe, load_recipe
from wavebind.variants.settings import VariantConfig

__all__ = [
    "BackgroundSettings",
    "DatasetSettings",
    "ExplainSettings",
    "GivenSettings",
    "ScanSettings",
    "SplitSettings",
    "TrainSettings",
    "VariantSettings",
    "describe_training",
    "train_settings",
]

#: Settings as an instance, as ``["NAME=VALUE", ...]`` or as ``{"NAME": value}``.
GivenSettings = Sequence[str] | Mapping[str, Any]


@dataclass(frozen=True)
class TrainSettings(Recipe):
    """A recipe, and where it is trained.

    Attributes
    ----------
    scalogram : ScalogramConfig
    backbone : str
        The network, a name of 'wavebind models'.
    image : ImageConfig or None
        Where given, the network sees colour images.
    front : str or None
        What stands before the network: wavelets, signal (no transform) or pyramid.
    task : str or None
        What the outputs are: binary, multilabel, multiclass or regression. By default what the
        dataset was made for.
    devices : Devices
    """

    task: str | None = None
    devices: Devices = field(default_factory=Devices)


def train_settings(
    recipe: str | Path | Recipe = "default",
    model: str | None = None,
    values: GivenSettings = (),
) -> TrainSettings:
    """A recipe with some of its settings replaced.

    Parameters
    ----------
    recipe : str, pathlib.Path or Recipe
    model : str, optional
        The network, instead of that of the recipe.
    values : sequence of str, or mapping
        See :func:`wavebind.core.settings.with_values`.

    Raises
    ------
    InputError
        If there is no such recipe, network or setting, or a value is not one.
    """
    base = recipe if isinstance(recipe, Recipe) else load_recipe(str(recipe))
    if model is not None:
        base = base.with_backbone(model)
    settings = TrainSettings(**{name: getattr(base, name) for name in Recipe.__dataclass_fields__})
    options = get_backbone(base.backbone).settings
    kinds: dict[str, type[Any]] = {"training": TrainingConfig, "options": options}
    return with_values(settings, values, kinds)


def describe_training(settings: TrainSettings) -> Iterator[Setting]:
    """Every setting of a training, with the values of its recipe as defaults."""
    for setting in describe(settings):
        if setting.name not in ("about", "source", "training", "options", "format"):
            yield setting
    backbone = get_backbone(settings.backbone)
    options = from_dict(backbone.settings, settings.options, "the options")
    yield from describe(options, "options.")
    yield from describe(from_dict(TrainingConfig, settings.training, "the recipe"), "training.")


@dataclass(frozen=True)
class ExplainSettings(Settings):
    """What is rarely changed about explanations.

    Attributes
    ----------
    seed : int
        Decides the random choice of windows.
    stages : tuple of str
        Of Grad-CAM and its kin: layers of the network, comma-separated; the last ones by default.
    select : {"random", "top"}
        Windows at random, or those with the highest probability (top).
    n_mean : int or None
        Bound windows behind the means: by default 2000, and 500 of ism, ig and occlusion.
    film : bool
        Also a film of each window over the stages of the network.
    motif : str
        With --check: the known motif, as MA0139.1 or CTCF. By default the one of JASPAR that tells
        the training windows apart best.
    control : str or None
        With --check: a run that was trained on shuffled labels, for comparison.
    split : str
        Split of the dataset: train, valid or test.
    signal : str or None
        A bigWig of ChIP-seq signal: do the scores go with it, beyond a bump in the middle?
    background : {"unbound", "shuffled"}
        With --insert and --pair: unbound windows, or bound ones with their dinucleotides shuffled.
    length : int or None
        Window length in base pairs, of a model of LS-GKM; another model has its own.
    format : {"png", "svg", "pdf"}
        Kind of picture; a svg or pdf stays sharp at any size.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    stages: tuple[str, ...] = ()
    select: Literal["random", "top"] = "random"
    n_mean: Annotated[int, Field(ge=1)] | None = None
    film: bool = False
    motif: str = "auto"
    control: str | None = None
    split: str = "test"
    signal: str | None = None
    background: Literal["unbound", "shuffled"] = "unbound"
    length: Annotated[int, Field(ge=16)] | None = None
    format: Literal["png", "svg", "pdf"] = "png"


@dataclass(frozen=True)
class ScanSettings(ScanConfig):
    """How a genome is scanned, and by whom.

    The attributes of :class:`ScanConfig`, and:

    Attributes
    ----------
    dask : str or None
        Address of a Dask scheduler that shares out the work, as tcp://10.0.0.1:8786.
    """

    dask: str | None = None


@dataclass(frozen=True)
class VariantSettings(VariantConfig):
    """How variants are scored, and by whom.

    The attributes of :class:`VariantConfig`, and:

    Attributes
    ----------
    dask : str or None
        Address of a Dask scheduler that shares out the work, as tcp://10.0.0.1:8786.
    """

    dask: str | None = None


@dataclass(frozen=True)
class SplitSettings(Settings):
    """How windows are split.

    Attributes
    ----------
    test, valid : tuple of str
        Chromosomes held out, comma-separated; both or none. They override a split column.
    blocks : bool
        Split by contiguous blocks, for a genome of too few chromosomes.
    block_size : int
        With split.blocks: length of a block in base pairs.
    block_gap : int
        With split.blocks: base pairs without windows between blocks of different splits.
    """

    test: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()
    blocks: bool = False
    block_size: int = 1_000_000
    block_gap: int = 10_000


@dataclass(frozen=True)
class BackgroundSettings(Settings):
    """How unbound windows are chosen.

    Attributes
    ----------
    ratio : float or None
        Unbound windows of each kind for each bound one, in each split; 'all' takes every
        accessible or flanking one.
    gap : int
        Base pairs around a peak that no unbound window touches.
    match_gc : bool
        Whether accessible and flanking windows are matched in GC and repeats, too.
    gc_tolerance : float
        How far the GC fraction of a matched window may be off.
    repeat_tolerance : float
        How far the repeat fraction of a matched window may be off.
    """

    ratio: float | None = 1.0
    gap: int = 300
    match_gc: bool = False
    gc_tolerance: float = 0.02
    repeat_tolerance: float = 0.25


@dataclass(frozen=True)
class DatasetSettings(Settings):
    """What is rarely changed about a dataset.

    Attributes
    ----------
    length : int
        Window length in base pairs.
    top : int or None
        With --peaks: number of bound windows to keep, those with the strongest signal.
    centre : str
        Where the windows of a narrowPeak are centred: summit or middle.
    chroms : tuple of str
        Only these chromosomes, comma-separated; all by default.
    exclude : tuple of str
        BED files of regions that no window may touch (a blacklist), comma-separated.
    background : BackgroundSettings
    split : SplitSettings
    labels : tuple of str
        Columns of a table to take as labels, comma-separated. One network gets an output for each.
        1 is bound, 0 unbound; -1, 2, NA or empty is not known.
    task : str or None
        What the column of --target is: multiclass or regression; by its values by default.
    positives, negatives : str or None
        FASTA files of bound and of unbound windows. Records are named chrom:start-end; any name
        will do where the test has files of its own.
    valid_positives, valid_negatives : str or None
        The same for validation; without them a tenth of the training windows is drawn.
    test_positives, test_negatives : str or None
        The same for the test: positives and negatives are then all for training.
    workers : int or None
        With --peaks: processes that count candidates, a chromosome at a time.
    dask : str or None
        With --peaks: address of a Dask scheduler, as tcp://10.0.0.1:8786.
    shard : str or None
        With --peaks: do share I of N only, as I/N; 'wavebind merge' joins the shares.
    """

    length: int = 200
    top: int | None = None
    centre: str = "summit"
    chroms: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    background: BackgroundSettings = field(default_factory=BackgroundSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    labels: tuple[str, ...] = ()
    task: str | None = None
    positives: str | None = None
    negatives: str | None = None
    valid_positives: str | None = None
    valid_negatives: str | None = None
    test_positives: str | None = None
    test_negatives: str | None = None
    workers: int | None = None
    dask: str | None = None
    shard: str | None = None
