"""From files to an answer: every step of a study, in order, each a call of the Python interface."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wavebind.api.comparison import compare
from wavebind.api.dataset import make_dataset
from wavebind.api.frames import PathLike
from wavebind.api.pages import PageFiles, write_page
from wavebind.api.run import Run
from wavebind.api.studyplan import Choices, choose, count_alleles, duration
from wavebind.api.training import train
from wavebind.core.errors import InputError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.files import replace_file, sha256
from wavebind.core.jsonfiles import read_json, write_json
from wavebind.core.versions import version
from wavebind.datasets.dataset import open_dataset
from wavebind.evaluate.compare import read_comparison
from wavebind.explain.attribution import METHODS
from wavebind.models import load_model
from wavebind.models.results import EVALUATIONS, EXPLANATIONS, MOTIFS
from wavebind.models.rundir import RunDir
from wavebind.report.choice import choose_evaluation, choose_result
from wavebind.report.study_parts import in_short

__all__ = ["Step", "Study", "plan_study", "run_study", "study_summary"]

#: What the run is compared with.
_BASELINES = ("jaspar", "gkm-all")
_EXPLAINED = 12


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes
    ----------
    name : str
    why : str
        What it does, and why so.
    command : tuple of str
        The command that does the same by itself.
    minutes : float
        How long it takes, roughly.
    result : pathlib.Path
        What is there when it is done.
    do : callable
        Does it.
    """

    name: str
    why: str
    command: tuple[str, ...]
    minutes: float
    result: Path
    do: Callable[[OnEvent], object] = field(repr=False)

    @property
    def line(self) -> str:
        """The command, as a shell takes it."""
        return shlex.join(self.command)


@dataclass(frozen=True)
class Study:
    """A study laid out.

    Attributes
    ----------
    folder : pathlib.Path
    steps : tuple of Step
    choices : Choices
        What was chosen by the data, and why.
    page : pathlib.Path
        Where the page will be.
    inputs : dict
        Paths and checksums of the files, and the options.
    beside : dict
        What the page shows beside the run: paths by the names of
        :class:`wavebind.api.pages.PageFiles`.
    """

    folder: Path
    steps: tuple[Step, ...]
    choices: Choices
    page: Path
    inputs: dict[str, Any]
    beside: dict[str, Path]

    @property
    def words(self) -> str:
        """The plan, as aligned text."""
        lines = [f"{sentence}" for sentence in self.choices.words]
        for number, step in enumerate(self.steps, 1):
            done = "done" if step.result.exists() else f"about {duration(step.minutes)}"
            lines += [f"{number}. {step.name}: {step.why} ({done})", f"   {step.line}"]
        left = sum(step.minutes for step in self.steps if not step.result.exists())
        return "\n".join([*lines, f"about {duration(left)} in all on two cores; {self.page}"])


def plan_study(
    peaks: PathLike,
    genome: PathLike,
    out: PathLike,
    *,
    accessible: PathLike | None = None,
    variants: PathLike | None = None,
    scan: bool = False,
    seed: int = 0,
    device: str = "auto",
    on_event: OnEvent = ignore,
) -> Study:
    """Lay a study out; nothing is written.

    Parameters
    ----------
    peaks, genome : path
        narrowPeak or BED; FASTA or 2bit.
    out : path
        The folder of the study.
    accessible : path, optional
        BED of open chromatin: unbound windows come from there.
    variants : path, optional
        A VCF to score.
    scan : bool
        Whether the genome is scanned.
    seed : int
    device : str
    on_event : callable

    Raises
    ------
    InputError
        If a file cannot be used, or there are too few peaks.
    """
    folder = Path(out)
    data, run = folder / "data", folder / "run"
    choices = choose(Path(peaks), Path(genome), accessible is not None)
    settings = [f"{name}={value}" for name, value in choices.settings.items()]
    background = "gc" if accessible is None else "accessible"
    steps = [
        Step(
            "dataset",
            f"bound windows of 200 bp around the peaks, unbound ones {choices.background_words}",
            (
                "wavebind", "dataset", "--peaks", str(peaks), "--genome", str(genome),
                "--background", background,
                *(() if accessible is None else ("--accessible", str(accessible))),
                *(word for setting in settings for word in ("--set", setting)),
                "--seed", str(seed), "--out", str(data),
            ),
            0.3 + choices.n_peaks / 20_000,
            data / "audit.json",
            lambda say: (
                make_dataset(
                    peaks=peaks, genome=genome, background=background, accessible=accessible,
                    settings=settings, seed=seed, out=data, force=data.exists(), on_event=say,
                )
            ),
        ),
        Step(
            "train",
            "the default network, which begins with the package's weights where they fit",
            ("wavebind", "train", str(data), "--out", str(run), "--seed", str(seed),
             "--device", device),
            0.5 + choices.n_peaks / 3_000,
            run / "model.safetensors",
            lambda say: _train(data, run, seed, device, say),
        ),
        Step(
            "evaluate",
            "on the test windows, once",
            ("wavebind", "evaluate", str(run), str(data), "--device", device),
            0.5,
            run / "evaluations" / "data-test" / EVALUATIONS.marker,
            lambda say: Run(run, device).evaluate(data, on_event=say),
        ),
        Step(
            "compare",
            "the best JASPAR matrix and gapped k-mers on the same windows",
            ("wavebind", "compare", str(data), "--models", ",".join(_BASELINES), "--out",
             str(folder / "compare")),
            1 + choices.n_peaks / 2_000,
            folder / "compare" / "comparison.json",
            lambda say: compare(data, _BASELINES, folder / "compare", on_event=say),
        ),
        Step(
            "motifs",
            "what the network has learnt, with names from JASPAR",
            ("wavebind", "motifs", str(run), str(data), "--device", device),
            2,
            run / "motifs" / "ig" / "data-test" / MOTIFS.marker,
            lambda say: Run(run, device).motifs(data, on_event=say),
        ),
        Step(
            "explain",
            f"{_EXPLAINED} bound windows, base by base",
            ("wavebind", "explain", str(run), str(data), "--n", str(_EXPLAINED), "--device",
             device),
            1.5,
            run / "explanations" / "ig" / "data-test" / EXPLANATIONS.marker,
            lambda say: Run(run, device).save_explanations(data, n=_EXPLAINED, on_event=say),
        ),
    ]  # fmt: skip
    scored, sites, track = (folder / n for n in ("variants.tsv", "sites.narrowPeak", "scores.bw"))
    if variants is not None:
        steps.append(
            Step(
                "variants",
                "which alleles make or break a site",
                ("wavebind", "variants", str(run), str(variants), "--genome", str(genome), "--out",
                 str(scored), "--device", device),
                0.5 + count_alleles(Path(variants)) / 15_000,
                scored,
                lambda say: (
                    Run(run, device).score_variants(variants, genome, out=scored, on_event=say)
                ),
            )
        )  # fmt: skip
    if scan:
        steps.append(
            Step(
                "scan",
                "probabilities along the genome, and called sites",
                ("wavebind", "scan", str(run), str(genome), "--out", str(track), "--peaks",
                 str(sites), "--device", device),
                1 + choices.n_bases / 25e6,
                sites,
                lambda say: (
                    Run(run, device).scan(genome, out=track, peaks=sites, on_event=say)
                ),
            )
        )  # fmt: skip
    page = folder / "report.html"
    # What an earlier call of the study has made stands on the page, too.
    beside = {"comparison": folder / "compare", "genome": Path(genome)}
    if variants is not None or scored.is_file():
        beside["variants"] = scored
    if scan or sites.is_file():
        beside |= {"sites": sites, "track": track}
    if len(beside) > 2:
        beside["peaks"] = Path(peaks)
    steps.append(
        Step(
            "report",
            "one page with all of it",
            ("wavebind", "report", str(run), "--out", str(page), "--force",
             *(word for name, path in beside.items() for word in (f"--{name}", str(path)))),
            0.3,
            page,
            lambda _: None,
        )
    )  # fmt: skip
    files = {"peaks": peaks, "genome": genome, "accessible": accessible, "variants": variants}
    inputs = {
        **{name: str(Path(p).absolute()) for name, p in files.items() if p is not None},
        **{f"{name}_sha256": sha256(Path(p)) for name, p in files.items() if p is not None},
        "scan": scan,
        "seed": seed,
        "version": version(),
    }
    for sentence in choices.words:
        on_event(Message(sentence))
    return Study(folder, tuple(steps), choices, page, inputs, beside)


def run_study(study: Study, *, force: bool = False, on_event: OnEvent = ignore) -> Path:
    """Do every step that is not done.

    Leaves ``study.json`` (inputs and choices), ``commands.sh`` (the steps as commands), what each
    step makes, and ``report.html``. A study that was interrupted goes on where it stopped.

    Parameters
    ----------
    study : Study
    force : bool
        Whether the page is written anew, and a study of other inputs is continued all the same.
    on_event : callable

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    InputError
        If the folder holds a study of other inputs, or a step cannot be done.
    """
    study.folder.mkdir(parents=True, exist_ok=True)
    _require_same(study, force)
    write_json(study.folder / "study.json", {**study.inputs, "choices": list(study.choices.words)})
    script = "#!/bin/sh\n# The steps of this study, to repeat or to change.\nset -e\n"
    script += "".join(f"\n# {step.name}: {step.why}\n{step.line}\n" for step in study.steps)
    with replace_file(study.folder / "commands.sh") as temporary:
        temporary.write_text(script, encoding="utf-8")
    for number, step in enumerate(study.steps, 1):
        head = f"step {number} of {len(study.steps)}, {step.name}"
        if step.name == "report":
            on_event(Message(f"{head}: {step.line}"))
        elif step.result.exists():
            on_event(Message(f"{head}: done before ({step.result})"))
        else:
            on_event(Message(f"{head}: {step.line}"))
            step.do(on_event)
    return _page(study, on_event)


def _page(study: Study, on_event: OnEvent = ignore) -> Path:
    """The page of the run, with what the other steps found."""
    there = {name: path for name, path in study.beside.items() if path.exists()}
    return write_page(
        study.folder / "run",
        study.page,
        files=PageFiles(**there),
        commands=tuple(step.line for step in study.steps),
        force=True,
        on_event=on_event,
    )


def study_summary(study: Study) -> list[str]:
    """The three sentences that the page of a study begins with."""
    run = study.folder / "run"
    _, card = load_model(RunDir(run).require_model().model)
    chosen = choose_evaluation(run, card)
    motifs = choose_result(run, MOTIFS, chosen, METHODS)
    comparison = read_comparison(study.folder / "compare")
    return in_short(chosen.found, comparison, None if motifs is None else motifs.found)


def _require_same(study: Study, force: bool) -> None:
    path = study.folder / "study.json"
    if force or not path.is_file():
        return
    before = read_json(path)
    # Another list of steps is no other study: variants and a scan can come later.
    for name in ("peaks_sha256", "genome_sha256", "accessible_sha256", "variants_sha256", "seed"):
        old, new = before.get(name), study.inputs.get(name)
        if old != new and old is not None and new is not None:
            raise InputError(
                f"{study.folder}: holds a study of other inputs: {name} was {old} and is {new}; "
                f"give the same files, or another --out"
            )
    if (before.get("accessible") is None) != (study.inputs.get("accessible") is None):
        raise InputError(
            f"{study.folder}: was begun {'without' if before.get('accessible') is None else 'with'}"
            f" --accessible, which decides the unbound windows; give the same, or another --out"
        )


def _train(data: Path, run: Path, seed: int, device: str, say: OnEvent) -> None:
    begun = (run / "run.json").is_file()
    if begun:
        train(open_dataset(data), run, resume=True, device=device, on_event=say)
    else:
        train(open_dataset(data), run, seed=seed, device=device, on_event=say)
