"""Write docs/tutorials/notebook.ipynb, executed.

    pip install -c constraints.txt '.[notebook]'
    python scripts/make_notebook.py

The cells are those of tests/api/test_notebook.py: what the notebook shows is what the tests run.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "docs" / "tutorials" / "notebook.py"
TARGET = ROOT / "docs" / "tutorials" / "notebook.ipynb"


def cells(text: str) -> list[nbformat.NotebookNode]:
    """Cells of a script: '# %%' begins one, '# %% [markdown]' one of text."""
    found = []
    for block in text.split("# %%")[1:]:
        head, _, body = block.partition("\n")
        if "[markdown]" in head:
            lines = [line.removeprefix("#").removeprefix(" ") for line in body.strip().split("\n")]
            found.append(nbformat.v4.new_markdown_cell("\n".join(lines)))
        else:
            found.append(nbformat.v4.new_code_cell(body.strip()))
    for i, cell in enumerate(found):
        # The same bytes each time.
        cell["id"] = f"cell-{i}"
    return found


def main() -> None:
    """Execute and write."""
    notebook = nbformat.v4.new_notebook(cells=cells(SOURCE.read_text(encoding="utf-8")))
    notebook.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python",
    }  # fmt: skip
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    TARGET.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    print(f"written: {TARGET}")


if __name__ == "__main__":
    main()
