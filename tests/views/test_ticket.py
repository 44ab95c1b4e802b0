"""The card of a ticket and its forms: within Slack's limits whatever people type, and never without a next step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.customer import Cloud
from bot.domain.matter import MOST_TITLE, Evidence, TicketKind
from bot.domain.ticket import MOST_NOTE, Stage, Ticket, TicketStatus, VendorNote, VendorState
from bot.texts import LANGUAGES, in_language
from handlers import ids
from handlers.views import ticket_nudge, ticket_steps
from handlers.views.ticket_buttons import portal_link
from tests.builders import noon
from tests.views.drawn_ticket import CONTOSOS, STATES, a_matter, card, known
from tests.views.test_views import complaints

every_language = pytest.mark.parametrize("language", LANGUAGES)
LONG = "Wörter & <Zeichen> *fett* _x_ `y` \u202eאבג\u2069\x07 漢字 " * 1000


def of_any_length(ticket: Ticket) -> Ticket:
    """The same with every text as long as it may be, and longer."""
    matter = a_matter(title=LONG[:MOST_TITLE], description=LONG, evidence=tuple(Evidence))
    notes = tuple(VendorNote(LONG, LONG, noon) for _ in range(60))
    return replace(
        ticket,
        matter=matter,
        about=replace(CONTOSOS, customer_name=LONG, domain=LONG, subscription_name=LONG),
        subject=LONG[:3000],
        text=LONG[:20_000],
        hand_over=replace(ticket.hand_over, to=LONG, reason=LONG),
        number=ticket.number and "1234567890" * 4,
        resolution=LONG[:MOST_NOTE],
        vendor=ticket.vendor and VendorState("1", LONG, notes, noon),
        decisions=tuple(replace(decision, why=LONG) for decision in ticket.decisions),
    )


@every_language
@pytest.mark.parametrize("name", STATES)
def test_it_keeps_slacks_limits_however_long_its_texts_are(name: str, language: str):
    (ticket, around), texts = STATES[name], in_language(language)
    drawn = {"blocks": card(of_any_length(ticket), texts, **around)}
    assert complaints(drawn) == []
    told = ticket_nudge.news(of_any_length(ticket), texts, known(**around), channel="C1")
    assert len(told[0]) < 1000
    assert complaints({"blocks": told[1]}) == []


@every_language
def test_so_do_its_forms(language: str):
    texts, ticket = in_language(language), of_any_length(STATES["resolved-open-there"][0])
    words = ticket_steps.informed_words(
        ticket, texts, contact=LONG, signature="x" * 399 + "!", cloud=Cloud.CHINA
    )
    assert len(words) <= ticket_steps.MOST_WORDS
    assert words.endswith("!")
    for view in (
        ticket_steps.informed_form(ticket, language, words, texts, is_theirs=False),
        ticket_steps.number_form(ticket, texts),
        ticket_steps.note_form(ticket, ticket.id, texts),
        ticket_steps.resolved_form(ticket, texts),
        ticket_steps.copy_form(ticket, texts),
        ticket_steps.copy_form(replace(ticket, text="漢" * 40_000), texts),
        ticket_steps.copy_form(replace(ticket, text=""), texts),
    ):
        assert complaints(view) == []


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        pytest.param("one line", True, id="short"),
        pytest.param("a line of some length\n" * 1000, True, id="many lines"),
        pytest.param("x" * 20_000, True, id="one long line"),
        pytest.param("\n" * 5000, True, id="nothing but lines"),
        pytest.param("x" * 43_000, False, id="more than a form holds"),
        pytest.param("漢" * 40_000, False, id="more than a form may weigh"),
    ],
)
def test_the_draft_is_copied_whole_or_said_to_be_longer(text: str, is_whole: bool):
    texts, ticket = in_language("en"), replace(STATES["open"][0], text=text)
    parts = list(ticket_steps.parts_of(text))
    assert text.startswith("".join(parts))
    assert ("".join(parts) == text) is is_whole
    assert max(map(len, parts)) <= ticket_steps.PART
    said = str(ticket_steps.copy_form(ticket, texts)["blocks"])
    assert (texts("ticket-step-copy-more") in said) is not is_whole


@pytest.mark.parametrize("name", STATES)
def test_whoever_reads_it_knows_the_next_step_or_that_it_is_over(name: str):
    ticket, around = STATES[name]
    said = "\n".join(
        block["text"]["text"] for block in card(ticket, in_language("en"), **around)[2:-1] if "text" in block
    )
    offered = {e["action_id"] for e in card(ticket, in_language("en"), **around)[-1]["elements"]}
    if not ticket.status.is_open:
        assert offered == {ids.EVIDENCE}
    elif ticket.hand_over.stage in (Stage.DUE, Stage.CLAIMED) and ticket.status is TicketStatus.OPEN:
        assert "Backstop is " in said
    else:
        assert "Next: " in said
        assert len(offered) > 1


@every_language
@pytest.mark.parametrize("kind", TicketKind)
def test_the_customer_is_told_what_it_was_about_in_every_language(kind: TicketKind, language: str):
    ticket = replace(STATES["resolved"][0], matter=a_matter(kind=kind))
    for how, contact in (("A connector was set anew.", "Jane Doe"), ("", "")):
        words = ticket_steps.informed_words(
            replace(ticket, resolution=how),
            in_language(language),
            contact=contact,
            signature="Partner GmbH",
            cloud=Cloud.GLOBAL,
        )
        for fact in (how, contact, "126112300001", "Nobody can open a <!channel> mailbox", "Partner GmbH"):
            assert fact in words
        assert "{" not in words
        assert "\n\n\n" not in words


@pytest.mark.parametrize(
    ("portal", "fits"),
    [
        ("https://portal.azure.com/contoso.onmicrosoft.com", True),
        ("http://portal.azure.com/", False),
        ("javascript:alert(1)", False),
        ("https://", False),
        ("https://[", False),
        ("https://portal.example/" + "x" * 3000, False),
        ("", False),
    ],
)
def test_only_a_guarded_address_gets_onto_the_button(portal: str, fits: bool):
    assert bool(portal_link(replace(STATES["open"][0], portal=portal))) is fits
