"""Requests as use cases: what is written together, what happens twice, and what the sweep mends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from bot.domain.action import Reason, Verb
from bot.domain.audit import AuditTag
from bot.domain.collection import Ground
from bot.domain.errors import (
    AlreadyApproved,
    AlreadyDecided,
    AlreadyWaiting,
    ConfirmationOutdated,
    NotFound,
    NotPermitted,
)
from bot.domain.request import ActionRequest, Status
from bot.services.requests import DRAFTS_LIVE, STRANDED_AFTER, Confirmed
from tests.builders import DAY, HOUR, ana, ben, boss, eve, mei, noon
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import E3, PREMIUM, Clock, Workshop, writes

PATIENCE = 20


async def both(workshop: OpenWorkshop, database_url: str) -> tuple[Workshop, Workshop]:
    """Two replicas on one database."""
    return await workshop(database_url=database_url), await workshop(database_url=database_url)


def read(kept: dict[str, Any] | None) -> Confirmed:
    """What a confirmation showed, as a draft keeps it."""
    return TypeAdapter(Confirmed).validate_python(kept)


class Work:
    """Jobs that do nothing but say that they ran."""

    def __init__(self) -> None:
        self._ran: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    def job(self, name: str) -> Callable[..., asyncio.Future[None]]:
        async def run(request_id: str) -> None:
            self._ran.append((name, request_id))
            self._news.set()

        return run  # type: ignore[return-value]

    async def start(self, w: Workshop) -> None:
        names = ("execute", "show_request", "tell_result")
        await w.courier.start({name: self.job(name) for name in names}, executor="host-0")

    async def comes_to(self, *jobs: tuple[str, str]) -> None:
        """Wait until all of these ran."""
        async with asyncio.timeout(PATIENCE):
            while not set(jobs) <= set(self._ran):
                self._news.clear()
                await self._news.wait()


class TestPlacing:
    async def test_confirming_twice_at_once_places_one_request(
        self, workshop: OpenWorkshop, database_url: str
    ):
        one, two = await both(workshop, database_url)
        draft = await one.drafted()
        placed = await asyncio.gather(
            *(w.requests.place(draft.id, draft.nonce, by=ana) for w in (one, two, one, two))
        )
        assert {r.id for r in placed} == {draft.id}
        assert [event.tag for event in await one.story(draft.id)] == [AuditTag.REQUEST_PLACED]

    async def test_confirming_again_later_changes_nothing(self, workshop: OpenWorkshop):
        w = await workshop()
        draft = await w.drafted()
        await w.requests.place(draft.id, draft.nonce, by=ana)
        await w.requests.approve(draft.id, by=ben)
        assert (await w.requests.place(draft.id, draft.nonce, by=ana)).status is Status.APPROVED

    async def test_only_the_newest_confirmation_is_placed(self, workshop: OpenWorkshop, database_url: str):
        w = await workshop(database_url=database_url)
        older, confirmed = await w.drafted(E3), (await w.drafted(PREMIUM)).confirmed
        newer = await w.requests.begin_confirmation(older.id, by=ana)
        for nonce in (older.nonce, ""):
            with pytest.raises(ConfirmationOutdated):
                await w.requests.place(older.id, nonce, by=ana)
        assert (await w.requests.open(), await w.story(older.id)) == ([], [])
        await w.requests.confirmable(newer.id, newer.nonce, read(confirmed), by=ana)

        request = await w.requests.place(newer.id, newer.nonce, by=ana)

        assert [t.name for t in request.targets] == [PREMIUM]
        with pytest.raises(ConfirmationOutdated):  # nor is it told that this was placed
            await w.requests.place(older.id, older.nonce, by=ana)

    async def test_what_was_read_for_an_older_continue_is_not_kept(
        self, workshop: OpenWorkshop, database_url: str
    ):
        one, two = await both(workshop, database_url)
        older = await one.drafted(E3)
        newer = await two.requests.begin_confirmation(older.id, by=ana)
        shown = read((await two.drafted(PREMIUM)).confirmed)
        kept = await two.requests.confirmable(newer.id, newer.nonce, shown, by=ana)
        for late in (
            one.requests.confirmable(older.id, older.nonce, read(older.confirmed), by=ana),
            one.requests.blocked(older.id, older.nonce, {"plan": "P-1"}, by=ana),
            one.requests.newest(older.id, older.nonce, by=ana),
        ):
            with pytest.raises(ConfirmationOutdated):
                await late
        assert await one.requests.draft(older.id, by=ana) == kept

    async def test_of_a_continue_and_a_confirm_at_once_one_counts(
        self, workshop: OpenWorkshop, database_url: str
    ):
        one, two = await both(workshop, database_url)
        draft = await one.drafted()
        results = await asyncio.gather(
            one.requests.place(draft.id, draft.nonce, by=ana),
            two.requests.begin_confirmation(draft.id, by=ana),
            return_exceptions=True,
        )
        (refusal,) = (r for r in results if isinstance(r, BaseException))
        assert isinstance(refusal, ConfirmationOutdated | NotFound)
        assert len(await one.requests.open()) == int(isinstance(refusal, NotFound))

    async def test_what_a_release_kept_that_knew_of_no_nonce_is_confirmed_anew(self, workshop: OpenWorkshop):
        w = await workshop()
        draft = replace(await w.drafted(), nonce="")
        async with w.store.begin() as tx:
            await tx.drafts.save(draft)
        assert await w.requests.draft(draft.id, by=ana) == draft
        with pytest.raises(ConfirmationOutdated):
            await w.requests.place(draft.id, "", by=ana)
        newer = await w.requests.begin_confirmation(draft.id, by=ana)
        await w.requests.confirmable(newer.id, newer.nonce, read(draft.confirmed), by=ana)
        assert (await w.requests.place(newer.id, newer.nonce, by=ana)).id == draft.id

    async def test_the_same_subscription_confirmed_twice_at_once_waits_once(
        self, workshop: OpenWorkshop, database_url: str
    ):
        one, two = await both(workshop, database_url)
        drafts = [await one.drafted(), await two.drafted(by=boss)]
        results = await asyncio.gather(
            one.requests.place(drafts[0].id, drafts[0].nonce, by=ana),
            two.requests.place(drafts[1].id, drafts[1].nonce, by=boss),
            return_exceptions=True,
        )
        (refusal,) = (r for r in results if isinstance(r, BaseException))
        assert isinstance(refusal, AlreadyWaiting)
        assert [r.id for r in await one.requests.open()] == [refusal.request_id]

    async def test_nobody_places_somebody_elses_draft(self, workshop: OpenWorkshop):
        w = await workshop()
        draft = await w.drafted(by=ana)
        with pytest.raises(NotFound):
            await w.requests.place(draft.id, draft.nonce, by=boss)
        await w.requests.place(draft.id, draft.nonce, by=ana)
        with pytest.raises(NotFound):
            await w.requests.place(draft.id, draft.nonce, by=boss)

    async def test_what_was_never_confirmed_is_not_placed(self, workshop: OpenWorkshop):
        w = await workshop()
        draft = await w.requests.begin_draft(Verb.SUSPEND, by=ana, channel="C0")
        with pytest.raises(NotFound):
            await w.requests.place(draft.id, draft.nonce, by=ana)

    async def test_who_lost_the_right_since_the_form_places_nothing(self, workshop: OpenWorkshop):
        w = await workshop()
        draft = await w.drafted(by=eve)
        with pytest.raises(NotPermitted):
            await w.requests.place(draft.id, draft.nonce, by=eve)
        assert await w.requests.open() == []
        assert await w.story(draft.id) == []

    async def test_the_request_is_what_was_shown(self, workshop: OpenWorkshop):
        w = await workshop()
        request = await w.placed(reason=Reason.FRAUD, note="„逾期“", policy_note="stage:suspend", approvals=2)
        assert request == await w.requests.get(request.id)
        action = request.action
        assert (request.targets[0].subscription_id, action.reason, action.note) == (
            w.subscription().id,
            Reason.FRAUD,
            "„逾期“",
        )
        assert (request.approvals_needed, request.policy_note) == (2, "stage:suspend")


class TestDeciding:
    async def test_two_approvers_at_once_where_one_is_needed(self, workshop: OpenWorkshop, database_url: str):
        one, two = await both(workshop, database_url)
        request = await one.placed()
        results = await asyncio.gather(
            one.requests.approve(request.id, by=ben),
            two.requests.approve(request.id, by=mei),
            return_exceptions=True,
        )
        (refusal,) = (r for r in results if isinstance(r, BaseException))
        assert isinstance(refusal, AlreadyDecided)
        approvals = [e for e in await one.story(request.id) if e.tag == AuditTag.REQUEST_APPROVED]
        assert len(approvals) == 1
        assert approvals[0].by == refusal.by

    async def test_two_approvers_at_once_where_two_are_needed(
        self, workshop: OpenWorkshop, database_url: str
    ):
        one, two = await both(workshop, database_url)
        request = await one.placed(approvals=2)
        await asyncio.gather(
            one.requests.approve(request.id, by=ben), two.requests.approve(request.id, by=mei)
        )
        approvals = [e.facts for e in await one.story(request.id) if e.tag == AuditTag.REQUEST_APPROVED]
        assert [facts["approvals"] for facts in approvals] == [1, 2]
        assert (await one.requests.get(request.id)).status is Status.APPROVED

    async def test_a_click_delivered_twice_at_once_counts_once(
        self, workshop: OpenWorkshop, database_url: str
    ):
        one, two = await both(workshop, database_url)
        request = await one.placed(approvals=2)
        results = await asyncio.gather(
            *(w.requests.approve(request.id, by=ben) for w in (one, two)), return_exceptions=True
        )
        assert sum(isinstance(r, AlreadyApproved) for r in results) == 1
        assert (await one.requests.get(request.id)).status is Status.PENDING

    async def test_a_refused_decision_leaves_no_trace_but_its_own(self, workshop: OpenWorkshop):
        w = await workshop()
        request = await w.placed()
        with pytest.raises(NotPermitted) as refusal:
            await w.requests.approve(request.id, by=eve)
        await w.requests.refused(refusal.value, by=eve, subject=request.id, attempted="approve")
        told = (await w.story(request.id))[1:]
        assert [(e.tag, e.by, e.facts["error"]) for e in told] == [
            (AuditTag.ACCESS_REFUSED, eve.id, "not-permitted")
        ]

    async def test_asking_whether_one_may_decide_decides_nothing(self, workshop: OpenWorkshop):
        w = await workshop()
        request = await w.placed()
        await w.requests.may_decide(request.id, by=ben)
        with pytest.raises(NotPermitted):
            await w.requests.may_decide(request.id, by=eve)
        assert await w.requests.get(request.id) == request

    @pytest.mark.parametrize(
        ("end", "tag", "status"),
        [
            pytest.param(
                lambda r, i: r.deny(i, by=ben, why="paid"),
                AuditTag.REQUEST_DENIED,
                Status.DENIED,
                id="denied",
            ),
            pytest.param(
                lambda r, i: r.withdraw(i, by=ana),
                AuditTag.REQUEST_WITHDRAWN,
                Status.WITHDRAWN,
                id="withdrawn",
            ),
        ],
    )
    async def test_an_end_is_recorded(self, workshop: OpenWorkshop, end, tag: AuditTag, status: Status):
        w = await workshop()
        request = await w.placed()
        assert (await end(w.requests, request.id)).status is status
        assert (await w.story(request.id))[-1].tag == tag

    @pytest.mark.parametrize(
        "decide",
        [
            pytest.param(lambda r, i: r.approve(i, by=ben), id="approved"),
            pytest.param(lambda r, i: r.deny(i, by=ben, why="paid"), id="denied"),
            pytest.param(lambda r, i: r.withdraw(i, by=ana), id="withdrawn"),
        ],
    )
    async def test_what_cannot_be_recorded_does_not_happen(self, workshop: OpenWorkshop, decide):
        w = await workshop()
        request = await w.placed()
        story = await w.story(request.id)
        async with w.store.begin() as tx:
            await tx.connection.execute(
                text("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END")
            )
        with pytest.raises(IntegrityError, match="full"):
            await decide(w.requests, request.id)
        assert await w.requests.get(request.id) == request
        assert await w.story(request.id) == story


class TestSweep:
    async def test_it_keeps_nobody_waiting_for_the_grounds_of_what_is_pending(self, workshop: OpenWorkshop):
        """Each takes several queries, twice a minute; every ack on SQLite waits for whoever writes."""
        w = await workshop()
        contoso = w.far_side.customer("Contoso").id
        rows = (
            f"Num,Customer,Tenant ID,Due Date,Currency,Open Balance\n1,Contoso,{contoso},2026-10-01,EUR,500\n"
        )
        await w.receivables.take_in(rows.encode(), file_name="open.csv", as_of=noon.date())
        stands_on = {"ground": Ground(owes=True, trusted=True), "debtors": (f"tenant:{contoso}",)}
        one, _ = [await w.placed(name, **stands_on) for name in (E3, PREMIUM)]
        with writes() as with_two:
            await w.requests.sweep()
        await w.requests.withdraw(one.id, by=ana)
        with writes() as with_one:
            await w.requests.sweep()
        assert [len(each) for each in with_two] == [len(each) for each in with_one]
        assert len(await w.requests.open()) == 1

    async def test_what_nobody_decided_expires(self, workshop: OpenWorkshop, clock: Clock):
        w = await workshop()
        request = await w.placed()
        clock.passes(DAY - timedelta(microseconds=1))
        await w.requests.sweep()
        assert (await w.requests.get(request.id)).status is Status.PENDING
        clock.passes(timedelta(microseconds=1))
        await w.requests.sweep()
        await w.requests.sweep()
        assert (await w.requests.get(request.id)).status is Status.EXPIRED
        assert [e.tag for e in await w.story(request.id)][1:] == [AuditTag.REQUEST_EXPIRED]

    async def test_two_replicas_sweeping_at_once_expire_it_once(
        self, workshop: OpenWorkshop, database_url: str, clock: Clock
    ):
        one, two = await both(workshop, database_url)
        request = await one.placed()
        clock.passes(DAY)
        results = await asyncio.gather(one.requests.sweep(), two.requests.sweep(), return_exceptions=True)
        assert all(r is None or isinstance(r, AlreadyDecided) for r in results)
        assert [e.tag for e in await one.story(request.id)][1:] == [AuditTag.REQUEST_EXPIRED]

    async def test_what_lost_its_worker_is_handed_out_again(self, workshop: OpenWorkshop, clock: Clock):
        w = await workshop()
        left, begun = await w.approved(E3), await w.approved(PREMIUM)
        await w.left_behind(begun.id)
        clock.passes(STRANDED_AFTER)
        await w.requests.sweep()
        work = Work()
        await work.start(w)
        await work.comes_to(("execute", left.id), ("execute", begun.id))

    async def test_cards_and_results_that_never_reached_slack_are_sent_again(
        self, workshop: OpenWorkshop, clock: Clock
    ):
        w = await workshop()
        waiting, over = await w.placed(E3), await w.placed(PREMIUM)
        await w.requests.withdraw(over.id, by=ana)
        clock.passes(HOUR)
        await w.requests.sweep()
        work = Work()
        await work.start(w)
        await work.comes_to(("show_request", waiting.id), ("show_request", over.id), ("tell_result", over.id))

    async def test_old_drafts_are_forgotten(self, workshop: OpenWorkshop, clock: Clock):
        w = await workshop()
        draft = await w.drafted()
        clock.passes(DRAFTS_LIVE)
        await w.requests.sweep()
        assert (await w.requests.draft(draft.id, by=ana)).id == draft.id
        clock.passes(HOUR)
        await w.requests.sweep()
        with pytest.raises(NotFound):
            await w.requests.draft(draft.id, by=ana)


async def in_the_dark(w: Workshop) -> ActionRequest:
    """A suspension of which nobody knows whether it took effect."""
    request = await w.approved()
    return await w.left_behind(request.id, lease=HOUR, unanswered=True)


async def test_an_open_outcome_is_looked_into_again_and_what_was_not_done_is_done(workshop: OpenWorkshop):
    w = await workshop()
    request = await in_the_dark(w)
    await w.requests.look_again(request.id, by=ana)
    assert (await w.run(request)).status is Status.DONE
    assert w.subscription().status == "suspended"
    assert AuditTag.REQUEST_REOPENED in [event.tag for event in await w.story(request.id)]


async def test_what_had_taken_effect_after_all_is_not_done_twice(workshop: OpenWorkshop):
    w = await workshop()
    request = await in_the_dark(w)
    w.far_side.suspend_outside(w.subscription().id)
    await w.requests.look_again(request.id, by=ben)
    assert (await w.run(request)).status is Status.DONE
    assert w.patches() == []


async def test_nobody_else_has_it_looked_into(workshop: OpenWorkshop):
    w = await workshop()
    request = await in_the_dark(w)
    with pytest.raises(NotPermitted):
        await w.requests.look_again(request.id, by=eve)
    assert (await w.requests.get(request.id)).status is Status.UNKNOWN
