"""A letter: sent once, by its writer, to an address; and what it may ask for and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.domain.action import Reason, Verb
from bot.domain.aging import age
from bot.domain.calendar import MONDAY_TO_FRIDAY, BusinessCalendar
from bot.domain.collection import Facts, History, Standing, standing
from bot.domain.errors import BackstopError, Invalid, LetterOutdated, LetterSettled, NotPermitted
from bot.domain.letter import (
    MOST_BODY,
    MOST_SUBJECT,
    Account,
    Letter,
    LetterKind,
    LetterStatus,
    Owed,
    account,
    as_lines,
    deadline,
    fitting_kind,
    is_address,
    one_line,
    telling_of,
)
from bot.domain.people import Right
from bot.domain.policy import BillingPolicy, Debt, Exemption, Stage, StageAction
from bot.domain.receivables import OpenItem
from bot.domain.request import Outcome, Result
from tests.builders import (
    CONTOSO,
    DAY,
    HOUR,
    a_letter,
    a_request,
    an_action,
    ana,
    ben,
    boss,
    eve,
    noon,
    settled,
)

TODAY = noon.date()


def sending(**fields: Any) -> Letter:
    return a_letter(**fields).send(by=ana, at=noon, zone=UTC)


def claimed() -> Letter:
    return sending().claim(holder="w-0", at=noon + HOUR)


def unknown() -> Letter:
    return claimed().lost_sight_of("unavailable", "timeout")


LETTERS = {
    "draft": a_letter(),
    "sending": sending(),
    "claimed": claimed(),
    "sent": claimed().sent(at=noon, zone=UTC),
    "copied": a_letter().copied(by=ana, at=noon, zone=UTC),
    "failed": claimed().failed("rejected", "550"),
    "unknown": unknown(),
}
LONG_AGO = replace(LETTERS["copied"], recorded_on=TODAY - 30 * DAY)
CHANGES = {
    "send": lambda letter: letter.send(by=ana, at=noon, zone=UTC),
    "copied": lambda letter: letter.copied(by=ana, at=noon, zone=UTC),
    "claim": lambda letter: letter.claim(holder="w-1", at=noon),
    "sent": lambda letter: letter.sent(at=noon, zone=UTC),
    "failed": lambda letter: letter.failed("rejected", "550"),
    "lost_sight_of": lambda letter: letter.lost_sight_of("unavailable", "timeout"),
    "decide": lambda letter: letter.decide(was_sent=True, by=ana, at=noon + DAY, zone=UTC),
}
ALLOWED = {
    "draft": {"send", "copied"},
    "sending": {"claim"},
    "claimed": {"sent", "failed", "lost_sight_of"},
    "unknown": {"sent", "failed", "decide"},
}


@pytest.mark.parametrize("state", LETTERS)
@pytest.mark.parametrize("change", CHANGES)
def test_each_step_is_taken_from_where_it_may_and_refused_elsewhere(state: str, change: str):
    if change in ALLOWED.get(state, set()):
        assert CHANGES[change](LETTERS[state]) != LETTERS[state]
        return
    with pytest.raises(LetterSettled) as refused:
        CHANGES[change](LETTERS[state])
    assert refused.value.why == LETTERS[state].status


@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        pytest.param(lambda: a_letter(by=eve), NotPermitted, id="writing without the right"),
        pytest.param(lambda: a_letter(by=ben), NotPermitted, id="writing as an approver alone"),
        pytest.param(
            lambda: a_letter().send(by=eve, at=noon, zone=UTC), NotPermitted, id="sending without the right"
        ),
        pytest.param(
            lambda: a_letter().send(by=boss, at=noon, zone=UTC), LetterSettled, id="sending another's draft"
        ),
        pytest.param(
            lambda: a_letter().copied(by=boss, at=noon, zone=UTC), LetterSettled, id="copying another's draft"
        ),
        pytest.param(
            lambda: unknown().decide(was_sent=True, by=ben, at=noon + DAY, zone=UTC),
            NotPermitted,
            id="deciding without",
        ),
        pytest.param(
            lambda: a_letter(to="").send(by=ana, at=noon, zone=UTC), Invalid, id="sending to nobody"
        ),
        pytest.param(lambda: a_letter(to="Ana <a@b.example>"), Invalid, id="a name with the address"),
        pytest.param(lambda: a_letter(subject=" \r\n "), Invalid, id="no subject"),
        pytest.param(lambda: a_letter(body="\n\n"), Invalid, id="no text"),
        pytest.param(lambda: a_letter(subject="x" * (MOST_SUBJECT + 1)), Invalid, id="a long subject"),
        pytest.param(lambda: a_letter(body="x" * (MOST_BODY + 1)), Invalid, id="a long text"),
    ],
)
def test_what_must_not_be_is_refused_by_type(refused: Any, kind: type[BackstopError]):
    with pytest.raises(kind):
        refused()


@pytest.mark.parametrize("kind", LetterKind)
@pytest.mark.parametrize("state", LETTERS)
def test_a_warning_counts_once_the_customer_was_told(kind: LetterKind, state: str):
    letter = replace(LETTERS[state], kind=kind)
    told = letter.status in (LetterStatus.SENT, LetterStatus.COPIED)
    assert letter.is_recorded is told
    assert letter.counts_as_warning is (told and kind in (LetterKind.WARN, LetterKind.FINAL))


def test_who_looked_says_whether_it_was_sent_and_notice_counts_from_their_word_on():
    assert LETTERS["unknown"].recorded_on is None
    failed = unknown().decide(was_sent=False, by=ana, at=noon + DAY, zone=UTC)
    assert (failed.status, failed.recorded_on) == (LetterStatus.FAILED, None)
    sent = unknown().decide(was_sent=True, by=ana, at=noon + DAY, zone=UTC)
    assert (sent.status, sent.sent_at, sent.recorded_on) == (LetterStatus.SENT, noon + HOUR, TODAY + DAY)


@pytest.mark.parametrize(("zone", "day"), [("UTC", TODAY), ("Pacific/Auckland", TODAY + DAY)])
def test_it_is_on_record_from_the_day_in_the_partners_zone(zone: str, day: date):
    place = ZoneInfo(zone)
    assert claimed().sent(at=noon, zone=place).recorded_on == day
    assert a_letter().copied(by=ana, at=noon, zone=place).recorded_on == day


def test_a_warning_whose_days_were_worked_out_yesterday_is_not_sent():
    late = noon + 12 * HOUR
    with pytest.raises(LetterOutdated):
        a_letter().send(by=ana, at=late, zone=UTC)
    assert a_letter().send(by=ana, at=late - HOUR, zone=UTC).status is LetterStatus.SENDING
    assert a_letter(kind=LetterKind.REMIND).send(by=ana, at=late, zone=UTC).status is LetterStatus.SENDING
    assert a_letter().copied(by=ana, at=late, zone=UTC).recorded_on == TODAY + DAY


def test_the_hash_tells_texts_apart_and_repeats_none():
    one = a_letter()
    assert one.text_hash != a_letter(body="Other").text_hash != a_letter(subject="Other").text_hash
    assert "pay" not in one.text_hash


@pytest.mark.parametrize(
    "address",
    [
        *("a@b.example", "first.last+x@sub.contoso.co.uk", "o'neil@contoso.xn--p1ai", "a_b@c-d.org"),
        *("jürgen@b.example", "a@bücher.example", "会计@例子.中国"),
    ],
)
def test_an_address_is_an_address(address: str):
    assert is_address(address)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "@b.example", "a@b", "a b@c.example", "a@b.example,c@d.example", "a@b.example\n"),
        *("<a@b.example>", ".a@b.example", "a..b@c.example", "a@-b.example", "a@b..example", "ä @b.example"),
        *("a\u202e@b.example", "a@b\u00a0.example", "a@ä", f"{'ä' * 64}@{'ä' * 64}.example"),
        *(
            "a@b.example\r\nBcc: c@d.example",
            f"{'a' * 65}@b.example",
            f"a@{'b.' * 130}example",
            "a@b.example;",
        ),
    ],
)
def test_anything_else_is_not(text: str):
    assert not is_address(text)


def test_a_header_is_one_line_and_a_text_has_no_control_characters():
    assert one_line("A\r\nB\u2028C\x00\u202eD  E") == "A B C D E"
    assert as_lines("1\u00a0234,56\u00a0EUR\u3000\u202ex") == "1\u00a0234,56\u00a0EUR\u3000x"
    assert as_lines("\r\nA\tB\r\n\rC\x00\x1b[1m  \n") == "A    B\n\nC[1m"


# What it asks for


def an_item(number: str, days: int, amount: str, currency: str = "EUR", **fields: Any) -> OpenItem:
    return OpenItem(
        customer="Contoso Ltd",
        document_number=number,
        due_date=TODAY - timedelta(days=days),
        currency=currency,
        open_amount=Decimal(amount),
        **fields,
    )


def owed_for(*items: OpenItem) -> Account:
    return account(age(items, on=TODAY), on=TODAY)


def test_only_what_may_be_dunned_is_asked_for_the_oldest_first():
    found = owed_for(
        an_item("2", 10, "20.00"),
        an_item("1", 30, "10.00"),
        an_item("disputed", 40, "99.00", disputed=True),
        an_item("blocked", 40, "99.00", dunning_blocked=True),
        an_item("today", 0, "99.00"),
        an_item("promised", 40, "99.00", promise_to_pay=TODAY),
        an_item("3", 5, "7.50", "USD", promise_to_pay=TODAY - DAY),
    )
    assert [item.document_number for item in found.documents] == ["1", "2", "3"]
    assert found.owed == {
        "EUR": Owed(Decimal("30.00"), Decimal(0)),
        "USD": Owed(Decimal("7.50"), Decimal(0)),
    }


def test_credits_are_taken_off_and_what_they_cover_is_not_asked_for():
    found = owed_for(
        an_item("1", 30, "100.00"),
        an_item("credit", 1, "-40.00"),
        an_item("2", 30, "50.00", "USD"),
        an_item("covers", 1, "-50.00", "USD"),
    )
    assert [item.document_number for item in found.documents] == ["1"]
    assert found.owed == {"EUR": Owed(Decimal("100.00"), Decimal("40.00"))}
    assert found.owed["EUR"].net == Decimal("60.00")


def test_nothing_is_owed_where_nothing_is_overdue():
    assert owed_for(an_item("1", 0, "10.00")) == Account((), {})


SUSPEND = Stage("suspend", 30, StageAction.PROPOSE_SUSPEND, {"EUR": Decimal(100)}, requires_stage="warn")
WEEKDAYS = BusinessCalendar("DE", lambda day: day.weekday() < 5)
CLOSED = BusinessCalendar("closed until Advent", lambda day: day >= date(2026, 12, 1))


def policy(notice: int = 0, **changes: Any) -> BillingPolicy:
    """It asks for a warning, with so many days' notice."""
    stages = (Stage("warn", 14, StageAction.WARN, notice_days=notice), SUSPEND)
    return replace(BillingPolicy("v", stages, {"USD": Decimal(25)}, calendar=WEEKDAYS), **changes)


def exempt(until: date) -> tuple[Exemption, ...]:
    return (Exemption(CONTOSO, "Hospital", frozenset({StageAction.PROPOSE_SUSPEND}), until, "U0FINANCE"),)


def owes(days: int, amount: str = "500.00", currency: str = "EUR", **others: Any) -> Facts:
    return Facts(CONTOSO, {currency: Debt(Decimal(amount), days)}, **others)


def day_told(
    rules: BillingPolicy,
    facts: Facts,
    *,
    kind: LetterKind = LetterKind.WARN,
    history: History | None = None,
) -> date | None:
    found = deadline(kind, rules, facts, history or History(), on=TODAY)
    assert found is None or found.stage == "suspend"
    return found.day if found else None


@pytest.mark.parametrize(
    ("rules", "facts", "day"),
    [
        pytest.param(policy(7), owes(14), date(2026, 12, 9), id="the day it is 30 days"),
        pytest.param(policy(7), owes(28), date(2026, 11, 30), id="the notice is longer"),
        pytest.param(policy(7), owes(300), date(2026, 11, 30), id="however long it is overdue"),
        pytest.param(policy(0), owes(28), date(2026, 11, 25), id="a policy without notice"),
        pytest.param(policy(5), owes(28), date(2026, 11, 30), id="a notice that ends on a Saturday"),
        pytest.param(policy(7), owes(18), date(2026, 12, 7), id="30 days on a Saturday"),
        pytest.param(
            policy(7, calendar=MONDAY_TO_FRIDAY),
            owes(18),
            date(2026, 12, 5),
            id="where the policy has no days off",
        ),
        pytest.param(policy(7, calendar=CLOSED), owes(28), date(2026, 12, 1), id="a holiday"),
        pytest.param(policy(7, grace_days=3), owes(14), date(2026, 12, 14), id="days of grace"),
        pytest.param(
            policy(7),
            owes(28, promised_until=date(2026, 12, 3)),
            date(2026, 12, 4),
            id="a promise until then",
        ),
        pytest.param(
            policy(7, exemptions=exempt(date(2026, 12, 1))),
            owes(50),
            date(2026, 12, 2),
            id="exempt until then",
        ),
        pytest.param(
            policy(7), owes(28, books_are_fresh=False), date(2026, 11, 30), id="the books are old today"
        ),
        pytest.param(
            policy(
                7,
                stages=(
                    Stage("warn", 14, StageAction.WARN, notice_days=30),
                    replace(SUSPEND, requires_stage=None),
                ),
            ),
            owes(28),
            date(2026, 11, 25),
            id="a notice that the stage does not require",
        ),
    ],
)
@pytest.mark.parametrize("kind", [LetterKind.WARN, LetterKind.FINAL])
def test_a_warning_names_the_first_day_on_which_the_policy_lets_a_suspension_come(
    kind: LetterKind, rules: BillingPolicy, facts: Facts, day: date
):
    assert day_told(rules, facts, kind=kind) == day


def test_an_earlier_warning_does_not_shorten_the_notice_of_this_one():
    before = History(began=TODAY - 20 * DAY, warned=(TODAY - 20 * DAY,))
    assert day_told(policy(7), owes(50), history=before) == date(2026, 11, 30)


def test_a_stage_between_that_has_not_been_carried_out_is_reckoned_with():
    between = Stage("ticket", 33, StageAction.TICKET, requires_stage="warn")
    stages = (Stage("warn", 14, StageAction.WARN, notice_days=7), between, replace(SUSPEND, days_overdue=34))
    chained = policy(stages=(*stages[:2], replace(stages[2], requires_stage="ticket")))
    assert day_told(chained, owes(28)) == date(2026, 12, 1), (
        "seven days of notice, then the ticket, then this"
    )


@pytest.mark.parametrize("days", range(1, 45))
@pytest.mark.parametrize("notice", [0, 7])
def test_no_suspension_is_proposed_before_the_day_named_and_one_is_on_it(days: int, notice: int):
    exposure = {"EUR": Debt(Decimal(500), days), "USD": Debt(Decimal(9), 60)}
    rules, warned = policy(notice), History(began=TODAY, warned=(TODAY,))

    def proposed(n: int) -> bool:
        aged = {c: replace(debt, oldest_days=debt.oldest_days + n) for c, debt in exposure.items()}
        return standing(rules, Facts(CONTOSO, aged), warned, on=TODAY + n * DAY).proposes_suspension

    day = day_told(rules, Facts(CONTOSO, exposure))
    first = next(n for n in range(60) if proposed(n))
    assert day == (TODAY + first * DAY if first else None)


@pytest.mark.parametrize("kind", [LetterKind.REMIND, LetterKind.SUSPENDED, LetterKind.RESUMED])
def test_only_a_warning_names_a_day(kind: LetterKind):
    assert day_told(policy(7), owes(14), kind=kind) is None


@pytest.mark.parametrize(
    ("rules", "facts"),
    [
        pytest.param(policy(7), Facts(CONTOSO, {}), id="nothing is overdue"),
        pytest.param(policy(7), owes(50, "99.99"), id="too little for the stage"),
        pytest.param(policy(7), owes(50, "5000.00", "USD"), id="a currency the stage does not list"),
        pytest.param(policy(7, minimum={"EUR": Decimal(501)}), owes(50), id="below the minimum"),
        pytest.param(policy(7, stages=()), owes(50), id="a policy that suspends nobody"),
        pytest.param(policy(7, exemptions=exempt(date(2099, 1, 1))), owes(50), id="exempt for years"),
        pytest.param(policy(0), owes(50), id="it may come today already"),
    ],
)
def test_no_day_is_named_where_there_is_none_to_come(rules: BillingPolicy, facts: Facts):
    assert day_told(rules, facts) is None


def test_an_old_trifle_does_not_lend_its_age_to_a_young_debt_in_another_currency():
    exposure = {"USD": Debt(Decimal(90), 300), "EUR": Debt(Decimal(500), 14)}
    assert day_told(policy(7), Facts(CONTOSO, exposure)) == date(2026, 12, 9)


@pytest.mark.parametrize(
    ("action", "earlier", "kind"),
    [
        pytest.param(None, (), LetterKind.REMIND, id="no stage yet"),
        pytest.param(StageAction.REMIND, (), LetterKind.REMIND, id="reminder"),
        pytest.param(StageAction.WARN, (), LetterKind.WARN, id="warning"),
        pytest.param(StageAction.WARN, ("sent",), LetterKind.WARN, id="warning, and warned before"),
        pytest.param(StageAction.PROPOSE_SUSPEND, (), LetterKind.WARN, id="late, but never warned"),
        pytest.param(
            StageAction.PROPOSE_SUSPEND, ("failed",), LetterKind.WARN, id="a warning that never left"
        ),
        pytest.param(StageAction.PROPOSE_SUSPEND, ("sent",), LetterKind.FINAL, id="late and warned"),
        pytest.param(StageAction.TICKET, ("copied",), LetterKind.FINAL, id="warned by hand"),
        pytest.param(StageAction.TICKET, ("long ago",), LetterKind.WARN, id="warned of debts before these"),
    ],
)
def test_nobody_is_warned_for_the_last_time_who_was_not_warned(
    action: StageAction | None, earlier: tuple[str, ...], kind: LetterKind
):
    stage = Stage("s", 14, action) if action else None
    stands = Standing(stage, None, proposes_suspension=False, reasons=())
    letters = LETTERS | {"long ago": LONG_AGO}
    owed = owed_for(an_item("1", 29, "500.00"))
    assert fitting_kind(stands, owed, [letters[name] for name in earlier]) is kind
    assert fitting_kind(stands, owed_for(), [letters[name] for name in earlier]) is LetterKind.REMIND


@pytest.mark.parametrize(
    ("verb", "reason", "result", "dry_run", "kind"),
    [
        (Verb.SUSPEND, Reason.NON_PAYMENT, Result.DONE, False, LetterKind.SUSPENDED),
        (Verb.RESUME, Reason.NON_PAYMENT, Result.DONE, False, LetterKind.RESUMED),
        (Verb.SUSPEND, Reason.NON_PAYMENT, Result.DONE, True, None),
        (Verb.SUSPEND, Reason.NON_PAYMENT, Result.FAILED, False, None),
        (Verb.SUSPEND, Reason.NON_PAYMENT, Result.UNKNOWN, False, None),
        (Verb.CANCEL_AZURE, Reason.FRAUD, Result.DONE, False, None),
    ],
)
def test_a_customer_is_told_of_what_was_really_done(
    verb: Verb, reason: Reason, result: Result, dry_run: bool, kind: LetterKind | None
):
    request = a_request(action=an_action(verb=verb, reason=reason), dry_run=dry_run, approvals_needed=0)
    for approver in (ben, boss)[: request.approvals_needed]:
        request = request.approve(by=replace(approver, rights=frozenset({Right.APPROVE})), at=noon)
    executing = request.claim(at=noon + HOUR, lease=DAY, holder="w")
    assert telling_of(settled(executing, result, outcome=Outcome(changed=True))) is kind
