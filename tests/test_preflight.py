"""`backstop check` against a real Slack and a real Partner Center of the sandbox: what it finds and what it says."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from bot import store
from bot.checklist import Check, as_json
from bot.preflight import check
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.workspace import Group
from bot.settings import Settings
from handlers.manifest import manifest
from tests import postgres
from tests.post_office import post_office
from tests.receivables import business_central_side, stripe_side, xero_side
from tests.receivables.business_central_side import BusinessCentralSide
from tests.receivables.far_side import answer
from tests.receivables.stripe_side import StripeSide
from tests.receivables.xero_side import XeroSide

noon = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)

ALL = [
    "settings",
    "database",
    "billing policy",
    "Slack token",
    "Slack scopes",
    "approvals channel",
    "overdue channel",
    "Slack delivery",
    "operators",
    "approvers",
    "four eyes",
    "Partner Center",
]


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch, tmp_path):
    """No setting comes from the environment or from a `.env` of whoever runs the tests."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def slack(request) -> AsyncIterator[SlackSandbox]:
    """With a manifest as its parameter the app has the scopes of that one, otherwise every scope."""
    slack = SlackSandbox(manifest=getattr(request, "param", None))
    await slack.start()
    yield slack
    await slack.stop()


@pytest.fixture
async def center() -> AsyncIterator[PartnerCenterSandbox]:
    center = PartnerCenterSandbox(now=lambda: noon, customers=[])
    await center.start()
    yield center
    await center.stop()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "backstop.db"
    store.migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def found(slack, center, database):
    """Look with everything right but for what the test changes; answers with the checks by name."""

    async def look(*, patience: float = 10, **changed: Any) -> dict[str, Check]:
        right: dict[str, Any] = {
            "database_url": f"sqlite:///{database}",
            "slack_bot_token": slack.bot_token,
            "slack_app_token": slack.app_token,
            "slack_api_url": slack.api_url,
            "partner_center_tenant_id": center.tenant_id,
            "partner_center_client_id": center.client_id,
            "partner_center_client_secret": center.client_secret,
            "partner_center_base_url": center.base_url,
            "partner_center_authority_url": center.authority_url,
            "backstop_approvals_channel": "C0APPROVALS",
            "backstop_overdue_channel": "C0OVERDUE",
            "backstop_operators": "S0BILLING",
            "backstop_approvers": "S0APPROVERS,U0EVE",
        }
        checks = await check(Settings(**(right | changed)), now=lambda: noon, patience=patience)
        for one in checks:
            assert bool(one.remedy) is not one.ok, one
            assert one.remedy.count("\n") == one.message.count("\n") == 0
        return {one.name: one for one in checks}

    return look


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """Something that answers every request in its own way; its address."""
    server = web.Application()
    server.router.add_route("*", "/{rest:.*}", handler)
    async with TestServer(server) as listening:
        yield str(listening.make_url("/"))


@asynccontextmanager
async def refusing_postgres(words: str) -> AsyncIterator[int]:
    """A Postgres that lets nobody in, with these words; its port.

    www.postgresql.org/docs/current/protocol-message-formats.html
    """

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        encrypted_please = (80877103, 80877104)
        length, code = struct.unpack("!ii", await reader.readexactly(8))
        while code in encrypted_please:
            writer.write(b"N")
            length, code = struct.unpack("!ii", await reader.readexactly(8))
        await reader.readexactly(length - 8)
        fields = b"".join(
            f"{kind}{said}\0".encode() for kind, said in (("S", "FATAL"), ("C", "28P01"), ("M", words))
        )
        writer.write(b"E" + struct.pack("!i", len(fields) + 5) + fields + b"\0")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def mute() -> AsyncIterator[int]:
    """Something that takes every connection and never says a word; its port."""

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    over = asyncio.Event()
    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        over.set()


def without_scope(scope: str) -> dict[str, Any]:
    made = manifest(url=None)
    made["oauth_config"]["scopes"]["bot"].remove(scope)
    return made


def failed(checks: dict[str, Check]) -> list[str]:
    return [name for name, one in checks.items() if not one.ok]


async def test_all_is_well(found):
    checks = await found()
    assert failed(checks) == []
    assert list(checks) == ALL
    assert checks["Slack token"].message == "backstop in Northwind Cloud (sandbox)"
    assert checks["approvals channel"].message == "#csp-approvals (C0APPROVALS)"
    assert checks["operators"].message == "1 person: S0BILLING"
    assert checks["approvers"].message == "3 people: S0APPROVERS, U0EVE"
    assert checks["Partner Center"].message == "signed in to global (app-only)"


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ({"slack_bot_token": ""}, "SLACK_BOT_TOKEN"),
        ({"partner_center_tenant_id": ""}, "PARTNER_CENTER_TENANT_ID"),
        ({"partner_center_client_id": ""}, "PARTNER_CENTER_CLIENT_ID"),
        ({"backstop_approvals_channel": ""}, "BACKSTOP_APPROVALS_CHANNEL"),
    ],
)
async def test_a_missing_setting_is_named(missing, named, found):
    settings = (await found(**missing))["settings"]
    assert not settings.ok
    assert settings.message == f"{named} is not set"
    assert settings.remedy == "Add it to the environment or to .env."


class TestMail:
    async def test_a_server_that_lets_us_in(self, found):
        async with post_office() as office:
            checks = await found(smtp_url=f"smtp://127.0.0.1:{office.port}", backstop_mail_from="a@b.example")
            assert failed(checks) == []
            assert checks["mail server"].message == "lets us in; mail is from a@b.example"
            assert office.taken == []

    async def test_nobody_there(self, found):
        async with post_office() as office:
            pass
        checks = await found(smtp_url=f"smtp://127.0.0.1:{office.port}", backstop_mail_from="a@b.example")
        assert failed(checks) == ["mail server"]
        assert "(unreachable)" in checks["mail server"].message

    async def test_a_password_it_does_not_take(self, found):
        async with post_office() as office:
            url = f"smtp://ana:s3cret@127.0.0.1:{office.port}"
            checks = await found(smtp_url=url, backstop_mail_from="a@b.example")
        assert failed(checks) == ["mail server"]
        assert "SMTP_URL" in checks["mail server"].remedy

    async def test_nobody_whom_mail_is_from(self, found):
        checks = await found(smtp_url="smtp://127.0.0.1:1")
        assert failed(checks) == ["mail server"]
        assert "BACKSTOP_MAIL_FROM" in checks["mail server"].remedy


async def test_without_a_way_for_slack_to_reach_us_both_ways_are_named(found):
    checks = await found(slack_app_token="")
    assert not checks["settings"].ok
    assert "SLACK_APP_TOKEN" in checks["settings"].message
    assert "SLACK_SIGNING_SECRET" in checks["settings"].remedy
    assert checks["Slack delivery"].message == "neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set"


async def test_without_a_token_slack_is_not_asked(found, slack):
    asked = len(slack.exchanges)
    checks = await found(slack_bot_token="", slack_app_token="", partner_center_tenant_id="")
    assert checks["settings"].message == "SLACK_BOT_TOKEN and PARTNER_CENTER_TENANT_ID are not set"
    assert checks["Slack scopes"].message == checks["approvals channel"].message
    assert checks["Slack scopes"].message == "not looked at: there is no Slack token"
    assert len(slack.exchanges) == asked


class TestDatabase:
    async def test_a_file_that_is_not_there_stays_away(self, found, tmp_path):
        path = tmp_path / "new.db"
        checks = await found(database_url=f"sqlite:///{path}")
        assert failed(checks) == []
        assert checks["database"].message == f"SQLite {path} does not exist yet; the first start creates it"
        assert not path.exists()

    async def test_a_file_where_no_file_can_be(self, found, tmp_path):
        checks = await found(database_url=f"sqlite:///{tmp_path / 'nowhere' / 'new.db'}")
        assert failed(checks) == ["database"]

    async def test_a_file_without_tables_stays_without(self, found, tmp_path):
        path = tmp_path / "empty.db"
        path.touch()
        checks = await found(database_url=f"sqlite:///{path}")
        assert "has no tables yet" in checks["database"].message
        assert path.read_bytes() == b""

    async def test_a_schema_of_a_newer_release_is_left_alone(self, found, database):
        with closing(sqlite3.connect(database)) as ours, ours:
            ours.execute("UPDATE alembic_version SET version_num = '9999'")
        checks = await found()
        assert failed(checks) == ["database"]
        assert "newer release (schema 9999)" in checks["database"].message
        assert "migrate" not in checks["database"].remedy

    async def test_looking_does_not_change_a_file_of_somebody_else(self, found, tmp_path):
        path = tmp_path / "theirs.db"
        with closing(sqlite3.connect(path)) as theirs:
            theirs.execute("CREATE TABLE notes (text)")
        before = path.read_bytes()
        assert failed(await found(database_url=f"sqlite:///{path}")) == ["database"]
        assert path.read_bytes() == before

    async def test_a_file_with_odd_characters_in_its_name_is_found(self, found, database, tmp_path):
        odd = database.rename(tmp_path / "100% ours & yours #1.db")
        assert failed(await found(database_url=f"sqlite:///{odd}")) == []

    async def test_a_file_that_is_no_database(self, found, tmp_path):
        path = tmp_path / "letter.db"
        path.write_text("Dear customer, " * 100)
        checks = await found(database_url=f"sqlite:///{path}")
        assert "file is not a database" in checks["database"].message

    async def test_postgres_with_the_current_schema(self, found, postgres_url):
        checks = await found(database_url=postgres_url)
        assert failed(checks) == []
        assert checks["database"].message.startswith("PostgreSQL ")

    async def test_postgres_without_tables_stays_without(self, found, postgres_url):
        empty = postgres.new_database(postgres_url)
        for _ in range(2):
            checks = await found(database_url=empty)
            assert "has no tables yet" in checks["database"].message

    async def test_postgres_that_does_not_run(self, found):
        port = unused_port()
        checks = await found(database_url=f"postgresql://backstop:hush-hush@127.0.0.1:{port}/backstop")
        assert failed(checks) == ["database"]
        assert f"PostgreSQL 127.0.0.1:{port}/backstop cannot be reached" in checks["database"].message
        assert "running" in checks["database"].remedy

    @pytest.mark.parametrize(
        "url",
        [
            "sqlite://",
            "sqlite:///:memory:",
            "mysql://host/name",
            "backstop.db",
            "postgresql://host:port/name",
            "postgresql://host",
        ],
    )
    async def test_an_address_that_cannot_be_used(self, url, found):
        checks = await found(database_url=url)
        assert checks["database"].message == "DATABASE_URL cannot be used"


class TestPolicy:
    async def test_a_missing_file(self, found, tmp_path):
        checks = await found(backstop_policy_file=str(tmp_path / "policy.toml"))
        assert failed(checks) == ["billing policy"]
        assert checks["billing policy"].message.endswith("there is no such file")
        assert "BACKSTOP_POLICY_FILE" in checks["billing policy"].remedy

    async def test_a_file_that_says_nonsense(self, found, tmp_path):
        (tmp_path / "policy.toml").write_text("schema = 1\nmercy = true\n")
        checks = await found(backstop_policy_file=str(tmp_path / "policy.toml"))
        assert "mercy" in checks["billing policy"].message

    async def test_an_exemption_that_has_ended(self, found, tmp_path):
        ends = 'schema = 1\n[[exempt]]\ntenant = "11111111-2222-4333-8444-555555555555"\nreason = "plan"\nby = "Ana"\n'
        (tmp_path / "policy.toml").write_text(f"{ends}until = {noon.date()}\n")
        assert failed(await found(backstop_policy_file=str(tmp_path / "policy.toml"))) == []
        (tmp_path / "policy.toml").write_text(f"{ends}until = {noon.date() - timedelta(days=1)}\n")
        checks = await found(backstop_policy_file=str(tmp_path / "policy.toml"))
        assert failed(checks) == ["billing policy"]
        assert "ended on" in checks["billing policy"].message


class TestSlack:
    async def test_a_wrong_bot_token(self, found):
        checks = await found(slack_bot_token="xoxb-wrong")
        assert checks["Slack token"].message == "Slack refuses SLACK_BOT_TOKEN (invalid_auth)"
        assert "xoxb-…" in checks["Slack token"].remedy
        assert checks["Slack scopes"].message == "not looked at: Slack refuses the token (invalid_auth)"
        assert checks["Slack delivery"].ok

    async def test_a_wrong_app_token(self, found):
        checks = await found(slack_app_token="xapp-wrong")
        assert failed(checks) == ["Slack delivery"]
        assert "SLACK_APP_TOKEN (invalid_auth)" in checks["Slack delivery"].message
        assert "connections:write" in checks["Slack delivery"].remedy

    async def test_the_tokens_the_wrong_way_round(self, found, slack):
        checks = await found(slack_bot_token=slack.app_token, slack_app_token=slack.bot_token)
        assert "not_allowed_token_type" in checks["Slack token"].message
        assert "not_allowed_token_type" in checks["Slack delivery"].message
        assert "xoxb-…" in checks["Slack token"].remedy
        assert "xapp-…" in checks["Slack delivery"].remedy

    async def test_http_needs_no_app_token(self, found):
        checks = await found(slack_app_token="", slack_signing_secret="hush-hush", port=3001)
        assert failed(checks) == []
        assert checks["Slack delivery"].message == "signed HTTP to port 3001"

    @pytest.mark.parametrize("slack", [without_scope("im:write")], indirect=True)
    async def test_a_scope_that_was_not_granted(self, found):
        checks = await found()
        assert failed(checks) == ["Slack scopes"]
        assert checks["Slack scopes"].message == "missing: im:write"
        assert "`backstop manifest`" in checks["Slack scopes"].remedy

    @pytest.mark.parametrize("slack", [manifest(url=None)], indirect=True)
    async def test_our_own_manifest_is_enough(self, found):
        checks = await found()
        assert failed(checks) == []
        assert checks["Slack scopes"].message.startswith("all ")
        assert checks["approvals channel"].message.startswith("C0APPROVALS: unknown")

    async def test_slack_does_not_say_the_scopes(self, found):
        async def answer(_request: web.Request) -> web.Response:
            return web.json_response({"ok": True, "users": ["U1"], "channel": {"is_member": True}})

        async with serving(answer) as url:
            checks = await found(slack_api_url=url)
        assert checks["Slack scopes"] == Check(
            "Slack scopes", True, "unknown: Slack did not say", doubtful=True
        )

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(lambda: web.Response(text="404: Not Found", status=404), id="plain text"),
            pytest.param(lambda: web.Response(text="<p>Sign in</p>", content_type="text/html"), id="a page"),
            pytest.param(lambda: web.Response(text="{", content_type="application/json"), id="broken JSON"),
            pytest.param(lambda: web.json_response([]), id="other JSON"),
            pytest.param(lambda: web.Response(status=503), id="an error"),
        ],
    )
    async def test_something_else_answers_in_slacks_place(self, answer: Callable[[], web.Response], found):
        async def anything(_request: web.Request) -> web.Response:
            return answer()

        async with serving(anything) as url:
            checks = await found(slack_api_url=url)
        assert f"no usable answer from Slack at {url}" in checks["Slack token"].message
        assert "SLACK_API_URL" in checks["Slack token"].remedy

    async def test_slack_out_of_reach(self, found):
        checks = await found(slack_api_url=f"http://127.0.0.1:{unused_port()}/api/")
        assert "no usable answer from Slack" in checks["Slack token"].message
        assert [name for name in failed(checks) if name in ("settings", "database", "Partner Center")] == []


class TestChannels:
    async def test_the_app_is_not_in_it(self, found):
        checks = await found(backstop_overdue_channel="C0GENERAL")
        assert failed(checks) == ["overdue channel"]
        assert checks["overdue channel"].message == "the app is not in #general (C0GENERAL)"
        assert "/invite @Backstop" in checks["overdue channel"].remedy

    async def test_an_archived_one(self, found, slack):
        slack.workspace.channel("csp-approvals").is_archived = True
        checks = await found()
        assert failed(checks) == ["approvals channel"]
        assert checks["approvals channel"].message == "#csp-approvals (C0APPROVALS) is archived"
        assert "BACKSTOP_APPROVALS_CHANNEL" in checks["approvals channel"].remedy

    async def test_one_nobody_knows(self, found):
        checks = await found(backstop_overdue_channel="C0NOWHERE")
        assert "channel_not_found" in checks["overdue channel"].message
        assert "BACKSTOP_OVERDUE_CHANNEL" in checks["overdue channel"].remedy

    async def test_direct_messages_need_no_invitation(self, found):
        assert failed(await found(backstop_overdue_channel="D0ANA")) == []

    async def test_none_is_looked_at_that_is_not_set(self, found):
        assert "overdue channel" not in await found(backstop_overdue_channel="")

    @pytest.mark.parametrize("error", ["missing_scope", "unknown_method"])
    async def test_unknown_is_not_wrong(self, error, found, slack):
        slack.fail("conversations.info", error=error, times=2)
        checks = await found()
        assert failed(checks) == []
        assert "unknown" in checks["approvals channel"].message


class TestPeople:
    @pytest.mark.parametrize("who", ["operators", "approvers"])
    async def test_nobody_is_named(self, who, found):
        checks = await found(**{f"backstop_{who}": ""})
        assert failed(checks) == [who]
        assert checks[who].message == "nobody is named"
        assert f"BACKSTOP_{who.upper()}" in checks[who].remedy

    async def test_a_group_that_does_not_exist(self, found):
        checks = await found(backstop_operators="U0ANA,S0NOBODY")
        assert failed(checks) == ["operators"]
        assert "S0NOBODY cannot be read (no_such_subteam)" in checks["operators"].message

    async def test_an_empty_group(self, found, slack):
        slack.workspace.groups["S0EMPTY"] = Group("S0EMPTY", "empty", "Empty", ())
        checks = await found(backstop_approvers="S0EMPTY")
        assert failed(checks) == ["approvers"]
        assert checks["approvers"].message == "the user group S0EMPTY is empty"

    async def test_codes_need_a_key_to_seal_secrets_with(self, found, tmp_path):
        (tmp_path / "codes.toml").write_text('schema = 1\n[step_up]\nreasons = ["fraud"]\n')
        checks = await found(backstop_policy_file=str(tmp_path / "codes.toml"))
        assert failed(checks) == ["billing policy"]
        assert "BACKSTOP_SECRET_KEY" in checks["billing policy"].remedy

    async def test_auditors_and_admins_are_looked_at_where_they_are_named(self, found):
        assert not {"auditors", "admins"} & (await found()).keys()
        checks = await found(backstop_auditors="U0EVE", backstop_admins="S0NOBODY")
        assert failed(checks) == ["admins"]
        assert checks["auditors"].ok

    async def test_groups_that_only_the_policy_names(self, found, slack, tmp_path):
        policy = tmp_path / "reach.toml"
        policy.write_text('schema = 1\n[[rights]]\nmay = "approve"\nwho = ["S0EMEA", "U0BEN"]\n')
        checks = await found(backstop_policy_file=str(policy))
        assert failed(checks) == ["groups of the policy"]
        assert "S0EMEA cannot be read (no_such_subteam)" in checks["groups of the policy"].message
        assert "Correct the billing policy" in checks["groups of the policy"].remedy

        slack.workspace.groups["S0EMEA"] = Group("S0EMEA", "emea", "EMEA", ("U0BEN",))
        checks = await found(backstop_policy_file=str(policy))
        assert (failed(checks), checks["groups of the policy"].message) == ([], "S0EMEA")
        assert "groups of the policy" not in await found()

    async def test_groups_that_may_not_be_read(self, found, slack):
        slack.fail("usergroups.users.list", error="missing_scope", times=2)
        checks = await found()
        assert failed(checks) == ["operators", "approvers"]
        assert "usergroups:read" in checks["operators"].remedy

    @pytest.mark.parametrize(
        ("operators", "approvers", "approvals"),
        [
            pytest.param("U0ANA", "U0ANA", 1, id="the only approver is the only operator"),
            pytest.param("S0BILLING", "U0ANA", 1, id="also where a group is named"),
            pytest.param("U0ANA", "U0ANA,U0BEN", 2, id="two are needed and there is one other"),
            pytest.param("U0EVE", "U0BEN", 2, id="two are needed and there is one"),
        ],
    )
    async def test_nobody_could_approve(self, operators, approvers, approvals, found):
        checks = await found(
            backstop_operators=operators, backstop_approvers=approvers, backstop_approvals_suspend=approvals
        )
        assert failed(checks) == ["four eyes"]
        assert checks["four eyes"].remedy == "Name more people in BACKSTOP_APPROVERS."

    async def test_the_policy_may_ask_for_more_approvals(self, found, tmp_path):
        (tmp_path / "strict.toml").write_text(
            'schema = 1\n[[stage]]\nid = "late"\ndays_overdue = 60\naction = "propose_suspend"\napprovals = 2\n'
        )
        checks = await found(
            backstop_policy_file=str(tmp_path / "strict.toml"),
            backstop_operators="U0EVE",
            backstop_approvers="U0BEN",
        )
        assert failed(checks) == ["four eyes"]

    async def test_somebody_whose_requests_nobody_could_approve_is_named(self, found):
        checks = await found(backstop_operators="U0ANA,U0BEN", backstop_approvers="U0BEN")
        assert failed(checks) == []
        assert "U0BEN" in checks["four eyes"].message

    async def test_without_approvals_nobody_need_approve(self, found):
        checks = await found(backstop_approvers="", backstop_approvals_suspend=0)
        assert failed(checks) == []


class TestPartnerCenter:
    @pytest.mark.parametrize(
        ("changed", "said", "remedy"),
        [
            ("partner_center_client_secret", "AADSTS7000215", "PARTNER_CENTER_CLIENT_SECRET"),
            ("partner_center_client_id", "AADSTS700016", "PARTNER_CENTER_CLIENT_ID"),
            ("partner_center_tenant_id", "AADSTS90002", "PARTNER_CENTER_TENANT_ID"),
        ],
    )
    async def test_refused(self, changed, said, remedy, found):
        checks = await found(**{changed: "0b5c6a1e-wrong"})
        assert failed(checks) == ["Partner Center"]
        assert said in checks["Partner Center"].message
        assert remedy in checks["Partner Center"].remedy

    async def test_not_set(self, found):
        checks = await found(partner_center_client_secret="")
        assert failed(checks) == ["settings", "Partner Center"]
        assert checks["Partner Center"].message == "PARTNER_CENTER_CLIENT_SECRET is not set"

    async def test_both_ways_where_there_is_a_refresh_token(self, found, center):
        checks = await found(partner_center_refresh_token=center.refresh_token)
        assert failed(checks) == []
        assert checks["Partner Center (App+User)"].message == "signed in to global (App+User)"

    async def test_a_refresh_token_that_ran_out(self, found):
        checks = await found(partner_center_refresh_token="0.AAAA-spent")
        assert failed(checks) == ["Partner Center (App+User)"]
        assert "invalid_grant" in checks["Partner Center (App+User)"].message
        assert "PARTNER_CENTER_REFRESH_TOKEN" in checks["Partner Center (App+User)"].remedy

    async def test_signed_in_without_rights(self, found, center):
        center.faults.add(method="GET", path_contains="/customers", status=403, times=9)
        checks = await found()
        assert failed(checks) == ["Partner Center"]
        assert checks["Partner Center"].message.startswith("signed in, but")

    async def test_another_service_at_its_address(self, found, slack):
        checks = await found(partner_center_base_url=slack.page_url)
        assert failed(checks) == ["Partner Center"]
        assert "PARTNER_CENTER_CLOUD" in checks["Partner Center"].remedy

    async def test_an_address_that_is_none(self, found):
        checks = await found(partner_center_base_url="https://ana:hush-hush@127.0.0.1")
        assert checks["Partner Center"].message == "PARTNER_CENTER_BASE_URL cannot be used (not-an-address)"


class TestTickets:
    AZURE: ClassVar[dict[str, Any]] = {
        "backstop_ticket_handover": "azure",
        "backstop_ticket_contact": "Ana Berg <support@partner.example> +49 30 1234",
        "backstop_ticket_country": "DEU",
    }

    async def test_by_hand_there_is_nothing_to_look_at(self, found):
        assert not [name for name in await found() if "tickets" in name]

    async def test_the_app_has_to_be_in_their_channel(self, found, slack):
        slack.workspace.channels["C0TICKETS"].members.discard(slack.workspace.bot.id)
        checks = await found(backstop_tickets_channel="C0TICKETS")
        assert checks["tickets channel"].remedy.startswith("Type /invite")

    @pytest.mark.parametrize("missing", ["smtp_url", "backstop_ticket_email"])
    async def test_by_email_an_address_and_a_server_are_needed(self, found, missing):
        given = {"smtp_url": "smtp://127.0.0.1:1", "backstop_ticket_email": "desk@partner.example"}
        given |= {"backstop_ticket_handover": "fraud=email"}
        checks = await found(**(given | {missing: None}))
        for name in ("settings", "tickets by email"):
            assert checks[name].message == f"{missing.upper()} is not set"
        assert (await found(**given))["tickets by email"].message == "go to desk@partner.example"

    async def test_through_azure_all_is_well(self, found, center):
        check = (await found(azure_base_url=center.arm_url, **self.AZURE))["tickets through Azure"]
        assert check.ok, check
        assert check.message == "signed in, 3 services to choose from"

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"partner_center_cloud": "china"}, "in the global cloud only, and this is china"),
            ({"backstop_ticket_contact": "support@partner.example"}, "BACKSTOP_TICKET_CONTACT"),
            ({"backstop_ticket_contact": None}, "BACKSTOP_TICKET_CONTACT"),
            ({"backstop_ticket_country": None}, "BACKSTOP_TICKET_COUNTRY is not set"),
            ({"partner_center_client_secret": "wrong"}, "refuses the sign-in to Azure: invalid_client"),
            ({"azure_base_url": "https://a.example/?b"}, "AZURE_BASE_URL cannot be used"),
        ],
        ids=["21Vianet", "no contact", "nobody", "no country", "a wrong secret", "no address"],
    )
    async def test_through_azure_what_is_missing_is_named(self, found, center, changed, said):
        checks = await found(**({"azure_base_url": center.arm_url} | self.AZURE | changed))
        assert not checks["tickets through Azure"].ok
        assert said in checks["tickets through Azure"].message

    async def test_a_contact_without_a_phone_is_mentioned(self, found, center):
        given = self.AZURE | {"backstop_ticket_contact": "Ana Berg <support@partner.example>"}
        check = (await found(azure_base_url=center.arm_url, **given))["tickets through Azure"]
        assert check.ok
        assert "critical ones cannot be opened" in check.message

    async def test_azure_shows_nothing(self, found, center):
        center.faults.add(status=403, path_contains="Microsoft.Support")
        check = (await found(azure_base_url=center.arm_url, **self.AZURE))["tickets through Azure"]
        assert "Support Request Contributor" in check.remedy


async def test_who_never_answers_is_not_waited_for(found):
    """Slack, Partner Center and the database take the connection and then say nothing."""
    async with mute() as port:
        checks = await found(
            patience=0.3,
            database_url=f"postgresql://127.0.0.1:{port}/backstop",
            slack_api_url=f"http://127.0.0.1:{port}/api/",
            partner_center_authority_url=f"http://127.0.0.1:{port}",
        )
    assert failed(checks) == [name for name in ALL if name not in ("settings", "billing policy", "four eyes")]
    assert {checks[name].message for name in failed(checks)} == {"no answer within 0.3 seconds"}


async def test_no_secret_is_told_even_if_the_other_side_repeats_it(found, slack, center):
    secrets = {
        "slack_bot_token": "xoxb-hush-1",
        "slack_app_token": "xapp-hush-2",
        "slack_signing_secret": "hush-3",
        "partner_center_client_secret": "hush-4",
        "partner_center_refresh_token": "hush-5",
    }

    async def repeat(request: web.Request) -> web.Response:
        said = f"{dict(request.headers)} {dict(await request.post())}"
        return web.json_response({"ok": False, "error": said, "error_description": said}, status=400)

    async with serving(repeat) as url, refusing_postgres("neither hush-6 nor hush-7") as port:
        checks = await found(
            **secrets,
            database_url=f"postgresql://backstop:hush-6@127.0.0.1:{port}/backstop?password=hush-7",
            slack_api_url=url,
            partner_center_authority_url=url,
        )
    assert failed(checks) == [
        *(name for name in ALL if name not in ("settings", "billing policy", "four eyes")),
        "Partner Center (App+User)",
    ]
    assert "neither *** nor ***" in checks["database"].message
    assert "***" in checks["Slack token"].message
    assert "hush" not in json.dumps(as_json(checks.values()))


async def test_a_short_password_does_not_blot_out_every_word(found):
    checks = await found(database_url=f"postgresql://a:e@127.0.0.1:{unused_port()}/backstop")
    assert "cannot be reached or read" in checks["database"].message


async def test_what_comes_from_outside_cannot_draw_in_the_terminal(found, slack):
    slack.workspace.name = "Acme\x1b[2J\r\nok"
    assert (await found())["Slack token"].message == "backstop in Acme [2J ok"


class TestReceivables:
    """Every accounting system that is configured, asked for real."""

    @pytest.fixture
    async def stripe(self) -> AsyncIterator[StripeSide]:
        async with StripeSide() as side:
            yield side

    @pytest.fixture
    async def xero(self) -> AsyncIterator[XeroSide]:
        async with XeroSide() as side:
            yield side

    @pytest.fixture
    async def central(self) -> AsyncIterator[BusinessCentralSide]:
        async with BusinessCentralSide() as side:
            yield side

    @staticmethod
    def of_stripe(side: StripeSide, **changed: Any) -> dict[str, Any]:
        right = {"receivables_stripe_api_key": stripe_side.KEY, "receivables_stripe_base_url": side.url}
        return {"receivables_sources": "stripe"} | right | changed

    @staticmethod
    def of_xero(side: XeroSide, **changed: Any) -> dict[str, Any]:
        right = {
            "receivables_sources": "xero",
            "receivables_xero_client_id": "backstop-app",
            "receivables_xero_client_secret": xero_side.SECRET,
            "receivables_xero_refresh_token": "xero-canary-refresh-0",
            "receivables_xero_organisation_id": xero_side.ORGANISATION,
            "receivables_xero_base_url": side.url,
            "receivables_xero_identity_url": side.url,
            "backstop_secret_key": "a key of thirty-two characters, or more",
        }
        return right | changed

    @staticmethod
    def of_central(side: BusinessCentralSide, **changed: Any) -> dict[str, Any]:
        right = {
            "receivables_sources": "business-central",
            "receivables_business_central_tenant_id": business_central_side.TENANT,
            "receivables_business_central_company_id": business_central_side.COMPANY,
            "receivables_business_central_client_id": "backstop-app",
            "receivables_business_central_client_secret": business_central_side.SECRET,
            "receivables_business_central_base_url": side.url,
            "receivables_business_central_authority_url": side.url,
        }
        return right | changed

    @staticmethod
    def of_sql(tmp_path: Path, query: str, **changed: Any) -> dict[str, Any]:
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
            connection.execute("CREATE TABLE debts (customer, number, due, currency, amount)")
        (tmp_path / "open.sql").write_text(query, "utf-8")
        right = {
            "receivables_sources": "sql",
            "receivables_sql_url": f"sqlite:///{tmp_path / 'ledger.db'}",
            "receivables_sql_query_file": "open.sql",
        }
        return right | changed

    async def test_each_that_answers_is_well(self, found, tmp_path, stripe, xero, central):
        columns = "customer, number AS document_number, due AS due_date, currency, amount AS open_amount"
        query = f"SELECT {columns} FROM debts"  # noqa: S608  our own words
        settings = (
            self.of_stripe(stripe)
            | self.of_xero(xero)
            | self.of_central(central)
            | self.of_sql(tmp_path, query)
        )
        checks = await found(**settings | {"receivables_sources": "stripe,xero,business-central,sql"})
        assert [name for name in checks if name.startswith("receivables")] == [
            "receivables: stripe",
            "receivables: xero",
            "receivables: business-central",
            "receivables: sql",
        ]
        assert failed(checks) == []

    async def test_none_is_looked_at_that_is_not_configured(self, found, stripe):
        await found(**self.of_stripe(stripe, receivables_sources=""))
        assert stripe.asked == []

    async def test_a_wrong_key_says_which_setting_and_no_secret(self, found, stripe, xero, central):
        wrong = (
            self.of_stripe(stripe, receivables_stripe_api_key="rk_hush_1234")
            | self.of_xero(xero, receivables_xero_client_secret="hush-hush-1234")
            | self.of_central(central, receivables_business_central_client_secret="hush-hush-1234")
        )
        checks = await found(**wrong | {"receivables_sources": "stripe,xero,business-central"})
        remedies = {
            name: checks[f"receivables: {name}"].remedy for name in ("stripe", "xero", "business-central")
        }
        assert "RECEIVABLES_STRIPE_API_KEY" in remedies["stripe"]
        assert "RECEIVABLES_XERO_CLIENT_SECRET" in remedies["xero"]
        assert "RECEIVABLES_BUSINESS_CENTRAL_CLIENT_SECRET" in remedies["business-central"]
        assert "hush" not in json.dumps(as_json(checks.values()))

    async def test_rights_that_are_missing_are_named(self, found, stripe):
        stripe.then(answer(403, {"error": {"message": "no permission"}}))
        check = (await found(**self.of_stripe(stripe)))["receivables: stripe"]
        assert (check.ok, "read access" in check.remedy) == (False, True)

    async def test_nobody_there(self, found, stripe):
        nowhere = {"receivables_stripe_base_url": f"http://127.0.0.1:{unused_port()}"}
        check = (await found(**self.of_stripe(stripe, **nowhere)))["receivables: stripe"]
        assert (check.ok, check.message) == (False, "no usable answer: no-connection ConnectError")

    async def test_a_setting_that_is_missing_is_named(self, found, stripe):
        checks = await found(**self.of_stripe(stripe, receivables_stripe_api_key=""))
        assert failed(checks) == ["settings", "receivables: stripe"]
        assert checks["receivables: stripe"].message == "RECEIVABLES_STRIPE_API_KEY is not set"

    async def test_a_query_whose_columns_are_not_ours(self, found, tmp_path):
        check = (await found(**self.of_sql(tmp_path, "SELECT customer, number FROM debts")))[
            "receivables: sql"
        ]
        assert "unknown-column number" in check.message
        assert "RECEIVABLES_SQL_QUERY_FILE" in check.remedy

    async def test_xero_is_asked_twice_and_no_token_twice(self, found, xero):
        for _ in range(2):
            assert (await found(**self.of_xero(xero)))["receivables: xero"].ok
        assert [form["refresh_token"] for form in xero.forms] == [
            "xero-canary-refresh-0",
            "xero-canary-refresh-1",
        ]

    async def test_xero_is_not_asked_where_its_new_token_could_not_be_kept(self, found, xero, tmp_path):
        empty = f"sqlite:///{tmp_path / 'empty.db'}"
        check = (await found(**self.of_xero(xero, database_url=empty)))["receivables: xero"]
        assert (check.ok, xero.forms) == (False, [])
        assert "backstop migrate" in check.remedy
        assert not (tmp_path / "empty.db").exists()

    @pytest.mark.parametrize(
        ("changed", "remedy"),
        [
            pytest.param(
                {"receivables_xero_refresh_token": "spent"}, "Sign in to Xero anew", id="a spent token"
            ),
            pytest.param(
                {"backstop_secret_key": "another key of thirty-two characters"},
                "BACKSTOP_SECRET_KEY",
                id="a new key",
            ),
        ],
    )
    async def test_xero_says_when_a_person_has_to_sign_in(self, changed, remedy, found, xero):
        assert (await found(**self.of_xero(xero)))["receivables: xero"].ok
        check = (await found(**self.of_xero(xero, **changed)))["receivables: xero"]
        assert (check.ok, remedy in check.remedy) == (False, True)
