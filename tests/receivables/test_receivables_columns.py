"""Many rows together: what is plain comes out just as it would by itself."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.receivables.cells import Cell, Rows
from bot.receivables.columns import ColumnReader
from bot.receivables.currencies import CurrencyOf
from bot.receivables.dates import DateReader
from bot.receivables.header import Field, read_header
from bot.receivables.lines import LineReader, Lines
from bot.receivables.numbers import DecimalStyle, StyleProof
from bot.receivables.rows import RowReader
from bot.receivables.settle import Settled
from tests.receivables.exports import AS_OF

HEADINGS: dict[Field, str] = {
    Field.CUSTOMER: "Customer",
    Field.CUSTOMER_CODE: "Customer No",
    Field.TENANT: "Tenant ID",
    Field.DOCUMENT_NUMBER: "Belegfeld1",
    Field.INSTALMENT: "Instalment",
    Field.ISSUE_DATE: "Invoice Date",
    Field.DUE_DATE: "Due Date",
    Field.CURRENCY: "Currency",
    Field.TOTAL: "Invoice Total",
    Field.PAID: "Paid",
    Field.OPEN_AMOUNT: "Balance",
    Field.DEBIT_CREDIT: "S/H",
    Field.STATUS: "Status",
    Field.TYPE: "Type",
    Field.TERMS: "Terms",
    Field.DISPUTE: "Disputed",
    Field.PROMISE: "Promise to pay",
    Field.BLOCK: "On hold",
    Field.REFERENCE: "Reference",
    Field.REMARK: "Remark",
}
ALWAYS = [Field.CUSTOMER, Field.DOCUMENT_NUMBER, Field.DUE_DATE, Field.OPEN_AMOUNT]
SOMETIMES = [field for field in HEADINGS if field not in ALWAYS]

AMOUNTS: list[Cell] = [
    "150.00", "7", "0.00", "0", "1,234.50", "12.345", "1.5", "-3.00", "(4.00)", "€5.00", "5.00 CR", "x", "", " ",
    "1e3", "12.", ".5", "007.10", "9" * 25, "150.00\n1", 150.0, 7.0, 0.0, -0.0, -3.0, 0.1 + 0.2, 12.345, 1e16,
    float("nan"), float("inf"), True, 7,
]  # fmt: skip
DATES: list[Cell] = [
    "2026-10-31", "31.10.2026", "", " ", "never", "2026-02-30", "1900-01-01", date(2026, 10, 31), datetime(2026, 1, 2),  # noqa: DTZ001
    46326.0, 0.0, True,
]  # fmt: skip
CELLS: dict[Field, list[Cell]] = {
    Field.CUSTOMER: ["Contoso", "Fabrikam", "contoso", "", "#N/A", " Contoso\nLtd ", 4711.0, "x" * 10_001],
    Field.CUSTOMER_CODE: ["C1", "C2", "", 1.0],
    Field.TENANT: ["contoso.com", "11111111-2222-4333-8444-555555555555", "", "?"],
    Field.DOCUMENT_NUMBER: [
        "INV-1",
        "INV-2",
        "0200",
        "A B 3",
        "",
        "Total",
        "-",
        1001.0,
        "INV\n5",
        "1\n5",
        "①",
    ],
    Field.INSTALMENT: ["", "1", "2/3", "x", 2.0],
    Field.ISSUE_DATE: DATES,
    Field.DUE_DATE: DATES,
    Field.CURRENCY: ["EUR", "usd", "JPY", "KWD", "€", "$", "", "EURO"],
    Field.TOTAL: AMOUNTS,
    Field.PAID: AMOUNTS,
    Field.OPEN_AMOUNT: AMOUNTS,
    Field.DEBIT_CREDIT: ["", "S", "H", "?"],
    Field.STATUS: ["Open", "Paid", "Disputed", "On hold", "", "Void"],
    Field.TYPE: ["Invoice", "Credit note", "Payment", "", "Debit note", "?"],
    Field.TERMS: ["Net 30", "", "as agreed"],
    Field.DISPUTE: ["", "no", "yes", False],
    Field.PROMISE: DATES,
    Field.BLOCK: ["", "no", "X", 0.0],
    Field.REFERENCE: ["", "PO 7", "csp:11111111-2222-4333-8444-555555555555"],
    Field.REMARK: ["", "thanks", "in dispute"],
}


USUAL_TEXT: dict[Field, list[Cell]] = {
    Field.TOTAL: ["150.00"],
    Field.PAID: ["0.00"],
    Field.OPEN_AMOUNT: ["150.00"],
}
USUAL_NUMBERS: dict[Field, list[Cell]] = {Field.TOTAL: [150.0], Field.PAID: [0.0], Field.OPEN_AMOUNT: [150.0]}


class Readers:
    """Both ways to read, by the same settings."""

    def __init__(
        self, fields: list[Field], *, style: DecimalStyle = DecimalStyle.DOT, is_assumed: bool = False
    ) -> None:
        header = read_header(1, [HEADINGS[field] for field in fields], 0)
        dates = {
            field: DateReader("DMY", as_of=AS_OF, heading=header.heading(field))
            for field in (Field.ISSUE_DATE, Field.DUE_DATE, Field.PROMISE)
            if field in fields
        }
        given: dict[str, Any] = {
            "settled": Settled(style, is_assumed, {}, {}),
            "dates": dates,
            "currency_of": CurrencyOf(heading=None, default="EUR", chinese=False),
        }
        self.proof = StyleProof()
        self.header = header
        self.columns = ColumnReader(header, proof=self.proof, **given)
        self.rows = RowReader(header, **given)

    def lines(self, rows: list[list[Cell]]) -> Lines:
        """Those of the rows that are lines."""
        batches = list(LineReader(self.header).read([batch_of(rows)]))
        return batches[0] if batches else Lines((), (), (), (), ())

    def check(self, rows: list[list[Cell]]) -> list[int]:
        """Compare both, and tell which lines were plain."""
        lines = self.lines(rows)
        if not lines.rows:
            return []
        items, odd = self.columns.read(lines)
        plain = [at for at in range(len(lines.rows)) if at not in odd]
        for at in plain:
            alone = self.rows.read(lines.rows[at], lines.parties[at], lines.numbers[at])
            assert alone == (items[at].instalment, items[at], [])
            assert [type(value) for value in facts(alone[1])] == [type(value) for value in facts(items[at])]
            assert str(facts(alone[1])) == str(facts(items[at])), "to the last digit of its amounts"
        return plain


def facts(item: Any) -> list[object]:
    return [getattr(item, name) for name in item.__dataclass_fields__]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Field], list[list[Cell]]]:
    """Columns at will; rows of what most rows hold, but for a cell or two, and the header printed again."""
    chosen = draw(st.sets(st.sampled_from(SOMETIMES)))
    fields = [field for field in HEADINGS if field in chosen or field in ALWAYS]
    amounts = draw(st.sampled_from([USUAL_TEXT, USUAL_NUMBERS]))
    usual = st.tuples(*(st.sampled_from(amounts.get(field, CELLS[field][:2])) for field in fields)).map(list)
    rows: list[list[Cell]] = draw(st.lists(usual, min_size=1, max_size=6))
    for row in rows:
        for at in draw(st.sets(st.sampled_from(range(len(fields))), max_size=2)):
            row[at] = draw(st.sampled_from(CELLS[fields[at]]))
    if draw(st.booleans()):
        rows.append([HEADINGS[field] for field in fields])
    return fields, rows


SHAPES = [
    pytest.param(ALWAYS, id="the fewest columns"),
    pytest.param([*ALWAYS, Field.TOTAL], id="with a total"),
    pytest.param([*ALWAYS, Field.TOTAL, Field.PAID], id="with total and paid"),
    pytest.param(
        [*ALWAYS, Field.CUSTOMER_CODE, Field.CURRENCY, Field.ISSUE_DATE, Field.TERMS], id="with codes"
    ),
    pytest.param(list(HEADINGS), id="all columns"),
]


@pytest.mark.parametrize("usual", [USUAL_TEXT, USUAL_NUMBERS], ids=["text", "numbers"])
@pytest.mark.parametrize("shape", SHAPES)
def test_one_odd_cell_among_plain_rows(shape, usual):
    """In every column every cell once: what is still plain is read alike, and the rows are sorted alike."""
    fields = [field for field in HEADINGS if field in shape]
    plain = [usual.get(field, CELLS[field])[0] for field in fields]
    assert len(Readers(fields).check([plain, plain])) == 2
    for at, field in enumerate(fields):
        for cell in CELLS[field]:
            rows = [plain.copy() for _ in range(3)]
            rows[1][at] = cell
            for is_assumed in (False, True):
                Readers(fields, is_assumed=is_assumed).check(rows)
            check_sorting(fields, rows)
    check_sorting(fields, [plain, [HEADINGS[field] for field in fields], plain])


@settings(deadline=None, derandomize=True, max_examples=100)
@given(tables(), st.booleans())
def test_a_plain_row_is_read_as_it_is_alone(table, is_assumed):
    fields, rows = table
    Readers(fields, is_assumed=is_assumed).check(rows)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    st.lists(
        st.decimals(0, 10**7, places=2).map(lambda d: f"{d:,}".translate({44: ".", 46: ","})), min_size=1
    )
)
def test_so_it_is_with_a_decimal_comma(amounts):
    rows: list[list[Cell]] = [["Contoso", f"R-{n}", "2026-10-31", a] for n, a in enumerate(amounts)]
    readers = Readers(ALWAYS, style=DecimalStyle.COMMA)
    assert len(readers.check(rows)) == sum(amount != "0,00" for amount in amounts)


def test_most_rows_are_plain():
    rows: list[list[Cell]] = [
        [
            "Contoso",
            "contoso.com",
            f"INV-{n}",
            "2026-10-01",
            "2026-10-31",
            "EUR",
            "150.00",
            "0.00",
            "150.00",
            "Open",
            "",
        ]
        for n in range(20)
    ]
    fields = [
        Field.CUSTOMER, Field.TENANT, Field.DOCUMENT_NUMBER, Field.ISSUE_DATE, Field.DUE_DATE, Field.CURRENCY,
        Field.TOTAL, Field.PAID, Field.OPEN_AMOUNT, Field.STATUS, Field.REMARK,
    ]  # fmt: skip
    assert len(Readers(fields).check(rows)) == 20


@pytest.mark.parametrize(
    ("cells", "proven"),
    [
        pytest.param(["1.234", "5"], None, id="nothing"),
        pytest.param(["1.234", "5.50"], DecimalStyle.DOT, id="the mark that was expected"),
        pytest.param(["1.234", "5,50"], DecimalStyle.COMMA, id="the other one"),
    ],
)
def test_the_proof_learns_of_amounts_that_are_read_together(cells, proven):
    readers = Readers(ALWAYS)
    readers.columns.read(readers.lines([["A", f"{n}", "2026-10-31", cell] for n, cell in enumerate(cells)]))
    assert readers.proof.proven is proven


@settings(deadline=None, derandomize=True, max_examples=100)
@given(tables())
def test_rows_are_sorted_together_as_they_are_one_by_one(table):
    check_sorting(*table)


def check_sorting(fields: list[Field], rows: list[list[Cell]]) -> None:
    """A row of another width makes all rows of its batch be looked at one by one; an empty one adds nothing."""
    together, one_by_one = (LineReader(Readers(fields).header) for _ in range(2))
    lines = [line for batch in together.read([batch_of(rows)]) for line in batch.each()]
    same = [line for batch in one_by_one.read([batch_of([*rows, []])]) for line in batch.each()]
    assert [line[2:] for line in lines] == [line[2:] for line in same]
    assert str([line[:2] for line in lines]) == str([line[:2] for line in same])
    assert together.skipped + 1 == one_by_one.skipped
    assert str(together.rejected) == str(one_by_one.rejected)
    assert str(together.warnings) == str(one_by_one.warnings)


def batch_of(rows: list[list[Cell]]) -> Rows:
    return Rows(range(2, len(rows) + 2), rows)
