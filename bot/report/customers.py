"""How much of the mirror of customers is there."""

from __future__ import annotations

from bot.report import Document
from bot.services.customers import MirrorState


def mirror(state: MirrorState) -> Document:
    return {
        "customers": state.customers,
        "subscriptions": state.subscriptions,
        "failed": state.failed,
        "as_of": state.as_of.isoformat() if state.as_of else None,
        "oldest": state.oldest.isoformat() if state.oldest else None,
        "complete": state.is_complete,
    }
