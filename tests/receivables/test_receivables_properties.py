"""Whatever is written, in whatever way: it is read as what it was, or refused by name; never as something else."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from babel.numbers import format_currency, format_decimal
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.money import MINOR_UNITS
from bot.receivables import Export
from tests.receivables.exports import AS_OF, read, said, workbook

steady = settings(deadline=None, derandomize=True, max_examples=150)
"""The same examples everywhere: a build that fails does so again."""

HEADERS = {
    "en": ("Customer", "Invoice No", "Due Date", "Currency", "Balance"),
    "de": ("Kunde", "Rechnungsnr", "Fälligkeit", "Währung", "Offen"),
    "zh": ("客户名称", "发票号码", "到期日", "币种", "未收金额"),
}


def table(rows: Sequence[tuple[str, ...]], *, language: str = "en", delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([HEADERS[language], *rows])
    return out.getvalue()


# Numbers


def plain(text: str) -> str:
    return text


def parenthesised(text: str) -> str:
    return f"({text[1:]})" if text.startswith("-") else text


def minus_behind(text: str) -> str:
    return f"{text[1:]}-" if text.startswith("-") else text


def typographic(text: str) -> str:
    return text.replace("-", "−")


def sided(text: str) -> str:
    return f"{text.lstrip('-')} {'CR' if text.startswith('-') else 'DR'}"


def german_sided(text: str) -> str:
    return f"{text.lstrip('-')} {'H' if text.startswith('-') else 'S'}"


def chinese_sided(text: str) -> str:
    return f"{'贷' if text.startswith('-') else '借'}{text.lstrip('-')}"


def full_width(text: str) -> str:
    return text.translate({ord(char): ord(char) + 0xFEE0 for char in "0123456789.,-"})


SIGNS = [plain, parenthesised, minus_behind, typographic, sided, german_sided, chinese_sided, full_width]
LOCALES = {
    "en_US": "en", "en_IN": "en", "de_DE": "de", "de_CH": "de", "de_AT": "de", "fr_FR": "en", "zh_CN": "zh",
    "sv_SE": "en", "pl_PL": "en", "es_ES": "en", "ja_JP": "en",
}  # fmt: skip
"""What the header of somebody's file is written in, who writes numbers so."""
OF_ITS_LANGUAGE = {"en_US", "en_IN", "de_DE", "zh_CN", "ja_JP"}
"""Whose decimal mark is the one of that header, too."""


@st.composite
def amounts(draw: st.DrawFn) -> tuple[str, list[Decimal]]:
    currency = draw(st.sampled_from(["EUR", "USD", "JPY", "KWD"]))
    units = st.integers(-(10**11), 10**11).filter(bool)
    return currency, [
        Decimal(n).scaleb(-MINOR_UNITS[currency]) for n in draw(st.lists(units, min_size=1, max_size=5))
    ]


def export_of(currency: str, texts: list[str], locale: str) -> Export:
    rows = [("Contoso", f"{n}", "2026-10-31", currency, text) for n, text in enumerate(texts)]
    return read(table(rows, language=LOCALES[locale]))


def assert_never_another(export: Export, values: list[Decimal], locale: str) -> None:
    """Where nothing shows the decimal mark, the header's language decides and a warning says so."""
    was_assumed = "number_format_assumed" in {note.code for note in export.warnings}
    if not was_assumed or locale in OF_ITS_LANGUAGE:
        for item in export.items:
            assert item.open_amount == values[int(item.document_number)]
    assert {note.code for note in export.rejected} <= {"too_many_decimals", "bad_amount"}


@steady
@given(amounts(), st.sampled_from(list(LOCALES)), st.booleans(), st.sampled_from(SIGNS))
def test_an_amount_in_any_style_is_itself_or_refused(given_amounts, locale, is_grouped, sign):
    currency, values = given_amounts
    pattern = ("#,##0." if is_grouped else "0.") + "0" * MINOR_UNITS[currency]
    if locale == "en_IN":
        pattern = pattern.replace("#,##0", "#,##,##0")
    texts = [sign(format_decimal(value, format=pattern.rstrip("."), locale=locale)) for value in values]
    export = export_of(currency, texts, locale)
    assert_never_another(export, values, locale)
    assert export.warnings or not export.rejected, "nothing is rejected whose decimal mark is known"


@steady
@given(amounts(), st.sampled_from(["en_US", "de_DE", "fr_FR", "pl_PL"]))
def test_an_amount_with_its_currency_beside_it_is_itself_or_refused(given_amounts, locale):
    currency, values = given_amounts
    texts = [format_currency(value, currency, "¤#,##0.00;¤-#,##0.00", locale=locale) for value in values]
    assert_never_another(export_of(currency, texts, locale), values, locale)


@steady
@given(amounts())
def test_an_amount_of_a_sheet_is_what_was_typed(given_amounts):
    currency, values = given_amounts
    rows = [["Contoso", f"{n}", "2026-10-31", currency, float(value)] for n, value in enumerate(values)]
    export = read(workbook([list(HEADERS["en"]), *rows]))
    assert [item.open_amount for item in export.items] == values


# Dates

DAYS = st.dates(date(1990, 1, 1), date(2036, 11, 22))
ENGLISH = [
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
]  # fmt: skip
GERMAN = [
    "Januar", "Februar", "März", "April", "Mai", "Juni",
    "Juli", "August", "September", "Oktober", "November", "Dezember",
]  # fmt: skip

CERTAIN: dict[str, Callable[[date], str]] = {
    "ISO": date.isoformat,
    "ISO with a time": lambda day: f"{day}T09:30:00Z",
    "slashes, year first": lambda day: f"{day.year}/{day.month}/{day.day}",
    "dots, year first": lambda day: f"{day.year}.{day.month}.{day.day}",
    "eight digits": lambda day: f"{day:%Y%m%d}",
    "Chinese": lambda day: f"{day.year}年{day.month}月{day.day}日",
    "German": lambda day: f"{day.day}.{day.month}.{day.year}",
    "German, filled up": lambda day: f"{day:%d.%m.%Y}",
    "English month": lambda day: f"{day.day} {ENGLISH[day.month - 1]} {day.year}",
    "English month, short": lambda day: f"{day:%d}-{ENGLISH[day.month - 1][:3]}-{day.year}",
    "American month": lambda day: f"{ENGLISH[day.month - 1]} {day.day}, {day.year}",
    "German month": lambda day: f"{day.day}. {GERMAN[day.month - 1]} {day.year}",
}


def dated(texts: list[str], **given: Any) -> Any:
    return read(table([("Contoso", f"{n}", text, "EUR", "1.50") for n, text in enumerate(texts)]), **given)


@pytest.mark.parametrize("style", CERTAIN)
@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.lists(DAYS, min_size=1, max_size=8))
def test_a_date_in_any_certain_style_is_itself(style, days):
    assert [item.due_date for item in dated([CERTAIN[style](day) for day in days]).items] == days


@steady
@given(
    st.lists(DAYS, min_size=1, max_size=6),
    st.sampled_from(["{0:%d}/{0:%m}/{0:%Y}", "{0.day}/{0.month}/{0.year}", "{0:%d}-{0:%m}-{0:%Y}"]),
    st.booleans(),
)
def test_day_and_month_are_never_swapped(days, pattern, american):
    """Where the column proves no order the file is refused, and what is the same either way is itself."""
    if american:
        pattern = pattern.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")
        pattern = pattern.replace("{0.day}/{0.month}", "{0.month}/{0.day}")
    export = dated([pattern.format(day) for day in days])
    if any(day.day > 12 for day in days) or all(day.day == day.month for day in days):
        assert [item.due_date for item in export.items] == days
    else:
        assert said(export) == {"refused": "ambiguous_date_order"}


@steady
@given(st.lists(DAYS, min_size=1, max_size=6), st.sampled_from(["DMY", "MDY"]))
def test_the_order_that_is_said_holds_where_nothing_is_proved(days, order):
    pattern = "%d/%m/%Y" if order == "DMY" else "%m/%d/%Y"
    assert [
        item.due_date for item in dated([f"{day:{pattern}}" for day in days], date_order=order).items
    ] == days


@steady
@given(st.lists(DAYS, min_size=2, max_size=6))
def test_two_orders_in_one_column_are_never_read(days):
    texts = [f"{day:%d/%m/%Y}" if n % 2 else f"{day:%m/%d/%Y}" for n, day in enumerate(days)]
    for item in dated(texts).items:
        day = days[int(item.document_number)]
        swapped = day.day <= 12 and item.due_date == day.replace(month=day.day, day=day.month)
        assert item.due_date == day or swapped
        if swapped and item.due_date != day:
            assert not proves_both(days), "a column that proves both orders is refused"


def proves_both(days: list[date]) -> bool:
    return any(day.day > 12 for day in days[::2]) and any(day.day > 12 for day in days[1::2])


@steady
@given(st.lists(st.dates(date(2000, 1, 1), date(2036, 11, 22)), min_size=1, max_size=6))
def test_dates_of_a_sheet_are_themselves_whatever_their_epoch(days):
    for is_1904 in (False, True):
        rows = [["Contoso", f"{n}", day, "EUR", 1.5] for n, day in enumerate(days)]
        export = read(workbook([list(HEADERS["en"]), *rows], date_1904=is_1904))
        assert [item.due_date for item in export.items] == days


# Encodings

WORDS = {
    "en": "Contoso Fabrikam Adventure Works Blue Yonder Northwind Traders Ltd. Inc. LLC & Sons O'Neill A. of the",
    "de": "Müller Söhne Großhandel Zürich Bäckerei Löwen Straßenbau Öko Übersee Küche Weiß Märkte für Ärzte GmbH AG &",
    "zh": "北京 上海 广州 深圳 蓝鲸 科技 有限公司 集团 股份 信息 网络 软件 电子 贸易 实业 发展 国际 中国 新 阿里巴巴",
    "traditional": "台北 高雄 新竹 科技 股份有限公司 國際 電子 資訊 網路 軟體 貿易 實業 發展 華碩 鴻海 聯合 中信 大同",
}
ENCODINGS = {
    "en": ["utf-8", "utf-8-sig", "utf-16", "cp1252", "cp1250", "gb18030", "big5", "shift_jis"],
    "de": ["utf-8", "utf-8-sig", "utf-16", "cp1252", "cp1250"],
    "zh": ["utf-8", "utf-8-sig", "utf-16", "gb18030", "gbk", "gb2312"],
    "traditional": ["utf-8", "utf-8-sig", "utf-16", "gb18030", "big5"],
}


@st.composite
def names(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Names in one language, and an encoding it is written in."""
    language = draw(st.sampled_from(list(ENCODINGS)))
    words = st.lists(st.sampled_from(WORDS[language].split()), min_size=1, max_size=4)
    between = "" if language in {"zh", "traditional"} else " "
    return draw(st.sampled_from(ENCODINGS[language])), draw(
        st.lists(words.map(between.join), min_size=1, max_size=6)
    )


@settings(deadline=None, derandomize=True, max_examples=300)
@given(names(), st.sampled_from(list(HEADERS)), st.sampled_from(",;\t|"))
def test_a_table_in_any_encoding_is_itself_or_refused(given_names, language, delimiter):
    encoding, customers = given_names
    rows = [(customer, f"INV-{n}", "2026-10-31", "EUR", "1.50") for n, customer in enumerate(customers)]
    try:
        data = table(rows, language=language, delimiter=delimiter).encode(encoding)
    except UnicodeEncodeError:
        return  # nobody could have written it
    export = read(data)
    if export.refused is None:
        assert [item.customer for item in export.items] == customers
    else:
        assert export.refused.code == "unsupported_file"
        assert language != "zh", "such a header tells the encoding"
        assert not encoding.startswith("utf")


# Whole files

CELLS = st.one_of(
    st.sampled_from(
        ["Contoso", "Fabrikam", "INV-1", "INV-2", "2026-10-31", "31/10/2026", "10/31/2026", "3/4/2026", "EUR", "USD",
         "XXX", "150.00", "1,234.50", "1.234,50", "0.00", "(5.00)", "Total", "合计", "Summe", "", "", " ", "Paid",
         "Void", "Open", "Disputed", "Net 30", "Customer", "Invoice No", "#N/A", "-----", "Page 1 of 2"]
    ),
    st.text(max_size=6),
)  # fmt: skip
WHOLE = (
    "Customer",
    "Invoice No",
    "Invoice Date",
    "Due Date",
    "Currency",
    "Total",
    "Balance",
    "Status",
    "Terms",
)


@st.composite
def files(draw: st.DrawFn) -> list[list[str]]:
    """Rows that are mostly documents, some with anything in any cell, some twice."""
    document = st.builds(
        lambda customer, number, days, amount, status: [
            customer, f"INV-{number}", "2026-10-01", (AS_OF + timedelta(days)).isoformat(), "EUR", amount, amount,
            status, "",
        ],
        st.sampled_from(["Contoso", "Fabrikam", ""]), st.integers(1, 4), st.integers(-40, 40),
        st.sampled_from(["150.00", "0.00", "-20.00"]), st.sampled_from(["Open", "Paid", "Void"]),
    )  # fmt: skip
    anything = st.lists(CELLS, min_size=len(WHOLE), max_size=len(WHOLE))
    rows = draw(st.lists(st.one_of(document, document, anything), max_size=12))
    for row in rows:
        if draw(st.booleans()):
            row[draw(st.integers(0, len(row) - 1))] = draw(CELLS)
    return [*rows, *draw(st.lists(st.sampled_from(rows), max_size=3))] if rows else rows


@settings(deadline=None, derandomize=True, max_examples=250)
@given(files())
def test_every_row_of_a_file_is_accounted_for(rows):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([WHOLE, *rows])
    export = read(out.getvalue())
    if export.refused:
        assert not export.items
        assert not export.rejected
        return
    counted = export.accepted + len(export.rejected) + export.skipped + export.duplicates + export.not_open
    assert counted == len(rows)
    assert len({item.key for item in export.items}) == export.accepted, "no document is taken twice"
    assert len({note.at for note in export.rejected}) == len(export.rejected), "no row is rejected twice"
    assert not {item.key for item in export.items} & export.settled, "nothing is open and settled"


@settings(deadline=None, derandomize=True, max_examples=60)
@given(files())
def test_a_file_says_the_same_as_text_and_as_a_sheet(rows):
    """But for where its rows are: a spreadsheet has no line breaks between its rows."""
    rows = [["".join(filter(str.isprintable, cell)) for cell in row] for row in rows]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([WHOLE, *rows])
    as_text = read(out.getvalue())
    as_sheet = read(
        workbook([list(WHOLE), *map(list, rows)], strings_to_formulas=False, strings_to_urls=False)
    )
    assert as_sheet.refused == as_text.refused
    assert as_sheet.items == as_text.items
    assert [note.code for note in as_sheet.rejected] == [note.code for note in as_text.rejected]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(files())
def test_reading_again_says_the_same(rows):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([WHOLE, *rows])
    assert read(out.getvalue()) == read(out.getvalue())
