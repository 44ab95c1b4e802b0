"""`backstop demo --tour`: the story plays by itself on the page, for somebody who only watches.

Ana and Ben click on the very bot of production, as whoever plays the demo would; a narrator tells of it in a
channel of the sandbox, with what each of them has before their eyes. Nothing is done to the watcher's page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from bot.core import Core
from bot.demo import Demo
from bot.domain.request import RequestId
from bot.sandbox.slack import Ack, Player
from bot.sandbox.slack.inputs import elements
from bot.sandbox.slack.workspace import Channel, Person
from handlers import ids
from handlers.asking import Carried

Json = dict[str, Any]

PACE: Final = 8.0
"""Seconds for reading a step; where much is to be read, twice as long."""
MOST_QUOTED: Final = 10
MOST_OF_TICKET: Final = 4
"""The rest of its card is the draft, which was read before."""
WATCHER: Final = "guest"
"""Whose eyes the watcher gets: nothing ever opens before somebody who has no part in it."""

_TITLE: Final = "Which data stays while a subscription is suspended?"
_QUESTION: Final = (
    "The subscription was suspended today for non-payment. The customer asks what is kept, and until when."
)


class OffScript(Exception):
    """Something is not where the story has it: somebody else had a hand in it."""


class Tour:
    """Made before the demo is started, so that its channel is there when the page is opened."""

    def __init__(self, demo: Demo, *, pace: float | None = None, tell: Callable[[str], None]) -> None:
        self._demo = demo
        self._pace = PACE if pace is None else pace
        self._tell = tell
        self._step = 0
        self._narrator = Person("U0TOUR", "tour", "Tour guide", role="sandbox", is_bot=True)
        self._channel = Channel("C0TOUR", "tour", "The story plays here by itself; look around meanwhile")
        self._admit_watcher()
        workspace = demo.slack.workspace
        self._channel.members = {self._narrator.id, *(person.id for person in workspace.humans)}
        workspace.people[self._narrator.id] = self._narrator
        workspace.channels = {self._channel.id: self._channel, **workspace.channels}

    def _admit_watcher(self) -> None:
        workspace = self._demo.slack.workspace
        guest = Person("U0GUEST", WATCHER, "Guest", role="watching")
        for channel in workspace.channels.values():
            if not channel.is_dm:
                channel.members = channel.members | {guest.id}
        members = {guest.id, workspace.bot.id}
        workspace.people[guest.id] = guest
        workspace.channels["D0GUEST"] = Channel("D0GUEST", WATCHER, members=members, partner=guest.id)

    @staticmethod
    def address(page: str) -> str:
        """Where to watch it."""
        return f"{page}?as={WATCHER}#tour"

    async def play(self) -> None:
        """To its end, or until it is cancelled; a step that cannot be done ends it, and is told of."""
        try:
            await self._story()
        except (OffScript, LookupError, TimeoutError) as error:
            self._say(
                "*The tour stops here.* Something is not where the story has it: most likely somebody else clicked. "
                "Everything is still yours to play with; start `backstop demo --tour` again for the whole story."
            )
            self._tell(f"The tour stopped: {str(error) or type(error).__name__}")

    async def _story(self) -> None:
        await self._open()
        digest, row, customer_id = await self._overdue()
        await self._scene(
            f"*Who is overdue.* Every morning Backstop posts the list to {self._link('csp-overdue')}: what is owed, "
            "how old it is, and what the billing policy proposes. This customer was warned and has not paid.",
            [*digest["blocks"][:2], row],
            long=True,
        )
        card, request_id = await self._ask(digest, customer_id)
        await self._approve(card)
        await self._result(card, request_id)
        await self._ticket(customer_id)
        domain = self._domain(customer_id)
        await self._scene(
            "*That was it.* Who asked, who decided and what came of it is in the audit trail: "
            f"`/csp audit {request_id}`.\n*Now you:* choose Ana at *You are*, go to {self._link('csp-billing')} "
            f"and type `/csp-resume {domain}`. Then be Ben, and approve it in {self._link('csp-approvals')}."
        )
        self._tell(
            f"The tour is over. Now you: be Ana at “You are”, and type /csp-resume {domain} in #csp-billing"
        )

    async def _open(self) -> None:
        await self._scene(
            "*Sit back.* Northwind Cloud sells Microsoft subscriptions, and carries the loss when a customer does "
            "not pay. Ana may ask for a suspension, Ben and Mei decide on it. They are played for you, one click at "
            "a time, on the very bot that runs in production. Look into any channel meanwhile: nothing is done to "
            "your page."
        )

    async def _ask(self, digest: Json, customer_id: str) -> tuple[Json, str]:
        """From *Suspend* in the digest to the card that waits; the card, and the request's id."""
        ana = self._player("ana")
        buttons = _buttons(digest, ids.SUSPEND_CUSTOMER)
        done(await ana.click(digest, ids.SUSPEND_CUSTOMER, block_id=buttons[customer_id]["block_id"]))
        await ana.modal_appears(callback_id=ids.SUSPEND_FORM)
        await self._choose_subscription(ana)
        await self._scene(
            "*Ana presses Suspend* in that row. A form opens before her, filled in from the books. Nothing has "
            "happened yet.",
            _filled_in(ana.modal()),
        )
        done(await ana.submit())
        confirmation = await ana.modal_appears(callback_id=ids.SUSPEND_CONFIRMATION)
        await self._scene(
            "*Ana reads what would happen:* to whom, until when it can be undone, and which rule of the billing "
            "policy holds or is broken. Still nothing has happened.",
            confirmation["blocks"],
            long=True,
        )
        request_id = Carried.read(confirmation).draft_id
        done(await ana.submit())
        card = await self._demo.slack.message_appears("csp-approvals", lambda m: _is_card(m, request_id))
        await self._scene(
            f"*Ana confirms.* Now it is a request, with a card in {self._link('csp-approvals')}. She cannot approve "
            "it: nobody decides on their own request.",
            card["blocks"],
        )
        return card, request_id

    async def _choose_subscription(self, ana: Player) -> None:
        if not _is_chosen(ana.modal() or {}, ids.SUBSCRIPTION):
            offered = [o for o in await ana.suggest(ids.SUBSCRIPTION, "") if o["value"] != ids.ALL]
            if not offered:
                raise OffScript("the customer has no subscription to choose")
            await ana.choose(ids.SUBSCRIPTION, offered[0])

    async def _approve(self, card: Json) -> None:
        ben = self._player("ben")
        done(await ben.click(card, ids.APPROVE))
        card = await self._card(card, lambda m: not _buttons(m, ids.APPROVE))
        await self._scene(
            "*Ben approves.* For a few seconds more it can be cancelled. Mei could have decided as well; one of them "
            "is enough here, and your rules can ask for two.",
            card["blocks"],
        )

    async def _result(self, card: Json, request_id: str) -> None:
        ana = self._player("ana")
        told = await ana.wait_for(lambda: next((m for m in ana.dms() if request_id in m["text"]), None))
        card = await self._card(card, lambda m: not _buttons(m, ids.CANCEL))
        await self._scene(
            "*Done.* The card says how it went. Microsoft was asked to do it once, and then whether it is so.",
            card["blocks"],
        )
        request = await self._app.backstop.requests.get(RequestId(request_id))
        target = self._demo.partner_center.subscription(request.targets[0].subscription_id)
        await self._scene(
            "*Ana hears of it* in a direct message. The *Partner Center* pane has the subscription as "
            f"`{target.status}` now.",
            told.get("blocks", ()),
        )

    async def _ticket(self, customer_id: str) -> None:
        ana = self._player("ana")
        done(await ana.command(f"/csp-ticket {self._domain(customer_id)}"))
        await ana.modal_appears(callback_id=ids.TICKET_FORM)
        ana.type(ids.TICKET_TITLE, _TITLE)
        ana.type(ids.TICKET_DESCRIPTION, _QUESTION)
        await self._scene(
            "*The customer has a question for Microsoft.* Ana types `/csp-ticket` and says what it is about.",
            _filled_in(ana.modal()),
        )
        done(await ana.submit())
        shown = await ana.modal_appears(callback_id=ids.TICKET_CONFIRMATION)
        ticket_id = Carried.read(shown).draft_id
        await self._scene(
            "*Ana reads the draft* as an engineer will, with every id they would ask for.",
            shown["blocks"],
            long=True,
        )
        done(await ana.submit())
        card = await self._demo.slack.message_appears("csp-tickets", lambda m: _is_card(m, ticket_id))
        await self._scene(
            f"*The ticket is open* in {self._link('csp-tickets')}, and is followed until the customer knows: filed, "
            "answered, resolved, told.",
            card["blocks"][:MOST_OF_TICKET],
        )

    async def _overdue(self) -> tuple[Json, Json, str]:
        """The digest of this morning, the row of the worst for whom it proposes a suspension, and who that is."""
        digest = await self._demo.slack.message_appears(
            "csp-overdue", lambda m: bool(_buttons(m, ids.SUSPEND_CUSTOMER))
        )
        rows = _buttons(digest, ids.SUSPEND_CUSTOMER)
        for debtor in (await self._app.backstop.digests.overdue()).debtors:
            if debtor.customer and debtor.standing.proposes_suspension and debtor.customer.id in rows:
                buttons = digest["blocks"].index(rows[debtor.customer.id])
                return digest, digest["blocks"][buttons - 1], debtor.customer.id
        raise OffScript("nobody in the digest is to be suspended")

    async def _card(self, card: Json, fits: Callable[[Json], bool]) -> Json:
        """The same card, once it has changed so."""
        channel = self._demo.slack.workspace.channels[card["channel"]].name
        return await self._demo.slack.message_appears(channel, lambda m: m["ts"] == card["ts"] and fits(m))

    async def _scene(self, caption: str, quoted: Iterable[Json] = (), *, long: bool = False) -> None:
        """Say it, show what there is to see, and leave time to read."""
        self._step += 1
        blocks = list(_to_read(quoted))
        self._say(caption, blocks)
        self._tell(f"{self._step:>2}  {caption.removeprefix('*').partition('*')[0].rstrip('.:')}")
        await asyncio.sleep(self._pace * (2 if long else 1))

    def _say(self, caption: str, quoted: Sequence[Json] = ()) -> None:
        told: Json = {"type": "section", "text": {"type": "mrkdwn", "text": caption}}
        message = {"user": self._narrator.id, "text": caption, "blocks": [told, *quoted]}
        self._demo.slack.workspace.post(self._channel, message, at=self._demo.now())

    def _link(self, channel: str) -> str:
        found = self._demo.slack.workspace.channel(channel)
        return f"<#{found.id}>" if found else f"#{channel}"

    def _domain(self, customer_id: str) -> str:
        """The part of it that people type."""
        found = next(c for c in self._demo.partner_center.customers if c.id == customer_id)
        return found.domain.partition(".")[0]

    def _player(self, name: str) -> Player:
        return self._demo.slack.person(name)

    @property
    def _app(self) -> Core:
        if self._demo.app is None:
            raise OffScript("the demo is not running")
        return self._demo.app.core


def done(ack: Ack) -> None:
    """Raise OffScript unless the bot took it."""
    wrong = (ack.body or {}).get("errors")
    if not ack.ok or wrong:
        raise OffScript(f"{ack.error or wrong}")


def _buttons(message: Json, action_id: str) -> dict[str, Json]:
    """The blocks with a button of that kind, by its value."""
    found = elements(message.get("blocks", []))
    return {str(e.get("value")): block for block, e in found if e["action_id"] == action_id}


def _is_card(message: Json, id: str) -> bool:
    """Whether it is the first message about a request or ticket, not what hangs in its thread."""
    return id in message["text"] and bool(message.get("blocks")) and not _is_reply(message)


def _is_reply(message: Json) -> bool:
    return bool(message["ephemeral"]) or message.get("thread_ts") not in (None, message["ts"])


def _to_read(blocks: Iterable[Json]) -> Iterator[Json]:
    """What is there to be read, without anything to click: the narrator's copy would answer nobody."""
    readable = [block for block in blocks if block["type"] in ("header", "section", "context", "divider")]
    if readable:
        yield {"type": "divider"}
    for block in readable[:MOST_QUOTED]:
        yield {key: value for key, value in block.items() if key not in ("accessory", "block_id")}


def _filled_in(form: Json | None) -> list[Json]:
    """The inputs of a form and what stands in them, as lines."""
    view = form or {}
    lines = []
    for block in view.get("blocks", ()):
        entered = _entered(view, block) if block["type"] == "input" else ""
        if entered:
            lines.append(f"*{_escaped(block['label']['text'])}*  {_escaped(entered)}")
    return [{"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(lines)[:3000]}}] if lines else []


def _entered(view: Json, block: Json) -> str:
    """In words; empty where nothing is."""
    states = view.get("state", {}).get("values", {}).get(block["block_id"], {}).values()
    for state in states:
        chosen = state.get("selected_options") or [state.get("selected_option")]
        named = [option["text"]["text"] for option in chosen if option]
        return str(state.get("value") or ", ".join(named))
    return ""


def _is_chosen(view: Json, action_id: str) -> bool:
    states = view.get("state", {}).get("values", {}).values()
    return any(state[action_id].get("selected_option") for state in states if action_id in state)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
