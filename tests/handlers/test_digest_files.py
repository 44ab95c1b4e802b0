"""The digest as files: every customer, amounts as numbers, no text that becomes a formula; and the chart."""

from __future__ import annotations

import csv
import io
import zipfile
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from PIL import Image
from python_calamine import CalamineWorkbook

from bot.domain.digest import OverdueDigest
from bot.sandbox.slack.block_kit import BlockKit
from bot.texts import LANGUAGES, in_language
from handlers import aging_chart, digest_files
from tests.views import drawn

EN = in_language("en")
BAD = '=HYPERLINK("http://evil.example")'
EVIL = (BAD, "+1+1", "-2+3", "@SUM(A1)", "\t=1", "＝1", "a\u202eb", f"Evil AG;{BAD}", "https://evil.example")


def digest() -> OverdueDigest:
    owed = [drawn.owes(name, 50 - n, "1234.50", tenant=f"t-{n}") for n, name in enumerate(EVIL)]
    owed += [
        drawn.owes("Contoso Ltd", 45, "1500", "JPY", tenant="t-contoso"),
        drawn.owes("Contoso Ltd", 95, "7.125", "KWD", tenant="t-contoso"),
        drawn.owes("Nobody", 40, "0.10"),
    ]
    return drawn.a_digest(*owed)


def sheet() -> list[list[Any]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(digest_files.as_xlsx(digest(), EN)))
    return book.get_sheet_by_index(0).to_python()


def rows() -> list[dict[str, str]]:
    text = digest_files.as_csv(digest(), EN).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_both_have_a_line_for_every_customer_and_currency():
    assert len(rows()) == len(sheet()) - 1 == len(EVIL) + 3
    assert list(rows()[0]) == sheet()[0]


def test_amounts_are_numbers_with_their_currencys_decimals():
    by_currency = {str(row[4]): row for row in sheet()[1:]}
    assert by_currency["JPY"][6] == 1500
    assert by_currency["KWD"][6] == 7.125
    assert {row["Overdue"] for row in rows() if row["Currency"] == "KWD"} == {"7.125"}
    parts = zipfile.ZipFile(io.BytesIO(digest_files.as_xlsx(digest(), EN)))
    styles = parts.read("xl/styles.xml").decode()
    assert "#,##0.000" in styles
    assert "HYPERLINK" not in "".join(n for n in parts.namelist() if "rels" in n)


def test_no_text_is_a_formula_or_a_link():
    parts = zipfile.ZipFile(io.BytesIO(digest_files.as_xlsx(digest(), EN)))
    xml = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in xml
    assert "<hyperlink" not in xml
    cells = [cell for row in rows() for cell in row.values() if cell]
    numbers = {cell for cell in cells if cell.replace(".", "").isdigit()}
    assert not [cell for cell in cells if cell not in numbers and cell.lstrip()[0] in "=+-@＝\t\r"]
    assert "\u202e" not in "".join(cells)
    assert f"Evil AG;'{BAD}" in cells


@pytest.mark.parametrize("language", LANGUAGES)
def test_they_are_written_in_every_language(language: str):
    texts = in_language(language)
    assert digest_files.as_xlsx(digest(), texts)
    assert digest_files.as_csv(digest(), texts).count(b"\r\n") == len(EVIL) + 4


@pytest.mark.parametrize("language", LANGUAGES)
def test_slack_is_given_a_chart_a_currency_with_the_very_figures(language: str):
    texts, totals = (
        in_language(language),
        drawn.a_digest(
            drawn.owes("A", 45, "1500", "JPY"),
            drawn.owes("B", 5, "7.125", "KWD"),
            drawn.owes("C", 95, "2", "KWD"),
        ).totals,
    )
    charts = aging_chart.native(totals, texts)
    assert charts is not None
    assert BlockKit().message_errors(charts) == []
    assert [chart["title"].split()[0] for chart in charts] == ["JPY", "KWD"]
    for chart, (currency, balance) in zip(charts, totals.items(), strict=True):
        drawn_as = chart["chart"]
        (series,) = drawn_as["series"]
        assert {d["label"]: Decimal(str(d["value"])) for d in series["data"]} == {
            name.value: balance.buckets[name] for name in aging_chart.BARS
        }, currency
        assert [d["label"] for d in series["data"]] == drawn_as["axis_config"]["categories"]


def test_slack_draws_no_more_than_two_charts_in_a_message_and_none_of_nothing():
    owed = [drawn.owes(currency, 45, "1", currency) for currency in ("EUR", "JPY", "KWD")]
    assert aging_chart.native(drawn.a_digest(*owed).totals, EN) is None
    assert aging_chart.native(drawn.a_digest(drawn.owes("A", -5, "1")).totals, EN) is None


def test_nobody_is_a_file_with_heads_alone():
    empty = drawn.a_digest(drawn.owes("Contoso Ltd", -3, "10.00"))
    assert digest_files.as_csv(empty, EN).count(b"\r\n") == 1
    assert digest_files.as_xlsx(empty, EN)


def picture_of(*owed: tuple[int, str, str]) -> Image.Image | None:
    items = [drawn.owes("Contoso Ltd", days, amount, currency) for days, amount, currency in owed]
    made = aging_chart.picture(drawn.a_digest(*items).totals, EN)
    return Image.open(io.BytesIO(made)).convert("RGB") if made else None


class TestTheChart:
    def test_there_is_none_where_nothing_is_past_due(self):
        assert picture_of((-3, "10.00", "EUR")) is None

    def test_it_has_a_panel_for_each_of_five_currencies_and_no_more(self):
        codes = ("CHF", "CNY", "EUR", "GBP", "JPY", "USD", "SEK")
        heights = []
        for n in (1, 5, 7):
            image = picture_of(*((40, "100", code) for code in codes[:n]))
            assert image is not None
            heights.append(image.height)
        assert heights[0] < heights[1] == heights[2]

    def test_a_longer_bar_is_a_larger_sum_in_that_currency(self):
        image = picture_of((5, "100.00", "EUR"), (40, "400.00", "EUR"))
        assert image is not None
        lengths = [self.coloured(image, aging_chart.BARS[name][0]) for name in aging_chart.BARS]
        assert 3.5 < lengths[1] / lengths[0] < 4.5
        assert lengths[2:] == [0, 0]

    @staticmethod
    def coloured(image: Image.Image, colour: str) -> int:
        """The width of what bears that colour."""
        rgb = tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
        columns = [
            x
            for x in range(image.width)
            if any(image.getpixel((x, y)) == rgb for y in range(0, image.height, 3))
        ]
        return max(columns) - min(columns) if columns else 0

    def test_the_background_is_opaque_and_text_is_legible_on_a_phone(self):
        made = aging_chart.picture(digest().totals, EN)
        assert made is not None
        assert Image.open(io.BytesIO(made)).mode == "RGB"
        assert aging_chart.TEXT * 390 / aging_chart.WIDTH >= 16

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_its_words_have_every_figure(self, language: str):
        texts = in_language(language)
        totals = drawn.SEVERAL.totals
        said = aging_chart.in_words(totals, texts)
        for currency, balance in totals.items():
            for name in aging_chart.BARS:
                assert texts.amount(balance.buckets[name], currency) in said
        assert len(said) <= aging_chart.ALT_TEXT

    def test_hatching_tells_the_ages_apart_without_colour(self):
        image = picture_of(*((days, "100.00", "EUR") for days in (5, 40, 70, 100)))
        assert image is not None
        grey = image.convert("L")
        left = aging_chart.MARGIN + aging_chart.LABEL
        first = aging_chart.MARGIN + aging_chart.HEAD + 16 + aging_chart.ROW // 2
        rows = [
            bytes(grey.crop((left + 4, y - 8, left + 150, y + 8)).tobytes())
            for y in (first + n * aging_chart.ROW for n in range(4))
        ]
        assert len(set(rows)) == 4
        flips = [sum(a != b for a, b in pairwise(row)) for row in rows]
        assert flips == sorted(flips)


def test_money_is_never_a_float_before_it_is_written():
    (line, *_) = digest_files._lines(drawn.a_digest(drawn.owes("A", 3, "0.10")), EN)
    amounts = line.cells[5:13]
    assert all(isinstance(amount, Decimal) for amount in amounts)
