"""Every view, drawn from facts that never change: name → what it makes of a language's texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any

import handlers
from bot import policy_file
from bot.domain import errors as domain
from bot.domain import shadow
from bot.domain.action import Reason, Verb
from bot.domain.aging import age, totals
from bot.domain.calendar import When
from bot.domain.capability import Feature, Outage, missing
from bot.domain.collection import Facts, Gone, History, Standing, standing
from bot.domain.customer import (
    Cloud,
    Countdown,
    CustomerId,
    Known,
    Subscription,
    SubscriptionId,
    SubscriptionKind,
    SubscriptionStatus,
    deletion_deadline,
)
from bot.domain.digest import Banner, Change, Debtor, OverdueDigest, Paid, Since, overview
from bot.domain.directory import ConfirmedMapping, Directory, Entry
from bot.domain.drift import Drift
from bot.domain.followup import PROMISE, SNOOZE, Pause
from bot.domain.letter import (
    Account,
    Deadline,
    Letter,
    LetterKind,
    Matter,
    account,
)
from bot.domain.limit import DailyLimit
from bot.domain.people import Outside
from bot.domain.policy import Debt, InForce
from bot.domain.preview import FileRefusal, Noted, Preview, PreviewStatus, Reading
from bot.domain.receivables import OpenItem
from bot.domain.request import (
    CHANGED_SINCE_CONFIRMED,
    ActionRequest,
    Outcome,
    RequestId,
    Result,
    Status,
)
from bot.domain.stamps import Hasty, Pair, StampReport
from bot.texts import Texts
from handlers.notices import result_message
from handlers.views import (
    audit,
    authenticator,
    blocks,
    confirmation,
    digests,
    drift,
    errors,
    followup,
    forms,
    intake,
    letters,
    limit,
    mapping,
    policy,
    replies,
    request_card,
)
from handlers.views import shadow as shadow_views
from handlers.views import stamps as stamp_views
from handlers.views.freshness import Read
from tests.builders import (
    DAY,
    HOUR,
    a_customer,
    a_drift,
    a_finding,
    a_letter,
    a_preview,
    a_request,
    a_subscription,
    a_target,
    an_action,
    ana,
    ben,
    mei,
    noon,
    settled,
    targets,
)
from tests.views import (
    drawn_evidence,
    drawn_glass,
    drawn_home,
    drawn_policy,
    drawn_suspicious,
    drawn_ticket,
    drawn_ticket_form,
    drawn_welcome,
)

Json = dict[str, Any]
Drawing = Callable[[Texts], Json]

DRAFT = "R-TEST000001"
TODAY = noon.date()
TERM_END = noon + 150 * DAY
POLICY = policy_file.load(None)
HELD = replace(POLICY, version="b67fdefa4544")
REFUSED_FILE = "/etc/backstop/policy.toml: <!channel> grace: this version does not know that key; remove it"

KINDS = {
    "legacy-seat": a_subscription(),
    "new-commerce": a_subscription(
        kind=SubscriptionKind.NEW_COMMERCE_SEAT, term="P1Y", term_end=TERM_END, auto_renew=True
    ),
    "new-commerce-without-end": a_subscription(kind=SubscriptionKind.NEW_COMMERCE_SEAT, quantity=None),
    "legacy-azure": a_subscription(kind=SubscriptionKind.LEGACY_AZURE, name="Microsoft Azure", quantity=1),
    "azure-plan": a_subscription(kind=SubscriptionKind.AZURE_PLAN, name="Azure plan", quantity=1),
    "add-on": a_subscription(name="Teams Phone", parent_id=SubscriptionId("bbbbbbbb"), quantity=60),
}

SUSPENDED: Json = {"status": SubscriptionStatus.SUSPENDED, "status_word": "suspended"}


def message(blocks: list[Json]) -> Json:
    return {"blocks": blocks}


# Confirmations


def an_asking(*subscriptions: Subscription, **fields: Any) -> confirmation.Asking:
    given: dict[str, Any] = {
        "customer": a_customer(),
        "subscriptions": subscriptions,
        "reason": Reason.NON_PAYMENT,
        "note": "",
        "approvals_needed": 1,
        "time_to_live": DAY,
        "dry_run": False,
        "approvals_channel": "C0APPROVALS",
    }
    return confirmation.Asking(**(given | fields))


ASKING = frozenset(confirmation.Asking.__dataclass_fields__)


def confirmed(*subscriptions: Subscription, **fields: Any) -> Drawing:
    """`fields` are those of `Asking` and of `Consequences`, and `standing`."""
    stands_so = fields.pop("standing", LATE)
    asked = an_asking(*subscriptions, **{name: fields.pop(name) for name in ASKING & fields.keys()})
    cloud = fields.get("cloud", Cloud.GLOBAL)

    def drawing(texts: Texts) -> Json:
        holds, note = policy.verdict(stands_so, asked.reason, texts)
        given: dict[str, Any] = {
            "cloud": cloud,
            "deadlines": tuple(deletion_deadline(s, suspended_on=TODAY, cloud=cloud) for s in subscriptions),
            "policy_note": note,
            "holds": holds,
            "undo": timedelta(minutes=2),
        }
        what = confirmation.Consequences(**(given | fields))
        return confirmation.suspend_confirmation(asked, what, DRAFT, texts)

    return drawing


WARNED = History(began=TODAY - 60 * DAY, warned=(TODAY - 20 * DAY,))


def stands(overdue: str, days: int, **fields: Any) -> Standing:
    debts = {"EUR": Debt(Decimal(overdue), days)} if overdue else {}
    return standing(POLICY, Facts(a_customer().id, debts, **fields), WARNED, on=TODAY)


LATE = stands("2400.00", 45)


A_SUSPENDED_ONE = a_subscription(
    status=SubscriptionStatus.SUSPENDED,
    status_word="suspended",
    kind=SubscriptionKind.NEW_COMMERCE_SEAT,
    suspension_reasons=("CustomerCancellation",),
)


def resumption(*suspensions: ActionRequest | Drift | None, **fields: Any) -> Drawing:
    """Of one subscription for each of the suspensions that are lifted."""
    subscriptions = [replace(A_SUSPENDED_ONE, id=SubscriptionId(f"s-{n}")) for n in range(len(suspensions))]
    asked = an_asking(*subscriptions, **({"approvals_needed": 0} | fields))
    return lambda texts: confirmation.resume_confirmation(asked, suspensions, DRAFT, texts)


def _resumptions() -> dict[str, Drawing]:
    fraud = replace(a_request(action=an_action(reason=Reason.FRAUD)), status=Status.DONE, closed_at=noon)
    return {
        "resumption-of-ours": resumption(fraud, approvals_needed=1, note="the card was replaced"),
        "resumption-of-somebody-elses": resumption(None),
        "resumption-dry-run": resumption(None, dry_run=True),
        "resumption-of-an-adopted-one": resumption(
            a_drift().adopt(by=ben, at=noon + HOUR, reason=Reason.MISUSE), approvals_needed=1
        ),
        "resumption-of-several": resumption(fraud, None, None, approvals_needed=1),
    }


def _confirmations() -> dict[str, Drawing]:
    seat = KINDS["legacy-seat"]
    drawn = {
        f"confirmation-{kind}-{cloud.value}": confirmed(subscription, cloud=cloud)
        for kind, subscription in KINDS.items()
        for cloud in Cloud
    }
    return drawn | {
        "confirmation-trial": confirmed(replace(seat, is_trial=True)),
        "confirmation-trial-among-several": confirmed(
            replace(seat, is_trial=True),
            seat,
            replace(seat, kind=SubscriptionKind.UNKNOWN),
            cloud=Cloud.CHINA,
        ),
        "confirmation-against-the-policy": confirmed(seat, standing=stands("2400.00", 20)),
        "confirmation-nothing-overdue": confirmed(seat, standing=stands("", 0)),
        "confirmation-old-books": confirmed(seat, standing=stands("2400.00", 45, books_are_fresh=False)),
        "confirmation-no-books": confirmed(seat, standing=None),
        "confirmation-fraud": confirmed(seat, reason=Reason.FRAUD, undo=timedelta(0)),
        "confirmation-dry-run-with-note": confirmed(seat, dry_run=True, note="Third reminder of 12 November"),
        "confirmation-two-approvals": confirmed(seat, approvals_needed=2, undo=2 * HOUR),
        "confirmation-no-approval": confirmed(seat, approvals_needed=0, approvals_channel=None),
        "confirmation-add-ons": confirmed(seat, add_ons=("Teams Phone", "<Visio> *Plan 2*")),
        "confirmation-at-a-time": confirmed(seat, not_before=noon + 5 * DAY, zone="Europe/Berlin"),
        "confirmation-of-several": confirmed(
            *KINDS.values(),
            add_ons=(),
            over_limit=3,
            left_out=(
                confirmation.LeftOut(
                    a_subscription(name="Visio"), domain.CannotBeSuspended("not-active", "pending")
                ),
                confirmation.LeftOut(
                    a_subscription(name="Azure plan"),
                    domain.CannotBeSuspended("azure-active", names=("Production", "Test")),
                ),
            ),
        ),
        "confirmation-of-very-many": confirmed(*[a_subscription(name=f"Product {n}") for n in range(60)]),
        **_azure(),
    }


def _azure() -> dict[str, Drawing]:
    child = a_subscription(
        name="Production",
        kind=SubscriptionKind.AZURE_SUBSCRIPTION,
        quantity=None,
        parent_id=SubscriptionId("plan"),
    )
    asked = an_asking(child, reason=Reason.FRAUD, approvals_needed=2, note="Mining since Friday")
    running = [confirmation.Running(f"id-{n}", f"Subscription {n}") for n in range(14)]
    plan = KINDS["azure-plan"]

    def blocked(running: list[confirmation.Running], why_not: domain.CannotBeCancelled | None) -> Drawing:
        return lambda texts: confirmation.azure_blocked(plan, running, DRAFT, texts, why_not=why_not)

    return {
        "azure-cancel": lambda texts: confirmation.cancel_azure_confirmation(
            asked, "Azure plan", DRAFT, texts
        ),
        "azure-blocked": blocked(running[:2], None),
        "azure-blocked-many": blocked(running, None),
        "azure-blocked-not-compromised": blocked(running[:1], domain.CannotBeCancelled("only-compromise")),
        "azure-blocked-switched-off": blocked(running[:1], domain.CannotBeCancelled("switched-off")),
    }


# Cards


def _requests() -> dict[str, ActionRequest]:
    """A request in every status, by whatever way it can come there."""
    pending = a_request(policy_note="foreseen: stage “suspend” is reached (45 days overdue)", at=noon)
    two = a_request(approvals_needed=2)
    approved = a_request(undo=timedelta(minutes=2)).approve(by=ben, at=noon + HOUR)
    executing = pending.approve(by=ben, at=noon + HOUR).claim(at=noon + HOUR, lease=HOUR, holder="w-0")
    end = noon + HOUR + timedelta(seconds=4)

    def ended(status: Status, **outcome: Any) -> ActionRequest:
        return settled(executing, Result(status.value), outcome=Outcome(**outcome), at=end)

    several = a_request(targets=targets(18))
    working = several.approve(by=ben, at=noon + HOUR).claim(at=noon + HOUR, lease=HOUR, holder="w-0")
    refused = Outcome(confirmed=False, error="rejected", reason="800040")
    changed = Outcome(confirmed=False, error="conflict", reason=CHANGED_SINCE_CONFIRMED)
    well = Outcome(changed=True, deletes_on=TODAY + 90 * DAY)
    for n, target in enumerate(working.targets[:12]):
        result = Result.FAILED if n in (3, 7) else Result.DONE
        working = working.settle(
            target.subscription_id, result, refused if n == 3 else changed if n == 7 else well, at=end
        )
    azure = a_request(
        action=an_action(verb=Verb.CANCEL_AZURE, reason=Reason.FRAUD), targets=[a_target(name="Production")]
    )
    cancelling = (
        azure.approve(by=ben, at=noon)
        .approve(by=mei, at=noon)
        .claim(at=noon, lease=HOUR, holder="w-0")
        .settle(a_target().subscription_id, Result.OPEN, Outcome(changed=True, confirmed=False), at=noon)
    )
    no = {"confirmed": False, "reason": "800040", "correlation_id": "11111111-aaaa-4bbb-8ccc-222222222222"}
    return {
        "pending": pending,
        "pending-with-note": a_request(action=an_action(note="Third reminder, <!channel> *now*")),
        "pending-dry-run": a_request(dry_run=True),
        "pending-two-missing": two,
        "pending-one-of-two": two.approve(by=ben, at=noon + HOUR),
        "approved": approved,
        "approved-by-two": two.approve(by=ben, at=noon + HOUR).approve(by=mei, at=noon + 2 * HOUR),
        "executing": executing,
        "executing-again": replace(executing, attempt=2),
        "done": ended(Status.DONE, changed=True, deletes_on=TODAY + 90 * DAY),
        "done-already": ended(Status.DONE, changed=False),
        "done-accepted": ended(Status.DONE, changed=True, confirmed=False),
        "done-dry-run": replace(ended(Status.DONE, dry_run=True), dry_run=True),
        "failed": ended(Status.FAILED, error="rejected", **no),
        "failed-changed-since-confirmed": settled(executing, Result.FAILED, outcome=changed, at=end),
        "failed-not-found": ended(Status.FAILED, error="not-found", confirmed=False),
        "unknown": ended(Status.UNKNOWN, error="unavailable", **no | {"reason": "timeout"}),
        "scheduled": a_request(not_before=noon + 5 * DAY).approve(by=ben, at=noon + HOUR),
        "over-the-daily-limit": approved.postpone(until=noon + DAY),
        "several-pending": several,
        "several-executing": working,
        "several-failed": settled(working, Result.DONE, outcome=well, at=end),
        "several-unknown": settled(working, Result.UNKNOWN, outcome=Outcome(error="unavailable"), at=end),
        "azure-pending": azure,
        "azure-accepted": cancelling,
        "azure-done": settled(cancelling, Result.DONE, outcome=Outcome(changed=True), at=end),
        "azure-not-shown": settled(
            cancelling,
            Result.UNKNOWN,
            outcome=Outcome(changed=True, confirmed=False, error="not-ready", reason="accepted"),
            at=end,
        ),
        "denied": pending.deny(by=ben, at=noon + HOUR, why="They paid <today>"),
        "expired": pending.expire(at=noon + DAY),
        "withdrawn": pending.withdraw(by=ana, at=noon + HOUR),
        "cancelled": approved.cancel(by=ben, at=noon + HOUR),
        "outside-hours": approved.keep_hours(until=noon + DAY),
    } | {f"gone-{why}": replace(approved, status=Status.WITHDRAWN, gone=why, closed_at=end) for why in Gone}


REQUESTS = _requests()


def _cards() -> dict[str, Drawing]:
    def card(request: ActionRequest, *deadlines: date | None) -> Drawing:
        return lambda texts: message(request_card.request_card(request, texts, deadlines=deadlines))

    def result(request: ActionRequest) -> Drawing:
        return lambda texts: message(result_message(request, texts)[1])

    dies, pending = TODAY + 60 * DAY, REQUESTS["pending"]
    drawn = {f"card-{name}": card(request) for name, request in REQUESTS.items()}
    drawn |= {
        "card-dies": card(pending, dies),
        "card-dies-unknown": card(pending, None),
        "card-dies-several": card(REQUESTS["several-pending"], dies, None, dies + 9 * DAY),
    }
    ends = ("done", "several-failed", "failed", "unknown", "denied", "expired", "withdrawn", "gone-paid")
    return drawn | {f"result-{name}": result(REQUESTS[name]) for name in ends}


# The daily limit


def _limits() -> dict[str, Drawing]:
    reached = DailyLimit(TODAY, most=25, begun=25)

    def shown(limited: DailyLimit, *, is_today: bool = True) -> Drawing:
        return lambda texts: message(limit.limit_message(limited, texts, is_today=is_today)[1])

    return {
        "limit-reached": shown(reached),
        "limit-lift-asked": shown(reached.lift(by=ben)),
        "limit-lifted": shown(reached.lift(by=ben).lift(by=mei)),
        "limit-past": shown(reached, is_today=False),
    }


# The digest


def owes(customer: str, days: int, amount: str, currency: str = "EUR", **fields: Any) -> OpenItem:
    return OpenItem(
        customer=customer,
        document_number=f"INV-{customer[:3]}-{days}-{currency}",
        due_date=TODAY - timedelta(days=days),
        currency=currency,
        open_amount=Decimal(amount),
        **fields,
    )


def a_digest(*items: OpenItem, banners: tuple[Banner, ...] = (), as_of: date | None = TODAY) -> OverdueDigest:
    """A digest of these items; a customer whose tenant is named is one of ours."""
    parties = age(items, on=TODAY)
    debtors = []
    for party in parties:
        oldest = max((b.oldest_days for b in party.balances.values()), default=0)
        if oldest <= 0:
            continue
        known = a_customer(id=CustomerId(party.tenant), name=party.customer) if party.tenant else None
        exposure = {
            c: Debt(b.overdue_net, b.oldest_days) for c, b in party.balances.items() if b.overdue_net > 0
        }
        debtors.append(
            Debtor(
                party=party,
                customer=known,
                suggestion=a_customer() if party.customer == "Contoso Ltd" and known is None else None,
                standing=standing(
                    POLICY,
                    Facts(party.tenant, exposure, books_are_fresh=not banners),
                    History(),
                    on=TODAY,
                ),
            )
        )
    _, in_order = overview(debtor.party for debtor in debtors)
    return OverdueDigest(
        on=TODAY,
        as_of=as_of,
        complete=True,
        banners=banners,
        totals=totals(parties),
        debtors=tuple(sorted(debtors, key=lambda debtor: in_order.index(debtor.party))),
    )


SEVERAL = a_digest(
    owes("Woodgrove Bank", 95, "15200.00", "USD", tenant="t-woodgrove"),
    owes("Woodgrove Bank", 10, "880.50", tenant="t-woodgrove"),
    owes("Contoso Ltd", 45, "2400.00"),
    owes("北京云杉科技有限公司", 33, "48600.00", "CNY", tenant="t-yunshan"),
    owes("Nobody & <!channel>", 20, "19.90"),
    owes("Fourth Coffee", 16, "300.00", tenant="t-fourth", disputed=True),
    owes("Fourth Coffee", 4, "75.00", tenant="t-fourth"),
    owes("Adatum Corporation", 2, "60.00", tenant="t-adatum"),
)
UNKNOWN = Countdown(a_subscription(name="Azure plan"), None, None, known=Known.UNKNOWN)
EARLIEST = Countdown(
    a_subscription(name="Visio Plan 2"), a_customer(), TODAY + 12 * DAY, known=Known.NOT_BEFORE
)
LONG = a_digest(*(owes(f"Debtor {n:02}", 100 - n, "200.00", tenant=f"t-{n}") for n in range(20)))
EMPTY = a_digest(as_of=None, banners=(Banner("nothing_imported", {}),))


def _with_suspended() -> OverdueDigest:
    """Every way in which a deadline can be known, a debtor each."""
    passed = Countdown(a_subscription(), a_customer(), TODAY - DAY)
    later = (
        (Countdown(a_subscription(), a_customer(), TODAY + 9 * DAY),),
        (EARLIEST, Countdown(a_subscription(), a_customer(), TODAY + 30 * DAY)),
        (UNKNOWN, EARLIEST),
        (UNKNOWN,),
        (passed,),
    )
    debtors = (
        replace(debtor, suspended=suspended)
        for debtor, suspended in zip(SEVERAL.debtors, later, strict=False)
    )
    return replace(SEVERAL, debtors=tuple(debtors), others_suspended=(UNKNOWN, UNKNOWN, EARLIEST))


def a_pause(kind: str, **fields: Any) -> Pause:
    given: dict[str, Any] = {
        "tenant": a_customer().id,
        "kind": kind,
        "until": TODAY + 7 * DAY,
        "by": ana.id,
        "at": noon,
        "note": "Waits for a credit & <more>",
    }
    return Pause(**(given | fields))


def followed(digest: OverdueDigest) -> OverdueDigest:
    """Marks, an owner, a promise, a snooze that is over and one that stands."""
    known = [n for n, d in enumerate(digest.debtors) if d.customer]
    debtors = list(digest.debtors)
    changes = (Change.NEW, Change.WORSE, Change.BETTER, Change.SAME)
    for n, debtor in enumerate(debtors):
        debtors[n] = replace(debtor, change=changes[n % 4], running=n if debtor.customer else None)
    debtors[known[0]] = replace(debtors[known[0]], owner=mei.id, promise=a_pause(PROMISE))
    debtors[known[1]] = replace(debtors[known[1]], woken=a_pause(SNOOZE))
    debtors[known[2]] = replace(debtors[known[2]], snooze=a_pause(SNOOZE))
    counts = {Change.NEW: 2, Change.WORSE: 1, Change.BETTER: 1, Change.SAME: 1}
    since = Since(TODAY - DAY, counts, ("Payer & <Sons>", "Another Payer"))
    return replace(digest, debtors=tuple(debtors), since=since)


HUGE = "&<*Größe*>" * 60


def everything(customers: int = 60, name: str = HUGE) -> OverdueDigest:
    """The most that can stand on a first page: what is told of each, and of the books, at its longest."""
    currencies = ("EUR", "USD", "CNY", "GBP", "CHF", "JPY", "SEK", "PLN")
    long = a_customer(name=name, domain="&" * 300)
    gone = Countdown(a_subscription(name=name), long, None, known=Known.UNKNOWN)
    soon = Countdown(a_subscription(name=name), long, TODAY + 3 * DAY, known=Known.NOT_BEFORE)
    (party,) = age(
        [
            owes(name, 500, "123456789012.34", code, customer_code="1", disputed=n > 5)
            for n, code in enumerate(currencies)
        ],
        on=TODAY,
    )
    stands_so = standing(POLICY, Facts(long.id, {"EUR": Debt(Decimal(10**11), 500)}), History(), on=TODAY)
    debtor = Debtor(
        party,
        long,
        None,
        stands_so,
        suspended=(gone, soon) * 20,
        change=Change.WORSE,
        promise=a_pause(PROMISE),
        woken=a_pause(SNOOZE),
        owner=mei.id,
        running=1_000_000,
    )
    asleep = replace(debtor, woken=None, snooze=a_pause(SNOOZE, note=name))
    unlinked = replace(debtor, customer=None, suggestion=long)
    awake = [unlinked if n % 2 else debtor for n in range(customers)]
    banners = (
        Banner("stale", {"as_of": "2026-11-20", "hours": "70000"}),
        Banner("incomplete", {"rejected": "1000000"}),
        Banner("dry_run", {}),
        Banner("late", {"due": "09:00", "posted": "17:59"}),
    )
    return OverdueDigest(
        on=TODAY,
        as_of=TODAY,
        complete=False,
        banners=banners,
        totals=totals([party]),
        debtors=(*awake, *[asleep] * 30),
        paid=tuple(Paid(long, stands_so, (gone, soon)) for _ in range(30)),
        others_suspended=(gone, soon) * 50,
        since=Since(TODAY - DAY, dict.fromkeys(Change, 1_000_000), (name,) * 300),
    )


def a_subject(**fields: Any) -> followup.Subject:
    given: dict[str, Any] = {
        "customer": a_customer(),
        "today": TODAY,
        "overdue": {"EUR": Decimal("2400.00"), "USD": Decimal("15.00")},
        "snooze": None,
        "promise": None,
        "promises": 0,
        "owner": None,
    }
    return followup.Subject(**(given | fields))


def _follow_ups() -> dict[str, Drawing]:
    terms = POLICY.exit
    snoozed = a_subject(snooze=a_pause(SNOOZE))
    promised = a_subject(promise=a_pause(PROMISE), promises=2)
    owned = a_subject(owner=mei.id, overdue={})
    return {
        "form-snooze": lambda texts: followup.snooze_form(a_subject(), texts, channel="C1"),
        "form-snooze-stands": lambda texts: followup.snooze_form(snoozed, texts, channel="C1"),
        "form-woken": lambda texts: followup.woken(a_subject().customer, texts),
        "form-promise": lambda texts: followup.promise_form(a_subject(), terms, texts, channel="C1"),
        "form-promise-stands": lambda texts: followup.promise_form(promised, terms, texts, channel="C1"),
        "form-owner": lambda texts: followup.owner_form(a_subject(), texts, channel="C1"),
        "form-owner-stands": lambda texts: followup.owner_form(owned, texts, channel="C1"),
    }


def _digests() -> dict[str, Drawing]:
    warned = replace(
        SEVERAL,
        debtors=tuple(replace(debtor, trusted=False) for debtor in SEVERAL.debtors),
        banners=(
            Banner("stale", {"as_of": "2026-11-20", "hours": "70"}),
            Banner("incomplete", {"rejected": "3"}),
        ),
    )
    sources = replace(
        SEVERAL,
        banners=(
            Banner("not_read", {"source": "xero", "code": "sign_in_failed", "reason": "invalid_grant"}),
            Banner("held", {"source": "sql", "closes": "40", "of": "100"}),
            Banner("stale_source", {"source": "business-central", "as_of": "2026-11-20", "hours": "70"}),
        ),
    )
    pages = {
        "sources": (sources, 0),
        "several": (SEVERAL, 0),
        "first-page": (LONG, 0),
        "middle-page": (LONG, 1),
        "last-page": (LONG, 2),
    }
    pages |= {"nobody": (a_digest(owes("Contoso Ltd", -3, "10.00")), 0), "nothing-imported": (EMPTY, 0)}
    pages |= {"warned": (warned, 0), "suspended": (_with_suspended(), 0)}
    cleared = standing(POLICY, Facts(a_customer().id, {}, suspended_for_debt=True), History(), on=TODAY)
    two = (Countdown(a_subscription(), a_customer(), TODAY + 60 * DAY, for_debt=True),) * 2
    paid = tuple(Paid(a_customer(name=f"Payer {n} & <Sons>"), cleared, two) for n in range(10))
    pages |= {"paid": (replace(SEVERAL, paid=paid[:1]), 0), "many-paid": (replace(LONG, paid=paid), 0)}
    pages |= {"followed": (followed(SEVERAL), 0), "everything": (everything(), 0)}
    pages |= {"dry-run": (replace(SEVERAL, banners=(Banner("dry_run", {}),)), 0)}

    def page(digest: OverdueDigest, number: int) -> Drawing:
        return lambda texts: message(digests.overdue(digest, texts, page=number))

    return {f"digest-{name}": page(*shown) for name, shown in pages.items()}


# Drift


def _drifts() -> dict[str, Drawing]:
    def card(shown: Drift, countdown: Countdown | None = None) -> Drawing:
        return lambda texts: message(drift.drift_card(shown, countdown, texts, on=TODAY))

    suspended = a_drift(words=("CustomerCancellation", "<!channel> *now*"))
    resumed = a_drift(became=SubscriptionStatus.ACTIVE)
    adopted = suspended.adopt(by=ben, at=noon + HOUR, reason=Reason.FRAUD, note="The card was *stolen*")
    explained = resumed.explain(by=ana, at=noon + HOUR, note="They paid on Friday <today>")
    told = replace(suspended, changed_at=noon - HOUR)
    exact = Countdown(a_subscription(), a_customer(), TODAY + 90 * DAY, known=Known.TOLD)
    return {
        "drift-suspended": card(suspended, EARLIEST),
        "drift-suspended-told": card(told, exact),
        "drift-suspended-unknown": card(replace(suspended, not_before=None, words=()), UNKNOWN),
        "drift-resumed": card(resumed),
        "drift-adopted": card(adopted, EARLIEST),
        "drift-explained": card(explained),
        "drift-over": card(suspended.over(at=noon + DAY)),
        "drift-adopted-and-over": card(adopted.over(at=noon + DAY)),
        "form-adopt": lambda texts: drift.adopt_form(suspended, texts),
        "form-explain": lambda texts: drift.explain_form(resumed, texts),
    }


# Whose a debtor is


def said(key: str, name: str, **fields: Any) -> ConfirmedMapping:
    given: dict[str, Any] = {"customer_id": a_customer().id, "confirmed_by": ana.id, "confirmed_at": noon}
    return ConfirmedMapping(party_key=key, party_name=name, **(given | fields))


def entry_of(*items: OpenItem, mappings: tuple[ConfirmedMapping, ...] = ()) -> Entry:
    """Of the debtor that owes the first, among all of them."""
    directory = Directory([a_customer()], mappings)
    parties = age(items, on=TODAY)
    directory.see(parties)
    return directory.entry(next(p for p in parties if p.customer_key == items[0].customer_key))


def _mappings() -> dict[str, Drawing]:
    owed = owes("Contoso <!channel> *now*", 45, "2400.00", customer_code="D-10001")
    dollars = owes("Contoso <!channel> *now*", 5, "12.50", "USD", customer_code="D-10001")
    named = owes("Contoso Ltd", 3, "10.00", tenant=a_customer().id)
    holding = owes("Contoso Holding", 3, "10.00", tenant=a_customer().id)
    link = said(owed.customer_key, owed.customer)

    def form(entry: Entry) -> Drawing:
        return lambda texts: mapping.link_form(entry, texts, channel="C0OVERDUE")

    def answer(entry: Entry) -> Drawing:
        return lambda texts: message([blocks.section(mapping.answer(entry, texts))])

    nobodys = entry_of(owes("Halden Marine", 64, "1975.00"))
    linked = entry_of(owed, dollars, mappings=(link,))
    gone = said("code:D-7", "Gone & Sons", customer_id=CustomerId("t-gone"))
    directory = Directory([a_customer()])
    links = [directory.entry_of(link), directory.entry_of(gone)]
    many = tuple(d for d in LONG.debtors)
    return {
        "form-link": form(nobodys),
        "form-link-suggested": form(entry_of(owes("Contoso", 45, "2400.00"))),
        "form-link-shared": form(entry_of(named, holding)),
        "form-link-named-by-the-books": form(entry_of(named)),
        "form-unlink": form(linked),
        "form-unlink-nothing-open": form(links[1]),
        "answer-linked": answer(linked),
        "answer-unlinked": answer(nobodys),
        "answer-unlinked-to-the-books": answer(entry_of(named)),
        "reply-debtors": lambda texts: message(
            mapping.debtors(SEVERAL.debtors[:4], 4, links, texts, may_link=True)
        ),
        "reply-debtors-many": lambda texts: message(
            mapping.debtors(many, len(many), links * 8, texts, may_link=False)
        ),
        "reply-debtors-none": lambda texts: message(mapping.debtors((), 0, (), texts, may_link=True)),
        "reply-debtors-none-found": lambda texts: message(
            mapping.debtors((), 0, (), texts, may_link=True, narrowed=True)
        ),
    }


# Replies


COUNTDOWNS = (
    UNKNOWN,
    replace(EARLIEST, deadline=TODAY - DAY),
    Countdown(a_subscription(), a_customer(), TODAY + DAY),
    EARLIEST,
    *(Countdown(a_subscription(name=f"Seat {n}"), a_customer(), TODAY + n * DAY) for n in range(20, 30)),
)


def a_state(texts: Texts) -> replies.State:
    return replies.State(
        cloud="global",
        dry_run=True,
        customers=1234,
        subscriptions=5678,
        mirror_as_of=noon,
        mirror_failed=2,
        mirror_remaining=250,
        mirror_since=noon - HOUR,
        books_as_of=texts.day(TODAY),
        last_digest=noon - 3 * HOUR,
        counts={Status.PENDING: 2, Status.EXECUTING: 1, Status.DONE: 0},
        policy=InForce(HELD, since=noon - 40 * DAY, refused=REFUSED_FILE),
        countdowns=COUNTDOWNS,
        today=TODAY,
        outages=(
            *missing(Cloud.CHINA),
            Outage(Feature.AUDIT_RECORDS, "access-denied 20002", noon + DAY),
            Outage(Feature.USAGE, "feature-missing 501", noon + HOUR),
        ),
        sources=(
            Read("source-file", noon - HOUR, as_of=TODAY),
            Read("source-xero", noon, as_of=TODAY - DAY, is_whole=False),
            Read("risk-source-orders", noon),
            Read("risk-source-usage", noon, is_whole=False),
        ),
        broken=(drawn_glass.BROKEN,),
    )


def _status(texts: Texts) -> Json:
    return message(replies.status(a_state(texts), texts))


def _status_at_first(texts: Texts) -> Json:
    return message(
        replies.status(
            replies.State(
                cloud="china",
                dry_run=False,
                customers=0,
                subscriptions=0,
                mirror_as_of=None,
                mirror_failed=0,
                mirror_remaining=1200,
                mirror_since=noon - HOUR,
                mirror_broke_off=True,
                books_as_of=None,
                last_digest=None,
                counts={},
                policy=InForce(HELD),
                countdowns=(),
                today=TODAY,
            ),
            texts,
        )
    )


def _found(texts: Texts, *, may_operate: bool = True, more: bool = False) -> Json:
    odd = a_subscription(
        name="Odd", status=SubscriptionStatus.UNKNOWN, status_word="beingMigrated", quantity=None
    )
    many = [a_subscription(name=f"Product {n}", quantity=n) for n in range(15)]
    matches = [
        replies.Match(a_customer(), [a_subscription(), odd]),
        replies.Match(a_customer(name="Many & <Sons>", domain=None), many),
        replies.Match(a_customer(name="Nothing bought"), ()),
        replies.Match(
            a_customer(name="Base and add-on suspended"),
            [
                a_subscription(**SUSPENDED),
                a_subscription(
                    **SUSPENDED,
                    id=SubscriptionId("add-on"),
                    name="Teams Phone",
                    parent_id=a_subscription().id,
                ),
            ],
        ),
        replies.Match(
            a_customer(name="Some suspended"),
            [a_subscription(), a_subscription(**SUSPENDED, id=SubscriptionId("s2"), name="Visio Plan 2")],
        ),
        replies.Match(
            a_customer(name="Software alone"), [a_subscription(kind=SubscriptionKind.SOFTWARE, name="Server")]
        ),
        replies.Match(a_customer(name="Nothing runs"), [odd]),
        replies.Match(a_customer(name="Somebody else's", relationship="advisor"), [a_subscription()]),
    ]
    return message(replies.found("con", matches, texts, may_operate=may_operate, more=more))


def _requests_list(texts: Texts) -> Json:
    names = ("pending", "approved", "executing", "unknown")
    return message(replies.open_requests([REQUESTS[n] for n in names], texts, channel="C0APPROVALS", at=noon))


def _many_requests(texts: Texts) -> Json:
    return message(replies.open_requests([REQUESTS["pending"]] * 20, texts, channel=None, at=noon))


def _shadow(texts: Texts) -> Json:
    def who(n: int) -> dict[str, Any]:
        return {"customer_id": CustomerId(f"c-{n}"), "customer_name": f"Customer {n} & <Sons>"}

    proposals = [shadow.Proposal(**who(n), on=TODAY - n * DAY, reasons=LATE.reasons) for n in range(18)]
    deeds = [shadow.Deed(DRAFT, **who(n), on=TODAY, status="done", dry_run=True) for n in (2, 3, 40)]
    found = shadow.beside(proposals, deeds, since=TODAY - 29 * DAY, until=TODAY)
    return message(shadow_views.shadow_report(found, texts))


def _shadow_of_nothing(texts: Texts) -> Json:
    found = shadow.beside((), (), since=TODAY - 29 * DAY, until=TODAY)
    return message(shadow_views.shadow_report(found, texts))


def _help(texts: Texts) -> Json:
    return message(replies.help_text(handlers.commands(), texts))


def _help_mistyped(texts: Texts) -> Json:
    hint = texts.mrkdwn("help-did-you-mean", word="fnd", near="find")
    return message(replies.help_text(handlers.commands()[:1], texts, hint=hint))


# Letters


def an_account(*items: OpenItem) -> Account:
    return account(age(items, on=TODAY), on=TODAY)


OWED = an_account(
    owes("Contoso Ltd", 40, "1234.56", tenant=a_customer().id),
    owes("Contoso Ltd", 12, "99.00", tenant=a_customer().id),
    owes("Contoso Ltd", 3, "-34.56", tenant=a_customer().id),
    owes("Contoso Ltd", 20, "8000.00", "CNY", tenant=a_customer().id),
)
SIGNATURE = "Partner GmbH, Accounts\n+49 30 1234567\nbilling@partner.example"


def a_matter(kind: LetterKind, **fields: Any) -> Matter:
    told = not kind.asks_for_money
    given: dict[str, Any] = {
        "customer_name": "Contoso Ltd",
        "contact": "Jane Doe",
        "on": TODAY,
        "account": OWED,
        "deadline": Deadline(TODAY + 7 * DAY, "suspend") if kind.is_warning else None,
        "services": ("Microsoft 365 E3", "Visio Plan 2") if told else (),
        "data_until": TODAY + 90 * DAY if kind is LetterKind.SUSPENDED else None,
        "signature": SIGNATURE,
    }
    return Matter(kind=kind, **(given | fields))


def a_sheet(texts: Texts, kind: LetterKind = LetterKind.WARN, **fields: Any) -> letters.Sheet:
    matter = a_matter(kind)
    given: dict[str, Any] = {
        "origin": f"{a_customer().id} C0BILLING",
        "customer": a_customer(),
        "kind": kind,
        "language": texts.language,
        "to": "billing@contoso.example",
        "subject": letters.subject(matter, texts),
        "body": letters.text(matter, texts),
        "can_send": True,
    }
    return letters.Sheet(**(given | fields))


def a_written_letter(texts: Texts, kind: LetterKind = LetterKind.WARN, **fields: Any) -> Letter:
    matter = a_matter(kind)
    return a_letter(
        **(
            {
                "kind": kind,
                "language": texts.language,
                "subject": letters.subject(matter, texts),
                "body": letters.text(matter, texts),
            }
            | fields
        )
    )


def _letters() -> dict[str, Drawing]:
    asked = a_letter().send(by=ana, at=noon, zone=UTC)
    begun = asked.claim(holder="w-0", at=noon)
    results = {
        "sent": begun.sent(at=noon, zone=UTC),
        "refused": begun.failed("rejected", "550"),
        "not-in-ascii": begun.failed("rejected", "no-smtputf8"),
        "not-now": begun.failed("not-ready", "timeout"),
        "no-encryption": begun.failed("not-ready", "no-tls"),
        "not-signed-in": begun.failed("sign-in-failed", "535"),
        "not-configured": begun.failed("not-configured", ""),
        "unknown": begun.lost_sight_of("unavailable", "timeout"),
        "found-missing": begun.lost_sight_of("unavailable", "timeout").decide(
            was_sent=False, by=ana, at=noon, zone=UTC
        ),
    }

    def result(letter: Letter) -> Drawing:
        return lambda texts: message(letters.result(letter, texts))

    def preview(kind: LetterKind, way: letters.Way, **fields: Any) -> Drawing:
        return lambda texts: letters.preview(
            a_written_letter(texts, kind, **fields), way, "L-TEST000001 C0BILLING", texts
        )

    hints = (
        "letter-hint-nothing-owed",
        "letter-hint-no-services",
        "letter-hint-no-contact",
        "letter-hint-language",
        "letter-hint-no-signature",
    )
    return {
        **{f"letter-{name}": result(letter) for name, letter in results.items()},
        **{f"letter-preview-{kind}": preview(kind, letters.Way.SEND) for kind in LetterKind},
        "letter-preview-by-hand": preview(LetterKind.FINAL, letters.Way.COPIED, to=""),
        "letter-preview-dry-run": lambda texts: letters.preview(
            a_written_letter(texts), letters.Way.SEND, "L-TEST000001 C0BILLING", texts, dry_run=True
        ),
        "letter-form": lambda texts: letters.letter_form(a_sheet(texts), texts),
        "letter-form-without-mail": lambda texts: letters.letter_form(
            a_sheet(
                texts,
                LetterKind.RESUMED,
                can_send=False,
                to="",
                hints=tuple(texts(hint) for hint in hints),
            ),
            texts,
        ),
    }


# Shared exports


def _preview(preview: Preview) -> Drawing:
    return lambda texts: message(intake.preview_card(preview, texts))


def _settings(preview: Preview) -> Drawing:
    return lambda texts: intake.settings_form(preview, texts)


MUCH_TO_SAY = a_finding(
    rejected=131,
    rejects=(
        Noted("bad_amount", 120, ("line 14", "line 17", "line 20")),
        Noted("bad_date", 10, ("line 2", "line 3", "line 5")),
        Noted("missing_customer", 1, ("row 9",)),
    ),
    remarks=tuple(
        Noted(code, 9 - n, (f"line {n}",))
        for n, code in enumerate(
            (
                "due_date_derived",
                "dispute_hint",
                "two_digit_year",
                "open_from_total",
                "number_format_assumed",
                "bad_tenant",
                "encoding_assumed",
                "one_nobody_knows",
            )
        )
    ),
    kept=3,
    seen_before=noon - DAY,
)
REFUSALS = {
    "no-currency": FileRefusal(
        "missing_currency", "The file names no currency; add a currency column or say which one it is in."
    ),
    "date-order": FileRefusal(
        "ambiguous_date_order",
        "“03/04/2026” can be read in two ways; say whether the day (DMY) or the month (MDY) comes first.",
    ),
    "no-table": FileRefusal("unsupported_file", "This is a PDF; export the list as CSV or XLSX."),
    "too-large": FileRefusal("too_large", "The file has more than 20 MB; export a smaller part."),
    "no-scope": FileRefusal("no-scope"),
    "unknown": FileRefusal("new_code", "Something <!channel> new."),
}


def _previews() -> dict[str, Drawing]:
    at = noon + HOUR
    waiting = a_preview()
    applying = waiting.apply(by=ana, at=at, sha256=waiting.sha256, seal=waiting.seal)
    told = a_preview(
        reading=Reading(as_of=TODAY, mode="merge", currency="EUR", date_order="DMY"),
        finding=MUCH_TO_SAY,
        file="<!channel> *now* Außenstände 应收.xlsx",
        voided="books",
    )
    nothing = a_finding(new=0, changed=0, closed=0, unchanged=12, owed=())
    refused = {name: waiting.refused(refusal) for name, refusal in REFUSALS.items()}
    return {
        "import-preview": _preview(waiting),
        "import-preview-with-much-to-say": _preview(told),
        "import-preview-that-shrinks": _preview(
            a_preview(finding=a_finding(held="shrinks", shrinks_by=42, closed=5))
        ),
        "import-preview-too-old": _preview(a_preview(finding=a_finding(held="older_than_books"))),
        "import-preview-under-other-rules": _preview(a_preview(voided="rules")),
        "import-preview-of-nothing-new": _preview(a_preview(finding=nothing)),
        "import-reading": _preview(a_preview(status=PreviewStatus.READING, finding=None)),
        "import-applying": _preview(applying),
        "import-applied": _preview(applying.applied(a_finding())),
        "import-applied-nothing": _preview(applying.applied(nothing)),
        "import-discarded": _preview(waiting.discard(by=ana, at=at)),
        "import-expired": _preview(waiting.expire()),
        **{f"import-refused-{name}": _preview(preview) for name, preview in refused.items()},
        "import-refused-gone": _preview(
            a_preview(file="", sha256="", thread_ts=None).refused(FileRefusal("gone"))
        ),
        "form-import": _settings(told),
        "form-import-no-currency": _settings(refused["no-currency"]),
        "form-import-date-order": _settings(refused["date-order"]),
    }


# Forms and errors

STAMPS = StampReport(
    noon - 30 * DAY,
    noon,
    12,
    (Hasty(RequestId("R-TEST000001"), ben.id, timedelta(seconds=3)),),
    (Pair(ana.id, ben.id, 9, 10),),
)
ABOUT_RIGHTS: tuple[domain.BackstopError, ...] = (
    domain.NotPermitted("read"),
    domain.NotPermitted("audit"),
    domain.NotPermitted("administer"),
    *(domain.Outsider(what) for what in Outside),
    domain.NotPermitted("own-authenticator"),
    domain.CodeNeeded(DRAFT),
    *(domain.GlassKept(DRAFT, why) for why in ("switched-off", "action", "reason", "not-named")),
    domain.GlassReviewed(DRAFT, "U0MEI"),
    domain.NotPermitted("review-own-glass"),
    domain.Invalid("glass_reason", "too-short", {"least": "20"}),
    domain.NotEnrolled(),
    *(domain.MayNotEnrol(why) for why in ("not-opened", "enrolled", "no-key")),
    domain.TooManyCodes(noon),
    domain.BeyondRights(DRAFT, "amount", "may = approve, reasons = non_payment, up_to = EUR 5000"),
    domain.BeyondRights(DRAFT, "nothing", "may = ask"),
)
EVERY_ERROR: tuple[domain.BackstopError, ...] = (
    *ABOUT_RIGHTS,
    domain.PackTooLarge("T-TEST000001"),
    domain.NotPermitted("operate"),
    domain.NotPermitted("approve"),
    domain.NotPermitted("withdraw"),
    domain.OwnRequest(DRAFT),
    domain.AlreadyDecided(DRAFT, "denied", "U0BEN"),
    domain.AlreadyDecided(DRAFT, "expired", None),
    domain.AlreadyApproved(DRAFT),
    domain.RequestExpired(DRAFT, noon),
    domain.AlreadyWaiting(DRAFT),
    domain.CannotBeSuspended("suspended-already"),
    domain.CannotBeSuspended("not-active", "pending"),
    domain.CannotBeSuspended("kind"),
    domain.CannotBeSuspended("azure-active", names=("Production", "Test")),
    domain.CannotBeCancelled("only-compromise"),
    domain.CannotBeCancelled("switched-off"),
    domain.CannotBeCancelled("not-active"),
    domain.TooManyAtOnce(150, 100),
    domain.CannotWait(),
    domain.NothingToRetry(DRAFT),
    domain.AlreadyLifted("U0BEN"),
    domain.DayOver("2026-11-22"),
    domain.TicketExists("T-TEST000001"),
    domain.TicketSettled("T-TEST000001", "filed", "U0ANA"),
    domain.CaseChanged("C-TEST000001"),
    domain.ConfirmationOutdated(DRAFT),
    domain.CannotBeResumed("active-already"),
    domain.CannotBeResumed("not-suspended", "expired"),
    domain.CannotBeResumed("base-first", "suspended"),
    domain.NotOurCustomer("advisor"),
    domain.AlreadyLinked("Contoso <Ltd>", "U0BEN"),
    domain.PromisedBefore(2, 1),
    domain.BooksUnsure("R-7F3K"),
    domain.OutOfScope("azure_plan"),
    domain.Invalid("reason", "missing"),
    domain.Invalid("when", "urgent"),
    domain.Invalid("date", "in-the-past"),
    domain.Invalid("date", "too-far-ahead", {"days": "90"}),
    domain.Invalid("subscription", "no-such-subscription"),
    domain.Invalid("customer", "no-such-customer"),
    domain.NotFound("customer", "x"),
    domain.NotFound("subscription", "x"),
    domain.NotFound("request", "x"),
    domain.NotFound("draft", "x"),
    domain.NotFound("day", "x"),
    domain.NotFound("azure-subscription", "x"),
    domain.NotFound("drift", "x"),
    domain.NotFound("preview", "x"),
    *(domain.PreviewSettled("P-TEST000001", why, "U0ANA") for why in ("applied", "books", "changed", "held")),
    domain.PreviewSettled("P-TEST000001", "expired"),
    domain.Invalid("export_as_of", "older-than-books", {"day": "Nov 23, 2026"}),
    domain.Invalid("export_as_of", "in-the-future"),
    domain.Invalid("export_currency", "no-currency"),
    domain.NotFound("case", "x"),
    domain.Invalid("cap", "out-of-range", {"least": "40", "most": "100"}),
    domain.NotFound("debtor", "x"),
    domain.NotFound("link", "x"),
    domain.DriftSettled("D-TEST000001", "adopted", "U0BEN"),
    domain.DriftSettled("D-TEST000001", "explained", "U0BEN"),
    domain.DriftSettled("D-TEST000001", "over"),
    domain.NotFound("letter", "x"),
    *(
        domain.LetterSettled("L-TEST000001", why)
        for why in ("draft", "sending", "sent", "copied", "failed", "unknown")
    ),
    domain.LetterOutdated(),
    domain.Invalid("letter_to", "no-mail-address"),
    domain.Invalid("letter_body", "too-long", {"most": "3000"}),
    *(domain.Unavailable(system, "timeout") for system in ("partner_center", "slack", "database")),
    domain.Unanswered("database", "OperationalError"),
    domain.Throttled(),
    domain.Throttled("slack"),
    domain.NotReady(),
    domain.Conflict(),
    domain.SignInFailed(reason="AADSTS7000222"),
    domain.SignInFailed("slack", "token_revoked"),
    domain.AccessDenied(reason="20002", correlation_id="c0ffee"),
    domain.Rejected(reason="800040", correlation_id="c0ffee"),
    domain.Rejected("slack", "not_in_channel"),
    domain.FeatureMissing(),
)


def _errors(*told: domain.BackstopError) -> Drawing:
    def drawing(texts: Texts) -> Json:
        said = [errors.words(error, texts) for error in told]
        said.append(errors.unforeseen("0badf00d", texts))
        return message([{"type": "section", "text": {"type": "mrkdwn", "text": words}} for words in said])

    return drawing


def _forms() -> dict[str, Drawing]:
    customer, subscription = a_customer(), a_subscription(is_trial=True, quantity=1200)
    return {
        "form-empty": lambda texts: forms.action_form(Verb.SUSPEND, DRAFT, texts),
        "form-customer": lambda texts: forms.action_form(
            Verb.SUSPEND,
            DRAFT,
            texts,
            customer=customer,
            hint=texts.mrkdwn("form-matched", words="con", customer="Contoso Ltd"),
        ),
        "form-prefilled": lambda texts: forms.action_form(
            Verb.SUSPEND,
            DRAFT,
            texts,
            customer=customer,
            subscription=subscription,
            reason=Reason.NON_PAYMENT,
        ),
        "form-at-a-time": lambda texts: forms.action_form(
            Verb.SUSPEND, DRAFT, texts, customer=customer, when=When.AT, zone="Europe/Berlin"
        ),
        "form-resume": lambda texts: forms.action_form(Verb.RESUME, DRAFT, texts, customer=customer),
        "stamps": lambda texts: {"blocks": stamp_views.stamps(STAMPS, texts)},
        "form-code": lambda texts: authenticator.code_form(DRAFT, "What is approved", texts),
        "form-enrol": lambda texts: authenticator.enrol_form(
            "JBSWY3DPEHPK3PXP", "otpauth://totp/Backstop:U0BEN", texts
        ),
        "form-enrolled": authenticator.enrolled,
        "form-deny": lambda texts: forms.deny_form(DRAFT, "What is denied", texts),
        "form-waiting": lambda texts: forms.wait_view(
            texts("title-suspend"), texts("reading-live"), texts, external_id=DRAFT
        ),
        "form-refused": lambda texts: errors.view(errors.words(domain.NotPermitted("operate"), texts), texts),
    }


VIEWS: dict[str, Drawing] = {
    **_forms(),
    **_confirmations(),
    **_resumptions(),
    **_cards(),
    **_limits(),
    **_digests(),
    **_follow_ups(),
    **drawn_suspicious.VIEWS,
    **_drifts(),
    **_previews(),
    **_mappings(),
    **drawn_policy.VIEWS,
    **drawn_evidence.VIEWS,
    **_letters(),
    **drawn_ticket_form.VIEWS,
    **drawn_ticket.VIEWS,
    **drawn_home.drawings(a_state, REQUESTS, SEVERAL.totals),
    **drawn_welcome.VIEWS,
    **drawn_glass.VIEWS,
    "reply-help": _help,
    "reply-help-mistyped": _help_mistyped,
    "reply-status": _status,
    "reply-status-at-first": _status_at_first,
    "reply-found": _found,
    "reply-found-to-look-at": lambda texts: _found(texts, may_operate=False, more=True),
    "reply-found-nobody": lambda texts: message(
        replies.found("<!here> *x*", (), texts, may_operate=True, more=False)
    ),
    "reply-requests": _requests_list,
    "reply-requests-with-tickets": lambda texts: message(
        replies.open_requests(
            list(REQUESTS.values())[:2],
            texts,
            channel="C0APPROVALS",
            tickets=list(drawn_home.TICKETS.values()),
            tickets_channel="C0TICKETS",
            at=drawn_home.AT,
        )
    ),
    "reply-requests-none-approver": lambda texts: message(
        replies.open_requests((), texts, channel=None, at=noon, may_operate=False)
    ),
    "reply-audit": lambda texts: message(
        audit.trail("r-test000001", drawn_home.EVENTS[:3], texts, more=False)
    ),
    "reply-audit-of-much": lambda texts: message(
        audit.trail(a_customer().id, drawn_home.EVENTS * 10, texts, more=True)
    ),
    "reply-audit-none": lambda texts: message(audit.trail("<!here> *x*", (), texts, more=False)),
    "reply-shadow": _shadow,
    "reply-shadow-of-nothing": _shadow_of_nothing,
    "reply-requests-many": _many_requests,
    "reply-requests-none": lambda texts: message(
        replies.open_requests((), texts, channel="C0APPROVALS", at=noon)
    ),
    "errors-rights": _errors(*ABOUT_RIGHTS),
    "errors-refused": _errors(
        *(e for e in EVERY_ERROR if isinstance(e, domain.Refused) and e not in ABOUT_RIGHTS)
    ),
    "errors": _errors(*(e for e in EVERY_ERROR if not isinstance(e, domain.Refused))),
}
