"""The part of `backstop check` about tickets: whether they can be handed over the way the settings say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Final

from bot.amiss import Amiss, Doubtful, Probe, said
from bot.domain.contact import contact_person
from bot.domain.customer import Cloud
from bot.domain.errors import AccessDenied, Invalid, SignInFailed, Upstream
from bot.domain.ticket import Way
from bot.microsoft import azure_of
from bot.settings import Settings
from bot.store import Store

_OR_BY_HAND: Final = "or leave BACKSTOP_TICKET_HANDOVER at portal"

OpenStore = Callable[[], Awaitable[Store | None]]
"""Where refresh tokens are kept; None where they are not. Raises Amiss where there is no place yet."""


def probes(settings: Settings, *, now: Callable[[], datetime], open_store: OpenStore) -> Mapping[str, Probe]:
    """What to look at for the ways that are in use; nothing where people file all tickets by hand."""
    found: dict[str, Probe] = {}
    if Way.EMAIL in settings.ticket_ways:
        found["tickets by email"] = partial(_email, settings)
    if Way.AZURE in settings.ticket_ways:
        found["tickets through Azure"] = partial(_azure, settings, now, open_store)
    return found


async def _email(settings: Settings) -> str:
    for name in ("smtp_url", "backstop_ticket_email"):
        if not getattr(settings, name):
            raise Amiss(f"{name.upper()} is not set", f"Set {name.upper()}, {_OR_BY_HAND}.")
    return f"go to {settings.backstop_ticket_email}"


async def _azure(settings: Settings, now: Callable[[], datetime], open_store: OpenStore) -> str:
    if settings.partner_center_cloud is not Cloud.GLOBAL:
        raise Amiss(
            f"Azure opens tickets in the global cloud only, and this is {settings.partner_center_cloud.value}",
            "Set BACKSTOP_TICKET_HANDOVER to portal or email.",
        )
    person = contact_person(settings.backstop_ticket_contact or "")
    if person is None:
        raise Amiss(
            "BACKSTOP_TICKET_CONTACT does not say whom Microsoft may call",
            "Set it to a name, an address and a phone: Ana Berg <support@partner.example> +49 30 1234.",
        )
    if not settings.backstop_ticket_country:
        raise Amiss(
            "BACKSTOP_TICKET_COUNTRY is not set",
            "Set it to the three letters of the contact's country, for example DEU.",
        )
    services = await _services(settings, now, await open_store())
    found = f"signed in, {len(services)} services to choose from"
    if person.phone:
        return found
    return Doubtful(f"{found}; critical ones cannot be opened: the contact has no phone")


async def _services(
    settings: Settings, now: Callable[[], datetime], store: Store | None
) -> tuple[tuple[str, str], ...]:
    try:
        azure, to_close = azure_of(settings, now=now, store=store)
        if azure is None:
            raise AssertionError("the way through Azure is in use")
        try:
            return await azure.services()
        finally:
            for opened in to_close:
                await opened.aclose()
    except Invalid as error:
        raise Amiss(
            f"{error.at} cannot be used ({error.reason})", f"Correct {error.at} or unset it."
        ) from None
    except SignInFailed as error:
        raise Amiss(
            f"Microsoft refuses the sign-in to Azure: {said(error)}",
            "Give the app registration the delegated permission user_impersonation of Azure Service Management, "
            "with consent.",
        ) from error
    except AccessDenied as error:
        raise Amiss(
            f"signed in, but Azure does not show its support services: {said(error)}",
            "Give the account the Azure role Support Request Contributor.",
        ) from error
    except Upstream as error:
        raise Amiss(
            f"Azure does not answer as it should: {said(error)}",
            "Check AZURE_BASE_URL, then try again.",
        ) from error
    finally:
        if store:
            await store.close()
