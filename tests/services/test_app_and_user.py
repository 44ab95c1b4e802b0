"""App+User lives on: whoever signs in next, in another process or after a restart, has the newest refresh token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import SecretStr

from bot.domain.errors import SignInFailed
from bot.microsoft import partner_center_of
from bot.partner_center.client import PartnerCenter
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.settings import Settings
from bot.store import Store
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import Clock

KEY = "a key of thirty-two characters, or more"


class Office:
    """Makes clients as processes do, each from the settings an operator wrote once."""

    def __init__(
        self, far_side: PartnerCenterSandbox, clock: Clock, ends: AsyncExitStack, store: Store
    ) -> None:
        self._clock, self._ends, self._store = clock, ends, store
        self._given: dict[str, Any] = {
            "_env_file": None,
            "partner_center_tenant_id": far_side.tenant_id,
            "partner_center_client_id": far_side.client_id,
            "partner_center_client_secret": SecretStr(far_side.client_secret),
            "partner_center_refresh_token": SecretStr(far_side.refresh_token),
            "partner_center_base_url": far_side.base_url,
            "partner_center_authority_url": far_side.authority_url,
        }

    def process(self, **settings: Any) -> PartnerCenter:
        client, to_close = partner_center_of(
            Settings(**(self._given | settings)), now=self._clock, store=self._store
        )
        for opened in to_close:
            self._ends.push_async_callback(opened.aclose)
        return client


@pytest.fixture
async def office(workshop: OpenWorkshop, far_side, clock) -> AsyncIterator[Office]:
    async with AsyncExitStack() as ends:
        yield Office(far_side, clock, ends, (await workshop()).store)


async def sees(client: PartnerCenter) -> bool:
    return [spent async for spent in client.spent()] != []


async def test_the_newest_token_is_there_for_the_next_process(office):
    kept = {"backstop_secret_key": SecretStr(KEY)}
    first, second = office.process(**kept), office.process(**kept)
    assert await sees(first)
    assert await sees(second)
    assert await sees(office.process(**kept))


async def test_without_a_key_each_process_has_its_own(office):
    assert await sees(office.process())
    with pytest.raises(SignInFailed):
        await sees(office.process())


async def test_a_token_of_ours_is_not_readable_in_the_database(office, far_side, workshop):
    await sees(office.process(backstop_secret_key=SecretStr(KEY)))
    w = await workshop()
    async with w.store.read() as tx:
        rows = (await tx.connection.exec_driver_sql("SELECT * FROM refresh_tokens")).all()
    assert len(rows) == 1
    assert far_side.refresh_token not in str(rows)
