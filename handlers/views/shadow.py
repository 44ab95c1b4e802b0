"""What the billing policy would have proposed beside what people did."""

from __future__ import annotations

from bot.domain.shadow import ShadowLine, ShadowReport
from bot.texts import Texts
from handlers.views import blocks
from handlers.views.blocks import Block
from handlers.views.policy import reasons_of

MOST_LINES = 15


def shadow_report(found: ShadowReport, texts: Texts) -> list[Block]:
    body = [blocks.header(texts("shadow-title")), blocks.section(summary(found, texts))]
    said = [blocks.escaped(line) for line in lines(found, texts)]
    if said:
        body.append(blocks.section("\n".join(f"• {line}" for line in said[:MOST_LINES])))
    if len(said) > MOST_LINES:
        body.append(blocks.context(texts.count("requests-more", len(said) - MOST_LINES)))
    body.append(blocks.context(texts("shadow-explained")))
    return body


def summary(found: ShadowReport, texts: Texts) -> str:
    """Three numbers, in plain words."""
    return texts(
        "shadow-summary",
        since=texts.day(found.since),
        until=texts.day(found.until),
        agreed=texts.number(found.agreed),
        proposed=texts.number(found.only_proposed),
        done=texts.number(found.only_done),
    )


def lines(found: ShadowReport, texts: Texts) -> list[str]:
    """A line a customer, in plain words."""
    return [_line(line, texts) for line in found.lines]


def _line(line: ShadowLine, texts: Texts) -> str:
    name = blocks.shortened(blocks.harmless(line.customer_name), 60)
    if line.proposed_on:
        why = "; ".join(reasons_of(line.reasons, texts))
        proposed = texts("shadow-proposed", day=texts.day(line.proposed_on), why=why)
    else:
        proposed = texts("shadow-not-proposed")
    did = [
        texts("shadow-request", id=deed.id, day=texts.day(deed.on), status=texts(f"status-{deed.status}"))
        for deed in line.deeds
    ]
    return f"{name}: {proposed} {'; '.join(did) or texts('shadow-nobody')}"
