"""The clicks on a ticket's card, from its approval to the moment the customer knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from bot.core import utc_now
from bot.domain.matter import TicketKind
from bot.domain.people import Person, PersonId, Right
from bot.domain.ticket import Stage as HandOverStage
from bot.domain.ticket import TicketStatus, Way
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.slack import Player
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.ticketing import CHANNEL, TICKETS, Opened, a_matter, opens
from tests.post_office import CUT, PostOffice, post_office
from tests.stage import Stage

APPROVALS = "csp-approvals"
MAILBOX = "support@21vianet.example"
ben_who_asks = Person(PersonId("U0BEN"), frozenset({Right.OPERATE, Right.APPROVE}))


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with post_office() as opened:
        yield opened


@pytest.fixture
def by_mail(office: PostOffice) -> dict[str, Any]:
    """The settings that have tickets handed over by mail."""
    return CHANNEL | {
        "smtp_url": SecretStr(f"smtp://127.0.0.1:{office.port}"),
        "backstop_mail_from": "Billing <billing@partner.example>",
        "backstop_ticket_handover": (("*", Way.EMAIL),),
        "backstop_ticket_email": MAILBOX,
    }


async def fills_in(who: Player, callback_id: str, action_id: str, text: str) -> story.Json:
    """The form, once it was sent with that text in it."""
    form = await who.modal_appears(callback_id=callback_id)
    who.type(action_id, text)
    ack = await who.submit()
    assert ack.ok, ack
    return form


def in_words(who: Player, said: str) -> story.Json | None:
    """The form, if the text for the customer says that."""
    form = story.top(who)
    return form if said in story.element(form, "ticket_words")["initial_value"] else None


async def files(stage: Stage, ticket: Opened, number: str = "SR-2611") -> story.Json:
    assert (await stage.ana.click(await ticket.card("To be filed"), "I filed it")).ok
    await fills_in(stage.ana, "ticket_filed", "ticket_number", number)
    return await ticket.card(number)


async def refused(stage: Stage, button: str, ticket_id: str, card: story.Json) -> story.Json:
    """Press a button the card does not show any more, as a card that was not redrawn still would."""
    payload = story.delivered(stage, "block_actions")
    payload["actions"][0] |= {"action_id": button, "value": ticket_id}
    payload["message"]["ts"] = card["ts"]
    assert (await story.forges(stage, payload))[0] == 200
    return payload


async def test_the_whole_life_and_no_step_of_it_out_of_order(set_stage: SetStage):
    stage = await set_stage(transport="http", **CHANNEL)
    ticket = await opens(stage)
    card = await ticket.card("To be filed")
    assert story.buttons(card) == ["Open portal", "I filed it", "Copy text", "Withdraw", "Evidence pack"]
    assert (await stage.ana.click(card, "Open portal")).ok

    await refused(stage, "ticket_resolved", ticket.id, card)
    await story.is_told(stage.ana, "has not been filed yet", channel=TICKETS)
    assert stage.ana.modal() is None
    assert (await stage.ana.click(card, "I filed it")).ok
    await stage.ana.modal_appears(callback_id="ticket_filed")
    stage.ana.type("ticket_number", "I do not know it")
    assert "letters and digits" in ((await stage.ana.submit()).body or {})["errors"]["ticket_number"]
    stage.ana.type("ticket_number", "SR-2611")
    assert (await stage.ana.submit()).ok
    card = await ticket.card("With Microsoft under number `SR-2611`, filed by <@U0ANA>")
    assert story.buttons(card) == [
        *("Resolved", "Open portal", "Microsoft answered", "Change number", "Evidence pack")
    ]
    assert (await stage.ana.click(card, "Change number")).ok
    form = await fills_in(stage.ana, "ticket_filed", "ticket_number", "SR-2612")
    assert story.element(form, "ticket_number")["initial_value"] == "SR-2611"
    card = await ticket.card("SR-2612")
    assert (await stage.ana.click(card, "Microsoft answered")).ok
    card = await ticket.card("Microsoft has answered")

    await refused(stage, "ticket_informed", ticket.id, card)
    await story.is_told(stage.ana, "Its next step is *Resolved*", channel=TICKETS)
    assert (await stage.ana.click(card, "Resolved")).ok
    await fills_in(stage.ana, "ticket_resolved", "ticket_resolution", "A connector was set anew.")
    card = await ticket.card("Resolved, customer to be informed")
    assert story.buttons(card) == ["Customer informed", "Evidence pack"]
    assert (await stage.ana.click(card, "Customer informed")).ok
    form = await stage.ana.modal_appears(callback_id="ticket_informed")
    held = stage.partner_center.customer("Contoso").contact
    words = story.element(form, "ticket_words")["initial_value"]
    assert words.startswith(f"Dear {held.first_name} {held.last_name},")
    for fact in ("Nobody can open a mailbox", "SR-2612", "A connector was set anew."):
        assert fact in words
    assert "Backstop does not send this" in story.lines(form)
    assert (await ticket.now()).status is TicketStatus.RESOLVED
    assert (await stage.ana.submit()).ok
    card = await ticket.card("Customer informed by <@U0ANA>")
    assert story.buttons(card) == ["Evidence pack"]
    assert (await ticket.now()).informed_in == "en"
    assert [tag for tag in await ticket.tags() if tag.startswith("ticket:")] == [
        *("ticket:opened", "ticket:filed", "ticket:filed", "ticket:answered", "ticket:resolved"),
        "ticket:closed",
    ]


async def test_another_language_brings_other_words_and_is_what_is_recorded(set_stage: SetStage):
    stage = await set_stage(**CHANNEL)
    ticket = await opens(stage, matter=a_matter(kind=TicketKind.BILLING))
    assert (await stage.ana.click(await files(stage, ticket), "Resolved")).ok
    await fills_in(stage.ana, "ticket_resolved", "ticket_resolution", "")
    assert (await stage.ana.click(await ticket.card("Resolved, customer"), "Customer informed")).ok
    await stage.ana.modal_appears(callback_id="ticket_informed")
    await stage.ana.choose("ticket_language", "German")
    form = await stage.ana.wait_for(lambda: in_words(stage.ana, "Ihre Frage zu einer Rechnung"))
    assert story.element(form, "ticket_language")["initial_option"]["value"] == "de"
    stage.ana.type("ticket_words", "   ")
    ((at, _),) = ((await stage.ana.submit()).body or {})["errors"].items()
    assert at == "ticket_words:de"
    stage.ana.type("ticket_words", "Es ist gelöst.")
    assert (await stage.ana.submit()).ok
    await ticket.card("German")
    assert (await ticket.now()).informed_in == "de"


async def test_somebody_else_approves_and_it_goes_on_where_tickets_are_worked_on(set_stage: SetStage):
    stage = await set_stage(
        backstop_approvals_ticket=1,
        backstop_operators=("S0BILLING", "U0BEN"),
        backstop_approvers=("S0APPROVERS", "U0BEN"),
        **CHANNEL,
    )
    ticket = await opens(stage, by=ben_who_asks)
    asked = await ticket.card("Waits for approval", channel=APPROVALS)
    assert story.buttons(asked) == ["Approve", "Deny", "Withdraw", "Evidence pack"]
    assert await ticket.draft_file(channel=APPROVALS) == "Mailboxes (A)\n\nSince Monday."
    for button in ("Approve", "Deny"):
        assert (await stage.ben.click(asked, button)).ok
    await story.is_told(stage.ben, "This is your own request")
    assert stage.ben.modal() is None
    assert (await ticket.now()).status is TicketStatus.PENDING
    assert stage.slack.messages(TICKETS) == []

    assert (await stage.mei.click(asked, "Approve")).ok
    decided = await ticket.card("It goes on in <#C0TICKETS>", channel=APPROVALS)
    assert story.buttons(decided) == []
    assert "Approved by <@U0MEI>" in story.lines(await ticket.card("To be filed"))
    told = await story.is_messaged(stage.ben, "Approved by <@U0MEI>")
    assert ticket.id in told["text"]


async def test_a_denial_needs_a_reason_and_its_opener_hears_it_once(set_stage: SetStage):
    stage = await set_stage(backstop_approvals_ticket=1, **CHANNEL)
    ticket = await opens(stage)
    asked = await ticket.card("Waits for approval", channel=APPROVALS)
    assert (await stage.eve.click(asked, "Deny")).ok
    await story.is_told(stage.eve, "BACKSTOP_APPROVERS")
    assert (await stage.ben.click(asked, "Deny")).ok
    form = await stage.ben.modal_appears(callback_id="ticket_deny_reason")
    assert ticket.id in story.words(form)
    stage.ben.type("deny_reason", "  ")
    assert "deny_reason" in ((await stage.ben.submit()).body or {})["errors"]
    stage.ben.type("deny_reason", "Ask <them> first")
    assert (await stage.ben.submit()).ok
    denied = await ticket.card("Denied by <@U0BEN>", channel=APPROVALS)
    assert story.buttons(denied) == ["Evidence pack"]
    await story.is_messaged(stage.ana, "Ask &lt;them&gt; first")
    assert sum(ticket.id in m["text"] for m in stage.ana.dms()) == 1
    assert stage.slack.messages(TICKETS) == []


async def test_a_mail_that_was_refused_is_sent_again_by_a_click_and_only_once(
    set_stage: SetStage, office: PostOffice, by_mail: dict[str, Any]
):
    stage = await set_stage(**by_mail)
    office.at_rcpt = "550 no such user"
    ticket = await opens(stage)
    failed = await ticket.card("The mail server refused it (550)")
    assert story.buttons(failed)[0] == "Try again"
    await story.is_messaged(stage.ana, "The mail server refused it (550)")
    office.at_rcpt = ""
    assert (await stage.ana.click(failed, "Try again")).ok
    sent = await ticket.card(f"Sent by mail to `{MAILBOX}`")
    assert story.buttons(sent) == ["I filed it", "Copy text", "Evidence pack"]
    (mailed,) = office.taken
    assert mailed["Subject"] == "Mailboxes (A)"
    assert office.recipients == [[MAILBOX]]
    assert (await ticket.now()).hand_over.attempt == 1


async def test_of_a_mail_nobody_knows_of_a_person_says_what_became_of_it(
    set_stage: SetStage, office: PostOffice, by_mail: dict[str, Any]
):
    stage = await set_stage(**by_mail)
    office.after_data = CUT
    ticket = await opens(stage)
    unknown = await ticket.card("look in the mailbox of sent mail")
    assert story.buttons(unknown)[:2] == ["It was sent", "It was not sent"]
    assert "Withdraw" not in story.buttons(unknown)
    await story.is_messaged(stage.ana, "look in the mailbox of sent mail")
    assert not (await stage.ana.click(unknown, "It was sent", confirm=False)).ok
    assert (await stage.ana.click(unknown, "It was not sent")).ok
    failed = await ticket.card("That is what somebody found who looked.")
    assert "Try again" in story.buttons(failed)
    assert (await ticket.now()).hand_over.stage is HandOverStage.FAILED
    assert len(office.taken) == 1


async def test_what_microsoft_tells_is_read_noted_and_closed_there(set_stage: SetStage):
    partner_center = PartnerCenterSandbox(now=utc_now)
    token = SecretStr(partner_center.refresh_token)
    stage = await set_stage(partner_center=partner_center, partner_center_refresh_token=token, **CHANNEL)
    there = partner_center.file_service_request("Mail does not arrive", customer="Contoso", number="2611001")
    ticket = await opens(stage)
    await files(stage, ticket, "2611001")
    card = await ticket.card("At Microsoft: *open*")
    assert "Microsoft answered" not in story.buttons(card)
    partner_center.microsoft_answers(there, status="attention_needed")
    assert (await stage.ana.click(card, "Look now")).ok
    await story.is_told(stage.ana, "attention needed", channel=TICKETS)
    card = await ticket.card("At Microsoft: *attention needed")
    assert (await stage.ana.click(card, "Add note")).ok
    await fills_in(stage.ana, "ticket_note", "ticket_note", "The logs <are> *attached*.")
    await story.is_told(stage.ana, "The note is at Microsoft", channel=TICKETS)
    card = await ticket.card("The logs <are> *attached*.")
    assert (await stage.ana.click(card, "Resolved")).ok
    await fills_in(stage.ana, "ticket_resolved", "ticket_resolution", "")
    card = await ticket.card("At Microsoft it is still open")
    assert not (await stage.ana.click(card, "Close at Microsoft", confirm=False)).ok
    assert (await stage.ana.click(card, "Close at Microsoft")).ok
    await story.is_told(stage.ana, "It is closed at Microsoft", channel=TICKETS)
    card = await ticket.card("At Microsoft: *closed*")
    assert story.buttons(card) == ["Customer informed", "Evidence pack"]
    assert (await ticket.now()).status is TicketStatus.RESOLVED, "it ends with the customer"


async def test_without_a_right_no_form_is_shown_and_no_step_is_taken(set_stage: SetStage):
    stage = await set_stage(**CHANNEL)
    ticket = await opens(stage)
    card = await ticket.card("To be filed")
    for button in ("I filed it", "Copy text", "Withdraw"):
        assert (await stage.eve.click(card, button)).ok
    await story.is_told(stage.eve, "BACKSTOP_OPERATORS", channel=TICKETS)
    assert stage.eve.modal() is None
    assert (await stage.ben.click(card, "I filed it")).ok  # may decide, so may look
    await stage.ben.modal_appears(callback_id="ticket_filed")
    stage.ben.type("ticket_number", "SR-1")
    assert (await stage.ben.submit()).ok
    assert "BACKSTOP_OPERATORS" in story.words(await story.seen(stage.ben))
    assert (await ticket.now()).status is TicketStatus.OPEN
    assert (await stage.ana.click(card, "Withdraw")).ok
    assert story.buttons(await ticket.card("Taken back by <@U0ANA>")) == ["Evidence pack"]
