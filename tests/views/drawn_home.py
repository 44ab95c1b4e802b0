"""The App Home drawn for everybody who may look at it, and tickets in every state they can wait in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.aging import Balance
from bot.domain.audit import AuditEvent
from bot.domain.digest import Banner, OverdueTotals
from bot.domain.matter import About, TicketKind, about
from bot.domain.people import Person, PersonId
from bot.domain.request import ActionRequest
from bot.domain.ticket import HandOver, Stage, Ticket, TicketId, VendorState, Way
from bot.texts import Texts
from handlers.views import home, replies
from handlers.views.ticket_lines import OpenTicket
from tests.builders import (
    DAY,
    HOUR,
    a_customer,
    a_draft_ticket,
    a_matter,
    a_request,
    a_subscription,
    ana,
    ben,
    boss,
    mei,
    noon,
)

Json = dict[str, Any]

AT = noon + 3 * DAY


def confirmed(
    by: Person = ana, *, at: datetime = noon, approvals_needed: int = 0, what: About | None = None
) -> Ticket:
    """Contoso's service problem, unless it is about something else."""
    kind = TicketKind.SERVICE if what is None else TicketKind.PARTNER_CENTER
    draft = a_draft_ticket(
        by=by, matter=a_matter(kind=kind), what=what or about(a_customer(), a_subscription())
    )
    return draft.confirm(by=by, at=at, approvals_needed=approvals_needed, time_to_live=DAY)


MAIL = HandOver(Way.EMAIL, "support@example.com", stage=Stage.DONE)
FILED = confirmed().file("2411230050000123", by=ana.id, at=noon + HOUR)


def _handed(stage: Stage, way: Way = Way.EMAIL) -> Ticket:
    return replace(confirmed(), hand_over=HandOver(way, stage=stage))


TICKETS: Mapping[str, OpenTicket] = {
    name: OpenTicket(replace(ticket, id=TicketId(f"T-{name.upper()}")), due)
    for name, ticket, due in (
        ("pending", confirmed(approvals_needed=2, at=AT - HOUR), None),
        ("expiring", confirmed(approvals_needed=1), None),
        ("open", confirmed(at=AT - timedelta(minutes=5)), None),
        ("mailing", _handed(Stage.CLAIMED), None),
        ("mailed", replace(confirmed(), hand_over=MAIL), None),
        ("opening", _handed(Stage.DUE, Way.AZURE), None),
        ("opened", _handed(Stage.DONE, Way.AZURE), None),
        ("failed", _handed(Stage.FAILED), None),
        ("unknown", _handed(Stage.UNKNOWN), None),
        ("filed", FILED, None),
        ("promised", FILED, AT + HOUR),
        ("overdue", FILED, AT - HOUR),
        ("asked", FILED.heard(VendorState("1", "attention_needed"), at=noon + DAY), AT - HOUR),
        ("answered", FILED.answered(by=ana, at=noon + DAY), None),
        ("closed", FILED.heard(VendorState("1", "closed"), at=noon + DAY), None),
        ("resolved", FILED.resolve(by=ana, at=noon + DAY, how="It works again."), None),
        ("ours", replace(confirmed(boss, what=About()), dry_run=True), None),
    )
}


EVENTS = tuple(
    AuditEvent(n, noon + n * HOUR, tag, subject, by, {}, "", "")
    for n, tag, subject, by in (
        (3, "request:approved", "R-TEST000001", ben.id),
        (2, "access:refused", "R-TEST000001", "U0EVE"),
        (1, "request:placed", "R-TEST000001", ana.id),
        (0, "collection:`x` <!here>", "&" * 160, "backstop"),
    )
)
"""Newest first."""


def named(name: str) -> OpenTicket:
    """One whose every word from outside is this."""
    return OpenTicket(replace(confirmed(what=About(customer_name=name)), number=name[:40]))


def told(state: replies.State, viewer: Person, totals: Mapping[str, Balance], **fields: Any) -> home.Home:
    given: dict[str, Any] = {
        "viewer": viewer,
        "at": AT,
        "requests": (),
        "tickets": (),
        "exposure": OverdueTotals(AT.date(), (Banner("dry_run", {}),), totals, 17),
        "state": state,
        "approvals": "C0APPROVALS",
        "tickets_channel": "C0TICKETS",
    }
    return home.Home(**(given | fields))


def drawings(
    state: Callable[[Texts], replies.State],
    requests: Mapping[str, ActionRequest],
    totals: Mapping[str, Balance],
) -> dict[str, Callable[[Texts], Json]]:
    """Drawn by name; `state`, `requests` and `totals` are those that the other views are drawn from."""
    some = (requests["pending"], a_request(by=boss, id="R-BOSS000001"), requests["unknown"])
    few = [TICKETS[name] for name in ("pending", "overdue", "ours")]
    few.append(
        OpenTicket(replace(confirmed(boss, at=AT - HOUR, approvals_needed=1), id=TicketId("T-BOSS000001")))
    )
    links = {requests["pending"].id: "https://example.slack.com/archives/C0APPROVALS/p1?a=1&b=2"}

    def seen_by(viewer: Person, **fields: Any) -> Callable[[Texts], Json]:
        given: Json = {"requests": some, "tickets": few, "links": links} | fields
        return lambda texts: home.home(told(state(texts), viewer, totals, **given), texts)

    def quiet(texts: Texts) -> Json:
        at_rest = replace(state(texts), dry_run=False, countdowns=(), outages=(), counts={})
        nothing = OverdueTotals(None, (Banner("nothing_imported", {}),), {}, 0)
        return home.home(told(at_rest, boss, totals, exposure=nothing), texts)

    return {
        "home-operator": seen_by(ana),
        "home-approver": seen_by(ben),
        "home-both": seen_by(boss),
        "home-being-added-up": seen_by(ana, requests=(), tickets=(), exposure=None),
        "home-with-nothing-to-do": quiet,
        "home-of-many": seen_by(
            mei, requests=[requests["pending"]] * 200, tickets=list(TICKETS.values()) * 20
        ),
        "home-newcomer": lambda texts: home.newcomer(
            texts, operators={ana.id}, approvers={PersonId(f"U0APPROVER{n}") for n in range(9)}
        ),
        "home-refused": lambda texts: home.refused("Slack cannot be reached.", texts),
    }
