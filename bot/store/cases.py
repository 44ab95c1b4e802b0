"""Cases, what people said of them, the steps they ticked off, and what they muted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.case import CaseId, Judged, Mute, Step, Ticked, Verdict
from bot.domain.customer import CustomerId
from bot.domain.errors import Conflict, NotFound
from bot.domain.people import PersonId
from bot.domain.signal import Rule
from bot.store.tables import cases, mutes, runbook, verdicts

Findings = Mapping[str, tuple[Rule, int]]
"""By the key of a signal: its rule and its points."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as it was last recorded."""

    id: CaseId
    customer_id: CustomerId
    customer_name: str
    opened_at: datetime
    findings: Findings
    version: int


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict, of which case and on which rules."""

    case_id: CaseId
    customer_id: CustomerId
    judged: Judged
    rules: Mapping[str, Rule]
    """Of the keys it settles."""


class Cases:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, case_id: str, *, to_change: bool = False) -> CaseRow:
        """Read one; `to_change` keeps others waiting until our transaction ends. Raises NotFound."""
        query = select(cases).where(cases.c.id == case_id)
        row = (await self._connection.execute(query.with_for_update() if to_change else query)).one_or_none()
        if row is None:
            raise NotFound("case", case_id)
        return _case(row)

    async def all(self, *, only: Collection[str] | None = None) -> dict[CustomerId, tuple[CaseRow, ...]]:
        """By customer, the oldest first."""
        query = select(cases).order_by(cases.c.opened_at, cases.c.id)
        if only is not None:
            query = query.where(cases.c.customer_id.in_(only))
        found: dict[CustomerId, tuple[CaseRow, ...]] = {}
        for row in await self._connection.execute(query):
            case = _case(row)
            found[case.customer_id] = (*found.get(case.customer_id, ()), case)
        return found

    async def add(self, case: CaseRow) -> bool:
        """Keep a new one; False when somebody was first."""
        try:
            async with self._connection.begin_nested():  # Postgres gives up a transaction after an error
                await self._connection.execute(
                    insert(cases).values(
                        id=case.id,
                        customer_id=case.customer_id,
                        customer_name=case.customer_name,
                        opened_at=case.opened_at,
                        findings=_written(case.findings),
                        version=case.version,
                    )
                )
        except IntegrityError:
            return False
        return True

    async def save(self, case: CaseRow) -> None:
        """Write what it holds by now. Raises Conflict when somebody saved since it was read."""
        changed = await self._connection.execute(
            update(cases)
            .where(cases.c.id == case.id, cases.c.version == case.version)
            .values(
                findings=_written(case.findings), customer_name=case.customer_name, version=case.version + 1
            )
        )
        if changed.rowcount != 1:
            raise Conflict("database", "changed-meanwhile")

    async def say(self, case: CaseRow, judged: Judged, rules: Mapping[str, Rule]) -> None:
        findings = {key: (rules[key], points) for key, points in judged.keys.items()}
        await self._connection.execute(
            insert(verdicts).values(
                case_id=case.id,
                customer_id=case.customer_id,
                verdict=judged.verdict.value,
                by=judged.by,
                at=judged.at,
                note=judged.note,
                until=judged.until,
                findings=_written(findings),
            )
        )

    async def said(
        self, *, until: datetime, only: Collection[str] | None = None
    ) -> dict[CustomerId, tuple[Said, ...]]:
        """What was said up to that moment, by customer, the oldest first."""
        query = select(verdicts).where(verdicts.c.at <= until).order_by(verdicts.c.at, verdicts.c.id)
        if only is not None:
            query = query.where(verdicts.c.customer_id.in_(only))
        found: dict[CustomerId, tuple[Said, ...]] = {}
        for row in await self._connection.execute(query):
            said = _said(row)
            found[said.customer_id] = (*found.get(said.customer_id, ()), said)
        return found

    async def tick(self, case_id: CaseId, ticked: Ticked) -> bool:
        """False when somebody ticked that step before."""
        try:
            async with self._connection.begin_nested():
                await self._connection.execute(
                    insert(runbook).values(
                        case_id=case_id, step=ticked.step.value, by=ticked.by, at=ticked.at
                    )
                )
        except IntegrityError:
            return False
        return True

    async def ticked(self, only: Collection[str]) -> dict[CaseId, tuple[Ticked, ...]]:
        query = select(runbook).where(runbook.c.case_id.in_(only)).order_by(runbook.c.at, runbook.c.step)
        found: dict[CaseId, tuple[Ticked, ...]] = {}
        for row in await self._connection.execute(query):
            id = CaseId(row.case_id)
            found[id] = (*found.get(id, ()), Ticked(Step(row.step), PersonId(row.by), row.at))
        return found

    async def mute(self, mute: Mute) -> None:
        await self._connection.execute(
            insert(mutes).values(
                id=mute.id,
                customer_id=mute.customer_id,
                rule=mute.rule.value if mute.rule else None,
                until=mute.until,
                cap=mute.cap,
                by=mute.by,
                at=mute.at,
                note=mute.note,
            )
        )

    async def mutes(self, *, at: datetime, on: date) -> tuple[Mute, ...]:
        """Those that stand at that moment."""
        query = (
            select(mutes)
            .where(
                mutes.c.at <= at, mutes.c.until >= on, or_(mutes.c.ended_at.is_(None), mutes.c.ended_at > at)
            )
            .order_by(mutes.c.at, mutes.c.id)
        )
        return tuple(_mute(row) for row in await self._connection.execute(query))

    async def unmute(self, mute_id: str, *, at: datetime) -> bool:
        """False when it does not stand any more."""
        ended = await self._connection.execute(
            update(mutes).where(mutes.c.id == mute_id, mutes.c.ended_at.is_(None)).values(ended_at=at)
        )
        return bool(ended.rowcount)


def findings_of(signals: Iterable[Any]) -> dict[str, tuple[Rule, int]]:
    return {signal.key: (signal.rule, signal.points) for signal in signals}


def _written(findings: Findings) -> dict[str, list[Any]]:
    return {key: [rule.value, points] for key, (rule, points) in findings.items()}


def _read(findings: Mapping[str, list[Any]]) -> dict[str, tuple[Rule, int]]:
    """A rule there is no more says nothing."""
    known = {rule.value for rule in Rule}
    return {key: (Rule(rule), points) for key, (rule, points) in findings.items() if rule in known}


def _case(row: Row[Any]) -> CaseRow:
    return CaseRow(
        CaseId(row.id),
        CustomerId(row.customer_id),
        row.customer_name,
        row.opened_at,
        _read(row.findings),
        row.version,
    )


def _said(row: Row[Any]) -> Said:
    findings = _read(row.findings)
    judged = Judged(
        Verdict(row.verdict),
        PersonId(row.by),
        row.at,
        row.note,
        row.until,
        {key: points for key, (_, points) in findings.items()},
    )
    return Said(
        CaseId(row.case_id),
        CustomerId(row.customer_id),
        judged,
        {key: rule for key, (rule, _) in findings.items()},
    )


def _mute(row: Row[Any]) -> Mute:
    return Mute(
        row.id,
        CustomerId(row.customer_id) if row.customer_id else None,
        Rule(row.rule) if row.rule else None,
        row.until,
        row.cap,
        PersonId(row.by),
        row.at,
        row.note,
    )
