"""Signing in: what is sent, when it is renewed, and where a token never goes."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.domain.customer import Cloud
from bot.domain.errors import SignInFailed, Throttled, Unavailable, Upstream
from bot.partner_center.auth import LONGEST_SIGN_IN, AppRegistration, SignIn
from bot.partner_center.cloud import hosts_of
from bot.partner_center.exchange import LONGEST_ANSWER

from .far_side import drips

noon = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
CUSTOMERS = "/v1/customers"
APP = AppRegistration("tenant", "app", "s3cret&=")


class Clock:
    def __init__(self) -> None:
        self.time = noon

    def __call__(self) -> datetime:
        return self.time


class Authority:
    """A token endpoint and an API that takes only the tokens it gave last; keeps the forms as they came."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.urls: list[str] = []
        self.bearers: list[str] = []
        self.said: list[httpx.Response | Exception] = []
        self.numbers_as_text = False
        self.refresh_tokens = False
        self.taken: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    async def token(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.content.decode())
        self.urls.append(str(request.url))
        await self.gate.wait()
        if self.said:
            said = self.said.pop(0)
            if isinstance(said, Exception):
                raise said
            return said
        token = f"access-{len(self.asked)}"
        self.taken = {token}
        lifetime: Any = "3600" if self.numbers_as_text else 3600
        more = {"refresh_token": f"refresh-{len(self.asked)}"} if self.refresh_tokens else {}
        return httpx.Response(200, json={"expires_in": lifetime, "access_token": token} | more)

    async def api(self, request: httpx.Request) -> httpx.Response:
        bearer = request.headers["Authorization"].removeprefix("Bearer ")
        self.bearers.append(bearer)
        return httpx.Response(200 if bearer in self.taken else 401)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def connect(authority, clock):
    token_http = httpx.AsyncClient(transport=httpx.MockTransport(authority.token))
    clients = [token_http]

    def build(cloud: Cloud = Cloud.GLOBAL, **options: Any) -> httpx.AsyncClient:
        hosts = hosts_of(cloud)
        sign_in = SignIn(cloud=hosts, app=APP, http=token_http, now=clock, **options)
        http = httpx.AsyncClient(
            auth=sign_in, transport=httpx.MockTransport(authority.api), base_url=hosts.api
        )
        clients.append(http)
        return http

    yield build
    for client in clients:
        await client.aclose()


GLOBAL = "https%3A%2F%2Fapi.partnercenter.microsoft.com"
CHINA = "https%3A%2F%2Fpartner.partnercenterapi.microsoftonline.cn"
SENT = "client_id=app&client_secret=s3cret%26%3D&grant_type="


@pytest.mark.parametrize(
    ("cloud", "refresh_token", "url", "form"),
    [
        pytest.param(
            Cloud.GLOBAL,
            None,
            "https://login.microsoftonline.com/tenant/oauth2/v2.0/token",
            f"{SENT}client_credentials&scope={GLOBAL}%2F.default",
            id="v2, app-only",
        ),
        pytest.param(
            Cloud.GLOBAL,
            "r-0",
            "https://login.microsoftonline.com/tenant/oauth2/v2.0/token",
            f"{SENT}refresh_token&refresh_token=r-0&scope={GLOBAL}%2Fuser_impersonation+offline_access",
            id="v2, App+User",
        ),
        pytest.param(
            Cloud.US_GOVERNMENT,
            None,
            "https://login.microsoftonline.us/tenant/oauth2/v2.0/token",
            f"{SENT}client_credentials&scope={GLOBAL}%2F.default",
            id="US government, v2, app-only",
        ),
        pytest.param(
            Cloud.CHINA,
            None,
            "https://login.partner.microsoftonline.cn/tenant/oauth2/token",
            f"{SENT}client_credentials&resource={CHINA}",
            id="21Vianet, v1, app-only",
        ),
        pytest.param(
            Cloud.CHINA,
            "r-0",
            "https://login.partner.microsoftonline.cn/tenant/oauth2/token",
            f"{SENT}refresh_token&refresh_token=r-0&resource={CHINA}",
            id="21Vianet, v1, App+User",
        ),
    ],
)
async def test_what_is_sent(connect, authority, cloud, refresh_token, url, form):
    await connect(cloud, refresh_token=refresh_token).get(CUSTOMERS)
    assert (authority.urls, authority.asked) == ([url], [form])


@pytest.mark.parametrize("as_text", [False, True], ids=["numbers", "numbers as text"])
@pytest.mark.parametrize(
    ("minutes", "renewals"),
    [pytest.param(54, 1, id="while it is young"), pytest.param(55, 2, id="five minutes before its end")],
)
async def test_a_token_is_used_until_five_minutes_before_its_end(
    connect, authority, clock, as_text, minutes, renewals
):
    authority.numbers_as_text = as_text
    http = connect()
    await http.get(CUSTOMERS)
    clock.time += timedelta(minutes=minutes)
    assert (await http.get(CUSTOMERS)).status_code == 200
    assert len(authority.asked) == renewals


async def test_a_published_answer_of_v1_is_understood(connect, authority, clock, samples):
    body = (samples / "token.v1.response.json").read_bytes()
    authority.said = [httpx.Response(200, content=body)]
    authority.taken = {"REMOVED"}
    http = connect()
    assert (await http.get(CUSTOMERS)).status_code == 200
    clock.time += timedelta(minutes=54)
    await http.get(CUSTOMERS)
    assert len(authority.asked) == 1


async def test_one_renewal_serves_everybody(connect, authority):
    http = connect()
    answers = await asyncio.gather(*(http.get(CUSTOMERS) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(authority.asked) == 1


async def test_one_renewal_serves_everybody_whose_token_was_refused(connect, authority):
    http = connect()
    await http.get(CUSTOMERS)
    authority.taken = set()
    answers = await asyncio.gather(*(http.get(CUSTOMERS) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(authority.asked) == 2


async def test_a_refused_token_is_renewed_once_and_no_more(connect, authority):
    http = connect()
    await http.get(CUSTOMERS)
    authority.said = [httpx.Response(200, json={"access_token": "another", "expires_in": 3600})]
    authority.taken = set()
    assert (await http.get(CUSTOMERS)).status_code == 401
    assert authority.bearers == ["access-1", "access-1", "another"]


async def test_who_is_cancelled_does_not_cancel_the_renewal(connect, authority):
    kept: list[str] = []

    async def keep(token: str) -> None:
        kept.append(token)

    authority.refresh_tokens = True
    authority.gate.clear()
    http = connect(refresh_token="r-0", keep=keep)
    impatient = asyncio.create_task(http.get(CUSTOMERS))
    while not authority.asked:
        await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait([impatient])
    authority.gate.set()
    await http.get(CUSTOMERS)
    assert (kept, len(authority.asked)) == (["refresh-1"], 1)


async def test_a_new_refresh_token_is_kept_before_the_access_token_is_used(connect, authority, clock):
    happened: list[str] = []

    async def keep(token: str) -> None:
        happened.append(f"kept {token} after {len(authority.bearers)} calls")

    authority.refresh_tokens = True
    http = connect(refresh_token="r-0", keep=keep)
    await http.get(CUSTOMERS)
    clock.time += timedelta(hours=1)
    await http.get(CUSTOMERS)
    assert happened == ["kept refresh-1 after 0 calls", "kept refresh-2 after 1 calls"]
    assert "refresh_token=refresh-1&" in authority.asked[1]


async def test_what_cannot_be_kept_is_not_used(connect, authority):
    async def keep(_token: str) -> None:
        raise Unavailable(system="database")

    authority.refresh_tokens = True
    with pytest.raises(Unavailable):
        await connect(refresh_token="r-0", keep=keep).get(CUSTOMERS)
    assert authority.bearers == []


async def test_app_and_user_stays_off_once_its_refresh_token_is_refused(connect, authority, samples):
    refusal = (samples / "token.error.invalid_grant.json").read_bytes()
    app_and_user, app_only = connect(refresh_token="r-0"), connect()
    authority.said = [httpx.Response(401, content=refusal)]
    for _ in range(2):
        with pytest.raises(SignInFailed) as failed:
            await app_and_user.get(CUSTOMERS)
        assert failed.value.reason == "invalid_grant"
    assert len(authority.asked) == 1
    assert (await app_only.get(CUSTOMERS)).status_code == 200


@pytest.mark.parametrize(
    ("said", "error"),
    [
        pytest.param(
            httpx.Response(401, json={"error": "invalid_client"}), SignInFailed, id="a wrong secret"
        ),
        pytest.param(httpx.Response(400, text="<html>"), SignInFailed, id="a page"),
        pytest.param(httpx.Response(200, json={}), SignInFailed, id="no token in it"),
        pytest.param(httpx.Response(429), Throttled, id="too many requests"),
        pytest.param(httpx.Response(503), Unavailable, id="a server error"),
        pytest.param(httpx.ConnectError("no route"), Unavailable, id="no connection"),
    ],
)
async def test_a_sign_in_that_fails(connect, authority, said, error):
    authority.said = [said]
    http = connect()
    with pytest.raises(Upstream) as failed:
        await http.get(CUSTOMERS)
    assert type(failed.value) is error
    assert (await http.get(CUSTOMERS)).status_code == 200  # and the next try is free to succeed


async def test_a_token_that_drips_in_for_ever_holds_nobody_up(connect, authority):
    http = connect(longest_answer=0.05)
    authority.said = [drips(httpx.Request("POST", "https://login.example"))]
    async with asyncio.timeout(10):
        failed = await asyncio.gather(*(http.get(CUSTOMERS) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in failed] == [Unavailable] * 3
        assert (len(authority.asked), authority.bearers) == (1, [])
        assert (await http.get(CUSTOMERS)).status_code == 200


def test_a_sign_in_in_vain_ends_before_the_call_it_is_for():
    assert LONGEST_SIGN_IN < LONGEST_ANSWER


async def test_a_token_that_still_lives_is_used_while_it_cannot_be_renewed(connect, authority, clock):
    http = connect()
    await http.get(CUSTOMERS)
    clock.time += timedelta(minutes=57)
    authority.said = [httpx.Response(503), httpx.Response(503)]
    assert (await http.get(CUSTOMERS)).status_code == 200
    clock.time += timedelta(minutes=3)
    with pytest.raises(Unavailable):
        await http.get(CUSTOMERS)


@pytest.mark.parametrize(
    "url", ["https://evil.example/v1/customers", "http://api.partnercenter.microsoft.com/v1/customers"]
)
async def test_a_token_goes_nowhere_but_home(connect, authority, url):
    with pytest.raises(SignInFailed):
        await connect().get(url)
    assert (authority.bearers, authority.asked) == ([], [])


async def test_no_secret_is_logged_or_shown(connect, authority, caplog):
    caplog.set_level(logging.DEBUG)
    authority.refresh_tokens = True
    http = connect(refresh_token="r-s3cret")
    echo = {"error": "invalid_client", "error_description": "you sent s3cret&= and r-s3cret"}
    authority.said = [httpx.Response(401, content=json.dumps(echo))]
    with pytest.raises(SignInFailed) as failed:
        await http.get(CUSTOMERS)
    await http.get(CUSTOMERS)
    shown = caplog.text + repr(failed.value) + failed.value.detail + repr(APP) + repr(http.auth)
    assert [secret for secret in ("s3cret", "access-", "refresh-") if secret in shown] == []
