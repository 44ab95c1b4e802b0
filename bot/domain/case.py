"""A case: what looks wrong about one customer in one episode, what people made of it, and what is left to do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NewType

from bot.domain.customer import CustomerId
from bot.domain.errors import Invalid
from bot.domain.people import Person, PersonId, Right
from bot.domain.signal import Rule, RuleBook, Severity, Signal

CaseId = NewType("CaseId", str)

MUTE_DAYS = 90
"""Nobody is left out of sight for longer."""
REFUND_DAYS = 60
"""A refund for a first verified compromise is asked for within so many days of the first fraudulent usage:
learn.microsoft.com/partner-center/non-payment-fraud-misuse"""

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


class Verdict(StrEnum):
    """What a person says of a case."""

    LEGITIMATE = "legitimate"
    FRAUD = "fraud"
    IGNORE = "ignore"
    """Neither: it says nothing about the rules."""
    PLANNED = "planned"
    """The customer had told of it."""

    @property
    def was_right(self) -> bool | None:
        """Whether the rules were right to speak; None where it does not say."""
        return {Verdict.FRAUD: True, Verdict.LEGITIMATE: False, Verdict.PLANNED: False}.get(self)


class Step(StrEnum):
    """Microsoft's list for a compromised customer: learn.microsoft.com/partner-center/azure-fraud-notification"""

    CREDENTIALS = "credentials"
    MFA = "mfa"
    ROLES = "roles"
    QUOTA = "quota"
    RESOURCES = "resources"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Ticked:
    """Somebody did a step of the runbook."""

    step: Step
    by: PersonId
    at: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of a case. Its signals up to then, by `keys` with their points, are settled by it."""

    verdict: Verdict
    by: PersonId
    at: datetime
    note: str = ""
    until: date | None = None
    """Of what is planned: until that day the same rules say nothing about the customer."""
    keys: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mute:
    """Leaves a customer, a rule, or a rule about a customer out of the digest. At `cap` points it is told anyway."""

    id: str
    customer_id: CustomerId | None
    rule: Rule | None
    until: date
    """Its last day."""
    cap: int
    by: PersonId
    at: datetime
    note: str = ""

    def hides(self, signal: Signal, *, of: CustomerId, on: date) -> bool:
        return on <= self.until and self.customer_id in (None, of) and self.rule in (None, signal.rule)


@dataclass(frozen=True, slots=True)
class Case:
    """One customer in one episode. `signals` are all of the episode, the newest last."""

    id: CaseId
    customer_id: CustomerId
    customer_name: str
    signals: tuple[Signal, ...]
    score: int
    """Of the signals that count on the day."""
    severity: Severity
    first_seen: datetime
    last_seen: datetime
    judged: Judged | None = None
    """The newest verdict, as long as nothing that matters came after it."""
    earlier: tuple[Judged, ...] = ()
    """What was said before."""
    new_keys: frozenset[str] = frozenset()
    """The signals that were not in the digest before, or had fewer points."""
    hidden: tuple[Signal, ...] = ()
    """What a mute leaves out."""
    ticked: tuple[Ticked, ...] = ()
    version: int = 0

    @property
    def is_open(self) -> bool:
        return self.judged is None

    @property
    def woke(self) -> bool:
        """It was settled once, and became worse."""
        return self.is_open and bool(self.earlier)

    @property
    def refund_until(self) -> date | None:
        """The last day to ask Microsoft for a refund; None while nobody called it fraud."""
        said = [self.judged] if self.judged else list(self.earlier[-1:])
        if not any(judged.verdict is Verdict.FRAUD for judged in said):
            return None
        return self.first_seen.date() + timedelta(days=REFUND_DAYS)


def live(signals: Iterable[Signal], *, at: datetime, book: RuleBook) -> list[Signal]:
    """What still counts at that moment."""
    since = at - timedelta(days=book.live_days)
    return [signal for signal in signals if since < signal.at <= at]


def score(signals: Iterable[Signal], *, at: datetime, book: RuleBook) -> int:
    """Each rule counts once, with its strongest signal of the last `live_days`; at most 100."""
    strongest: dict[Rule, int] = {}
    for signal in live(signals, at=at, book=book):
        strongest[signal.rule] = max(strongest.get(signal.rule, 0), signal.points)
    return min(100, sum(strongest.values()))


def peak(signals: Sequence[Signal], *, book: RuleBook) -> int:
    """The highest score these ever had; they come in the order of time."""
    highest, begin = 0, 0
    for n, last in enumerate(signals):
        while signals[begin].at <= last.at - timedelta(days=book.live_days):
            begin += 1
        if n + 1 == len(signals) or signals[n + 1].at > last.at:
            highest = max(highest, score(signals[begin : n + 1], at=last.at, book=book))
    return highest


def severity(signals: Sequence[Signal], points: int, *, book: RuleBook) -> Severity:
    by_score = (
        Severity.HIGH
        if points >= book.high_from
        else Severity.MEDIUM
        if points >= book.case_from
        else Severity.LOW
    )
    return max((by_score, *(s.severity for s in signals)), key=lambda s: s.rank)


def episodes(signals: Iterable[Signal], *, quiet_days: int) -> list[tuple[Signal, ...]]:
    """Split what was found about one customer where it was quiet for so long; the oldest first."""
    found: list[list[Signal]] = []
    for signal in sorted(signals, key=lambda s: (s.at, s.key)):
        if found and signal.at - found[-1][-1].at <= timedelta(days=quiet_days):
            found[-1].append(signal)
        else:
            found.append([signal])
    return [tuple(each) for each in found]


def unsettled(signals: Iterable[Signal], said: Iterable[Judged]) -> tuple[Signal, ...]:
    """What no verdict has settled: the same finding is asked about again only when it has more points by now."""
    settled: dict[str, int] = {}
    for judged in said:
        for key, points in judged.keys.items():
            settled[key] = max(settled.get(key, 0), points)
    return tuple(s for s in signals if s.key not in settled or s.points > settled[s.key])


def is_planned(signal: Signal, said: Iterable[Judged], rules: Mapping[str, Rule]) -> bool:
    """Whether it came after somebody had said that it would. `rules` are those of the keys of the verdicts."""
    return any(
        judged.verdict is Verdict.PLANNED
        and judged.until is not None
        and signal.key not in judged.keys
        and signal.at.date() <= judged.until
        and signal.rule in {rules[key] for key in judged.keys if key in rules}
        for judged in said
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """A case as it was written down before: by the keys of its findings it is known again."""

    id: CaseId
    keys: frozenset[str]
    version: int = 0
    ticked: tuple[Ticked, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of a customer beside what was seen: its cases, what was said of them, what is muted."""

    recorded: tuple[Recorded, ...] = ()
    said: tuple[Judged, ...] = ()
    """The oldest first."""
    rules: Mapping[str, Rule] = field(default_factory=dict)
    """Of the keys the verdicts settle."""
    mutes: tuple[Mute, ...] = ()


def case_of(
    customer_id: CustomerId,
    customer_name: str,
    signals: Iterable[Signal],
    memory: Memory,
    *,
    at: datetime,
    on: date,
    book: RuleBook,
    since: datetime | None = None,
) -> Case | None:
    """The customer's case at that moment; None where nothing is going on.

    `on` is that day in the partner's zone, `since` is when people last looked; before, nothing is new to them.

    The same findings give the same case, however often and by however many they are looked at.
    """
    seen = [s for s in signals if s.at <= at and not is_planned(s, memory.said, memory.rules)]
    hidden = _muted(seen, customer_id, memory.mutes, at=at, on=on, book=book)
    running = episodes((s for s in seen if s not in hidden), quiet_days=book.quiet_days)
    if not running or at - running[-1][-1].at > timedelta(days=book.quiet_days):
        return None
    episode = running[-1]
    if peak(episode, book=book) < book.case_from:
        return None
    keys = {signal.key for signal in episode}
    said = tuple(judged for judged in memory.said if keys & judged.keys.keys())
    fresh = unsettled(episode, said) if said else episode
    is_settled = bool(said) and peak(fresh, book=book) < book.case_from
    known = next((r for r in reversed(memory.recorded) if r.keys & keys), None)
    points = score(episode if is_settled else fresh, at=at, book=book)
    return Case(
        id=known.id if known else _case_id(customer_id, episode[0]),
        customer_id=customer_id,
        customer_name=customer_name,
        signals=episode,
        score=points,
        severity=severity(live(fresh, at=at, book=book), points, book=book),
        first_seen=episode[0].at,
        last_seen=episode[-1].at,
        judged=said[-1] if is_settled else None,
        earlier=said[:-1] if is_settled else said,
        new_keys=frozenset(s.key for s in fresh if since is not None and s.at > since),
        hidden=tuple(hidden),
        ticked=known.ticked if known else (),
        version=known.version if known else 0,
    )


def _muted(
    signals: Sequence[Signal],
    customer: CustomerId,
    mutes: Sequence[Mute],
    *,
    at: datetime,
    on: date,
    book: RuleBook,
) -> list[Signal]:
    """What the mutes leave out; nothing, once all that is seen comes to the cap of one of them."""
    by = [(s, m) for s in signals for m in mutes if m.hides(s, of=customer, on=on)]
    if by and score(signals, at=at, book=book) >= min(mute.cap for _, mute in by):
        return []
    return list({signal.key: signal for signal, _ in by}.values())


def _case_id(customer: CustomerId, first: Signal) -> CaseId:
    """By content, so that all who notice it at once mean the same case."""
    made = hashlib.sha256(f"{customer}|{first.key}".encode()).digest()
    return CaseId("C-" + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in made[:10]))


def judge(
    case: Case, verdict: Verdict, *, by: Person, at: datetime, note: str = "", until: date | None = None
) -> Case:
    """Settle it. Raises NotPermitted, or Invalid for a day of what is planned that will not do."""
    by.must(Right.OPERATE if Right.APPROVE not in by.rights else Right.APPROVE)
    if until is not None:
        if until <= at.date():
            raise Invalid("date", "not-after-today")
        if (until - at.date()).days > MUTE_DAYS:
            raise Invalid("date", "too-many-days", {"days": str(MUTE_DAYS)})
    earlier = (*case.earlier, case.judged) if case.judged else case.earlier
    keys = {signal.key: signal.points for signal in case.signals}
    return replace(case, judged=Judged(verdict, by.id, at, note.strip(), until, keys), earlier=earlier)


def tick(case: Case, step: Step, *, by: Person, at: datetime) -> Case:
    """Somebody did a step of the runbook; the first to say so stays on it. Raises NotPermitted."""
    by.must(Right.OPERATE if Right.APPROVE not in by.rights else Right.APPROVE)
    if any(ticked.step is step for ticked in case.ticked):
        return case
    return replace(case, ticked=(*case.ticked, Ticked(step, by.id, at)))


def check_mute(until: date, cap: int, *, by: Person, on: date, book: RuleBook) -> None:
    """Raise NotPermitted, or Invalid under the field that will not do."""
    by.must(Right.APPROVE)
    if until <= on:
        raise Invalid("date", "not-after-today")
    if (until - on).days > MUTE_DAYS:
        raise Invalid("date", "too-many-days", {"days": str(MUTE_DAYS)})
    if not book.case_from <= cap <= 100:
        raise Invalid("cap", "out-of-range", {"least": str(book.case_from), "most": "100"})


@dataclass(frozen=True, slots=True)
class Precision:
    """How often a rule was right, by what people said; `ignore` does not count."""

    rule: Rule
    right: int
    wrong: int


def precision(judged: Iterable[tuple[Verdict, frozenset[Rule]]]) -> tuple[Precision, ...]:
    """Of each rule that had a part in a case that somebody settled."""
    counts: dict[Rule, list[int]] = {}
    for verdict, rules in judged:
        if verdict.was_right is None:
            continue
        for rule in rules:
            counts.setdefault(rule, [0, 0])[0 if verdict.was_right else 1] += 1
    return tuple(Precision(rule, *counts[rule]) for rule in Rule if rule in counts)
