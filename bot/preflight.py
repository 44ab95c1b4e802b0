"""`backstop check`: what stands in the way of `backstop run`, and what to do about it. It changes nothing.

One thing cannot be tried without a change: Xero gives a new refresh token at each sign-in, which is kept for the next.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final

from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bot import policy_file, preflight_database, preflight_receivables, preflight_tickets
from bot.amiss import Amiss, Doubtful, Probe, said
from bot.checklist import Check
from bot.core import mail_of
from bot.domain.errors import (
    AccessDenied,
    Invalid,
    NotFound,
    Rejected,
    SignInFailed,
    Unavailable,
    Upstream,
)
from bot.domain.policy import BillingPolicy
from bot.microsoft import partner_center_of
from bot.policy_file import BadPolicy
from bot.preflight_database import schema_is_current
from bot.preflight_receivables import NO_PLACE_FOR_A_TOKEN
from bot.settings import BadSettings, Mode, Settings
from bot.slack import slack_client
from bot.start_up import check_ready_to_run
from bot.store import Store
from bot.store.store import async_url
from handlers.desk import call
from handlers.manifest import bot_scopes

PATIENCE_SECONDS: Final = 10.0
"""How long a single check may take."""
SHORT_SECRET: Final = 8

log = logging.getLogger(__name__)


async def check(
    settings: Settings, *, now: Callable[[], datetime], patience: float = PATIENCE_SECONDS
) -> tuple[Check, ...]:
    """Look at everything `run` depends on. Never raises; no message holds a secret."""
    preflight = _Preflight(settings, now=now, patience=patience)
    groups = await asyncio.gather(
        preflight.ground(),
        preflight.slack(),
        preflight.delivery(),
        preflight.people(),
        preflight.partner_center(),
        preflight.receivables(),
        preflight.mail(),
        preflight.tickets(),
    )
    return tuple(found for group in groups for found in group)


def _explained(error: Exception) -> Amiss:
    """What no probe has words of its own for."""
    match error:
        case Amiss():
            return error
        case BadSettings():
            message, _, remedy = str(error).partition(": ")
            return Amiss(message, f"{remedy[:1].upper()}{remedy[1:]}.")
        case SignInFailed():  # only the checks that come after the token's own
            return Amiss(
                f"not looked at: Slack refuses the token ({error.reason})", "Put the Slack token right first."
            )
        case Upstream():
            return Amiss(
                f"no usable answer from {error.system} ({error.reason or error.code})",
                "Try again in a minute; if it stays, look at the status page of that system.",
            )
    return Amiss(
        f"failed unexpectedly ({type(error).__name__})",
        "Try again; if it stays, report it together with this line.",
    )


class _Preflight:
    def __init__(self, settings: Settings, *, now: Callable[[], datetime], patience: float) -> None:
        self._settings = settings
        self._now = now
        self._patience = patience
        self._secrets = _secrets(settings)

    async def ground(self) -> list[Check]:
        """What there has to be before anything is connected to."""
        return await self._looks(
            {
                "settings": self._ready_to_run,
                "database": partial(preflight_database.look, self._settings.database_url),
                "billing policy": self._policy,
            }
        )

    async def slack(self) -> list[Check]:
        """What the bot token opens."""
        client, address = slack_client(self._settings), self._settings.slack_api_url
        return await self._looks(
            {
                "Slack token": partial(self._token, client),
                "Slack scopes": partial(_scopes, client, address),
                **{
                    f"{what} channel": partial(_channel, client, setting, channel)
                    for what, setting, channel in self._channels()
                },
            }
        )

    async def people(self) -> list[Check]:
        """Whether somebody may ask, and somebody else may decide."""
        client, needed = slack_client(self._settings), self._approvals_needed()
        (operators, may_ask), (approvers, may_decide) = await asyncio.gather(
            self._named(client, "operators", self._settings.backstop_operators, needed=True),
            self._named(client, "approvers", self._settings.backstop_approvers, needed=needed > 0),
        )
        others = [
            (await self._named(client, what, names, needed=False))[0]
            for what, names in (
                ("auditors", self._settings.backstop_auditors),
                ("admins", self._settings.backstop_admins),
            )
            if names
        ]
        others += await self._policy_groups(client)
        if not (operators.ok and approvers.ok):
            return [operators, approvers, *others]
        return [
            operators,
            approvers,
            *others,
            await self._look("four eyes", partial(_four_eyes, may_ask, may_decide, needed)),
        ]

    async def delivery(self) -> list[Check]:
        """The way Slack reaches us."""
        return await self._looks({"Slack delivery": self._reached})

    async def mail(self) -> list[Check]:
        """The mail server for notices, where one is named."""
        return await self._looks({"mail server": self._mail_server} if self._settings.smtp_url else {})

    async def partner_center(self) -> list[Check]:
        probes = {"Partner Center": partial(self._sign_in, as_user=False)}
        if self._settings.partner_center_refresh_token:
            probes["Partner Center (App+User)"] = partial(self._sign_in, as_user=True)
        return await self._looks(probes)

    async def receivables(self) -> list[Check]:
        """Every accounting system that is configured."""
        return await self._looks(
            {
                f"receivables: {name}": partial(
                    preflight_receivables.look, self._settings, name, now=self._now
                )
                for name in self._settings.receivables_sources
            }
        )

    async def tickets(self) -> list[Check]:
        """The ways by which tickets are handed over, but by hand."""
        return await self._looks(
            preflight_tickets.probes(self._settings, now=self._now, open_store=self._token_store)
        )

    async def _looks(self, probes: Mapping[str, Probe]) -> list[Check]:
        return await asyncio.gather(*(self._look(name, probe) for name, probe in probes.items()))

    async def _look(self, name: str, probe: Probe) -> Check:
        """Run one probe within its time; whatever it raises becomes a line of the table."""
        try:
            async with asyncio.timeout(self._patience):
                found = await probe()
            return Check(name, True, self._clean(found), doubtful=isinstance(found, Doubtful))
        except TimeoutError:
            amiss = Amiss(
                f"no answer within {self._patience:g} seconds",
                "Check the address, the proxy and the firewall, then try again.",
            )
        except Exception as error:
            log.debug("%s", name, exc_info=True)
            amiss = _explained(error)
        return Check(name, False, self._clean(amiss.message), amiss.remedy)

    def _clean(self, text: str) -> str:
        """Fit for a terminal and for a log: one line, no control characters, no secrets."""
        text = self._secrets.sub("***", text)
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())

    async def _ready_to_run(self) -> str:
        check_ready_to_run(self._settings, listens=True)
        return "all that `backstop run` needs is set"

    async def _policy(self) -> str:
        path = self._settings.backstop_policy_file
        try:
            policy = policy_file.load(path, today=self._now().astimezone(self._settings.zone).date())
        except BadPolicy as error:
            raise Amiss(
                str(error),
                "Correct the file that BACKSTOP_POLICY_FILE names, or unset it for the packaged policy; "
                "until then the last good one stays in force, where there is one.",
            ) from None
        if policy.step_up and self._settings.backstop_secret_key is None:
            raise Amiss(
                "[step_up] wants codes, and no authenticator can be set up without BACKSTOP_SECRET_KEY",
                "Set BACKSTOP_SECRET_KEY to 32 random characters or more, or take [step_up] out of the policy.",
            )
        return f"{path or 'the packaged one'}, version {policy.version}"

    async def _token(self, client: AsyncWebClient) -> str:
        self._settings.need("slack_bot_token")
        try:
            who = await _hello(client, self._settings.slack_api_url)
        except (SignInFailed, Rejected) as error:
            raise Amiss(
                f"Slack refuses SLACK_BOT_TOKEN ({error.reason})",
                "Copy the Bot User OAuth Token (xoxb-…) from the app's page OAuth & Permissions again.",
            ) from error
        return f"{who.get('user')} in {who.get('team')}"

    async def _reached(self) -> str:
        token = self._settings.slack_app_token
        if self._settings.mode is Mode.HTTP or token is None:
            if not self._settings.slack_signing_secret:
                raise Amiss(
                    "neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set",
                    "For Socket Mode create an app-level token (xapp-…) with the scope connections:write and set "
                    "SLACK_APP_TOKEN to it; for HTTP set SLACK_SIGNING_SECRET.",
                )
            return f"signed HTTP to port {self._settings.http_port}"
        try:
            await _ask(slack_client(self._settings).apps_connections_open, app_token=token.get_secret_value())
        except (SignInFailed, Rejected) as error:
            raise Amiss(
                f"Slack refuses SLACK_APP_TOKEN ({error.reason})",
                "Create an app-level token (xapp-…) with the scope connections:write and set SLACK_APP_TOKEN to it.",
            ) from error
        except Unavailable as error:
            raise _silent(error, self._settings.slack_api_url) from error
        return "Socket Mode"

    def _channels(self) -> list[tuple[str, str, str]]:
        configured = (
            ("approvals", "BACKSTOP_APPROVALS_CHANNEL", self._settings.backstop_approvals_channel),
            ("overdue", "BACKSTOP_OVERDUE_CHANNEL", self._settings.backstop_overdue_channel),
            ("suspicious", "BACKSTOP_SUSPICIOUS_CHANNEL", self._settings.backstop_suspicious_channel),
            ("tickets", "BACKSTOP_TICKETS_CHANNEL", self._settings.backstop_tickets_channel),
            ("audit", "BACKSTOP_AUDIT_CHANNEL", self._settings.backstop_audit_channel),
        )
        return [(what, setting, channel) for what, setting, channel in configured if channel]

    async def _named(
        self, client: AsyncWebClient, who: str, names: Sequence[str], *, needed: bool
    ) -> tuple[Check, set[str]]:
        """The check, and the ids of everybody who is meant."""
        people = {name for name in names if not name.startswith("S")}
        setting = f"BACKSTOP_{who.upper()}"

        async def probe() -> str:
            if not names and needed:
                raise Amiss(
                    "nobody is named",
                    f"Set {setting} to user ids (U…) or user-group ids (S…), separated by commas.",
                )
            for group in sorted(set(names) - people):
                people.update(await _members(client, group, setting))
            if not names:
                return Doubtful("nobody, and no approval is asked for")
            return f"{len(people)} {'person' if len(people) == 1 else 'people'}: {', '.join(names)}"

        return await self._look(who, probe), people

    async def _policy_groups(self, client: AsyncWebClient) -> list[Check]:
        """Whether Slack knows them: while it does not say who is in one of them, nobody is let in."""
        policy = self._policy_read()
        groups = sorted(policy.groups) if policy else []

        async def probe() -> str:
            for group in groups:
                await _members(client, group, "the billing policy")
            return ", ".join(groups)

        return [await self._look("groups of the policy", probe)] if groups else []

    def _policy_read(self) -> BillingPolicy | None:
        """None where it cannot be read, which is told elsewhere."""
        try:
            return policy_file.load(self._settings.backstop_policy_file)
        except BadPolicy:
            return None

    def _approvals_needed(self) -> int:
        """What a suspension for non-payment needs; the billing policy may ask for more than the settings."""
        policy = self._policy_read()
        stage = policy.suspend_stage if policy else None
        return max(self._settings.backstop_approvals_suspend, stage.approvals if stage else 0)

    async def _mail_server(self) -> str:
        mail = mail_of(self._settings, now=self._now)
        if mail is None:
            raise Amiss(
                "nobody is named whom mail is from, so notices can only be sent by hand",
                "Set BACKSTOP_MAIL_FROM, such as Billing <billing@example.com>.",
            )
        try:
            await mail.sign_in()
        except SignInFailed as error:
            raise Amiss(
                f"the mail server refuses the sign-in ({error.reason})",
                "Correct user and password in SMTP_URL; write @ / ? # in them as %40 %2F %3F %23.",
            ) from error
        except Upstream as error:
            raise Amiss(
                f"the mail server cannot be used ({error.reason})",
                "Look at host and port in SMTP_URL, and whether the server offers STARTTLS with a valid certificate.",
            ) from error
        return f"lets us in; mail is from {mail.sender}"

    async def _sign_in(self, *, as_user: bool) -> str:
        self._settings.need(
            "partner_center_tenant_id", "partner_center_client_id", "partner_center_client_secret"
        )
        store = await self._token_store() if as_user else None
        try:
            client, to_close = partner_center_of(self._settings, now=self._now, as_user=as_user, store=store)
        except Invalid as error:
            if store:
                await store.close()
            raise Amiss(
                f"{error.at} cannot be used ({error.reason})", f"Correct {error.at} or unset it."
            ) from None
        try:
            await client.sign_in()
        except SignInFailed as error:
            raise Amiss(
                f"Microsoft refuses the sign-in: {said(error)}", _sign_in_remedy(error.reason)
            ) from error
        except AccessDenied as error:
            raise Amiss(
                f"signed in, but Partner Center refuses to list customers: {said(error)}",
                "Add the app in Partner Center under App management, and give the account the Admin agent role.",
            ) from error
        except (Upstream, NotFound) as error:
            raise Amiss(
                f"Partner Center does not answer as it should: {said(error)}",
                "Check PARTNER_CENTER_CLOUD and the PARTNER_CENTER_…_URL settings, then try again.",
            ) from error
        finally:
            for opened in to_close:
                await opened.aclose()
            if store:
                await store.close()
        how = "App+User" if as_user else "app-only"
        return f"signed in to {self._settings.partner_center_cloud.value} ({how})"

    async def _token_store(self) -> Store | None:
        """Where refresh tokens of Partner Center's are kept, as the settings say; the caller closes it."""
        settings = self._settings
        if settings.partner_center_refresh_token is None or settings.backstop_secret_key is None:
            return None
        if not await schema_is_current(settings.database_url):
            raise Amiss(*NO_PLACE_FOR_A_TOKEN)
        return Store(settings.database_url, now=self._now)


# Slack


async def _ask(method: Callable[..., Awaitable[AsyncSlackResponse]], **arguments: str) -> AsyncSlackResponse:
    """One call; raises SignInFailed or Rejected for what Slack says, and Unavailable for all else."""
    try:
        return await call(method, **arguments)
    except Rejected as error:
        if error.reason == "error":  # not one of Slack's words: something else answers at that address
            raise Unavailable("slack", f"HTTP {error.status}" if error.status else "unreadable") from error
        raise
    except AttributeError as error:  # what Slack's client makes of an answer that is no JSON object
        raise Unavailable("slack", "unreadable") from error


def _must_have_token(client: AsyncWebClient) -> None:
    """What Slack would say without one tells nothing."""
    if not client.token:
        raise Amiss("not looked at: there is no Slack token", "Put the Slack token right first.")


async def _hello(client: AsyncWebClient, address: str) -> AsyncSlackResponse:
    try:
        return await _ask(client.auth_test)
    except Unavailable as error:
        raise _silent(error, address) from error


def _silent(error: Upstream, address: str) -> Amiss:
    return Amiss(
        f"no usable answer from Slack at {address} ({error.reason})",
        "Check SLACK_API_URL, and that this machine can reach it.",
    )


async def _scopes(client: AsyncWebClient, address: str) -> str:
    """Slack says in a header of every answer what it has granted."""
    _must_have_token(client)
    answer = await _hello(client, address)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if "x-oauth-scopes" not in headers:
        return Doubtful("unknown: Slack did not say")
    granted = {scope.strip() for scope in headers["x-oauth-scopes"].split(",")}
    wanted = bot_scopes()
    missing = [scope for scope in wanted if scope not in granted]
    if missing:
        raise Amiss(
            f"missing: {', '.join(missing)}",
            "Give the app the manifest that `backstop manifest` prints, and install it to the workspace again.",
        )
    return f"all {len(wanted)} are granted"


async def _channel(client: AsyncWebClient, setting: str, channel: str) -> str:
    """Looking needs a scope that only this check would use, so we do not ask for it."""
    _must_have_token(client)
    try:
        found: dict[str, Any] = (await _ask(client.conversations_info, channel=channel))["channel"]
    except Rejected as error:
        if error.reason in ("missing_scope", "unknown_method"):
            return Doubtful(f"{channel}: unknown: Slack lets us look only with the scope channels:read")
        raise Amiss(
            f"{channel}: Slack does not show it ({error.reason})",
            f"Copy the channel's id from its details in Slack to {setting}; invite the app where it is private.",
        ) from error
    shown = f"#{found['name']} ({channel})" if found.get("name") else channel
    if found.get("is_archived"):
        raise Amiss(f"{shown} is archived", f"Unarchive it, or set {setting} to another channel.")
    if not (found.get("is_member") or found.get("is_im")):
        raise Amiss(f"the app is not in {shown}", "Type /invite @Backstop in that channel.")
    return shown


async def _members(client: AsyncWebClient, group: str, setting: str) -> frozenset[str]:
    _must_have_token(client)
    try:
        members = frozenset((await _ask(client.usergroups_users_list, usergroup=group)).get("users") or ())
    except Rejected as error:
        if error.reason == "missing_scope":
            remedy = "Grant the app the scope usergroups:read and install it again."
        else:
            remedy = f"Correct {setting}: copy the group's id (S…) from Slack."
        raise Amiss(f"the user group {group} cannot be read ({error.reason})", remedy) from error
    if not members:
        raise Amiss(f"the user group {group} is empty", f"Add people to it in Slack, or correct {setting}.")
    return members


async def _four_eyes(operators: set[str], approvers: set[str], needed: int) -> str:
    """Nobody decides on their own request, so for each operator there must be enough others."""
    if needed == 0:
        return Doubtful("no approval is asked for")
    alone = sorted(person for person in operators if len(approvers - {person}) < needed)
    plural = "approvals" if needed > 1 else "approval"
    if alone and len(alone) == len(operators):
        raise Amiss(
            f"no request could get {needed} {plural}: nobody approves their own, and there are too few others",
            "Name more people in BACKSTOP_APPROVERS.",
        )
    if alone:
        return Doubtful(f"{needed} {plural}; but too few others for what {', '.join(alone)} would ask for")
    return f"{needed} {plural} by somebody else"


# Partner Center

_REMEDIES: Final = {
    "invalid_client": "Set PARTNER_CENTER_CLIENT_SECRET to the value (not the id) of a secret that is still valid.",
    "unauthorized_client": "Set PARTNER_CENTER_CLIENT_ID to the application id of the app in your tenant.",
    "invalid_grant": "Sign in anew as the partner's user and set PARTNER_CENTER_REFRESH_TOKEN to the new token.",
}


def _sign_in_remedy(reason: str) -> str:
    otherwise = "Check PARTNER_CENTER_CLOUD, PARTNER_CENTER_TENANT_ID and PARTNER_CENTER_CLIENT_ID."
    return _REMEDIES.get(reason, otherwise)


def _secrets(settings: Settings) -> re.Pattern[str]:
    """Finds every secret of the settings; a short one only as a whole word, or it would be found in any text."""
    found = {value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)}
    with suppress(ArgumentError, ValueError):
        url = async_url(settings.database_url)
        found |= {str(url.password or ""), str(url.query.get("password", ""))}
    if settings.receivables_sql_url:
        with suppress(ArgumentError, ValueError):
            found.add(str(make_url(settings.receivables_sql_url.get_secret_value()).password or ""))
    longest_first = sorted(filter(None, found), key=len, reverse=True)  # lest a part of one stay behind
    forms = [
        re.escape(s) if len(s) >= SHORT_SECRET else rf"(?<!\w){re.escape(s)}(?!\w)" for s in longest_first
    ]
    return re.compile("|".join(forms) or r"(?!)")
