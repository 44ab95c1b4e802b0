"""Who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from bot.domain.errors import NotPermitted, Outsider

PersonId = NewType("PersonId", str)
"""A Slack user id (`U…`, `W…`); names are not identities."""


class Right(StrEnum):
    OPERATE = "operate"
    """May ask for an action."""
    APPROVE = "approve"
    """May decide on somebody else's request."""
    AUDIT = "audit"
    """May read the audit trail and the reports."""
    ADMINISTER = "administer"
    """May look after other people's rights, and read; asks for nothing and decides on nothing."""


class Outside(StrEnum):
    """Who is no full member of the partner's own workspace, and so has no right whatever a list says."""

    GUEST = "guest"
    STRANGER = "stranger"
    """Of another organisation, here through a shared channel."""
    DEACTIVATED = "deactivated"
    BOT = "bot"
    WORKFLOW = "workflow"
    """No person at all: a step of a workflow."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who clicked, with the rights read at that very click."""

    id: PersonId
    rights: frozenset[Right] = frozenset()
    locale: str = "en"
    outside: Outside | None = None
    groups: frozenset[str] = frozenset()
    """Those of the user groups we were told to look at that they are in."""
    channel: str = ""
    """Where they clicked; empty where that is no channel, the Home tab or a form for one."""

    def __post_init__(self) -> None:
        if self.outside and self.rights:
            raise ValueError(f"{self.id} is a {self.outside} and can have no rights")

    def must_belong(self) -> None:
        """Raise Outsider for somebody who is no full member of the workspace."""
        if self.outside:
            raise Outsider(self.outside)

    def must(self, right: Right) -> None:
        """Raise Outsider, or NotPermitted unless the person holds the right."""
        self.must_belong()
        if right not in self.rights:
            raise NotPermitted(right)

    def must_read(self) -> None:
        """Raise Outsider, or NotPermitted for somebody without any right: each of them lets its holder read."""
        self.must_belong()
        if not self.rights:
            raise NotPermitted("read")
