"""The card of a ticket: what it is about, where it stands, and what happens next, by whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.customer import Cloud
from bot.domain.matter import Check, first_response, shown
from bot.domain.ticket import BY_BACKSTOP, Stage, Ticket, TicketStatus, VendorNote, Way
from bot.texts import Mrkdwn, Texts
from handlers.views import blocks
from handlers.views.blocks import Block
from handlers.views.ticket_buttons import buttons

MOST_DRAFT, MOST_NOTE, MOST_WORDS = 900, 500, 500
"""Characters of it on a card; Slack refuses a message with more than some 12,000 in all."""
MOST_NOTES, MOST_LINES = 3, 16

_MARK = {
    TicketStatus.DRAFT: "◌",
    TicketStatus.PENDING: "◷",
    TicketStatus.OPEN: "✎",
    TicketStatus.FILED: "→",
    TicketStatus.RESOLVED: "✓",
    TicketStatus.CLOSED: "✔",
    TicketStatus.DENIED: "✖",
    TicketStatus.EXPIRED: "◌",
    TicketStatus.WITHDRAWN: "↩",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known around a ticket when it is drawn."""

    at: datetime
    cloud: Cloud
    is_followed: bool = False
    """Whether an API tells what becomes of it at Microsoft."""
    response_due: datetime | None = None
    """Until when Microsoft has promised a first answer that is still missing."""


def ticket_card(ticket: Ticket, texts: Texts, known: Known) -> list[Block]:
    card = _head(ticket, texts)
    card.append(blocks.section("\n".join(progress(ticket, texts, known))))
    card += _at_microsoft(ticket, texts)
    card += _draft(ticket, texts)
    if made := buttons(ticket, texts, is_followed=known.is_followed):
        card.append(blocks.actions(*made, block_id=f"ticket:{ticket.id}"))
    return card


def approved_card(ticket: Ticket, texts: Texts, *, channel: str) -> list[Block]:
    """What is left where approvals are given, once the ticket goes on where tickets are worked on."""
    lines = [f"{_MARK[TicketStatus.RESOLVED]} *{texts('ticket-card-approved')}*", *_approvals(ticket, texts)]
    lines.append(texts.mrkdwn("ticket-card-goes-on", channel=blocks.channel(channel)))
    return [*_head(ticket, texts), blocks.section("\n".join(lines))]


def headline(ticket: Ticket, texts: Texts) -> str:
    """One line of plain words: the notification, and what a screen reader says."""
    title = ticket.matter.title if ticket.matter else ""
    facts = {
        "status": texts(f"ticket-status-{ticket.status}"),
        "title": blocks.shortened(blocks.harmless(title), 80),
        "customer": blocks.shortened(blocks.harmless(ticket.about.customer_name), 60),
        "id": ticket.id,
    }
    line = texts("ticket-card-headline" if facts["customer"] else "ticket-card-headline-own", **facts)
    return f"{texts('dry-run')} {line}" if ticket.dry_run else line


def line(ticket: Ticket, texts: Texts) -> Mrkdwn:
    """The headline where marks are interpreted: a title is free text, as people type it."""
    return blocks.name(headline(ticket, texts), 300)


def progress(ticket: Ticket, texts: Texts, known: Known) -> list[str]:
    """What happened so far, line by line, and what happens next; the first line is where it stands."""
    lines = [
        f"{_MARK[ticket.status]} *{texts(f'ticket-status-{ticket.status}')}*",
        *_approvals(ticket, texts),
    ]
    match ticket.status:
        case TicketStatus.PENDING:
            lines += _waiting(ticket, texts)
        case TicketStatus.OPEN:
            lines += _handing_over(ticket, texts, known)
        case TicketStatus.FILED:
            lines += [*_filed(ticket, texts), *_response(ticket, texts, known)]
            unanswered = "filed" if ticket.answered_at is None else "answered"
            key = "followed" if known.is_followed else unanswered
            lines.append(texts.mrkdwn(f"ticket-card-next-{key}", who=blocks.person(ticket.opened_by)))
        case TicketStatus.RESOLVED:
            lines += [*_filed(ticket, texts), *_resolved(ticket, texts)]
            lines.append(texts.mrkdwn("ticket-card-next-resolved", who=blocks.person(ticket.opened_by)))
            if known.is_followed and not (ticket.vendor and ticket.vendor.is_closed):
                lines.append(texts("ticket-card-open-there"))
        case TicketStatus.CLOSED:
            lines += [*_filed(ticket, texts), *_resolved(ticket, texts), *_informed(ticket, texts)]
        case _:
            lines += _over(ticket, texts)
    return lines


def _head(ticket: Ticket, texts: Texts) -> list[Block]:
    title = blocks.harmless(ticket.matter.title) if ticket.matter else ticket.id
    head = [blocks.header(texts("ticket-card-title", title=title)), blocks.fields(_summary(ticket, texts))]
    if ticket.dry_run:
        head.append(blocks.context(f"⚠ *{texts('dry-run')}* {texts('ticket-card-dry-run')}"))
    if ticket.status.is_open and (gaps := _gaps(ticket, texts)):
        head.append(blocks.context(gaps))
    return head


def _summary(ticket: Ticket, texts: Texts) -> list[tuple[str, str]]:
    about, matter = ticket.about, ticket.matter
    rows: list[tuple[str, str]] = [
        (texts("ticket-card-customer"), _customer(ticket, texts)),
        (texts("ticket-card-id"), f"`{ticket.id}`"),
    ]
    if about.subscription_name:
        rows.append((texts("ticket-card-subscription"), blocks.name(about.subscription_name)))
    if matter:
        rows.append((texts("ticket-card-kind"), texts(f"ticket-kind-{matter.kind}")))
        rows.append((texts("ticket-card-severity"), texts(f"ticket-severity-{matter.severity}")))
    rows.append((texts("ticket-card-opened-by"), blocks.person(ticket.opened_by)))
    if ticket.placed_at:
        rows.append((texts("ticket-card-opened-at"), blocks.moment(ticket.placed_at)))
    if ticket.origin:
        rows.append((texts("ticket-card-origin"), _code(ticket.origin)))
    return rows


def _customer(ticket: Ticket, texts: Texts) -> str:
    about = ticket.about
    if not about.customer_name:
        return texts("ticket-card-nobody")
    domain = f" ({blocks.name(about.domain)})" if about.domain else ""
    return f"{blocks.name(about.customer_name)}{domain}"


def _gaps(ticket: Ticket, texts: Texts) -> str:
    """What was not done before anybody escalated: Microsoft and 21Vianet ask for it."""
    left = ticket.matter.left_unchecked if ticket.matter else ()
    said = {
        Check.HEALTH: texts("ticket-card-unchecked-health"),
        Check.SELF_HELP: texts("ticket-card-unchecked-self-help"),
    }
    return "⚠ " + texts.sentences(said[check] for check in left) if left else ""


def _approvals(ticket: Ticket, texts: Texts) -> list[str]:
    return [
        texts.mrkdwn("ticket-card-approved-by", by=blocks.person(d.by), at=blocks.moment(d.at))
        for d in ticket.approvals
    ]


def _waiting(ticket: Ticket, texts: Texts) -> list[str]:
    missing = ticket.approvals_needed - len({d.by for d in ticket.approvals})
    lines: list[str] = [texts.count("ticket-card-waits", missing)]
    if ticket.expires_at:
        lines.append(texts.mrkdwn("ticket-card-expires", at=blocks.moment(ticket.expires_at)))
    return lines


def _handing_over(ticket: Ticket, texts: Texts, known: Known) -> list[str]:
    """How far the hand-over has come, and whose turn it is."""
    over, who = ticket.hand_over, blocks.person(ticket.opened_by)
    by_hand = texts.mrkdwn("ticket-card-next-file", who=who)
    way = "mail" if over.way is Way.EMAIL else "azure"
    to = _code(blocks.shortened(blocks.harmless(over.to), 120))
    if over.stage is None:
        would = [] if over.way is Way.PORTAL else [texts.mrkdwn(f"ticket-card-would-{way}", to=to)]
        return [*would, by_hand, *_way_there(ticket, texts, known)]
    match over.stage:
        case Stage.DUE | Stage.CLAIMED:
            return [texts.mrkdwn(f"ticket-card-{way}-{over.stage}", to=to)]
        case Stage.DONE:
            at = blocks.moment(over.done_at or known.at)
            done = texts.mrkdwn(f"ticket-card-{way}-done", to=to, at=at)
            return [f"✔ {done}", texts.mrkdwn(f"ticket-card-next-{way}", who=who)]
        case Stage.FAILED:
            failed = texts.mrkdwn(f"ticket-card-{way}-failed", to=to)
            lines = [
                f"✖ *{failed}*",
                why_not(ticket, texts),
                texts.mrkdwn("ticket-card-next-failed", who=who),
            ]
            return [*lines, *_way_there(ticket, texts, known)]
        case Stage.UNKNOWN:
            unknown = texts.mrkdwn("ticket-card-mail-unknown", to=to)
            return [f"? *{unknown}*", texts.mrkdwn("ticket-card-next-unknown", who=who)]


def _code(outside: str) -> Mrkdwn:
    """An address or a number as people copy it: without the joiners that keep other names from being formatted."""
    return Mrkdwn(f"`{blocks.escaped(outside.replace('`', ' '))}`") if outside else Mrkdwn("")


def why_not(ticket: Ticket, texts: Texts) -> str:
    """Why it was not handed over: the most specific words there are, with the other side's number or word."""
    over = ticket.hand_over
    way = "mail" if over.way is Way.EMAIL else "azure"
    for key in (f"ticket-card-{way}-{over.error}-{over.reason}", f"ticket-card-{way}-{over.error}"):
        if texts.has(key):
            return texts.mrkdwn(key, reason=blocks.name(over.reason))
    said = " ".join(part for part in (over.error, over.reason) if part)
    return texts.mrkdwn("ticket-card-failed", reason=blocks.name(said))


def _way_there(ticket: Ticket, texts: Texts, known: Known) -> list[str]:
    """On 21Vianet no link leads to the form: the path to click, in words."""
    if known.cloud is not Cloud.CHINA:
        return []
    return [texts("ticket-card-path-customer" if ticket.about.customer_id else "ticket-card-path-own")]


def _filed(ticket: Ticket, texts: Texts) -> list[str]:
    if ticket.filed_at is None:
        return []
    number, at = _code(ticket.number), blocks.moment(ticket.filed_at)
    if ticket.filed_by in (None, BY_BACKSTOP):
        return [texts.mrkdwn("ticket-card-opened-at-azure", number=number, at=at)]
    by = blocks.person(ticket.filed_by or "")
    return [texts.mrkdwn("ticket-card-filed", number=number, by=by, at=at)]


def _response(ticket: Ticket, texts: Texts, known: Known) -> list[str]:
    """Microsoft's first answer: given, due, overdue, or promised by nobody."""
    if ticket.answered_at:
        return [texts.mrkdwn("ticket-card-answered", at=blocks.moment(ticket.answered_at))]
    if known.response_due is None:
        promised = ticket.matter and first_response(ticket.matter.severity, known.cloud)
        return [] if promised else [texts("ticket-card-response-unknown")]
    due = blocks.moment(known.response_due)
    if known.at >= known.response_due:
        return [f"⚠ *{texts.mrkdwn('ticket-card-response-overdue', at=due)}*"]
    return [texts.mrkdwn("ticket-card-response-due", at=due)]


def _resolved(ticket: Ticket, texts: Texts) -> list[str]:
    if ticket.resolved_by is None or ticket.resolved_at is None:
        return []
    by, at = blocks.person(ticket.resolved_by), blocks.moment(ticket.resolved_at)
    lines: list[str] = [texts.mrkdwn("ticket-card-resolved-by", by=by, at=at)]
    if ticket.resolution:
        lines.append(texts.mrkdwn("ticket-card-resolution", how=blocks.name(ticket.resolution, MOST_WORDS)))
    return lines


def _informed(ticket: Ticket, texts: Texts) -> list[str]:
    if ticket.informed_by is None or ticket.informed_at is None:
        return []
    key = f"language-{ticket.informed_in}"
    said = texts(key) if texts.has(key) else texts("unknown")
    by, at = blocks.person(ticket.informed_by), blocks.moment(ticket.informed_at)
    return [texts.mrkdwn("ticket-card-informed", by=by, at=at, language=said)]


def _over(ticket: Ticket, texts: Texts) -> list[str]:
    """Who ended it, when, and what came of it."""
    if ticket.status is TicketStatus.DENIED and ticket.denial:
        no = ticket.denial
        why = blocks.name(no.why, MOST_WORDS)
        by, at = blocks.person(no.by), blocks.moment(no.at)
        return [texts.mrkdwn("ticket-card-denied", by=by, at=at, why=why)]
    if ticket.status is TicketStatus.EXPIRED and ticket.expires_at:
        return [texts.mrkdwn("ticket-card-expired", at=blocks.moment(ticket.expires_at))]
    if ticket.status is TicketStatus.WITHDRAWN and ticket.closed_by and ticket.closed_at:
        by, at = blocks.person(ticket.closed_by), blocks.moment(ticket.closed_at)
        return [texts.mrkdwn("ticket-card-withdrawn", by=by, at=at)]
    return []


def _at_microsoft(ticket: Ticket, texts: Texts) -> list[Block]:
    """What Microsoft has of it. Its words are outside text: plain, and never more than a card can hold."""
    there = ticket.vendor
    if there is None or ticket.vendor_read_at is None:
        return []
    said = texts.mrkdwn(
        "ticket-card-vendor",
        status=vendor_status(there.status, texts),
        at=blocks.moment(ticket.vendor_read_at),
    )
    made = [blocks.section(said)]
    more = len(there.notes) - MOST_NOTES
    if more > 0:
        made.append(blocks.context(texts.count("ticket-card-notes-more", more)))
    for note in there.notes[-MOST_NOTES:]:
        made.append(blocks.context(_note(note, texts)))
        made.append(blocks.verbatim(blocks.shortened(shown(note.text), MOST_NOTE)))
    return made


def vendor_status(word: str, texts: Texts) -> Mrkdwn:
    """The status in words; one nobody knows is shown as Microsoft wrote it."""
    key = f"ticket-card-vendor-{word.replace('_', '-')}"
    return blocks.escaped(texts(key)) if word and texts.has(key) else blocks.name(word)


def _note(note: VendorNote, texts: Texts) -> str:
    by = texts("ticket-card-note-ours") if note.is_ours else blocks.name(note.by)
    if note.at is None:
        return texts.mrkdwn("ticket-card-note-undated", by=by or texts("unknown"))
    return texts.mrkdwn("ticket-card-note", by=by or texts("unknown"), at=blocks.moment(note.at))


def _draft(ticket: Ticket, texts: Texts) -> list[Block]:
    """Its beginning, as plain text; the whole stands in the thread, as a file."""
    if not ticket.status.is_open or not ticket.text:
        return []
    subject = blocks.shortened(shown(ticket.subject), MOST_WORDS)
    return [
        blocks.context(texts("ticket-card-draft")),
        blocks.verbatim(f"{subject}\n\n{_beginning(shown(ticket.text))}"),
    ]


def _beginning(text: str) -> str:
    """So much of it that the buttons behind it stay in sight."""
    lines = text.split("\n")
    some = "\n".join(lines[:MOST_LINES])
    return blocks.shortened(some if len(lines) <= MOST_LINES else f"{some}\n…", MOST_DRAFT)
