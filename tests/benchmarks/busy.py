"""The program as `backstop run` has it, which meanwhile crawls or works out digests without end."""

from __future__ import annotations

import argparse
import asyncio

from bot import settings
from bot.app import Application
from bot.start_up import settle
from tests.program import UP


async def serve(what: str) -> None:
    """Until the process is ended; settings as the program's own."""
    app = Application(settings.load())
    await app.start()
    settle()
    print(UP, flush=True)
    backstop = app.core.backstop
    while True:
        await (backstop.customers.refresh() if what == "crawl" else backstop.digests.overdue())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("crawl", "digest"))
    asyncio.run(serve(parser.parse_args().what))
