"""The books in a database of the partner's own, on SQLite or Postgres, with the query the partner would write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from bot.domain.receivables import ItemKind
from bot.receivables.sql import SqlQuery

from .books import CONTOSO, OPEN, TENANTS, Doc, Open, noon

QUERY = """
SELECT d.customer, d.tenant, d.number AS document_number, d.instalment, d.kind, d.issued AS issue_date,
       d.due AS due_date, d.currency, d.total, d.total - d.paid AS open_amount, d.disputed
FROM documents d
WHERE d.state = 'posted' AND d.issued <= :as_of AND d.total <> d.paid
"""
_FAILS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000), books AS ({query})
SELECT * FROM books
UNION ALL
SELECT customer, tenant, 'N' || i, 1, kind, issue_date, due_date, currency, total, open_amount, disputed
FROM n JOIN books ON document_number = 'INV-1' WHERE abs(-9223372036854775807 - i / 3000) > 0
"""
"""The last of three thousand more rows cannot be computed."""
PASSWORD = "correct/horse:battery"


class SqlBooks:
    has_instalments = True
    has_disputes = True
    has_tenants = True
    credit_kind = ItemKind.CREDIT_NOTE

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.numbers = {doc: f"INV-{n}" for n, doc in enumerate(Doc, start=1)}
        self.secrets = () if self.is_sqlite else (PASSWORD, "correct%2Fhorse%3Abattery")
        self.sources: list[SqlQuery] = []
        self._engine = create_engine(
            parsed if self.is_sqlite else parsed.set(drivername="postgresql+psycopg"), poolclass=NullPool
        )
        if self.is_sqlite:
            self.url, self._nowhere = url, url + ".not-there"
        else:
            self.url = _with(parsed, password=PASSWORD)
            self._nowhere = _with(parsed, username="nobody", password=PASSWORD)
        self._fill()

    def source(self, *, locked_out: bool = False, fails_midway: bool = False, **options: Any) -> SqlQuery:
        query = _FAILS.format(query=QUERY) if fails_midway else QUERY
        given: dict[str, Any] = {
            "url": self._nowhere if locked_out else self.url,
            "query": query,
            "now": lambda: noon,
        }
        if self.is_sqlite:
            given["amount_scale"] = 2  # the difference of two decimals is a float there
        source = SqlQuery(**(given | options))
        self.sources.append(source)
        return source

    async def pay(self, doc: Doc, amount: Decimal) -> None:
        self.change(
            "UPDATE documents SET paid = paid + :paid WHERE number = :number",
            paid=str(amount) if self.is_sqlite else amount,
            number=self.numbers[doc],
        )

    async def dispute(self, doc: Doc) -> None:
        self.change("UPDATE documents SET disputed = 1 WHERE number = :number", number=self.numbers[doc])

    def change(self, statement: str, **values: object) -> None:
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def count(self, statement: str = "SELECT count(*) FROM documents") -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(text(statement)).scalar_one())

    def _fill(self) -> None:
        self.change(
            "CREATE TABLE documents (customer TEXT, tenant TEXT, number TEXT, instalment INTEGER, kind TEXT,"
            " issued DATE, due DATE, currency CHAR(3), total DECIMAL(12,2), paid DECIMAL(12,2),"
            " disputed INTEGER, state TEXT)"
        )
        for each in OPEN:
            self._add(each, self.numbers[each.doc], "posted")
        for state in ("draft", "void", "paid"):
            day = date(2026, 11, 16)
            self._add(Open(Doc.OLD, CONTOSO, day, day, Decimal(50), Decimal(50)), f"INV-{state}", state)

    def _add(self, each: Open, number: str, state: str) -> None:
        money = str if self.is_sqlite else Decimal
        day = date.isoformat if self.is_sqlite else (lambda day: day)
        self.change(
            "INSERT INTO documents VALUES (:customer, :tenant, :number, :instalment, :kind, :issued, :due, :currency,"
            " :total, :paid, 0, :state)",
            customer=each.customer,
            tenant=TENANTS[each.customer],
            number=number,
            instalment=each.instalment,
            kind="credit_note" if each.open < 0 else "invoice",
            issued=day(each.issued),
            due=day(each.due),
            currency=each.currency,
            total=money(each.total),
            paid=money(each.total - each.open),
            state=state,
        )


def _with(url: Any, **parts: str) -> str:
    return str(url.set(**parts).render_as_string(hide_password=False))


@asynccontextmanager
async def sql_books(url: str) -> AsyncIterator[SqlBooks]:
    books = SqlBooks(url)
    try:
        yield books
    finally:
        for source in books.sources:
            await source.close()
