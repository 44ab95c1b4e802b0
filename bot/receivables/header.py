"""Which column holds what: the headings of many programs in English, Chinese and German."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from bot.receivables.cells import Cell, Rows, clean, text_of
from bot.receivables.currencies import named
from bot.receivables.notes import Code, FileRefused
from bot.receivables.words import folded

Language = Literal["en", "zh", "de"]


class Field(StrEnum):
    """What a column can hold."""

    CUSTOMER = "customer"
    CUSTOMER_CODE = "customer code"
    TENANT = "tenant"
    DOCUMENT_NUMBER = "document number"
    INSTALMENT = "instalment"
    ISSUE_DATE = "issue date"
    DUE_DATE = "due date"
    CURRENCY = "currency"
    TOTAL = "total"
    PAID = "paid"
    OPEN_AMOUNT = "open amount"
    DEBIT_CREDIT = "debit or credit"
    STATUS = "status"
    TYPE = "type"
    TERMS = "terms"
    DISPUTE = "dispute"
    PROMISE = "promise to pay"
    BLOCK = "dunning block"
    REFERENCE = "reference"
    REMARK = "remark"


MANY: Final = frozenset({Field.REMARK, Field.REFERENCE})
"""Fields that several columns may hold: all of them are read."""

_ALIASES: Final[Mapping[Field, tuple[tuple[Language, str], ...]]] = {
    Field.CUSTOMER: (
        (
            "en",
            "customer|customer name|client|client name|contact name|account name|debtor|debtor name"
            "|<company|<company name|<bill to|<bill to name|<sold to",
        ),
        ("zh", "客户|客户名称|购方名称|<往来单位|<公司名称|客戶|客戶名稱|購方名稱|<往來單位|<公司名稱"),
        ("de", "Kunde|Kundenname|Debitor|Debitorname|Kontobezeichnung|<Firma|<Firmenname"),
    ),
    Field.CUSTOMER_CODE: (
        ("en", "customer no|customer number|customer code|customer id|account no|account number"),
        ("zh", "客户编码|客户编号|客户代码|客戶編碼|客戶編號|客戶代碼"),
        ("de", "Kundennr|Kundennummer|Debitorennr|Debitorennummer|Kontonummer|<Konto"),
    ),
    Field.TENANT: (
        ("en", "tenant id|tenant|microsoft id|csp tenant id|<domain|<primary domain"),
        ("zh", "租户ID|租户|<域名|租戶ID|租戶|<網域"),
        ("de", "Mandanten-ID|<Domäne"),
    ),
    Field.DOCUMENT_NUMBER: (
        (
            "en",
            "invoice no|invoice number|invoice id|inv no|inv number|<document no|<document number"
            "|<doc no|<doc number|<<invoice|<<num|<<reference no",
        ),
        (
            "zh",
            "发票号|发票号码|发票编号|<单据编号|<单据号|<账单编号|發票號|發票號碼|發票編號|<單據編號|<單據號|<帳單編號|<賬單編號",
        ),
        ("de", "Rechnungsnr|Rechnungsnummer|<Belegnr|<Belegnummer|<<Rechnung|<<Belegfeld 1"),
    ),
    Field.INSTALMENT: (
        ("en", "instalment|installment|instalment no|installment no"),
        ("zh", "期次|分期|期数|期數"),
        ("de", "Rate|Ratennr|Ratennummer"),
    ),
    Field.ISSUE_DATE: (
        ("en", "invoice date|issue date|<document date|<<date"),
        ("zh", "开票日期|发票日期|<单据日期|<业务日期|開票日期|發票日期|<單據日期|<業務日期"),
        ("de", "Rechnungsdatum|<Belegdatum|<<Datum"),
    ),
    Field.DUE_DATE: (
        ("en", "due date|payment due date|<net due date|<payment due|<due|<due on"),
        ("zh", "到期日|到期日期|付款到期日|<应收日期|<應收日期"),
        (
            "de",
            "Fälligkeitsdatum|Fällig am|Fälligkeit|Fälligkeitstermin|Nettofälligkeit|<Fällig|<Zahlbar bis"
            "|Faelligkeitsdatum|Faellig am|Faelligkeit|<Faellig",
        ),
    ),
    Field.CURRENCY: (
        ("en", "currency|currency code|<curr|<ccy"),
        ("zh", "币种|币别|幣種|幣別"),
        ("de", "Währung|Währungscode|WKZ|Whg|Waehrung"),
    ),
    Field.TOTAL: (
        ("en", "invoice total|invoice amount|total amount|gross|gross amount|<total|<<amount"),
        ("zh", "价税合计|<应收金额|<<金额|價稅合計|<應收金額|<<金額"),
        ("de", "Rechnungsbetrag|Bruttobetrag|Gesamtbetrag|<<Betrag"),
    ),
    Field.PAID: (
        ("en", "paid|amount paid|paid amount|invoice amount paid"),
        ("zh", "已收金额|已核销金额|已收金額|已核銷金額"),
        ("de", "Bezahlt|Zahlbetrag|Bezahlter Betrag"),
    ),
    Field.OPEN_AMOUNT: (
        (
            "en",
            "balance|open balance|balance due|amount due|invoice amount due"
            "|outstanding|outstanding amount|outstanding balance|amount outstanding|remaining"
            "|remaining amount|remaining amt|remaining balance|open amount|unpaid amount|unpaid balance"
            "|<total due|<<unpaid|<<open",
        ),
        ("zh", "未收金额|余额|未核销金额|欠款金额|未收金額|餘額|未核銷金額|欠款金額|<未付金额|<未付金額"),
        ("de", "Offen|Offener Betrag|Saldo|Restbetrag|Offener Saldo|Offene Summe"),
    ),
    Field.DEBIT_CREDIT: (
        ("en", "dr/cr|debit/credit"),
        ("zh", "借贷方向|借贷|借貸方向|借貸"),
        ("de", "S/H|Soll/Haben|Soll-/Haben-Kennzeichen"),
    ),
    Field.STATUS: (("en", "status|invoice status"), ("zh", "状态|狀態"), ("de", "Rechnungsstatus")),
    Field.TYPE: (
        ("en", "type|transaction type|document type"),
        ("zh", "单据类型|票据类型|單據類型|票據類型"),
        ("de", "Belegart|Dokumentart"),
    ),
    Field.TERMS: (
        ("en", "terms|payment terms"),
        ("zh", "付款条件|账期|付款條件|帳期|賬期"),
        ("de", "Zahlungsbedingung|Zahlungsbedingungen|Zahlungsziel"),
    ),
    Field.DISPUTE: (
        ("en", "disputed|dispute|in dispute"),
        ("zh", "争议|是否争议|爭議|是否爭議"),
        ("de", "Reklamation|strittig"),
    ),
    Field.PROMISE: (
        ("en", "promise to pay|expected payment date"),
        ("zh", "承诺付款日|承诺付款日期|承諾付款日|承諾付款日期"),
        ("de", "Zahlungszusage"),
    ),
    Field.BLOCK: (
        ("en", "on hold|dunning block|dunning blocked"),
        ("zh", "催款冻结|暂停催款|暫停催款"),
        ("de", "Mahnsperre"),
    ),
    Field.REFERENCE: (("en", "reference|ref|your reference"), ("zh", "参考"), ("de", "Referenz")),
    Field.REMARK: (
        ("en", "remark|remarks|note|notes|memo|comment|comments"),
        ("zh", "备注|摘要|说明|備註|說明"),
        ("de", "Bemerkung|Bemerkungen|Notiz|Kommentar"),
    ),
}
"""A `<` before a heading makes it a weaker claim, for words that programs use for other things as well."""

TEMPLATE: Final = (
    "customer",
    "tenant_id",
    "invoice_number",
    "invoice_date",
    "due_date",
    "currency",
    "amount_due",
)


def accepted_columns() -> Mapping[str, Mapping[Language, tuple[str, ...]]]:
    """List the headings every field is known by, for the README and for messages.

    Case, spaces, punctuation and bracketed text do not matter, and of a bilingual heading one part is enough.
    A file needs a customer, a document number, an amount, and a due date or an issue date with terms.
    """
    return {
        field.value: {
            language: tuple(alias.lstrip("<") for alias in aliases.split("|"))
            for language, aliases in by_language
        }
        for field, by_language in _ALIASES.items()
    }


def template() -> str:
    """Give an empty CSV file with the headings we recommend."""
    return ",".join(TEMPLATE) + "\r\n"


class _Claim(NamedTuple):
    """A heading's claim to hold a field; the lowest rank wins."""

    field: Field
    rank: int
    language: Language


_KNOWN: Final[Mapping[str, _Claim]] = {
    folded(alias): _Claim(field, alias.count("<"), language)
    for field, by_language in _ALIASES.items()
    for language, aliases in by_language
    for alias in aliases.split("|")
}
_BRACKETED: Final = re.compile(r"\([^)]*\)|\[[^\]]*\]|【[^】]*】")
_TRANSACTION: Final = re.compile(
    r"原[币幣]|\bfcy\b|\b(?:in )?(?:transaction|document|doc\.?|foreign|original|invoice) (?:currency|curr\.?)"
    r"|\b(?:in )?(?:belegwährung|transaktionswährung|fremdwährung)",
    re.IGNORECASE,
)
_FUNCTIONAL: Final = re.compile(
    r"本位[币幣]|本[币幣]|\blcy\b|\b(?:in )?(?:home|base|functional|local|company|reporting) (?:currency|curr\.?)"
    r"|\b(?:in )?(?:hauswährung|leitwährung)",
    re.IGNORECASE,
)
_CURRENCY: Final = re.compile(r"curr|währung", re.IGNORECASE)
_HAN: Final = r"[\u3400-\u9fff]"
_PARTS: Final = re.compile(
    rf"[/|\n\\()\[\]【】,;]+|(?<={_HAN})\s*(?=[A-Za-z])|(?<=[A-Za-z])\s*(?={_HAN})|(?<={_HAN})\s+|\s+(?={_HAN})|\s[-–—:]\s"
)
"""Where one language of a bilingual heading ends and the other begins."""
_PART_OF_HEADING: Final = 4
_FUNCTIONAL_CURRENCY: Final = 8


def _claim(heading: str) -> _Claim | None:
    """Say what a heading claims to hold."""
    text = unicodedata.normalize("NFKC", heading)
    shift = -1 if _TRANSACTION.search(text) else _FUNCTIONAL_CURRENCY if _FUNCTIONAL.search(text) else 0
    rest = _FUNCTIONAL.sub("", _TRANSACTION.sub("", text))
    if not folded(rest) and _CURRENCY.search(text):
        return _Claim(Field.CURRENCY, shift, "de" if "währung" in text.casefold() else "en")
    text = rest
    if whole := _KNOWN.get(folded(_BRACKETED.sub("", text))) or _KNOWN.get(folded(text)):
        return whole._replace(rank=whole.rank + shift)
    for part in _parts(text):
        if claim := _KNOWN.get(folded(part)):
            return claim._replace(rank=claim.rank + shift + _PART_OF_HEADING)
    return None


def _parts(heading: str) -> Iterator[str]:
    """Split it where one language may end; `借贷方向 S/H` has a part that could be split again."""
    yield from _PARTS.split(heading)
    for end in _PARTS.finditer(heading):
        yield heading[: end.start()]
        yield heading[end.end() :]


def _is_chinese(heading: str) -> bool:
    """Tell whether a part of it is a word we know in Chinese."""
    text = _FUNCTIONAL.sub("", _TRANSACTION.sub("", _BRACKETED.sub("", heading)))
    claims = (_KNOWN.get(folded(part)) for part in _parts(text))
    return any(claim.language == "zh" for claim in claims if claim)


@dataclass(frozen=True, slots=True)
class Header:
    """The headings of a file and where each field stands."""

    position: int
    index: int
    """How many records come before it."""
    headings: tuple[str, ...]
    columns: Mapping[Field, tuple[int, ...]]
    language: Language
    currency: str | None
    """Named in the amount's heading, as in `Amount due (EUR)`."""
    in_home_currency: bool = False
    """The amounts are in the partner's own currency, whatever the documents are in."""

    @property
    def is_chinese(self) -> bool:
        """Whether it is so at least beside another language; one heading may be Japanese as well."""
        return sum(map(_is_chinese, self.headings)) > 1

    def column(self, field: Field) -> int | None:
        return self.columns[field][0] if field in self.columns else None

    def heading(self, field: Field) -> str:
        return self.headings[self.columns[field][0]] if field in self.columns else ""

    @property
    def lacks(self) -> Code | None:
        """Name the first thing without which nothing can be read; None when all is there."""
        has = self.columns.keys()
        if Field.DOCUMENT_NUMBER not in has:
            return Code.MISSING_NUMBER
        if not has & {Field.CUSTOMER, Field.CUSTOMER_CODE, Field.TENANT}:
            return Code.MISSING_CUSTOMER
        if not has & {Field.OPEN_AMOUNT, Field.TOTAL}:
            return Code.BAD_AMOUNT
        if Field.DUE_DATE not in has and not {Field.ISSUE_DATE, Field.TERMS} <= has:
            return Code.MISSING_DUE_DATE
        return None

    def is_repeated_by(self, cells: list[Cell]) -> bool:
        """Tell whether a row is this header printed again, as at the top of every page."""
        columns = [places[0] for places in self.columns.values()]
        return all(folded(text_of(cells[place])) == folded(self.headings[place]) for place in columns)


_Claims = dict[Field, list[tuple[int, int]]]
"""What claims a field: rank and column, the best first."""


def read_header(position: int, cells: list[Cell], index: int) -> Header:
    """Read a row as if it were the header. Raises `FileRefused` when two columns claim one field alike."""
    headings = tuple(clean(text_of(cell)) for cell in cells)
    claims: _Claims = {}
    languages: Counter[Language] = Counter()
    for place, cell in enumerate(cells):
        if isinstance(cell, str) and cell and (claim := _claim(cell)):
            claims.setdefault(claim.field, []).append((claim.rank, place))
            languages[claim.language] += 1
    columns: dict[Field, tuple[int, ...]] = {}
    rivals: tuple[str, str] | None = None
    for field, ranked in claims.items():
        ranked.sort()
        if field in MANY:
            columns[field] = tuple(place for _, place in ranked)
            continue
        columns[field] = (ranked[0][1],)
        if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
            rivals = rivals or (headings[ranked[0][1]], headings[ranked[1][1]])
    in_home_currency = _keep_one_currency(columns, claims)
    amount = columns.get(Field.OPEN_AMOUNT) or columns.get(Field.TOTAL)
    header = Header(
        position=position,
        index=index,
        headings=headings,
        columns=columns,
        language=languages.most_common(1)[0][0] if languages else "en",
        currency=_currency_in(str(cells[amount[0]])) if amount else None,
        in_home_currency=in_home_currency,
    )
    if rivals and header.lacks is None:
        raise FileRefused(
            Code.AMBIGUOUS_COLUMNS,
            f"The columns “{rivals[0]}” and “{rivals[1]}” could both be meant; rename or remove one of them.",
        )
    return header


def _keep_one_currency(columns: dict[Field, tuple[int, ...]], claims: _Claims) -> bool:
    """Drop the columns that are in another currency than the amount that counts; tell whether that is the home one.

    What is open counts, unless it is only there in the home currency and the other one has total and paid. Of
    amounts in the home currency only a column of that currency tells what they are in.
    """
    amounts = {Field.OPEN_AMOUNT, Field.TOTAL, Field.PAID} & columns.keys()
    at_home = {field for field in amounts if claims[field][0][0] >= _FUNCTIONAL_CURRENCY}
    foreign = amounts - at_home
    if foreign and at_home:
        if Field.OPEN_AMOUNT in foreign or foreign == {Field.TOTAL, Field.PAID}:
            dropped = at_home
        else:
            dropped = foreign if Field.OPEN_AMOUNT in at_home else amounts
        for field in dropped:
            del columns[field]
        at_home -= dropped
    if at_home:
        columns.pop(Field.CURRENCY, None)
        if named := [place for rank, place in claims.get(Field.CURRENCY, ()) if rank >= _FUNCTIONAL_CURRENCY]:
            columns[Field.CURRENCY] = (named[0],)
    return bool(at_home)


def _currency_in(heading: str) -> str | None:
    bracketed = _BRACKETED.search(unicodedata.normalize("NFKC", heading))
    return named(bracketed[0][1:-1]) if bracketed else None


ROWS_SEARCHED: Final = 30


class Found(NamedTuple):
    """The header of a table, or the row that comes closest to one."""

    header: Header | None
    nearest: Header | None

    @property
    def score(self) -> int:
        return len(self.header.columns) if self.header else 0


def find_header(batches: Iterable[Rows]) -> Found:
    """Look for the first row that can be a header among the first rows that are not empty."""
    nearest: Header | None = None
    looked_at = 0
    rows = ((position, cells) for batch in batches for position, cells in zip(*batch, strict=True))
    for index, (position, cells) in enumerate(rows):
        if not any(isinstance(cell, str) and cell.strip() for cell in cells):
            continue
        header = read_header(position, cells, index)
        if header.lacks is None:
            return Found(header, header)
        if nearest is None or len(header.columns) > len(nearest.columns):
            nearest = header
        looked_at += 1
        if looked_at == ROWS_SEARCHED:
            break
    return Found(None, nearest)


_WANTED: Final = {
    Code.MISSING_NUMBER: (Field.DOCUMENT_NUMBER, "document number"),
    Code.MISSING_CUSTOMER: (Field.CUSTOMER, "customer"),
    Code.BAD_AMOUNT: (Field.OPEN_AMOUNT, "open amount"),
    Code.MISSING_DUE_DATE: (Field.DUE_DATE, "due date"),
}


def no_header(nearest: Header | None) -> FileRefused:
    """Say what is missing: the one column, when a row is a header but for it, else all."""
    if nearest is not None and nearest.lacks and len(nearest.columns) >= 3:
        field, name = _WANTED[nearest.lacks]
        examples = ", ".join(accepted_columns()[field.value]["en"][:3])
        return FileRefused(
            Code.UNSUPPORTED_FILE, f"No column holds the {name}; name one, for example: {examples}."
        )
    return FileRefused(
        Code.UNSUPPORTED_FILE,
        f"None of the first {ROWS_SEARCHED} rows names columns for customer, document number, amount and "
        "due date; add a header.",
    )
