"""Support: what passes between a ticket and the other side, by mail, by Azure, by Partner Center's service requests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from bot.courier import Courier
from bot.domain.audit import AuditTag
from bot.domain.capability import Feature
from bot.domain.customer import Cloud, CustomerId, SubscriptionId
from bot.domain.errors import Invalid, NotFound, NotReady, TicketSettled, Unavailable, Upstream
from bot.domain.people import Person, Right
from bot.domain.ticket import BY_BACKSTOP, Stage, Ticket, TicketStatus, VendorState, Way
from bot.mail import TOTAL_SECONDS, Mail, Outgoing
from bot.services import jobs
from bot.services.features import Features
from bot.services.tickets import STRANDED_AFTER, keep
from bot.store import Store, Tx

GIVEN_UP_AFTER = timedelta(seconds=TOTAL_SECONDS * 2)
"""Longer than any hand-over takes: one begun so long ago was begun by a worker that died."""
STALE_AFTER = timedelta(hours=4)
"""So long a card may say that nothing was read since; a redraw for nothing new is Slack's time as well."""

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


class Support:
    def __init__(
        self,
        store: Store,
        courier: Courier,
        features: Features,
        desks: Desks,
        *,
        cloud: Cloud,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._courier = courier
        self._features = features
        self._desks = desks
        self._cloud = cloud
        self._now = now
        self._worker = ""

    def takes(self, way: Way) -> bool:
        """Whether a ticket can be handed over so."""
        if way is Way.EMAIL:
            return self._desks.mail is not None
        return way is Way.PORTAL or self._desks.azure is not None

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

    def is_followed(self, ticket: Ticket) -> bool:
        """Whether an API tells what becomes of it: Azure's of what it opened, Partner Center's of what has digits.

        Not on 21Vianet, where the whole API of service requests never was.
        """
        if ticket.status not in (TicketStatus.FILED, TicketStatus.RESOLVED):
            return False
        if ticket.hand_over.way is Way.AZURE and ticket.hand_over.stage is Stage.DONE:
            return True
        return self._cloud is not Cloud.CHINA and ticket.number.isdigit()

    async def begin(self, worker: str) -> None:
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
        ticket = await self._get(ticket_id)
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
        """Give up, or hand out again, what was left behind."""
        at = self._now()
        async with self._store.begin() as tx:
            for ticket in await tx.tickets.abandoned(before=at - GIVEN_UP_AFTER):
                await self._give_up(tx, ticket)
            for ticket in await tx.tickets.unclaimed(before=at - STRANDED_AFTER):
                await self._courier.send(tx.connection, jobs.hand_over_ticket(ticket))

    async def note(self, ticket_id: str, text: str, *, by: Person, id: str) -> Ticket:
        """Write a note on it at Microsoft, then read it again. Raises Invalid, TicketSettled, Upstream.

        `id` is the form's: the same one sent twice writes once. What may have arrived is not sent again.
        """
        by.must(Right.OPERATE)
        if not text.strip():
            raise Invalid("note", "missing")
        ticket = await self._get(ticket_id)
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
        ticket = await self._get(ticket_id)
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

    async def _get(self, ticket_id: str) -> Ticket:
        async with self._store.read() as tx:
            return await tx.tickets.get(ticket_id, to_change=False)

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
            facts: dict[str, Any] = {"status": state.status, "notes": len(state.notes)}
            return await keep(self._courier, tx, known, heard, AuditTag.TICKET_UPDATED, **facts)

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
        self, ticket_id: str, settle: Callable[[Ticket], Ticket], tag: AuditTag, **facts: object
    ) -> None:
        async def write(tx: Tx) -> None:
            known = await tx.tickets.get(ticket_id)
            if known.hand_over.stage is not Stage.CLAIMED and known.hand_over.stage is not Stage.UNKNOWN:
                return  # it is written down already: the answer of an earlier commit was lost
            settled = settle(known)
            over = settled.hand_over
            await keep(
                self._courier,
                tx,
                known,
                settled,
                tag,
                by=None,
                way=over.way.value,
                error=over.error,
                reason=over.reason,
                **facts,
            )

        await self._store.keep(write)

    async def _give_up(self, tx: Tx, ticket: Ticket) -> None:
        if ticket.hand_over.way is Way.AZURE:
            again = await tx.tickets.save(ticket.due_again())
            await self._courier.send(tx.connection, jobs.hand_over_ticket(again))
            return
        lost = ticket.lost_sight_of("unavailable", "interrupted")
        await keep(
            self._courier,
            tx,
            ticket,
            lost,
            AuditTag.TICKET_HAND_OVER_UNKNOWN,
            way=lost.hand_over.way.value,
            reason="interrupted",
        )


def name_of(ticket: Ticket) -> str:
    """Under which Azure knows it."""
    return f"backstop-{ticket.id.lower()}"
