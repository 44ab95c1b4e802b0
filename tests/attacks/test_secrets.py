"""Secrets stay where they are: in no log, no error, no database and no message."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.domain.errors import Upstream
from tests.attacks.office import at_work
from tests.conftest import SetStage
from tests.program import carried_out

MAIL = "canary-of-the-mail-server"
KEY = "canary-key-of-more-than-thirty-two-characters"


async def test_a_day_at_the_office_tells_no_secret(set_stage: SetStage, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    office = await at_work(
        set_stage,
        smtp_url=SecretStr(f"smtp://backstop:{MAIL}@127.0.0.1:9"),
        backstop_mail_from="billing@partner.example",
        backstop_secret_key=SecretStr(KEY),
    )
    stage = office.stage
    core = stage.app.core
    stage.partner_center.faults.add(status=401, times=None)
    stage.slack.fail("views.open", error="invalid_auth", times=9)
    await stage.ana.command("/csp-resume contoso")
    assert (await stage.ben.click(office.request.card, "Approve")).ok
    await office.request.shows("Failed")
    with pytest.raises(Upstream) as signed_out:
        await core.partner_center.sign_in()
    stage.partner_center.faults.clear()

    secrets = {
        "the bot's token": stage.slack.bot_token,
        "Slack's signing secret": stage.slack.signing_secret,
        "the app's secret at Microsoft": stage.partner_center.client_secret,
        "the mail server's password": MAIL,
        "our own key": KEY,
    }
    messages = [m for channel in stage.slack.workspace.channels for m in stage.slack.messages(channel)]
    said = {
        "the log": caplog.text,
        "the database": everything_in(stage.app.settings.database_url.removeprefix("sqlite:///")),
        "the messages": json.dumps(messages) + json.dumps(stage.ana.dms()),
        "the settings": f"{stage.app.settings!r} {stage.app.settings}",
        "the error": f"{signed_out.value!r} {signed_out.value}",
    }
    assert all(said.values())
    told = [(what, where) for what, secret in secrets.items() for where in said if secret in said[where]]
    assert told == []
    assert not re.search(r"Bearer (?!…)\S", said["the log"] + said["the database"])


def everything_in(file: str) -> str:
    """All tables of a SQLite file, ours and the engine's."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as reader:
        return "\n".join(reader.iterdump())


def test_a_start_that_fails_tells_none(tmp_path: Path):
    nowhere = "http://127.0.0.1:9"
    settings = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/backstop.db",
        "SLACK_BOT_TOKEN": "xoxb-canary",
        "SLACK_APP_TOKEN": "xapp-canary",
        "SLACK_SIGNING_SECRET": "canary-signing",
        "SLACK_API_URL": f"{nowhere}/api/",
        "PARTNER_CENTER_TENANT_ID": "t",
        "PARTNER_CENTER_CLIENT_ID": "c",
        "PARTNER_CENTER_CLIENT_SECRET": "canary-client",
        "PARTNER_CENTER_REFRESH_TOKEN": "canary-refresh",
        "PARTNER_CENTER_BASE_URL": nowhere,
        "PARTNER_CENTER_AUTHORITY_URL": nowhere,
        "BACKSTOP_APPROVALS_CHANNEL": "C0APPROVALS",
        "BACKSTOP_SECRET_KEY": KEY,
        "SMTP_URL": f"smtp://backstop:{MAIL}@127.0.0.1:9",
        "BACKSTOP_MAIL_FROM": "billing@partner.example",
    }
    ended = carried_out("--verbose", "run", cwd=tmp_path, settings=settings)
    assert ended.returncode == 2
    assert "SLACK_API_URL" in ended.stderr
    assert "canary" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
