"""The overdue digest: whom a debt belongs to, what the books can be trusted for, and the sums."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot import policy_file
from bot.domain.action import Reason
from bot.domain.customer import (
    Customer,
    CustomerId,
    Known,
    SubscriptionId,
    SubscriptionKind,
    SubscriptionStatus,
)
from bot.domain.letter import LetterKind
from bot.domain.receivables import FILE
from bot.domain.request import Status
from bot.report import digests as report
from bot.services.intake import Intake
from bot.services.letters import Written
from bot.texts import in_language
from tests.builders import CONTOSO, DAY, HOUR, a_customer, a_subscription, ana
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import PREMIUM, Clock, Workshop

TODAY = date(2026, 11, 23)
HEADER = "Date,Transaction Type,Num,Customer,Domain,Due Date,Terms,Currency,Amount,Open Balance"


def a_row(
    number: str,
    customer: str,
    domain: str,
    days: int,
    amount: str,
    currency: str = "USD",
    kind: str = "Invoice",
) -> str:
    due = TODAY - timedelta(days=days)
    return f'{due},{kind},{number},"{customer}",{domain},{due},Net 30,{currency},{amount},{amount}'


async def take_in(w: Workshop, *rows: str, as_of: date = TODAY, **options: Any) -> Intake:
    text = "\n".join([HEADER, *rows, ""])
    return await w.receivables.take_in(text.encode(), file_name="open.csv", as_of=as_of, **options)


async def know(w: Workshop, *customers: Customer) -> None:
    async with w.store.begin() as tx:
        await tx.mirror.put_customers(customers, at=w.clock())


OTHER = a_customer(id=CustomerId("99999999-2222-4333-8444-555555555555"), domain="other.onmicrosoft.com")


@pytest.fixture
async def w(workshop: OpenWorkshop) -> Workshop:
    return await workshop()


class TestWhoseDebtItIs:
    @pytest.mark.parametrize(
        "tenant",
        [
            pytest.param(CONTOSO, id="the tenant id"),
            pytest.param(CONTOSO.upper(), id="in capitals"),
            pytest.param("contoso.onmicrosoft.com", id="the domain"),
            pytest.param("Contoso.OnMicrosoft.com", id="in any case"),
        ],
    )
    async def test_the_customer_is_known_by(self, w: Workshop, tenant: str):
        await know(w, a_customer(), OTHER)
        await take_in(w, a_row("1", "Some Other Name", tenant, 45, "500.00"))
        (debtor,) = (await w.digests.overdue()).debtors
        assert (debtor.customer, debtor.suggestion) == (a_customer(), None)
        assert debtor.standing.proposes_suspension

    async def test_a_name_is_a_suggestion_and_never_proof(self, w: Workshop):
        await know(w, a_customer())
        await take_in(w, a_row("1", "CONTOSO LTD", "", 45, "500.00"))
        (debtor,) = (await w.digests.overdue()).debtors
        assert (debtor.customer, debtor.suggestion) == (None, a_customer())
        assert not debtor.standing.proposes_suspension
        assert debtor.standing.reasons[-1].rule == "not_mapped"

    async def test_a_name_that_two_bear_suggests_nobody(self, w: Workshop):
        await know(w, a_customer(), OTHER)
        await take_in(w, a_row("1", "Contoso Ltd", "", 45, "500.00"))
        (debtor,) = (await w.digests.overdue()).debtors
        assert debtor.known_as is None

    async def test_a_part_of_a_name_suggests_nobody(self, w: Workshop):
        await know(w, a_customer())
        await take_in(w, a_row("1", "Contoso Ltd & Sons", "", 45, "500.00"))
        (debtor,) = (await w.digests.overdue()).debtors
        assert debtor.known_as is None

    async def test_a_domain_that_two_bear_is_nobodys(self, w: Workshop):
        await know(w, a_customer(), a_customer(id=OTHER.id, name="Twin"))
        await take_in(w, a_row("1", "Somebody", "contoso.onmicrosoft.com", 45, "500.00"))
        (debtor,) = (await w.digests.overdue()).debtors
        assert debtor.customer is None
        assert not debtor.standing.proposes_suspension


class TestTrust:
    async def test_without_any_import_it_says_so(self, w: Workshop):
        digest = await w.digests.overdue()
        assert [b.key for b in digest.banners] == ["nothing_imported"]
        assert (digest.as_of, digest.complete, digest.debtors) == (None, False, ())

    async def test_fresh_and_complete_books_need_no_banner(self, w: Workshop):
        await take_in(w, a_row("1", "Contoso Ltd", CONTOSO, 45, "500.00"))
        digest = await w.digests.overdue()
        assert (digest.banners, digest.complete, digest.as_of) == ((), True, TODAY)

    async def test_books_too_old_propose_nothing_and_say_so(self, w: Workshop, clock: Clock):
        await know(w, a_customer())
        await take_in(w, a_row("1", "Contoso Ltd", CONTOSO, 45, "500.00"))
        clock.passes(26 * HOUR)
        assert (await w.digests.overdue()).banners == ()
        clock.passes(HOUR)
        digest = await w.digests.overdue()
        assert [b.key for b in digest.banners] == ["stale"]
        assert dict(digest.banners[0].facts) == {"as_of": "2026-11-23", "hours": "27"}
        assert not digest.debtors[0].standing.proposes_suspension

    async def test_an_import_of_yesterdays_export_is_as_old_as_yesterday(self, w: Workshop, clock: Clock):
        await take_in(w, a_row("1", "Contoso Ltd", CONTOSO, 45, "500.00"), as_of=TODAY - 2 * DAY)
        assert [b.key for b in (await w.digests.overdue()).banners] == ["stale"]

    async def test_a_row_that_could_not_be_read_stops_proposals_for_its_customer_alone(self, w: Workshop):
        await know(w, a_customer(), OTHER)
        taken = await take_in(
            w,
            a_row("1", "Contoso Ltd", CONTOSO, 45, "500.00"),
            a_row("2", "Contoso Ltd", CONTOSO, 45, "many"),
            a_row("3", "Other", OTHER.id, 45, "500.00"),
        )
        assert len(taken.export.rejected) == 1
        digest = await w.digests.overdue()
        assert [(b.key, dict(b.facts)) for b in digest.banners] == [("incomplete", {"rejected": "1"})]
        assert digest.complete is False
        proposed = {d.party.tenant: d.standing.proposes_suspension for d in digest.debtors}
        assert proposed == {CONTOSO: False, OTHER.id: True}

    async def test_an_earlier_day_is_told_by_the_books_of_that_day(self, w: Workshop, clock: Clock):
        await take_in(w, a_row("1", "Contoso Ltd", CONTOSO, 45, "500.00"))
        clock.passes(DAY)
        paid = await take_in(
            w, a_row("2", "New", "new.example", 1, "1.00"), as_of=TODAY + DAY, even_if_it_shrinks=True
        )
        assert paid.applied
        assert [d.party.customer for d in (await w.digests.overdue(on=TODAY)).debtors] == ["Contoso Ltd"]
        assert [d.party.customer for d in (await w.digests.overdue()).debtors] == ["New"]


class TestSums:
    async def test_currencies_stay_apart_and_credits_count_for_their_owner_alone(self, w: Workshop):
        await take_in(
            w,
            a_row("1", "Contoso Ltd", CONTOSO, 45, "500.00"),
            a_row("2", "Contoso Ltd", CONTOSO, -10, "80.00"),
            a_row("3", "Contoso Ltd", CONTOSO, 5, "30.00", "EUR"),
            a_row("4", "Contoso Ltd", CONTOSO, 1, "-100.00", kind="Credit Memo"),
            a_row("5", "Other", OTHER.id, 95, "7.00"),
        )
        totals = (await w.digests.overdue()).totals
        assert {c: (b.open, b.overdue, b.overdue_net) for c, b in totals.items()} == {
            "EUR": (Decimal(30), Decimal(30), Decimal(30)),
            "USD": (Decimal(587), Decimal(507), Decimal(407)),
        }

    async def test_the_longest_overdue_comes_first_and_who_owes_nothing_yet_does_not_come(self, w: Workshop):
        await take_in(
            w,
            a_row("1", "Little Late", "a.example", 2, "9000.00"),
            a_row("2", "Very Late", "b.example", 80, "10.00"),
            a_row("3", "Not Due", "c.example", 0, "500.00"),
        )
        assert [d.party.customer for d in (await w.digests.overdue()).debtors] == ["Very Late", "Little Late"]

    async def test_the_day_is_the_partners(self, workshop: OpenWorkshop, clock: Clock):
        clock.passes(5 * HOUR)  # 17:00 in London, 01:00 of the next day in Shanghai
        w = await workshop(zone="Asia/Shanghai")
        assert w.digests.today() == TODAY + DAY


class TestStanding:
    async def test_one_customers_debts_are_taken_together(self, w: Workshop):
        await know(w, a_customer())
        await take_in(
            w,
            a_row("1", "Contoso Ltd", CONTOSO, 45, "60.00"),
            a_row("2", "Contoso Ltd", "contoso.onmicrosoft.com", 40, "60.00"),
        )
        standing = (await w.digests.judge(a_customer())).standing
        assert standing.proposes_suspension
        assert standing.stage is not None
        assert standing.stage.id == "suspend"

    async def test_who_owes_nothing_stands_well(self, w: Workshop):
        await take_in(w, a_row("1", "Other", OTHER.id, 45, "500.00"))
        standing = (await w.digests.judge(a_customer(name="Paid Up"))).standing
        assert not standing.proposes_suspension
        assert [r.rule for r in standing.reasons] == ["nothing_overdue"]

    async def test_without_any_import_nothing_is_known(self, w: Workshop):
        standing = (await w.digests.judge(a_customer())).standing
        assert (standing.stage, standing.proposes_suspension, standing.reasons) == (None, False, ())


class TestSuspended:
    """What is suspended stands beside what is owed, with the day after which its data is gone."""

    E3_TERM_ENDS = datetime(2027, 1, 14, tzinfo=UTC)

    async def suspend(self, w: Workshop, of: Customer, *names: str, **fields: Any) -> None:
        given = {"status": SubscriptionStatus.SUSPENDED, "status_word": "suspended"} | fields
        found = [
            a_subscription(id=SubscriptionId(f"s-{n}"), customer_id=of.id, name=n, **given) for n in names
        ]
        async with w.store.begin() as tx:
            await tx.mirror.put_subscriptions(of.id, found, at=w.clock())

    async def test_a_debtor_shows_its_own_and_one_line_the_others(self, w: Workshop):
        new_commerce = {"kind": SubscriptionKind.NEW_COMMERCE_SEAT, "term_end": self.E3_TERM_ENDS}
        await know(w, a_customer(), OTHER)
        await take_in(w, a_row("1", "Contoso Ltd", CONTOSO, 45, "500.00"))
        await self.suspend(w, a_customer(), "E3", "Visio", **new_commerce)
        await self.suspend(w, OTHER, "Project")
        digest = await w.digests.overdue()
        (debtor,) = digest.debtors
        assert [(c.subscription.name, c.deadline) for c in debtor.suspended] == [
            ("E3", self.E3_TERM_ENDS.date()),
            ("Visio", self.E3_TERM_ENDS.date()),
        ]
        assert [(c.subscription.name, c.deadline, c.known) for c in digest.others_suspended] == [
            ("Project", None, Known.UNKNOWN)
        ]
        (row,) = report.overdue(digest, in_language("en"))["customers"]
        assert row["suspended"] == [
            {"subscription": "s-E3", "name": "E3", "deletes_on": "2027-01-14"},
            {"subscription": "s-Visio", "name": "Visio", "deletes_on": "2027-01-14"},
        ]
        said = report.digest_words(digest, in_language("en"))
        assert "2 suspended; data is deleted after Jan 14, 2027" in said
        assert "1 more suspended subscription" in said

    async def test_who_is_only_suggested_by_name_is_not_taken_for_the_debtor(self, w: Workshop):
        await know(w, a_customer())
        await take_in(w, a_row("1", "Contoso Ltd", "", 45, "500.00"))
        await self.suspend(w, a_customer(), "E3")
        digest = await w.digests.overdue()
        assert digest.debtors[0].suspended == ()
        assert len(digest.others_suspended) == 1

    async def test_an_earlier_day_says_nothing_of_what_is_suspended_now(self, w: Workshop, clock: Clock):
        await know(w, a_customer())
        await take_in(w, a_row("1", "Contoso Ltd", CONTOSO, 45, "500.00"))
        await self.suspend(w, a_customer(), "E3")
        clock.passes(DAY)
        earlier = await w.digests.overdue(on=TODAY)
        assert (earlier.debtors[0].suspended, earlier.others_suspended) == ((), ())

    async def test_days_until_deletion_are_those_of_the_policy(self, workshop: OpenWorkshop):
        policy = policy_file.parse("schema = 1\n[deletion_days.global]\nlegacy_seat = 10", name="test")
        w = await workshop(policy=policy)
        await w.customers.refresh()
        assert (await w.run(await w.approved(PREMIUM))).status is Status.DONE
        (ours,) = [c for c in await w.digests.countdowns() if c.asked_by]
        assert (ours.deadline, ours.known) == (TODAY + 10 * DAY, Known.OURS)


class TestIntake:
    async def test_the_same_export_twice_changes_nothing(self, w: Workshop):
        rows = [a_row(str(n), f"Firm {n}", f"f{n}.example", 10, "5.00") for n in range(4)]
        first, second = await take_in(w, *rows), await take_in(w, *rows)
        assert (first.applied, second.applied) == (True, True)
        assert first.changes is not None
        assert second.changes is not None
        assert len(first.changes.new) == len(second.changes.unchanged) == 4
        assert (second.changes.new, second.changes.changed, second.changes.closed) == ((), (), ())
        async with w.store.read() as tx:
            assert len(await tx.books.open_on()) == 4

    async def test_a_day_older_than_the_books_is_held(self, w: Workshop):
        await take_in(w, a_row("1", "A", "a.example", 10, "5.00"))
        late = await take_in(w, a_row("2", "B", "b.example", 10, "5.00"), as_of=TODAY - DAY)
        assert (late.applied, late.held) == (False, "older_than_books")

    async def test_a_day_that_has_not_come_is_held(self, w: Workshop):
        early = await take_in(w, a_row("1", "A", "a.example", 10, "5.00"), as_of=TODAY + DAY)
        assert (early.applied, early.held) == (False, "in_the_future")

    @pytest.mark.parametrize(
        ("kept", "held"),
        [pytest.param(7, None, id="30 % fewer is news"), pytest.param(6, "shrinks", id="more is held")],
    )
    async def test_a_file_that_shrinks(self, w: Workshop, kept: int, held: str | None):
        rows = [a_row(str(n), f"Firm {n}", f"f{n}.example", 10, "5.00") for n in range(10)]
        await take_in(w, *rows)
        shorter = await take_in(w, *rows[:kept])
        assert (shorter.applied, shorter.held) == (held is None, held)
        async with w.store.read() as tx:
            assert len(await tx.books.open_on()) == (kept if held is None else 10)

    async def test_what_is_held_for_shrinking_is_applied_when_a_person_says_so(self, w: Workshop):
        rows = [a_row(str(n), f"Firm {n}", f"f{n}.example", 10, "5.00") for n in range(10)]
        await take_in(w, *rows)
        assert (await take_in(w, rows[0], even_if_it_shrinks=True)).applied
        async with w.store.read() as tx:
            assert len(await tx.books.open_on()) == 1

    async def test_a_trial_changes_nothing_and_says_what_would(self, w: Workshop):
        trial = await take_in(w, a_row("1", "A", "a.example", 10, "5.00"), apply=False)
        assert trial.changes is not None
        assert (trial.applied, len(trial.changes.new)) == (False, 1)
        assert await w.receivables.last_import() is None

    async def test_what_is_no_export_is_refused_whole(self, w: Workshop):
        taken = await w.receivables.take_in(b"%PDF-1.7", file_name="open.pdf", as_of=TODAY)
        assert taken.export.refused is not None
        assert (taken.applied, taken.changes) == (False, None)

    async def test_an_import_is_in_the_audit_trail(self, w: Workshop):
        taken = await take_in(w, a_row("1", "A", "a.example", 10, "5.00"))
        (event,) = await w.story(taken.export.sha256[:16])
        assert (event.facts["as_of"], event.facts["accepted"], event.facts["new"]) == ("2026-11-23", 1, 1)


async def test_the_clock_of_a_suspension_runs_from_the_day_we_suspended_it(workshop: OpenWorkshop):
    w = await workshop()
    await w.customers.refresh()
    foreign = {c.subscription.id for c in await w.digests.countdowns()}
    await w.run(await w.approved(PREMIUM))  # a legacy seat
    (ours,) = (c for c in await w.digests.countdowns() if c.subscription.id not in foreign)
    assert ours.customer is not None
    assert ours.customer.name.startswith("Contoso")
    assert ours.deadline == w.digests.today() + timedelta(days=90)


async def test_a_suspension_by_somebody_else_has_a_clock_nobody_can_read(workshop: OpenWorkshop):
    w = await workshop()
    w.far_side.suspend_outside(w.subscription(PREMIUM).id)
    await w.customers.refresh()
    found = {c.subscription.id: c.deadline for c in await w.digests.countdowns()}
    assert found[SubscriptionId(w.subscription(PREMIUM).id)] is None


async def test_a_dry_run_is_said_on_the_digest(workshop: OpenWorkshop):
    w = await workshop(dry_run=True)
    assert [b.key for b in (await w.digests.overdue()).banners] == ["nothing_imported", "dry_run"]


async def test_what_the_policy_would_have_proposed_stands_beside_what_people_did(
    workshop: OpenWorkshop, clock: Clock
):
    w = await workshop()
    contoso, adatum = w.far_side.customer("Contoso"), w.far_side.customer("Adatum")
    await w.customers.refresh()
    late = a_row("1", "Contoso", contoso.domain, 40, "500.00")
    later = a_row("2", "Adatum", adatum.domain, 30, "500.00")
    clock.passes(-3 * DAY)
    await take_in(w, late, later, as_of=TODAY - 3 * DAY)
    request = await w.placed(of="Fourth Coffee", name="Microsoft 365 Business Basic")
    clock.passes(3 * DAY)
    await take_in(w, late, later)
    both = await w.placed()

    found = await w.digests.shadow(days=5)

    told = {line.customer_name: line for line in found.lines}
    assert (found.agreed, found.only_proposed, found.only_done) == (1, 1, 1)
    assert (told["Contoso Ltd"].proposed_on, [d.id for d in told["Contoso Ltd"].deeds]) == (
        TODAY - 3 * DAY,
        [both.id],
    )
    assert (told["Adatum Corporation"].proposed_on, told["Adatum Corporation"].deeds) == (TODAY, ())
    assert told["Fourth Coffee"].proposed_on is None
    assert [(d.id, d.on, d.status) for d in told["Fourth Coffee"].deeds] == [
        (request.id, TODAY - 3 * DAY, "pending")
    ]


async def test_suspensions_for_another_reason_are_none_of_the_policys_business(workshop: OpenWorkshop):
    w = await workshop()
    await w.placed(reason=Reason.FRAUD)
    assert (await w.digests.shadow(days=5)).lines == ()


class TestHistory:
    """What the policy remembers from one reading to the next."""

    STRICT = policy_file.parse(
        """
schema = 1
[[stage]]
id = "warn"
days_overdue = 10
action = "warn"
notice_days = 7
[[stage]]
id = "suspend"
days_overdue = 30
action = "propose_suspend"
requires_stage = "warn"
""",
        name="test",
    )

    async def test_a_notice_on_record_lets_a_suspension_be_proposed_once_its_days_are_over(
        self, workshop: OpenWorkshop, database_url: str
    ):
        w = await workshop(database_url=database_url, policy=self.STRICT)
        await know(w, a_customer())
        await take_in(w, a_row("1", "Contoso", CONTOSO, 45, "500.00"))
        assert not (await w.digests.judge(a_customer())).standing.proposes_suspension

        written = Written(
            LetterKind.WARN, a_customer().id, "Contoso", "en", "", "Overdue", "Please pay.", None
        )
        letter = await w.letters.draft(written, by=ana)
        await w.letters.copied(letter.id, by=ana)
        for days, proposes in ((6, False), (1, True)):
            w.clock.passes(days * DAY)
            today = w.digests.today()
            await take_in(w, a_row("1", "Contoso", CONTOSO, 45, "500.00"), as_of=today)
            assert (await w.digests.judge(a_customer())).standing.proposes_suspension is proposes

    async def test_an_episode_ends_when_they_pay_and_another_begins(
        self, workshop: OpenWorkshop, database_url: str
    ):
        w = await workshop(database_url=database_url, policy=self.STRICT)
        await know(w, a_customer())
        other = a_row("2", "Other", "", 45, "1.00")
        owes, paid = a_row("1", "Contoso", CONTOSO, 45, "500.00"), a_row("1", "Contoso", CONTOSO, 45, "0.00")
        seen = []
        for row in (owes, owes, paid, owes):
            today = w.digests.today()
            await take_in(w, row, other, as_of=today, even_if_it_shrinks=True)
            await w.digests.record(on=today)
            await w.digests.record(on=today)  # the same books on the same day: nothing new
            async with w.store.read() as tx:
                history = (await tx.collections.histories(on=today))[CONTOSO]
            seen.append((history.began, [step.stage for step in history.steps]))
            w.clock.passes(DAY)
        first = TODAY - 44 * DAY
        assert seen == [
            (first, ["warn"]),
            (first, ["warn"]),
            (None, []),
            (TODAY + 2 * DAY, ["warn"]),
        ]


class TestTotals:
    async def test_they_are_always_those_of_the_digest(self, w: Workshop):
        """They are kept: whatever the books come to changes with an import, a source that is retired, or the day."""

        async def both_say(overdue: str, debtors: int) -> None:
            told, digest = await w.digests.totals(), await w.digests.overdue()
            assert (told.as_of, told.banners, told.totals) == (digest.as_of, digest.banners, digest.totals)
            assert told.debtors == len(digest.debtors) == debtors
            assert sum(b.overdue for b in told.totals.values()) == Decimal(overdue)

        await know(w, a_customer())
        await both_say("0", 0)
        due_today = a_row("2", "Other", "other.example", 0, "30.00")
        await take_in(w, a_row("1", "Contoso", CONTOSO, 45, "500.00"), due_today)
        await both_say("500", 1)
        await take_in(w, a_row("1", "Contoso", CONTOSO, 45, "200.00"), due_today)
        await both_say("200", 1)
        w.clock.passes(DAY)
        await both_say("230", 2)
        await w.sources.retire(FILE)
        await both_say("0", 0)
