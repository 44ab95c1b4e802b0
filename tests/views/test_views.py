"""Every view looks as it did, is what Slack takes, and fits in every language.

`pytest tests/views --rewrite-golden` writes the golden files anew.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot import texts
from bot.domain import errors as domain
from bot.domain.action import Verb
from bot.domain.customer import CustomerId
from bot.domain.digest import Banner, OverdueDigest
from bot.domain.directory import Directory
from bot.domain.errors import CannotBeSuspended
from bot.domain.inquiry import Choice, Nobody
from bot.domain.money import MINOR_UNITS
from bot.domain.preview import FileRefusal, Noted, Owed
from bot.receivables import Code
from bot.sandbox.slack.block_kit import BlockKit, is_too_large, is_too_long
from handlers import ids
from handlers.views import (
    blocks,
    confirmation,
    digests,
    drift,
    followup,
    forms,
    glass,
    intake,
    mapping,
    replies,
    request_card,
)
from tests.builders import (
    a_customer,
    a_drift,
    a_preview,
    a_request,
    a_subscription,
    a_target,
    an_action,
    ben,
    noon,
    targets,
)
from tests.views import drawn, drawn_glass, drawn_home, drawn_policy
from tests.views.drawn import VIEWS

GOLDEN = Path(__file__).parent / "golden"
every_view = pytest.mark.parametrize("name", VIEWS)
every_language = pytest.mark.parametrize("language", texts.LANGUAGES)


@every_view
def test_it_looks_as_it_did(name: str, rewrites_golden: bool):
    view = VIEWS[name](texts.in_language("en"))
    path = GOLDEN / f"{name}.json"
    if rewrites_golden:
        path.write_text(json.dumps(view, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    assert view == json.loads(path.read_text(encoding="utf-8"))


def test_no_golden_file_is_left_behind():
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(VIEWS)


@every_language
@every_view
def test_slack_takes_it(name: str, language: str):
    view = VIEWS[name](texts.in_language(language))
    assert complaints(view) == []


@every_view
def test_slacks_own_models_hold_it(name: str):
    view = VIEWS[name](texts.in_language("en"))
    if view.get("type") in ("modal", "home"):
        assert View(**view).to_dict() == view
    assert [block.to_dict() for block in Block.parse_all(view["blocks"])] == view["blocks"]


@every_language
def test_names_and_notes_of_any_length_fit(language: str):
    words = texts.in_language(language)
    long = "Wörter & <Zeichen> *fett* " * 200
    customer = a_customer(name=long, domain="x" * 300)
    subscription = a_subscription(name=long, status_word=long, quantity=10**12)
    action = an_action(customer_name=long, note=long)
    request = a_request(action=action, targets=[a_target(name=long)], policy_note=long)
    several = a_request(
        action=action, targets=[replace(t, name=long) for t in targets(100)], policy_note=long
    )
    about = [subscription] * 100
    left_out = [
        confirmation.LeftOut(subscription, CannotBeSuspended("azure-active", names=(long, long)))
    ] * 50
    owed = [
        drawn.owes(
            f"{n} {long}", 50, "123456789.00", currency, customer_code=f"{n} {long}", tenant=customer.id
        )
        for n, currency in enumerate(("EUR", "USD", "CNY", "GBP", "CHF", "JPY", "SEK", "PLN"))
    ]
    link = drawn.said(owed[0].customer_key, long)
    linked = Directory([customer]).entry_of(link)
    changed = a_drift(customer_name=long, subscription_name=long, words=(long, long))
    told = replace(
        drawn.MUCH_TO_SAY,
        owed=tuple(Owed(c, Decimal(10**12), Decimal(10**12), Decimal(10**12)) for c in MINOR_UNITS),
        rejects=tuple(Noted(code, 10**6, ("line 123456",) * 3) for code in Code),
        remarks=tuple(Noted(code, 10**6, ("row 123456",) * 3) for code in Code),
        held="shrinks",
    )
    shared = a_preview(file=long, finding=told, voided="rules")
    refused = shared.refused(FileRefusal("missing_currency", long))
    for view in (
        drawn.message(intake.preview_card(shared, words)),
        drawn.message(intake.preview_card(refused, words)),
        intake.settings_form(shared, words),
        intake.settings_form(refused, words),
        forms.action_form(
            Verb.SUSPEND, drawn.DRAFT, words, customer=customer, subscription=subscription, hint=long
        ),
        forms.deny_form(request.id, blocks.escaped(request_card.headline(request, words)), words),
        drawn.confirmed(subscription, customer=customer, note=long, policy_note=long, add_ons=(long,) * 50)(
            words
        ),
        drawn.confirmed(*about, customer=customer, note=long, policy_note=long, left_out=tuple(left_out))(
            words
        ),
        drawn.message(request_card.request_card(several, words)),
        drawn.message(request_card.request_card(request, words)),
        drawn.message(request_card.request_card(request.deny(by=ben, at=noon, why=long), words)),
        glass.glass_form(several, words, needs_code=True, everybody="C1", reason=long),
        glass.review_form(replace(drawn_glass.BROKEN, reason=long), several, words),
        drawn.message(glass.glass_card(replace(drawn_glass.REVIEWED, reason=long), several, words)),
        mapping.link_form(drawn.entry_of(*owed), words, channel="C1"),
        mapping.link_form(drawn.entry_of(*owed, mappings=(link,)), words, channel="C1"),
        drawn.message([blocks.section(mapping.answer(linked, words))]),
        drawn.message(
            mapping.debtors(drawn.a_digest(*owed).debtors, 30, [linked] * 30, words, may_link=True)
        ),
        drift.adopt_form(changed, words),
        drift.explain_form(changed, words),
        drawn.message(drift.drift_card(changed, None, words, on=drawn.TODAY)),
        drawn.message(
            drift.drift_card(changed.explain(by=ben, at=noon, note=long), None, words, on=drawn.TODAY)
        ),
        drawn.message(
            replies.open_requests(
                [request] * 30, words, channel="C1", tickets=[drawn_home.named(long)] * 30, at=noon
            )
        ),
        drawn_policy.drawn_why(drawn_policy.of_any_length(long), words=long)(words),
        drawn_policy.drawn_policy(drawn_policy.of_any_length(long).holds)(words),
        drawn_policy.drawn_why(Choice((customer,) * 10, (long,) * 10), words=long)(words),
        drawn_policy.drawn_why(Nobody((long,) * 5), words=long)(words),
    ):
        assert complaints(view) == []


@every_language
@pytest.mark.parametrize("customers", [0, 1, 8, 9, 49, 500, 5000])
def test_a_digest_of_any_size_keeps_slacks_limits_on_every_page(customers: int, language: str):
    words = texts.in_language(language)
    digest = drawn.everything(customers)
    assert len(digests.summary(digest, words)) < 4000
    pages = max(1, -(-customers // digests.PAGE))
    for page in sorted({0, 1, pages // 2, pages - 1, pages, 10**6}):
        assert complaints(drawn.message(digests.overdue(digest, words, page=page))) == []


@every_language
@pytest.mark.parametrize("name", ["&", "&" * 500, "*" * 500, "<!channel> " * 50, "漢" * 500, "é_~`" * 99])
def test_a_digest_of_any_names_keeps_slacks_limits(name: str, language: str):
    digest = drawn.everything(9, name)
    for page in range(2):
        view = drawn.message(digests.overdue(digest, texts.in_language(language), page=page))
        assert complaints(view) == []
        read = re.findall(r'"type": "mrkdwn", "text": "([^"]*)"', json.dumps(view))
        assert read
        assert not [text for text in read if "<!channel>" in text]


def test_every_customer_is_on_one_page_in_order():
    words = texts.in_language("en")
    owed = (drawn.owes(f"Debtor {n:02}", 200 - n, "10.00", tenant=f"t-{n}") for n in range(49))
    digest = drawn.a_digest(*owed)
    shown = [
        value["value"]
        for page in range(-(-49 // digests.PAGE))
        for block in digests.overdue(digest, words, page=page)
        if block["type"] == "actions"
        for value in block["elements"]
        if value["action_id"] == ids.SNOOZE_CUSTOMER
    ]
    assert shown == [f"t-{n}" for n in range(49)]


def offered(digest: OverdueDigest) -> set[str]:
    """The labels of all buttons of its first page."""
    return {
        element["text"]["text"]
        for block in digests.overdue(digest, texts.in_language("en"))
        if block["type"] == "actions"
        for element in block["elements"]
    }


def test_books_that_cannot_be_trusted_offer_no_suspension_and_say_first_what_to_do():
    trusted = drawn.SEVERAL
    assert {"Suspend", "Promise to pay", "Snooze", "Owner", "Link"} <= offered(trusted)
    unsure = replace(
        trusted,
        banners=(Banner("stale", {"as_of": "2026-11-20", "hours": "70"}),),
        debtors=tuple(replace(debtor, trusted=False) for debtor in trusted.debtors),
    )
    assert offered(unsure) == {"Snooze", "Owner", "Link"}
    first, second, *_ = digests.overdue(unsure, texts.in_language("en"))
    assert first["type"] == "header"
    assert "import a current export" in second["text"]["text"]
    assert digests.summary(unsure, texts.in_language("en")).startswith("⚠ These figures are of Nov 20, 2026")


def test_only_the_rows_that_are_concerned_lose_their_buttons():
    some = tuple(replace(d, trusted=n != 0) for n, d in enumerate(drawn.LONG.debtors))
    words = texts.in_language("en")
    actions = [b for b in digests.overdue(replace(drawn.LONG, debtors=some), words) if b["type"] == "actions"]
    labels = [[e["text"]["text"] for e in block["elements"]] for block in actions]
    assert labels[0] == ["Snooze", "Owner"]
    assert labels[1] == ["Suspend", "Open ticket", "Snooze", "Notice", "Promise to pay", "Owner"]


@every_language
def test_the_longest_of_what_is_said_about_a_customer_fits_its_forms(language: str):
    words = texts.in_language(language)
    long = drawn.a_pause("snooze", note=drawn.HUGE)
    about = drawn.a_subject(
        customer=a_customer(name=drawn.HUGE, domain=drawn.HUGE),
        overdue={code: Decimal(10**12) for code in ("EUR", "USD", "CNY", "GBP", "CHF", "JPY")},
        snooze=long,
        promise=long,
        promises=10**6,
    )
    for view in (
        followup.snooze_form(about, words, channel="C1"),
        followup.promise_form(about, drawn.POLICY.exit, words, channel="C1"),
        followup.owner_form(about, words, channel="C1"),
        followup.woken(about.customer, words),
    ):
        assert complaints(view) == []


@every_language
def test_a_page_of_hits_stays_under_what_a_message_may_hold(language: str):
    words = texts.in_language(language)
    many = [
        replies.Match(
            a_customer(id=CustomerId(f"t-{n}"), name="N" * 200, domain="d" * 200),
            [a_subscription(name="P" * 200) for _ in range(40)],
        )
        for n in range(replies.MOST_FOUND)
    ]
    assert complaints(drawn.message(replies.found("n", many, words, may_operate=True, more=True))) == []


def test_every_error_has_been_drawn():
    never_raised_themselves = {domain.Refused, domain.Upstream}
    kinds = {type(error) for error in drawn.EVERY_ERROR}
    assert kinds == _all_below(domain.BackstopError) - never_raised_themselves


@every_view
def test_whatever_customers_are_called_nobody_is_mentioned(name: str):
    for text in mrkdwn(VIEWS[name](texts.in_language("en"))):
        for live in ("<!channel>", "<!here>", "<!everyone>", "*now*"):
            assert live not in text


def complaints(view: dict[str, Any]) -> list[str]:
    """What Slack would refuse it for."""
    if view.get("type") in ("modal", "home"):
        return BlockKit().view_errors(view, kinds=(view["type"],)) + (
            ["view_too_large"] if is_too_large(view) else []
        )
    too_long = ["msg_blocks_too_long"] if is_too_long(view["blocks"]) else []
    return BlockKit().message_errors(view["blocks"]) + too_long


def mrkdwn(node: Any) -> list[str]:
    """Every text in it that Slack reads marks and mentions in."""
    if isinstance(node, list):
        return [text for item in node for text in mrkdwn(item)]
    if not isinstance(node, dict):
        return []
    if node.get("type") == "mrkdwn":
        return [str(node["text"])]
    return [text for item in node.values() for text in mrkdwn(item)]


def _all_below(kind: type[Exception]) -> set[type[Exception]]:
    return {below for child in kind.__subclasses__() for below in {child, *_all_below(child)}}
