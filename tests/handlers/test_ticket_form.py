"""How a ticket begins: from a command, a row, a card or a message, over the form and *Continue* to *Confirm*."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.matter import Evidence, TicketSeverity
from bot.domain.ticket import Ticket, TicketStatus, Way
from bot.sandbox.slack import Player
from handlers import ids
from handlers.desk import call
from handlers.views import blocks, suspicious
from tests.builders import boss
from tests.handlers import story
from tests.handlers.test_suspend_form import chosen
from tests.stage import Stage

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("shared", ["socket"], indirect=True, scope="module"),
]
BILLING = "csp-billing"
STRANGE = "<!channel> *bold* & <b> \u05e9\u05dc\u05d5\u05dd \u202eabc\u202c \u0007"


async def begins(who: Player, text: str = "") -> story.Json:
    await story.leaves(who)
    assert (await who.command(f"/csp-ticket {text}".strip())).ok
    return await who.modal_appears(callback_id=ids.TICKET_FORM)


async def continues(who: Player, title: str = "Mail is late", description: str = "Since Monday.") -> Any:
    who.type(ids.TICKET_TITLE, title)
    who.type(ids.TICKET_DESCRIPTION, description)
    return await who.submit()


async def confirms(stage: Stage, who: Player, *, channel: str = BILLING) -> Ticket:
    """Press *Confirm* on what is shown; the ticket, as it is in the database."""
    view = await story.modal_says(who, "The draft")
    assert view["callback_id"] == ids.TICKET_CONFIRMATION
    assert (await who.submit()).ok
    await story.is_told(who, f"Ticket {story.draft_of(view)} is open", channel=channel)
    return await stage.app.core.backstop.tickets.get(story.draft_of(view))


def field(view: story.Json, action_id: str) -> str:
    states = view["state"]["values"].values()
    return next(str(s[action_id]["value"] or "") for s in states if action_id in s)


async def test_a_ticket_is_drafted_confirmed_and_says_where_it_is(shared: Stage, customer: str):
    view = await begins(shared.ana, customer)
    assert [view["title"]["text"], view["submit"]["text"]] == ["Open ticket", "Continue"]
    labels = [b["label"]["text"] for b in view["blocks"] if b["type"] == "input"]
    assert labels == [
        *("Customer", "Subscription", "Kind", "Title", "Description", "Severity", "Checklist"),
        *("What was tried", "Whom Microsoft may call", "Evidence"),
    ]
    assert story.draft_of(view).startswith("T-")
    assert len(story.draft_of(view)) == 12
    assert chosen(view, ids.TICKET_KIND) == "Service problem"

    first, *_ = await shared.ana.suggest(ids.TICKET_SUBSCRIPTION, "")
    await shared.ana.choose(ids.TICKET_SUBSCRIPTION, first)
    await shared.ana.choose(ids.TICKET_SEVERITY, "A: critical")
    await shared.ana.choose(ids.TICKET_CHECKS, ["Service health was looked at"])
    shared.ana.type(ids.TICKET_CONTACT, "Ana Berg\u0007 +49 30 1234")
    assert (await continues(shared.ana)).ok
    shown = story.words(await story.modal_says(shared.ana, "The draft"))
    assert "Nothing is sent. A card with the draft" in shown
    assert "https://partner.microsoft.com/dashboard/support/csp/servicerequests/create" in shown
    assert "Admin center and self-help were tried" in shown

    ticket = await confirms(shared, shared.ana)
    subscription = shared.partner_center.subscription(first["value"])
    assert (ticket.status, ticket.hand_over.way) == (TicketStatus.OPEN, Way.PORTAL)
    assert ticket.matter
    assert (ticket.matter.severity, ticket.matter.evidence) == (TicketSeverity.CRITICAL, tuple(Evidence))
    assert (ticket.about.domain, ticket.about.subscription_id) == (customer, subscription.id)
    for said in (
        "Since Monday.",
        subscription.id,
        "Contact: Ana Berg\u2407 +49 30 1234",
        ticket.about.customer_id,
    ):
        assert str(said) in ticket.text
    assert f"Tenant ID: {shared.partner_center.tenant_id}" in ticket.text


async def test_what_is_missing_or_too_long_is_said_under_its_field(shared: Stage, customer: str):
    await begins(shared.ana)
    refused = await continues(shared.ana, description="x" * 3000)
    assert refused.body["errors"] == {ids.TICKET_CUSTOMER: "Please fill this in."}

    view = await begins(shared.ana, customer)
    shared.ana.type(ids.TICKET_TITLE, "Mail")
    shared.ana.type(ids.TICKET_DESCRIPTION, " ")
    refused = await shared.ana.submit()
    assert set((refused.body or {})["errors"]) == {ids.TICKET_DESCRIPTION}
    assert (await shared.app.core.backstop.tickets.get(story.draft_of(view))).subject == ""


async def test_a_problem_with_partner_center_may_be_about_nobody(shared: Stage):
    await begins(shared.ana)
    await shared.ana.choose(ids.TICKET_KIND, "Partner Center problem")
    assert (await continues(shared.ana, "Prices do not load")).ok
    ticket = await confirms(shared, shared.ana)
    assert ticket.about.customer_id is None
    assert "About no customer" in ticket.text


async def test_another_customer_forgets_the_subscription_and_renames_what_nobody_has_named(
    shared: Stage, customers: list[str]
):
    one, other = (shared.partner_center.customer(customers.pop()) for _ in range(2))
    await story.leaves(shared.ana)
    texts = shared.app.desk.texts
    row = blocks.button(texts("open-ticket"), ids.OPEN_TICKET, one.id)
    posted = await says(shared, [blocks.actions(row)], f"A row about {one.id}")
    assert (await shared.ana.click(posted, "Open ticket")).ok
    view = await shared.ana.modal_appears(callback_id=ids.TICKET_FORM)
    assert field(view, ids.TICKET_TITLE) == f"Non-payment: {one.name}"
    assert chosen(view, ids.TICKET_KIND) == "Non-payment"
    first, *_ = await shared.ana.suggest(ids.TICKET_SUBSCRIPTION, "")
    await shared.ana.choose(ids.TICKET_SUBSCRIPTION, first)

    (offered,) = await shared.ana.suggest(ids.TICKET_CUSTOMER, other.domain)
    assert (await shared.ana.choose(ids.TICKET_CUSTOMER, offered)).ok
    await shared.ana.wait_for(lambda: field(story.top(shared.ana), ids.TICKET_TITLE).endswith(other.name))
    assert chosen(story.top(shared.ana), ids.TICKET_SUBSCRIPTION) is None

    shared.ana.type(ids.TICKET_TITLE, "They do not pay")
    (offered,) = await shared.ana.suggest(ids.TICKET_CUSTOMER, one.domain)
    assert (await shared.ana.choose(ids.TICKET_CUSTOMER, offered)).ok
    await shared.ana.wait_for(lambda: chosen(story.top(shared.ana), ids.TICKET_CUSTOMER) == one.name)
    assert field(story.top(shared.ana), ids.TICKET_TITLE) == "They do not pay"


async def test_a_message_goes_along_whole_with_the_way_back(shared: Stage, customer: str):
    said = f"{STRANGE}\n" * 600
    assert len(said) > 20_000
    assert (await shared.eve.say(said)).ok
    message = next(m for m in reversed(shared.slack.messages(BILLING)) if "*bold*" in m["text"])
    await story.leaves(shared.ana)
    assert (await shared.ana.shortcut(ids.TICKET_SHORTCUT, message)).ok
    view = await shared.ana.modal_appears(callback_id=ids.TICKET_FORM)
    assert "goes along whole" in story.words(view)
    (offered,) = await shared.ana.suggest(ids.TICKET_CUSTOMER, customer)
    assert (await shared.ana.choose(ids.TICKET_CUSTOMER, offered)).ok
    await shared.ana.wait_for(lambda: chosen(story.top(shared.ana), ids.TICKET_CUSTOMER))
    shared.ana.type(ids.TICKET_TITLE, "As reported")
    assert (await shared.ana.submit()).ok
    ticket = await confirms(shared, shared.ana)
    assert message["ts"].replace(".", "") in ticket.text.replace(".", "")
    assert said.replace("\u0007", "\u2407").strip("\n") in ticket.text


async def test_a_short_message_is_there_to_be_edited_and_goes_along_no_other_way(
    shared: Stage, customer: str
):
    assert (await shared.eve.say("Their password is <hunter2>")).ok
    message = next(m for m in reversed(shared.slack.messages(BILLING)) if "hunter2" in m["text"])
    await story.leaves(shared.ana)
    assert (await shared.ana.shortcut(ids.TICKET_SHORTCUT, message)).ok
    view = await shared.ana.modal_appears(callback_id=ids.TICKET_FORM)
    assert field(view, ids.TICKET_DESCRIPTION) == "Their password is <hunter2>"
    (offered,) = await shared.ana.suggest(ids.TICKET_CUSTOMER, customer)
    assert (await shared.ana.choose(ids.TICKET_CUSTOMER, offered)).ok
    await shared.ana.wait_for(lambda: chosen(story.top(shared.ana), ids.TICKET_CUSTOMER))
    assert (await continues(shared.ana, "Sign-in", "They cannot sign in.")).ok
    ticket = await confirms(shared, shared.ana)
    assert "They cannot sign in." in ticket.text
    assert "hunter2" not in ticket.text


async def test_the_open_one_of_that_kind_comes_first(shared: Stage, customer: str):
    await begins(shared.ana, customer)
    assert (await continues(shared.ana, "The first one")).ok
    ticket = await confirms(shared, shared.ana)
    await begins(shared.ana, customer)
    assert (await continues(shared.ana, "The second one")).ok
    view = await story.modal_says(shared.ana, "There is an open ticket of this kind")
    assert "submit" not in view or view["submit"] is None
    for said in ("The first one", ticket.id, "To be filed", "<#C0APPROVALS>"):
        assert said in story.words(view)
    await shared.ana.close_modal()
    await shared.ana.choose(ids.TICKET_KIND, "Billing dispute")
    assert (await shared.ana.submit()).ok
    assert (await confirms(shared, shared.ana)).id != ticket.id


async def test_a_failed_request_is_told_with_the_id_microsoft_asks_for(shared: Stage, customer: str):
    shared.partner_center.faults.add(status=403, method="PATCH", path_contains="/subscriptions/")
    asked = await story.asks(shared, customer=customer, reason="Misuse")
    assert (await shared.ben.click(asked.card, "Approve")).ok
    card = await asked.shows("Failed")
    assert (await shared.ana.click(card, "Open ticket")).ok
    view = await shared.ana.modal_appears(callback_id=ids.TICKET_FORM)
    assert chosen(view, ids.TICKET_KIND) == "Fraud or misuse"
    assert chosen(view, ids.TICKET_SUBSCRIPTION) is not None
    shared.ana.type(ids.TICKET_DESCRIPTION, "It is refused.")
    assert (await shared.ana.submit()).ok
    ticket = await confirms(shared, shared.ana, channel="csp-approvals")
    assert (ticket.origin, ticket.about.subscription_id) == (asked.id, asked.subscription_id)
    request = await shared.app.core.backstop.requests.get(asked.id)
    (target,) = request.targets
    assert target.outcome
    assert f"- {target.name}: {target.outcome.correlation_id}\n" in ticket.text
    assert f"| Misuse | Failed | {asked.id}" in ticket.text


async def test_a_case_is_told_with_when_it_began(shared: Stage, customer: str):
    cases = shared.app.core.backstop.cases
    tenant = shared.partner_center.customer(customer).id
    case = await cases.report(tenant, by=boss, words="Mails nobody sent", id="V0TICKET")
    assert case
    row = suspicious.case_card(await cases.get(case.id), shared.app.desk.texts, on=case.last_seen.date())
    posted = await says(shared, row, case.id)
    await story.leaves(shared.ana)
    assert (await shared.ana.click(posted, "Open ticket")).ok
    view = await shared.ana.modal_appears(callback_id=ids.TICKET_FORM)
    assert chosen(view, ids.TICKET_KIND) == "Fraud or misuse"
    shared.ana.type(ids.TICKET_DESCRIPTION, "Mails were sent that nobody wrote.")
    assert (await shared.ana.submit()).ok
    ticket = await confirms(shared, shared.ana)
    assert (ticket.origin, ticket.about.customer_id) == (case.id, tenant)
    assert f"First suspicious sign at: {case.first_seen:%Y-%m-%d %H:%M} UTC" in ticket.text


async def test_a_slow_partner_center_lets_the_person_wait_in_sight(shared: Stage, customer: str):
    await begins(shared.ana, customer)
    shared.partner_center.faults.slow(1.5, method="GET", path_contains="/subscriptions")
    assert (await continues(shared.ana)).ok
    assert "Reading the customer" in story.words(story.top(shared.ana))
    await confirms(shared, shared.ana)


async def test_what_partner_center_does_not_show_now_is_told_as_last_known(shared: Stage, customer: str):
    await begins(shared.ana, customer)
    first, *_ = await shared.ana.suggest(ids.TICKET_SUBSCRIPTION, "")
    await shared.ana.choose(ids.TICKET_SUBSCRIPTION, first)
    shared.partner_center.faults.add(status=403, path_contains="/v1/customers", times=None)
    assert (await continues(shared.ana, "We are locked out")).ok
    await story.modal_says(shared.ana, "Customer and subscription are as last known")
    shared.partner_center.faults.clear()
    ticket = await confirms(shared, shared.ana)
    assert "(as last known)" in ticket.text
    assert ticket.about.subscription_id == first["value"]


async def test_whoever_lacks_the_right_is_told_and_no_form_opens(shared: Stage):
    refused = await shared.eve.command("/csp-ticket contoso")
    assert "BACKSTOP_OPERATORS" in story.words(refused.body or {})
    assert shared.eve.modal() is None


async def says(stage: Stage, row: list[blocks.Block], text: str) -> story.Json:
    """Post it where everybody is; answers with the message."""
    await call(stage.app.desk.client.chat_postMessage, channel="C0BILLING", text=text, blocks=row)
    return await stage.slack.message_appears(BILLING, lambda m: m["text"] == text and bool(m.get("blocks")))
