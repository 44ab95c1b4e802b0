"""Processes that are the program from their first moment: forked from one that has imported it and done nothing else.

Importing takes a second of a core, and the tests start some hundreds of them.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from threading import Lock

_nursery = multiprocessing.get_context("forkserver")
_one_at_a_time = Lock()
"""Starting one looks after all others, and how one ended can be read only once."""
_nursery.set_forkserver_preload(["bot.__main__", "bot.commands.demo", "tests.nursery"])


def born(
    arguments: Sequence[str], *, environment: Mapping[str, str], cwd: Path, out: Connection, errors: Path
) -> ForkServerProcess:
    """Start `python -m bot …`: its stdout goes to `out`, closed here, its stderr to the end of `errors`."""
    process = _nursery.Process(target=_live, args=(arguments, dict(environment), str(cwd), out, str(errors)))
    with _one_at_a_time:
        process.start()
    out.close()
    return process


def exit_code(process: ForkServerProcess) -> int | None:
    """None while it lives."""
    with _one_at_a_time:
        return process.exitcode


def _live(
    arguments: Sequence[str], environment: Mapping[str, str], cwd: str, out: Connection, errors: str
) -> None:
    """What `python -m bot` does once it has imported the program."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    nothing = os.open(os.devnull, os.O_RDONLY)
    said = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for ours, theirs in ((nothing, 0), (out.fileno(), 1), (said, 2)):
        os.dup2(ours, theirs)
    out.close()
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = ["backstop", *arguments]

    from bot.__main__ import main

    main()
