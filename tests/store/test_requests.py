"""Requests in the database: nothing is lost on the way, and of several who come at once one is first."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from bot.domain.action import Reason, Verb
from bot.domain.customer import SubscriptionId
from bot.domain.errors import AlreadyApproved, AlreadyDecided, AlreadyWaiting, NotFound
from bot.domain.glass import BreakGlass
from bot.domain.people import Person
from bot.domain.request import ActionRequest, Outcome, RequestId, Result, Status
from bot.store import Store
from bot.store.tables import requests
from tests.builders import DAY, HOUR, a_request, a_target, an_action, ana, ben, mei, noon, settled, targets
from tests.store.waiting import until_somebody_waits

LEASE = timedelta(seconds=45)


async def add(store: Store, request: ActionRequest) -> None:
    async with store.begin() as tx:
        await tx.requests.add(request)


async def get(store: Store, request_id: str = "R-TEST000001") -> ActionRequest:
    async with store.read() as tx:
        return await tx.requests.get(request_id, to_change=False)


async def save(store: Store, request: ActionRequest) -> None:
    async with store.begin() as tx:
        await tx.requests.save(request)


async def approve(store: Store, by: Person) -> ActionRequest:
    async with store.begin() as tx:
        request = (await tx.requests.get("R-TEST000001")).approve(by=by, at=noon)
        await tx.requests.save(request)
    return request


async def claim(store: Store, holder: str) -> ActionRequest:
    async with store.begin() as tx:
        request = (await tx.requests.get("R-TEST000001")).claim(at=noon, lease=LEASE, holder=holder)
        await tx.requests.save(request)
    return request


async def test_an_older_release_takes_a_broken_glass_for_an_approval(store: Store):
    rule, why = BreakGlass(frozenset({ana.id})), "Card fraud: 400 new seats in ten minutes"
    asked = a_request(action=an_action(reason=Reason.FRAUD), approvals_needed=2).approve(by=ben, at=noon)
    broken = asked.break_glass(rule, by=ana, at=noon, why=why)
    await add(store, broken)
    assert (await get(store)).decisions == broken.decisions
    async with store.read() as tx:
        kept = (await tx.connection.execute(select(requests.c.decisions))).scalar_one()
    assert [(row["verdict"], row["by"], row["why"]) for row in kept] == [
        ("approve", ben.id, ""),
        ("approve", ana.id, why),
    ]


def an_eventful_request() -> ActionRequest:
    """Every field has a value that is not its default."""
    action = an_action(reason=Reason.CUSTOMER_REQUEST, note="„Bitte“ – 逾期 💸")
    request = a_request(
        action=action,
        targets=[
            a_target(),
            a_target(subscription_id=SubscriptionId("add-on"), parent_id=a_target().subscription_id),
        ],
        approvals_needed=2,
        undo=timedelta(minutes=2),
        not_before=noon + HOUR,
        policy_note="stage:suspend",
        dry_run=True,
    )
    decided = request.approve(by=ben, at=noon).approve(by=mei, at=noon + HOUR)
    started = decided.claim(at=noon + 2 * HOUR, lease=LEASE, holder="host-1")
    outcome = Outcome(True, False, True, "throttled", "429", "3f1c", date(2027, 1, 14))
    base = started.targets[0].subscription_id
    ended = started.settle(base, Result.FAILED, outcome, at=noon + 3 * HOUR)
    return replace(ended, closed_by=ana.id, closed_at=noon + DAY, over_daily_limit=True)


async def test_a_request_comes_back_as_it_was_kept(store: Store):
    await add(store, an_eventful_request())
    assert await get(store) == an_eventful_request()


async def test_each_save_makes_the_next_version(store: Store):
    await add(store, a_request())
    await approve(store, ben)
    assert (await get(store)).version == 1


async def test_what_was_never_placed_is_not_found(store: Store):
    with pytest.raises(NotFound):
        await get(store, "R-NOBODY")


async def test_what_is_raised_takes_everything_back(store: Store):
    with suppress(LookupError):
        async with store.begin() as tx:
            await tx.requests.add(a_request())
            raise LookupError
    with pytest.raises(NotFound):
        await get(store)


class TestRaces:
    async def test_of_two_approvers_at_once_one_is_first_and_the_other_is_told_so(
        self, replicas: tuple[Store, Store]
    ):
        one, two = replicas
        await add(one, a_request(approvals_needed=1))
        results = await asyncio.gather(approve(one, ben), approve(two, mei), return_exceptions=True)
        assert sorted(type(r).__name__ for r in results) == ["ActionRequest", "AlreadyDecided"]
        kept = await get(one)
        assert (kept.status, len(kept.approvals), kept.version) == (Status.APPROVED, 1, 1)

    async def test_two_approvers_at_once_are_both_counted_where_two_are_needed(
        self, replicas: tuple[Store, Store]
    ):
        one, two = replicas
        await add(one, a_request(approvals_needed=2))
        await asyncio.gather(approve(one, ben), approve(two, mei))
        kept = await get(one)
        assert (kept.status, {d.by for d in kept.approvals}) == (Status.APPROVED, {ben.id, mei.id})

    async def test_one_approver_clicking_twice_at_once_is_one_approval(self, replicas: tuple[Store, Store]):
        one, two = replicas
        await add(one, a_request(approvals_needed=2))
        results = await asyncio.gather(approve(one, ben), approve(two, ben), return_exceptions=True)
        assert sum(isinstance(r, AlreadyApproved) for r in results) == 1
        kept = await get(one)
        assert (kept.status, len(kept.approvals)) == (Status.PENDING, 1)

    async def test_approve_and_deny_at_once_leave_one_verdict(self, replicas: tuple[Store, Store]):
        one, two = replicas
        await add(one, a_request())

        async def deny() -> None:
            async with two.begin() as tx:
                await tx.requests.save((await tx.requests.get("R-TEST000001")).deny(by=mei, at=noon, why=""))

        results = await asyncio.gather(approve(one, ben), deny(), return_exceptions=True)
        assert sum(isinstance(r, AlreadyDecided) for r in results) == 1
        assert len((await get(one)).decisions) == 1

    async def test_who_read_before_somebody_else_saved_is_refused(self, replicas: tuple[Store, Store]):
        one, two = replicas
        await add(one, a_request(approvals_needed=2))
        seen_by_one, seen_by_two = await get(one), await get(two)
        await save(one, seen_by_one.approve(by=ben, at=noon))
        with pytest.raises(AlreadyDecided):
            await save(two, seen_by_two.deny(by=mei, at=noon, why=""))
        assert (await get(one)).denial is None

    async def test_of_several_workers_claiming_at_once_one_wins(self, replicas: tuple[Store, Store]):
        one, two = replicas
        await add(one, a_request(approvals_needed=0))
        results = await asyncio.gather(
            *(claim(store, name) for store, name in [(one, "a"), (two, "b"), (one, "c"), (two, "d")]),
            return_exceptions=True,
        )
        won = [r for r in results if isinstance(r, ActionRequest)]
        assert len(won) == 1
        assert all(isinstance(r, AlreadyDecided) for r in results if r is not won[0])
        assert (await get(one)).holder == won[0].holder

    async def test_the_same_subscription_asked_for_twice_at_once_waits_once(
        self, replicas: tuple[Store, Store]
    ):
        one, two = replicas
        results = await asyncio.gather(
            add(one, a_request(id="R-ONE")), add(two, a_request(id="R-TWO")), return_exceptions=True
        )
        (refusal,) = (r for r in results if r is not None)
        assert isinstance(refusal, AlreadyWaiting)
        assert [r.id for r in await self._open(one)] == [refusal.request_id], "it names the one that waits"

    async def test_who_loses_at_the_very_moment_is_told_which_one_waits(self, replicas: tuple[Store, Store]):
        one, two = replicas
        async with asyncio.timeout(20), one.begin() as tx:
            await tx.requests.add(a_request(id="R-ONE"))
            loser = asyncio.create_task(add(two, a_request(id="R-TWO")))
            await until_somebody_waits(tx)
        with pytest.raises(AlreadyWaiting) as refusal:
            await loser
        assert refusal.value.request_id == "R-ONE"

    async def _open(self, store: Store) -> list[ActionRequest]:
        async with store.read() as tx:
            return await tx.requests.open()


class TestOneAtATime:
    async def test_the_refusal_names_the_request_that_waits(self, store: Store):
        await add(store, a_request(id="R-ONE"))
        with pytest.raises(AlreadyWaiting) as refusal:
            await add(store, a_request(id="R-TWO"))
        assert refusal.value.request_id == "R-ONE"

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param({"action": an_action(verb=Verb.RESUME)}, id="another verb"),
            pytest.param(
                {"targets": [a_target(subscription_id=SubscriptionId("other"))]}, id="another subscription"
            ),
        ],
    )
    async def test_another_thing_may_be_asked_for_meanwhile(self, store: Store, other):
        await add(store, a_request(id="R-ONE"))
        await add(store, a_request(id="R-TWO", **other))

    async def test_once_it_is_over_it_may_be_asked_for_again(self, store: Store):
        await add(store, a_request(id="R-ONE"))
        await save(store, (await get(store, "R-ONE")).withdraw(by=ana, at=noon))
        await add(store, a_request(id="R-TWO"))

    async def test_what_nobody_knows_the_end_of_keeps_others_waiting(self, store: Store):
        await add(store, a_request(id="R-ONE", approvals_needed=0))
        started = (await get(store, "R-ONE")).claim(at=noon, lease=LEASE, holder="a")
        await save(store, settled(started, Result.UNKNOWN))
        with pytest.raises(AlreadyWaiting):
            await add(store, a_request(id="R-TWO"))


class TestWhatTheSweepFinds:
    async def _add_each(self, store: Store, *requests: ActionRequest) -> None:
        for number, request in enumerate(requests):
            about = tuple(
                replace(t, subscription_id=SubscriptionId(f"s{number}-{t.subscription_id}"))
                for t in request.targets
            )
            await add(store, replace(request, id=RequestId(f"R-{number}"), targets=about))

    async def test_expired_are_the_pending_ones_whose_time_is_over(self, store: Store):
        await self._add_each(
            store,
            a_request(time_to_live=HOUR),
            a_request(time_to_live=HOUR + timedelta(microseconds=1)),
            a_request(time_to_live=HOUR, approvals_needed=0),
        )
        async with store.read() as tx:
            assert [r.id for r in await tx.requests.expired(at=noon + HOUR)] == ["R-0"]

    async def test_stranded_are_those_due_for_long_or_held_by_the_dead(self, store: Store):
        due = a_request(approvals_needed=0)
        started = due.claim(at=noon, lease=LEASE, holder="a")
        later = a_request(approvals_needed=0, undo=timedelta(seconds=1))
        await self._add_each(store, due, started, later, started.wait(until=noon + HOUR), a_request())
        at = noon + timedelta(seconds=60)
        async with store.read() as tx:
            found = await tx.requests.stranded(at=at, grace=timedelta(seconds=60))
        assert sorted(r.id for r in found) == ["R-0", "R-1"]

    async def test_only_its_holder_renews_a_lease(self, store: Store):
        await self._add_each(store, a_request(approvals_needed=0).claim(at=noon, lease=LEASE, holder="a"))
        async with store.begin() as tx:
            await tx.requests.renew("R-0", holder="b", until=noon + HOUR)
        assert (await get(store, "R-0")).lease_until == noon + LEASE
        async with store.begin() as tx:
            await tx.requests.renew("R-0", holder="a", until=noon + HOUR)
        renewed = await get(store, "R-0")
        assert (renewed.lease_until, renewed.version) == (noon + HOUR, 0)

    async def test_suspensions_of_a_day_are_counted_when_they_began_whatever_came_of_them(self, store: Store):
        started = a_request(approvals_needed=0).claim(at=noon, lease=LEASE, holder="a")
        await self._add_each(
            store,
            started,
            settled(started, Result.FAILED),
            replace(started, dry_run=True),
            a_request(approvals_needed=0),
            a_request(at=noon - DAY, approvals_needed=0).claim(at=noon - HOUR, lease=LEASE, holder="a"),
            a_request(approvals_needed=0, targets=targets(3)).claim(at=noon, lease=LEASE, holder="a"),
        )
        async with store.read() as tx:
            assert await tx.requests.suspended_since(noon) == 2 + 3

    async def test_who_counts_waits_for_who_is_just_beginning(self, replicas: tuple[Store, Store]):
        one, two = replicas
        await self._add_each(one, a_request(approvals_needed=0))

        async def count() -> int:
            async with two.begin() as tx:
                return await tx.requests.suspended_since(noon)

        async with asyncio.timeout(20), one.begin() as tx:
            request = await tx.requests.get("R-0")
            assert await tx.requests.suspended_since(noon) == 0
            await tx.requests.save(request.claim(at=noon, lease=LEASE, holder="a"))
            other = asyncio.create_task(count())
            await until_somebody_waits(tx)
        assert await other == 1

    async def test_open_ones_are_listed_oldest_first_and_counted(self, store: Store):
        await self._add_each(
            store,
            a_request(at=noon + HOUR),
            a_request(at=noon),
            a_request().withdraw(by=ana, at=noon),
            a_request(at=noon + 2 * HOUR, approvals_needed=0),
        )
        async with store.read() as tx:
            assert [r.id for r in await tx.requests.open()] == ["R-1", "R-0", "R-3"]
            assert await tx.requests.counts() == {Status.PENDING: 2, Status.APPROVED: 1}
