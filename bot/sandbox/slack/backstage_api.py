"""What the page does behind the scenes: the clock, the *Partner Center* pane and the *Wire* (loopback only)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from bot.sandbox.slack.exchanges import latest_with
from bot.sandbox.slack.page_api import Refusal, said_in
from bot.sandbox.slack.platform import Platform

Json = dict[str, Any]

EXCHANGES = 200


class PartnerCenterPane(Protocol):
    """Whatever can tell what the *Partner Center* pane shows, and act as others would there.

    Acting on what nobody has raises LookupError.
    """

    def snapshot(self) -> Json: ...

    def suspend_outside(self, subscription_id: str) -> object: ...

    def resume_outside(self, subscription_id: str) -> object: ...

    def order_burst(self, customer_id: str) -> object: ...

    def switch_fault(self, name: str, *, on: bool) -> object: ...


class Impossible(Exception):
    """Why something cannot be done behind the scenes, in words for whoever plays."""


class Backstage(Protocol):
    """Whoever runs the whole sandbox. What cannot be done raises Impossible."""

    async def forward(self, to: str) -> None:
        """Put the clock forward, and let happen what falls due; LookupError for an unknown moment."""

    def start_over(self) -> None:
        """Begin everything anew, soon: the sandbox goes away, and comes back at the same address."""

    def owed(self) -> Mapping[str, str]:
        """What customers owe, in words, by their id; who owes nothing is not in it."""

    async def pay(self, customer_id: str) -> None:
        """Let a customer pay all they owe; LookupError for whoever owes nothing."""


@dataclass(frozen=True)
class BackstageApi:
    """Only what it was given can be done: a sandbox whose clock nobody moves has no way to move it."""

    platform: Platform
    partner_center: PartnerCenterPane | None = None
    backstage: Backstage | None = None

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/page/api/partner-center", self.partner_center_state),
            web.post("/page/api/partner-center", self.act),
            web.get("/page/api/wire", self.wire),
            web.post("/page/api/clock", self.move_clock),
        ]

    async def partner_center_state(self, _request: web.Request) -> web.Response:
        owed = self.backstage.owed() if self.backstage else {}
        return web.json_response({**self._partner_center().snapshot(), "owed": dict(owed)})

    async def act(self, request: web.Request) -> web.Response:
        """Do what is done without the app: by somebody in Microsoft's portal, by a customer, or by bad luck."""
        said = await said_in(request)
        try:
            await self._act(said)
        except LookupError:
            sought = "customer" if said.get("action") in {"order", "pay"} else "subscription"
            raise Refusal(404, f"{sought}_not_found") from None
        self.platform.workspace.news.announce({"type": "partner_center"})
        return web.json_response({"ok": True})

    async def _act(self, said: Json) -> None:
        portal = self._partner_center()
        subscription, customer = str(said.get("subscription_id")), str(said.get("customer_id"))
        match said.get("action"):
            case "suspend":
                portal.suspend_outside(subscription)
            case "resume":
                portal.resume_outside(subscription)
            case "order":
                portal.order_burst(customer)
            case "fault":
                self._switch(portal, str(said.get("name")), on=said.get("on") is True)
            case "pay":
                try:
                    await self._backstage().pay(customer)
                except Impossible as error:
                    raise Refusal(409, "impossible", str(error)) from None
            case _:
                raise Refusal(400, "unknown_action")

    @staticmethod
    def _switch(portal: PartnerCenterPane, name: str, *, on: bool) -> None:
        try:
            portal.switch_fault(name, on=on)
        except LookupError:
            raise Refusal(404, "fault_not_found") from None

    async def wire(self, request: web.Request) -> web.Response:
        """The latest exchanges with `text` in them, oldest first; a stream with `wire=1` goes on from there."""
        kept = list(self.platform.wire)
        latest = await asyncio.to_thread(latest_with, request.query.get("text", ""), kept, at_most=EXCHANGES)
        return web.json_response({"exchanges": [exchange.as_json() for exchange in latest]})

    async def move_clock(self, request: web.Request) -> web.Response:
        """Forward by an hour or a day, to the next digest, or back to the beginning of everything."""
        said = await said_in(request)
        backstage, to = self._backstage(), str(said.get("to"))
        if to == "start":
            backstage.start_over()
            return web.json_response({"ok": True})
        try:
            await backstage.forward(to)
        except LookupError:
            raise Refusal(400, "unknown_moment") from None
        except Impossible as error:
            raise Refusal(409, "impossible", str(error)) from None
        return web.json_response({"ok": True, "now": self.platform.now().timestamp()})

    def _partner_center(self) -> PartnerCenterPane:
        if self.partner_center is None:
            raise Refusal(404, "no_partner_center")
        return self.partner_center

    def _backstage(self) -> Backstage:
        if self.backstage is None:
            raise Refusal(404, "no_backstage")
        return self.backstage
