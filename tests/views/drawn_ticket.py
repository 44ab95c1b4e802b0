"""A ticket, drawn: its card in every state, the forms behind its buttons, and what people are told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot.domain.customer import Cloud, SubscriptionKind
from bot.domain.matter import About, Matter, TicketKind, TicketSeverity
from bot.domain.ticket import BY_BACKSTOP, HandOver, Nudge, Ticket, TicketId, VendorNote, VendorState, Way
from bot.texts import Texts, in_language
from handlers import ids
from handlers.views import blocks, forms, ticket_card, ticket_nudge, ticket_steps
from handlers.views.ticket_card import Known
from tests.builders import CONTOSO, DAY, HOUR, a_subscription, ana, ben, boss, mei, noon

Json = dict[str, Any]
Drawing = Callable[[Texts], Json]

PORTAL = "https://partner.microsoft.com/dashboard/support/csp/servicerequests/create"
CHANNEL = "C0TICKETS"
DRAFT = """Tenant: 11111111-2222-4333-8444-555555555555 (contoso.onmicrosoft.com)
Subscription: Microsoft 365 E3 (aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee)

Since Monday nobody can open a mailbox: *now* <!channel> `code`.

Contact: Ana, +49 30 1234567"""

CONTOSOS = About(
    CONTOSO,
    "Contoso <Ltd> *now*",
    "contoso.onmicrosoft.com",
    a_subscription().id,
    "Microsoft 365 E3",
    SubscriptionKind.LEGACY_SEAT,
    "active",
)


def a_matter(**fields: Any) -> Matter:
    given: dict[str, Any] = {
        "kind": TicketKind.SERVICE,
        "severity": TicketSeverity.CRITICAL,
        "title": "Nobody can open a <!channel> mailbox",
        "description": "Since Monday nobody can open a mailbox.",
    }
    return Matter(**(given | fields))


def a_draft(**fields: Any) -> Ticket:
    given: dict[str, Any] = {
        "id": TicketId("T-TEST000001"),
        "opened_by": ana.id,
        "drafted_at": noon,
        "matter": a_matter(),
        "about": CONTOSOS,
        "subject": "[A] Nobody can open a mailbox (Contoso)",
        "text": DRAFT,
        "portal": PORTAL,
        "version": 1,
    }
    return Ticket(**(given | fields))


def placed(approvals: int = 0, *, dry_run: bool = False, **fields: Any) -> Ticket:
    return a_draft(**fields).confirm(
        by=ana, at=noon, approvals_needed=approvals, time_to_live=DAY, dry_run=dry_run
    )


NOTES = (
    VendorNote("An older note", "Support", noon + HOUR),
    VendorNote("We look into it. <!channel> *now*\n`line` two", "Li <Wei>", noon + 2 * HOUR),
    VendorNote("Logs are attached.", "ana", noon + 3 * HOUR, is_ours=True),
    VendorNote("Please try again.", "", None),
)


def there(status: str = "open", notes: tuple[VendorNote, ...] = ()) -> VendorState:
    return VendorState("126112300001", status, notes, noon + 3 * HOUR)


BY_MAIL = HandOver(Way.EMAIL, "support_cn@21vianet.example")
AT_AZURE = HandOver(Way.AZURE)


def handed(over: HandOver, *steps: Callable[[Ticket], Ticket]) -> Ticket:
    """Open, and as far as these steps lead."""
    ticket = placed(hand_over=over)
    for step in steps:
        ticket = step(ticket)
    return ticket


def _claimed(ticket: Ticket) -> Ticket:
    return ticket.claim(holder="w-0", at=noon)


def _done(ticket: Ticket) -> Ticket:
    return ticket.handed_over(at=noon + HOUR)


def failing(error: str, reason: str) -> Callable[[Ticket], Ticket]:
    return lambda ticket: ticket.not_handed_over(error, reason)


def filed(ticket: Ticket | None = None) -> Ticket:
    return (ticket or placed()).file("126112300001", by=ana.id, at=noon + HOUR)


def _states() -> dict[str, tuple[Ticket, Json]]:
    """A ticket in every state, by whatever way it can come there, and what is known around it."""
    pending, opened, with_microsoft = placed(1), placed(), filed()
    two = placed(2).approve(by=ben, at=noon + HOUR)
    resolved = with_microsoft.resolve(by=ana, at=noon + 2 * HOUR, how="A <connector> was set anew")
    at_azure = handed(AT_AZURE, _claimed, _done)
    own = a_matter(kind=TicketKind.PARTNER_CENTER, severity=TicketSeverity.MINIMAL)
    in_china: Json = {"cloud": Cloud.CHINA}
    followed: Json = {"is_followed": True}
    due: Json = {"response_due": noon + 3 * HOUR}
    return {
        "pending": (pending, {}),
        "pending-one-of-two": (two, {}),
        "pending-dry-run": (placed(1, dry_run=True), {}),
        "open": (opened, {}),
        "open-dry-run": (placed(dry_run=True, hand_over=BY_MAIL), {}),
        "open-approved": (two.approve(by=mei, at=noon + 2 * HOUR), {}),
        "open-in-china": (placed(portal=""), in_china),
        "open-our-own-in-china": (placed(portal="", matter=own, about=About(), origin="R-7F3K"), in_china),
        "open-unguarded-portal": (placed(portal="http://portal.example/"), {}),
        "mail-due": (handed(BY_MAIL), {}),
        "mail-claimed": (handed(BY_MAIL, _claimed), {}),
        "mail-sent": (handed(BY_MAIL, _claimed, _done), {}),
        "mail-failed": (handed(BY_MAIL, _claimed, failing("rejected", "550")), {}),
        "mail-failed-strangely": (handed(BY_MAIL, _claimed, failing("throttled", "<4.7.0>")), {}),
        "mail-unknown": (handed(BY_MAIL, _claimed, lambda t: t.lost_sight_of("unavailable", "timeout")), {}),
        "azure-due": (handed(AT_AZURE), {}),
        "azure-claimed": (handed(AT_AZURE, _claimed), {}),
        "azure-without-number": (at_azure, {}),
        "azure-failed": (handed(AT_AZURE, _claimed, failing("access-denied", "AuthorizationFailed")), {}),
        "azure-filed": (
            at_azure.file("126112300001", by=BY_BACKSTOP, at=noon + HOUR).heard(there(), at=noon + HOUR),
            followed,
        ),
        "filed": (with_microsoft, due),
        "filed-overdue": (with_microsoft, due | {"at": noon + 4 * HOUR}),
        "filed-answered": (with_microsoft.answered(by=ana, at=noon + 2 * HOUR), {}),
        "filed-in-china": (with_microsoft, in_china),
        "filed-followed": (
            with_microsoft.heard(there("attention_needed", NOTES), at=noon + 4 * HOUR),
            followed,
        ),
        "filed-strange-word": (with_microsoft.heard(there("<mitigated>"), at=noon + HOUR), followed | due),
        "resolved": (resolved, {}),
        "resolved-open-there": (resolved.heard(there(), at=noon + 3 * HOUR), followed),
        "resolved-closed-there": (resolved.heard(there("closed"), at=noon + 3 * HOUR), followed),
        "closed": (resolved.close(by=boss, at=noon + DAY, language="de", text_hash="0" * 64), {}),
        "denied": (pending.deny(by=ben, at=noon + HOUR, why="First ask <them> *now*"), {}),
        "expired": (pending.expire(at=noon + DAY), {}),
        "withdrawn": (pending.withdraw(by=ana, at=noon + HOUR), {}),
        "withdrawn-open": (opened.withdraw(by=ana, at=noon + HOUR), {}),
    }


STATES = _states()


def known(**fields: Any) -> Known:
    given: Json = {"at": noon + HOUR, "cloud": Cloud.GLOBAL} | fields
    return Known(**given)


def card(ticket: Ticket, texts: Texts, **around: Any) -> list[blocks.Block]:
    return ticket_card.ticket_card(ticket, texts, known(**around))


def _cards() -> dict[str, Drawing]:
    def drawn(ticket: Ticket, around: Json) -> Drawing:
        return lambda texts: {"blocks": card(ticket, texts, **around)}

    made = {f"ticket-{name}": drawn(ticket, around) for name, (ticket, around) in STATES.items()}
    approved = STATES["open-approved"][0]
    return made | {
        "ticket-approved": lambda texts: {
            "blocks": ticket_card.approved_card(approved, texts, channel=CHANNEL)
        }
    }


def _forms() -> dict[str, Drawing]:
    opened, with_microsoft = STATES["open"][0], STATES["filed"][0]
    resolved = STATES["resolved"][0]
    long = replace(opened, text="\n".join(f"{n}: {'x' * 90}" for n in range(700)))

    def informed(ticket: Ticket, language: str, *, is_theirs: bool = True) -> Drawing:
        def drawing(texts: Texts) -> Json:
            words = ticket_steps.informed_words(
                ticket,
                in_language(language),
                contact="Jane Doe",
                signature="Partner GmbH",
                cloud=Cloud.GLOBAL,
            )
            return ticket_steps.informed_form(ticket, language, words, texts, is_theirs=is_theirs)

        return drawing

    return {
        "ticket-form-deny": lambda texts: forms.deny_form(
            opened.id,
            "What is denied",
            texts,
            title=texts("ticket-step-deny-title"),
            callback_id=ids.TICKET_DENY_REASON,
        ),
        "ticket-form-number": lambda texts: ticket_steps.number_form(opened, texts),
        "ticket-form-change-number": lambda texts: ticket_steps.number_form(with_microsoft, texts),
        "ticket-form-copy": lambda texts: ticket_steps.copy_form(opened, texts),
        "ticket-form-copy-too-long": lambda texts: ticket_steps.copy_form(long, texts),
        "ticket-form-note": lambda texts: ticket_steps.note_form(with_microsoft, "T-TEST000001 C0", texts),
        "ticket-form-resolved": lambda texts: ticket_steps.resolved_form(with_microsoft, texts),
        "ticket-form-informed": informed(resolved, "de"),
        "ticket-form-informed-unknown-language": informed(resolved, "zh-CN", is_theirs=False),
        "ticket-form-informed-our-own": informed(
            replace(resolved, about=About(), matter=a_matter(kind=TicketKind.PARTNER_CENTER)), "en"
        ),
    }


def _told() -> dict[str, Drawing]:
    def news(name: str) -> Drawing:
        ticket, around = STATES[name]
        return lambda texts: {"blocks": ticket_nudge.news(ticket, texts, known(**around), channel=CHANNEL)[1]}

    def nudge(name: str, what: Nudge, *, is_followed: bool = False) -> Drawing:
        return lambda texts: {
            "blocks": ticket_nudge.to_opener(
                STATES[name][0],
                what,
                texts,
                channel=CHANNEL,
                response_due=noon + 3 * HOUR,
                is_followed=is_followed,
            )[1]
        }

    told = ("open-approved", "denied", "expired", "mail-failed", "mail-unknown", "azure-filed")
    return {f"ticket-news-{name}": news(name) for name in told} | {
        "ticket-nudge-decide": lambda texts: {
            "blocks": ticket_nudge.to_approver(STATES["pending"][0], texts, channel="C0APPROVALS")[1]
        },
        "ticket-nudge-file": nudge("open", Nudge.FILE),
        "ticket-nudge-file-mail": nudge("mail-sent", Nudge.FILE),
        "ticket-nudge-file-unknown": nudge("mail-unknown", Nudge.FILE),
        "ticket-nudge-answer": nudge("filed-overdue", Nudge.ANSWER),
        "ticket-nudge-answer-followed": nudge("filed-overdue", Nudge.ANSWER, is_followed=True),
        "ticket-nudge-follow": nudge("filed", Nudge.FOLLOW),
        "ticket-nudge-inform": nudge("resolved", Nudge.INFORM),
    }


VIEWS: dict[str, Drawing] = {**_cards(), **_forms(), **_told()}
