"""What the site of documents makes when it is built: the reference of commands, the notebook."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def command_pages() -> Iterator[str]:
    """One section a command: what it does, its arguments, its options, an example."""
    from wavebind.cli.main import app

    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        yield f"## wavebind {name}\n\n{(command.help or '').strip()}\n"
        rows = []
        for parameter in command.params:
            if getattr(parameter, "hidden", False):
                continue
            shown = (
                f"`{parameter.metavar or parameter.name.upper()}`"
                if parameter.param_type_name == "argument"
                else ", ".join(f"`{option}`" for option in parameter.opts)
            )
            words = " ".join((parameter.help or "").split()).replace("|", "\\|")
            rows.append(f"| {shown} | {words} |")
        if rows:
            yield "| | |\n| --- | --- |\n" + "\n".join(rows) + "\n"
        if command.epilog:
            yield f"```console\n{command.epilog}\n```\n"


def notebook_page(notebook: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
    """An executed notebook as Markdown, and its pictures by name."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        parts.append(f"```python\n{text}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                name = f"notebook-{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![What the lines above draw]({name})")
            else:
                shown = "".join(data.get("text/plain", output.get("text", "")))
                parts.append(f"```text\n{shown.rstrip()}\n```")
    return "\n\n".join(parts) + "\n", pictures


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    source = Path(config["docs_dir"]) / "tutorials" / "notebook.ipynb"
    page, pictures = notebook_page(json.loads(source.read_text(encoding="utf-8")))
    files.append(File.generated(config, "tutorials/notebook.md", content=page))
    for name, content in pictures.items():
        files.append(File.generated(config, f"tutorials/{name}", content=content))
    text = "# Commands\n\nAs `wavebind COMMAND --help` has them.\n\n" + "\n".join(command_pages())
    files.append(File.generated(config, "reference/commands.md", content=text))
    return files
