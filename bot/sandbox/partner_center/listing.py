"""The list of customers: filtered by a prefix, handed out page by page against a continuation token.

https://learn.microsoft.com/partner-center/developer/get-a-list-of-customers
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from bot.sandbox.partner_center import bodies
from bot.sandbox.partner_center.errors import invalid
from bot.sandbox.partner_center.records import Customer

TOKEN_HEADER = "MS-ContinuationToken"  # noqa: S105 - the name of a header


@dataclass(frozen=True)
class Place:
    """Where a page begins, and of which list."""

    offset: int
    size: int
    filter: str

    def token(self) -> str:
        return base64.b64encode(json.dumps([self.offset, self.size, self.filter]).encode()).decode()

    @classmethod
    def read(cls, token: str) -> Place:
        try:
            offset, size, wanted = json.loads(base64.b64decode(token, validate=True))
            return cls(int(offset), int(size), str(wanted))
        except (binascii.Error, ValueError, TypeError) as error:
            raise invalid("the continuation token is not one of ours", TOKEN_HEADER) from error


def page(
    customers: Sequence[Customer], query: Mapping[str, str], token: str | None, *, most: int
) -> bodies.Json:
    """One page of at most `most` customers, with a link to the next while there is one."""
    place = _place(query, token, most)
    found = _filtered(customers, place.filter)
    end = place.offset + place.size
    links = {"self": bodies.link(f"/customers?{urlencode(query)}")}
    if end < len(found):
        following = {key: value for key, value in query.items() if key != "seekOperation"}
        uri = f"/customers?{urlencode({**following, 'seekOperation': 'Next'})}"
        links["next"] = bodies.link(uri, {TOKEN_HEADER: Place(end, place.size, place.filter).token()})
    return bodies.collection(map(bodies.customer_in_list, found[place.offset : end]), links)


def _place(query: Mapping[str, str], token: str | None, most: int) -> Place:
    seek = query.get("seekOperation")
    if (seek is None) != (token is None):
        raise invalid("seekOperation and the continuation token belong together", "seekOperation")
    if token is not None:
        if seek != "Next":
            raise invalid("unknown seekOperation", "seekOperation")
        place = Place.read(token)
        if query.get("filter", place.filter) != place.filter:
            raise invalid("the continuation token belongs to another filter", "filter")
        return place
    size = query.get("size", "0")
    if not size.isdecimal():
        raise invalid("size is not a number", "size")
    return Place(0, min(int(size) or most, most), query.get("filter", ""))


def _filtered(customers: Sequence[Customer], text: str) -> list[Customer]:
    if not text:
        return list(customers)
    field, value, operator = _filter(text)
    if field in {"indirectreseller", "indirectcloudsolutionprovider"}:
        return []  # this partner sells to its customers itself
    if field not in {"companyname", "domain"}:
        raise invalid("unknown field", "filter")
    if operator not in {"starts_with", "equals"}:
        raise invalid("unknown operator", "filter")
    found = []
    for customer in customers:
        shown = (customer.name if field == "companyname" else customer.domain).casefold()
        if shown == value if operator == "equals" else shown.startswith(value):
            found.append(customer)
    return found


def _filter(text: str) -> tuple[str, str, str]:
    try:
        given = {key.lower(): value for key, value in json.loads(text).items()}
        return given["field"].lower(), given["value"].casefold(), given["operator"].lower()
    except (ValueError, AttributeError, KeyError) as error:
        raise invalid("the filter is not a filter", "filter") from error
