"""``wavebind recipes``."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="recipes", epilog="Example: wavebind recipes ruggeri2025 > my.toml")(recipes)


def recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print this recipe as TOML.")
    ] = None,
) -> None:
    """List the recipes in the package, or print one, to change and pass to --recipe."""
    from importlib import resources

    from wavebind.training.recipes import load_recipe, recipe_names

    if name is None:
        for known in recipe_names():
            typer.echo(f"{known:<14}{load_recipe(known).about}")
        return
    load_recipe(name)
    file = resources.files("wavebind") / "recipes" / f"{name}.toml"
    typer.echo(file.read_text(encoding="utf-8"), nl=False)
