"""Bad weather: at random moments Slack and Partner Center fail, each in the ways it can fail."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

from bot.sandbox.partner_center.traffic import Exchange
from tests.survival.world import World

SLACK_METHODS = (
    "chat.postMessage",
    "chat.update",
    "chat.postEphemeral",
    "views.open",
    "views.update",
    "users.info",
    "usergroups.users.list",
)
WRITE, SUBSCRIPTION = "PATCH", "/subscriptions/"
READ, CUSTOMERS = "GET", "/v1/customers"

POSTS = frozenset({"chat.postMessage", "chat.update"})
"""Where nobody knows whether Slack took one of these, a minute has to pass before it is posted again."""

Gust = Callable[[], Awaitable[None] | None]


class Weather:
    """`lost` has the subscriptions of which Microsoft's answer to a write told nothing."""

    def __init__(self, world: World, *, seed: int, every: float, mild: bool) -> None:
        """`every` is the mean of the seconds between two faults; `mild` leaves out what takes a minute to mend."""
        self._slack, self._partner_center = world.slack, world.partner_center
        self._dice = random.Random(seed)
        self._every = every
        self._mild = mild
        self.gusts: Counter[str] = Counter()
        self.lost: set[str] = set()
        self._partner_center.on_exchange(self._note)

    async def blow(self) -> None:
        """One fault after the other, until it is cancelled."""
        kinds = self._kinds()
        while True:
            await asyncio.sleep(self._dice.expovariate(1 / self._every))
            name = self._dice.choice(list(kinds))
            self.gusts[name] += 1
            blown = kinds[name]()
            if blown is not None:
                await blown

    def clear_up(self) -> None:
        self._slack.mend()
        self._partner_center.faults.clear()

    def _kinds(self) -> dict[str, Gust]:
        dice, slack, faults = self._dice, self._slack, self._partner_center.faults
        broken = [name for name in SLACK_METHODS if not (self._mild and name in POSTS)]

        def method() -> str:
            return dice.choice(SLACK_METHODS)

        def times() -> int:
            return 1 if self._mild else dice.randint(1, 4)

        kinds: dict[str, Gust] = {
            "Slack 429": lambda: slack.rate_limit(method(), retry_after=1, times=times()),
            "Slack 500": lambda: slack.break_down(dice.choice(broken), times=times()),
            "Slack error": lambda: slack.fail(dice.choice(broken), error="internal_error", times=times()),
            "Slack slow": lambda: slack.slow(method(), dice.uniform(0.5, 4), times=times()),
            "Slack answer lost": lambda: slack.lose_answer(dice.choice(broken)),
            "Microsoft 429": lambda: faults.add(status=429, headers={"Retry-After": "1"}, times=times()),
            "Microsoft 500 to a read": lambda: faults.add(
                status=500, method=READ, path_contains=CUSTOMERS, times=times()
            ),
            "Microsoft 500 to a write": lambda: faults.add(
                status=500, method=WRITE, path_contains=SUBSCRIPTION, times=times()
            ),
            "Microsoft resets a read": lambda: faults.lose_answer(
                method=READ, path_contains=CUSTOMERS, times=times()
            ),
            "Microsoft slow": lambda: faults.slow(dice.uniform(0.5, 4), times=times()),
            "Microsoft's answer to a write lost": lambda: faults.lose_answer(
                method=WRITE, path_contains=SUBSCRIPTION
            ),
            "Microsoft forgets its tokens": self._partner_center.expire_tokens,
        }
        if slack.events_url is None:
            kinds["Slack cuts the socket"] = lambda: slack.disconnect("link_disabled")
            kinds["Slack renews the socket"] = lambda: slack.disconnect("refresh_requested")
        return kinds

    def _note(self, exchange: Exchange) -> None:
        if exchange.method == "PATCH" and (exchange.lost or exchange.status >= 500):
            self.lost.add(exchange.path.rpartition("/")[2])
