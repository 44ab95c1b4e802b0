"""What was seen is kept once, comes back as it was, and cases survive two who write at once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, event

from bot.domain.case import CaseId, Judged, Mute, Step, Ticked, Verdict
from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.errors import Conflict, NotFound
from bot.domain.observation import (
    Observation,
    Operation,
    OrderLine,
    OrderPlaced,
    Owed,
    Past,
    QuantityChanged,
    Reported,
    Source,
    Spent,
    VendorAlert,
)
from bot.domain.signal import Rule
from bot.store import Store
from bot.store.cases import CaseRow
from bot.store.observations import READ_AT_ONCE
from tests.builders import CONTOSO, DAY, HOUR, ana, ben, noon

ORDER = OrderPlaced(
    CONTOSO,
    noon,
    "o-1",
    (OrderLine("E3", "a:b:c", 5), OrderLine("Trial", "t", 25, is_trial=True)),
    "completed",
)
QUANTITY = QuantityChanged(CONTOSO, noon, SubscriptionId("s-1"), "E3", 5, 400, not_before=noon - DAY)
OPERATION = Operation(CONTOSO, noon, "r-1", "create_order", "succeeded", "jdoe@partner", "order")
SPENT = Spent(CONTOSO, noon, Decimal("0.123456789012345678"), "EUR", Decimal(100))
ALERT = VendorAlert(CONTOSO, noon, "a-1", Source.FRAUD_EVENTS, "Strange\u2028Type", first_at=noon - HOUR)
REPORT = Reported(CONTOSO, noon, "click", ana.id, "„Somebody“ 有人")
OWED = Owed(CONTOSO, noon, {"EUR": Decimal("10.50")}, 12)
ALL: list[Observation] = [ORDER, QUANTITY, OPERATION, SPENT, ALERT, REPORT, OWED]
FINDINGS = {"k": (Rule.SEAT_JUMP, 45)}


async def keep(store: Store, *seen: Observation) -> int:
    async with store.begin() as tx:
        return await tx.observations.keep(seen, at=noon)


async def past(store: Store) -> Past:
    async with store.read() as tx:
        return await tx.observations.of(CONTOSO, until=noon)


async def test_everything_comes_back_as_it_was(store: Store):
    assert await keep(store, *ALL) == len(ALL)
    assert await past(store) == Past(
        CONTOSO,
        (ORDER,),
        (QUANTITY,),
        (OPERATION,),
        (SPENT,),
        (ALERT,),
        (REPORT,),
        (OWED,),
        watched_since=noon,
    )


async def test_the_same_seen_again_is_one(store: Store):
    await keep(store, *ALL)
    assert await keep(store, *ALL, *ALL) == 0
    assert len((await past(store)).orders) == 1


async def test_two_who_see_it_at_once_keep_one(replicas: tuple[Store, Store]):
    await asyncio.gather(*(keep(store, *ALL) for store in replicas))
    assert (await past(replicas[0])).orders == (ORDER,)


async def test_an_order_stays_as_first_seen_and_an_alert_is_kept_up_to_date(store: Store):
    await keep(store, ORDER, ALERT, SPENT)
    await keep(
        store,
        replace(ORDER, status="changed"),
        replace(ALERT, status="resolved", hits=9),
        replace(SPENT, at=noon, amount=Decimal(7)),
    )
    found = await past(store)
    assert (found.orders[0].status, found.alerts[0].status, found.alerts[0].hits) == (
        "completed",
        "resolved",
        9,
    )
    assert found.spent[0].amount == Decimal(7)


@pytest.mark.parametrize(
    ("again", "is_kept_as"),
    [
        pytest.param(replace(OWED, at=noon + HOUR), OWED, id="the same later that day"),
        pytest.param(later := replace(OWED, at=noon + 5 * HOUR), later, id="the same on the next day there"),
        pytest.param(more := replace(OWED, at=noon + HOUR, oldest_days=13), more, id="something else"),
    ],
)
async def test_what_is_owed_is_kept_as_first_read_on_a_day_until_it_changes(
    store: Store, again: Owed, is_kept_as: Owed
):
    async with store.begin() as tx:
        for each in (OWED, again):
            await tx.observations.keep([each], at=noon, one_a_day=ZoneInfo("Asia/Shanghai"))
        assert (await tx.observations.of(CONTOSO, until=noon + DAY)).owed == (is_kept_as,)


async def test_what_came_later_was_not_known(store: Store):
    await keep(store, ORDER, replace(ORDER, order_id="o-2", at=noon + HOUR))
    assert len((await past(store)).orders) == 1


async def test_a_key_may_be_of_any_length(store: Store):
    await keep(store, replace(ORDER, order_id="x" * 5000), replace(ORDER, order_id="x" * 5001))
    assert len((await past(store)).orders) == 2


async def test_what_is_about_the_partner_itself_stands_under_no_customer(store: Store):
    await keep(store, replace(OPERATION, customer_id=None))
    async with store.read() as tx:
        found = await tx.observations.all(until=noon)
        assert await tx.observations.last_at("operation") == noon
    assert [len(each.operations) for each in found.values()] == [1]
    assert list(found) == [CustomerId("")]


async def test_the_first_and_the_last_of_a_kind_are_found_by_an_index(store: Store):
    """Every digest asks for them, and whoever opens a case; the table grows for ever."""
    if not store.is_sqlite:
        pytest.skip("Postgres chooses by how much there is")
    async with store.read() as tx:
        with statements() as asked:
            await tx.observations.all(until=noon)
            await tx.observations.last_at("operation")
        of_a_kind = [(words, values) for words, values in asked if "kind = ?" in words]
        plans = [
            str((await tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", values)).all())
            for words, values in of_a_kind
        ]
    assert ["ix_observations_kind" in plan for plan in plans] == [True, True]


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """What is asked of a database, with the values in it."""
    asked: list[tuple[str, Any]] = []

    def begins(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        asked.append((statement, values))

    event.listen(Engine, "before_cursor_execute", begins)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", begins)


async def test_others_go_on_while_very_many_are_read(store: Store):
    """Else clicks wait for an answer: what is unpacked is unpacked in parts, and beside the event loop."""
    many = [replace(ORDER, order_id=f"o-{n:05}") for n in range(3 * READ_AT_ONCE)]
    await keep(store, *many)
    with calls_in_the_longest_turn() as longest:
        found = await past(store)
    assert found.orders == tuple(many)
    assert longest.calls < 2 * READ_AT_ONCE


class Turns:
    """How many calls the event loop made at most before somebody else had their turn."""

    calls = 0


@contextmanager
def calls_in_the_longest_turn() -> Iterator[Turns]:
    turns, now = Turns(), 0

    def count(_frame: object, what: str, _about: object) -> None:
        nonlocal now
        now += what in ("call", "c_call")

    async def somebody_else() -> None:
        nonlocal now
        while True:
            turns.calls, now = max(turns.calls, now), 0
            await asyncio.sleep(0)

    waiting = asyncio.create_task(somebody_else())
    before = sys.getprofile()
    sys.setprofile(count)  # of this thread alone
    try:
        yield turns
    finally:
        sys.setprofile(before)
        turns.calls = max(turns.calls, now)
        waiting.cancel()


class TestCases:
    case = CaseRow(CaseId("C-1"), CONTOSO, "Contoso Ltd", noon, FINDINGS, 0)

    async def test_is_added_once(self, store: Store):
        async with store.begin() as tx:
            assert await tx.cases.add(self.case)
            assert not await tx.cases.add(self.case)
            assert await tx.cases.get("C-1") == self.case
            assert await tx.cases.all() == {CONTOSO: (self.case,)}

    async def test_an_unknown_one_is_not_found(self, store: Store):
        async with store.read() as tx:
            with pytest.raises(NotFound):
                await tx.cases.get("C-2")

    async def test_of_two_that_save_one_wins(self, store: Store):
        async with store.begin() as tx:
            await tx.cases.add(self.case)
            await tx.cases.save(self.case)
            with pytest.raises(Conflict):
                await tx.cases.save(self.case)

    async def test_a_verdict_comes_back_with_the_rules_it_settles(self, store: Store):
        judged = Judged(Verdict.PLANNED, ana.id, noon, "ok", date(2026, 12, 1), {"k": 45})
        async with store.begin() as tx:
            await tx.cases.say(self.case, judged, {"k": Rule.SEAT_JUMP})
        async with store.read() as tx:
            assert await tx.cases.said(until=noon - HOUR) == {}
            (said,) = (await tx.cases.said(until=noon))[CONTOSO]
        assert (said.case_id, said.judged, said.rules) == ("C-1", judged, {"k": Rule.SEAT_JUMP})

    async def test_a_step_is_ticked_once(self, store: Store):
        async with store.begin() as tx:
            assert await tx.cases.tick(self.case.id, Ticked(Step.MFA, ana.id, noon))
            assert not await tx.cases.tick(self.case.id, Ticked(Step.MFA, ben.id, noon))
            assert await tx.cases.ticked(["C-1"]) == {"C-1": (Ticked(Step.MFA, ana.id, noon),)}

    async def test_a_mute_stands_until_its_last_day_or_until_it_is_ended(self, store: Store):
        mute = Mute("M-1", CONTOSO, Rule.OFF_HOURS, noon.date(), 80, ben.id, noon, "busy")
        async with store.begin() as tx:
            await tx.cases.mute(mute)
            assert await tx.cases.mutes(at=noon, on=noon.date()) == (mute,)
            assert await tx.cases.mutes(at=noon + DAY, on=(noon + DAY).date()) == ()
            assert await tx.cases.unmute("M-1", at=noon + HOUR)
            assert not await tx.cases.unmute("M-1", at=noon + HOUR)
            assert await tx.cases.mutes(at=noon + 2 * HOUR, on=noon.date()) == ()
            assert await tx.cases.mutes(at=noon, on=noon.date()) == (mute,)
