"""Every environment variable, once. README lists them; a test holds the two together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from bot.domain.customer import Cloud
from bot.domain.letter import is_address
from bot.domain.matter import MOST_CONTACT, TicketKind
from bot.domain.ticket import Way
from bot.logs import Form
from bot.scheduler import read_cron
from bot.secret_files import BadSecretFile, SecretFiles
from bot.secret_keyring import BadKeyring, SecretKeyring

_PERSON_OR_GROUP = re.compile(r"[UWS][A-Z0-9]{2,}")
_HOST = re.compile(r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-f:]+\])(?::\d{1,5})?")
_CHANNEL = re.compile(r"[CGD][A-Z0-9]{2,}")

NEEDED_BY_SOURCE: Mapping[str, tuple[str, ...]] = {
    "tryton": ("receivables_tryton_url", "receivables_tryton_database", "receivables_tryton_key"),
    "sql": ("receivables_sql_url", "receivables_sql_query_file"),
    "business-central": (
        "receivables_business_central_tenant_id",
        "receivables_business_central_company_id",
        "receivables_business_central_client_id",
        "receivables_business_central_client_secret",
    ),
    "stripe": ("receivables_stripe_api_key",),
    "xero": (
        "receivables_xero_client_id",
        "receivables_xero_client_secret",
        "receivables_xero_refresh_token",
        "receivables_xero_organisation_id",
        "backstop_secret_key",
    ),
}
"""Every source of receivables that can be read at any time, and what must be set for it."""
_SHORTEST_KEY = 32
_LONGEST_YEAR = 366
_LONGEST_MONTH = 31
_SHORTEST_RETENTION = timedelta(days=30)
"""What is purged is gone: a slip of the pen must not leave a trail of minutes."""
_LONGEST_RETENTION = timedelta(days=100 * _LONGEST_YEAR)
_CALENDAR = re.compile(r"P(?:([0-9]{1,3})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,6})D)?(T\S+)?")

Names = Annotated[tuple[str, ...], NoDecode]
Ways = Annotated[tuple[tuple[str, Way], ...], NoDecode]


class Mode(StrEnum):
    SOCKET = "socket"
    HTTP = "http"


class BadSettings(Exception):
    """Settings that cannot be used; the message is one line that says which and what to do."""


class Settings(BaseSettings):
    """Read from the environment and `.env`; durations are ISO 8601 or, but for the retention, seconds.

    Secrets come also from files or a keyring.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", hide_input_in_errors=True, frozen=True
    )

    database_url: str = "sqlite:///backstop.db"

    slack_bot_token: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api/"
    port: int | None = Field(default=None, ge=0, le=65535)

    partner_center_cloud: Cloud = Cloud.GLOBAL
    partner_center_tenant_id: str | None = None
    partner_center_client_id: str | None = None
    partner_center_client_secret: SecretStr | None = None
    partner_center_refresh_token: SecretStr | None = None
    partner_center_base_url: str | None = None
    partner_center_authority_url: str | None = None
    graph_base_url: str | None = None
    azure_base_url: str | None = None
    partner_center_portal_url: str | None = None
    partner_center_max_concurrency: int = Field(default=4, ge=1, le=64)
    partner_center_webhook_certificate_hosts: Names = ()
    partner_center_webhook_ca_file: Path | None = None

    receivables_sources: Names = ()
    receivables_interval: timedelta = timedelta(hours=1)
    receivables_tryton_url: str | None = None
    receivables_tryton_database: str | None = None
    receivables_tryton_key: SecretStr | None = None
    receivables_tryton_company: int | None = None
    receivables_tryton_identifier_type: str | None = None
    receivables_sql_url: SecretStr | None = None
    receivables_sql_query_file: Path | None = None
    receivables_sql_amount_scale: int | None = Field(default=None, ge=0, le=6)
    receivables_business_central_tenant_id: str | None = None
    receivables_business_central_environment: str = "Production"
    receivables_business_central_company_id: str | None = None
    receivables_business_central_client_id: str | None = None
    receivables_business_central_client_secret: SecretStr | None = None
    receivables_business_central_client_state: SecretStr | None = None
    receivables_business_central_base_url: str | None = None
    receivables_business_central_authority_url: str | None = None
    receivables_stripe_api_key: SecretStr | None = None
    receivables_stripe_webhook_secret: SecretStr | None = None
    receivables_stripe_grace_days: int = Field(default=7, ge=0, le=365)
    receivables_stripe_base_url: str | None = None
    receivables_xero_client_id: str | None = None
    receivables_xero_client_secret: SecretStr | None = None
    receivables_xero_refresh_token: SecretStr | None = None
    receivables_xero_organisation_id: str | None = None
    receivables_xero_webhook_key: SecretStr | None = None
    receivables_xero_base_url: str | None = None
    receivables_xero_identity_url: str | None = None
    backstop_secret_key: SecretStr | None = None
    backstop_keyring: str | None = None

    backstop_timezone: str = "UTC"
    backstop_approvals_channel: str | None = None
    backstop_overdue_channel: str | None = None
    backstop_suspicious_channel: str | None = None
    backstop_escalation_channel: str | None = None
    backstop_tickets_channel: str | None = None
    backstop_audit_channel: str | None = None
    backstop_operators: Names = ()
    backstop_approvers: Names = ()
    backstop_auditors: Names = ()
    backstop_admins: Names = ()
    backstop_approvals_suspend: int = Field(default=1, ge=0, le=10)
    backstop_approvals_resume: int = Field(default=0, ge=0, le=10)
    backstop_approvals_ticket: int = Field(default=0, ge=0, le=10)
    backstop_approval_ttl: timedelta = timedelta(hours=24)
    backstop_undo_window: timedelta = timedelta(minutes=2)
    backstop_max_suspensions_per_day: int = Field(default=25, ge=0)
    backstop_dry_run: bool = False
    backstop_azure_cancel: bool | None = None
    backstop_ticket_handover: Ways = (("*", Way.PORTAL),)
    backstop_ticket_email: str | None = None
    backstop_ticket_contact: str | None = Field(default=None, max_length=MOST_CONTACT)
    backstop_ticket_country: str | None = None
    backstop_overdue_cron: str = "0 9 * * mon-fri"
    backstop_suspicious_cron: str = "0 8 * * *"
    backstop_audit_cron: str = "0 6 * * *"
    backstop_audit_retention: timedelta = timedelta(days=7 * _LONGEST_YEAR)
    backstop_policy_file: Path | None = None
    backstop_locale: Literal["en", "de", "zh-CN"] = "en"
    backstop_native_charts: bool = False
    backstop_log: Form | None = None

    smtp_url: SecretStr | None = None
    backstop_mail_from: str | None = None
    backstop_mail_signature: str | None = Field(default=None, max_length=400)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        *_all: PydanticBaseSettingsSource,
        **named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        environment, dotenv = named["env_settings"], named["dotenv_settings"]
        files = SecretFiles(
            settings_cls, environment, dotenv, also=("database_url",)
        )  # it may hold a password
        keyring = SecretKeyring(settings_cls, files)
        return named["init_settings"], files, keyring, environment, dotenv

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any, info: Any) -> Any:
        """`NAME=` in a `.env` means the default, not an empty text."""
        if isinstance(value, str) and not value.strip():
            return cls.model_fields[info.field_name].get_default()
        return value.strip() if isinstance(value, str) else value

    @field_validator(
        *("backstop_operators", "backstop_approvers", "backstop_auditors", "backstop_admins"),
        "receivables_sources",
        "partner_center_webhook_certificate_hosts",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("backstop_ticket_handover", mode="before")
    @classmethod
    def _ways(cls, value: Any) -> Any:
        """One way for all kinds, `email`; or some of their own behind it: `portal, fraud=email, service=azure`."""
        if not isinstance(value, str) or not value.strip():
            return value
        chosen = []
        for part in (each.strip() for each in value.split(",") if each.strip()):
            kind, _, way = part.rpartition("=")
            kind, way = kind.strip() or "*", way.strip()
            if kind != "*" and kind not in {k.value for k in TicketKind}:
                raise ValueError(
                    f"{kind!r} is no kind of ticket: use {', '.join(k.value for k in TicketKind)}"
                )
            if way not in {w.value for w in Way}:
                raise ValueError(f"{way!r} is none of {', '.join(w.value for w in Way)}")
            chosen.append((kind, Way(way)))
        return tuple(sorted(chosen, key=lambda pair: pair[0] != "*"))

    @field_validator("backstop_ticket_email")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not is_address(value):
            raise ValueError(f"{value!r} is not a mail address")
        return value

    @field_validator("backstop_ticket_country")
    @classmethod
    def _is_country(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z]{3}", value):
            raise ValueError("must be the three letters of a country (ISO 3166-1), for example DEU")
        return value.upper() if value else value

    @field_validator("backstop_operators", "backstop_approvers", "backstop_auditors", "backstop_admins")
    @classmethod
    def _are_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _PERSON_OR_GROUP.fullmatch(name):
                raise ValueError(f"{name!r} is not a Slack user id (U…, W…) or user-group id (S…)")
        return value

    @field_validator("receivables_sources")
    @classmethod
    def _are_sources(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in NEEDED_BY_SOURCE:
                raise ValueError(f"{name!r} is none of {', '.join(NEEDED_BY_SOURCE)}")
        if len(set(value)) < len(value):
            raise ValueError("names a source twice")
        return value

    @field_validator("backstop_secret_key")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < _SHORTEST_KEY:
            raise ValueError(f"must have {_SHORTEST_KEY} characters or more, made at random")
        return value

    @field_validator("partner_center_webhook_certificate_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _HOST.fullmatch(name):
                raise ValueError(f"{name!r} is not a host, for example certificates.example.com")
        return value

    @field_validator("partner_center_webhook_ca_file")
    @classmethod
    def _has_certificates(cls, value: Path | None) -> Path | None:
        if value is not None and not (value.is_file() and b"-----BEGIN CERT" in value.read_bytes()):
            raise ValueError(f"{value} is not a PEM file of certificates")
        return value

    @field_validator("receivables_sql_query_file")
    @classmethod
    def _is_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"{value} is not a file")
        return value

    @field_validator(
        *("backstop_approvals_channel", "backstop_overdue_channel", "backstop_suspicious_channel"),
        *("backstop_escalation_channel", "backstop_tickets_channel", "backstop_audit_channel"),
    )
    @classmethod
    def _is_channel(cls, value: str | None) -> str | None:
        if value is not None and not _CHANNEL.fullmatch(value):
            raise ValueError(
                f"{value!r} is not a channel id (C…); copy it from the channel's details in Slack"
            )
        return value

    @field_validator("backstop_audit_retention", mode="before")
    @classmethod
    def _never_too_short(cls, value: Any) -> Any:
        """A year counts 366 days and a month 31: rather a few days too many than one too few.

        A bare number would be seconds, and whoever writes one means days.
        """
        if isinstance(value, int | float) or (isinstance(value, str) and value.isdigit()):
            raise ValueError(f"{value} has no unit: write P{value}D for days, or for example P7Y for years")
        found = _CALENDAR.fullmatch(value) if isinstance(value, str) else None
        if found is None or value == "P":
            return value
        years, months, days = (int(part or 0) for part in found.groups()[:3])
        return f"P{years * _LONGEST_YEAR + months * _LONGEST_MONTH + days}D{found[4] or ''}"

    @field_validator("backstop_approval_ttl", "backstop_undo_window", "receivables_interval", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        return int(value) if isinstance(value, str) and value.isdigit() else value

    @field_validator("backstop_audit_retention")
    @classmethod
    def _keeps(cls, value: timedelta) -> timedelta:
        if not _SHORTEST_RETENTION <= value <= _LONGEST_RETENTION:
            raise ValueError("must be from P30D to P100Y, for example P7Y")
        return value

    @field_validator("backstop_approval_ttl")
    @classmethod
    def _lasts(cls, value: timedelta) -> timedelta:
        if value <= timedelta(0):
            raise ValueError("must be longer than nothing, for example PT24H")
        return value

    @field_validator("receivables_interval")
    @classmethod
    def _is_patient(cls, value: timedelta) -> timedelta:
        if not timedelta(minutes=5) <= value <= timedelta(hours=24):
            raise ValueError("must be from PT5M to PT24H: accounting systems count the calls")
        return value

    @field_validator("backstop_undo_window")
    @classmethod
    def _not_negative(cls, value: timedelta) -> timedelta:
        if value < timedelta(0):
            raise ValueError("must not be negative; PT0S switches the window off")
        return value

    @field_validator("backstop_timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is not an IANA time zone, for example Europe/Berlin")
        return value

    @field_validator("backstop_overdue_cron", "backstop_suspicious_cron", "backstop_audit_cron")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        read_cron(value, zone=UTC)  # its times do not matter here
        return value

    @field_validator(
        *("slack_api_url", "partner_center_base_url", "partner_center_authority_url", "graph_base_url"),
        *("receivables_tryton_url", "receivables_business_central_base_url", "receivables_stripe_base_url"),
        *("receivables_business_central_authority_url", "receivables_xero_base_url"),
        *("receivables_xero_identity_url", "azure_base_url", "partner_center_portal_url"),
    )
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"https?://[^/\s]+", value):
            raise ValueError("must be a URL that begins with https:// (http:// for tests)")
        return value

    @field_validator("slack_api_url")
    @classmethod
    def _ends_in_slash(cls, value: str) -> str:
        return value if value.endswith("/") else value + "/"

    def need_source(self, source: str) -> None:
        """Raise BadSettings naming the settings that are not set for that source."""
        self.need(*NEEDED_BY_SOURCE[source])

    @field_validator("smtp_url")
    @classmethod
    def _is_smtp(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"smtps?://[^/\s]+", value.get_secret_value()):
            raise ValueError("must be smtp://[user:password@]host:port, or smtps:// for TLS from the start")
        return value

    @field_validator("backstop_mail_signature")
    @classmethod
    def _has_lines(cls, value: str | None) -> str | None:
        """A `.env` without quotes has one line; `\\n` in it begins the next."""
        return value.replace("\\n", "\n") if value else value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.backstop_timezone)

    @property
    def cancels_azure(self) -> bool:
        """Microsoft's pages disagree on whether 21Vianet has it, so there it must be asked for."""
        if self.backstop_azure_cancel is None:
            return self.partner_center_cloud is not Cloud.CHINA
        return self.backstop_azure_cancel

    @property
    def mode(self) -> Mode:
        return Mode.SOCKET if self.slack_app_token else Mode.HTTP

    @property
    def http_port(self) -> int | None:
        """Where to listen; in Socket Mode only when a port is set."""
        return self.port if self.port is not None or self.mode is Mode.SOCKET else 3000

    @property
    def tickets_channel(self) -> str | None:
        return self.backstop_tickets_channel or self.backstop_approvals_channel

    @property
    def audit_channel(self) -> str | None:
        return self.backstop_audit_channel or self.backstop_approvals_channel

    @property
    def ticket_ways(self) -> frozenset[Way]:
        """Every way that some kind of ticket is handed over."""
        return frozenset(way for _, way in self.backstop_ticket_handover)

    def need(self, *names: str) -> None:
        """Raise BadSettings naming those of these settings that are not set."""
        missing = [name.upper() for name in names if not getattr(self, name)]
        if len(missing) == 1:
            raise BadSettings(f"{missing[0]} is not set: add it to the environment or to .env")
        if missing:
            listed = f"{', '.join(missing[:-1])} and {missing[-1]}"
            raise BadSettings(f"{listed} are not set: add them to the environment or to .env")


def log_form() -> Form | None:
    """How the log is to be written, known before any other setting is looked at; what is no form is told by `load`."""

    class OfTheLog(BaseSettings):
        model_config = Settings.model_config
        backstop_log: str = ""

    try:
        return Form(OfTheLog().backstop_log.strip())
    except (ValueError, ValidationError):
        return None


def load(**given: Any) -> Settings:
    """The settings, or BadSettings with one line."""
    try:
        return Settings(**given)
    except (BadSecretFile, BadKeyring) as error:
        raise BadSettings(str(error)) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "settings"
        message = str(first["msg"]).removeprefix("Value error, ")
        raise BadSettings(f"{name}: {message}") from None
    except UnicodeDecodeError:
        raise BadSettings(".env is not valid UTF-8: save it as UTF-8") from None
