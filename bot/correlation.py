"""One id for all that follows from what somebody did in Slack: the log, the audit trail and Microsoft have the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4


class _Id:
    """Drawn when it is first asked for: most of what Slack waits for ends before anybody does."""

    __slots__ = ("_id",)

    def __init__(self, id: str | None) -> None:
        self._id = id

    def __str__(self) -> str:
        if self._id is None:
            self._id = str(uuid4())
        return self._id


_current: ContextVar[_Id | None] = ContextVar("backstop_correlation", default=None)


def current() -> str:
    """The id of what is being done; empty where nobody in Slack began it."""
    return str(_current.get() or "")


@contextmanager
def under(id: str | None) -> Iterator[None]:
    """Do this, and whatever is begun meanwhile, under that id; None: under a new one."""
    token = _current.set(_Id(id))
    try:
        yield
    finally:
        _current.reset(token)
