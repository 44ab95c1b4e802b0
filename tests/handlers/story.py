"""What people do and see in Slack, in the words the tests use."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp
from sqlalchemy import Engine, event
from sqlalchemy.util import await_only

from bot.core import utc_now
from bot.domain.audit import AuditEvent
from bot.domain.customer import CustomerId
from bot.domain.letter import LetterKind
from bot.domain.request import Status
from bot.sandbox.receivables import sample_receivables
from bot.sandbox.slack import Player
from bot.services.letters import Letters, Written
from handlers import ids
from tests.builders import ana
from tests.stage import Stage

Json = dict[str, Any]

CONTOSO = "contoso"
APPROVALS = "csp-approvals"


class Clock:
    """The application's clock; it runs, and a test can put it forward."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self._ahead

    def moves(self, by: timedelta) -> None:
        self._ahead += by


# What they do


async def starts(who: Player, line: str) -> Json:
    """Type a command that opens a form, and wait for the form; what was open before goes."""
    await leaves(who)
    assert (await who.command(line)).ok
    form = "resume_form" if line.startswith("/csp-resume") else "suspend_form"
    return await who.modal_appears(callback_id=form)


async def leaves(who: Player) -> None:
    if who.modal():
        await who.close_modal(everything=True)


async def continues(who: Player, customer: str = CONTOSO, **filled_in: str) -> Json:
    """Fill the form in and press *Continue*; the confirmation, unless something else is shown."""
    await presses_continue(who, customer, **filled_in)
    return await seen(who)


async def presses_continue(
    who: Player,
    customer: str = CONTOSO,
    *,
    subscription: str = "",
    reason: str = "Non-payment",
    note: str = "",
    command: str = "/csp-suspend",
) -> Json:
    """The same; what is shown at once, be it that something is still read."""
    await starts(who, f"{command} {customer}")
    if subscription or not is_chosen(top(who), "subscription"):
        offered = await who.suggest("subscription", subscription)
        await who.choose("subscription", offered[0])
    await who.choose("reason", reason)
    if note:
        who.type("note", note)
    ack = await who.submit()
    assert ack.ok, ack
    return top(who)


async def asks(stage: Stage, who: Player | None = None, customer: str = CONTOSO, **filled_in: str) -> Asked:
    """Ask for a suspension, up to *Confirm*, and wait for the card; unless told otherwise Contoso's E3."""
    asking = who or stage.ana
    if customer == CONTOSO:
        filled_in = {"subscription": "E3"} | filled_in
    view = await continues(asking, customer, **filled_in)
    seen = len(stage.slack.messages(APPROVALS))
    assert (await asking.submit()).ok
    request_id = draft_of(view)
    card = await stage.slack.message_appears(
        APPROVALS, lambda m: request_id in m["text"] and not m["ephemeral"] and bool(m.get("blocks"))
    )
    request = await stage.app.core.backstop.requests.get(request_id)
    assert len(stage.slack.messages(APPROVALS)) > seen
    return Asked(stage, asking, card, request.id, request.targets[0].subscription_id)


@dataclass(frozen=True)
class Asked:
    """One request, and what can be seen of it."""

    stage: Stage
    by: Player
    card: Json
    id: str
    subscription_id: str

    async def shows(self, said: str) -> Json:
        """Wait until the very card says so."""
        return await self.stage.slack.message_appears(
            APPROVALS, lambda m: m["ts"] == self.card["ts"] and said in f"{m['text']}\n{words(m)}"
        )

    async def is_told(self, who: Player, said: str) -> Json:
        """Wait for what only this person sees, since the card was posted, and that says this."""
        return await is_told(who, said, since=self.card["ts"])

    async def is_messaged(self, said: str) -> Json:
        """Wait for a direct message to the requester that says this of the request."""
        return await self.by.wait_for(lambda: next((m for m in self.messages() if said in words(m)), None))

    def messages(self) -> list[Json]:
        """The direct messages to the requester about the request."""
        return [m for m in self.by.dms() if self.id in m["text"]]

    def cards(self) -> list[Json]:
        return [
            m for m in self.stage.slack.messages(APPROVALS) if self.id in m["text"] and not m["ephemeral"]
        ]

    async def status(self) -> Status:
        return (await self.stage.app.core.backstop.requests.get(self.id)).status

    @property
    def writes(self) -> int:
        """How often the subscription was changed at Partner Center."""
        return sum(w.subscription_id == self.subscription_id for w in self.stage.partner_center.writes)

    @property
    def at_microsoft(self) -> str:
        """The subscription's status at Partner Center."""
        return self.stage.partner_center.subscription(self.subscription_id).status

    async def audited(self, tag: str) -> list[AuditEvent]:
        """What the audit trail has under that tag since the request was placed."""
        async with self.stage.app.core.store.read() as tx:
            events = [event async for event in tx.audit.since()]
        placed = next(e.seq for e in events if e.subject == self.id)
        return [e for e in events if e.tag == tag and e.seq >= placed]

    async def refusals(self) -> list[tuple[str, str]]:
        """Who was told no since the request was placed, and why."""
        return [(e.by, str(e.facts["error"])) for e in await self.audited("access:refused")]


WARNED_AGO = timedelta(days=20)


async def warns_everybody(stage: Stage) -> None:
    """Record that every customer was warned some weeks ago, as an operator records what was sent by hand."""
    core = stage.app.core
    letters = Letters(
        core.store,
        core.courier,
        core.partner_center,
        mail=None,
        in_force=core.backstop.policies.in_force,
        zone=core.backstop.zone,
        now=lambda: core.backstop.now() - WARNED_AGO,
    )
    for customer in stage.partner_center.customers:
        written = Written(
            LetterKind.WARN,
            CustomerId(customer.id),
            customer.name,
            "en",
            "",
            "Overdue",
            "Please pay.",
            "warn",
        )
        await letters.copied((await letters.draft(written, by=ana)).id, by=ana)


async def imports_books(stage: Stage, on: date, *, warned: bool = True) -> None:
    """Bring the sample partner's receivables in, as exported on that day, everybody in them warned before or nobody."""
    if warned:
        await warns_everybody(stage)
    data = sample_receivables(on).encode()
    taken = await stage.app.core.backstop.receivables.take_in(data, file_name="open.csv", as_of=on)
    assert taken.applied


@asynccontextmanager
async def books_unanswered() -> AsyncIterator[None]:
    """As long as this lasts, the database gives no answer to whoever reads the books."""
    answers, asked = asyncio.Event(), list[asyncio.Event]()

    def wait(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM open_items" in statement:
            asked.append(going_on := asyncio.Event())
            try:
                await_only(answers.wait())
            finally:
                going_on.set()

    event.listen(Engine, "before_cursor_execute", wait)
    try:
        yield
    finally:
        answers.set()
        await asyncio.gather(
            *(going_on.wait() for going_on in asked)
        )  # who listens must not go while it is called
        event.remove(Engine, "before_cursor_execute", wait)


def slack_recovers(stage: Stage) -> None:
    """Take back every fault that was still in waiting."""
    stage.slack.mend()


async def sweeps_until(stage: Stage, look: Callable[[], Any]) -> None:
    """Let the sweep, which comes twice a minute, come until there is something to see."""
    for _ in range(20):
        await stage.app.core.backstop.requests.sweep()
        with suppress(TimeoutError):
            await stage.slack.workspace.news.until(look, timeout=0.5)
            return
    raise AssertionError("the sweep changed nothing")


async def forges(stage: Stage, payload: Json) -> tuple[int, str]:
    """Deliver an interaction no Slack has sent, signed as Slack signs; status and text of the answer."""
    body = urlencode({"payload": json.dumps(payload)}).encode()
    return await posts(stage, body, signed(stage.slack.signing_secret, body))


async def posts(stage: Stage, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """Post to the address Slack delivers to; status and text of the answer."""
    assert stage.slack.events_url
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(stage.slack.events_url, data=body, headers=form | headers) as answer,
    ):
        return answer.status, await answer.text()


def signed(secret: str, body: bytes, *, stamp: str | None = None) -> dict[str, str]:
    """The two headers of docs.slack.dev/authentication/verifying-requests-from-slack."""
    at = stamp or str(int(time.time()))
    digest = hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={digest}"}


def delivered(stage: Stage, kind: str) -> Json:
    """The newest payload of that kind that Slack delivered over HTTP."""
    sent = (e.request["payload"] for e in reversed(stage.slack.exchanges) if e.method == kind)
    return dict(next(sent))


# What they see


def draft_of(view: Json) -> str:
    """The id of the draft a form or a confirmation is about: what comes of it is called so, too."""
    return str(view["private_metadata"]).partition(":")[0]


def words(thing: Json) -> str:
    """Every text of a message or a view, a line each."""
    return "\n".join(_texts({k: thing.get(k) for k in ("title", "text", "blocks", "submit")}))


def lines(message: Json) -> str:
    """What is read in the blocks of a message, without the marks that keep names from being formatted."""
    return "\n".join(_texts(message.get("blocks", []))).replace("\u2060", "")


def buttons(thing: Json) -> list[str]:
    """What can be done; *In my language* does nothing, and stands on every card."""
    return [
        e["text"]["text"]
        for e in elements(thing)
        if e["type"] == "button" and e.get("action_id") != ids.IN_MY_LANGUAGE
    ]


def elements(thing: Json) -> Iterator[Json]:
    """Every interactive element of a message or a view."""
    for block in thing.get("blocks", []):
        yield from block.get("elements", []) if block["type"] == "actions" else []
        if accessory := block.get("accessory"):
            yield accessory
        if element := block.get("element"):
            yield element


def element(thing: Json, action_id: str) -> Json:
    return next(e for e in elements(thing) if e["action_id"] == action_id)


def is_chosen(view: Json, action_id: str) -> bool:
    """Whether something is chosen in that select."""
    values = view["state"]["values"].values()
    return any((inputs.get(action_id) or {}).get("selected_option") for inputs in values)


def names(options: list[Json]) -> list[str]:
    return [option["text"]["text"] for option in options]


async def seen(who: Player) -> Json:
    """The modal on top, once what it shows is read: on a slow machine the person first sees that it takes a while."""

    def look() -> Json | None:
        view = top(who)
        return None if view["callback_id"] == ids.READING else view

    return await who.wait_for(look)


def top(who: Player) -> Json:
    view = who.modal()
    assert view is not None, "no modal is open"
    return view


async def modal_says(who: Player, said: str) -> Json:
    """Wait for a modal on top that says this."""

    def look() -> Json | None:
        view = who.modal()
        return view if view and said in words(view).replace("\u2060", "") else None

    return await who.wait_for(look)


async def is_told(who: Player, said: str, *, channel: str = APPROVALS, since: str = "") -> Json:
    """Wait for what only this person sees and that says this."""

    def look() -> Json | None:
        seen = reversed(who.messages(channel))
        return next((m for m in seen if m["ephemeral"] and m["ts"] > since and said in words(m)), None)

    return await who.wait_for(look)


async def is_messaged(who: Player, said: str) -> Json:
    """Wait for a direct message that says this."""
    return await who.wait_for(lambda: next((m for m in who.dms() if said in words(m)), None))


def calls(stage: Stage, method: str) -> list[Json]:
    """What the app asked of Slack's Web API by that method."""
    return [e.request for e in stage.slack.exchanges if e.method == method and e.direction.startswith("app")]


async def requests(stage: Stage) -> dict[Status, int]:
    """How many requests wait or are under way."""
    return {s: n for s, n in (await stage.app.core.backstop.requests.counts()).items() if n}


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, dict):
        kinds = ("text", "title", "blocks", "fields", "elements", "label", "element", "hint", "submit")
        for key in kinds:
            if key in node:
                yield from _texts(node[key])
