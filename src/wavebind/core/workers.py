"""Who does the chunks of a job: this process, processes of this machine, or a Dask cluster.

A chunk is done by one thread, whoever does it. Sums of floating-point numbers depend on how many
threads share them, and the output must not.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import islice
from typing import Any

from wavebind.core.devices import one_thread, resolve_device
from wavebind.core.errors import InputError, Interrupted
from wavebind.core.memory import keep_memory
from wavebind.core.processes import end_with_parent, starting_processes
from wavebind.core.shards import Arrays, ChunkStore

__all__ = ["WorkerPool", "run_chunks", "silent"]

#: A chunk whose process died this many times is given up.
MAX_DEATHS = 3
#: Chunks that wait for each worker, so that none is idle and few are held.
_AHEAD = 2

Work = Callable[[Any], Arrays]
Chunk = tuple[int, Any]


@dataclass(frozen=True)
class WorkerPool:
    """Who does the work.

    Attributes
    ----------
    workers : int or None
        Processes on this machine; by default one a processor core that this process may use, or
        one for a GPU. With one, this process does the work itself.
    dask : str or None
        Address of a Dask scheduler, as ``tcp://10.0.0.1:8786``, whose workers do it instead. They
        must see the input files under the same paths, and have wavebind.
    wait : float
        Seconds that the scheduler has to answer.
    """

    workers: int | None = None
    dask: str | None = None
    wait: float = 20.0

    def __post_init__(self) -> None:
        if self.workers is not None and not 1 <= self.workers <= 1024:
            raise InputError(f"workers must be from 1 to 1024; found {self.workers}")
        if self.dask is not None and self.workers is not None:
            raise InputError("a Dask cluster has its own workers; give --dask or --workers")

    def on(self, device: str) -> WorkerPool:
        """The same for work on a device: one process a GPU, if no number was asked for.

        Parameters
        ----------
        device : str
            As :func:`wavebind.core.devices.resolve_device` takes it.

        Raises
        ------
        InputError
            If this machine has no such device.
        """
        if self.workers is not None or self.dask is not None:
            return self
        # Processes would share one card, each with a copy of the network and a queue of its own.
        return self if resolve_device(device).type == "cpu" else replace(self, workers=1)

    @property
    def size(self) -> int:
        """Processes on this machine."""
        if self.workers is not None:
            return self.workers
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1


def run_chunks(
    work: Work,
    chunks: Iterable[Chunk],
    store: ChunkStore,
    pool: WorkerPool,
    done: Callable[[Any], None] | None = None,
) -> None:
    """Do the chunks that are not done, and keep their results.

    Parameters
    ----------
    work : callable
        From a chunk to its arrays; it and the chunks can be pickled. Its result depends on nothing
        else.
    chunks : iterable of tuple
        Number and chunk; read as the work goes on.
    store : ChunkStore
    pool : WorkerPool
    done : callable, optional
        Called with each chunk, also with those that were there.

    Raises
    ------
    InputError
        As `work` does, if a chunk's process died again and again, or the cluster is not there.
    Interrupted
        On Ctrl-C; what is done is kept.
    """

    def missing() -> Iterator[Chunk]:
        for number, chunk in chunks:
            if not store.has(number):
                yield number, chunk
            elif done:
                done(chunk)

    def keep(number: int, chunk: Any, arrays: Arrays) -> None:
        store.write(number, arrays)
        if done:
            done(chunk)

    try:
        if pool.dask is not None:
            _run_dask(work, missing(), keep, pool, store.fingerprint)
        elif pool.size == 1:
            with one_thread():
                for number, chunk in missing():
                    keep(number, chunk, work(chunk))
        else:
            _run_pool(work, missing(), keep, pool.size)
    except KeyboardInterrupt:
        raise Interrupted(f"{store.n_done():,} chunks are kept in {store.folder}") from None


def silent(*_: object) -> None:
    """Say nothing, where nobody listens."""


def _start_process() -> None:
    # Ctrl-C goes to every process of a terminal; the one that shares out the work ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    _start()


def _start() -> None:
    import torch

    keep_memory()
    torch.set_num_threads(1)


def _run_pool(
    work: Work, chunks: Iterator[Chunk], keep: Callable[[int, Any, Arrays], None], size: int
) -> None:
    """Processes that are started anew, not forked: a fork of a process with threads can hang."""
    # Asked before the first process starts: many runs have nothing left to do.
    waiting = list(islice(chunks, size * _AHEAD))
    if not waiting:
        return
    deaths: dict[int, int] = {}
    others = set(multiprocessing.active_children())
    while waiting:
        pool = ProcessPoolExecutor(
            size, mp_context=multiprocessing.get_context("spawn"), initializer=_start_process
        )
        running: dict[Future[Arrays], Chunk] = {}
        try:
            while waiting or running:
                while waiting:
                    # Taken off the list only then: a pool that has just lost a process refuses it.
                    with starting_processes():
                        running[pool.submit(work, waiting[0][1])] = waiting[0]
                    del waiting[0]
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    arrays = future.result()
                    keep(*running.pop(future), arrays)
                waiting += islice(chunks, max(0, size * _AHEAD - len(running)))
        except BrokenProcessPool:
            # A process was killed. Whose chunk it had cannot be told, so all that ran are suspect.
            for future, chunk in running.items():
                if future.done() and future.exception() is None:
                    keep(*chunk, future.result())
                    continue
                waiting.append(chunk)
                deaths[chunk[0]] = deaths.get(chunk[0], 0) + 1
                if deaths[chunk[0]] >= MAX_DEATHS:
                    raise InputError(
                        f"a worker process was ended {MAX_DEATHS} times while chunk {chunk[0]} was "
                        f"at work, perhaps because memory ran out; use fewer --workers"
                    ) from None
        except KeyboardInterrupt:
            for future, chunk in running.items():
                if future.done() and not future.cancelled() and future.exception() is None:
                    keep(*chunk, future.result())
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise
        except Exception:
            # A chunk failed. What the others have begun is worth keeping for the next try.
            pool.shutdown(wait=True, cancel_futures=True)
            for future, chunk in running.items():
                if not future.cancelled() and future.exception() is None:
                    keep(*chunk, future.result())
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _in_one_thread(work: Work, chunk: Any) -> Arrays:
    _start()
    return work(chunk)


def _run_dask(
    work: Work,
    chunks: Iterator[Chunk],
    keep: Callable[[int, Any, Arrays], None],
    pool: WorkerPool,
    fingerprint: str,
) -> None:
    """A worker that dies has its chunks redone by the scheduler."""
    address = pool.dask
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise InputError(
            "--dask needs the package 'distributed'; install it with pip install 'wavebind[dask]'"
        ) from None
    try:
        client = distributed.Client(address, timeout=pool.wait, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"{address}: no Dask scheduler answers there ({error}); start one with 'dask scheduler'"
        ) from error
    with contextlib.closing(client), client.as_current():
        threads = sum(client.nthreads().values())
        if not threads:
            raise InputError(f"{address}: the Dask cluster has no workers; start some")
        running: dict[Any, Chunk] = {}

        def submit() -> None:
            for number, chunk in islice(chunks, max(0, _AHEAD * threads - len(running))):
                key = f"wavebind-{fingerprint}-{number}"
                future = client.submit(_in_one_thread, work, chunk, key=key, pure=False, retries=2)
                running[future] = (number, chunk)

        submit()
        while running:
            ended = distributed.wait(list(running), return_when="FIRST_COMPLETED").done
            for future in ended:
                number, chunk = running.pop(future)
                try:
                    arrays = future.result()
                except distributed.KilledWorker as error:
                    raise InputError(
                        f"the workers of {address} died again and again at chunk {number}, perhaps "
                        f"because memory ran out ({error})"
                    ) from error
                keep(number, chunk, arrays)
            submit()
