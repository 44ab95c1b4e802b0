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
DAY = timedelta(days=1)


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


async def goes_on(store: Store, clock: Clock, span: timedelta) -> AuditEvent:
    """The clock passes, and an entry of ten days ago bears it out."""
    clock.passes(span - 10 * DAY)
    (event,) = await happens(store, "R-LATE")
    clock.passes(10 * DAY)
    return event


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
    late = await goes_on(store, clock, YEAR - DAY + timedelta(seconds=1))
    aged = await audit.aged()
    assert aged
    assert (aged.count, aged.oldest, aged.newest, aged.last.seq) == (3, noon, noon, 3)
    assert await audit.purge() == 3

    *left, purged = await kept(store)
    assert left == [*young, late]
    assert (purged.tag, purged.seq) == ("audit:purged", 7)
    said = dict(purged.facts)
    assert (said["seq"], said["hash"], said["removed"]) == (3, old[2].hash, 3)
    assert (said["oldest"], said["newest"]) == (noon.isoformat(), noon.isoformat())
    found = await verify(store)
    assert (found.ok, found.count, found.purged) == (True, 4, 3)
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
    await goes_on(store, clock, YEAR)
    assert await audit.purge() == 0
    clock.passes(timedelta(microseconds=1))
    assert await audit.purge() == 1


async def test_all_of_it_may_be_old(store: Store, clock: Clock):
    async def purge() -> int:
        async with store.begin() as tx:
            return await tx.audit.purge(clock() - YEAR, most=9, retention_days=366)

    await happens(store, "R-1", "R-2")
    clock.passes(2 * YEAR)
    assert await purge() == 2
    (purged,) = await kept(store)
    assert purged.seq == 3
    assert (await verify(store)).ok
    clock.passes(2 * YEAR)
    assert await purge() == 1, "the entry about the purge before"
    found = await verify(store)
    assert (found.ok, found.count, found.purged) == (True, 1, 3)


async def test_it_goes_in_small_steps_each_of_which_holds(
    audit: Audit, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "BATCH", 2)
    await happens(store, *(f"R-{n}" for n in range(5)))
    await goes_on(store, clock, 2 * YEAR)
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
    young = await goes_on(store, clock, 2 * YEAR)
    await audit.purge()
    first, second, third = (Anchor(e.seq, e.hash) for e in (*events, young))
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
    await goes_on(store, clock, 2 * YEAR)
    await happens(store, "R-4")
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


async def anchors(audit: Audit, clock: Clock, *, days: int, every: int = 1) -> None:
    """Nothing happens in that time but anchors."""
    for _ in range(0, days, every):
        clock.passes(every * DAY)
        await audit.anchor(clock().date())


async def test_a_clock_years_ahead_removes_nothing_and_says_so(
    audit: Audit, store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
):
    await happens(store, "R-1")
    await anchors(audit, clock, days=20)
    clock.passes(9 * YEAR)
    await happens(store, "R-2")  # by the wrong clock, as what expires at once
    for _ in range(6):
        await anchors(audit, clock, days=1)
        caplog.clear()
        assert await audit.purge() == 0
        (record,) = caplog.records
        assert "nothing is removed from the audit trail" in record.message
    assert [event.seq for event in await kept(store)] == [*range(1, 29)], "not even an entry about it"

    clock.passes(-9 * YEAR)
    caplog.clear()
    assert await audit.purge() == 0
    assert not caplog.records, "nothing is old"


async def test_a_clock_that_leaps_to_the_same_wrong_time_again_removes_nothing(
    audit: Audit, store: Store, clock: Clock
):
    await happens(store, "R-1")
    clock.passes(9 * YEAR)
    await anchors(audit, clock, days=5)
    clock.passes(-9 * YEAR)
    await anchors(audit, clock, days=10)
    clock.passes(9 * YEAR)
    assert await audit.aged()
    assert await audit.purge() == 0


async def test_with_entries_of_a_time_to_come_nothing_is_removed(audit: Audit, store: Store, clock: Clock):
    await happens(store, "R-1")
    clock.passes(2 * YEAR)
    await happens(store, "R-2")
    clock.passes(-20 * DAY)
    assert await audit.aged()
    assert await audit.purge() == 0, "nobody can say which of the two times is wrong"
    clock.passes(30 * DAY)
    assert await audit.purge() == 1


async def test_after_a_long_stop_removing_goes_on_within_a_week(audit: Audit, store: Store, clock: Clock):
    await happens(store, "R-1")
    clock.passes(2 * YEAR)
    await anchors(audit, clock, days=1)
    assert await audit.purge() == 0
    await anchors(audit, clock, days=7)
    assert await audit.purge() == 1


@pytest.mark.parametrize("every", [pytest.param(1, id="daily"), pytest.param(31, id="monthly")])
async def test_a_trail_of_anchors_alone_bears_out_the_clock(
    audit: Audit, store: Store, clock: Clock, every: int
):
    await happens(store, "R-1")
    await anchors(audit, clock, days=372, every=every)
    assert await audit.purge() >= 1


async def test_a_few_days_of_silence_make_no_difference(audit: Audit, store: Store, clock: Clock):
    await happens(store, "R-1")
    await anchors(audit, clock, days=372, every=31)
    clock.passes(28 * DAY)
    assert await audit.purge() >= 1
