"""Exports that were shared in Slack: the bytes for as long as they are needed, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row, Select, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.errors import Conflict, NotFound
from bot.domain.people import PersonId
from bot.domain.preview import FileRefusal, Finding, Noted, Owed, Preview, PreviewId, PreviewStatus, Reading
from bot.store.tables import posts, previews

CARD: Final = "import:"
"""A preview's card is posted under this and its id."""
_FACTS: Final = [column for column in previews.c if column.name not in ("content", "report")]


class Previews:
    def __init__(self, connection: AsyncConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def add(self, preview: Preview, *, event: str) -> bool:
        """Keep a new one; False where Slack has told of that file in that channel before.

        Shared there once more after its first preview is over, it counts as new; `event` tells that from Slack's
        saying the same thing twice.
        """
        place = f"{preview.channel}:{preview.file_id}"
        earlier = await self._latest_at(place)
        if earlier is not None:
            status, told = earlier
            if told == event or not PreviewStatus(status).is_over:
                return False
            place = f"{place}:{event}"
        row = _row(preview) | {"source": place, "event": event, "saved_at": self._now(), "tries": 0}
        try:
            async with self._connection.begin_nested():  # Postgres gives up a transaction after an error
                await self._connection.execute(insert(previews).values(row))
        except IntegrityError:
            return False
        return True

    async def get(self, preview_id: str, *, to_change: bool = True) -> Preview:
        """Read one; `to_change` keeps others waiting until our transaction ends. Raises NotFound."""
        query = select(*_FACTS).where(previews.c.id == preview_id)
        row = (await self._connection.execute(query.with_for_update() if to_change else query)).one_or_none()
        if row is None:
            raise NotFound("preview", preview_id)
        return _preview(row)

    async def content(self, preview_id: str) -> bytes | None:
        """The file; None before it is fetched, and once it is not needed any more."""
        query = select(previews.c.content).where(previews.c.id == preview_id)
        content: bytes | None = (await self._connection.execute(query)).scalar_one_or_none()
        return content

    async def report(self, preview_id: str) -> str | None:
        """The rows that could not be read, until they are handed out."""
        query = select(previews.c.report).where(previews.c.id == preview_id)
        report: str | None = (await self._connection.execute(query)).scalar_one_or_none()
        return report

    async def report_is_given(self, preview_id: str) -> None:
        await self._connection.execute(
            update(previews).where(previews.c.id == preview_id).values(report=None)
        )

    async def drop_reports(self, *, saved_before: datetime) -> None:
        """Let go of what could not be handed out for so long; it names customers."""
        await self._connection.execute(
            update(previews)
            .where(previews.c.report.is_not(None), previews.c.saved_at < saved_before)
            .values(report=None)
        )

    async def save(self, preview: Preview, **more: Any) -> None:
        """Write the next state, and let go of a file that nobody needs; `more` may be `content` and `report`.

        Raises Conflict when somebody saved since it was read.
        """
        row = _row(preview) | {"version": preview.version + 1, "saved_at": self._now(), "tries": 0} | more
        if not preview.needs_file:
            row["content"] = None
        if preview.status in (PreviewStatus.DISCARDED, PreviewStatus.EXPIRED):
            row["report"] = None
        changed = await self._connection.execute(
            update(previews)
            .where(previews.c.id == preview.id, previews.c.version == preview.version)
            .values(row)
        )
        if changed.rowcount != 1:
            raise Conflict("database", "changed-meanwhile")

    async def remove(self, preview_id: str) -> None:
        """Forget one that is none."""
        await self._connection.execute(previews.delete().where(previews.c.id == preview_id))

    # What a sweep looks for

    async def undecided(self, *, shared_before: datetime) -> list[Preview]:
        """Those that are not over and were shared before that moment; one that is being applied is left alone."""
        waiting = [s for s in PreviewStatus if not s.is_over and s is not PreviewStatus.APPLYING]
        query = select(*_FACTS).where(previews.c.status.in_(waiting), previews.c.shared_at <= shared_before)
        return await self._many(query.order_by(previews.c.shared_at).with_for_update(skip_locked=True))

    async def stranded(self, *, saved_before: datetime) -> list[tuple[Preview, int]]:
        """Those that wait for a worker since before that moment, and how often they were handed out again."""
        waiting = (PreviewStatus.RECEIVED, PreviewStatus.READING, PreviewStatus.APPLYING)
        query = select(*_FACTS).where(previews.c.status.in_(waiting), previews.c.saved_at <= saved_before)
        rows = await self._connection.execute(
            query.order_by(previews.c.shared_at).with_for_update(skip_locked=True)
        )
        return [(_preview(row), row.tries) for row in rows]

    async def tried(self, preview_id: str) -> None:
        """It is handed out again."""
        await self._connection.execute(
            update(previews)
            .where(previews.c.id == preview_id)
            .values(tries=previews.c.tries + 1, saved_at=self._now())
        )

    async def behind(self, *, since: datetime, until: datetime) -> list[Preview]:
        """Saved in that span, with a card that is missing or shows an older version, or rejects not handed out."""
        # Without a file or a refusal there is nothing to show yet.
        shown = previews.c.status.notin_((PreviewStatus.RECEIVED, PreviewStatus.READING))
        query = (
            select(*_FACTS)
            .outerjoin(posts, posts.c.key == CARD + previews.c.id)
            .where(previews.c.saved_at >= since, previews.c.saved_at <= until)
            .where(
                or_(
                    posts.c.drawn < previews.c.version,
                    shown & posts.c.drawn.is_(None),
                    previews.c.report.is_not(None),
                )
            )
        )
        return await self._many(query)

    async def _latest_at(self, place: str) -> tuple[str, str] | None:
        query = (
            select(previews.c.status, previews.c.event)
            .where(
                or_(previews.c.source == place, previews.c.source.startswith(f"{place}:", autoescape=True))
            )
            .order_by(previews.c.shared_at.desc())
            .limit(1)
        )
        row = (await self._connection.execute(query)).one_or_none()
        return (row.status, row.event) if row else None

    async def _many(self, query: Select[Any]) -> list[Preview]:
        rows: Sequence[Row[Any]] = (await self._connection.execute(query)).all()
        return [_preview(row) for row in rows]


def _row(preview: Preview) -> dict[str, Any]:
    reading = asdict(preview.reading)
    reading["as_of"] = preview.reading.as_of.isoformat()
    return {
        "id": preview.id,
        "channel": preview.channel,
        "file_id": preview.file_id,
        "shared_by": preview.shared_by,
        "shared_at": preview.shared_at,
        "reading": reading,
        "file": preview.file,
        "sha256": preview.sha256,
        "size": preview.size,
        "thread_ts": preview.thread_ts,
        "status": preview.status.value,
        "finding": _facts(preview.finding) if preview.finding else None,
        "refusal": asdict(preview.refusal) if preview.refusal else None,
        "voided": preview.voided,
        "by": preview.by,
        "at": preview.at,
        "version": preview.version,
    }


def _preview(row: Row[Any]) -> Preview:
    return Preview(
        id=PreviewId(row.id),
        channel=row.channel,
        file_id=row.file_id,
        shared_by=PersonId(row.shared_by),
        shared_at=row.shared_at,
        reading=Reading(**{**row.reading, "as_of": datetime.fromisoformat(row.reading["as_of"]).date()}),
        file=row.file,
        sha256=row.sha256,
        size=row.size,
        thread_ts=row.thread_ts,
        status=PreviewStatus(row.status),
        finding=_finding(row.finding) if row.finding else None,
        refusal=FileRefusal(**row.refusal) if row.refusal else None,
        voided=row.voided,
        by=PersonId(row.by) if row.by else None,
        at=row.at,
        version=row.version,
    )


def _facts(finding: Finding) -> dict[str, Any]:
    facts = asdict(finding)
    facts["owed"] = [[o.currency, str(o.open), str(o.overdue), str(o.credits)] for o in finding.owed]
    facts["seen_before"] = finding.seen_before.isoformat() if finding.seen_before else None
    return facts


def _finding(facts: Mapping[str, Any]) -> Finding:
    seen = facts["seen_before"]
    return Finding(
        **{
            **facts,
            "owed": tuple(
                Owed(currency, *(Decimal(amount) for amount in amounts))
                for currency, *amounts in facts["owed"]
            ),
            "rejects": _notes(facts["rejects"]),
            "remarks": _notes(facts["remarks"]),
            "seen_before": datetime.fromisoformat(seen) if seen else None,
        }
    )


def _notes(kept: Sequence[Mapping[str, Any]]) -> tuple[Noted, ...]:
    return tuple(Noted(note["code"], note["rows"], tuple(note["where"])) for note in kept)
