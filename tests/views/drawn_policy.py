"""`/csp policy` and `/csp why`, drawn from facts that never change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot import policy_file
from bot.domain.aging import age
from bot.domain.collection import Facts, History, Step, trace
from bot.domain.customer import Countdown, Known, SubscriptionStatus
from bot.domain.inquiry import Choice, Inquiry, Nobody, owed
from bot.domain.policy import BillingPolicy, Condition, Debt, InForce, Override, Segment, Stage, StageAction
from bot.domain.policy import Exemption as Exempt
from bot.domain.receivables import OpenItem
from bot.texts import Texts
from handlers.views.policy import policy
from handlers.views.why import why
from tests.builders import CONTOSO, DAY, a_customer, a_subscription, noon

Json = dict[str, Any]
Drawing = Callable[[Texts], Json]

TODAY = noon.date()
WHOLE = Path(__file__).parents[1] / "samples" / "receivables" / "policy_whole.toml"
RULES = replace(policy_file.load(WHOLE), version="00e874a13604", exemptions=(), overrides=(), segments=())
HOSTILE = "<!channel> *now*"
CUTS = frozenset({StageAction.PROPOSE_SUSPEND, StageAction.PROPOSE_CANCEL})
EXCEPTED = replace(
    RULES,
    exemptions=(Exempt(CONTOSO, f"Payment plan {HOSTILE}", CUTS, TODAY + 30 * DAY, "U0FINANCE"),),
    overrides=(Override(CONTOSO, HOSTILE, {"remind": {"days_overdue": 5}}, TODAY + 60 * DAY, "Ana <b>"),),
    segments=(Segment("public_sector", "public", {}),),
    tags={"public": frozenset({CONTOSO})},
)
WARNED = History(
    began=TODAY - 42 * DAY,
    steps=(
        *(Step("remind", TODAY - days * DAY) for days in (41, 34)),
        Step("warn", TODAY - 28 * DAY),
        Step("ticket", TODAY - 20 * DAY),
    ),
    warned=(TODAY - 28 * DAY,),
)


def item(days: int, amount: str, currency: str = "EUR", **fields: Any) -> OpenItem:
    given: dict[str, Any] = {
        "customer": "Contoso Ltd",
        "tenant": CONTOSO,
        "document_number": f"INV-{days}-{amount}",
        "due_date": TODAY - timedelta(days=days),
        "currency": currency,
        "open_amount": Decimal(amount),
    }
    return OpenItem(**(given | fields))


LATE = (item(45, "2400.00"), item(-5, "800.00"), item(9, "80.00", disputed=True), item(3, "-120.00"))


def an_inquiry(
    *items: OpenItem,
    history: History = WARNED,
    rules: BillingPolicy = RULES,
    exposure: dict[str, Debt] | None = None,
    about: dict[str, Any] | None = None,
    **fields: Any,
) -> Inquiry:
    """Of Contoso with these items open; `fields` are those of `Facts`, `about` those of the inquiry."""
    debts = {"EUR": Debt(Decimal("2280.00"), 45)} if exposure is None else exposure
    facts = replace(Facts(CONTOSO, debts), **fields)
    given: dict[str, Any] = {
        "on": TODAY,
        "holds": InForce(rules, since=noon - 40 * DAY),
        "name": "Contoso Ltd",
        "customer": a_customer(),
        "suggestion": None,
        "namesakes": (),
        "owed": owed(age(items, on=TODAY), facts, rules, on=TODAY),
        "facts": facts,
        "history": history,
        "trace": trace(rules, facts, history, on=TODAY),
        "as_of": TODAY,
        "age_hours": 3,
    }
    return Inquiry(**(given | (about or {})))


def of_any_length(words: str) -> Inquiry:
    """Everything there can be of it, and all names as long as these words."""
    currencies = ("EUR", "USD", "CNY", "GBP", "CHF", "JPY", "SEK", "PLN", "DKK", "NOK")
    stages = tuple(
        Stage(
            f"stage-{n}-of-a-long-name",
            n + 1,
            StageAction.PROPOSE_SUSPEND,
            dict.fromkeys(currencies[1:], Decimal("123456789.00")),
            requires_stage=f"stage-{n - 1}-of-a-long-name" if n else None,
            approvals=9,
            repeat_every_days=99,
            notice_days=99,
            any_of=(Condition(items_overdue=99),),
        )
        for n in range(20)
    )
    exempt = Exempt(CONTOSO, words[:500], CUTS, TODAY + 30 * DAY, words[:500])
    rules = replace(
        EXCEPTED,
        stages=stages,
        exemptions=(exempt,) * 3,
        overrides=(Override(CONTOSO, words[:500], {}, TODAY, words[:500]),),
        minimum=dict.fromkeys(currencies, Decimal("123456.00")),
    )
    items = [
        part
        for c in currencies
        for part in (
            item(50, "123456789.00", c),
            item(49, "123456788.00", c, disputed=True),
            item(48, "123456787.00", c, dunning_blocked=True),
            item(47, "-123456786.00", c),
        )
    ]
    steps = tuple(Step(s.id, TODAY - n * DAY) for s in stages for n in range(30))
    return an_inquiry(
        *items,
        rules=rules,
        history=History(began=TODAY, steps=steps, warned=(TODAY,)),
        exposure={c: Debt(Decimal("123456789.00"), 50) for c in currencies},
        books_are_fresh=False,
        books_are_complete=False,
        promised_until=TODAY,
        snoozed_until=TODAY,
        about={
            "name": words,
            "namesakes": (words,) * 20,
            "suspended": (replace(SUSPENDED, customer=a_customer(name=words)),) * 9,
            "holds": InForce(rules, since=noon, refused=words),
        },
    )


SUSPENDED = Countdown(
    a_subscription(status=SubscriptionStatus.SUSPENDED, status_word="suspended"),
    a_customer(),
    TODAY + 50 * DAY,
    asked_by="U0ANA",
    known=Known.OURS,
    episode="R-1",
    for_debt=True,
)
NEVER_HEARD_OF = Nobody((f"Contoso {HOSTILE}", "Fabrikam, Inc."))
UNLINKED: Json = {"name": f"Halden {HOSTILE}", "customer": None, "suggestion": a_customer()}
PAID_UP: Json = {"exposure": {}, "suspended_for_debt": True, "owes_anything": False}


def drawn_why(answer: Inquiry | Choice | Nobody, words: str = "contoso") -> Drawing:
    return lambda texts: {"blocks": why(answer, words, texts)}


def drawn_policy(holds: InForce) -> Drawing:
    return lambda texts: {"blocks": policy(holds, texts, on=TODAY)}


REFUSED_FILE = "/etc/backstop/policy.toml: <!channel> grace: this version does not know that key; remove it"
VIEWS: dict[str, Drawing] = {
    "reply-policy": drawn_policy(InForce(EXCEPTED, since=noon - 40 * DAY)),
    "reply-policy-refused": drawn_policy(InForce(RULES, refused=REFUSED_FILE)),
    "reply-policy-of-nothing": drawn_policy(InForce(BillingPolicy("b67fdefa4544", (), {}))),
    "reply-why-proposed": drawn_why(an_inquiry(*LATE)),
    "reply-why-not-warned": drawn_why(
        an_inquiry(*LATE, history=History(began=TODAY - 2 * DAY, steps=(Step("remind", TODAY - DAY),)))
    ),
    "reply-why-too-soon": drawn_why(an_inquiry(item(20, "60.00"), exposure={"EUR": Debt(Decimal(60), 20)})),
    "reply-why-excepted": drawn_why(an_inquiry(*LATE, rules=EXCEPTED)),
    "reply-why-held-back": drawn_why(
        an_inquiry(
            *LATE,
            promised_until=TODAY + 3 * DAY,
            books_are_fresh=False,
            about={"namesakes": (f"Contoso {HOSTILE}",), "age_hours": 40, "as_of": TODAY - DAY},
        )
    ),
    "reply-why-trifle": drawn_why(an_inquiry(item(45, "9.00"), exposure={"EUR": Debt(Decimal(9), 45)})),
    "reply-why-nothing-overdue": drawn_why(an_inquiry(exposure={}, history=History())),
    "reply-why-no-books": drawn_why(
        an_inquiry(exposure={}, history=History(), about={"as_of": None, "age_hours": None})
    ),
    "reply-why-paid": drawn_why(an_inquiry(**PAID_UP, about={"suspended": (SUSPENDED,)})),
    "reply-why-suspended": drawn_why(
        an_inquiry(*LATE, suspended_for_debt=True, about={"suspended": (SUSPENDED,)})
    ),
    "reply-why-unlinked": drawn_why(
        an_inquiry(*LATE, history=History(), tenant=None, about=UNLINKED), words="halden"
    ),
    "reply-why-several": drawn_why(
        Choice((a_customer(), a_customer(name=HOSTILE, domain=None)), (f"Debtor {HOSTILE}",)),
        words="<!here> *x*",
    ),
    "reply-why-nobody": drawn_why(NEVER_HEARD_OF, words="<!here> *x*"),
    "reply-why-nobody-near": drawn_why(Nobody(()), words="zzz"),
}
