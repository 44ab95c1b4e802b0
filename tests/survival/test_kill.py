"""kill -9 at any moment: nothing that was asked for is lost, and nothing is done twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.domain.request import Status
from bot.sandbox.partner_center.records import Customer
from bot.sandbox.slack import Player, SlackSandbox
from tests.stage import free_port
from tests.survival.crew import Crew, Ledger
from tests.survival.office import Office, buttons, request_of
from tests.survival.world import World, world

EVERYBODY = ("ana", "ben", "mei", "eve")
CUSTOMERS = 15
"""For each kill: more than can be worked off between two."""
STALLED = 3.0
"""Seconds without anything to wait for, after which the next kill comes anyway."""
SETTLES = 60.0
"""Seconds in which everything must have come to its end after the last kill."""


@dataclass(frozen=True)
class Figures:
    kills: int
    requests: int
    lost: int
    doubled: int
    unknown: int
    untold: int
    second_cards: int

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.requests} requests: {self.lost} lost, {self.doubled} doubled, "
            f"{self.unknown} unknown; {self.untold} results not told, {self.second_cards} second cards"
        )


async def killed_at_random(world: World, crew: Crew, *, kills: int, seed: int) -> Figures:
    """Ask for, approve and execute suspensions while processes die; what came of it."""
    dice = random.Random(seed)
    slack = world.slack
    office = Office(slack, up=crew.up)
    asked: dict[str, Customer] = {}
    over = asyncio.Event()

    async def ask(operator: Player) -> None:
        for customer in world.customers:
            await office.ask(operator, customer)
            asked[customer.id] = customer
            if over.is_set():
                return

    def done() -> set[str]:
        return {request_of(card) for card in office.cards() if card["text"].startswith("Done")}

    def told() -> Counter[str]:
        return Counter(request_of(dm) for name in EVERYBODY for dm in slack.person(name).dms())

    async with asyncio.TaskGroup() as people:
        approvers = [people.create_task(office.approve_all(slack.person(name))) for name in ("ben", "mei")]
        operators = [people.create_task(ask(slack.person(name))) for name in EVERYBODY]
        dead = 0
        while dead < kills:
            await _some_work(world, dice)
            early = [dice.uniform(0, 1.5)] if dice.random() < 0.2 and dead + 1 < kills else []
            victims = crew.programs if dice.random() < 0.2 else [dice.choice(crew.programs)]
            if dice.random() < 0.3:
                world.partner_center.faults.lose_answer(method="PATCH", path_contains="/subscriptions/")
            await crew.lose(victims, early=early)
            dead += 1 + len(early)
        over.set()
        await asyncio.gather(*operators)
        await _settled(slack, lambda: len(done()) == len(asked))
        for approver in approvers:
            approver.cancel()

    ledger = Ledger(world.settings["DATABASE_URL"])
    await _settled(slack, lambda: told().keys() | ledger.results().keys() >= ledger.statuses().keys())
    for card in [card for card in office.cards() if buttons(card)]:
        await office.click_again(slack.person("ben"), card)
    assert set(await crew.stop()) == {0}

    statuses = ledger.statuses()
    effects = Counter(write.subscription_id for write in world.partner_center.writes)
    suspended = [
        c
        for c in asked.values()
        if world.partner_center.subscription(c.subscriptions[0].id).status == "suspended"
    ]
    unfinished = [id for id, status in statuses.items() if status is not Status.DONE]
    untold = statuses.keys() - told().keys()
    cards = Counter(request_of(card) for card in office.cards())
    assert all(ledger.results().get(id) == "claimed" for id in untold), (
        "somebody was not told and could have been"
    )
    assert cards.keys() == statuses.keys()
    assert not [card for card in office.cards() if buttons(card)]
    return Figures(
        kills=dead,
        requests=len(statuses),
        lost=max(len(asked) - len(suspended), len(unfinished)),
        doubled=sum(n > 1 for n in effects.values()) + sum(n > 1 for n in told().values()),
        unknown=sum(status is Status.UNKNOWN for status in statuses.values()),
        untold=len(untold),
        second_cards=sum(n - 1 for n in cards.values()),
    )


async def _settled(slack: SlackSandbox, holds: Callable[[], bool]) -> None:
    """Give everything the time to come to its end; what did not is counted afterwards."""
    with suppress(TimeoutError):
        await slack.workspace.news.until(holds, timeout=SETTLES)


async def _some_work(world: World, dice: random.Random) -> None:
    """Let some go by: until the next effect at Microsoft, or so many exchanges with Slack; and a moment more."""
    slack, partner_center = world.slack, world.partner_center
    effects = len(partner_center.writes) + dice.randint(1, 4)
    exchanges = _exchanges(slack) + dice.randint(10, 80)
    to_the_effect = dice.random() < 0.5
    with suppress(TimeoutError):
        await slack.workspace.news.until(
            lambda: (
                len(partner_center.writes) >= effects if to_the_effect else _exchanges(slack) >= exchanges
            ),
            timeout=STALLED,
        )
    await asyncio.sleep(dice.uniform(0, 0.05))


def _exchanges(slack: SlackSandbox) -> int:
    return slack.exchanges[-1].number if slack.exchanges else 0


def _holds(figures: Figures) -> None:
    print(figures)  # noqa: T201  the figures are what a reader of the log looks for
    assert figures.requests > figures.kills
    assert (figures.lost, figures.doubled, figures.unknown) == (0, 0, 0)
    assert figures.untold <= figures.kills
    assert figures.second_cards <= figures.kills


KILLS = [pytest.param(10, id="10-kills"), pytest.param(200, id="200-kills", marks=pytest.mark.long)]


@pytest.mark.parametrize("kills", KILLS)
async def test_one_process_on_sqlite_survives_kill_9(kills: int, sqlite_url: str, tmp_path: Path):
    async with (
        world(sqlite_url, stock=CUSTOMERS * kills, cwd=tmp_path) as around,
        Crew(around.program("run")) as crew,
    ):
        _holds(await killed_at_random(around, crew, kills=kills, seed=9))


@pytest.mark.parametrize("kills", KILLS)
async def test_a_listener_and_two_workers_on_postgres_survive_kill_9(
    kills: int, postgres_url: str, tmp_path: Path
):
    port = free_port()
    async with world(postgres_url, stock=CUSTOMERS * kills, cwd=tmp_path, port=port) as around:
        around.slack.events_url = f"http://127.0.0.1:{port}/slack/events"
        listener = around.program("web", PORT=str(port))
        async with Crew(
            listener, around.program("worker", HOSTNAME="1"), around.program("worker", HOSTNAME="2")
        ) as crew:
            _holds(await killed_at_random(around, crew, kills=kills, seed=9))
