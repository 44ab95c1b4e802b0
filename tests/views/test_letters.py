"""What letters say: complete in every language, exact, and within what a form of Slack holds."""

from __future__ import annotations

from datetime import UTC, timedelta
from decimal import Decimal

import pytest

from bot.domain.aging import age
from bot.domain.letter import MOST_BODY, MOST_DOCUMENTS, MOST_SUBJECT, Account, LetterKind, account, as_lines
from bot.domain.receivables import OpenItem
from bot.texts import LANGUAGES, in_language
from handlers.views import letters
from tests.builders import ana, noon
from tests.views import drawn
from tests.views.drawn import SIGNATURE, TODAY, a_matter
from tests.views.test_views import complaints

every_language = pytest.mark.parametrize("language", LANGUAGES)
every_kind = pytest.mark.parametrize("kind", LetterKind)
asks_for_money = pytest.mark.parametrize("kind", [kind for kind in LetterKind if kind.asks_for_money])
LONG = "Wörter & <Zeichen> {name} *fett*\r\nBcc: all@example.com\u202e " * 20


def many(count: int, *, number: str = "RE-{n}", currencies: tuple[str, ...] = ("EUR",)) -> Account:
    items = [
        OpenItem(
            customer="Contoso Ltd",
            document_number=number.format(n=n),
            due_date=TODAY - timedelta(days=n + 1),
            currency=currencies[n % len(currencies)],
            open_amount=Decimal("123456789.99"),
        )
        for n in range(count)
    ]
    return account(age(items, on=TODAY), on=TODAY)


@every_language
@every_kind
def test_no_language_lacks_a_letter(language: str, kind: LetterKind):
    texts = in_language(language)
    subject, text = letters.subject(a_matter(kind), texts), letters.text(a_matter(kind), texts)
    assert "Contoso Ltd" in subject
    for fact in ("Jane Doe", "Contoso Ltd", SIGNATURE):
        assert fact in text
    assert "{" not in subject + text
    assert "\n\n\n" not in text
    assert as_lines(text) == text


@every_language
@every_kind
def test_without_any_fact_it_is_still_a_letter(language: str, kind: LetterKind):
    matter = a_matter(
        kind, contact="", account=Account(), deadline=None, services=(), data_until=None, signature=""
    )
    text = letters.text(matter, in_language(language))
    assert text.startswith(in_language(language)("letter-greeting"))
    assert in_language(language)("letter-contact-reply") in text
    assert "\n\n\n" not in text


@every_language
@asks_for_money
def test_it_names_documents_days_and_amounts_of_each_currency(language: str, kind: LetterKind):
    texts = in_language(language)
    text = letters.text(a_matter(kind), texts)
    for item in drawn.OWED.documents:
        (line,) = [line for line in text.splitlines() if item.document_number in line]
        assert texts.day(item.due_date) in line
        assert texts.money(item.open_amount, item.currency) in line
    for amount, currency in (("1299.00", "EUR"), ("1333.56", "EUR"), ("34.56", "EUR"), ("8000.00", "CNY")):
        assert texts.money(Decimal(amount), currency) in text


@every_language
@every_kind
def test_only_a_warning_says_from_which_day_on_and_by_which_stage(language: str, kind: LetterKind):
    texts = in_language(language)
    text = letters.text(a_matter(kind, data_until=None), texts)
    assert (texts.day(TODAY + timedelta(days=7)) in text) is kind.is_warning
    assert ("“suspend”" in text.replace("„", "“").replace("suspend“", "suspend”")) is kind.is_warning


@every_language
@every_kind
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_it_states_no_day_and_no_number_but_those_of_its_facts(language: str, kind: LetterKind, known: bool):
    texts = in_language(language)
    matter = a_matter(kind) if known else a_matter(kind, deadline=None, data_until=None)
    facts = [SIGNATURE, *matter.services]
    for item in matter.account.documents:
        facts += [
            item.document_number,
            texts.day(item.due_date),
            texts.money(item.open_amount, item.currency),
        ]
    for currency, owed in (matter.account.owed or {}).items():
        facts += [texts.money(amount, currency) for amount in (owed.net, owed.overdue, owed.credits)]
    facts += [texts.day(day) for day in (matter.deadline and matter.deadline.day, matter.data_until) if day]
    text = letters.text(matter, texts)
    for fact in sorted(facts, key=len, reverse=True):
        text = text.replace(fact, "")
    assert [word for word in text.split() if any(c.isdigit() for c in word)] == []


@every_language
def test_a_suspension_says_how_long_the_data_lives_where_somebody_knows(language: str):
    texts = in_language(language)
    known, unknown = (
        letters.text(a_matter(LetterKind.SUSPENDED, data_until=day), texts)
        for day in (TODAY + timedelta(days=90), None)
    )
    assert texts.day(TODAY + timedelta(days=90)) in known
    assert texts("letter-data-unknown") in unknown


@every_language
@asks_for_money
def test_it_names_twenty_documents_and_counts_the_others(language: str, kind: LetterKind):
    texts = in_language(language)
    text = letters.text(a_matter(kind, account=many(35)), texts)
    assert len(text) <= MOST_BODY
    named = [line for line in text.splitlines() if "RE-" in line]
    assert len(named) == MOST_DOCUMENTS
    assert "RE-34," in named[0].replace("，", ",")
    assert texts.count("letter-documents-more", 15) in text


@every_language
@every_kind
def test_the_longest_facts_fit_a_form_and_nothing_is_cut_off_at_its_end(language: str, kind: LetterKind):
    texts = in_language(language)
    longest = "x" * 399 + "!"  # as long as the setting may be
    matter = a_matter(
        kind,
        customer_name=LONG,
        contact=LONG,
        account=many(300, number="X" * 60 + "{n}", currencies=("EUR", "USD", "CNY", "GBP")),
        services=(LONG,) * 30,
        signature=longest,
    )
    subject, text = letters.subject(matter, texts), letters.text(matter, texts)
    assert len(subject) <= MOST_SUBJECT
    assert len(text) <= MOST_BODY
    assert text.endswith(longest)
    assert "\nBcc" not in text
    sheet = drawn.a_sheet(texts, kind, subject=subject, body=text, hints=(LONG,) * 5)
    assert complaints(letters.letter_form(sheet, texts)) == []
    written = drawn.a_written_letter(texts, kind, customer_name=LONG)
    assert complaints(letters.preview(written, letters.Way.SEND, "L-1", texts)) == []
    assert complaints({"blocks": letters.result(written.copied(by=ana, at=noon, zone=UTC), texts)}) == []


@every_language
def test_another_kind_or_language_makes_slack_forget_what_was_typed(language: str):
    texts = in_language(language)

    def ids_of(kind: LetterKind, language: str) -> list[str]:
        return [
            block["block_id"]
            for block in letters.letter_form(drawn.a_sheet(texts, kind, language=language), texts)["blocks"]
            if block["type"] == "input"
        ]

    first = ids_of(LetterKind.WARN, "en")
    for other in (ids_of(LetterKind.FINAL, "en"), ids_of(LetterKind.WARN, "de")):
        assert [a == b for a, b in zip(first, other, strict=True)] == [True, True, True, False, False, True]
