"""A record of every exchange of the app's, with the workspace or with another, with tokens masked."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from bot.sandbox.slack.news import News

KEPT = 5_000
_SECRET_WORDS = re.compile(r"xox[a-z]-[\w-]+|xapp-[\w-]+|(?<=ticket=)[\w-]+")
_SECRET_KEYS = frozenset({"token", "client_secret", "signing_secret", "access_token", "refresh_token"})


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, kept as they went over the wire and read only when somebody looks."""

    number: int
    at: datetime
    direction: str  # such as "app → workspace" or "workspace → app"
    method: str
    ms: float
    status: str
    sent: str | bytes
    received: str | bytes

    @property
    def request(self) -> Any:
        return masked(_decoded(self.sent))

    @property
    def response(self) -> Any:
        return masked(_decoded(self.received))

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.number,
            "at": self.at.timestamp(),
            "direction": self.direction,
            "method": self.method,
            "ms": round(self.ms, 2),
            "status": self.status,
            "request": self.request,
            "response": self.response,
        }

    @cached_property
    def text(self) -> str:
        """All that a reader sees of it, in lower case; made when somebody first searches, for it is dear."""
        bodies = json.dumps([self.request, self.response], ensure_ascii=False, separators=(",", ":"))
        return f"{self.direction} {self.method} {self.status} {bodies}".lower()


def latest_with(text: str, kept: Sequence[Exchange], *, at_most: int) -> list[Exchange]:
    """The latest of them with the text in them, in any case, oldest first."""
    wanted = text.strip().lower()
    return list(
        islice((exchange for exchange in reversed(kept) if not wanted or wanted in exchange.text), at_most)
    )[::-1]


class Wire:
    """The latest exchanges, oldest first."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._kept: deque[Exchange] = deque(maxlen=KEPT)
        self._count = 0

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self._kept)

    def record(
        self,
        *,
        at: datetime,
        direction: str,
        method: str,
        ms: float,
        status: str,
        sent: str | bytes,
        received: str | bytes,
    ) -> None:
        self._count += 1
        exchange = Exchange(self._count, at, direction, method, ms, status, sent, received)
        self._kept.append(exchange)
        if self._news.has_wire_watchers:
            self._news.announce({"type": "exchange", "exchange": exchange.as_json()})
        else:
            self._news.stir()


def masked(value: Any) -> Any:
    """The same value without what could be used to sign in."""
    if isinstance(value, dict):
        return {key: "…" if key in _SECRET_KEYS else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    if isinstance(value, str):
        return _SECRET_WORDS.sub("…", value)
    return value


def _decoded(raw: str | bytes) -> Any:
    """Read JSON, or a form whose nested values are JSON; anything else stays text."""
    words = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    if (value := _json(words)) is not None:
        return value
    fields = parse_qsl(words, keep_blank_values=True) if "=" in words else []
    if not fields:
        return words
    return {key: item if (nested := _json(item)) is None else nested for key, item in fields}


def _json(words: str) -> Any:
    if not words.startswith(("{", "[")):
        return None
    try:
        return json.loads(words)
    except ValueError:
        return None
