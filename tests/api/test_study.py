"""A whole study: what is chosen by the data, the steps, going on, and the page."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genome_files import write_genome
from helpers import MOTIF, random_dna
from wavebind.api.study import Step, plan_study, run_study
from wavebind.api.studyplan import choose, choose_split, duration
from wavebind.core.errors import InputError
from wavebind.core.files import read_lines

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A genome of four chromosomes with a motif under every peak, and a few variants."""
    rng = np.random.default_rng(3)
    genome, lines, records = {}, [], []
    for chrom, n in (("chr1", 90), ("chr2", 40), ("chr8", 30), ("chr9", 60)):
        letters = list(random_dna(rng, 4000 * (n + 2)))
        for i in range(n):
            at = 4000 * (i + 1) + int(rng.integers(0, 50))
            letters[at : at + len(MOTIF)] = MOTIF
            start, summit = at - 80, 80 + len(MOTIF) // 2
            lines.append(f"{chrom}\t{start}\t{at + 90}\t.\t0\t.\t{50 + i}\t-1\t-1\t{summit}\n")
            if i < 2:
                records.append(f"{chrom}\t{at + 4}\t.\t{MOTIF[3]}\tT\t.\t.\t.\n")
        genome[chrom] = "".join(letters)
    write_genome(tmp_path, "g.fa", genome)
    (tmp_path / "p.narrowPeak").write_text("".join(lines))
    head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (tmp_path / "v.vcf").write_text(head + "".join(records))
    return {name: tmp_path / name for name in ("g.fa", "p.narrowPeak", "v.vcf")}


def planned(files, out, **more):
    return plan_study(files["p.narrowPeak"], files["g.fa"], out, **more)


def test_a_plan_writes_nothing(files, tmp_path, cli):
    code, out, _ = cli(
        "run", "--peaks", files["p.narrowPeak"], "--genome", files["g.fa"], "--variants",
        files["v.vcf"], "--scan", "--out", tmp_path / "study", "--plan",
    )  # fmt: skip
    assert code == 0
    assert not (tmp_path / "study").exists()
    steps = re.findall(r"^\d+\. (\w+):", out, re.M)
    expected = "dataset train evaluate compare motifs explain variants scan report"
    assert steps == expected.split()
    assert "Test is chr2 and valid chr8, chr20, as always." in out
    assert "Unbound windows are matched in GC and repeats, since no open chromatin was given" in out


@pytest.mark.parametrize(
    ("counts", "settings", "words"),
    [
        ({"chr1": 100, "chr2": 20, "chr8": 12}, {}, "Test is chr2 and valid chr8, chr20"),
        (
            {"chrI": 100, "chrII": 30, "chrIII": 20, "chrIV": 50},
            {"split.test": "chrII", "split.valid": "chrIII"},
            "Test is chrII and valid chrIII: the chromosomes with about 15% and 10%",
        ),
        ({"chr22": 500}, {"split.blocks": "true"}, "Splits are blocks of 1 Mb"),
        ({"a": 60, "b": 5, "c": 5}, {"split.blocks": "true"}, "Splits are blocks of 1 Mb"),
    ],
)
def test_what_is_held_out(counts, settings, words):
    found, said = choose_split(counts)
    assert found == settings
    assert said[0].startswith(words)


def test_very_many_peaks_are_cut(files, monkeypatch):
    monkeypatch.setattr("wavebind.api.studyplan.MOST_PEAKS", 100)
    found = choose(files["p.narrowPeak"], files["g.fa"], accessible=True)
    assert (found.settings["top"], found.n_peaks) == ("100", 100)
    assert any("Of 220 peaks the 100 strongest are taken" in words for words in found.words)
    assert "Unbound windows are open chromatin without a peak" in found.words[-1]


def test_too_few_peaks(files, tmp_path, cli):
    lines = [line for _, line in read_lines(files["p.narrowPeak"])][:20]
    (tmp_path / "few.bed").write_text("\n".join(lines) + "\n")
    code, _, err = cli(
        "run", "--peaks", tmp_path / "few.bed", "--genome", files["g.fa"], "--out", tmp_path / "s"
    )
    assert code == 1
    assert "has 20 peaks on" in err
    assert "The package's model needs none: 'wavebind predict factors'" in err


def test_times_in_words():
    assert [duration(m) for m in (0.2, 1.2, 12.3, 100)] == [
        "a minute",
        "a minute",
        "12 minutes",
        "1.7 hours",
    ]


def test_steps_that_are_done_are_passed_over(files, tmp_path, monkeypatch):
    """What is there is not made again, and every command stands in the script."""
    study = planned(files, tmp_path / "study")
    made = []

    def fake(step: Step) -> Step:
        def do(_: object) -> None:
            made.append(step.name)
            step.result.parent.mkdir(parents=True, exist_ok=True)
            step.result.write_text("x")

        return replace(step, do=do)

    study = replace(study, steps=tuple(fake(step) for step in study.steps))
    monkeypatch.setattr("wavebind.api.study._page", lambda study, _: study.page)
    first = study.steps[1].result
    first.parent.mkdir(parents=True)
    first.write_text("x")
    said = []
    run_study(study, on_event=lambda event: said.append(event.words))
    assert made == ["dataset", "evaluate", "compare", "motifs", "explain"]
    assert any(f"step 2 of 7, train: done before ({first})" in words for words in said)
    script = (tmp_path / "study" / "commands.sh").read_text()
    for step in study.steps:
        assert step.line in script
    # Another file in its place is another study.
    (tmp_path / "p.narrowPeak").write_text(
        (tmp_path / "p.narrowPeak").read_text().replace("\t50\t", "\t51\t")
    )
    with pytest.raises(InputError, match="holds a study of other inputs: peaks_sha256 was"):
        run_study(planned(files, tmp_path / "study"))


def test_open_chromatin_later_is_another_study(files, tmp_path, monkeypatch):
    monkeypatch.setattr("wavebind.api.study._page", lambda study, _: study.page)
    study = replace(planned(files, tmp_path / "study"), steps=())
    run_study(study)
    (tmp_path / "open.bed").write_text("chr1\t0\t5000\n")
    other = planned(files, tmp_path / "study", accessible=tmp_path / "open.bed")
    with pytest.raises(InputError, match="was begun without --accessible, which decides"):
        run_study(replace(other, steps=()))


@pytest.mark.slow
def test_from_files_to_the_page(files, tmp_path, cli):
    arguments = [
        "run", "--peaks", files["p.narrowPeak"], "--genome", files["g.fa"], "--variants",
        files["v.vcf"], "--out", tmp_path / "study", "--device", "cpu",
    ]  # fmt: skip
    code, out, err = cli(*arguments)
    assert code == 0, err
    page = (tmp_path / "study" / "report.html").read_text()
    for words in (
        "How well: of 80 test windows, 40 bound",
        "Compared with: best JASPAR matrix",
        "What was learnt: CTCF",
        "Compared on the same windows",
        '<h2 id="variants">Variants</h2>',
        "A network (scalenet, wavebind",
        "wavebind dataset --peaks",
    ):
        assert words in page, words
    assert f"written: {tmp_path / 'study' / 'report.html'}" in out
    # The answer is on standard output as well.
    assert re.search(r"^How well: of 80 test windows, 40 bound", out, re.M)
    assert re.search(r"^What was learnt: CTCF", out, re.M)
    # The commands of the script are those of the command line.
    script = (tmp_path / "study" / "commands.sh").read_text()
    assert script.count("\nwavebind ") == 8
    # The last of them writes the same page, but for the list of commands.
    before = page[: page.index('<pre tabindex="0">')]
    assert cli(*shlex.split(script.splitlines()[-1])[1:])[0] == 0
    again = (tmp_path / "study" / "report.html").read_text()
    assert '<tr id="row-1">' in again
    assert re.sub(r"data:image[^\"]*", "", again).startswith(
        re.sub(r"data:image[^\"]*", "", before)
    )
    code, _, err = cli(*arguments)
    assert code == 0
    assert err.count("done before") == 7
