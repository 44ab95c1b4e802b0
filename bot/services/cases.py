"""Cases of suspicion: worked out from what was seen, settled by people, told to Microsoft."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.courier import Courier
from bot.domain.audit import AuditTag
from bot.domain.case import (
    Case,
    CaseId,
    Memory,
    Mute,
    Recorded,
    Step,
    Verdict,
    case_of,
    check_mute,
    episodes,
    judge,
    peak,
    precision,
    tick,
)
from bot.domain.customer import Countdown, Customer, CustomerId
from bot.domain.digest import Banner
from bot.domain.errors import CaseChanged, NotFound
from bot.domain.evidence_material import CaseFile
from bot.domain.observation import Past, Reported, Source, linked
from bot.domain.people import Person, Right
from bot.domain.policy import InForce
from bot.domain.signal import Rule, RuleBook, Severity, Signal
from bot.domain.suspicion import signals
from bot.domain.suspicious import (
    Backtest,
    CaseLine,
    Hidden,
    Missing,
    SuspiciousDigest,
    damage,
    what_rules_said,
    worst_first,
)
from bot.services import jobs
from bot.services.digests import Digests
from bot.services.features import Features
from bot.services.new_id import new_id
from bot.services.watch import FEATURES, Watch, owed_on
from bot.store import Store, Tx
from bot.store.cases import CaseRow, Said, findings_of

LOOK_BACK: Final = timedelta(days=400)
"""So much of the past the rules are shown."""
PRECISION_REACHES: Final = timedelta(days=365)
PREVIEW_DAYS: Final = 90
NOBODY: Final = ""
"""Under this id stands what names no customer, or is about the partner itself."""
POSTED: Final = "digest:suspicious:"

log = logging.getLogger(__name__)


def suspicious_key(channel: str, day: date) -> str:
    """One post per digest, channel and day."""
    return f"{POSTED}{channel}:{day.isoformat()}"


@dataclass(frozen=True)
class _Known:
    """Everything a day's cases are worked out from."""

    at: datetime
    on: date
    since: datetime | None
    """When people last looked."""
    pasts: Mapping[CustomerId, Past]
    memories: Mapping[CustomerId, Memory]
    names: Mapping[str, Customer]
    rows: Mapping[CustomerId, tuple[CaseRow, ...]]


class Cases:
    def __init__(
        self,
        store: Store,
        courier: Courier,
        digests: Digests,
        features: Features,
        watch: Watch,
        in_force: Callable[[], InForce],
        *,
        zone: ZoneInfo,
        now: Callable[[], datetime],
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._courier = courier
        self._digests = digests
        self._features = features
        self._watch = watch
        self._in_force = in_force
        self._zone = zone
        self._now = now
        self._dry_run = dry_run

    @property
    def _book(self) -> RuleBook:
        return self._in_force().policy.risk

    async def digest(self, *, on: date | None = None) -> SuspiciousDigest:
        """What looks wrong on that day (default: now), by what was known at its end. Nothing is written."""
        today = self._digests.today()
        day = on or today
        async with self._store.read() as tx:
            known = await self._known(tx, self._moment(day), day)
            said = await tx.cases.said(until=known.at)
            mutes = await tx.cases.mutes(at=known.at, on=day)
            suspended: dict[str, tuple[Countdown, ...]] = {}
            running: Mapping[str, int] | None = None
            if day == today:
                running = await tx.mirror.running(known.names)
        if day == today:
            for countdown in await self._digests.countdowns():
                owner = countdown.subscription.customer_id
                suspended[owner] = (*suspended.get(owner, ()), countdown)
        # Beside the loop: with thousands of customers it takes seconds, and Slack waits three for an ack.
        found = await asyncio.to_thread(_cases, known, self._book, self._zone)
        lines = [
            CaseLine(
                case,
                known.names.get(case.customer_id),
                damage(case, known.pasts[case.customer_id]),
                known.pasts[case.customer_id],
                suspended.get(case.customer_id, ()),
                running.get(case.customer_id, 0) if running is not None else None,
            )
            for case in found
        ]
        shown = {case.id for case in found}
        settled_ids = {each.case_id for theirs in said.values() for each in theirs}
        quiet = sum(
            row.id not in shown and row.id not in settled_ids and row.opened_at <= known.at
            for rows in known.rows.values()
            for row in rows
        )
        looks = await self._watch.looks()
        return SuspiciousDigest(
            on=day,
            at=known.at,
            as_of=min((look.at for look in looks.values()), default=None),
            banners=self._banners(seen=bool(looks)),
            missing=await self._missing(),
            cases=worst_first(line for line in lines if line.case.is_open),
            settled=worst_first(line for line in lines if not line.case.is_open),
            quiet=quiet,
            mutes=mutes,
            names=_names_of(mutes, known),
            precision=precision(
                (each.judged.verdict, frozenset(each.rules.values()))
                for theirs in said.values()
                for each in theirs
                if each.judged.at > known.at - PRECISION_REACHES
            ),
        )

    async def record(self) -> tuple[Case, ...]:
        """Write down today's cases; those that are to be told at once. The same facts recorded twice change nothing."""
        digest = await self.digest()
        urgent = []
        async with self._store.begin() as tx:  # who clicks on a case does not wait until the books are read
            # What is older was written down when it was read.
            owed = [each for line in digest.cases for each in line.past.owed if each.at == digest.at]
            await tx.observations.keep(owed, at=self._now())
        for line in digest.cases:
            await self._record(line.case)
            if line.case.severity is Severity.HIGH:
                urgent.append(line.case)
        return tuple(urgent)

    async def _record(self, case: Case) -> None:
        """One transaction a case: many workers may be at it, and each case is its own."""
        findings = findings_of(case.signals)
        row = CaseRow(case.id, case.customer_id, case.customer_name, self._now(), findings, 0)
        async with self._store.begin() as tx:
            try:
                known = await tx.cases.get(case.id, to_change=True)
            except NotFound:
                if await tx.cases.add(row):
                    await tx.audit.append(
                        AuditTag.CASE_OPENED,
                        case.id,
                        customer=case.customer_id,
                        customer_name=case.customer_name,
                        score=case.score,
                        severity=case.severity.value,
                        rules=sorted({signal.rule.value for signal in case.signals}),
                    )
                return
            grown = {
                key: max(points, known.findings.get(key, (rule, 0))[1])
                for key, (rule, points) in findings.items()
            }
            merged = {**known.findings, **{key: (findings[key][0], grown[key]) for key in findings}}
            if merged != dict(known.findings):
                await tx.cases.save(replace(known, findings=merged, customer_name=case.customer_name))
                await tx.audit.append(
                    AuditTag.CASE_GREW,
                    case.id,
                    customer=case.customer_id,
                    score=case.score,
                    rules=sorted({s.rule.value for s in case.signals if s.key not in known.findings}),
                )

    async def get(self, case_id: str) -> CaseLine:
        """The case as it stands now. Raises NotFound, also where its episode is over."""
        async with self._store.read() as tx:
            row = await tx.cases.get(case_id)
            known = await self._known(tx, self._now(), self._digests.today(), only=[row.customer_id])
        case = await asyncio.to_thread(_case, known, row.customer_id, self._book, self._zone)
        if case is None or case.id != row.id:
            raise NotFound("case", case_id)
        past = known.pasts[row.customer_id]
        return CaseLine(case, known.names.get(row.customer_id), damage(case, past), past)

    async def files(self, customer_id: str, *, only: str = "") -> tuple[CaseFile, ...]:
        """The customer's cases, or that one, the oldest first: also those that are over, with all that was said."""
        async with self._store.read() as tx:
            known = await self._known(tx, self._now(), self._digests.today(), only=[customer_id])
            rows = [row for row in known.rows.get(CustomerId(customer_id), ()) if only in ("", row.id)]
            said = (await tx.cases.said(until=known.at, only=[customer_id])).get(CustomerId(customer_id), ())
            ticked = await tx.cases.ticked([row.id for row in rows])
        past = known.pasts.get(CustomerId(customer_id), Past(CustomerId(customer_id)))
        found = await asyncio.to_thread(lambda: list(signals(past, self._book, at=known.at, zone=self._zone)))
        return tuple(
            CaseFile(
                row.id,
                row.opened_at,
                tuple(sorted((rule.value, points) for rule, points in row.findings.values())),
                tuple(sorted((s for s in found if s.key in row.findings), key=lambda s: (s.at, s.key))),
                tuple(each.judged for each in said if each.case_id == row.id),
                ticked.get(row.id, ()),
            )
            for row in rows
        )

    async def judge(
        self,
        case_id: str,
        verdict: Verdict,
        *,
        by: Person,
        version: int,
        note: str = "",
        until: date | None = None,
    ) -> Case:
        """Settle it as that version of it was shown. Raises CaseChanged when it has become another since.

        The same said again by the same person changes nothing.
        """
        _may_triage(by)
        line = await self.get(case_id)
        async with self._store.begin() as tx:
            row = await tx.cases.get(case_id, to_change=True)
            said = (await tx.cases.said(until=self._now(), only=[row.customer_id])).get(row.customer_id, ())
            last = next((each.judged for each in reversed(said) if each.case_id == row.id), None)
            is_settled = last is not None and row.findings.keys() <= last.keys.keys()
            if last and is_settled and (last.verdict, last.by) == (verdict, by.id):
                return line.case
            if row.version != version or (is_settled and line.case.judged is None):
                raise CaseChanged(case_id)
            settled = judge(line.case, verdict, by=by, at=self._now(), note=note, until=until)
            if settled.judged is None:
                raise CaseChanged(case_id)
            keys = {key: points for key, (_, points) in row.findings.items()}
            judged = replace(settled.judged, keys=keys)
            rules = {key: rule for key, (rule, _) in row.findings.items()}
            await tx.cases.say(row, judged, rules)
            await tx.audit.append(
                AuditTag.CASE_JUDGED,
                case_id,
                by=by.id,
                customer=row.customer_id,
                customer_name=row.customer_name,
                verdict=verdict.value,
                note=judged.note,
                until=until.isoformat() if until else None,
                score=line.case.score,
                rules=sorted({rule.value for rule in rules.values()}),
            )
            await self._courier.send(tx.connection, jobs.tell_microsoft(case_id, len(said) + 1))
            await self._courier.send(tx.connection, jobs.redraw_suspicious(self._digests.today()))
        return replace(settled, judged=judged)

    async def tick(self, case_id: str, step: Step, *, by: Person) -> bool:
        """A step of the runbook is done; False when somebody had said so before."""
        _may_triage(by)
        line = await self.get(case_id)
        ticked = tick(line.case, step, by=by, at=self._now())
        if ticked.ticked == line.case.ticked:
            return False
        async with self._store.begin() as tx:
            await tx.cases.get(case_id, to_change=True)
            if not await tx.cases.tick(CaseId(case_id), ticked.ticked[-1]):
                return False
            await tx.audit.append(
                AuditTag.CASE_STEP_DONE,
                case_id,
                by=by.id,
                customer=line.case.customer_id,
                step=step.value,
            )
            await self._courier.send(tx.connection, jobs.redraw_suspicious(self._digests.today()))
        return True

    async def report(
        self, customer_id: str, *, by: Person, words: str, id: str, link: str = ""
    ) -> Case | None:
        """Somebody says that something is wrong. `id` is the click's: the same one reports once.

        `link` leads to the message that was reported; it is Slack's, and nothing that somebody wrote.
        """
        by.must(Right.OPERATE if Right.APPROVE not in by.rights else Right.APPROVE)
        async with self._store.begin() as tx:
            customer = await tx.mirror.customer(customer_id)
            if customer is None:
                raise NotFound("customer", customer_id)
            reported = Reported(customer.id, self._now(), id, by.id, linked(words, link))
            if await tx.observations.keep([reported], at=self._now()):
                await tx.audit.append(
                    AuditTag.CASE_REPORTED,
                    customer.id,
                    by=by.id,
                    customer_name=customer.name,
                    words=reported.words,
                )
        async with self._store.read() as tx:
            known = await self._known(tx, self._now(), self._digests.today(), only=[customer.id])
        case = _case(known, customer.id, self._book, self._zone)
        if case:
            await self._record(case)
            async with self._store.begin() as tx:
                await self._courier.send(tx.connection, jobs.redraw_suspicious(self._digests.today()))
        return case

    async def preview(self, customer_id: str | None, rule: Rule | None) -> Hidden:
        """What such a mute would have left out over the last `PREVIEW_DAYS` days."""
        at, today = self._now(), self._digests.today()
        async with self._store.read() as tx:
            known = await self._known(tx, at, today, only=[customer_id] if customer_id else None)
        return await asyncio.to_thread(_would_hide, known, rule, self._book, self._zone)

    async def mute(
        self,
        customer_id: str | None,
        rule: Rule | None,
        *,
        until: date,
        cap: int,
        note: str,
        by: Person,
    ) -> Mute:
        """Leave it out of the digest until that day, or until it comes to `cap` points."""
        if customer_id == NOBODY:  # not everybody
            raise NotFound("customer", customer_id)
        check_mute(until, cap, by=by, on=self._digests.today(), book=self._book)
        mute = Mute(
            id=new_id("M"),
            customer_id=CustomerId(customer_id) if customer_id else None,
            rule=rule,
            until=until,
            cap=cap,
            by=by.id,
            at=self._now(),
            note=note.strip(),
        )
        async with self._store.begin() as tx:
            await tx.cases.mute(mute)
            await tx.audit.append(
                AuditTag.CASE_MUTED,
                customer_id or "everybody",
                by=by.id,
                mute=mute.id,
                rule=rule.value if rule else None,
                until=until.isoformat(),
                cap=cap,
                note=mute.note,
            )
            await self._courier.send(tx.connection, jobs.redraw_suspicious(self._digests.today()))
        return mute

    async def unmute(self, mute_id: str, *, by: Person) -> bool:
        """End it; False when it does not stand any more."""
        by.must(Right.OPERATE if Right.APPROVE not in by.rights else Right.APPROVE)
        async with self._store.begin() as tx:
            if not await tx.cases.unmute(mute_id, at=self._now()):
                return False
            await tx.audit.append(AuditTag.CASE_UNMUTED, mute_id, by=by.id)
            await self._courier.send(tx.connection, jobs.redraw_suspicious(self._digests.today()))
        return True

    async def backtest(self, book: RuleBook, *, days: int) -> Backtest:
        """What these rules would have said over the last `days` days, beside what people made of it."""
        until = self._digests.today()
        since = until - timedelta(days=days - 1)
        async with self._store.read() as tx:
            known = await self._known(tx, self._now(), until)
            said = await tx.cases.said(until=self._now())
        return await asyncio.to_thread(_backtest, known, said, book, self._zone, since, until)

    def _moment(self, day: date) -> datetime:
        """The end of a past day; of today, now."""
        end = datetime.combine(day + timedelta(days=1), time(), self._zone) - timedelta(microseconds=1)
        return min(end, self._now())

    async def _known(self, tx: Tx, at: datetime, on: date, *, only: Iterable[str] | None = None) -> _Known:
        """Of some, what is written down of them: somebody waits. Of all, with what they owe by the books as well."""
        wanted = list(only) if only is not None else None
        pasts = await tx.observations.all(until=at, since=at - LOOK_BACK, only=wanted)
        if wanted is None:
            day = await self._digests.day(tx, on)
            names = day.directory.by_id
            for owed in owed_on(day, at=at):
                past = pasts.get(owed.customer_id)
                # Debts alone are never suspicious: the rule about them wants something that was bought as well.
                if past and not any(o.key == owed.key for o in past.owed):
                    pasts[owed.customer_id] = replace(past, owed=(*past.owed, owed))
            del day  # of the books nothing else is needed any more
        else:
            names = {customer.id: customer for customer in await tx.mirror.customers_of(wanted)}
        rows = await tx.cases.all(only=wanted)
        said = await tx.cases.said(until=at, only=wanted)
        mutes = await tx.cases.mutes(at=at, on=on)
        ticked = await tx.cases.ticked([row.id for theirs in rows.values() for row in theirs])
        nothing, memories = Memory(mutes=mutes), {}
        for id in pasts:
            theirs = said.get(id, ())
            if not theirs and not rows.get(id):
                memories[id] = nothing
                continue
            memories[id] = Memory(
                recorded=tuple(
                    Recorded(row.id, frozenset(row.findings), row.version, ticked.get(row.id, ()))
                    for row in rows.get(id, ())
                ),
                said=tuple(each.judged for each in theirs),
                rules={key: rule for each in theirs for key, rule in each.rules.items()},
                mutes=mutes,
            )
        return _Known(at, on, await self._last_look(tx, on), pasts, memories, names, rows)

    async def _last_look(self, tx: Tx, on: date) -> datetime | None:
        """The end of the day of the digest before."""
        days = [date.fromisoformat(key.rpartition(":")[2]) for key in await tx.posts.keys(POSTED)]
        earlier = max((day for day in days if day < on), default=None)
        if earlier is None:
            return None
        post = [
            await tx.posts.find(key)
            for key in await tx.posts.keys(POSTED)
            if key.endswith(earlier.isoformat())
        ]
        return max((each.claimed_at for each in post if each), default=None)

    async def _missing(self) -> tuple[Missing, ...]:
        """What nobody could tell us, in the order of the sources."""
        outages = {outage.feature: outage for outage in await self._features.unavailable()}
        looks = await self._watch.looks()
        found = []
        for source in (s for s in Source if s is not Source.PEOPLE):
            outage = outages.get(FEATURES[source]) if source in FEATURES else None
            look = looks.get(source)
            if outage:
                found.append(Missing(source, outage.why or "cloud", until=outage.until))
            elif look is None:
                found.append(Missing(source, "never"))
            elif look.why or look.failed:
                found.append(Missing(source, look.why or "some", look.kept, look.failed))
        return tuple(found)

    def _banners(self, *, seen: bool) -> tuple[Banner, ...]:
        banners = [] if seen else [Banner("never_looked", {})]
        in_force = self._in_force()
        if why := in_force.refused:
            banners.append(Banner("policy_refused", {"why": why, "version": in_force.policy.version}))
        if self._dry_run:
            banners.append(Banner("dry_run", {}))
        return tuple(banners)


def _names_of(mutes: Iterable[Mute], known: _Known) -> dict[CustomerId, str]:
    ids = (mute.customer_id for mute in mutes)
    return {id: known.names[id].name for id in ids if id and id in known.names}


def _may_triage(by: Person) -> None:
    by.must(Right.OPERATE if Right.APPROVE not in by.rights else Right.APPROVE)


def _cases(known: _Known, book: RuleBook, zone: ZoneInfo) -> list[Case]:
    return [case for id in known.pasts if (case := _case(known, id, book, zone))]


def _case(known: _Known, id: CustomerId, book: RuleBook, zone: ZoneInfo) -> Case | None:
    past = known.pasts.get(id)
    if past is None:
        return None
    customer = known.names.get(id)
    return case_of(
        id,
        customer.name if customer else id,
        signals(past, book, at=known.at, zone=zone),
        known.memories.get(id, Memory()),
        at=known.at,
        on=known.on,
        book=book,
        since=known.since,
    )


def _would_hide(known: _Known, rule: Rule | None, book: RuleBook, zone: ZoneInfo) -> Hidden:
    since = known.at - timedelta(days=PREVIEW_DAYS)
    hidden: list[tuple[CustomerId, Signal]] = []
    cases = 0
    for id, past in known.pasts.items():
        found = [s for s in signals(past, book, at=known.at, zone=zone) if s.at > since]
        gone = [s for s in found if rule in (None, s.rule)]
        hidden += [(id, signal) for signal in gone]
        left = [s for s in found if s not in gone]
        cases += _count(found, book) - _count(left, book)
    return Hidden(PREVIEW_DAYS, tuple(hidden), cases)


def _count(found: Iterable[Signal], book: RuleBook) -> int:
    """How many cases these come to."""
    return sum(
        peak(episode, book=book) >= book.case_from for episode in episodes(found, quiet_days=book.quiet_days)
    )


def _backtest(
    known: _Known,
    said: Mapping[CustomerId, tuple[Said, ...]],
    book: RuleBook,
    zone: ZoneInfo,
    since: date,
    until: date,
) -> Backtest:
    found: list[tuple[CustomerId, Signal]] = []
    cases: list[Case] = []
    begin = datetime.combine(since, time(), zone)
    for id, past in known.pasts.items():
        theirs = [s for s in signals(past, book, at=known.at, zone=zone) if s.at >= begin]
        found += [(id, signal) for signal in theirs]
        name = known.names[id].name if id in known.names else id
        for episode in episodes(theirs, quiet_days=book.quiet_days):
            at = episode[-1].at
            case = case_of(id, name, episode, Memory(), at=at, on=at.astimezone(zone).date(), book=book)
            if case:
                cases.append(case)
    judged = {
        key: right
        for theirs in said.values()
        for each in theirs
        if (right := each.judged.verdict.was_right) is not None
        for key in each.judged.keys
    }
    cases.sort(key=lambda case: (case.first_seen, case.customer_name))
    return Backtest(since, until, tuple(cases), what_rules_said(found, judged))
