"""Everything one sandbox is made of, for the doors that lead into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.sandbox.slack.block_kit import BlockKit
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.exchanges import Wire
from bot.sandbox.slack.faults import Faults
from bot.sandbox.slack.installed_app import InstalledApp
from bot.sandbox.slack.permits import ResponseUrl, ResponseUrls, Triggers
from bot.sandbox.slack.views import View, Views
from bot.sandbox.slack.workspace import Channel, StoredFile, Workspace

Json = dict[str, Any]


@dataclass
class Platform:
    """`origin` is where it listens, such as `http://127.0.0.1:8055`; empty until it does."""

    workspace: Workspace
    app: InstalledApp
    block_kit: BlockKit
    views: Views
    triggers: Triggers
    response_urls: ResponseUrls
    faults: Faults
    wire: Wire
    delivery: Delivery
    now: Callable[[], datetime]
    origin: str = ""

    def view_json(self, view: View) -> Json:
        return view.as_json(team_id=self.workspace.id, app_id=self.app.id, bot_id=self.app.bot_id)

    def file_json(self, file: StoredFile) -> Json:
        return file.as_json(origin=self.origin, team=self.workspace.id)

    def address(self, url: ResponseUrl) -> str:
        return f"{self.origin}/{url.kind}/{self.workspace.id}/{url.secret}"

    def permalink(self, channel: Channel, ts: str) -> str:
        """A link the sandbox's own page opens."""
        return f"{self.origin}/#{channel.id}/{ts}"
