"""The calls about service requests, and the links where they are filed.

https://learn.microsoft.com/partner-center/developer/get-service-request-details-by-id
https://learn.microsoft.com/partner-center/developer/update-a-service-request
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from bot.sandbox.partner_center import bodies
from bot.sandbox.partner_center.api import Api, Handler, answer, check_token, resource
from bot.sandbox.partner_center.errors import ApiError, invalid
from bot.sandbox.partner_center.records import Contact, Customer
from bot.sandbox.partner_center.support import ServiceRequest, SupportDesk

_STATUSES = ("none", "open", "closed", "attention_needed")
OURS = Contact(first_name="Northwind", last_name="Support", email="support@northwind.example")
"""Whoever files at the portal: the partner's own account."""


@dataclass
class SupportApi:
    """21Vianet has none of it."""

    api: Api
    desk: SupportDesk
    now: Callable[[], datetime]
    audience: Callable[[], str]
    is_china: bool

    def routes(self) -> list[tuple[str, str, Handler]]:
        if self.is_china:
            return []
        return [
            ("GET", "/v1/servicerequests", self.all_requests),
            ("GET", "/v1/servicerequests/{number}", self.get_request),
            ("PATCH", "/v1/servicerequests/{number}", self.patch_request),
            ("GET", "/v1/customers/{customer}/servicerequests", self.requests_of_customer),
            ("GET", "/v1/customers/{customer}/managedservices", self.managed_services),
        ]

    async def all_requests(self, request: web.Request) -> web.Response:
        self._sign_in(request, as_user=True)
        return self._page(request, list(self.desk.requests.values()))

    async def requests_of_customer(self, request: web.Request) -> web.Response:
        self._sign_in(request, as_user=True)
        whose = self.api.own_customer(request)
        return self._page(
            request, [r for r in self.desk.requests.values() if r.customer and r.customer.id == whose.id]
        )

    async def get_request(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        return answer(body_of(self._found(request)))

    async def patch_request(self, request: web.Request) -> web.Response:
        return await self.api.once(request, self._patch)

    async def managed_services(self, request: web.Request) -> web.Response:
        self._sign_in(request, as_user=True)
        whose = self.api.own_customer(request)
        has_seats = any(not held.kind.is_metered for held in whose.subscriptions)
        return answer(bodies.collection([_exchange(whose)] if has_seats else []))

    def _patch(self, request: web.Request, body: bytes, _request_id: str) -> web.Response:
        found = self._found(request)
        sent = resource(request, body)
        if not isinstance(sent, dict):
            raise invalid("the body is no service request")
        given = {key.lower(): value for key, value in sent.items() if value is not None}
        text = _note_text(given.get("newnote"))
        status = _status(given["status"]) if "status" in given else None
        if text is None and status in (None, "none"):
            raise invalid("nothing to change", "NewNote", "Status")
        if found.status == "closed" and text is not None and status is None:
            raise ApiError(400, 7008, "A closed service request cannot be updated.")
        # Partner Center gives the name of the account that wrote it; here that is the one that filed.
        by = f"{found.contact.first_name} {found.contact.last_name}"
        self.desk.answer(found, text, by=by, status=None if status == "none" else status, at=self.now())
        return answer(body_of(found))

    def _found(self, request: web.Request) -> ServiceRequest:
        number = request.match_info["number"]
        if not number.isdecimal():
            raise ApiError(400, 3000, "Invalid property: the id of a service request has digits only")
        found = self.desk.asked_about(number, at=self.now(), contact=OURS)
        if found is None:
            raise ApiError(404, 7000, f"Service request with ID {number} not found.")
        return found

    def _page(self, request: web.Request, found: list[ServiceRequest]) -> web.Response:
        if wanted := _wanted_status(request.query):
            found = [each for each in found if each.status == wanted]
        offset, size = (
            int(request.query.get(name, usual)) for name, usual in (("offset", "0"), ("size", "100"))
        )
        return answer(bodies.collection(body_of(each) for each in found[offset : offset + size]))

    def _sign_in(self, request: web.Request, *, as_user: bool = False) -> None:
        check_token(self.api.signin, request, audience=self.audience(), as_user=as_user)


def body_of(found: ServiceRequest) -> dict[str, Any]:
    """As the published example has it: the status as a word, dates of a note without a zone."""
    return {
        "title": found.title,
        "description": found.description,
        "severity": found.severity,
        "supportTopicId": "32444671",
        "supportTopicName": "Cannot manage my profile",
        "id": found.number,
        "status": found.status,
        **({"organization": _organisation(found.customer)} if found.customer else {}),
        "primaryContact": {
            "firstName": found.contact.first_name,
            "lastName": found.contact.last_name,
            "email": found.contact.email,
        },
        "productId": "15960",
        "createdDate": _zulu(found.created_at),
        "lastModifiedDate": _zulu(found.changed_at),
        "lastClosedDate": _zulu(found.closed_at) if found.closed_at else "0001-01-01T00:00:00",
        "notes": [
            {"createdByName": note.by, "createdDate": f"{note.at:%Y-%m-%dT%H:%M:%S.%f}", "text": note.text}
            for note in reversed(found.notes)
        ],
        "attributes": {"objectType": "ServiceRequest"},
    }


def _organisation(customer: Customer) -> dict[str, str]:
    return {"id": customer.id, "name": customer.name}


def _zulu(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"


def _exchange(customer: Customer) -> dict[str, Any]:
    begin = f"https://portal.office.com/Partner/BeginClientSession.aspx?CTID={customer.id}&CSDEST="
    links = {"adminService": "Exchange", "serviceHealth": "ServiceStatus", "serviceTicket": "Support"}
    return {
        "id": "Exchange",
        "name": "Exchange",
        "groupName": "Office",
        "links": {
            link: {"uri": begin + where, "method": "GET", "headers": []} for link, where in links.items()
        },
        "attributes": {"objectType": "ManagedService"},
    }


def _note_text(note: object) -> str | None:
    if not isinstance(note, dict):
        return None
    text = {key.lower(): value for key, value in note.items()}.get("text")
    if not isinstance(text, str) or not text.strip():
        raise invalid("a note without text", "NewNote.Text")
    return text


def _status(said: object) -> str:
    """A word in any case, or its number."""
    if isinstance(said, int) and 0 <= said < len(_STATUSES):
        return _STATUSES[said]
    word = str(said).lower()
    if word not in _STATUSES:
        raise invalid("no such status", "Status")
    return word


def _wanted_status(query: Mapping[str, str]) -> str | None:
    try:
        wanted = json.loads(query.get("filter", "null"))
    except ValueError as error:
        raise invalid("the filter is not JSON", "filter") from error
    if wanted is None:
        return None
    if not isinstance(wanted, dict) or (wanted.get("Field"), wanted.get("Operator")) != ("Status", "equals"):
        raise invalid("no such filter", "filter")
    return _status(wanted.get("Value"))
