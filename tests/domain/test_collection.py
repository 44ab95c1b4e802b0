"""Ten thousand payment histories: nobody is cut off who does not owe, no stage is skipped, nothing fires twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.calendar import BusinessCalendar
from bot.domain.collection import Facts, Gone, Ground, History, Standing, Step, advance, ground, standing
from bot.domain.policy import (
    BillingPolicy,
    Debt,
    Exemption,
    Exit,
    Override,
    Rule,
    Segment,
    Stage,
    StageAction,
)

FIRST = date(2026, 1, 1)
LAST = FIRST + timedelta(days=120)
CONTOSO = "11111111-2222-4333-8444-555555555555"
SEED = 20261125

STAGES = (
    Stage("remind", 3, StageAction.REMIND, repeat_every_days=7),
    Stage("warn", 14, StageAction.WARN, notice_days=7),
    Stage("ticket", 21, StageAction.TICKET),
    Stage(
        "suspend",
        30,
        StageAction.PROPOSE_SUSPEND,
        {"EUR": Decimal(100), "USD": Decimal(100)},
        requires_stage="warn",
    ),
    Stage("cancel", 60, StageAction.PROPOSE_CANCEL, requires_stage="suspend"),
)
HOLIDAYS = frozenset(date(2026, 4, day) for day in (3, 6, 7))
CALENDAR = BusinessCalendar("XX", lambda day: day.weekday() < 5 and day not in HOLIDAYS)
POLICY = BillingPolicy(
    "test", STAGES, {"EUR": Decimal(25), "USD": Decimal(25)}, min_step_gap_days=3, calendar=CALENDAR
)


@dataclass
class Invoice:
    currency: str
    amount: Decimal
    due: date
    paid_on: date | None
    disputed: tuple[date, date] | None


class Payer:
    """One customer's life over 150 days: invoices, payments in parts, disputes, promises, and what the books missed."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.invoices = [self._invoice() for _ in range(dice.randint(0, 6))]
        self.promises = self._spans(0.15, 14)
        self.snoozes = self._spans(0.1, 20)
        self.blind = self._spans(0.2, 10)
        self.exempt = self._spans(0.1, 60)
        self.warned = dice.random() < 0.8

    def _invoice(self) -> Invoice:
        due = FIRST + timedelta(days=self.dice.randint(-20, 120))
        late = self.dice.choice([None, -3, 0, 2, 10, 20, 31, 45, 70])
        disputed = None
        if self.dice.random() < 0.15:
            begin = due + timedelta(days=self.dice.randint(0, 30))
            disputed = (begin, begin + timedelta(days=self.dice.randint(1, 40)))
        return Invoice(
            self.dice.choice(["EUR", "USD", "JPY"]),
            Decimal(self.dice.choice(["5", "24.99", "25", "99.99", "100", "2500"])),
            due,
            None if late is None else due + timedelta(days=late),
            disputed,
        )

    def _spans(self, chance: float, longest: int) -> list[tuple[date, date]]:
        found = []
        while self.dice.random() < chance:
            begin = FIRST + timedelta(days=self.dice.randint(0, 150))
            found.append((begin, begin + timedelta(days=self.dice.randint(0, longest))))
        return found

    def overdue(self, on: date) -> Mapping[str, Debt]:
        """What counts on that day: due, unpaid, undisputed."""
        debts: dict[str, Debt] = {}
        for invoice in self.invoices:
            open_ = invoice.paid_on is None or invoice.paid_on > on
            disputed = invoice.disputed is not None and within(on, invoice.disputed)
            if open_ and invoice.due < on and not disputed:
                known = debts.get(invoice.currency, Debt(Decimal(0), 0, 0))
                days = max(known.oldest_days, (on - invoice.due).days)
                debts[invoice.currency] = Debt(known.overdue + invoice.amount, days, known.items + 1)
        return debts

    def facts(self, on: date) -> Facts:
        return Facts(
            tenant=CONTOSO,
            exposure=self.overdue(on),
            owes_anything=any(i.paid_on is None or i.paid_on > on for i in self.invoices),
            books_are_fresh=not any(within(on, span) for span in self.blind),
            promised_until=max((end for begin, end in self.promises if begin <= on), default=None),
            snoozed_until=max((end for begin, end in self.snoozes if begin <= on), default=None),
        )

    def policy(self, on: date) -> BillingPolicy:
        until = [end for begin, end in self.exempt if begin <= on <= end]
        if not until:
            return POLICY
        cuts = frozenset({StageAction.PROPOSE_SUSPEND, StageAction.PROPOSE_CANCEL})
        return replace(
            POLICY,
            exemptions=tuple(Exemption(CONTOSO, "a payment plan", cuts, end, "U0") for end in until),
        )


def within(on: date, span: tuple[date, date]) -> bool:
    return span[0] <= on <= span[1]


def test_ten_thousand_payment_histories():
    dice = random.Random(SEED)
    proposed, done_while_owing = Counter[str](), 0
    for _ in range(10_000):
        payer = Payer(dice)
        history, fired, on = History(), list[Step](), FIRST
        while on < LAST:
            on += timedelta(days=dice.choice((1, 1, 2, 3, 5)))  # now and then nobody looks
            facts, policy = payer.facts(on), payer.policy(on)
            stands = standing(policy, facts, history, on=on)
            if stands.proposes_suspension or stands.proposes_cancel:
                must_owe(payer, facts, stands, on)
                assert history.warned, "nobody is cut off without a warning"
                assert (on - max(history.warned)).days >= 7
            if stands.proposes_suspension:
                done_while_owing += must_still_owe(payer, ground(policy, facts, on=on), on, dice)
            following = advance(policy, facts, history, stands, on=on)
            if history.began and following.began != history.began:
                fired = []
            if stands.fires:
                must_follow(fired, stands, on)
                fired.append(Step(stands.fires.id, on))
                proposed[stands.fires.id] += 1
                if stands.fires.id == "warn" and payer.warned:
                    following = replace(following, warned=(*following.warned, on))
            history = following
    assert proposed["suspend"] > 500, "and yet the policy goes for those who do owe"
    assert proposed["cancel"] > 100
    assert done_while_owing > 500, "and most of them still owe when it comes to it"


def must_owe(payer: Payer, facts: Facts, stands: Standing, on: date) -> None:
    """They are so many days late with so much, undisputed, unpromised and not exempt, by fresh books."""
    late = payer.overdue(on)
    if stands.proposes_suspension:
        assert any(d.oldest_days >= 30 and d.overdue >= 100 and c != "JPY" for c, d in late.items())
    if stands.proposes_cancel:
        assert any(d.oldest_days >= 60 for d in late.values())
    assert facts.books_are_fresh
    assert not any(begin <= on <= end for begin, end in (*payer.promises, *payer.snoozes))
    assert not any(within(on, span) for span in payer.exempt)
    assert CALENDAR.is_business_day(on)


def must_still_owe(payer: Payer, confirmed: Ground, proposed_on: date, dice: random.Random) -> bool:
    """Some days pass until it is approved and carried out, and anything may happen meanwhile: whoever does not owe
    by then, or of whom nobody can tell, is left alone."""
    on = proposed_on + timedelta(days=dice.choice((0, 0, 1, 3, 10)))
    facts = payer.facts(on)
    gone = confirmed.gone(ground(payer.policy(on), facts, on=on))
    if gone is None:
        assert payer.overdue(on)
        assert facts.books_are_fresh
        assert not any(begin <= on <= end for begin, end in payer.promises)
        assert not any(within(on, span) for span in payer.exempt)
    return gone is None


def must_follow(fired: list[Step], stands: Standing, on: date) -> None:
    """No stage is skipped, none fires twice in an episode but a reminder, and never two within three days."""
    stage = stands.fires
    assert stage is not None
    assert CALENDAR.is_business_day(on)
    before = [step.stage for step in fired]
    if stage.id != "remind":
        assert stage.id not in before
    if stage.id == "suspend":
        assert "warn" in before
    if stage.id == "cancel":
        assert "suspend" in before
    if fired:
        assert (on - fired[-1].on).days >= 3


# One rule at a time


def late(days: int, amount: str = "500", currency: str = "EUR", **fields: object) -> Facts:
    given: dict[str, object] = {"tenant": CONTOSO, "exposure": {currency: Debt(Decimal(amount), days)}}
    return Facts(**(given | fields))  # type: ignore[arg-type]


def rules(stands: Standing) -> list[str]:
    return [rule.rule for rule in stands.reasons]


TODAY = date(2026, 6, 1)
WARNED = History(began=TODAY - timedelta(days=40), warned=(TODAY - timedelta(days=20),))


def test_without_a_recorded_warning_nobody_is_cut_off_and_the_warning_comes_first():
    stands = standing(POLICY, late(45), History(), on=TODAY)
    assert stands.proposes_suspension is False
    assert (stands.fires and stands.fires.id, stands.next_stage and stands.next_stage.id) == ("warn", "warn")
    assert "requires:warn" in rules(stands)


def test_a_warning_of_an_earlier_episode_does_not_count():
    earlier = History(began=TODAY - timedelta(days=10), warned=(TODAY - timedelta(days=50),))
    assert standing(POLICY, late(45), earlier, on=TODAY).proposes_suspension is False


def test_an_episode_begins_with_the_first_overdue_day_though_nobody_looked_then():
    warned = History(warned=(TODAY - timedelta(days=20),))
    stands = standing(POLICY, late(45), warned, on=TODAY)
    assert stands.proposes_suspension
    assert advance(POLICY, late(45), warned, stands, on=TODAY).began == TODAY - timedelta(days=44)


def test_an_episode_does_not_begin_before_the_last_one_ended():
    """An old invoice was disputed while the rest was paid; the warning of that time was about other debts."""
    ended = TODAY - timedelta(days=5)
    before = History(before=ended, warned=(TODAY - timedelta(days=20),))
    stands = standing(POLICY, late(45), before, on=TODAY)
    assert not stands.proposes_suspension
    assert advance(POLICY, late(45), before, stands, on=TODAY).began == ended


@pytest.mark.parametrize(("days_ago", "proposes"), [(6, False), (7, True)])
def test_a_warning_needs_its_time(days_ago: int, proposes: bool):
    history = replace(WARNED, warned=(TODAY - timedelta(days=days_ago),))
    assert standing(POLICY, late(45), history, on=TODAY).proposes_suspension is proposes


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        pytest.param(late(45, books_are_fresh=False), "data_too_old", id="old books"),
        pytest.param(late(45, books_are_complete=False), "rows_unread", id="rows that could not be read"),
        pytest.param(late(45, tenant=None), "not_mapped", id="nobody knows whose debt it is"),
        pytest.param(late(45, promised_until=TODAY), "promised", id="a promise, to its last day"),
        pytest.param(late(45, snoozed_until=TODAY), "snoozed", id="somebody said to wait"),
    ],
)
def test_each_brake_holds_a_cut_off_back_and_says_so(facts: Facts, rule: str):
    stands = standing(POLICY, facts, WARNED, on=TODAY)
    assert (stands.proposes_suspension, stands.holds_back) == (False, True)
    assert rule in rules(stands)
    assert stands.fires is None or not stands.fires.action.cuts_off


def test_the_day_after_a_promise_it_counts_again():
    facts = late(45, promised_until=TODAY - timedelta(days=1))
    assert standing(POLICY, facts, WARNED, on=TODAY).proposes_suspension


def test_what_was_partly_paid_since_the_last_reading_is_left_alone_for_that_day():
    before = replace(WARNED, overdue={"EUR": Decimal(900)})
    stands = standing(POLICY, late(45, "500"), before, on=TODAY)
    assert (stands.proposes_suspension, "partly_paid" in rules(stands)) == (False, True)
    goes_on = replace(POLICY, exit=Exit(partial_payment="continue"))
    assert standing(goes_on, late(45, "500"), before, on=TODAY).proposes_suspension


def test_that_day_it_is_left_alone_however_often_it_is_read():
    before, left = replace(WARNED, overdue={"EUR": Decimal(900)}), late(45, "500")
    read = advance(POLICY, left, before, standing(POLICY, left, before, on=TODAY), on=TODAY)
    again = standing(POLICY, left, read, on=TODAY)
    assert (again.proposes_suspension, "partly_paid" in rules(again)) == (False, True)
    assert standing(POLICY, left, read, on=TODAY + timedelta(days=1)).proposes_suspension


@pytest.mark.parametrize("was_trusted", [True, False])
@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize(
    ("now", "why"),
    [
        pytest.param({"unlinked": True, "owes": False}, Gone.UNLINKED, id="another's by now"),
        pytest.param({"exempt": True}, Gone.EXEMPT, id="exempt by now"),
        pytest.param({"promised": True}, Gone.PROMISED, id="promised by now"),
        pytest.param({"owes": False}, Gone.PAID, id="paid"),
        pytest.param({"owes": False, "disputes": True}, Gone.DISPUTED, id="disputed"),
        pytest.param({}, None, id="as it was"),
    ],
)
def test_what_takes_the_ground_away_does_so_however_sure_the_books_are(
    now: dict[str, bool], why: Gone | None, trusted: bool, was_trusted: bool
):
    confirmed = Ground(owes=True, trusted=was_trusted)
    found = confirmed.gone(replace(Ground(owes=True, trusted=trusted), **now))
    if was_trusted and not trusted and why in (Gone.PAID, Gone.DISPUTED, None):
        why = Gone.UNSURE
    assert found is why


def test_a_trifle_in_another_currency_is_not_taken_for_a_payment():
    debts = {"EUR": Debt(Decimal(500), 45), "USD": Debt(Decimal(5), 45)}
    facts = late(45, exposure=debts)
    before = advance(POLICY, facts, WARNED, standing(POLICY, facts, WARNED, on=TODAY), on=TODAY)
    assert standing(POLICY, facts, before, on=TODAY + timedelta(days=1)).proposes_suspension


def test_an_exemption_is_checked_last_and_says_why():
    cuts = frozenset({StageAction.PROPOSE_SUSPEND})
    policy = replace(POLICY, exemptions=(Exemption(CONTOSO, "a hospital", cuts, TODAY, "U0"),))
    stands = standing(policy, late(45), WARNED, on=TODAY)
    assert (stands.proposes_suspension, stands.reasons[-1].rule) == (False, "exempt")
    assert standing(policy, late(45), WARNED, on=TODAY + timedelta(days=1)).proposes_suspension


def test_an_override_holds_over_a_segment_over_the_stages():
    segment = Segment("public", "public-sector", {"suspend": {"days_overdue": 40}})
    policy = replace(POLICY, segments=(segment,), tags={"public-sector": frozenset({CONTOSO})})
    assert not standing(policy, late(39), WARNED, on=TODAY).proposes_suspension
    assert standing(policy, late(40), WARNED, on=TODAY).proposes_suspension
    own = Override(CONTOSO, "contract", {"suspend": {"days_overdue": 50}}, TODAY, "U0")
    assert not standing(replace(policy, overrides=(own,)), late(49), WARNED, on=TODAY).proposes_suspension
    off = replace(segment, stages={"suspend": {"enabled": False}})
    stands = standing(replace(policy, segments=(off,)), late(59), WARNED, on=TODAY)
    assert (stands.proposes_suspension, stands.stage and stands.stage.id) == (False, "ticket")


def test_a_currency_without_a_threshold_is_for_a_person():
    stands = standing(POLICY, late(45, "500000", "JPY"), WARNED, on=TODAY)
    assert (stands.proposes_suspension, "currency_unlisted" in rules(stands)) == (False, True)
    ignoring = replace(POLICY, currency_unlisted="ignore")
    assert "currency_unlisted" not in rules(standing(ignoring, late(45, "500000", "JPY"), WARNED, on=TODAY))


def test_a_step_moves_to_the_next_business_day():
    off = replace(POLICY, calendar=BusinessCalendar("XX", lambda day: day != TODAY))
    stands = standing(off, late(45), WARNED, on=TODAY)
    assert (stands.fires, stands.proposes_suspension) == (None, False)
    assert Rule("not_a_business_day", "2026-06-02") in stands.reasons
    assert standing(off, late(46), WARNED, on=TODAY + timedelta(days=1)).proposes_suspension


def test_days_of_grace_do_not_count():
    lenient = replace(POLICY, grace_days=5)
    assert not standing(lenient, late(34), WARNED, on=TODAY).proposes_suspension
    assert standing(lenient, late(35), WARNED, on=TODAY).proposes_suspension


class TestExit:
    PAID = Facts(CONTOSO, {}, owes_anything=False, suspended_for_debt=True)

    def test_what_was_suspended_for_debt_is_proposed_to_be_resumed_once_paid(self):
        assert standing(POLICY, self.PAID, WARNED, on=TODAY).proposes_resume

    def test_what_was_not_suspended_for_debt_is_not(self):
        other = replace(self.PAID, suspended_for_debt=False)
        assert not standing(POLICY, other, WARNED, on=TODAY).proposes_resume

    @pytest.mark.parametrize("unsure", [{"books_are_fresh": False}, {"books_are_complete": False}])
    def test_missing_data_resumes_nobody(self, unsure: dict[str, Any]):
        facts = replace(self.PAID, **unsure)
        stands = standing(POLICY, facts, WARNED, on=TODAY)
        assert not stands.proposes_resume
        assert advance(POLICY, facts, WARNED, stands, on=TODAY) == WARNED

    def test_so_many_readings_in_a_row_must_show_it(self):
        policy = replace(POLICY, exit=Exit(confirm_readings=2))
        first = standing(policy, self.PAID, WARNED, on=TODAY)
        assert not first.proposes_resume
        after = advance(policy, self.PAID, WARNED, first, on=TODAY)
        assert standing(policy, self.PAID, after, on=TODAY + timedelta(days=1)).proposes_resume
        again = advance(policy, late(3), after, standing(policy, late(3), after, on=TODAY), on=TODAY)
        assert again.cleared == 0

    @pytest.mark.parametrize(
        ("when", "facts", "over"),
        [
            pytest.param("overdue_cleared", Facts(CONTOSO, {}), True, id="nothing overdue, something open"),
            pytest.param("all_cleared", Facts(CONTOSO, {}), False, id="something open"),
            pytest.param("below_minimum", late(45, "24.99"), True, id="a trifle left"),
            pytest.param("overdue_cleared", late(45, "24.99"), False, id="a trifle is overdue"),
        ],
    )
    def test_an_episode_is_over(self, when, facts: Facts, over: bool):
        policy = replace(POLICY, exit=Exit(when=when))
        stands = standing(policy, facts, WARNED, on=TODAY)
        assert (advance(policy, facts, WARNED, stands, on=TODAY).began is None) is over
