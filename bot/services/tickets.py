"""Tickets: draft, decide, hand over, file, follow and close. Nothing in here knows a word of a ticket."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from bot.courier import Courier
from bot.domain.audit import AuditTag
from bot.domain.capability import Feature
from bot.domain.customer import Cloud, CustomerId, SubscriptionId
from bot.domain.errors import Invalid, NotFound, NotReady, TicketExists, TicketSettled, Unavailable, Upstream
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
    VendorState,
    Way,
    way_for,
)
from bot.mail import TOTAL_SECONDS, Mail, Outgoing
from bot.services import jobs
from bot.services.features import Features
from bot.store import Store, Tx
from bot.store.tickets import addition

GIVEN_UP_AFTER = timedelta(seconds=TOTAL_SECONDS * 2)
"""Longer than any hand-over takes: one begun so long ago was begun by a worker that died."""
STRANDED_AFTER = timedelta(seconds=60)
"""What nobody has begun, or no card shows, for so long has lost its job."""
LOOK_BACK = timedelta(days=2)
"""How far back the sweep looks for what never reached Slack."""
DRAFTS_LIVE = timedelta(days=2)
STALE_AFTER = timedelta(hours=4)
"""So long a card may say that nothing was read since; a redraw for nothing new is Slack's time as well."""
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

log = logging.getLogger(__name__)


class ServiceDesk(Protocol):
    """Where a service request lives at Microsoft, as far as an API has it. `number` is the one it was filed under.

    Raises NotFound for a number it does not know, and Upstream.
    """

    async def service_request(self, number: str) -> VendorState: ...
    async def add_note(self, number: str, text: str) -> None: ...
    async def close_service_request(self, number: str) -> None: ...


class AzureDesk(Protocol):
    """Tickets of Azure's own. `name` is the one we choose, so that opening one again does no harm."""

    async def services(self) -> tuple[tuple[str, str], ...]:
        """Every Azure service that has support: resource id and name."""
        ...

    async def problems(self, service_id: str) -> tuple[tuple[str, str], ...]:
        """What can be wrong with it: resource id and name."""
        ...

    async def open(
        self, customer_id: CustomerId, subscription_id: SubscriptionId, name: str, ticket: Ticket
    ) -> VendorState: ...
    async def read(
        self, customer_id: CustomerId, subscription_id: SubscriptionId, name: str
    ) -> VendorState: ...
    async def note(
        self, customer_id: CustomerId, subscription_id: SubscriptionId, name: str, text: str
    ) -> None: ...
    async def close(self, customer_id: CustomerId, subscription_id: SubscriptionId, name: str) -> None: ...


class KnowsPortal(Protocol):
    async def service_request_link(self, customer_id: CustomerId) -> str | None:
        """Where to file one for that customer, as Partner Center gives it; None where it gives none."""
        ...


@dataclass(frozen=True, slots=True)
class Desks:
    """Who is on the other side."""

    partner_center: ServiceDesk
    portal: KnowsPortal
    azure: AzureDesk | None
    mail: Mail | None


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
        features: Features,
        desks: Desks,
        *,
        rules: TicketRules,
        in_force: Callable[[], InForce],
        cloud: Cloud,
        zone: ZoneInfo,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._courier = courier
        self._features = features
        self._desks = desks
        self._in_force = in_force
        self._cloud = cloud
        self._zone = zone
        self._now = now
        self._worker = ""
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
            TicketId("T-" + "".join(secrets.choice(_ALPHABET) for _ in range(10))),
            opened_by=by.id,
            drafted_at=self._now(),
            channel=channel,
            origin=origin,
            about=about or About(),
            matter=matter,
            sought=sought,
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

    def hand_over_of(self, matter: Matter, what: About) -> HandOver:
        """How the settings have a ticket handed over; by hand, where the way they name is not open."""
        way = way_for(matter.kind, what, self.rules.ways, self._cloud)
        if way is Way.EMAIL and (self._desks.mail is None or not self.rules.mail_to):
            way = Way.PORTAL
        if way is Way.AZURE and (self._desks.azure is None or matter.problem is None):
            way = Way.PORTAL
        return HandOver(way, self.rules.mail_to if way is Way.EMAIL else "")

    async def portal_of(self, customer_id: CustomerId | None) -> str | None:
        """The link Partner Center itself gives for that customer, where it gives one."""
        if customer_id is None:
            return None

        async def asked() -> str | None:
            """One customer that is not there is no sign that the API is missing."""
            try:
                return await self._desks.portal.service_request_link(customer_id)
            except NotFound:
                return None

        return await self._features.ask(Feature.MANAGED_SERVICES, asked)

    async def azure_services(self) -> tuple[tuple[str, str], ...]:
        return await self._desks.azure.services() if self._desks.azure else ()

    async def azure_problems(self, service_id: str) -> tuple[tuple[str, str], ...]:
        return await self._desks.azure.problems(service_id) if self._desks.azure else ()

    async def same(self, matter: Matter, what: About) -> Ticket | None:
        """The ticket of that kind that is open about the same customer."""
        async with self._store.read() as tx:
            return await tx.tickets.open_under(f"{(what.customer_id or 'partner').lower()}|{matter.kind}")

    async def confirmable(
        self, ticket_id: str, matter: Matter, what: About, *, subject: str, text: str, portal: str, by: Person
    ) -> Ticket:
        """Keep what the confirmation is going to show, before it is shown. Raises Invalid, TicketExists."""
        if other := await self.same(matter, what):
            raise TicketExists(other.id)
        async with self._store.begin() as tx:
            draft = await self._own(tx, ticket_id, by)
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

    async def confirm(self, ticket_id: str, *, by: Person) -> Ticket:
        """Turn a confirmed draft into a ticket. A second *Confirm* of the same draft changes nothing."""
        async with self._store.begin() as tx:
            draft = await self._own(tx, ticket_id, by)
            if draft.status is not TicketStatus.DRAFT:
                return draft
            placed = draft.confirm(
                by=by,
                at=self._now(),
                approvals_needed=self.rules.approvals,
                time_to_live=self.rules.time_to_live,
                dry_run=self.rules.dry_run,
            )
            return await self._keep(tx, placed, AuditTag.TICKET_OPENED, by=by, **_facts(placed))

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

    async def note(self, ticket_id: str, text: str, *, by: Person, id: str) -> Ticket:
        """Write a note on it at Microsoft, then read it again. Raises Invalid, TicketSettled, Upstream.

        `id` is the form's: the same one sent twice writes once. What may have arrived is not sent again.
        """
        by.must(Right.OPERATE)
        if not text.strip():
            raise Invalid("note", "missing")
        ticket = await self.get(ticket_id)
        if not self.is_followed(ticket) or ticket.dry_run:
            raise TicketSettled(ticket.id, ticket.status)
        key = f"note:{ticket.id}:{id}"
        async with self._store.begin() as tx:
            if not await tx.posts.claim(key, channel="", at=self._now()):
                return ticket
        try:
            await self._told(ticket, text)
        except Upstream as error:
            if type(error) is not Unavailable:  # it was definitely not written: the form may be sent again
                async with self._store.begin() as tx:
                    await tx.posts.release(key)
            raise
        async with self._store.begin() as tx:
            await tx.audit.append(AuditTag.TICKET_NOTED, ticket.id, by=by.id, note=text)
        return await self.look(ticket_id)

    async def close_there(self, ticket_id: str, *, by: Person) -> Ticket:
        """Close it at Microsoft, then read it again."""
        by.must(Right.OPERATE)
        ticket = await self.get(ticket_id)
        if not self.is_followed(ticket) or ticket.dry_run:
            raise TicketSettled(ticket.id, ticket.status)
        if ticket.hand_over.way is Way.AZURE:
            azure, customer, subscription = self._azure(ticket)
            await azure.close(customer, subscription, name_of(ticket))
        else:
            await self._desks.partner_center.close_service_request(ticket.number)
        async with self._store.begin() as tx:
            await tx.audit.append(AuditTag.TICKET_CLOSED_AT_MICROSOFT, ticket.id, by=by.id)
        return await self.look(ticket_id)

    # What is asked about tickets.

    async def get(self, ticket_id: str) -> Ticket:
        async with self._store.read() as tx:
            return await tx.tickets.get(ticket_id, to_change=False)

    async def open(self, *, limit: int = 50) -> list[Ticket]:
        """Those that are not over, oldest first."""
        async with self._store.read() as tx:
            return await tx.tickets.open(limit=limit)

    def is_followed(self, ticket: Ticket) -> bool:
        """Whether an API tells what becomes of it: Azure's of what it opened, Partner Center's of what has digits.

        Not on 21Vianet, where the whole API of service requests never was.
        """
        if ticket.status not in (TicketStatus.FILED, TicketStatus.RESOLVED):
            return False
        if ticket.hand_over.way is Way.AZURE and ticket.hand_over.stage is Stage.DONE:
            return True
        return self._cloud is not Cloud.CHINA and ticket.number.isdigit()

    def response_due(self, ticket: Ticket) -> datetime | None:
        return ticket.response_due(self._cloud)

    # What workers do.

    async def begin_work(self, worker: str) -> None:
        """Hand over under this name; what its last bearer began and did not live to finish is seen to.

        As for `Execution.begin`: no two living workers bear one name.
        """
        self._worker = worker
        async with self._store.begin() as tx:
            for ticket in await tx.tickets.begun_by(worker):
                await self._give_up(tx, ticket)

    async def hand_over(self, ticket_id: str) -> None:
        """Hand it over, if nobody has begun to. It is claimed first; what may have gone out is never sent again."""
        ticket = await self._claim(ticket_id)
        if ticket is None:
            return
        try:
            if ticket.hand_over.way is Way.AZURE:
                await self._opened_at_azure(ticket)
                return
            if self._desks.mail is None:
                await self._settle(
                    ticket.id,
                    lambda t: t.not_handed_over("not-configured", ""),
                    AuditTag.TICKET_NOT_HANDED_OVER,
                )
                return
            await self._desks.mail.send(
                Outgoing(
                    f"{ticket.id}-{ticket.hand_over.attempt}",
                    ticket.hand_over.to,
                    ticket.subject,
                    ticket.text,
                    "zh-CN" if self._cloud is Cloud.CHINA else "en",
                )
            )
        except Upstream as error:
            code, reason = error.code, error.reason or str(error.status or "")
            if (
                type(error) is Unavailable and ticket.hand_over.way is Way.EMAIL
            ):  # it fell silent over the text
                await self._settle(
                    ticket.id, lambda t: t.lost_sight_of(code, reason), AuditTag.TICKET_HAND_OVER_UNKNOWN
                )
            else:
                await self._settle(
                    ticket.id, lambda t: t.not_handed_over(code, reason), AuditTag.TICKET_NOT_HANDED_OVER
                )
        else:
            at = self._now()
            await self._settle(ticket.id, lambda t: t.handed_over(at=at), AuditTag.TICKET_HANDED_OVER)

    async def look(self, ticket_id: str, *, unless_younger: timedelta = timedelta(0)) -> Ticket:
        """Read what Microsoft has of it by now, and keep it. Raises NotFound, Upstream.

        Without news it is kept only where what is known was not read so short a time ago.
        """
        ticket = await self.get(ticket_id)
        if not self.is_followed(ticket):
            return ticket
        state = await self._read(ticket)
        return await self._heard(ticket, state, unless_younger=unless_younger) if state else ticket

    async def read(self) -> None:
        """Look at all that are followed; what cannot be read now is looked at the next time."""
        async with self._store.read() as tx:
            followed = [ticket for ticket in await tx.tickets.open() if self.is_followed(ticket)]
        for ticket in followed:
            try:
                await self.look(ticket.id, unless_younger=STALE_AFTER)
            except (Upstream, NotFound) as error:
                log.warning("%s at Microsoft: %s", ticket.id, error.code)

    async def sweep(self) -> None:
        """Expire, give up, hand out again, redraw and remind: whatever was left behind or has become due."""
        at = self._now()
        async with self._store.begin() as tx:
            for ticket in await tx.tickets.expired(at=at):
                await self._keep(tx, ticket.expire(at=at), AuditTag.TICKET_EXPIRED)
            for ticket in await tx.tickets.abandoned(before=at - GIVEN_UP_AFTER):
                await self._give_up(tx, ticket)
            for ticket in await tx.tickets.unclaimed(before=at - STRANDED_AFTER):
                await self._courier.send(tx.connection, jobs.hand_over_ticket(ticket))
            for ticket in await tx.tickets.behind(since=at - LOOK_BACK, until=at - STRANDED_AFTER):
                await self._courier.send(tx.connection, jobs.show_ticket(ticket))
            calendar = self._in_force().policy.calendar
            for ticket in await tx.tickets.open():
                due = ticket.due(at=at, zone=self._zone, calendar=calendar, cloud=self._cloud)
                if due and not await tx.posts.find(nudge_key(ticket, due.nudge, due.key)):
                    await self._courier.send(tx.connection, jobs.nudge_ticket(ticket, due))
            await tx.tickets.forget_drafts(before=at - DRAFTS_LIVE)

    async def _opened_at_azure(self, ticket: Ticket) -> None:
        """A PUT under a name of ours: whoever does it again gets the same ticket."""
        azure, customer, subscription = self._azure(ticket)
        state = await azure.open(customer, subscription, name_of(ticket), ticket)
        at = self._now()

        def settled(known: Ticket) -> Ticket:
            done = known.handed_over(at=at)
            if not state.number:
                return done
            return done.file(state.number, by=BY_BACKSTOP, at=at).heard(state, at=at)

        await self._settle(
            ticket.id, settled, AuditTag.TICKET_HANDED_OVER, number=state.number, name=name_of(ticket)
        )

    async def _read(self, ticket: Ticket) -> VendorState | None:
        if ticket.hand_over.way is Way.AZURE:
            azure, customer, subscription = self._azure(ticket)
            return await azure.read(customer, subscription, name_of(ticket))
        unknown = NotFound("service-request", ticket.number)

        async def asked() -> VendorState | NotFound:
            """A number Microsoft does not know is no sign that the API is missing."""
            try:
                return await self._desks.partner_center.service_request(ticket.number)
            except NotFound:
                return unknown

        found = await self._features.ask(Feature.SERVICE_REQUESTS, asked)
        if isinstance(found, NotFound):
            raise found
        return found

    async def _heard(self, ticket: Ticket, state: VendorState, *, unless_younger: timedelta) -> Ticket:
        async with self._store.begin() as tx:
            known = await tx.tickets.get(ticket.id)
            if known.number != ticket.number or known.status is TicketStatus.CLOSED:
                return known
            heard = known.heard(state, at=self._now())
            if heard.vendor == known.vendor:  # no news: only the card says how fresh that is
                if known.vendor_read_at and self._now() - known.vendor_read_at < unless_younger:
                    return known
                kept = await tx.tickets.save(heard)
                await self._courier.send(tx.connection, jobs.show_ticket(kept))
                return kept
            return await self._keep(
                tx, heard, AuditTag.TICKET_UPDATED, status=state.status, notes=len(state.notes)
            )

    async def _told(self, ticket: Ticket, text: str) -> None:
        if ticket.hand_over.way is Way.AZURE:
            azure, customer, subscription = self._azure(ticket)
            await azure.note(customer, subscription, name_of(ticket), text)
        else:
            await self._desks.partner_center.add_note(ticket.number, text)

    def _azure(self, ticket: Ticket) -> tuple[AzureDesk, CustomerId, SubscriptionId]:
        customer, subscription = ticket.about.customer_id, ticket.about.azure_id
        if self._desks.azure is None or customer is None or subscription is None:
            raise NotReady("azure", "not-configured")
        return self._desks.azure, customer, subscription

    async def _claim(self, ticket_id: str) -> Ticket | None:
        async with self._store.begin() as tx:
            ticket = await tx.tickets.get(ticket_id)
            try:
                return await tx.tickets.save(ticket.claim(holder=self._worker, at=self._now()))
            except TicketSettled:
                return None  # somebody is at it, or was

    async def _settle(
        self, ticket_id: str, change: Callable[[Ticket], Ticket], tag: AuditTag, **facts: object
    ) -> None:
        async def write(tx: Tx) -> None:
            known = await tx.tickets.get(ticket_id)
            if known.hand_over.stage is not Stage.CLAIMED and known.hand_over.stage is not Stage.UNKNOWN:
                return  # it is written down already: the answer of an earlier commit was lost
            settled = change(known)
            over = settled.hand_over
            await self._keep(
                tx, settled, tag, by=None, way=over.way.value, error=over.error, reason=over.reason, **facts
            )

        await self._store.keep(write)

    async def _give_up(self, tx: Tx, ticket: Ticket) -> None:
        if ticket.hand_over.way is Way.AZURE:
            again = await tx.tickets.save(ticket.due_again())
            await self._courier.send(tx.connection, jobs.hand_over_ticket(again))
            return
        lost = ticket.lost_sight_of("unavailable", "interrupted")
        await self._keep(
            tx, lost, AuditTag.TICKET_HAND_OVER_UNKNOWN, way=lost.hand_over.way.value, reason="interrupted"
        )

    async def _own(self, tx: Tx, ticket_id: str, by: Person) -> Ticket:
        by.must(Right.OPERATE)
        ticket = await tx.tickets.get(ticket_id)
        if ticket.opened_by != by.id:
            raise NotFound("ticket", ticket_id)
        return ticket

    async def _changed(
        self,
        ticket_id: str,
        change: Callable[[Ticket, datetime], Ticket],
        tag: AuditTag,
        *,
        by: Person,
        **facts: object,
    ) -> Ticket:
        """Load, let the domain decide, save, tell: one transaction. What is as wanted already stays as it is."""
        async with self._store.begin() as tx:
            known = await tx.tickets.get(ticket_id)
            changed = change(known, self._now())
            return known if changed == known else await self._keep(tx, changed, tag, by=by, **facts)

    async def _keep(
        self, tx: Tx, ticket: Ticket, tag: AuditTag, *, by: Person | None = None, **facts: object
    ) -> Ticket:
        kept = await tx.tickets.save(ticket)
        await tx.audit.append(tag, kept.id, by=by.id if by else BY_BACKSTOP, **facts)
        if kept.hand_over.stage is Stage.DUE:
            await self._courier.send(tx.connection, jobs.hand_over_ticket(kept))
        await self._courier.send(tx.connection, jobs.show_ticket(kept))
        return kept


def name_of(ticket: Ticket) -> str:
    """Under which Azure knows it."""
    return f"backstop-{ticket.id.lower()}"


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
