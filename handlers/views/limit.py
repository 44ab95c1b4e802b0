"""The daily limit is reached: what waits, and who may lift it."""

from __future__ import annotations

from bot.domain.limit import DailyLimit
from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block


def limit_message(limit: DailyLimit, texts: Texts, *, is_today: bool) -> tuple[str, list[Block]]:
    """In one line, and as the message in the approvals channel; its button goes once the limit is lifted or past."""
    said = texts("limit-reached", most=texts.number(limit.most), day=texts.day(limit.day))
    lines = [f"*{said}*", texts("limit-explained")]
    lines += [texts.mrkdwn("limit-lift-asked", by=blocks.person(by)) for by in limit.lifted_by]
    if limit.is_lifted:
        lines.append(texts("limit-lifted"))
    elif is_today:
        lines.append(texts.count("limit-missing", limit.lifters_missing))
    body = [blocks.section("\n".join(lines))]
    if is_today and not limit.is_lifted:
        body.append(
            blocks.actions(
                blocks.button(
                    texts("limit-lift"),
                    ids.LIFT_LIMIT,
                    limit.day.isoformat(),
                    style="danger",
                    confirm=blocks.confirm_dialog(
                        texts("limit-lift"),
                        texts("limit-lift-confirm", day=texts.day(limit.day)),
                        texts("limit-lift"),
                        texts("cancel"),
                        danger=True,
                    ),
                )
            )
        )
    return said, body
