"""What a check of the set-up finds wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.domain.errors import BackstopError


class Amiss(Exception):
    """What a check found wrong, and the one sentence that says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class Doubtful(str):
    """What a check found well, but with a reservation that it names."""

    __slots__ = ()


Probe = Callable[[], Awaitable[str]]
"""Answers with what is well (Doubtful where not quite), or raises Amiss."""


def said(error: BackstopError) -> str:
    """The system's word, and its first sentence for whoever knows the codes."""
    word, detail = getattr(error, "reason", ""), getattr(error, "detail", "")
    return f"{word or error.code} {detail.partition(chr(10))[0]}".strip()
