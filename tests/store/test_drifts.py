"""Drifts come back as they were kept, are decided once, and are handed out to be told once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.domain.action import Reason, Verb
from bot.domain.customer import SubscriptionId, SubscriptionStatus
from bot.domain.drift import Drift, DriftId
from bot.domain.errors import Conflict, DriftSettled, NotFound
from bot.domain.request import RequestId, Result
from bot.store import Store
from bot.store.drifts import CARD, DUE, LINE, SILENT
from tests.builders import (
    CONTOSO,
    DAY,
    HOUR,
    a_drift,
    a_request,
    a_subscription,
    an_action,
    ana,
    ben,
    noon,
    settled,
)
from tests.store.waiting import until_somebody_waits

SUBSCRIPTION = a_subscription().id


async def keep(store: Store, *drifts: Drift, told: str = DUE) -> None:
    async with store.begin() as tx:
        for drift in drifts:
            await tx.drifts.add(drift, told=told)


def another(number: int, **fields: object) -> Drift:
    return a_drift(id=DriftId(f"D-{number}"), subscription_id=SubscriptionId(f"s-{number}"), **fields)


@pytest.mark.parametrize(
    "drift",
    [
        pytest.param(a_drift(), id="open"),
        pytest.param(
            a_drift(
                changed_at=noon - HOUR,
                words=("Fraud", "欺诈"),
                not_before=None,
                became=SubscriptionStatus.ACTIVE,
            ),
            id="with all that is known",
        ),
        pytest.param(
            a_drift().adopt(by=ben, at=noon + HOUR, reason=Reason.FRAUD, note="stolen"), id="adopted"
        ),
        pytest.param(a_drift().explain(by=ana, at=noon + HOUR, note="wer weiß"), id="explained"),
    ],
)
async def test_it_comes_back_as_it_was_kept(store: Store, drift: Drift):
    await keep(store, drift)
    async with store.begin() as tx:
        assert await tx.drifts.get(drift.id) == drift
        await tx.drifts.save(drift)
        assert await tx.drifts.get(drift.id) == replace(drift, version=1)
        with pytest.raises(NotFound):
            await tx.drifts.get("D-NONE")


async def test_of_two_who_decide_at_once_the_second_is_told(replicas: tuple[Store, Store]):
    one, two = replicas
    await keep(one, a_drift())

    async def explain() -> None:
        async with two.begin() as tx:
            await tx.drifts.save((await tx.drifts.get(a_drift().id)).explain(by=ana, at=noon, note="I know"))

    async with asyncio.timeout(20):
        async with one.begin() as tx:
            adopted = (await tx.drifts.get(a_drift().id)).adopt(by=ben, at=noon, reason=Reason.FRAUD)
            late = asyncio.create_task(explain())
            await until_somebody_waits(tx)
            await tx.drifts.save(adopted)
        with pytest.raises(DriftSettled) as refusal:
            await late
    assert (refusal.value.why, refusal.value.by) == ("adopted", ben.id)


async def test_a_save_on_an_older_version_is_refused(store: Store):
    await keep(store, a_drift())
    async with store.begin() as tx:
        read = await tx.drifts.get(a_drift().id)
        await tx.drifts.save(read)
        with pytest.raises(Conflict):
            await tx.drifts.save(read)


async def test_the_newest_that_is_not_over_stands(store: Store):
    older = a_drift(id=DriftId("D-1"), seen_at=noon - DAY)
    over = a_drift(id=DriftId("D-2"), seen_at=noon + DAY).over(at=noon + DAY)
    await keep(store, older, a_drift(), over, another(7))
    async with store.read() as tx:
        assert await tx.drifts.standing([SUBSCRIPTION]) == {SUBSCRIPTION: a_drift()}
        assert await tx.drifts.standing([]) == {}


async def test_what_is_due_is_handed_out_once(replicas: tuple[Store, Store]):
    one, two = replicas
    await keep(one, another(1), another(2, seen_at=noon - DAY))
    await keep(one, another(3), told=SILENT)
    await keep(one, another(4).over(at=noon))

    async def take(store: Store) -> list[str]:
        async with store.begin() as tx:
            found = await tx.drifts.due()
            await tx.drifts.is_told(found, CARD)
            return [drift.id for drift in found]

    async with one.read() as tx:
        assert await tx.drifts.are_due()
    async with asyncio.timeout(20):
        taken = await asyncio.gather(take(one), take(two))
    assert sorted(taken) == [[], ["D-2", "D-1"]]
    async with one.read() as tx:
        assert not await tx.drifts.are_due()
        assert await tx.drifts.cards(since=noon - DAY) == 2
        assert await tx.drifts.cards(since=noon) == 1


async def test_some_can_be_asked_for_by_name(store: Store):
    await keep(store, another(1), another(2))
    async with store.begin() as tx:
        assert [d.id for d in await tx.drifts.due(["D-2"])] == ["D-2"]
        assert await tx.drifts.due([]) == []


async def test_a_card_that_is_missing_or_older_is_behind(store: Store):
    await keep(store, another(1), another(2), another(3), told=CARD)
    await keep(store, another(4), told=SILENT)
    async with store.begin() as tx:
        for number, drawn in ((2, 0), (3, 0)):
            key = f"drift:D-{number}"
            await tx.posts.claim(key, channel="C", at=noon)
            await tx.posts.sent(key, channel="C", ts=f"17.{number}")
            await tx.posts.drawn(key, version=drawn)
        await tx.drifts.save(another(3).explain(by=ana, at=noon, note="x"))
        found = await tx.drifts.behind(since=noon - HOUR, until=noon)
        assert {drift.id for drift in found} == {"D-1", "D-3"}
        assert await tx.drifts.behind(since=noon + HOUR, until=noon + DAY) == []


async def test_a_line_stands_for_many_until_it_is_posted(store: Store):
    line = f"{LINE}D-1"
    await keep(store, another(1), another(2), told=line)
    async with store.begin() as tx:
        assert await tx.drifts.in_line(line) == 2
        assert await tx.drifts.untold_lines(since=noon, until=noon) == [line]
        await tx.posts.claim(f"drifts:{line}", channel="C", at=noon)
        assert await tx.drifts.untold_lines(since=noon, until=noon) == []


async def test_the_log_is_asked_once_about_each_suspension(store: Store):
    resumed = another(3, became=SubscriptionStatus.ACTIVE)
    await keep(store, another(1), another(2), resumed, another(4, seen_at=noon - 100 * DAY))
    async with store.begin() as tx:
        assert [d.id for d in await tx.drifts.undated(since=noon - 89 * DAY)] == ["D-1", "D-2"]
        assert [d.id for d in await tx.drifts.undated(since=noon - 89 * DAY, only=["D-2"])] == ["D-2"]
        await tx.drifts.is_asked([another(1)])
        assert [d.id for d in await tx.drifts.undated(since=noon - 89 * DAY)] == ["D-2"]


async def test_what_we_resumed_ourselves_is_known(store: Store):
    resume = a_request(action=an_action(verb=Verb.RESUME), approvals_needed=0)
    done = settled(resume.claim(at=noon, lease=HOUR, holder="w"), Result.DONE, at=noon + HOUR)
    async with store.begin() as tx:
        await tx.requests.add(replace(done, dry_run=True, id=RequestId("R-DRY")))
        assert await tx.drifts.resumed_by_us([SUBSCRIPTION]) == {}
        await tx.requests.add(done)
        assert await tx.drifts.resumed_by_us([SUBSCRIPTION, SubscriptionId("x")]) == {
            SUBSCRIPTION: noon + HOUR
        }
        assert await tx.drifts.asked_about(since=noon) == {CONTOSO}
        assert await tx.drifts.asked_about(since=noon + HOUR) == set()
