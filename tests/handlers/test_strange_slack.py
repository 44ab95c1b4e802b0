"""The story over a Slack nobody of us has written for: people are named by id, and most methods are unknown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import SecretStr

from bot.app import Application
from bot.core import utc_now
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.settings import Settings
from handlers import reading
from tests.daytime import zone_of_day
from tests.handlers.strange_slack import Json, StrangeSlack


@pytest.fixture
async def slack() -> AsyncIterator[StrangeSlack]:
    slack = StrangeSlack()
    await slack.start()
    yield slack
    await slack.stop()


@pytest.fixture
async def partner_center(slack: StrangeSlack, sqlite_url: str) -> AsyncIterator[PartnerCenterSandbox]:
    """The far side, with the application between it and this Slack."""
    async with AsyncExitStack() as ends:
        partner_center = PartnerCenterSandbox(now=utc_now)
        await partner_center.start()
        ends.push_async_callback(partner_center.stop)
        settings: dict[str, Any] = {
            "_env_file": None,
            "database_url": sqlite_url,
            "slack_bot_token": SecretStr(slack.bot_token),
            "slack_app_token": SecretStr(slack.app_token),
            "slack_api_url": slack.api_url,
            "partner_center_tenant_id": partner_center.tenant_id,
            "partner_center_client_id": partner_center.client_id,
            "partner_center_client_secret": SecretStr(partner_center.client_secret),
            "partner_center_base_url": partner_center.base_url,
            "partner_center_authority_url": partner_center.authority_url,
            "backstop_timezone": zone_of_day(),
            "backstop_approvals_channel": "C1APPROVALS",
            "backstop_audit_cron": "0 0 29 2 *",  # at no time of day a test may run at
            "backstop_operators": ("U1ANA",),
            "backstop_approvers": ("U1BEN",),
            "backstop_undo_window": "PT0S",
        }
        app = Application(Settings(**settings))
        ends.push_async_callback(app.stop)
        await app.start()
        await app.core.backstop.customers.refresh_if_old()
        yield partner_center


def by(user: str, **payload: Any) -> Json:
    about = {"user": {"id": user, "name": user}, "team": {"id": "T1", "domain": "strange"}}
    return about | {"api_app_id": "A1", "trigger_id": "1.2.x"} | payload


def chosen(value: str) -> Json:
    return {"selected_option": {"value": value, "text": {"type": "plain_text", "text": value}}}


async def test_the_story_works_there_too(
    slack: StrangeSlack, partner_center: PartnerCenterSandbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading, "PATIENCE_SECONDS", 20.0)  # this Slack waits longer than three
    contoso = partner_center.customer("Contoso")
    e3 = contoso.subscription("Microsoft 365 E3")
    command = {"command": "/csp-suspend", "text": "contoso", "user_id": "U1ANA", "team_id": "T1"}
    command |= {"channel_id": "C9", "trigger_id": "1.2.x", "api_app_id": "A1"}

    await slack.brings("slash_commands", command)
    await slack.until(lambda: slack.made("views.open"))
    form = slack.made("views.open")[0]["view"]
    assert form["callback_id"] == "suspend_form"

    state = {
        "customer": {"customer": chosen(contoso.id)},
        "subscription": {"subscription": chosen(e3.id)},
        "reason": {"reason": chosen("non_payment")},
        "note": {"note": {"type": "plain_text_input", "value": None}},
    }
    filled_in = form | {"id": "V1", "state": {"values": state}}
    answer = await slack.brings("interactive", by("U1ANA", type="view_submission", view=filled_in))
    assert answer["response_action"] == "push"
    confirmation = answer["view"] | {"id": "V2", "state": {"values": {}}}
    answer = await slack.brings("interactive", by("U1ANA", type="view_submission", view=confirmation))
    assert answer == {"response_action": "clear"}

    await slack.until(lambda: [m for m in slack.made("chat.postMessage") if m["channel"] == "C1APPROVALS"])
    card = next(m for m in slack.made("chat.postMessage") if m["channel"] == "C1APPROVALS")
    # Nobody can be told ephemerally here: they are told in a direct message.
    await slack.until(lambda: [m for m in slack.made("chat.postMessage") if m["channel"] == "U1ANA"])
    approve = next(b for b in card["blocks"] if b["type"] == "actions")["elements"][0]
    click = by(
        "U1BEN",
        type="block_actions",
        actions=[{"type": "button", "action_id": "approve", "block_id": "b", "value": approve["value"]}],
        container={"type": "message", "message_ts": "1763800000.000100", "channel_id": "C1APPROVALS"},
        channel={"id": "C1APPROVALS", "name": "approvals"},
        message={"ts": "1763800000.000100", "text": card["text"], "blocks": card["blocks"]},
    )
    await slack.brings("interactive", click)

    await slack.until(lambda: [m for m in slack.made("chat.update") if m["text"].startswith("Done")])
    await slack.until(lambda: [m for m in slack.made("chat.postMessage") if m["text"].startswith("Done")])
    assert partner_center.subscription(e3.id).status == "suspended"
    assert len(partner_center.writes) == 1


async def test_who_is_not_named_is_refused_there_too(
    slack: StrangeSlack, partner_center: PartnerCenterSandbox
):
    command = {"command": "/csp-suspend", "text": "contoso", "user_id": "U1EVE", "team_id": "T1"}
    command |= {"channel_id": "C9", "trigger_id": "1.2.x", "api_app_id": "A1"}
    answer = await slack.brings("slash_commands", command)
    assert "BACKSTOP_OPERATORS" in answer["text"]
    assert slack.made("views.open") == []
