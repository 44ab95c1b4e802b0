"""Who answers what: looked up by its name, where Bolt would ask one listener after the other, for each click anew."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import Enum
from functools import partialmethod
from typing import Any, Final

from slack_bolt.async_app import AsyncApp
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot import tracing

Json = dict[str, Any]
Listener = Callable[..., Awaitable[None]]
"""Takes what it names of `ack`, `body` and `respond`."""
Name = Callable[[Json], str]
Then = Callable[[Json], None]
OFFERED: Final = frozenset({"ack", "body", "respond"})


class Kind(Enum):
    """What Slack sends. docs.slack.dev/interactivity"""

    COMMAND = "command"
    ACTION = "block action"
    OPTIONS = "block suggestion"
    VIEW = "view submission"
    CLOSED = "view closed"
    SHORTCUT = "shortcut"
    MESSAGE_SHORTCUT = "message shortcut"
    EVENT = "event"


Heard = tuple[Kind, str]
"""What was sent, and the name by which its listener is known."""
Known = tuple[Listener, frozenset[str]]
"""With what it wants of what is offered."""


class Listeners:
    """Every feature adds its own to these; then Bolt is given all of them. Raises ValueError for a name taken twice."""

    def __init__(self) -> None:
        self._all: dict[Heard, Known] = {}
        self._then: dict[Heard, Then] = {}

    def _add(self, name: str, *, kind: Kind) -> Callable[[Listener], None]:
        def add(listener: Listener) -> None:
            wanted = _wanted(listener)
            if wanted - OFFERED or (kind, name) in self._all:
                raise ValueError(f"{kind.value} {name}: {sorted(wanted)}")
            self._all[kind, name] = listener, wanted

        return add

    command = partialmethod(_add, kind=Kind.COMMAND)
    action = partialmethod(_add, kind=Kind.ACTION)
    options = partialmethod(_add, kind=Kind.OPTIONS)
    view = partialmethod(_add, kind=Kind.VIEW)
    shortcut = partialmethod(_add, kind=Kind.SHORTCUT)
    message_shortcut = partialmethod(_add, kind=Kind.MESSAGE_SHORTCUT)
    event = partialmethod(_add, kind=Kind.EVENT)

    def of(self, kind: Kind) -> set[str]:
        """The names of all of that kind."""
        return {name for of, name in self._all if of is kind}

    def after(self, kind: Kind, names: Iterable[str], then: Then) -> None:
        """Have `then` called with what was heard, once one of these listeners has answered without an error."""
        for name in names:
            if (kind, name) in self._then:
                raise ValueError(f"after {kind.value} {name}")
            self._then[kind, name] = then

    def hear(self, app: AsyncApp, *, unheard: Listener) -> None:
        """Have Bolt pass on everything; `unheard` gets what nobody listens to, but for commands.

        Raises ValueError where something is to follow a name that nobody listens to.
        """
        if nobodys := self._then.keys() - self._all.keys():
            raise ValueError(f"after {sorted(name for _, name in nobodys)}")
        app.use(_Switchboard(self._all, self._then, unheard))


class _Switchboard(AsyncMiddleware):
    """The last of Bolt's middleware, and the one that answers.

    For listeners of its own Bolt makes everything they could ask for, twice for each click: a fifth of an ack's time.
    """

    def __init__(self, known: Mapping[Heard, Known], then: Mapping[Heard, Then], unheard: Listener) -> None:
        self._known = known
        self._then = then
        self._rest: Known = unheard, _wanted(unheard)

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,
        next: Callable[[], Awaitable[BoltResponse]],
    ) -> BoltResponse | None:
        body, context = req.body, req.context
        heard = _heard(body)
        if heard is None or (heard[0] is Kind.COMMAND and heard not in self._known):
            return await next()  # nobody's; Bolt says so
        listener, wanted = self._known.get(heard, self._rest)
        given: Json = {"ack": context.ack, "body": body}
        if "respond" in wanted:
            given["respond"] = context.respond
        with tracing.click(heard[0].value, heard[1] if heard in self._known else "unheard"):
            await listener(**{argument: given[argument] for argument in wanted})
        if then := self._then.get(heard):
            then(body)
        if context.ack.response is None and heard[0] is Kind.EVENT:
            await context.ack()
        return context.ack.response


def _heard(body: Json) -> Heard | None:
    """What was sent, and the name by which its listener is known; None where it is nothing that we take."""
    if "command" in body:
        return Kind.COMMAND, body["command"]
    if (known := _TYPES.get(body.get("type"))) is None:
        return None
    kind, name = known
    return kind, name(body)


_TYPES: Final[Mapping[str | None, tuple[Kind, Name]]] = {
    "block_actions": (Kind.ACTION, lambda body: body["actions"][0].get("action_id")),
    "block_suggestion": (Kind.OPTIONS, lambda body: body["action_id"]),
    "view_submission": (Kind.VIEW, lambda body: body["view"].get("callback_id")),
    "view_closed": (Kind.CLOSED, lambda body: body["view"].get("callback_id")),
    "shortcut": (Kind.SHORTCUT, lambda body: body["callback_id"]),
    "message_action": (Kind.MESSAGE_SHORTCUT, lambda body: body["callback_id"]),
    "event_callback": (Kind.EVENT, lambda body: body["event"]["type"]),
}


def _wanted(listener: Listener) -> frozenset[str]:
    """The arguments that are not filled in yet and have no default."""
    signature = inspect.signature(listener)
    return frozenset(name for name, p in signature.parameters.items() if p.default is p.empty)
