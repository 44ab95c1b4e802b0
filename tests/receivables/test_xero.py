"""Xero: what its documents become, the refresh token that changes each time, pages that move, its signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import date, timedelta
from decimal import Decimal

import pytest
from aiohttp import web

from bot.domain.errors import Rejected, SignInFailed, Unavailable
from bot.domain.receivables import UNKNOWN_PARTY, ItemKind, OpenItem
from bot.receivables.notes import Code
from bot.receivables.xero import READINGS, Xero, xero_day

from .far_side import ISSUED, answer, today
from .xero_side import ORGANISATION, WEBHOOK_KEY, XeroSide

OCTOBER = date(2026, 10, 15)
TENANT = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
async def side():
    async with XeroSide() as side:
        yield side


@pytest.fixture
async def source(side):
    source = side.source()
    yield source
    await source.close()


async def one_item(source: Xero) -> OpenItem:
    (item,) = (await source.fetch_snapshot(as_of=today)).items
    return item


@pytest.mark.parametrize("iso", [False, True], ids=["dates of Microsoft", "dates of ISO"])
async def test_an_invoice(side, source, iso):
    side.iso_dates = iso
    promised = "2026-11-30T00:00:00" if iso else "/Date(1795996800000+0000)/"
    side.invoice("Acme Ltd", "INV-1", OCTOBER, "GBP", "1200.50", ExpectedPaymentDate=promised)
    side.pay("INV-1", "200.50")
    item = await one_item(source)
    assert (item.customer, item.customer_code) == ("Acme Ltd", "c0000000-0000-4000-8000-000000000001")
    assert (item.kind, item.document_number, item.tenant) == (ItemKind.INVOICE, "INV-1", None)
    assert (item.issue_date, item.due_date, item.promise_to_pay) == (ISSUED, OCTOBER, date(2026, 11, 30))
    assert (item.currency, str(item.total), str(item.open_amount)) == ("GBP", "1200.50", "1000.00")


async def test_credits_of_three_kinds(side, source):
    side.credit("Acme", "CN-1", "EUR", "100.00")
    side.overpayment("Acme", "op", "EUR", "20.00")
    side.prepayment("Acme", "pp", "EUR", "3.00")
    side.pay("CN-1", "60.00")
    items = (await source.fetch_snapshot(as_of=today)).items
    assert [(i.kind, i.document_number, i.open_amount, i.due_date) for i in items] == [
        (ItemKind.CREDIT_NOTE, "CN-1", Decimal(-40), ISSUED),
        (ItemKind.PAYMENT_ON_ACCOUNT, "id-op", Decimal(-20), ISSUED),
        (ItemKind.PAYMENT_ON_ACCOUNT, "id-pp", Decimal(-3), ISSUED),
    ]


async def test_what_suppliers_are_owed_never_appears(side, source):
    side.overpayment("Acme", "op", "EUR", "20.00", Type="SPEND-OVERPAYMENT")
    side.prepayment("Acme", "pp", "EUR", "20.00", Type="SPEND-PREPAYMENT")
    side.invoice("Acme", "BILL-1", OCTOBER, "EUR", "20.00", Type="ACCPAY")
    assert (await source.fetch_snapshot(as_of=today)).items == ()


@pytest.mark.parametrize("status", ["DRAFT", "SUBMITTED", "DELETED", "PAID", "VOIDED"])
async def test_what_is_not_open_never_appears(side, source, status):
    side.unfiltered = True
    side.invoice("Acme", "INV-1", OCTOBER, "EUR", "20.00", Status=status)
    side.credit("Acme", "CN-1", "EUR", "20.00", Status=status)
    snapshot = await source.fetch_snapshot(as_of=today)
    assert (snapshot.items, snapshot.complete) == ((), True)


async def test_an_authorised_invoice_with_nothing_due_never_appears(side, source):
    side.invoice("Acme", "INV-1", OCTOBER, "EUR", "20.00", AmountDue=Decimal("0.00"))
    snapshot = await source.fetch_snapshot(as_of=today)
    assert (snapshot.items, snapshot.complete) == ((), True)


@pytest.mark.parametrize(
    ("says", "code", "column"),
    [
        ({"CurrencyCode": "XXX"}, Code.BAD_CURRENCY, "CurrencyCode"),
        ({"CurrencyCode": ""}, Code.MISSING_CURRENCY, "CurrencyCode"),
        ({"AmountDue": Decimal("10.001")}, Code.TOO_MANY_DECIMALS, "AmountDue"),
        ({"AmountDue": "10.00"}, Code.BAD_AMOUNT, "AmountDue"),
        ({"AmountDue": Decimal("500.01")}, Code.INCONSISTENT_AMOUNTS, "AmountDue"),
        ({"DueDate": None}, Code.MISSING_DUE_DATE, "DueDate"),
        ({"DueDate": "/Date(soon)/"}, Code.BAD_DATE, "DueDate"),
        ({"DueDate": "/Date(999999999999999)/"}, Code.BAD_DATE, "DueDate"),
        ({"DueDate": "/Date(4070908800000)/"}, Code.DATE_OUT_OF_RANGE, "DueDate"),
        ({"ExpectedPaymentDate": "soon"}, Code.BAD_DATE, "ExpectedPaymentDate"),
        ({"Status": "ARCHIVED"}, Code.UNKNOWN_STATUS, ""),
    ],
)
async def test_a_row_that_cannot_be_read(side, source, says, code, column):
    side.unfiltered = True
    side.invoice("Acme", "INV-1", OCTOBER, "EUR", "500.00")
    side.invoice("Acme", "INV-2", OCTOBER, "EUR", "500.00", **says)
    side.invoice("Contoso", "INV-3", OCTOBER, "EUR", "500.00")
    snapshot = await source.fetch_snapshot(as_of=today)
    assert [item.document_number for item in snapshot.items] == ["INV-1", "INV-3"]
    (note,) = snapshot.rejected
    assert (note.at, note.code, note.column) == ("invoice INV-2", code, column)
    assert (snapshot.complete, snapshot.incomplete_parties) == (False, {snapshot.items[0].customer_key})


async def test_without_a_contact_it_may_be_anybodys(side, source):
    side.invoice("Acme", "INV-1", OCTOBER, "EUR", "500.00", Contact=None)
    snapshot = await source.fetch_snapshot(as_of=today)
    assert [note.code for note in snapshot.rejected] == [Code.MISSING_CUSTOMER]
    assert snapshot.incomplete_parties == {UNKNOWN_PARTY}


@pytest.mark.parametrize(
    ("says", "tenant"),
    [
        ({"AccountNumber": TENANT}, TENANT),
        ({"AccountNumber": f"csp: {TENANT}"}, TENANT),
        ({"ContactNumber": f"csp:{TENANT}"}, TENANT),
        ({"AccountNumber": "contoso.onmicrosoft.com"}, "contoso.onmicrosoft.com"),
        ({"AccountNumber": "booking.com"}, None),
        ({"AccountNumber": "4711"}, None),
        ({"ContactNumber": TENANT}, None),
    ],
)
async def test_where_a_contact_names_its_tenant(side, source, says, tenant):
    side.contact("Acme", **says)
    side.invoice("Acme", "INV-1", OCTOBER, "EUR", "500.00")
    assert (await one_item(source)).tenant == tenant


async def test_a_tenant_named_on_one_document_is_that_of_all(side, source):
    side.contact("Acme", AccountNumber=TENANT)
    side.invoice("Acme", "INV-1", OCTOBER, "EUR", "500.00")
    bare = {key: value for key, value in side.contact("Acme").items() if key != "AccountNumber"}
    side.overpayment("Acme", "op", "EUR", "20.00", Contact=bare)
    assert {item.customer_key for item in (await source.fetch_snapshot(as_of=today)).items} == {
        f"tenant:{TENANT}"
    }


async def test_two_tenants_of_one_contact_are_none(side, source):
    side.contact("Acme", AccountNumber=TENANT)
    side.invoice("Acme", "INV-1", OCTOBER, "EUR", "500.00")
    other = side.contact("Acme") | {"AccountNumber": "22222222-2222-4333-8444-555555555555"}
    side.invoice("Acme", "INV-2", OCTOBER, "EUR", "500.00", Contact=other)
    assert [i.tenant for i in (await source.fetch_snapshot(as_of=today)).items] == [None, None]


@pytest.mark.parametrize("tells", [True, False], ids=["with pagination", "without"])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
async def test_every_page_is_read(side, source, tells, n):
    side.tells_pagination = tells
    for i in range(n):
        side.invoice("Acme", f"INV-{i}", OCTOBER, "EUR", "500.00")
    assert len((await source.fetch_snapshot(as_of=today)).items) == n


def pay_between_the_pages(side: XeroSide, number: str, *, times: int) -> None:
    """Pay one more invoice of the first page each time the first page has been answered."""
    left = [f"{number}-{n}" for n in range(times)]

    def pay(_: int) -> None:
        last = side.asked[-1] if side.asked else None
        if left and last and last.path.endswith("Invoices") and last.query["page"] == "1":
            gone = left.pop(0)
            side.pay(gone, "500.00")

    side.on_answer = pay


async def test_an_invoice_that_moves_to_the_page_before_is_not_missed(side, source):
    for n in range(6):
        side.invoice("Acme", f"INV-{n}", OCTOBER, "EUR", "500.00")
    pay_between_the_pages(side, "INV", times=1)
    items = (await source.fetch_snapshot(as_of=today)).items
    assert [item.document_number for item in items] == [f"INV-{n}" for n in range(1, 6)]


async def test_an_invoice_that_moves_is_not_missed_although_the_count_is_the_same(side, source):
    for n in range(6):
        side.invoice("Acme", f"INV-{n}", OCTOBER, "EUR", "500.00")
    pay_between_the_pages(side, "INV", times=1)
    pay = side.on_answer

    def pay_and_write_another(n: int) -> None:
        pay(n)
        if side.documents["INV-0"].open == 0 and "INV-9" not in side.documents:
            side.invoice("Acme", "INV-9", OCTOBER, "EUR", "500.00")

    side.on_answer = pay_and_write_another
    items = (await source.fetch_snapshot(as_of=today)).items
    assert {item.document_number for item in items} == {f"INV-{n}" for n in (1, 2, 3, 4, 5, 9)}


async def test_books_that_never_hold_still_are_not_believed(side, source):
    for n in range(12):
        side.invoice("Acme", f"INV-{n}", OCTOBER, "EUR", "500.00")
    pay_between_the_pages(side, "INV", times=READINGS)
    with pytest.raises(Unavailable) as failed:
        await source.fetch_snapshot(as_of=today)
    assert (failed.value.system, failed.value.reason) == ("receivables", "changed-while-read")


async def test_fewer_documents_than_xero_counts_are_not_believed(side, source):
    pagination = {"page": 1, "pageSize": 2, "pageCount": 1, "itemCount": 1}
    side.then(*[answer(200, {"CreditNotes": [], "pagination": pagination})] * READINGS)
    with pytest.raises(Unavailable) as failed:
        await source.fetch_snapshot(as_of=today)
    assert failed.value.reason == "changed-while-read"


async def test_the_same_page_again_and_again_ends(side, source):
    for n in range(3):
        side.invoice("Acme", f"INV-{n}", OCTOBER, "EUR", "500.00")
    side.tells_pagination = False
    page = {"Invoices": [{"InvoiceID": "a"}, {"InvoiceID": "b"}]}
    side.then(None, None, None, answer(200, page), answer(200, page))
    with pytest.raises(Rejected) as failed:
        await source.fetch_snapshot(as_of=today)
    assert failed.value.reason == "paging-loop"


async def test_the_organisation_is_named_in_every_question(side, source):
    await source.check()
    await source.fetch_snapshot(as_of=today)
    assert {request.headers["xero-tenant-id"] for request in side.asked} == {ORGANISATION}


async def test_a_new_refresh_token_is_kept_before_anything_is_asked(side, source):
    await source.fetch_snapshot(as_of=today)
    side.clock.time += timedelta(hours=1)
    await source.fetch_snapshot(as_of=today)
    kept = [n for n, what in enumerate(side.happened) if what.startswith("kept")]
    assert side.kept == ["xero-canary-refresh-1", "xero-canary-refresh-2"]
    assert (kept[0], side.happened[kept[1] + 1]) == (0, "asked")
    assert [form["refresh_token"] for form in side.forms] == [
        "xero-canary-refresh-0",
        "xero-canary-refresh-1",
    ]
    assert all(set(form) == {"grant_type", "refresh_token"} for form in side.forms)


async def test_an_access_token_that_ends_early_is_renewed(side, source):
    await source.fetch_snapshot(as_of=today)
    side.valid.clear()
    assert (await source.fetch_snapshot(as_of=today)).complete
    assert len(side.kept) == 2


async def test_what_cannot_be_kept_is_not_used(side, source):
    side.keeps = False
    with pytest.raises(Unavailable):
        await source.fetch_snapshot(as_of=today)
    assert side.asked == []


async def test_a_refused_refresh_token_is_not_tried_again_but_another_is(side, source):
    side.stored = "used-before"
    for _ in range(2):
        with pytest.raises(SignInFailed) as failed:
            await source.fetch_snapshot(as_of=today)
        assert (failed.value.system, failed.value.reason) == ("receivables", "invalid_grant")
    assert len(side.forms) == 1
    side.stored = side.refresh_token
    assert (await source.fetch_snapshot(as_of=today)).complete


@pytest.mark.parametrize(
    "trouble",
    [
        web.Response(status=503),
        web.Response(status=429),
        web.Response(text="<html>"),
        web.Response(text='{"a'),
    ],
    ids=["a server error", "too many requests", "a page", "cut off"],
)
async def test_a_sign_in_in_trouble_is_tried_again(side, source, trouble):
    side.token_answers = [trouble]
    assert (await source.fetch_snapshot(as_of=today)).complete
    assert len(side.forms) == 2


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("/Date(1573755038314)/", date(2019, 11, 14)),
        ("/Date(1439434356790+0000)/", date(2015, 8, 13)),
        ("/Date(1546300799000+0000)/", date(2018, 12, 31)),
        ("/Date(1546300799000+1300)/", date(2019, 1, 1)),
        ("/Date(-86400000+0000)/", date(1969, 12, 31)),
        ("2026-02-28T00:00:00", date(2026, 2, 28)),
        ("2026-02-28 00:00:00", date(2026, 2, 28)),
        ("2026-02-28", date(2026, 2, 28)),
        (None, None),
        ("", None),
    ],
)
def test_dates_come_in_two_ways(text, day):
    assert xero_day(text) == day


BODY = '{"events":[{"resourceId":"é","eventType":"UPDATE"}]}'.encode()


def signed(body: bytes, key: str = WEBHOOK_KEY) -> str:
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


@pytest.mark.parametrize(
    ("signature", "believed"),
    [
        pytest.param(signed(BODY), True, id="Xero's"),
        pytest.param(signed(BODY + b" "), False, id="over another body"),
        pytest.param(signed(BODY, "another key"), False, id="with another key"),
        pytest.param(signed(BODY).lower(), False, id="in lower case"),
        pytest.param("", False, id="empty"),
        pytest.param("ü", False, id="not even ASCII"),
        pytest.param(None, False, id="none"),
    ],
)
async def test_whose_event_is_believed(source, signature, believed):
    headers = {} if signature is None else {"x-xero-signature": signature}
    assert source.verify_event(headers, BODY) is believed


@pytest.mark.parametrize("key", [None, ""])
async def test_without_a_key_nobody_is_believed(side, key):
    source = side.source(webhook_key=key)
    assert not source.verify_event({"x-xero-signature": signed(BODY, "")}, BODY)
    await source.close()
