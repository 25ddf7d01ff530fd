"""HTML pages that need nothing beside themselves."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from wavebind.report.plots import to_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["png_text", "render_page"]


def render_page(template: str, **values: Any) -> str:
    """Fill in a template of the package; everything that is filled in is escaped.

    Parameters
    ----------
    template : str
        A file of ``templates/``.
    **values
        Every name that the template uses.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("wavebind", "templates"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(template).render(**values)


def png_text(figure: Figure) -> str:
    """A figure as the text of a ``data:`` address."""
    return base64.b64encode(to_png(figure)).decode("ascii")
