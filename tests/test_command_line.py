"""What goes wrong at the command line: exit code 2, one line that says what to do, never a traceback."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.core import utc_now
from bot.sandbox.partner_center import PartnerCenterSandbox
from tests.program import Program, carried_out, settings_of
from tests.stage import slack_sandbox

AT_MOST = 15.0
"""Seconds a start may take that leads nowhere."""


def refused(ended: subprocess.CompletedProcess[str]) -> str:
    """Its one line, after it was seen to be one and the exit code to be 2."""
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert ended.stderr.endswith("\n")
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr


@pytest.fixture
async def settings(sqlite_url: str) -> AsyncIterator[dict[str, str]]:
    """With which the program would start."""
    slack, partner_center = slack_sandbox(), PartnerCenterSandbox(now=utc_now)
    await slack.start()
    await partner_center.start()
    yield settings_of(slack, partner_center, database_url=sqlite_url)
    await partner_center.stop()
    await slack.stop()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens, and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("", "COMMAND", id="no command"),
        pytest.param("dance", "dance", id="an unknown command"),
        pytest.param("run --fast", "--fast", id="an unknown option"),
        pytest.param("demo --port many", "'many' is not a port", id="a port that is no number"),
        pytest.param("demo --port 65536", "'65536' is not a port", id="a port that is too high"),
        pytest.param("digest overdue --date tomorrow", "'tomorrow' is not a date", id="a date that is none"),
        pytest.param("digest monthly", "monthly", id="an unknown digest"),
        pytest.param("import", "FILE", id="an import of nothing"),
        pytest.param("import missing.csv", "missing.csv", id="an import of a file that is not there"),
        pytest.param("import .", "cannot be read", id="an import of a directory"),
        pytest.param("policy check --file missing.toml", "missing.toml", id="a policy that is not there"),
        pytest.param("audit export --format xml", "xml", id="an unknown format"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(line: str, says: str, tmp_path: Path):
    assert says in refused(carried_out(*line.split(), cwd=tmp_path))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        pytest.param("DATABASE_URL", "mysql://host/name", "DATABASE_URL", id="another database"),
        pytest.param("DATABASE_URL", "nonsense", "DATABASE_URL", id="no database"),
        pytest.param("DATABASE_URL", "sqlite:///no/such/place.db", "DATABASE_URL", id="no such directory"),
        pytest.param("DATABASE_URL", "sqlite:///words.txt", "DATABASE_URL", id="a file of another kind"),
        pytest.param("DATABASE_URL", "postgresql://127.0.0.1:1/no", "DATABASE_URL", id="Postgres is down"),
        pytest.param("PORT", "http", "PORT", id="a port that is no number"),
        pytest.param("PARTNER_CENTER_CLOUD", "moon", "PARTNER_CENTER_CLOUD", id="an unknown cloud"),
        pytest.param("PARTNER_CENTER_BASE_URL", "ftp://x", "PARTNER_CENTER_BASE_URL", id="no web address"),
        pytest.param("PARTNER_CENTER_CLIENT_SECRET", "", "PARTNER_CENTER_CLIENT_SECRET", id="no secret"),
        pytest.param("SLACK_BOT_TOKEN", "", "SLACK_BOT_TOKEN is not set", id="no token"),
        pytest.param("SLACK_BOT_TOKEN", "xoxb-wrong", "SLACK_BOT_TOKEN", id="a wrong token"),
        pytest.param("SLACK_APP_TOKEN", "xapp-wrong", "SLACK_APP_TOKEN", id="a wrong app token"),
        pytest.param("SLACK_API_URL", "http://127.0.0.1:1/api/", "SLACK_API_URL", id="Slack is not there"),
        pytest.param("BACKSTOP_APPROVALS_CHANNEL", "#approvals", "BACKSTOP_APPROVALS_CHANNEL", id="a name"),
        pytest.param("BACKSTOP_OPERATORS", "ana", "BACKSTOP_OPERATORS", id="a handle"),
        pytest.param("BACKSTOP_UNDO_WINDOW", "soon", "BACKSTOP_UNDO_WINDOW", id="no duration"),
        pytest.param("BACKSTOP_TIMEZONE", "Mars/Base", "BACKSTOP_TIMEZONE", id="an unknown time zone"),
        pytest.param("BACKSTOP_OVERDUE_CRON", "daily", "BACKSTOP_OVERDUE_CRON", id="no times"),
        pytest.param("BACKSTOP_POLICY_FILE", "missing.toml", "missing.toml", id="a policy that is not there"),
        pytest.param("BACKSTOP_POLICY_FILE", "words.txt", "words.txt", id="a policy that is none"),
    ],
)
async def test_a_wrong_setting_is_refused_in_one_line(
    name: str, value: str, says: str, settings: dict[str, str], tmp_path: Path
):
    (tmp_path / "words.txt").write_text(
        "neither a database nor a policy, but long enough to be looked at\n" * 20
    )
    ended = await asyncio.to_thread(carried_out, "run", cwd=tmp_path, settings=settings | {name: value})
    assert says in refused(ended)


async def test_a_postgres_that_does_not_answer_is_given_up_in_time(
    settings: dict[str, str], taken: int, tmp_path: Path
):
    silent = {"DATABASE_URL": f"postgresql://somebody@127.0.0.1:{taken}/backstop"}
    ended = await asyncio.to_thread(
        carried_out, "run", cwd=tmp_path, settings=settings | silent, patience=AT_MOST
    )
    assert "DATABASE_URL" in refused(ended)


async def test_a_port_in_use_is_refused_in_one_line(settings: dict[str, str], taken: int, tmp_path: Path):
    ended = await asyncio.to_thread(
        carried_out, "run", cwd=tmp_path, settings=settings | {"PORT": str(taken)}
    )
    assert f"PORT: {taken} cannot be listened on" in refused(ended)


def test_a_port_in_use_is_refused_by_the_demo(taken: int, tmp_path: Path):
    line = ("demo", "--no-browser", "--port", str(taken), "--data-dir", str(tmp_path))
    assert str(taken) in refused(carried_out(*line, cwd=tmp_path))


async def test_a_second_process_on_one_sqlite_file_is_refused(settings: dict[str, str], tmp_path: Path):
    async with Program("run", settings=settings, cwd=tmp_path) as first:
        await first.start()
        await first.comes_up()
        second = await asyncio.to_thread(carried_out, "run", cwd=tmp_path, settings=settings)
        assert "another Backstop already works on" in refused(second)
        assert await first.terminate() == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_policy_that_may_not_be_read_is_refused(tmp_path: Path):
    (tmp_path / "policy.toml").touch(mode=0o000)
    line = ("policy", "check", "--file", "policy.toml")
    assert "policy.toml" in refused(carried_out(*line, cwd=tmp_path))


REFUSED = "schema = 1\nmercy = true\n"


async def test_a_refused_policy_file_keeps_the_last_good_one_in_force(
    settings: dict[str, str], tmp_path: Path
):
    """Across a restart as well; without a last good one there is no start."""
    file = tmp_path / "policy.toml"
    settings |= {"BACKSTOP_POLICY_FILE": str(file)}
    file.write_text("schema = 1\n")
    async with Program("run", settings=settings, cwd=tmp_path) as first:
        await first.start()
        await first.comes_up()
        assert await first.terminate() == 0
    file.write_text(REFUSED)
    async with Program("run", settings=settings, cwd=tmp_path, name="again") as again:
        await again.start()
        await again.comes_up()
        assert await again.terminate() == 0
    said = (tmp_path / "again.err").read_text()
    assert "mercy" in said
    assert "the last good one, stays in force" in said
    ended = await asyncio.to_thread(
        carried_out, "digest", "overdue", "--json", cwd=tmp_path, settings=settings
    )
    assert ended.returncode == 0
    assert "policy_refused" in json.loads(ended.stdout)["banner_keys"]
    settings |= {"DATABASE_URL": f"sqlite:///{tmp_path / 'new.db'}"}
    ended = await asyncio.to_thread(carried_out, "run", cwd=tmp_path, settings=settings)
    assert "mercy" in refused(ended)
