"""The words for every error: what happened, and who can help."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.domain.errors import (
    AlreadyDecided,
    BackstopError,
    CannotBeResumed,
    CannotBeSuspended,
    Invalid,
    NotFound,
    NotPermitted,
    Upstream,
)
from bot.texts import Texts
from handlers.views import blocks
from handlers.views.blocks import View


def words(error: BackstopError, texts: Texts) -> str:
    """One or two sentences in mrkdwn, with the error's facts in them."""
    return texts.mrkdwn(key(error, texts), **_facts(error, texts))


def plain_words(error: BackstopError, texts: Texts) -> str:
    """The same for a terminal or under a field, where nothing is interpreted."""
    return texts(key(error, texts), **_facts(error, texts))


def key(error: BackstopError, texts: Texts) -> str:
    """Where the words are; the more specific ones first."""
    generic = f"error-{error.code}"
    if isinstance(error, NotPermitted):
        return f"{generic}-{error.right}"
    if isinstance(error, AlreadyDecided) and not error.by:
        return f"{generic}-by-nobody"
    if isinstance(error, NotFound):
        return f"{generic}-{error.what}"
    if isinstance(error, Invalid):
        return f"{generic}-{error.reason}"
    if why := getattr(error, "why", ""):
        return f"{generic}-{why}"
    if isinstance(error, Upstream) and texts.has(f"{generic}-{error.system}"):
        return f"{generic}-{error.system}"
    return generic


def unforeseen(reference: str, texts: Texts) -> str:
    return texts.mrkdwn("error-unforeseen", reference=reference)


def view(said: str, texts: Texts) -> View:
    """A form that turned into its own refusal."""
    return blocks.modal(texts("error-title"), [blocks.section(said)], close=texts("close"))


def _facts(error: BackstopError, texts: Texts) -> dict[str, object]:
    facts: dict[str, object] = {}
    for name, value in vars(error).items():
        if isinstance(value, datetime):
            facts[name] = blocks.moment(value)
        elif name == "by":
            facts[name] = blocks.person(value) if value else ""
        elif name == "status" and isinstance(value, str):
            of_subscription = isinstance(error, CannotBeSuspended | CannotBeResumed)
            key = f"subscription-{value}" if of_subscription else f"status-{value}"
            facts[name] = texts(key) if texts.has(key) else value
        elif isinstance(value, tuple):
            facts[name] = texts.listed(blocks.harmless(str(part)) for part in value)
        elif isinstance(value, str | int):
            facts[name] = value
        elif hasattr(value, "items"):
            facts.update(_plain(value))
    return facts


def _plain(facts: Any) -> dict[str, object]:
    return {str(name): str(value) for name, value in facts.items()}
