"""How long the overdue digest takes, and whether it grows with the items: `python -m tests.benchmarks.digest`.

The digest is computed as for the daily post, from a filled database, and its first page drawn. It says what changed
since yesterday's, so it reads the open items of two days. Its floor is to read those very rows through the same store,
their JSON decoded and nothing made of them. Also how long the event loop was kept from anything else meanwhile: an ack
waits as long. The best of some rounds counts. `--full` is 50,000 items, half and twice as many, of a fifth as many
customers.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select

from bot import policy_file, store
from bot.core import utc_now
from bot.domain.customer import Cloud
from bot.domain.policy import InForce
from bot.services.digests import Digests
from bot.start_up import settle
from bot.store import Store
from bot.store.tables import open_items
from bot.texts import in_language
from handlers.views import digests as views
from tests import postgres
from tests.benchmarks.filled import Size, fill

SMALL, FULL = 2_000, 50_000
ROUNDS = 3
BAR = 2.0
"""Seconds for 50,000 items."""
TICK = 0.002


@dataclass(frozen=True)
class Taken:
    seconds: float
    stalled: float
    """The longest time in which nothing else got its turn, in seconds."""


async def measured(work: Callable[[], Awaitable[object]]) -> Taken:
    """The best of some rounds, and the worst of their stalls."""
    rounds = [await _watched(work) for _ in range(ROUNDS)]
    return Taken(min(r.seconds for r in rounds), max(r.stalled for r in rounds))


async def _watched(work: Callable[[], Awaitable[object]]) -> Taken:
    worst, last = 0.0, time.perf_counter()

    async def look() -> None:
        nonlocal worst, last
        while True:
            await asyncio.sleep(TICK)
            now = time.perf_counter()
            worst, last = max(worst, now - last - TICK), now

    watch = asyncio.create_task(look())
    await asyncio.sleep(TICK)
    last = begun = time.perf_counter()
    await work()
    seconds = time.perf_counter() - begun
    watch.cancel()
    return Taken(seconds, worst)


async def compare(database_url: str, count: int) -> tuple[Taken, Taken]:
    """The digest and its floor."""
    store.migrate(database_url)
    db = Store(database_url, now=utc_now)
    policy, texts = InForce(policy_file.load(None)), in_language("en")
    digests = Digests(db, lambda: policy, cloud=Cloud.GLOBAL, zone=ZoneInfo("UTC"), now=utc_now)
    today = utc_now().date()

    async def digest() -> None:
        found = await digests.overdue()
        assert found.debtors, "nobody is overdue"
        assert found.since, "there was no digest before"
        assert views.overdue(found, texts)

    try:
        await fill(db, Size(count // 5, count), today=today)
        settle()  # as the program does once it is up
        bare = await measured(lambda: read_bare(db, today))
        return await measured(digest), bare
    finally:
        await db.close()


async def read_bare(db: Store, today: date) -> None:
    """The open items of both days as rows, in parts as the digest reads them."""
    columns = open_items.c
    for day in (today, today - timedelta(days=1)):
        held = or_(columns.valid_to.is_(None), columns.valid_to > day)
        query = select(columns.source, columns.item).where(columns.valid_from <= day, held)
        async with db.read() as tx:
            rows = await tx.connection.stream(query.order_by(columns.id))
            async for part in rows.partitions(1000):
                for row in part:
                    assert row.item


def report(system: str, found: list[tuple[int, Taken, Taken]]) -> None:
    for count, digest, bare in found:
        line = f"{system:10}{count:9}{digest.seconds:11.2f}{bare.seconds:9.2f}"
        print(f"{line}{digest.seconds / bare.seconds:9.2f}{digest.stalled * 1000:11.0f}")
        if count == FULL:
            word = "holds" if digest.seconds <= BAR else "MISSED"
            print(f"  {digest.seconds:.2f} s; the bar of {BAR} s {word}")
    for (less, small, _), (more, large, _) in pairwise(found):
        times = large.seconds / small.seconds
        print(f"  {more / less:.1f} times the items take {times:.2f} times as long")


def main(*, full: bool) -> None:
    middle = FULL if full else SMALL
    with (
        tempfile.TemporaryDirectory(prefix="backstop-digest-") as directory,
        postgres.server() as server,
    ):
        print(f"{'':10}{'items':>9}{'digest s':>11}{'floor s':>9}{'times':>9}{'stall ms':>11}")
        for system in ("sqlite", "postgresql"):
            found = []
            for count in (middle // 2, middle, middle * 2):
                if system == "sqlite":
                    url = f"sqlite:///{Path(directory) / str(count)}.db"
                elif server:
                    url = postgres.new_database(server)
                else:
                    continue
                found.append((count, *asyncio.run(compare(url, count))))
            report(system, found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="50,000 items instead of 2,000")
    main(full=parser.parse_args().full)
