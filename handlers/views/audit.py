"""The audit trail: of one thing, a line an entry, the newest first; and its daily anchor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from bot.domain.audit import Anchor, AuditEvent
from bot.texts import Mrkdwn, Texts
from handlers.views import blocks
from handlers.views.blocks import Block

LINES = 15
"""In one section: a line has at most 200 characters, a section 3,000."""
MOST_SUBJECT = 40
_ODD = re.compile(r"[^\w.:/@+-]")
_SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,}")


def trail(id: str, events: Sequence[AuditEvent], texts: Texts, *, more: bool) -> list[Block]:
    """`id` as it was asked for; an entry about something else of the same customer names what it is about."""
    if not events:
        return [blocks.section(texts.mrkdwn("audit-none", id=blocks.name(id)))]
    lines = [_line(event, is_other=event.subject.lower() != id.lower()) for event in events]
    foot = texts("audit-more", n=texts.number(len(events))) if more else texts("audit-all")
    return [
        blocks.header(texts("audit-title", id=blocks.harmless(id))),
        *(blocks.section("\n".join(lines[at : at + LINES])) for at in range(0, len(lines), LINES)),
        blocks.context(foot),
    ]


def anchor(found: Anchor, day: date, texts: Texts) -> list[Block]:
    """Number and hash, and the command that holds the trail against them, to be copied."""
    command = Mrkdwn(f"`backstop audit verify --anchor {found}`")
    return [
        blocks.section(f"{_anchored(found, day, texts)}\n{command}"),
        blocks.context(texts("audit-anchor-why")),
    ]


def anchor_in_words(found: Anchor, day: date, texts: Texts) -> str:
    """For the notification, and for whoever cannot see the blocks."""
    return f"{_anchored(found, day, texts)} {found}"


def _anchored(found: Anchor, day: date, texts: Texts) -> Mrkdwn:
    return texts.mrkdwn("audit-anchor", day=texts.day(day), seq=str(found.seq))


def _line(event: AuditEvent, *, is_other: bool) -> str:
    """When, what and by whom; the tag is what it is in the export."""
    parts = [blocks.moment(event.at), _code(event.tag), _by(event.by)]
    if is_other:
        parts.append(_code(event.subject))
    return " · ".join(parts)


def _by(who: str) -> Mrkdwn:
    return blocks.person(who) if _SLACK_USER.fullmatch(who) else blocks.name(who, 40)


def _code(word: str) -> Mrkdwn:
    """An id or a tag; whatever else could stand there ends no code and calls nobody."""
    return Mrkdwn(f"`{_ODD.sub('?', word)[:MOST_SUBJECT]}`")
