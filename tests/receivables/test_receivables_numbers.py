"""Amounts: every way to write them we take, every doubt we refuse."""

from __future__ import annotations

from decimal import Decimal

import pytest
from babel.numbers import format_decimal, parse_decimal
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.receivables.notes import FileRefused, RowRejected
from bot.receivables.numbers import (
    Amount,
    DecimalStyle,
    StyleProof,
    from_sheet_number,
    in_currency,
    parse_amount,
)

DOT, COMMA = DecimalStyle.DOT, DecimalStyle.COMMA


def value_of(text: str, style: DecimalStyle) -> Decimal:
    amount = parse_amount(text, style)
    return amount.value if isinstance(amount, Amount) else amount


def settle_style(texts: list[str], *, assume: DecimalStyle) -> tuple[DecimalStyle, bool]:
    proof = StyleProof()
    for text in texts:
        proof.see(text)
    return proof.settled(assume=assume)


@pytest.mark.parametrize(
    ("text", "style", "value"),
    [
        pytest.param("1234.56", DOT, "1234.56", id="plain"),
        pytest.param("1,234,567.80", DOT, "1234567.80", id="English groups"),
        pytest.param("1.234.567,80", COMMA, "1234567.80", id="German groups"),
        pytest.param("1'234'567.80", DOT, "1234567.80", id="Swiss groups"),
        pytest.param("1’234.50", DOT, "1234.50", id="typographic apostrophe"),
        pytest.param("1\u202f234\u202f567,80", COMMA, "1234567.80", id="French groups"),
        pytest.param("1\xa0234,80", COMMA, "1234.80", id="no-break space"),
        pytest.param("12,34,567.80", DOT, "1234567.80", id="lakh"),
        pytest.param("２０，０００．００", DOT, "20000.00", id="full-width digits"),
        pytest.param("￥128,000.00", DOT, "128000.00", id="full-width yen sign"),
        pytest.param("-5.00", DOT, "-5.00", id="minus before"),
        pytest.param("5.00-", DOT, "-5.00", id="minus after"),
        pytest.param("−5.00", DOT, "-5.00", id="typographic minus"),
        pytest.param("(250.00)", DOT, "-250.00", id="parentheses"),
        pytest.param("（250.00）", DOT, "-250.00", id="full-width parentheses"),
        pytest.param("($89.90)", DOT, "-89.90", id="sign in parentheses"),
        pytest.param("-$89.90", DOT, "-89.90", id="minus before the sign"),
        pytest.param("$-89.90", DOT, "-89.90", id="minus after the sign"),
        pytest.param("200,00 H", COMMA, "-200.00", id="Haben"),
        pytest.param("200,00S", COMMA, "200.00", id="Soll"),
        pytest.param("1,200.00 CR", DOT, "-1200.00", id="CR"),
        pytest.param("1,200.00 dr", DOT, "1200.00", id="dr"),
        pytest.param("贷 12.00", DOT, "-12.00", id="Chinese credit side"),
        pytest.param("EUR 12.00", DOT, "12.00", id="code before"),
        pytest.param("12,00 €", COMMA, "12.00", id="sign after"),
        pytest.param(" $ -   ", DOT, "0", id="the spreadsheet's zero"),
        pytest.param("-0.00", DOT, "0", id="minus zero"),
        pytest.param(".50", DOT, "0.50", id="no leading zero"),
    ],
)
def test_an_amount_is_read(text, style, value):
    assert value_of(text, style) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "abc", "1e5", "1E5", "NaN", "nan", "Infinity", "-inf", "0x10", "1_000", "12 34", "1,23.4,5",
        "1,2345.00", "1.2.3", "--5", "-(5)", "-5-", "5.", "1..5", "=1+1", "12 apples", "5²", "½", "①", "١٢",
        "€", "1;5", "1,,000", "0,123.00", "9" * 40, "$5€", "#REF!", "-5 CR",
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(RowRejected) as refused:
        parse_amount(text, DOT)
    assert refused.value.code == "bad_amount"


@pytest.mark.parametrize(
    ("texts", "style"),
    [
        pytest.param(["1.234,56"], COMMA, id="both separators, comma last"),
        pytest.param(["1,234.56"], DOT, id="both separators, dot last"),
        pytest.param(["1,234", "0,5"], COMMA, id="a comma not before three digits"),
        pytest.param(["1.234", "0.5"], DOT, id="a dot not before three digits"),
        pytest.param(["1.234.567"], COMMA, id="two dots group"),
        pytest.param(["0.500"], DOT, id="no group begins with zero"),
        pytest.param(["1234.567"], DOT, id="no group has four digits"),
        pytest.param(["1 234.567"], DOT, id="groups by space"),
        pytest.param(["1.50", "oops", "1;5"], DOT, id="garbage has no say"),
        pytest.param(["7.25", "1.000"], DOT, id="another value decides"),
    ],
)
def test_the_file_settles_its_style(texts, style):
    other = COMMA if style is DOT else DOT
    assert settle_style(texts, assume=other) == (style, False)


@pytest.mark.parametrize("assume", [DOT, COMMA])
def test_an_undecided_style_is_assumed_and_said(assume):
    assert settle_style(["1.234", "20"], assume=assume) == (assume, True)


def test_whole_numbers_need_no_style():
    assert settle_style(["20", "3000"], assume=DOT) == (DOT, False)


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(["1,234.56", "1.234,56"], id="both separators"),
        pytest.param(["1.50", "1,50"], id="decimals only"),
        pytest.param(["0.5", "1.234.567"], id="groups against decimals"),
    ],
)
def test_contradicting_amounts_refuse_the_file(texts):
    with pytest.raises(FileRefused) as refused:
        settle_style(texts, assume=DOT)
    assert refused.value.refusal.code == "mixed_number_format"


@pytest.mark.parametrize(("value", "currency"), [("12.345", "EUR"), ("12.5", "JPY"), ("1.2345", "KWD")])
def test_money_is_never_rounded(value, currency):
    with pytest.raises(RowRejected) as refused:
        in_currency(Decimal(value), currency)
    assert refused.value.code == "too_many_decimals"


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [("150.0000", "EUR", "150.00"), ("1250000.00", "JPY", "1250000"), ("1.5", "KWD", "1.500")],
)
def test_zeros_to_spare_are_no_decimals(value, currency, text):
    assert str(in_currency(Decimal(value), currency)) == text


@pytest.mark.parametrize(
    ("number", "value"),
    [(4200.5, "4200.50"), (0.1 + 0.2, "0.30"), (12600.499999999998, "12600.50"), (12.345, "12.345")],
)
def test_sheet_numbers_lose_the_errors_of_binary_but_not_their_decimals(number, value):
    assert from_sheet_number(number, "EUR") == Decimal(value)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300, 1e15])
def test_sheet_numbers_that_cannot_hold_a_cent_are_refused(number):
    with pytest.raises(RowRejected):
        from_sheet_number(number, "EUR")


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.integers(-(10**14), 10**14), st.sampled_from([("en_US", DOT), ("de_DE", COMMA), ("fr_FR", COMMA)]))
@example(cents=123456, locale_and_style=("en_US", DOT))
def test_every_locales_own_format_is_read_back(cents, locale_and_style):
    locale, style = locale_and_style
    value = Decimal(cents) / 100
    text = format_decimal(value, format="#,##0.00", locale=locale)
    assert value_of(text, style) == value
    assert settle_style([text], assume=DOT)[0] is style


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.text(alphabet="0123456789.,' -()", max_size=12), st.sampled_from([("en_US", DOT), ("de_DE", COMMA)])
)
def test_what_we_read_plainly_babel_reads_alike(text, locale_and_style):
    """A second opinion, for texts babel's strict reading takes too."""
    locale, style = locale_and_style
    try:
        ours = value_of(text, style)
        theirs = parse_decimal(text.strip(), locale=locale, strict=True)
    except (RowRejected, ValueError):
        return
    assert ours == theirs


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.text(max_size=20))
def test_any_text_is_an_amount_or_refused(text):
    try:
        assert value_of(text, DOT).is_finite()
    except RowRejected as refused:
        assert refused.code == "bad_amount"  # noqa: PT017


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.integers(-(10**12), 10**12), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_a_sheet_number_is_the_amount_that_was_typed(units, currency):
    digits = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    value = Decimal(units).scaleb(-digits)
    assert from_sheet_number(float(value), currency) == value
