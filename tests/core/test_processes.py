import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers import ROOT
from wavebind.core.errors import InputError
from wavebind.core.processes import run_isolated


def work(x, say):
    say("epoch", x)
    return 2 * x, os.getpid()


def hungry(megabytes, say):
    block = np.ones(megabytes * 2**17)
    time.sleep(0.1)
    return float(block.sum())


def refuse(say):
    raise InputError("the input is wrong")


def fail(say):
    return 1 / 0


def die(say):
    os._exit(3)


def test_the_answer_the_messages_and_another_process():
    heard = []
    (value, pid), cost = run_isolated(work, (21,), lambda *m: heard.append(m))
    assert value == 42
    assert pid != os.getpid()
    assert heard == [("epoch", 21)]
    assert 0 <= cost.seconds < 30


@pytest.mark.slow
def test_memory_is_that_of_the_work_alone():
    _, small = run_isolated(hungry, (1,), print)
    _, large = run_isolated(hungry, (300,), print)
    assert 280e6 < large.peak_memory - small.peak_memory < 340e6
    assert large.seconds >= 0.1


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (refuse, InputError, "the input is wrong"),
        (fail, RuntimeError, "ZeroDivisionError"),
        (die, InputError, r"the process was ended \(code 3\), perhaps because memory ran out"),
    ],
)
def test_errors_come_back(function, kind, message):
    with pytest.raises(kind, match=message):
        run_isolated(function, (), print)


def answer_at_length(say):
    say("the answer is next")
    return np.zeros(2**24)


def test_a_process_that_is_killed_in_the_middle_of_its_answer_is_not_waited_for():
    def kill(_):
        # By now the beginning of the answer fills the pipe.
        time.sleep(1)
        (process,) = multiprocessing.active_children()
        process.kill()

    with pytest.raises(InputError, match=r"the process was ended \(code -9\)"):
        run_isolated(answer_at_length, (), kill)


PARENT = """
import sys
sys.path[:0] = [sys.argv[2], sys.argv[3]]
from tests.core.test_processes import linger
from wavebind.core.processes import run_isolated, starting_processes
if __name__ == "__main__":
    run_isolated(linger, (sys.argv[1],), print)
"""


def linger(path: str, say: Callable[..., None]) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(600)


def test_a_process_ends_with_its_parent(tmp_path: Path) -> None:
    script, told = tmp_path / "parent.py", tmp_path / "pid"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(told), str(ROOT), str(ROOT / "tests")]
    )
    while not (told.exists() and told.read_text()):
        assert parent.poll() is None, "the parent ended before its child had begun"
        time.sleep(0.05)
    child = int(told.read_text())
    os.kill(child, 0)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while True:
        # Orphans of a container without an init stay as zombies, which have ended too.
        status = Path(f"/proc/{child}/stat")
        if not status.exists() or status.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)


UNGUARDED = """
import sys
from pathlib import Path
import numpy as np
from told import told_size
from wavebind.core.processes import run_isolated, starting_processes
with Path(sys.argv[1]).open("a") as stream:
    stream.write("once\\n")
# More than a pipe holds: a process that ends before it has read it would be waited for forever.
size, _ = run_isolated(told_size, (np.zeros(200_000),), print)
print(size)
"""


def test_a_script_without_a_guard_is_run_once(tmp_path: Path) -> None:
    script, told = tmp_path / "script.py", tmp_path / "lines"
    script.write_text(UNGUARDED)
    (tmp_path / "told.py").write_text("def told_size(x, say):\n    return x.size\n")
    done = subprocess.run(
        [sys.executable, script, told], capture_output=True, text=True, check=False
    )
    assert done.stdout == "200000\n", done.stderr
    assert told.read_text() == "once\n"


#: In a process of its own: that of the tests may ignore the signal, or not be at its main thread.
INTERRUPTED = """
import multiprocessing, signal, sys, time
from begun import masked
from wavebind.core.processes import starting_processes

mine, theirs = multiprocessing.get_context("spawn").Pipe()
process = multiprocessing.get_context("spawn").Process(target=masked, args=(theirs,))
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with starting_processes():
        process.start()
        signal.raise_signal(signal.SIGINT)
        print("still starting")
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", mine.recv(), signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


def test_a_process_hears_no_ctrl_c_not_even_while_it_begins(tmp_path):
    """It comes to all processes of a terminal, and the imports of a new one take seconds."""
    (tmp_path / "begun.py").write_text(
        "import signal\n\ndef masked(pipe):\n"
        "    pipe.send(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["still starting", "interrupted True set()"], done.stderr
