"""What an import says about rows and files it cannot take as they are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Why something was not taken, or taken with a remark. The words may change, these do not."""

    BAD_AMOUNT = "bad_amount"
    BAD_DATE = "bad_date"
    AMBIGUOUS_DATE_ORDER = "ambiguous_date_order"
    DATE_OUT_OF_RANGE = "date_out_of_range"
    MIXED_NUMBER_FORMAT = "mixed_number_format"
    TOO_MANY_DECIMALS = "too_many_decimals"
    BAD_CURRENCY = "bad_currency"
    MISSING_CURRENCY = "missing_currency"
    MISSING_CUSTOMER = "missing_customer"
    MISSING_NUMBER = "missing_number"
    MISSING_DUE_DATE = "missing_due_date"
    INCONSISTENT_AMOUNTS = "inconsistent_amounts"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    AMBIGUOUS_COLUMNS = "ambiguous_columns"
    CELL_TOO_LONG = "cell_too_long"
    UNSUPPORTED_FILE = "unsupported_file"
    TOO_LARGE = "too_large"
    UNKNOWN_STATUS = "unknown_status"
    BALANCE_DIFFERS = "balance_differs"

    # warnings: the row is taken
    DUE_DATE_DERIVED = "due_date_derived"
    DISPUTE_HINT = "dispute_hint"
    UNKNOWN_TYPE = "unknown_type"
    STATUS_CONTRADICTS_AMOUNT = "status_contradicts_amount"
    BAD_TENANT = "bad_tenant"
    TENANT_FILLED_IN = "tenant_filled_in"
    CUSTOMER_FROM_ABOVE = "customer_from_above"
    ROW_WITHOUT_NUMBER = "row_without_number"
    TWO_DIGIT_YEAR = "two_digit_year"
    NUMBER_FORMAT_ASSUMED = "number_format_assumed"
    DATE_ORDER_OVERRIDDEN = "date_order_overridden"
    OPEN_FROM_TOTAL = "open_from_total"
    ENCODING_ASSUMED = "encoding_assumed"


@dataclass(frozen=True, slots=True)
class RowNote:
    """A remark on one row, or on the header's row when it concerns the whole file."""

    at: str
    """`line 14` of a text file (as an editor counts), `row 12` of a sheet."""
    code: Code
    message: str
    """One short English sentence: what is wrong and what to do."""
    row: tuple[str, ...] = ()
    """The row as it was read."""
    column: str = ""
    """The heading of the column at fault, where it is one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing of the file was taken."""

    code: Code
    message: str


class FileRefused(Exception):
    """The file cannot be read with certainty, so nothing of it is taken."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(code, message)


class RowRejected(Exception):
    """One row cannot be read with certainty; the others may still be."""

    def __init__(self, code: Code, message: str, column: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.column = column


def shown(value: object) -> str:
    """Quote a cell in a message, shortened, on one line."""
    text = " ".join(str(value).split())
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"
