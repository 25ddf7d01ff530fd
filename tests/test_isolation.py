import os
import time

import numpy as np
import pytest

from wavebind.errors import InputError
from wavebind.isolation import run_isolated


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
        (die, InputError, r"the process was ended \(code 3\), perhaps for want of memory"),
    ],
)
def test_errors_come_back(function, kind, message):
    with pytest.raises(kind, match=message):
        run_isolated(function, (), print)
