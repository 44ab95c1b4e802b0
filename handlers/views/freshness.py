"""When each source was last read, and whether all of it could be: what every figure rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from bot.texts import Mrkdwn, Texts
from handlers.views import blocks
from handlers.views.blocks import Block


@dataclass(frozen=True, slots=True)
class Read:
    """How the last reading of one source ended."""

    key: str
    """Of its name in the texts."""
    at: datetime
    as_of: date | None = None
    """The day the books speak for; None for what is no books."""
    is_whole: bool = True
    """Whether it told all there is; of books, whether it brought them up to date."""


def freshness(sources: Sequence[Read], texts: Texts) -> list[Block]:
    """A line a source."""
    if not sources:
        return []
    return [
        blocks.section("\n".join([f"*{texts('home-read')}*", *(f"• {_line(s, texts)}" for s in sources)]))
    ]


def _line(source: Read, texts: Texts) -> Mrkdwn:
    facts = {"source": texts(source.key), "at": blocks.moment(source.at)}
    if source.as_of:
        key = "home-read-books" if source.is_whole else "home-read-books-trouble"
        return texts.mrkdwn(key, day=texts.day(source.as_of), **facts)
    return texts.mrkdwn("home-read-source" if source.is_whole else "home-read-source-trouble", **facts)
