"""`run`, `web` and `worker`: the program itself, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import signal
import sys

from bot import settings
from bot.app import Application
from bot.commands import Add
from bot.start_up import check_ready_to_run, settle

NAMES = ("run", "web", "worker")

ENDS_WITHIN = 60.0
"""Seconds that a stop takes at most; what is under way in the courier has twenty of them, the rest mostly none."""


def register(add: Add) -> None:
    add("run", _run, "listen to Slack and do the work, in one process")
    add("web", _web, "listen to Slack over HTTP; needs a `worker` beside it")
    add("worker", _worker, "do the work: executions, digests, the sweep")


def _run(_: argparse.Namespace) -> int:
    return serve(listens=True, works=True)


def _web(_: argparse.Namespace) -> int:
    return serve(listens=True, works=False)


def _worker(_: argparse.Namespace) -> int:
    return serve(listens=False, works=True)


def serve(*, listens: bool, works: bool) -> int:
    """Listen to Slack, do the work, or both, until told to stop; the exit code."""
    given = settings.load()
    check_ready_to_run(given, listens=listens)

    async def until_stopped() -> None:
        app = Application(given, listens=listens, works=works)
        stopped = until_told_to_stop()
        try:
            await app.start()
            settle()
            where = f", port {app.port}" if app.port else ""
            print(f"Backstop is running ({given.mode.value} mode{where})", flush=True)
            await stopped.wait()
        finally:
            await app.stop()

    asyncio.run(until_stopped())
    return 0


def until_told_to_stop() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM; a second one stops at once.

    Whatever hinders the stop, it is over after `ENDS_WITHIN`: then the process is ended where it stands, which loses
    nothing, and stderr tells where each of its threads stood.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, stopped, loop, number)
    return stopped


def _stop(stopped: asyncio.Event, loop: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
    stopped.set()
    loop.remove_signal_handler(number)
    faulthandler.dump_traceback_later(ENDS_WITHIN, file=sys.__stderr__ or sys.stderr, exit=True)
