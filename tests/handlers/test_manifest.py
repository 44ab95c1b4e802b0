"""The manifest says what the code does: no more, or Slack grants too much; no less, or a command is dead."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

import bot
import handlers
from bot.domain.errors import Invalid
from bot.sandbox.slack import SlackSandbox
from handlers.listeners import Kind, Listeners
from handlers.manifest import SCOPE_OF, bot_scopes, manifest

ROOT = Path(handlers.__file__).parent.parent


@pytest.fixture
def listening() -> Listeners:
    listeners = Listeners()
    for feature in handlers.features():
        feature.register(listeners, Mock(name="desk"))
    return listeners


def test_every_command_listened_to_is_in_it_and_no_other(listening):
    commands = manifest(url=None)["features"]["slash_commands"]
    assert commands
    assert {c["command"] for c in commands} == listening.of(Kind.COMMAND)


def test_every_shortcut_listened_to_is_in_it_and_no_other(listening):
    shortcuts = manifest(url=None)["features"]["shortcuts"]
    assert {s["callback_id"] for s in shortcuts if s["type"] == "global"} == listening.of(Kind.SHORTCUT)
    assert {s["callback_id"] for s in shortcuts if s["type"] == "message"} == listening.of(
        Kind.MESSAGE_SHORTCUT
    )


def test_events_are_subscribed_to_only_if_somebody_listens(listening):
    subscribed = manifest(url=None)["settings"].get("event_subscriptions", {}).get("bot_events", ())
    assert subscribed
    assert set(subscribed) == listening.of(Kind.EVENT)


def test_every_method_called_has_its_scope_and_no_scope_is_without_a_call():
    assert set(methods_called()) == set(SCOPE_OF)


def test_the_scopes_are_those_of_the_methods_and_the_commands():
    wanted = {scope for scope in SCOPE_OF.values() if scope} | {"commands"}
    assert manifest(url=None)["oauth_config"] == {"scopes": {"bot": sorted(wanted)}}
    assert bot_scopes() == tuple(sorted(wanted))


async def test_the_scopes_suffice_for_every_call():
    """Each is called without arguments: the sandbox looks at the scope first, as Slack does."""
    slack = SlackSandbox(manifest=manifest(url=None))
    await slack.start()
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    client.proxy = None
    # One helper of the client is made of two methods; one call is for another token, one does without.
    apart = {"files_upload_v2", "apps_connections_open", "conversations_info"}
    methods = set(SCOPE_OF) - apart | {"files_getUploadURLExternal", "files_completeUploadExternal"}
    try:
        refused = {method: await refusal(client, method.replace("_", ".")) for method in methods}
    finally:
        await slack.stop()
    assert not {"missing_scope", "unknown_method"} & set(refused.values()), refused


@pytest.mark.parametrize(
    ("feature", "key", "most"),
    [
        pytest.param("slash_commands", "command", 32, id="the name of a command"),
        pytest.param("slash_commands", "description", 2000, id="the description of a command"),
        pytest.param("slash_commands", "usage_hint", 1000, id="the usage hint of a command"),
        pytest.param("shortcuts", "name", 24, id="the name of a shortcut"),
        pytest.param("shortcuts", "description", 150, id="the description of a shortcut"),
        pytest.param("shortcuts", "callback_id", 255, id="the callback id of a shortcut"),
    ],
)
def test_slack_takes_the_length_of(feature, key, most):
    for entry in manifest(url=None)["features"][feature]:
        assert 0 < len(entry[key]) <= most


def test_slack_takes_the_length_of_name_and_description():
    shown = manifest(url=None)["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140


def test_in_socket_mode_there_is_no_address_in_it():
    made = manifest(url=None)
    assert made["settings"]["socket_mode_enabled"] is True
    assert made["settings"]["interactivity"] == {"is_enabled": True}
    assert "http" not in json.dumps(made)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://bot.example.com", "https://bot.example.com/slack/events"),
        ("https://bot.example.com/", "https://bot.example.com/slack/events"),
        ("https://example.com/backstop", "https://example.com/backstop/slack/events"),
        ("https://bot.example.com/slack/events", "https://bot.example.com/slack/events"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000/slack/events"),
        ("http://[::1]:3000", "http://[::1]:3000/slack/events"),
        ("http://localhost", "http://localhost/slack/events"),
    ],
)
def test_over_http_everything_goes_to_one_address(url, address):
    made = manifest(url=url)
    assert made["settings"]["socket_mode_enabled"] is False
    assert made["settings"]["interactivity"] == {
        "is_enabled": True,
        "request_url": address,
        "message_menu_options_url": address,
    }
    assert {c["url"] for c in made["features"]["slash_commands"]} == {address}
    assert made["settings"]["event_subscriptions"]["request_url"] == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bot.example.com",
        "http://bot.example.com",
        "ftp://bot.example.com",
        "https://",
        "https://:443",
        "https://host:port",
        "https://host:99999",
        "https://host:0",
        "https://[::1",
        "https://ana:secret@bot.example.com",
        "https://bot.example.com?token=1",
        "https://bot.example.com#here",
        "https://bot.example.com /x",
        "https://bot.exam\nple.com",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
    ],
)
def test_an_address_slack_would_not_deliver_to_is_refused(url):
    with pytest.raises(Invalid) as refused:
        manifest(url=url)
    assert (refused.value.at, refused.value.reason) == ("--url", "not-an-address")


def methods_called() -> Iterator[str]:
    """The methods of Slack's client that our code uses, called or handed on to be called."""
    for package in (Path(bot.__file__).parent, Path(handlers.__file__).parent):
        for path in package.rglob("*.py"):
            if "sandbox" not in path.relative_to(ROOT).parts:
                yield from _methods_in(ast.parse(path.read_text("utf-8")))


def _methods_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_client(node.value):
            method = getattr(AsyncWebClient, node.attr, None)
            if inspect.iscoroutinefunction(method):
                yield node.attr


def _is_client(node: ast.expr) -> bool:
    """Whether an expression goes by the name of a client: `client`, `self._client`, `desk.client`, `slack`."""
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name.lstrip("_") in ("client", "slack", "web_client")


async def refusal(client: AsyncWebClient, method: str) -> str:
    """Slack's word for why not; empty when it did as asked."""
    try:
        await client.api_call(method)
    except SlackApiError as error:
        return str(error.response["error"])
    return ""
