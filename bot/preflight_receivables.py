"""The part of `backstop check` about accounting systems: whether each lets us in, and shows what has to be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from bot.accounting import source_of
from bot.amiss import Amiss, said
from bot.domain.errors import AccessDenied, Rejected, SignInFailed, Unavailable
from bot.preflight_database import schema_is_current
from bot.receivables.json_reads import Pace
from bot.settings import Settings
from bot.store import Store

NO_PLACE_FOR_A_TOKEN: Final = (
    "not looked at: there is no place yet to keep the token that signing in gives us",
    "Run `backstop migrate`, then check again.",
)
_RIGHTS: Final[Mapping[str, str]] = {
    "tryton": "Give the key's user read access to customer invoices, their move lines and parties, in the company that "
    "RECEIVABLES_TRYTON_COMPANY names.",
    "sql": "Grant the user of RECEIVABLES_SQL_URL the right to SELECT from what the query reads.",
    "business-central": "Add the app in Business Central under Microsoft Entra applications, with a permission set "
    "that reads sales documents, customers and company information.",
    "stripe": "Give the restricted key read access to invoices, customers, charges and disputes.",
    "xero": "Consent to the scopes accounting.transactions.read and offline_access, and check "
    "RECEIVABLES_XERO_ORGANISATION_ID.",
}
_ADDRESSES: Final[Mapping[str, str]] = {
    "tryton": "Check RECEIVABLES_TRYTON_URL and RECEIVABLES_TRYTON_DATABASE, and that Tryton is running.",
    "sql": "Check RECEIVABLES_SQL_URL, that the database is running, and the columns of RECEIVABLES_SQL_QUERY_FILE.",
    "business-central": "Check RECEIVABLES_BUSINESS_CENTRAL_ENVIRONMENT and RECEIVABLES_BUSINESS_CENTRAL_COMPANY_ID.",
    "stripe": "Try again in a minute; if it stays, look at status.stripe.com.",
    "xero": "Try again in a minute; if it stays, look at status.xero.com.",
}
_SIGN_INS: Final[Mapping[str, str]] = {
    "tryton": "Set RECEIVABLES_TRYTON_KEY to the key of a user application of type REST that is validated.",
    "sql": "Correct the user or the password in RECEIVABLES_SQL_URL.",
    "business-central": "Check RECEIVABLES_BUSINESS_CENTRAL_TENANT_ID, RECEIVABLES_BUSINESS_CENTRAL_CLIENT_ID and "
    "RECEIVABLES_BUSINESS_CENTRAL_CLIENT_SECRET.",
    "stripe": "Set RECEIVABLES_STRIPE_API_KEY to a key of the account that is not revoked.",
    "xero": "Check RECEIVABLES_XERO_CLIENT_ID and RECEIVABLES_XERO_CLIENT_SECRET.",
}
_SIGN_IN_ANEW: Final = "Sign in to Xero anew and set RECEIVABLES_XERO_REFRESH_TOKEN to the new token."


async def look(settings: Settings, name: str, *, now: Callable[[], datetime]) -> str:
    """Sign in and read a little. Raises Amiss where that fails, with what is to be done about it."""
    if name == "xero" and not await schema_is_current(settings.database_url):
        raise Amiss(*NO_PLACE_FOR_A_TOKEN)
    store = Store(settings.database_url, now=now)
    try:
        source = source_of(name, settings, store, Pace(more_tries=0, now=now))
        try:
            await source.check()
        except SignInFailed as error:
            raise Amiss(f"refuses the sign-in: {said(error)}", _source_sign_in(name, error)) from error
        except AccessDenied as error:
            raise Amiss(
                f"signed in, but it does not show all that has to be read: {said(error)}",
                _RIGHTS[name],
            ) from error
        except Rejected as error:
            raise Amiss(f"does not give what was asked for: {said(error)}", _ADDRESSES[name]) from error
        except Unavailable as error:
            raise Amiss(f"no usable answer: {said(error)}", _ADDRESSES[name]) from error
        finally:
            await source.close()
    finally:
        await store.close()
    return "answers, and shows what has to be read"


def _source_sign_in(name: str, error: SignInFailed) -> str:
    if name == "xero" and error.reason == "invalid_grant":
        return _SIGN_IN_ANEW
    if name == "xero" and error.reason == "other-secret-key":
        return f"Set BACKSTOP_SECRET_KEY to what it was. Where that is lost: {_SIGN_IN_ANEW}"
    return _SIGN_INS[name]
