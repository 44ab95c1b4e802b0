"""Makes the accounting systems that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import SecretStr

from bot.domain.errors import Invalid
from bot.receivables.business_central import AUTHORITY, BusinessCentral
from bot.receivables.business_central import BASE_URL as BUSINESS_CENTRAL_URL
from bot.receivables.json_reads import Pace
from bot.receivables.json_reads import http_client as receivables_client
from bot.receivables.live import LiveSource
from bot.receivables.sql import SqlQuery
from bot.receivables.sql_query import QueryRefused
from bot.receivables.stripe import BASE_URL as STRIPE_URL
from bot.receivables.stripe import Stripe
from bot.receivables.tryton import Tryton
from bot.receivables.xero import BASE_URL as XERO_URL
from bot.receivables.xero import IDENTITY_URL, Xero
from bot.services.vault import Vault
from bot.settings import BadSettings, Settings
from bot.store import Store


def source_of(name: str, settings: Settings, store: Store, pace: Pace) -> LiveSource:
    """One accounting system, read as the settings say. Raises BadSettings."""
    settings.need_source(name)
    try:
        return _SOURCES[name](settings, store, pace)
    except QueryRefused as error:
        raise BadSettings(f"RECEIVABLES_SQL_QUERY_FILE: one SELECT is needed ({error})") from None
    except Invalid as error:
        if error.reason != "extra-not-installed":
            raise
        raise BadSettings(
            f"RECEIVABLES_SOURCES: {name} needs a package that is not installed: "
            f'pip install "backstop[{name}]"'
        ) from None


def _tryton(settings: Settings, _: Store, pace: Pace) -> LiveSource:
    try:
        return Tryton(
            url=settings.receivables_tryton_url or "",
            database=settings.receivables_tryton_database or "",
            key=_secret(settings.receivables_tryton_key),
            identifier_type=settings.receivables_tryton_identifier_type,
            company=settings.receivables_tryton_company,
            http=receivables_client(),
            pace=pace,
        )
    except ValueError as error:
        raise BadSettings(f"RECEIVABLES_TRYTON_URL: {error}") from None


def _sql(settings: Settings, _: Store, pace: Pace) -> LiveSource:
    file = settings.receivables_sql_query_file
    try:
        query = file.read_text("utf-8") if file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"RECEIVABLES_SQL_QUERY_FILE: cannot be read ({type(error).__name__})") from None
    try:
        return SqlQuery(
            url=_secret(settings.receivables_sql_url),
            query=query,
            amount_scale=settings.receivables_sql_amount_scale,
            now=pace.now,
        )
    except QueryRefused:
        raise
    except ValueError as error:
        raise BadSettings(f"RECEIVABLES_SQL_URL: {error}") from None


def _business_central(settings: Settings, _: Store, pace: Pace) -> LiveSource:
    return BusinessCentral(
        tenant_id=settings.receivables_business_central_tenant_id or "",
        environment=settings.receivables_business_central_environment,
        company_id=settings.receivables_business_central_company_id or "",
        client_id=settings.receivables_business_central_client_id or "",
        client_secret=_secret(settings.receivables_business_central_client_secret),
        client_state=_secret(settings.receivables_business_central_client_state),
        base_url=settings.receivables_business_central_base_url or BUSINESS_CENTRAL_URL,
        authority=settings.receivables_business_central_authority_url or AUTHORITY,
        pace=pace,
    )


def _stripe(settings: Settings, _: Store, pace: Pace) -> LiveSource:
    return Stripe(
        api_key=_secret(settings.receivables_stripe_api_key),
        zone=settings.zone,
        grace_days=settings.receivables_stripe_grace_days,
        webhook_secret=_secret(settings.receivables_stripe_webhook_secret),
        base_url=settings.receivables_stripe_base_url or STRIPE_URL,
        pace=pace,
    )


def _xero(settings: Settings, store: Store, pace: Pace) -> LiveSource:
    return Xero(
        client_id=settings.receivables_xero_client_id or "",
        client_secret=_secret(settings.receivables_xero_client_secret),
        refresh_tokens=Vault(
            store,
            name="xero",
            first=_secret(settings.receivables_xero_refresh_token),
            key=_secret(settings.backstop_secret_key),
            now=pace.now,
        ),
        organisation_id=settings.receivables_xero_organisation_id or "",
        webhook_key=_secret(settings.receivables_xero_webhook_key),
        base_url=settings.receivables_xero_base_url or XERO_URL,
        identity_url=settings.receivables_xero_identity_url or IDENTITY_URL,
        pace=pace,
    )


_SOURCES: Mapping[str, Callable[[Settings, Store, Pace], LiveSource]] = {
    "tryton": _tryton,
    "sql": _sql,
    "business-central": _business_central,
    "stripe": _stripe,
    "xero": _xero,
}


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""
