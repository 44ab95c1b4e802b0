"""Where each cloud answers."""

from __future__ import annotations

import pytest

from bot.domain.customer import Cloud
from bot.domain.errors import Invalid
from bot.partner_center.cloud import hosts_of

GLOBAL = "https://api.partnercenter.microsoft.com"
CHINA = "https://partner.partnercenterapi.microsoftonline.cn"


@pytest.mark.parametrize(
    ("cloud", "api", "token_url", "graph", "arm"),
    [
        pytest.param(
            Cloud.GLOBAL,
            GLOBAL,
            "https://login.microsoftonline.com/t/oauth2/v2.0/token",
            "https://graph.microsoft.com",
            "https://management.azure.com",
            id="global",
        ),
        pytest.param(
            Cloud.CHINA,
            CHINA,
            "https://login.partner.microsoftonline.cn/t/oauth2/token",
            "https://microsoftgraph.chinacloudapi.cn",
            "https://management.chinacloudapi.cn",
            id="21Vianet",
        ),
        pytest.param(
            Cloud.US_GOVERNMENT,
            GLOBAL,
            "https://login.microsoftonline.us/t/oauth2/v2.0/token",
            "https://graph.microsoft.us",
            "https://management.usgovcloudapi.net",
            id="US government",
        ),
    ],
)
def test_the_hosts_of_a_cloud(cloud, api, token_url, graph, arm):
    hosts = hosts_of(cloud)
    assert (hosts.api, hosts.token_url("t"), hosts.graph, hosts.arm) == (api, token_url, graph, arm)


def test_hosts_can_be_replaced():
    hosts = hosts_of(
        Cloud.CHINA, base_url="http://127.0.0.1:1/", authority_url="http://127.0.0.1:2/a/", graph_url=" "
    )
    assert (hosts.api, hosts.token_url("t/t"), hosts.graph) == (
        "http://127.0.0.1:1",
        "http://127.0.0.1:2/a/t%2Ft/oauth2/token",
        hosts_of(Cloud.CHINA).graph,
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("login.microsoftonline.com", "not-an-address", id="no scheme"),
        pytest.param("ftp://example.com", "not-an-address", id="another scheme"),
        pytest.param("https://user:secret@example.com", "not-an-address", id="with a password"),
        pytest.param("https://example.com:port", "not-an-address", id="a port that is none"),
        pytest.param("https://example.com/?a=b", "not-an-address", id="with a query"),
        pytest.param("https://login.microsoftonline.de", "retired-cloud", id="Germany, which is retired"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url, reason):
    with pytest.raises(Invalid) as refused:
        hosts_of(Cloud.GLOBAL, authority_url=url)
    assert (refused.value.at, refused.value.reason) == ("PARTNER_CENTER_AUTHORITY_URL", reason)


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        pytest.param("/customers?size=40", f"{GLOBAL}/v1/customers?size=40", id="relative to v1"),
        pytest.param("/v1/customers", f"{GLOBAL}/v1/customers", id="with v1"),
        pytest.param("customers", f"{GLOBAL}/v1/customers", id="without a slash"),
        pytest.param(f"{GLOBAL}/v1/customers?a=b", f"{GLOBAL}/v1/customers?a=b", id="in full"),
        pytest.param(f"{GLOBAL}:443/v1/x", f"{GLOBAL}:443/v1/x", id="with the usual port"),
        pytest.param(
            "/x?size=2?seekOperation=Next", f"{GLOBAL}/v1/x?size=2&seekOperation=Next", id="two marks"
        ),
        pytest.param("@evil.example/x", f"{GLOBAL}/v1/@evil.example/x", id="looks like a user, is a path"),
        pytest.param(
            "/x?next=https://evil.example", f"{GLOBAL}/v1/x?next=https://evil.example", id="in the query"
        ),
    ],
)
def test_links_are_resolved(uri, url):
    assert hosts_of(Cloud.GLOBAL).resolve(uri) == url


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/v1/customers",
        "https://api.partnercenter.microsoft.com.evil.example/v1",
        "https://api.partnercenter.microsoft.com@evil.example/v1",
        "http://api.partnercenter.microsoft.com/v1/customers",
        "https://api.partnercenter.microsoft.com:8443/v1",
        "//evil.example/v1/customers",
        "file:///etc/passwd",
    ],
)
def test_links_to_another_host_are_refused(uri):
    with pytest.raises(ValueError, match="another host"):
        hosts_of(Cloud.GLOBAL).resolve(uri)
