"""What a suspension for non-payment stands on is looked at again: when it is approved, swept and carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time

import pytest

from bot import policy_file
from bot.domain.audit import AuditTag
from bot.domain.collection import Gone
from bot.domain.customer import CustomerId
from bot.domain.errors import BooksUnsure
from bot.domain.policy import BillingPolicy, Exemption, Freeze, StageAction
from bot.domain.request import CALLED_OFF, ActionRequest, Result, Status
from bot.services.digests import Judgement
from bot.services.execution import RETRY_AFTER, TRIES
from bot.store.collections import Pause
from tests.builders import DAY, HOUR, a_customer, ana, ben, came_of, noon
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import E3, PREMIUM, Workshop, as_confirmed

TODAY = noon.date()
HEADER = "Num,Customer,Tenant ID,Due Date,Currency,Open Balance,Disputed"
POLICY = policy_file.load(None)


async def books(w: Workshop, *amounts: str, disputed: str = "", as_of: date = TODAY) -> None:
    """What Contoso has open, 45 days past due; another customer always owes something."""
    due = TODAY - 45 * DAY
    rows = [f"{n},Contoso,{contoso(w)},{due},EUR,{amount},{disputed}" for n, amount in enumerate(amounts, 1)]
    rows.append(f"99,Fabrikam,,{due},EUR,10.00,")
    await w.receivables.take_in(
        "\n".join([HEADER, *rows, ""]).encode(), file_name="open.csv", as_of=as_of, even_if_it_shrinks=True
    )


def contoso(w: Workshop) -> CustomerId:
    return CustomerId(w.far_side.customer("Contoso").id)


async def judged(w: Workshop) -> Judgement:
    return await w.digests.judge(a_customer(id=contoso(w), domain=None))


async def confirmed(w: Workshop) -> ActionRequest:
    found = await judged(w)
    return await w.placed(ground=found.ground, debtors=found.debtors)


async def pays(w: Workshop) -> None:
    await books(w)


async def disputes(w: Workshop) -> None:
    await books(w, "500.00", disputed="yes")


async def promises(w: Workshop) -> None:
    until = w.clock().date() + 5 * DAY
    async with w.store.begin() as tx:
        await tx.collections.add(Pause(contoso(w), "promise", until, ana.id, w.clock(), ""))


async def nothing(_: Workshop) -> None:
    """The books stay as they were."""


Happens = Callable[[Workshop], Awaitable[None]]
MEANWHILE = [
    pytest.param(pays, Gone.PAID, id="they pay"),
    pytest.param(disputes, Gone.DISPUTED, id="they dispute it"),
    pytest.param(promises, Gone.PROMISED, id="they promise to pay"),
]


@pytest.fixture
async def w(workshop: OpenWorkshop) -> Workshop:
    opened = await workshop()
    await books(opened, "500.00")
    return opened


async def ended(w: Workshop, request: ActionRequest) -> tuple[Status, Gone | None, list[str]]:
    found = await w.requests.get(request.id)
    return found.status, found.gone, w.patches()


@pytest.mark.parametrize(("happens", "why"), MEANWHILE)
async def test_at_the_approval(w: Workshop, happens: Happens, why: Gone):
    request = await confirmed(w)
    await happens(w)
    await w.requests.approve(request.id, by=ben)
    assert await ended(w, request) == (Status.WITHDRAWN, why, [])
    assert AuditTag.REQUEST_CALLED_OFF in [event.tag for event in await w.story(request.id)]


@pytest.mark.parametrize(("happens", "why"), MEANWHILE)
async def test_before_it_is_done(w: Workshop, happens: Happens, why: Gone):
    request = await w.requests.approve((await confirmed(w)).id, by=ben)
    await happens(w)
    await w.run(request)
    assert await ended(w, request) == (Status.WITHDRAWN, why, [])


@pytest.mark.parametrize(("happens", "why"), MEANWHILE)
async def test_while_it_waits_for_approval(w: Workshop, happens: Happens, why: Gone):
    request = await confirmed(w)
    await happens(w)
    await w.requests.sweep()
    assert await ended(w, request) == (Status.WITHDRAWN, why, [])


async def test_who_still_owes_is_suspended(w: Workshop):
    request = await w.requests.approve((await confirmed(w)).id, by=ben)
    await books(w, "400.00")  # paid in part, and still overdue
    assert (await w.run(request)).status is Status.DONE


async def test_a_rest_that_is_not_worth_a_step_is_taken_for_paid(w: Workshop):
    """A bank's fee, say: the policy takes no step below its minimum, and customers are told so."""
    request = await w.requests.approve((await confirmed(w)).id, by=ben)
    await books(w, "0.50")
    await w.run(request)
    assert await ended(w, request) == (Status.WITHDRAWN, Gone.PAID, [])


async def test_who_asked_for_a_debt_that_is_worth_no_step_is_not_stopped_by_that(w: Workshop):
    await books(w, "0.50")
    request = await w.requests.approve((await confirmed(w)).id, by=ben)
    assert (await w.run(request)).status is Status.DONE


async def test_an_approval_on_books_too_old_is_refused_and_may_come_later(workshop: OpenWorkshop):
    w = await workshop(policy=replace(POLICY, max_data_age_hours=2))
    await books(w, "500.00")
    request = await confirmed(w)
    w.clock.passes(3 * HOUR)
    with pytest.raises(BooksUnsure):
        await w.requests.approve(request.id, by=ben)
    await w.requests.sweep()
    assert (await w.requests.get(request.id)).status is Status.PENDING
    await books(w, "500.00")
    assert (await w.requests.approve(request.id, by=ben)).status is Status.APPROVED


async def test_books_too_old_before_it_is_done_call_it_off(workshop: OpenWorkshop):
    w = await workshop(policy=replace(POLICY, max_data_age_hours=2))
    await books(w, "500.00")
    request = await w.requests.approve((await confirmed(w)).id, by=ben)
    w.clock.passes(3 * HOUR)
    await w.run(request)
    assert await ended(w, request) == (Status.WITHDRAWN, Gone.UNSURE, [])


async def test_an_exemption_that_came_meanwhile_is_seen_before_it_is_done(
    workshop: OpenWorkshop, database_url: str
):
    before = await workshop(database_url=database_url)
    await books(before, "500.00")
    request = await before.requests.approve((await confirmed(before)).id, by=ben)
    cuts = frozenset({StageAction.PROPOSE_SUSPEND})
    exempt = Exemption(contoso(before).lower(), "a hospital", cuts, TODAY + DAY, "U0")
    after = await workshop(database_url=database_url, policy=replace(POLICY, exemptions=(exempt,)))
    await after.run(request)
    assert await ended(after, request) == (Status.WITHDRAWN, Gone.EXEMPT, [])


async def test_who_asked_against_the_policy_is_not_stopped_by_what_was_known(w: Workshop):
    """Nothing was overdue when it was confirmed, and the confirmation said so."""
    await books(w)
    request = await w.requests.approve((await confirmed(w)).id, by=ben)
    assert (await w.run(request)).status is Status.DONE


class TestOnceItWasTried:
    """What it stood on may go while Microsoft does not answer, or before somebody has it looked into again."""

    async def _nobody_knows(self, w: Workshop, request: ActionRequest) -> None:
        for _ in range(TRIES):
            await w.run(request)
            w.clock.passes(RETRY_AFTER)
        assert (await w.requests.get(request.id)).status is Status.UNKNOWN

    @pytest.mark.parametrize(("happens", "why"), MEANWHILE)
    async def test_where_nothing_was_sent_it_is_called_off(self, w: Workshop, happens: Happens, why: Gone):
        request = await w.requests.approve((await confirmed(w)).id, by=ben)
        w.far_side.faults.add(status=503, method="GET", times=None)
        assert (await w.run(request)).status is Status.EXECUTING
        await happens(w)
        w.far_side.faults.clear()
        w.clock.passes(RETRY_AFTER)
        await w.run(request)
        assert await ended(w, request) == (Status.WITHDRAWN, why, [])

    async def test_when_it_is_looked_into_again_too(self, w: Workshop):
        request = await w.requests.approve((await confirmed(w)).id, by=ben)
        w.far_side.faults.add(status=503, method="GET", times=None)
        await self._nobody_knows(w, request)
        w.far_side.faults.clear()
        await pays(w)
        await w.requests.look_again(request.id, by=ana)
        await w.run(request)
        assert await ended(w, request) == (Status.WITHDRAWN, Gone.PAID, [])

    @pytest.mark.parametrize(
        ("took", "becomes"),
        [
            pytest.param(True, (Status.DONE, True, ""), id="it took"),
            pytest.param(False, (Status.FAILED, False, CALLED_OFF), id="it did not"),
        ],
    )
    async def test_what_may_have_been_sent_is_only_looked_at(
        self, w: Workshop, took: bool, becomes: tuple[Status, bool, str]
    ):
        request = await w.requests.approve((await confirmed(w)).id, by=ben)
        w.far_side.faults.add(status=503, method="PATCH", times=None)
        await self._nobody_knows(w, request)
        w.far_side.faults.clear()
        if took:
            w.far_side.suspend_outside(w.subscription().id)
        await pays(w)
        sent = len(w.patches())
        await w.requests.look_again(request.id, by=ana)
        seen = await w.run(request)
        assert (seen.status, came_of(seen).changed, came_of(seen).error) == becomes
        assert len(w.patches()) == sent
        assert not seen.may_be_retried

    async def test_of_several_the_ones_that_failed_are_not_tried_again(self, w: Workshop):
        several = tuple(as_confirmed(w.subscription(name), name) for name in (E3, PREMIUM))
        found = await judged(w)
        request = await w.placed(subscriptions=several, ground=found.ground, debtors=found.debtors)
        request = await w.requests.approve(request.id, by=ben)
        w.far_side.faults.add(
            status=403, method="PATCH", path_contains=w.subscription(PREMIUM).id, times=None
        )
        assert (await w.run(request)).status is Status.FAILED
        w.far_side.faults.clear()
        await pays(w)
        sent = len(w.patches())
        await w.requests.retry(request.id, by=ana)
        left = await w.run(request)
        assert [t.result for t in left.targets] == [Result.DONE, Result.FAILED]
        assert [t.outcome and t.outcome.error for t in left.targets] == ["", CALLED_OFF]
        assert (len(w.patches()), w.subscription(PREMIUM).status) == (sent, "active")


class TestWhoseDebtItIs:
    """A link may be corrected, and money comes in under another name of the customer's."""

    async def rows(self, w: Workshop, *rows: str) -> None:
        header = "Num,Customer,Tenant ID,Due Date,Currency,Open Balance"
        await w.receivables.take_in(
            "\n".join([header, *rows, ""]).encode(),
            file_name="open.csv",
            as_of=TODAY,
            even_if_it_shrinks=True,
        )

    @pytest.fixture
    async def linked(self, w: Workshop) -> Workshop:
        """Halden's debt was linked to Contoso, by mistake as it turns out."""
        await w.customers.refresh_if_old()
        await self.rows(w, f"1,Halden Marine,,{TODAY - 45 * DAY},EUR,500.00")
        await w.mappings.confirm("name:halden marine", contoso(w), by=ana)
        return w

    @pytest.mark.parametrize("instead", ["nobody", "Fabrikam"])
    async def test_a_link_that_was_taken_back_takes_the_ground_away(self, linked: Workshop, instead: str):
        w = linked
        request = await w.requests.approve((await confirmed(w)).id, by=ben)
        assert request.ground.owes
        await w.mappings.remove("name:halden marine", by=ana)
        if instead != "nobody":
            await w.mappings.confirm("name:halden marine", w.far_side.customer(instead).id, by=ana)
        await w.run(request)
        assert await ended(w, request) == (Status.WITHDRAWN, Gone.UNLINKED, [])

    async def test_what_they_owe_besides_is_ground_enough(self, linked: Workshop):
        w = linked
        due = TODAY - 45 * DAY
        await self.rows(w, f"1,Halden Marine,,{due},EUR,500.00", f"2,Contoso,{contoso(w)},{due},EUR,70.00")
        await w.mappings.confirm(f"tenant:{contoso(w)}", contoso(w), by=ana)
        request = await w.requests.approve((await confirmed(w)).id, by=ben)
        await w.mappings.remove("name:halden marine", by=ana)
        assert (await w.run(request)).status is Status.DONE

    async def test_a_payment_under_another_name_of_theirs_counts(self, linked: Workshop):
        w = linked
        request = await w.requests.approve((await confirmed(w)).id, by=ben)
        await self.rows(
            w,
            f"1,Halden Marine,,{TODAY - 45 * DAY},EUR,500.00",
            f"2,Contoso,{contoso(w)},{TODAY},EUR,-500.00",
        )
        await w.run(request)
        assert await ended(w, request) == (Status.WITHDRAWN, Gone.PAID, [])

    async def test_a_credit_of_their_own_that_is_too_small_changes_nothing(self, w: Workshop):
        await w.customers.refresh_if_old()
        due = TODAY - 45 * DAY
        rows = f"1,Contoso,{contoso(w)},{due},EUR,500.00", f"2,Contoso,{contoso(w)},{due},EUR,-10.00"
        await self.rows(w, *rows)
        request = await w.requests.approve((await confirmed(w)).id, by=ben)
        assert (await w.run(request)).status is Status.DONE

    async def test_a_credit_of_whom_nobody_knows_who_it_is_has_a_person_look_first(self, linked: Workshop):
        w, due = linked, TODAY - 45 * DAY
        rows = f"1,Halden Marine,,{due},EUR,500.00", f"2,Contoso GmbH,{contoso(w)},{due},EUR,-500.00"
        await self.rows(w, *rows)
        found = await judged(w)
        assert (found.ground.owes, found.ground.trusted, found.standing.proposes_suspension) == (
            True,
            False,
            False,
        )

    async def test_what_could_not_be_read_under_another_name_of_theirs_calls_it_off(self, w: Workshop):
        """It may be the payment."""
        await w.customers.refresh_if_old()
        due = TODAY - 45 * DAY
        owed = f"1,Halden Marine,,{due},EUR,500.00"
        await self.rows(w, owed, f"2,Halden Yachts,,{due},EUR,5.00")
        for key in ("name:halden marine", "name:halden yachts"):
            await w.mappings.confirm(key, contoso(w), by=ana)
        await self.rows(w, owed)
        request = await w.requests.approve((await confirmed(w)).id, by=ben)
        assert request.ground.trusted
        await self.rows(w, owed, "3,Halden Yachts,,,EUR,who knows")
        assert not (await judged(w)).ground.trusted
        await w.run(request)
        assert await ended(w, request) == (Status.WITHDRAWN, Gone.UNSURE, [])

    async def test_where_it_is_not_clear_any_more_who_owes_it_is_called_off(self, w: Workshop):
        await w.customers.refresh_if_old()
        request = await w.requests.approve((await confirmed(w)).id, by=ben)
        due = TODAY - 45 * DAY
        rows = (f"{n},{name},{contoso(w)},{due},EUR,500.00" for n, name in enumerate(["Contoso", "Litware"]))
        await self.rows(w, *rows)
        await w.run(request)
        assert await ended(w, request) == (Status.WITHDRAWN, Gone.UNSURE, [])

    @pytest.fixture
    async def namesake(self, w: Workshop) -> ActionRequest:
        """Somebody asked against the policy: it is Contoso's debt by its name alone."""
        await w.customers.refresh_if_old()
        async with w.store.read() as tx:
            known = await tx.mirror.customer(contoso(w))
        assert known is not None
        await self.rows(w, f"1,{known.name},,{TODAY - 45 * DAY},EUR,500.00")
        found = await w.digests.judge(known)
        assert (found.ground.by_name, found.standing.proposes_suspension) == (True, False)
        return await w.placed(ground=found.ground, debtors=found.debtors)

    async def test_what_was_asked_for_by_the_name_alone_is_done(self, w: Workshop, namesake: ActionRequest):
        await w.requests.sweep()
        request = await w.requests.approve(namesake.id, by=ben)
        assert (await w.run(request)).status is Status.DONE

    async def test_but_not_where_that_name_paid(self, w: Workshop, namesake: ActionRequest):
        request = await w.requests.approve(namesake.id, by=ben)
        await pays(w)
        await w.run(request)
        assert await ended(w, request) == (Status.WITHDRAWN, Gone.PAID, [])

    async def test_nor_where_it_was_linked_to_somebody_else(self, w: Workshop, namesake: ActionRequest):
        request = await w.requests.approve(namesake.id, by=ben)
        await w.mappings.confirm(namesake.debtors[0], w.far_side.customer("Fabrikam").id, by=ana)
        await w.run(request)
        assert await ended(w, request) == (Status.WITHDRAWN, Gone.UNLINKED, [])

    async def test_a_debt_under_another_name_of_theirs_does_not(self, linked: Workshop):
        w = linked
        request = await w.requests.approve((await confirmed(w)).id, by=ben)
        await self.rows(w, f"2,Contoso,{contoso(w)},{TODAY - 45 * DAY},EUR,500.00")
        await w.run(request)
        assert await ended(w, request) == (Status.WITHDRAWN, Gone.PAID, [])


class TestHours:
    """Nobody is cut off for non-payment at night or before a day off, where the policy says so."""

    NIGHT = replace(POLICY, quiet_hours=(time(11), time(14)))
    BEFORE_DAYS_OFF = replace(POLICY, no_cutoff_before_days_off=True)
    FRIDAY = datetime(2026, 11, 27, 12, tzinfo=UTC)
    FROZEN = replace(POLICY, freezes=(Freeze(TODAY, TODAY + DAY, "Stocktaking"),))

    @pytest.mark.parametrize(
        ("policy", "at", "until"),
        [
            pytest.param(NIGHT, noon, noon + 2 * HOUR, id="quiet hours"),
            pytest.param(BEFORE_DAYS_OFF, FRIDAY, FRIDAY + 2 * DAY + 12 * HOUR, id="a Friday"),
            pytest.param(FROZEN, noon, noon + DAY + 12 * HOUR, id="a freeze"),
        ],
    )
    async def test_it_waits(
        self, workshop: OpenWorkshop, policy: BillingPolicy, at: datetime, until: datetime
    ):
        w = await workshop(policy=policy)
        w.clock.at = at
        request = await w.run(await w.approved())
        assert (request.status, request.outside_hours, request.acts_at, w.patches()) == (
            Status.APPROVED,
            True,
            until,
            [],
        )
        w.clock.at = until
        assert (await w.run(request)).status is Status.DONE
