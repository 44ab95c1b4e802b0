"""The first-run guide: a direct message to whoever opens the app's messages for the first time."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any, Final

from bot.domain.errors import BackstopError
from bot.domain.people import Right
from handlers import slack
from handlers.desk import Desk
from handlers.notices import message
from handlers.views import welcome as views

CAN_BE_ASKED: Final = (Right.OPERATE, Right.APPROVE)

log = logging.getLogger(__name__)


async def greet(desk: Desk, body: dict[str, Any]) -> None:
    """Once a person for ever, however often Slack tells of it; where it fails for certain, again the next time."""
    user_id = slack.actor(body)
    key = f"welcome:{user_id}"
    if not user_id or await desk.backstop.posts.find(key):
        return
    try:
        person = await desk.people.who_looks(body)
        if person.outside:
            return
        holders = await asyncio.gather(*(desk.people.holders(right) for right in CAN_BE_ASKED))
        others = frozenset[str]().union(*holders) - {user_id}
        said, blocks = views.welcome(person, others, desk.texts_for(person))
        send = partial(message, desk, user_id, said, blocks)
        await desk.backstop.posts.once(key, send, channel=user_id)
    except BackstopError as error:
        log.warning("no welcome to %s: %s", user_id, error.code)
