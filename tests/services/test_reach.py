"""Scopes of rights over the real books: asking and approving are refused outside, and what is owed is read anew."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.action import Reason
from bot.domain.errors import BeyondRights, OwnRequest
from bot.domain.people import Right
from bot.domain.policy import InForce
from bot.domain.reach import Grant
from bot.domain.request import Status
from tests.builders import DAY, HOUR, ana, ben, boss, mei, noon
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import AFTER_A_WARNING, Workshop

UP_TO_500 = {"EUR": Decimal("500.00")}


async def opened(workshop: OpenWorkshop, *grants: Grant, **fields: Any) -> Workshop:
    return await workshop(policy=replace(AFTER_A_WARNING, rights=grants), **fields)


async def owes(w: Workshop, amount: str) -> None:
    contoso = w.far_side.customer("Contoso").id
    rows = f"1,Contoso,{contoso},{noon.date() - 45 * DAY},EUR,{amount}\n"
    await w.receivables.take_in(
        f"Num,Customer,Tenant ID,Due Date,Currency,Open Balance\n{rows}".encode(),
        file_name="open.csv",
        as_of=noon.date(),
        even_if_it_shrinks=True,
    )


async def test_within_the_amount_an_approver_approves_and_beyond_it_only_who_may(workshop: OpenWorkshop):
    w = await opened(
        workshop, Grant(Right.APPROVE, up_to=UP_TO_500), Grant(Right.APPROVE, who=frozenset({mei.id}))
    )
    await owes(w, "400.00")
    request = await w.placed(reason=Reason.FRAUD)
    await owes(w, "500.01")

    with pytest.raises(BeyondRights) as refused:
        await w.requests.approve(request.id, by=ben)
    assert (refused.value.why, refused.value.request_id) == ("amount", request.id)
    assert refused.value.scope == "may = approve, up_to = EUR 500.00"
    assert (await w.requests.get(request.id)).decisions == ()

    await owes(w, "500.00")
    assert (await w.requests.approve(request.id, by=ben)).status is not Status.PENDING


async def test_what_they_owe_under_a_name_that_came_later_counts(workshop: OpenWorkshop):
    """The books took to tenant ids, or somebody linked a debtor: it is the same customer."""
    w = await opened(workshop, Grant(Right.APPROVE, up_to=UP_TO_500))
    await w.customers.refresh_if_old()
    contoso = w.far_side.customer("Contoso").id
    header, due = "Num,Customer,Tenant ID,Due Date,Currency,Open Balance", noon.date() - 45 * DAY

    async def books(*rows: str) -> None:
        text = "\n".join([header, *rows, ""]).encode()
        await w.receivables.take_in(text, file_name="open.csv", as_of=noon.date(), even_if_it_shrinks=True)

    small, large = f"1,Contoso,{contoso},{due},EUR,400.00", f"2,Halden Marine,,{due},EUR,90000.00"
    await books(small, large)
    request = await w.placed(reason=Reason.FRAUD, debtors=(f"tenant:{contoso}",))
    await w.mappings.confirm("name:halden marine", contoso, by=ana)
    with pytest.raises(BeyondRights) as refused:
        await w.requests.approve(request.id, by=ben)
    assert refused.value.why == "amount"

    await books(large)  # nothing is left under the name it was asked for
    with pytest.raises(BeyondRights) as refused:
        await w.requests.approve(request.id, by=ben)
    assert refused.value.why == "amount"

    await w.mappings.remove("name:halden marine", by=ana)  # nor under any other
    with pytest.raises(BeyondRights) as refused:
        await w.requests.approve(request.id, by=ben)
    assert refused.value.why == "amount-unknown"


async def test_what_the_books_do_not_know_is_beyond_every_amount(workshop: OpenWorkshop):
    w = await opened(
        workshop, Grant(Right.APPROVE, up_to=UP_TO_500), Grant(Right.APPROVE, who=frozenset({mei.id}))
    )
    request = await w.placed(reason=Reason.FRAUD)
    with pytest.raises(BeyondRights) as refused:
        await w.requests.approve(request.id, by=ben)
    assert refused.value.why == "amount-unknown"
    await w.requests.approve(request.id, by=mei)


async def test_books_that_became_old_are_beyond_every_amount(workshop: OpenWorkshop):
    rights = (Grant(Right.APPROVE, up_to=UP_TO_500),)
    w = await workshop(policy=replace(AFTER_A_WARNING, rights=rights, max_data_age_hours=1))
    await owes(w, "400.00")
    request = await w.placed(reason=Reason.FRAUD)
    w.clock.passes(2 * HOUR)
    with pytest.raises(BeyondRights) as refused:
        await w.requests.approve(request.id, by=ben)
    assert refused.value.why == "amount-unknown"
    await owes(w, "400.00")
    await w.requests.approve(request.id, by=ben)


async def test_who_asks_outside_is_refused_before_the_confirmation_is_shown(workshop: OpenWorkshop):
    w = await opened(workshop, Grant(Right.OPERATE, reasons=frozenset({Reason.NON_PAYMENT})))
    with pytest.raises(BeyondRights) as refused:
        await w.drafted(reason=Reason.FRAUD)
    assert refused.value.why == "reason"
    await w.placed()


async def test_who_asks_outside_places_nothing_where_the_policy_changed_since(workshop: OpenWorkshop):
    grants: list[Grant] = []
    w = await workshop(in_force=lambda: InForce(replace(AFTER_A_WARNING, rights=tuple(grants))))
    draft = await w.drafted()
    grants.append(Grant(Right.OPERATE, channels=frozenset({"C0ELSEWHERE"})))
    with pytest.raises(BeyondRights) as refused:
        await w.requests.place(draft.id, draft.nonce, by=ana)
    assert refused.value.why == "channel"
    assert await w.requests.open() == []


async def test_an_approval_counts_where_it_was_clicked(workshop: OpenWorkshop):
    w = await opened(workshop, Grant(Right.APPROVE, channels=frozenset({"C0APPROVALS"})))
    request = await w.placed()
    for channel in ("", "D0BEN"):
        with pytest.raises(BeyondRights):
            await w.requests.approve(request.id, by=replace(ben, channel=channel))
    await w.requests.approve(request.id, by=replace(ben, channel="C0APPROVALS"))


async def test_a_grant_does_not_let_anybody_approve_their_own(workshop: OpenWorkshop):
    w = await opened(workshop, Grant(Right.APPROVE, who=frozenset({boss.id})))
    request = await w.placed(by=boss)
    with pytest.raises(OwnRequest):
        await w.requests.approve(request.id, by=boss)


async def test_denying_is_never_out_of_reach(workshop: OpenWorkshop):
    w = await opened(workshop, Grant(Right.APPROVE, who=frozenset({mei.id})))
    request = await w.placed()
    assert (await w.requests.deny(request.id, by=ben, why="no")).status is Status.DENIED
