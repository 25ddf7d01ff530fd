"""A search as it is stored: trials in a journal that several processes share.

Optuna keeps the trials. What it does not know is which of them belong to a process that has died.
So every trial says whose it is and when it was last heard of. A lost one is begun again, from its
checkpoint where there is one.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import read_json

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, Trial

__all__ = [
    "ERROR",
    "alive",
    "beating",
    "best_trial",
    "end_trial",
    "ended",
    "folder_number",
    "join_study",
    "next_trial",
    "reclaim",
    "repeated",
]

#: Version of the folder of a search.
FORMAT = 2
#: Seconds between two signs of life, and after how many without one a trial is taken to be lost.
BEAT, SILENCE = 20.0, 180.0
#: Names of a trial's attributes: whose it is and when it was last heard of, why it was not
#: possible, under which number it keeps its run, and which lost trial it repeats; that it does
#: not count.
WORKER, BEAT_AT, ERROR, FOLDER, REPEATS = "worker", "beat", "error", "folder", "repeats"
VOID, BASE = "void", "base"


def join_study(
    folder: Path, agreed: Mapping[str, Any], base: dict[str, Any] | None
) -> optuna.Study:
    """Begin the search of a folder, or join it.

    Parameters
    ----------
    folder : pathlib.Path
        Processes that share a search share this folder.
    agreed : mapping
        What all processes must agree on, as plain data.
    base : dict or None
        Values of the first trial.

    Raises
    ------
    InputError
        If the folder holds something else, the search was begun with other settings (the message
        names one), or its journal is damaged.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    _agree(folder, json.loads(json.dumps(agreed)))
    journal = folder / "study.journal"
    try:
        study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(journal))),
            study_name="wavebind",
            load_if_exists=True,
            direction="maximize",
        )
        if base is not None and not study.get_trials(deepcopy=False):
            # Processes that begin at once may each do so: see next_trial.
            study.enqueue_trial(base, user_attrs={BASE: True})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{journal}: is not the journal of a search, or is damaged ({error}); choose another "
            f"--out"
        ) from error
    return study


def _agree(folder: Path, agreed: dict[str, Any]) -> None:
    """Leave the settings in ``tune.json``, or compare them with those of the process before."""
    marker = folder / "tune.json"
    folder.mkdir(parents=True, exist_ok=True)
    # What another process is about to name tune.json is no foreign file.
    foreign = [path for path in folder.iterdir() if not path.name.startswith(".tune.json.")]
    if foreign and not marker.is_file():
        raise InputError(f"{folder}: is there and is not a search; choose another --out")
    temporary = folder / f".tune.json.{socket.gethostname()}.{os.getpid()}.{time.monotonic_ns()}"
    temporary.write_text(
        json.dumps({"format": FORMAT, "settings": agreed}, indent=2) + "\n", encoding="utf-8"
    )
    try:
        # The first of several processes that begin at once gives the name: a link is never
        # replaced.
        with contextlib.suppress(FileExistsError):
            _give_name(temporary, marker)
    finally:
        temporary.unlink()
    found = _read_marker(marker)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(
            f"{marker}: the search was begun by another version of wavebind; go on with that "
            f"version, or begin again in another --out"
        )
    for name, value in agreed.items():
        theirs = found["settings"].get(name)
        if theirs != value:
            raise InputError(
                f"{folder}: the search was begun with {name} {_short(theirs)}, and this is with "
                f"{_short(value)}; leave that as it was, or choose another --out"
            )


def _read_marker(marker: Path) -> Any:
    """What tune.json holds; another process may be about to fill it."""
    for _ in range(50):
        if marker.stat().st_size:
            break
        time.sleep(0.1)
    return read_json(marker)


def _give_name(temporary: Path, marker: Path) -> None:
    """Give a file its name, unless another process was first."""
    try:
        os.link(temporary, marker)
    except FileExistsError:
        raise
    except OSError:
        # A shared folder without hard links: the name is taken first, and filled at once.
        text = temporary.read_bytes()
        with marker.open("xb") as stream:
            stream.write(text)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def alive(trial: FrozenTrial, now: float | None = None) -> bool:
    """Whether the process of a running trial is still there, as far as can be told."""
    host, _, number = str(trial.user_attrs.get(WORKER, ":0")).rpartition(":")
    if host == socket.gethostname() and number.isdigit():
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
    begun = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    beat = float(trial.user_attrs.get(BEAT_AT, begun))
    return (time.time() if now is None else now) - beat < SILENCE


def repeated(study: optuna.Study) -> set[int]:
    """Numbers of the lost trials that another trial repeats."""
    trials = study.get_trials(deepcopy=False)
    return {int(t.user_attrs[REPEATS]) for t in trials if REPEATS in t.user_attrs}


def ended(study: optuna.Study) -> tuple[int, int]:
    """Numbers of trials that came to an end, and that run."""
    return _stand(study.get_trials(deepcopy=False))


def _stand(trials: list[FrozenTrial]) -> tuple[int, int]:
    from optuna.trial import TrialState

    done = sum(
        trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        or (trial.state == TrialState.FAIL and ERROR in trial.user_attrs)
        for trial in trials
    )
    return done, sum(trial.state == TrialState.RUNNING for trial in trials)


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """The trial with the highest value, None while none is complete."""
    from optuna.trial import TrialState

    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max(done, key=lambda t: (t.value, -t.number), default=None)


def folder_number(trial: FrozenTrial | Trial) -> int:
    """Under which number a trial keeps its run: its own, or that of the lost one it repeats."""
    return int(trial.user_attrs.get(FOLDER, trial.number))


def reclaim(study: optuna.Study) -> int:
    """Give up trials whose process is gone, and put them in line to be begun again.

    Returns
    -------
    int
        How many there were.
    """
    from optuna.trial import TrialState

    n = 0
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not alive(trial) and end_trial(study, trial.number, TrialState.FAIL):
            study.enqueue_trial(
                trial.params,
                user_attrs={FOLDER: folder_number(trial), REPEATS: trial.number},
            )
            n += 1
    return n


def next_trial(study: optuna.Study, n_trials: int) -> Trial | None:
    """Begin a trial, unless there are enough.

    Parameters
    ----------
    study : optuna.Study
    n_trials : int
        Wanted in the whole study.

    Returns
    -------
    optuna.Trial or None
        None where as many have ended or run.
    """
    while True:
        reclaim(study)
        if sum(ended(study)) >= n_trials:
            return None
        trial = study.ask()
        before = study.get_trials(deepcopy=False)[: trial.number]
        if BASE in trial.user_attrs and any(BASE in t.user_attrs for t in before):
            # Another process has put the base in line, too.
            _give_back(study, trial)
        elif sum(_stand(before)) >= n_trials:
            # Another process has asked at the same time: those with the lower numbers stay.
            _give_back(study, trial)
            return None
        else:
            return trial


def _give_back(study: optuna.Study, trial: Trial) -> None:
    from optuna.trial import TrialState

    trial.set_user_attr(VOID, True)
    end_trial(study, trial.number, TrialState.FAIL)


def end_trial(study: optuna.Study, number: int, state: Any, value: float | None = None) -> bool:
    """End a trial; whether it was still running."""
    from optuna.exceptions import UpdateFinishedTrialError

    try:
        study.tell(number, value, state)
    except (ValueError, UpdateFinishedTrialError):
        # Its own end, or another process, was quicker.
        return False
    return True


@contextlib.contextmanager
def beating(trial: Trial) -> Iterator[None]:
    """Give signs of life of a trial while the block runs."""
    from optuna.exceptions import UpdateFinishedTrialError

    stop = threading.Event()

    def beat() -> None:
        # A trial that another process has given up cannot be written to; the training finds out.
        with contextlib.suppress(UpdateFinishedTrialError):
            while not stop.wait(BEAT):
                trial.set_user_attr(BEAT_AT, time.time())

    trial.set_user_attr(WORKER, f"{socket.gethostname()}:{os.getpid()}")
    trial.set_user_attr(BEAT_AT, time.time())
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
