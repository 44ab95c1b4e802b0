"""kill -9 at any moment: nothing that was asked for is lost, and nothing is done twice."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from tests.stage import free_port
from tests.survival.crew import Crew, Ledger
from tests.survival.shift import Figures, at_work
from tests.survival.world import World, world

CUSTOMERS = 30
"""For each kill: more than can be worked off between two."""


async def killed_at_random(
    world: World, crew: Crew, *, kills: int, seed: int
) -> tuple[Figures, Counter[str]]:
    """Ask for, approve and execute suspensions while processes die.

    What came of it, and of each kind of post how many a death met on its way to Slack.
    """
    dice = random.Random(seed)
    ledger = Ledger(world.settings["DATABASE_URL"])
    met: set[tuple[str, datetime]] = set()
    async with at_work(world, crew.up) as shift:
        dead = 0
        while dead < kills:
            await shift.some_work(dice)
            early = [dice.uniform(0, 1.5)] if dice.random() < 0.2 and dead + 1 < kills else []
            victims = crew.programs if dice.random() < 0.2 else [dice.choice(crew.programs)]
            if dice.random() < 0.3:
                world.partner_center.faults.lose_answer(method="PATCH", path_contains="/subscriptions/")
            await crew.lose(victims, early=early, after_each=lambda: met.update(ledger.on_their_way()))
            dead += 1 + len(early)
    return await shift.closed(crew), Counter(key.partition(":")[0] for key, _ in met)


def _hold(came: tuple[Figures, Counter[str]], *, kills: int) -> None:
    figures, met = came
    figures.hold(f"{kills} kills")
    assert figures.requests > kills
    # One kill may meet several posts on their way, and no other post may be missing or come twice.
    assert figures.untold <= met["result"]
    assert figures.second_cards <= met["card"]


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
