"""What people say about a customer's debt, kept in the database, and what the digest makes of it."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest

from bot.domain.digest import Change
from bot.domain.errors import BackstopError, Invalid, NotFound, NotPermitted, PromisedBefore
from bot.domain.people import PersonId
from bot.report import digests as report
from bot.texts import in_language
from tests.builders import CONTOSO, DAY, HOUR, a_customer, ana, ben, eve
from tests.services.conftest import OpenWorkshop
from tests.services.test_digests import OTHER, TODAY, a_row, know, take_in
from tests.services.workshop import Clock, Workshop, writes

WEEK = TODAY + timedelta(days=7)


@pytest.fixture
async def w(workshop: OpenWorkshop) -> Workshop:
    """Contoso owes 500 for 45 days, the other one 80 for 20."""
    w = await workshop()
    await know(w, a_customer(), OTHER)
    await owing(w)
    return w


async def owing(w: Workshop, *more: str, contoso: str = "500.00", as_of: date = TODAY) -> None:
    rows = [a_row("1", "Contoso Ltd", CONTOSO, 45, contoso), a_row("2", "Other", OTHER.id, 20, "80.00")]
    await take_in(w, *rows, *more, as_of=as_of, even_if_it_shrinks=True)


async def tags(w: Workshop) -> list[str]:
    return [str(event.tag) for event in await w.story(CONTOSO)]


class TestSnooze:
    async def test_leaves_them_out_until_its_last_day(self, w: Workshop, clock: Clock):
        await w.followup.snooze(CONTOSO, until=WEEK, why="waits for a credit", by=ana)
        digest = await w.digests.overdue()
        assert [d.party.customer for d in digest.awake] == ["Other"]
        (asleep,) = digest.asleep
        assert asleep.snooze is not None
        assert (asleep.snooze.until, asleep.snooze.by, asleep.snooze.note) == (
            WEEK,
            ana.id,
            "waits for a credit",
        )
        assert not asleep.standing.proposes_suspension
        for day, awake in ((WEEK, ["Other"]), (WEEK + DAY, ["Contoso Ltd", "Other"])):
            clock.at = clock.at.replace(day=day.day, month=day.month)
            assert [d.party.customer for d in (await w.digests.overdue()).awake] == awake

    async def test_that_becomes_worse_shows_them_at_once_and_is_over_once_read(
        self, w: Workshop, clock: Clock
    ):
        await w.digests.record(on=TODAY)
        await w.followup.snooze(CONTOSO, until=WEEK, why="because", by=ana)
        clock.passes(HOUR)
        await owing(w, a_row("3", "Contoso Ltd", CONTOSO, 5, "0.01"))
        debtor = (await w.digests.overdue()).awake[0]
        assert debtor.party.customer == "Contoso Ltd"
        assert (debtor.snooze, debtor.woken and debtor.woken.until) == (None, WEEK)

        await w.digests.record(on=TODAY)
        assert (await w.digests.overdue()).awake[0].woken is None
        assert (await tags(w))[-1] == "customer:woken"
        await owing(w)
        assert (await w.digests.overdue()).asleep == ()

    async def test_is_measured_by_what_was_overdue_when_it_was_said(self, w: Workshop, clock: Clock):
        """Not by the last reading: who paid a part and owes as much as before again is not worse than then."""
        await w.followup.snooze(CONTOSO, until=WEEK, why="because", by=ana)
        for amount in ("300.00", "500.00"):
            clock.passes(DAY)
            await owing(w, contoso=amount, as_of=w.digests.today())
            await w.digests.record(on=w.digests.today())
            assert len((await w.digests.overdue()).asleep) == 1

    async def test_can_be_ended(self, w: Workshop):
        await w.followup.snooze(CONTOSO, until=WEEK, why="because", by=ana)
        assert await w.followup.wake(CONTOSO, by=ana)
        assert not await w.followup.wake(CONTOSO, by=ana)
        assert (await w.digests.overdue()).asleep == ()
        assert await tags(w) == ["customer:snoozed", "customer:woken"]

    async def test_said_twice_is_one_and_said_otherwise_replaces_it(self, w: Workshop):
        for _ in range(2):
            await w.followup.snooze(CONTOSO, until=WEEK, why="because", by=ana)
        assert await tags(w) == ["customer:snoozed"]
        await w.followup.snooze(CONTOSO, until=TODAY + DAY, why="not so long", by=ana)
        followed = await w.followup.of(CONTOSO)
        assert followed.snooze is not None
        assert followed.snooze.until == TODAY + DAY

    async def test_of_several_at_once_one_stands(self, w: Workshop):
        asked = (w.followup.snooze(CONTOSO, until=WEEK + n * DAY, why="because", by=ana) for n in range(4))
        await asyncio.gather(*asked)
        async with w.store.read() as tx:
            assert len((await tx.collections.pauses(on=TODAY))[CONTOSO]) == 1


class TestPromise:
    async def test_stands_in_the_digest_and_holds_a_suspension_back(self, w: Workshop):
        assert (await w.digests.overdue()).debtors[0].standing.proposes_suspension
        await w.followup.promise(CONTOSO, until=WEEK, note="Jim, by phone", by=ana)
        debtor = (await w.digests.overdue()).debtors[0]
        assert debtor.promise is not None
        assert (debtor.promise.until, debtor.promise.by, debtor.promise.note) == (
            WEEK,
            ana.id,
            "Jim, by phone",
        )
        assert not debtor.standing.proposes_suspension
        (event,) = await w.story(CONTOSO)
        assert (event.tag, event.by, event.facts["until"]) == ("customer:promised", ana.id, "2026-11-30")

    async def test_beyond_what_the_policy_allows_is_an_approvers(self, w: Workshop):
        await w.digests.record(on=TODAY)  # the episode begins
        await w.followup.promise(CONTOSO, until=TODAY + DAY, note="", by=ana)
        with pytest.raises(PromisedBefore):
            await w.followup.promise(CONTOSO, until=WEEK, note="", by=ana)
        await w.followup.promise(CONTOSO, until=WEEK, note="", by=ben)
        assert (await w.followup.of(CONTOSO)).promises == 2

    async def test_that_was_broken_counts_as_long_as_the_episode_lasts(self, w: Workshop, clock: Clock):
        await w.digests.record(on=TODAY)
        await w.followup.promise(CONTOSO, until=TODAY + DAY, note="", by=ana)
        clock.passes(5 * DAY)
        followed = await w.followup.of(CONTOSO)
        assert (followed.promise, followed.promises) == (None, 1)
        with pytest.raises(PromisedBefore):
            await w.followup.promise(CONTOSO, until=w.digests.today(), note="", by=ana)

    async def test_said_twice_counts_once(self, w: Workshop):
        asked = (w.followup.promise(CONTOSO, until=WEEK, note="", by=ana) for _ in range(4))
        await asyncio.gather(*asked)
        assert (await w.followup.of(CONTOSO)).promises == 1
        assert await tags(w) == ["customer:promised"]

    async def test_asks_of_nobody_else_what_happened_while_acks_wait(self, w: Workshop):
        with writes() as each:
            await w.followup.promise(CONTOSO, until=WEEK, note="", by=ana)
        asked = [of for statements in each for of in statements if of.startswith("SELECT")]
        about = [of for of in asked if any(f"FROM {name}" in of for name in ("episodes", "steps", "pauses"))]
        assert about
        assert [of for of in about if "tenant = ?" not in of] == []


class TestOwner:
    async def test_is_in_the_digest_until_nobody_is(self, w: Workshop):
        await w.followup.look_after(CONTOSO, owner=PersonId("U0MEI"), by=ana)
        await w.followup.look_after(CONTOSO, owner=PersonId("U0MEI"), by=ana)
        assert [d.owner for d in (await w.digests.overdue()).debtors] == ["U0MEI", None]
        await w.followup.look_after(CONTOSO, owner=None, by=ana)
        assert [d.owner for d in (await w.digests.overdue()).debtors] == [None, None]
        assert await tags(w) == ["customer:owner-set", "customer:owner-set"]


@pytest.mark.parametrize("by", [eve, ben], ids=["without a right", "an approver alone"])
async def test_only_an_operator_says_such_things(w: Workshop, by):
    refused: list[BackstopError] = []
    for work in (
        w.followup.snooze(CONTOSO, until=WEEK, why="because", by=by),
        w.followup.wake(CONTOSO, by=by),
        w.followup.look_after(CONTOSO, owner=by.id, by=by),
    ):
        with pytest.raises(NotPermitted) as raised:
            await work
        refused.append(raised.value)
    assert len(refused) == 3
    assert await tags(w) == []


async def test_of_nobody_nothing_is_said(w: Workshop):
    with pytest.raises(NotFound):
        await w.followup.promise("no-such-customer", until=WEEK, note="", by=ana)
    with pytest.raises(Invalid):
        await w.followup.snooze(CONTOSO, until=TODAY, why="because", by=ana)
    assert await tags(w) == []


class TestSinceTheLastDigest:
    async def test_there_is_nothing_to_tell_of_the_first_books(self, w: Workshop):
        digest = await w.digests.overdue()
        assert digest.since is None
        assert [d.change for d in digest.debtors] == [None, None]

    async def test_new_worse_better_and_cleared(self, w: Workshop, clock: Clock):
        clock.passes(DAY)
        rows = [
            a_row("1", "Contoso Ltd", CONTOSO, 45, "400.00"),
            a_row("3", "Third", "third.example", 5, "10.00"),
        ]
        await take_in(w, *rows, as_of=TODAY + DAY, even_if_it_shrinks=True)
        digest = await w.digests.overdue()
        assert digest.since is not None
        assert digest.since.on == TODAY
        assert digest.since.counts == {Change.NEW: 1, Change.WORSE: 0, Change.BETTER: 1, Change.SAME: 0}
        assert digest.since.cleared == (OTHER.name,)
        assert {d.party.customer: d.change for d in digest.debtors} == {
            "Contoso Ltd": Change.BETTER,
            "Third": Change.NEW,
        }

    async def test_what_only_fell_due_is_worse(self, w: Workshop, clock: Clock):
        await owing(w, a_row("3", "Contoso Ltd", CONTOSO, 0, "10.00"))
        clock.passes(DAY)
        await owing(w, a_row("3", "Contoso Ltd", CONTOSO, 0, "10.00"), as_of=TODAY + DAY)
        assert (await w.digests.overdue()).debtors[0].change is Change.WORSE

    async def test_two_debtors_that_are_one_customer_count_once(self, w: Workshop, clock: Clock):
        clock.passes(DAY)
        await owing(w, a_row("9", "Contoso branch", "contoso.onmicrosoft.com", 3, "1.00"), as_of=TODAY + DAY)
        since = (await w.digests.overdue()).since
        assert since is not None
        assert sum(since.counts.values()) == 2 + (since.counts[Change.NEW])

    async def test_it_is_the_digest_that_was_posted_before_not_the_books(self, w: Workshop, clock: Clock):
        """Books read on the days between, of which nobody was told, hide nothing."""

        async def post() -> tuple[str, str]:
            return "C1", "1.0"

        await w.posts.once(f"digest:overdue:C1:{TODAY.isoformat()}", post, channel="C1")
        for _ in range(2):
            clock.passes(DAY)
            await owing(w, contoso="600.00", as_of=w.digests.today())
        digest = await w.digests.overdue()
        assert digest.since is not None
        assert digest.since.on == TODAY
        assert digest.debtors[0].change is Change.WORSE

    async def test_running_subscriptions_are_counted_and_their_price_is_unknown(self, workshop: OpenWorkshop):
        w = await workshop()
        await w.customers.refresh_if_old()
        contoso = w.far_side.customer("Contoso")
        await take_in(w, a_row("1", "Contoso Ltd", contoso.id, 45, "500.00"))
        (debtor,) = (await w.digests.overdue()).debtors
        active = sum(s.status == "active" for s in contoso.subscriptions)
        assert active
        assert debtor.running == active
        assert (await w.digests.overdue(on=TODAY - DAY)).running is None


class TestTheBrake:
    async def test_old_books_are_not_trusted(self, w: Workshop, clock: Clock):
        assert all(d.trusted for d in (await w.digests.overdue()).debtors)
        clock.passes(2 * DAY)
        digest = await w.digests.overdue()
        assert not any(d.trusted or d.standing.proposes_suspension for d in digest.debtors)
        assert digest.banners[0].key == "stale"

    async def test_unread_rows_concern_their_customer_alone(self, w: Workshop):
        await owing(w, a_row("3", "Contoso Ltd", CONTOSO, 45, "many"))
        assert {d.party.customer: d.trusted for d in (await w.digests.overdue()).debtors} == {
            "Contoso Ltd": False,
            "Other": True,
        }

    async def test_unread_rows_of_nobody_concern_everybody(self, w: Workshop):
        nobodys = a_row("3", "", "", 45, "many")  # in the first line: further down it were the one above's
        await take_in(w, nobodys, a_row("1", "Contoso Ltd", CONTOSO, 45, "500.00"), even_if_it_shrinks=True)
        assert not any(d.trusted for d in (await w.digests.overdue()).debtors)


async def test_all_of_it_is_in_the_json_and_in_words(w: Workshop, clock: Clock):
    clock.passes(DAY)
    await owing(w, contoso="600.00", as_of=TODAY + DAY)
    await w.followup.snooze(CONTOSO, until=WEEK, why="because", by=ana)
    await w.followup.promise(OTHER.id, until=WEEK, note="Jim", by=ana)
    await w.followup.look_after(OTHER.id, owner=ben.id, by=ana)
    document = report.overdue(await w.digests.overdue(), in_language("en"))
    assert document["since_last"] == {
        "date": "2026-11-23",
        "new": 0,
        "worse": 1,
        "better": 0,
        "same": 1,
        "cleared": [],
    }
    contoso, other = document["customers"]
    assert contoso["snoozed"] == {"until": "2026-11-30", "by": ana.id, "note": "because"}
    assert (contoso["since_last"], contoso["promised"], contoso["proposal"]) == ("worse", None, None)
    assert other["promised"] == {"until": "2026-11-30", "by": ana.id, "note": "Jim"}
    assert (other["owner"], other["snoozed"], other["monthly_cost"]) == (ben.id, None, None)
    said = report.digest_words(await w.digests.overdue(), in_language("en"))
    for part in ("Since Nov 23, 2026: 0 new, 1 worse", "snoozed until", "promised to pay until", "(worse)"):
        assert part in said
