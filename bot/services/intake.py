"""Take in a receivables export: read it, compare it with the books, and apply it when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from bot.domain.audit import AuditTag
from bot.domain.receivables import FILE, Changes, Held, ImportMode, changes
from bot.receivables import Export, read_export
from bot.store import Store, Tx
from bot.store.audit import SYSTEM
from bot.store.books import Import
from bot.store.readings import Attempt

MOST_TRIES: Final = 3
"""So often an export is compared beside other writers; once more, and they have to wait."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What an export says and what it would do, or did. `held` is why it was not applied."""

    export: Export
    changes: Changes | None
    applied: bool
    held: Held | None = None


class Receivables:
    def __init__(self, store: Store, *, zone: ZoneInfo, now: Callable[[], datetime]) -> None:
        self._store = store
        self._zone = zone
        self._now = now

    async def take_in(
        self,
        data: bytes,
        *,
        file_name: str,
        as_of: date,
        mode: ImportMode = "snapshot",
        currency: str | None = None,
        date_order: Literal["DMY", "MDY"] | None = None,
        apply: bool = True,
        even_if_it_shrinks: bool = False,
    ) -> Intake:
        """Read the export and, unless it is refused or held, bring the books to what it says.

        Applying the same export twice changes nothing. Held without `even_if_it_shrinks`: a snapshot that would
        close more than 30 % of the open items, for a file cut off in the middle looks just like that.
        """
        # A large file takes a second: nobody's click waits for it.
        export = await asyncio.to_thread(
            read_export,
            data,
            file_name=file_name,
            as_of=as_of,
            default_currency=currency,
            date_order=date_order,
        )
        if export.refused:
            return Intake(export, None, applied=False)
        if as_of > self._now().astimezone(self._zone).date():
            return Intake(export, None, applied=False, held="in_the_future")
        may_shrink = even_if_it_shrinks or not apply
        for _ in range(MOST_TRIES):
            async with self._store.read() as tx:  # writers wait for nothing of this
                state = await tx.books.state()  # first: what comes in meanwhile must show as a change
                intake = await _compared(tx, export, mode=mode, may_shrink=may_shrink)
            if intake.held or not apply:
                return intake
            async with self._store.begin() as tx:
                await tx.books.lock()
                if await tx.books.state() == state:
                    return await self._apply(tx, intake, mode)
        async with self._store.begin() as tx:  # so that it ends, however often others change the books
            await tx.books.lock()
            return await self._apply(tx, await _compared(tx, export, mode=mode, may_shrink=may_shrink), mode)

    async def _apply(self, tx: Tx, intake: Intake, mode: ImportMode) -> Intake:
        """Unless it is held; the books must be those that it was compared with."""
        if intake.changes is None or intake.held:
            return intake
        await write_down(tx, intake.export, intake.changes, mode=mode, at=self._now())
        return replace(intake, applied=True)

    async def last_import(self) -> Import | None:
        """How sure the books are now: see `Books.last_import`."""
        async with self._store.read() as tx:
            return await tx.books.last_import()

    async def sources(self) -> list[tuple[Import, Attempt | None]]:
        """The newest import of each source in use, and its last attempt where that brought nothing up to date."""
        async with self._store.read() as tx:
            troubles = {attempt.source: attempt for attempt in await tx.readings.troubles()}
            return [(last, troubles.get(last.source)) for last in await tx.books.last_imports()]

    async def last_file(self) -> Import | None:
        """The export that was applied last."""
        async with self._store.read() as tx:
            return await tx.books.last_import_of(FILE)


async def _compared(tx: Tx, export: Export, *, mode: ImportMode, may_shrink: bool) -> Intake:
    """What it would do to the books as they are, and why it must not."""
    last = await tx.books.last_import_of(FILE)
    if last and last.as_of > export.as_of:
        return Intake(export, None, applied=False, held="older_than_books")
    what = await asyncio.to_thread(
        changes,
        await tx.books.open_on(source=FILE),
        export.items,
        mode=mode,
        settled=export.settled,
        incomplete_parties=export.incomplete_parties,
    )
    held: Held | None = "shrinks" if what.holds_for_confirmation and not may_shrink else None
    return Intake(export, what, applied=False, held=held)


async def enter(tx: Tx, what: Changes, applied: Import) -> None:
    """Bring the books of one source to what was found."""
    await tx.books.end((*what.changed, *what.closed), on=applied.as_of)
    await tx.books.add((*what.new, *what.changed), on=applied.as_of)
    await tx.books.record(applied)


async def write_down(
    tx: Tx,
    export: Export,
    what: Changes,
    *,
    mode: ImportMode,
    at: datetime,
    by: str = SYSTEM,
    **facts: object,
) -> None:
    """Bring the books to what the export says, and have it in the audit trail who wanted that."""
    on = export.as_of
    applied = Import(
        file=export.file_name,
        sha256=export.sha256,
        mode=mode,
        as_of=on,
        applied_at=at,
        rejected=len(export.rejected),
        incomplete=export.incomplete_parties,
    )
    await enter(tx, what, applied)
    await tx.audit.append(
        AuditTag.RECEIVABLES_IMPORTED,
        export.sha256[:16],
        by=by,
        file=export.file_name,
        as_of=on.isoformat(),
        mode=mode,
        accepted=export.accepted,
        rejected=len(export.rejected),
        new=len(what.new),
        changed=len(what.changed),
        closed=len(what.closed),
        **facts,
    )
