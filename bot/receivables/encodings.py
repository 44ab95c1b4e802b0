"""Which encoding a text is in when several fit: how much of it then looks like something people write."""

from __future__ import annotations

import io
import re
import unicodedata
from codecs import iterdecode
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Final

MULTIBYTE: Final = ("gb18030", "big5", "shift_jis")
SINGLE_BYTE: Final = ("cp1252", "cp1250")

_SAMPLE: Final = 65_536
_CLEARLY: Final = 0.1
"""How much more of the text must look right for one encoding to win."""

_COMMON: Final = {
    # Each standard puts the characters in common use first, and the others behind them.
    "gb18030": ("gb2312", 0xB0A1, 0xD7F9),
    "big5": ("big5", 0xA440, 0xC67E),
    "shift_jis": ("shift_jis", 0x889F, 0x9872),
}
_FULL_WIDTH: Final = frozenset(
    "　、。，．・：；？！（）「」『』【】《》〈〉“”‘’…—～￥－０１２３４５６７８９＆／"
)
_TYPOGRAPHY: Final = frozenset("’‘“”„‚‹›«»–—…•·€£§°®©™´\xa0")
_WORD: Final = re.compile(r"[^\W\d_]+")
_MANY_IN_A_ROW: Final = re.compile(r"[^\x00-\x7f]{5}")
_VOWELS: Final = frozenset("aeiouœæøı")
_FOUR_CONSONANTS: Final = re.compile("c{4,}")


def is_encoded(data: bytes, encoding: str) -> bool:
    """Decode all of it strictly, a part at a time: a large file as text would be held twice."""
    if encoding == "utf-8" and data.isascii():
        return True
    try:
        for _ in iterdecode(_blocks(data), encoding):
            pass
    except UnicodeDecodeError:
        return False
    return True


def is_same_text(data: bytes, encodings: Sequence[str]) -> bool:
    """Tell whether all of these give the same text."""
    if not set(encodings) <= set(SINGLE_BYTE):
        return len(encodings) == 1
    texts = (iterdecode(_blocks(data), encoding) for encoding in encodings)
    return all(len(set(parts)) == 1 for parts in zip(*texts, strict=True))


def _blocks(data: bytes) -> Iterator[bytes]:
    return iter(partial(io.BytesIO(data).read, _SAMPLE), b"")


def likeliest(data: bytes, encodings: Sequence[str]) -> str | None:
    """Choose among encodings in all of which the file could be; None when the text does not tell.

    The two western ones differ in few letters: where no word shows which it is, cp1252 is meant far more often.
    """
    sample = _sample(data)
    ranked = sorted(((_looks_right(sample, each), each) for each in encodings), reverse=True)
    best = ranked[0][0]
    rivals = [each for share, each in ranked if best - share < _CLEARLY]
    western = [(share, each) for share, each in ranked if each in rivals and each in SINGLE_BYTE]
    if len(western) == 2:
        (share, _), (other, worse) = western
        rivals.remove(worse if share > other else "cp1250")
    if len(rivals) == 1:
        return rivals[0]
    return _second_opinion(sample, rivals) if best else None


def _second_opinion(sample: bytes, encodings: Sequence[str]) -> str | None:
    """The one a detector finds least messy, if it is one.

    It is asked last: by itself it takes short Chinese for Japanese, and one western letter for any encoding.
    """
    from charset_normalizer import (
        from_bytes,  # with its tables it is as large as all the rest of reading a file
    )

    guesses = (from_bytes(sample, cp_isolation=[each], threshold=1.0).best() for each in encodings)
    (least, first), (next_least, _), *_ = sorted(
        (guess.chaos if guess else 1.0, each) for guess, each in zip(guesses, encodings, strict=True)
    )
    return first if least < next_least else None


def is_utf8_by_accident(data: bytes) -> bool:
    """Tell whether valid UTF-8 makes no words, but Chinese: the two bytes of `实业` are two odd letters of UTF-8."""
    sample = _sample(data)
    letters = [char for char in sample.decode("utf-8", "ignore") if not char.isascii()]
    odd = sum("\u0180" <= char <= "\u036f" or "\u0482" <= char <= "\u07ff" for char in letters)
    return (
        odd * 2 >= len(letters) > 0
        and max(letters) <= "\u07ff"
        and _looks_right(sample, "gb18030") > 1 - _CLEARLY
    )


def share_of_utf8(data: bytes) -> float:
    """How many of the lines beyond ASCII are UTF-8 in a file that is not as a whole.

    Most of them: it is damaged, or two were joined. Any in a western text: the same, for there it is no accident;
    two bytes of a Chinese character may be one.
    """
    lines = [line for line in io.BytesIO(data) if not line.isascii()]
    return sum(map(_is_utf8, lines)) / len(lines)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _sample(data: bytes) -> bytes:
    """The beginning of what is not ASCII, in whole lines."""
    found: list[bytes] = []
    length = 0
    for line in io.BytesIO(data):
        if not line.isascii():
            found.append(line)
            length += len(line)
            if length > _SAMPLE:
                break
    return b"".join(found)


def _looks_right(sample: bytes, encoding: str) -> float:
    """The share of characters beyond ASCII that are common, or stand where such letters stand."""
    text = sample.decode(encoding, "ignore")  # a line may have ended within a character
    beyond = [char for char in text if not char.isascii()]
    if not beyond:
        return 0.0
    if encoding in MULTIBYTE:
        return sum(_is_common(char, encoding) for char in beyond) / len(beyond)
    odd = sum(
        _is_odd_sign(text, at) for at, char in enumerate(text) if not (char.isascii() or char.isalpha())
    )
    odd += sum(_odd_letters(word[0], encoding) for word in _WORD.finditer(text) if not word[0].isascii())
    return 1 - odd / len(beyond)


@lru_cache(maxsize=8192)
def _is_common(char: str, encoding: str) -> bool:
    if char in _FULL_WIDTH:
        return True
    if encoding == "shift_jis" and "ぁ" <= char <= "ー":
        return True
    name, first, last = _COMMON[encoding]
    try:
        code = int.from_bytes(char.encode(name))
    except UnicodeEncodeError:
        return False
    return first <= code <= last


def _is_odd_sign(text: str, at: int) -> bool:
    """A sign that is no typography, or stands within a word: letters of another encoding look like that."""
    char = text[at]
    if char not in _TYPOGRAPHY:
        return True
    return char != "’" and text[at - 1 : at].isalpha() and text[at + 1 : at + 2].isalpha()


def _odd_letters(word: str, encoding: str) -> int:
    """Count letters beyond ASCII that no western or central European word would have in that place."""
    if _MANY_IN_A_ROW.search(word):
        return sum(not char.isascii() for char in word)
    odd = 0
    for at, char in enumerate(word):
        if char.isascii():
            continue
        shouts = char.isupper() and at > 0 and not word.isupper()
        slavic = encoding == "cp1252" and char in "šžŠŽ"
        odd += shouts or slavic or char in "ªºƒ" or _is_unspeakable(word, at)
    return odd


def _is_unspeakable(word: str, at: int) -> bool:
    """Tell whether the letter stands between two vowels as a third, or makes four consonants: `oøá` was `ořá`."""
    kinds = "".join(map(_kind, word))
    if kinds[at] == "v":
        return kinds[max(0, at - 1) : at + 2] == "vvv"
    return any(run.start() <= at < run.end() for run in _FOUR_CONSONANTS.finditer(kinds))


def _kind(char: str) -> str:
    """A vowel, a consonant, or y, which is either."""
    base = unicodedata.normalize("NFD", char.lower())[0]
    return "v" if base in _VOWELS else "y" if base == "y" else "c"
