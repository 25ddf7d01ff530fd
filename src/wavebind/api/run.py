"""A run: a trained network and everything that can be asked of it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from wavebind.api import explanations
from wavebind.api import genome as on_genome
from wavebind.api.frames import PathLike, opened_dataset, read_windows
from wavebind.api.hub import export_hub
from wavebind.api.pages import PageFiles, write_page
from wavebind.api.predictions import labels_table, predictions
from wavebind.api.progress import advancing, noting
from wavebind.api.results import Explanations, LearnedMotif, Metrics, ScalogramArray
from wavebind.api.scalogram import scalogram
from wavebind.core.devices import Precision, resolve_device
from wavebind.core.events import OnEvent, ignore
from wavebind.datasets.dataset import Dataset
from wavebind.evaluate.assess import assess
from wavebind.explain.run import Explained
from wavebind.models import Classifier, ModelCard, load_model
from wavebind.models.results import EVALUATIONS, place_of
from wavebind.models.rundir import RunDir
from wavebind.predict.fasta import FastaSummary, Longer, score_fasta
from wavebind.predict.onnx import export_onnx

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run", "load"]


class Run:
    """A trained run, opened.

    Parameters
    ----------
    path : path
        The folder that ``wavebind train --out`` made; or ``factors``, the model of the package.
    device : str
        Where it computes: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises
    ------
    InputError
        If it is not a run, or its training has not ended.
    """

    def __init__(self, path: PathLike, device: str = "auto") -> None:
        self.path = Path(path)
        self.device = device
        self._folder = RunDir(self.path).require_model()

    def __repr__(self) -> str:
        card = self.card
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in card.valid.items())
        return (
            f"run {self.path}: {card.model.backbone} on windows of {self.length} bp, epoch "
            f"{card.epoch}; valid: {metrics}"
        )

    @cached_property
    def _loaded(self) -> tuple[Classifier, ModelCard]:
        return load_model(self._folder.model, resolve_device(self.device))

    @property
    def card(self) -> ModelCard:
        """What is known of the model beside its weights."""
        return self._loaded[1]

    @property
    def length(self) -> int:
        """Window length in base pairs."""
        return self.card.model.length

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the outputs; ``bound`` alone of a network for bound and unbound."""
        return self.card.model.outputs

    def labels(self) -> pd.DataFrame:
        """Each output, and how it came out where that is known; a row each."""
        return labels_table(self._folder, self.card)

    def predict(
        self,
        windows: Any,
        *,
        genome: PathLike | None = None,
        split: str | None = None,
        target: str | None = None,
        prevalence: float | None = None,
    ) -> pd.DataFrame:
        """Score windows, both strands averaged.

        Parameters
        ----------
        windows : sequence of str, pandas.DataFrame, Dataset or pathlib.Path
            See :func:`wavebind.api.frames.read_windows`.
        genome : path, optional
            Where regions lie.
        split : {"train", "valid", "test"}, optional
            Of a dataset; all windows by default.
        target : str, optional
            Of a model of several outputs, the only one; or a factor, the mean over its cells.
        prevalence : float, optional
            Fraction of bound windows to expect, for the probabilities.

        Returns
        -------
        pandas.DataFrame
            ``name``, ``logit``, ``probability`` and ``bound``, whether the probability reaches the
            threshold that was chosen on valid. Of several outputs ``logit:NAME`` and so on; of
            numbers ``value`` in place of ``probability`` and ``bound``. Missing where more than
            10 % of the bases are unknown.
        """
        read = read_windows(windows, self.length, genome=genome, split=split)
        return predictions(*self._loaded, read, target=target, prevalence=prevalence)

    def predict_fasta(
        self,
        fasta: PathLike,
        stream: TextIO,
        *,
        genome: PathLike | None = None,
        longer: Longer | None = None,
        target: str | None = None,
        prevalence: float | None = None,
        precision: Precision = "auto",
        on_event: OnEvent = ignore,
    ) -> FastaSummary:
        """Score a FASTA file of any size; see :func:`wavebind.predict.fasta.score_fasta`."""
        return score_fasta(
            self.path,
            Path(fasta),
            stream,
            genome=None if genome is None else Path(genome),
            longer=longer,
            target=target,
            prevalence=prevalence,
            precision=precision,
            device=self.device,
            note=noting(on_event),
            progress=advancing(on_event, "scoring sequences", None),
        )

    def evaluate(
        self,
        data: PathLike | Dataset,
        split: str = "test",
        *,
        target: str | None = None,
        force: bool = False,
        on_event: OnEvent = ignore,
    ) -> Metrics:
        """Score the run on one split, and keep metrics and scores in the run.

        Raises what :func:`wavebind.evaluate.assess.assess` does.

        They lie in ``evaluations/NAME-SPLIT``; see :attr:`Metrics.folder`.

        Parameters
        ----------
        data : path or Dataset
        split : {"train", "valid", "test"}
        target : str, optional
            Of a model of several outputs, the one that stands first.
        force : bool
            Whether an evaluation of the same windows with another `target` is replaced.

        Returns
        -------
        Metrics
            With 95 % intervals, beside the shortcut audit of the same windows.
        """
        opened = opened_dataset(data)
        return Metrics(
            assess(
                self.path,
                opened,
                split,
                output=target,
                device=self.device,
                force=force,
                progress=advancing(on_event, "scoring windows", len(opened.indices(split))),
            ),
            place_of(self.path, EVALUATIONS, opened, split),
        )

    def explain(
        self,
        windows: Any,
        *,
        method: str | None = None,
        target: str | None = None,
        genome: PathLike | None = None,
        split: str | None = None,
        on_event: OnEvent = ignore,
    ) -> Explanations:
        """Say how much each base of some windows speaks for binding; writes nothing.

        Parameters
        ----------
        windows : sequence of str, pandas.DataFrame, Dataset or pathlib.Path
            See :func:`wavebind.api.frames.read_windows`.
        method : str, optional
            ``ig``, ``ism``, ``occlusion``, ``gradcam``, ``gradcam++`` or ``layercam``. By default
            ``ig``, or ``gradcam`` of a network that reads images.
        target : str, optional
            Of a model of several outputs, which one.
        genome : path, optional
            Where regions lie.
        split : {"train", "valid", "test"}, optional
            Of a dataset; all windows by default.
        """
        read = read_windows(windows, self.length, genome=genome, split=split)
        return explanations.explain(
            self.path, read, method, target=target, device=self.device, on_event=on_event
        )

    def save_explanations(self, data: PathLike | Dataset, **options: Any) -> tuple[Explained, Path]:
        """Explain bound windows of a dataset, and keep scores and pictures in the run.

        Raises what :func:`wavebind.explain.run.explain_run` does.

        Parameters
        ----------
        data : path or Dataset
            A dataset; a FASTA file with windows of the model's length; or with ``genome`` a BED or
            narrowPeak file.
        **options
            ``method`` as for :meth:`explain`. ``n`` (20): bound windows to explain one by one.
            ``split`` (``test``). ``genome`` (path). ``signal`` (path): a bigWig that scores are
            compared with. ``force``: replace an explanation of the same windows with other
            options. ``target``, ``settings`` and ``on_event``; see
            :class:`wavebind.api.settings.ExplainSettings`.

        Returns
        -------
        tuple of Explained and pathlib.Path
            What was found, and the folder of the run that it is kept in.
        """
        return explanations.save(self.path, self.length, data, device=self.device, **options)

    def check_explanations(
        self, data: PathLike | Dataset, **options: Any
    ) -> tuple[dict[str, Any], Path]:
        """Check the explanations, and keep what is found in the run.

        Parameters
        ----------
        data : path or Dataset
        **options
            ``methods`` (sequence of str), ``n``, ``split``, ``target``, ``force``, ``settings``
            and ``on_event``; see :func:`wavebind.explain.verdicts.check_explanations`.

        Returns
        -------
        tuple of dict and pathlib.Path
            What was found, and the folder of the run that it is kept in.
        """
        return explanations.check(self.path, data, device=self.device, **options)

    def scalogram(self, window: str) -> ScalogramArray:
        """The scalogram of a sequence's letters, with the transform of the run's recipe."""
        return scalogram(window, self.card.model.scalogram)

    def motifs(self, data: PathLike | Dataset, **options: Any) -> list[LearnedMotif]:
        """Find the motifs that the network has learnt, and keep them in the run.

        Raises what :func:`wavebind.explain.learned_motifs.find_motifs` does.

        Parameters
        ----------
        data : path or Dataset
        **options
            ``method`` (``"ig"`` or ``"ism"``), ``split`` (whose bound windows are explained), ``n``
            (at most so many of them; 5,000 by default), ``seed`` (decides which, if there are
            more), ``target``, ``force``, ``format`` (of the logos: png, svg or pdf) and
            ``on_event``.

        Returns
        -------
        list of LearnedMotif
        """
        return explanations.learnt_motifs(self.path, data, device=self.device, **options)

    def scan(self, genome: PathLike, **options: Any) -> pd.DataFrame | None:
        """Score a genome: probabilities along it, and called sites.

        Parameters
        ----------
        genome : path
            FASTA or 2bit.
        **options
            ``regions`` (path, or table with ``chrom``, ``start`` and ``end``): only windows whose
            middle lies there. ``out`` and ``peaks`` (paths): a bigWig of probabilities and a
            narrowPeak of sites to write, which with ``force`` replace older ones. ``stride``,
            ``threshold``, ``false_positives``, ``target``, ``workers``, ``shard``, ``settings`` and
            ``on_event`` as in ``wavebind scan``; see :class:`wavebind.api.settings.ScanSettings`.

        Returns
        -------
        pandas.DataFrame or None
            Called sites: ``chrom``, ``start``, ``end``, ``name``, ``logit``, ``q``, ``summit``
            (0-based) and ``probability``. None where only `out` was asked for, or a share.
        """
        return on_genome.scan(self.path, genome, device=self.device, **options)

    def score_variants(
        self, variants: PathLike | pd.DataFrame, genome: PathLike, **options: Any
    ) -> pd.DataFrame | None:
        """Score every allele against the reference.

        Parameters
        ----------
        variants : path, or pandas.DataFrame
            A VCF; or a table with ``chrom``, ``position`` (1-based), ``ref`` and ``alt``.
        genome : path
            FASTA or 2bit.
        **options
            ``out`` (path): a VCF or table to write, which with ``force`` replaces an older one.
            ``motif``, ``null``, ``haplotypes``,
            ``sample``, ``target``, ``workers``, ``shard``, ``settings`` and ``on_event`` as in
            ``wavebind variants``; see :class:`wavebind.api.settings.VariantSettings`.

        Returns
        -------
        pandas.DataFrame or None
            A row an allele, with the columns of :data:`wavebind.variants.files.COLUMNS`. None
            where a file was written.
        """
        return on_genome.variants(self.path, variants, genome, device=self.device, **options)

    def report(
        self,
        page: PathLike | None = None,
        *,
        evaluation: str | None = None,
        force: bool = False,
        on_event: OnEvent = ignore,
        **files: PathLike | None,
    ) -> Path:
        """Write one HTML page about the run, which must have been evaluated.

        Raises what :func:`wavebind.api.pages.write_page` does.

        Parameters
        ----------
        page : path, optional
            ``report.html`` in the run by default.
        evaluation : str, optional
            The one of several that the page is about: the name of its folder in ``evaluations``.
        force : bool
            Whether a page about another evaluation, or another file, is replaced.
        on_event : callable
        **files
            ``comparison``, ``variants``, ``sites``, ``track``, ``peaks`` and ``genome`` (paths):
            what stands beside the run; see :class:`wavebind.api.pages.PageFiles`.
        """
        paths = {name: Path(path) for name, path in files.items() if path is not None}
        return write_page(
            self.path,
            None if page is None else Path(page),
            evaluation=evaluation,
            files=PageFiles(**paths),
            force=force,
            on_event=on_event,
        )

    def export(self, onnx: PathLike) -> Path:
        """Write the model for other programs, as ONNX; see :mod:`wavebind.predict.onnx`."""
        model, card = load_model(self._folder.model)
        export_onnx(model, card, Path(onnx))
        return Path(onnx)

    def export_hub(
        self, folder: PathLike, *, evaluation: str | None = None, force: bool = False
    ) -> Path:
        """Write a model folder with a card; see :func:`wavebind.api.hub.export_hub`."""
        return export_hub(self.path, Path(folder), evaluation=evaluation, force=force)


def load(run: PathLike, device: str = "auto") -> Run:
    """Open a trained run, or a model of the package by its name; see :class:`Run`."""
    return Run(run, device)
