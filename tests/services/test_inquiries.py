"""`/csp why`: who is meant, and that the answer rests on what the digest rests on."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bot.domain.customer import CustomerId
from bot.domain.inquiry import Choice, Inquiry, Nobody
from bot.domain.policy import InForce
from bot.services.inquiries import Inquiries
from tests.builders import CONTOSO, a_customer
from tests.services.conftest import OpenWorkshop
from tests.services.test_digests import OTHER, a_row, know, take_in
from tests.services.workshop import AFTER_A_WARNING, Workshop


@pytest.fixture
async def w(workshop: OpenWorkshop) -> Workshop:
    return await workshop()


def inquiries(w: Workshop) -> Inquiries:
    zone = ZoneInfo("UTC")
    return Inquiries(
        w.store, w.customers, w.digests, lambda: InForce(AFTER_A_WARNING), zone=zone, now=w.clock
    )


async def asked(w: Workshop, words: str) -> Inquiry:
    answer = await inquiries(w).why(words)
    assert isinstance(answer, Inquiry), answer
    return answer


@pytest.mark.parametrize(
    "words", ["contoso", "CONTOSO LTD", CONTOSO, CONTOSO.upper(), "contoso.onmicrosoft.com"]
)
async def test_it_answers_what_the_digest_says(w: Workshop, words: str):
    await know(w, a_customer(), a_customer(id=OTHER.id, name="Fabrikam, Inc.", domain="fabrikam.example"))
    await take_in(
        w, a_row("1", "Contoso Ltd", CONTOSO, 45, "500.00"), a_row("2", "Contoso Ltd", CONTOSO, 2, "70.00")
    )
    answer = await asked(w, words)
    (debtor,) = (await w.digests.overdue()).debtors
    assert answer.customer == a_customer()
    assert answer.trace.standing == debtor.standing
    (owed,) = answer.owed
    assert (owed.currency, owed.open, owed.counts, owed.oldest_days) == (
        "USD",
        Decimal(570),
        Decimal(570),
        45,
    )


async def test_a_whole_name_is_told_from_a_longer_one(w: Workshop):
    longer = a_customer(id=OTHER.id, name="Contoso Ltd & Sons", domain="sons.onmicrosoft.com")
    await know(w, a_customer(), longer)
    assert (await asked(w, "contoso ltd")).customer == a_customer()
    choice = await inquiries(w).why("contoso")
    assert isinstance(choice, Choice)
    assert set(choice.customers) == {a_customer(), longer}


async def test_who_owes_nothing_is_told_so(w: Workshop):
    await know(w, a_customer())
    await take_in(w, a_row("1", "Somebody", OTHER.id, 45, "500.00"))
    answer = await asked(w, "contoso")
    assert [rule.rule for rule in answer.trace.against] == ["nothing_overdue"]
    assert answer.owed == ()


async def test_before_any_import_nothing_is_known(w: Workshop):
    await know(w, a_customer())
    assert (await asked(w, "contoso")).as_of is None


async def test_a_debtor_that_is_nobodys_is_found_in_the_books(w: Workshop):
    await know(w, a_customer())
    await take_in(
        w, a_row("1", "Halden Marine", "", 45, "500.00"), a_row("2", "CONTOSO LTD", "", 45, "500.00")
    )
    answer = await asked(w, "halden")
    assert (answer.customer, answer.name, answer.suggestion) == (None, "Halden Marine", None)
    assert answer.trace.against[-1].rule == "not_mapped"
    namesake = await asked(w, "contoso")
    assert (namesake.customer, namesake.namesakes) == (a_customer(), ("CONTOSO LTD",))
    assert [rule.rule for rule in namesake.trace.against] == ["nothing_overdue"]


async def test_a_name_only_the_books_have_leads_to_the_customer_it_is_linked_to(w: Workshop):
    await know(w, a_customer())
    await take_in(w, a_row("1", "Trading as Fabulous", CONTOSO, 45, "500.00"))
    answer = await asked(w, "fabulous")
    assert (answer.customer, answer.trace.standing.proposes_suspension) == (a_customer(), True)


async def test_several_debtors_of_a_name_are_a_choice(w: Workshop):
    await take_in(w, a_row("1", "Halden North", "", 45, "5.00"), a_row("2", "Halden South", "", 45, "5.00"))
    choice = await inquiries(w).why("halden")
    assert isinstance(choice, Choice)
    assert sorted(choice.debtors) == ["Halden North", "Halden South"]


async def test_nobody_of_that_name_comes_with_the_nearest(w: Workshop):
    await know(w, a_customer(), a_customer(id=CustomerId(OTHER.id), name="Fabrikam, Inc."))
    answer = await inquiries(w).why("Contosso")
    assert answer == Nobody(("Contoso Ltd",))
    assert await inquiries(w).why("zzzzqqqq") == Nobody(())


async def test_what_does_not_count_is_told_apart(w: Workshop):
    await know(w, a_customer())
    header = (
        "Date,Transaction Type,Num,Customer,Domain,Due Date,Currency,Open Balance,Disputed,Promise to pay"
    )
    rows = (
        "2026-10-01,Invoice,1,Contoso Ltd,contoso.onmicrosoft.com,2026-10-01,EUR,100.00,,",
        "2026-10-01,Invoice,2,Contoso Ltd,contoso.onmicrosoft.com,2026-10-01,EUR,40.00,yes,",
        "2026-10-01,Invoice,3,Contoso Ltd,contoso.onmicrosoft.com,2026-10-01,EUR,20.00,,2026-11-30",
        "2026-12-01,Invoice,4,Contoso Ltd,contoso.onmicrosoft.com,2026-12-01,EUR,9.00,,",
        "2026-10-01,Credit Memo,5,Contoso Ltd,contoso.onmicrosoft.com,2026-10-01,EUR,-80.00,,",
    )
    text = "\n".join([header, *rows, ""])
    taken = await w.receivables.take_in(text.encode(), file_name="open.csv", as_of=w.digests.today())
    assert taken.applied
    assert taken.export.accepted == 5
    (owed,) = (await asked(w, "contoso")).owed
    assert [int(a) for a in (owed.open, owed.not_due, owed.disputed, owed.promised)] == [169, 9, 40, 20]
    assert [int(a) for a in (owed.credits, owed.counts, owed.minimum or 0)] == [80, 20, 25]
