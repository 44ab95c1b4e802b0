"""What somebody else suspended or resumed is noticed once, what we did never, and of it as much is told as is known."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pytest

from bot.domain.action import Reason, Verb
from bot.domain.audit import AuditTag
from bot.domain.capability import Cloud, Feature
from bot.domain.customer import Countdown, CustomerId, Known, SubscriptionId, SubscriptionStatus
from bot.domain.drift import Drift, DriftStatus
from bot.domain.errors import AccessDenied, DriftSettled, NotPermitted, Unavailable
from bot.domain.request import Status
from bot.services import jobs
from bot.services.drift import LOG_REACHES, MOST_CARDS
from tests.builders import DAY, HOUR, ana, ben, boss, eve, noon
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import E3, PREMIUM, Clock, Workshop

TODAY = noon.date()
OFFICE, PHONE = "Office 365 E3", "Microsoft Teams Phone Standard"
LAMNA = "Lamna"  # a base with an add-on
TREY = "Trey Research"  # something was suspended before anybody looked


async def drifts(w: Workshop) -> list[Drift]:
    """Every drift but Trey Research's, in the order of their subscriptions' names."""
    async with w.store.read() as tx:
        ids = [e.subject async for e in tx.audit.since() if e.tag == AuditTag.DRIFT_SEEN]
        found = [await tx.drifts.get(id, to_change=False) for id in ids]
    return sorted((d for d in found if d.customer_name != "Trey Research"), key=lambda d: d.subscription_name)


async def waiting(w: Workshop, name: str) -> list[dict[str, object]]:
    """The arguments of the jobs of that name that were handed over and not begun."""
    client = w.courier._ready()
    found = await client.list_workflows_async(status=["ENQUEUED"])
    return [dict(job.input["args"][1]) for job in found if job.input and job.input["args"][0] == name]


async def countdown(w: Workshop, name: str, *, of: str = "Contoso") -> Countdown:
    found = await w.digests.countdown_of(SubscriptionId(w.subscription(name, of=of).id))
    assert found is not None
    return found


@pytest.fixture
async def w(workshop: OpenWorkshop, clock: Clock) -> Workshop:
    """Everything was read an hour ago."""
    w = await workshop()
    await w.customers.refresh()
    clock.passes(HOUR)
    return w


class TestNoticed:
    async def test_a_suspension_outside_is_noticed_once(self, w: Workshop, clock: Clock):
        held = w.far_side.suspend_outside(w.subscription(PREMIUM).id, "Fraud")
        await w.customers.refresh()
        (drift,) = await drifts(w)
        assert (drift.customer_name, drift.subscription_id) == ("Contoso Ltd", held.id)
        assert drift.became is SubscriptionStatus.SUSPENDED
        assert (drift.not_before, drift.seen_at) == (noon, noon + HOUR)
        assert (drift.words, drift.status) == (("Fraud",), DriftStatus.OPEN)
        seen = (await w.story(drift.id))[0]
        assert (seen.tag, seen.by) == (AuditTag.DRIFT_SEEN, "backstop")
        assert seen.facts["not_before"] == noon.isoformat()

        clock.passes(HOUR)
        await w.customers.refresh()
        await w.customers.reread()
        assert await drifts(w) == [drift]

    async def test_so_is_a_resumption(self, w: Workshop, clock: Clock):
        assert (await w.run(await w.approved(PREMIUM))).status is Status.DONE
        clock.passes(HOUR)
        w.far_side.resume_outside(w.subscription(PREMIUM).id)
        await w.customers.reread()
        (drift,) = await drifts(w)
        assert drift.became is SubscriptionStatus.ACTIVE

    async def test_by_whatever_reading_comes_first(self, w: Workshop):
        held = w.far_side.suspend_outside(w.subscription(PREMIUM).id)
        contoso = CustomerId(w.far_side.customer("Contoso").id)
        await w.customers.live(contoso, SubscriptionId(held.id))
        (drift,) = await drifts(w)
        assert {"only": [drift.id]} in await waiting(w, jobs.TELL_DRIFTS)

    async def test_two_replicas_that_read_at_once_notice_it_once(
        self, workshop: OpenWorkshop, clock: Clock, database_url: str
    ):
        one, two = [await workshop(database_url=database_url) for _ in range(2)]
        await one.customers.refresh()
        clock.passes(HOUR)
        one.far_side.suspend_outside(one.subscription(PREMIUM).id)
        one.far_side.suspend_outside(one.subscription(OFFICE, of=LAMNA).id)
        await asyncio.gather(one.customers.refresh(), two.customers.refresh())
        assert [d.subscription_name for d in await drifts(one)] == [PREMIUM, PHONE, OFFICE]

    async def test_what_is_suspended_at_first_sight_is_kept_and_not_told_of(self, w: Workshop):
        async with w.store.read() as tx:
            (standing,) = (
                await tx.drifts.standing([SubscriptionId(w.subscription(PREMIUM, of=TREY).id)])
            ).values()
        assert (standing.not_before, standing.since) == (None, (None, Known.UNKNOWN))
        await w.drifts.tell()
        assert await waiting(w, jobs.SHOW_DRIFT) == []
        found = await countdown(w, PREMIUM, of=TREY)
        assert (found.deadline, found.known, found.episode) == (None, Known.UNKNOWN, standing.id)

    async def test_a_reading_of_which_nobody_knows_what_it_was_raises_no_alarm(
        self, w: Workshop, clock: Clock
    ):
        held = w.far_side.change(w.subscription(PREMIUM).id, status="pendingTransfer")
        await w.customers.refresh()
        clock.passes(HOUR)
        w.far_side.suspend_outside(held.id)
        await w.customers.refresh()
        (drift,) = await drifts(w)
        assert drift.not_before is None
        await w.drifts.tell()
        assert await waiting(w, jobs.SHOW_DRIFT) == []

    async def test_a_reading_that_began_before_the_change_raises_none(self, w: Workshop):
        """The list was read, then we suspended, and only then was the list kept."""
        contoso = CustomerId(w.far_side.customer("Contoso").id)
        begun, read = w.clock(), await w.partner_center.subscriptions(contoso)
        w.clock.passes(timedelta(seconds=5))
        assert (await w.run(await w.approved(PREMIUM))).status is Status.DONE
        async with w.store.begin() as tx:
            assert await w.drifts.keep(tx, contoso, read, read_at=begun) == ()
        await w.customers.refresh()
        assert await drifts(w) == []


class TestOurs:
    async def test_what_we_suspend_and_resume_with_its_add_ons_is_no_drift(self, w: Workshop, clock: Clock):
        suspended = await w.run(await w.approved(OFFICE, of=LAMNA))
        assert suspended.status is Status.DONE
        assert w.subscription(PHONE, of=LAMNA).status == "suspended"
        for _ in range(2):
            clock.passes(HOUR)
            await w.customers.refresh()
        assert await drifts(w) == []
        for name in (OFFICE, PHONE):
            found = await countdown(w, name, of=LAMNA)
            assert (found.deadline, found.known) == (TODAY + 90 * DAY, Known.OURS)
            assert (found.asked_by, found.episode) == (ana.id, suspended.id)

        for name in (OFFICE, PHONE):
            resumed = await w.run(await w.approved(name, of=LAMNA, verb=Verb.RESUME))
            assert resumed.status is Status.DONE
            clock.passes(HOUR)
            await w.customers.refresh()
        assert await drifts(w) == []

    async def test_nor_is_what_we_are_at(self, w: Workshop):
        """The write took effect, and whoever did it died before saying so."""
        request = await w.approved(OFFICE, of=LAMNA)
        await w.left_behind(request.id, lease=HOUR)
        w.far_side.suspend_outside(w.subscription(OFFICE, of=LAMNA).id)
        await w.customers.refresh()
        assert await drifts(w) == []

    @pytest.mark.parametrize("waits", ["for approval", "for its time", "as a dry run"])
    async def test_but_what_cannot_have_been_us_is(self, workshop: OpenWorkshop, clock: Clock, waits: str):
        w = await workshop(dry_run=waits == "as a dry run")
        await w.customers.refresh()
        clock.passes(HOUR)
        await (w.placed(PREMIUM) if waits == "for approval" else w.approved(PREMIUM))
        w.far_side.suspend_outside(w.subscription(PREMIUM).id)
        await w.customers.refresh()
        assert len(await drifts(w)) == 1

    async def test_what_was_suspended_outside_before_its_time_counts_from_then(
        self, w: Workshop, clock: Clock
    ):
        """It is found suspended when it is tried, and that is none of ours."""
        request = await w.approved(PREMIUM)
        clock.passes(HOUR)
        w.far_side.suspend_outside(w.subscription(PREMIUM).id)
        await w.customers.refresh()
        before = await countdown(w, PREMIUM)
        clock.passes(80 * DAY)
        assert (await w.run(request)).status is Status.DONE
        found = await countdown(w, PREMIUM)
        assert (found.deadline, found.known) == (before.deadline, before.known)

    async def test_nor_what_we_did_before_somebody_else_did_the_opposite(self, w: Workshop, clock: Clock):
        assert (await w.run(await w.approved(PREMIUM))).status is Status.DONE
        for change in (w.far_side.resume_outside, w.far_side.suspend_outside):
            clock.passes(HOUR)
            change(w.subscription(PREMIUM).id)
            await w.customers.refresh()
        resumed, suspended = sorted(await drifts(w), key=lambda d: d.seen_at)
        assert (resumed.became, resumed.status) == (SubscriptionStatus.ACTIVE, DriftStatus.OVER)
        assert (suspended.became, suspended.status) == (SubscriptionStatus.SUSPENDED, DriftStatus.OPEN)
        found = await countdown(w, PREMIUM)
        assert (found.known, found.asked_by) == (Known.NOT_BEFORE, None)


class TestOver:
    async def test_what_was_changed_back_is_over(self, w: Workshop, clock: Clock):
        held = w.far_side.suspend_outside(w.subscription(PREMIUM).id)
        await w.customers.refresh()
        clock.passes(HOUR)
        w.far_side.resume_outside(held.id)
        await w.customers.refresh()
        first, second = sorted(await drifts(w), key=lambda d: d.seen_at)
        assert (first.status, first.at, second.status) == (
            DriftStatus.OVER,
            noon + 2 * HOUR,
            DriftStatus.OPEN,
        )
        assert [e.tag for e in await w.story(first.id)] == [AuditTag.DRIFT_SEEN, AuditTag.DRIFT_OVER]

    async def test_what_we_resumed_is_over_and_our_next_suspension_counts_from_its_own_day(
        self, w: Workshop, clock: Clock
    ):
        w.far_side.suspend_outside(w.subscription(PREMIUM).id)
        await w.customers.refresh()
        clock.passes(DAY)
        assert (await w.run(await w.approved(PREMIUM, verb=Verb.RESUME))).status is Status.DONE
        clock.passes(DAY)
        assert (await w.run(await w.approved(PREMIUM))).status is Status.DONE
        for _ in range(2):  # before the next reading and after it
            found = await countdown(w, PREMIUM)
            assert (found.known, found.deadline) == (Known.OURS, TODAY + 92 * DAY)
            await w.customers.reread()
        (drift,) = await drifts(w)
        assert drift.status is DriftStatus.OVER

    async def test_who_adopted_it_stays_known(self, w: Workshop, clock: Clock):
        held = w.far_side.suspend_outside(w.subscription(PREMIUM).id)
        await w.customers.refresh()
        (drift,) = await drifts(w)
        await w.drifts.adopt(drift.id, by=ben, reason=Reason.FRAUD, note="")
        clock.passes(HOUR)
        w.far_side.resume_outside(held.id)
        await w.customers.refresh()
        over = await w.drifts.get(drift.id)
        assert (over.status, over.by, over.reason) == (DriftStatus.OVER, ben.id, Reason.FRAUD)


class TestDecided:
    @pytest.fixture
    async def drift(self, w: Workshop) -> Drift:
        w.far_side.suspend_outside(w.subscription(PREMIUM).id)
        await w.customers.refresh()
        return (await drifts(w))[0]

    async def test_adopted_it_is_its_adopters(self, w: Workshop, drift: Drift):
        await w.drifts.adopt(drift.id, by=ana, reason=Reason.NON_PAYMENT, note="by phone")
        found = await countdown(w, PREMIUM)
        assert (found.asked_by, found.known, found.deadline) == (
            ana.id,
            Known.NOT_BEFORE,
            TODAY + 90 * DAY,
        )
        last = (await w.story(drift.id))[-1]
        assert (last.tag, last.by) == (AuditTag.DRIFT_ADOPTED, ana.id)
        assert (last.facts["reason"], last.facts["note"]) == ("non_payment", "by phone")
        assert {"drift_id": drift.id} in await waiting(w, jobs.SHOW_DRIFT)
        with pytest.raises(DriftSettled) as refusal:
            await w.drifts.explain(drift.id, by=ben, note="no, it was")
        assert refusal.value.by == ana.id

    async def test_explained_it_is_nobodys(self, w: Workshop, drift: Drift):
        await w.drifts.explain(drift.id, by=boss, note="the customer did it")
        assert (await countdown(w, PREMIUM)).asked_by is None
        last = (await w.story(drift.id))[-1]
        assert (last.tag, last.by, last.facts["note"]) == (
            AuditTag.DRIFT_EXPLAINED,
            boss.id,
            "the customer did it",
        )

    async def test_without_a_right_nothing_is_kept(self, w: Workshop, drift: Drift):
        with pytest.raises(NotPermitted):
            await w.drifts.adopt(drift.id, by=eve, reason=Reason.FRAUD, note="")
        with pytest.raises(NotPermitted):
            await w.drifts.may_decide(drift.id, by=eve)
        assert await w.drifts.get(drift.id) == drift


class TestTold:
    async def test_twenty_have_a_card_and_the_rest_one_line(self, w: Workshop):
        changed = 0
        for customer in w.far_side.customers:
            for held in customer.subscriptions:
                if held.status == "active" and not held.parent_id and held.kind.is_legacy:
                    changed += 1
                    w.far_side.suspend_outside(held.id)
        for name in ("Adatum", "Fourth Coffee", "Tailspin"):
            for held in w.far_side.customer(name).subscriptions:
                if not held.kind.is_metered:
                    changed += 1
                    w.far_side.suspend_outside(held.id)
        await w.customers.refresh()
        seen = await drifts(w)
        assert len(seen) >= changed > MOST_CARDS
        for _ in range(2):
            await w.drifts.tell()
        cards = [args["drift_id"] for args in await waiting(w, jobs.SHOW_DRIFT)]
        assert len(cards) == len(set(cards)) == MOST_CARDS
        (line,) = [str(args["line"]) for args in await waiting(w, jobs.TELL_MORE_DRIFTS)]
        assert await w.drifts.in_line(line) == len(seen) - MOST_CARDS

    async def test_the_next_reading_has_its_own_twenty(self, w: Workshop, clock: Clock):
        def suspend(names: list[str]) -> None:
            for name in names:
                for held in w.far_side.customer(name).subscriptions:
                    w.far_side.change(held.id, status="suspended")

        everybody = [c.id for c in w.far_side.customers if c.relationship == "reseller"]
        suspend(everybody[:20])
        await w.customers.refresh()
        await w.drifts.tell()
        clock.passes(HOUR)
        suspend(everybody[20:22])
        await w.customers.refresh()
        before = len(await waiting(w, jobs.SHOW_DRIFT))
        await w.drifts.tell()
        assert before == MOST_CARDS
        assert len(await waiting(w, jobs.SHOW_DRIFT)) > MOST_CARDS

    async def test_one_that_is_over_before_it_was_told_of_is_not_told_of(self, w: Workshop, clock: Clock):
        held = w.far_side.change(w.subscription(PREMIUM).id, status="suspended")
        await w.customers.refresh()
        w.far_side.change(held.id, status="deleted")
        clock.passes(HOUR)
        await w.customers.refresh()
        (drift,) = await drifts(w)
        assert drift.status is DriftStatus.OVER
        await w.drifts.tell()
        assert not await w.drifts.has_card(drift.id)

    async def test_what_never_reached_slack_is_handed_out_again(self, w: Workshop, clock: Clock):
        w.far_side.suspend_outside(w.subscription(PREMIUM).id)
        await w.customers.refresh()
        await w.drifts.tell()
        (drift,) = await drifts(w)
        await w.drifts.sweep()
        assert await waiting(w, jobs.SHOW_DRIFT) == [{"drift_id": drift.id}], "its job is not lost yet"
        clock.passes(timedelta(minutes=2))
        await w.drifts.sweep()
        assert await waiting(w, jobs.SHOW_DRIFT) == [{"drift_id": drift.id}] * 2


@dataclass
class ActivityLog:
    """Microsoft's side of the protocol: what it tells of each customer, and what it was asked."""

    moments: dict[str, datetime] = field(default_factory=dict)
    trouble: Exception | None = None
    asked: list[tuple[str, date, date]] = field(default_factory=list)

    async def __call__(
        self, *, customer: CustomerId, since: date, until: date
    ) -> dict[SubscriptionId, datetime]:
        self.asked.append((customer, since, until))
        if self.trouble:
            raise self.trouble
        return {SubscriptionId(id): at for id, at in self.moments.items()}


class TestWhenItWas:
    async def test_the_activity_log_tells_the_moment(self, workshop: OpenWorkshop, clock: Clock):
        log = ActivityLog()
        w = await workshop(suspensions=log)
        await w.customers.refresh()
        await w.drifts.tell()
        trey = w.far_side.customer(TREY).id
        assert log.asked == [(trey, TODAY - LOG_REACHES, TODAY)], "of what was suspended at first sight, too"

        clock.passes(30 * HOUR)
        held = w.far_side.suspend_outside(w.subscription(PREMIUM).id)
        log.moments[held.id] = noon + 7 * HOUR
        await w.customers.refresh()
        for _ in range(2):
            await w.drifts.tell()
        (drift,) = await drifts(w)
        assert drift.since == (noon + 7 * HOUR, Known.TOLD)
        assert log.asked[1:] == [(w.far_side.customer("Contoso").id, TODAY, TODAY + DAY)], "once"
        found = await countdown(w, PREMIUM)
        assert (found.known, found.deadline, found.is_at_earliest) == (
            Known.TOLD,
            TODAY + 90 * DAY,
            False,
        )

    async def test_without_it_the_deadline_is_the_earliest_possible(self, w: Workshop, clock: Clock):
        clock.passes(2 * DAY)
        w.far_side.suspend_outside(w.subscription(PREMIUM).id)
        await w.customers.refresh()
        await w.drifts.tell()
        found = await countdown(w, PREMIUM)
        assert (found.known, found.deadline, found.is_at_earliest) == (
            Known.NOT_BEFORE,
            TODAY + 90 * DAY,
            True,
        )

    @pytest.mark.parametrize(
        ("trouble", "marked"),
        [
            pytest.param(AccessDenied(reason="20002", status=403), True, id="refused"),
            pytest.param(Unavailable(reason="timeout"), False, id="no answer"),
        ],
    )
    async def test_a_log_that_does_not_tell_costs_nothing_else(
        self, workshop: OpenWorkshop, clock: Clock, trouble: Exception, marked: bool
    ):
        log = ActivityLog(trouble=trouble)
        w = await workshop(suspensions=log)
        await w.customers.refresh()
        clock.passes(HOUR)
        held = w.far_side.suspend_outside(w.subscription(PREMIUM).id)
        await w.customers.refresh()
        await w.drifts.tell()
        (drift,) = await drifts(w)
        assert {"drift_id": drift.id} in await waiting(w, jobs.SHOW_DRIFT)
        assert [o.feature for o in await w.features.unavailable()] == [Feature.AUDIT_RECORDS] * marked

        log.trouble, log.moments = None, {held.id: noon + HOUR / 2}
        clock.passes(DAY)
        await w.drifts.tell()
        assert (await w.drifts.get(drift.id)).changed_at == noon + HOUR / 2, "and is asked again"

    async def test_where_there_is_no_log_documented_it_is_tried(self, workshop: OpenWorkshop):
        log = ActivityLog()
        w = await workshop(suspensions=log, hosting=Cloud.CHINA)
        await w.customers.refresh()
        await w.drifts.tell()
        assert len(log.asked) == 1


class TestReread:
    async def test_only_those_are_read_about_whom_something_may_change(self, w: Workshop, clock: Clock):
        """Somebody has something suspended, or was asked about within ninety days."""
        await w.placed(E3)
        for passed, names in ((HOUR, {"Contoso Ltd", "Trey Research"}), (90 * DAY, {"Trey Research"})):
            clock.passes(passed)
            before = len(w.far_side.requests)
            await w.customers.reread()
            read = {r.path.split("/")[3] for r in w.far_side.requests[before:] if "/customers/" in r.path}
            assert {w.far_side.customer(id).name for id in read} == names

    async def test_what_changed_is_noticed_within_the_hour(self, w: Workshop, clock: Clock):
        await w.placed(E3)
        w.far_side.suspend_outside(w.subscription(PREMIUM).id)
        clock.passes(HOUR)
        await w.customers.reread()
        (drift,) = await drifts(w)
        assert drift.subscription_name == PREMIUM
        assert {"only": None} in await waiting(w, jobs.TELL_DRIFTS)


async def test_lifting_what_was_taken_on_as_fraud_needs_an_approver(workshop: OpenWorkshop):
    w = await workshop()
    await w.customers.refresh()
    held = w.subscription()
    w.far_side.suspend_outside(held.id)
    await w.customers.refresh()
    about = [SubscriptionId(held.id)]
    assert await w.requests.approvals_needed(Verb.RESUME, about) == 0
    async with w.store.read() as tx:
        drift = (await tx.drifts.standing(about))[about[0]]
    await w.drifts.adopt(drift.id, by=ben, reason=Reason.FRAUD, note="stolen card")
    assert await w.requests.approvals_needed(Verb.RESUME, about) == 1
