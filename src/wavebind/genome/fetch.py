"""Files of ENCODE and genomes of UCSC, asked for by their names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from wavebind.core.download import MAX_SIZE, RemoteFile, check_address, download, read_document
from wavebind.core.errors import InputError, UsageError
from wavebind.core.events import Advanced, Message, OnEvent, StageStarted, ignore

__all__ = ["ENCODE_URL", "UCSC_URL", "encode_file", "fetch_files", "ucsc_genome"]

ENCODE_URL = "https://www.encodeproject.org"
UCSC_URL = "https://hgdownload.soe.ucsc.edu"

_ACCESSION = re.compile(r"ENCFF[0-9]{3}[A-Z]{3}")
_ASSEMBLY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{1,40}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,120}")
_MD5 = re.compile(r"[0-9a-f]{32}")


def encode_file(accession: str, base_url: str = ENCODE_URL) -> RemoteFile:
    """Ask ENCODE for a file's address, size and checksum.

    Parameters
    ----------
    accession : str
        ``ENCFF`` and six characters (https://www.encodeproject.org/help/rest-api/).
    base_url : str

    Raises
    ------
    InputError
        If it is not an accession, or the server cannot be reached, has no such file, or answers
        with something else.
    """
    if not _ACCESSION.fullmatch(accession):
        raise InputError(
            f"{accession!r}: is not an accession of an ENCODE file, such as ENCFF002CEL"
        )
    url = f"{base_url.rstrip('/')}/files/{accession}/?format=json"
    raw = read_document(url, "application/json")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{url}: the answer is not JSON; is {base_url} an ENCODE server?"
        ) from error
    if not isinstance(found, dict) or found.get("accession") != accession:
        raise InputError(f"{url}: the answer does not describe {accession}; try again later")
    href, size, md5 = (found.get(key) for key in ("href", "file_size", "md5sum"))
    if (
        not isinstance(href, str)
        or not isinstance(size, int)
        or not 0 < size <= MAX_SIZE
        or not isinstance(md5, str)
        or not _MD5.fullmatch(md5)
    ):
        raise InputError(f"{url}: the description of {accession} lacks its address, size or MD5")
    address = urljoin(f"{base_url.rstrip('/')}/", href)
    if urlsplit(address).netloc != urlsplit(base_url).netloc:
        raise InputError(f"{url}: the file's address {address!r} is on another server")
    name = address.rsplit("/", 1)[-1]
    if not _NAME.fullmatch(name) or not name.startswith(accession):
        raise InputError(f"{url}: the file's name {name[:80]!r} is not that of {accession}")
    return RemoteFile(check_address(address), name, size, md5)


def ucsc_genome(assembly: str, base_url: str = UCSC_URL, *, kind: str = "2bit") -> RemoteFile:
    """Ask UCSC for a genome's address and checksum.

    Parameters
    ----------
    assembly : str
        ``hg38``, ``hg19``, ``mm10`` and so on.
    base_url : str
    kind : {"2bit", "fa.gz"}

    Raises
    ------
    InputError
        If it is not the name of an assembly, the server cannot be reached or has no such genome.
    """
    if not _ASSEMBLY.fullmatch(assembly) or ".." in assembly:
        raise InputError(f"{assembly!r}: is not the name of an assembly, such as hg38")
    if kind not in ("2bit", "fa.gz"):
        raise InputError(f"format {kind!r} is not known; choose 2bit or fa.gz")
    folder = f"{base_url.rstrip('/')}/goldenPath/{assembly}/bigZips"
    name = f"{assembly}.{kind}"
    text = read_document(f"{folder}/md5sum.txt", "text/plain").decode("utf-8", "replace")
    sums = {
        words[1].lstrip("*"): words[0]
        for words in (line.split() for line in text.splitlines())
        if len(words) == 2 and _MD5.fullmatch(words[0])
    }
    if not sums:
        raise InputError(f"{folder}/md5sum.txt: holds no MD5; is {base_url} a UCSC server?")
    if name not in sums:
        raise InputError(
            f"{folder}/md5sum.txt: has no checksum of {name}; it lists {', '.join(list(sums)[:6])}"
        )
    return RemoteFile(check_address(f"{folder}/{name}"), name, None, sums[name])


_MD5 = re.compile(r"[0-9a-f]{32}")


def fetch_files(
    names: Sequence[str],
    out: Path,
    *,
    genome_format: str = "2bit",
    encode_url: str = ENCODE_URL,
    ucsc_url: str = UCSC_URL,
    attempts: int = 5,
    on_event: OnEvent = ignore,
) -> Iterator[Path]:
    """Download files of ENCODE, or genomes of UCSC, one after the other.

    Parameters
    ----------
    names : sequence of str
        Accessions; or ``genome`` and the names of assemblies.
    out : pathlib.Path
        The folder.
    genome_format : {"2bit", "fa.gz"}
    encode_url, ucsc_url : str
    attempts : int
        Times that a transfer may break off at one place.
    on_event : callable

    Yields
    ------
    pathlib.Path
        Each file when it is whole.

    Raises
    ------
    InputError
        As :func:`encode_file`, :func:`ucsc_genome` and :func:`wavebind.core.download.download`.
    """
    genomes = names[0] == "genome"
    wanted = names[1:] if genomes else names
    if not wanted:
        raise UsageError("'genome' needs the name of an assembly, such as hg38")
    for name in wanted:
        if genomes:
            file = ucsc_genome(name, ucsc_url, kind=genome_format)
        else:
            file = encode_file(name, encode_url)
        on_event(Message(f"wavebind: {file.url}"))
        on_event(StageStarted(f"{file.name} (bytes)", file.size))
        last = 0

        def report(done: int, total: int | None) -> None:
            nonlocal last
            del total
            on_event(Advanced(done - last))
            last = done

        yield download(file, out, attempts=attempts, progress=report)
