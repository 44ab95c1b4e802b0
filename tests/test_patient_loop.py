"""The tests' own clock: it counts what is waited for, and not the time in which the machine stood still."""

from __future__ import annotations

import asyncio
import os
import selectors
from collections.abc import Iterator

import pytest

from tests.patient_loop import LATE, ROUND, STEP, PatientLoop, _Waits


@pytest.fixture
def clock() -> list[float]:
    return [100.0]


@pytest.fixture
def waits(clock: list[float]) -> Iterator[_Waits]:
    made = _Waits(lambda: clock[0])
    yield made
    made.close()


def test_a_round_that_takes_seconds_counts_as_a_moment(waits: _Waits, clock: list[float]):
    waits.select(0)
    clock[0] += 5
    assert waits.counted() == pytest.approx(100 + ROUND)
    waits.select(0)
    assert waits.counted() == pytest.approx(100 + ROUND)
    clock[0] += ROUND / 2
    assert waits.counted() == pytest.approx(100 + ROUND * 1.5)


@pytest.mark.parametrize(
    ("timeout", "taken", "counted"),
    [
        pytest.param(0.0, 5.0, LATE, id="it stood still while nothing was waited for"),
        pytest.param(0.04, 7.0, 0.04 + LATE, id="it stood still beyond the end of the wait"),
        pytest.param(2.0, 7.0, STEP + LATE, id="it stood still while much longer was waited for"),
        pytest.param(2.0, 0.03, 0.03, id="something came before the end"),
        pytest.param(None, 60.0, 60.0, id="nothing but an event could end it"),
    ],
)
def test_a_wait_counts_as_long_as_it_was_meant_to_be(
    clock: list[float], timeout: float | None, taken: float, counted: float
):
    ticks = iter([clock[0]])
    waits = _Waits(lambda: next(ticks, clock[0] + taken))
    read, write = os.pipe()
    try:
        os.close(write)
        waits.register(read, selectors.EVENT_READ)  # its end has come: nothing is waited for in truth
        waits.select(timeout)
        assert waits.counted() - clock[0] == pytest.approx(counted)
    finally:
        waits.close()
        os.close(read)


async def test_it_is_the_loop_of_every_test_and_limits_end():
    assert isinstance(asyncio.get_running_loop(), PatientLoop)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
