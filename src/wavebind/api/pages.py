"""The page about a run, with what other commands have found beside it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from wavebind.api.progress import advancing
from wavebind.core.errors import InputError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.files import check_readable
from wavebind.evaluate.compare import read_comparison
from wavebind.explain.allele_views import AlleleView, view_alleles
from wavebind.genome.genomes import open_genome
from wavebind.models import load_model
from wavebind.models.results import Result
from wavebind.models.rundir import RunDir
from wavebind.report.choice import choose_evaluation
from wavebind.report.genome_view import GenomeFiles, view_genome
from wavebind.report.run_page import write_report
from wavebind.report.study_parts import StudyParts, variant_rows

__all__ = ["PageFiles", "write_page"]

#: Variants whose alleles are drawn.
_N_ALLELES = 6


@dataclass(frozen=True)
class PageFiles:
    """What a page shows beside its run; each may be left out.

    Attributes
    ----------
    comparison : pathlib.Path
        A folder of ``wavebind compare`` on the same windows.
    variants : pathlib.Path
        A table of ``wavebind variants`` with this run. With `genome` both alleles of the strongest
        are explained base by base.
    sites, track : pathlib.Path
        What ``wavebind scan`` with this run has called (narrowPeak) and written (bigWig).
    peaks : pathlib.Path
        The peaks that the model was trained on, narrowPeak or BED.
    genome : pathlib.Path
        FASTA or 2bit, for slices around the strongest variants and sites. `track` and `peaks`
        stand there alone, so they need it.
    """

    comparison: Path | None = None
    variants: Path | None = None
    sites: Path | None = None
    track: Path | None = None
    peaks: Path | None = None
    genome: Path | None = None

    def __post_init__(self) -> None:
        for name in ("track", "peaks"):
            path = getattr(self, name)
            if path is not None and self.genome is None:
                raise InputError(f"{path}: is shown along the genome; give its FASTA or 2bit, too")
            if path is not None and self.variants is None and self.sites is None:
                raise InputError(
                    f"{path}: is shown around variants and sites; give a table of 'wavebind "
                    f"variants' or sites of 'wavebind scan', too"
                )
        for path in (self.variants, self.sites, self.track, self.peaks):
            if path is not None:
                check_readable(path)


def write_page(
    run: Path,
    page: Path | None = None,
    *,
    evaluation: str | None = None,
    files: PageFiles | None = None,
    commands: tuple[str, ...] = (),
    force: bool = False,
    on_event: OnEvent = ignore,
) -> Path:
    """Write one HTML page about a run, which must have been evaluated.

    Raises what :func:`wavebind.report.run_page.write_report` does.

    Parameters
    ----------
    run : pathlib.Path
    page : pathlib.Path, optional
        ``report.html`` in the run by default.
    evaluation : str, optional
        The one of several that the page is about: the name of its folder in ``evaluations``.
    files : PageFiles, optional
        What stands beside the run on the page.
    commands : tuple of str
        Commands that the page lists.
    force : bool
        Whether a page about another evaluation, or another file, is replaced.
    on_event : callable

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    InputError
        If a file is not what it should be, or the comparison is of other windows.
    """
    model, card = load_model(RunDir(run).require_model().model)
    chosen = choose_evaluation(run, card, evaluation)
    on_event(Message(f"the page is about {chosen.words()}"))
    given = files or PageFiles()
    if given.comparison is not None:
        _require_same_windows(given.comparison, chosen)
    found = variant_rows(given.variants)
    rows = [] if found is None else found["rows"]
    alleles: list[AlleleView] = []
    view = None
    with ExitStack() as stack:
        if given.genome is not None:
            genome = stack.enter_context(open_genome(given.genome))
            strongest = rows[:_N_ALLELES]
            progress = advancing(on_event, "explaining alleles", len(strongest))
            alleles = view_alleles(model, card, genome, strongest, progress)
            view = view_genome(GenomeFiles(genome, given.peaks, given.sites, given.track), rows)
    parts = StudyParts(
        comparison=given.comparison,
        variants=given.variants,
        sites=given.sites,
        commands=commands,
        alleles=tuple(alleles),
        genome_view=view,
    )
    return write_report(
        run,
        page=page,
        evaluation=evaluation,
        study=parts,
        force=force,
        progress=advancing(on_event, "drawing", None),
    )


def _require_same_windows(folder: Path, chosen: Result) -> None:
    """A comparison stands on the page as one of the same windows."""
    compared, scored = read_comparison(folder), chosen.found
    same = compared["data"]["codes_sha256"] == scored["data"]["codes_sha256"]
    counted = all(compared[name] == scored[name] for name in ("n_windows", "n_bound"))
    if not (same and counted and compared["part"] == chosen.split):
        raise InputError(
            f"{folder}: compares models on the {compared['part']} windows of "
            f"{compared['data']['path']}; the page is about {chosen.words()}. Give a comparison of "
            f"the same windows, or another --evaluation"
        )
