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

__all__ = ["WorkerPool", "Workers", "run_chunks", "silent"]

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

    @contextlib.contextmanager
    def started(self) -> Iterator[Workers]:
        """The workers of several calls of :func:`run_chunks`, which share their processes."""
        workers = Workers(self)
        try:
            yield workers
        finally:
            workers.end()


class Workers:
    """Processes of this machine, started when they are first needed and kept until the end.

    They are started anew, not forked: a fork of a process with threads can hang. Each imports
    everything, which takes seconds.

    Parameters
    ----------
    pool : WorkerPool
    """

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self._executor: ProcessPoolExecutor | None = None
        self._others: set[Any] = set()

    @property
    def are_started(self) -> bool:
        """Whether there are processes."""
        return self._executor is not None

    def submit(self, work: Work, chunk: Any) -> Future[Arrays]:
        """Hand a chunk to a process."""
        if self._executor is None:
            self._others = set(multiprocessing.active_children())
            self._executor = ProcessPoolExecutor(
                self.pool.size,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_process,
            )
        with starting_processes():
            return self._executor.submit(work, chunk)

    def terminate(self) -> None:
        """End the processes in the middle of their work."""
        for process in set(multiprocessing.active_children()) - self._others:
            process.terminate()
        self.end()

    def end(self) -> None:
        """End the processes when they have done what they are at; later work starts others."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None


def run_chunks(
    work: Work,
    chunks: Iterable[Chunk],
    store: ChunkStore,
    pool: WorkerPool | Workers,
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
    pool : WorkerPool or Workers
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

    with contextlib.ExitStack() as stack:
        workers = pool if isinstance(pool, Workers) else stack.enter_context(pool.started())
        _run(work, missing(), keep, workers, store)


def _run(
    work: Work,
    chunks: Iterator[Chunk],
    keep: Callable[[int, Any, Arrays], None],
    workers: Workers,
    store: ChunkStore,
) -> None:
    try:
        if workers.pool.dask is not None:
            _run_dask(work, chunks, keep, workers.pool, store.fingerprint)
        elif workers.pool.size == 1:
            _run_here(work, chunks, keep)
        else:
            _run_pool(work, chunks, keep, workers)
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


def _run_here(
    work: Work, chunks: Iterable[Chunk], keep: Callable[[int, Any, Arrays], None]
) -> None:
    with one_thread():
        for number, chunk in chunks:
            keep(number, chunk, work(chunk))


def _run_pool(
    work: Work, chunks: Iterator[Chunk], keep: Callable[[int, Any, Arrays], None], workers: Workers
) -> None:
    most = workers.pool.size * _AHEAD
    # Asked before the first process starts: many runs have nothing left to do, or one chunk.
    waiting = list(islice(chunks, most))
    if len(waiting) == 1 and not workers.are_started:
        _run_here(work, waiting, keep)
        return
    deaths: dict[int, int] = {}
    while waiting:
        running: dict[Future[Arrays], Chunk] = {}
        try:
            while waiting or running:
                while waiting:
                    # Taken off the list only then: a pool that has just lost a process refuses it.
                    running[workers.submit(work, waiting[0][1])] = waiting[0]
                    del waiting[0]
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    arrays = future.result()
                    keep(*running.pop(future), arrays)
                waiting += islice(chunks, max(0, most - len(running)))
        except BrokenProcessPool:
            # A process was killed. Whose chunk it had cannot be told, so all that ran are suspect.
            workers.end()
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
            workers.terminate()
            raise
        except Exception:
            # A chunk failed. What the others have begun is worth keeping for the next try.
            workers.end()
            for future, chunk in running.items():
                if not future.cancelled() and future.exception() is None:
                    keep(*chunk, future.result())
            raise


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
