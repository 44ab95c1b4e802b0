"""What customers read of the billing policy: as it was, the same figures in every language, and nothing internal.

`pytest tests/views --rewrite-golden` writes `published/` anew.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bot.domain.capability import Cloud
from bot.domain.policy import BillingPolicy, Condition, Exit, Freeze, Stage, StageAction
from bot.policy_file import load
from bot.texts import LANGUAGES, in_language
from handlers.views.published import Published, Table, markdown, page, published

HERE = Path(__file__).parent / "published"
WHOLE = Path(__file__).parents[1] / "samples" / "receivables" / "policy_whole.toml"
POLICIES = {"packaged": load(None), "whole": load(WHOLE)}
RENDERED = {"md": markdown, "html": page}
TODAY, SINCE = date(2026, 11, 25), date(2026, 11, 3)

every_language = pytest.mark.parametrize("language", LANGUAGES)
every_policy = pytest.mark.parametrize("name", POLICIES)


def text_of(policy: BillingPolicy, language: str = "en", *, cloud: Cloud = Cloud.GLOBAL) -> Published:
    return published(policy, in_language(language), cloud=cloud, zone="Europe/Berlin", on=TODAY, since=SINCE)


@every_policy
@every_language
@pytest.mark.parametrize("form", RENDERED)
def test_it_reads_as_it_did(name: str, language: str, form: str, rewrites_golden: bool):
    said = RENDERED[form](text_of(POLICIES[name], language))
    path = HERE / f"{name}-{language}.{form}"
    if rewrites_golden:
        path.write_text(said, encoding="utf-8")
    assert said == path.read_text(encoding="utf-8")


EVERYTHING = BillingPolicy(
    "e" * 12,
    (
        Stage("remind", 2, StageAction.REMIND, repeat_every_days=1),
        Stage("warn", 11, StageAction.WARN, {"EUR": Decimal("33.50")}, notice_days=9, repeat_every_days=6),
        Stage(
            "suspend",
            41,
            StageAction.PROPOSE_SUSPEND,
            {"EUR": Decimal("1234.50"), "JPY": Decimal(15000)},
            requires_stage="warn",
            approvals=4,
            any_of=(Condition(items_overdue=3, oldest_days=44), Condition(amount={"EUR": Decimal(5000)})),
            all_of=(Condition(items_overdue=2),),
        ),
        Stage("cancel", 77, StageAction.PROPOSE_CANCEL),
    ),
    {"EUR": Decimal("20.00")},
    grace_days=5,
    min_step_gap_days=8,
    currency_unlisted="ignore",
    quiet_hours=(time(17, 45), time(7, 15)),
    no_cutoff_before_days_off=True,
    freezes=(
        Freeze(date(2026, 12, 21), date(2027, 1, 6), "holidays"),
        Freeze(date(2026, 1, 1), date(2026, 1, 2), "over"),
    ),
    exit=Exit("below_minimum", confirm_readings=3, proposes_resume=False, promise_days=13, promise_times=2),
)


@pytest.mark.parametrize("policy", [*POLICIES.values(), EVERYTHING], ids=[*POLICIES, "one with every key"])
def test_the_figures_are_the_same_in_every_language(policy: BillingPolicy):
    english = figures(text_of(policy))
    assert len(english) > 10
    for language in LANGUAGES[1:]:
        assert figures(text_of(policy, language)) == english


def figures(text: Published) -> list[Decimal]:
    """Every number in it, however the language writes it; days are the same in all and stay out."""
    said = re.sub(r"\w{3} \d{1,2}, \d{4}|\d\d\.\d\d\.\d{4}|\d{4}年\d{1,2}月\d{1,2}日", "", markdown(text))
    said = said.replace(text.footer, "")
    german = text.language == "de"
    found = re.findall(r"\d+(?:[.,:]\d+)*", said.partition("\n---")[0])
    return sorted(
        Decimal(n.replace(".", "").replace(",", ".") if german else n.replace(",", ""))
        if ":" not in n
        else Decimal(n.replace(":", ""))
        for n in found
    )


def test_it_says_what_the_policy_says():
    said = markdown(text_of(EVERYTHING))
    for words in (
        "| 7 | We remind you",  # two days and five of grace
        "| 46 | We may suspend",
        "EUR\N{NO-BREAK SPACE}1,234.50 or JPY\N{NO-BREAK SPACE}15,000",
        "at least 3 invoices are overdue and the oldest is overdue for at least 44 days; "
        "at least EUR\N{NO-BREAK SPACE}5,000.00 is overdue",
        "Only if this holds: at least 2 invoices are overdue.",
        "warned in writing at least 9 days before",
        "At least 8 days lie between two steps.",
        "from 17:45 to 07:15 (Europe/Berlin)",
        "from Dec 21, 2026 to Jan 6, 2027",
        "a day off, or on the day before one",
        "within 13 days on which you will pay: until then we wait. This is possible 2 times",
        "3 times in a row",
        "Please tell us then",
        "that step does not follow",
        "in force since Nov 3, 2026",
    ):
        assert words in said
    assert "2026-01" not in said
    assert "Jan 1, 2026" not in said, "a freeze that is over"


@every_policy
@every_language
def test_nothing_internal_gets_in(name: str, language: str):
    said = page(text_of(POLICIES[name], language))
    for internal in ("#billing", "collections", "approv", "Genehmig", "批准", "U0FINANCE", "Hospital"):
        assert internal not in said
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", said), "a tenant"


@pytest.mark.parametrize(
    ("cloud", "deleted"),
    [
        pytest.param(Cloud.GLOBAL, ["when the term ends", "90 days after", "90 days after"], id="global"),
        pytest.param(Cloud.CHINA, ["60 days after", "60 days after", "60 days after"], id="21Vianet"),
    ],
)
def test_the_days_until_deletion_are_those_of_the_cloud(cloud: Cloud, deleted: list[str]):
    tables = [
        p
        for s in text_of(POLICIES["packaged"], cloud=cloud).sections
        for p in s.parts
        if isinstance(p, Table)
    ]
    assert [row[1].removesuffix(" the suspension") for row in tables[-1].rows] == deleted


def test_a_policy_that_suspends_nobody_says_nothing_of_suspension():
    policy = replace(EVERYTHING, stages=EVERYTHING.stages[:1])
    assert "suspen" not in markdown(text_of(policy)).partition("## Questions")[0].replace(
        "nothing is suspended", ""
    )


HOSTILE = "<script>alert('1')</script>\n- **Ana** & Co. | [x](http://x)\n1. +49 30 1234"


def test_the_contact_is_taken_as_it_is_and_never_as_markup():
    said = text_of(replace(POLICIES["packaged"], contact=HOSTILE))
    html = page(said)
    assert "<script>" not in html
    assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;<br>\n- **Ana** &amp; Co." in html
    assert r"\<script\>alert" in markdown(said)
    assert r"\- \*\*Ana\*\* & Co. \| \[x\](http://x)" in markdown(said)
    assert r"1\. +49 30 1234" in markdown(said)


class Outline(HTMLParser):
    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.ids: set[str] = set()
        self.named: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if "id" in given:
            self.ids.add(given["id"] or "")
        if "aria-labelledby" in given:
            self.named.add(given["aria-labelledby"] or "")
        if tag in ("h1", "h2"):
            self.headings.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@every_policy
@every_language
def test_the_page_is_whole(name: str, language: str):
    html = page(text_of(POLICIES[name], language))
    outline = Outline()
    outline.feed(html)
    assert outline.open == []
    assert outline.headings == ["h1", *["h2"] * (len(outline.headings) - 1)]
    assert outline.named <= outline.ids
    assert f'<html lang="{language}">' in html
    assert "src=" not in html
    assert "href=" not in html
    assert "@media print" in html
