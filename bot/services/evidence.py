"""Evidence packs: gather all there is to a ticket or a case, pack it, and write down that it was packed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeVar

from bot.domain.audit import AuditTag
from bot.domain.customer import CustomerId
from bot.domain.errors import NotFound
from bot.domain.evidence_material import Material
from bot.domain.evidence_parts import compose
from bot.domain.matter import Evidence
from bot.domain.people import Person, Right
from bot.domain.ticket import Ticket, TicketStatus
from bot.services.cases import Cases
from bot.services.digests import Digests
from bot.store import Store, Tx

MOST_OF_EACH: Final = 500
"""Requests, tickets, notices and open items; the newest."""
MOST_ENTRIES: Final = 5000
"""Of the audit trail."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be packed, before anybody chooses. `parts` are those its ticket asked for, else all."""

    about: str
    parts: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class MadePack:
    filename: str
    content: bytes
    manifest_sha256: str


class EvidencePacks:
    def __init__(self, store: Store, cases: Cases, digests: Digests, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._cases = cases
        self._digests = digests
        self._now = now

    async def offer(self, about_id: str, *, by: Person) -> Offer:
        """Raises NotPermitted, NotFound."""
        _may_pack(by)
        async with self._store.read() as tx:
            if about_id.startswith("C-"):
                return Offer((await tx.cases.get(about_id)).id, tuple(Evidence))
            ticket = await _ticket(tx, about_id)
        return Offer(ticket.id, (ticket.matter.evidence if ticket.matter else ()) or tuple(Evidence))

    async def make(
        self, about_id: str, parts: Collection[Evidence], *, redacted: bool, by: Person
    ) -> MadePack:
        """Pack these parts of it. What was packed is audited before anybody has it. Raises PackTooLarge, NotFound."""
        _may_pack(by)
        material, at = await self.gather(about_id), self._now()
        pack = await asyncio.to_thread(compose, material, parts, redacted=redacted, at=at, by=by.id)
        async with self._store.begin() as tx:
            await tx.audit.append(
                AuditTag.EVIDENCE_PACKED,
                material.about,
                by=by.id,
                manifest_sha256=pack.manifest_sha256,
                parts=[part.value for part in Evidence if part in parts],
                redacted=redacted,
            )
        moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        kind = "redacted" if redacted else "complete"
        return MadePack(f"evidence-{material.about}-{kind}-{moment}.zip", pack.content, pack.manifest_sha256)

    async def gather(self, about_id: str) -> Material:
        """All there is to it, as it stands now. Raises NotFound."""
        async with self._store.read() as tx:
            if about_id.startswith("C-"):
                row = await tx.cases.get(about_id)
                material, case_id = Material(row.id, row.customer_id), str(row.id)
            else:
                ticket = await _ticket(tx, about_id)
                material = Material(ticket.id, ticket.about.customer_id or "", ticket)
                case_id = ticket.origin if ticket.origin.startswith("C-") else ""
        customer_id = CustomerId(material.customer_id)
        if customer_id or case_id:
            material = replace(material, cases=await self._cases.files(customer_id, only=case_id))
        async with self._store.read() as tx:
            if customer_id:
                material = await self._of_customer(tx, material, customer_id)
            return await _with_trail(tx, material)

    async def _of_customer(self, tx: Tx, material: Material, customer_id: CustomerId) -> Material:
        cut = dict(material.cut)
        day = await self._digests.day(tx, self._digests.today(), keeps_items=True)
        items = [item for party in day.debtors_of(customer_id) for item in party.items]
        items.sort(key=lambda item: (item.due_date, item.document_number, item.instalment))
        return replace(
            material,
            tickets=_newest(await tx.tickets.of(customer_id), "tickets", cut),
            requests=_newest(await tx.requests.of(customer_id), "requests", cut),
            letters=_newest(await tx.letters.of(customer_id), "notices", cut),
            items=_newest(items, "invoices", cut),
            books_as_of=day.last.as_of if day.last else None,
            cut=cut,
        )


async def _with_trail(tx: Tx, material: Material) -> Material:
    subjects = {material.about, material.customer_id} - {""}
    for things in (material.tickets, material.requests, material.letters, material.cases):
        subjects |= {thing.id for thing in things}
    trail, count = await tx.audit.of_all(sorted(subjects), limit=MOST_ENTRIES)
    left = {"audit": count - len(trail)} if count > len(trail) else {}
    return replace(material, trail=tuple(trail), cut={**material.cut, **left})


async def _ticket(tx: Tx, ticket_id: str) -> Ticket:
    """One that was confirmed; a draft is nobody's business but its writer's."""
    ticket = await tx.tickets.get(ticket_id, to_change=False)
    if ticket.status is TicketStatus.DRAFT:
        raise NotFound("ticket", ticket_id)
    return ticket


def _newest(things: Sequence[T], part: str, cut: dict[str, int]) -> tuple[T, ...]:
    """The newest of them; `cut` is told of the others."""
    if len(things) > MOST_OF_EACH:
        cut[part] = len(things) - MOST_OF_EACH
    return tuple(things[-MOST_OF_EACH:])


def _may_pack(by: Person) -> None:
    by.must(Right.OPERATE if Right.APPROVE not in by.rights else Right.APPROVE)
