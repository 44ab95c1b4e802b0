"""The report on approvals that were given too fast, or always by the same person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.domain.stamps import FEWEST, HASTY, StampReport
from bot.texts import Texts
from handlers.views import blocks
from handlers.views.blocks import Block

MOST_LINES: Final = 15


def stamps(found: StampReport, texts: Texts) -> list[Block]:
    hasty = [
        texts.mrkdwn(
            "rights-stamps-line",
            request=each.request,
            who=blocks.person(each.by),
            seconds=texts.number(int(each.after.total_seconds())),
        )
        for each in found.hasty
    ]
    pairs = [
        texts.mrkdwn(
            "rights-stamps-pair",
            asker=blocks.person(pair.asked_by),
            approver=blocks.person(pair.approved_by),
            n=texts.number(pair.approvals),
            of=texts.number(pair.of),
        )
        for pair in found.pairs
    ]
    return [
        blocks.header(texts("rights-stamps-title")),
        blocks.section(summary(found, texts)),
        *_listed(hasty, texts),
        *_listed(pairs, texts),
        blocks.context(
            texts(
                "rights-stamps-explained",
                seconds=texts.number(int(HASTY.total_seconds())),
                fewest=texts.number(FEWEST),
            )
        ),
    ]


def summary(found: StampReport, texts: Texts) -> str:
    """In plain words."""
    return texts(
        "rights-stamps-summary",
        since=texts.day(found.since.date()),
        until=texts.day(found.until.date()),
        approvals=texts.number(found.approvals),
        hasty=texts.number(len(found.hasty)),
        pairs=texts.number(len(found.pairs)),
    )


def _listed(lines: Sequence[str], texts: Texts) -> list[Block]:
    if not lines:
        return []
    body = [blocks.section("\n".join(f"• {line}" for line in lines[:MOST_LINES]))]
    if len(lines) > MOST_LINES:
        body.append(blocks.context(texts.count("requests-more", len(lines) - MOST_LINES)))
    return body
