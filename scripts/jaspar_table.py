"""Make the table of JASPAR matrices that the package carries.

    pip download --no-deps pyjaspar==4.0.0
    python scripts/jaspar_table.py pyjaspar-4.0.0-py3-none-any.whl

The wheel is read as an archive; nothing in it is run. Every matrix of the CORE collection of
vertebrates that is in the release is taken, old versions too, so that an identifier in a paper is
found. One line a matrix: identifier, name, class, family, and the counts of A, C, G and T at each
position.
"""

from __future__ import annotations

import argparse
import gzip
import sqlite3
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path

RELEASE = "2026"
TARGET = Path(__file__).parent.parent / "src" / "wavebind" / "data" / "jaspar_vertebrates.tsv.gz"
MATRICES = """
select m.id, m.base_id, m.version, m.name
from MATRIX m
join MATRIX_ANNOTATION a on a.id = m.id and a.tag = 'tax_group' and a.val = 'vertebrates'
join MATRIX_VERSION v on v.id = m.id and v.release = ?
where m.collection = 'CORE'
order by m.base_id, m.version
"""
TAGS = "select tag, val from MATRIX_ANNOTATION where id = ? and tag in ('class', 'family')"
COUNTS = "select row, col, val from MATRIX_DATA where id = ? order by col, row"


def number(value: float) -> str:
    """As short as it can be said, to three decimals, as the database has it."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def lines(database: sqlite3.Connection) -> list[str]:
    """The table."""
    found = []
    for key, base, version, name in database.execute(MATRICES, (RELEASE,)).fetchall():
        tags = defaultdict(set)
        for tag, value in database.execute(TAGS, (key,)):
            tags[tag].add(" ".join(value.split()))
        columns: dict[int, dict[str, float]] = defaultdict(dict)
        for row, column, value in database.execute(COUNTS, (key,)):
            columns[column][row] = value
        counts = ";".join(",".join(number(columns[c]["ACGT"[i]]) for i in range(4))
                          for c in sorted(columns))  # fmt: skip
        words = ("::".join(sorted(tags[tag])) for tag in ("class", "family"))
        found.append("\t".join([f"{base}.{version}", name, *words, counts]))
    return found


def main() -> None:
    """Read the wheel, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        path = archive.extract(f"pyjaspar/data/JASPAR{RELEASE}.sqlite", folder)
        database = sqlite3.connect(path)
        table = lines(database)
        database.close()
    header = f"# JASPAR {RELEASE} CORE vertebrates, CC BY 4.0, https://jaspar.elixir.no\n"
    text = header + "matrix\tname\tclass\tfamily\tcounts\n" + "".join(f"{x}\n" for x in table)
    TARGET.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{len(table)} matrices, {TARGET.stat().st_size:,} bytes: {TARGET}")


if __name__ == "__main__":
    main()
