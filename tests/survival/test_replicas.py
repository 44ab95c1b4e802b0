"""Replicas over one Postgres: cut off, killed for ever, stopped, upgraded, and the server restarted under them.

These mostly wait, for leases and sweeps to come round: so they are all under way at once, each on a database and in
a Slack of its own, and each test tells of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from bot.sandbox.slack import Player
from bot.store.store import sync_url
from handlers import ids
from tests import postgres
from tests.program import Program
from tests.proxy import Proxy
from tests.survival.crew import Crew
from tests.survival.office import Json
from tests.survival.shift import PROMPTLY, Figures, Shift, at_work
from tests.survival.world import World, world

STOCK = 100
IN_NO_HURRY = 3.0
"""Seconds Microsoft takes for a write."""
NEVER = 600.0
"""Seconds after which Microsoft answers: longer than whoever asked it lives."""
ONE_ASKS = ("ana",)


@dataclass
class Site:
    """Where one of them takes place."""

    server: postgres.Server
    url: str
    cwd: Path
    ends: AsyncExitStack
    next_may_begin: asyncio.Event
    """Set once a crew is up: starting is what costs, so they start one after the other."""

    async def world(self) -> World:
        return await self.ends.enter_async_context(world(self.url, stock=STOCK, cwd=self.cwd))

    async def crew(self, *programs: Program) -> Crew:
        crew = await self.ends.enter_async_context(Crew(*programs))
        self.next_may_begin.set()
        return crew


async def a_worker_is_cut_off(site: Site) -> Figures:
    """In the middle of its writes. Others finish them; once mended it works again, and alone."""
    around = await site.world()
    wire = await site.ends.enter_async_context(Proxy(site.url))
    cut_off = around.program("worker", name="cut-off", DATABASE_URL=wire.url)
    others = around.programs("worker", 2)
    crew = await site.crew(*around.programs("web", 2), cut_off)
    async with at_work(around, crew.up, ask=ONE_ASKS) as shift:
        in_hand = await _writes_under_way(shift, 3, seconds=IN_NO_HURRY)
        wire.cut()
        await crew.join(*others)
        assert await shift.are_done(in_hand), "what it had in hand was left lying"
        wire.mend()
        await crew.dismiss(*others)
        assert await shift.effects(3, within=PROMPTLY), "it does not work again"
    return await shift.closed(crew)


async def a_worker_is_killed_for_ever(site: Site) -> Figures:
    """In the middle of its writes, which others finish."""
    around = await site.world()
    doomed = around.program("worker", name="doomed")
    crew = await site.crew(*around.programs("web", 1), doomed)
    async with at_work(around, crew.up, ask=ONE_ASKS) as shift:
        in_hand = await _writes_under_way(shift, 3, seconds=NEVER)
        await crew.lose_for_ever(doomed)
        await crew.join(*around.programs("worker", 2))
        assert await shift.are_done(in_hand), "what it had in hand was left lying"
    return await shift.closed(crew)


async def a_worker_is_stopped(site: Site) -> Figures:
    """By SIGTERM, in the middle of its writes: it finishes them itself."""
    around = await site.world()
    leaving = around.program("worker", name="leaving")
    crew = await site.crew(*around.programs("web", 1), leaving)
    async with at_work(around, crew.up) as shift:
        await _writes_under_way(shift, 3, seconds=IN_NO_HURRY)
        await crew.join(*around.programs("worker", 2))
        assert await crew.dismiss(leaving) == [0]
        assert "Traceback" not in leaving.stderr
        assert await shift.effects(3, within=PROMPTLY), "the others do not go on"
    return await shift.closed(crew)


async def postgres_is_restarted(site: Site) -> Figures:
    """In both ways, under everybody's hands. Nobody is restarted after it; who clicked meanwhile was told."""
    around = await site.world()
    crew = await site.crew(*around.programs("web", 2), *around.programs("worker", 3))
    async with at_work(around, crew.up, ask=("ana", "mei", "eve")) as shift:
        for how in (postgres.FAST, postgres.IMMEDIATE):
            assert await shift.effects(5, within=PROMPTLY)
            card = await shift.undecided("ben")
            async with crew.shut():
                await asyncio.to_thread(site.server.stop, how)
                await _clicks_and_is_told(shift, around.slack.person("mei"), card)
                await asyncio.to_thread(site.server.start)
            shift.office.left_alone.clear()
        assert await shift.effects(5, within=PROMPTLY), "they do not go on"
        assert await asyncio.to_thread(_names_borne, site.url, 3)
    return await shift.closed(crew)


async def a_newer_release_takes_over(site: Site) -> Figures:
    """It runs beside the older one, which dies then with approved work in its hands and in its queue."""
    around = await site.world()
    old_web, old_workers = around.programs("web", 1), around.programs("worker", 2)
    newer = "tests.survival.newer"
    crew = await site.crew(*old_web, *old_workers)
    async with at_work(around, crew.up, ask=ONE_ASKS) as shift:
        in_hand = await _writes_under_way(shift, 3, seconds=NEVER)
        await crew.join(*around.programs("web", 1, module=newer), *around.programs("worker", 2, module=newer))
        assert "next_release" in _columns(site.url)
        assert await shift.effects(3, within=PROMPTLY), "they do not work beside each other"
        await crew.lose(old_workers[:1])  # the older one starts on the newer schema
        assert await shift.effects(3, within=PROMPTLY), "they do not work beside each other"
        await crew.lose_for_ever(*old_workers)
        assert await shift.effects(2, within=PROMPTLY), "the newer one does not work alone"
        await crew.lose_for_ever(*old_web)
        assert await shift.are_done(in_hand), "what the older one had in hand was left lying"
    return await shift.closed(crew)


Happening = Callable[[Site], Coroutine[Any, Any, Figures]]
Underway = dict[Happening, asyncio.Task[Figures]]
HAPPENINGS: tuple[Happening, ...] = (  # those that wait longest come first
    a_newer_release_takes_over,
    a_worker_is_cut_off,
    a_worker_is_killed_for_ever,
    postgres_is_restarted,
    a_worker_is_stopped,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def under_way(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Underway]:
    """All of them, begun at once."""
    found = postgres.binaries()
    if found is None:
        pytest.skip("no Postgres server is installed")
    doors = asyncio.Lock()
    with postgres.own_server(found, durable=False) as shared, postgres.own_server(found) as own:

        async def take_place(happening: Happening) -> Figures:
            server = own if happening is postgres_is_restarted else shared
            cwd = tmp_path_factory.mktemp(happening.__name__)
            next_may_begin = asyncio.Event()
            async with AsyncExitStack() as ends:
                async with doors:
                    site = Site(server, postgres.new_database(server.url), cwd, ends, next_may_begin)
                    under_way = asyncio.create_task(happening(site))
                    under_way.add_done_callback(lambda _: next_may_begin.set())
                    await next_may_begin.wait()
                return await under_way

        tasks = {happening: asyncio.create_task(take_place(happening)) for happening in HAPPENINGS}
        yield tasks
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_worker_cut_off_from_the_database_leaves_its_writes_to_others_and_comes_back(
    under_way: Underway,
):
    (await under_way[a_worker_is_cut_off]).hold("a worker cut off")


async def test_what_a_worker_killed_for_ever_had_in_hand_is_finished_by_others(under_way: Underway):
    (await under_way[a_worker_is_killed_for_ever]).hold("a worker killed for ever")


async def test_a_worker_that_is_stopped_among_others_finishes_its_writes(under_way: Underway):
    figures = await under_way[a_worker_is_stopped]
    figures.hold("a worker stopped")
    assert (figures.untold, figures.second_cards) == (0, 0)


async def test_after_postgres_was_restarted_everybody_goes_on_by_themselves(under_way: Underway):
    (await under_way[postgres_is_restarted]).hold("Postgres restarted twice")


async def test_what_an_older_release_left_is_done_by_the_newer_one(under_way: Underway):
    (await under_way[a_newer_release_takes_over]).hold("an older release killed for ever")


async def _writes_under_way(shift: Shift, count: int, *, seconds: float) -> set[str]:
    """Have so many writes wait for their answers; the customers they are about."""
    partner_center = shift.world.partner_center
    partner_center.faults.slow(seconds, method="PATCH", path_contains="/subscriptions/", times=count)
    assert await shift.effects(count, within=PROMPTLY)
    return {write.customer_id for write in partner_center.writes}


async def _clicks_and_is_told(shift: Shift, person: Player, card: Json) -> None:
    told = shift.office.told_to_come_back(person)
    assert (await person.click(card, ids.APPROVE)).ok
    await person.wait_for(lambda: shift.office.told_to_come_back(person) > told)


def _names_borne(url: str, count: int) -> bool:
    """Whether so many workers hold their names again; the server is asked for half a minute."""
    query = b"SELECT count(*), pg_sleep(0.1) FROM pg_locks JOIN pg_database d ON d.oid = database"
    ours = b" WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND datname = current_database()"
    with psycopg.connect(url, autocommit=True) as connection:
        asked = (connection.execute(query + ours).fetchone() for _ in range(300))
        return any(row and row[0] == count for row in asked)


def _columns(url: str) -> set[str]:
    engine = create_engine(sync_url(url), poolclass=NullPool)
    return {column["name"] for column in inspect(engine).get_columns("requests")}
