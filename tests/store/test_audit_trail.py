"""The audit trail in the database: appended from several replicas at once, and whatever is touched is found."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import text

from bot.domain.audit import Anchor, AuditTag
from bot.store import Store
from tests.builders import CONTOSO, a_request, an_action, noon, targets


async def append(store: Store, subject: str, **facts: object) -> None:
    async with store.begin() as tx:
        await tx.audit.append(AuditTag.REQUEST_PLACED, subject, by="U0ANA", **facts)


async def verify(store: Store) -> tuple[int, int | None]:
    """How many entries hold, and the number of the first that does not."""
    async with store.read() as tx:
        verified = await tx.audit.verify()
    return verified.count, verified.broken.seq if verified.broken else None


async def test_entries_appended_at_once_from_two_replicas_make_one_chain(replicas: tuple[Store, Store]):
    one, two = replicas
    await asyncio.gather(*(append((one, two)[n % 2], f"R-{n}", number=n) for n in range(50)))
    assert await verify(one) == (50, None)


async def test_several_entries_of_one_transaction_hold(store: Store):
    async with store.begin() as tx:
        await tx.audit.append(AuditTag.REQUEST_PLACED, "R-1", by="U0ANA", note="„Überfällig“ – 逾期", n=1.5)
        await tx.audit.append(AuditTag.REQUEST_APPROVED, "R-1", by="U0BEN", nested={"b": [1], "a": None})
    assert await verify(store) == (2, None)


async def test_a_customers_trail_has_what_happened_to_all_that_was_about_them_the_newest_first(store: Store):
    mine, other = (
        a_request(id="R-MINE"),
        a_request(id="R-OTHER", action=an_action(customer_id="t-other"), targets=targets(1)),
    )
    async with store.begin() as tx:
        for request in (mine, other):
            await tx.requests.add(request)
    for subject in (CONTOSO, "R-MINE", "R-OTHER", "R-MINE"):
        await append(store, subject)
    async with store.read() as tx:
        assert [e.seq for e in await tx.audit.about(CONTOSO, 9)] == [4, 2, 1]
        assert [e.seq for e in await tx.audit.about("R-OTHER", 9)] == [3]
        assert [e.seq for e in await tx.audit.about(CONTOSO, 2)] == [4, 2]


async def test_what_is_rolled_back_leaves_no_gap(store: Store):
    await append(store, "R-1")
    with suppress(LookupError):
        async with store.begin() as tx:
            await tx.audit.append(AuditTag.REQUEST_PLACED, "R-2")
            raise LookupError
    await append(store, "R-3")
    assert await verify(store) == (2, None)


@pytest.mark.parametrize(
    ("tampering", "found_at"),
    [
        pytest.param("UPDATE audit SET \"by\" = 'U0EVE' WHERE seq = 2", 2, id="who"),
        pytest.param("UPDATE audit SET facts = '{\"number\": 9}' WHERE seq = 2", 2, id="facts"),
        pytest.param("UPDATE audit SET facts = '{\"number' WHERE seq = 2", 2, id="facts nobody can read"),
        pytest.param("UPDATE audit SET subject = 'R-9' WHERE seq = 2", 2, id="subject"),
        pytest.param("UPDATE audit SET tag = 'request:denied' WHERE seq = 2", 2, id="tag"),
        pytest.param("UPDATE audit SET at = '2026-11-24 12:00:00.000000' WHERE seq = 2", 2, id="when"),
        pytest.param("UPDATE audit SET previous = hash WHERE seq = 2", 2, id="predecessor"),
        pytest.param("UPDATE audit SET hash = previous WHERE seq = 2", 2, id="hash"),
        pytest.param("UPDATE audit SET seq = 9 WHERE seq = 4", 9, id="number"),
        pytest.param("DELETE FROM audit WHERE seq = 1", 2, id="the first removed"),
        pytest.param("DELETE FROM audit WHERE seq = 3", 4, id="one removed"),
    ],
)
async def test_tampering_is_found_at_the_first_broken_entry(store: Store, tampering: str, found_at: int):
    for number in range(4):
        await append(store, f"R-{number}", number=number)
    async with store.begin() as tx:
        await tx.connection.execute(text(tampering))
    _, broken = await verify(store)
    assert broken == found_at


@pytest.mark.parametrize(
    "tampering",
    [
        pytest.param("UPDATE audit SET at = 'yesterday' WHERE seq = 2", id="a moment that is none"),
        pytest.param("UPDATE audit SET at = x'00ff' WHERE seq = 2", id="a moment of bytes"),
        pytest.param("UPDATE audit SET subject = x'00ff' WHERE seq = 2", id="a subject of bytes"),
        pytest.param("UPDATE audit SET facts = x'00ff' WHERE seq = 2", id="facts of bytes"),
        pytest.param('UPDATE audit SET facts = \'{"a": "\\ud800"}\' WHERE seq = 2', id="half a character"),
        pytest.param("UPDATE audit SET facts = '[1]' WHERE seq = 2", id="facts without names"),
    ],
)
async def test_what_sqlite_keeps_of_any_nonsense_is_a_broken_entry(sqlite_url: str, tampering: str):
    store = Store(sqlite_url, now=lambda: noon)
    for number in range(3):
        await append(store, f"R-{number}", number=number)
    async with store.begin() as tx:
        await tx.connection.exec_driver_sql(tampering)
    assert (await verify(store))[1] == 2
    await store.close()


async def test_two_entries_that_swapped_places_are_found(store: Store):
    for number in range(4):
        await append(store, f"R-{number}")
    async with store.begin() as tx:
        for change in (
            "SET seq = 99 WHERE seq = 2",
            "SET seq = 2 WHERE seq = 3",
            "SET seq = 3 WHERE seq = 99",
        ):
            await tx.connection.execute(text(f"UPDATE audit {change}"))
    assert (await verify(store))[1] == 2


async def test_one_subjects_story_is_told_in_order(store: Store):
    for subject in ("R-1", "R-2", "R-1"):
        await append(store, subject)
    async with store.read() as tx:
        assert [event.seq for event in await tx.audit.of("R-1")] == [1, 3]


async def test_a_part_is_read_from_a_moment_on(store: Store):
    await append(store, "R-1")
    async with store.read() as tx:
        assert [e.seq async for e in tx.audit.since(noon)] == [1]
        assert [e.seq async for e in tx.audit.since(noon + timedelta(microseconds=1))] == []


async def anchored(store: Store) -> Anchor:
    """The head, told of in the trail itself."""
    async with store.begin() as tx:
        head = await tx.audit.head()
        assert head
        await tx.audit.append(AuditTag.AUDIT_ANCHORED, "anchor:2026-11-23", seq=head.seq, hash=head.hash)
    return head


async def test_the_anchors_the_trail_tells_of_are_checked_and_those_given(store: Store):
    await append(store, "R-1")
    first = await anchored(store)
    await append(store, "R-2")
    async with store.read() as tx:
        assert (await tx.audit.verify()).held == 1
        assert (await tx.audit.verify([first])).held == 1, "the same"
        head = await tx.audit.head()
        assert head
        assert (await tx.audit.verify([head])).held == 2
        forged = Anchor(1, "f" * 64)
        found = await tx.audit.verify([forged])
        assert (found.ok, found.held, found.lost) == (False, 1, (forged,))


async def test_an_anchor_made_nonsense_of_is_a_broken_entry(store: Store):
    await append(store, "R-1")
    await anchored(store)
    for facts in ("7", '{"seq": "1"}', "{"):
        async with store.begin() as tx:
            await tx.connection.execute(
                text("UPDATE audit SET facts = :facts WHERE seq = 2"), {"facts": facts}
            )
        assert (await verify(store))[1] == 2
