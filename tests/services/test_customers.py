"""The mirror is kept fresh, and what cannot be read is not forgotten for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.audit import AuditTag
from bot.domain.customer import CustomerId
from bot.domain.errors import Unavailable
from bot.services.customers import FRESH_FOR
from tests.builders import HOUR, a_customer, a_subscription, noon
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import E3, Clock, Workshop


async def test_every_customer_of_every_page_is_read(workshop: OpenWorkshop):
    w = await workshop()
    done: list[tuple[int, int]] = []
    state = await w.customers.refresh(progress=lambda n, of: done.append((n, of)))
    ours = [c for c in w.far_side.customers if c.relationship == "reseller"]
    assert state.customers == len(w.far_side.customers) == done[-1][0] == done[-1][1]
    assert state.subscriptions == sum(len(c.subscriptions) for c in ours)
    assert (state.as_of, state.failed) == (noon, 0)
    assert (await w.story("mirror"))[-1].tag == AuditTag.MIRROR_REFRESHED
    assert await w.customers.state() == state


async def test_a_customer_whose_subscriptions_cannot_be_read_keeps_what_was_known(
    workshop: OpenWorkshop, clock: Clock
):
    w = await workshop()
    await w.customers.refresh()
    contoso = w.far_side.customer("Contoso")
    known = await w.customers.subscriptions(CustomerId(contoso.id))
    w.far_side.faults.add(status=500, path_contains=f"/{contoso.id}/subscriptions", times=None)
    clock.passes(HOUR)
    state = await w.customers.refresh()
    assert (state.failed, state.as_of) == (1, noon + HOUR)
    assert await w.customers.subscriptions(CustomerId(contoso.id)) == known
    assert len(known) == len(contoso.subscriptions)


async def test_a_list_that_breaks_off_forgets_nobody(workshop: OpenWorkshop, clock: Clock):
    w = await workshop()
    before = await w.customers.refresh()
    async with w.store.begin() as tx:
        await tx.mirror.put_customers([a_customer(name="Known Before")], at=noon)

    async def after_the_first_page(answer: object) -> None:
        w.far_side.faults.add(status=500, path_contains="/v1/customers", times=None)

    w.http.event_hooks = {"response": [after_the_first_page]}
    clock.passes(HOUR)
    with pytest.raises(Unavailable):
        await w.customers.refresh()
    after = await w.customers.state()
    assert after.customers == before.customers + 1
    assert after.subscriptions == before.subscriptions
    assert after.as_of == noon, "the last complete read"


async def test_a_customer_no_longer_listed_disappears(workshop: OpenWorkshop, clock: Clock):
    w = await workshop()
    async with w.store.begin() as tx:
        await tx.mirror.put_customers([a_customer(name="Long Gone")], at=noon)
        await tx.mirror.put_subscriptions(a_customer().id, [a_subscription()], at=noon)
    clock.passes(HOUR)
    await w.customers.refresh()
    found = await w.customers.find("Long Gone")
    assert found.customers == ()
    assert (await w.customers.find(a_subscription().id)).subscription is None


async def test_it_is_not_read_again_within_a_day(workshop: OpenWorkshop, clock: Clock):
    w = await workshop()
    await w.customers.refresh_if_old()
    seen = len(w.far_side.requests)
    clock.passes(FRESH_FOR - timedelta(microseconds=1))
    await w.customers.refresh_if_old()
    assert len(w.far_side.requests) == seen
    clock.passes(timedelta(microseconds=1))
    await w.customers.refresh_if_old()
    assert len(w.far_side.requests) > seen


class TestSearch:
    @pytest.fixture
    async def w(self, workshop: OpenWorkshop) -> Workshop:
        return await workshop()

    async def test_a_whole_subscription_id_finds_it_and_its_customer(self, w: Workshop):
        await w.customers.refresh()
        found = await w.customers.find(w.subscription(E3).id)
        assert [c.name for c in found.customers] == ["Contoso Ltd"]
        assert found.subscription is not None
        assert found.subscription.name == E3

    @pytest.mark.parametrize(
        "words", [pytest.param("contoso l", id="a name"), pytest.param("contoso.onm", id="a domain")]
    )
    async def test_whom_the_mirror_does_not_know_partner_center_is_asked_for(self, w: Workshop, words: str):
        assert [c.name for c in await w.customers.search(words)] == ["Contoso Ltd"]
        asked = len(w.far_side.requests)
        assert [c.name for c in await w.customers.search(words)] == ["Contoso Ltd"]
        assert len(w.far_side.requests) == asked, "and it is remembered"

    async def test_a_tenant_id_is_asked_for_too(self, w: Workshop):
        tenant = w.far_side.customer("Contoso").id
        assert [c.name for c in await w.customers.search(tenant.upper())] == ["Contoso Ltd"]

    async def test_what_nobody_can_be_called_is_asked_of_nobody(self, w: Workshop):
        for words in ("contoso\0", "contoso \ud83c"):
            assert await w.customers.search(words) == ()
        assert not w.far_side.requests

    async def test_partner_center_being_away_finds_nobody_rather_than_fail(self, w: Workshop):
        w.far_side.faults.add(status=500, times=None)
        assert await w.customers.search("contoso") == ()
