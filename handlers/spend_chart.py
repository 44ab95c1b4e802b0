"""What the worst customers spend a day on Azure against what is usual for them, as a picture and in words.

Drawn with Pillow as the aging chart is: a panel a customer, for a phone as well. Panels never share a scale. Days above
the usual band are dark, hatched and have a mark over them; the band has dashed edges: nothing depends on telling
colours apart. The font draws ASCII alone, so panels have numbers, and the words beside the picture have the names.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.domain.spending import band, daily
from bot.domain.suspicious import CaseLine
from bot.texts import Texts
from handlers.views import blocks

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

ALT_TEXT = 1000
"""Slack takes that many characters of a picture's alternative text."""
MOST_PANELS = 6
DAYS = 60
LEAST_DAYS = 3
"""Of fewer nobody can say what is usual."""
WIDTH = 760
"""Twice the width of a phone: text of 30 is read there as 15."""
TEXT, HEAD = 26, 34
MARGIN, PLOT, GAP = 24, 150, 26
INK, PAPER, LINE, BAND, USUAL, ABOVE = "#1d1c1d", "#ffffff", "#8a8a8a", "#deebf7", "#4292c6", "#7f2704"
NAME = 40


@dataclass(frozen=True, slots=True)
class Panel:
    """One customer: what each day cost, in the order of days, and from where to where it is usual."""

    number: int
    name: str
    currency: str
    days: tuple[tuple[date, Decimal], ...]
    low: Decimal
    high: Decimal

    @property
    def above(self) -> tuple[tuple[date, Decimal], ...]:
        return tuple((day, amount) for day, amount in self.days if amount > self.high)


def panels(lines: Iterable[CaseLine], *, on: date) -> tuple[Panel, ...]:
    """The worst customers of whom a spend is known, at most `MOST_PANELS`; in the order they come in."""
    found: list[Panel] = []
    for line in lines:
        spent = line.past.spent
        if not spent:
            continue
        currency = spent[-1].currency
        since = on - timedelta(days=DAYS)
        days = tuple(
            (day, amount)
            for day, amount in daily([s for s in spent if s.currency == currency])
            if since < day <= on
        )
        if len(days) < LEAST_DAYS or not any(amount for _, amount in days):
            continue
        low, high = band([amount for _, amount in days])
        name = blocks.shortened(blocks.harmless(line.case.customer_name), NAME)
        found.append(Panel(len(found) + 1, name, currency, days, low, high))
        if len(found) == MOST_PANELS:
            break
    return tuple(found)


def in_words(shown: Sequence[Panel], texts: Texts) -> str:
    """The figures of the chart, a line a customer. Plain text."""
    return _lines(shown, texts, texts, [panel.name for panel in shown])


def comment(shown: Sequence[Panel], texts: Texts) -> str:
    """The same in mrkdwn, for a message without blocks."""
    return _lines(shown, texts, texts.mrkdwn, [blocks.bare_name(panel.name, NAME) for panel in shown])


def picture(shown: Sequence[Panel], texts: Texts) -> bytes | None:
    """A PNG; None where nobody's spend is known."""
    if not shown:
        return None
    from PIL import Image, ImageDraw, ImageFont

    panel = HEAD + 10 + PLOT + TEXT + 10
    height = MARGIN * 2 + panel * len(shown) + GAP * (len(shown) - 1)
    image = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(image)
    text, head = ImageFont.load_default(TEXT), ImageFont.load_default(HEAD)
    top = MARGIN
    for each in shown:
        name = each.name if each.name.isascii() else ""
        draw.text((MARGIN, top), f"{each.number}  {name[:22]}".rstrip(), font=head, fill=INK)
        most = max(amount for _, amount in each.days)
        figure = f"max {_ascii(texts.amount(most, each.currency))} {each.currency}"
        draw.text((WIDTH - MARGIN, top + 6), figure, font=text, fill=INK, anchor="ra")
        _plot(draw, each, top + HEAD + 10)
        below = top + HEAD + 10 + PLOT + 4
        draw.text((MARGIN, below), each.days[0][0].isoformat(), font=text, fill=INK)
        draw.text((WIDTH - MARGIN, below), each.days[-1][0].isoformat(), font=text, fill=INK, anchor="ra")
        usual = " - ".join(_ascii(texts.amount(edge, each.currency)) for edge in (each.low, each.high))
        draw.text((WIDTH // 2, below), usual, font=text, fill=INK, anchor="ma")
        top += panel + GAP
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _plot(draw: ImageDraw, panel: Panel, top: int) -> None:
    """A bar a day over the band; a day nobody knows of has none."""
    left, right, bottom = MARGIN, WIDTH - MARGIN, top + PLOT
    most = max(max(amount for _, amount in panel.days), panel.high) or Decimal(1)
    room = PLOT - 16  # for the marks over the highest bar

    def y(amount: Decimal) -> int:
        return bottom - int(room * amount / most)

    draw.rectangle((left, y(panel.high), right, y(panel.low)), fill=BAND)
    for edge in (panel.low, panel.high):
        for at in range(left, right, 16):
            draw.line((at, y(edge), at + 8, y(edge)), fill=INK, width=2)
    first = panel.days[0][0].toordinal()
    of = max(panel.days[-1][0].toordinal() - first + 1, 20)
    width = (right - left) / of
    for day, amount in panel.days:
        begin = left + int((day.toordinal() - first) * width)
        end = max(begin + 2, int(begin + width) - 3)
        high = y(amount)
        is_above = amount > panel.high
        draw.rectangle((begin, high, end, bottom), fill=ABOVE if is_above else USUAL)
        if is_above:
            for at in range(high, bottom, 7):
                draw.line((begin, at, end, at), fill=PAPER, width=1)
            middle = (begin + end) // 2
            draw.polygon([(middle - 6, high - 12), (middle + 6, high - 12), (middle, high - 3)], fill=INK)
    draw.line((left, bottom, right, bottom), fill=LINE, width=2)


def _lines(shown: Sequence[Panel], texts: Texts, say: Callable[..., str], names: Sequence[str]) -> str:
    """`say` writes the facts as plain text or as mrkdwn."""
    lines = [say("spend-words", days=texts.number(DAYS))]
    for panel, name in zip(shown, names, strict=True):
        usual = f"{texts.amount(panel.low, panel.currency)} – {texts.amount(panel.high, panel.currency)}"
        day, amount = max(panel.days, key=lambda each: each[1])
        said = say(
            "spend-line",
            number=panel.number,
            customer=name,
            usual=f"{usual} {panel.currency}",
            most=texts.money(amount, panel.currency),
            day=texts.day(day),
        )
        lines.append(texts.sentences([said, texts.count("spend-above", len(panel.above))]))
    return "\n".join(lines)


def _ascii(figure: str) -> str:
    """The font draws no narrow or non-breaking space."""
    return figure.replace("\u00a0", " ").replace("\u202f", " ")
