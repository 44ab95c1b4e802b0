"""Slack's CLI in this project: its hooks as processes, called as the CLI calls them.

How it does that: github.com/slackapi/slack-cli, `internal/hooks` and `internal/app/manifest.go`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.core import utc_now
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.slack import SlackSandbox
from tests.program import PATIENCE, UP, environment, settings_of
from tests.stage import slack_sandbox

ROOT = Path(__file__).parents[1]
PROJECT = json.loads((ROOT / ".slack/hooks.json").read_text("utf-8"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone in which the README's first command was carried out, and no `.env`."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "backstop").symlink_to(Path(sys.executable).with_name("backstop"))
    return tmp_path


def as_the_cli_splits(hook: str, *added: str) -> list[str]:
    return [*hook.split(), *added]


def answer(hook: str, *added: str, project: Path) -> Any:
    """What the hook says on stdout, which is JSON and nothing else."""
    ended = subprocess.run(
        as_the_cli_splits(hook, *added),
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture
def hooks(project: Path) -> dict[str, str]:
    """As the CLI knows them: what `get-hooks` answers, and over it what the project's own file says."""
    told = answer(PROJECT["hooks"]["get-hooks"], project=project)
    assert told["config"]["sdk-managed-connection-enabled"] is True, "or the CLI would listen, and not we"
    return {**told["hooks"], **PROJECT["hooks"]}


def test_the_hooks_are_those_that_slack_run_and_slack_manifest_need(hooks: dict[str, str]):
    assert hooks == {
        "get-hooks": ".venv/bin/backstop hook get-hooks",
        "get-manifest": ".venv/bin/backstop hook get-manifest",
        "start": ".venv/bin/backstop hook start",
    }


def test_the_manifest_is_the_one_that_backstop_prints(hooks: dict[str, str], project: Path):
    told = answer(hooks["get-manifest"], f"--source={project}", project=project)
    assert told == answer(".venv/bin/backstop manifest", project=project)
    assert told["settings"]["socket_mode_enabled"] is True
    assert not (ROOT / "manifest.json").exists(), "the CLI would take that file, and not ask the hook"
    assert json.loads((ROOT / ".slack/config.json").read_text("utf-8"))["manifest"]["source"] == "local"


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    sandbox = slack_sandbox()
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def partner_center() -> AsyncIterator[PartnerCenterSandbox]:
    sandbox = PartnerCenterSandbox(now=utc_now, customers=[])
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


async def test_start_runs_with_the_tokens_of_the_cli_whatever_is_set_besides(
    hooks: dict[str, str],
    project: Path,
    slack: SlackSandbox,
    partner_center: PartnerCenterSandbox,
    sqlite_url: str,
):
    settings = settings_of(slack, partner_center, database_url=sqlite_url)
    settings |= {"SLACK_BOT_TOKEN": "xoxb-of-production", "SLACK_APP_TOKEN": "xapp-of-production"}
    handed = {"SLACK_CLI_XOXB": slack.bot_token, "SLACK_CLI_XAPP": slack.app_token}
    process = await asyncio.create_subprocess_exec(
        *as_the_cli_splits(hooks["start"]),
        cwd=project,
        env=environment(**settings, **handed),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        said = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        assert UP in said.decode()
        await slack.app_connects(timeout=PATIENCE)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def test_start_without_the_cli_says_in_one_line_what_to_type(hooks: dict[str, str], project: Path):
    ended = subprocess.run(
        as_the_cli_splits(hooks["start"]),
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert "backstop run" in ended.stderr
