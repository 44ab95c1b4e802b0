"""What all sources over HTTP do alike: page to the end or not at all, try again, stay silent about secrets."""

from __future__ import annotations

import logging
from datetime import date
from decimal import Decimal

import pytest
from aiohttp import web

from bot.domain.errors import AccessDenied, Rejected, SignInFailed, Throttled, Unavailable, Upstream
from bot.domain.receivables import UNKNOWN_PARTY
from bot.receivables.notes import Code

from .business_central_side import BusinessCentralSide
from .far_side import FarSide, answer, halved, today, torn
from .stripe_side import StripeSide
from .xero_side import XeroSide

OCTOBER = date(2026, 10, 15)


@pytest.fixture(
    params=[BusinessCentralSide, XeroSide, StripeSide], ids=["business-central", "xero", "stripe"]
)
async def side(request):
    async with request.param() as side:
        yield side


@pytest.fixture
async def source(side):
    source = side.source()
    yield source
    await source.close()


def five_invoices(side: FarSide) -> None:
    for n in range(1, 6):
        side.invoice("Acme", f"INV-{n}", OCTOBER, "EUR", f"{n}00.00")


async def test_every_page_is_read(side, source):
    five_invoices(side)
    snapshot = await source.fetch_snapshot(as_of=today)
    assert {item.document_number: item.open_amount for item in snapshot.items} == {
        f"INV-{n}": Decimal(n * 100) for n in range(1, 6)
    }
    assert (snapshot.source_id, snapshot.as_of) == (source.source_id, today)
    assert snapshot.complete
    assert {request.method for request in side.asked} == {"GET"}


async def test_half_a_character_is_dropped_since_no_database_keeps_it(side, source):
    side.invoice("Ac\ud800me", "INV-1", OCTOBER, "EUR", "100.00")
    snapshot = await source.fetch_snapshot(as_of=today)
    assert [item.customer for item in snapshot.items] == ["Acme"]


async def test_empty_books_are_complete(source):
    snapshot = await source.fetch_snapshot(as_of=today)
    assert (snapshot.items, snapshot.complete, snapshot.rejected + snapshot.warnings) == ((), True, ())


async def test_two_readings_are_the_same(side, source):
    five_invoices(side)
    side.credit("Acme", "CN-1", "EUR", "20.00")
    assert await source.fetch_snapshot(as_of=today) == await source.fetch_snapshot(as_of=today)


async def test_a_part_payment_lowers_and_the_rest_closes(side, source):
    five_invoices(side)
    side.pay("INV-2", "50.01")
    side.pay("INV-3", "300.00")
    left = {i.document_number: i.open_amount for i in (await source.fetch_snapshot(as_of=today)).items}
    assert (left["INV-2"], "INV-3" in left) == (Decimal("149.99"), False)


async def pages_of(source, side: FarSide) -> int:
    """How many questions a reading asks that is not the first."""
    await source.fetch_snapshot(as_of=today)
    before = len(side.asked)
    await source.fetch_snapshot(as_of=today)
    return len(side.asked) - before


async def test_no_page_may_fail(side, source):
    """Whichever it is: what is left would look like payments."""
    five_invoices(side)
    for before in range(await pages_of(source, side)):
        side.fail_next_page(pages_before=before)
        with pytest.raises(Unavailable) as failed:
            await source.fetch_snapshot(as_of=today)
        assert (failed.value.system, failed.value.status) == ("receivables", 500)
    assert (await source.fetch_snapshot(as_of=today)).complete


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(answer(500), id="a server error"),
        pytest.param(answer(429), id="too many requests"),
        pytest.param(answer(409), id="a conflict"),
        pytest.param(torn, id="hung up in the middle"),
        pytest.param(halved, id="half of the JSON"),
        pytest.param(answer(200, None), id="an empty body"),
    ],
)
async def test_trouble_that_passes_is_waited_out(side, source, trouble):
    five_invoices(side)
    last = await pages_of(source, side) - 1
    side.then(*[None] * last, trouble, trouble, trouble)
    assert len((await source.fetch_snapshot(as_of=today)).items) == 5
    assert side.sleeps == [1.0, 2.0, 4.0]


async def test_the_far_side_says_how_long_we_wait(side, source):
    five_invoices(side)
    side.then(answer(429, Retry_After="7"), answer(503, Retry_After="Sun, 22 Nov 2026 12:00:09 GMT"))
    await source.fetch_snapshot(as_of=today)
    assert side.sleeps == [8.0, 11.0]


async def test_asked_to_stay_away_for_hours_we_say_so_at_once(side, source):
    side.then(answer(429, Retry_After="7200"))
    with pytest.raises(Throttled):
        await source.fetch_snapshot(as_of=today)
    assert side.sleeps == []


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        pytest.param(answer(400, {"error": {"code": "BadRequest"}}), Rejected, id="a refusal"),
        pytest.param(answer(403), AccessDenied, id="no rights"),
        pytest.param(answer(404), Rejected, id="no such thing"),
        pytest.param(answer(302, Location="http://127.0.0.1:9/"), Rejected, id="a redirect"),
        pytest.param(answer(204), Rejected, id="no content"),
        pytest.param(answer(200, {}), Rejected, id="an answer without a list"),
        pytest.param(answer(200, []), Rejected, id="a bare list"),
        pytest.param(answer(200, {"value": 1, "data": 1, "Invoices": 1}), Rejected, id="a list that is none"),
    ],
)
async def test_a_definite_answer_is_not_asked_for_again(side, source, trouble, error):
    side.then(trouble)
    with pytest.raises(Upstream) as failed:
        await source.fetch_snapshot(as_of=today)
    assert (type(failed.value), failed.value.system, side.sleeps) == (error, "receivables", [])


async def test_a_body_without_end_is_not_read_to_its_end(side, source):
    async def endless(request: web.Request, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(64):
            await response.write(b" " * 1024 * 1024)
        return response

    side.then(endless)
    with pytest.raises(Rejected) as failed:
        await source.fetch_snapshot(as_of=today)
    assert failed.value.reason == "too-large"


async def test_nobody_there(side):
    source = side.source(base_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        await source.check()
    await source.close()


async def test_the_check_passes_and_fails(side, source):
    await source.check()
    side.then(answer(403))
    with pytest.raises(AccessDenied):
        await source.check()
    assert {request.method for request in side.asked} == {"GET"}


async def test_what_is_no_document_may_be_anybodys(side, source):
    side.page_size = 10
    side.invoice("Acme", "INV-1", OCTOBER, "EUR", "100.00")
    side.extra_rows = [None, "text"]
    snapshot = await source.fetch_snapshot(as_of=today)
    assert [item.document_number for item in snapshot.items] == ["INV-1"]
    assert (snapshot.complete, snapshot.incomplete_parties) == (False, frozenset({UNKNOWN_PARTY}))
    assert len(snapshot.rejected) == 2


async def test_the_same_number_with_different_contents_is_believed_in_neither(side, source):
    side.page_size = 10
    side.invoice("Acme", "INV-1", OCTOBER, "EUR", "100.00")
    twin = side.invoice("Acme", "INV-2", OCTOBER, "EUR", "200.00")
    twin.number = "INV-1"
    twin.says = {"InvoiceID": "id-2", "id": "id-2"}
    side.invoice("Contoso", "INV-3", OCTOBER, "EUR", "300.00")
    snapshot = await source.fetch_snapshot(as_of=today)
    assert [item.document_number for item in snapshot.items] == ["INV-3"]
    assert [note.code for note in snapshot.rejected] == [Code.CONFLICTING_DUPLICATE] * 2
    assert len(snapshot.incomplete_parties) == 1


async def test_a_closed_source_leaves_nothing_open(side):
    source = side.source()
    await source.fetch_snapshot(as_of=today)
    await source.close()
    with pytest.raises(RuntimeError):
        await source.fetch_snapshot(as_of=today)


async def test_no_secret_is_seen(side, source, caplog):
    caplog.set_level(logging.DEBUG)
    await source.fetch_snapshot(as_of=today)
    seen = [repr(source)]
    for secret in side.credentials:
        for body in ({"error": {"code": secret, "message": f"you sent {secret}"}}, {"Title": secret}):
            side.then(*[answer(500, body)] * 4)
            with pytest.raises(Unavailable) as failed:
                await source.fetch_snapshot(as_of=today)
            seen += [repr(failed.value), str(failed.value), failed.value.reason, failed.value.detail]
    seen += [record.getMessage() for record in caplog.records]
    assert any("***" in text for text in seen)
    shown = [text for text in seen for secret in (*side.secrets, *side.credentials) if secret in text]
    assert shown == []


async def test_a_wrong_key_is_refused_for_good(side):
    wrong = {"api_key": "rk_wrong"} if isinstance(side, StripeSide) else {"client_secret": "wrong"}
    source = side.source(**wrong)
    with pytest.raises(SignInFailed) as failed:
        await source.fetch_snapshot(as_of=today)
    assert (failed.value.system, side.sleeps) == ("receivables", [])
    await source.close()
