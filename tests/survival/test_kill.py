"""kill -9 at any moment: nothing that was asked for is lost, and nothing is done twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.stage import free_port
from tests.survival.crew import Crew
from tests.survival.shift import Figures, at_work
from tests.survival.world import World, world

CUSTOMERS = 30
"""For each kill: more than can be worked off between two."""


async def killed_at_random(world: World, crew: Crew, *, kills: int, seed: int) -> Figures:
    """Ask for, approve and execute suspensions while processes die; what came of it."""
    dice = random.Random(seed)
    async with at_work(world, crew.up) as shift:
        dead = 0
        while dead < kills:
            await shift.some_work(dice)
            early = [dice.uniform(0, 1.5)] if dice.random() < 0.2 and dead + 1 < kills else []
            victims = crew.programs if dice.random() < 0.2 else [dice.choice(crew.programs)]
            if dice.random() < 0.3:
                world.partner_center.faults.lose_answer(method="PATCH", path_contains="/subscriptions/")
            await crew.lose(victims, early=early)
            dead += 1 + len(early)
    return await shift.closed(crew)


def _hold(figures: Figures, *, kills: int) -> None:
    figures.hold(f"{kills} kills")
    assert figures.requests > kills
    assert figures.untold <= kills
    # One kill may meet several cards on their way to Slack, but no request gets a third.
    assert figures.second_cards <= figures.requests


KILLS = [pytest.param(10, id="10-kills"), pytest.param(200, id="200-kills", marks=pytest.mark.long)]


@pytest.mark.parametrize("kills", KILLS)
async def test_one_process_on_sqlite_that_listens_over_http_survives_kill_9(
    kills: int, sqlite_url: str, tmp_path: Path
):
    port = free_port()
    async with world(sqlite_url, stock=CUSTOMERS * kills, cwd=tmp_path, port=port) as around:
        around.slack.events_url = f"http://127.0.0.1:{port}/slack/events"
        async with Crew(around.program("run", PORT=str(port))) as crew:
            _hold(await killed_at_random(around, crew, kills=kills, seed=9), kills=kills)


@pytest.mark.parametrize("kills", KILLS)
async def test_two_listeners_and_three_workers_on_postgres_survive_kill_9(
    kills: int, postgres_url: str, tmp_path: Path
):
    async with (
        world(postgres_url, stock=CUSTOMERS * kills, cwd=tmp_path) as around,
        Crew(*around.programs("web", 2), *around.programs("worker", 3)) as crew,
    ):
        _hold(await killed_at_random(around, crew, kills=kills, seed=9), kills=kills)
