"""A crowd that clicks: people with and without rights, at a human pace, and what each click was answered with."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.domain.action import Reason
from bot.sandbox.partner_center.records import Customer
from bot.sandbox.slack import Ack, Player, SlackSandbox, Workspace, sample_workspace
from bot.sandbox.slack.workspace import Channel, Group, Person, Post
from handlers import ids
from handlers.asking import Carried
from tests.survival.office import APPROVALS, Json, buttons, option_of, request_of

OVERDUE = "csp-overdue"
ANSWER = 60.0
"""Seconds in which somebody who clicked has seen something happen, or counts as left without an answer."""
MOST_MORE = 120.0
"""Seconds for which people go on where nothing came of it yet."""
PRESSES = 5
"""So often somebody presses *Confirm* while Slack says that the app did not answer."""
LOCALES = ("en-US", "de-DE", "zh-CN")
UNDER_WAY = frozenset({ids.SUSPEND_FORM, ids.READING})


class Role(StrEnum):
    OPERATOR = "operator"
    APPROVER = "approver"
    BOTH = "both"
    NOBODY = "nobody"
    GUEST = "guest"
    """On both lists all the same."""


OF_TEN = (*[Role.OPERATOR] * 5, *[Role.APPROVER] * 2, Role.BOTH, Role.NOBODY, Role.GUEST)
ASKS = frozenset({Role.OPERATOR, Role.BOTH})
APPROVES = frozenset({Role.APPROVER, Role.BOTH})


class Floor(Workspace):
    """The workspace, and what its people have in view."""

    def __init__(self, size: int) -> None:
        sample = sample_workspace()
        self.roles = {f"U0CROWD{n:03}": OF_TEN[n % len(OF_TEN)] for n in range(size)}
        people = [
            Person(
                id=id,
                handle=f"crowd{n:03}",
                name=f"Crowd {n:03}",
                role=role,
                locale=LOCALES[n % len(LOCALES)],
                is_restricted=role is Role.GUEST,
            )
            for n, (id, role) in enumerate(self.roles.items())
        ]
        listed = {
            "S0BILLING": ASKS | {Role.GUEST},
            "S0APPROVERS": APPROVES | {Role.GUEST},
        }
        super().__init__(
            id=sample.id,
            name=sample.name,
            domain=sample.domain,
            bot=sample.bot,
            people=people,
            channels=[channel for channel in sample.channels.values() if not channel.is_dm],
            groups=[
                Group(id, id.lower(), id, tuple(who for who, role in self.roles.items() if role in roles))
                for id, roles in listed.items()
            ],
        )
        for channel in self.channels.values():
            if not channel.is_dm:
                channel.members = {*self.roles, *({self.bot.id} & channel.members)}
        self.told: Counter[str] = Counter()
        """How often something was said to one person alone that was not the result of a request."""
        self.undecided: dict[str, Post] = {}
        """By the id of the request: the cards that can be approved."""
        self.outdated: deque[Json] = deque(maxlen=100)
        """Cards as they were before they were decided, as somebody may still have them on the screen."""
        self.digest: Post | None = None

    def post(self, channel: Channel, message: Json, **more: Any) -> Post:
        made = super().post(channel, message, **more)
        if made.only_for:
            self.told[made.only_for] += 1
        elif channel.partner and not request_of(made.message):
            self.told[channel.partner] += 1
        self._look_at(channel, made)
        return made

    def edit(self, post: Post, changes: Json) -> None:
        before = post.as_seen()
        super().edit(post, changes)
        channel = self.channels[post.channel]
        if ids.APPROVE in buttons(before) and ids.APPROVE not in buttons(post.message):
            self.outdated.append(before)
        self._look_at(channel, post)

    def _look_at(self, channel: Channel, post: Post) -> None:
        if post.only_for or post.is_in_thread:
            return
        shown = buttons(post.message)
        if channel.name == OVERDUE and ids.SUSPEND_CUSTOMER in shown:
            self.digest = post
        if channel.name == APPROVALS and (request := request_of(post.message)):
            if ids.APPROVE in shown:
                self.undecided[request] = post
            else:
                self.undecided.pop(request, None)


@dataclass
class Visitor:
    """One of the crowd."""

    player: Player
    role: Role
    dice: random.Random
    asked: list[str] = field(default_factory=list)
    """Ids of the requests they confirmed."""

    @property
    def id(self) -> str:
        return self.player.person.id


@dataclass
class Crowd:
    slack: SlackSandbox
    floor: Floor
    customers: Sequence[Customer]
    pace: float
    """The mean of the seconds somebody thinks between two clicks."""
    seed: int
    clicks: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    """Clicks of which Slack itself says that they were not answered, or not in time."""
    gone: Counter[str] = field(default_factory=Counter)
    """What went away under somebody's hands before they clicked."""
    unanswered: list[str] = field(default_factory=list)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, seconds: float, *, enough: Callable[[], bool]) -> float:
        """All of them click for so long; who is at something then finishes it.

        Where nothing came of it yet, as on a machine that stood still, they go on until `enough` did, for MOST_MORE
        seconds at most. How many seconds it was.
        """
        clock = asyncio.get_running_loop().time
        begun = clock()
        async with asyncio.TaskGroup() as people:
            for id, role in self.floor.roles.items():
                visitor = Visitor(self.slack.person(id), role, random.Random(f"{self.seed} {id}"))
                people.create_task(self._live(visitor))
            await asyncio.sleep(seconds)
            while not enough() and clock() < begun + seconds + MOST_MORE:
                await asyncio.sleep(0.5)
            taken = clock() - begun
            self._over.set()
        return taken

    async def _live(self, who: Visitor) -> None:
        habits: dict[Callable[[Visitor], Awaitable[None]], int] = {
            self._ask: 1 if who.role is Role.APPROVER else 8,
            self._decide: 12 if who.role in APPROVES else 2,
            self._withdraw: 2,
            self._use_digest: 3,
            self._look: 4,
            self._look_at_ticket: 1,
            self._click_late: 1,
            self._deliver_again: 1,
        }
        while await self._goes_on(who):
            (does,) = who.dice.choices(list(habits), list(habits.values()))
            if who.player.modal():
                await who.player.close_modal(everything=True)
            try:
                await does(who)
            except LookupError:
                self.gone[does.__name__.strip("_")] += 1

    # What they do

    async def _look(self, who: Visitor) -> None:
        line = who.dice.choice(
            [f"/csp find {self._customer(who).name[:-1]}", "/csp status", "/csp requests", "/csp help"]
        )
        await self._does(who, " ".join(line.split()[:2]), who.player.command(line), lambda: False)

    async def _ask(self, who: Visitor) -> None:
        line = f"/csp-suspend {self._customer(who).name}"
        if await self._does(who, "/csp-suspend", who.player.command(line), self._form(who)):
            await self._fill_in(who)

    async def _use_digest(self, who: Visitor) -> None:
        if self.floor.digest is None:
            return
        card = self.floor.digest.as_seen()
        block, element = who.dice.choice(
            [
                (block, element)
                for block in card["blocks"]
                if block["type"] == "actions"
                for element in block["elements"]
                if element["type"] == "button" and not element.get("url")
            ]
        )
        click = who.player.click(card, element["action_id"], block_id=block["block_id"])
        what = f"a digest's {element['action_id']}"
        if await self._does(who, what, click, self._form_or_change(who, self.floor.digest)):
            await self._fill_in(who)

    async def _look_at_ticket(self, who: Visitor) -> None:
        line = f"/csp-ticket {self._customer(who).name}"
        await self._does(who, "/csp-ticket", who.player.command(line), self._form(who))

    async def _fill_in(self, who: Visitor) -> None:
        """The form of a suspension, up to *Confirm*; any other is left."""
        player = who.player
        form = player.modal()
        if form is None or form["callback_id"] != ids.SUSPEND_FORM:
            return
        await self._think(who)
        reason = who.dice.choice(list(Reason))
        chosen = player.choose(ids.REASON, option_of(form, ids.REASON, reason))
        if not (await chosen).ok:
            return
        player.type(ids.NOTE, "Third reminder, no answer.")
        if not await self._does(who, "Continue", player.submit(), self._form(who, other_than=UNDER_WAY)):
            return
        shown = player.modal()
        if shown is None or shown["callback_id"] != ids.SUSPEND_CONFIRMATION:
            return
        for _ in range(PRESSES):
            await self._think(who)
            if await self._does(who, "Confirm", player.submit(), lambda: True):
                who.asked.append(Carried.read(shown).draft_id)
                return

    async def _decide(self, who: Visitor) -> None:
        """Read a card for a while, and click it as it was: somebody else may have been quicker."""
        if not self.floor.undecided:
            await self._look(who)
            return
        post = who.dice.choice(list(self.floor.undecided.values()))
        card = post.as_seen()
        await self._think(who)
        if who.dice.random() < 0.25:
            await self._deny(who, card, post)
        elif who.dice.random() < 0.2:
            seen = self._changed(post)
            twice = (self._click(who, card, ids.APPROVE), self._click(who, card, ids.APPROVE))
            await asyncio.gather(*(self._does(who, "Approve, twice", click, seen) for click in twice))
        else:
            await self._does(who, "Approve", self._click(who, card, ids.APPROVE), self._changed(post))

    async def _deny(self, who: Visitor, card: Json, post: Post) -> None:
        opens = self._form_or_change(who, post)
        if await self._does(who, "Deny", self._click(who, card, ids.DENY), opens) and who.player.modal():
            await self._think(who)
            who.player.type(ids.DENY_REASON, "They have paid.")
            await self._does(who, "a reason to deny", who.player.submit(), lambda: True)

    async def _withdraw(self, who: Visitor) -> None:
        """Their own, now and then somebody else's."""
        own = [id for id in who.asked if id in self.floor.undecided]
        others = who.dice.random() < 0.2 or who.role is Role.NOBODY
        wanted = list(self.floor.undecided) if others else own
        if wanted:
            post = self.floor.undecided[who.dice.choice(wanted)]
            card = post.as_seen()
            await self._does(who, "Withdraw", self._click(who, card, ids.WITHDRAW), self._changed(post))

    async def _click_late(self, who: Visitor) -> None:
        """On a card that was decided long ago."""
        if self.floor.outdated:
            card = who.dice.choice(list(self.floor.outdated))
            action = who.dice.choice([ids.APPROVE, ids.DENY, ids.WITHDRAW])
            await self._does(who, "late", self._click(who, card, action), self._form(who))

    async def _deliver_again(self, who: Visitor) -> None:
        """What Slack delivered last, whoever's it was; over HTTP at times to the letter."""
        ack = await self.slack.redeliver(replay=who.dice.random() < 0.5)
        self._count("delivered again", ack)

    # What comes of it

    async def _does(self, who: Visitor, what: str, click: Awaitable[Ack], seen: Callable[[], object]) -> bool:
        """Click, and look until there is an answer: `seen`, or words to this person. Whether Slack took the click."""
        before = self.floor.told[who.id]
        ack = await click
        self._count(what, ack)
        if not ack.ok:
            return False
        if ack.body and ack.body.get("response_action") not in ("push", "update"):
            return True
        try:
            await who.player.wait_for(lambda: seen() or self.floor.told[who.id] > before, timeout=ANSWER)
        except TimeoutError:
            left = who.player.modal() or {}
            self.unanswered.append(f"{what}, by {who.id} ({who.role}) before {left.get('callback_id')!r}")
        return True

    def _count(self, what: str, ack: Ack) -> None:
        self.clicks[what] += 1
        if not ack.ok:
            self.troubles[f"{ack.error} {' '.join(ack.detail)}".strip()] += 1

    def _click(self, who: Visitor, card: Json, action_id: str) -> Awaitable[Ack]:
        """Click on the card as it was then; on the screen it may still be so."""
        seen = Post(
            card["channel"], {name: card[name] for name in card if name not in ("channel", "ephemeral")}
        )
        return who.player._interactions.click_message(who.player.person, seen, {"action_id": action_id})

    @staticmethod
    def _changed(post: Post) -> Callable[[], bool]:
        before = post.message
        return lambda: post.message is not before

    def _form_or_change(self, who: Visitor, post: Post) -> Callable[[], object]:
        changed, form = self._changed(post), self._form(who)
        return lambda: form() or changed()

    @staticmethod
    def _form(who: Visitor, *, other_than: Collection[str] = (ids.READING,)) -> Callable[[], bool]:
        """Whether there is a form before them with something to read in it."""

        def is_there() -> bool:
            shown = who.player.modal()
            return shown is not None and shown.get("callback_id") not in other_than

        return is_there

    def _customer(self, who: Visitor) -> Customer:
        return who.dice.choice(self.customers)

    async def _think(self, who: Visitor) -> None:
        await asyncio.sleep(who.dice.expovariate(1 / self.pace))

    async def _goes_on(self, who: Visitor) -> bool:
        """Think of what to do next, unless it is over before that: nobody rushes at the end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(who.dice.expovariate(1 / self.pace)):
                await self._over.wait()
        return not self._over.is_set()
