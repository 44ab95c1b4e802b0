"""Calls slow down when Microsoft asks for patience, all wait for as long as it asks, and quiet brings them back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from bot.domain.errors import Throttled
from bot.partner_center.exchange import LONGEST_WAIT, MORE_TRIES
from bot.partner_center.pace import QUIET, Pace, Throttle

from .far_side import noon, reply

ONE = "/v1/customers/c1"
OTHER = "/v1/customers/c2"


class Time:
    """Stands still, but for those who sleep."""

    def __init__(self) -> None:
        self.at = noon

    def __call__(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    @property
    def passed(self) -> float:
        return (self.at - noon).total_seconds()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def pace(time: Time) -> Pace:
    return Pace(8, now=time, sleep=time.sleep)


async def test_it_is_halved_once_for_all_that_were_on_their_way(pace: Pace):
    for _ in range(8):
        pace.slow_down(8, wait=None)
    assert pace.limit == 4
    pace.slow_down(4, wait=None)
    assert pace.limit == 2
    for _ in range(5):
        pace.slow_down(pace.limit, wait=None)
    assert pace.limit == 1


async def test_it_grows_by_one_after_a_quiet_while(pace: Pace, time: Time):
    pace.slow_down(8, wait=None)
    pace.go_on()
    assert pace.limit == 4
    for expected in (5, 6, 7, 8, 8):
        time.at += QUIET
        pace.go_on()
        pace.go_on()
        assert pace.limit == expected


async def test_everybody_waits_for_as_long_as_one_was_asked_to(connect, far_side, time: Time):
    far_side.on("GET", ONE, reply(429, retry_after="57"), reply(body={"id": "c1"}))
    far_side.on("GET", OTHER, reply(body={"id": "c2"}))
    center = connect(now=time, sleep=time.sleep)
    one = asyncio.create_task(center.customer("c1"))
    while not far_side.requests:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    await center.customer("c2")
    assert 57 <= time.passed <= 60
    await one
    assert (len(far_side.requests), center.pace.limit) == (3, 2)


async def test_too_long_a_wait_is_told_and_holds_nobody_up(connect, far_side, time: Time):
    far_side.on("GET", ONE, reply(429, retry_after=str(int(LONGEST_WAIT) + 1)))
    far_side.on("GET", OTHER, reply(body={"id": "c2"}))
    center = connect(now=time, sleep=time.sleep)
    with pytest.raises(Throttled):
        await center.customer("c1")
    await center.customer("c2")
    assert time.passed == 0


async def test_being_throttled_on_and_on_ends_in_an_error(connect, far_side, time: Time):
    far_side.on("GET", ONE, reply(429, retry_after="2"))
    center = connect(now=time, sleep=time.sleep, max_concurrency=16)
    with pytest.raises(Throttled):
        await center.customer("c1")
    assert (len(far_side.requests), center.pace.limit) == (1 + MORE_TRIES, 1)


class TestTurns:
    async def test_whoever_somebody_waits_for_goes_first(self, pace: Pace):
        pace.slow_down(8, wait=None)
        pace.slow_down(4, wait=None)
        pace.slow_down(2, wait=None)
        order: list[str] = []
        free = asyncio.Event()

        async def call(name: str, *, unhurried: bool, until: Callable[[], bool] = lambda: True) -> None:
            async with pace.slot(unhurried=unhurried):
                order.append(name)
                if name == "first":
                    await free.wait()

        calls = [asyncio.create_task(call("first", unhurried=True))]
        await asyncio.sleep(0)
        calls += [asyncio.create_task(call(f"crawl {n}", unhurried=True)) for n in range(20)]
        await asyncio.sleep(0)
        calls.append(asyncio.create_task(call("a person", unhurried=False)))
        await asyncio.sleep(0)
        free.set()
        await asyncio.gather(*calls)
        assert order[:3] == ["first", "a person", "crawl 0"]
        assert len(order) == 22

    async def test_who_gives_up_waiting_takes_no_turn(self, pace: Pace):
        held = [pace.slot() for _ in range(8)]
        for each in held:
            await each.__aenter__()
        waiting = asyncio.create_task(pace.slot().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        for each in held:
            await each.__aexit__(None, None, None)
        async with asyncio.timeout(5), pace.slot():
            pass


class TestHearing:
    async def test_what_another_learned_counts_here(self, pace: Pace, time: Time):
        pace.hear(Throttle(2, noon, noon + timedelta(seconds=30)))
        assert pace.limit == 2
        async with pace.slot():
            assert time.passed == 30

    async def test_it_counts_for_as_little_as_it_is_old(self, pace: Pace, time: Time):
        time.at = noon + 3 * QUIET
        pace.hear(Throttle(2, noon))
        assert pace.limit == 5

    async def test_what_is_older_than_what_we_know_is_no_news(self, pace: Pace):
        pace.slow_down(8, wait=None)
        pace.hear(Throttle(1, noon - timedelta(seconds=1)))
        assert pace.limit == 4
