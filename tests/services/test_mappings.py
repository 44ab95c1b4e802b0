"""Saying whose a debtor is: who may, what it changes in the digest, and what the audit trail keeps."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from bot.domain.customer import CustomerId
from bot.domain.directory import Doubt, MappingMethod, party_id
from bot.domain.errors import AlreadyLinked, Invalid, NotFound, NotOurCustomer, NotPermitted
from bot.domain.people import Person
from tests.builders import CONTOSO, a_customer, ana, ben, boss, eve
from tests.services.conftest import OpenWorkshop
from tests.services.test_digests import OTHER, a_row, know, take_in
from tests.services.workshop import Workshop

TODAY = date(2026, 11, 23)
HALDEN = "name:halden marine"


@pytest.fixture
async def w(workshop: OpenWorkshop) -> Workshop:
    """Halden Marine is overdue, and nobody knows whose it is."""
    opened = await workshop()
    await know(opened, a_customer(), OTHER)
    await take_in(opened, a_row("1", "Halden Marine", "", 45, "500.00"))
    return opened


async def test_the_digest_knows_the_customer_from_then_on(w: Workshop):
    mapping = await w.mappings.confirm(HALDEN, CONTOSO, by=ana)
    assert (mapping.party_name, mapping.confirmed_by, mapping.confirmed_at) == (
        "Halden Marine",
        ana.id,
        w.clock(),
    )
    (debtor,) = (await w.digests.overdue()).debtors
    assert (debtor.customer, debtor.standing.proposes_suspension) == (a_customer(), True)
    assert (await w.digests.judge(a_customer())).standing.proposes_suspension
    assert (await w.mappings.unmapped(10)).total == 0


async def test_taken_back_the_books_alone_decide_again(w: Workshop):
    await take_in(w, a_row("1", "Halden Marine", OTHER.id, 45, "500.00"), even_if_it_shrinks=True)
    key = f"tenant:{OTHER.id}"
    await w.mappings.confirm(key, CONTOSO, by=ana)
    assert (await w.mappings.entry(key)).customer == a_customer()
    removed = await w.mappings.remove(key, by=ana)
    entry = await w.mappings.entry_without(removed)
    assert (entry.customer, entry.method, entry.mapping) == (OTHER, MappingMethod.TENANT_ID, None)


async def test_both_are_in_the_audit_trail_without_a_name_in_the_subject(w: Workshop):
    await w.mappings.confirm(HALDEN, CONTOSO, by=ana)
    await w.mappings.remove(HALDEN, by=boss)
    facts = {
        "party_key": HALDEN,
        "party_name": "Halden Marine",
        "customer": CONTOSO,
        "customer_name": "Contoso Ltd",
    }
    told = [(e.tag, e.by, dict(e.facts)) for e in await w.story(party_id(HALDEN))]
    assert told == [("mapping:confirmed", ana.id, facts), ("mapping:removed", boss.id, facts)]


@pytest.mark.parametrize("who", [eve, ben])
async def test_who_may_not_operate_may_not_say_it(w: Workshop, who: Person):
    with pytest.raises(NotPermitted):
        await w.mappings.confirm(HALDEN, CONTOSO, by=who)
    await w.mappings.confirm(HALDEN, CONTOSO, by=ana)
    with pytest.raises(NotPermitted):
        await w.mappings.remove(HALDEN, by=who)
    assert len(await w.mappings.confirmed()) == 1


async def test_a_customer_that_is_none_of_ours_is_refused(w: Workshop):
    advised = a_customer(id=CustomerId("88888888-2222-4333-8444-555555555555"), relationship="advisor")
    await know(w, advised)
    with pytest.raises(NotOurCustomer):
        await w.mappings.confirm(HALDEN, advised.id, by=ana)
    with pytest.raises(Invalid):
        await w.mappings.confirm(HALDEN, "77777777-2222-4333-8444-555555555555", by=ana)
    assert await w.mappings.confirmed() == ()


async def test_of_whom_the_books_know_nothing_nothing_is_said(w: Workshop):
    with pytest.raises(NotFound) as missing:
        await w.mappings.confirm("name:nobody", CONTOSO, by=ana)
    assert missing.value.name == party_id("name:nobody")
    with pytest.raises(NotFound):
        await w.mappings.remove(HALDEN, by=ana)


async def test_saying_it_again_changes_nothing_and_another_customer_is_refused(w: Workshop):
    first = await w.mappings.confirm(HALDEN, CONTOSO, by=ana)
    assert await w.mappings.confirm(HALDEN, CONTOSO, by=boss) == first
    with pytest.raises(AlreadyLinked) as refused:
        await w.mappings.confirm(HALDEN, OTHER.id, by=boss)
    assert (refused.value.customer, refused.value.by) == ("Contoso Ltd", ana.id)
    assert len(await w.story(party_id(HALDEN))) == 1


async def test_of_two_at_once_one_is_told_who_was_first(w: Workshop):
    said = await asyncio.gather(
        w.mappings.confirm(HALDEN, CONTOSO, by=ana),
        w.mappings.confirm(HALDEN, OTHER.id, by=boss),
        return_exceptions=True,
    )
    refused = [s for s in said if isinstance(s, AlreadyLinked)]
    assert len(refused) == 1
    (entry,) = await w.mappings.confirmed()
    assert entry.mapping is not None
    assert refused[0].by == entry.mapping.confirmed_by


async def test_what_several_debtors_share_proposes_nothing_until_a_person_says_so(w: Workshop):
    await take_in(
        w,
        a_row("1", "Contoso Ltd", CONTOSO, 45, "500.00"),
        a_row("2", "Contoso Holding", "contoso.onmicrosoft.com", 45, "500.00"),
        even_if_it_shrinks=True,
    )
    assert not any(d.standing.proposes_suspension for d in (await w.digests.overdue()).debtors)
    entry = await w.mappings.entry(f"tenant:{CONTOSO}")
    assert (entry.customer, entry.suggestion, entry.doubt) == (None, a_customer(), Doubt.SEVERAL_DEBTORS)

    await w.mappings.confirm(entry.key, CONTOSO, by=ana)

    proposed = {d.party.customer: d.standing.proposes_suspension for d in (await w.digests.overdue()).debtors}
    assert proposed == {"Contoso Ltd": True, "Contoso Holding": False}


async def test_the_worst_of_whom_nobody_knows_come_first_and_can_be_narrowed_down(w: Workshop):
    await take_in(
        w,
        a_row("1", "Halden Marine", "", 45, "500.00"),
        a_row("2", "Very Late", "", 90, "1.00"),
        a_row("3", "Not Late", "", 0, "1.00"),
        a_row("4", "Known", CONTOSO, 99, "1.00"),
        even_if_it_shrinks=True,
    )
    found = await w.mappings.unmapped(1)
    assert ([d.party.customer for d in found.debtors], found.total) == (["Very Late"], 2)
    found = await w.mappings.unmapped(10, words="marine HALDEN")
    assert ([d.party.customer for d in found.debtors], found.total) == (["Halden Marine"], 1)


async def test_the_confirmed_ones_are_found_by_either_name_even_once_paid(w: Workshop):
    await w.mappings.confirm(HALDEN, CONTOSO, by=ana)
    await take_in(w, a_row("9", "New", "", 1, "1.00"), even_if_it_shrinks=True)
    for words in ("halden", "contoso", ""):
        (entry,) = await w.mappings.confirmed(words=words)
        assert (entry.name, entry.customer, entry.party) == ("Halden Marine", a_customer(), None)
    assert await w.mappings.confirmed(words="fabrikam") == ()
    assert await w.mappings.key_of(party_id(HALDEN)) == HALDEN
    removed = await w.mappings.remove(HALDEN, by=ana)
    assert (await w.mappings.entry_without(removed)).name == "Halden Marine"
    with pytest.raises(NotFound):
        await w.mappings.key_of(party_id(HALDEN))
