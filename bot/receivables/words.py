"""The words of ledgers in English, Chinese and German: kinds, states, yes and no, totals, disputes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from bot.domain.receivables import ItemKind
from bot.receivables.cells import clean

_SHEET_ERROR: Final = re.compile(
    r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|FIELD!|ERROR!|NV|BEZUG!|WERT!|ZAHL!)",
    re.IGNORECASE,
)


def is_sheet_error(text: str) -> bool:
    """Tell whether a formula of a sheet failed there: the cell is neither empty nor does it say anything."""
    return bool(_SHEET_ERROR.fullmatch(text))


def folded(text: str) -> str:
    """Reduce a word to its letters and digits, without case."""
    return "".join(char for char in clean(text).casefold() if char.isalnum())


def _words(text: str) -> frozenset[str]:
    return frozenset(folded(word) for word in text.split("|"))


_TOTALS: Final = _words(
    "total|totals|subtotal|grand total|sum|Summe|Zwischensumme|Gesamt|Gesamtsumme|Endsumme"
    "|合计|小计|总计|本页合计|累计|共计|合計|小計|總計|累計|共計"
)
_TOTAL_OF: Final = re.compile(
    r"\stotal:?$|^(?:sub)?total (?:for|of)\s|^summe\s|(?:合[计計]|小[计計]|[总總][计計])[:：]?$",
    re.IGNORECASE,
)
_OF_PAGE: Final = re.compile(
    r"^(?:page|seite) (?:\d|total)|^seiten(?:summe|übertrag)"
    r"|^本[页頁]|^第 ?\d+ ?[页頁]|^承前[页頁]|^[过過转轉]次[页頁]",
    re.IGNORECASE,
)

_PAID: Final = _words(
    "paid|fully paid|paid in full|closed|settled|bezahlt|beglichen|ausgeglichen|erledigt"
    "|已付|已付款|已收|已收款|已结清|结清"
)
_NOT_OPEN: Final = _PAID | _words(
    "void|voided|draft|cancelled|canceled|deleted|reversed|written off|write-off|uncollectible|refunded"
    "|submitted|awaiting approval|storniert|Entwurf|ausgebucht|abgeschrieben|gelöscht"
    "|作废|已作废|草稿|已取消|已核销|坏账|已冲销"
)
_PAYMENTS: Final = _words(
    "payment|payments|customer payment|unapplied payment|unapplied cash|prepayment|overpayment|deposit"
    "|payment on account|on account|payment received|part payment|partial payment|PMT|PYMT"
    "|receipt|receipts|customer receipt|cash receipt|bank receipt|unapplied receipt|receipt on account"
    "|Zahlung|Zahlungen|Teilzahlung|Kundenzahlung|Einzahlung|Geldeingang|Zahlungseingang|Anzahlung|Vorauszahlung|Akonto|Akontozahlung|Überzahlung"
    "|收款|收款单|预收|预收款|收款单据|预收单|收据|回款|回款单|已收款项"
)
_ADJUSTMENTS: Final = _words(
    "adjustment|journal|journal entry|general journal|Korrektur|Umbuchung|调整|其他应收"
)
_INVOICES: Final = _words("invoice|sales invoice|Rechnung|Ausgangsrechnung|发票|销售发票|应收单|蓝字发票")
_CREDIT: Final = re.compile(
    r"\b(?:credit|cr\.?) ?(?:note|memo|invoice|adj)|\brefund|gutschrift|rechnungskorrektur|storno"
    r"|[红紅]字|[红紅][冲沖]|[冲沖][红紅]|退款|[贷貸][项項]|[销銷]售退|退[货貨]|[负負][数數][发發]票|折[让讓]",
    re.IGNORECASE,
)
_CREDITS: Final = _words(
    "credit|credits|sales credit|customer credit|credit balance|CN|C/N|CRN|RTN|ACCRECCREDIT"
    "|return|returns|sales return|customer return|rebate|discount"
    "|Retoure|Rabatt|Skonto|Bonus|Rückerstattung|Kreditnota|返利|折扣"
)
_DEBIT: Final = re.compile(r"debit ?(?:note|memo)|lastschrift|belastung|借项", re.IGNORECASE)

_CREDIT_SIDE: Final = frozenset({"H", "HABEN", "CR", "C", "CREDIT", "贷", "贷方", "貸", "貸方"})
_DEBIT_SIDE: Final = frozenset({"S", "SOLL", "DR", "D", "DEBIT", "借", "借方", ""})
_INSTALMENT: Final = re.compile(
    r"(?:rate |第 ?)?(\d{1,3})(?:\.0|\.? ?rate| ?期|\s*(?:/|of|von)\s*\d{1,3})?", re.ASCII | re.IGNORECASE
)

_NO: Final = _words(
    "|no|n|nein|false|f|0|none|n/a|nil|nicht|kein|keine|keiner|not disputed|undisputed|unstrittig"
    "|否|无|未|没有|不|不是|無|沒有|无争议|無爭議"
)
_UNDISPUTED: Final = re.compile(
    r"\bundisputed|\b(?:no|not|not in|without|never) disput\w*|\b(?:no|not) contested|\bun(?:be)?strittig"
    r"|\bnicht strittig|\bkeine? (?:reklam|beanstand)\w*|\bohne (?:reklam|beanstand)\w*"
    r"|[无無没沒](?:有|存在)?(?:争议|爭議|异议|異議|纠纷|糾紛)",
    re.IGNORECASE,
)
_DISPUTED: Final = re.compile(
    r"disput|contested|争议|爭議|异议|異議|纠纷|糾紛|strittig|reklam|beanstand", re.IGNORECASE
)
_HELD: Final = re.compile(r"\bon hold\b|gesperrt|mahnsperre|冻结|暂停催", re.IGNORECASE)


@lru_cache(maxsize=4096)
def is_total(text: str) -> bool:
    """Tell whether the text labels a sum: `Total`, `Relecloud Ltd total`, `本页合计`."""
    return folded(text) in _TOTALS or bool(_TOTAL_OF.search(clean(text)))


@lru_cache(maxsize=4096)
def is_of_page(text: str) -> bool:
    """Tell whether the text belongs to a page of print: its number, its sum, what is carried over."""
    return bool(_OF_PAGE.search(clean(text)))


class Status(NamedTuple):
    """What the words of a status say."""

    is_not_open: bool
    """It ends the debt or says that it never began: paid, void, draft, written off."""
    is_paid: bool
    is_disputed: bool
    is_held: bool


@lru_cache(maxsize=1024)
def status_of(text: str) -> Status:
    word = folded(text)
    return Status(
        is_not_open=word in _NOT_OPEN,
        is_paid=word in _PAID,
        is_disputed=speaks_of_dispute(text),
        is_held=bool(_HELD.search(clean(text))),
    )


@lru_cache(maxsize=1024)
def kind_of(text: str) -> ItemKind | None:
    """Name the kind a type says; None when it says none we know."""
    word = folded(text)
    if word in _CREDITS or _CREDIT.search(clean(text)):
        return ItemKind.CREDIT_NOTE
    if word in _PAYMENTS:
        return ItemKind.PAYMENT_ON_ACCOUNT
    if _DEBIT.search(clean(text)):
        return ItemKind.DEBIT_NOTE
    if word in _ADJUSTMENTS:
        return ItemKind.ADJUSTMENT
    return ItemKind.INVOICE if word in _INVOICES else None


@lru_cache(maxsize=256)
def side_of(text: str) -> Literal["debit", "credit"] | None:
    """Name the side of the ledger, debit where none is written; None when it is neither."""
    side = clean(text).upper()
    return "credit" if side in _CREDIT_SIDE else "debit" if side in _DEBIT_SIDE else None


@lru_cache(maxsize=1024)
def number_of_instalment(text: str) -> int | None:
    """Take the number out of `2`, `2/3` or `Rate 2`, 1 where none is written; None when it is no number."""
    text = clean(text)
    if not text:
        return 1
    match = _INSTALMENT.fullmatch(text)
    return int(match[1]) if match else None


@lru_cache(maxsize=1024)
def is_yes(text: str) -> bool:
    """Tell whether a mark is set. Anything but a known *no* sets it: marks here protect the customer."""
    return folded(text) not in _NO


@lru_cache(maxsize=4096)
def speaks_of_dispute(text: str) -> bool:
    """A text that only denies a dispute speaks of none."""
    return bool(_DISPUTED.search(_UNDISPUTED.sub(" ", clean(text))))
