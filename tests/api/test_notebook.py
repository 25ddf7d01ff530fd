"""The tutorial: every line of it runs, and the notebook is made of it."""

import ast
import json
import os
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers import ROOT, metrics_of

TUTORIAL = ROOT / "docs" / "tutorials" / "notebook.py"
NOTEBOOK = TUTORIAL.with_suffix(".ipynb")

#: What a notebook user tries first; each stands in the tutorial.
CALLS = [
    'peaks="CTCF.narrowPeak.gz", genome="hg38.fa", background="gc"',
    'wb.train(data, out="run", recipe="onehot"',
    'wb.load("run")',
    "run.predict(",
    "run.evaluate(data)",
    'run.explain(windows, method="ig")',
    ".to_frame()",
    "explained.plot(",
    "explained.logo(",
    "run.scalogram(",
    "scalogram.plot(",
    "run.motifs(data",
    ".logo()",
    ".pwm",
    ".match",
    'run.scan("hg38.fa", regions=',
    'run.score_variants(variants, genome="hg38.fa")',
    'wb.compare(data, models=["jaspar", "gkm-all", "onehot"]',
    'run.report("page.html")',
]


def cells() -> list[tuple[str, str]]:
    """Kind and text of every cell."""
    found = []
    for block in TUTORIAL.read_text(encoding="utf-8").split("# %%")[1:]:
        head, _, body = block.partition("\n")
        found.append(("markdown" if "markdown" in head else "code", body.strip()))
    return found


def test_the_tutorial_shows_every_verb():
    code = "\n".join(body for kind, body in cells() if kind == "code")
    assert [call for call in CALLS if call not in code] == []


def test_the_notebook_is_the_tutorial_and_was_executed():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    stored = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    expected = [
        (kind, "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.split("\n")))
        if kind == "markdown"
        else (kind, body)
        for kind, body in cells()
    ]
    assert stored == expected, "run scripts/make_notebook.py"
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    kinds = {output["output_type"] for cell in code for output in cell["outputs"]}
    assert "error" not in kinds
    # Tables and pictures are there to be seen.
    shown = [set(output.get("data", {})) for cell in code for output in cell["outputs"]]
    assert sum("image/png" in data for data in shown) >= 4
    assert sum("text/html" in data for data in shown) >= 5


@pytest.mark.slow
def test_every_line_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mpl.use("Agg")
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "cache"))
    before = Path.cwd()
    scope: dict = {}
    shown = []
    try:
        for kind, body in cells():
            if kind == "markdown":
                continue
            *lines, last = ast.parse(body).body
            if isinstance(last, ast.Expr):
                exec(compile(ast.Module(lines, []), TUTORIAL.name, "exec"), scope)  # noqa: S102
                value = eval(compile(ast.Expression(last.value), TUTORIAL.name, "eval"), scope)  # noqa: S307
                shown.append(value)
            else:
                exec(compile(body, TUTORIAL.name, "exec"), scope)  # noqa: S102
    finally:
        plt.close("all")
        folder = Path.cwd()
        os.chdir(before)
    run, data = scope["run"], scope["data"]
    assert len(data.labels) == 1000
    # A network that learnt nothing would show nothing.
    metrics = metrics_of(folder / "run")
    assert metrics["auroc"]["value"] > 0.7
    assert any("CTCF" in str(motif) for motif in scope["motifs"])
    assert scope["explained"].shape == (4, run.length)
    assert np.isfinite(scope["explained"].scores).all()
    assert (folder / "page.html").is_file()
    assert {"jaspar", "gkm-all", "onehot"} <= set(shown[-2].to_frame()["model"])
