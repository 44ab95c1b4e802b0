"""Reading collections and single things: page by page, each answer to its value, every link kept at home."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final, TypeVar
from uuid import uuid4

from bot.domain.errors import FeatureMissing, NotFound, Rejected, Unavailable
from bot.partner_center import wire
from bot.partner_center.exchange import Call, Exchange
from bot.partner_center.fields import Unreadable
from bot.partner_center.wire import Page

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_PAGES: Final = 2000


class Reads:
    """`resolve` makes a link that came back absolute; ValueError when it leads to another host."""

    def __init__(self, exchange: Exchange, *, resolve: Callable[[str], str]) -> None:
        self._exchange = exchange
        self._resolve = resolve

    async def all(self, call: Call, read: Callable[[object], T]) -> AsyncIterator[T]:
        """Every item of a collection, page by page; a list without an end raises, lest it look complete."""
        first, tokens = call, set[str]()
        for _ in range(MOST_PAGES):
            page = await self.page(call, read)
            for value in page.values:
                yield value
            if not page.has_next:
                return
            if page.continuation_token in tokens:
                break
            if page.continuation_token is not None:
                tokens.add(page.continuation_token)
                call = _seek(first, page.continuation_token)
            elif page.next_uri is not None:
                call = replace(first, url=self.at_home(page.next_uri, call), request_id=uuid4())
            else:
                # Whoever takes this for the end takes all that is missing for gone.
                raise Unavailable(
                    reason="unreadable",
                    correlation_id=call.correlation_id,
                    detail="a next page, and neither a token nor an address for it",
                )
        raise Unavailable(reason="endless-list", correlation_id=call.correlation_id)

    async def numbered(
        self, call: Call, read: Callable[[object], T], *, size: int, key: Callable[[T], object]
    ) -> AsyncIterator[T]:
        """Every item of a list whose pages are asked for by their number, each item once by its key.

        It ends with a page that brings nothing new, or is refused behind a short one. A short one alone is no end:
        a service may put fewer on a page than it is asked for.
        """
        seen, joint, is_short = set[object](), "&" if "?" in call.url else "?", False
        for number in range(1, MOST_PAGES + 1):
            url = f"{call.url}{joint}PageSize={size}&PageNumber={number}"
            try:
                page = await self.page(replace(call, url=url, request_id=uuid4()), read)
            except (NotFound, Rejected):
                if is_short:
                    return
                raise
            new = [value for value in page.values if key(value) not in seen]
            for value in new:
                if key(value) not in seen:
                    seen.add(key(value))
                    yield value
            if not new:
                return
            is_short = len(page.values) + page.broken < size
        raise Unavailable(reason="endless-list", correlation_id=call.correlation_id)

    async def page(self, call: Call, read: Callable[[object], T]) -> Page[T]:
        return await self.listed(call, partial(wire.page, read=read))

    async def listed(self, call: Call, read: Callable[[object], Page[T]]) -> Page[T]:
        """One page; what of it could not be read is told in the log."""
        page = await self.one(call, read)
        if page.broken:
            log.warning(
                "%s items could not be read and were left out, correlation id %s",
                page.broken,
                call.correlation_id,
            )
        return page

    async def one(self, call: Call, read: Callable[[object], T]) -> T:
        answer = await self._exchange.read(call)
        try:
            return read(answer.value)
        except Unreadable as error:
            raise Unavailable(
                reason="unreadable", correlation_id=call.correlation_id, detail=str(error)
            ) from None

    def at_home(self, uri: str, call: Call) -> str:
        """Where a link leads that came back. Raises Rejected when that is another host."""
        try:
            return self._resolve(uri)
        except ValueError:
            raise Rejected(reason="foreign-link", correlation_id=call.correlation_id) from None


async def of_a_part(items: AsyncIterator[T], call: Call, *, named: str) -> AsyncGenerator[T, None]:
    """What a part of the API lists that not every cloud has: a 404 says that it is missing, not a thing in it."""
    try:
        async for item in items:
            yield item
    except NotFound:
        raise FeatureMissing(
            reason=f"no-{named}", status=HTTPStatus.NOT_FOUND, correlation_id=call.correlation_id
        ) from None


def _seek(first: Call, token: str) -> Call:
    """The next page by its token; the `uri` that comes with it is malformed in places, so it is not used."""
    joint = "&" if "?" in first.url else "?"
    return replace(
        first,
        url=f"{first.url}{joint}seekOperation=Next",
        headers={**first.headers, "MS-ContinuationToken": token},
        request_id=uuid4(),
    )
