"""The documents name commands, options, settings and files that there are."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from helpers import ROOT
from sentences import long_sentences
from wavebind.cli.main import app

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
#: Of the commands that have settings.
SETTINGS = ["dataset", "explain", "scalogram", "scan", "train", "tune", "variants"]
#: Options of other programs and of scripts in benchmarks/.
_OTHERS = re.compile(r"python |torchrun |srun |pip |docker |dask |curl |make |pytest|benchmarks/")


def options(command: str) -> set[str]:
    return {"--help", *(o for p in COMMANDS[command].params for o in (*p.opts, *p.secondary_opts))}


@pytest.fixture(scope="module")
def names() -> dict[str, set[str]]:
    """Names of the settings of every command."""
    from typer.testing import CliRunner

    found = {}
    for command in SETTINGS:
        result = CliRunner().invoke(app, [command, "--settings"])
        assert result.exit_code == 0
        found[command] = {line.partition("=")[0] for line in result.stdout.splitlines()}
    return found


def calls(text: str) -> Iterator[tuple[str, str]]:
    """Command and arguments of every call of wavebind."""
    text = text.replace("\\\n", " ")
    for found in re.finditer(r"wavebind ([a-z]+)((?: (?!&&|\|)[^\n`#]*)?)", text):
        if found[1] in COMMANDS:
            yield found[1], re.split(r"&&|wavebind ", found[2])[0]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_in_the_documents_exist(path: Path, names: dict[str, set[str]]) -> None:
    text = path.read_text(encoding="utf-8")
    wrong = []
    for command, arguments in calls(text):
        for option in re.findall(r"(?<!\S)(--[a-z][a-z-]*)", arguments):
            if option not in options(command):
                wrong.append(f"wavebind {command} {option}")
        for name in re.findall(r"--set ([a-z_.]+)=", arguments):
            # What a network's options are depends on the recipe.
            if not name.startswith("options.") and name not in names[command]:
                wrong.append(f"wavebind {command} --set {name}")
    every = set().union(*map(options, COMMANDS))
    settings = set().union(*names.values())
    for line in text.splitlines():
        for span in re.findall(r"`(--[^`]+)`", "" if _OTHERS.search(line) else line):
            option = span.split()[0].partition("=")[0]
            if option not in every:
                wrong.append(span)
            set_name = re.match(r"--set ([a-z_.]+)", span)
            if set_name and set_name[1] not in settings and not set_name[1].startswith("options."):
                wrong.append(span)
    assert not wrong


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_and_modules_in_the_documents_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", text)
    missing = [t for t in targets if not (path.parent / t).exists()]
    for name in re.findall(r"`((?:benchmarks|scripts|tests|docs|src)/[\w./-]+)`", text):
        if not (ROOT / name).exists():
            missing.append(name)
    for name in re.findall(r"`wavebind((?:\.[a-z_0-9]+)+)", text):
        place = ROOT / "src" / "wavebind" / Path(*name[1:].split("."))
        parents = [place, place.parent]
        if not any(p.is_dir() or p.with_suffix(".py").is_file() for p in parents):
            missing.append(f"wavebind{name}")
    assert not missing


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 80


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
        # Tables of columns and keys, which are no sentences.
        if path.name != "file-formats.md"
    ],
    ids=lambda path: path.name,
)
def test_no_sentence_of_a_page_is_long(path: Path) -> None:
    assert not long_sentences(path.read_text(encoding="utf-8"))


def test_a_decision_is_a_page_at_most() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert len(pages) > 10
    assert {page.name: n for page in pages if (n := page.stat().st_size) > 6_144} == {}


def test_a_page_of_results_is_short() -> None:
    pages = sorted((ROOT / "docs" / "results").glob("*.md"))
    assert len(pages) > 20
    assert {page.name: n for page in pages if (n := page.stat().st_size) > 8_192} == {}


def test_a_page_of_results_begins_with_its_claim() -> None:
    # Parts of the page of the field's benchmarks say what they are parts of.
    pages = sorted((ROOT / "docs" / "results").glob("*.md"))
    missing = [
        page.name
        for page in pages
        if not page.name.startswith(("published-gue", "published-fastsk"))
        and page.name not in ("index.md", "published.md")
        and not page.read_text(encoding="utf-8").split("\n", 2)[2].startswith("**")
    ]
    assert missing == []


def test_sentences_are_counted_as_a_reader_counts() -> None:
    words = " ".join(["word"] * 26)
    assert long_sentences(f"Short.\n\n{words}.") == [f"{words}."]
    assert not long_sentences(f"{words[:60]}.\n{words[:60]}; {words[:60]}.")
    assert not long_sentences("- " + " ".join(["word"] * 20) + "\n- " + " ".join(["word"] * 20))
    assert not long_sentences(f"**{words[:80]}.** {words[:80]}.")
    assert not long_sentences(f"({words[:80]}.) {words[:80]}.")
    assert not long_sentences(f"Code `{words}` and a source (Somebody et al. 1999, {words}).")
