"""How long the overdue digest takes, and whether it grows with the items: `python -m tests.benchmarks.digest`.

The digest is computed as for the daily post, from a filled database, and its first page drawn. It says what changed
since yesterday's, so it reads the open items of two days. Its floor is to read those very rows through the same store,
their JSON decoded and nothing made of them. Also how long the event loop was kept from anything else meanwhile: an ack
waits as long. The best of some rounds counts, each of which measures every size. `--full` is 50,000 items, half and
twice as many, of a fifth as many customers.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
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
ROUNDS = 10
BAR = 2.0
"""Seconds for 50,000 items."""
TICK = 0.002


@dataclass(frozen=True)
class Taken:
    seconds: float
    stalled: float
    """The longest time in which nothing else got its turn, in seconds."""


def best(rounds: Iterable[Taken]) -> Taken:
    """The best of some rounds, and the worst of their stalls."""
    rounds = list(rounds)
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


@dataclass
class Books:
    """A database with so many open items, and what its digest and the floor took in each round."""

    count: int
    db: Store
    digests: list[Taken] = field(default_factory=list)
    floors: list[Taken] = field(default_factory=list)


async def compare(system: str, urls: Mapping[int, str]) -> None:
    """The digest and its floor for each count. Each round measures all of them: a host is not always as fast."""
    today = utc_now().date()
    found: list[Books] = []
    try:
        for count, url in urls.items():
            store.migrate(url)
            found.append(Books(count, Store(url, now=utc_now)))
            await fill(found[-1].db, Size(count // 5, count), today=today)
        settle()  # as the program does once it is up
        for _ in range(ROUNDS):
            for books in found:
                books.floors.append(await _watched(partial(read_bare, books.db, today)))
                books.digests.append(await _watched(partial(digest, books.db)))
        report(system, found)
    finally:
        for books in found:
            await books.db.close()


async def digest(db: Store) -> None:
    """As the daily post does it, but for the post."""
    policy, texts = InForce(policy_file.load(None)), in_language("en")
    digests = Digests(db, lambda: policy, cloud=Cloud.GLOBAL, zone=ZoneInfo("UTC"), now=utc_now)
    found = await digests.overdue()
    assert found.debtors, "nobody is overdue"
    assert found.since, "there was no digest before"
    assert views.overdue(found, texts)


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


def report(system: str, found: Sequence[Books]) -> None:
    taken = [(books.count, best(books.digests), best(books.floors)) for books in found]
    for count, digest, bare in taken:
        line = f"{system:10}{count:9}{digest.seconds:11.2f}{bare.seconds:9.2f}"
        print(f"{line}{digest.seconds / bare.seconds:9.2f}{digest.stalled * 1000:11.0f}")
        if count == FULL:
            word = "holds" if digest.seconds <= BAR else "MISSED"
            print(f"  {digest.seconds:.2f} s; the bar of {BAR} s {word}")
    for (less, small, bare_small), (more, large, bare_large) in pairwise(taken):
        times, floor = large.seconds / small.seconds, bare_large.seconds / bare_small.seconds
        print(
            f"  {more / less:.1f} times the items take {times:.2f} times as long, and the floor {floor:.2f} times"
        )


def main(*, full: bool) -> None:
    middle = FULL if full else SMALL
    counts = (middle // 2, middle, middle * 2)
    with (
        tempfile.TemporaryDirectory(prefix="backstop-digest-") as directory,
        postgres.server() as server,
    ):
        print(f"{'':10}{'items':>9}{'digest s':>11}{'floor s':>9}{'times':>9}{'stall ms':>11}")
        files = {count: f"sqlite:///{Path(directory) / str(count)}.db" for count in counts}
        asyncio.run(compare("sqlite", files))
        if server:
            databases = {count: postgres.new_database(server) for count in counts}
            asyncio.run(compare("postgresql", databases))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="50,000 items instead of 2,000")
    main(full=parser.parse_args().full)
