"""What Microsoft tells of risk is read and kept, and Microsoft hears what people made of it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from decimal import Decimal

import pytest

from bot.domain.case import Verdict
from bot.domain.customer import CustomerId
from bot.domain.observation import Past, Source
from bot.domain.signal import Rule
from bot.services.watch import A_BATCH, LEASE, READING
from tests.builders import DAY, HOUR, a_customer, ana
from tests.services.conftest import OpenWorkshop
from tests.services.test_digests import a_row, know, take_in
from tests.services.workshop import Clock, Workshop, writes


@pytest.fixture
async def w(workshop: OpenWorkshop) -> Workshop:
    return await workshop()


async def past(w: Workshop, customer: str) -> Past:
    id = CustomerId(w.far_side.customer(customer).id)
    async with w.store.read() as tx:
        return await tx.observations.of(id, until=w.clock())


def changing(writes: list[list[str]]) -> int:
    """How many of these transactions changed what is known to have been seen."""
    return sum(
        any(each.startswith(("INSERT INTO observations", "UPDATE observations")) for each in statements)
        for statements in writes
    )


async def is_read(w: Workshop) -> bool:
    async with w.store.read() as tx:
        return await tx.marks.get(READING) is not None


class TestRead:
    async def test_takes_in_what_every_source_tells(self, w: Workshop, clock: Clock):
        await w.watch.read()
        clock.passes(DAY)
        held = w.far_side.customer("Contoso").subscription("Microsoft 365 E3")
        w.far_side.set_quantity(held.id, held.quantity + 500)
        w.far_side.place_order("Contoso", "Microsoft 365 E5", 40)
        w.far_side.spend("Contoso", "120.50", budget=100)
        w.far_side.fraud_event("Contoso")
        w.far_side.security_alert("Contoso")
        clock.passes(HOUR)
        await w.watch.read()

        found = await past(w, "Contoso")
        assert 40 in {order.quantity for order in found.orders}
        assert (held.quantity, held.quantity + 500) in {(q.before, q.after) for q in found.quantities}
        assert found.spent[-1].amount == Decimal("120.50")
        assert {alert.source for alert in found.alerts} == {Source.FRAUD_EVENTS, Source.SECURITY_ALERTS}
        assert "create_order" in {operation.operation for operation in found.operations}
        rules = {s.rule for line in (await w.cases.digest()).cases for s in line.case.signals}
        assert {Rule.FRAUD_EVENT, Rule.SECURITY_ALERT, Rule.SEAT_JUMP} <= rules
        assert [m.source for m in (await w.cases.digest()).missing] == [Source.BOOKS]

    async def test_again_adds_nothing(self, w: Workshop, clock: Clock):
        w.far_side.fraud_event("Contoso")
        await w.watch.read()
        before = await past(w, "Contoso")
        clock.passes(HOUR)
        await w.watch.read()
        assert await past(w, "Contoso") == before

    async def test_of_all_but_one_customer_keeps_the_others_and_says_so(self, w: Workshop):
        broken = w.far_side.customer("Contoso").id
        w.far_side.faults.add(status=500, path_contains=f"{broken}/orders", times=None)
        await w.watch.read()
        assert (await past(w, "Contoso")).orders == ()
        assert (await past(w, "Coho")).orders != ()
        missing = {m.source: m for m in (await w.cases.digest()).missing}
        assert (missing[Source.ORDERS].failed, missing[Source.ORDERS].is_whole) == (1, False)

    async def test_goes_on_where_partner_center_is_down(self, w: Workshop):
        w.far_side.faults.add(status=503, path_contains="/v1/", times=None)
        await w.watch.read()
        digest = await w.cases.digest()
        assert Source.SUBSCRIPTIONS in {m.source for m in digest.missing}

    async def test_of_many_who_owe_is_written_in_parts_and_once_a_day(self, w: Workshop, clock: Clock):
        """On SQLite acks wait for whoever writes; the books are read several times a day."""
        ids = [CustomerId(f"{n:08}-2222-4333-8444-555555555555") for n in range(2 * A_BATCH + 1)]
        many = [a_customer(id=id, name=f"Customer {n}") for n, id in enumerate(ids)]
        await know(w, *many)
        await take_in(w, *(a_row(str(n), each.name, each.id, 45, "500.00") for n, each in enumerate(many)))
        w.far_side.faults.add(status=503, path_contains="/v1/", times=None)
        with writes() as first:
            await w.watch.read()
        clock.passes(HOUR)
        with writes() as second:
            await w.watch.read()
        assert (changing(first), changing(second)) == (3, 0)

    async def test_is_not_begun_while_one_is_under_way(self, w: Workshop):
        """With 10,000 customers it takes longer than until the digest is tried again."""
        assert sorted(await asyncio.gather(w.watch.read(), w.watch.read())) == [False, True]
        assert await w.watch.read()

    async def test_is_begun_again_once_whoever_was_at_it_has_died(self, w: Workshop, clock: Clock):
        async with w.store.begin() as tx:
            assert await tx.marks.lease(READING, holder="dead", now=clock(), until=clock() + LEASE)
        assert not await w.watch.read()
        clock.passes(LEASE)
        assert await w.watch.read()

    async def test_is_begun_again_at_once_where_a_process_of_this_host_died_with_it(
        self, w: Workshop, clock: Clock
    ):
        with subprocess.Popen([sys.executable, "-c", ""]) as dead:
            dead.wait()
        holder = f"{socket.gethostname()[:80]}:{dead.pid}:12345678"
        async with w.store.begin() as tx:
            assert await tx.marks.lease(READING, holder=holder, now=clock(), until=clock() + LEASE)
        assert await w.watch.read()

    async def test_that_was_broken_off_is_begun_again_at_once(self, w: Workshop):
        reading = asyncio.create_task(w.watch.read())
        while not await is_read(w):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert await w.watch.read()

    async def test_of_one_customer_leaves_the_others(self, w: Workshop, clock: Clock):
        await w.watch.read()
        clock.passes(HOUR)
        w.far_side.place_order("Contoso", "Microsoft 365 E5", 7)
        w.far_side.place_order("Coho", "Microsoft 365 E5", 7)
        await w.watch.read_customer(w.far_side.customer("Contoso").id)
        assert 7 in {order.quantity for order in (await past(w, "Contoso")).orders}
        assert 7 not in {order.quantity for order in (await past(w, "Coho")).orders}
        await w.watch.read_customer("nobody")


class TestWriteBack:
    async def judged(self, w: Workshop, verdict: Verdict) -> str:
        await w.watch.read()
        await w.cases.record()
        (line,) = (await w.cases.digest()).cases
        await w.cases.judge(line.case.id, verdict, by=ana, version=line.case.version)
        return line.case.id

    @pytest.mark.parametrize(
        ("verdict", "reason", "in_graph"),
        [
            (Verdict.FRAUD, "Fraud", "fraud"),
            (Verdict.LEGITIMATE, "Ignore", "legitimate"),
            (Verdict.IGNORE, "Ignore", "ignore"),
        ],
    )
    async def test_marks_what_microsoft_had_told_of(
        self, w: Workshop, clock: Clock, verdict: Verdict, reason: str, in_graph: str
    ):
        event = w.far_side.fraud_event("Contoso")
        alert = w.far_side.security_alert("Contoso")
        case_id = await self.judged(w, verdict)
        clock.passes(HOUR)
        later = w.far_side.fraud_event("Contoso", subscription_id=event.subscription_id)
        await w.watch.alerts()
        for _ in range(2):
            await w.write_back.tell(case_id)

        events = {each.id: each for each in w.far_side.suspicions.events}
        assert (events[event.id].status, events[event.id].reason) == ("Resolved", reason)
        assert events[later.id].status == "Active"
        (marked,) = [each for each in w.far_side.suspicions.alerts if each.id == alert.id]
        assert (marked.status, marked.reason) == ("resolved", in_graph)
        told = [e for e in await w.story(case_id) if str(e.tag) == "alert:resolved"]
        assert {(e.facts["source"], e.facts["done"]) for e in told} == {
            ("fraud_events", True),
            ("security_alerts", True),
        }

    async def test_that_microsoft_refuses_is_written_down_as_not_done(self, w: Workshop):
        w.far_side.fraud_event("Contoso")
        case_id = await self.judged(w, Verdict.FRAUD)
        w.far_side.faults.add(status=403, method="POST", path_contains="fraudEvents", times=None)
        await w.write_back.tell(case_id)
        (told,) = [e for e in await w.story(case_id) if str(e.tag) == "alert:resolved"]
        assert told.facts["done"] is False

    async def test_in_a_dry_run_microsoft_hears_nothing(self, workshop: OpenWorkshop):
        w = await workshop(dry_run=True)
        event = w.far_side.fraud_event("Contoso")
        await w.write_back.tell(await self.judged(w, Verdict.FRAUD))
        assert [e.status for e in w.far_side.suspicions.events if e.id == event.id] == ["Active"]
