"""A shift: people ask for and approve suspensions until it is over; then it is counted what came of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from bot.domain.request import Status
from bot.sandbox.partner_center.records import Customer
from bot.sandbox.slack import SlackSandbox
from tests.survival.crew import Crew, Ledger
from tests.survival.office import APPROVALS, Json, Office, buttons, request_of
from tests.survival.world import World

EVERYBODY = ("ana", "ben", "mei", "eve")
APPROVERS = ("ben", "mei")
STALLED = 8.0
"""Seconds without anything to wait for, after which the test goes on anyway."""
PROMPTLY = 120.0
"""Seconds in which work that nothing stands in the way of is done."""
SETTLES = 150.0
"""Seconds in which everything must have come to its end: a lease, a minute until it counts as left behind, a sweep."""


@dataclass(frozen=True)
class Figures:
    requests: int
    lost: int
    doubled: int
    unknown: int
    untold: int
    second_cards: int

    def __str__(self) -> str:
        return (
            f"{self.requests} requests: {self.lost} lost, {self.doubled} doubled, {self.unknown} unknown; "
            f"{self.untold} results not told, {self.second_cards} second cards"
        )

    def hold(self, when: str) -> None:
        """Say them, and that nothing was lost or doubled."""
        print(f"{when}, {self}")  # noqa: T201  the figures are what a reader of the log looks for
        assert (self.lost, self.doubled, self.unknown) == (0, 0, 0)


@dataclass
class Shift:
    world: World
    office: Office
    asked: dict[str, Customer] = field(default_factory=dict)
    is_over: bool = False

    async def ask(self, operator: str) -> None:
        """Ask for one after the other until the shift is over."""
        for customer in self.world.customers:
            await self.office.ask(self._slack.person(operator), customer)
            self.asked[customer.id] = customer
            if self.is_over:
                return

    async def undecided(self, operator: str) -> Json:
        """Ask for one more; its card, which the approvers leave alone."""
        customer = next(self.world.customers)
        self.office.left_alone.add(customer.name)
        await self.office.ask(self._slack.person(operator), customer)
        self.asked[customer.id] = customer
        return await self._slack.message_appears(
            APPROVALS,
            lambda message: customer.name in message["text"] and bool(buttons(message)),
            timeout=PROMPTLY,
        )

    async def some_work(self, dice: random.Random) -> None:
        """Let some go by: until the next effect at Microsoft, or so many exchanges with Slack; and a moment more."""
        effects = dice.randint(1, 4)
        exchanges = self._exchanges() + dice.randint(10, 80)
        if dice.random() < 0.5:
            await self.effects(effects)
        else:
            await self._until(lambda: self._exchanges() >= exchanges, STALLED)
        await asyncio.sleep(dice.uniform(0, 0.05))

    async def effects(self, count: int, *, within: float = STALLED) -> bool:
        """Wait for so many more effects at Microsoft; whether they came."""
        writes = self.world.partner_center.writes
        goal = len(writes) + count
        return await self._until(lambda: len(writes) >= goal, within)

    async def all_done(self) -> bool:
        """Give everything the time to come to its end; what did not is counted afterwards."""
        return await self.are_done(self.asked)

    async def are_done(self, customers: Collection[str]) -> bool:
        """Give what was asked for these customers the time to come to its end; whether it did."""
        names = {self.asked[id].name for id in customers}
        return await self._until(lambda: names <= self._done_for(), SETTLES)

    async def closed(self, crew: Crew) -> Figures:
        """Stop everything that runs, and count."""
        world, slack = self.world, self._slack
        ledger = Ledger(world.settings["DATABASE_URL"])
        await self._until(
            lambda: self._told().keys() | ledger.results().keys() >= ledger.statuses().keys(), SETTLES
        )
        for card in [card for card in self.office.cards() if buttons(card)]:
            await self.office.click_again(slack.person("ben"), card)
        assert set(await crew.stop()) == {0}

        statuses, told, results = ledger.statuses(), self._told(), ledger.results()
        untold = statuses.keys() - told.keys()
        assert all(results.get(id) == "claimed" for id in untold), "somebody could have been told and was not"
        cards = Counter(request_of(card) for card in self.office.cards())
        assert cards.keys() == statuses.keys()
        assert not [card for card in self.office.cards() if buttons(card)]
        effects = Counter(write.subscription_id for write in world.partner_center.writes)
        suspended = [
            c
            for c in self.asked.values()
            if world.partner_center.subscription(c.subscriptions[0].id).status == "suspended"
        ]
        unfinished = [id for id, status in statuses.items() if status is not Status.DONE]
        return Figures(
            requests=len(statuses),
            lost=max(len(self.asked) - len(suspended), len(unfinished)),
            doubled=sum(n > 1 for n in effects.values()) + sum(n > 1 for n in told.values()),
            unknown=sum(status is Status.UNKNOWN for status in statuses.values()),
            untold=len(untold),
            second_cards=sum(n - 1 for n in cards.values()),
        )

    @property
    def _slack(self) -> SlackSandbox:
        return self.world.slack

    def _done_for(self) -> set[str]:
        """The names on the cards that say it is done."""
        said = " ".join(card["text"] for card in self.office.cards() if card["text"].startswith("Done"))
        return {customer.name for customer in self.asked.values() if customer.name in said}

    def _told(self) -> Counter[str]:
        return Counter(request_of(dm) for name in EVERYBODY for dm in self._slack.person(name).dms())

    def _exchanges(self) -> int:
        return self._slack.exchanges[-1].number if self._slack.exchanges else 0

    async def _until(self, holds: Callable[[], bool], timeout: float) -> bool:
        with suppress(TimeoutError):
            return await self._slack.workspace.news.until(holds, timeout=timeout)
        return False


@asynccontextmanager
async def at_work(
    world: World, up: Callable[[], Awaitable[None]], *, ask: Sequence[str] = EVERYBODY
) -> AsyncIterator[Shift]:
    """These people ask, two approve; at the end of the block they finish what they are at, and all of it is done."""
    shift = Shift(world, Office(world.slack, up=up))
    async with asyncio.TaskGroup() as people:
        approvers = [
            people.create_task(shift.office.approve_all(world.slack.person(name))) for name in APPROVERS
        ]
        operators = [people.create_task(shift.ask(name)) for name in ask]
        yield shift
        shift.is_over = True
        async with asyncio.timeout(SETTLES):
            await asyncio.gather(*operators)
        await shift.all_done()
        for approver in approvers:
            approver.cancel()
