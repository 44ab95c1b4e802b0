"""How old the debts are, as a picture: a panel a currency, for a phone as well, and the same in words.

Drawn with Pillow: one package with a font of its own, where a plotting library would bring eight for twenty bars.
Panels never share a scale, for currencies cannot be compared. Every bar has its own hatching and its figure beside it,
so nothing depends on telling colours apart. The background is opaque: it reads the same on a dark Slack.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.domain.aging import AgingBucket, Balance
from bot.texts import Texts
from handlers.views import blocks
from handlers.views.blocks import Block
from handlers.views.digests import bucket_name

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

ALT_TEXT = 1000
"""Slack takes that many characters of a picture's alternative text."""
MOST_PANELS = 5
MOST_NATIVE = 2
"""So many charts of its own Slack takes in one message."""
WIDTH = 760
"""Twice the width of a phone: text of 34 is read there as 17."""
TEXT, HEAD = 34, 40
MARGIN, ROW, BAR, GAP = 24, 46, 34, 24
LABEL, FIGURE = 130, 250
INK, PAPER, LINE = "#1d1c1d", "#ffffff", "#8a8a8a"
BARS = {
    AgingBucket.DAYS_1_30: ("#9ecae1", 0),
    AgingBucket.DAYS_31_60: ("#fdae6b", 1),
    AgingBucket.DAYS_61_90: ("#e6550d", 2),
    AgingBucket.OVER_90: ("#7f2704", 3),
}
"""Light to dark with age, so that the order is seen without colour; and the kind of hatching."""


def in_words(totals: Mapping[str, Balance], texts: Texts) -> str:
    """The figures of the chart, a line a currency."""
    return "\n".join(
        texts(
            "chart-line",
            total=texts.money(_sum(balance), currency),
            ages=", ".join(
                f"{bucket_name(name, texts)}: {texts.amount(balance.buckets[name], currency)}"
                for name in BARS
            ),
        )
        for currency, balance in _shown(totals).items()
    )


def native(totals: Mapping[str, Balance], texts: Texts) -> list[Block] | None:
    """The same as charts that Slack draws itself, one a currency; None where it draws no so many in one message.

    docs.slack.dev/reference/block-kit/blocks/data-visualization-block: a title of 50 characters, labels of 20.
    """
    shown = _shown(totals)
    if not 0 < len(shown) <= MOST_NATIVE:
        return None
    return [
        {
            "type": "data_visualization",
            "title": blocks.shortened(f"{currency} {texts.amount(_sum(balance), currency)}", 50),
            "chart": {
                "type": "bar",
                "series": [
                    {
                        "name": currency,
                        "data": [
                            {"label": name.value, "value": float(balance.buckets[name])} for name in BARS
                        ],
                    }
                ],
                "axis_config": {
                    "categories": [name.value for name in BARS],
                    "x_label": blocks.shortened(texts("chart-days"), 50),
                    "y_label": currency,
                },
            },
        }
        for currency, balance in shown.items()
    ]


def picture(totals: Mapping[str, Balance], texts: Texts) -> bytes | None:
    """A PNG; None where nothing is past due. Only ASCII is drawn, so no language lacks a font."""
    shown = _shown(totals)
    if not shown:
        return None
    from PIL import Image, ImageDraw, ImageFont

    panel = HEAD + 16 + ROW * len(BARS)
    height = MARGIN * 2 + panel * len(shown) + GAP * (len(shown) - 1)
    image = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(image)
    text, head = ImageFont.load_default(TEXT), ImageFont.load_default(HEAD)
    top = MARGIN
    for currency, balance in shown.items():
        draw.text((MARGIN, top), currency, font=head, fill=INK)
        total = texts.amount(_sum(balance), currency)
        draw.text((WIDTH - MARGIN, top), _ascii(total), font=head, fill=INK, anchor="ra")
        draw.line((MARGIN, top + HEAD + 6, WIDTH - MARGIN, top + HEAD + 6), fill=LINE, width=2)
        _panel(image, draw, balance, texts, top + HEAD + 16, text)
        top += panel + GAP
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _panel(
    image: Image, draw: ImageDraw, balance: Balance, texts: Texts, top: int, font: FreeTypeFont | ImageFont
) -> None:
    left, longest = MARGIN + LABEL, WIDTH - 2 * MARGIN - LABEL - FIGURE
    most = max(balance.buckets[name] for name in BARS)
    for name, (colour, hatching) in BARS.items():
        amount, middle = balance.buckets[name], top + ROW // 2
        draw.text((MARGIN, middle), name.value, font=font, fill=INK, anchor="lm")
        length = int(longest * amount / most) if most else 0
        if amount:
            box = (left, middle - BAR // 2, left + max(4, length), middle + BAR // 2)
            _bar(image, draw, box, colour, hatching)
        figure = _ascii(texts.amount(amount, balance.currency))
        draw.text((WIDTH - MARGIN, middle), figure, font=font, fill=INK, anchor="rm")
        top += ROW


def _bar(image: Image, draw: ImageDraw, box: tuple[int, int, int, int], colour: str, hatching: int) -> None:
    """A framed bar; the older the debt, the denser the lines across it."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = box
    bar = Image.new("RGB", (right - left, bottom - top), colour)
    lines = ImageDraw.Draw(bar)
    light = PAPER if hatching >= 2 else INK
    for at in range(-bar.height, bar.width, {0: 10**6, 1: 26, 2: 16, 3: 12}[hatching]):
        lines.line((at, bar.height, at + bar.height, 0), fill=light, width=3)
        if hatching == 3:
            lines.line((at, 0, at + bar.height, bar.height), fill=light, width=2)
    image.paste(bar, (left, top))
    draw.rectangle((left, top, right, bottom), outline=INK, width=2)


def _shown(totals: Mapping[str, Balance]) -> Mapping[str, Balance]:
    """The currencies with anything past due; the digest says how many are left out."""
    late = {currency: balance for currency, balance in totals.items() if _sum(balance)}
    return dict(list(late.items())[:MOST_PANELS])


def _sum(balance: Balance) -> Decimal:
    return sum((balance.buckets[name] for name in BARS), Decimal(0))


def _ascii(figure: str) -> str:
    """The font draws no narrow or non-breaking space."""
    return figure.replace("\u00a0", " ").replace("\u202f", " ")
