"""Constructs what talks to Slack, as the settings say: the client, the desk, and Bolt with every feature."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient

import handlers
from bot import correlation
from bot.core import Core
from bot.courier import may_wait
from bot.domain.people import Right
from bot.scheduler import latest_slot
from bot.settings import Mode, Settings
from handlers import errors
from handlers.desk import Acks, Channels, Desk
from handlers.listeners import Listeners
from handlers.people import People
from handlers.slack import may_answer_at

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def slack_is_here(settings: Settings) -> bool:
    """Whether Slack is a sandbox on this machine: then no proxy leads to it, and nobody else need reach us."""
    return urlsplit(settings.slack_api_url).hostname in LOOPBACK


def slack_client(settings: Settings) -> AsyncWebClient:
    token = settings.slack_bot_token
    client = AsyncWebClient(
        token=token.get_secret_value() if token else None,
        base_url=settings.slack_api_url,
        retry_handlers=[_Patience(max_retry_count=3)],
    )
    if slack_is_here(settings):
        client.proxy = None  # the SDK takes HTTPS_PROXY and does not know NO_PROXY
    return client


class _Patience(AsyncRateLimitErrorRetryHandler):
    """Waits for as long as Slack asks for; a job that would have to wait long gives up, and comes again."""

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        is_throttled = await super()._can_retry_async(
            state=state, request=request, response=response, error=error
        )
        return is_throttled and may_wait(_asked_for(response))


def _asked_for(response: HttpResponse | None) -> float:
    """The seconds in `Retry-After`; 0 where it does not say."""
    headers = response.headers if response else {}
    said = [value for name, values in headers.items() if name.lower() == "retry-after" for value in values]
    return float(said[0]) if said and said[0].isdecimal() else 0.0


def desk_of(made: Core, client: AsyncWebClient) -> Desk:
    settings = made.settings
    return Desk(
        backstop=made.backstop,
        people=People(
            client,
            named={
                Right.OPERATE: settings.backstop_operators,
                Right.APPROVE: settings.backstop_approvers,
                Right.AUDIT: settings.backstop_auditors,
                Right.ADMINISTER: settings.backstop_admins,
            },
            also=lambda: made.backstop.policy.groups,
            language=settings.backstop_locale,
            now=made.backstop.now,
        ),
        client=client,
        channels=Channels(
            settings.backstop_approvals_channel,
            settings.backstop_overdue_channel,
            settings.backstop_escalation_channel,
            settings.backstop_suspicious_channel,
            settings.tickets_channel,
            settings.audit_channel,
        ),
        language=settings.backstop_locale,
        native_charts=settings.backstop_native_charts,
        overdue_due=partial(_overdue_due, settings, made.backstop.now),
    )


def _overdue_due(settings: Settings, now: Callable[[], datetime]) -> datetime | None:
    """The newest time of the overdue digest within a day, where it is posted at all."""
    if settings.backstop_overdue_channel is None:
        return None
    return latest_slot(
        settings.backstop_overdue_cron, zone=settings.zone, now=now(), within=timedelta(days=1)
    )


class _App(AsyncApp):
    """Bolt that says for how long an ack is owed, and answers nowhere but at Slack."""

    def __init__(self, acks: Acks, **of_bolt: Any) -> None:
        super().__init__(**of_bolt)
        self._acks = acks

    def _init_context(self, req: AsyncBoltRequest) -> None:
        """As Bolt does, but for a client of each request's own: a tenth of an ack's time, and none of ours needs it."""
        req.context["logger"] = self.logger
        req.context["token"] = self.client.token
        req.context["client"] = self.client
        req.context["listener_runner"] = self.listener_runner

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        # Bolt would post to wherever a payload says.
        if not may_answer_at(req.context.get("response_url"), self.client.base_url):
            req.context.pop("response_url", None)
            req.body.pop("response_url", None)
        begun = perf_counter()
        with self._acks, correlation.under(None):
            response = await super().async_dispatch(req)
        self._acks.times.took(perf_counter() - begun)
        return response


class _Authorized(AsyncAuthorize):
    """Who we are is known since the start. Bolt would gather, at each click, all that it could depend on."""

    def __init__(self, known: AuthorizeResult) -> None:
        self._known = known

    async def __call__(self, **_click: object) -> AuthorizeResult:
        return self._known


def bolt_app(settings: Settings, desk: Desk, client: AsyncWebClient, authorized: AuthorizeResult) -> AsyncApp:
    """Bolt with every feature registered; a click it acknowledges is in the database."""

    over_http = settings.mode is Mode.HTTP
    with _only_errors("slack_bolt.AsyncApp"):  # it would warn that it has no use for our SLACK_BOT_TOKEN
        app = _App(
            desk.acks,
            name="backstop",
            client=client,
            authorize=_Authorized(authorized),
            request_verification_enabled=False,  # `bot.web` has done it, before it parsed anything
            ssl_check_enabled=over_http,
            url_verification_enabled=over_http,
            attaching_function_token_enabled=False,  # no step of a workflow is ours
            process_before_response=True,
        )
    errors.register(app, desk)
    listeners = Listeners()
    for feature in handlers.features():
        feature.register(listeners, desk)
    listeners.hear(app, unheard=partial(errors.unheard, desk))
    return app


@contextmanager
def _only_errors(name: str) -> Iterator[None]:
    """Keep a library's warnings out of the log for a moment."""

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    logger = logging.getLogger(name)
    logger.addFilter(is_error)
    try:
        yield
    finally:
        logger.removeFilter(is_error)
