"""Secrets from files: for each of them, one or the other, and what cannot be read is told in one line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.secret_files import LARGEST
from bot.settings import BadSettings, Settings, load
from tests.program import carried_out

SECRETS = [name for name, field in Settings.model_fields.items() if field.annotation == SecretStr | None]
WORKS = {
    "database_url": "postgresql://backstop:canary-word@db/backstop",
    "smtp_url": "smtp://backstop:canary-word@mail.example:587",
    "backstop_secret_key": "canary-word-of-more-than-thirty-two-characters",
}


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        for each in (name, f"{name}_file"):
            monkeypatch.delenv(each, raising=False)
            monkeypatch.delenv(each.upper(), raising=False)


def read(settings: Settings, name: str) -> Any:
    value = getattr(settings, name)
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def test_there_are_secrets():
    assert {"slack_bot_token", "partner_center_client_secret", "smtp_url"} <= set(SECRETS)


@pytest.mark.parametrize("name", ["database_url", *SECRETS])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["bare", "a line", "a line of Windows"])
def test_every_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, end: str):
    secret, file = WORKS.get(name, "canary-word"), tmp_path / "secret"
    file.write_bytes(f"{secret}{end}".encode())
    monkeypatch.setenv(f"{name.upper()}_FILE", str(file))
    assert read(load(), name) == secret


def test_the_file_may_be_named_in_the_dotenv(tmp_path: Path):
    (tmp_path / "token").write_text("xoxb-1\n")
    (tmp_path / ".env").write_text(f"SLACK_BOT_TOKEN_FILE={tmp_path / 'token'}\n")
    assert read(load(), "slack_bot_token") == "xoxb-1"


@pytest.mark.parametrize("where", ["environment", ".env"])
def test_a_secret_that_is_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str):
    (tmp_path / "token").write_text("xoxb-canary")
    monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", str(tmp_path / "token"))
    if where == "environment":
        monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-canary-2")
    else:
        (tmp_path / ".env").write_text("SLACK_BOT_TOKEN=xoxb-canary-2\n")
    with pytest.raises(BadSettings) as refused:
        load()
    assert str(refused.value) == "SLACK_BOT_TOKEN and SLACK_BOT_TOKEN_FILE are both set: keep one of them"


def test_blank_is_not_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "token").write_text("xoxb-1")
    monkeypatch.setenv("SLACK_BOT_TOKEN", " ")
    monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("SLACK_APP_TOKEN_FILE", "")
    assert (read(load(), "slack_bot_token"), load().slack_app_token) == ("xoxb-1", None)


def test_what_a_program_is_handed_counts_more_than_any_file(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", "/nowhere")
    assert read(load(slack_bot_token="xoxb-1"), "slack_bot_token") == "xoxb-1"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "cannot be read (No such file or directory)", id="not there"),
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b" \n", "is empty", id="blank"),
        pytest.param(b"\xff\xfecanary", "is not text in UTF-8", id="no text"),
        pytest.param(b"canary\nand more\n", "has more than one line", id="several lines"),
        pytest.param(b"canary" * LARGEST, "has more than one line", id="far too long"),
    ],
)
def test_a_file_that_gives_no_secret_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, said: str
):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("SMTP_URL_FILE", str(file))
    with pytest.raises(BadSettings) as refused:
        load()
    assert str(refused.value).startswith(f"SMTP_URL_FILE: {file} {said}")
    assert "canary" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_is_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", str(tmp_path))
    with pytest.raises(BadSettings, match=r"^SLACK_BOT_TOKEN_FILE: .* cannot be read"):
        load()


def test_a_secret_of_a_file_that_will_not_do_is_refused_under_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "key").write_text("canary")
    monkeypatch.setenv("BACKSTOP_SECRET_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(BadSettings, match=r"^BACKSTOP_SECRET_KEY: must have 32 characters") as refused:
        load()
    assert "canary" not in str(refused.value)


def test_the_command_line_says_it_in_one_line(tmp_path: Path):
    ended = carried_out("check", cwd=tmp_path, settings={"SLACK_BOT_TOKEN_FILE": str(tmp_path / "nothing")})
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "SLACK_BOT_TOKEN_FILE" in ended.stderr


def test_these_tests_read_nothing_from_outside():
    assert not {f"{name}_file".upper() for name in SECRETS} & os.environ.keys()
