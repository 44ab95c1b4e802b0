"""Where each of Microsoft's clouds answers: hosts as data, and the one check that a link stays at home."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from bot.domain.customer import Cloud
from bot.domain.errors import Invalid


@dataclass(frozen=True, slots=True)
class CloudHosts:
    """The addresses of one cloud; none ends in a slash."""

    cloud: Cloud
    api: str
    authority: str
    graph: str
    arm: str
    portal: str
    entra_version: Literal["v1", "v2"]

    def token_url(self, tenant_id: str) -> str:
        path = "oauth2/token" if self.entra_version == "v1" else "oauth2/v2.0/token"
        return f"{self.authority}/{quote(tenant_id, safe='')}/{path}"

    def resolve(self, uri: str) -> str:
        """Where a link that came back leads at the configured API; ValueError when it leads to another host.

        Links come as `/customers/…` (relative to `/v1`), as `/v1/…`, in full, and with a second `?`
        (learn.microsoft.com/partner-center/developer/get-invoiceline-items). Those that come through a gateway
        may name Microsoft's own host, or have the gateway's path.
        """
        path, query = _at_home(uri, self.api, _HOSTS[self.cloud].api)
        url = f"{self.api}/v1{_without('/v1', path)}"
        return f"{url}?{query.replace('?', '&')}" if query else url

    def resolve_arm(self, uri: str) -> str:
        """As `resolve`, of Azure Resource Manager, whose links come in full."""
        return _resolved_in_full(uri, self.arm, _HOSTS[self.cloud].arm)

    def resolve_graph(self, uri: str) -> str:
        """As `resolve`, of Microsoft Graph, whose links come in full."""
        return _resolved_in_full(uri, self.graph, _HOSTS[self.cloud].graph)


def _resolved_in_full(uri: str, configured: str, microsofts: str) -> str:
    if not urlsplit(uri).scheme:
        raise ValueError("no link in full: it may lead to another host")
    path, query = _at_home(uri, configured, microsofts)
    return f"{configured}{path}?{query}" if query else f"{configured}{path}"


_CLIMBS = re.compile(r"(^|[/\\])\.\.([/\\;]|$)")


def _at_home(uri: str, configured: str, microsofts: str) -> tuple[str, str]:
    """Path and query of a link, below the configured address; ValueError when it leads to another host.

    The host is dropped: whatever a link says, our token goes to the configured address alone, and not above it.
    """
    link, _, query = uri.partition("?")
    parts = urlsplit(link)
    names_a_host = parts.scheme or link.startswith("//")
    is_ours = "@" not in parts.netloc and any(same_origin(link, home) for home in (configured, microsofts))
    # Parsers do not agree on backslashes, and drop what cannot be printed.
    is_odd = not uri.isprintable() or "\\" in link or _CLIMBS.search(unquote(parts.path))
    if (names_a_host and not is_ours) or is_odd:
        raise ValueError("the link leads to another host")
    path = f"/{parts.path.removeprefix('/')}"
    return _without(urlsplit(configured).path, path), query


def _without(prefix: str, path: str) -> str:
    """A path without the segments it begins with; as it is where it does not."""
    return path.removeprefix(prefix) if f"{path}/".startswith(f"{prefix}/") else path


def same_origin(url: str, other: str) -> bool:
    """Whether two URLs have the same scheme, host and port; what is no URL has none."""
    try:
        return _origin(url) == _origin(other)
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


# Hosts: learn.microsoft.com/partner-center/developer/partner-center-rest-urls and the environment
# constants of microsoft/Partner-Center-PowerShell. 21Vianet signs in with v1: no page states a v2 scope
# for it. Its portal's host is seen in public code only.
_GLOBAL = CloudHosts(
    cloud=Cloud.GLOBAL,
    api="https://api.partnercenter.microsoft.com",
    authority="https://login.microsoftonline.com",
    graph="https://graph.microsoft.com",
    arm="https://management.azure.com",
    portal="https://partner.microsoft.com/dashboard",
    entra_version="v2",
)
_HOSTS: Mapping[Cloud, CloudHosts] = MappingProxyType(
    {
        Cloud.GLOBAL: _GLOBAL,
        Cloud.US_GOVERNMENT: replace(
            _GLOBAL,
            cloud=Cloud.US_GOVERNMENT,
            authority="https://login.microsoftonline.us",
            graph="https://graph.microsoft.us",
            arm="https://management.usgovcloudapi.net",
        ),
        Cloud.CHINA: CloudHosts(
            cloud=Cloud.CHINA,
            api="https://partner.partnercenterapi.microsoftonline.cn",
            authority="https://login.partner.microsoftonline.cn",
            graph="https://microsoftgraph.chinacloudapi.cn",
            arm="https://management.chinacloudapi.cn",
            portal="https://partner.partnercenter.microsoftonline.cn",
            entra_version="v1",
        ),
    }
)

_RETIRED = frozenset({"login.microsoftonline.de"})


def hosts_of(
    cloud: Cloud,
    *,
    base_url: str | None = None,
    authority_url: str | None = None,
    graph_url: str | None = None,
    arm_url: str | None = None,
    portal_url: str | None = None,
) -> CloudHosts:
    """The hosts of a cloud, each replaced where something else is configured (a gateway, a sandbox)."""
    hosts = _HOSTS[cloud]
    return replace(
        hosts,
        api=_address("PARTNER_CENTER_BASE_URL", base_url) or hosts.api,
        authority=_address("PARTNER_CENTER_AUTHORITY_URL", authority_url) or hosts.authority,
        graph=_address("GRAPH_BASE_URL", graph_url) or hosts.graph,
        arm=_address("AZURE_BASE_URL", arm_url) or hosts.arm,
        portal=_address("PARTNER_CENTER_PORTAL_URL", portal_url) or hosts.portal,
    )


def _address(setting: str, url: str | None) -> str | None:
    if not url or not url.strip():
        return None
    url = url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or parts.query or parts.fragment:
        raise Invalid(setting, "not-an-address")
    if parts.hostname in _RETIRED:
        raise Invalid(setting, "retired-cloud")
    return url
