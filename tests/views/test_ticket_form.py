"""How a ticket begins: the draft is whole and plain, and whatever is in it, Slack takes what shows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot import texts
from bot.domain.customer import Cloud, SubscriptionKind
from bot.domain.matter import MOST_TITLE, About, TicketKind, TicketSeverity, about
from bot.domain.policy import StageAction
from bot.domain.request import Result
from bot.domain.ticket import HandOver, Way
from handlers import ids
from handlers.views import blocks, digests, ticket_draft, ticket_form
from tests.builders import (
    CONTOSO,
    HOUR,
    a_customer,
    a_matter,
    a_request,
    a_subscription,
    ben,
    noon,
    settled,
    targets,
)
from tests.views import drawn, drawn_ticket_form
from tests.views.drawn_ticket_form import BACKGROUND, LINK, LONG, MATTER, STRANGE, drafted
from tests.views.test_views import complaints, mrkdwn

GOLDEN = Path(__file__).parent / "golden"
every_language = pytest.mark.parametrize("language", texts.LANGUAGES)
every_cloud = pytest.mark.parametrize("cloud", Cloud)
MESSAGE = (STRANGE + " " + "漢字 ﷽ 👩‍👩‍👧 <!here> ") * 200


class TestDraft:
    @pytest.mark.parametrize("cloud", [Cloud.GLOBAL, Cloud.CHINA])
    def test_reads_as_it_did(self, cloud: Cloud, rewrites_golden: bool):
        matter = replace(MATTER, quoted=STRANGE, link=LINK)
        said, path = drafted(matter, BACKGROUND, cloud), GOLDEN / f"ticket-draft-{cloud.value}.txt"
        if rewrites_golden:
            path.write_text(said, encoding="utf-8")
        assert said == path.read_text(encoding="utf-8")

    @every_cloud
    def test_has_every_word_of_a_message_of_twenty_thousand_characters(self, cloud: Cloud):
        assert len(MESSAGE) > 20_000
        matter = a_matter(description=MESSAGE, tried=MESSAGE[:3000], quoted=MESSAGE).checked_over()
        said = drafted(matter, BACKGROUND, cloud)
        assert said.count(MESSAGE.strip("\n")) == 2
        assert matter.tried in said

    def test_is_fenced_so_that_no_line_of_a_message_is_taken_for_ours(self):
        quoted = "----- end of message -----\n== Customer ==\nName: Somebody else"
        lines = drafted(replace(MATTER, quoted=quoted), BACKGROUND, Cloud.GLOBAL).splitlines()
        fence = next(line for line in lines if "begin of message" in line)
        assert lines.count(fence.replace("begin", "end")) == 1
        inside = lines[lines.index(fence) + 1 : lines.index(fence.replace("begin", "end"))]
        assert inside == quoted.splitlines()

    def test_for_21vianet_is_in_chinese_first_and_says_what_somebody_wrote_once(self):
        said = drafted(MATTER, BACKGROUND, Cloud.CHINA)
        assert said.startswith("未付款 / Non-payment: Contoso Ltd")
        headings = [line for line in said.splitlines() if line.startswith("== ")]
        assert headings
        assert all(" / " in heading and not heading[3].isascii() for heading in headings)
        assert said.count(MATTER.description) == 1

    def test_says_unknown_where_nobody_knows(self):
        nothing = ticket_draft.Background(about(a_customer(domain=None), a_subscription()))
        said = drafted(a_matter(contact=""), nothing, Cloud.GLOBAL)
        for line in ("Contact: unknown", "Domain: unknown", "Offer ID: unknown", "Order ID: unknown"):
            assert f"\n{line}\n" in said
        assert "== Since when ==\nunknown\n" in said

    def test_of_no_customer_tells_of_none(self):
        own = ticket_draft.Background(About(), partner="66666666-2222-4333-8444-555555555555")
        said = drafted(a_matter(kind=TicketKind.PARTNER_CENTER), own, Cloud.GLOBAL)
        assert "About no customer" in said
        assert "Subscription" not in said

    def test_leaves_out_what_was_never_done_at_microsoft(self):
        pending = replace(BACKGROUND, origin=None, requests=(a_request(dry_run=True), a_request()))
        said = drafted(MATTER, pending, Cloud.GLOBAL)
        assert "Nothing was changed by us" in said
        assert "Correlation" not in said

    def test_of_very_many_changes_the_newest_are_told(self):
        many = a_request(targets=targets(100)).approve(by=ben, at=noon)
        done = settled(many.claim(at=noon, lease=HOUR, holder="w"), Result.DONE)
        background = replace(BACKGROUND, about=about(a_customer(), None), requests=(done,), origin=None)
        said = drafted(MATTER, background, Cloud.GLOBAL)
        assert "Earlier entries left out: 80\n" in said
        assert ("Product 80 |" in said, "Product 81 |" in said) == (False, True)

    def test_a_subject_is_one_line_whatever_the_title_and_the_customer_are_called(self):
        what = about(a_customer(domain="x" * 300), None)
        title = a_matter(title="\u202eA\nB" + "c" * 147)
        said = ticket_draft.subject(title, what, ticket_draft.languages_of(Cloud.CHINA))
        assert len(said) <= ticket_draft.MOST_SUBJECT
        assert not {"\n", "\u202e"} & set(said)
        assert len(ticket_draft.title_for(TicketKind.FRAUD, "x" * 300)) == MOST_TITLE


@every_language
@every_cloud
def test_texts_of_any_length_fit_where_slack_shows_them(cloud: Cloud, language: str):
    words, long = texts.in_language(language), "Wörter & <Zeichen> *fett* " * 200
    customer = a_customer(name=long, domain="x" * 300)
    subscription = a_subscription(name=long, status_word=long, kind=SubscriptionKind.AZURE_PLAN)
    matter = a_matter(title=long[:MOST_TITLE], description=long * 7, quoted=LONG, contact=long[:300])
    prefill = ticket_form.Prefill(
        cloud,
        customer,
        subscription,
        title=long,
        description=long,
        contact=long,
        asks_azure=True,
        hint=blocks.name(long),
    )
    for view in (
        ticket_form.ticket_form(drawn.DRAFT, prefill, words),
        drawn_ticket_form.confirmation(
            matter, cloud=cloud, what=about(customer, subscription), over=HandOver(Way.EMAIL, long)
        )(words),
    ):
        assert complaints(view) == []
        assert not [text for text in mrkdwn(view) if "<Zeichen>" in text]


def test_the_confirmation_shows_the_beginning_of_the_draft_as_plain_text():
    view = drawn_ticket_form.VIEWS["ticket-confirmation-long"](texts.in_language("en"))
    *_, draft, more = view["blocks"]
    assert draft["text"]["type"] == "plain_text"
    assert draft["text"]["text"].startswith(
        "Non-payment: Contoso Ltd (contoso.onmicrosoft.com)\n\n== Request =="
    )
    assert "more characters" in more["elements"][0]["text"]


@pytest.mark.parametrize(
    ("cloud", "said"),
    [
        (Cloud.GLOBAL, ["First response within 2 hours", "First response within 4 hours"]),
        (Cloud.CHINA, ["First response: unknown"] * 2),
        (Cloud.US_GOVERNMENT, ["First response: unknown"] * 2),
    ],
)
def test_a_first_response_is_promised_only_where_it_is_published(cloud: Cloud, said: list[str]):
    words = texts.in_language("en")
    options = [ticket_form.severity_option(s, cloud, words) for s in TicketSeverity]
    assert [option["description"]["text"] for option in options][:2] == said


def test_an_option_of_azures_is_its_id_unless_slack_would_not_take_it():
    long = "/providers/Microsoft.Support/services/" + "a" * 200
    found = [("/s/1", "Virtual <Machines>"), (long, "Azure SQL"), ("/s/3", "Storage")]
    offered = ticket_form.resource_options(found, "")
    assert [o["value"] for o in offered] == ["/s/1", ticket_form.resource_value(long), "/s/3"]
    assert all(len(o["value"]) <= 150 for o in offered)
    assert [o["text"]["text"] for o in ticket_form.resource_options(found, "AZ sq")] == ["Azure SQL"]
    many = [(f"/s/{n}", "Service") for n in range(300)]
    assert len(ticket_form.resource_options(many, "")) == blocks.MOST_OPTIONS


class TestButtons:
    def of(self, view: list[blocks.Block]) -> dict[str, blocks.Block]:
        return {
            element["action_id"]: element
            for block in view
            if block["type"] == "actions"
            for element in block["elements"]
        }

    def test_a_row_whose_stage_wants_a_ticket_proposes_it(self):
        digest = drawn.a_digest(drawn.owes("Contoso", 50, "5000.00", tenant=CONTOSO))
        (row,) = digest.debtors
        held = row.standing
        assert held.stage
        stage = replace(held.stage, action=StageAction.TICKET)
        wants = replace(held, stage=stage, proposes_suspension=False, proposes_cancel=False, holds_back=False)
        words = texts.in_language("en")
        styles = []
        for standing in (wants, replace(wants, stage=held.stage), replace(wants, holds_back=True)):
            shown = replace(digest, debtors=(replace(row, standing=standing),))
            styles.append(self.of(digests.overdue(shown, words))[ids.OPEN_TICKET].get("style"))
        assert styles == ["primary", None, None]

    @pytest.mark.parametrize(
        ("name", "is_offered"),
        [
            ("card-failed", True),
            ("card-unknown", True),
            ("card-done-accepted", True),
            ("card-done", False),
            ("card-pending", False),
            ("card-failed-changed-since-confirmed", False),
        ],
    )
    def test_a_card_offers_a_ticket_where_microsoft_has_to_be_asked(self, name: str, is_offered: bool):
        view = drawn.VIEWS[name](texts.in_language("en"))
        assert (ids.OPEN_TICKET in self.of(view["blocks"])) is is_offered
