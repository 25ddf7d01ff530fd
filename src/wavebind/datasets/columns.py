"""The columns of a table: what separates them, and the names they go by."""

from __future__ import annotations

import csv

from wavebind.core.errors import InputError

__all__ = ["column_names", "row_cells"]

#: Other names of columns, as benchmarks and tools write them.
_OTHER_NAMES = {"sequence": "seq", "Sequence": "seq", "Label": "label", "Bound": "label"}


def column_names(header: str) -> tuple[list[str], str]:
    """Names of a table's columns, and what separates them.

    Parameters
    ----------
    header : str
        The first line. Tabs separate its columns, or commas where it has no tab. Names that
        benchmarks give the sequence and the label (``sequence``, ``Bound``) are read as ``seq``
        and ``label`` where those are not there.
    """
    text = header.lstrip("\ufeff").lstrip("#")
    separator = "," if "\t" not in text and "," in text else "\t"
    names = row_cells(text, separator, "the first line")
    return [
        _OTHER_NAMES[name] if name in _OTHER_NAMES and _OTHER_NAMES[name] not in names else name
        for name in names
    ], separator


def row_cells(line: str, separator: str, place: str) -> list[str]:
    """The cells of a line; those between commas may stand in double quotes.

    Parameters
    ----------
    line : str
    separator : str
    place : str
        How a message names the line.

    Raises
    ------
    InputError
        If quotes are not closed.
    """
    if separator == "\t" or '"' not in line:
        return line.split(separator)
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise InputError(f"{place}: the double quotes do not match ({error})") from None
