"""The whole product on a stage: both sandboxes over their real protocols, and the very application between them."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import SecretStr

from bot.app import Application
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.slack import ACK_SECONDS, Player, SlackSandbox
from bot.settings import Settings
from handlers.manifest import manifest
from tests.daytime import zone_of_day

Transport = Literal["socket", "http"]

PATIENCE = 20.0
"""How much longer our Slack waits than the real one: a machine that stands still for seconds is nothing of ours."""


@dataclass
class Stage:
    slack: SlackSandbox
    partner_center: PartnerCenterSandbox
    app: Application

    @property
    def ana(self) -> Player:
        """The operator."""
        return self.slack.person("ana")

    @property
    def ben(self) -> Player:
        """An approver."""
        return self.slack.person("ben")

    @property
    def mei(self) -> Player:
        """Another approver."""
        return self.slack.person("mei")

    @property
    def eve(self) -> Player:
        """Somebody without any right."""
        return self.slack.person("eve")


def settings_for(
    slack: SlackSandbox,
    partner_center: PartnerCenterSandbox,
    *,
    database_url: str,
    transport: Transport,
    **fields: Any,
) -> Settings:
    """Settings that lead to the two sandboxes; nothing is read from the environment's `.env`."""
    port = None
    if transport == "http":
        port = free_port()
        slack.events_url = f"http://127.0.0.1:{port}/slack/events"
    given: dict[str, Any] = {
        "database_url": database_url,
        "slack_bot_token": SecretStr(slack.bot_token),
        "slack_app_token": SecretStr(slack.app_token) if transport == "socket" else None,
        "slack_signing_secret": SecretStr(slack.signing_secret),
        "slack_api_url": slack.api_url,
        "port": port,
        "partner_center_tenant_id": partner_center.tenant_id,
        "partner_center_client_id": partner_center.client_id,
        "partner_center_client_secret": SecretStr(partner_center.client_secret),
        "partner_center_base_url": partner_center.base_url,
        "partner_center_authority_url": partner_center.authority_url,
        "graph_base_url": partner_center.graph_url,
        "backstop_timezone": zone_of_day(),
        "backstop_approvals_channel": "C0APPROVALS",
        "backstop_overdue_channel": "C0OVERDUE",
        "backstop_overdue_cron": "0 0 29 2 *",  # at no time of day a test may run at
        "backstop_audit_cron": "0 0 29 2 *",
        "backstop_operators": ("S0BILLING",),
        "backstop_approvers": ("S0APPROVERS",),
        "backstop_undo_window": "PT0S",
    }
    return Settings(**({"_env_file": None} | given | fields))


def slack_sandbox(*, patience: float = PATIENCE, **fields: Any) -> SlackSandbox:
    """Slack with our manifest; with `patience=1` it waits no longer than the real one for an ack or a form."""
    return SlackSandbox(
        manifest=manifest(url=None),
        ack_seconds=ACK_SECONDS * patience,
        monotonic=lambda: time.monotonic() / patience,
        **fields,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
