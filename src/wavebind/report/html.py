"""HTML pages that need nothing beside themselves: one script of our own, named by its checksum."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from wavebind.report.hover import find_panels
from wavebind.report.plots import to_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Picture", "embed", "png_text", "render_page", "script"]


@dataclass(frozen=True)
class Picture:
    """A picture of a page.

    Attributes
    ----------
    png : str
        The text of a ``data:`` address.
    hover : dict
        What the page's script shows below the cursor.
    """

    png: str
    hover: dict[str, Any]


def embed(figure: Figure, window: dict[str, Any] | None = None) -> Picture:
    """A figure, and the values below the cursor.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    window : dict, optional
        Of a picture of a sequence: see :func:`wavebind.report.hover.describe_window`.
    """
    png = png_text(figure)
    return Picture(png, {"panels": find_panels(figure), "window": window})


def render_page(template: str, scripts: Sequence[str] = (), **values: Any) -> str:
    """Fill in a template of the package; everything that is filled in is escaped.

    Parameters
    ----------
    template : str
        A file of ``templates/``.
    scripts : sequence of str
        Scripts that the page needs before its own. A page runs those alone whose checksums its
        head names: nothing that comes from a file can become one.
    **values
        Every name that the template uses.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("wavebind", "templates"), autoescape=True, undefined=StrictUndefined
    )
    all_scripts = [*scripts, script("page.js")]
    return environment.get_template(template).render(
        scripts=all_scripts,
        script_sources=" ".join(_checksum(text) for text in all_scripts),
        **values,
    )


def script(name: str) -> str:
    """The text of a script of the package's templates."""
    return (files("wavebind") / "templates" / name).read_text(encoding="utf-8")


def _checksum(script: str) -> str:
    """How a content security policy names a script."""
    found = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(found).decode('ascii')}'"


def png_text(figure: Figure) -> str:
    """A figure as the text of a ``data:`` address."""
    return base64.b64encode(to_png(figure)).decode("ascii")
