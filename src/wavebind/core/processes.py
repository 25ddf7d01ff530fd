"""A function called in a process of its own, with what it cost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from wavebind.core.errors import InputError, WavebindError
from wavebind.core.memory import keep_memory

__all__ = ["Cost", "end_with_parent", "run_isolated", "starting_processes"]

_STARTING = threading.Lock()


@dataclass(frozen=True)
class Cost:
    """What a call took.

    Attributes
    ----------
    seconds : float
        Wall-clock time, without the start of the process.
    peak_memory : int
        Largest resident memory of the process, or of one that it started, in bytes; without what
        lies on a GPU.
    """

    seconds: float
    peak_memory: int


def _peak_memory() -> int:
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    # Linux counts kilobytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    status = Path("/proc/self/status")
    if status.is_file():
        # The figure of getrusage() begins with that of the process that started this one.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return max(children, 1024 * int(line.split()[1]))
    return max(children, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


@contextmanager
def starting_processes() -> Iterator[None]:
    """Around every start of a process: it runs no script once more, and hears no Ctrl-C.

    A process that is started anew imports the main module first. A script that has no ``if __name__
    == "__main__"`` would begin all its work again in every process. Nothing that is sent to a
    process is defined there, so that it can do without.

    Ctrl-C goes to every process of a terminal; the one that started the others ends them. They
    ignore it once they run, but it may come while they still import what they need, and would be
    answered with a traceback. So the signal is blocked while they are started, which they inherit;
    this process gets it at the end of the block.
    """
    main = vars(sys.modules["__main__"])
    # Of two threads, the second would take for the module's own what the first has put there.
    with _STARTING:
        names = "__file__", "__spec__"
        hidden: dict[str, Any] = {name: main[name] for name in names if name in main}
        main.pop("__file__", None)
        main["__spec__"] = None
        # The first start of a process also starts this one, which then unblocks the signal.
        resource_tracker.ensure_running()
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            main.update(hidden)
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)


def end_with_parent() -> None:
    """End this process when the one that started it has ended, however that came about.

    A parent that is killed cannot end its children, which would go on for hours.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def _work(answers: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    sending = threading.Lock()

    def send(kind: str, content: Any) -> None:
        # Messages may come from several threads.
        with sending:
            answers.send((kind, content))

    def tell(*message: Any) -> None:
        send("message", message)

    # Ctrl-C goes to every process of a terminal; the one that has started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_memory()
    end_with_parent()
    started = time.monotonic()
    try:
        result = function(*arguments, tell)
        send("done", (result, time.monotonic() - started, _peak_memory()))
    except WavebindError as error:
        send("input", str(error))
    except Exception:
        send("failed", traceback.format_exc())


def run_isolated(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    on_message: Callable[..., None],
) -> tuple[Any, Cost]:
    """Call a function in a fresh process, so that its memory is its own.

    Parameters
    ----------
    function : callable
        Of a module's top level. Takes `arguments` and then a callable for messages.
    arguments : tuple
    on_message : callable
        Called here with each message.

    Returns
    -------
    tuple
        What the function returned, and what it cost.

    Raises
    ------
    InputError
        As the function did, or if the process ended without an answer.
    """
    context = multiprocessing.get_context("spawn")
    messages, answers = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(answers, function, arguments), daemon=True)
    with starting_processes():
        process.start()
    try:
        # The only end to write to is then the process's own, so that nothing more is awaited from
        # one that was ended, not even in the middle of its answer.
        answers.close()
        while True:
            try:
                kind, content = messages.recv()
            except (EOFError, OSError):
                process.join()
                raise InputError(
                    f"the process was ended (code {process.exitcode}), perhaps because memory ran "
                    f"out"
                ) from None
            if kind == "message":
                on_message(*content)
            elif kind == "input":
                raise InputError(content)
            elif kind == "failed":
                raise RuntimeError(content)
            else:
                result, seconds, memory = content
                return result, Cost(seconds, memory)
    except KeyboardInterrupt:
        # What it has written is whole: it could have been killed at any time.
        process.terminate()
        raise
    finally:
        process.join(timeout=5)
        if process.is_alive():
            process.terminate()
            process.join()
        # Not before: the process would fail, and say so, at what it still had to tell.
        messages.close()
