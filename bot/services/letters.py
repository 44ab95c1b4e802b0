"""Letters to customers: draft, send once, or record as sent by hand. Nothing in here knows a word of a letter."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from bot.courier import Courier
from bot.domain.audit import AuditTag, change
from bot.domain.collection import Facts, History, Standing
from bot.domain.customer import Customer, CustomerId
from bot.domain.errors import LetterSettled, NotFound, Unavailable, Upstream
from bot.domain.letter import (
    Account,
    BillingContact,
    Deadline,
    Letter,
    LetterId,
    LetterKind,
    LetterStatus,
    account,
    deadline,
    fitting_kind,
)
from bot.domain.people import Person, Right
from bot.domain.policy import BillingPolicy, InForce
from bot.mail import TOTAL_SECONDS, Mail, Outgoing
from bot.services import jobs
from bot.services.day import day_of
from bot.services.new_id import new_id
from bot.store import Store, Tx

GIVEN_UP_AFTER = timedelta(seconds=TOTAL_SECONDS * 2)
"""Longer than any mail takes: a letter begun so long ago was begun by a worker that died."""
STRANDED_AFTER = timedelta(seconds=60)
"""A letter nobody has begun for so long has lost its job."""
LOOK_BACK = timedelta(days=2)
"""How far back the sweep looks for results that never reached Slack."""
DRAFTS_LIVE = timedelta(days=2)

log = logging.getLogger(__name__)


class KnowsContacts(Protocol):
    """Partner Center, as far as a letter needs it."""

    async def billing_profile(self, customer: CustomerId) -> BillingContact: ...


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody filled in."""

    kind: LetterKind
    customer_id: CustomerId
    customer_name: str
    language: str
    to: str
    subject: str
    body: str
    stage: str | None


@dataclass(frozen=True, slots=True)
class Situation:
    """A customer as a letter finds them."""

    on: date
    policy: BillingPolicy
    standing: Standing
    facts: Facts
    history: History
    account: Account
    earlier: tuple[Letter, ...]
    """What they were told, oldest first."""

    @property
    def fitting_kind(self) -> LetterKind:
        return fitting_kind(self.standing, self.account, self.earlier)

    def deadline(self, kind: LetterKind) -> Deadline | None:
        return deadline(kind, self.policy, self.facts, self.history, on=self.on)


class Letters:
    def __init__(
        self,
        store: Store,
        courier: Courier,
        contacts: KnowsContacts,
        *,
        mail: Mail | None,
        in_force: Callable[[], InForce],
        signature: str = "",
        zone: ZoneInfo,
        now: Callable[[], datetime],
    ) -> None:
        """Without `mail` a letter can only be sent by hand. `signature` ends every letter; `zone` is the partner's."""
        self._store = store
        self._courier = courier
        self._contacts = contacts
        self._mail = mail
        self._in_force = in_force
        self._zone = zone
        self._now = now
        self._worker = ""
        self.signature = signature

    @property
    def can_send(self) -> bool:
        return self._mail is not None

    async def contact(self, customer_id: CustomerId) -> BillingContact | None:
        """Whom Microsoft has for the customer's bills, live; None when that cannot be read."""
        try:
            return await self._contacts.billing_profile(customer_id)
        except (Upstream, NotFound) as error:
            log.warning("billing profile of %s: %s", customer_id, error.code)
            return None

    async def situation(self, customer: Customer) -> Situation:
        """How things stand with the customer today, by debts of which it is known that they are theirs."""
        at, policy = self._now(), self._in_force().policy
        on = at.astimezone(self._zone).date()
        async with self._store.read() as tx:
            day = await day_of(tx, on, policy=policy, asked_at=at, zone=self._zone, besides=customer)
            told = await tx.letters.recorded([customer.id])
        return Situation(
            on=on,
            policy=policy,
            standing=day.standing(customer),
            facts=day.facts(customer.id),
            history=day.histories.get(customer.id, History()),
            account=account(day.debtors_of(customer.id), on=on, as_of=day.last.as_of if day.last else None),
            earlier=told.get(customer.id, ()),
        )

    def is_outdated(self, letter: Letter) -> bool:
        """Whether its words must not be used again, for they name a day that was worked out on another one."""
        return letter.is_outdated(at=self._now(), zone=self._zone)

    async def recorded(self, customers: Collection[CustomerId]) -> dict[CustomerId, tuple[Letter, ...]]:
        """What each of these was told, oldest first."""
        async with self._store.read() as tx:
            return await tx.letters.recorded(customers)

    async def get(self, letter_id: str) -> Letter:
        async with self._store.read() as tx:
            return await tx.letters.get(letter_id, to_change=False)

    async def draft(self, written: Written, *, by: Person) -> Letter:
        """Keep exactly what is going to be shown before it is confirmed. Raises Invalid."""
        letter = Letter.write(
            LetterId(new_id("L")),
            written.kind,
            customer_id=written.customer_id,
            customer_name=written.customer_name,
            language=written.language,
            to=written.to,
            subject=written.subject,
            body=written.body,
            stage=written.stage,
            by=by,
            at=self._now(),
        )
        async with self._store.begin() as tx:
            await tx.letters.add(letter)
        return letter

    async def send(self, letter_id: str, *, by: Person) -> Letter:
        """Have it sent. A second *Confirm* of the same draft changes nothing."""
        async with self._store.begin() as tx:
            letter = await self._own(tx, letter_id, by)
            if letter.status is not LetterStatus.DRAFT:
                return letter
            sending = letter.send(by=by, at=self._now(), zone=self._zone)
            await tx.letters.save(sending)
            facts = _facts(letter) | change(letter.status, sending.status)
            await tx.audit.append(AuditTag.LETTER_WRITTEN, letter.id, by=by.id, **facts)
            await self._courier.send(tx.connection, jobs.send_letter(sending))
        return sending

    async def copied(self, letter_id: str, *, by: Person) -> Letter:
        """Record that the person sent it by hand. A second *Confirm* of the same draft changes nothing."""
        async with self._store.begin() as tx:
            letter = await self._own(tx, letter_id, by)
            if letter.status is not LetterStatus.DRAFT:
                return letter
            copied = letter.copied(by=by, at=self._now(), zone=self._zone)
            await tx.letters.save(copied)
            facts = _facts(letter) | change(letter.status, copied.status)
            await tx.audit.append(AuditTag.LETTER_COPIED, letter.id, by=by.id, **facts)
        return copied

    async def decide(self, letter_id: str, *, was_sent: bool, by: Person) -> Letter:
        """A person looked, and says whether a letter was sent of which nobody knew."""
        async with self._store.begin() as tx:
            letter = await tx.letters.get(letter_id)
            decided = letter.decide(was_sent=was_sent, by=by, at=self._now(), zone=self._zone)
            await tx.letters.save(decided)
            tag = AuditTag.LETTER_SENT if was_sent else AuditTag.LETTER_FAILED
            facts = change(letter.status, decided.status)
            await tx.audit.append(tag, decided.id, by=by.id, decided=True, **facts)
            await self._courier.send(tx.connection, jobs.tell_letter(decided))
        return decided

    async def deliver(self, letter_id: str) -> None:
        """Send it, if nobody has begun to. It is claimed first; what was begun is never sent again."""
        letter = await self._claim(letter_id)
        if letter is None:
            return
        try:
            if self._mail is None:
                await self._settle(letter, lambda known: known.failed("not-configured", ""))
                return
            await self._mail.send(
                Outgoing(letter.id, letter.to, letter.subject, letter.body, letter.language)
            )
        except Upstream as error:
            code, reason = error.code, error.reason
            if type(error) is Unavailable:  # the server fell silent over the text
                await self._settle(letter, lambda known: known.lost_sight_of(code, reason))
            else:
                await self._settle(letter, lambda known: known.failed(code, reason))
        else:
            at = self._now()
            await self._settle(letter, lambda known: known.sent(at=at, zone=self._zone))

    async def begin(self, worker: str) -> None:
        """Send under this name; what its last bearer began to send and did not live to finish nobody knows.

        As for `Execution.begin`: no two living workers bear one name.
        """
        self._worker = worker
        async with self._store.begin() as tx:
            for letter in await tx.letters.begun_by(worker):
                await self._give_up(tx, letter)

    async def sweep(self) -> None:
        """Say what nobody knows, hand out again what no worker has begun, tell what was not heard, forget drafts."""
        at = self._now()
        async with self._store.begin() as tx:
            for letter in await tx.letters.abandoned(before=at - GIVEN_UP_AFTER):
                await self._give_up(tx, letter)
            for letter in await tx.letters.unclaimed(before=at - STRANDED_AFTER):
                await self._courier.send(tx.connection, jobs.send_letter(letter))
            for letter in await tx.letters.untold(since=at - LOOK_BACK, until=at - STRANDED_AFTER):
                await self._courier.send(tx.connection, jobs.tell_letter(letter))
            await tx.letters.forget_drafts(before=at - DRAFTS_LIVE)

    async def _own(self, tx: Tx, letter_id: str, by: Person) -> Letter:
        by.must(Right.OPERATE)
        letter = await tx.letters.get(letter_id)
        if letter.written_by != by.id:
            raise NotFound("letter", letter_id)
        return letter

    async def _claim(self, letter_id: str) -> Letter | None:
        async with self._store.begin() as tx:
            letter = await tx.letters.get(letter_id)
            try:
                claimed = letter.claim(holder=self._worker, at=self._now())
            except LetterSettled:
                return None  # somebody is at it, or was
            await tx.letters.save(claimed)
        return claimed

    async def _settle(self, letter: Letter, settle: Callable[[Letter], Letter]) -> None:
        async with self._store.begin() as tx:
            known = await tx.letters.get(letter.id)
            await self._keep(tx, known, settle(known))

    async def _give_up(self, tx: Tx, letter: Letter) -> None:
        await self._keep(tx, letter, letter.lost_sight_of("unavailable", "interrupted"))

    async def _keep(self, tx: Tx, before: Letter, letter: Letter) -> None:
        await tx.letters.save(letter)
        facts = {"error": letter.error, "reason": letter.reason, **change(before.status, letter.status)}
        await tx.audit.append(_TAGS[letter.status], letter.id, **facts)
        await self._courier.send(tx.connection, jobs.tell_letter(letter))


_TAGS = {
    LetterStatus.SENT: AuditTag.LETTER_SENT,
    LetterStatus.FAILED: AuditTag.LETTER_FAILED,
    LetterStatus.UNKNOWN: AuditTag.LETTER_UNKNOWN,
}


def _facts(letter: Letter) -> dict[str, Any]:
    """For the audit trail: who was told what kind of thing, where, and which text, but not a word of it."""
    return {
        "kind": letter.kind.value,
        "customer": letter.customer_id,
        "customer_name": letter.customer_name,
        "language": letter.language,
        "stage": letter.stage,
        "to": letter.to,
        "text_sha256": letter.text_hash,
    }
