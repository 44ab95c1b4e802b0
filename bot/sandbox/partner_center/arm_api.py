"""Azure Resource Manager, as far as Microsoft.Support goes: services, tickets on behalf of a customer, messages.

https://learn.microsoft.com/rest/api/support, api-version 2024-04-01; shapes as in the examples of
https://github.com/Azure/azure-rest-api-specs.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from aiohttp import web

from bot.sandbox.partner_center.api import Handler
from bot.sandbox.partner_center.directory import Directory
from bot.sandbox.partner_center.records import Customer, Kind
from bot.sandbox.partner_center.signin import SignIn, Token
from bot.sandbox.partner_center.support import AzureTicket, Note, Operation, SupportDesk

ARM = "/arm"
AUXILIARY = "x-ms-authorization-auxiliary"
_SUPPORT = "/providers/Microsoft.Support"
_VERSION = "2024-04-01"
NOTES_A_PAGE = 10
SERVICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "517f2da6-78fd-0498-4e22-ad26996b1dfc": ("Billing", ("Refund request", "Unexpected charges")),
    "f3dc5421-79ef-1efa-41a5-42bf3cbb52c6": (
        "Subscription management",
        ("Cancel my subscription", "Other security, fraud or abuse question"),
    ),
    "6f16735c-b0ae-b275-ad3a-03479cfa1396": (
        "Virtual Machine running Windows",
        ("Cannot connect to my VM", "My VM is slow"),
    ),
}
_NEEDED = (
    *("title", "description", "severity", "serviceId", "problemClassificationId"),
    *("advancedDiagnosticConsent", "contactDetails"),
)
_CONTACT_NEEDED = (
    *("firstName", "lastName", "preferredContactMethod", "primaryEmailAddress"),
    *("preferredTimeZone", "country", "preferredSupportLanguage"),
)
Call = Callable[[web.Request], Awaitable[web.Response]]


class ArmError(Exception):
    """A refusal in Azure's shape."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class ArmApi:
    """Only the global cloud has Microsoft.Support."""

    directory: Directory
    signin: SignIn
    desk: SupportDesk
    now: Callable[[], datetime]
    base_url: Callable[[], str]
    is_global: bool

    def routes(self) -> list[tuple[str, str, Handler]]:
        services = f"{ARM}{_SUPPORT}/services"
        here = f"{ARM}/subscriptions/{{subscription}}{_SUPPORT}"
        ticket = here + "/supportTickets/{ticket}"
        told: list[tuple[str, str, Call]] = [
            ("GET", services, self.services),
            ("GET", services + "/{service}/problemClassifications", self.problems),
            ("PUT", ticket, self.put_ticket),
            ("GET", ticket, self.get_ticket),
            ("PATCH", ticket, self.patch_ticket),
            ("GET", ticket + "/communications", self.notes),
            ("GET", ticket + "/communications/{note}", self.get_note),
            ("PUT", ticket + "/communications/{note}", self.put_note),
            ("GET", here + "/operationsStatus/{operation}", self.operation),
        ]
        nothing: tuple[str, str, Call] = ("*", ARM + "/{rest:.*}", self.nothing)
        return [
            (method, path, _in_azures_shape(call))
            for method, path, call in (*(told if self.is_global else ()), nothing)
        ]

    async def services(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        listed = [
            _choice(f"{_SUPPORT}/services/{id}", "services", name) for id, (name, _) in SERVICES.items()
        ]
        return web.json_response({"value": listed})

    async def problems(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        id = request.match_info["service"].lower()
        if id not in SERVICES:
            raise ArmError(404, "ResourceNotFound", "There is no such service.")
        listed = [_choice(of_problem(id, name), "problemClassifications", name) for name in SERVICES[id][1]]
        return web.json_response({"value": listed})

    async def put_ticket(self, request: web.Request) -> web.Response:
        subscription = self._on_behalf(request)
        key = (subscription, request.match_info["ticket"].lower())
        if key in self.desk.tickets:
            # No page says what becomes of a second one of that name; this is the less convenient way.
            raise ArmError(409, "Conflict", "A support ticket of that name exists.")
        sent = _checked(await _properties(request))
        at = self.now()
        opened = AzureTicket(
            name=request.match_info["ticket"],
            subscription_id=subscription,
            number=self.desk.next_number(),
            sent=sent,
            created_at=at,
            changed_at=at,
        )
        if self.desk.looks_until_done == 0:
            self.desk.tickets[key] = opened
            return web.json_response(_body(opened))
        operation = str(uuid4())
        self.desk.operations[operation] = Operation(opened, self.desk.looks_until_done)
        url = f"{self.base_url()}{ARM}/subscriptions/{subscription}{_SUPPORT}/operationsStatus/{operation}"
        headers = {"Azure-AsyncOperation": f"{url}?api-version={_VERSION}", "Retry-After": "1"}
        return web.Response(status=202, headers=headers)

    async def operation(self, request: web.Request) -> web.Response:
        self._on_behalf(request)
        found = self.desk.operations.get(request.match_info["operation"])
        if found is None:
            raise ArmError(404, "ResourceNotFound", "There is no such operation.")
        found.looks -= 1
        if found.looks > 0:
            return web.json_response({"status": "InProgress"}, headers={"Retry-After": "1"})
        ticket = found.ticket
        self.desk.tickets.setdefault((ticket.subscription_id, ticket.name.lower()), ticket)
        return web.json_response({"status": "Succeeded"})

    async def get_ticket(self, request: web.Request) -> web.Response:
        return web.json_response(_body(self._ticket(request)))

    async def patch_ticket(self, request: web.Request) -> web.Response:
        ticket = self._ticket(request)
        sent = await _json(request)
        status = sent.get("status")
        if status not in ("open", "closed"):
            raise ArmError(400, "BadRequest", "The status is neither open nor closed.")
        self.desk.answer(ticket, None, by="", status=status.title(), at=self.now())
        return web.json_response(_body(ticket))

    async def notes(self, request: web.Request) -> web.Response:
        ticket = self._ticket(request)
        skip = int(request.query.get("$skiptoken", "0"))
        shown = ticket.notes[skip : skip + NOTES_A_PAGE]
        body: dict[str, Any] = {"value": [_message(ticket, note) for note in shown]}
        if skip + NOTES_A_PAGE < len(ticket.notes):
            following = f"?api-version={_VERSION}&$skiptoken={skip + NOTES_A_PAGE}"
            body["nextLink"] = f"{self.base_url()}{request.path}{following}"
        return web.json_response(body)

    async def get_note(self, request: web.Request) -> web.Response:
        ticket = self._ticket(request)
        return web.json_response(_message(ticket, self._note(request, ticket)))

    async def put_note(self, request: web.Request) -> web.Response:
        ticket = self._ticket(request)
        name = request.match_info["note"]
        if any(note.name.lower() == name.lower() for note in ticket.notes):
            raise ArmError(409, "Conflict", "A communication of that name exists.")
        sent = await _properties(request)
        if not all(isinstance(sent.get(field), str) and sent[field] for field in ("subject", "body")):
            raise ArmError(400, "BadRequest", "Subject and body are required.")
        if not sent.get("sender") and not self._token(request, "Authorization").has_user:
            raise ArmError(400, "BadRequest", "A service principal has to name the sender.")
        self.desk.answer(
            ticket, sent["body"], by=str(sent.get("sender", "")), status=None, at=self.now(), name=name
        )
        return web.json_response(_message(ticket, ticket.notes[-1]))

    async def nothing(self, request: web.Request) -> web.Response:
        self._sign_in(request)
        raise ArmError(404, "ResourceNotFound", "There is nothing of that name.")

    def _sign_in(self, request: web.Request) -> None:
        self._token(request, "Authorization")
        if request.query.get("api-version") != _VERSION:
            raise ArmError(
                400, "InvalidApiVersionParameter", "The api-version is not one of those there are."
            )

    def _on_behalf(self, request: web.Request) -> str:
        """The subscription, which belongs to a customer of ours: seen with the customer's token, and with ours."""
        self._sign_in(request)
        wanted = request.match_info["subscription"].lower()
        owner = next((c for c in self.directory.customers if wanted in _azure_of(c)), None)
        token = self._token(request, "Authorization")
        if owner is None or token.tenant != owner.id.lower():
            raise ArmError(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")
        if self._token(request, AUXILIARY).tenant != self.signin.tenant_id:
            raise ArmError(403, "AuthorizationFailed", "The auxiliary token is not the partner's.")
        return wanted

    def _token(self, request: web.Request, header: str) -> Token:
        scheme, _, text = request.headers.get(header, "").partition(" ")
        token = self.signin.known(text) if scheme.lower() == "bearer" else None
        if token is None or token.audience != self.base_url() + ARM:
            raise ArmError(401, "InvalidAuthenticationToken", "The access token is invalid.")
        return token

    def _ticket(self, request: web.Request) -> AzureTicket:
        key = (self._on_behalf(request), request.match_info["ticket"].lower())
        if key not in self.desk.tickets:
            raise ArmError(404, "ResourceNotFound", "There is no such support ticket.")
        return self.desk.tickets[key]

    def _note(self, request: web.Request, ticket: AzureTicket) -> Note:
        wanted = request.match_info["note"].lower()
        for note in ticket.notes:
            if note.name.lower() == wanted:
                return note
        raise ArmError(404, "ResourceNotFound", "There is no such communication.")


def of_problem(service: str, name: str) -> str:
    """The resource id of what can be wrong with a service."""
    slug = "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
    return f"{_SUPPORT}/services/{service}/problemClassifications/{slug}"


def _in_azures_shape(call: Call) -> Handler:
    async def answered(request: web.Request) -> web.Response:
        try:
            return await call(request)
        except ArmError as error:
            body = {"error": {"code": error.code, "message": error.message}}
            return web.json_response(body, status=error.status)

    return answered


def _azure_of(customer: Customer) -> set[str]:
    """The Azure subscriptions of a customer, as Azure Resource Manager knows them."""
    children = {child.id.lower() for held in customer.subscriptions for child in held.azure_subscriptions}
    return children | {held.id.lower() for held in customer.subscriptions if held.kind is Kind.LEGACY_AZURE}


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        sent = json.loads(await request.read())
    except ValueError:
        sent = None
    if request.content_type != "application/json" or not isinstance(sent, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content was invalid.")
    return sent


async def _properties(request: web.Request) -> dict[str, Any]:
    properties = (await _json(request)).get("properties")
    if not isinstance(properties, dict):
        raise ArmError(400, "InvalidRequestContent", "There are no properties.")
    return properties


def _checked(sent: dict[str, Any]) -> dict[str, Any]:
    contact = sent.get("contactDetails")
    contact = contact if isinstance(contact, dict) else {}
    missing = [name for name in _NEEDED if not sent.get(name)]
    missing += [name for name in _CONTACT_NEEDED if not contact.get(name)]
    if sent.get("severity") == "critical" and not contact.get("phoneNumber"):
        missing.append("phoneNumber")
    if missing:
        raise ArmError(400, "BadRequest", f"Missing: {', '.join(missing)}")
    if sent["severity"] not in ("minimal", "moderate", "critical", "highestcriticalimpact"):
        raise ArmError(400, "BadRequest", "There is no such severity.")
    if len(contact["country"]) != 3:
        raise ArmError(400, "BadRequest", "The country is not an ISO 3166-1 alpha-3 code.")
    known = {of_problem(id, name) for id, (_, names) in SERVICES.items() for name in names}
    chosen = sent["problemClassificationId"]
    if chosen not in known or not chosen.startswith(f"{sent['serviceId']}/"):
        raise ArmError(400, "BadRequest", "The service has no such problem classification.")
    return sent


def _choice(id: str, kind: str, name: str) -> dict[str, Any]:
    return {
        "id": id,
        "name": id.rpartition("/")[2],
        "type": f"Microsoft.Support/{kind}",
        "properties": {"displayName": name},
    }


def _body(ticket: AzureTicket) -> dict[str, Any]:
    path = f"/subscriptions/{ticket.subscription_id}{_SUPPORT}/supportTickets/{ticket.name}"
    return {
        "id": path,
        "name": ticket.name,
        "type": "Microsoft.Support/supportTickets",
        "properties": {
            **ticket.sent,
            "supportTicketId": ticket.number,
            "status": ticket.status,
            "createdDate": f"{ticket.created_at:%Y-%m-%dT%H:%M:%S}Z",
            "modifiedDate": f"{ticket.changed_at:%Y-%m-%dT%H:%M:%S}Z",
            "supportEngineer": {"emailAddress": None},
        },
    }


def _message(ticket: AzureTicket, note: Note) -> dict[str, Any]:
    return {
        "id": f"{_body(ticket)['id']}/communications/{note.name}",
        "name": note.name,
        "type": "Microsoft.Support/communications",
        "properties": {
            "body": note.text,
            "subject": note.text.splitlines()[0],
            "sender": note.by,
            "communicationType": "web",
            "communicationDirection": "outbound",
            "createdDate": f"{note.at:%Y-%m-%dT%H:%M:%S}Z",
        },
    }
