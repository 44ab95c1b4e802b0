"""One id for all that follows from what somebody did in Slack: the log, the audit trail and Microsoft have the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("backstop_correlation", default="")


def current() -> str:
    """The id of what is being done; empty where nobody in Slack began it."""
    return _current.get()


@contextmanager
def under(id: str) -> Iterator[None]:
    """Do this, and whatever is begun meanwhile, under that id."""
    token = _current.set(id)
    try:
        yield
    finally:
        _current.reset(token)
