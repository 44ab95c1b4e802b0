"""Tickets, as people have them: draft, decide, file, resolve and close. Nothing in here knows a word of a ticket."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.courier import Courier
from bot.domain.audit import AuditTag, change
from bot.domain.confirmation import must_be_newest
from bot.domain.customer import Cloud
from bot.domain.errors import Invalid, NotFound, TicketExists
from bot.domain.matter import About, Matter
from bot.domain.people import Person, Right
from bot.domain.policy import InForce
from bot.domain.ticket import (
    BY_BACKSTOP,
    HandOver,
    Nudge,
    Stage,
    Ticket,
    TicketId,
    TicketStatus,
    Way,
    way_for,
)
from bot.services import jobs
from bot.services.new_id import new_id, new_nonce, nonce_of
from bot.store import Store, Tx
from bot.store.tickets import addition

STRANDED_AFTER = timedelta(seconds=60)
"""What nobody has begun, or no card shows, for so long has lost its job."""
LOOK_BACK = timedelta(days=2)
"""How far back the sweep looks for what never reached Slack."""
DRAFTS_LIVE = timedelta(days=2)
STALE_AFTER = timedelta(hours=4)
"""So long a card may say that nothing was read since; a redraw for nothing new is Slack's time as well."""


@dataclass(frozen=True, slots=True)
class TicketRules:
    """The operator's settings a ticket is born with."""

    approvals: int = 0
    time_to_live: timedelta = timedelta(hours=24)
    dry_run: bool = False
    ways: tuple[tuple[str, Way], ...] = (("*", Way.PORTAL),)
    """Pairs of a kind, or `*`, and how a ticket of that kind is handed over; the last that fits counts."""
    mail_to: str = ""
    contact: str = ""
    """Whom Microsoft may call, unless somebody else is named."""
    portal: str = ""
    """The address of the cloud's portal, without a slash at its end."""
    partner: str = ""
    """The partner's own tenant id."""


class Tickets:
    def __init__(
        self,
        store: Store,
        courier: Courier,
        *,
        takes: Callable[[Way], bool],
        rules: TicketRules,
        in_force: Callable[[], InForce],
        cloud: Cloud,
        zone: ZoneInfo,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._courier = courier
        self._takes = takes
        self._in_force = in_force
        self._cloud = cloud
        self._zone = zone
        self._now = now
        self.rules = rules

    # What a form needs.

    async def begin(
        self,
        *,
        by: Person,
        channel: str,
        origin: str = "",
        about: About | None = None,
        matter: Matter | None = None,
        sought: str = "",
    ) -> Ticket:
        """Keep what somebody starts to fill in; `matter` is what a message or a button brought along."""
        by.must(Right.OPERATE)
        draft = Ticket(
            TicketId(new_id("T")),
            opened_by=by.id,
            drafted_at=self._now(),
            channel=channel,
            origin=origin,
            about=about or About(),
            matter=matter,
            sought=sought,
            nonce=new_nonce(),
        )
        await self._store.write(addition(draft, at=self._now()))
        return draft

    async def draft(self, ticket_id: str, *, by: Person) -> Ticket:
        """That person's own draft, or NotFound."""
        ticket = await self.get(ticket_id)
        if ticket.opened_by != by.id:
            raise NotFound("ticket", ticket_id)
        return ticket

    async def remember(self, ticket_id: str, *, by: Person, **changes: Any) -> Ticket:
        """Keep something of what is being filled in: see the fields of `Ticket`."""
        async with self._store.begin() as tx:
            draft = await self._own(tx, ticket_id, by)
            if draft.status is not TicketStatus.DRAFT:
                return draft
            return await tx.tickets.save(replace(draft, **changes))

    async def begin_confirmation(self, ticket_id: str, *, by: Person, click: str = "") -> Ticket:
        """*Continue*: whatever was worked out before, or still is, does not count any more.

        `click` is what no other click has in common with this one; delivered again it begins nothing new.
        """
        nonce = nonce_of(ticket_id, click) if click else new_nonce()
        return await self.remember(ticket_id, by=by, nonce=nonce)

    async def newest(self, ticket_id: str, nonce: str, *, by: Person) -> Ticket:
        """That person's own draft. Raises ConfirmationOutdated where they have pressed *Continue* anew since."""
        draft = await self.draft(ticket_id, by=by)
        must_be_newest(nonce, newest=draft.nonce, request_id=draft.id)
        return draft

    def hand_over_of(self, matter: Matter, what: About) -> HandOver:
        """How the settings have a ticket handed over; by hand, where the way they name is not open."""
        way = way_for(matter.kind, what, self.rules.ways, self._cloud)
        is_ready = self.rules.mail_to if way is Way.EMAIL else matter.problem if way is Way.AZURE else True
        if not (is_ready and self._takes(way)):
            way = Way.PORTAL
        return HandOver(way, self.rules.mail_to if way is Way.EMAIL else "")

    async def same(self, matter: Matter, what: About) -> Ticket | None:
        """The ticket of that kind that is open about the same customer."""
        async with self._store.read() as tx:
            return await tx.tickets.open_under(f"{(what.customer_id or 'partner').lower()}|{matter.kind}")

    async def confirmable(
        self,
        ticket_id: str,
        nonce: str,
        matter: Matter,
        what: About,
        *,
        subject: str,
        text: str,
        portal: str,
        by: Person,
    ) -> Ticket:
        """Keep what the confirmation is going to show, before it is shown.

        Raises Invalid, TicketExists; ConfirmationOutdated where *Continue* was pressed anew while this was read.
        """
        if other := await self.same(matter, what):
            raise TicketExists(other.id)
        async with self._store.begin() as tx:
            draft = await self._own(tx, ticket_id, by)
            must_be_newest(nonce, newest=draft.nonce, request_id=draft.id)
            filled = draft.fill_in(
                matter,
                what,
                subject=subject,
                text=text,
                portal=portal,
                hand_over=self.hand_over_of(matter, what),
                by=by,
            )
            return await tx.tickets.save(filled)

    # The life of a ticket.

    async def confirm(self, ticket_id: str, nonce: str, *, by: Person) -> Ticket:
        """Turn a confirmed draft into a ticket. A second *Confirm* of the same confirmation changes nothing.

        Raises ConfirmationOutdated for any confirmation but the one that shows what would be opened.
        """
        async with self._store.begin() as tx:
            draft = await self._own(tx, ticket_id, by)
            must_be_newest(nonce, newest=draft.nonce, request_id=draft.id)
            if draft.status is not TicketStatus.DRAFT:
                return draft
            placed = draft.confirm(
                by=by,
                at=self._now(),
                approvals_needed=self.rules.approvals,
                time_to_live=self.rules.time_to_live,
                dry_run=self.rules.dry_run,
            )
            facts = _facts(placed)
            return await keep(self._courier, tx, None, placed, AuditTag.TICKET_OPENED, by=by, **facts)

    async def approve(self, ticket_id: str, *, by: Person) -> Ticket:
        return await self._changed(
            ticket_id, lambda t, at: t.approve(by=by, at=at), AuditTag.TICKET_APPROVED, by=by
        )

    async def deny(self, ticket_id: str, *, by: Person, why: str) -> Ticket:
        return await self._changed(
            ticket_id, lambda t, at: t.deny(by=by, at=at, why=why), AuditTag.TICKET_DENIED, by=by, why=why
        )

    async def may_decide(self, ticket_id: str, *, by: Person) -> Ticket:
        """The ticket, if this person could decide on it now; else the refusal a decision would meet."""
        ticket = await self.get(ticket_id)
        ticket.deny(by=by, at=self._now(), why="")
        return ticket

    async def withdraw(self, ticket_id: str, *, by: Person) -> Ticket:
        return await self._changed(
            ticket_id, lambda t, at: t.withdraw(by=by, at=at), AuditTag.TICKET_WITHDRAWN, by=by
        )

    async def hand_over_again(self, ticket_id: str, *, by: Person) -> Ticket:
        return await self._changed(
            ticket_id, lambda t, at: t.hand_over_again(by=by, at=at), AuditTag.TICKET_HAND_OVER_RETRIED, by=by
        )

    async def decide_hand_over(self, ticket_id: str, *, was_sent: bool, by: Person) -> Ticket:
        """A person looked, and says whether a ticket was handed over of which nobody knew."""
        tag = AuditTag.TICKET_HANDED_OVER if was_sent else AuditTag.TICKET_NOT_HANDED_OVER
        return await self._changed(
            ticket_id,
            lambda t, at: t.decide_hand_over(was_sent=was_sent, by=by, at=at),
            tag,
            by=by,
            decided=True,
        )

    async def file(self, ticket_id: str, number: str, *, by: Person) -> Ticket:
        """*I filed it*: this is its number."""
        by.must(Right.OPERATE)
        filed = await self._changed(
            ticket_id,
            lambda t, at: t.file(number, by=by.id, at=at),
            AuditTag.TICKET_FILED,
            by=by,
            number=number,
        )
        await self._courier.post(jobs.read_tickets(slot=f"{filed.id}:{filed.version}"))
        return filed

    async def answered(self, ticket_id: str, *, by: Person) -> Ticket:
        return await self._changed(
            ticket_id, lambda t, at: t.answered(by=by, at=at), AuditTag.TICKET_ANSWERED, by=by
        )

    async def resolve(self, ticket_id: str, *, by: Person, how: str) -> Ticket:
        return await self._changed(
            ticket_id,
            lambda t, at: t.resolve(by=by, at=at, how=how),
            AuditTag.TICKET_RESOLVED,
            by=by,
            how=how,
        )

    async def close(self, ticket_id: str, *, by: Person, language: str, words: str) -> Ticket:
        """*Customer informed*, in these words: they are kept as a hash, for they may be personal."""
        if not words.strip():
            raise Invalid("words", "missing")
        text_hash = hashlib.sha256(words.encode()).hexdigest()
        return await self._changed(
            ticket_id,
            lambda t, at: t.close(by=by, at=at, language=language, text_hash=text_hash),
            AuditTag.TICKET_CLOSED,
            by=by,
            language=language,
            text_sha256=text_hash,
        )

    # What is asked about tickets.

    async def get(self, ticket_id: str) -> Ticket:
        async with self._store.read() as tx:
            return await tx.tickets.get(ticket_id, to_change=False)

    async def waiting(self) -> int:
        """How many wait for an approval."""
        async with self._store.read() as tx:
            return await tx.tickets.pending()

    async def open(self, *, limit: int = 50) -> list[Ticket]:
        """Those that are not over, oldest first."""
        async with self._store.read() as tx:
            return await tx.tickets.open(limit=limit)

    def response_due(self, ticket: Ticket) -> datetime | None:
        return ticket.response_due(self._cloud)

    async def sweep(self) -> None:
        """Expire, redraw and remind: whatever was left behind or has become due."""
        at = self._now()
        async with self._store.begin() as tx:
            for ticket in await tx.tickets.expired(at=at):
                await keep(self._courier, tx, ticket, ticket.expire(at=at), AuditTag.TICKET_EXPIRED)
            for ticket in await tx.tickets.behind(since=at - LOOK_BACK, until=at - STRANDED_AFTER):
                await self._courier.send(tx.connection, jobs.show_ticket(ticket))
            calendar = self._in_force().policy.calendar
            for ticket in await tx.tickets.open():
                due = ticket.due(at=at, zone=self._zone, calendar=calendar, cloud=self._cloud)
                if due and not await tx.posts.find(nudge_key(ticket, due.nudge, due.key)):
                    await self._courier.send(tx.connection, jobs.nudge_ticket(ticket, due, at=at))
            await tx.tickets.forget_drafts(before=at - DRAFTS_LIVE)

    async def _own(self, tx: Tx, ticket_id: str, by: Person) -> Ticket:
        by.must(Right.OPERATE)
        ticket = await tx.tickets.get(ticket_id)
        if ticket.opened_by != by.id:
            raise NotFound("ticket", ticket_id)
        return ticket

    async def _changed(
        self,
        ticket_id: str,
        decide: Callable[[Ticket, datetime], Ticket],
        tag: AuditTag,
        *,
        by: Person,
        **facts: object,
    ) -> Ticket:
        """Load, let the domain decide, save, tell: one transaction. What is as wanted already stays as it is."""
        async with self._store.begin() as tx:
            known = await tx.tickets.get(ticket_id)
            decided = decide(known, self._now())
            if decided == known:
                return known
            return await keep(self._courier, tx, known, decided, tag, by=by, **facts)


async def keep(
    courier: Courier,
    tx: Tx,
    before: Ticket | None,
    ticket: Ticket,
    tag: AuditTag,
    *,
    by: Person | None = None,
    **facts: object,
) -> Ticket:
    """Save it with its entry in the trail, and have done what follows from it: in the caller's transaction."""
    kept = await tx.tickets.save(ticket)
    facts |= change(before.status if before else None, ticket.status)
    if before and before.status is ticket.status and before.hand_over.stage is not ticket.hand_over.stage:
        # Handing over is a life of its own within the ticket's.
        facts |= change(before.hand_over.stage, ticket.hand_over.stage)
    await tx.audit.append(tag, kept.id, by=by.id if by else BY_BACKSTOP, **facts)
    if kept.hand_over.stage is Stage.DUE:
        await courier.send(tx.connection, jobs.hand_over_ticket(kept))
    await courier.send(tx.connection, jobs.show_ticket(kept))
    return kept


def nudge_key(ticket: Ticket, nudge: Nudge, key: str) -> str:
    """Of the post that says a reminder was given."""
    return f"nudge:{ticket.id}:{nudge.value}:{key}"


def _facts(ticket: Ticket) -> dict[str, object]:
    """For the audit trail: what it is about and which text, but not a word of it."""
    matter, over = ticket.matter, ticket.hand_over
    return {
        "kind": matter.kind.value if matter else None,
        "severity": matter.severity.value if matter else None,
        "title": matter.title if matter else None,
        "customer": ticket.about.customer_id,
        "customer_name": ticket.about.customer_name,
        "subscription": ticket.about.subscription_id,
        "unchecked": [check.value for check in matter.left_unchecked] if matter else [],
        "way": over.way.value,
        "to": over.to,
        "approvals_needed": ticket.approvals_needed,
        "origin": ticket.origin,
        "text_sha256": hashlib.sha256(f"{ticket.subject}\n{ticket.text}".encode()).hexdigest(),
        "dry_run": ticket.dry_run,
    }
