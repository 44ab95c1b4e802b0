"""Where each of Microsoft's clouds answers: hosts as data, and the one check that a link stays at home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote, urlsplit

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
        """Make a link that came back absolute; ValueError when it leads to another host.

        Links come as `/customers/…` (relative to `/v1`), as `/v1/…`, in full, and with a second `?`
        (learn.microsoft.com/partner-center/developer/get-invoiceline-items).
        """
        path, _, query = uri.partition("?")
        if urlsplit(path).scheme or path.startswith("//"):
            url = path
        elif path.startswith("/v1/"):
            url = f"{self.api}{path}"
        else:
            url = f"{self.api}/v1/{path.removeprefix('/')}"
        if not self.is_home(url):
            raise ValueError("the link leads to another host")
        return f"{url}?{query.replace('?', '&')}" if query else url

    def is_home(self, url: str) -> bool:
        """Whether a URL has the API's own scheme, host and port: the only place our token may go."""
        return same_origin(url, self.api)

    def resolve_arm(self, uri: str) -> str:
        """A link of Azure Resource Manager, which comes in full; ValueError when it leads anywhere else."""
        if not same_origin(uri, self.arm):
            raise ValueError("the link leads to another host")
        return uri

    def resolve_graph(self, uri: str) -> str:
        """A link of Microsoft Graph, which comes in full; ValueError when it leads anywhere else."""
        if not same_origin(uri, self.graph):
            raise ValueError("the link leads to another host")
        return uri


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
