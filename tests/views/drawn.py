"""Every view, drawn from facts that never change: name → what it makes of a language's texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import handlers
from bot import policy_file
from bot.domain import errors as domain
from bot.domain.customer import (
    Cloud,
    Countdown,
    CustomerId,
    Subscription,
    SubscriptionId,
    SubscriptionKind,
    SubscriptionStatus,
    deletion_deadline,
)
from bot.domain.digest import Banner, Debtor, OverdueDigest, worst_first
from bot.domain.policy import Debt, Standing, standing
from bot.domain.receivables import OpenItem, age, totals
from bot.domain.request import ActionRequest, Outcome, Reason, Status, Verb
from bot.texts import Texts
from handlers.notices import result_message
from handlers.views import confirmation, digests, errors, forms, policy, replies, request_card
from tests.builders import DAY, HOUR, a_customer, a_request, a_subscription, an_action, ana, ben, mei, noon

Json = dict[str, Any]
Drawing = Callable[[Texts], Json]

DRAFT = "R-TEST000001"
TODAY = noon.date()
TERM_END = noon + 150 * DAY
POLICY = policy_file.load(None)

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


def message(blocks: list[Json]) -> Json:
    return {"blocks": blocks}


# Confirmations


def consequences(subscription: Subscription, texts: Texts, **fields: Any) -> confirmation.Consequences:
    cloud = fields.get("cloud", Cloud.GLOBAL)
    reason = fields.get("reason", Reason.NON_PAYMENT)
    holds, note = policy.verdict(fields.pop("standing", LATE), reason, texts)
    given: dict[str, Any] = {
        "customer": a_customer(),
        "subscription": subscription,
        "reason": reason,
        "note": "",
        "cloud": cloud,
        "deadline": deletion_deadline(subscription, suspended_on=TODAY, cloud=cloud),
        "policy_note": note,
        "holds": holds,
        "approvals_needed": 1,
        "time_to_live": DAY,
        "undo": timedelta(minutes=2),
        "dry_run": False,
        "approvals_channel": "C0APPROVALS",
    }
    return confirmation.Consequences(**(given | fields))


def confirmed(subscription: Subscription, **fields: Any) -> Drawing:
    return lambda texts: confirmation.suspend_confirmation(
        consequences(subscription, texts, **fields), DRAFT, texts
    )


def stands(overdue: str, days: int, **fields: Any) -> Standing:
    given: dict[str, Any] = {"tenant": a_customer().id, "on": TODAY, "data_is_fresh": True}
    debts = {"EUR": Debt(Decimal(overdue), days)} if overdue else {}
    return standing(POLICY, debts, **(given | fields))


LATE = stands("2400.00", 45)


def resumption(suspension: ActionRequest | None = None, **fields: Any) -> Drawing:
    given: dict[str, Any] = {
        "customer": a_customer(),
        "subscription": a_subscription(
            status=SubscriptionStatus.SUSPENDED,
            status_word="suspended",
            kind=SubscriptionKind.NEW_COMMERCE_SEAT,
            suspension_reasons=("CustomerCancellation",),
        ),
        "reason": Reason.NON_PAYMENT,
        "note": "",
        "suspension": suspension,
        "approvals_needed": 0,
        "time_to_live": DAY,
        "dry_run": False,
        "approvals_channel": "C0APPROVALS",
    }
    shown = confirmation.Resumption(**(given | fields))
    return lambda texts: confirmation.resume_confirmation(shown, DRAFT, texts)


def _resumptions() -> dict[str, Drawing]:
    fraud = replace(a_request(action=an_action(reason=Reason.FRAUD)), status=Status.DONE, closed_at=noon)
    return {
        "resumption-of-ours": resumption(fraud, approvals_needed=1, note="the card was replaced"),
        "resumption-of-somebody-elses": resumption(),
        "resumption-dry-run": resumption(dry_run=True),
    }


def _confirmations() -> dict[str, Drawing]:
    seat = KINDS["legacy-seat"]
    drawn = {
        f"confirmation-{kind}-{cloud.value}": confirmed(subscription, cloud=cloud)
        for kind, subscription in KINDS.items()
        for cloud in Cloud
    }
    return drawn | {
        "confirmation-against-the-policy": confirmed(seat, standing=stands("2400.00", 20)),
        "confirmation-nothing-overdue": confirmed(seat, standing=stands("", 0)),
        "confirmation-old-books": confirmed(seat, standing=stands("2400.00", 45, data_is_fresh=False)),
        "confirmation-no-books": confirmed(seat, standing=None),
        "confirmation-fraud": confirmed(seat, reason=Reason.FRAUD, undo=timedelta(0)),
        "confirmation-dry-run-with-note": confirmed(seat, dry_run=True, note="Third reminder of 12 November"),
        "confirmation-two-approvals": confirmed(seat, approvals_needed=2, undo=2 * HOUR),
        "confirmation-no-approval": confirmed(seat, approvals_needed=0, approvals_channel=None),
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
        return executing.finish(Outcome(**outcome), status=status, at=end)

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
        "done": ended(Status.DONE, changed=True),
        "done-already": ended(Status.DONE, changed=False),
        "done-accepted": ended(Status.DONE, changed=True, confirmed=False),
        "done-dry-run": replace(ended(Status.DONE, dry_run=True), dry_run=True),
        "failed": ended(Status.FAILED, error="rejected", **no),
        "failed-not-found": ended(Status.FAILED, error="not-found", confirmed=False),
        "unknown": ended(Status.UNKNOWN, error="unavailable", **no | {"reason": "timeout"}),
        "denied": pending.deny(by=ben, at=noon + HOUR, why="They paid <today>"),
        "expired": pending.expire(at=noon + DAY),
        "withdrawn": pending.withdraw(by=ana, at=noon + HOUR),
        "cancelled": approved.cancel(by=ben, at=noon + HOUR),
    }


REQUESTS = _requests()


def _cards() -> dict[str, Drawing]:
    def card(request: ActionRequest) -> Drawing:
        return lambda texts: message(request_card.request_card(request, texts))

    def result(request: ActionRequest) -> Drawing:
        return lambda texts: message(result_message(request, texts)[1])

    drawn = {f"card-{name}": card(request) for name, request in REQUESTS.items()}
    ends = ("done", "failed", "unknown", "denied", "expired", "withdrawn")
    return drawn | {f"result-{name}": result(REQUESTS[name]) for name in ends}


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
                standing=standing(POLICY, exposure, tenant=party.tenant, on=TODAY, data_is_fresh=not banners),
            )
        )
    return OverdueDigest(
        on=TODAY,
        as_of=as_of,
        complete=True,
        banners=banners,
        totals=totals(parties),
        debtors=worst_first(debtors),
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
LONG = a_digest(*(owes(f"Debtor {n:02}", 100 - n, "200.00", tenant=f"t-{n}") for n in range(20)))
EMPTY = a_digest(as_of=None, banners=(Banner("nothing_imported", {}),))


def _digests() -> dict[str, Drawing]:
    warned = replace(
        SEVERAL,
        banners=(
            Banner("stale", {"as_of": "2026-11-20", "hours": "70"}),
            Banner("incomplete", {"rejected": "3"}),
        ),
    )
    pages = {
        "several": (SEVERAL, 0),
        "first-page": (LONG, 0),
        "middle-page": (LONG, 1),
        "last-page": (LONG, 2),
    }
    pages |= {"nobody": (a_digest(owes("Contoso Ltd", -3, "10.00")), 0), "nothing-imported": (EMPTY, 0)}
    pages |= {"warned": (warned, 0)}

    def page(digest: OverdueDigest, number: int) -> Drawing:
        return lambda texts: message(digests.overdue(digest, texts, page=number))

    return {f"digest-{name}": page(*shown) for name, shown in pages.items()}


# Replies


COUNTDOWNS = (
    Countdown(a_subscription(name="Azure plan"), None, None),
    Countdown(a_subscription(), a_customer(), TODAY + DAY),
    *(Countdown(a_subscription(name=f"Seat {n}"), a_customer(), TODAY + n * DAY) for n in range(20, 30)),
)


def _status(texts: Texts) -> Json:
    return message(
        replies.status(
            replies.State(
                cloud="global",
                dry_run=True,
                customers=1234,
                subscriptions=5678,
                mirror_as_of=noon,
                mirror_failed=2,
                books_as_of=texts.day(TODAY),
                last_digest=noon - 3 * HOUR,
                counts={Status.PENDING: 2, Status.EXECUTING: 1, Status.DONE: 0},
                policy_version="b67fdefa4544",
                countdowns=COUNTDOWNS,
                today=TODAY,
            ),
            texts,
        )
    )


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
                books_as_of=None,
                last_digest=None,
                counts={},
                policy_version="b67fdefa4544",
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
        replies.Match(a_customer(name="Somebody else's", relationship="advisor"), [a_subscription()]),
    ]
    return message(replies.found("con", matches, texts, may_operate=may_operate, more=more))


def _requests_list(texts: Texts) -> Json:
    names = ("pending", "approved", "executing", "unknown")
    return message(replies.open_requests([REQUESTS[n] for n in names], texts, channel="C0APPROVALS"))


def _many_requests(texts: Texts) -> Json:
    return message(replies.open_requests([REQUESTS["pending"]] * 20, texts, channel=None))


def _help(texts: Texts) -> Json:
    return message(replies.help_text(handlers.commands(), texts))


def _help_mistyped(texts: Texts) -> Json:
    hint = texts.mrkdwn("help-did-you-mean", word="fnd", near="find")
    return message(replies.help_text(handlers.commands()[:1], texts, hint=hint))


# Forms and errors

EVERY_ERROR: tuple[domain.BackstopError, ...] = (
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
    domain.CannotBeResumed("active-already"),
    domain.CannotBeResumed("not-suspended", "expired"),
    domain.CannotBeResumed("base-first", "suspended"),
    domain.NotOurCustomer("advisor"),
    domain.Invalid("reason", "missing"),
    domain.Invalid("subscription", "no-such-subscription"),
    domain.Invalid("customer", "no-such-customer"),
    domain.NotFound("customer", "x"),
    domain.NotFound("subscription", "x"),
    domain.NotFound("request", "x"),
    domain.NotFound("draft", "x"),
    *(domain.Unavailable(system, "timeout") for system in ("partner_center", "slack", "database")),
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


def _errors(texts: Texts) -> Json:
    said = [errors.words(error, texts) for error in EVERY_ERROR]
    said.append(errors.unforeseen("0badf00d", texts))
    return message([{"type": "section", "text": {"type": "mrkdwn", "text": words}} for words in said])


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
        "form-resume": lambda texts: forms.action_form(Verb.RESUME, DRAFT, texts, customer=customer),
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
    **_digests(),
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
    "reply-requests-many": _many_requests,
    "reply-requests-none": lambda texts: message(replies.open_requests((), texts, channel="C0APPROVALS")),
    "errors": _errors,
}
