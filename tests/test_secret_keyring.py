"""Secrets from a keyring: only where one is named, only what is set nowhere else, and no trouble repeats a secret."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.settings import BadSettings, Settings, load

keyring = pytest.importorskip("keyring")
from keyring.backend import KeyringBackend  # noqa: E402  only where it is installed
from keyring.backends.fail import Keyring as NoKeyring  # noqa: E402
from keyring.errors import KeyringLocked  # noqa: E402

SECRETS = [name for name, field in Settings.model_fields.items() if field.annotation == SecretStr | None]
KEY = "canary-word-of-more-than-thirty-two-characters"
WORKS = {
    "database_url": "postgresql://backstop:canary-word@db/backstop",
    "smtp_url": "smtp://backstop:canary-word@mail.example:587",
    "backstop_secret_key": KEY,
}


class InMemory(KeyringBackend):
    """Keeps what it is given, and what it was asked for; locked, it says so and too much."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}
        self.asked: list[tuple[str, str]] = []
        self.trouble: Exception | None = None

    def get_password(self, service: str, username: str) -> str | None:
        self.asked.append((service, username))
        if self.trouble:
            raise self.trouble
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        for each in (name, f"{name}_file"):
            monkeypatch.delenv(each, raising=False)
            monkeypatch.delenv(each.upper(), raising=False)


@pytest.fixture
def ring() -> Iterator[InMemory]:
    before, ours = keyring.get_keyring(), InMemory()
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


@pytest.fixture
def named(ring: InMemory, monkeypatch: pytest.MonkeyPatch) -> InMemory:
    monkeypatch.setenv("BACKSTOP_KEYRING", "backstop")
    return ring


def secret(settings: Settings, name: str) -> str | None:
    value = getattr(settings, name)
    return value.get_secret_value() if isinstance(value, SecretStr) else value


@pytest.mark.parametrize("name", ["database_url", *SECRETS])
def test_every_secret_may_be_in_the_keyring(named: InMemory, name: str):
    keyring.set_password("backstop", name.upper(), WORKS.get(name, "canary-word"))
    assert secret(load(), name) == WORKS.get(name, "canary-word")


def test_nothing_is_asked_of_it_unless_it_is_named(ring: InMemory):
    keyring.set_password("backstop", "SLACK_BOT_TOKEN", "canary-word")
    assert load().slack_bot_token is None
    assert not ring.asked


def test_it_may_be_named_in_the_dotenv(ring: InMemory, tmp_path: Path):
    keyring.set_password("ours", "SLACK_BOT_TOKEN", "canary-word")
    (tmp_path / ".env").write_text("BACKSTOP_KEYRING=ours\n")
    assert secret(load(), "slack_bot_token") == "canary-word"


def test_what_is_set_anywhere_else_counts_and_is_not_even_asked_for(
    named: InMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in (
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
        "SLACK_SIGNING_SECRET",
        "PARTNER_CENTER_CLIENT_SECRET",
    ):
        keyring.set_password("backstop", name, "from the keyring")
    (tmp_path / "token").write_text("from a file\n")
    (tmp_path / ".env").write_text("SLACK_SIGNING_SECRET=from .env\n")
    monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("SLACK_APP_TOKEN", "from the environment")
    given = load(partner_center_client_secret="from the program")
    assert [
        secret(given, name)
        for name in (
            "slack_bot_token",
            "slack_app_token",
            "slack_signing_secret",
            "partner_center_client_secret",
        )
    ] == ["from a file", "from the environment", "from .env", "from the program"]
    asked = {name for _, name in named.asked}
    assert "SMTP_URL" in asked
    assert not asked & {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"}
    assert "PARTNER_CENTER_CLIENT_SECRET" not in asked


def test_blank_is_set_nowhere(named: InMemory, monkeypatch: pytest.MonkeyPatch):
    keyring.set_password("backstop", "SLACK_BOT_TOKEN", "canary-word")
    monkeypatch.setenv("SLACK_BOT_TOKEN", " ")
    assert secret(load(), "slack_bot_token") == "canary-word"


def test_what_it_does_not_have_is_not_set(named: InMemory):
    assert load().slack_bot_token is None
    assert load().database_url == "sqlite:///backstop.db"


def test_only_secrets_are_asked_for(named: InMemory):
    load()
    assert {name.lower() for _, name in named.asked} == {"database_url", *SECRETS}
    assert {service for service, _ in named.asked} == {"backstop"}


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (KeyringLocked("canary-word"), "the keyring does not open (KeyringLocked): unlock it"),
        (OSError("canary-word\nand more"), "the keyring does not open (OSError): unlock it"),
    ],
    ids=["locked", "an error of its own"],
)
def test_one_that_does_not_open_is_told_in_one_line_without_its_words(
    named: InMemory, trouble: Exception, said: str
):
    named.trouble = trouble
    with pytest.raises(BadSettings) as refused:
        load()
    assert str(refused.value).startswith(f"DATABASE_URL: {said}")
    assert "canary" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_machine_without_one_is_told(named: InMemory):
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    with pytest.raises(BadSettings, match=r"^DATABASE_URL: .* this machine has no keyring"):
        load()


def test_an_empty_entry_is_refused(named: InMemory):
    keyring.set_password("backstop", "SLACK_BOT_TOKEN", " ")
    with pytest.raises(BadSettings, match=r"^SLACK_BOT_TOKEN: its entry in the keyring is empty$"):
        load()


def test_a_secret_that_will_not_do_is_refused_under_its_name(named: InMemory):
    keyring.set_password("backstop", "BACKSTOP_SECRET_KEY", "canary")
    with pytest.raises(BadSettings, match=r"^BACKSTOP_SECRET_KEY: must have 32 characters") as refused:
        load()
    assert "canary" not in str(refused.value)


def test_a_missing_library_is_told(named: InMemory, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "keyring", None)  # what an import finds where it is not installed
    with pytest.raises(BadSettings) as refused:
        load()
    assert str(refused.value) == (
        "BACKSTOP_KEYRING is set, but the library is missing: pip install 'backstop[keyring]'"
    )


def test_nobody_who_names_none_waits_for_the_library(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "keyring"]:
        monkeypatch.delitem(sys.modules, name)
    load()
    assert "keyring" not in sys.modules
