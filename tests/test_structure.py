"""The shape of the package: small modules, each with a file of tests, verbs at the door."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import ROOT
from sentences import long_sentences

SOURCE = ROOT / "src" / "wavebind"
TESTS = ROOT / "tests"
MODULES = sorted(p for p in SOURCE.rglob("*.py") if p.stem not in ("__init__", "__main__"))
PACKAGES = sorted(p.parent for p in SOURCE.rglob("__init__.py"))


def name_of(path: Path) -> str:
    return ".".join(("wavebind", *path.relative_to(SOURCE.parent).with_suffix("").parts[1:]))


def test_modules_are_small_and_the_top_is_bare():
    assert {p.name for p in SOURCE.glob("*.py")} == {"__init__.py", "__main__.py"}
    long = {name_of(p): n for p in MODULES if (n := len(p.read_text().splitlines())) > 400}
    assert not long


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_has_tests_where_they_are_looked_for(path):
    """A file of its name, one that imports it, or the one that its package of tests names."""
    package = TESTS / path.relative_to(SOURCE).parent
    if (package / f"test_{path.stem}.py").is_file():
        return
    imports = "\n".join(p.read_text() for p in package.glob("test_*.py"))
    if name_of(path) in imports:
        return
    named = re.search(rf"^- `{path.stem}`: (\S+)$", (package / "__init__.py").read_text(), re.M)
    assert named, f"name the test file of {path.stem} in {package / '__init__.py'}"
    assert (package / named[1]).is_file()


@pytest.mark.parametrize("folder", PACKAGES, ids=name_of)
def test_packages_say_what_one_asks_them_and_have_their_verbs(folder):
    package = importlib.import_module(name_of(folder))
    assert package.__doc__
    assert package.__doc__.split("\n")[0].endswith(".")
    for name in getattr(package, "__all__", []):
        # A verb that a module of its name would hide, or the other way round.
        assert not (folder / f"{name}.py").exists(), name
        assert getattr(package, name) is not None


def private_uses(path: Path) -> list[str]:
    """Attributes with a leading underscore, of anything but self and cls."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Attribute) or not re.match(r"_[a-z]", node.attr):
            continue
        if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "fitted")):
            found.append(f"{path.name}:{node.lineno} {node.attr}")
    return found


def test_nobody_reads_the_private_attributes_of_others():
    # os._exit ends a process without running what the parent is to run; Python documents it.
    found = [use for path in MODULES for use in private_uses(path) if not use.endswith(" _exit")]
    assert not found


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("wavebind", ("torch", "pandas", "scipy", "sklearn", "matplotlib")),
        ("wavebind.cli.main", ("torch", "pandas", "scipy", "sklearn", "matplotlib")),
        # What a scan, a prediction or scored variants do not use takes longer than their start.
        ("wavebind.api.run", ("lightning", "pandas", "scipy.signal", "sklearn", "matplotlib")),
    ],
)
def test_heavy_libraries_are_imported_on_demand(module, heavy):
    code = (
        f"import sys, {module}; dir(sys.modules['wavebind']); "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_sentence_of_a_docstring_is_long(path):
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, kinds)]
    found = [s for n in nodes for s in long_sentences(ast.get_docstring(n) or "")]
    assert not found
