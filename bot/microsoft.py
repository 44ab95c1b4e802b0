"""Constructs what talks to Microsoft, as the settings say: the clients, and what checks the events it sends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import httpx

from bot.courier import Courier
from bot.domain.customer import Cloud
from bot.domain.ticket import Way
from bot.partner_center.auth import AppRegistration, Borrowed, InProcess, OnBehalf, RefreshTokens, SignIn
from bot.partner_center.azure_support import AzureSupport
from bot.partner_center.certificates import MICROSOFTS_HOSTS, Certificates
from bot.partner_center.client import PartnerCenter
from bot.partner_center.cloud import CloudHosts, hosts_of
from bot.partner_center.exchange import http_client
from bot.partner_center.graph import Graph
from bot.partner_center.webhook import Webhook
from bot.services.events import AskToRead, Events
from bot.services.vault import Vault
from bot.settings import Settings
from bot.store import Store

Clients = tuple[httpx.AsyncClient, ...]


def cloud_of(settings: Settings) -> CloudHosts:
    return hosts_of(
        settings.partner_center_cloud,
        base_url=settings.partner_center_base_url,
        authority_url=settings.partner_center_authority_url,
        graph_url=settings.graph_base_url,
        arm_url=settings.azure_base_url,
        portal_url=settings.partner_center_portal_url,
    )


def partner_center_of(
    settings: Settings,
    *,
    now: Callable[[], datetime],
    as_user: bool = False,
    store: Store | None = None,
) -> tuple[PartnerCenter, Clients]:
    """The client and what has to be closed after it.

    It signs in app-only, and with a refresh token as App+User for the calls that demand it; `as_user` makes that for
    all of them. The successors of the refresh token are kept in the store, where there is a key to encrypt them with;
    else each process has its own.
    """
    cloud, authority = cloud_of(settings), http_client()
    has_user = settings.partner_center_refresh_token is not None
    app_only = _signed_in(settings, cloud, authority, now, user=as_user and has_user, store=store)
    user = (
        _signed_in(settings, cloud, authority, now, user=True, store=store)
        if has_user and not as_user
        else None
    )
    client = PartnerCenter(
        cloud=cloud,
        http=app_only,
        as_user=user,
        now=now,
        max_concurrency=settings.partner_center_max_concurrency,
    )
    return client, (app_only, *([user] if user else []), authority)


def graph_of(settings: Settings, *, now: Callable[[], datetime]) -> tuple[Graph, Clients]:
    """Microsoft Graph, signed in app-only, and what has to be closed after it."""
    cloud, authority = cloud_of(settings), http_client()
    http = _signed_in(settings, cloud, authority, now, resource=cloud.graph)
    graph = Graph(cloud=cloud, http=http, now=now, max_concurrency=settings.partner_center_max_concurrency)
    return graph, (http, authority)


def _signed_in(
    settings: Settings,
    cloud: CloudHosts,
    authority: httpx.AsyncClient,
    now: Callable[[], datetime],
    *,
    user: bool = False,
    store: Store | None = None,
    resource: str | None = None,
) -> httpx.AsyncClient:
    tokens = _refresh_tokens(settings, now, store) if user else None
    return http_client(auth=_sign_in(settings, cloud, authority, now, tokens=tokens, resource=resource))


def events_of(
    settings: Settings, store: Store, courier: Courier, *, now: Callable[[], datetime]
) -> tuple[Events, Clients]:
    """What takes in the events of Partner Center, and what has to be closed after it."""
    http = http_client()
    certificates = Certificates(
        http=http,
        now=now,
        hosts=settings.partner_center_webhook_certificate_hosts or MICROSOFTS_HOSTS,
        more_roots=settings.partner_center_webhook_ca_file,
    )
    webhook = Webhook(cloud=cloud_of(settings), certificates=certificates, now=now)
    return Events(store, webhook, on_event=AskToRead(courier, now=now), now=now), (http,)


def azure_of(
    settings: Settings, *, now: Callable[[], datetime], store: Store | None = None
) -> tuple[AzureSupport | None, Clients]:
    """Azure Resource Manager, where the settings have tickets opened there, and what has to be closed after it.

    It signs in to the customer's tenant and to the partner's: as App+User where there is a refresh token.
    """
    if Way.AZURE not in settings.ticket_ways or settings.partner_center_cloud is not Cloud.GLOBAL:
        return None, ()
    cloud, authority = cloud_of(settings), http_client()
    tokens = _refresh_tokens(settings, now, store)

    def sign_in_to(tenant: str | None, tokens: RefreshTokens | None) -> SignIn:
        return _sign_in(settings, cloud, authority, now, tokens=tokens, resource=cloud.arm, tenant=tenant)

    partner = sign_in_to(None, tokens)
    borrowed = Borrowed(tokens) if tokens else None
    http = http_client(auth=partner)
    azure = AzureSupport(
        cloud=cloud,
        http=http,
        sign_in_to=lambda customer: OnBehalf(sign_in_to(customer, borrowed), partner),
        contact=settings.backstop_ticket_contact or "",
        country=settings.backstop_ticket_country or "",
        zone=settings.zone,
        now=now,
        max_concurrency=settings.partner_center_max_concurrency,
    )
    return azure, (http, authority)


def _refresh_tokens(
    settings: Settings, now: Callable[[], datetime], store: Store | None
) -> RefreshTokens | None:
    """Where the refresh token is: in the store, where there is a key to encrypt it with; None where there is none."""
    refresh, key = settings.partner_center_refresh_token, settings.backstop_secret_key
    if refresh is None:
        return None
    token = refresh.get_secret_value()
    if not (store and key):
        return InProcess(token)
    return Vault(
        store,
        name="partner-center",
        first=token,
        key=key.get_secret_value(),
        now=now,
        system="partner_center",
    )


def _sign_in(
    settings: Settings,
    cloud: CloudHosts,
    authority: httpx.AsyncClient,
    now: Callable[[], datetime],
    *,
    tokens: RefreshTokens | None = None,
    resource: str | None = None,
    tenant: str | None = None,
) -> SignIn:
    """App-only, or as App+User with a refresh token; to the partner's own tenant or to another one."""
    secret, refresh = settings.partner_center_client_secret, settings.partner_center_refresh_token
    app = AppRegistration(
        tenant or settings.partner_center_tenant_id or "",
        settings.partner_center_client_id or "",
        secret.get_secret_value() if secret else "",
    )
    return SignIn(
        cloud=cloud,
        app=app,
        http=authority,
        now=now,
        resource=resource,
        refresh_token=refresh.get_secret_value() if refresh and tokens else None,
        refresh_tokens=tokens,
    )
