"""Long work cut into chunks: what is done is kept, and never depends on who did it.

A job has numbered chunks, always cut in the same way. Each one's result is a file of its own in
the job's folder. So an interrupted job continues where it stopped, and several machines can each
do a share of the chunks.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import socket
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import replace_file, writing_error
from wavebind.core.versions import version

__all__ = ["Arrays", "Arrivals", "ChunkStore", "Shard", "chunks_folder", "job_fingerprint"]

Arrays = dict[str, NDArray[Any]]

_JOB = "job.json"
_MAX_SHARDS = 100_000
#: Arrays of one chunk, unpacked.
_MAX_BYTES = 2**32


@dataclass(frozen=True)
class Shard:
    """A share of the chunks: number `index`, from 1, of `count`."""

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count <= _MAX_SHARDS:
            raise InputError(
                f"shard {self.index}/{self.count}: the first number goes from 1 to the second, "
                f"which is at most {_MAX_SHARDS:,}"
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``i/n``.

        Raises
        ------
        InputError
            If it is not that.
        """
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
        if not found:
            raise InputError(f"shard {text!r} is not of the form i/n, as 3/20")
        return cls(int(found[1]), int(found[2]))

    def has(self, chunk: int) -> bool:
        """Whether a chunk, from 0, belongs to this share."""
        return chunk % self.count == self.index - 1


def chunks_folder(out: Path) -> Path:
    """Where the chunks of an output lie until it is whole."""
    return out.with_name(f"{out.name}.parts")


class ChunkStore:
    """The results of a job's chunks.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is not there.
    job : dict
        Everything that decides the results, as JSON can hold it; the version of wavebind is added.
        A folder of another job is refused, and so are chunks of one.

    Raises
    ------
    InputError
        If the folder belongs to another job or cannot be written.
    """

    def __init__(self, folder: Path, job: dict[str, Any]) -> None:
        self.folder = folder
        job = {**job, "version": version()}
        text = _as_text(job)
        #: Tells this job from every other.
        self.fingerprint = _fingerprint(text)
        path = folder / _JOB
        if path.is_file():
            if path.read_text(encoding="utf-8", errors="replace") != text:
                raise InputError(
                    f"{folder}: holds the chunks of other work: {_difference(path, job)}. Give the "
                    f"same inputs and options to continue it, another --out, or remove the folder"
                )
        else:
            with replace_file(path) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def _path(self, chunk: int) -> Path:
        # With the job in its name: what another job left here is never taken for this one's.
        return self.folder / f"piece-{self.fingerprint}-{chunk:07d}.npz"

    @contextlib.contextmanager
    def claimed(self, share: Shard) -> Iterator[None]:
        """Hold a share of the work for as long as the block lasts, or the process lives.

        Raises
        ------
        InputError
            If another process holds it.
        """
        path = self.folder / f"share-{share.index}-of-{share.count}.lock"
        try:
            stream = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise writing_error(path, error) from error
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.seek(0)
                who = stream.read(200).strip() or "another process"
                raise InputError(
                    f"{self.folder}: {who} is doing this work now; wait until it has ended, or "
                    f"stop it and run the same command again"
                ) from None
            except OSError:
                # A file system without locks: two processes then write the same chunks twice.
                pass
            stream.truncate(0)
            stream.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            stream.flush()
            yield

    def has(self, chunk: int) -> bool:
        """Whether a chunk is done."""
        return self._path(chunk).is_file()

    def n_done(self) -> int:
        """How many chunks are done."""
        return len(list(self.folder.glob(f"piece-{self.fingerprint}-*.npz")))

    def write(self, chunk: int, arrays: Arrays) -> None:
        """Keep the result of a chunk; it appears when whole."""
        with replace_file(self._path(chunk)) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]

    def read(self, chunk: int) -> Arrays:
        """The result of a chunk.

        Raises
        ------
        InputError
            If it is not there or damaged.
        """
        path = self._path(chunk)
        if not path.is_file():
            raise InputError(
                f"{path}: this chunk is not done yet; run the missing shards, then merge again"
            )
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(item.file_size for item in archive.infolist()) > _MAX_BYTES:
                    raise InputError(f"{path}: unpacks to more than {_MAX_BYTES:,} bytes")
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as data:
                return {name: data[name] for name in data.files}
        except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path}: is damaged ({error}); remove it, and run again what made it"
            ) from error

    def remove(self) -> None:
        """Remove the folder, once the output is whole."""
        # At once under another name: half a folder would look like work to go on with.
        with contextlib.suppress(OSError):
            name = f".{self.folder.name}."
            aside = Path(tempfile.mkdtemp(prefix=name, suffix=".old", dir=self.folder.parent))
            self.folder.replace(aside)
            shutil.rmtree(aside, ignore_errors=True)


class Arrivals:
    """Chunks for a thread that reads them while another does them.

    Parameters
    ----------
    store : ChunkStore
    """

    def __init__(self, store: ChunkStore) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._stopped = False

    def tell(self) -> None:
        """Say that a chunk has been kept."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """Say that no more will come."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def read(self, chunk: int) -> Arrays:
        """The result of a chunk, as soon as it is there.

        Raises
        ------
        InputError
            If it is damaged, or was not done until the end.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._store.has(chunk))
        return self._store.read(chunk)


def job_fingerprint(job: dict[str, Any]) -> str:
    """What tells a job from every other: that of the :class:`ChunkStore` of it."""
    return _fingerprint(_as_text({**job, "version": version()}))


def _as_text(job: dict[str, Any]) -> str:
    return json.dumps(job, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _difference(path: Path, job: dict[str, Any]) -> str:
    """Which entry of a job is another one than before, in words."""
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return "its description is damaged"
    if not isinstance(old, dict):
        return "its description is damaged"
    for name in sorted(set(old) | set(job)):
        if old.get(name) != job.get(name):
            before, now = (json.dumps(x.get(name))[:80] for x in (old, job))
            return f"{name} was {before} and is {now}"
    return "its description differs"
