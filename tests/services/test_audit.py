"""What is past retention goes, nothing younger does, and what is left can be verified."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from bot.domain.audit import Anchor, AuditEvent, AuditTag, Verified
from bot.services import audit as service
from bot.services.audit import Audit
from bot.store import Store
from tests.builders import noon
from tests.services.workshop import Clock

YEAR = timedelta(days=366)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(database_url: str, clock: Clock) -> AsyncIterator[Store]:
    opened = Store(database_url, now=clock)
    yield opened
    await opened.close()


@pytest.fixture
def audit(store: Store, clock: Clock) -> Audit:
    return Audit(store, retention=YEAR, now=clock)


async def happens(store: Store, *subjects: str) -> list[AuditEvent]:
    async with store.begin() as tx:
        return [await tx.audit.append(AuditTag.REQUEST_PLACED, subject) for subject in subjects]


async def verify(store: Store, *anchors: Anchor) -> Verified:
    async with store.read() as tx:
        return await tx.audit.verify(anchors)


async def kept(store: Store) -> list[AuditEvent]:
    async with store.read() as tx:
        return [event async for event in tx.audit.since()]


async def test_what_is_old_goes_and_what_is_left_holds(audit: Audit, store: Store, clock: Clock):
    old = await happens(store, "R-1", "R-2", "R-3")
    clock.passes(timedelta(days=1))
    young = await happens(store, "R-4", "R-5")
    clock.passes(YEAR - timedelta(days=1) + timedelta(seconds=1))
    aged = await audit.aged()
    assert aged
    assert (aged.count, aged.oldest, aged.newest, aged.last.seq) == (3, noon, noon, 3)
    assert await audit.purge() == 3

    *left, purged = await kept(store)
    assert left == young
    assert (purged.tag, purged.seq) == ("audit:purged", 6)
    said = dict(purged.facts)
    assert (said["seq"], said["hash"], said["removed"]) == (3, old[2].hash, 3)
    assert (said["oldest"], said["newest"]) == (noon.isoformat(), noon.isoformat())
    found = await verify(store)
    assert (found.ok, found.count, found.purged) == (True, 3, 3)
    assert await happens(store, "R-6")
    assert (await verify(store)).ok


async def test_nothing_younger_goes_though_an_older_one_stands_behind_it(
    audit: Audit, store: Store, clock: Clock
):
    """The clock was set back in between: what stands behind what must be kept is kept with it."""
    clock.passes(timedelta(days=2))
    await happens(store, "R-1")
    clock.passes(-timedelta(days=2))
    await happens(store, "R-2")
    clock.passes(YEAR + timedelta(days=1))
    assert await audit.aged() is None
    assert await audit.purge() == 0
    assert [event.subject for event in await kept(store)] == ["R-1", "R-2"], "not even an entry about it"


async def test_to_the_second_the_retention_is_kept(audit: Audit, store: Store, clock: Clock):
    await happens(store, "R-1")
    clock.passes(YEAR)
    assert await audit.purge() == 0
    clock.passes(timedelta(microseconds=1))
    assert await audit.purge() == 1


async def test_all_of_it_may_be_old(audit: Audit, store: Store, clock: Clock):
    await happens(store, "R-1", "R-2")
    clock.passes(2 * YEAR)
    assert await audit.purge() == 2
    (purged,) = await kept(store)
    assert purged.seq == 3
    assert (await verify(store)).ok
    clock.passes(2 * YEAR)
    assert await audit.purge() == 1, "the entry about the purge before"
    found = await verify(store)
    assert (found.ok, found.count, found.purged) == (True, 1, 3)


async def test_it_goes_in_small_steps_each_of_which_holds(
    audit: Audit, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "BATCH", 2)
    await happens(store, *(f"R-{n}" for n in range(5)))
    clock.passes(2 * YEAR)
    assert await audit.purge(batches=1) == 2
    assert (await verify(store)).ok
    assert await audit.purge(batches=None) == 3
    found = await verify(store)
    assert (found.ok, found.purged) == (True, 5)


async def test_anchors_of_what_is_gone_cannot_be_checked_but_for_the_last(
    audit: Audit, store: Store, clock: Clock
):
    events = await happens(store, "R-1", "R-2")
    await audit.anchor(noon.date())
    clock.passes(2 * YEAR)
    young = await happens(store, "R-3")
    await audit.purge()
    first, second, third = (Anchor(e.seq, e.hash) for e in (*events, *young))
    found = await verify(store, first, third)
    assert (found.ok, found.gone, found.held) == (False, (first,), 1)
    last = Anchor(3, "f" * 64)
    assert (await verify(store, last)).lost == (last,), "the trail knows the hash of the last one removed"
    assert (await verify(store)).ok, "those the trail told of itself went with it"
    assert second.seq == 2


@pytest.mark.parametrize(
    "tampering",
    [
        pytest.param("DELETE FROM audit WHERE seq = 3", id="more was removed than the trail says"),
        pytest.param("DELETE FROM audit WHERE tag = 'audit:purged'", id="nothing says that it was purged"),
        pytest.param("UPDATE audit SET previous = hash WHERE seq = 3", id="the first that is left"),
        pytest.param(
            "UPDATE audit SET facts = replace(facts, '\"seq\": 2', '\"seq\": 3') WHERE tag = 'audit:purged'",
            id="the entry about the purge",
        ),
    ],
)
async def test_what_was_removed_besides_is_found(audit: Audit, store: Store, clock: Clock, tampering: str):
    await happens(store, "R-1", "R-2")
    clock.passes(2 * YEAR)
    await happens(store, "R-3", "R-4")
    await audit.purge()
    assert (await verify(store)).ok
    async with store.begin() as tx:
        await tx.connection.execute(text(tampering))
    assert not (await verify(store)).ok


async def test_the_anchor_of_a_day_is_one_however_often_it_is_asked_for(audit: Audit, store: Store):
    assert await audit.anchor(noon.date()) is None, "there is nothing yet"
    (event,) = await happens(store, "R-1")
    anchor = await audit.anchor(noon.date())
    assert anchor == Anchor(event.seq, event.hash)
    await happens(store, "R-2")
    assert await audit.anchor(noon.date()) == anchor
    assert len(await kept(store)) == 3
