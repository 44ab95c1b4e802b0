"""The daily anchor of the audit trail: once a day, the same however often it is tried."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from bot.domain.audit import Anchor
from bot.domain.errors import BackstopError
from handlers.anchor import post_anchor
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage

MORNING = datetime(2026, 11, 24, 6, 7, tzinfo=UTC)
DAY = "2026-11-24"


class Calendar:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def posted(stage: Stage, channel: str = story.APPROVALS) -> list[Anchor]:
    """What somebody in the channel can copy."""
    told = (
        re.search(r"`backstop audit verify --anchor (\S+)`", story.words(message))
        for message in stage.slack.messages(channel)
    )
    return [Anchor.parse(found[1]) for found in told if found]


async def test_it_is_posted_once_a_day_and_is_an_entry_itself(set_stage: SetStage):
    stage = await set_stage()
    await asyncio.gather(*(post_anchor(stage.app.desk, DAY) for _ in range(3)))
    (anchor,) = posted(stage)
    async with stage.app.core.store.read() as tx:
        (entry,) = await tx.audit.of(f"anchor:{DAY}")
        assert (entry.tag, entry.by) == ("audit:anchored", "backstop")
        assert dict(entry.facts) == {"seq": anchor.seq, "hash": anchor.hash}
        assert (entry.seq, entry.previous) == (anchor.seq + 1, anchor.hash), "nothing came between"
        verified = await tx.audit.verify([anchor])
        assert (verified.ok, verified.held) == (True, 1)

    assert await post_anchor(stage.app.desk, "2026-11-25")
    assert posted(stage)[1].seq == anchor.seq + 1


async def test_one_that_slack_refused_is_posted_later_as_the_trail_has_it(set_stage: SetStage):
    stage = await set_stage()
    stage.slack.fail("chat.postMessage", error="not_in_channel", times=1)
    with suppress(BackstopError):
        await post_anchor(stage.app.desk, DAY)
    assert posted(stage) == []
    await story.asks(stage)
    assert await post_anchor(stage.app.desk, DAY)
    (anchor,) = posted(stage)
    async with stage.app.core.store.read() as tx:
        (entry,) = await tx.audit.of(f"anchor:{DAY}")
        assert entry.facts["hash"] == anchor.hash


async def test_it_comes_at_its_time_and_in_its_channel_and_is_made_up_for(set_stage: SetStage):
    clock = Calendar(MORNING)
    stage = await set_stage(now=clock, backstop_audit_cron="0 6 * * *", backstop_audit_channel="C0BILLING")
    await stage.slack.message_appears("csp-billing", lambda m: "Anchor of the audit trail" in m["text"])
    assert len(posted(stage, "csp-billing")) == 1
    assert posted(stage) == []
    clock.at += timedelta(minutes=20)
    await stage.app.rounds.catch_up_anchor()
    await stage.app.rounds.post_anchor(MORNING.replace(minute=0))
    async with stage.app.core.store.read() as tx:
        assert len(await tx.audit.of(f"anchor:{DAY}")) == 1
