"""The way from a shared card to a copy in the reader's own language, and that copy, which acts on nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block

TURNS: Final = frozenset({ids.NEXT_PAGE, ids.PREVIOUS_PAGE, ids.SUSPICIOUS_NEXT, ids.SUSPICIOUS_PREVIOUS})
"""Buttons that a copy keeps: they show another page to whoever clicks, and change nothing."""
_CLICKED: Final = ("button", "overflow")


class Card(StrEnum):
    """What can be shown in another language."""

    REQUEST = "request"
    TICKET = "ticket"
    TICKET_APPROVAL = "ticket-approval"
    OVERDUE = "overdue"
    SUSPICIOUS = "suspicious"


_DIGESTS: Final = frozenset({Card.OVERDUE, Card.SUSPICIOUS})


def offered(body: Sequence[Block], card: Card, id: str, texts: Texts) -> list[Block]:
    """The card with *In my language* as its last button, at the end of the last row.

    A digest has it in any case; on a card that is over there is nothing to click.
    """
    button = blocks.button(texts("translated-button"), ids.IN_MY_LANGUAGE, f"{card}:{id}")
    *others, last = body
    if last["type"] == "actions":
        return [*others, {**last, "elements": [*last["elements"], button]}]
    return [*body, blocks.actions(button)] if card in _DIGESTS else list(body)


def copied(body: Sequence[Block], texts: Texts, *, at: datetime) -> list[Block]:
    """A card for one reader's eyes: without what could be clicked a second time there."""
    made = [kept for block in body if (kept := _harmless(block))]
    return [*made, blocks.context(texts.mrkdwn("translated-copy", at=blocks.moment(at)))]


def _harmless(block: Block) -> Block | None:
    if block["type"] == "actions":
        turns = [element for element in block["elements"] if element.get("action_id") in TURNS]
        return blocks.actions(*turns) if turns else None
    if (block.get("accessory") or {}).get("type") in _CLICKED:
        return {name: part for name, part in block.items() if name != "accessory"}
    return block
