"""A crawl goes on where it was left off, several share it, and the mirror says what of it is not new."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select

from bot.domain.customer import CustomerId, SubscriptionStatus
from bot.domain.errors import Unavailable
from bot.services import jobs
from bot.services.crawl import LEASE
from bot.services.customers import AGED, FRESH_FOR, RESUMED_FOR
from bot.store.crawl import Kind, Run, Why
from bot.store.tables import crawl
from tests.builders import DAY, HOUR, a_customer, a_subscription, noon
from tests.services.conftest import OpenWorkshop
from tests.services.test_drift import waiting
from tests.services.workshop import E3, Clock, Workshop, writes

LATER = timedelta(minutes=1)


def asked(w: Workshop, since: int = 0) -> Counter[str]:
    """How often each customer's subscriptions were asked for."""
    paths = [seen.path for seen in w.far_side.requests[since:] if seen.path.endswith("/subscriptions")]
    return Counter(path.split("/")[-2].lower() for path in paths)


def ours(w: Workshop) -> set[str]:
    return {c.id.lower() for c in w.far_side.customers if c.relationship == "reseller"}


async def left_lying(w: Workshop, holder: str, *, most: int = 3) -> list[CustomerId]:
    """What a process that was killed leaves: the list was read, and some it had claimed."""
    now = w.clock()
    listed = [c async for c in w.partner_center.customers()]
    async with w.store.begin() as tx:
        run = await tx.crawl.begin(Run("the-first", Kind.ALL, now, None))
        await tx.mirror.put_customers(listed, at=now)
        await tx.crawl.want_listed([c.id for c in listed if c.may_be_acted_on], run=run, at=now)
        await tx.crawl.listed(run, at=now)
        return await tx.crawl.claim(holder=holder, now=now, until=now + LEASE, most=most)


def queue_row(id: CustomerId) -> dict[str, object]:
    """Of somebody who was read and waits for nothing."""
    return {"customer_id": id, "read_at": noon, "read_in": "an-earlier-one", "failed": "", "holder": ""}


@pytest.fixture
async def w(workshop: OpenWorkshop, clock: Clock) -> Workshop:
    """Everything was read a day ago."""
    w = await workshop()
    await w.customers.refresh()
    clock.passes(DAY)
    return w


class TestGoesOn:
    async def test_after_a_death_between_claim_and_write(
        self, workshop: OpenWorkshop, clock: Clock, database_url: str
    ):
        w = await workshop(database_url=database_url)
        claimed = await left_lying(w, "another-host:1:dead")
        assert len(claimed) == 3
        clock.passes(LEASE)
        lists = len(w.far_side.requests)
        state = await w.customers.refresh()
        assert asked(w) == dict.fromkeys(ours(w), 1)
        assert "/v1/customers" not in [seen.path for seen in w.far_side.requests[lists:]], "it stood already"
        assert (state.as_of, state.is_complete) == (noon, True)

    async def test_while_a_lease_lasts_it_is_left_to_whoever_holds_it(
        self, workshop: OpenWorkshop, clock: Clock
    ):
        w = await workshop()
        claimed = await left_lying(w, "another-host:1:busy")
        clock.passes(LEASE - timedelta(seconds=1))
        await w.customers.crawler.help()
        assert set(asked(w)) == ours(w) - set(claimed)
        assert (await w.customers.state()).remaining == len(claimed)
        clock.passes(timedelta(seconds=1))
        await w.customers.crawler.help()
        assert set(asked(w)) == ours(w)

    async def test_at_once_where_the_dead_was_a_process_of_this_host(self, workshop: OpenWorkshop):
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        dead, now = f"{socket.gethostname()[:80]}:{process.pid}:x", noon
        w = await workshop()
        async with w.store.begin() as tx:
            contoso = CustomerId(w.far_side.customer("Contoso").id.lower())
            run = await tx.crawl.begin(Run("the-first", Kind.ALL, now, None))
            assert await tx.crawl.may_list(run, holder=dead, now=now, until=now + LEASE)
            await tx.crawl.want_listed([contoso], run=run, at=now)
            assert await tx.crawl.claim(holder=dead, now=now, until=now + LEASE, most=9) == [contoso]
        assert (await w.customers.refresh()).is_complete
        assert asked(w) == dict.fromkeys(ours(w), 1)

    async def test_a_list_that_is_read_once_more_has_nobody_read_twice(self, workshop: OpenWorkshop):
        w, now = await workshop(), noon
        contoso = CustomerId(w.far_side.customer("Contoso").id.lower())
        async with w.store.begin() as tx:
            run = await tx.crawl.begin(Run("the-first", Kind.ALL, now, None))
            await tx.crawl.want_listed([contoso], run=run, at=now)
            await tx.crawl.claim(holder="a", now=now, until=now + LEASE, most=9)
            await tx.crawl.read([contoso], holder="a", at=now, run_id=run.id)
        assert (await w.customers.refresh()).is_complete
        assert asked(w) == dict.fromkeys(ours(w) - {contoso}, 1)

    async def test_after_being_told_to_stop_nothing_is_held(self, workshop: OpenWorkshop):
        w = await workshop()
        w.far_side.faults.slow(30, path_contains="/subscriptions", times=None)
        reading = asyncio.create_task(w.customers.refresh())
        async with asyncio.timeout(20):
            while (await w.customers.state()).remaining < len(ours(w)):
                await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        async with w.store.read() as tx:
            left = await tx.crawl.waiting(now=w.clock())
        assert left.free == left.all == len(ours(w))

    async def test_no_stop_waits_for_what_is_read(self, workshop: OpenWorkshop, database_url: str):
        w = await workshop(database_url=database_url)
        w.far_side.faults.slow(3600, path_contains="/subscriptions", times=None)
        reading = asyncio.create_task(w.customers.refresh())
        async with asyncio.timeout(20):
            while (await w.customers.state()).remaining < len(ours(w)):
                await asyncio.sleep(0)
        await w.courier.close()
        async with asyncio.timeout(20):
            state = await reading
        async with w.store.read() as tx:
            left = await tx.crawl.waiting(now=w.clock())
        assert left.free == left.all == len(ours(w))
        assert state.as_of is None
        w.far_side.faults.clear()
        await w.courier.open()
        assert (await w.customers.refresh()).is_complete

    async def test_what_was_left_off_long_ago_begins_anew(self, workshop: OpenWorkshop, clock: Clock):
        w = await workshop()
        await left_lying(w, "another-host:1:dead")
        clock.passes(RESUMED_FOR)
        state = await w.customers.refresh()
        assert (state.as_of, state.is_complete) == (noon + RESUMED_FOR, True)


class TestShared:
    async def test_each_customer_is_read_once(self, workshop: OpenWorkshop, clock: Clock, database_url: str):
        one, two = [await workshop(database_url=database_url) for _ in range(2)]
        states = await asyncio.gather(one.customers.refresh(), two.customers.refresh())
        assert asked(one) == dict.fromkeys(ours(one), 1)
        assert states[0].subscriptions == states[1].subscriptions > 0
        assert len(await one.story("mirror")) == 1

    async def test_whoever_is_wanted_again_while_being_read_is_read_again(self, w: Workshop):
        contoso = CustomerId(w.far_side.customer("Contoso").id)
        async with w.store.begin() as tx:
            await tx.crawl.want([contoso], Why.CHANGED, at=w.clock())
            (held,) = await tx.crawl.claim(holder="a", now=w.clock(), until=w.clock() + LEASE, most=9)
            await tx.crawl.want([contoso], Why.CHANGED, at=w.clock())
            await tx.crawl.read([held], holder="a", at=w.clock(), run_id="")
            assert (await tx.crawl.waiting(now=w.clock())).free == 1

    async def test_what_a_dead_process_left_is_taken_over(self, workshop: OpenWorkshop, clock: Clock):
        w = await workshop()
        await left_lying(w, "another-host:1:dead", most=100)
        await w.customers.crawler.sweep()
        assert await waiting(w, jobs.CRAWL) == [], "it may live"
        clock.passes(LEASE)
        for _ in range(2):
            await w.customers.crawler.sweep()
        assert await waiting(w, jobs.CRAWL) == [{"hop": 0}]
        await w.customers.lend_a_hand(hop=0)
        assert (await w.customers.state()).is_complete

    async def test_what_broke_off_waits_for_the_next_hour(self, w: Workshop):
        w.far_side.faults.add(status=503, path_contains="/subscriptions", times=None)
        with pytest.raises(Unavailable):
            await w.customers.refresh()
        await w.customers.crawler.sweep()
        assert await waiting(w, jobs.CRAWL) == []
        w.far_side.faults.clear()
        await w.customers.look()
        assert (await w.customers.state()).is_complete

    async def test_one_replicas_patience_is_the_others(self, workshop: OpenWorkshop, clock: Clock):
        one, two = [await workshop() for _ in range(2)]
        one.far_side.faults.add(status=429, path_contains="/subscriptions", headers={"Retry-After": "7"})
        await one.customers.refresh()
        assert one.partner_center.pace.limit == 2
        await one.customers.reread()
        assert two.partner_center.pace.limit == 4
        await two.customers.reread()
        assert two.partner_center.pace.limit == 2


async def test_an_ack_does_not_wait_while_it_is_found_out_who_is_at_risk(w: Workshop):
    """On SQLite it waits for whoever writes; a hundred questions with the lock held were seconds beside a digest."""
    many = [a_customer(id=CustomerId(f"{n:036}"), name=f"Customer {n}") for n in range(100)]
    async with w.store.begin() as tx:
        await tx.mirror.put_customers(many, at=noon)
        for customer in many:
            suspended = a_subscription(customer_id=customer.id, status=SubscriptionStatus.SUSPENDED)
            await tx.mirror.put_subscription(suspended, at=noon)
    w.far_side.faults.add(status=503, path_contains="/subscriptions", times=None)
    with writes() as each, pytest.raises(Unavailable):
        await w.customers.reread()
    assert each
    assert max(len(statements) for statements in each) < len(many) // 4


class TestIncremental:
    async def test_few_requests_after_few_changes(self, w: Workshop, clock: Clock):
        held = w.subscription(E3)
        w.far_side.set_quantity(held.id, held.quantity + 5)
        w.far_side.place_order("Coho", "Microsoft 365 E5", 3)
        before = len(w.far_side.requests)
        clock.passes(LATER)
        state = await w.customers.sync()
        named = {w.far_side.customer(name).id.lower() for name in ("Contoso", "Coho")}
        assert asked(w, before) == dict.fromkeys(named, 1)
        assert (state.as_of, state.is_complete) == (clock(), True)
        async with w.store.read() as tx:
            known = await tx.mirror.subscription(held.id)
        assert known is not None
        assert known.quantity == held.quantity + 5

        before = len(w.far_side.requests)
        clock.passes(LATER)
        await w.customers.sync()
        assert asked(w, before) == {}, "what was logged before is not read again"

    async def test_a_record_that_comes_late_counts(self, w: Workshop, clock: Clock):
        await w.customers.sync()
        held = w.subscription(E3)
        w.far_side.set_quantity(held.id, held.quantity + 5, at=clock() - 20 * HOUR)
        before = len(w.far_side.requests)
        await w.customers.sync()
        assert asked(w, before) == {w.far_side.customer("Contoso").id.lower(): 1}

    async def test_without_a_log_everybody_is_read(self, w: Workshop):
        w.far_side.faults.add(status=403, path_contains="/auditrecords", times=None)
        before = len(w.far_side.requests)
        await w.customers.sync()
        assert set(asked(w, before)) == ours(w)

    async def test_every_hour_a_part_is_read_for_its_age(self, w: Workshop, clock: Clock):
        w.far_side.faults.add(status=403, path_contains="/auditrecords", times=None)
        async with w.store.read() as tx:
            risky = {s.customer_id for s, _ in await tx.mirror.suspended()}
        total = Counter[str]()
        for hour in range(1, 17):
            before = len(w.far_side.requests)
            clock.passes(HOUR)
            await w.customers.look()
            some = asked(w, before)
            assert len(set(some) - risky) <= len(w.far_side.customers) // 16 + 1, hour
            total += some
        assert set(total) == ours(w)
        state = await w.customers.state()
        assert state.oldest is not None
        assert state.as_of == state.oldest > noon, "it is as old as its oldest part"
        assert clock() - state.as_of < FRESH_FOR
        assert AGED < HOUR * 16

    async def test_a_new_customer_is_read(self, w: Workshop):
        new = w.far_side.customer("Contoso").id.lower()
        async with w.store.begin() as tx:
            await tx.connection.execute(delete(crawl).where(crawl.c.customer_id == new))
        before = len(w.far_side.requests)
        await w.customers.sync()
        assert asked(w, before) == {new: 1}


class TestHonest:
    async def test_a_customer_that_cannot_be_read_is_tried_again_within_the_hour(
        self, w: Workshop, clock: Clock
    ):
        contoso = w.far_side.customer("Contoso")
        w.far_side.faults.add(status=500, path_contains=f"/{contoso.id}/subscriptions", times=None)
        state = await w.customers.refresh()
        assert (state.failed, state.is_complete) == (1, False)
        w.far_side.faults.clear()
        clock.passes(HOUR)
        await w.customers.look()
        state = await w.customers.state()
        assert (state.failed, state.is_complete) == (0, True)

    async def test_a_list_that_breaks_off_is_said_to_be_incomplete(self, w: Workshop, clock: Clock):
        w.far_side.faults.add(status=500, path_contains="/v1/customers", times=None)
        with pytest.raises(Unavailable):
            await w.customers.refresh()
        state = await w.customers.state()
        assert (state.as_of, state.running_since) == (noon, clock())
        assert state.trouble == "unavailable 800003"
        assert not state.is_complete
        w.far_side.faults.clear()
        await w.customers.refresh_if_old()
        assert (await w.customers.state()).is_complete

    async def test_one_that_is_gone_is_forgotten_after_a_complete_list(self, w: Workshop):
        contoso = w.far_side.customer("Contoso")
        w.far_side.faults.add(status=404, path_contains=f"/{contoso.id}/subscriptions", times=None)
        state = await w.customers.refresh()
        assert (state.failed, state.is_complete) == (0, True)
        assert (await w.customers.find("Contoso Ltd")).customers == ()
        assert (await w.customers.find(contoso.subscriptions[0].id)).subscription is None

    async def test_of_many_who_vanish_at_once_nothing_is_left(self, w: Workshop):
        vanished = [CustomerId(f"{number:08}-0000-4000-8000-000000000000") for number in range(250)]
        async with w.store.begin() as tx:
            before = await tx.mirror.sizes()
            await tx.mirror.put_customers([a_customer(id=id) for id in vanished], at=noon)
            for id in vanished[:2]:
                await tx.mirror.put_subscriptions(id, [a_subscription(customer_id=id)], at=noon)
            await tx.connection.execute(insert(crawl), [queue_row(id) for id in vanished])
        await w.customers.refresh()
        async with w.store.read() as tx:
            assert await tx.mirror.sizes() == before
            left = await tx.connection.scalars(select(crawl.c.customer_id))
            assert set(left).isdisjoint(vanished)

    async def test_and_not_before(self, w: Workshop):
        contoso = w.far_side.customer("Contoso")
        w.far_side.faults.add(status=404, path_contains=f"/{contoso.id}/subscriptions", times=None)
        async with w.store.begin() as tx:
            await tx.crawl.want([contoso.id.lower()], Why.CHANGED, at=w.clock())
        await w.customers.crawler.help()
        assert (await w.customers.find(contoso.subscriptions[0].id)).subscription is not None

    async def test_of_one_who_is_ours_no_more_nothing_is_kept(self, w: Workshop):
        contoso = w.far_side.customer("Contoso")
        w.far_side._directory._keep(replace(contoso, relationship="none"))
        await w.customers.refresh()
        (found,) = (await w.customers.find("Contoso Ltd")).customers
        assert not found.may_be_acted_on
        assert (await w.customers.find(contoso.subscriptions[0].id)).subscription is None

    async def test_when_nobody_can_be_read_it_stops_and_keeps_the_queue(self, w: Workshop):
        w.far_side.faults.add(status=503, path_contains="/subscriptions", times=None)
        with pytest.raises(Unavailable):
            await w.customers.refresh()
        state = await w.customers.state()
        assert state.remaining > 0
        w.far_side.faults.clear()
        assert (await w.customers.refresh()).is_complete
