"""Xero's refresh token among several processes: each uses it alone, none uses one twice, and nobody can read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from bot import store as database
from bot.domain.errors import SignInFailed, Unavailable
from bot.receivables.json_reads import Pace
from bot.receivables.xero import Xero
from bot.services.vault import LEASE, Vault
from bot.store import Store
from tests.receivables.xero_side import XeroSide
from tests.services.workshop import Clock

KEY = "a-canary-key-of-more-than-thirty-two-characters"
FIRST = "xero-canary-refresh-0"


@pytest.fixture
async def side(clock: Clock) -> AsyncIterator[XeroSide]:
    async with XeroSide() as side:
        yield side


Process = Callable[..., Xero]


@pytest.fixture
async def process(database_url: str, side: XeroSide, clock: Clock) -> AsyncIterator[Process]:
    """Another process that reads the same organisation over the same database."""
    database.migrate(database_url)
    async with AsyncExitStack() as ends:

        def start(*, first: str = FIRST, key: str = KEY, **options: Any) -> Xero:
            store = Store(database_url, now=clock)
            ends.push_async_callback(store.close)
            vault = Vault(store, name="xero", first=first, key=key, now=clock)
            source = side.source(refresh_tokens=vault, **options)
            ends.push_async_callback(source.close)
            return source

        yield start


@pytest.fixture
async def vaults(database_url: str, clock: Clock) -> AsyncIterator[tuple[Vault, Vault]]:
    database.migrate(database_url)
    stores = [Store(database_url, now=clock) for _ in range(2)]
    yield tuple(Vault(store, name="xero", first=FIRST, key=KEY, now=clock) for store in stores)  # type: ignore[misc]
    for store in stores:
        await store.close()


class TestSigningIn:
    async def test_each_process_goes_on_from_where_the_last_one_left(self, process: Process, side: XeroSide):
        """Xero takes each token once; whoever came second with the first one would be shut out."""
        for _ in range(3):
            await process().check()
        assert [form["refresh_token"] for form in side.forms] == [
            "xero-canary-refresh-0",
            "xero-canary-refresh-1",
            "xero-canary-refresh-2",
        ]

    async def test_two_at_once_use_no_token_twice(self, process: Process, side: XeroSide):
        tasks: list[asyncio.Task[None]] = []

        async def until_the_other_has_ended(n: int, _seconds: float) -> None:
            await asyncio.wait([tasks[1 - n]])

        for n in range(2):
            pace = Pace(now=side.clock, sleep=partial(until_the_other_has_ended, n), jitter=lambda: 1.0)
            tasks.append(asyncio.create_task(process(pace=pace).check()))
        await asyncio.gather(*tasks)
        used = [form["refresh_token"] for form in side.forms]
        assert used == [f"xero-canary-refresh-{n}" for n in range(len(used))]
        assert len(used) == 2

    async def test_a_person_who_signs_in_anew_is_heard(self, process: Process, side: XeroSide):
        await process().check()
        side.refresh_token = "xero-canary-refresh-anew"
        with pytest.raises(SignInFailed) as refused:
            await process().check()
        assert refused.value.reason == "invalid_grant"
        await process(first="xero-canary-refresh-anew").check()
        await process(first="xero-canary-refresh-anew").check()
        assert side.forms[-1]["refresh_token"] == f"xero-canary-refresh-{len(side.forms) - 1}"

    async def test_with_another_key_it_is_said_and_nothing_is_spent(self, process: Process, side: XeroSide):
        await process().check()
        with pytest.raises(SignInFailed) as refused:
            await process(key="another-key-of-more-than-thirty-two-characters").check()
        assert (refused.value.system, refused.value.reason) == ("receivables", "other-secret-key")
        assert len(side.forms) == 1
        await process().check()


class TestTurns:
    async def test_one_has_it_and_the_other_waits(self, vaults: tuple[Vault, Vault], clock: Clock):
        mine, theirs = vaults
        async with mine.turn() as turn:
            assert turn.token == FIRST
            with pytest.raises(Unavailable) as busy:
                async with theirs.turn():
                    pass
            assert (busy.value.system, busy.value.reason) == ("receivables", "sign-in-elsewhere")
        async with theirs.turn() as turn:
            assert turn.token == FIRST

    async def test_one_that_died_with_it_is_followed_and_can_put_nothing_back(
        self, vaults: tuple[Vault, Vault], clock: Clock
    ):
        mine, theirs = vaults
        async with mine.turn() as turn:
            clock.passes(LEASE + timedelta(seconds=1))
            async with theirs.turn() as other:
                await other.keep("newer")
            with pytest.raises(Unavailable):
                await turn.keep("too late")
        async with mine.turn() as turn:
            assert turn.token == "newer"

    async def test_whoever_fails_gives_it_back(self, vaults: tuple[Vault, Vault]):
        mine, theirs = vaults
        with pytest.raises(ZeroDivisionError):
            async with mine.turn():
                raise ZeroDivisionError
        async with theirs.turn() as turn:
            assert turn.token == FIRST

    async def test_what_is_kept_cannot_be_read_in_the_database(self, vaults: tuple[Vault, Vault]):
        async with vaults[0].turn() as turn:
            await turn.keep("xero-canary-refresh-next")
        async with vaults[0]._store.read() as tx:
            rows = (await tx.connection.execute(text("SELECT * FROM refresh_tokens"))).all()
        assert len(rows) == 1
        assert [word for word in ("canary", KEY) if word in repr(rows)] == []
        assert [word for word in ("canary", KEY) if word in repr(vaults[0])] == []
