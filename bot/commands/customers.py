"""`sync`: what Partner Center has of customers and subscriptions."""

from __future__ import annotations

import argparse
import logging
import sys

from bot import settings
from bot.commands import Add, json_text, with_core
from bot.core import Core
from bot.report import customers as report
from bot.services.customers import MirrorState


def register(add: Add) -> None:
    sync = add("sync", _sync, "read customers and subscriptions from Partner Center now")
    sync.add_argument(
        "--full", action="store_true", help="everybody, even where the activity log tells who has changed"
    )
    sync.add_argument("--json", action="store_true", help="one JSON document")


def _sync(arguments: argparse.Namespace) -> int:
    given = settings.load()
    given.need("partner_center_tenant_id", "partner_center_client_id", "partner_center_client_secret")

    async def sync(made: Core) -> MirrorState:
        await made.courier.open()  # a worker tells of what was changed outside
        customers = made.backstop.customers
        read = customers.refresh if arguments.full else customers.sync
        if arguments.json or not sys.stderr.isatty():
            return await read()
        if not arguments.verbose:
            logging.getLogger("bot").setLevel(logging.ERROR)  # the bar has the line to itself
        with _Bar() as bar:
            return await read(progress=bar.show)

    state = with_core(given, sync)
    if arguments.json:
        print(json_text(report.mirror(state)))
    else:
        failed = f"; {state.failed} could not be read" if state.failed else ""
        print(f"{state.customers} customers, {state.subscriptions} subscriptions{failed}")
    return 1 if state.failed else 0


class _Bar:
    """How far it is, on one line of a terminal, and no other character there."""

    WIDTH = 30

    def __init__(self) -> None:
        self._done = -1

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._done >= 0:
            print(file=sys.stderr)

    def show(self, done: int, known: int) -> None:
        if done <= self._done:  # it never goes back: what is known may grow meanwhile
            return
        self._done, full = done, self.WIDTH * done // max(known, 1)
        line = f"[{'#' * full}{'.' * (self.WIDTH - full)}] {done:,} of {known:,} customers"
        print(f"\r{line}", end="", file=sys.stderr, flush=True)
