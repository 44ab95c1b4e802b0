"""Long lists, handed out page by page against a continuation token; that of the customers, filtered by a prefix.

https://learn.microsoft.com/partner-center/developer/get-a-list-of-customers
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from bot.sandbox.partner_center import bodies
from bot.sandbox.partner_center.errors import invalid
from bot.sandbox.partner_center.records import Customer

TOKEN_HEADER = "MS-ContinuationToken"  # noqa: S105 - the name of a header


@dataclass(frozen=True)
class Place:
    """Where a page begins, and of which list: `asked` is what the first request wanted."""

    offset: int
    size: int
    asked: Mapping[str, str]

    def token(self) -> str:
        return base64.b64encode(json.dumps([self.offset, self.size, self.asked]).encode()).decode()

    @classmethod
    def read(cls, token: str) -> Place:
        try:
            offset, size, asked = json.loads(base64.b64decode(token, validate=True))
            return cls(int(offset), int(size), {key: str(value) for key, value in asked.items()})
        except (binascii.Error, ValueError, TypeError, AttributeError) as error:
            raise invalid("the continuation token is not one of ours", TOKEN_HEADER) from error


def customers(
    known: Sequence[Customer], query: Mapping[str, str], token: str | None, *, most: int
) -> bodies.Json:
    """One page of at most `most` customers, with a link to the next while there is one."""

    def found(asked: Mapping[str, str]) -> list[bodies.Json]:
        return [bodies.customer_in_list(customer) for customer in _filtered(known, asked["filter"])]

    return page("/customers", found, query, token, most=most, keys=("filter",))


def page(
    path: str,
    found: Callable[[Mapping[str, str]], Sequence[bodies.Json]],
    query: Mapping[str, str],
    token: str | None,
    *,
    most: int,
    keys: Iterable[str],
) -> bodies.Json:
    """One page of what is `found` for the values that the query, or the token, gives these keys."""
    place = _place(query, token, most, keys)
    items = found(place.asked)
    end = place.offset + place.size
    links = {"self": bodies.link(f"{path}?{urlencode(query)}")}
    if end < len(items):
        following = {key: value for key, value in query.items() if key != "seekOperation"}
        uri = f"{path}?{urlencode({**following, 'seekOperation': 'Next'})}"
        links["next"] = bodies.link(uri, {TOKEN_HEADER: Place(end, place.size, place.asked).token()})
    return bodies.collection(items[place.offset : end], links)


def _place(query: Mapping[str, str], token: str | None, most: int, keys: Iterable[str]) -> Place:
    seek = query.get("seekOperation")
    if (seek is None) != (token is None):
        raise invalid("seekOperation and the continuation token belong together", "seekOperation")
    if token is not None:
        if seek != "Next":
            raise invalid("unknown seekOperation", "seekOperation")
        place = Place.read(token)
        if place.asked.keys() != set(keys):
            raise invalid("the continuation token belongs to another list", TOKEN_HEADER)
        for key, value in place.asked.items():
            if query.get(key, value) != value:
                raise invalid(f"the continuation token belongs to another {key}", key)
        return place
    size = query.get("size", "0")
    if not size.isdecimal():
        raise invalid("size is not a number", "size")
    return Place(0, min(int(size) or most, most), {key: query.get(key, "") for key in keys})


def _filtered(customers: Sequence[Customer], text: str) -> list[Customer]:
    if not text:
        return list(customers)
    field, value, operator = read_filter(text)
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


def read_filter(text: str) -> tuple[str, str, str]:
    """Field, value and operator of a filter, all in lower case."""
    try:
        given = {key.lower(): value for key, value in json.loads(text).items()}
        return given["field"].lower(), given["value"].casefold(), given["operator"].lower()
    except (ValueError, AttributeError, KeyError) as error:
        raise invalid("the filter is not a filter", "filter") from error
