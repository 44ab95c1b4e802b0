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
        pytest.param(f"{GLOBAL}:443/v1/x", f"{GLOBAL}/v1/x", id="with the usual port"),
        pytest.param("HTTPS://API.PartnerCenter.Microsoft.com/v1/x", f"{GLOBAL}/v1/x", id="in capitals"),
        pytest.param(
            "v1/customers?offset=1", f"{GLOBAL}/v1/customers?offset=1", id="with v1, without a slash"
        ),
        pytest.param("/v1beta/x", f"{GLOBAL}/v1/v1beta/x", id="not v1"),
        pytest.param(f"{GLOBAL}?@evil.example/x", f"{GLOBAL}/v1/?@evil.example/x", id="a user in the query"),
        pytest.param("/x/a%2Fb", f"{GLOBAL}/v1/x/a%2Fb", id="an id that is encoded"),
        pytest.param("/x..y/..z/a..", f"{GLOBAL}/v1/x..y/..z/a..", id="dots in names"),
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


GATEWAY = "http://gateway.example:8080/gw"


@pytest.mark.parametrize(
    ("uri", "rest"),
    [
        pytest.param(
            f"{GLOBAL}/v1/customers?size=1&offset=1", "/v1/customers?size=1&offset=1", id="Microsoft's"
        ),
        pytest.param(f"{GATEWAY}/v1/customers?offset=1", "/v1/customers?offset=1", id="its own"),
        pytest.param(
            "http://gateway.example:8080/v1/customers", "/v1/customers", id="its own, above the path"
        ),
        pytest.param("/gw/v1/customers?offset=1", "/v1/customers?offset=1", id="its path"),
        pytest.param("gw/v1/customers", "/v1/customers", id="its path, without a slash"),
        pytest.param("/gw/customers", "/v1/customers", id="its path, without v1"),
        pytest.param("/v1/customers", "/v1/customers", id="with v1"),
        pytest.param("/customers", "/v1/customers", id="relative to v1"),
        pytest.param("/gwen/customers", "/v1/gwen/customers", id="a name that begins as its path does"),
        pytest.param("/v1/gw/customers", "/v1/gw/customers", id="its path's name further in"),
        pytest.param(f"{GLOBAL}//evil.example/x", "/v1//evil.example/x", id="two slashes further in"),
    ],
)
def test_behind_a_gateway_a_link_leads_to_the_gateway(uri, rest):
    assert hosts_of(Cloud.GLOBAL, base_url=GATEWAY).resolve(uri) == f"{GATEWAY}{rest}"


def test_behind_a_gateway_other_clouds_are_other_hosts():
    gateway = hosts_of(Cloud.CHINA, base_url=GATEWAY)
    assert gateway.resolve(f"{CHINA}/v1/customers") == f"{GATEWAY}/v1/customers"
    with pytest.raises(ValueError, match="another host"):
        gateway.resolve(f"{GLOBAL}/v1/customers")


@pytest.mark.parametrize(
    ("resolve", "host"),
    [
        pytest.param(lambda hosts: hosts.resolve_graph, "https://graph.microsoft.com", id="Graph"),
        pytest.param(lambda hosts: hosts.resolve_arm, "https://management.azure.com", id="Azure"),
    ],
)
def test_links_in_full_are_resolved(resolve, host):
    resolve_here = resolve(hosts_of(Cloud.GLOBAL))
    behind = resolve(hosts_of(Cloud.GLOBAL, graph_url=GATEWAY, arm_url=GATEWAY))
    link = "/beta/alerts?$skiptoken=a?b=/v1/x"
    assert resolve_here(f"{host}{link}") == f"{host}{link}"
    assert behind(f"{host}{link}") == behind(f"{GATEWAY}{link}") == f"{GATEWAY}{link}"
    for uri in (link, link[1:], "https://evil.example/beta", f"{host}@evil.example/", f"{host}/x/../../y"):
        for one in (resolve_here, behind):
            with pytest.raises(ValueError, match="another host"):
                one(uri)


@pytest.mark.parametrize("hosts", [{}, {"base_url": GATEWAY}], ids=["Microsoft itself", "a gateway"])
@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/v1/customers",
        "https://api.partnercenter.microsoft.com.evil.example/v1",
        "https://api.partnercenter.microsoft.com@evil.example/v1",
        "https://api.partnercenter.microsoft.com:443@evil.example/v1",
        "https://evil.example@api.partnercenter.microsoft.com/v1",
        "https://api.partnercenter.microsoft.com\\@evil.example/v1",
        "https://api.partnercenter.microsoft.com\\.evil.example/v1",
        "https://evil.example\\@api.partnercenter.microsoft.com/v1",
        "https://api%2Epartnercenter.microsoft.com/v1",
        "https://api.partnercenter.microsoft.com%2F@evil.example/v1",
        "https://api.partnercenter.microsoft.com%2Eevil.example/v1",
        "https://api.partnercenter.microsoft.com./v1",
        "http://api.partnercenter.microsoft.com/v1/customers",
        "https://api.partnercenter.microsoft.com:8443/v1",
        "https://gateway.example:8080/gw/v1/customers",
        "http://gateway.example/gw/v1/customers",
        "https:evil.example",
        "https:/evil.example/v1",
        "https:///evil.example/v1",
        "//evil.example/v1/customers",
        "//api.partnercenter.microsoft.com/v1/customers",
        "///evil.example/v1/customers",
        "/\\evil.example/v1/customers",
        "\\\\evil.example/v1/customers",
        "ht\ttps://evil.example/v1",
        "/\t/evil.example/v1",
        "\x01//evil.example/v1",
        "/customers?a=b\r\nHost: evil.example",
        "/../customers",
        "..",
        "/v1/../../admin",
        "/v1/%2e%2e/admin",
        "/v1/.%2E/admin",
        "/v1/..%2fadmin",
        "/v1/..%5Cadmin",
        "/v1/..;/admin",
        "/gw/../admin",
        "https://api.partnercenter.microsoft.com/v1/../../admin",
        "file:///etc/passwd",
        "javascript:alert(1)",
    ],
)
def test_links_to_another_host_are_refused(hosts, uri):
    with pytest.raises(ValueError, match="another host"):
        hosts_of(Cloud.GLOBAL, **hosts).resolve(uri)
