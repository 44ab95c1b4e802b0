"""Doing what was approved: once, whatever happens on the way, and never more a day than allowed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from bot.domain.action import Reason, Verb
from bot.domain.audit import AuditTag
from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.errors import Unavailable
from bot.domain.request import CALLED_OFF, ActionRequest, Outcome, Result, Status
from bot.services.execution import LEASE, RETRY_AFTER, TRIES
from bot.services.requests import ConfirmedSubscription
from tests.builders import HOUR, ana, came_of, noon
from tests.proxy import Proxy
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import E3, PREMIUM, Clock, Workshop, as_confirmed

PATIENCE = 20
GONE = ConfirmedSubscription(
    SubscriptionId("00000000-0000-4000-8000-00000000dead"), "Gone", "active|1|None|None"
)


class Held:
    """The answer to its write is there, but it does not hear it before `heard` is set."""

    def __init__(self, w: Workshop) -> None:
        self.answered, self.heard = asyncio.Event(), asyncio.Event()
        w.http.event_hooks = {"response": [self._hold]}

    async def _hold(self, response: httpx.Response) -> None:
        if response.request.method == "PATCH":
            self.answered.set()
            await self.heard.wait()


async def test_what_was_approved_is_done_and_read_back(workshop: OpenWorkshop):
    w = await workshop()
    done = await w.run(await w.approved())
    assert (done.status, w.subscription().status) == (Status.DONE, "suspended")
    assert (came_of(done).changed, came_of(done).confirmed, came_of(done).error) == (True, True, "")
    assert [write.request_id for write in w.far_side.writes] == [done.targets[0].ms_request_id]
    assert [event.tag for event in await w.story(done.id)] == [
        AuditTag.REQUEST_PLACED,
        AuditTag.REQUEST_APPROVED,
        AuditTag.REQUEST_STARTED,
        AuditTag.REQUEST_FINISHED,
    ]


async def test_a_resumption_is_done_too(workshop: OpenWorkshop):
    w = await workshop()
    w.far_side.suspend_outside(w.subscription().id)
    done = await w.run(await w.approved(verb=Verb.RESUME))
    assert (done.status, w.subscription().status) == (Status.DONE, "active")


async def test_what_was_changed_is_found_so_in_the_mirror(workshop: OpenWorkshop):
    w = await workshop()
    done = await w.run(await w.approved())
    async with w.store.read() as tx:
        known = await tx.mirror.subscription(done.targets[0].subscription_id)
    assert known is not None
    assert known.status_word.lower() == "suspended"


async def test_what_is_suspended_already_is_left_alone(workshop: OpenWorkshop):
    w = await workshop()
    request = await w.approved()
    w.far_side.suspend_outside(w.subscription().id)
    done = await w.run(request)
    assert done.status is Status.DONE
    assert came_of(done).changed is False
    assert w.patches() == []


async def test_several_workers_at_one_request_act_once(workshop: OpenWorkshop, database_url: str):
    one, two = await workshop(database_url=database_url), await workshop(database_url=database_url)
    request = await one.approved()
    await asyncio.gather(*(w.execution.run(request.id) for w in (one, two, one, two)))
    assert (await one.requests.get(request.id)).status is Status.DONE
    assert len(one.patches()) == 1


async def test_nothing_is_done_before_the_undo_window_is_over(workshop: OpenWorkshop, clock: Clock):
    w = await workshop(undo=timedelta(minutes=2))
    request = await w.approved()
    clock.passes(timedelta(seconds=119))
    assert (await w.run(request)).status is Status.APPROVED
    clock.passes(timedelta(seconds=1))
    assert (await w.run(request)).status is Status.DONE


async def test_a_cancelled_request_is_not_done(workshop: OpenWorkshop):
    w = await workshop(undo=timedelta(minutes=2))
    request = await w.approved()
    await w.requests.cancel(request.id, by=ana)
    w.clock.passes(HOUR)
    assert (await w.run(request)).status is Status.WITHDRAWN
    assert w.far_side.requests == []


async def test_a_dry_run_writes_nothing(workshop: OpenWorkshop):
    w = await workshop(dry_run=True)
    done = await w.run(await w.approved())
    assert (done.status, came_of(done)) == (Status.DONE, Outcome(dry_run=True))
    assert w.patches() == []
    assert w.subscription().status == "active"


class TestRefusals:
    @pytest.mark.parametrize("change", [{"quantity": 150}, {"status": "disabled"}, {"term_duration": "P3Y"}])
    async def test_what_changed_since_it_was_confirmed_is_left_alone(
        self, workshop: OpenWorkshop, change: dict[str, Any]
    ):
        w = await workshop()
        request = await w.approved()
        w.far_side.change(w.subscription().id, **change)
        failed = await w.run(request)
        assert failed.status is Status.FAILED
        assert came_of(failed) == Outcome(
            confirmed=False,
            error="conflict",
            reason="changed-since-confirmed",
            correlation_id=w.far_side.requests[-1].headers["MS-CorrelationId"],
        )
        assert w.patches() == []

    async def test_a_dry_run_says_so_too(self, workshop: OpenWorkshop):
        w = await workshop(dry_run=True)
        request = await w.approved()
        w.far_side.change(w.subscription().id, quantity=150)
        failed = await w.run(request)
        assert (failed.status, came_of(failed).reason) == (Status.FAILED, "changed-since-confirmed")

    async def test_what_is_as_wanted_already_is_done_whatever_else_changed(self, workshop: OpenWorkshop):
        w = await workshop()
        request = await w.approved()
        w.far_side.change(w.subscription().id, status="suspended", quantity=150)
        done = await w.run(request)
        assert (done.status, came_of(done).changed) == (Status.DONE, False)
        assert w.patches() == []

    async def test_a_definite_no_fails_with_microsofts_reason_and_correlation_id(
        self, workshop: OpenWorkshop
    ):
        w = await workshop()
        refusal = {"code": 20002, "description": "You don't have access to the customer."}
        w.far_side.faults.add(status=403, method="PATCH", body=refusal)
        failed = await w.run(await w.approved())
        (patch,) = (seen for seen in w.far_side.requests if seen.method == "PATCH")
        assert failed.status is Status.FAILED
        assert came_of(failed) == Outcome(
            changed=False,
            confirmed=False,
            error="access-denied",
            reason="20002",
            correlation_id=patch.headers["MS-CorrelationId"],
        )
        finished = (await w.story(failed.id))[-1]
        assert (finished.tag, finished.facts["reason"]) == (AuditTag.REQUEST_FINISHED, "20002")

    async def test_a_customer_who_is_not_ours_is_refused(self, workshop: OpenWorkshop):
        w = await workshop()
        advised = next(c for c in w.far_side.customers if c.relationship != "reseller")
        request = await w.approved(advised.subscriptions[0].name, of=advised.id)
        assert (await w.run(request)).status is Status.FAILED
        assert w.far_side.writes == []

    async def test_a_subscription_that_is_gone_fails(self, workshop: OpenWorkshop):
        w = await workshop()
        failed = await w.run(await w.approved(subscriptions=(GONE,)))
        assert failed.status is Status.FAILED
        assert came_of(failed).error == "not-found"

    async def test_a_forbidden_transition_fails(self, workshop: OpenWorkshop):
        w = await workshop()
        w.far_side.change(w.subscription().id, status="expired")
        failed = await w.run(await w.approved())
        assert failed.status is Status.FAILED
        assert came_of(failed).reason == "800040"

    async def test_a_subscription_that_somebody_changed_under_our_hands_is_not_overwritten(
        self, workshop: OpenWorkshop
    ):
        w = await workshop()
        w.far_side.faults.change_meanwhile(quantity=7)
        failed = await w.run(await w.approved(PREMIUM))
        assert failed.status is Status.FAILED
        assert came_of(failed).error == "conflict"
        assert (w.subscription(PREMIUM).status, w.subscription(PREMIUM).quantity) == ("active", 7)

    async def test_a_stale_etag_alone_is_overcome(self, workshop: OpenWorkshop):
        w = await workshop()
        w.far_side.faults.change_meanwhile()
        done = await w.run(await w.approved(PREMIUM))
        assert (done.status, w.subscription(PREMIUM).status) == (Status.DONE, "suspended")
        assert len(w.far_side.writes) == 1


class TestWhenNobodyKnows:
    async def test_a_lost_answer_is_looked_for_and_nothing_is_done_twice(self, workshop: OpenWorkshop):
        w = await workshop()
        w.far_side.faults.lose_answer(method="PATCH")
        done = await w.run(await w.approved())
        assert done.status is Status.DONE
        assert came_of(done).changed is True
        assert len(w.far_side.writes) == 1

    async def test_a_lost_answer_that_cannot_be_looked_for_now_is_looked_for_later(
        self, workshop: OpenWorkshop, clock: Clock
    ):
        w = await workshop()
        request = await w.approved()
        w.far_side.faults.lose_answer(method="PATCH")

        async def from_then_on_nothing_can_be_read(answer: object) -> None:
            if w.patches():
                w.far_side.faults.add(status=503, method="GET", times=None)

        w.http.event_hooks = {"request": [from_then_on_nothing_can_be_read]}
        waiting = await w.run(request)
        assert waiting.status is Status.EXECUTING
        assert (await w.run(request)).attempt == 1, "nobody takes over while it waits"

        w.http.event_hooks = {}
        w.far_side.faults.clear()
        clock.passes(RETRY_AFTER)
        done = await w.run(request)
        assert (done.status, done.attempt) == (Status.DONE, 2)
        assert came_of(done).changed is True
        assert len(w.far_side.writes) == 1

    @pytest.mark.parametrize(
        ("method", "status"),
        [
            pytest.param("GET", 503, id="it could not look"),
            pytest.param("PATCH", 429, id="it was told: not now"),
        ],
    )
    async def test_what_somebody_else_did_after_an_attempt_that_sent_nothing_is_not_ours(
        self, workshop: OpenWorkshop, clock: Clock, method: str, status: int
    ):
        w = await workshop()
        request = await w.approved()
        w.far_side.faults.add(status=status, method=method, headers={"Retry-After": "600"}, times=None)
        assert (await w.run(request)).status is Status.EXECUTING
        w.far_side.faults.clear()
        w.far_side.suspend_outside(w.subscription().id)
        clock.passes(RETRY_AFTER)
        done = await w.run(request)
        assert (done.status, done.attempt) == (Status.DONE, 2)
        assert came_of(done).changed is False

    async def test_what_a_person_has_looked_into_once_more_may_have_been_ours(
        self, workshop: OpenWorkshop, clock: Clock
    ):
        w = await workshop()
        request = await w.approved()
        w.far_side.faults.add(status=503, method="PATCH", times=None)
        for _ in range(TRIES):
            await w.run(request)
            clock.passes(RETRY_AFTER)
        w.far_side.faults.clear()
        w.far_side.suspend_outside(w.subscription().id)  # by a write of ours that Microsoft took in the end
        assert (await w.requests.look_again(request.id, by=ana)).status is Status.APPROVED
        done = await w.run(request)
        assert (done.status, done.attempt) == (Status.DONE, 1)
        assert came_of(done).changed is True

    @pytest.mark.parametrize("status", [401, 403, 404])
    async def test_a_no_to_a_later_look_says_nothing_of_what_was_sent(
        self, workshop: OpenWorkshop, clock: Clock, status: int
    ):
        w = await workshop()
        request = await w.approved()
        w.far_side.faults.add(status=503, method="PATCH", times=None)
        assert (await w.run(request)).status is Status.EXECUTING
        w.far_side.faults.clear()
        w.far_side.suspend_outside(w.subscription().id)  # by our write, which Microsoft took in the end
        w.far_side.faults.add(status=status, method="GET", times=None)
        clock.passes(RETRY_AFTER)
        left = await w.run(request)
        assert left.status is Status.UNKNOWN
        w.far_side.faults.clear()
        await w.requests.look_again(request.id, by=ana)
        done = await w.run(request)
        assert (done.status, came_of(done).changed) == (Status.DONE, True)

    @pytest.mark.parametrize("later", ["another time to live", "somebody resumed it"])
    async def test_an_old_yes_is_not_good_for_ever(self, workshop: OpenWorkshop, clock: Clock, later: str):
        w = await workshop()
        request = await w.approved(reason=Reason.FRAUD)
        w.far_side.faults.add(status=503, method="PATCH", times=None)
        for _ in range(TRIES):
            await w.run(request)
            clock.passes(RETRY_AFTER)
        w.far_side.faults.clear()
        if later == "somebody resumed it":
            w.far_side.suspend_outside(w.subscription().id)
            assert (await w.run(await w.approved(verb=Verb.RESUME))).status is Status.DONE
        else:
            clock.passes(request.expires_at - request.placed_at)
        sent = len(w.patches())
        await w.requests.look_again(request.id, by=ana)
        left = await w.run(request)
        assert (left.status, came_of(left).error) == (Status.FAILED, CALLED_OFF)
        assert (len(w.patches()), w.subscription().status) == (sent, "active")

    async def test_what_fraud_may_have_suspended_one_alone_does_not_resume(
        self, workshop: OpenWorkshop, clock: Clock
    ):
        w = await workshop()
        request = await w.approved(reason=Reason.FRAUD)
        w.far_side.faults.add(status=503, method="PATCH", times=None)
        for _ in range(TRIES):
            await w.run(request)
            clock.passes(RETRY_AFTER)
        assert await w.requests.approvals_needed(Verb.RESUME, [SubscriptionId(w.subscription().id)]) == 1

    async def test_stopping_what_was_tried_again_does_not_undo_what_was_done(self, workshop: OpenWorkshop):
        w = await workshop()
        several = tuple(as_confirmed(w.subscription(name), name) for name in (E3, PREMIUM))
        request = await w.approved(subscriptions=several)
        w.far_side.faults.add(
            status=403, method="PATCH", path_contains=w.subscription(PREMIUM).id, times=None
        )
        assert (await w.run(request)).status is Status.FAILED
        w.far_side.faults.clear()
        await w.requests.retry(request.id, by=ana)
        stopped = await w.requests.cancel(request.id, by=ana)
        assert stopped.status is Status.FAILED
        assert [t.result for t in stopped.targets] == [Result.DONE, Result.FAILED]
        assert w.subscription(PREMIUM).status == "active"

    async def test_a_short_wish_to_wait_is_granted_on_the_spot(self, workshop: OpenWorkshop):
        w = await workshop()
        w.far_side.faults.add(status=429, method="PATCH", headers={"Retry-After": "1"})
        assert (await w.run(await w.approved())).status is Status.DONE
        assert len(w.far_side.writes) == 1

    async def test_a_long_one_is_granted_by_coming_back(self, workshop: OpenWorkshop, clock: Clock):
        w = await workshop()
        w.far_side.faults.add(status=429, method="PATCH", headers={"Retry-After": "600"})
        request = await w.approved()
        waiting = await w.run(request)
        assert (waiting.status, waiting.lease_until) == (Status.EXECUTING, noon + RETRY_AFTER)
        clock.passes(RETRY_AFTER)
        assert (await w.run(request)).status is Status.DONE
        assert len(w.far_side.writes) == 1

    @pytest.mark.parametrize(
        ("status", "becomes"),
        [
            pytest.param(429, Status.FAILED, id="not now: nothing was done"),
            pytest.param(503, Status.UNKNOWN, id="silence: a person has to look"),
        ],
    )
    async def test_after_many_tries_it_says_what_is_known(
        self, workshop: OpenWorkshop, clock: Clock, status: int, becomes: Status
    ):
        w = await workshop()
        headers = {"Retry-After": "600"}
        w.far_side.faults.add(status=status, method="PATCH", headers=headers, times=None)
        request = await w.approved()
        for _ in range(TRIES):
            assert (await w.run(request)).attempt <= TRIES
            clock.passes(RETRY_AFTER)
        left = await w.run(request)
        assert (left.status, left.attempt) == (becomes, TRIES)
        assert came_of(left).confirmed is False


class TestAfterACrash:
    async def _died_at_it(self, w: Workshop, *, holder: str = "host-0") -> ActionRequest:
        """A worker claimed it and was never heard of again."""
        request = await w.approved()
        return await w.left_behind(request.id, holder=holder)

    async def test_who_comes_back_under_the_same_name_finishes_it_at_once(self, workshop: OpenWorkshop):
        w = await workshop()
        request = await self._died_at_it(w)
        await w.execution.begin("host-0")
        done = await w.run(request)
        assert (done.status, done.attempt, done.holder) == (Status.DONE, 2, "host-0")
        assert [write.request_id for write in w.far_side.writes] == [request.targets[0].ms_request_id]

    async def test_a_crash_after_the_write_is_not_followed_by_another(self, workshop: OpenWorkshop):
        w = await workshop()
        request = await self._died_at_it(w)
        await w.partner_center.suspend(
            CustomerId(request.action.customer_id),
            SubscriptionId(request.targets[0].subscription_id),
            ms_request_id=UUID(request.targets[0].ms_request_id),
        )
        await w.execution.begin("host-0")
        done = await w.run(request)
        assert done.status is Status.DONE
        assert came_of(done).changed is True, "it was us, before the crash"
        assert len(w.patches()) == 1

    async def test_another_name_waits_for_the_lease_to_run_out(self, workshop: OpenWorkshop, clock: Clock):
        w = await workshop()
        request = await self._died_at_it(w, holder="host-1")
        await w.execution.begin("host-0")
        assert (await w.run(request)).status is Status.EXECUTING
        clock.passes(LEASE)
        assert (await w.run(request)).status is Status.DONE

    async def test_a_worker_that_begins_takes_up_its_own_work_by_itself(self, workshop: OpenWorkshop):
        w = await workshop()
        request = await self._died_at_it(w)
        ended = asyncio.Event()

        async def told(request_id: str) -> None:
            ended.set()

        async def shown(request_id: str) -> None:
            pass

        work = {"execute": w.execution.run, "show_request": shown, "tell_result": told}
        await w.courier.start(work, executor="host-0")
        await w.execution.begin("host-0")
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        assert (await w.requests.get(request.id)).status is Status.DONE
        assert len(w.far_side.writes) == 1


class TestTheLease:
    async def test_on_postgres_a_bearer_of_the_same_name_may_be_alive_so_its_lease_is_waited_for(
        self, workshop: OpenWorkshop, postgres_url: str
    ):
        alive, heir = [await workshop(database_url=postgres_url) for _ in range(2)]
        await alive.execution.begin("host-0")
        request = await alive.approved()
        held = Held(alive)
        acting = asyncio.create_task(alive.execution.run(request.id))
        await held.answered.wait()
        await heir.execution.begin("host-0")
        assert (await heir.run(request)).attempt == 1, "somebody is at it"
        held.heard.set()
        await acting
        assert (await alive.requests.get(request.id)).status is Status.DONE

    async def test_what_a_dead_bearer_of_the_name_left_is_taken_up_by_itself_when_its_lease_is_over(
        self, workshop: OpenWorkshop, clock: Clock, postgres_url: str
    ):
        short = timedelta(seconds=1)
        dead, heir = [await workshop(database_url=postgres_url, lease=short) for _ in range(2)]
        await dead.execution.begin("host-0")
        request = await dead.approved()
        held = Held(dead)
        acting = asyncio.create_task(dead.execution.run(request.id))
        await held.answered.wait()
        acting.cancel()
        ended = asyncio.Event()

        async def told(request_id: str) -> None:
            ended.set()

        async def shown(request_id: str) -> None:
            pass

        await heir.execution.begin("host-0")
        clock.passes(short)
        work = {"execute": heir.execution.run, "show_request": shown, "tell_result": told}
        await heir.courier.start(work, executor="host-0")
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        done = await heir.requests.get(request.id)
        assert (done.status, done.attempt) == (Status.DONE, 2)
        assert len(heir.far_side.writes) == 1

    async def test_who_cannot_renew_it_stops_before_somebody_else_may_begin(
        self, workshop: OpenWorkshop, postgres_url: str
    ):
        async with Proxy(postgres_url) as wire:
            w = await workshop(database_url=wire.url, lease=timedelta(seconds=1))
            request = await w.approved()
            held = Held(w)
            acting = asyncio.create_task(w.execution.run(request.id))
            await held.answered.wait()
            wire.cut()
            with pytest.raises(Unavailable) as error:
                async with asyncio.timeout(PATIENCE):
                    await acting
            assert error.value.system == "database"
            wire.mend()
            assert (await w.requests.get(request.id)).status is Status.EXECUTING

    async def test_who_can_renew_it_may_take_longer_than_a_lease(self, workshop: OpenWorkshop):
        # Of a shorter lease a busy machine leaves too little to renew it in.
        w = await workshop(lease=timedelta(seconds=3))
        w.far_side.faults.slow(3.5, method="PATCH")
        done = await w.run(await w.approved())
        assert (done.status, done.attempt) == (Status.DONE, 1)

    @pytest.mark.parametrize(
        ("status", "becomes"),
        [pytest.param(None, Status.DONE, id="done"), pytest.param(403, Status.FAILED, id="refused")],
    )
    async def test_what_came_of_it_is_kept_though_the_database_is_away_for_a_moment(
        self, workshop: OpenWorkshop, postgres_url: str, status: int | None, becomes: Status
    ):
        async with Proxy(postgres_url) as wire:
            w = await workshop(database_url=wire.url)
            request = await w.approved()
            if status:
                w.far_side.faults.add(status=status, method="PATCH")
            held = Held(w)
            acting = asyncio.create_task(w.execution.run(request.id))
            await held.answered.wait()
            wire.cut()
            held.heard.set()
            asyncio.get_running_loop().call_later(1.0, wire.mend)
            await acting
            kept = await w.requests.get(request.id)
            assert (kept.status, kept.attempt) == (becomes, 1)

    async def test_the_word_of_somebody_who_was_taken_over_from_does_not_count(
        self, workshop: OpenWorkshop, clock: Clock, database_url: str
    ):
        slow, heir = [await workshop(database_url=database_url) for _ in range(2)]
        request = await slow.approved()
        slow.far_side.faults.add(status=403, method="PATCH")
        refused, accepted = Held(slow), Held(heir)
        acting = asyncio.create_task(slow.execution.run(request.id))
        await refused.answered.wait()
        clock.passes(LEASE)
        taking_over = asyncio.create_task(heir.execution.run(request.id))
        await accepted.answered.wait()
        refused.heard.set()
        await acting
        assert (await heir.requests.get(request.id)).status is Status.EXECUTING
        accepted.heard.set()
        await taking_over
        done = await heir.requests.get(request.id)
        assert (done.status, done.attempt) == (Status.DONE, 2)
        finished = [event for event in await heir.story(request.id) if event.tag == AuditTag.REQUEST_FINISHED]
        assert len(finished) == 1


class TestDailyLimit:
    async def test_one_too_many_waits_for_the_next_day(self, workshop: OpenWorkshop, clock: Clock):
        w = await workshop(daily_limit=1, zone="Asia/Shanghai")
        await w.run(await w.approved(E3))
        second = await w.approved(PREMIUM)
        waiting = await w.run(second)
        assert (waiting.status, waiting.acts_at) == (Status.APPROVED, datetime(2026, 11, 23, 16, tzinfo=UTC))
        last = (await w.story(second.id))[-1]
        assert (last.tag, dict(last.facts)) == (AuditTag.REQUEST_POSTPONED, {"limit": 1, "begun": 1})

        clock.passes(timedelta(hours=4) - timedelta(microseconds=1))
        assert (await w.run(second)).status is Status.APPROVED
        clock.passes(timedelta(microseconds=1))
        assert (await w.run(second)).status is Status.DONE

    @pytest.mark.parametrize(
        ("at", "midnight"),
        [
            pytest.param(
                datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
                datetime(2026, 10, 25, 23, tzinfo=UTC),
                id="the day of 25 hours",
            ),
            pytest.param(
                datetime(2027, 3, 28, 0, 30, tzinfo=UTC),
                datetime(2027, 3, 28, 22, tzinfo=UTC),
                id="the day of 23 hours",
            ),
        ],
    )
    async def test_the_day_ends_at_midnight_of_the_zone(
        self, workshop: OpenWorkshop, clock: Clock, at: datetime, midnight: datetime
    ):
        clock.at = at
        w = await workshop(daily_limit=0, zone="Europe/Berlin")
        assert (await w.run(await w.approved())).acts_at == midnight

    async def test_of_many_at_once_no_more_than_allowed_begin(
        self, workshop: OpenWorkshop, database_url: str
    ):
        one = await workshop(database_url=database_url, daily_limit=2)
        two = await workshop(database_url=database_url, daily_limit=2)
        firms = [
            customer
            for customer in one.far_side.customers
            if customer.relationship == "reseller" and any(s.name == E3 for s in customer.subscriptions)
        ]
        asked = [await one.approved(E3, of=firm.id) for firm in firms]
        assert len(asked) > 2
        await asyncio.gather(*(w.requests.get(r.id) for w in (one, two) for r in asked))  # doors are open
        await asyncio.gather(*((one, two)[n % 2].execution.run(r.id) for n, r in enumerate(asked)))
        assert len(one.far_side.writes) == 2

    async def test_resumptions_are_not_counted_and_not_limited(self, workshop: OpenWorkshop):
        w = await workshop(daily_limit=0)
        w.far_side.suspend_outside(w.subscription().id)
        assert (await w.run(await w.approved(verb=Verb.RESUME))).status is Status.DONE

    async def test_dry_runs_are_not_limited(self, workshop: OpenWorkshop):
        w = await workshop(daily_limit=0, dry_run=True)
        assert (await w.run(await w.approved())).status is Status.DONE

    async def test_what_waits_for_the_next_day_may_still_be_cancelled(self, workshop: OpenWorkshop):
        w = await workshop(daily_limit=0)
        request = await w.run(await w.approved())
        assert (await w.requests.cancel(request.id, by=ana)).status is Status.WITHDRAWN
