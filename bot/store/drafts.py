"""Drafts: what somebody is filling in, kept here so that a form carries nothing but an opaque id."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.action import Verb
from bot.domain.customer import CustomerId
from bot.domain.errors import NotFound
from bot.domain.people import PersonId
from bot.store.single import Write
from bot.store.tables import drafts


@dataclass(frozen=True, slots=True)
class Draft:
    """`confirmed` holds exactly what the confirmation showed; a request is placed from it alone.

    `nonce` is of the newest *Continue*, and of the one confirmation that counts; what was read for another is not kept.
    """

    id: str
    person: PersonId
    verb: Verb
    channel: str
    created_at: datetime
    customer_id: CustomerId | None = None
    form: dict[str, Any] = field(default_factory=dict)
    confirmed: dict[str, Any] | None = None
    nonce: str = ""
    """Empty in what a release kept that knew of none."""


_NONCE: Final = "nonce"
"""Where the nonce stands, beside what was shown."""
_ADDITION = insert(drafts)


def addition(draft: Draft) -> Write:
    """How a new draft is kept; see `Store.write`."""
    return Write(
        _ADDITION,
        {
            "id": draft.id,
            "person": draft.person,
            "verb": draft.verb,
            "channel": draft.channel,
            "customer_id": draft.customer_id,
            "form": draft.form,
            "confirmed": _kept(draft),
            "created_at": draft.created_at,
        },
    )


class Drafts:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, draft_id: str, *, person: PersonId, to_change: bool = False) -> Draft:
        """That person's draft; `to_change` keeps others waiting. Raises NotFound for anybody else's, too."""
        query = select(drafts).where(drafts.c.id == draft_id, drafts.c.person == person)
        query = query.with_for_update() if to_change else query
        row = (await self._connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound("draft", draft_id)
        confirmed = dict(row.confirmed or {})
        nonce = str(confirmed.pop(_NONCE, ""))
        return Draft(
            id=row.id,
            person=PersonId(row.person),
            verb=Verb(row.verb),
            channel=row.channel,
            created_at=row.created_at,
            customer_id=CustomerId(row.customer_id) if row.customer_id else None,
            form=row.form,
            confirmed=confirmed or None,
            nonce=nonce,
        )

    async def save(self, draft: Draft) -> None:
        await self._connection.execute(
            update(drafts)
            .where(drafts.c.id == draft.id)
            .values(customer_id=draft.customer_id, form=draft.form, confirmed=_kept(draft))
        )

    async def forget_before(self, moment: datetime) -> None:
        await self._connection.execute(delete(drafts).where(drafts.c.created_at < moment))


def _kept(draft: Draft) -> dict[str, Any] | None:
    return {**(draft.confirmed or {}), _NONCE: draft.nonce} if draft.nonce else draft.confirmed
