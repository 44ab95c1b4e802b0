"""A database as a source: what is sent, what can never be changed by it, and what a row may hold."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, suppress
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from bot.domain.errors import Rejected, Unavailable
from bot.domain.receivables import UNKNOWN_PARTY, ItemKind
from bot.receivables.gathering import Gathering
from bot.receivables.live import Snapshot
from bot.receivables.sql import SqlQuery
from bot.receivables.sql_query import QueryRefused, checked
from bot.receivables.sql_read import SqlReader
from bot.receivables.sql_rows import COLUMNS, SqlRows
from tests.tryton import Seeded

from .books import AS_OF, noon
from .books_sql import PASSWORD, QUERY, SqlBooks, sql_books

GUID = "11111111-2222-4333-8444-555555555555"


class TestTheFence:
    @pytest.mark.parametrize(
        "query",
        [
            pytest.param("SELECT 1", id="a select"),
            pytest.param("with x as (select 1) select * from x", id="a with"),
            pytest.param("  SELECT 1 ;\n", id="a semicolon at the end"),
            pytest.param("SELECT ';' || ':' || '--' || 'DELETE'", id="a string may hold anything"),
            pytest.param("SELECT 'it''s'", id="a doubled quotation mark"),
            pytest.param('SELECT "update", `delete` FROM t', id="a quoted name"),
            pytest.param("SELECT updated_at, replace(x, 'a', 'b') FROM t", id="words that only begin so"),
            pytest.param("SELECT '12:30', 'http://x', a[1:2], x::date", id="colons that are no parameter"),
        ],
    )
    def test_one_select_passes(self, query):
        assert checked(query, dialect="postgresql") == query.strip().removesuffix(";").strip()

    def test_the_day_may_be_cast(self):
        assert checked("SELECT :as_of::date", dialect="postgresql") == "SELECT :as_of ::date"

    @pytest.mark.parametrize(
        ("query", "reason"),
        [
            pytest.param("", "not-a-select", id="nothing"),
            pytest.param(";", "not-a-select", id="only a semicolon"),
            pytest.param("DELETE FROM t", "not-a-select", id="a delete"),
            pytest.param("PRAGMA writable_schema = ON", "not-a-select", id="a pragma"),
            pytest.param("ATTACH 'x' AS y", "not-a-select", id="another file"),
            pytest.param("EXPLAIN SELECT 1", "not-a-select", id="explain, which may run what it explains"),
            pytest.param("(SELECT 1)", "not-a-select", id="in brackets"),
            pytest.param("SELECT 1; DELETE FROM t", "more-than-one-statement", id="a second statement"),
            pytest.param("SELECT 1;;", "more-than-one-statement", id="an empty second one"),
            pytest.param("WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", "writes", id="a CTE"),
            pytest.param("SELECT * INTO t2 FROM t", "writes", id="into"),
            pytest.param("SELECT 1 DeLeTe FROM t", "writes", id="T-SQL needs no semicolon"),
            pytest.param("SELECT 1EXEC sp_x", "writes", id="nor a space"),
            pytest.param("SELECT * FROM t FOR UPDATE", "writes", id="a lock"),
            pytest.param("SELECT 1 -- x", "comment", id="a comment to the end of the line"),
            pytest.param("SELECT 1 /* x */", "comment", id="a comment"),
            pytest.param("SELECT 1 /*! INTO OUTFILE 'x' */", "comment", id="a comment MySQL carries out"),
            pytest.param(r"SELECT 'a\' || '; DELETE FROM t'", "unclear-quotes", id="a backslash"),
            pytest.param("SELECT $$a$$", "unclear-quotes", id="dollar quotes"),
            pytest.param("SELECT 'a", "unclear-quotes", id="a string without end"),
            pytest.param("SELECT q'[it's]' FROM t", "unclear-quotes", id="Oracle's own quotes"),
            pytest.param("SELECT :day", "unknown-parameter", id="another parameter"),
            pytest.param("SELECT ' :day'", "colon-in-text", id="what looks like one in a string"),
        ],
    )
    def test_everything_else_is_refused(self, query, reason):
        with pytest.raises(QueryRefused) as raised:
            checked(query, dialect="postgresql")
        assert raised.value.reason == reason

    @pytest.mark.parametrize(
        ("dialect", "passes"), [("sqlite", True), ("mssql", True), ("postgresql", False), ("oracle", False)]
    )
    def test_square_brackets_quote_where_the_database_says_so(self, dialect, passes):
        query = "SELECT [update] FROM t"
        if passes:
            assert checked(query, dialect=dialect) == query
        else:
            with pytest.raises(QueryRefused):
                checked(query, dialect=dialect)

    def test_a_hash_is_a_comment_in_mysql_alone(self):
        assert checked("SELECT a #> b FROM t", dialect="postgresql")
        with pytest.raises(QueryRefused):
            checked("SELECT a # b", dialect="mysql")


class Nobody:
    """Takes rows and does nothing with them."""

    def begin(self, columns: Sequence[str]) -> None: ...

    def row(self, values: Sequence[object]) -> bool:
        return True


@pytest.fixture
async def sqlite_books(sqlite_url: str) -> AsyncIterator[SqlBooks]:
    async with sql_books(sqlite_url) as books:
        yield books


@pytest.fixture
async def postgres_books(postgres_url: str) -> AsyncIterator[SqlBooks]:
    async with sql_books(postgres_url) as books:
        yield books


@pytest.fixture
async def books(database_url: str) -> AsyncIterator[SqlBooks]:
    """On SQLite and on Postgres."""
    async with sql_books(database_url) as books:
        yield books


DELETING = "DELETE FROM documents"
HOSTILE = [
    pytest.param(DELETING, id="a delete"),
    pytest.param(f"{DELETING} RETURNING *", id="a delete that answers rows"),
    pytest.param("WITH x AS (SELECT 1) DELETE FROM documents", id="a with that deletes"),
    pytest.param(f"SELECT 1; {DELETING}", id="a second statement"),
    pytest.param(f"SELECT 1; COMMIT; {DELETING}; COMMIT", id="out of the transaction"),
    pytest.param(f"SELECT 1 /* ; */; {DELETING} --", id="comments"),
    pytest.param("DROP TABLE documents", id="a drop"),
    pytest.param("CREATE TABLE more AS SELECT * FROM documents", id="a new table"),
]


class TestTheWall:
    """Sent as they are, past the fence: the transaction alone must hold."""

    @pytest.mark.parametrize("driver", ["sqlite", "sqlite+pysqlite"])
    @pytest.mark.parametrize(
        "statement",
        [
            *HOSTILE,
            pytest.param("PRAGMA query_only = OFF", id="a pragma"),
            pytest.param("PRAGMA writable_schema = ON", id="the schema made writable"),
            pytest.param("SELECT * FROM pragma_query_only(0)", id="a pragma in a select"),
            pytest.param("SELECT load_extension('x')", id="an extension"),
        ],
    )
    async def test_sqlite_changes_nothing(self, sqlite_books: SqlBooks, driver, statement):
        reader = SqlReader(sqlite_books.url.replace("sqlite", driver, 1), timeout_seconds=5)
        before = Path(sqlite_books.url.removeprefix("sqlite:///")).read_bytes()
        for hostile in (statement, DELETING):  # the second shows that the first has opened nothing
            with suppress(Rejected):
                await reader.read(hostile, Nobody(), as_of=AS_OF)
        await reader.close()
        assert Path(sqlite_books.url.removeprefix("sqlite:///")).read_bytes() == before

    @pytest.mark.parametrize(
        "statement",
        [
            *HOSTILE,
            pytest.param("WITH d AS (DELETE FROM documents RETURNING *) SELECT * FROM d", id="a CTE"),
            pytest.param("SELECT purge()", id="a function that writes"),
            pytest.param(
                "SELECT set_config('transaction_read_only', 'off', true), purge()", id="made writable"
            ),
            pytest.param("SELECT nextval('counted')", id="a sequence"),
        ],
    )
    async def test_postgres_changes_nothing(self, postgres_books: SqlBooks, statement):
        postgres_books.change(
            "CREATE FUNCTION purge() RETURNS integer LANGUAGE sql AS 'DELETE FROM documents; SELECT 1'"
        )
        postgres_books.change("CREATE SEQUENCE counted")
        before = postgres_books.count()
        reader = SqlReader(postgres_books.url, timeout_seconds=5)
        with pytest.raises(Rejected):
            await reader.read(statement, Nobody(), as_of=AS_OF)
        await reader.close()
        assert postgres_books.count() == before
        assert postgres_books.count("SELECT count(*) FROM pg_tables WHERE tablename = 'more'") == 0
        assert postgres_books.count("SELECT count(*) FROM counted WHERE is_called") == 0

    async def test_a_writing_function_fails_because_the_transaction_only_reads(
        self, postgres_books: SqlBooks
    ):
        postgres_books.change(
            "CREATE FUNCTION purge() RETURNS integer LANGUAGE sql AS 'DELETE FROM documents; SELECT 1'"
        )
        source = postgres_books.source(query="SELECT purge() AS open_amount, 1 AS due_date")
        with pytest.raises(Rejected) as raised:
            await source.fetch_snapshot(as_of=AS_OF)
        assert raised.value.reason == "25006"  # read_only_sql_transaction

    async def test_a_database_that_is_written_to_is_left_as_it_lies(self, sqlite_books: SqlBooks, tmp_path):
        """Whoever closes a SQLite file last tidies up its log of changes, unless the file was opened to be read."""
        before = sqlite_books.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(before, isolation_level=None)) as writer:
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("UPDATE documents SET disputed = 1")
            for suffix in ("", "-wal"):
                shutil.copy(before + suffix, tmp_path / f"copy.db{suffix}")
        files = [tmp_path / "copy.db", tmp_path / "copy.db-wal"]
        written = [file.read_bytes() for file in files]
        snapshot = await sqlite_books.source(url=f"sqlite:///{files[0]}").fetch_snapshot(as_of=AS_OF)
        assert all(item.disputed for item in snapshot.items)
        assert [file.read_bytes() for file in files] == written

    async def test_sqlite_itself_is_told_to_read_only(self, sqlite_books: SqlBooks):
        query = QUERY.replace("WHERE", "WHERE (SELECT query_only FROM pragma_query_only) = 1 AND")
        source = sqlite_books.source(query=query)
        assert (await source.fetch_snapshot(as_of=AS_OF)).items


async def test_a_password_in_the_words_of_the_database_is_not_passed_on(postgres_books: SqlBooks):
    source = postgres_books.source(query=f"SELECT CAST('{PASSWORD}' AS integer) AS due_date")
    with pytest.raises(Rejected) as raised:
        await source.check()
    assert PASSWORD not in raised.value.detail
    assert "…" in raised.value.detail


ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS customer FROM n",
    "postgres": "SELECT pg_sleep(60) AS customer",
}


@pytest.mark.parametrize("way", ["sqlite", "sqlite+pysqlite", "postgres"])
async def test_a_query_without_end_is_stopped(way, request):
    url = request.getfixturevalue(f"{way.partition('+')[0]}_url").replace("sqlite", way, 1)
    if way != "postgres":
        Path(url.partition("///")[2]).touch()
    source = SqlQuery(url=url, query=ENDLESS[way.partition("+")[0]], now=lambda: noon, timeout_seconds=0.2)
    with pytest.raises(Unavailable) as raised:
        await source.check()
    assert raised.value.reason == "timeout"
    await source.close()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("postgresql://u:se/cr@et:x@h/d", id="none"),
        pytest.param("firebird://u:secret@h/d", id="of a database that cannot be read safely"),
        pytest.param("mysql+nodriver://u:secret@h/d", id="of a driver that is not there"),
        pytest.param("sqlite://", id="of a database in memory"),
        pytest.param("sqlite:///file:x?uri=true&mode=rwc", id="that says how to open the file"),
    ],
)
def test_an_address_is_refused_without_a_word_of_the_password(url):
    with pytest.raises(ValueError, match=r"^(?!.*(secret|cr@et|et:x))"):
        SqlQuery(url=url, query="SELECT 1", now=lambda: noon)


async def test_the_day_of_the_snapshot_is_given_to_the_query(sqlite_books: SqlBooks):
    snapshot = await sqlite_books.source().fetch_snapshot(as_of=date(2026, 10, 1))
    assert {item.document_number for item in snapshot.items} == {"INV-1", "INV-2"}


async def test_the_driver_in_the_address_is_used_in_a_thread(sqlite_books: SqlBooks):
    url = sqlite_books.url.replace("sqlite", "sqlite+pysqlite", 1)
    threaded = await sqlite_books.source(url=url).fetch_snapshot(as_of=AS_OF)
    assert threaded == await sqlite_books.source().fetch_snapshot(as_of=AS_OF)


class TestColumns:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            pytest.param(("d.disputed", "d.disputed AS disputted"), "unknown-column", id="misspelt"),
            pytest.param(("AS due_date", "AS issue_date"), "missing-column", id="missing"),
            pytest.param(("d.disputed", "d.disputed, d.disputed"), "ambiguous-columns", id="twice"),
            pytest.param(("d.disputed", "d.nonsense AS disputed"), None, id="not in the table"),
        ],
    )
    async def test_columns_that_are_not_ours_are_refused(self, books: SqlBooks, change, reason):
        source = books.source(query=QUERY.replace(*change))
        for act in (source.check(), source.fetch_snapshot(as_of=AS_OF)):
            with pytest.raises(Rejected) as raised:
                await act
            assert reason is None or raised.value.reason == reason

    async def test_too_many_rows_are_refused_as_a_whole(self, books: SqlBooks):
        source = books.source(most_rows=6)
        with pytest.raises(Rejected) as raised:
            await source.fetch_snapshot(as_of=AS_OF)
        assert raised.value.reason == "too-many-rows"

    async def test_a_float_for_money_is_refused_unless_its_scale_is_given(self, books: SqlBooks):
        query = QUERY.replace("d.total - d.paid", "CAST(d.total - d.paid AS DOUBLE PRECISION)")
        with pytest.raises(Rejected) as raised:
            await books.source(query=query, amount_scale=None).fetch_snapshot(as_of=AS_OF)
        assert (raised.value.reason, raised.value.detail) == ("float-amount", "open_amount")
        exact = await books.source().fetch_snapshot(as_of=AS_OF)
        assert await books.source(query=query, amount_scale=2).fetch_snapshot(as_of=AS_OF) == exact


ROW: dict[str, Any] = {
    "customer": "Contoso Ltd",
    "document_number": "INV-1",
    "due_date": date(2026, 10, 31),
    "currency": "EUR",
    "open_amount": Decimal("150.00"),
}


def read(*rows: dict[str, Any], amount_scale: int | None = None) -> Snapshot:
    """Rows as a driver hands them over; what a row does not say is the ordinary."""
    gathering = Gathering("sql", as_of=AS_OF)
    sink = SqlRows(gathering, as_of=AS_OF, amount_scale=amount_scale, most_rows=10)
    sink.begin(COLUMNS)
    for row in rows:
        whole = {**dict.fromkeys(COLUMNS), **ROW, **row}
        sink.row([whole[column] for column in COLUMNS])
    return gathering.snapshot()


class TestRows:
    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(Decimal("150"), id="a decimal"),
            pytest.param(150, id="a whole number"),
            pytest.param("150.00", id="text"),
            pytest.param(b"150.00", id="bytes, as SQLite has them"),
            pytest.param("150.0000", id="zeros behind"),
        ],
    )
    def test_an_amount_is_taken_exactly(self, value):
        [item] = read({"open_amount": value}).items
        assert str(item.open_amount) == "150.00"

    @pytest.mark.parametrize(
        ("number", "amount"),
        [(150.0, "150.00"), (12600.499999999998, "12600.50"), (-0.1, "-0.10"), (0.1 + 0.2, "0.30")],
    )
    def test_a_float_is_taken_at_its_scale(self, number, amount):
        [item] = read({"open_amount": number}, amount_scale=2).items
        assert str(item.open_amount) == amount

    @pytest.mark.parametrize(
        ("cells", "code", "column"),
        [
            pytest.param({"open_amount": None}, "bad_amount", "open_amount", id="no amount"),
            pytest.param({"open_amount": "1.234,56"}, "bad_amount", "open_amount", id="a German amount"),
            pytest.param({"open_amount": "1e3"}, "bad_amount", "open_amount", id="an exponent"),
            pytest.param({"open_amount": Decimal("NaN")}, "bad_amount", "open_amount", id="no number"),
            pytest.param({"open_amount": Decimal("1E+30")}, "bad_amount", "open_amount", id="far too much"),
            pytest.param({"open_amount": True}, "bad_amount", "open_amount", id="a yes"),
            pytest.param({"open_amount": b"\xff"}, "bad_amount", "open_amount", id="bytes"),
            pytest.param(
                {"open_amount": Decimal("1.005")}, "too_many_decimals", "open_amount", id="decimals"
            ),
            pytest.param({"open_amount": 1.005}, "too_many_decimals", "open_amount", id="a float's decimals"),
            pytest.param(
                {"open_amount": float("nan")}, "bad_amount", "open_amount", id="a float that is none"
            ),
            pytest.param({"total": "x"}, "bad_amount", "total", id="a bad total"),
            pytest.param({"currency": None}, "missing_currency", "currency", id="no currency"),
            pytest.param({"currency": "$"}, "bad_currency", "currency", id="a sign of many"),
            pytest.param({"document_number": " "}, "missing_number", "document_number", id="no number"),
            pytest.param({"document_number": 1.5}, "missing_number", "document_number", id="a broken number"),
            pytest.param({"due_date": None}, "missing_due_date", "due_date", id="no due date"),
            pytest.param({"due_date": "31.10.2026"}, "bad_date", "due_date", id="a German date"),
            pytest.param({"due_date": 20261031}, "bad_date", "due_date", id="a number for a date"),
            pytest.param({"due_date": date(1899, 1, 1)}, "date_out_of_range", "due_date", id="long ago"),
            pytest.param(
                {"due_date": datetime(2026, 10, 31, 23, tzinfo=timezone(timedelta(hours=8)))},
                "bad_date",
                "due_date",
                id="a moment with a zone",
            ),
            pytest.param({"kind": "CM"}, "bad_amount", "kind", id="a kind that may be a credit"),
            pytest.param({"instalment": "two"}, "missing_number", "instalment", id="no instalment"),
            pytest.param({"promise_to_pay": "soon"}, "bad_date", "promise_to_pay", id="no promise"),
            pytest.param({"customer_code": b"\xff"}, "missing_customer", "customer_code", id="no text"),
        ],
    )
    def test_a_row_in_doubt_leaves_its_party_incomplete(self, cells, code, column):
        snapshot = read(cells, {"customer": "Fabrikam Inc"}, amount_scale=2)
        assert [(note.at, note.code, note.column) for note in snapshot.rejected] == [("row 1", code, column)]
        assert [item.customer for item in snapshot.items] == ["Fabrikam Inc"]
        whose = UNKNOWN_PARTY if column == "customer_code" else "sql/name:contoso ltd"
        assert snapshot.incomplete_parties == {whose}
        assert not snapshot.complete

    def test_a_row_that_names_nobody_may_be_anybodys(self):
        snapshot = read({"customer": None})
        assert snapshot.incomplete_parties == {UNKNOWN_PARTY}
        assert not snapshot.complete
        assert [note.code for note in snapshot.rejected] == ["missing_customer"]

    def test_a_mark_of_incompleteness_follows_the_tenant(self):
        snapshot = read({"tenant": GUID}, {"document_number": "INV-2", "open_amount": None})
        assert snapshot.incomplete_parties == {f"tenant:{GUID}"}

    def test_a_tenant_named_once_counts_for_the_customer(self):
        snapshot = read({"tenant": UUID(GUID)}, {"document_number": "INV-2"})
        assert {item.customer_key for item in snapshot.items} == {f"tenant:{GUID}"}
        assert [(note.at, note.code) for note in snapshot.warnings] == [("row 2", "tenant_filled_in")]

    def test_what_is_nobodys_tenant_is_left_out_and_told(self):
        snapshot = read({"tenant": "gmail.com"})
        assert snapshot.items[0].tenant is None
        assert [note.code for note in snapshot.warnings] == ["bad_tenant"]
        assert snapshot.incomplete_parties == frozenset()

    @pytest.mark.parametrize("value", [Decimal("0.00"), 0, "0.00", b"0"])
    def test_what_is_paid_is_not_open(self, value):
        snapshot = read({"open_amount": value})
        assert (snapshot.items, snapshot.rejected + snapshot.warnings) == ((), ())

    @pytest.mark.parametrize("kind", ["credit_note", "Gutschrift", "payment_on_account"])
    def test_a_credit_is_negative_however_it_is_given(self, kind):
        [item] = read({"kind": kind, "total": 200}).items
        assert (item.open_amount, item.total) == (Decimal("-150.00"), Decimal("-200.00"))
        assert item.kind in {ItemKind.CREDIT_NOTE, ItemKind.PAYMENT_ON_ACCOUNT}

    def test_a_credit_without_a_due_date_has_its_issue_date(self):
        [item] = read({"open_amount": -5, "due_date": None, "issue_date": "2026-09-01 00:00:00"}).items
        assert (item.due_date, item.kind) == (date(2026, 9, 1), ItemKind.CREDIT_NOTE)

    @pytest.mark.parametrize(
        ("value", "is_set"),
        [
            (None, False), (0, False), (False, False), ("no", False), (b"\0", False), (Decimal(0), False),
            (1, True), (True, True), ("wrong price", True), (b"\1", True), (Decimal(1), True),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("column", ["disputed", "dunning_blocked"])
    def test_a_mark_is_set_by_anything_but_a_no(self, column, value, is_set):
        assert getattr(read({column: value}).items[0], column) is is_set

    def test_identical_rows_are_taken_once_and_different_ones_not_at_all(self):
        assert len(read({}, {}).items) == 1
        snapshot = read({}, {"open_amount": 1})
        assert [note.code for note in snapshot.rejected] == ["conflicting_duplicate"] * 2
        assert snapshot.items == ()
        assert snapshot.incomplete_parties == {"sql/name:contoso ltd"}

    def test_the_row_is_kept_as_it_was_read(self):
        [note] = read({"open_amount": b"1,5"}).rejected
        assert {"Contoso Ltd", "1,5"} <= set(note.row)


OF_TRYTON = """
SELECT p.name AS customer, p.code AS customer_code, i.number AS document_number, i.invoice_date AS issue_date,
       c.code AS currency, MIN(l.maturity_date) AS due_date,
       SUM(COALESCE(l.amount_second_currency, l.debit - l.credit)) AS open_amount
FROM account_invoice i
JOIN party_party p ON p.id = i.party
JOIN currency_currency c ON c.id = i.currency
JOIN account_move_line l ON l.account = i.account AND l.reconciliation IS NULL AND (
    l.move = i.move OR l.id IN (SELECT line FROM "account_invoice-account_move_line" WHERE invoice = i.id))
WHERE i.type = 'out' AND i.state = 'posted' AND i.invoice_date <= :as_of
GROUP BY p.name, p.code, i.number, i.invoice_date, c.code
"""


class TestTheDatabaseOfTryton:
    @pytest.fixture
    def url(self, tryton_seeded: Seeded) -> Iterator[str]:
        before = tryton_seeded.database.read_bytes()
        yield f"sqlite:///{tryton_seeded.database}"
        assert tryton_seeded.database.read_bytes() == before

    async def test_it_is_read_with_a_query(self, url):
        source = SqlQuery(url=url, query=OF_TRYTON, now=lambda: noon, amount_scale=2)
        snapshot = await source.fetch_snapshot(as_of=AS_OF)
        await source.close()
        assert {(item.document_number, item.currency, str(item.open_amount)) for item in snapshot.items} == {
            ("1", "EUR", "1200.00"),
            ("2", "EUR", "300.00"),
            ("3", "USD", "999.99"),
            ("4", "EUR", "800.00"),
            ("5", "EUR", "-100.00"),
            ("6", "EUR", "300.00"),
        }
        assert (snapshot.complete, snapshot.rejected + snapshot.warnings) == (True, ())

    async def test_decimals_that_come_as_bytes_need_no_scale(self, url):
        query = OF_TRYTON.replace(
            "SUM(COALESCE(l.amount_second_currency, l.debit - l.credit))", "MAX(l.debit)"
        )
        source = SqlQuery(url=url, query=query, now=lambda: noon)
        snapshot = await source.fetch_snapshot(as_of=AS_OF)
        await source.close()
        assert {item.document_number: str(item.open_amount) for item in snapshot.items}["2"] == "500.00"
