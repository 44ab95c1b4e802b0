"""How names are compared: without case, accents and width, and where only a hint is wanted, word by word.

Two companies can bear one name, and one company two; so nothing here proves who somebody is.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final


def folded(words: str) -> str:
    """Compare names without case, accents or width: `Müller` is found by `muller`."""
    if words.isascii():  # most are, and a directory has tens of thousands
        return words.lower()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", words).casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


def can_be_kept(text: str) -> bool:
    """Whether a database and a request can take it: no NUL, no half of a surrogate pair. So nobody is called so."""
    return not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)


@lru_cache(maxsize=8192)
def spelling(name: str) -> str:
    """A name but for case, accents, spaces and punctuation; its legal form counts."""
    return "".join(_split(name))


@lru_cache(maxsize=8192)
def telling_words(name: str) -> frozenset[str]:
    """The words by which one company is told from another: without legal forms, in pairs of characters where a
    script has no spaces. `Mueller` and `Müller` are one word.
    """
    words = [_without_joined_form(word) for word in _without_forms(_split(name))]
    return frozenset(part for word in words if word != "&" for part in _parts(word))


def _split(name: str) -> list[str]:
    plain = unicodedata.normalize("NFC", folded(name)).translate(_INNER)
    plain = _SLASHED.sub(r"\1\2", plain)
    # Letters, digits, and the vowel signs that some scripts write as marks.
    kept = (" & " if c == "&" else c if unicodedata.category(c)[0] in "LMN" else " " for c in plain)
    return "".join(kept).split()


_INNER: Final = str.maketrans("", "", ".'’`´\"״׳")
"""Dots and quotes inside a form: `S.r.l.`, `בע"מ`."""
_SLASHED: Final = re.compile(r"\b(\w)/(\w)\b")
"""`A/S`."""
_FORMS_BY_LINE: Final = """
Ltd | Limited | Inc | Incorporated | Corp | Corporation | Co | & Co | Company | LLC | LLP | LP | PLC | Pty | Pte
Pvt | Private | GmbH | gGmbH | mbH | AG | KG | KGaA | OHG | UG | haftungsbeschränkt | eK | eU | eG | eV | GbR | und Co
SE | SA | SAS | SASU | SARL | EURL | SNC | SCA | SpA | Srl | Srls | SL | SLU | as | A/S | ApS | K/S | I/S | AB | HB
ASA | Oy | Oyj | BV | NV | VOF | CVBA | BVBA | Lda | Ltda | EIRELI | sro | s r o | spol | Sp z oo | Sp z o o | Sp k
Kft | Bt | Zrt | Nyrt | doo | d o o | OOD | EOOD | SIA | UAB | OÜ | AŞ | Ltd Şti | San ve Tic | Sdn Bhd | PT | Tbk | CV
Công ty TNHH | Công ty Cổ phần | ООО | ОАО | ПАО | ЗАО | АО | ИП | ТОВ | ТОО | ООД | ЕООД | АД | ЕАД | ДОО | ΑΕ | ΕΠΕ
ΙΚΕ | בעמ | شركة | شمم | ش م م | ذمم | ذ م م | شمع | ش م ع | प्रा लि | लिमिटेड | (株) | (有) | (주) | (유)
"""
_JOINED_BY_LINE: Final = """
股份有限公司 | 有限责任公司 | 有限責任公司 | 股份公司 | 有限公司 | 分公司 | 公司 | 株式会社 | 有限会社 | 合同会社
合資会社 | 주식회사 | 유한회사 | 유한책임회사 | บริษัท | จำกัด | มหาชน | ห้างหุ้นส่วน
"""


def _listed(forms: str) -> set[tuple[str, ...]]:
    return {tuple(words) for form in forms.replace("\n", "|").split("|") if (words := _split(form))}


_FORMS: Final = frozenset(_listed(_FORMS_BY_LINE) | _listed(_JOINED_BY_LINE))
_LONGEST_FORM: Final = max(len(form) for form in _FORMS)
_JOINED_FORMS: Final = sorted((form for (form,) in _listed(_JOINED_BY_LINE)), key=len, reverse=True)
"""Forms that stand joined to the name, before it or behind it; the longest first."""
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)
"""Thai, Lao, Burmese, Khmer, Kana and Han: no spaces between words."""
_PLACE: Final = re.compile("^([\u4e00-\u9fff]{2})[市省]")
"""A Chinese company is named after its place, with or without the word for it: `深圳市…`, `深圳…`."""
_UMLAUT: Final = re.compile("([aou])e")


def _without_forms(words: list[str]) -> list[str]:
    """Legal forms stand before a name or behind it, several at times; something is always left."""
    for n in range(min(_LONGEST_FORM, len(words) - 1), 0, -1):
        if tuple(words[-n:]) in _FORMS:
            return _without_forms(words[:-n])
        if tuple(words[:n]) in _FORMS:
            return _without_forms(words[n:])
    return words


def _without_joined_form(word: str) -> str:
    for form in _JOINED_FORMS:
        word = word.removesuffix(form) or word
        word = word.removeprefix(form) or word
    return _PLACE.sub(r"\1", word)


def _parts(word: str) -> list[str]:
    if _UNSPACED.search(word):
        return [word[at : at + 2] for at in range(len(word) - 1)] or [word]
    return [_UMLAUT.sub(r"\1", word)]
