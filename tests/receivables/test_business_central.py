"""Business Central: what its documents become, where its links may lead, whose notifications are believed."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from aiohttp import web

from bot.domain.errors import Rejected, SignInFailed, Unavailable
from bot.domain.receivables import UNKNOWN_PARTY, ItemKind, OpenItem
from bot.receivables.business_central import BusinessCentral
from bot.receivables.notes import Code

from .business_central_side import CLIENT_STATE, SECRET, BusinessCentralSide
from .far_side import ISSUED, today
from .stripe_side import StripeSide

OCTOBER = date(2026, 10, 15)


@pytest.fixture
async def side():
    async with BusinessCentralSide() as side:
        yield side


@pytest.fixture
async def source(side):
    source = side.source()
    yield source
    await source.close()


async def one_item(source: BusinessCentral) -> OpenItem:
    (item,) = (await source.fetch_snapshot(as_of=today)).items
    return item


async def test_an_invoice(side, source):
    side.invoice("Acme GmbH", "103001", OCTOBER, "USD", "1200.50")
    side.pay("103001", "200.50")
    item = await one_item(source)
    assert (item.customer, item.customer_code, item.tenant) == ("Acme GmbH", "10000", None)
    assert (item.kind, item.document_number, item.instalment) == (ItemKind.INVOICE, "103001", 1)
    assert (item.issue_date, item.due_date) == (ISSUED, OCTOBER)
    assert (item.currency, str(item.total), str(item.open_amount)) == ("USD", "1200.50", "1000.00")


async def test_a_credit_memo_is_negative_and_due_when_it_was_made(side, source):
    side.credit("Acme GmbH", "104001", "EUR", "100.00")
    item = await one_item(source)
    assert (item.kind, item.document_number) == (ItemKind.CREDIT_NOTE, "104001")
    assert (item.open_amount, item.total, item.due_date) == (Decimal(-100), Decimal(-100), ISSUED)


async def test_a_credit_memo_that_says_what_remains_of_it(side, source):
    side.credit("Acme GmbH", "104001", "EUR", "100.00", remainingAmount=Decimal("40.00"))
    assert (await one_item(source)).open_amount == Decimal(-40)


@pytest.mark.parametrize(
    ("local", "code", "amount"), [("JPY", "JPY", "120000"), ("KWD", "KWD", "1.250"), ("eur", "EUR", "0.10")]
)
async def test_no_currency_code_means_the_companys_own(side, source, local, code, amount):
    side.local_currency = local
    side.invoice("Acme", "103001", OCTOBER, local, amount)
    item = await one_item(source)
    assert (item.currency, str(item.open_amount)) == (code, amount)


async def test_the_companys_own_currency_is_read_once(side, source):
    for _ in range(2):
        await source.fetch_snapshot(as_of=today)
    assert [r.path.rpartition("/")[2] for r in side.asked].count("companyInformation") == 1


@pytest.mark.parametrize(
    "status", ["", " ", "_x0020_", "Draft", "In Review", "Paid", "Canceled", "Corrective"]
)
async def test_what_is_not_open_never_appears(side, source, status):
    """Not even where the filter of the far side lets it through."""
    side.unfiltered = True
    side.invoice("Acme", "103001", OCTOBER, "EUR", "10.00", status=status)
    side.credit("Acme", "104001", "EUR", "10.00", status=status)
    snapshot = await source.fetch_snapshot(as_of=today)
    assert (snapshot.items, snapshot.complete) == ((), True)


@pytest.mark.parametrize("left", ["0", "0.00", "-5.00"])
async def test_an_open_invoice_with_nothing_left_never_appears(side, source, left):
    side.invoice("Acme", "103001", OCTOBER, "EUR", "10.00", status="Open", remainingAmount=Decimal(left))
    snapshot = await source.fetch_snapshot(as_of=today)
    assert (snapshot.items, snapshot.complete) == ((), True)


@pytest.mark.parametrize(
    ("says", "code", "column"),
    [
        ({"currencyCode": "EURO"}, Code.BAD_CURRENCY, "currencyCode"),
        ({"currencyCode": "XXX"}, Code.BAD_CURRENCY, "currencyCode"),
        ({"remainingAmount": Decimal("10.001")}, Code.TOO_MANY_DECIMALS, "remainingAmount"),
        ({"remainingAmount": "10.00"}, Code.BAD_AMOUNT, "remainingAmount"),
        ({"remainingAmount": True}, Code.BAD_AMOUNT, "remainingAmount"),
        ({"remainingAmount": None}, Code.BAD_AMOUNT, "remainingAmount"),
        ({"remainingAmount": Decimal("1E+30")}, Code.BAD_AMOUNT, "remainingAmount"),
        ({"remainingAmount": Decimal("1E-30")}, Code.TOO_MANY_DECIMALS, "remainingAmount"),
        ({"remainingAmount": Decimal("500.01")}, Code.INCONSISTENT_AMOUNTS, "remainingAmount"),
        ({"totalAmountIncludingTax": None}, Code.BAD_AMOUNT, "totalAmountIncludingTax"),
        ({"dueDate": "0001-01-01"}, Code.MISSING_DUE_DATE, "dueDate"),
        ({"dueDate": None}, Code.MISSING_DUE_DATE, "dueDate"),
        ({"dueDate": "15.10.2026"}, Code.BAD_DATE, "dueDate"),
        ({"dueDate": "2026-02-30"}, Code.BAD_DATE, "dueDate"),
        ({"dueDate": "1989-12-31"}, Code.DATE_OUT_OF_RANGE, "dueDate"),
        ({"dueDate": "2099-01-01"}, Code.DATE_OUT_OF_RANGE, "dueDate"),
        ({"number": ""}, Code.MISSING_NUMBER, "number"),
    ],
)
async def test_a_row_that_cannot_be_read(side, source, says, code, column):
    side.invoice("Acme", "103001", OCTOBER, "EUR", "500.00")
    side.invoice("Acme", "103002", OCTOBER, "EUR", "500.00").says = says
    side.invoice("Contoso", "103003", OCTOBER, "EUR", "500.00")
    snapshot = await source.fetch_snapshot(as_of=today)
    assert [item.document_number for item in snapshot.items] == ["103001", "103003"]
    (note,) = snapshot.rejected
    assert (note.code, note.column) == (code, column)
    assert note.at.startswith("sales invoice")
    assert "Acme" in note.row
    assert (snapshot.complete, snapshot.incomplete_parties) == (
        False,
        frozenset({"business-central/code:10000"}),
    )


async def test_a_state_nobody_knows_is_neither_owed_nor_paid(side, source):
    side.unfiltered = True
    side.invoice("Acme", "103001", OCTOBER, "EUR", "500.00", status="Disputed")
    snapshot = await source.fetch_snapshot(as_of=today)
    assert [note.code for note in snapshot.rejected] == [Code.UNKNOWN_STATUS]


async def test_without_a_bill_to_customer_it_may_be_anybodys(side, source):
    side.invoice("Acme", "103001", OCTOBER, "EUR", "500.00", billToCustomerNumber="")
    snapshot = await source.fetch_snapshot(as_of=today)
    assert [note.code for note in snapshot.rejected] == [Code.MISSING_CUSTOMER]
    assert snapshot.incomplete_parties == {UNKNOWN_PARTY}


@pytest.mark.parametrize(
    ("website", "tenant"),
    [
        ("contoso.com", "contoso.com"),
        ("WWW.Contoso.com", "contoso.com"),
        ("contoso.onmicrosoft.com", "contoso.onmicrosoft.com"),
        ("https://contoso.com", None),
        ("contoso.com/shop", None),
        ("contoso.com:8080", None),
        ("gmail.com", None),
        ("www.gmail.com", None),
        ("contoso", None),
        ("", None),
    ],
)
async def test_a_website_names_the_tenant_if_it_is_a_plain_host_name(side, source, website, tenant):
    side.customer("Contoso", website=website)
    side.invoice("Contoso", "103001", OCTOBER, "EUR", "500.00")
    assert (await one_item(source)).tenant == tenant


async def test_a_website_of_two_customers_names_no_tenant(side, source):
    for party in ("Contoso GmbH", "Contoso AG", "Fabrikam"):
        side.customer(party, website="fabrikam.com" if party == "Fabrikam" else "contoso.com")
    side.invoice("Contoso GmbH", "103001", OCTOBER, "EUR", "500.00")
    side.credit("Contoso AG", "104001", "EUR", "500.00")
    items = (await source.fetch_snapshot(as_of=today)).items
    assert {item.customer_key for item in items} == {
        "business-central/code:10000",
        "business-central/code:20000",
    }


async def test_a_party_is_incomplete_under_the_key_its_items_have(side, source):
    side.customer("Contoso", website="contoso.com")
    side.invoice("Contoso", "103001", OCTOBER, "EUR", "500.00")
    side.invoice("Contoso", "103002", None, "EUR", "500.00")
    snapshot = await source.fetch_snapshot(as_of=today)
    assert snapshot.incomplete_parties == {item.customer_key for item in snapshot.items}


async def test_credits_are_read_before_the_invoices_they_may_pay(side, source):
    """Applied in between, a credit is then seen twice rather than not at all."""
    side.invoice("Acme", "103001", OCTOBER, "EUR", "500.00")
    credit = side.credit("Acme", "104001", "EUR", "500.00")

    def apply(answered: int) -> None:
        if side.asked and side.asked[-1].path.endswith("salesCreditMemos"):
            side.pay("103001", "500.00")
            credit.open = Decimal(0)
            side.on_answer = lambda _: None

    side.on_answer = apply
    items = (await source.fetch_snapshot(as_of=today)).items
    assert [item.open_amount for item in items] == [Decimal(-500)]


class TestTheBalanceBesideTheDocuments:
    async def doubts(self, source) -> tuple[list[Code], frozenset[str]]:
        snapshot = await source.fetch_snapshot(as_of=today)
        return [note.code for note in snapshot.rejected], snapshot.incomplete_parties

    async def test_a_payment_that_is_posted_but_not_applied_puts_the_customer_in_doubt(self, side, source):
        side.customer("Acme", website="acme.example")
        side.invoice("Acme", "103001", OCTOBER, "EUR", "500.00")
        side.invoice("Contoso", "103002", OCTOBER, "EUR", "700.00")
        side.unapplied["Acme"] = Decimal("500.00")
        snapshot = await source.fetch_snapshot(as_of=today)
        assert [item.document_number for item in snapshot.items] == ["103001", "103002"]
        (note,) = snapshot.rejected
        assert (note.at, note.code) == ("customer 10000", Code.BALANCE_DIFFERS)
        assert "500.00 EUR, the customer's balance is 0.00 EUR" in note.message
        assert snapshot.incomplete_parties == {"tenant:acme.example"}

    async def test_a_cent_is_a_difference(self, side, source):
        side.invoice("Acme", "103001", OCTOBER, "EUR", "500.00")
        side.unapplied["Acme"] = Decimal("0.01")
        assert await self.doubts(source) == (
            [Code.BALANCE_DIFFERS],
            frozenset({"business-central/code:10000"}),
        )

    async def test_a_credit_memo_counts_on_both_sides(self, side, source):
        side.invoice("Acme", "103001", OCTOBER, "EUR", "500.00")
        side.credit("Acme", "104001", "EUR", "120.00")
        assert await self.doubts(source) == ([], frozenset())

    async def test_what_is_owed_without_a_document_puts_the_customer_in_doubt(self, side, source):
        """An opening balance, or interest: paying the invoices does not clear it."""
        side.customer("Acme")
        side.unapplied["Acme"] = Decimal("-80.00")
        assert await self.doubts(source) == (
            [Code.BALANCE_DIFFERS],
            frozenset({"business-central/code:10000"}),
        )

    async def test_money_of_a_customer_who_owes_nothing_is_no_doubt(self, side, source):
        side.customer("Acme")
        side.unapplied["Acme"] = Decimal("80.00")
        assert await self.doubts(source) == ([], frozenset())

    @pytest.mark.parametrize(
        ("unapplied", "codes"),
        [
            pytest.param("0", [], id="nothing"),
            pytest.param("40.00", [], id="less than rates may move"),
            pytest.param("50.00", [Code.BALANCE_DIFFERS], id="more than that"),
            pytest.param("450.00", [Code.BALANCE_DIFFERS], id="all of it"),
        ],
    )
    async def test_a_foreign_debt_is_compared_at_todays_rate(self, side, source, unapplied, codes):
        side.rate("USD", "90.00", units=100)
        side.invoice("Acme", "103001", OCTOBER, "USD", "500.00")
        side.unapplied["Acme"] = Decimal(unapplied)
        assert (await self.doubts(source))[0] == codes

    async def test_the_newest_rate_counts_and_none_of_tomorrow(self, side, source):
        side.invoice("Acme", "103001", OCTOBER, "USD", "500.00")
        side.rate("USD", "2.00", since="2025-01-01")
        side.rate("USD", "7.00", since="2026-11-23")
        side.rate("USD", "0.90", since="2026-11-22")
        assert await self.doubts(source) == ([], frozenset())

    async def test_without_a_rate_a_foreign_debt_is_in_doubt(self, side, source):
        side.invoice("Acme", "103001", OCTOBER, "USD", "500.00")
        assert (await self.doubts(source))[0] == [Code.BALANCE_DIFFERS]

    async def test_rates_are_asked_for_only_where_they_are_needed(self, side, source):
        side.invoice("Acme", "103001", OCTOBER, "EUR", "500.00")
        await source.fetch_snapshot(as_of=today)
        assert not any(asked.path.endswith("currencyExchangeRates") for asked in side.asked)

    async def test_a_payment_while_we_read_is_a_doubt_and_no_harm(self, side, source):
        side.invoice("Acme", "103001", OCTOBER, "EUR", "500.00")

        def pay(_: int) -> None:
            if side.asked and side.asked[-1].path.endswith("salesInvoices"):
                side.pay("103001", "500.00")
                side.on_answer = lambda _: None

        side.on_answer = pay
        assert (await self.doubts(source))[0] == [Code.BALANCE_DIFFERS]
        assert await self.doubts(source) == ([], frozenset())


async def test_no_link_is_followed_to_a_stranger(side, source):
    for n in range(3):
        side.invoice("Acme", f"10300{n}", OCTOBER, "EUR", "500.00")
    async with StripeSide() as stranger:
        port = stranger.url.rpartition(":")[2]
        mine = side.url.rpartition(":")[2]
        for link in (
            f"{stranger.url}/v1/invoices",
            f"http://localhost:{mine}/v1/invoices",
            f"https://127.0.0.1:{mine}/x",
            f"http://127.0.0.1:{mine}@127.0.0.1:{port}/x",
            f"http://somebody:else@127.0.0.1:{mine}/x",
            f"//127.0.0.1:{port}/x",
            "http://[",
            "file:///etc/passwd",
        ):
            side.next_link = link
            with pytest.raises(Rejected) as failed:
                await source.fetch_snapshot(as_of=today)
            assert failed.value.reason in ("foreign-host", "bad-link")
        assert stranger.asked == []


async def test_a_link_that_leads_in_a_circle_ends(side, source):
    for n in range(3):
        side.invoice("Acme", f"10300{n}", OCTOBER, "EUR", "500.00")
    side.next_link = f"{side.url}{(await first_path(side, source))}?$skiptoken=0"
    with pytest.raises(Rejected) as failed:
        await source.fetch_snapshot(as_of=today)
    assert failed.value.reason == "paging-loop"


async def first_path(side, source) -> str:
    await source.fetch_snapshot(as_of=today)
    return next(str(asked.path) for asked in side.asked if asked.path.endswith("salesInvoices"))


async def test_what_is_sent_to_sign_in(side, source):
    await source.fetch_snapshot(as_of=today)
    assert side.forms == [
        {
            "grant_type": "client_credentials",
            "client_id": "backstop-app",
            "client_secret": SECRET,
            "scope": f"{side.url}/.default",
        }
    ]


async def test_a_token_is_renewed_before_its_end_and_when_it_is_refused(side, source):
    await source.fetch_snapshot(as_of=today)
    side.clock.time += timedelta(minutes=54)
    await source.fetch_snapshot(as_of=today)
    assert len(side.forms) == 1
    side.clock.time += timedelta(minutes=1)
    await source.fetch_snapshot(as_of=today)
    assert len(side.forms) == 2
    side.valid.clear()
    await source.fetch_snapshot(as_of=today)
    assert len(side.forms) == 3


async def test_a_token_that_is_refused_at_once_is_renewed_once_and_no_more(side, source):
    await source.fetch_snapshot(as_of=today)
    side.token_answers = [web.json_response({"access_token": "useless", "expires_in": 3599})]
    side.valid.clear()
    with pytest.raises(SignInFailed):
        await source.fetch_snapshot(as_of=today)
    assert len(side.forms) == 2


async def test_a_token_that_still_lives_is_used_while_it_cannot_be_renewed(side, source):
    await source.fetch_snapshot(as_of=today)
    side.clock.time += timedelta(minutes=57)
    side.token_answers = [web.Response(status=503) for _ in range(20)]
    assert (await source.fetch_snapshot(as_of=today)).complete
    side.clock.time += timedelta(minutes=3)
    with pytest.raises(Unavailable):
        await source.fetch_snapshot(as_of=today)


def notified(*states: object) -> bytes:
    return json.dumps({"value": [{"subscriptionId": "s", "clientState": state} for state in states]}).encode()


@pytest.mark.parametrize(
    ("body", "believed"),
    [
        pytest.param(notified(CLIENT_STATE), True, id="ours"),
        pytest.param(notified(CLIENT_STATE, CLIENT_STATE), True, id="two of ours"),
        pytest.param(notified(CLIENT_STATE, "else"), False, id="one is not"),
        pytest.param(notified("else"), False, id="another secret"),
        pytest.param(notified(""), False, id="an empty secret"),
        pytest.param(notified(None), False, id="no secret"),
        pytest.param(notified(7), False, id="a number"),
        pytest.param(b'{"value":[{"clientState":"\\ud800"}]}', False, id="half a character"),
        pytest.param(b'{"value":[]}', False, id="nothing in it"),
        pytest.param(b'{"value":[null]}', False, id="a notification that is none"),
        pytest.param(b"[]", False, id="a list"),
        pytest.param(b"", False, id="empty"),
        pytest.param(b"\xff", False, id="no text"),
    ],
)
async def test_whose_notification_is_believed(source, body, believed):
    assert source.verify_event({}, body) is believed


@pytest.mark.parametrize("state", [None, ""])
async def test_without_a_client_state_nobody_is_believed(side, state):
    source = side.source(client_state=state)
    assert not source.verify_event({}, notified(state))
    await source.close()
