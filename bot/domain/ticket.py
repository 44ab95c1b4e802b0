"""A ticket: a service request we draft, hand over and follow until the loop with the customer is closed.

draft ──confirm──> pending ──enough approvals──> open ──filed, with its number──> filed ──resolved──> resolved
                     ├─> denied | expired          │                                  ──customer informed──> closed
                     └─> withdrawn <───────────────┘   (until something was handed over)

No public API creates a service request, so an open ticket waits for a person who files it in the portal; where it is
handed over by mail, or opened through Azure Resource Manager, that is `HandOver`:

due ──claimed by one worker──┬─> done
 ^                           ├─> failed    (definitely not handed over)
 └────────try again──────────┤
                             └─> unknown   (nobody can tell: a person looks, and says so)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final, NewType

from bot.domain.calendar import BusinessCalendar
from bot.domain.customer import Cloud
from bot.domain.errors import (
    AlreadyApproved,
    Invalid,
    NotPermitted,
    OwnRequest,
    RequestExpired,
    TicketSettled,
)
from bot.domain.matter import NOTHING, About, Matter, TicketKind, first_response, shown
from bot.domain.people import Person, PersonId, Right
from bot.domain.request import Decision, Reminder, Verdict, reminder_due

TicketId = NewType("TicketId", str)

MOST_NUMBER, MOST_NOTE = 40, 3000
"""Characters."""
FILE_WITHIN: Final = timedelta(hours=4)
"""So long a ticket may wait to be filed before its opener is reminded; after that on every business day."""
NO_NEWS_DAYS: Final = 3
"""After so many business days without news whoever opened it is asked to look."""
BY_BACKSTOP: Final = PersonId("backstop")


class Way(StrEnum):
    """How it is handed over."""

    PORTAL = "portal"
    """A person files it; we give the link."""
    EMAIL = "email"
    AZURE = "azure"
    """Azure Resource Manager opens it."""


class TicketStatus(StrEnum):
    DRAFT = "draft"
    PENDING = "pending"
    OPEN = "open"
    """To be filed: it has no number yet."""
    FILED = "filed"
    RESOLVED = "resolved"
    """The customer has still to be told."""
    CLOSED = "closed"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"

    @property
    def is_open(self) -> bool:
        """Somebody has still to do something."""
        return self in (TicketStatus.PENDING, TicketStatus.OPEN, TicketStatus.FILED, TicketStatus.RESOLVED)


class Stage(StrEnum):
    """How far the hand-over has come, where it is not a person's."""

    DUE = "due"
    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"
    """It was definitely not handed over."""
    UNKNOWN = "unknown"
    """It may have been; a person has to look."""


@dataclass(frozen=True, slots=True)
class HandOver:
    way: Way = Way.PORTAL
    to: str = ""
    """The address a mail goes to."""
    stage: Stage | None = None
    """None while a person does it, or it is not time yet."""
    asked_at: datetime | None = None
    claimed_at: datetime | None = None
    holder: str = ""
    """The worker that claimed it."""
    done_at: datetime | None = None
    attempt: int = 0
    error: str = ""
    """The code of what went wrong."""
    reason: str = ""
    """The other side's own number or word, never its sentence."""


@dataclass(frozen=True, slots=True)
class VendorNote:
    """What was written on the service request at Microsoft."""

    text: str
    by: str
    at: datetime | None
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class VendorState:
    """A service request as Microsoft has it."""

    number: str
    status: str
    """`open`, `closed`, `attention_needed`, or Microsoft's own word."""
    notes: tuple[VendorNote, ...] = ()
    """The oldest first."""
    changed_at: datetime | None = None

    @property
    def is_closed(self) -> bool:
        return self.status == "closed"

    @property
    def was_answered(self) -> bool:
        """Whether anybody but us has written, as far as it shows."""
        return self.is_closed or self.status == "attention_needed" or any(not n.is_ours for n in self.notes)


class Nudge(StrEnum):
    """What somebody has to be reminded of."""

    DECIDE = "decide"
    FILE = "file"
    ANSWER = "answer"
    """Microsoft's first response is overdue."""
    FOLLOW = "follow"
    """There has been no news for days."""
    INFORM = "inform"


@dataclass(frozen=True, slots=True)
class Due:
    """A reminder that should have been given by now; each `key` is given once."""

    nudge: Nudge
    key: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """Every method returns the next state or refuses by type."""

    id: TicketId
    opened_by: PersonId
    drafted_at: datetime
    channel: str = ""
    """Where it was begun: the opener is answered there."""
    origin: str = ""
    """What it follows from: the id of a request or of a case; empty where it follows from neither."""
    sought: str = ""
    """What was typed behind the command: customers it fits are offered first."""
    nonce: str = ""
    """Of the newest *Continue*, and of the one confirmation that counts; empty in what an older release kept."""
    status: TicketStatus = TicketStatus.DRAFT
    matter: Matter | None = None
    about: About = NOTHING
    subject: str = ""
    text: str = ""
    """The draft as it was shown and confirmed; this is handed over, word for word."""
    portal: str = ""
    """Where a person files it."""
    hand_over: HandOver = HandOver()
    placed_at: datetime | None = None
    """When it was confirmed."""
    opened_at: datetime | None = None
    """When enough had approved of it; until then there is nothing to file."""
    expires_at: datetime | None = None
    approvals_needed: int = 0
    decisions: tuple[Decision, ...] = ()
    number: str = ""
    filed_by: PersonId | None = None
    filed_at: datetime | None = None
    vendor: VendorState | None = None
    vendor_read_at: datetime | None = None
    answered_at: datetime | None = None
    """When an answer of Microsoft's was first known."""
    resolved_by: PersonId | None = None
    resolved_at: datetime | None = None
    resolution: str = ""
    informed_by: PersonId | None = None
    informed_at: datetime | None = None
    informed_in: str = ""
    """The language of the text the customer was sent."""
    informed_hash: str = ""
    """SHA-256 of that text."""
    closed_by: PersonId | None = None
    """Who withdrew it."""
    closed_at: datetime | None = None
    dry_run: bool = False
    """Nothing is handed over; every card says so."""
    version: int = 0

    @property
    def open_key(self) -> str | None:
        """One open ticket per customer and kind: the database refuses the second."""
        if not self.status.is_open or self.matter is None:
            return None
        return f"{(self.about.customer_id or 'partner').lower()}|{self.matter.kind}"

    def fill_in(
        self,
        matter: Matter,
        what: About,
        *,
        subject: str,
        text: str,
        portal: str,
        hand_over: HandOver,
        by: Person,
    ) -> Ticket:
        """Keep exactly what the confirmation is going to show. Raises NotPermitted, Invalid, TicketSettled."""
        self._must_be_draft_of(by)
        if what.customer_id is None and matter.kind is not TicketKind.PARTNER_CENTER:
            raise Invalid("customer", "missing")
        return replace(
            self,
            matter=matter.checked_over(),
            about=what,
            subject=subject,
            text=text,
            portal=portal,
            hand_over=hand_over,
        )

    def confirm(
        self,
        *,
        by: Person,
        at: datetime,
        approvals_needed: int,
        time_to_live: timedelta,
        dry_run: bool = False,
    ) -> Ticket:
        """Now it is a ticket. One that needs no approval is open at once."""
        self._must_be_draft_of(by)
        if self.matter is None:
            raise Invalid("title", "missing")
        waiting = replace(
            self,
            status=TicketStatus.PENDING,
            placed_at=at,
            expires_at=at + time_to_live,
            approvals_needed=approvals_needed,
            dry_run=dry_run,
        )
        return waiting._opened(at) if approvals_needed <= 0 else waiting

    def approve(self, *, by: Person, at: datetime) -> Ticket:
        self._must_be_decidable(by=by, at=at)
        if any(d.by == by.id for d in self.decisions):
            raise AlreadyApproved(self.id)
        decided = replace(self, decisions=(*self.decisions, Decision(Verdict.APPROVE, by=by.id, at=at)))
        enough = len({d.by for d in decided.decisions}) >= self.approvals_needed
        return decided._opened(at) if enough else decided

    def deny(self, *, by: Person, at: datetime, why: str) -> Ticket:
        self._must_be_decidable(by=by, at=at)
        decision = Decision(Verdict.DENY, by=by.id, at=at, why=why)
        return replace(self, status=TicketStatus.DENIED, decisions=(*self.decisions, decision), closed_at=at)

    def expire(self, *, at: datetime) -> Ticket:
        """Nobody decided in time."""
        if self.status is not TicketStatus.PENDING or self.expires_at is None or at < self.expires_at:
            raise self._settled()
        return replace(self, status=TicketStatus.EXPIRED, closed_at=at)

    def withdraw(self, *, by: Person, at: datetime) -> Ticket:
        """Its opener takes it back, as long as nothing was handed over or may have been."""
        by.must_belong()
        if by.id != self.opened_by:
            raise NotPermitted("withdraw")
        if self.status not in (TicketStatus.PENDING, TicketStatus.OPEN) or not self.may_be_withdrawn:
            raise self._settled()
        return replace(self, status=TicketStatus.WITHDRAWN, closed_by=by.id, closed_at=at)

    @property
    def may_be_withdrawn(self) -> bool:
        return self.hand_over.stage in (None, Stage.FAILED)

    def claim(self, *, holder: str, at: datetime) -> Ticket:
        """One worker hands it over, once and for all."""
        if self.status is not TicketStatus.OPEN or self.hand_over.stage is not Stage.DUE:
            raise self._settled()
        taken = replace(self.hand_over, stage=Stage.CLAIMED, claimed_at=at, holder=holder)
        return replace(self, hand_over=taken)

    def handed_over(self, *, at: datetime) -> Ticket:
        """The other side took it. Knowing it outweighs that it was given up as unknown meanwhile."""
        self._must_be_under_way()
        return replace(
            self, hand_over=replace(self.hand_over, stage=Stage.DONE, done_at=at, error="", reason="")
        )

    def not_handed_over(self, error: str, reason: str) -> Ticket:
        """It was definitely not handed over; a person may try again, or file it by hand."""
        self._must_be_under_way()
        return replace(
            self, hand_over=replace(self.hand_over, stage=Stage.FAILED, error=error, reason=reason)
        )

    def lost_sight_of(self, error: str, reason: str) -> Ticket:
        """Nobody can tell whether it was."""
        if self.hand_over.stage is not Stage.CLAIMED:
            raise self._settled()
        return replace(
            self, hand_over=replace(self.hand_over, stage=Stage.UNKNOWN, error=error, reason=reason)
        )

    def due_again(self) -> Ticket:
        """Whoever claimed it died. Only what may be repeated without harm is handed out again."""
        if self.hand_over.stage is not Stage.CLAIMED or self.hand_over.way is not Way.AZURE:
            raise self._settled()
        return replace(self, hand_over=replace(self.hand_over, stage=Stage.DUE, claimed_at=None, holder=""))

    def hand_over_again(self, *, by: Person, at: datetime) -> Ticket:
        """A person has it tried again, where it was definitely not handed over; what goes out stays the same."""
        by.must(Right.OPERATE)
        if self.status is not TicketStatus.OPEN or self.hand_over.stage is not Stage.FAILED:
            raise self._settled()
        due = replace(
            self.hand_over,
            stage=Stage.DUE,
            asked_at=at,
            claimed_at=None,
            holder="",
            error="",
            reason="",
            attempt=self.hand_over.attempt + 1,
        )
        return replace(self, hand_over=due)

    def decide_hand_over(self, *, was_sent: bool, by: Person, at: datetime) -> Ticket:
        """A person looked, and says whether it was handed over."""
        by.must(Right.OPERATE)
        if self.hand_over.stage is not Stage.UNKNOWN:
            raise self._settled()
        stage = Stage.DONE if was_sent else Stage.FAILED
        return replace(self, hand_over=replace(self.hand_over, stage=stage, done_at=at if was_sent else None))

    def file(self, number: str, *, by: PersonId, at: datetime) -> Ticket:
        """It is with Microsoft, under this number. A number mistyped may be put right until it is resolved.

        Raises Invalid for what cannot be one: letters, digits and what stands between them, on one line.
        """
        if self.status not in (TicketStatus.OPEN, TicketStatus.FILED):
            raise self._settled()
        number = number.strip().lstrip("#").strip()
        if not number:
            raise Invalid("number", "missing")
        plain = all(c.isalnum() or c in "-_./:" for c in number)
        if len(number) > MOST_NUMBER or not plain or not any(c.isdigit() for c in number):
            raise Invalid("number", "no-ticket-number", {"most": str(MOST_NUMBER)})
        if number == self.number:
            return self
        return replace(
            self,
            status=TicketStatus.FILED,
            number=number,
            filed_by=by,
            filed_at=self.filed_at or at,
            vendor=None,
            vendor_read_at=None,
            answered_at=None,
        )

    def heard(self, state: VendorState, *, at: datetime) -> Ticket:
        """What Microsoft has of it by now."""
        if self.status not in (TicketStatus.FILED, TicketStatus.RESOLVED):
            raise self._settled()
        answered = self.answered_at or (at if state.was_answered else None)
        return replace(self, vendor=state, vendor_read_at=at, answered_at=answered)

    def answered(self, *, by: Person, at: datetime) -> Ticket:
        """A person says that Microsoft has answered, where no API does."""
        by.must(Right.OPERATE)
        if self.status is not TicketStatus.FILED or self.answered_at is not None:
            raise self._settled()
        return replace(self, answered_at=at)

    def resolve(self, *, by: Person, at: datetime, how: str) -> Ticket:
        """What it was about is solved. Only what was filed can be; the customer has still to be told."""
        by.must(Right.OPERATE)
        if self.status is not TicketStatus.FILED:
            raise self._settled()
        how = shown(how).strip()
        if len(how) > MOST_NOTE:
            raise Invalid("resolution", "too-long", {"most": str(MOST_NOTE)})
        return replace(self, status=TicketStatus.RESOLVED, resolved_by=by.id, resolved_at=at, resolution=how)

    def close(self, *, by: Person, at: datetime, language: str, text_hash: str) -> Ticket:
        """The customer was told: the loop is closed."""
        by.must(Right.OPERATE)
        if self.status is not TicketStatus.RESOLVED:
            raise self._settled()
        return replace(
            self,
            status=TicketStatus.CLOSED,
            informed_by=by.id,
            informed_at=at,
            informed_in=language,
            informed_hash=text_hash,
            closed_at=at,
        )

    def response_due(self, cloud: Cloud) -> datetime | None:
        """Until when Microsoft answers by its own promise; None where none is published, or it has answered."""
        if self.matter is None or self.filed_at is None or self.answered_at is not None:
            return None
        promised = first_response(self.matter.severity, cloud)
        return self.filed_at + promised if promised else None

    def due(self, *, at: datetime, zone: tzinfo, calendar: BusinessCalendar, cloud: Cloud) -> Due | None:
        """The reminder that should have been given by now, if any; people are reminded on business days only."""
        today = at.astimezone(zone).date()
        if self.status is TicketStatus.PENDING:
            reminder = self.reminder(at=at)
            return Due(Nudge.DECIDE, reminder.value) if reminder else None
        if not calendar.is_business_day(today):
            return None
        if self.status is TicketStatus.OPEN and self.opened_at and at >= self.opened_at + FILE_WITHIN:
            return Due(Nudge.FILE, today.isoformat())
        if (
            self.status is TicketStatus.RESOLVED
            and self.resolved_at
            and _is_later(today, self.resolved_at, zone)
        ):
            return Due(Nudge.INFORM, today.isoformat())
        if self.status is not TicketStatus.FILED or self.filed_at is None:
            return None
        overdue = self.response_due(cloud)
        if overdue is not None and at >= overdue:
            return Due(Nudge.ANSWER, today.isoformat())
        news = max(
            filter(None, (self.filed_at, self.answered_at, self.vendor.changed_at if self.vendor else None))
        )
        quiet = _business_days(news.astimezone(zone).date(), today, calendar)
        if quiet >= NO_NEWS_DAYS and quiet % NO_NEWS_DAYS == 0:
            return Due(Nudge.FOLLOW, today.isoformat())
        return None

    @property
    def approvals(self) -> tuple[Decision, ...]:
        return tuple(d for d in self.decisions if d.verdict is Verdict.APPROVE)

    @property
    def denial(self) -> Decision | None:
        return next((d for d in self.decisions if d.verdict is Verdict.DENY), None)

    def reminder(self, *, at: datetime) -> Reminder | None:
        """Of a ticket nobody has decided on."""
        if self.status is not TicketStatus.PENDING or self.placed_at is None or self.expires_at is None:
            return None
        return reminder_due(self.placed_at, self.expires_at, at=at)

    def _opened(self, at: datetime) -> Ticket:
        by_hand = self.hand_over.way is Way.PORTAL or self.dry_run
        waiting = self.hand_over if by_hand else replace(self.hand_over, stage=Stage.DUE, asked_at=at)
        return replace(self, status=TicketStatus.OPEN, opened_at=at, hand_over=waiting)

    def _must_be_draft_of(self, by: Person) -> None:
        by.must(Right.OPERATE)
        if self.status is not TicketStatus.DRAFT or by.id != self.opened_by:
            raise self._settled()

    def _must_be_decidable(self, *, by: Person, at: datetime) -> None:
        by.must(Right.APPROVE)
        if self.status is not TicketStatus.PENDING or self.expires_at is None:
            raise self._settled()
        if at >= self.expires_at:
            raise RequestExpired(self.id, self.expires_at)
        if by.id == self.opened_by:
            raise OwnRequest(self.id)

    def _must_be_under_way(self) -> None:
        if self.hand_over.stage not in (Stage.CLAIMED, Stage.UNKNOWN):
            raise self._settled()

    def _settled(self) -> TicketSettled:
        last = self.informed_by or self.resolved_by or self.filed_by or self.closed_by
        if self.decisions and last is None:
            last = self.decisions[-1].by
        return TicketSettled(self.id, self.status.value, last)


def _is_later(today: date, than: datetime, zone: tzinfo) -> bool:
    return today > than.astimezone(zone).date()


def _business_days(since: date, until: date, calendar: BusinessCalendar) -> int:
    """How many business days have begun since."""
    days = (since + timedelta(days=n) for n in range(1, (until - since).days + 1))
    return sum(calendar.is_business_day(day) for day in days)


def way_for(kind: TicketKind, what: About, chosen: Iterable[tuple[str, Way]], cloud: Cloud) -> Way:
    """The way the settings name for that kind, the last that fits; the portal where Azure would not take it.

    `chosen` are pairs of a kind, or `*`, and a way. Azure Resource Manager opens tickets on Global, and only about a
    subscription of Azure's own.
    """
    ways = [way for which, way in chosen if which in ("*", kind.value)]
    way = ways[-1] if ways else Way.PORTAL
    return Way.PORTAL if way is Way.AZURE and (cloud is not Cloud.GLOBAL or what.azure_id is None) else way
