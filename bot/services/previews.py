"""Exports shared in Slack: keep what was fetched, say what it would do, and apply it when somebody says so.

The file is in our database until somebody decides, so what is applied is what was looked at.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING
from typing import Any, Final
from zoneinfo import ZoneInfo

from bot.courier import Courier
from bot.domain.aging import age, totals
from bot.domain.audit import AuditTag
from bot.domain.errors import PreviewSettled
from bot.domain.people import Person
from bot.domain.preview import (
    KEPT,
    FileRefusal,
    Finding,
    Noted,
    Owed,
    Preview,
    PreviewId,
    PreviewStatus,
    Reading,
    Voided,
)
from bot.domain.receivables import FILE, Changes, Held, OpenItem, changes
from bot.receivables import Export, RowNote, read_export, reject_report
from bot.services import jobs
from bot.services.intake import write_down
from bot.services.new_id import new_id
from bot.store import Store, Tx

SLOW: Final = 1024 * 1024
"""A file of so many bytes has a card that says it is being read."""
SHARED_WITHIN: Final = timedelta(seconds=15)
"""Sharing is asynchronous at Slack: so long a file may be known before its message is."""
LOST_AFTER: Final = timedelta(minutes=2)
"""What waits so long for a worker, or for Slack, has lost its job."""
MOST_TRIES: Final = 5
"""A file that is not fetched, or not read, after so many more tries is given up."""
LOOK_BACK: Final = timedelta(days=2)
MOST_WHERE: Final = 3
_DAMAGED: Final = FileRefusal("damaged")


@dataclass(frozen=True, slots=True)
class Compared:
    """With which books, under which rules, and what follows from that alone; `held` is for its day, if at all."""

    books: str
    rules: str
    held: Held | None
    seen_before: datetime | None


class Previews:
    """`rules` stands for the operator's settings: what was looked at under others has to be looked at again."""

    def __init__(
        self,
        store: Store,
        courier: Courier,
        *,
        zone: ZoneInfo,
        rules: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._courier = courier
        self._zone = zone
        self._rules_now = rules
        self._now = now
        self._one_at_a_time = asyncio.Lock()  # a large file needs a core and much memory

    @property
    def _rules(self) -> str:
        return f"{self._rules_now()} {self._zone.key}"

    async def receive(self, *, file_id: str, event: str, channel: str, by: Person) -> Preview | None:
        """Have a shared file fetched; None where Slack told of it before. Raises NotPermitted."""
        reading = Reading(as_of=self.today())
        preview = Preview.share(
            PreviewId(new_id("P")), file_id=file_id, channel=channel, reading=reading, by=by, at=self._now()
        )
        async with self._store.begin() as tx:
            if not await tx.previews.add(preview, event=event):
                return None
            await self._courier.send(tx.connection, jobs.fetch_export(preview))
        return preview

    async def get(self, preview_id: str) -> Preview:
        async with self._store.read() as tx:
            return await tx.previews.get(preview_id, to_change=False)

    def today(self) -> date:
        """In the partner's zone."""
        return self._now().astimezone(self._zone).date()

    # What came of fetching it

    async def fetch_later(self, preview: Preview) -> bool:
        """Try again in a moment, for Slack may not yet say in which message it was shared; False once it should."""
        if self._now() - preview.shared_at >= SHARED_WITHIN:
            return False
        await self._courier.post(jobs.fetch_export(preview, delay=1.0))
        return True

    async def fetched(self, preview_id: str, content: bytes, *, file: str, thread_ts: str | None) -> None:
        """Keep the file and have it read; harmless when it is kept already."""
        async with self._store.begin() as tx:
            preview = await tx.previews.get(preview_id)
            if preview.status is not PreviewStatus.RECEIVED:
                return
            digest = hashlib.sha256(content).hexdigest()
            kept = preview.fetched(file=file, sha256=digest, size=len(content), thread_ts=thread_ts)
            await tx.previews.save(kept, content=content)
            await tx.audit.append(
                AuditTag.RECEIVABLES_RECEIVED,
                preview.id,
                by=preview.shared_by,
                file=file,
                sha256=digest,
                size=len(content),
                channel=preview.channel,
            )
            await self._read_later(tx, kept)

    async def cannot_be_fetched(
        self, preview_id: str, why: FileRefusal, *, file: str = "", thread_ts: str | None = None
    ) -> None:
        """Say so on its card; it is over with that."""
        async with self._store.begin() as tx:
            preview = await tx.previews.get(preview_id)
            if preview.status is PreviewStatus.RECEIVED:
                await self._settle(tx, replace(preview, file=file, thread_ts=thread_ts).refused(why))

    async def is_no_export(self, preview_id: str) -> None:
        """Forget a file that nobody meant as one."""
        async with self._store.begin() as tx:
            await tx.previews.remove(preview_id)

    # What a worker does with it

    async def read(self, preview_id: str) -> None:
        """Read the file and compare it with the books; harmless when that is done already."""
        async with self._store.read() as tx:
            preview = await tx.previews.get(preview_id, to_change=False)
            content = await tx.previews.content(preview_id)
        if preview.status is not PreviewStatus.READING or content is None:
            return
        export = await self._export(preview, content)
        report = None
        if export is None:
            read = preview.refused(_DAMAGED)
        elif export.refused:
            read = preview.refused(FileRefusal(export.refused.code.value, export.refused.message))
        else:
            async with self._store.read() as tx:
                _, finding = await self._compared(tx, export, preview)
            read = preview.found(finding)
            report = await asyncio.to_thread(reject_report, export.rejected) if export.rejected else None
        async with self._store.begin() as tx:
            if (await tx.previews.get(preview_id)).version == preview.version:
                await self._settle(tx, read, report=report)

    async def carry_out(self, preview_id: str) -> None:
        """Write what somebody applied, once; where the books changed meanwhile it is looked at anew instead."""
        async with self._store.read() as tx:
            preview = await tx.previews.get(preview_id, to_change=False)
            content = await tx.previews.content(preview_id)
        if preview.status is not PreviewStatus.APPLYING or content is None:
            return
        export = await self._export(preview, content)
        if export is None or export.refused:
            async with self._store.begin() as tx:
                await self._settle(tx, preview.refused(_DAMAGED))
            return
        async with self._store.read() as tx:  # writers wait for what is done below
            what, finding = await self._compared(tx, export, preview)
        async with self._store.begin() as tx:
            await tx.books.lock()
            if (await tx.previews.get(preview_id)).version != preview.version:
                return
            voided = await self._voided(tx, preview) or preview.stale(books=finding.books, rules=self._rules)
            if voided or what is None:
                await self._look_again(tx, preview, voided or "books")
                return
            applied = preview.applied(finding)
            await tx.previews.save(applied)
            await self._courier.send(tx.connection, jobs.show_preview(applied))
            await write_down(
                tx,
                export,
                what,
                mode=preview.reading.mode,
                at=self._now(),
                by=preview.by or preview.shared_by,
                preview=preview.id,
                sha256=preview.sha256,
                currency=preview.reading.currency,
                date_order=preview.reading.date_order,
            )

    # What people say to it

    async def may_decide(self, preview_id: str, *, by: Person, seal: str) -> Preview:
        """The preview, if this person could decide on what they see; else the refusal a decision would meet."""
        preview = await self.get(preview_id)
        preview.may_be_decided(by=by, at=self._now(), seal=seal)
        return preview

    async def apply(self, preview_id: str, *, by: Person, sha256: str, seal: str) -> Preview:
        """Have exactly that written which this person saw.

        Raises NotPermitted or PreviewSettled; where the books or the rules have changed since, it is looked at anew
        and what is found has to be applied again.
        """
        async with self._store.begin() as tx:
            preview = await tx.previews.get(preview_id)
            applying = preview.apply(by=by, at=self._now(), sha256=sha256, seal=seal)
            voided = await self._voided(tx, preview)
            if voided:
                await self._look_again(tx, preview, voided)
            else:
                await tx.previews.save(applying)
                await self._courier.send(tx.connection, jobs.apply_export(applying))
                await self._courier.send(tx.connection, jobs.show_preview(applying))
        if voided:
            raise PreviewSettled(preview_id, voided)
        return applying

    async def discard(self, preview_id: str, *, by: Person) -> Preview:
        """Let go of the file; the books stay as they are."""
        async with self._store.begin() as tx:
            preview = await tx.previews.get(preview_id)
            discarded = preview.discard(by=by, at=self._now())
            await tx.previews.save(discarded)
            await self._courier.send(tx.connection, jobs.show_preview(discarded))
            await tx.audit.append(
                AuditTag.RECEIVABLES_DISCARDED, preview.id, by=by.id, **_read_so(preview), **_counts(preview)
            )
        return discarded

    async def read_as(self, preview_id: str, reading: Reading, *, by: Person, seal: str) -> Preview:
        """Have it read in another way; a new preview takes the place of the one they saw."""
        async with self._store.begin() as tx:
            preview = await tx.previews.get(preview_id)
            changed = preview.read_as(reading, by=by, at=self._now(), seal=seal)
            await tx.previews.save(changed)
            await self._read_later(tx, changed)
        return changed

    # The rows that could not be read

    async def report(self, preview_id: str) -> str | None:
        """As a CSV file that is safe to open, until it was handed out."""
        async with self._store.read() as tx:
            return await tx.previews.report(preview_id)

    async def report_is_given(self, preview_id: str) -> None:
        await self._store.keep(lambda tx: tx.previews.report_is_given(preview_id))

    async def sweep(self) -> None:
        """Let go of what nobody decided; hand out again what a worker that died, or Slack, has left undone."""
        at = self._now()
        async with self._store.begin() as tx:
            for preview in await tx.previews.undecided(shared_before=at - KEPT):
                expired = preview.expire()
                await tx.previews.save(expired)
                await self._courier.send(tx.connection, jobs.show_preview(expired))
                await tx.audit.append(
                    AuditTag.RECEIVABLES_EXPIRED, preview.id, **_read_so(preview), **_counts(preview)
                )
            for preview, tries in await tx.previews.stranded(saved_before=at - LOST_AFTER):
                if tries >= MOST_TRIES and preview.status in _GIVEN_UP:
                    await self._settle(tx, preview.refused(_GIVEN_UP[preview.status]))
                    continue
                await tx.previews.tried(preview.id)
                await self._courier.send(tx.connection, _NEXT[preview.status](preview))
            await tx.previews.drop_reports(saved_before=at - LOOK_BACK)
            for preview in await tx.previews.behind(since=at - LOOK_BACK, until=at - LOST_AFTER):
                await self._courier.send(tx.connection, jobs.show_preview(preview))

    async def _export(self, preview: Preview, content: bytes) -> Export | None:
        """What the file says; None where it is not the one that was fetched. The loop goes on meanwhile."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(_read, preview, content)

    async def _compared(self, tx: Tx, export: Export, preview: Preview) -> tuple[Changes | None, Finding]:
        """What it would do to the books (None for a day that it cannot speak for), and what the card shows of it."""
        books = tx.books
        state = await books.state()  # first: what comes in meanwhile must show as a change
        last = await books.last_import_of(FILE)
        held: Held | None = None
        if preview.reading.as_of > self.today():
            held = "in_the_future"
        elif last and last.as_of > preview.reading.as_of:
            held = "older_than_books"
        seen_before = await books.applied(export.sha256, as_of=export.as_of)
        before = await books.open_on(source=FILE) if held is None else None
        compared = Compared(state, self._rules, held, seen_before)
        return await asyncio.to_thread(_compare, export, before, preview.reading, compared)

    async def _voided(self, tx: Tx, preview: Preview) -> Voided | None:
        return preview.stale(books=await tx.books.state(), rules=self._rules)

    async def _look_again(self, tx: Tx, preview: Preview, voided: Voided) -> None:
        again = preview.again(voided)
        await tx.previews.save(again)
        await self._read_later(tx, again)

    async def _read_later(self, tx: Tx, preview: Preview) -> None:
        await self._courier.send(tx.connection, jobs.read_export(preview))
        if preview.size > SLOW:
            await self._courier.send(tx.connection, jobs.show_preview(preview))

    async def _settle(self, tx: Tx, read: Preview, *, report: str | None = None) -> None:
        """Keep what was found, have it shown, and remember it."""
        await tx.previews.save(read, report=report)
        await self._courier.send(tx.connection, jobs.show_preview(read))
        await tx.audit.append(
            AuditTag.RECEIVABLES_PREVIEWED, read.id, by=read.shared_by, **_read_so(read), **_counts(read)
        )


_NEXT: Final = {
    PreviewStatus.RECEIVED: jobs.fetch_export,
    PreviewStatus.READING: jobs.read_export,
    PreviewStatus.APPLYING: jobs.apply_export,
}
"""The job that whoever waits for a worker has lost."""
_GIVEN_UP: Final = {
    PreviewStatus.RECEIVED: FileRefusal("unreachable"),
    PreviewStatus.READING: FileRefusal("unreadable"),
}


def _read(preview: Preview, content: bytes) -> Export | None:
    if hashlib.sha256(content).hexdigest() != preview.sha256:
        return None
    reading = preview.reading
    return read_export(
        content,
        file_name=preview.file,
        as_of=reading.as_of,
        default_currency=reading.currency,
        date_order=reading.date_order,
    )


def _compare(
    export: Export, before: list[OpenItem] | None, reading: Reading, compared: Compared
) -> tuple[Changes | None, Finding]:
    """Hold the export against the books; without them it can only be described."""
    what = None
    held = compared.held
    if before is not None:
        what = changes(
            before,
            export.items,
            mode=reading.mode,
            settled=export.settled,
            incomplete_parties=export.incomplete_parties,
        )
        held = "shrinks" if what.holds_for_confirmation else None
    owed = totals(age(export.items, on=export.as_of)).values()
    finding = Finding(
        accepted=export.accepted,
        skipped=export.skipped,
        duplicates=export.duplicates,
        not_open=export.not_open,
        rejected=len(export.rejected),
        new=len(what.new) if what else 0,
        changed=len(what.changed) if what else 0,
        unchanged=len(what.unchanged) if what else 0,
        closed=len(what.closed) if what else 0,
        kept=len(what.kept) if what else 0,
        owed=tuple(Owed(b.currency, b.open, b.overdue, b.credits) for b in owed),
        rejects=_noted(export.rejected),
        remarks=_noted(export.warnings),
        held=held,
        shrinks_by=int((what.shrinks_by * 100).to_integral_value(ROUND_CEILING)) if what else 0,
        books=compared.books,
        rules=compared.rules,
        seen_before=compared.seen_before,
    )
    return what, finding


def _noted(notes: Iterable[RowNote]) -> tuple[Noted, ...]:
    """The same put together, what is said most often first."""
    where: defaultdict[str, list[str]] = defaultdict(list)
    for note in notes:
        where[note.code.value].append(note.at)
    by_number = sorted(where.items(), key=lambda found: (-len(found[1]), found[0]))
    return tuple(Noted(code, len(at), tuple(at[:MOST_WHERE])) for code, at in by_number)


def _read_so(preview: Preview) -> dict[str, Any]:
    """Which file, and how it was read: for the audit trail."""
    reading = preview.reading
    return {
        "sha256": preview.sha256,
        "as_of": reading.as_of.isoformat(),
        "mode": reading.mode,
        "currency": reading.currency,
        "date_order": reading.date_order,
    }


def _counts(preview: Preview) -> dict[str, Any]:
    """What was found in it, or why nothing was taken."""
    found = preview.finding
    if found is None:
        return {"refused": preview.refusal.code if preview.refusal else None}
    return {
        "accepted": found.accepted,
        "rejected": found.rejected,
        "skipped": found.skipped,
        "duplicates": found.duplicates,
        "not_open": found.not_open,
        "new": found.new,
        "changed": found.changed,
        "unchanged": found.unchanged,
        "closed": found.closed,
        "held": found.held,
    }
