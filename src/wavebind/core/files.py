"""Lines of text files, plain or gzipped, and files that appear under their name only when whole."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import io
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from wavebind.core.errors import InputError, WritingError
from wavebind.core.filekinds import HEAD, check_kind, is_device, is_pipe, refuse_pipe

__all__ = [
    "NOT_WHOLE",
    "check_readable",
    "read_lines",
    "replace_dir",
    "replace_file",
    "require_new",
    "send",
    "sha256",
    "writing_error",
]

#: Longest line that is read, in characters: a whole human chromosome on one line is 249 million.
MAX_LINE = 2**29


def check_readable(path: Path) -> None:
    """Raise an :class:`InputError` unless `path` is a file with something in it."""
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a file is needed here")
    # A pipe such as /dev/stdin or <(...) has no size to look at.
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")


def read_lines(
    path: Path,
    *,
    max_line: int = MAX_LINE,
    unix_ends: bool = False,
    latin_1: bool = False,
) -> Iterator[tuple[int, str]]:
    """Stream the lines of a text file.

    Parameters
    ----------
    path : pathlib.Path
        Plain or gzipped, whatever it is called: the first two bytes tell.
    max_line : int
        The longest line that is read, in characters; memory stays bounded by it.
    unix_ends : bool
        Whether lines that end in CR LF are refused, as other tools for such files do.
    latin_1 : bool
        Whether bytes that are not UTF-8 are read as Latin-1, as in headers of old FASTA files.

    Yields
    ------
    tuple of int and str
        The number of the line, from 1, and the line without its end (LF or CRLF), nor the byte
        order mark of the first.

    Raises
    ------
    InputError
        If the file is missing, a folder, empty, unreadable, not text, or a truncated or damaged
        gzip file. If its first bytes are those of a known binary format. If it has a line of more
        than `max_line` characters, or, with `unix_ends`, one that ends in CR LF.
    """
    check_readable(path)
    number = 0
    newline = "\n" if unix_ends else None
    errors = "surrogateescape" if latin_1 else "strict"
    try:
        with path.open("rb") as raw, contextlib.ExitStack() as stack:
            plain: io.BufferedReader | gzip.GzipFile = raw
            head = raw.peek(HEAD)
            if head[:2] == b"\x1f\x8b":
                plain = stack.enter_context(gzip.GzipFile(fileobj=raw, mode="rb"))
                head = plain.peek(HEAD)
            check_kind(path, head)
            text: IO[str] = stack.enter_context(
                io.TextIOWrapper(plain, encoding="utf-8", errors=errors, newline=newline)
            )
            while line := text.readline(max_line + 1):
                number += 1
                if number == 1:
                    line = line.removeprefix("\ufeff")
                if latin_1 and not line.isascii():
                    line = _ESCAPED.sub(lambda m: chr(ord(m[0]) - 0xDC00), line)
                if len(line) > max_line:
                    raise InputError(
                        f"{path} line {number}: longer than {max_line:,} characters; is it text "
                        f"with line ends?"
                    )
                if unix_ends and line.endswith(("\r\n", "\r")):
                    raise InputError(
                        f"{path} line {number}: ends in a carriage return, as files from Windows "
                        f"do; convert the file with 'dos2unix' or \"tr -d '\\r'\""
                    )
                yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} after line {number}: not UTF-8 text ({error.reason}); is it a binary file?"
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path} after line {number}: the gzip data ends or breaks here ({error}); copy or "
            f"download the file again"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    if number == 0:
        if is_pipe(path):
            raise InputError(
                f"{path}: nothing came out of this pipe; what was read from a pipe once is gone, "
                f"so write it to a file where it is needed twice"
            )
        raise InputError(f"{path}: the file is empty")


#: What ``surrogateescape`` makes of a byte that is not UTF-8 (PEP 383).
_ESCAPED = re.compile("[\udc80-\udcff]")


#: Of an output whose library says nothing of a full disk.
NOT_WHOLE = "it was not written to its end; is the disk or the quota full?"


def require_new(path: Path, force: bool) -> None:
    """Raise an :class:`InputError` where an output is there already and may not be replaced."""
    if path.exists() and not force and not is_device(path):
        raise InputError(f"{path}: exists already; choose another name or pass --force")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    refuse_pipe(path, "this input is read twice, once for its checksum")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def writing_error(path: Path, error: OSError) -> WritingError:
    """What is wrong where a file or a folder could not be written, in words."""
    reasons = {
        errno.ENOSPC: "the disk is full; free some space or write elsewhere",
        errno.EDQUOT: "the disk quota is used up; free some space or write elsewhere",
        errno.EROFS: "the file system is read-only; write elsewhere",
        errno.EACCES: "permission denied; write elsewhere or change the folder's rights",
        errno.EPERM: "permission denied; write elsewhere or change the folder's rights",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
        errno.EEXIST: "a file of that name is in the way",
    }
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return WritingError(f"{path}: cannot be written: {reason}")


@contextlib.contextmanager
def replace_file(path: Path, *, streamable: bool = False) -> Iterator[Path]:
    """Write a file so that it appears under its name only when whole.

    Yields a temporary name in the same folder. That file takes the place of `path` when the block
    ends well and is removed when it does not. Missing folders above `path` are made. Where `path`
    is a link, what it leads to is replaced.

    Parameters
    ----------
    path : pathlib.Path
    streamable : bool
        Whether the output may go to a device or a pipe: it is then written there at the end, and
        nothing is replaced.

    Raises
    ------
    InputError
        If the folder is read-only, the disk is full, and the like; or if `path` is a device or a
        pipe and the output cannot go there.
    """
    temporary: Path | None = None
    if is_device(path):
        if not streamable:
            raise InputError(f"{path}: is a device or a pipe, and this output needs a file")
        with tempfile.TemporaryDirectory(prefix="wavebind-") as folder:
            yield Path(folder) / "output"
            send(Path(folder) / "output", path)
        return
    try:
        if path.is_symlink():
            path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _sync(temporary)
        # mkstemp makes files private; give them the rights that open() would have given.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise writing_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def send(file: Path, device: Path) -> None:
    """Write a file to a device or a pipe.

    Raises
    ------
    InputError
        If it cannot be written to.
    """
    try:
        # Not truncated: where a shell appends to a file, what it holds must stay.
        with file.open("rb") as source, device.open("ab") as target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise writing_error(device, error) from error


@contextlib.contextmanager
def replace_dir(path: Path, *, overwrite: bool = False, marker: str = "") -> Iterator[Path]:
    """Write a folder so that it appears under its name only when whole.

    Parameters
    ----------
    path : pathlib.Path
        The final name.
    overwrite : bool
        Whether an existing folder is replaced.
    marker : str
        The file that an existing folder must hold to be replaced, so that no other folder is
        ever removed.

    Raises
    ------
    InputError
        If `path` exists and may not be replaced, or cannot be written.
    """
    if path.exists():
        if not overwrite:
            raise InputError(f"{path}: exists already; choose another name or pass --force")
        if not (path / marker).is_file():
            raise InputError(
                f"{path}: exists and holds no {marker}, so it is not replaced; choose another name"
            )
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        temporary.chmod(0o777 & ~_umask())
        yield temporary
        for file in temporary.iterdir():
            if file.is_file():
                _sync(file)
        old = None
        if path.exists():
            # Moved aside, not removed, so that one of the two is there at any moment.
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
            path.replace(old)
        temporary.replace(path)
        temporary = None
        if old is not None:
            shutil.rmtree(old)
    except OSError as error:
        raise writing_error(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    # Python can only read the mask by setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
