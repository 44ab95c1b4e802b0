"""Tickets over a real database and a real mail server: one of a kind, mailed once, closed in three steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.audit import AuditTag, is_intact
from bot.domain.customer import Cloud
from bot.domain.errors import (
    ConfirmationOutdated,
    Invalid,
    NotFound,
    NotPermitted,
    OwnRequest,
    TicketExists,
    TicketSettled,
)
from bot.domain.matter import About, TicketKind, about
from bot.domain.people import Person
from bot.domain.ticket import Stage, Ticket, TicketStatus, Way
from bot.services.support import GIVEN_UP_AFTER
from bot.services.tickets import DRAFTS_LIVE, STRANDED_AFTER, TicketRules
from tests.builders import DAY, a_customer, a_matter, a_subscription, ana, ben, boss, eve, noon
from tests.post_office import CUT, PostOffice, mail_to, post_office
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import Clock, Workshop

BY_MAIL = TicketRules(ways=(("*", Way.EMAIL),), mail_to="support@21vianet.example")
LONG = "שלום *x* <!channel> 漢字 " * 800


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with post_office() as opened:
        yield opened


async def drafted(w: Workshop, *, by: Person = ana, what: About | None = None, **fields: Any) -> Ticket:
    """What somebody is shown before *Confirm*."""
    return await shown(w, await w.tickets.begin(by=by, channel="C0"), by=by, what=what, **fields)


async def shown(
    w: Workshop, draft: Ticket, *, by: Person, what: About | None = None, **fields: Any
) -> Ticket:
    """The draft, filled in for the very *Continue* it is of."""
    return await w.tickets.confirmable(
        draft.id,
        draft.nonce,
        a_matter(**fields),
        what or about(a_customer(), a_subscription()),
        subject="Mail does not arrive",
        text="The draft.",
        portal="https://partner.microsoft.com/dashboard",
        by=by,
    )


async def opened(w: Workshop, *, by: Person = ana, **fields: Any) -> Ticket:
    draft = await drafted(w, by=by, **fields)
    return await w.tickets.confirm(draft.id, draft.nonce, by=by)


async def mailed(w: Workshop, ticket: Ticket) -> Ticket:
    await w.support.hand_over(ticket.id)
    return await w.tickets.get(ticket.id)


async def test_its_whole_life_stands_in_the_trail(workshop: OpenWorkshop, database_url: str):
    w = await workshop(database_url=database_url, hosting=Cloud.CHINA)
    ticket = await opened(w)
    assert (ticket.status, ticket.hand_over.way) == (TicketStatus.OPEN, Way.PORTAL)
    for step in (w.tickets.resolve(ticket.id, by=ana, how=""), _informed(w, ticket)):
        with pytest.raises(TicketSettled):
            await step
    await w.tickets.file(ticket.id, "42", by=ana)
    with pytest.raises(TicketSettled):
        await _informed(w, ticket)
    await w.tickets.resolve(ticket.id, by=ana, how="Mended")
    closed = await _informed(w, ticket)
    assert (closed.status, closed.informed_in) == (TicketStatus.CLOSED, "de")
    story = await w.story(ticket.id)
    assert [e.tag for e in story] == [
        AuditTag.TICKET_OPENED,
        AuditTag.TICKET_FILED,
        AuditTag.TICKET_RESOLVED,
        AuditTag.TICKET_CLOSED,
    ]
    assert all(is_intact(e, previous=e.previous, seq=e.seq) for e in story)
    assert "Ihr Dienst" not in str([e.facts for e in story])
    assert await w.tickets.open() == []


async def _informed(w: Workshop, ticket: Ticket) -> Ticket:
    return await w.tickets.close(ticket.id, by=ana, language="de", words="Ihr Dienst läuft wieder.")


async def test_a_second_of_its_kind_is_offered_the_first(workshop: OpenWorkshop, database_url: str):
    w = await workshop(database_url=database_url)
    first, rival = await drafted(w), await drafted(w, by=boss)
    await w.tickets.confirm(first.id, first.nonce, by=ana)
    for second in (drafted(w), w.tickets.confirm(rival.id, rival.nonce, by=boss)):
        with pytest.raises(TicketExists) as refusal:
            await second
        assert refusal.value.ticket_id == first.id
    assert (await opened(w, kind=TicketKind.BILLING)).status is TicketStatus.OPEN
    await w.tickets.withdraw(first.id, by=ana)
    assert (await w.tickets.confirm(rival.id, rival.nonce, by=boss)).status is TicketStatus.OPEN


async def test_a_second_confirm_changes_nothing(workshop: OpenWorkshop):
    w = await workshop()
    ticket = await opened(w)
    assert await w.tickets.confirm(ticket.id, ticket.nonce, by=ana) == ticket
    assert len(await w.story(ticket.id)) == 1


async def test_only_the_newest_confirmation_is_opened(workshop: OpenWorkshop, database_url: str):
    w = await workshop(database_url=database_url)
    older = await drafted(w)
    newer = await w.tickets.begin_confirmation(older.id, by=ana)
    with pytest.raises(ConfirmationOutdated):
        await shown(w, older, by=ana, title="The first")
    await shown(w, newer, by=ana, title="The second")
    for nonce in (older.nonce, ""):
        with pytest.raises(ConfirmationOutdated):
            await w.tickets.confirm(older.id, nonce, by=ana)
    assert await w.story(older.id) == []

    ticket = await w.tickets.confirm(newer.id, newer.nonce, by=ana)

    assert ticket.matter
    assert ticket.matter.title == "The second"


async def test_nobody_confirms_what_another_was_shown(workshop: OpenWorkshop):
    w = await workshop()
    draft = await drafted(w)
    with pytest.raises(NotFound):
        await w.tickets.confirm(draft.id, draft.nonce, by=boss)
    with pytest.raises(NotPermitted):
        await w.tickets.begin(by=eve, channel="C0")


async def test_an_approval_by_somebody_else_opens_it(workshop: OpenWorkshop, database_url: str):
    w = await workshop(database_url=database_url, tickets=TicketRules(approvals=1))
    ticket = await opened(w, by=boss)
    assert ticket.status is TicketStatus.PENDING
    with pytest.raises(OwnRequest):
        await w.tickets.approve(ticket.id, by=boss)
    assert (await w.tickets.approve(ticket.id, by=ben)).status is TicketStatus.OPEN
    with pytest.raises(TicketSettled):
        await w.tickets.deny(ticket.id, by=ben, why="too late")


async def test_what_nobody_decides_expires(workshop: OpenWorkshop, clock: Clock):
    w = await workshop(tickets=TicketRules(approvals=1))
    ticket = await opened(w)
    clock.passes(DAY)
    await w.tickets.sweep()
    assert (await w.tickets.get(ticket.id)).status is TicketStatus.EXPIRED


async def test_many_workers_mail_it_once(workshop: OpenWorkshop, office: PostOffice, database_url: str):
    one, two = [
        await workshop(database_url=database_url, mail=mail_to(office), tickets=BY_MAIL) for _ in range(2)
    ]
    ticket = await opened(one)
    assert ticket.hand_over.stage is Stage.DUE
    await asyncio.gather(*(w.support.hand_over(ticket.id) for w in (one, two) * 4))
    assert len(office.taken) == 1
    assert office.taken[0]["To"] == "support@21vianet.example"
    assert (await two.tickets.get(ticket.id)).hand_over.stage is Stage.DONE


async def test_a_worker_that_died_over_the_mail_does_not_mail_twice(
    workshop: OpenWorkshop, office: PostOffice, clock: Clock, database_url: str
):
    office.slow = asyncio.Event()  # it has taken the mail, and its answer is still to come
    w = await workshop(database_url=database_url, mail=mail_to(office), tickets=BY_MAIL)
    await w.support.begin("w-0")
    ticket = await opened(w)
    dying = asyncio.create_task(w.support.hand_over(ticket.id))
    await office.arrived.wait()
    dying.cancel()
    await asyncio.wait({dying})
    again = await workshop(database_url=database_url, mail=mail_to(office), tickets=BY_MAIL)
    await again.support.hand_over(ticket.id)  # its job comes again
    await again.support.begin("w-0")  # and its name is taken by the next
    clock.passes(GIVEN_UP_AFTER + STRANDED_AFTER)
    await again.support.sweep()
    await again.support.hand_over(ticket.id)
    known = await again.tickets.get(ticket.id)
    assert (known.hand_over.stage, known.hand_over.reason) == (Stage.UNKNOWN, "interrupted")
    assert len(office.taken) == 1
    told = await again.tickets.decide_hand_over(ticket.id, was_sent=True, by=ana)
    assert told.hand_over.stage is Stage.DONE


async def test_what_was_refused_may_be_tried_again(workshop: OpenWorkshop, office: PostOffice):
    w = await workshop(mail=mail_to(office), tickets=BY_MAIL)
    office.at_rcpt = "550 no such mailbox"
    ticket = await mailed(w, await opened(w))
    assert (ticket.hand_over.stage, ticket.hand_over.reason) == (Stage.FAILED, "550")
    office.at_rcpt = ""
    await w.tickets.hand_over_again(ticket.id, by=ana)
    assert (await mailed(w, ticket)).hand_over.stage is Stage.DONE
    assert len(office.taken) == 1


async def test_a_server_that_fell_silent_over_the_text_leaves_it_open(
    workshop: OpenWorkshop, office: PostOffice
):
    w = await workshop(mail=mail_to(office), tickets=BY_MAIL)
    office.after_data = CUT
    assert (await mailed(w, await opened(w))).hand_over.stage is Stage.UNKNOWN


async def test_without_a_mail_server_it_is_filed_by_hand(workshop: OpenWorkshop):
    w = await workshop(tickets=BY_MAIL)
    assert (await opened(w)).hand_over.way is Way.PORTAL


async def test_what_lost_its_job_is_handed_out_again(
    workshop: OpenWorkshop, office: PostOffice, clock: Clock
):
    w = await workshop(mail=mail_to(office), tickets=BY_MAIL)
    ticket = await opened(w)
    clock.passes(STRANDED_AFTER + timedelta(seconds=1))
    async with w.store.read() as tx:
        assert [t.id for t in await tx.tickets.unclaimed(before=clock() - STRANDED_AFTER)] == [ticket.id]
        behind = await tx.tickets.behind(since=noon - DAY, until=clock() - STRANDED_AFTER)
    assert [t.id for t in behind] == [ticket.id]


async def test_drafts_are_forgotten_and_tickets_are_not(workshop: OpenWorkshop, clock: Clock):
    w = await workshop()
    draft, ticket = await drafted(w, kind=TicketKind.BILLING), await opened(w)
    clock.passes(DRAFTS_LIVE + timedelta(seconds=1))
    await w.tickets.sweep()
    with pytest.raises(NotFound):
        await w.tickets.get(draft.id)
    assert (await w.tickets.get(ticket.id)).status is TicketStatus.OPEN


async def test_a_long_text_comes_back_as_it_was_typed(workshop: OpenWorkshop, database_url: str):
    w = await workshop(database_url=database_url)
    ticket = await opened(w, description=LONG + "\x00\x1b")
    kept = (await w.tickets.get(ticket.id)).matter
    assert kept is not None
    assert kept.description == LONG + "\u2400\u241b"


async def test_a_customer_is_informed_in_words(workshop: OpenWorkshop):
    w = await workshop()
    ticket = await opened(w)
    with pytest.raises(Invalid):
        await w.tickets.close(ticket.id, by=ana, language="de", words=" ")
