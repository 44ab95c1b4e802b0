"""A part of the API that is not there costs its answer and nothing else, and is left alone for a day."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

import pytest

from bot.domain.capability import Cloud, Feature, Outage
from bot.domain.customer import Customer, CustomerId
from bot.services.features import REST
from tests.builders import DAY, noon
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import Clock, Workshop

LOG = Feature.AUDIT_RECORDS


async def ask(w: Workshop, feature: Feature = LOG) -> Customer | None:
    """Some call that Partner Center may refuse."""
    contoso = CustomerId(w.far_side.customer("Contoso").id)
    return await w.features.ask(feature, partial(w.partner_center.customer, contoso))


def asked(w: Workshop) -> int:
    return sum("/customers/" in seen.path for seen in w.far_side.requests)


async def test_what_is_there_is_answered(workshop: OpenWorkshop):
    w = await workshop()
    found = await ask(w)
    assert found is not None
    assert found.name == "Contoso Ltd"
    assert await w.features.unavailable() == ()


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        pytest.param(403, 20002, "access-denied 20002", id="no rights"),
        pytest.param(403, 900115, "rejected 900115", id="forbidden by a rule"),
        pytest.param(404, 1000, "not-found", id="not found"),
        pytest.param(501, 0, "feature-missing 0", id="not implemented"),
    ],
)
async def test_what_is_refused_is_left_alone_for_a_day(
    workshop: OpenWorkshop, clock: Clock, status: int, code: int, why: str
):
    w = await workshop()
    w.far_side.faults.add(status=status, body={"code": code}, path_contains="/customers/", times=1)
    assert await ask(w) is None
    assert await w.features.unavailable() == (Outage(LOG, why, noon + REST),)

    clock.passes(DAY - timedelta(microseconds=1))
    before = asked(w)
    assert await ask(w) is None
    assert asked(w) == before
    assert await ask(w, Feature.USAGE) is not None, "the others are not concerned"

    clock.passes(timedelta(microseconds=1))
    assert await w.features.unavailable() == ()
    assert await ask(w) is not None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(500, 800003, id="Microsoft does not answer"),
        pytest.param(429, 0, id="not now"),
        pytest.param(400, 3000, id="asked wrongly"),
        pytest.param(401, 900420, id="not for whoever signed in"),
    ],
)
async def test_other_trouble_costs_this_answer_alone(workshop: OpenWorkshop, status: int, code: int):
    w = await workshop()
    w.far_side.faults.add(status=status, body={"code": code}, path_contains="/customers/", times=None)
    assert await ask(w) is None
    assert await w.features.unavailable() == ()
    w.far_side.faults.clear()
    assert await ask(w) is not None


async def test_what_the_cloud_does_not_have_is_not_asked_for(workshop: OpenWorkshop):
    w = await workshop(hosting=Cloud.CHINA)
    assert await ask(w, Feature.SERVICE_REQUESTS) is None
    assert asked(w) == 0
    assert await ask(w) is not None, "nothing is documented there, so it is tried"
    assert [(o.feature, o.until) for o in await w.features.unavailable()] == [
        (Feature.SERVICE_REQUESTS, None),
    ]


async def test_a_mistake_of_ours_is_not_taken_for_a_refusal(workshop: OpenWorkshop):
    w = await workshop()

    async def broken() -> None:
        raise KeyError("items")

    with pytest.raises(KeyError):
        await w.features.ask(LOG, broken)
    assert await w.features.unavailable() == ()


async def test_two_replicas_may_be_refused_at_once(workshop: OpenWorkshop, database_url: str):
    replicas = [await workshop(database_url=database_url) for _ in range(2)]
    replicas[0].far_side.faults.add(status=403, body={"code": 20002}, path_contains="/customers/", times=None)
    assert await asyncio.gather(*(ask(w) for w in (*replicas, *replicas))) == [None] * 4
    for w in replicas:
        assert [o.feature for o in await w.features.unavailable()] == [LOG]


async def test_what_was_read_before_a_refusal_is_not_lost(workshop: OpenWorkshop):
    w = await workshop()
    read: list[str] = []

    async def orders() -> bool:
        async for order in w.partner_center.orders(CustomerId(w.far_side.customer("Contoso").id)):
            read.append(order.order_id)
            w.far_side.faults.add(status=403, path_contains="/customers/")
        await w.partner_center.customer(CustomerId(w.far_side.customer("Contoso").id))
        return True

    assert await w.features.ask(LOG, orders) is None
    assert len(read) == 3
