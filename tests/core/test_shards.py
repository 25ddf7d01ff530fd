"""Chunks of a job: whose they are, and who is at work on them."""

import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from wavebind.core.errors import InputError
from wavebind.core.shards import Arrivals, ChunkStore, Shard

HOLD = """
import sys, time
from pathlib import Path
from wavebind.core.shards import ChunkStore, Shard
store = ChunkStore(Path(sys.argv[1]), {"genome": "a"})
with store.claimed(Shard(1, 2)):
    print("held", flush=True)
    time.sleep(600)
"""


def test_chunks_of_another_job_are_never_taken(tmp_path: Path) -> None:
    """As when the removal of a finished job was interrupted after its job.json."""
    first = ChunkStore(tmp_path / "p", {"model": "one"})
    first.write(0, {"x": np.array([1.0])})
    (tmp_path / "p" / "job.json").unlink()
    second = ChunkStore(tmp_path / "p", {"model": "two"})
    assert not second.has(0)
    with pytest.raises(InputError, match="this chunk is not done yet"):
        second.read(0)
    second.write(0, {"x": np.array([2.0])})
    assert second.read(0)["x"] == [2.0]
    assert second.n_done() == 1
    second.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_thread_reads_chunks_as_they_arrive(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path / "p", {"model": "one"})
    arrivals = Arrivals(store)
    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(arrivals.read, 1)
        store.write(0, {"x": np.array([1.0])})
        arrivals.tell()
        assert not reading.done()
        store.write(1, {"x": np.array([2.0])})
        arrivals.tell()
        assert reading.result(timeout=60)["x"] == [2.0]
        never = reader.submit(arrivals.read, 2)
        arrivals.stop()
        with pytest.raises(InputError, match="this chunk is not done yet"):
            never.result(timeout=60)


def test_another_version_does_not_go_on(tmp_path: Path) -> None:
    ChunkStore(tmp_path / "p", {"model": "one"})
    path = tmp_path / "p" / "job.json"
    stored = json.loads(path.read_text())
    assert stored["version"]
    path.write_text(json.dumps({**stored, "version": "0.0.1"}))
    with pytest.raises(InputError, match=r'version was "0\.0\.1" and is ".+"'):
        ChunkStore(tmp_path / "p", {"model": "one"})


def test_a_share_has_one_process_and_a_dead_one_does_not_hold_it(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    store = ChunkStore(folder, {"genome": "a"})
    with (
        pytest.raises(InputError, match=f"process {holder.pid} on .* is doing this work now"),
        store.claimed(Shard(1, 2)),
    ):
        pass
    with store.claimed(Shard(2, 2)):
        pass
    holder.kill()
    holder.communicate()
    with store.claimed(Shard(1, 2)):
        assert (folder / "share-1-of-2.lock").read_text().startswith(f"process {os.getpid()} ")


def test_a_removal_is_seen_whole_or_not_at_all(tmp_path: Path, monkeypatch) -> None:
    store = ChunkStore(tmp_path / "p", {"model": "one"})
    store.write(0, {"x": np.zeros(1)})

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wavebind.core.shards.shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        store.remove()
    assert not (tmp_path / "p").exists()


def test_a_file_system_without_locks_is_worked_on_all_the_same(tmp_path, monkeypatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("wavebind.core.shards.fcntl.flock", none)
    store = ChunkStore(tmp_path / "p", {"model": "one"})
    with store.claimed(Shard()):
        store.write(0, {"x": np.arange(3)})
    assert store.read(0)["x"].tolist() == [0, 1, 2]


def test_a_folder_that_became_read_only_is_named(tmp_path, monkeypatch) -> None:
    store = ChunkStore(tmp_path / "p", {"model": "one"})

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refused)
    with (
        pytest.raises(InputError, match="permission denied; write elsewhere"),
        store.claimed(Shard()),
    ):
        pass
