"""``wavebind``: the commands put together, and what becomes of an error."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Annotated

import typer

from wavebind.cli import (
    audit,
    benchmark,
    compare,
    dataset,
    demo,
    evaluate,
    explain,
    export,
    fetch,
    merge,
    models,
    motifs,
    predict,
    recipes,
    report,
    scalogram,
    scan,
    train,
    tune,
    variants,
)
from wavebind.cli import (
    run as run_command,
)
from wavebind.cli.console import note
from wavebind.cli.options import MOVED
from wavebind.core.errors import Interrupted, UsageError, WavebindError
from wavebind.core.memory import keep_memory

__all__ = ["app", "main", "run"]

app = typer.Typer(
    name="wavebind",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    help="Find where transcription factors bind DNA: train, evaluate, explain and apply "
    "convolutional networks.",
    epilog="Start with: wavebind demo",
)


def _version(value: bool) -> None:
    if value:
        from wavebind.core.versions import version

        typer.echo(f"wavebind {version()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


for _module in (
    demo,
    run_command,
    fetch,
    dataset,
    audit,
    train,
    evaluate,
    compare,
    benchmark,
    tune,
    predict,
    explain,
    motifs,
    scan,
    variants,
    merge,
    scalogram,
    report,
    export,
    recipes,
    models,
):
    _module.register(app)


def run(arguments: list[str]) -> int:
    """Run one command.

    Returns
    -------
    int
        0 done, 1 the input is wrong, 2 the command line is wrong, 130 interrupted.
    """
    moved = _moved(arguments)
    if moved:
        note(f"wavebind: error: {moved}")
        return 2
    try:
        app(args=arguments, prog_name="wavebind")
    except SystemExit as end:
        stopped = _interrupt(end)
        if stopped is not None:
            return _stopped(stopped, arguments)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except UsageError as error:
        note(f"wavebind: error: {error}")
        return 2
    except WavebindError as error:
        note(f"wavebind: error: {error}")
        return 1
    except BrokenPipeError:
        # The reader of our output, head for one, has gone; that is no error of ours. What is
        # left in the buffer must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt as stopped:
        return _stopped(stopped, arguments)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        note(f"wavebind: error: {name}{error.strerror or error}")
        return 1
    return 0


def _interrupt(end: SystemExit) -> KeyboardInterrupt | None:
    """The interrupt that typer has made an exit of, if it was one."""
    error: BaseException | None = end
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error


def _stopped(interrupt: KeyboardInterrupt, arguments: list[str]) -> int:
    """Say what was kept of work that was stopped, and how to go on."""
    if isinstance(interrupt, Interrupted):
        again = [*arguments]
        if interrupt.option and interrupt.option not in again and _has(again, interrupt.option):
            # What goes on is not to be begun anew.
            again = [word for word in again if word != "--force"] + [interrupt.option]
        note(f"wavebind: stopped; {interrupt.kept}")
        note(f"go on with: {shlex.join(['wavebind', *again])}")
    else:
        note("wavebind: stopped; nothing was written")
    return 130


def _has(arguments: list[str], option: str) -> bool:
    """Whether a command has an option; a study goes on by itself, and has none for it."""
    found = getattr(typer.main.get_command(app), "commands", {}).get(arguments[0])
    return found is not None and any(option in parameter.opts for parameter in found.params)


def _moved(arguments: list[str]) -> str:
    """What is said of an option that an earlier version spelt otherwise; empty if there is none."""
    spellings = MOVED.get(arguments[0], {}) if arguments else {}
    for argument in arguments[1:]:
        old = argument.partition("=")[0]
        if old in spellings:
            return f"{arguments[0]} {old} is now {spellings[old]}"
    return ""


def main() -> None:
    """Entry point of the ``wavebind`` program."""
    keep_memory()
    # Threads that wait for one another by spinning take the processor from those that work: with
    # another busy process an epoch took ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    raise SystemExit(run(sys.argv[1:]))
