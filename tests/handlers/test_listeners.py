"""Whatever Slack sends reaches the one who listens to it, through Bolt; what nobody listens to is answered too."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest

from handlers.desk import Acks
from handlers.listeners import Kind, Listeners

SAID: dict[Kind, dict[str, Any]] = {
    Kind.COMMAND: {"command": "/csp"},
    Kind.ACTION: {"type": "block_actions", "actions": [{"action_id": "press", "block_id": "b"}]},
    Kind.OPTIONS: {"type": "block_suggestion", "action_id": "customer", "block_id": "b", "value": ""},
    Kind.VIEW: {"type": "view_submission", "view": {"type": "modal", "callback_id": "form"}},
    Kind.SHORTCUT: {"type": "shortcut", "callback_id": "open"},
    Kind.MESSAGE_SHORTCUT: {"type": "message_action", "callback_id": "open"},
    Kind.EVENT: {"type": "event_callback", "event": {"type": "app_home_opened"}},
}
HEARD = list(SAID)
"""All but a form that is closed: nobody asks for that."""
NAMES = {
    Kind.COMMAND: "/csp",
    Kind.ACTION: "press",
    Kind.OPTIONS: "customer",
    Kind.VIEW: "form",
    Kind.SHORTCUT: "open",
    Kind.MESSAGE_SHORTCUT: "open",
    Kind.EVENT: "app_home_opened",
}


def an_app() -> AsyncApp:
    async def authorize(**_context: object) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None, team_id="T", bot_token="xoxb-0", bot_user_id="UBOT", bot_id="B"
        )

    return AsyncApp(
        authorize=authorize,
        signing_secret="0",
        request_verification_enabled=False,
        process_before_response=True,
    )


def listening(heard: list[Any], *kinds: Kind) -> AsyncApp:
    app, listeners = an_app(), Listeners()

    def by(kind: Kind) -> Any:
        async def listener(ack: Any, body: dict[str, Any]) -> None:
            await ack()
            heard.append(kind)

        return listener

    for kind in kinds:
        listen = getattr(listeners, kind.name.lower())
        listen(NAMES[kind])(by(kind))

    async def unheard(ack: Any) -> None:
        await ack()
        heard.append("unheard")

    listeners.hear(app, unheard=unheard)
    return app


async def say(app: AsyncApp, kind: Kind) -> int:
    body = {"team": {"id": "T"}, "user": {"id": "U"}, **SAID[kind]}
    status = (await app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))).status
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})  # an event is acknowledged first
    return status


@pytest.mark.parametrize("kind", HEARD)
async def test_each_kind_reaches_its_own_listener(kind: Kind):
    heard: list[Any] = []
    assert await say(listening(heard, *HEARD), kind) == 200
    assert heard == [kind]


@pytest.mark.parametrize("kind", [kind for kind in HEARD if kind is not Kind.COMMAND])
async def test_what_nobody_listens_to_is_answered_all_the_same(kind: Kind):
    heard: list[Any] = []
    assert await say(listening(heard, Kind.COMMAND), kind) == 200
    assert heard == ["unheard"]


async def test_a_form_that_is_closed_is_answered():
    heard: list[Any] = []
    closed = {"type": "view_closed", "view": {"type": "modal", "callback_id": "form"}, "user": {"id": "U"}}
    request = AsyncBoltRequest(body=closed, mode="socket_mode")
    assert (await listening(heard, *HEARD).async_dispatch(request)).status == 200
    assert heard == ["unheard"]


async def test_a_command_that_is_not_ours_is_nobodys():
    heard: list[Any] = []
    app = listening(heard, Kind.COMMAND)
    request = AsyncBoltRequest(body={"command": "/csp-other", "team_id": "T"}, mode="socket_mode")
    assert (await app.async_dispatch(request)).status == 404
    assert not heard


def test_a_name_has_one_listener():
    async def listener(ack: Any) -> None: ...

    listeners = Listeners()
    listeners.action("press")(listener)
    listeners.view("press")(listener)
    with pytest.raises(ValueError, match="press"):
        listeners.action("press")(listener)


def test_nobody_listens_for_what_is_not_offered():
    async def listener(ack: Any, payload: Any) -> None: ...

    with pytest.raises(ValueError, match="payload"):
        Listeners().action("press")(listener)


@pytest.mark.parametrize("fails", [False, True], ids=["done", "failed"])
async def test_what_follows_a_click_follows_it_only_when_it_was_answered(fails: bool):
    heard: list[Any] = []
    listeners, app = Listeners(), an_app()

    async def listener(ack: Any) -> None:
        await ack()
        heard.append("click")
        if fails:
            raise LookupError

    listeners.action("press")(listener)
    listeners.action("other")(listener)
    listeners.after(Kind.ACTION, ["press"], lambda body: heard.append(body["user"]["id"]))
    listeners.hear(app, unheard=listener)
    await say(app, Kind.ACTION)
    assert heard == (["click"] if fails else ["click", "U"])


async def test_nothing_follows_what_nobody_listens_to():
    async def listener(ack: Any) -> None: ...

    listeners = Listeners()
    listeners.after(Kind.VIEW, ["form"], lambda body: None)
    with pytest.raises(ValueError, match="form"):
        listeners.hear(an_app(), unheard=listener)
    with pytest.raises(ValueError, match="form"):
        listeners.after(Kind.VIEW, ["form"], lambda body: None)


class TestAcks:
    async def test_what_follows_waits_until_none_is_owed(self):
        acks = Acks()
        with acks:
            with acks:
                following = asyncio.create_task(acks.quiet())
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not following.done()
        await following

    async def test_but_not_for_ever(self):
        acks = Acks()
        with acks:
            await acks.quiet()
