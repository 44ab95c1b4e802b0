"""A letter: what a customer is told about a debt or about their access, by mail or by a person's own hand.

draft ──send──> sending ──claimed by one worker──┬─> sent
   └──copied──> copied                           ├─> failed     (definitely not sent)
                                                 └─> unknown    (nobody can tell)
unknown ──a person looked──> sent | failed

A letter is sent once. What failed is written anew, as another letter. What is on record as sent counts from the day
on which it was recorded, in the partner's zone: `recorded_on`. An operator knows letters as notices; in here a notice
is what Slack has yet to be told.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from bot.domain.action import Verb
from bot.domain.aging import PartyBalances
from bot.domain.collection import Facts, History, Standing, advance, standing
from bot.domain.customer import CustomerId
from bot.domain.errors import Invalid, LetterOutdated, LetterSettled
from bot.domain.people import Person, PersonId, Right
from bot.domain.policy import BillingPolicy, StageAction
from bot.domain.receivables import OpenItem
from bot.domain.request import ActionRequest, Status

LetterId = NewType("LetterId", str)

MOST_ADDRESS, MOST_SUBJECT, MOST_BODY = 254, 150, 3000
"""Characters: of an address by RFC 5321, of the rest by what a form of Slack takes."""
MOST_DOCUMENTS = 20
"""So many documents a letter names."""
FURTHEST_DAY = 366
"""So many days ahead a warning names the day of a suspension; what is further off is not told as a date."""

_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u0080-\U0010ffff-]{1,64}"
    r"@((?!-)[A-Za-z0-9\u0080-\U0010ffff-]+(?<!-)\.)+[A-Za-z\u0080-\U0010ffff]{2}[A-Za-z0-9\u0080-\U0010ffff-]*"
)
_LINE_ENDS = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")


class LetterKind(StrEnum):
    REMIND = "remind"
    WARN = "warn"
    FINAL = "final"
    """The last warning."""
    SUSPENDED = "suspended"
    RESUMED = "resumed"

    @property
    def is_warning(self) -> bool:
        """Whether it says that access will be suspended."""
        return self in (LetterKind.WARN, LetterKind.FINAL)

    @property
    def asks_for_money(self) -> bool:
        return self is LetterKind.REMIND or self.is_warning


class LetterStatus(StrEnum):
    DRAFT = "draft"
    SENDING = "sending"
    SENT = "sent"
    COPIED = "copied"
    """A person sent it by hand, and says so."""
    FAILED = "failed"
    """It was definitely not sent."""
    UNKNOWN = "unknown"
    """It may have been sent; a person has to look."""


def checked(to: str, subject: str, body: str) -> tuple[str, str, str]:
    """What was typed as a letter has it. Raises Invalid for what cannot be a letter."""
    to, subject, body = to.strip(), one_line(subject), as_lines(body)
    if to and not is_address(to):
        raise Invalid("to", "no-mail-address")
    for name, text, most in (("subject", subject, MOST_SUBJECT), ("body", body, MOST_BODY)):
        if not text:
            raise Invalid(name, "missing")
        if len(text) > most:
            raise Invalid(name, "too-long", {"most": str(most)})
    return to, subject, body


@dataclass(frozen=True, slots=True)
class Letter:
    """Every method returns the next state or refuses by type. Address and text are personal data."""

    id: LetterId
    kind: LetterKind
    customer_id: CustomerId
    customer_name: str
    language: str
    to: str
    """Empty where a person sends it by hand and did not say whereto."""
    subject: str
    body: str
    stage: str | None
    """The stage of the billing policy the customer had come to when it was written."""
    written_by: PersonId
    written_at: datetime
    status: LetterStatus = LetterStatus.DRAFT
    asked_at: datetime | None = None
    """When somebody pressed *Confirm*."""
    claimed_at: datetime | None = None
    """When a worker began to send it. Whoever finds this set must not send it."""
    holder: str = ""
    """That worker."""
    sent_at: datetime | None = None
    """Of a letter sent by hand: when the person said so."""
    recorded_on: date | None = None
    """From which day on it is on record as sent, in the partner's zone. A warning's notice counts from here."""
    error: str = ""
    """The code of what went wrong."""
    reason: str = ""
    """The mail server's number, or a short word; never its sentence, which may repeat the address."""
    version: int = 0
    """Grows with every save."""

    @classmethod
    def write(
        cls,
        letter_id: LetterId,
        kind: LetterKind,
        *,
        customer_id: CustomerId,
        customer_name: str,
        language: str,
        to: str,
        subject: str,
        body: str,
        stage: str | None,
        by: Person,
        at: datetime,
    ) -> Letter:
        """A draft. Raises NotPermitted, or Invalid for what cannot be a letter."""
        by.must(Right.OPERATE)
        to, subject, body = checked(to, subject, body)
        return cls(
            id=letter_id,
            kind=kind,
            customer_id=customer_id,
            customer_name=customer_name,
            language=language,
            to=to,
            subject=subject,
            body=body,
            stage=stage,
            written_by=by.id,
            written_at=at,
        )

    def send(self, *, by: Person, at: datetime, zone: tzinfo) -> Letter:
        """Have it sent by mail. Raises LetterOutdated for a warning whose days were worked out on another day."""
        self._must_be_draft_of(by)
        if not self.to:
            raise Invalid("to", "missing")
        if self.is_outdated(at=at, zone=zone):
            raise LetterOutdated
        return replace(self, status=LetterStatus.SENDING, asked_at=at)

    def copied(self, *, by: Person, at: datetime, zone: tzinfo) -> Letter:
        """The person says that they sent it by hand."""
        self._must_be_draft_of(by)
        return replace(self, status=LetterStatus.COPIED, asked_at=at, sent_at=at, recorded_on=_day(at, zone))

    def claim(self, *, holder: str, at: datetime) -> Letter:
        """One worker takes it, once and for all."""
        if self.status is not LetterStatus.SENDING or self.claimed_at is not None:
            raise self._settled()
        return replace(self, claimed_at=at, holder=holder)

    def sent(self, *, at: datetime, zone: tzinfo) -> Letter:
        """The mail server took it. Knowing it outweighs that it was given up as unknown meanwhile."""
        self._must_be_under_way()
        return replace(
            self, status=LetterStatus.SENT, sent_at=at, recorded_on=_day(at, zone), error="", reason=""
        )

    def failed(self, error: str, reason: str) -> Letter:
        """It was definitely not sent."""
        self._must_be_under_way()
        return replace(self, status=LetterStatus.FAILED, error=error, reason=reason)

    def lost_sight_of(self, error: str, reason: str) -> Letter:
        """Nobody can tell whether it was sent."""
        if self.status is not LetterStatus.SENDING or self.claimed_at is None:
            raise self._settled()
        return replace(self, status=LetterStatus.UNKNOWN, error=error, reason=reason)

    def decide(self, *, was_sent: bool, by: Person, at: datetime, zone: tzinfo) -> Letter:
        """A person looked, and says whether it was sent. Notice counts from their word on, not from before it."""
        by.must(Right.OPERATE)
        if self.status is not LetterStatus.UNKNOWN:
            raise self._settled()
        if was_sent:
            return replace(
                self, status=LetterStatus.SENT, sent_at=self.claimed_at, recorded_on=_day(at, zone)
            )
        return replace(self, status=LetterStatus.FAILED)

    def is_outdated(self, *, at: datetime, zone: tzinfo) -> bool:
        """Whether it names a day that was worked out on another one."""
        return self.kind.is_warning and _day(self.written_at, zone) != _day(at, zone)

    @property
    def is_recorded(self) -> bool:
        """Whether the customer was told, as far as anybody knows."""
        return self.status in (LetterStatus.SENT, LetterStatus.COPIED)

    @property
    def counts_as_warning(self) -> bool:
        """Whether a suspension may refer to it."""
        return self.kind.is_warning and self.is_recorded

    @property
    def text_hash(self) -> str:
        """What the audit trail holds instead of subject and text."""
        return hashlib.sha256(f"{self.subject}\n{self.body}".encode()).hexdigest()

    def _must_be_draft_of(self, by: Person) -> None:
        by.must(Right.OPERATE)
        if self.status is not LetterStatus.DRAFT or by.id != self.written_by:
            raise self._settled()

    def _must_be_under_way(self) -> None:
        if self.claimed_at is None or self.status not in (LetterStatus.SENDING, LetterStatus.UNKNOWN):
            raise self._settled()

    def _settled(self) -> LetterSettled:
        return LetterSettled(self.id, self.status.value)


def is_address(text: str) -> bool:
    """Whether it is one mail address; one that is not ASCII (RFC 6531) not every mail server takes."""
    local = text.partition("@")[0]
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    shown = all(c.isprintable() and not c.isspace() for c in text)
    return len(text.encode()) <= MOST_ADDRESS and shown and not dots and bool(_ADDRESS.fullmatch(text))


def one_line(text: str) -> str:
    """Fit for a header: nothing in it ends the line, and nothing is invisible."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def as_lines(text: str) -> str:
    """Fit for a plain text: lines, and no control characters in them."""
    lines = _LINE_ENDS.sub("\n", text).replace("\t", "    ").split("\n")
    return "\n".join("".join(c for c in line if _is_seen(c)).rstrip() for line in lines).strip("\n")


def _is_seen(c: str) -> bool:
    """Whether it is shown; the spaces in `1 234,56 €` and in Chinese are, though Python does not call them so."""
    return c.isprintable() or unicodedata.category(c) == "Zs"


def _day(at: datetime, zone: tzinfo) -> date:
    return at.astimezone(zone).date()


@dataclass(frozen=True, slots=True)
class BillingContact:
    """Whom Microsoft has for a customer's bills. Personal data: never for a channel."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    language: str | None = None
    """Microsoft's word for it, such as `de` or `zh-CN`."""

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.first_name, self.last_name) if part)


@dataclass(frozen=True, slots=True)
class Owed:
    """What is past due in one currency, and may be asked for."""

    overdue: Decimal
    credits: Decimal
    """Unused, as a positive amount."""

    @property
    def net(self) -> Decimal:
        return max(Decimal(0), self.overdue - self.credits)


@dataclass(frozen=True, slots=True)
class Account:
    """What a letter may ask a customer to pay: neither disputed, blocked, promised for later nor covered by credits."""

    documents: tuple[OpenItem, ...] = ()
    """Past due, the oldest first."""
    owed: Mapping[str, Owed] | None = None
    """By currency, in alphabetical order."""
    as_of: date | None = None
    """The day the books speak for."""


def account(parties: Sequence[PartyBalances], *, on: date, as_of: date | None = None) -> Account:
    """Several debtors in the books may be one customer. A currency that credits cover is left out."""
    asked = [item for party in parties for item in party.items if item.may_be_asked_for(on=on)]
    owed: dict[str, Owed] = {}
    for currency in sorted({item.currency for item in asked}):
        overdue = sum((item.open_amount for item in asked if item.currency == currency), Decimal(0))
        balances = (party.balances.get(currency) for party in parties)
        credits = sum((balance.credits for balance in balances if balance), Decimal(0))
        if overdue > credits:
            owed[currency] = Owed(overdue, credits)
    documents = sorted(
        (item for item in asked if item.currency in owed),
        key=lambda item: (item.due_date, item.document_number, item.instalment),
    )
    return Account(tuple(documents), owed, as_of)


@dataclass(frozen=True, slots=True)
class Deadline:
    """What follows and when: the stage of the billing policy, and the first day on which it may come."""

    day: date
    stage: str


def deadline(
    kind: LetterKind, policy: BillingPolicy, facts: Facts, history: History, *, on: date
) -> Deadline | None:
    """From which day on the policy proposes to suspend a customer who is warned today and pays nothing.

    This is the policy's own answer, day after day: the stage's days and amounts, the notice of the warning that it
    requires, days off, exemptions and promises. None where nothing is warned of, where it may come today already,
    or where it does not come within FURTHEST_DAY days by what is overdue now.
    """
    if not kind.is_warning:
        return None
    facts = replace(facts, books_are_fresh=True, books_are_complete=True)
    history = replace(history, began=history.began or on, warned=(*history.warned, on))
    history = replace(
        history, overdue=None
    )  # nothing is paid, so nothing has to be compared with what was owed
    for days in range(FURTHEST_DAY):
        day = on + timedelta(days=days)
        aged = {c: replace(debt, oldest_days=debt.oldest_days + days) for c, debt in facts.exposure.items()}
        by_then = replace(facts, exposure=aged)
        stands = standing(policy, by_then, history, on=day)
        if stands.proposes_suspension:
            stages = policy.stages_for(facts.tenant, on=day)
            stage = next(s for s in stages if s.action is StageAction.PROPOSE_SUSPEND)
            return Deadline(day, stage.id) if days else None
        history = replace(advance(policy, by_then, history, stands, on=day), overdue=None)
    return None


def fitting_kind(stands: Standing, owed: Account, earlier: Sequence[Letter]) -> LetterKind:
    """What to write next: nobody is warned for the last time who was not warned of these very debts."""
    stage = stands.stage
    if stage is None or stage.action is StageAction.REMIND or not owed.documents:
        return LetterKind.REMIND
    since = owed.documents[0].due_date
    warned = any(le.counts_as_warning and le.recorded_on and le.recorded_on > since for le in earlier)
    return LetterKind.FINAL if warned and stage.action is not StageAction.WARN else LetterKind.WARN


_TELLS = {Verb.SUSPEND: LetterKind.SUSPENDED, Verb.RESUME: LetterKind.RESUMED}


def telling_of(request: ActionRequest) -> LetterKind | None:
    """The letter that tells a customer what was done; None where nothing was, or nothing is to be told."""
    if request.status is not Status.DONE or request.dry_run:
        return None
    return _TELLS.get(request.action.verb)


@dataclass(frozen=True, slots=True)
class Matter:
    """All a letter speaks of, before it is put in words."""

    kind: LetterKind
    customer_name: str
    contact: str
    """Whom to greet; empty where nobody knows."""
    on: date
    account: Account
    deadline: Deadline | None = None
    services: tuple[str, ...] = ()
    """What was suspended or resumed, by name."""
    data_until: date | None = None
    """Of a suspension: the last day on which Microsoft keeps the data for certain."""
    signature: str = ""
