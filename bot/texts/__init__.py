"""The words people read, one catalogue a language. No rule and no layout: those are elsewhere."""

from __future__ import annotations

import gettext
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib import resources
from io import BytesIO

from babel import Locale
from babel.core import negotiate_locale
from babel.dates import format_date, format_datetime, format_timedelta, get_timezone
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

from bot.domain.money import MINOR_UNITS

LANGUAGES = ("en", "de", "zh-CN")
_FILES = {"en": "en.po", "de": "de.po", "zh-CN": "zh_CN.po"}
_BABEL = {"en": "en_US", "de": "de_DE", "zh-CN": "zh_Hans_CN"}


class Mrkdwn(str):
    """Text that already is Slack's mrkdwn (a mention, a date): not escaped again."""

    __slots__ = ()


def escaped(text: str) -> Mrkdwn:
    """Outside text made harmless: it cannot mention, link or call a channel.

    Source: docs.slack.dev/messaging/formatting-message-text#escaping.
    """
    if isinstance(text, Mrkdwn):
        return text
    return Mrkdwn(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


class Texts:
    """One language. `texts("key", name=…)` is plain text; `texts.mrkdwn(…)` escapes every fact."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._locale = Locale.parse(_BABEL[language])
        self._words, self.keys = _catalogue(language)

    def __call__(self, key: str, **facts: object) -> str:
        """The words for a key. Raises KeyError for a key nobody has written words for."""
        return self._find(key).format_map({name: str(fact) for name, fact in facts.items()})

    def mrkdwn(self, key: str, **facts: object) -> Mrkdwn:
        safe = {name: escaped(fact if isinstance(fact, str) else str(fact)) for name, fact in facts.items()}
        return Mrkdwn(self._find(key).format_map(safe))

    def count(self, key: str, n: int, **facts: object) -> str:
        """The words for so many of something; `{n}` is the number as people write it."""
        if key not in self.keys:
            raise KeyError(key)
        words = self._words.ngettext(key, key, n)
        return words.format_map({"n": self.number(n)} | {name: str(fact) for name, fact in facts.items()})

    def has(self, key: str) -> bool:
        return key in self.keys

    def money(self, amount: Decimal, currency: str) -> str:
        """The amount with its ISO code: `$` and `¥` each stand for more than one currency."""
        number = self.amount(amount, currency)
        return f"{number}\u00a0{currency}" if self.language == "de" else f"{currency}\u00a0{number}"

    def amount(self, amount: Decimal, currency: str) -> str:
        """The number alone, where its currency is said beside it."""
        decimals = "0" * MINOR_UNITS.get(currency, 2)  # CLDR leaves out what is hardly used any more
        pattern = f"#,##0.{decimals}" if decimals else "#,##0"
        return format_decimal(amount, pattern, locale=self._locale)

    def number(self, number: int) -> str:
        return format_decimal(number, locale=self._locale)

    def percent(self, part: Decimal) -> str:
        """Of a whole that is 1, to the nearest percent."""
        return format_percent(part, locale=self._locale)

    def day(self, day: date) -> str:
        return format_date(day, "medium", locale=self._locale)

    def place(self, code: str) -> str:
        """A country by its code (`DE`), a part of it with its own code behind (`DE-BE`)."""
        country, _, part = code.partition("-")
        name = self._locale.territories.get(country, country)
        return f"{name} ({code})" if part else str(name)

    def moment(self, at: datetime, zone: str) -> str:
        """A moment as the clocks of that zone (IANA name) show it."""
        return format_datetime(at, "medium", tzinfo=get_timezone(zone), locale=self._locale)

    def span(self, span: timedelta) -> str:
        """A duration as people say it: "2 minutes", "24 hours"."""
        return format_timedelta(span, threshold=1.5, locale=self._locale)

    def sentences(self, said: Iterable[str]) -> str:
        """One behind the other; Chinese sets no space between them."""
        return ("" if self.language == "zh-CN" else " ").join(said)

    def listed(self, parts: Iterable[str]) -> str:
        """One beside the other; Chinese has a comma of its own for that."""
        return ("、" if self.language == "zh-CN" else ", ").join(parts)

    def _find(self, key: str) -> str:
        if key not in self.keys:
            raise KeyError(key)
        return self._words.gettext(key)


@cache
def in_language(language: str) -> Texts:
    return Texts(language)


def for_locale(locale: str | None, *, default: str = "en") -> Texts:
    """The texts nearest to a Slack locale such as `de-AT` or `zh-CN`."""
    wanted = (locale or default).replace("-", "_")
    if wanted.startswith("zh"):
        return in_language("zh-CN")
    nearest = negotiate_locale([wanted, wanted.partition("_")[0]], ["en", "de"])
    return in_language(nearest or default)


@cache
def _catalogue(language: str) -> tuple[gettext.GNUTranslations, frozenset[str]]:
    source = resources.files("bot.texts") / _FILES[language]
    with source.open("rb") as po:
        catalogue = read_po(po, locale=_BABEL[language].replace("_Hans", ""))
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    keys = (message.id if isinstance(message.id, str) else message.id[0] for message in catalogue)
    return gettext.GNUTranslations(compiled), frozenset(key for key in keys if key)
