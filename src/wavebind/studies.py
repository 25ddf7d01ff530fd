"""A search as it is stored: trials that several processes share, and which of them count.

Optuna keeps the study, in a journal file on one disk, in SQLite, or in a database over a network.
What it does not know is which trials belong to a process that has died. Every trial says whose it
is and when it was last heard of; a lost one is begun again, from its checkpoint where there is one.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wavebind.errors import InputError

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.trial import FrozenTrial, TrialState

__all__ = [
    "BEAT",
    "alive",
    "beating",
    "best_trial",
    "counts",
    "end",
    "folder_number",
    "give_up",
    "is_first_again",
    "is_lost",
    "open_storage",
    "open_study",
    "put_first",
    "reclaim",
    "stand",
    "storage_words",
    "worker_name",
]

#: Seconds between two signs of life, and after how many without one a trial is taken to be lost.
BEAT = 20.0
SILENCE = 180.0

#: How often an SQLite file is tried, and for how many seconds a process waits for the others.
_OPENINGS = 10
_SQLITE = {"connect_args": {"timeout": 60}}

#: Names of a trial's attributes.
WORKER, BEAT_AT, ERROR, FOLDER, LOST = "worker", "beat", "error", "folder", "lost"
BASE = "base"


def open_storage(url: str | None, folder: Path) -> BaseStorage:
    """Where a study is kept.

    Parameters
    ----------
    url : str or None
        ``sqlite:///FILE``, ``postgresql://USER@HOST/NAME`` or another address that SQLAlchemy
        knows; the path of a journal file (.journal); None for a journal in `folder`.
    folder : pathlib.Path

    Raises
    ------
    InputError
        If it cannot be opened.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if url is None or "://" not in url:
        path = folder / "study.journal" if url is None else Path(url)
        if path.suffix != ".journal":
            raise InputError(
                f"storage {url!r}: give an address like sqlite:///search.db or "
                f"postgresql://user@host/name, or a file that ends in .journal"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(JournalFileBackend(str(path)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: is not the journal of a search ({error})") from error
    return _open_database(url)


def _open_database(url: str) -> RDBStorage:
    from optuna.storages import RDBStorage

    is_sqlite = url.startswith("sqlite")
    tries = _OPENINGS if is_sqlite else 1
    while True:
        tries -= 1
        try:
            storage = RDBStorage(url, engine_kwargs=_SQLITE if is_sqlite else None)
            break
        except Exception as error:
            if tries and Path(url.partition(":///")[2].partition("?")[0]).is_file():
                # Of several processes that begin at once, one makes the tables.
                time.sleep(0.2)
                continue
            # Drivers raise errors of their own, and their text may hold a password.
            raise InputError(
                f"storage {storage_words(url)}: cannot be opened ({type(error).__name__}); is the "
                f"server there, and its Python driver installed?"
            ) from error
    if is_sqlite:
        _serialise(storage)
    return storage


def _serialise(storage: RDBStorage) -> None:
    """Let one process at a time read and write.

    SQLite has no locks on rows, and takes its lock when a transaction first writes: two processes
    could both read that a trial waits, and both begin it. As in SQLAlchemy's documentation of
    SQLite, "Serializable isolation / Savepoints / Transactional DDL".
    """
    from sqlalchemy import event

    event.listen(storage.engine, "connect", _leave_transactions_to_us)
    event.listen(storage.engine, "begin", _begin_immediate)
    # Connections from before know nothing of it.
    storage.engine.dispose()


def _leave_transactions_to_us(connection: Any, record: Any) -> None:
    del record
    connection.isolation_level = None


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def storage_words(url: str | None) -> str:
    """The storage for people, without a password."""
    if url is None:
        return "study.journal"
    if "://" not in url:
        return url
    scheme, _, rest = url.partition("://")
    account, at, place = rest.rpartition("@")
    return f"{scheme}://{account.partition(':')[0]}{at}{place}"


def open_study(storage: BaseStorage, name: str, settings: Mapping[str, Any]) -> optuna.Study:
    """Begin a study or join it.

    Parameters
    ----------
    storage : optuna.storages.BaseStorage
    name : str
    settings : mapping
        What all processes of a study must agree on, as plain data.

    Raises
    ------
    InputError
        If the study was begun with other settings; the message names one.
    """
    import optuna

    try:
        study = optuna.create_study(
            storage=storage, study_name=name, load_if_exists=True, direction="maximize"
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the storage is not that of a search, or is damaged ({error}); choose another "
            f"--storage"
        ) from error
    known = study.user_attrs
    for key, value in settings.items():
        if key not in known:
            study.set_user_attr(key, value)
        elif known[key] != value:
            raise InputError(
                f"the study {name!r} was begun with {key} {_short(known[key])}, and this is with "
                f"{_short(value)}; leave that as it was, or choose another --study or --out"
            )
    return study


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def worker_name() -> str:
    """Host and number of the process."""
    return f"{socket.gethostname()}:{os.getpid()}"


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


def is_lost(trial: FrozenTrial) -> bool:
    """Whether a trial was given up because its process was gone, or there was no room for it."""
    return LOST in trial.user_attrs


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial counts towards the number that was asked for: it came to an end."""
    from optuna.trial import TrialState

    if trial.state == TrialState.FAIL:
        return ERROR in trial.user_attrs and not is_lost(trial)
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def stand(study: optuna.Study) -> tuple[int, int, int]:
    """Numbers of trials that came to an end, run, and wait to be begun."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    running = sum(t.state == TrialState.RUNNING for t in trials)
    waiting = sum(t.state == TrialState.WAITING for t in trials)
    return sum(map(counts, trials)), running, waiting


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """The trial with the highest value, None while none is complete."""
    from optuna.trial import TrialState

    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max(done, key=lambda t: (t.value, -t.number), default=None)


def folder_number(trial: FrozenTrial | optuna.Trial) -> int:
    """Under which number a trial keeps its run: its own, or that of the lost one it repeats."""
    return int(trial.user_attrs.get(FOLDER, trial.number))


def reclaim(study: optuna.Study) -> int:
    """Give up trials whose process is gone, and put them in line to be begun again.

    Returns
    -------
    int
        How many there were.
    """
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    n = 0
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if alive(trial):
            continue
        try:
            give_up(study, trial)
        except UpdateFinishedTrialError:
            # Its own end, or another process, was quicker.
            continue
        study.enqueue_trial(trial.params, user_attrs={FOLDER: folder_number(trial)})
        n += 1
    return n


def put_first(study: optuna.Study, values: Mapping[str, Any]) -> None:
    """Put the values that a search begins from in line.

    Processes that begin at once may each do so: see :func:`is_first_again`.
    """
    study.enqueue_trial(dict(values), user_attrs={BASE: True})


def is_first_again(study: optuna.Study, trial: optuna.Trial) -> bool:
    """Whether a trial is what a search begins from, and one with a lower number is that already."""
    earlier = study.get_trials(deepcopy=False)[: trial.number]
    return BASE in trial.user_attrs and any(BASE in t.user_attrs for t in earlier)


def give_up(study: optuna.Study, trial: optuna.Trial | FrozenTrial) -> None:
    """End a trial so that it does not count.

    Raises
    ------
    optuna.exceptions.UpdateFinishedTrialError
        If it has ended already.
    """
    from optuna.trial import TrialState

    study._storage.set_trial_user_attr(trial._trial_id, LOST, True)
    end(study, trial, TrialState.FAIL)


def end(
    study: optuna.Study,
    trial: optuna.Trial | FrozenTrial,
    state: TrialState,
    value: float | None = None,
) -> None:
    """End a trial, as :meth:`optuna.Study.tell` does, which says in two ways that it has ended.

    Raises
    ------
    optuna.exceptions.UpdateFinishedTrialError
        If it has ended already.
    """
    values = None if value is None else [value]
    study._storage.set_trial_state_values(trial._trial_id, state, values)


@contextlib.contextmanager
def beating(trial: optuna.Trial) -> Iterator[None]:
    """Give signs of life of a trial while the block runs."""
    from optuna.exceptions import UpdateFinishedTrialError

    stop = threading.Event()

    def beat() -> None:
        # A trial that another process has given up cannot be written to; the training finds out.
        with contextlib.suppress(UpdateFinishedTrialError):
            while not stop.wait(BEAT):
                trial.set_user_attr(BEAT_AT, time.time())

    trial.set_user_attr(WORKER, worker_name())
    trial.set_user_attr(BEAT_AT, time.time())
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
