"""What was filled in about a ticket: taken whole up to the limits, refused under the very field."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.errors import Invalid
from bot.domain.matter import MOST_DESCRIPTION, Check, Matter, TicketKind, TicketSeverity
from bot.domain.ticket import Ticket, TicketId
from handlers import ids
from handlers.ticket_review import entered
from handlers.views.ticket_form import DESCRIPTION, block_of
from tests.builders import CONTOSO, ana, noon

RTL = "\u05e9\u05dc\u05d5\u05dd \u202eabc\u202c <!here> *b*\n"

TITLE_BLOCK = block_of(ids.TICKET_TITLE, "Non-payment: Contoso Ltd")


def view(**fields: str) -> dict[str, Any]:
    """A submission of the form; fields by their names in `handlers.ids`."""
    given = {
        "TICKET_CUSTOMER": CONTOSO.upper(),
        "TICKET_KIND": "service",
        "TICKET_TITLE": "Mail is late",
        "TICKET_DESCRIPTION": "Since Monday.",
        "TICKET_SEVERITY": "moderate",
    } | fields
    selects = {ids.TICKET_CUSTOMER, ids.TICKET_KIND, ids.TICKET_SEVERITY, ids.TICKET_SUBSCRIPTION}
    values: dict[str, Any] = {
        ids.TICKET_CHECKS: {ids.TICKET_CHECKS: {"selected_options": [{"value": "health"}, {"value": "?"}]}}
    }
    for name, said in given.items():
        input_id = getattr(ids, name)
        block = TITLE_BLOCK if input_id == ids.TICKET_TITLE else input_id
        state = (
            {"selected_option": {"value": said} if said else None} if input_id in selects else {"value": said}
        )
        values[block] = {input_id: state}
    return {"state": {"values": values}}


def draft(quoted: str = "") -> Ticket:
    brought = Matter(TicketKind.SERVICE, TicketSeverity.MODERATE, "", "", quoted=quoted, link="https://l")
    return Ticket(TicketId("T-1"), opened_by=ana.id, drafted_at=noon, matter=brought)


def test_what_was_filled_in_is_taken_as_it_is():
    form = entered(view(TICKET_SUBSCRIPTION="ABC"), draft())
    assert (form.customer_id, form.subscription_id) == (CONTOSO, "abc")
    assert (form.matter.title, form.matter.checked) == ("Mail is late", (Check.HEALTH,))
    assert form.matter.link == "https://l"


@pytest.mark.parametrize(
    ("field", "said", "refused"),
    [
        ("TICKET_CUSTOMER", "", ("ticket_customer", "missing")),
        ("TICKET_KIND", "else", ("ticket_kind", "missing")),
        ("TICKET_SEVERITY", "", ("ticket_severity", "missing")),
        (
            "TICKET_TITLE",
            " \u0007 ".replace("\u0007", ""),
            (block_of("ticket_title", "Non-payment: Contoso Ltd"), "missing"),
        ),
        ("TICKET_TITLE", "x" * 151, (TITLE_BLOCK, "too-long")),
        ("TICKET_DESCRIPTION", "\n ", ("ticket_description", "missing")),
        ("TICKET_DESCRIPTION", "x" * (MOST_DESCRIPTION + 1), ("ticket_description", "too-long")),
        ("TICKET_TRIED", "x" * 3001, ("ticket_tried", "too-long")),
        ("TICKET_CONTACT", "x" * 301, ("ticket_contact", "too-long")),
    ],
)
def test_what_will_not_do_is_refused_under_its_field(field: str, said: str, refused: tuple[str, str]):
    with pytest.raises(Invalid) as error:
        entered(view(**{field: said}), draft())
    assert (error.value.at, error.value.reason) == refused


def test_a_client_that_lets_more_pass_than_slack_says_is_taken_at_its_word():
    said = (RTL * 2000)[:MOST_DESCRIPTION].strip("\n")
    assert len(said) > 20_000
    assert entered(view(TICKET_DESCRIPTION=said), draft()).matter.description == said


def test_a_problem_with_partner_center_needs_no_customer():
    assert entered(view(TICKET_CUSTOMER="", TICKET_KIND="partner_center"), draft()).customer_id is None


def test_a_long_message_goes_along_and_makes_the_description_optional():
    quoted = "x" * (DESCRIPTION + 1)
    assert entered(view(TICKET_DESCRIPTION=""), draft(quoted)).matter.quoted == quoted


def test_a_short_message_was_there_to_be_edited_and_is_not_sent_besides():
    assert entered(view(), draft("x" * DESCRIPTION)).matter.quoted == ""
