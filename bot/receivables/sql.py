"""A database as a source: one SELECT of the partner's own, with our column names, under an account that only reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final

from bot.receivables.detect import MOST_ROWS
from bot.receivables.gathering import Gathering
from bot.receivables.live import Snapshot
from bot.receivables.sql_query import checked
from bot.receivables.sql_read import SqlReader
from bot.receivables.sql_rows import SqlRows

TIMEOUT_SECONDS: Final = 60.0


class SqlQuery:
    """What the query answers is everything that is open. Columns: see `bot.receivables.sql_rows.COLUMNS`."""

    def __init__(
        self,
        *,
        url: str,
        query: str,
        now: Callable[[], datetime],
        amount_scale: int | None = None,
        most_rows: int = MOST_ROWS,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Raises ValueError for an unknown database and `QueryRefused` for anything but one SELECT.

        `:as_of` in the query stands for the snapshot's day. `amount_scale` is the number of decimals of amounts
        in float columns, which are refused without it.
        """
        self._reader = SqlReader(url, timeout_seconds=timeout_seconds)
        self._query = checked(query, dialect=self._reader.dialect)
        self._now = now
        self._amount_scale = amount_scale
        self._most_rows = most_rows

    @property
    def source_id(self) -> str:
        return "sql"

    async def fetch_snapshot(self, *, as_of: date) -> Snapshot:
        """Read every row or raise: a query that fails on its way, or has too many rows, leaves nothing."""
        gathering = Gathering(self.source_id, as_of=as_of)
        await self._reader.read(self._query, self._rows(gathering, as_of), as_of=as_of)
        return gathering.snapshot()

    async def check(self) -> None:
        """Raise unless the query runs and its columns are ours; only its first row is looked at."""
        today = self._now().date()
        rows = self._rows(Gathering(self.source_id, as_of=today), today)
        await self._reader.read(self._query, _FirstRow(rows), as_of=today)

    async def close(self) -> None:
        await self._reader.close()

    def _rows(self, gathering: Gathering, as_of: date) -> SqlRows:
        return SqlRows(gathering, as_of=as_of, amount_scale=self._amount_scale, most_rows=self._most_rows)


class _FirstRow:
    def __init__(self, rows: SqlRows) -> None:
        self._rows = rows

    def begin(self, columns: Sequence[str]) -> None:
        self._rows.begin(columns)

    def row(self, values: Sequence[object]) -> bool:
        self._rows.row(values)
        return False
