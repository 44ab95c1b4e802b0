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
from bot.domain.request import ActionRequest, Status
from bot.services.digests import Judgement
from bot.store.collections import Pause
from tests.builders import DAY, HOUR, a_customer, ana, ben, noon
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import Workshop

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
