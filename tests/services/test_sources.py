"""Accounting systems read by themselves: what is entered, held back or left alone, and what the digest says of it.

The far sides are a database of the partner's own, and Stripe's shapes on loopback; the sources are the real ones.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from bot.domain.audit import AuditTag
from bot.domain.errors import NotFound
from bot.domain.receivables import FILE
from bot.domain.request import Status
from bot.receivables.sql import SqlQuery
from bot.receivables.stripe import Stripe
from bot.report import digests as report
from bot.services import jobs
from bot.services.sources import EVENTS_WAIT, LEASE
from bot.store.readings import Outcome
from bot.texts import in_language
from tests.builders import CONTOSO, DAY, HOUR, a_customer
from tests.receivables.stripe_side import WEBHOOK_SECRET, StripeSide
from tests.services.conftest import OpenWorkshop
from tests.services.test_digests import OTHER, TODAY, a_row, know, take_in
from tests.services.test_intake import PATIENCE, looks_at_the_books, reads_the_books
from tests.services.workshop import PREMIUM, Clock, Workshop, writes

QUERY = """
SELECT customer, tenant, number AS document_number, due AS due_date, currency, amount AS open_amount FROM debts
"""


class Ledger:
    """The partner's own database, and a source that reads it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        self.change("CREATE TABLE debts (customer, tenant, number, due, currency, amount)")
        self.source = SqlQuery(url=f"sqlite:///{path}", query=QUERY, now=clock)

    def owes(
        self, number: str, *, customer: str = "Contoso Ltd", tenant: str | None = CONTOSO, days: int = 45
    ) -> None:
        self.change(
            "INSERT INTO debts VALUES (:customer, :tenant, :number, :due, 'USD', '500.00')",
            customer=customer,
            tenant=tenant,
            number=number,
            due=(TODAY - timedelta(days=days)).isoformat(),
        )

    def paid(self, number: str) -> None:
        self.change("DELETE FROM debts WHERE number = :number", number=number)

    def change(self, statement: str, **values: object) -> None:
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def breaks(self) -> None:
        self.change("ALTER TABLE debts RENAME TO debts_being_rebuilt")

    def mends(self) -> None:
        self.change("ALTER TABLE debts_being_rebuilt RENAME TO debts")


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    return Ledger(tmp_path / "ledger.db", clock)


@pytest.fixture
async def stripe_side() -> AsyncIterator[StripeSide]:
    async with StripeSide() as side:
        yield side


@pytest.fixture
async def stripe(stripe_side: StripeSide) -> AsyncIterator[Stripe]:
    source = stripe_side.source()
    yield source
    await source.close()


@pytest.fixture
async def w(workshop: OpenWorkshop, ledger: Ledger, stripe: Stripe) -> Workshop:
    made = await workshop(live={"sql": ledger.source, "stripe": stripe})
    await know(made, a_customer(), OTHER)
    return made


async def numbers(w: Workshop, source: str | None = None) -> list[str]:
    async with w.store.read() as tx:
        return sorted(item.document_number for item in await tx.books.open_on(source=source))


async def proposed(w: Workshop) -> dict[str, bool]:
    return {d.party.customer: d.standing.proposes_suspension for d in (await w.digests.overdue()).debtors}


async def banners(w: Workshop) -> list[tuple[str, dict[str, Any]]]:
    return [(banner.key, dict(banner.facts)) for banner in (await w.digests.overdue()).banners]


def answers_late(side: StripeSide) -> tuple[asyncio.Event, asyncio.Event]:
    """The next answer: set once it is asked for, and what lets it go."""
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(_request: web.Request, body: bytes) -> web.StreamResponse:
        asked.set()
        await may_answer.wait()
        return web.Response(body=body, content_type="application/json")

    side.then(slow)
    return asked, may_answer


class TestReading:
    async def test_what_is_owed_there_is_in_the_digest(self, w: Workshop, ledger: Ledger):
        ledger.owes("INV-1")
        reading = await w.sources.read("sql")
        assert reading.outcome is Outcome.APPLIED
        digest = await w.digests.overdue()
        assert (digest.banners, digest.complete, digest.as_of) == ((), True, TODAY)
        assert [(d.party.customer, d.standing.proposes_suspension) for d in digest.debtors] == [
            ("Contoso Ltd", True)
        ]

    async def test_what_is_paid_there_is_gone(self, w: Workshop, ledger: Ledger):
        for n in range(4):
            ledger.owes(f"INV-{n}")
        await w.sources.read("sql")
        ledger.paid("INV-2")
        reading = await w.sources.read("sql")
        assert reading.changes is not None
        assert [item.document_number for item in reading.changes.closed] == ["INV-2"]
        assert await numbers(w) == ["INV-0", "INV-1", "INV-3"]

    async def test_only_news_is_in_the_audit_trail(self, w: Workshop, ledger: Ledger, clock: Clock):
        ledger.owes("INV-1")
        for _ in range(3):
            await w.sources.read("sql")
            clock.passes(HOUR)
        (event,) = await w.story("sql")
        assert (event.tag, event.facts["new"], event.facts["closed"]) == (AuditTag.RECEIVABLES_READ, 1, 0)

    async def test_what_is_not_configured_is_not_read(self, w: Workshop):
        with pytest.raises(NotFound):
            await w.sources.read("xero")

    async def test_two_at_once_are_one(self, w: Workshop, ledger: Ledger):
        ledger.owes("INV-1")
        readings = await asyncio.gather(w.sources.read("sql"), w.sources.read("sql"))
        assert sorted(str(reading.outcome) for reading in readings) == ["None", "applied"]

    async def test_a_reader_that_died_is_followed(self, w: Workshop, clock: Clock, ledger: Ledger):
        ledger.owes("INV-1")
        async with w.store.begin() as tx:
            await tx.readings.begin("sql", holder="dead", now=clock(), until=clock() + LEASE)
        assert (await w.sources.read("sql")).outcome is None
        clock.passes(LEASE)
        assert (await w.sources.read("sql")).outcome is Outcome.APPLIED

    async def test_a_reader_that_was_followed_enters_nothing_any_more(
        self, w: Workshop, clock: Clock, stripe_side: StripeSide
    ):
        for n in range(4):
            stripe_side.invoice("Acme", f"A-{n}", TODAY - 3 * DAY, "EUR", "10.00")
        stripe_side.page_size = 10
        asked, may_answer = answers_late(stripe_side)
        late = asyncio.create_task(w.sources.read("stripe"))
        await asked.wait()
        stripe_side.pay("A-0", "10.00")
        clock.passes(LEASE)
        assert (await w.sources.read("stripe")).outcome is Outcome.APPLIED
        may_answer.set()
        assert (await late).outcome is None
        assert await numbers(w) == ["A-1", "A-2", "A-3"]

    async def test_nobody_who_writes_waits_while_a_reading_is_compared(self, w: Workshop, ledger: Ledger):
        ledger.owes("INV-1")
        await w.sources.read("sql")
        with writes() as each:
            assert (await w.sources.read("sql")).outcome is Outcome.APPLIED
        assert each
        assert not [s for statements in each for s in statements if reads_the_books(s)]

    async def test_what_is_retired_while_a_reading_is_compared_stays_closed(
        self, w: Workshop, stripe_side: StripeSide
    ):
        stripe_side.invoice("Acme", "A-1", TODAY - 3 * DAY, "EUR", "10.00")
        await w.sources.read("stripe")
        stripe_side.invoice("Acme", "A-2", TODAY - 3 * DAY, "EUR", "10.00")
        asked, may_answer = answers_late(stripe_side)
        late = asyncio.create_task(w.sources.read("stripe"))
        await asked.wait()
        with looks_at_the_books() as looks:
            async with asyncio.timeout(PATIENCE), w.store.begin():
                retiring = asyncio.create_task(w.sources.retire("stripe"))  # the first to write after us
                may_answer.set()
                await looks.acquire()
            assert (await retiring, (await late).outcome) == (1, None)
        assert await numbers(w) == []

    async def test_a_mistake_of_ours_does_not_keep_the_next_one_out(self, w: Workshop, stripe: Stripe):
        await stripe.close()
        for _ in range(2):
            with pytest.raises(RuntimeError):
                await w.sources.read("stripe")
        assert [(b, f["source"], f["reason"]) for b, f in await banners(w) if "source" in f] == [
            ("not_read", "stripe", "RuntimeError")
        ]


class TestSeveralSources:
    async def test_one_closes_nothing_of_another(self, w: Workshop, ledger: Ledger, stripe_side: StripeSide):
        await take_in(w, a_row("FILE-1", "Contoso Ltd", CONTOSO, 45, "500.00"))
        ledger.owes("INV-1")
        stripe_side.invoice("Acme", "A-1", TODAY - 3 * DAY, "EUR", "10.00")
        for source in ("sql", "stripe"):
            await w.sources.read(source)
        assert await numbers(w) == ["A-1", "FILE-1", "INV-1"]
        await take_in(w, a_row("FILE-2", "Contoso Ltd", CONTOSO, 45, "500.00"), even_if_it_shrinks=True)
        ledger.paid("INV-1")
        await w.sources.read("sql", even_if_it_shrinks=True)
        assert await numbers(w) == ["A-1", "FILE-2"]
        assert await numbers(w, "stripe") == ["A-1"]

    async def test_one_that_shrinks_is_not_hidden_by_a_large_one(self, w: Workshop, ledger: Ledger):
        rows = [a_row(f"FILE-{n}", f"Firm {n}", f"f{n}.example", 10, "5.00") for n in range(20)]
        await take_in(w, *rows)
        for n in range(3):
            ledger.owes(f"INV-{n}")
        await w.sources.read("sql")
        ledger.paid("INV-0")
        assert (await w.sources.read("sql")).outcome is Outcome.HELD

    async def test_the_debts_of_one_tenant_count_together_once_a_person_has_said_whose_they_are(
        self, w: Workshop, ledger: Ledger, stripe_side: StripeSide
    ):
        """Two books that name one tenant may mean two firms; so a person has to say it once."""
        ledger.owes("INV-1")
        stripe_side.customer("Contoso", metadata={"csp_tenant_id": CONTOSO})
        stripe_side.invoice("Contoso", "A-1", TODAY - 40 * DAY, "USD", "70.00")
        for source in ("sql", "stripe"):
            await w.sources.read(source)
        (debtor,) = (await w.digests.overdue()).debtors
        assert debtor.party.balances["USD"].overdue == Decimal("570.00")
        assert debtor.customer is None

    async def test_a_code_is_not_the_same_customer_elsewhere(
        self, w: Workshop, ledger: Ledger, stripe_side: StripeSide
    ):
        ledger.owes("INV-1", customer="cus_0001", tenant=None)
        stripe_side.invoice("Acme", "A-1", TODAY - 3 * DAY, "EUR", "10.00")
        for source in ("sql", "stripe"):
            await w.sources.read(source)
        keys = {d.party.customer_key for d in (await w.digests.overdue()).debtors}
        assert keys == {"sql/name:cus_0001", "stripe/code:cus_0001"}


class TestTrouble:
    async def test_what_cannot_be_read_leaves_the_books_and_is_told(self, w: Workshop, ledger: Ledger):
        ledger.owes("INV-1")
        await w.sources.read("sql")
        ledger.breaks()
        reading = await w.sources.read("sql")
        assert (reading.outcome, reading.error and reading.error.system) == (Outcome.FAILED, "receivables")
        assert await numbers(w) == ["INV-1"]
        assert [(key, facts["source"]) for key, facts in await banners(w)] == [("not_read", "sql")]
        assert await proposed(w) == {"Contoso Ltd": True}  # what was read before is not old yet
        ledger.mends()
        await w.sources.read("sql")
        assert await banners(w) == []

    async def test_one_that_was_never_read_is_told_beside_that_nothing_is_known(
        self, w: Workshop, ledger: Ledger
    ):
        ledger.breaks()
        await w.sources.read("sql")
        assert [key for key, _ in await banners(w)] == ["nothing_imported", "not_read"]

    async def test_a_source_that_is_not_read_for_a_day_stops_all_proposals_and_names_itself(
        self, w: Workshop, ledger: Ledger, clock: Clock
    ):
        ledger.owes("INV-1")
        await w.sources.read("sql")
        await w.sources.read("stripe")
        clock.passes(27 * HOUR)
        await w.sources.read("sql")
        facts = {"as_of": TODAY.isoformat(), "hours": "27", "source": "stripe"}
        assert await banners(w) == [("stale_source", facts)]
        assert (await w.digests.overdue()).as_of == TODAY
        assert await proposed(w) == {"Contoso Ltd": False}
        assert not (await w.digests.judge(a_customer())).standing.proposes_suspension

    async def test_what_cannot_be_read_of_one_customer_stops_proposals_for_that_one(
        self, w: Workshop, ledger: Ledger
    ):
        ledger.owes("INV-1")
        ledger.owes("INV-2", customer="Other", tenant=OTHER.id)
        ledger.change(
            "INSERT INTO debts VALUES ('Contoso Ltd', :tenant, 'INV-3', 'soon', 'USD', 'much')",
            tenant=CONTOSO,
        )
        reading = await w.sources.read("sql")
        assert reading.outcome is Outcome.APPLIED
        digest = await w.digests.overdue()
        assert (digest.complete, await banners(w)) == (False, [("incomplete", {"rejected": "1"})])
        assert await proposed(w) == {"Contoso Ltd": False, "Other": True}

    async def test_what_an_incomplete_reading_is_silent_on_is_not_closed(self, w: Workshop, ledger: Ledger):
        for n in range(4):
            ledger.owes(f"INV-{n}")
        await w.sources.read("sql")
        ledger.paid("INV-0")
        ledger.change("UPDATE debts SET amount = 'much' WHERE number = 'INV-1'")
        await w.sources.read("sql")
        assert await numbers(w) == ["INV-0", "INV-1", "INV-2", "INV-3"]


class TestTheGuard:
    @pytest.fixture
    async def held(self, w: Workshop, ledger: Ledger) -> Workshop:
        for n in range(10):
            ledger.owes(f"INV-{n}")
        await w.sources.read("sql")
        for n in range(4):
            ledger.paid(f"INV-{n}")
        assert (await w.sources.read("sql")).outcome is Outcome.HELD
        return w

    async def test_what_would_close_too_much_waits_and_nothing_is_proposed(self, held: Workshop):
        assert len(await numbers(held)) == 10
        assert await banners(held) == [("held", {"source": "sql", "closes": "4", "of": "10"})]
        assert not (await held.digests.overdue()).complete
        assert await proposed(held) == {"Contoso Ltd": False}
        assert not (await held.digests.judge(a_customer())).standing.proposes_suspension

    async def test_it_waits_however_often_it_is_read_and_is_told_once(self, held: Workshop, clock: Clock):
        clock.passes(HOUR)
        assert (await held.sources.read("sql")).outcome is Outcome.HELD
        assert [event.tag for event in await held.story("sql")] == [
            AuditTag.RECEIVABLES_READ,
            AuditTag.RECEIVABLES_HELD,
        ]

    async def test_it_waits_although_the_next_reading_fails(
        self, held: Workshop, ledger: Ledger, clock: Clock
    ):
        ledger.breaks()
        clock.passes(HOUR)
        assert (await held.sources.read("sql")).outcome is Outcome.FAILED
        assert await banners(held) == [("held", {"source": "sql", "closes": "4", "of": "10"})]
        assert await proposed(held) == {"Contoso Ltd": False}
        ledger.mends()
        await held.sources.read("sql", even_if_it_shrinks=True)
        assert await proposed(held) == {"Contoso Ltd": True}

    async def test_a_person_says_that_it_is_right(self, held: Workshop):
        await held.sources.read("sql", even_if_it_shrinks=True)
        assert (len(await numbers(held)), await banners(held)) == (6, [])
        assert await proposed(held) == {"Contoso Ltd": True}

    async def test_a_source_that_comes_to_its_senses_needs_nobody(self, held: Workshop, ledger: Ledger):
        for n in range(4):
            ledger.owes(f"INV-{n}")
        assert (await held.sources.read("sql")).outcome is Outcome.APPLIED
        assert await banners(held) == []


class TestPaid:
    """Whoever paid there gets a resumption proposed here, once that is certain."""

    @pytest.fixture
    async def suspended(self, workshop: OpenWorkshop, ledger: Ledger) -> Workshop:
        w = await workshop(live={"sql": ledger.source})
        await w.customers.refresh()
        ledger.owes("INV-1", tenant=w.far_side.customer("Contoso").domain)
        for n in range(2, 7):
            ledger.owes(f"INV-{n}", customer="Other", tenant=OTHER.id)
        await w.sources.read("sql")
        assert (await w.run(await w.approved(PREMIUM))).status is Status.DONE
        assert await self.to_resume(w) == []
        return w

    async def to_resume(self, w: Workshop) -> list[str]:
        document = report.overdue(await w.digests.overdue(), in_language("en"))
        return [row["customer"] for row in document["customers"] if row["proposal"] == "resume"]

    async def test_a_resumption_is_proposed(self, suspended: Workshop, ledger: Ledger):
        ledger.paid("INV-1")
        await suspended.sources.read("sql")
        assert await self.to_resume(suspended) == ["Contoso Ltd"]

    async def test_not_while_it_cannot_be_read(self, suspended: Workshop, ledger: Ledger):
        ledger.paid("INV-1")
        ledger.breaks()
        await suspended.sources.read("sql")
        assert await self.to_resume(suspended) == []

    async def test_not_while_it_is_held(self, suspended: Workshop, ledger: Ledger):
        for n in range(1, 4):
            ledger.paid(f"INV-{n}")
        assert (await suspended.sources.read("sql")).outcome is Outcome.HELD
        assert await self.to_resume(suspended) == []

    async def test_not_once_it_is_old(self, suspended: Workshop, ledger: Ledger, clock: Clock):
        ledger.paid("INV-1")
        await suspended.sources.read("sql")
        clock.passes(27 * HOUR)
        assert await self.to_resume(suspended) == []

    async def test_not_while_it_is_unclear_whose_a_debt_is(self, suspended: Workshop, ledger: Ledger):
        await know(suspended, a_customer(name="Namesake"))  # of the same domain
        assert await self.to_resume(suspended) == []

    async def test_not_for_whom_something_could_not_be_read_though_nothing_else_is_open(
        self, suspended: Workshop, ledger: Ledger
    ):
        ledger.paid("INV-1")
        await suspended.sources.read("sql")
        ledger.owes("INV-9", tenant=suspended.far_side.customer("Contoso").domain)
        ledger.change("UPDATE debts SET amount = 'much' WHERE number = 'INV-9'")
        await suspended.sources.read("sql")
        assert await self.to_resume(suspended) == []


class TestRetiring:
    async def test_a_source_that_is_used_no_longer_is_closed_and_counts_no_longer(
        self, w: Workshop, ledger: Ledger, clock: Clock
    ):
        await take_in(w, a_row("FILE-1", "Contoso Ltd", CONTOSO, 45, "500.00"))
        clock.passes(27 * HOUR)
        ledger.owes("INV-1")
        await w.sources.read("sql")
        assert [key for key, _ in await banners(w)] == ["stale"]
        assert await w.sources.retire(FILE) == 1
        assert (await numbers(w), await banners(w)) == (["INV-1"], [])
        assert [event.tag for event in await w.story(FILE)] == [AuditTag.RECEIVABLES_RETIRED]
        with pytest.raises(NotFound):
            await w.sources.retire(FILE)

    async def test_its_troubles_go_with_it(self, w: Workshop, ledger: Ledger):
        ledger.owes("INV-1")
        await w.sources.read("sql")
        ledger.breaks()
        await w.sources.read("sql")
        await w.sources.retire("sql")
        assert [key for key, _ in await banners(w)] == ["nothing_imported"]

    async def test_it_may_come_back(self, w: Workshop, ledger: Ledger):
        ledger.owes("INV-1")
        await w.sources.read("sql")
        await w.sources.retire("sql")
        await w.sources.read("sql")
        assert (await numbers(w), await banners(w)) == (["INV-1"], [])


async def asked_for(w: Workshop) -> list[str]:
    """The readings that wait to be made."""
    client = w.courier._client
    assert client is not None
    found = await client.list_workflows_async(status=["ENQUEUED", "DELAYED"])
    return [each.workflow_id for each in found if each.workflow_id.startswith("read:")]


BODY = b'{"id":"evt_1","object":"event","type":"invoice.paid","data":{"object":{"id":"in_1","object":"invoice"}}}'


def signed(body: bytes = BODY) -> dict[str, str]:
    at = int(time.time())
    made = hmac.new(WEBHOOK_SECRET.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={made}"}


class TestEvents:
    async def hear(self, w: Workshop, source: str = "stripe", **given: Any) -> tuple[bool, bool]:
        heard = await w.sources.hear(source, **({"query": {}, "headers": signed(), "body": BODY} | given))
        return heard.known, heard.believed

    async def test_it_asks_for_a_reading_and_does_nothing_else(self, w: Workshop, stripe_side: StripeSide):
        stripe_side.invoice("Acme", "A-1", TODAY - 3 * DAY, "EUR", "10.00")
        await w.sources.read("stripe")
        before = len(stripe_side.asked)
        assert await self.hear(w) == (True, True)
        assert (await numbers(w), len(stripe_side.asked)) == (["A-1"], before)
        assert len(await asked_for(w)) == 1

    async def test_many_are_one_reading_until_the_window_ends(self, w: Workshop, clock: Clock):
        for _ in range(5):
            await self.hear(w)
        assert len(await asked_for(w)) == 1
        clock.passes(EVENTS_WAIT)
        await self.hear(w)
        assert len(await asked_for(w)) == 2

    async def test_a_forged_one_asks_for_nothing(self, w: Workshop):
        assert await self.hear(w, body=BODY + b" ") == (True, False)
        assert await self.hear(w, headers={}) == (True, False)
        assert await asked_for(w) == []

    @pytest.mark.parametrize("source", ["sql", "xero", "", "../stripe"])
    async def test_what_tells_of_no_payments_is_not_known(self, w: Workshop, source: str):
        assert await self.hear(w, source) == (False, False)

    async def test_one_that_meets_a_reading_under_way_asks_again(self, w: Workshop, clock: Clock):
        async with w.store.begin() as tx:
            await tx.readings.begin("stripe", holder="other", now=clock(), until=clock() + LEASE)
        await w.sources.work("stripe", "schedule")
        assert await asked_for(w) == []
        await w.sources.work("stripe", "event")
        assert len(await asked_for(w)) == 1


class TestSchedule:
    async def test_of_all_replicas_wishes_for_one_slot_one_is_kept(self, w: Workshop, clock: Clock):
        for _ in range(3):
            await w.sources.ask_all(slot=clock())
        assert len(await asked_for(w)) == 2  # one a source

    async def test_the_digest_reads_what_is_old_and_only_that(
        self, w: Workshop, ledger: Ledger, clock: Clock, stripe_side: StripeSide
    ):
        await w.sources.read("stripe")
        clock.passes(HOUR)
        await w.sources.read("sql")
        ledger.owes("INV-1")
        stripe_side.invoice("Acme", "A-1", TODAY - 3 * DAY, "EUR", "10.00")
        await w.sources.freshen(older_than=HOUR / 2, patience=HOUR)
        assert await numbers(w) == ["A-1"]
        clock.passes(HOUR)
        ledger.breaks()
        await w.sources.freshen(older_than=HOUR / 2, patience=HOUR)
        assert [facts["source"] for _, facts in await banners(w)] == ["sql"]

    async def test_a_job_for_a_source_that_is_gone_is_done(self, w: Workshop):
        await w.sources.work("xero", "schedule")
        job = jobs.read_source("xero", slot="1", because="schedule", delay=0.0)
        assert job.args == {"source": "xero", "because": "schedule"}
