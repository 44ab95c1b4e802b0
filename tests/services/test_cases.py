"""Cases over a real database: recorded once, settled by people, told to Microsoft, looked back on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.case import Step, Verdict
from bot.domain.customer import CustomerId, SubscriptionId
from bot.domain.errors import CaseChanged, Invalid, NotFound, NotPermitted
from bot.domain.observation import (
    Observation,
    OrderLine,
    OrderPlaced,
    QuantityChanged,
    Reported,
    Source,
    VendorAlert,
)
from bot.domain.people import PersonId
from bot.domain.signal import Rule, Severity
from bot.domain.suspicious import CaseLine
from tests.builders import CONTOSO, DAY, HOUR, a_customer, a_subscription, ana, ben, eve, noon
from tests.services.conftest import OpenWorkshop
from tests.services.test_digests import OTHER, TODAY, a_row, know, take_in
from tests.services.workshop import AFTER_A_WARNING, Clock, Workshop

EVENT = VendorAlert(
    CONTOSO,
    noon,
    "event-1",
    Source.FRAUD_EVENTS,
    "NetworkConnectionsToCryptoMiningPools",
    "High",
    "high",
    "Active",
    SubscriptionId("sub-1"),
    first_at=noon - HOUR,
)


@pytest.fixture
async def w(workshop: OpenWorkshop) -> Workshop:
    w = await workshop()
    await know(w, a_customer(), OTHER)
    return w


async def see(w: Workshop, *seen: Observation) -> None:
    async with w.store.begin() as tx:
        await tx.observations.keep(seen, at=w.clock())


async def the_case(w: Workshop) -> CaseLine:
    (line,) = (await w.cases.digest()).cases
    return line


async def recorded(w: Workshop) -> CaseLine:
    await w.cases.record()
    return await the_case(w)


async def tags(w: Workshop, subject: str) -> list[str]:
    return [str(event.tag) for event in await w.story(subject)]


async def settle(w: Workshop, verdict: Verdict = Verdict.LEGITIMATE, **given: Any) -> None:
    line = await recorded(w)
    asked: dict[str, Any] = {"by": ana, "version": line.case.version}
    await w.cases.judge(line.case.id, verdict, **(asked | given))


class TestRecord:
    async def test_five_times_makes_one_case(self, w: Workshop):
        await see(w, EVENT)
        for _ in range(5):
            urgent = await w.cases.record()
        assert [case.severity for case in urgent] == [Severity.HIGH]
        assert await tags(w, urgent[0].id) == ["case:opened"]

    async def test_by_several_at_once_makes_one_case(self, w: Workshop, workshop: OpenWorkshop):
        other = await workshop()
        await see(w, EVENT)
        await asyncio.gather(w.cases.record(), other.cases.record())
        assert await tags(w, (await the_case(w)).case.id) == ["case:opened"]

    async def test_what_grows_is_remembered_and_keeps_its_name(self, w: Workshop, clock: Clock):
        await see(w, EVENT)
        first = await recorded(w)
        clock.passes(HOUR)
        await see(w, Reported(CONTOSO, clock(), "click", ana.id, "odd"))
        again = await recorded(w)
        assert again.case.id == first.case.id
        assert await tags(w, first.case.id) == ["case:opened", "case:grew"]
        assert again.case.version == first.case.version + 1

    async def test_a_test_event_never_counts(self, w: Workshop):
        await see(w, replace(EVENT, is_test=True))
        assert await w.cases.record() == ()
        assert (await w.cases.digest()).cases == ()


class TestDigest:
    async def test_says_what_happened_what_it_may_cost_and_what_goes_on(self, w: Workshop):
        order = OrderPlaced(CONTOSO, noon, "o-1", (OrderLine("E3", "a:b:c", 40),))
        await see(w, EVENT, order)
        await take_in(w, a_row("1", "Contoso Ltd", CONTOSO, 45, "500.00"))
        line = await the_case(w)
        assert line.customer == a_customer()
        assert line.damage.bought == 40
        assert {c: str(a) for c, a in line.damage.owed.items()} == {"USD": "500.00"}

    async def test_of_a_past_day_knows_what_was_known_then(self, w: Workshop, clock: Clock):
        await see(w, EVENT)
        clock.passes(3 * DAY)
        await see(w, Reported(CONTOSO, clock(), "click", ana.id, "odd"))
        then = await w.cases.digest(on=TODAY)
        assert [s.rule for s in then.cases[0].case.signals] == [Rule.FRAUD_EVENT]
        assert (await w.cases.digest(on=TODAY - DAY)).cases == ()

    async def test_of_a_day_before_a_verdict_does_not_know_it(self, w: Workshop, clock: Clock):
        await see(w, EVENT)
        clock.passes(2 * DAY)
        await settle(w)
        assert (await w.cases.digest()).cases == ()
        assert (await w.cases.digest(on=TODAY)).cases != ()

    async def test_a_case_nobody_settles_is_counted_when_it_is_quiet(self, w: Workshop, clock: Clock):
        await see(w, EVENT)
        await w.cases.record()
        clock.passes(timedelta(days=40))
        digest = await w.cases.digest()
        assert (digest.cases, digest.quiet) == ((), 1)

    async def test_says_that_nobody_ever_looked(self, w: Workshop):
        digest = await w.cases.digest()
        assert [b.key for b in digest.banners] == ["never_looked"]
        assert digest.as_of is None

    async def test_shows_a_customer_that_is_gone_by_its_id(self, w: Workshop):
        gone = CustomerId("98765432-2222-4333-8444-555555555555")
        await see(w, replace(EVENT, customer_id=gone))
        line = await the_case(w)
        assert (line.customer, line.case.customer_name) == (None, gone)


class TestNobody:
    """What Microsoft finds and names nobody for is not lost; and whoever mutes it does not mute everybody."""

    async def test_has_a_case_of_its_own(self, w: Workshop):
        await see(w, replace(EVENT, customer_id=CustomerId("")))
        line = await recorded(w)
        assert (line.case.customer_id, line.customer) == ("", None)
        await settle(w)
        assert (await w.cases.digest()).cases == ()

    async def test_is_not_everybody(self, w: Workshop):
        with pytest.raises(NotFound):
            await w.cases.mute("", None, until=TODAY + DAY, cap=100, note="", by=ben)


class TestVerdict:
    async def test_settles_and_is_told(self, w: Workshop):
        await see(w, EVENT)
        await settle(w, Verdict.FRAUD, note=" it is  ")
        digest = await w.cases.digest()
        assert digest.cases == ()
        (line,) = digest.settled
        assert line.case.judged
        assert (line.case.judged.verdict, line.case.judged.note) == (Verdict.FRAUD, "it is")
        assert line.case.refund_until == (noon - HOUR + timedelta(days=60)).date()
        assert [(p.rule, p.right, p.wrong) for p in digest.precision] == [(Rule.FRAUD_EVENT, 1, 0)]
        assert (await tags(w, line.case.id))[-1] == "case:judged"

    async def test_of_what_has_changed_meanwhile_is_refused(self, w: Workshop, clock: Clock):
        await see(w, EVENT)
        line = await recorded(w)
        clock.passes(HOUR)
        await see(w, Reported(CONTOSO, clock(), "click", ana.id, "odd"))
        await w.cases.record()
        with pytest.raises(CaseChanged):
            await w.cases.judge(line.case.id, Verdict.LEGITIMATE, by=ana, version=line.case.version)
        assert (await the_case(w)).case.is_open

    async def test_a_second_click_changes_nothing(self, w: Workshop):
        await see(w, EVENT)
        line = await recorded(w)
        for _ in range(2):
            await w.cases.judge(line.case.id, Verdict.FRAUD, by=ana, version=line.case.version)
        assert (await tags(w, line.case.id)).count("case:judged") == 1

    async def test_two_people_at_once_settle_it_once(self, w: Workshop, workshop: OpenWorkshop):
        other = await workshop()
        await see(w, EVENT)
        line = await recorded(w)
        ended = await asyncio.gather(
            w.cases.judge(line.case.id, Verdict.FRAUD, by=ana, version=line.case.version),
            other.cases.judge(line.case.id, Verdict.LEGITIMATE, by=ben, version=line.case.version),
            return_exceptions=True,
        )
        assert sum(isinstance(each, CaseChanged) for each in ended) == 1
        assert (await tags(w, line.case.id)).count("case:judged") == 1

    async def test_needs_a_right(self, w: Workshop):
        await see(w, EVENT)
        line = await recorded(w)
        with pytest.raises(NotPermitted):
            await w.cases.judge(line.case.id, Verdict.FRAUD, by=eve, version=line.case.version)
        with pytest.raises(NotPermitted):
            await w.cases.tick(line.case.id, Step.MFA, by=eve)

    async def test_of_a_case_there_is_not(self, w: Workshop):
        with pytest.raises(NotFound):
            await w.cases.judge("C-NONE", Verdict.FRAUD, by=ana, version=0)

    async def test_it_wakes_when_it_gets_worse(self, w: Workshop, clock: Clock):
        await see(w, EVENT)
        await settle(w)
        clock.passes(HOUR)
        await see(w, replace(EVENT, id="event-2", at=clock(), first_at=clock()))
        line = await recorded(w)
        assert line.case.woke


class TestRunbook:
    async def test_a_step_is_ticked_once_and_audited(self, w: Workshop):
        await see(w, EVENT)
        line = await recorded(w)
        assert await w.cases.tick(line.case.id, Step.MFA, by=ana)
        assert not await w.cases.tick(line.case.id, Step.MFA, by=ben)
        assert [(t.step, t.by) for t in (await the_case(w)).case.ticked] == [(Step.MFA, ana.id)]
        assert (await tags(w, line.case.id)).count("case:step-done") == 1


class TestReport:
    async def test_by_a_person_makes_a_case_at_once(self, w: Workshop):
        case = await w.cases.report(CONTOSO, by=ana, words=" odd logins ", id="click-1")
        assert case
        assert [s.rule for s in case.signals] == [Rule.REPORT]
        await w.cases.report(CONTOSO, by=ana, words="odd logins", id="click-1")
        assert (await tags(w, CONTOSO)).count("case:reported") == 1

    async def test_needs_a_right_and_a_customer(self, w: Workshop):
        with pytest.raises(NotPermitted):
            await w.cases.report(CONTOSO, by=eve, words="x", id="1")
        with pytest.raises(NotFound):
            await w.cases.report("nobody", by=ana, words="x", id="1")


class TestMute:
    until = TODAY + timedelta(days=10)

    async def test_shows_first_what_it_would_have_hidden(self, w: Workshop):
        await see(w, EVENT, replace(EVENT, customer_id=OTHER.id, id="event-2"))
        both = await w.cases.preview(None, Rule.FRAUD_EVENT)
        assert (len(both.signals), both.cases) == (2, 2)
        one = await w.cases.preview(CONTOSO, None)
        assert (len(one.signals), one.cases) == (1, 1)
        assert (await w.cases.preview(None, Rule.SEAT_JUMP)).cases == 0

    async def test_hides_until_it_is_ended(self, w: Workshop):
        await see(w, Reported(CONTOSO, noon, "click", PersonId("U0ANA"), "odd"))
        mute = await w.cases.mute(CONTOSO, None, until=self.until, cap=100, note="known", by=ben)
        digest = await w.cases.digest()
        assert (digest.cases, digest.mutes) == ((), (mute,))
        assert await w.cases.unmute(mute.id, by=ana)
        assert not await w.cases.unmute(mute.id, by=ana)
        assert (await w.cases.digest()).cases
        assert await tags(w, mute.id) == ["case:unmuted"]

    async def test_is_an_approvers_and_within_bounds(self, w: Workshop):
        with pytest.raises(NotPermitted):
            await w.cases.mute(None, Rule.OFF_HOURS, until=self.until, cap=80, note="", by=ana)
        with pytest.raises(Invalid):
            await w.cases.mute(None, Rule.OFF_HOURS, until=TODAY, cap=80, note="", by=ben)


class TestBacktest:
    async def test_says_what_each_rule_said_and_how_often_people_found_it_right(
        self, w: Workshop, clock: Clock
    ):
        await see(w, EVENT, replace(EVENT, customer_id=OTHER.id, id="event-2"))
        line = next(each for each in (await w.cases.digest()).cases if each.case.customer_id == CONTOSO)
        await w.cases.record()
        await w.cases.judge(line.case.id, Verdict.FRAUD, by=ana, version=0)
        found = await w.cases.backtest(AFTER_A_WARNING.risk, days=7)
        (said,) = found.rules
        assert (said.rule, said.signals, said.customers, said.right, said.wrong) == (
            Rule.FRAUD_EVENT,
            2,
            2,
            1,
            0,
        )
        assert len(found.cases) == 2


class TestQuantities:
    async def test_a_difference_between_two_readings_is_seen(self, w: Workshop, clock: Clock):
        held = a_subscription(quantity=25)
        async with w.store.begin() as tx:
            await w.drifts.keep(tx, CONTOSO, [held], read_at=noon)
        clock.passes(DAY)
        new = a_subscription(id=SubscriptionId("new"), quantity=7, is_trial=True)
        async with w.store.begin() as tx:
            await w.drifts.keep(tx, CONTOSO, [replace(held, quantity=400), new], read_at=clock())
        async with w.store.read() as tx:
            past = await tx.observations.of(CONTOSO, until=clock())
        assert past.quantities == (
            QuantityChanged(CONTOSO, clock(), held.id, held.name, 25, 400, not_before=noon),
            QuantityChanged(CONTOSO, clock(), new.id, new.name, 0, 7, not_before=noon, is_trial=True),
        )

    async def test_a_customers_first_reading_shows_none(self, w: Workshop):
        async with w.store.begin() as tx:
            await w.drifts.keep(tx, CONTOSO, [a_subscription()], read_at=noon)
        async with w.store.read() as tx:
            assert (await tx.observations.of(CONTOSO, until=noon)).quantities == ()
