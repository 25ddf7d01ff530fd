"""Sentences of prose, and those that are longer than a reader likes."""

import re
from collections.abc import Iterator

#: Words that a sentence may have.
MOST = 25


def paragraphs(text: str) -> Iterator[str]:
    """Paragraphs, list entries and table cells of a docstring or of Markdown, on one line each."""
    lines: list[str] = []
    indent, listed = 0, False
    for line in [*text.split("\n"), ""]:
        bare = line.strip()
        this = len(line) - len(line.lstrip())
        entry = bool(re.match(r"([-*]|\d+\.) ", bare))
        ends = not bare or re.match(r"([-=]{3,}|\||#|```)", bare) or entry
        if lines and (ends or (this != indent and not listed)):
            yield " ".join(lines)
            lines = []
        if bare and not re.match(r"([-=]{3,}$|```)", bare):
            listed = entry if not lines else listed
            lines.append(bare)
            indent = this


def long_sentences(text: str) -> list[str]:
    """Those of more than `MOST` words; formulas, references and diagrams count little.

    A span of code is one word, a citation in brackets and a chain of arrows none.
    """
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    found = []
    for paragraph in paragraphs(text):
        if " -> " in paragraph:
            continue
        plain = re.sub(r"``[^`]+``|`[^`]+`", "code", paragraph)
        plain = re.sub(r"\((?=[^()]*\b(19|20)\d\d\b)[^()]*\)", "", plain)
        plain = re.sub(r"\]\([^)]*\)", "]", plain)
        # A full stop may stand before the end of what is bold or in brackets.
        for sentence in re.split(r"(?<=[.;:!?|])\s+|(?<=[.!?]\*\*)\s+|(?<=[.!?]\))\s+", plain):
            if len(sentence.split()) > MOST:
                found.append(sentence)
    return found
