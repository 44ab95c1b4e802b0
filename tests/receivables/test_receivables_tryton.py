"""Tryton as a source: what only Tryton does, on a real server; and answers no healthy server gives."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from bot.domain.errors import AccessDenied, Rejected, SignInFailed, Throttled, Unavailable
from bot.domain.receivables import UNKNOWN_PARTY, ItemKind
from bot.receivables.json_reads import Pace
from bot.receivables.tryton import Tryton
from tests.tryton import Server

from .books import ACME, AS_OF, CONTOSO, FABRIKAM, Doc, noon, told
from .books_tryton import TrytonBooks, tryton_books

KEY = "f00dcafe" * 16


@pytest.fixture
async def books(tryton_server: Server) -> AsyncIterator[TrytonBooks]:
    async with tryton_books(tryton_server) as books:
        yield books


@pytest.fixture
async def own_books(tryton_of_its_own: Server) -> AsyncIterator[TrytonBooks]:
    async with tryton_books(tryton_of_its_own) as books:
        yield books


class TestOnARealServer:
    @pytest.mark.parametrize("page_size", [1, 6, 7, 200])
    async def test_the_size_of_a_page_makes_no_difference(self, books: TrytonBooks, page_size):
        whole = await books.source().fetch_snapshot(as_of=AS_OF)
        assert await books.source(page_size=page_size).fetch_snapshot(as_of=AS_OF) == whole

    async def test_a_user_who_sees_no_invoices_is_not_told_that_all_have_paid(self, books: TrytonBooks):
        source = books.source(company=99)
        for act in (source.check(), source.fetch_snapshot(as_of=AS_OF)):
            with pytest.raises(AccessDenied) as raised:
                await act
            assert raised.value.reason == "no-invoices"

    async def test_a_key_that_opens_nothing_is_told_as_such(self, books: TrytonBooks):
        with pytest.raises(SignInFailed):
            await books.source(locked_out=True).check()

    async def test_an_invoice_in_another_currency_is_in_that_currency(self, books: TrytonBooks):
        snapshot = await books.source().fetch_snapshot(as_of=AS_OF)
        [item] = [item for item in snapshot.items if item.customer == CONTOSO]
        assert (item.currency, item.open_amount, item.total) == ("USD", Decimal("999.99"), Decimal("999.99"))

    async def test_a_day_at_the_office(self, own_books: TrytonBooks):
        """One instalment paid, a part of the next; money without an invoice; tenants noted, two of them for one."""
        await own_books.act(
            *("pay", own_books.numbers[Doc.HALVES], "400.00"),
            *("pay", own_books.numbers[Doc.HALVES], "150.00"),
            *("on-account", ACME, "77.00"),
            *("identify", CONTOSO, "", "contoso.example"),
            *("identify", FABRIKAM, "", "55555555-0000-4000-8000-000000000005"),
        )
        snapshot = await own_books.source().fetch_snapshot(as_of=AS_OF)

        halves = [item for item in snapshot.items if item.document_number == "4"]
        assert [(item.instalment, item.due_date, item.total, item.open_amount) for item in halves] == [
            (2, date(2026, 12, 8), Decimal("400.00"), Decimal("250.00"))
        ]
        [money] = [item for item in snapshot.items if item.kind is ItemKind.PAYMENT_ON_ACCOUNT]
        assert (money.customer, money.open_amount, money.currency) == (ACME, Decimal("-77.00"), "EUR")
        assert {item.tenant for item in snapshot.items if item.customer == CONTOSO} == {"contoso.example"}
        assert {item.tenant for item in snapshot.items if item.customer == FABRIKAM} == {None}
        assert [note.code for note in snapshot.warnings] == ["bad_tenant"]
        assert snapshot.complete


def decimal(text: str) -> dict[str, str]:
    return {"__class__": "Decimal", "decimal": text}


def day(year: int, month: int, day: int) -> dict[str, Any]:
    return {"__class__": "date", "year": year, "month": month, "day": day}


EUR = {"__name__": "currency.currency", "id": 1, "code": "EUR"}
USD = {"__name__": "currency.currency", "id": 2, "code": "USD"}


def a_line(number: int, amount: str, due: Any = "later", **changes: Any) -> dict[str, Any]:
    return {
        "__name__": "account.move.line",
        "id": number,
        "debit": decimal(amount if not amount.startswith("-") else "0"),
        "credit": decimal(amount[1:] if amount.startswith("-") else "0"),
        "amount_second_currency": None,
        "second_currency": None,
        "maturity_date": day(2026, 11, number) if due == "later" else due,
        "reconciliation": None,
        "dunnings": [],
        **changes,
    }


def an_invoice(**changes: Any) -> dict[str, Any]:
    """An invoice as a server of series 8.2 sent it, with other numbers."""
    return {
        "__name__": "account.invoice",
        "id": 1,
        "number": "1",
        "type": "out",
        "state": "posted",
        "invoice_date": day(2026, 10, 25),
        "total_amount": decimal("800.00"),
        "amount_to_pay": decimal("800.00"),
        "currency": EUR,
        "company": {"__name__": "company.company", "id": 1, "currency": EUR},
        "party": {"__name__": "party.party", "id": 2, "name": ACME, "code": "2", "identifiers": []},
        "lines_to_pay": [a_line(8, "400.00"), a_line(9, "400.00")],
        "payment_lines": [],
        **changes,
    }


class FakeTryton:
    """Answers with these invoices and ledger lines, by id; or with what `instead` says for the next requests."""

    def __init__(self, *invoices: dict[str, Any], lines: tuple[dict[str, Any], ...] = ()) -> None:
        self.records = {"account.invoice": invoices, "account.move.line": lines}
        self.instead: list[httpx.Response | Exception] = []
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.instead:
            answer = self.instead.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        domain = json.loads(base64.urlsafe_b64decode(request.url.params["d"]))
        [after] = [clause[2] for clause in domain if clause[0] == "id"] or [0]
        records = self.records[request.url.path.rpartition("/")[2]]
        return httpx.Response(200, json=[record for record in records if record["id"] > after])

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


Connect = Callable[..., Tryton]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    clients: list[httpx.AsyncClient] = []

    def build(far_side: FakeTryton, **options: Any) -> Tryton:
        http = httpx.AsyncClient(transport=httpx.MockTransport(far_side), follow_redirects=True)
        clients.append(http)
        given: dict[str, Any] = {
            **{"url": "https://tryton.example", "database": "ar", "key": KEY, "http": http},
            "pace": Pace(now=lambda: noon, sleep=far_side.sleep, jitter=lambda: 1.0),
        }
        return Tryton(**(given | options))

    yield build
    for http in clients:
        await http.aclose()


class TestAmounts:
    @pytest.mark.parametrize(
        ("open_amount", "parts"),
        [
            pytest.param("800.00", [(1, "400.00"), (2, "400.00")], id="nothing is paid"),
            pytest.param("700.00", [(1, "300.00"), (2, "400.00")], id="the first is paid in part"),
            pytest.param("400.00", [(2, "400.00")], id="the first is paid"),
            pytest.param("0.01", [(2, "0.01")], id="a cent is left"),
            pytest.param("0.00", [], id="paid, but not yet reconciled"),
            pytest.param("-5.00", [(1, "-5.00")], id="paid too much"),
        ],
    )
    async def test_a_payment_settles_what_is_due_first(self, connect: Connect, open_amount, parts):
        far_side = FakeTryton(an_invoice(amount_to_pay=decimal(open_amount)))
        snapshot = await connect(far_side).fetch_snapshot(as_of=AS_OF)
        assert [(item.instalment, str(item.open_amount)) for item in snapshot.items] == parts
        assert snapshot.rejected + snapshot.warnings == ()

    async def test_due_first_is_a_matter_of_dates(self, connect: Connect):
        lines = [a_line(8, "400.00", day(2026, 12, 24)), a_line(9, "400.00", day(2026, 11, 1))]
        far_side = FakeTryton(an_invoice(amount_to_pay=decimal("500.00"), lines_to_pay=lines))
        snapshot = await connect(far_side).fetch_snapshot(as_of=AS_OF)
        assert {(item.instalment, str(item.open_amount)) for item in snapshot.items} == {
            (1, "400.00"),
            (2, "100.00"),
        }

    async def test_a_block_protects_its_own_instalment(self, connect: Connect):
        lines = [a_line(8, "400.00", dunnings=[{"id": 1, "blocked": 1}]), a_line(9, "400.00")]
        snapshot = await connect(FakeTryton(an_invoice(lines_to_pay=lines))).fetch_snapshot(as_of=AS_OF)
        assert [item.disputed for item in snapshot.items] == [True, False]

    async def test_yen_have_no_decimals(self, connect: Connect):
        yen = {**EUR, "code": "JPY"}
        invoice = an_invoice(currency=yen, company={"id": 1, "currency": yen})
        [first, _] = (await connect(FakeTryton(invoice)).fetch_snapshot(as_of=AS_OF)).items
        assert str(first.open_amount) == "400"

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            pytest.param({"amount_to_pay": 800.0}, "bad_amount", id="a float"),
            pytest.param({"amount_to_pay": decimal("NaN")}, "bad_amount", id="no number"),
            pytest.param({"amount_to_pay": decimal("1E+99")}, "bad_amount", id="far too much"),
            pytest.param({"amount_to_pay": decimal("799.995")}, "too_many_decimals", id="decimals"),
            pytest.param(
                {"amount_to_pay": decimal("900.00")}, "inconsistent_amounts", id="more than its lines"
            ),
            pytest.param({"total_amount": decimal("-800.00")}, "missing_due_date", id="signs that differ"),
            pytest.param({"lines_to_pay": []}, "missing_due_date", id="no line to pay"),
            pytest.param({"lines_to_pay": [a_line(8, "800.00", None)]}, "missing_due_date", id="no date"),
            pytest.param({"lines_to_pay": [a_line(8, "800.00", day(2026, 2, 30))]}, "bad_date", id="no day"),
            pytest.param({"number": None}, "missing_number", id="no number of the document"),
            pytest.param({"currency": {**EUR, "code": "XXX"}}, "bad_currency", id="no currency"),
            pytest.param({"currency": USD}, "bad_currency", id="lines in another currency"),
        ],
    )
    async def test_an_invoice_in_doubt_leaves_its_party_incomplete(self, connect: Connect, changes, code):
        other = an_invoice(id=2, number="2", party={**an_invoice()["party"], "id": 3, "code": "3"})
        snapshot = await connect(FakeTryton(an_invoice(**changes), other)).fetch_snapshot(as_of=AS_OF)
        assert [note.code for note in snapshot.rejected] == [code]
        assert {item.document_number for item in snapshot.items} == {"2"}
        assert snapshot.incomplete_parties == {"tryton/code:2"}

    @pytest.mark.parametrize("state", ["draft", "validated", "paid", "cancelled"])
    async def test_what_is_not_posted_is_not_taken_even_if_sent(self, connect: Connect, state):
        snapshot = await connect(FakeTryton(an_invoice(state=state))).fetch_snapshot(as_of=AS_OF)
        assert (snapshot.items, snapshot.complete) == ((), False)
        assert snapshot.incomplete_parties == {UNKNOWN_PARTY}

    async def test_one_number_twice_is_in_doubt(self, connect: Connect):
        again = an_invoice(id=2, amount_to_pay=decimal("700.00"))
        snapshot = await connect(FakeTryton(an_invoice(), again)).fetch_snapshot(as_of=AS_OF)
        assert {note.code for note in snapshot.rejected} == {"conflicting_duplicate"}
        assert snapshot.incomplete_parties == {"tryton/code:2"}


def a_ledger_line(number: int, amount: str, **changes: Any) -> dict[str, Any]:
    return {
        **a_line(number, amount),
        "move": {"__name__": "account.move", "id": number, "number": "7"},
        "date": day(2026, 11, 20),
        "company": {"__name__": "company.company", "id": 1, "currency": EUR},
        "party": an_invoice()["party"],
        **changes,
    }


class TestMoneyWithoutAnInvoice:
    @pytest.mark.parametrize(
        ("line", "amounts"),
        [
            pytest.param(a_ledger_line(20, "-77.00"), ["-77.00 EUR"], id="a payment"),
            pytest.param(a_ledger_line(8, "-77.00"), [], id="a line of an invoice that was read"),
            pytest.param(a_ledger_line(12, "-77.00"), [], id="a payment that an invoice has counted"),
            pytest.param(a_ledger_line(20, "77.00"), [], id="a debit"),
            pytest.param(
                a_ledger_line(
                    20, "-70.00", second_currency=USD, amount_second_currency=decimal("-77.00")
                ),
                ["-77.00 USD"],
                id="in another currency",
            ),
        ],
    )  # fmt: skip
    async def test_a_credit_counts_for_its_party(self, connect: Connect, line, amounts):
        far_side = FakeTryton(an_invoice(payment_lines=[{"id": 12}]), lines=(line,))
        snapshot = await connect(far_side).fetch_snapshot(as_of=AS_OF)
        on_account = [item for item in snapshot.items if item.kind is ItemKind.PAYMENT_ON_ACCOUNT]
        assert [f"{item.open_amount} {item.currency}" for item in on_account] == amounts
        assert {item.customer_key for item in snapshot.items} == {"tryton/code:2"}

    async def test_two_of_one_move_are_two(self, connect: Connect):
        lines = (a_ledger_line(20, "-7.00"), a_ledger_line(21, "-8.00"))
        snapshot = await connect(FakeTryton(an_invoice(), lines=lines)).fetch_snapshot(as_of=AS_OF)
        assert sum(item.open_amount for item in snapshot.items if item.is_credit) == Decimal("-15.00")
        assert snapshot.rejected + snapshot.warnings == ()


class TestTenants:
    @pytest.mark.parametrize(
        ("identifiers", "wanted", "tenant"),
        [
            pytest.param([(None, "contoso.example")], None, "contoso.example", id="a domain"),
            pytest.param([("", "contoso.example")], None, "contoso.example", id="a type left empty"),
            pytest.param([("csp", "contoso.example")], None, None, id="of another type"),
            pytest.param([("csp", "contoso.example")], "csp", "contoso.example", id="of the type"),
            pytest.param([(None, "a.example"), (None, "b.example")], None, None, id="two domains"),
            pytest.param(
                [(None, "a.example"), (None, KEY[:8])], None, "a.example", id="beside another number"
            ),
            pytest.param(
                [(None, "a.example"), (None, "44444444-0000-4000-8000-000000000003")],
                None,
                "44444444-0000-4000-8000-000000000003",
                id="an id before a domain",
            ),
            pytest.param([(None, "gmail.com")], None, None, id="a mail provider"),
        ],
    )
    async def test_a_tenant_is_taken_when_beyond_doubt(self, connect: Connect, identifiers, wanted, tenant):
        party = an_invoice()["party"]
        party["identifiers"] = [{"id": n, "type": kind, "code": c} for n, (kind, c) in enumerate(identifiers)]
        source = connect(FakeTryton(an_invoice(party=party)), identifier_type=wanted)
        assert {item.tenant for item in (await source.fetch_snapshot(as_of=AS_OF)).items} == {tenant}

    async def test_a_misspelt_one_is_told_once(self, connect: Connect):
        party = an_invoice()["party"]
        party["identifiers"] = [{"id": 1, "type": "csp", "code": "4444-nonsense"}]
        far_side = FakeTryton(an_invoice(party=party), an_invoice(id=2, number="2", party=party))
        snapshot = await connect(far_side, identifier_type="csp").fetch_snapshot(as_of=AS_OF)
        assert [note.code for note in snapshot.warnings] == ["bad_tenant"]


class TestTheWire:
    async def test_the_key_is_sent_and_the_company(self, connect: Connect):
        far_side = FakeTryton(an_invoice())
        await connect(far_side, company=5).check()
        [request, _] = far_side.requests
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert json.loads(base64.urlsafe_b64decode(request.headers["X-Tryton-Context"])) == {"company": 5}
        assert ["company", "=", 5] in json.loads(base64.urlsafe_b64decode(request.url.params["d"]))

    async def test_a_server_out_of_order_is_asked_again(self, connect: Connect):
        far_side = FakeTryton(an_invoice())
        far_side.instead = [
            httpx.Response(503, headers={"Retry-After": "7"}),
            httpx.Response(429, headers={"Retry-After": "Sun, 22 Nov 2026 12:00:09 GMT"}),
            httpx.ReadTimeout("slow"),
        ]
        assert len((await connect(far_side).fetch_snapshot(as_of=AS_OF)).items) == 2
        assert far_side.slept == [8.0, 11.0, 4.0]

    @pytest.mark.parametrize(
        ("answers", "error", "tries"),
        [
            pytest.param([httpx.Response(500)] * 4, Unavailable, 4, id="an error that stays"),
            pytest.param([httpx.ConnectError("no")] * 4, Unavailable, 4, id="nobody there"),
            pytest.param([httpx.Response(429, headers={"Retry-After": "600"})], Throttled, 1, id="a long wait"),
            pytest.param([httpx.Response(401)], SignInFailed, 1, id="a wrong key"),
            pytest.param([httpx.Response(403)], AccessDenied, 1, id="no rights"),
            pytest.param([httpx.Response(404)], Rejected, 1, id="no such database"),
            pytest.param([httpx.Response(302, headers={"Location": "https://evil.example"})], Rejected, 1, id="away"),
            pytest.param([httpx.Response(200, text="<html>")] * 4, Unavailable, 4, id="a page"),
            pytest.param([httpx.Response(200, json={})], Rejected, 1, id="no list"),
            pytest.param([httpx.Response(200, json=[an_invoice(id=3), an_invoice(id=2)])], Rejected, 1, id="order"),
            pytest.param([httpx.Response(200, json=[{"id": 1}])], AccessDenied, 1, id="fields left out"),
        ],
    )  # fmt: skip
    async def test_trouble_is_told_by_its_kind(self, connect: Connect, answers, error, tries):
        far_side = FakeTryton(an_invoice())
        far_side.instead = list(answers)
        with pytest.raises(error) as raised:
            await connect(far_side).fetch_snapshot(as_of=AS_OF)
        assert (raised.value.system, len(far_side.requests)) == ("receivables", tries)

    @pytest.mark.parametrize("field", ["blocked", "maturity_date", "payment_lines", "identifiers", "state"])
    async def test_a_field_the_user_may_not_see_is_missed(self, connect: Connect, field):
        invoice = an_invoice(lines_to_pay=[a_line(8, "800.00", dunnings=[{"id": 1, "blocked": 1}])])
        for record in (
            invoice,
            invoice["party"],
            *invoice["lines_to_pay"],
            *invoice["lines_to_pay"][0]["dunnings"],
        ):
            record.pop(field, None)
        with pytest.raises(AccessDenied) as raised:
            await connect(FakeTryton(invoice)).check()
        assert raised.value.reason == "missing-field"
        assert field in raised.value.detail

    async def test_a_server_that_repeats_the_key_is_not_quoted(self, connect: Connect):
        far_side = FakeTryton()
        far_side.instead = [httpx.Response(400, json={"error": {"message": f"bad header: Bearer {KEY}"}})]
        with pytest.raises(Rejected) as raised:
            await connect(far_side).check()
        assert raised.value.detail == "bad header: Bearer ***"

    async def test_what_was_read_is_told_in_the_same_order(self, connect: Connect):
        far_side = FakeTryton(an_invoice(), an_invoice(id=2, number="2"))
        first, second = [await connect(far_side).fetch_snapshot(as_of=AS_OF) for _ in range(2)]
        assert first == second
        assert len(told(first.items)) == 4

    @pytest.mark.parametrize("url", ["http://tryton.example", "ftp://tryton.example", "tryton.example"])
    def test_the_key_is_never_sent_in_the_open(self, url):
        with pytest.raises(ValueError, match="https"):
            Tryton(url=url, database="ar", key=KEY, http=httpx.AsyncClient())
