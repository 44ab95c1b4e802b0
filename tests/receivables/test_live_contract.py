"""What every live source promises, whatever system is behind it. To add one, see `books.py`."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from decimal import Decimal

import pytest

from bot.domain.errors import Upstream
from bot.domain.receivables import ItemKind

from .books import AS_OF, OPEN, Books, Doc, expected, told
from .books_fakes import business_central_books, stripe_books, xero_books
from .books_sql import sql_books
from .books_tryton import tryton_books

Opener = Callable[..., AbstractAsyncContextManager[Books]]

SOURCES: dict[str, tuple[Opener, str, str]] = {
    "tryton": (tryton_books, "tryton_server", "tryton_of_its_own"),
    "sql on sqlite": (sql_books, "sqlite_url", "sqlite_url"),
    "sql on postgres": (sql_books, "postgres_url", "postgres_url"),
    "business-central": (business_central_books, "nothing_to_start", "nothing_to_start"),
    "xero": (xero_books, "nothing_to_start", "nothing_to_start"),
    "stripe": (stripe_books, "nothing_to_start", "nothing_to_start"),
}
"""How each driver is opened: with the fixture for tests that only read, or the one for tests that change something."""


@pytest.fixture
def nothing_to_start() -> None:
    """For a far side that the driver brings along."""


@pytest.fixture(params=SOURCES)
async def books(request: pytest.FixtureRequest) -> AsyncIterator[Books]:
    """Books to be read; they may be shared."""
    opener, far_side, _ = SOURCES[request.param]
    async with opener(request.getfixturevalue(far_side)) as books:
        yield books


@pytest.fixture(params=SOURCES)
async def own_books(request: pytest.FixtureRequest) -> AsyncIterator[Books]:
    """Books that may be changed."""
    opener, _, far_side = SOURCES[request.param]
    async with opener(request.getfixturevalue(far_side)) as books:
        yield books


async def test_everything_that_is_open_is_read_and_nothing_else(books: Books):
    snapshot = await books.source().fetch_snapshot(as_of=AS_OF)
    assert told(snapshot.items) == expected(books)
    assert (snapshot.complete, snapshot.incomplete_parties, snapshot.rejected + snapshot.warnings) == (
        True,
        frozenset(),
        (),
    )
    assert (snapshot.source_id, snapshot.as_of) == (books.source().source_id, AS_OF)


async def test_amounts_are_exact_and_have_the_decimals_of_their_currency(books: Books):
    snapshot = await books.source().fetch_snapshot(as_of=AS_OF)
    for item in snapshot.items:
        for amount in (item.open_amount, item.total):
            assert amount is None or (type(amount) is Decimal and amount.as_tuple().exponent == -2)


async def test_a_part_payment_leaves_the_total_and_lowers_what_is_open(books: Books):
    snapshot = await books.source().fetch_snapshot(as_of=AS_OF)
    [item] = [item for item in snapshot.items if item.document_number == books.numbers[Doc.PART_PAID]]
    assert (item.total, item.open_amount) == (Decimal("500.00"), Decimal("300.00"))


async def test_a_credit_is_negative_and_says_so(books: Books):
    snapshot = await books.source().fetch_snapshot(as_of=AS_OF)
    assert {
        (item.document_number, item.kind)
        for item in snapshot.items
        if item.is_credit or item.kind is ItemKind.CREDIT_NOTE
    } == {(books.numbers[Doc.CREDIT], books.credit_kind)}


async def test_one_party_has_one_key(books: Books):
    snapshot = await books.source().fetch_snapshot(as_of=AS_OF)
    keys = {(item.customer, item.customer_key) for item in snapshot.items}
    assert sorted(customer for customer, _ in keys) == sorted({each.customer for each in OPEN})


async def test_two_reads_are_the_same(books: Books):
    source = books.source()
    assert await source.fetch_snapshot(as_of=AS_OF) == await source.fetch_snapshot(as_of=AS_OF)


async def test_a_reading_that_fails_on_its_way_is_never_taken_for_whole(books: Books):
    snapshot = None
    with suppress(Upstream):
        snapshot = await books.source(fails_midway=True).fetch_snapshot(as_of=AS_OF)
    assert snapshot is None or not snapshot.complete


async def test_a_source_that_answers_passes_the_check(books: Books):
    await books.source().check()


@pytest.mark.parametrize("act", ["check", "fetch_snapshot"])
async def test_who_is_locked_out_is_told_and_no_secret_is(books: Books, act, caplog):
    caplog.set_level(logging.DEBUG)
    source = books.source(locked_out=True)
    with pytest.raises(Upstream) as raised:
        await (source.check() if act == "check" else source.fetch_snapshot(as_of=AS_OF))
    assert raised.value.system == "receivables"
    error = raised.value
    seen = "\n".join(
        (repr(source), str(error), repr(error), error.detail, caplog.text, *traceback.format_exception(error))
    )
    assert [secret for secret in books.secrets if secret in seen] == []


async def test_reading_leaves_no_secret_in_the_log(books: Books, caplog):
    caplog.set_level(logging.DEBUG)
    await books.source().fetch_snapshot(as_of=AS_OF)
    assert [secret for secret in books.secrets if secret in caplog.text] == []


async def test_what_is_paid_is_gone(own_books: Books):
    source = own_books.source()
    number = own_books.numbers[Doc.OLD]
    opened = []
    for amount in ("200.00", "1000.00"):
        await own_books.pay(Doc.OLD, Decimal(amount))
        snapshot = await source.fetch_snapshot(as_of=AS_OF)
        opened.append([item.open_amount for item in snapshot.items if item.document_number == number])
        others = {each for each in told(snapshot.items) if each[0] != number}
        assert others == {each for each in expected(own_books) if each[0] != number}
        assert snapshot.complete
    assert opened == [[Decimal("1000.00")], []]


async def test_a_dispute_is_on_the_item_it_is_about(own_books: Books):
    if not own_books.has_disputes:
        pytest.skip("the system knows no disputes")
    await own_books.dispute(Doc.PART_PAID)
    snapshot = await own_books.source().fetch_snapshot(as_of=AS_OF)
    disputed = {item.document_number for item in snapshot.items if item.disputed}
    assert disputed == {own_books.numbers[Doc.PART_PAID]}
