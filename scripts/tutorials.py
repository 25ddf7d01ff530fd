"""Run the commands of the tutorials, and compare what they print with what the pages show.

    python scripts/tutorials.py            # compare; exit code 1 where a page is not true any more
    python scripts/tutorials.py --write    # put what was printed into the pages

A fenced block ``console`` has commands, each behind ``$ ``, its further lines behind ``> ``; what
follows is their output. The commands of a page run in one empty folder, in order. Digits may
differ, as they do between processors; words may not. Lines that tell progress are left out.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "docs" / "tutorials"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
#: What is printed by the way, and at another pace on another machine.
_PROGRESS = re.compile(
    r"\d+(\.\d+)? of [\d,]+ .*%|about .* left|epoch \d+: loss|, \d+(\.\d+)? a minute"
)
_TIMEOUT = 900


def commands_of(block: str) -> list[str]:
    """The commands of a block, as a shell takes them."""
    found: list[str] = []
    for line in block.split("\n"):
        if line.startswith("$ "):
            found.append(line[2:])
        elif line.startswith("> ") and found:
            found[-1] += "\n" + line[2:]
    return found


def shown(command: str) -> str:
    """A command as a page has it."""
    first, *rest = command.split("\n")
    return "\n".join([f"$ {first}", *(f"> {line}" for line in rest)]) + "\n"


def printed(command: str, folder: Path) -> str:
    """What a command prints, both streams in order, without lines of progress."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "WAVEBIND_CACHE": str(folder / ".cache"),
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"$ {command}\nended with {done.returncode}:\n{done.stdout}")
    lines = [line.rstrip() for line in done.stdout.replace(f"{folder}/", "").split("\n")]
    kept = [line for line in lines if not _PROGRESS.search(line)]
    return "\n".join(kept).strip("\n") + "\n" if any(kept) else ""


def as_run(text: str) -> str:
    """A page with the output of its commands as they print it now."""
    with tempfile.TemporaryDirectory(prefix="tutorial") as folder:

        def again(match: re.Match[str]) -> str:
            parts = [shown(c) + printed(c, Path(folder)) for c in commands_of(match.group(1))]
            return "```console\n" + "".join(parts) + "```"

        return _BLOCK.sub(again, text)


def without_numbers(text: str) -> list[str]:
    """Lines whose numbers, and the spaces that align them, are all the same."""
    return [
        re.sub(r"\s+", " ", re.sub(r"[-+]?\d[\d,.]*(e[-+]?\d+)?", "0", line))
        for line in text.split("\n")
    ]


def main() -> int:
    """Compare or write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--write", action="store_true", help="write the output into the pages")
    parser.add_argument("pages", nargs="*", type=Path, help="pages; all tutorials by default")
    given = parser.parse_args()
    wrong = 0
    for page in given.pages or sorted(FOLDER.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        now = as_run(before)
        if given.write:
            page.write_text(now, encoding="utf-8")
        differences = list(
            difflib.unified_diff(
                without_numbers(before), without_numbers(now), page.name, "as it runs", lineterm=""
            )
        )
        wrong += bool(differences)
        print(f"{page}: {'other words' if differences else 'as shown'}")
        if not given.write:
            print("\n".join(differences))
    return int(bool(wrong) and not given.write)


if __name__ == "__main__":
    sys.exit(main())
