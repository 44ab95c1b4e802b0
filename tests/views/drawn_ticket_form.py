"""How a ticket begins, drawn: its form from wherever it is opened, and what *Continue* shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from bot.domain.action import Reason
from bot.domain.customer import Cloud, SubscriptionId, SubscriptionKind
from bot.domain.matter import About, Check, Evidence, Matter, Problem, TicketKind, TicketSeverity, about
from bot.domain.portal import portal_link
from bot.domain.request import ActionRequest, Outcome, Result
from bot.domain.ticket import HandOver, TicketStatus, Way
from bot.texts import Texts
from handlers.views import ticket_draft, ticket_form
from handlers.views.ticket_draft import Background
from handlers.views.ticket_form import Asked, Prefill
from tests.builders import (
    DAY,
    HOUR,
    a_customer,
    a_draft_ticket,
    a_matter,
    a_request,
    a_subscription,
    a_target,
    a_ticket,
    an_action,
    ben,
    noon,
    settled,
)

Json = dict[str, Any]
Drawing = Callable[[Texts], Json]

DRAFT = "T-TEST000001"
LINK = "https://backstop.slack.com/archives/C0BILLING/p1795435200000100"
STRANGE = "<!channel> *bold* _it_ ~no~ `code` &amp; <https://evil.example|click> שלום \u202eabc\u202c مرحبا"
LONG = f"{STRANGE}\n" * 300

SEATS = a_subscription(offer_id="CFQ7TTC0LF8S:0001", order_id="a1b2c3d4")
PLAN = a_subscription(
    id=SubscriptionId("aaaaaaaa-bbbb-4ccc-8ddd-000000000001"),
    name="Azure plan",
    kind=SubscriptionKind.AZURE_PLAN,
    quantity=1,
)
CHILD = SubscriptionId("99999999-2222-4333-8444-000000000001")


def failed_request(reason: Reason = Reason.NON_PAYMENT) -> ActionRequest:
    """Microsoft refused to suspend Contoso's E3, and gave an id to ask by."""
    request = a_request(action=an_action(reason=reason), targets=[a_target()]).approve(by=ben, at=noon)
    running = request.claim(at=noon, lease=HOUR, holder="w")
    refused = Outcome(
        error="rejected", reason="800042", correlation_id="5ea2a1a1-6a4f-4d3b-9a6f-0c5f2f6f3d11"
    )
    return settled(running, Result.FAILED, outcome=refused)


def done_request() -> ActionRequest:
    request = a_request(id="R-TEST000002", at=noon - 9 * DAY).approve(by=ben, at=noon - 9 * DAY)
    running = request.claim(at=noon - 9 * DAY, lease=HOUR, holder="w")
    return settled(running, Result.DONE, outcome=Outcome(changed=True), at=noon - 9 * DAY)


MATTER = a_matter(
    kind=TicketKind.NON_PAYMENT,
    title="Non-payment: Contoso Ltd",
    description="The suspension is refused.\nWe tried *twice*.",
    tried="Another browser, another account.",
    evidence=(Evidence.TIMELINE, Evidence.INVOICES),
)
BACKGROUND = Background(
    about=about(a_customer(), SEATS),
    partner="66666666-2222-4333-8444-555555555555",
    origin=failed_request(),
    requests=(done_request(), failed_request()),
    overdue_since=date(2026, 9, 30),
)


def drafted(matter: Matter, background: Background, cloud: Cloud) -> str:
    """The whole draft, its subject on top."""
    languages = ticket_draft.languages_of(cloud)
    subject = ticket_draft.subject(matter, background.about, languages)
    return f"{subject}\n\n{ticket_draft.text(matter, background, languages)}"


def form(**fields: Any) -> Drawing:
    given: dict[str, Any] = {"cloud": Cloud.GLOBAL, "contact": "Ana Berg +49 30 1234"}
    return lambda texts: ticket_form.ticket_form(DRAFT, Prefill(**(given | fields)), texts)


def confirmation(
    matter: Matter = MATTER,
    *,
    what: About | None = None,
    cloud: Cloud = Cloud.GLOBAL,
    over: HandOver | None = None,
    approvals: int = 0,
    dry_run: bool = False,
    is_live: bool = True,
    channel: str | None = "C0TICKETS",
) -> Drawing:
    background = replace(BACKGROUND, about=what or BACKGROUND.about)
    languages = ticket_draft.languages_of(cloud)
    base = {Cloud.CHINA: "https://partner.partnercenter.microsoftonline.cn"}
    ticket = a_draft_ticket(
        matter=matter,
        what=background.about,
        subject=ticket_draft.subject(matter, background.about, languages),
        text=ticket_draft.text(matter, background, languages),
        portal=portal_link(
            matter.kind,
            background.about,
            cloud=cloud,
            base=base.get(cloud, "https://partner.microsoft.com/dashboard"),
        ),
        hand_over=over or HandOver(),
    )
    asked = Asked(
        cloud, approvals, timedelta(hours=24), dry_run, "C0APPROVALS" if channel else None, channel, is_live
    )
    return lambda texts: ticket_form.ticket_confirmation(ticket, ticket.id, matter, asked, texts)


def exists(status: TicketStatus, *, channel: str | None = "C0TICKETS", link: str = LINK) -> Drawing:
    other = a_ticket(status, matter=a_matter(title="Mail <!here> *does* not arrive"))
    return lambda texts: ticket_form.ticket_exists(
        other, "T-TEST000002", timedelta(days=3), texts, channel=channel, link=link
    )


_SERVICE = a_matter(checked=(Check.HEALTH,))
_AZURE = a_matter(
    checked=tuple(Check), problem=Problem("/s/1", "Virtual Machines", "/s/1/p/2", "Cannot connect")
)

VIEWS: dict[str, Drawing] = {
    "ticket-form": form(),
    "ticket-form-matched": form(customer=a_customer(), subscription=SEATS, hint="“cont” is *Contoso Ltd*."),
    "ticket-form-non-payment": form(
        customer=a_customer(), kind=TicketKind.NON_PAYMENT, title="Non-payment: Contoso Ltd"
    ),
    "ticket-form-from-a-message": form(description=STRANGE),
    "ticket-form-from-a-long-message": form(brought=20_000),
    "ticket-form-china": form(cloud=Cloud.CHINA, contact=""),
    "ticket-form-azure": form(customer=a_customer(), subscription=PLAN, asks_azure=True),
    "ticket-confirmation": confirmation(),
    "ticket-confirmation-long": confirmation(replace(MATTER, description=LONG, quoted=LONG, link=LINK)),
    "ticket-confirmation-unchecked": confirmation(_SERVICE, approvals=2),
    "ticket-confirmation-china": confirmation(
        a_matter(severity=TicketSeverity.CRITICAL), cloud=Cloud.CHINA, approvals=1
    ),
    "ticket-confirmation-no-customer": confirmation(
        a_matter(kind=TicketKind.PARTNER_CENTER, checked=tuple(Check)), what=About(), cloud=Cloud.CHINA
    ),
    "ticket-confirmation-mail": confirmation(over=HandOver(Way.EMAIL, "support@21vianet.example")),
    "ticket-confirmation-azure": confirmation(
        _AZURE, what=replace(about(a_customer(), PLAN), azure_id=CHILD), over=HandOver(Way.AZURE)
    ),
    "ticket-confirmation-dry-run": confirmation(dry_run=True, channel=None, approvals=1),
    "ticket-confirmation-not-live": confirmation(is_live=False),
    "ticket-exists-filed": exists(TicketStatus.FILED),
    "ticket-exists-pending": exists(TicketStatus.PENDING, channel=None, link=""),
}
