"""`demo`: everything on this machine, and the tour that plays by itself."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import webbrowser
from pathlib import Path
from urllib.parse import urlsplit

from bot.commands import Add, BadCall
from bot.commands.arguments import as_pace, as_port
from bot.commands.running import until_told_to_stop
from bot.demo import LOCALES, Demo, default_data_dir
from bot.demo import PORT as DEMO_PORT
from bot.tour import PACE, Tour


def register(add: Add) -> None:
    demo = add("demo", _demo, "try everything on this machine: sandbox Slack, sandbox Partner Center")
    demo.add_argument("--port", type=as_port, default=DEMO_PORT, help=f"of the page (default {DEMO_PORT})")
    demo.add_argument("--no-browser", action="store_true", help="do not open the page")
    demo.add_argument("--data-dir", type=Path, default=default_data_dir(), help="where the database goes")
    demo.add_argument("--tour", action="store_true", help="play the story by itself, to be watched in #tour")
    demo.add_argument(
        "--pace", type=as_pace, metavar="SECONDS", help=f"of the tour: time to read a step (default {PACE:g})"
    )
    demo.add_argument(
        "--language", choices=LOCALES, help="of everybody in it (default: English, and people differ)"
    )


def _demo(arguments: argparse.Namespace) -> int:
    if arguments.pace is not None and not arguments.tour:
        raise BadCall("--pace goes with --tour")

    async def serve() -> None:
        stopped, port, opens = until_told_to_stop(), arguments.port, not arguments.no_browser
        while not stopped.is_set():  # each time somebody starts over
            demo = Demo(arguments.data_dir, language=arguments.language)
            tour = Tour(demo, pace=arguments.pace, tell=_say_at_once) if arguments.tour else None
            try:
                page = await demo.start(port)
                port = urlsplit(page).port or port
                address = tour.address(page) if tour else page
                _say_at_once(f"Backstop's sandbox is ready: {address}  (Ctrl-C stops it)")
                if opens:
                    await asyncio.to_thread(_open_browser, address)
                opens = False
                playing = asyncio.create_task(tour.play()) if tour else None
                await _first_of(stopped, demo.starts_over)
                if playing:
                    playing.cancel()
                    await asyncio.wait({playing})
            finally:
                await demo.stop()
        _say_at_once("The sandbox is closed: the next start begins afresh.")

    asyncio.run(serve())
    return 0


async def _first_of(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


def _open_browser(address: str) -> None:
    with contextlib.suppress(webbrowser.Error):
        webbrowser.open(address)


def _say_at_once(line: str) -> None:
    print(line, flush=True)
