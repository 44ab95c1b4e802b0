"""Posts are claimed by one; drafts belong to one person; marks say when something last happened."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from bot.domain.action import Verb
from bot.domain.errors import NotFound
from bot.store import Store
from bot.store.drafts import Draft, addition
from tests.builders import DAY, HOUR, ana, ben, noon
from tests.store.waiting import until_somebody_waits


async def claim(store: Store, key: str = "digest:overdue:2026-11-23") -> bool:
    async with store.begin() as tx:
        return await tx.posts.claim(key, channel="C0OVERDUE", at=noon)


async def test_of_several_replicas_one_may_post(replicas: tuple[Store, Store]):
    one, two = replicas
    claims = await asyncio.gather(*(claim(store) for store in (one, two, one, two)))
    assert sorted(claims) == [False, False, False, True]


async def test_who_loses_the_claim_to_somebody_at_the_very_moment_goes_on(replicas: tuple[Store, Store]):
    one, two = replicas

    async def claim_or_take_over() -> bool:
        async with two.begin() as tx:
            return await tx.posts.claim("key", channel="C", at=noon) or await tx.posts.reclaim(
                "key", at=noon, before=noon
            )

    async with asyncio.timeout(20), one.begin() as tx:
        assert await tx.posts.claim("key", channel="C", at=noon)
        loser = asyncio.create_task(claim_or_take_over())
        await until_somebody_waits(tx)
    assert await loser is False


async def test_a_claim_given_back_may_be_had_again(store: Store):
    await claim(store)
    async with store.begin() as tx:
        await tx.posts.release("digest:overdue:2026-11-23")
    assert await claim(store)


async def test_what_was_posted_is_not_given_back(store: Store):
    await claim(store)
    async with store.begin() as tx:
        await tx.posts.sent("digest:overdue:2026-11-23", channel="C1", ts="1.2")
        await tx.posts.release("digest:overdue:2026-11-23")
    assert not await claim(store)


async def test_only_a_claim_old_enough_that_never_came_to_a_post_is_taken_over(store: Store):
    await claim(store, "card:R-1")
    async with store.begin() as tx:
        assert not await tx.posts.reclaim("card:R-1", at=noon + HOUR, before=noon)
        assert await tx.posts.reclaim("card:R-1", at=noon + HOUR, before=noon + timedelta(microseconds=1))
        await tx.posts.sent("card:R-1", channel="C1", ts="1.2")
        assert not await tx.posts.reclaim("card:R-1", at=noon + DAY, before=noon + DAY)


async def test_the_latest_of_a_kind_is_the_newest_that_was_posted(store: Store):
    async with store.begin() as tx:
        for hours, key in enumerate(["d_%:1", "d_%:2", "d_%:3", "dxy:4"]):
            await tx.posts.claim(key, channel="C", at=noon + hours * HOUR)
            if key != "d_%:3":
                await tx.posts.sent(key, channel="C", ts=key[-1])
        latest = await tx.posts.latest("d_%:")
    assert latest is not None
    assert latest.key == "d_%:2"


def a_draft() -> Draft:
    return Draft("R-DRAFT", ana.id, Verb.SUSPEND, "C1", noon, form={"note": "逾期"})


async def test_a_draft_comes_back_as_it_was_saved(store: Store):
    await store.write(addition(a_draft()))
    async with store.begin() as tx:
        filled_in = replace(a_draft(), form={"note": "x"}, confirmed={"reason": "fraud"}, nonce="n-1")
        await tx.drafts.save(filled_in)
        assert await tx.drafts.get("R-DRAFT", person=ana.id) == filled_in


async def test_nobody_reads_somebody_elses_draft(store: Store):
    await store.write(addition(a_draft()))
    async with store.begin() as tx:
        with pytest.raises(NotFound):
            await tx.drafts.get("R-DRAFT", person=ben.id)


async def test_drafts_are_forgotten_with_time(store: Store):
    await store.write(addition(a_draft()))
    async with store.begin() as tx:
        await tx.drafts.forget_before(noon)
        await tx.drafts.get("R-DRAFT", person=ana.id)
        await tx.drafts.forget_before(noon + HOUR)
        with pytest.raises(NotFound):
            await tx.drafts.get("R-DRAFT", person=ana.id)


async def test_a_mark_is_the_last_that_was_set(store: Store):
    async with store.begin() as tx:
        assert await tx.marks.get("mirror") is None
        await tx.marks.set("mirror", at=noon, failed=3)
        await tx.marks.set("mirror", at=noon + HOUR, failed=0)
        assert await tx.marks.get("mirror") == (noon + HOUR, {"failed": 0})


async def test_of_those_who_claim_a_mark_one_is_told_so(replicas: tuple[Store, Store]):
    async def claim(store: Store) -> bool:
        async with store.begin() as tx:
            return await tx.marks.claim("event:1", at=noon, about="x")

    assert sorted(await asyncio.gather(*map(claim, replicas))) == [False, True]
    async with replicas[0].begin() as tx:
        assert await tx.marks.get("event:1") == (noon, {"about": "x"})
        assert await tx.marks.claim("event:2", at=noon)


async def test_marks_are_forgotten_by_their_beginning_and_age(store: Store):
    async with store.begin() as tx:
        for name, at in (("event:1", noon), ("event:2", noon + HOUR), ("other", noon)):
            await tx.marks.set(name, at=at)
        await tx.marks.forget("event:", before=noon + HOUR)
        assert set(await tx.marks.beginning("")) == {"event:2", "other"}


async def test_of_drafts_that_come_at_once_one_that_fails_takes_none_of_the_others_along(store: Store):
    names = [f"R-DRAFT{n}" for n in range(20)]
    twice = [*names[:10], names[3], *names[10:]]
    came_of = await asyncio.gather(
        *(store.write(addition(replace(a_draft(), id=name))) for name in twice), return_exceptions=True
    )
    assert [type(error) for error in came_of if error] == [IntegrityError]
    async with store.begin() as tx:
        assert [(await tx.drafts.get(name, person=ana.id)).id for name in names] == names


async def test_whoever_does_not_wait_for_a_draft_any_more_holds_nobody_up(store: Store):
    tasks = [asyncio.create_task(store.write(addition(replace(a_draft(), id=f"R-{n}")))) for n in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    came_of = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in came_of] == [type(None), asyncio.CancelledError, type(None)]
    async with store.begin() as tx:
        assert [(await tx.drafts.get(f"R-{n}", person=ana.id)).id for n in (0, 2)] == ["R-0", "R-2"]


async def test_who_closes_waits_for_those_who_still_write(store: Store):
    wrote, may_go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        async with store.begin() as tx:
            await tx.marks.set("one", at=noon)
            wrote.set()
            await may_go_on.wait()

    writing = asyncio.create_task(slowly())
    await wrote.wait()
    closing = asyncio.create_task(store.close())
    closed, _ = await asyncio.wait({closing}, timeout=0.2)
    assert not closed
    may_go_on.set()
    await asyncio.gather(writing, closing)
    async with store.read() as tx:
        assert await tx.marks.get("one")
