"""What must not be posted twice is not, what must not be missing is not, whatever Slack answers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from bot.domain.errors import BackstopError, Rejected, Throttled, Unavailable
from bot.services.posts import GIVEN_UP_AFTER, Posts
from tests.proxy import Proxy
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import Clock

KEY = "digest:overdue:2026-11-23"


class Slack:
    """The far side of `send`: remembers what was posted, and answers as told."""

    def __init__(self, *answers: BackstopError | None) -> None:
        self.posted = 0
        self._answers = list(answers)

    async def __call__(self) -> tuple[str, str]:
        answer = self._answers.pop(0) if self._answers else None
        if answer is None or type(answer) is Unavailable:
            self.posted += 1
        if answer:
            raise answer
        return "C0OVERDUE", f"17.{self.posted}"


async def test_it_is_posted_once_however_often_it_is_asked_for(workshop: OpenWorkshop, database_url: str):
    one, two = await workshop(database_url=database_url), await workshop(database_url=database_url)
    slack = Slack()
    posted = await asyncio.gather(*(w.posts.once(KEY, slack, channel="C0") for w in (one, two, one, two)))
    assert sorted(posted) == [False, False, False, True]
    assert slack.posted == 1
    found = await two.posts.find(KEY)
    assert found is not None
    assert (found.channel, found.ts) == ("C0OVERDUE", "17.1")


@pytest.mark.parametrize("method", ["once", "at_least_once"])
async def test_what_is_posted_is_known_though_the_database_is_away_at_that_moment(
    workshop: OpenWorkshop, postgres_url: str, method: str
):
    async with Proxy(postgres_url) as wire:
        posts = (await workshop(database_url=wire.url)).posts

        async def send() -> tuple[str, str]:
            wire.cut()
            asyncio.get_running_loop().call_later(0.5, wire.mend)
            return "C0OVERDUE", "17.1"

        assert await getattr(posts, method)(KEY, send, channel="C0")
        found = await posts.find(KEY)
        assert found is not None
        assert found.ts == "17.1"


@pytest.mark.parametrize("method", ["once", "at_least_once"])
@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(Rejected("slack", "channel_not_found"), id="a definite no"),
        pytest.param(Throttled("slack", "ratelimited"), id="not now"),
    ],
)
async def test_after_a_refusal_it_may_be_tried_again(
    workshop: OpenWorkshop, method: str, refusal: BackstopError
):
    posts = (await workshop()).posts
    slack = Slack(refusal)
    with pytest.raises(type(refusal)):
        await getattr(posts, method)(KEY, slack, channel="C0")
    assert await posts.find(KEY) is None
    assert await getattr(posts, method)(KEY, slack, channel="C0") is True
    assert slack.posted == 1


class TestOnce:
    @pytest.fixture
    async def posts(self, workshop: OpenWorkshop) -> Posts:
        return (await workshop()).posts

    async def test_a_lost_answer_never_leads_to_a_second_post(self, posts: Posts, clock: Clock):
        slack = Slack(Unavailable("slack", "timeout"))
        with pytest.raises(Unavailable):
            await posts.once(KEY, slack, channel="C0")
        clock.passes(timedelta(days=1))
        await posts.begin("host-0")
        assert await posts.once(KEY, slack, channel="C0") is False
        assert slack.posted == 1

    async def test_the_newest_is_found_by_the_beginning_of_its_key(self, posts: Posts):
        await posts.once(KEY, Slack(), channel="C0")
        assert await posts.latest("digest:overdue:") == await posts.find(KEY)


class TestAtLeastOnce:
    @pytest.fixture
    async def posts(self, workshop: OpenWorkshop) -> Posts:
        return (await workshop()).posts

    async def test_a_lost_answer_is_followed_by_another_try_in_time(self, posts: Posts, clock: Clock):
        slack = Slack(Unavailable("slack", "timeout"))
        with pytest.raises(Unavailable):
            await posts.at_least_once(KEY, slack, channel="C0")
        clock.passes(GIVEN_UP_AFTER)
        assert await posts.at_least_once(KEY, slack, channel="C0") is False, "somebody may still be at it"
        clock.passes(timedelta(microseconds=1))
        assert await posts.at_least_once(KEY, slack, channel="C0") is True
        assert slack.posted == 2

    async def test_what_is_posted_is_not_posted_again(self, posts: Posts, clock: Clock):
        slack = Slack()
        assert await posts.at_least_once(KEY, slack, channel="C0") is True
        clock.passes(timedelta(days=1))
        assert await posts.at_least_once(KEY, slack, channel="C0") is False
        assert slack.posted == 1

    async def test_who_comes_back_after_a_crash_does_not_wait(self, posts: Posts):
        await posts.begin("host-0")
        slack = Slack(Unavailable("slack", "timeout"))
        with pytest.raises(Unavailable):
            await posts.at_least_once(KEY, slack, channel="C0")
        await posts.begin("host-1")
        assert await posts.at_least_once(KEY, slack, channel="C0") is False, "another worker's claim stands"
        await posts.begin("host-0")
        assert await posts.at_least_once(KEY, slack, channel="C0") is True


async def test_what_was_posted_is_as_late_as_it_was_and_what_was_not_gets_later(workshop: OpenWorkshop):
    opened = await workshop()
    clock, posts = opened.clock, opened.posts
    due = clock()
    clock.passes(timedelta(minutes=3))
    assert await posts.lateness(KEY, due) is None, "nobody waits for the first of its kind"
    await posts.once("digest:overdue:2026-11-20", Slack(), channel="C0")
    assert await posts.lateness(KEY, due) == timedelta(minutes=3)
    with suppress(Unavailable):
        await posts.once(KEY, Slack(Unavailable("slack")), channel="C0")
    clock.passes(timedelta(minutes=1))
    assert await posts.lateness(KEY, due) == timedelta(minutes=4), "nobody knows whether it is there"


async def test_how_late_it_was_does_not_change_any_more(workshop: OpenWorkshop):
    opened = await workshop()
    due = opened.clock()
    opened.clock.passes(timedelta(seconds=7))
    await opened.posts.once(KEY, Slack(), channel="C0")
    opened.clock.passes(timedelta(hours=7))
    assert await opened.posts.lateness(KEY, due) == timedelta(seconds=7)
    assert await opened.posts.lateness(KEY, due + timedelta(hours=1)) == timedelta(0), "posted by hand before"
