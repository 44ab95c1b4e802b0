"""Settings: what an operator writes is understood, and what cannot be used is refused in one line."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.core import mail_of, utc_now
from bot.domain.customer import Cloud
from bot.domain.matter import About, TicketKind
from bot.domain.ticket import Way, way_for
from bot.settings import BadSettings, Mode, Settings, load
from bot.start_up import check_ready_to_run


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)


def test_without_any_setting_the_defaults_hold():
    settings = load()
    assert settings.database_url == "sqlite:///backstop.db"
    assert settings.partner_center_cloud is Cloud.GLOBAL
    assert (settings.backstop_approvals_suspend, settings.backstop_max_suspensions_per_day) == (1, 25)
    assert (settings.backstop_approval_ttl, settings.backstop_undo_window) == (
        timedelta(hours=24),
        timedelta(minutes=2),
    )
    assert settings.backstop_operators == settings.backstop_approvers == ()
    assert settings.backstop_dry_run is False
    assert settings.backstop_audit_retention >= timedelta(days=7 * 365 + 2), (
        "seven years, leap days among them"
    )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        pytest.param("PARTNER_CENTER_CLOUD", "china", Cloud.CHINA, id="21Vianet"),
        pytest.param("PARTNER_CENTER_CLOUD", "usgov", Cloud.US_GOVERNMENT, id="US Government"),
        pytest.param(
            "BACKSTOP_OPERATORS", "U0ANA, S0BILLING ,", ("U0ANA", "S0BILLING"), id="people and groups"
        ),
        pytest.param("BACKSTOP_OPERATORS", "", (), id="nobody"),
        pytest.param("BACKSTOP_APPROVERS", "W0GRID", ("W0GRID",), id="a grid user"),
        pytest.param("BACKSTOP_APPROVAL_TTL", "PT36H", timedelta(hours=36), id="ISO 8601"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "P7Y", timedelta(days=7 * 366), id="never a day too short"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "P1Y6M2D", timedelta(days=366 + 186 + 2), id="of all parts"),
        pytest.param(
            "BACKSTOP_AUDIT_RETENTION", "P60DT90S", timedelta(days=60, seconds=90), id="of no whole day"
        ),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "P30D", timedelta(days=30), id="the shortest retention"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "PT720H", timedelta(days=30), id="the shortest in hours"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "P1M", timedelta(days=31), id="a month"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "P52W", timedelta(weeks=52), id="weeks"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "365 days", timedelta(days=365), id="days in words"),
        pytest.param("BACKSTOP_APPROVAL_TTL", "3600", timedelta(hours=1), id="seconds"),
        pytest.param("BACKSTOP_UNDO_WINDOW", "PT0S", timedelta(0), id="no undo window"),
        pytest.param("BACKSTOP_UNDO_WINDOW", "0", timedelta(0), id="no undo window in seconds"),
        pytest.param("BACKSTOP_UNDO_WINDOW", "  ", timedelta(minutes=2), id="blank means the default"),
        pytest.param("BACKSTOP_DRY_RUN", "true", True, id="dry run"),
        pytest.param("BACKSTOP_MAX_SUSPENSIONS_PER_DAY", "0", 0, id="none a day"),
        pytest.param(
            "SLACK_API_URL", "http://127.0.0.1:1/api", "http://127.0.0.1:1/api/", id="a missing slash"
        ),
        pytest.param("BACKSTOP_LOCALE", "zh-CN", "zh-CN", id="Chinese"),
        pytest.param("BACKSTOP_OVERDUE_CRON", "30 7 * * 1-5", "30 7 * * 1-5", id="five fields"),
        pytest.param("BACKSTOP_AUDIT_CRON", "0 6 * * 7", "0 6 * * 7", id="Sunday as the seventh day"),
        pytest.param("BACKSTOP_SUSPICIOUS_CRON", "0 8 * * Sun-Thu", "0 8 * * Sun-Thu", id="another week"),
        pytest.param(
            "BACKSTOP_OVERDUE_CRON", "0 9  *\t* mon-fri", "0 9  *\t* mon-fri", id="fields in columns"
        ),
        pytest.param("BACKSTOP_POLICY_FILE", "policy.toml", Path("policy.toml"), id="a path"),
        pytest.param("BACKSTOP_TICKET_HANDOVER", "email", (("*", Way.EMAIL),), id="one way for every ticket"),
        pytest.param(
            "BACKSTOP_TICKET_HANDOVER",
            "fraud=email, service = azure ,portal,",
            (("*", Way.PORTAL), ("fraud", Way.EMAIL), ("service", Way.AZURE)),
            id="some kinds go another way, wherever the usual one stands",
        ),
        pytest.param("BACKSTOP_TICKET_HANDOVER", " ", (("*", Way.PORTAL),), id="blank is by hand"),
        pytest.param("BACKSTOP_TICKET_HANDOVER", "fraud=email", (("fraud", Way.EMAIL),), id="one kind alone"),
        pytest.param("BACKSTOP_TICKET_COUNTRY", "deu", "DEU", id="a country"),
        pytest.param("BACKSTOP_TICKETS_CHANNEL", "C0TICKETS", "C0TICKETS", id="a channel of its own"),
        pytest.param("BACKSTOP_APPROVALS_TICKET", "1", 1, id="tickets with approval"),
        pytest.param("RECEIVABLES_SOURCES", "tryton, xero", ("tryton", "xero"), id="two sources"),
        pytest.param(
            "PARTNER_CENTER_WEBHOOK_CERTIFICATE_HOSTS",
            "gate.example, 127.0.0.1:99",
            ("gate.example", "127.0.0.1:99"),
            id="two hosts",
        ),
        pytest.param("RECEIVABLES_INTERVAL", "900", timedelta(minutes=15), id="an interval in seconds"),
        pytest.param("RECEIVABLES_TRYTON_COMPANY", "2", 2, id="a company"),
    ],
)
def test_understood(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object):
    monkeypatch.setenv(name, text)
    assert getattr(load(), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("PARTNER_CENTER_CLOUD", "germany", id="a cloud that is no more"),
        pytest.param("PARTNER_CENTER_WEBHOOK_CERTIFICATE_HOSTS", "https://gate.example/", id="an address"),
        pytest.param("PARTNER_CENTER_WEBHOOK_CERTIFICATE_HOSTS", "*.example.com", id="any host"),
        pytest.param("PARTNER_CENTER_WEBHOOK_CA_FILE", "roots.pem", id="no authorities there"),
        pytest.param("PARTNER_CENTER_WEBHOOK_CA_FILE", __file__, id="no authorities in it"),
        pytest.param("BACKSTOP_OPERATORS", "@ana", id="a name instead of an id"),
        pytest.param("RECEIVABLES_SOURCES", "tryton,sage", id="a source nobody has written"),
        pytest.param("RECEIVABLES_SOURCES", "xero,xero", id="a source twice"),
        pytest.param("RECEIVABLES_INTERVAL", "PT1M", id="too often"),
        pytest.param("RECEIVABLES_INTERVAL", "P2D", id="too seldom"),
        pytest.param("RECEIVABLES_TRYTON_URL", "tryton.example", id="an address without a scheme"),
        pytest.param("RECEIVABLES_SQL_QUERY_FILE", "open.sql", id="a file that is not there"),
        pytest.param("RECEIVABLES_SQL_AMOUNT_SCALE", "-2", id="fewer than no decimals"),
        pytest.param("BACKSTOP_SECRET_KEY", "too-short-to-be-a-key", id="a short key"),
        pytest.param("BACKSTOP_APPROVERS", "U0ANA;U0BEN", id="semicolons"),
        pytest.param("BACKSTOP_APPROVALS_CHANNEL", "#csp-approvals", id="a channel's name"),
        pytest.param("BACKSTOP_APPROVAL_TTL", "a day", id="a duration in words"),
        pytest.param("BACKSTOP_APPROVAL_TTL", "0", id="expired at once"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "PT0S", id="nothing is kept"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "365", id="a retention without a unit"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "220752000", id="seven years in seconds"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "P29DT23H", id="a retention an hour too short"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "P", id="a duration of nothing"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "P101Y", id="longer than anybody keeps it"),
        pytest.param("BACKSTOP_AUDIT_RETENTION", "seven years", id="a retention in words"),
        pytest.param("BACKSTOP_UNDO_WINDOW", "-PT1M", id="a negative window"),
        pytest.param("BACKSTOP_TIMEZONE", "Berlin", id="a city"),
        pytest.param("BACKSTOP_TIMEZONE", "../../etc/passwd", id="a path"),
        pytest.param("BACKSTOP_OVERDUE_CRON", "0 9 * *", id="four fields"),
        pytest.param("BACKSTOP_OVERDUE_CRON", "61 9 * * *", id="a minute that never comes"),
        pytest.param("BACKSTOP_OVERDUE_CRON", "0 9 * * * 2026", id="six fields"),
        pytest.param("BACKSTOP_OVERDUE_CRON", "0 9 * * 8", id="an eighth day of the week"),
        pytest.param("BACKSTOP_OVERDUE_CRON", "0 9 * * monday", id="a weekday in full"),
        pytest.param("BACKSTOP_OVERDUE_CRON", "0 9 * * mon-", id="a range without an end"),
        pytest.param("BACKSTOP_OVERDUE_CRON", "0 9 * * mon,,fri", id="a list with a hole"),
        pytest.param("BACKSTOP_OVERDUE_CRON", "0 9 * * */0", id="a step that leads nowhere"),
        pytest.param("BACKSTOP_OVERDUE_CRON", "0 9 * * 1/2", id="a step that crons do not agree on"),
        pytest.param("BACKSTOP_OVERDUE_CRON", "0 9 * * ?", id="another program's cron"),
        pytest.param("BACKSTOP_APPROVALS_SUSPEND", "-1", id="fewer than no approvals"),
        pytest.param("BACKSTOP_APPROVALS_SUSPEND", "two", id="a number in words"),
        pytest.param("BACKSTOP_LOCALE", "fr", id="a language we do not speak"),
        pytest.param("SLACK_API_URL", "slack.com/api/", id="an address without https"),
        pytest.param("PARTNER_CENTER_BASE_URL", "ftp://example.com", id="another protocol"),
        pytest.param("BACKSTOP_TICKET_HANDOVER", "fax", id="a way there is not"),
        pytest.param("BACKSTOP_TICKET_HANDOVER", "spam=email", id="a kind of ticket there is not"),
        pytest.param("BACKSTOP_TICKET_HANDOVER", "fraud=", id="a kind without a way"),
        pytest.param("BACKSTOP_TICKET_EMAIL", "Desk <desk@example.com>", id="more than an address"),
        pytest.param("BACKSTOP_TICKET_COUNTRY", "DE", id="two letters"),
        pytest.param("BACKSTOP_TICKET_CONTACT", "x" * 301, id="a long contact"),
        pytest.param("BACKSTOP_TICKETS_CHANNEL", "#csp-tickets", id="the name of the tickets' channel"),
        pytest.param("AZURE_BASE_URL", "management.azure.com", id="Azure without https"),
        pytest.param("PORT", "70000", id="a port there is not"),
        pytest.param("PARTNER_CENTER_MAX_CONCURRENCY", "0", id="nothing at a time"),
    ],
)
def test_refused_in_one_line_that_names_the_setting(monkeypatch: pytest.MonkeyPatch, name: str, text: str):
    monkeypatch.setenv(name, text)
    with pytest.raises(BadSettings) as refusal:
        load()
    assert str(refusal.value).startswith(f"{name}: ")
    assert "\n" not in str(refusal.value)


def test_a_retention_without_a_unit_is_told_what_to_write(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BACKSTOP_AUDIT_RETENTION", "365")
    with pytest.raises(BadSettings, match="write P365D for days, or for example P7Y for years"):
        load()
    with pytest.raises(BadSettings):
        load(backstop_audit_retention=365)


def test_tickets_are_shown_with_the_approvals_unless_they_have_a_channel():
    assert Settings(backstop_approvals_channel="C0APPROVALS").tickets_channel == "C0APPROVALS"
    both = Settings(backstop_approvals_channel="C0APPROVALS", backstop_tickets_channel="C0TICKETS")
    assert both.tickets_channel == "C0TICKETS"


def test_a_kind_goes_its_own_way_and_all_others_the_usual_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BACKSTOP_TICKET_HANDOVER", "fraud=portal, email")
    settings = load()
    ways = {
        kind: way_for(kind, About(), settings.backstop_ticket_handover, Cloud.GLOBAL) for kind in TicketKind
    }
    assert {kind for kind, way in ways.items() if way is Way.PORTAL} == {TicketKind.FRAUD}
    assert settings.ticket_ways == {Way.EMAIL, Way.PORTAL}


@pytest.mark.parametrize("missing", ["smtp_url", "backstop_ticket_email"])
def test_tickets_by_email_need_a_server_and_an_address(missing):
    given: dict[str, Any] = {
        "slack_bot_token": "xoxb-1",
        "slack_app_token": "xapp-1",
        "partner_center_tenant_id": "t",
        "partner_center_client_id": "c",
        "partner_center_client_secret": "s",
        "backstop_approvals_channel": "C0APPROVALS",
        "backstop_ticket_handover": "fraud=email",
        "smtp_url": "smtp://127.0.0.1:25",
        "backstop_ticket_email": "desk@partner.example",
    }
    check_ready_to_run(Settings(**given), listens=True)
    with pytest.raises(BadSettings, match=f"^{missing.upper()} is not set: "):
        check_ready_to_run(Settings(**(given | {missing: None})), listens=True)


def test_the_environment_comes_before_the_file(monkeypatch: pytest.MonkeyPatch):
    Path(".env").write_text("BACKSTOP_TIMEZONE=Asia/Shanghai\nBACKSTOP_LOCALE=de\n", "utf-8")
    monkeypatch.setenv("BACKSTOP_LOCALE", "en")
    settings = load()
    assert (settings.zone.key, settings.backstop_locale) == ("Asia/Shanghai", "en")


def test_a_file_in_another_encoding_is_named():
    Path(".env").write_bytes(b"BACKSTOP_LOCALE=de # \xfc\n")
    with pytest.raises(BadSettings, match="UTF-8"):
        load()


def test_what_others_put_in_the_file_does_not_disturb():
    Path(".env").write_text("POSTGRES_PASSWORD=x\n", "utf-8")
    load()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch):
    for name in ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "PARTNER_CENTER_CLIENT_SECRET"):
        monkeypatch.setenv(name, "hush-hush")
    assert "hush-hush" not in repr(load())
    assert "hush-hush" not in str(load())


def test_a_refusal_does_not_repeat_a_secret(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PORT", "xoxb-hush")
    with pytest.raises(BadSettings) as refusal:
        load()
    assert "xoxb" not in str(refusal.value)


@pytest.mark.parametrize(
    ("environment", "mode", "port"),
    [
        pytest.param({"SLACK_APP_TOKEN": "xapp-1"}, Mode.SOCKET, None, id="Socket Mode"),
        pytest.param(
            {"SLACK_APP_TOKEN": "xapp-1", "PORT": "8080"}, Mode.SOCKET, 8080, id="with a port besides"
        ),
        pytest.param({}, Mode.HTTP, 3000, id="HTTP"),
        pytest.param({"PORT": "8080"}, Mode.HTTP, 8080, id="HTTP elsewhere"),
        pytest.param({"SLACK_APP_TOKEN": ""}, Mode.HTTP, 3000, id="an empty token is none"),
    ],
)
def test_how_slack_reaches_us(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], mode: Mode, port: int | None
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert (settings.mode, settings.http_port) == (mode, port)


def test_all_that_is_needed_and_missing_is_named_at_once():
    with pytest.raises(BadSettings, match=r"^SLACK_BOT_TOKEN is not set: add it to"):
        load(slack_signing_secret="s").need("slack_bot_token", "slack_signing_secret")
    with pytest.raises(
        BadSettings, match=r"^SLACK_BOT_TOKEN, SLACK_APP_TOKEN and SLACK_SIGNING_SECRET are not"
    ):
        load().need("slack_bot_token", "slack_app_token", "slack_signing_secret")


def test_these_tests_read_nothing_from_outside():
    assert not {name.upper() for name in Settings.model_fields} & os.environ.keys()


def test_the_signature_of_letters_has_lines():
    assert load(backstop_mail_signature=r"Partner GmbH\n+49 30 1234567").backstop_mail_signature == (
        "Partner GmbH\n+49 30 1234567"
    )


@pytest.mark.parametrize(
    ("given", "named"),
    [
        pytest.param({"smtp_url": "http://mail.example"}, "SMTP_URL", id="another protocol"),
        pytest.param(
            {"backstop_mail_signature": "x" * 401}, "BACKSTOP_MAIL_SIGNATURE", id="a long signature"
        ),
    ],
)
def test_mail_that_cannot_be_sent_is_refused_in_one_line(given, named):
    with pytest.raises(BadSettings, match=f"^{named}: "):
        load(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"backstop_mail_from": "billing"}, "BACKSTOP_MAIL_FROM: ", id="no address"),
        pytest.param(
            {"smtp_url": "smtp://u:s3cret@mail.example:port", "backstop_mail_from": "a@b.example"},
            "SMTP_URL: ",
            id="no port",
        ),
    ],
)
def test_what_leads_to_no_mail_server_is_refused(given, said):
    settings = load(**({"smtp_url": "smtp://mail.example:587"} | given))
    with pytest.raises(BadSettings) as refused:
        mail_of(settings, now=utc_now)
    assert str(refused.value).startswith(said)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "sender"),
    [
        pytest.param({"backstop_mail_from": "a@b.example"}, None, id="no server"),
        pytest.param({"smtp_url": "smtp://mail.example"}, None, id="nobody it is from"),
        pytest.param({"smtp_url": "smtp://ana:x@mail.example"}, None, id="a user that is no address"),
        pytest.param(
            {"smtp_url": "smtp://ana%40b.example:x@mail.example"}, "ana@b.example", id="one that is"
        ),
        pytest.param(
            {"smtp_url": "smtp://ana%40b.example:x@mail.example", "backstop_mail_from": "Ana <c@d.example>"},
            "Ana <c@d.example>",
            id="both",
        ),
    ],
)
def test_mail_is_from_whoever_is_named_else_from_the_user_of_the_server(given, sender):
    mail = mail_of(load(**given), now=utc_now)
    assert (str(mail.sender) if mail else None) == sender
