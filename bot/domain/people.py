"""Who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from bot.domain.errors import NotPermitted

PersonId = NewType("PersonId", str)
"""A Slack user id (`U…`, `W…`); names are not identities."""


class Right(StrEnum):
    OPERATE = "operate"
    """May ask for an action."""
    APPROVE = "approve"
    """May decide on somebody else's request."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who clicked, with the rights read at that very click."""

    id: PersonId
    rights: frozenset[Right] = frozenset()
    locale: str = "en"

    def must(self, right: Right) -> None:
        """Raise NotPermitted unless the person holds the right."""
        if right not in self.rights:
            raise NotPermitted(right)
