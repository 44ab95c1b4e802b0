"""Stripe: what its invoices become, whose money lies about unused, what is disputed, whose events are believed."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys
import time
from datetime import date
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from bot.domain.errors import Invalid, Rejected, Upstream
from bot.domain.receivables import UNKNOWN_PARTY, ItemKind, OpenItem
from bot.receivables.notes import Code
from bot.receivables.stripe import Stripe
from bot.texts import Texts
from handlers.views import errors

from .far_side import ISSUED, answer, today
from .stripe_side import WEBHOOK_SECRET, StripeSide

OCTOBER = date(2026, 10, 15)
TENANT = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
async def side():
    async with StripeSide() as side:
        yield side


@pytest.fixture
async def source(side):
    source = side.source()
    yield source
    await source.close()


async def one_item(source: Stripe) -> OpenItem:
    (item,) = (await source.fetch_snapshot(as_of=today)).items
    return item


async def test_an_invoice(side, source):
    side.invoice("Acme Inc", "A-0001", OCTOBER, "USD", "1200.50")
    side.pay("A-0001", "200.50")
    item = await one_item(source)
    assert (item.customer, item.customer_code, item.tenant) == ("Acme Inc", "cus_0001", None)
    assert (item.kind, item.document_number) == (ItemKind.INVOICE, "A-0001")
    assert (item.issue_date, item.due_date, item.disputed) == (ISSUED, OCTOBER, False)
    assert (item.currency, str(item.total), str(item.open_amount)) == ("USD", "1200.50", "1000.00")


@pytest.mark.parametrize(
    ("currency", "minor", "amount"),
    [
        ("eur", 12345, "123.45"),
        ("jpy", 12345, "12345"),
        ("krw", 5, "5"),
        ("kwd", 12340, "12.340"),
        ("isk", 12300, "123"),
        ("ugx", 12300, "123"),
        ("mga", 123, "123.00"),
        ("huf", 12345, "123.45"),
        ("twd", 12345, "123.45"),
    ],
)
async def test_smallest_units_by_currency(side, source, currency, minor, amount):
    amounts = dict.fromkeys(("total", "amount_due", "amount_remaining"), minor)
    side.invoice("Acme", "A-1", OCTOBER, currency, "1").says = amounts
    item = await one_item(source)
    assert (item.currency, str(item.open_amount), str(item.total)) == (currency.upper(), amount, amount)


async def test_what_is_charged_automatically_is_due_days_after_it_was_finalised(side, source):
    side.invoice("Acme", "A-1", None, "EUR", "10.00")
    assert (await one_item(source)).due_date == date(2026, 9, 8)


async def test_days_are_the_partners(side):
    """A minute before midnight in Berlin is the next day in Tokyo."""
    side.invoice("Acme", "A-1", OCTOBER, "EUR", "10.00")
    source = side.source(zone=ZoneInfo("Asia/Tokyo"))
    assert (await one_item(source)).due_date == date(2026, 10, 16)
    await source.close()


@pytest.mark.parametrize("status", ["draft", "paid", "void", "uncollectible"])
async def test_what_is_not_open_never_appears(side, source, status):
    side.invoice("Acme", "A-1", OCTOBER, "EUR", "10.00")
    row = side._invoice(side.documents.pop("A-1"), True)
    side.extra_rows = [row | {"status": status}]
    snapshot = await source.fetch_snapshot(as_of=today)
    assert (snapshot.items, snapshot.complete) == ((), True)


@pytest.mark.parametrize(
    ("says", "code", "column"),
    [
        ({"currency": "usdc"}, Code.BAD_CURRENCY, "currency"),
        ({"currency": None}, Code.MISSING_CURRENCY, "currency"),
        ({"currency": "isk"}, Code.TOO_MANY_DECIMALS, "amount_remaining"),
        ({"amount_remaining": Decimal("100.5")}, Code.BAD_AMOUNT, "amount_remaining"),
        ({"amount_remaining": "100"}, Code.BAD_AMOUNT, "amount_remaining"),
        ({"amount_remaining": None}, Code.BAD_AMOUNT, "amount_remaining"),
        ({"amount_remaining": 10**40}, Code.BAD_AMOUNT, "amount_remaining"),
        ({"amount_remaining": 50002}, Code.INCONSISTENT_AMOUNTS, "amount_remaining"),
        ({"due_date": None}, Code.MISSING_DUE_DATE, "due_date"),
        ({"due_date": "2026-10-15"}, Code.BAD_DATE, "due_date"),
        ({"due_date": -1}, Code.BAD_DATE, "due_date"),
        ({"due_date": 10**10}, Code.DATE_OUT_OF_RANGE, "due_date"),
        ({"due_date": None, "collection_method": "charge_automatically", "status_transitions": {}},
         Code.MISSING_DUE_DATE, "due_date"),
        ({"status": "contested"}, Code.UNKNOWN_STATUS, ""),
    ],
)  # fmt: skip
async def test_a_row_that_cannot_be_read(side, source, says, code, column):
    side.page_size = 10
    side.invoice("Acme", "A-1", OCTOBER, "EUR", "500.00")
    row = side._invoice(side.invoice("Acme", "A-2", OCTOBER, "EUR", "500.01"), True)
    side.documents.pop("A-2")
    side.extra_rows = [row | says]
    side.invoice("Contoso", "B-3", OCTOBER, "EUR", "500.00")
    snapshot = await source.fetch_snapshot(as_of=today)
    assert [item.document_number for item in snapshot.items] == ["A-1", "B-3"]
    (note,) = snapshot.rejected
    assert (note.at, note.code, note.column) == ("invoice A-2", code, column)
    assert (snapshot.complete, snapshot.incomplete_parties) == (False, {"stripe/code:cus_0001"})


async def test_without_a_customer_it_may_be_anybodys(side, source):
    side.invoice("Acme", "A-1", OCTOBER, "EUR", "500.00", customer=None)
    snapshot = await source.fetch_snapshot(as_of=today)
    assert [note.code for note in snapshot.rejected] == [Code.MISSING_CUSTOMER]
    assert snapshot.incomplete_parties == {UNKNOWN_PARTY}


@pytest.mark.parametrize(
    ("metadata", "tenant", "codes"),
    [
        ({"csp_tenant_id": TENANT}, TENANT, []),
        ({"csp_tenant_id": f" {{{TENANT}}} "}, TENANT, []),
        ({"csp_tenant_id": "contoso.com"}, "contoso.com", []),
        ({"csp_tenant_id": "Contoso"}, None, [Code.BAD_TENANT]),
        ({"csp_tenant_id": "gmail.com"}, None, [Code.BAD_TENANT]),
        ({"csp_tenant_id": ""}, None, []),
        ({"tenant": TENANT}, None, []),
    ],
)
async def test_the_customers_metadata_names_the_tenant(side, source, metadata, tenant, codes):
    side.customer("Acme", metadata=metadata)
    for number in ("A-1", "A-2"):
        side.invoice("Acme", number, OCTOBER, "EUR", "500.00")
    snapshot = await source.fetch_snapshot(as_of=today)
    assert [item.tenant for item in snapshot.items] == [tenant, tenant]
    assert [note.code for note in snapshot.warnings] == codes
    assert snapshot.complete


async def test_a_customer_that_was_deleted_still_owes(side, source):
    side.customer("Acme")
    side.invoice("Acme", "A-1", OCTOBER, "EUR", "5.00", customer={"id": "cus_0001", "deleted": True})
    item = await one_item(source)
    assert (item.customer, item.customer_code) == ("Acme", "cus_0001")


async def test_money_that_pays_no_invoice_yet_is_a_credit(side, source):
    side.customer(
        "Acme",
        metadata={"csp_tenant_id": TENANT},
        cash_balance={"object": "cash_balance", "available": {"eur": 20050, "jpy": 7}},
        invoice_credit_balance={"eur": 1000, "usd": -500},
    )
    for number in ("A-1", "A-2"):
        side.invoice("Acme", number, OCTOBER, "EUR", "500.00")
    snapshot = await source.fetch_snapshot(as_of=today)
    credits = [(i.kind, i.document_number, i.currency, i.open_amount) for i in snapshot.items if i.is_credit]
    assert credits == [
        (ItemKind.PAYMENT_ON_ACCOUNT, "cus_0001 cash balance EUR", "EUR", Decimal("-200.50")),
        (ItemKind.PAYMENT_ON_ACCOUNT, "cus_0001 cash balance JPY", "JPY", Decimal(-7)),
        (ItemKind.ADJUSTMENT, "cus_0001 credit balance EUR", "EUR", Decimal("-10.00")),
    ]
    assert {item.customer_key for item in snapshot.items} == {f"tenant:{TENANT}"}


async def test_the_older_balance_has_the_sign_reversed(side, source):
    side.customer("Acme", balance=-1000, currency="eur")
    side.customer("Contoso", balance=1000, currency="eur")
    for party, number in (("Acme", "A-1"), ("Contoso", "B-1")):
        side.invoice(party, number, OCTOBER, "EUR", "500.00")
    items = (await source.fetch_snapshot(as_of=today)).items
    assert [(i.customer, i.open_amount) for i in items if i.is_credit] == [("Acme", Decimal("-10.00"))]


@pytest.mark.parametrize(
    ("status", "disputed"),
    [
        ("needs_response", True),
        ("under_review", True),
        ("warning_needs_response", True),
        ("something_new", True),
        ("won", False),
        ("lost", False),
        ("warning_closed", False),
        ("prevented", False),
    ],
)
async def test_a_payment_in_dispute_makes_what_is_left_disputed(side, source, status, disputed):
    for number in ("A-1", "A-2"):
        side.invoice("Acme", number, OCTOBER, "EUR", "500.00")
        side.pay(number, "1.00")
    side.dispute_payment_of("A-2", status)
    items = (await source.fetch_snapshot(as_of=today)).items
    assert [item.disputed for item in items] == [False, disputed]


async def test_disputes_are_not_asked_for_where_nothing_is_paid(side, source):
    side.invoice("Acme", "A-1", OCTOBER, "EUR", "500.00")
    await source.fetch_snapshot(as_of=today)
    assert [request.path for request in side.asked] == ["/v1/invoices"]


async def test_every_page_is_asked_for_with_the_same_words(side, source):
    for n in range(5):
        side.invoice("Acme", f"A-{n}", OCTOBER, "EUR", "500.00")
    await source.fetch_snapshot(as_of=today)
    asked = [{k: v for k, v in r.query.items() if k != "starting_after"} for r in side.asked]
    assert len(asked) == 3
    assert asked[1:] == asked[:-1]
    assert {request.headers["Stripe-Version"] for request in side.asked} == {"2026-10-28.endive"}


async def test_nothing_is_told_about_our_machine(side, source):
    await source.fetch_snapshot(as_of=today)
    told = side.asked[0].headers["X-Stripe-Client-User-Agent"]
    assert "platform" not in told
    assert "telemetry_id" not in told


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        pytest.param({"has_more": True, "data": []}, "paging-loop", id="more, but nothing here"),
        pytest.param({"has_more": None}, "unexpected-answer", id="silent on whether there is more"),
        pytest.param(
            {"url": "https://evil.example/v1/invoices"}, "unexpected-answer", id="a stranger's list"
        ),
        pytest.param({"url": "@evil.example/v1/invoices"}, "unexpected-answer", id="a stranger behind an @"),
        pytest.param({"url": "//evil.example/v1"}, "unexpected-answer", id="a stranger without a scheme"),
        pytest.param({"url": None}, "unexpected-answer", id="no address"),
    ],
)
async def test_a_list_that_does_not_lead_to_its_end(side, source, says, reason):
    for n in range(3):
        side.invoice("Acme", f"A-{n}", OCTOBER, "EUR", "500.00")
    side.says_of_page = says
    with pytest.raises(Rejected) as failed:
        await source.fetch_snapshot(as_of=today)
    assert failed.value.reason == reason


async def test_the_same_page_again_and_again_ends(side, source):
    page = {"object": "list", "url": "/v1/invoices", "has_more": True, "data": [{"id": "in_1"}]}
    side.then(*[answer(200, page)] * 5)
    with pytest.raises(Rejected) as failed:
        await source.fetch_snapshot(as_of=today)
    assert (failed.value.reason, len(side.asked)) == ("paging-loop", 2)


async def test_the_client_can_only_read(side, source):
    with pytest.raises(Upstream) as failed:
        await source._client.v1.invoices.void_invoice_async("in_1")
    assert (failed.value.reason, side.asked) == ("read-only", [])


BODY = b'{"id":"evt_1","object":"event","type":"invoice.paid","data":{"object":{"id":"in_1","object":"invoice"}}}'


def signature(body: bytes, *, secret: str = WEBHOOK_SECRET, age: int = 0) -> str:
    at = int(time.time()) - age
    made = hmac.new(secret.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"


@pytest.mark.parametrize(
    ("body", "signed", "believed"),
    [
        pytest.param(BODY, signature, True, id="Stripe's"),
        pytest.param(BODY, lambda body: signature(body + b" "), False, id="over another body"),
        pytest.param(BODY, partial(signature, secret="another"), False, id="with another secret"),
        pytest.param(BODY, partial(signature, age=3600), False, id="sent again an hour later"),
        pytest.param(BODY, lambda _body: "t=1", False, id="half a signature"),
        pytest.param(BODY, lambda _body: "nonsense", False, id="nonsense"),
        pytest.param(BODY, None, False, id="none"),
        pytest.param(b"\xff", signature, False, id="no text"),
        pytest.param(b"[]", signature, False, id="no event"),
    ],
)
async def test_whose_event_is_believed(source, body, signed, believed):
    headers = {"Stripe-Signature": signed(body)} if signed else {}
    assert source.verify_event(headers, body) is believed


@pytest.mark.parametrize("secret", [None, ""])
async def test_without_a_secret_nobody_is_believed(side, secret):
    source = side.source(webhook_secret=secret)
    assert not source.verify_event({"Stripe-Signature": signature(BODY, secret="")}, BODY)
    await source.close()


async def test_without_the_package_it_says_what_to_install(side, monkeypatch):
    monkeypatch.delitem(sys.modules, "bot.receivables.stripe_wire", raising=False)
    monkeypatch.delattr("bot.receivables.stripe_wire", raising=False)
    monkeypatch.setitem(sys.modules, "stripe", None)
    with pytest.raises(Invalid) as failed:
        side.source()
    assert (failed.value.at, failed.value.reason) == ("stripe", "extra-not-installed")
    assert 'pip install "backstop[stripe]"' in errors.plain_words(failed.value, Texts("en"))


def test_the_program_starts_without_the_package():
    without = "import sys; sys.modules['stripe'] = None; import bot.__main__, bot.app, bot.receivables.stripe"
    subprocess.run([sys.executable, "-c", without], check=True, timeout=60)
