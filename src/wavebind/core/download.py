"""Files from ENCODE and UCSC: checked against the server's own size and checksum, resumed.

A file is written beside its name with the ending ``.part`` and takes its name only when its size
and MD5 are those that the server announced.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from wavebind.core.errors import InputError

if TYPE_CHECKING:
    import requests

__all__ = ["ENCODE_URL", "UCSC_URL", "RemoteFile", "download", "encode_file", "ucsc_genome"]

ENCODE_URL = "https://www.encodeproject.org"
UCSC_URL = "https://hgdownload.soe.ucsc.edu"

_ACCESSION = re.compile(r"ENCFF[0-9]{3}[A-Z]{3}")
_ASSEMBLY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{1,40}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,120}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_MAX_METADATA = 16 * 2**20
#: 100 GB: larger than any genome or peak file.
_MAX_SIZE = 100 * 10**9
#: What is lost of a transfer that breaks off is less than this.
_CHUNK = 2**16
_TIMEOUT = (20.0, 60.0)


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server, with what the server says of it.

    Attributes
    ----------
    url, name : str
    size : int or None
        In bytes; None where only the download itself tells.
    digest : str
        Of the whole file, in hexadecimal; the first digits will do.
    algorithm : {"md5", "sha256"}
    """

    url: str
    name: str
    size: int | None
    digest: str
    algorithm: str = "md5"


def _no_network(url: str, error: Exception) -> InputError:
    host = urlsplit(url).netloc or url
    return InputError(
        f"{url}: {host} cannot be reached ({_reason(error)}); check the network, or the base "
        f"address that was set"
    )


def _reason(error: Exception) -> str:
    """The innermost cause, without the addresses of Python objects."""
    while error.__context__ is not None and isinstance(error.__context__, Exception):
        error = error.__context__
    return re.sub(r"<[^>]*>:? ?", "", str(error)) or type(error).__name__


def _check_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(f"{url!r}: is not a web address; it begins with https:// or http://")
    return url


def _get(url: str, **options: Any) -> requests.Response:
    import requests

    _check_address(url)
    try:
        return requests.get(url, timeout=_TIMEOUT, stream=True, **options)
    except requests.RequestException as error:
        raise _no_network(url, error) from error


def _metadata(url: str, accept: str) -> bytes:
    """A small document; bounded, whatever the server sends."""
    import requests

    with _get(url, headers={"Accept": accept}) as response:
        if response.status_code == 404:
            raise InputError(f"{url}: the server has no such document (404); check the name")
        if response.status_code == 403:
            raise InputError(f"{url}: access is refused (403); the file may not be released yet")
        if response.status_code != 200:
            raise InputError(
                f"{url}: the server answers {response.status_code} {response.reason}; try again "
                f"later"
            )
        found = b""
        try:
            for chunk in response.iter_content(_CHUNK):
                found += chunk
                if len(found) > _MAX_METADATA:
                    raise InputError(
                        f"{url}: the answer is larger than {_MAX_METADATA:,} bytes; it is not a "
                        f"description of a file"
                    )
        except requests.RequestException as error:
            raise _no_network(url, error) from error
    return found


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
        If it is not an accession, the server cannot be reached, has no such file, or answers
        with something else than a description of that file.
    """
    if not _ACCESSION.fullmatch(accession):
        raise InputError(
            f"{accession!r}: is not an accession of an ENCODE file, such as ENCFF002CEL"
        )
    url = f"{base_url.rstrip('/')}/files/{accession}/?format=json"
    raw = _metadata(url, "application/json")
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
        or not 0 < size <= _MAX_SIZE
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
    return RemoteFile(_check_address(address), name, size, md5)


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
    text = _metadata(f"{folder}/md5sum.txt", "text/plain").decode("utf-8", "replace")
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
    return RemoteFile(_check_address(f"{folder}/{name}"), name, None, sums[name])


def download(
    file: RemoteFile,
    folder: Path,
    *,
    attempts: int = 5,
    wait: float = 1.0,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Download a file, or the rest of it.

    Parameters
    ----------
    file : RemoteFile
    folder : pathlib.Path
    attempts : int
        How often a transfer may break off at one place; it is taken up where it stopped.
    wait : float
        Seconds before the second attempt; doubled before each further one.
    progress : callable, optional
        Called with the bytes that are there and the bytes there will be.

    Returns
    -------
    pathlib.Path
        The file. One that is there already, with the right checksum, is not downloaded again.

    Raises
    ------
    InputError
        If the server cannot be reached, breaks off too often, sends more or less than it
        announced, or something with another checksum; or the folder cannot be written.
    """
    target = folder / file.name
    part = folder / f"{file.name}.part"
    report = progress or (lambda *_: None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if target.is_file():
            if _digest(target, file.algorithm).startswith(file.digest):
                return target
            raise InputError(
                f"{target}: is there already and is not the server's file (another "
                f"{file.algorithm.upper()}); move it away first"
            )
        failures, farthest = 0, part.stat().st_size if part.is_file() else 0
        while problem := _transfer(file, part, report):
            done = part.stat().st_size if part.is_file() else 0
            # A transfer that got further may break off as often as it likes.
            failures = 1 if done > farthest else failures + 1
            farthest = max(done, farthest)
            if failures >= attempts:
                raise InputError(
                    f"{file.url}: {problem}, {failures} times at one place; {done:,} bytes are "
                    f"kept in {part}, run the command again to go on from there"
                )
            time.sleep(wait * 2 ** (failures - 1))
        found = _digest(part, file.algorithm)
        if not found.startswith(file.digest):
            part.unlink()
            raise InputError(
                f"{file.url}: what the server sent has {file.algorithm.upper()} {found}, and it "
                f"announced {file.digest}; nothing was kept, try again"
            )
        part.replace(target)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def _transfer(file: RemoteFile, part: Path, report: Callable[[int, int | None], None]) -> str:
    """One attempt; an empty string if all bytes are there, otherwise what went wrong."""
    import requests

    have = part.stat().st_size if part.is_file() else 0
    if file.size is not None and have >= file.size:
        if have == file.size:
            return ""
        part.unlink()
        have = 0
    # Compression on the way would make sizes and ranges mean something else.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = _get(file.url, headers=headers)
    except InputError as error:
        if not have:
            raise
        return str(error)
    with response:
        if response.status_code == 416:
            # Nothing is left to send, or what we have is not the beginning of this file.
            whole = _digest(part, file.algorithm).startswith(file.digest)
            return "" if whole else _discard(part, "the server refuses to go on")
        if response.status_code not in (200, 206):
            if response.status_code >= 500:
                return f"the server answers {response.status_code} {response.reason}"
            raise InputError(f"{file.url}: the server answers {response.status_code}")
        if have and response.status_code == 200:
            have = 0  # it does not know ranges, and sends everything
        if have and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            return _discard(part, "the server sends another range than was asked for")
        announced = response.headers.get("Content-Length", "")
        total = have + int(announced) if announced.isdigit() else file.size
        if file.size is not None and total != file.size:
            part.unlink(missing_ok=True)
            raise InputError(
                f"{file.url}: the server announced {file.size:,} bytes and now sends "
                f"{total or 0:,}; try again later"
            )
        limit = total if total is not None else _MAX_SIZE
        if limit > _MAX_SIZE:
            raise InputError(f"{file.url}: the server announces {limit:,} bytes, too many")
        try:
            with part.open("ab" if have else "wb") as stream:
                for chunk in response.iter_content(_CHUNK):
                    have += len(chunk)
                    if have > limit:
                        break
                    stream.write(chunk)
                    report(have, total)
        except requests.RequestException as error:
            return f"the transfer broke off ({_reason(error)})"
    if have > limit:
        return _discard(part, "the server sent more bytes than it announced")
    if total is not None and have < total:
        return f"the transfer ended after {have:,} of {total:,} bytes"
    return ""


def _discard(part: Path, problem: str) -> str:
    part.unlink(missing_ok=True)
    return problem


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(
            stream, lambda: hashlib.new(algorithm, usedforsecurity=False)
        ).hexdigest()
