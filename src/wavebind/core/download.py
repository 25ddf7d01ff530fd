"""Files from servers: checked against the server's own size and checksum, resumed.

A file is written beside its name with the ending ``.part``. It takes its name only when its size
and MD5 are those that the server announced.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wavebind.core.errors import InputError

if TYPE_CHECKING:
    import requests

__all__ = ["MAX_SIZE", "RemoteFile", "check_address", "download", "read_document"]


_MAX_METADATA = 16 * 2**20
#: 100 GB: larger than any genome or peak file.
MAX_SIZE = 100 * 10**9
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


def check_address(url: str) -> str:
    """The address, if it is one of the web.

    Raises
    ------
    InputError
        If it is not.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(f"{url!r}: is not a web address; it begins with https:// or http://")
    return url


def _get(url: str, **options: Any) -> requests.Response:
    import requests

    check_address(url)
    try:
        return requests.get(url, timeout=_TIMEOUT, stream=True, **options)
    except requests.RequestException as error:
        raise _no_network(url, error) from error


def read_document(url: str, accept: str) -> bytes:
    """A small document from a server; bounded, whatever the server sends.

    Raises
    ------
    InputError
        If the server cannot be reached, refuses, or sends too much.
    """
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
        If the server cannot be reached, breaks off too often, or sends another size or checksum
        than it announced; or the folder cannot be written.
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
        limit = total if total is not None else MAX_SIZE
        if limit > MAX_SIZE:
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
