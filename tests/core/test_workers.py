"""Pieces of work: kept, shared, redone when a worker dies; the same whoever does them."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from wavebind.core.devices import one_thread
from wavebind.core.errors import InputError
from wavebind.core.shards import Arrays, ChunkStore, Shard, chunks_folder
from wavebind.core.workers import WorkerPool, run_chunks


def square(folder: str, number: int) -> Arrays:
    """Leaves a file of its own at each call, so that calls can be counted."""
    calls = len(list(Path(folder).glob(f"{number}-*")))
    (Path(folder) / f"{number}-{calls}-{os.getpid()}").touch()
    return {"square": np.array([number**2]), "threads": np.array([torch.get_num_threads()])}


def die_once(folder: str, number: int) -> Arrays:
    """Kills its process at chunk 3, the first time."""
    marker = Path(folder) / "died"
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(folder, number)


def die_always(folder: str, number: int) -> Arrays:
    os.kill(os.getpid(), signal.SIGKILL)
    return square(folder, number)


def fail(folder: str, number: int) -> Arrays:
    if number == 2:
        raise InputError("chunk two is wrong")
    return square(folder, number)


def numbered(n: int) -> list[tuple[int, int]]:
    return [(i, i) for i in range(n)]


def squares(store: ChunkStore, n: int) -> list[int]:
    return [int(store.read(i)["square"][0]) for i in range(n)]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_chunk_is_done_once_by_one_thread(tmp_path: Path, workers: int) -> None:
    calls = tmp_path / "calls"
    calls.mkdir()
    store = ChunkStore(tmp_path / "parts", {"a": 1})
    done: list[int] = []
    run_chunks(partial(square, str(calls)), numbered(7), store, WorkerPool(workers), done.append)
    assert squares(store, 7) == [0, 1, 4, 9, 16, 25, 36]
    assert {int(store.read(i)["threads"][0]) for i in range(7)} == {1}
    assert sorted(done) == list(range(7))
    assert len(list(calls.iterdir())) == 7
    # Again: nothing is left to do, and all is reported.
    run_chunks(partial(fail, str(calls)), numbered(7), store, WorkerPool(workers), done.append)
    assert len(done) == 14
    assert len(list(calls.iterdir())) == 7


def test_what_is_there_is_not_done_again(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path / "parts", {})
    store.write(1, {"square": np.array([77])})
    run_chunks(partial(square, str(tmp_path)), numbered(3), store, WorkerPool(1))
    assert squares(store, 3) == [0, 77, 4]


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    calls.mkdir()
    store = ChunkStore(tmp_path / "parts", {})
    run_chunks(partial(die_once, str(calls)), numbered(9), store, WorkerPool(2))
    assert (calls / "died").exists()
    assert squares(store, 9) == [i**2 for i in range(9)]


def test_a_pool_that_breaks_between_two_chunks_loses_none(tmp_path: Path) -> None:
    """They end while a result is being kept, so that the next chunk is the first to know."""
    store = ChunkStore(tmp_path / "parts", {})
    done: list[int] = []

    def end_the_processes(number: int) -> None:
        done.append(number)
        if len(done) == 1:
            for process in multiprocessing.active_children():
                process.kill()
            # The pool's own thread has to see it, or the break comes with the next result instead.
            time.sleep(1)

    run_chunks(partial(square, str(tmp_path)), numbered(9), store, WorkerPool(2), end_the_processes)
    assert squares(store, 9) == [i**2 for i in range(9)]
    assert sorted(done) == list(range(9))


def test_a_chunk_that_kills_every_worker_is_given_up(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path / "parts", {})
    with pytest.raises(InputError, match=r"was ended 3 times while chunk 0 was at work.*--workers"):
        run_chunks(partial(die_always, str(tmp_path)), numbered(2), store, WorkerPool(2))


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_come_through_and_what_was_done_is_kept(tmp_path: Path, workers: int) -> None:
    store = ChunkStore(tmp_path / "parts", {})
    with pytest.raises(InputError, match="chunk two is wrong"):
        run_chunks(partial(fail, str(tmp_path)), numbered(20), store, WorkerPool(workers))
    assert store.has(0)
    assert not store.has(2)


@pytest.mark.slow
def test_dask_workers_one_of_which_is_killed(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    calls = tmp_path / "calls"
    calls.mkdir()
    store = ChunkStore(tmp_path / "parts", {})
    with distributed.LocalCluster(
        n_workers=3,
        threads_per_worker=1,
        processes=True,
        # Any free port: without a dashboard the server would still want 8787, as another test may.
        dashboard_address="127.0.0.1:0",
        local_directory=str(tmp_path / "dask"),
        silence_logs=50,
    ) as cluster:
        run_chunks(
            partial(die_once, str(calls)),
            numbered(12),
            store,
            WorkerPool(dask=cluster.scheduler_address),
        )
    assert (calls / "died").exists()
    assert squares(store, 12) == [i**2 for i in range(12)]
    pids = {path.name.split("-")[2] for path in calls.glob("*-*-*")}
    assert str(os.getpid()) not in pids
    assert len(pids) > 1


def test_no_scheduler_there(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    store = ChunkStore(tmp_path / "parts", {})
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(InputError, match=f"{address}: no Dask scheduler answers there"):
            run_chunks(
                partial(square, str(tmp_path)), numbered(1), store, WorkerPool(dask=address, wait=1)
            )


def test_calls_share_processes_which_end_with_the_last(tmp_path: Path) -> None:
    with WorkerPool(2).started() as workers:
        for part in range(2):
            calls = tmp_path / f"calls{part}"
            calls.mkdir()
            store = ChunkStore(tmp_path / f"parts{part}", {})
            run_chunks(partial(square, str(calls)), numbered(6), store, workers)
            assert squares(store, 6) == [i**2 for i in range(6)]
        started = {process.pid for process in multiprocessing.active_children()}
        who = {int(path.name.split("-")[2]) for path in tmp_path.glob("calls*/*")}
        assert who <= started
    assert not started & {process.pid for process in multiprocessing.active_children()}


def test_one_chunk_starts_no_process(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    calls.mkdir()
    store = ChunkStore(tmp_path / "parts", {})
    run_chunks(partial(square, str(calls)), numbered(1), store, WorkerPool(2))
    assert [path.name for path in calls.iterdir()] == [f"0-0-{os.getpid()}"]
    assert store.read(0)["threads"][0] == 1


def test_shards_share_the_pieces() -> None:
    shards = [Shard(i, 3) for i in (1, 2, 3)]
    owners = [[s.index for s in shards if s.has(chunk)] for chunk in range(7)]
    assert owners == [[1], [2], [3], [1], [2], [3], [1]]
    assert Shard.parse(" 3/20 ") == Shard(3, 20)
    assert Shard().has(12345)


@pytest.mark.parametrize("text", ["3", "a/b", "1/2/3", "-1/2", ""])
def test_a_shard_that_is_none(text: str) -> None:
    with pytest.raises(InputError, match="is not of the form i/n, as 3/20"):
        Shard.parse(text)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/200000"])
def test_a_shard_out_of_range(text: str) -> None:
    with pytest.raises(InputError, match=f"shard {text}: the first number goes from 1"):
        Shard.parse(text)


def test_a_folder_of_other_work_is_refused(tmp_path: Path) -> None:
    ChunkStore(tmp_path / "p", {"genome": "a", "n": 1})
    ChunkStore(tmp_path / "p", {"n": 1, "genome": "a"})
    with pytest.raises(InputError, match='chunks of other work: genome was "a" and is "b"'):
        ChunkStore(tmp_path / "p", {"genome": "b", "n": 1})
    for text in ("no json", json.dumps([1])):
        (tmp_path / "p" / "job.json").write_text(text)
        with pytest.raises(InputError, match="its description is damaged"):
            ChunkStore(tmp_path / "p", {"genome": "a"})


def test_a_damaged_or_missing_piece(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path / "p", {})
    with pytest.raises(InputError, match="this chunk is not done yet"):
        store.read(0)
    store.write(0, {"x": np.arange(3)})
    (path,) = (tmp_path / "p").glob("piece-*.npz")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match=r"piece-\w+-0000000\.npz: is damaged"):
        store.read(0)
    store.remove()
    assert not (tmp_path / "p").exists()


def test_nothing_in_a_chunk_is_unpickled(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path / "p", {})
    store.write(0, {"x": np.arange(3)})
    (path,) = (tmp_path / "p").glob("piece-*.npz")
    np.savez(path, x=np.array([{"evil": 1}], dtype=object))
    with pytest.raises(InputError, match="is damaged"):
        store.read(0)


def test_crews() -> None:
    assert WorkerPool(3).size == 3
    assert WorkerPool().size >= 1
    with pytest.raises(InputError, match="workers must be from 1 to 1024; found 0"):
        WorkerPool(0)
    with pytest.raises(InputError, match="give --dask or --workers"):
        WorkerPool(2, dask="tcp://x:1")


def test_parts_lie_beside_the_output() -> None:
    assert chunks_folder(Path("/a/b.bw")) == Path("/a/b.bw.parts")


def test_one_thread_is_put_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


UNGUARDED = """
import sys
from pathlib import Path
from told import double
from wavebind.core.shards import ChunkStore
from wavebind.core.workers import WorkerPool, run_chunks
with Path(sys.argv[1]).open("a") as stream:
    stream.write("once\\n")
store = ChunkStore(Path(sys.argv[1]).parent / "parts", {"a": 1})
run_chunks(double, enumerate([3, 4]), store, WorkerPool(workers=2))
print([int(store.read(i)["x"]) for i in range(2)])
"""


def test_a_script_without_a_guard_is_run_once(tmp_path: Path) -> None:
    script, lines = tmp_path / "script.py", tmp_path / "lines"
    script.write_text(UNGUARDED)
    (tmp_path / "told.py").write_text(
        "import numpy as np\n\n\ndef double(x):\n    return {'x': np.array(2 * x)}\n"
    )
    done = subprocess.run(
        [sys.executable, script, lines], capture_output=True, text=True, check=False
    )
    assert done.stdout == "[6, 8]\n", done.stderr
    assert lines.read_text() == "once\n"


@pytest.mark.parametrize(
    ("asked", "device", "size"), [(None, "cuda", 1), (None, "mps", 1), (3, "cuda", 3)]
)
def test_one_process_a_gpu(asked, device, size, monkeypatch):
    monkeypatch.setattr("wavebind.core.workers.resolve_device", lambda name: torch.device(name))
    assert WorkerPool(workers=asked).on(device).size == size
    assert WorkerPool(workers=asked).on("cpu") == WorkerPool(workers=asked)
