"""What the site of documents makes when it is built: the reference of commands, from their help."""

from __future__ import annotations

from collections.abc import Iterator
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


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated page."""
    text = "# Commands\n\nAs `wavebind COMMAND --help` has them.\n\n" + "\n".join(command_pages())
    files.append(File.generated(config, "reference/commands.md", content=text))
    return files
