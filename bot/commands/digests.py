"""`digest` and `shadow`: what is to be done, and what the policy would have had done."""

from __future__ import annotations

import argparse
import sys
from datetime import date

from bot import settings
from bot.commands import Add, BadCall, json_text, with_core
from bot.commands.arguments import as_day, as_days
from bot.core import Core
from bot.report import digests as report
from bot.report import suspicious
from bot.settings import Settings
from bot.slack import desk_of, slack_client
from bot.texts import in_language
from handlers.digests import post_overdue
from handlers.suspicious import post_suspicious


def register(add: Add) -> None:
    digest = add("digest", _digest, "compute a digest now; print it, or post it")
    digest.add_argument("which", choices=("overdue", "suspicious"))
    digest.add_argument("--post", action="store_true", help="post it to its channel, once a day")
    digest.add_argument("--date", type=as_day, metavar="YYYY-MM-DD", help="by what was known on that day")
    digest.add_argument("--json", action="store_true", help="one JSON document")
    shadow = add("shadow", _shadow, "what the policy would have proposed, beside what people did")
    shadow.add_argument(
        "--days", type=as_days, default=30, metavar="N", help="so many days back (default 30)"
    )
    shadow.add_argument("--json", action="store_true", help="one JSON document")


def _digest(arguments: argparse.Namespace) -> int:
    given = settings.load()
    if arguments.post:
        given.need("slack_bot_token", f"backstop_{arguments.which}_channel")
    if arguments.which == "suspicious":
        return _suspicious(given, arguments)

    texts = in_language(given.backstop_locale)

    async def digest(made: Core) -> int:
        on: date = arguments.date or made.backstop.digests.today()
        found = await made.backstop.digests.overdue(on=on)
        if not arguments.post:
            words = report.digest_words(found, texts)
            print(json_text(report.overdue(found, texts)) if arguments.json else words)
            return 0
        posted = await post_overdue(desk_of(made, slack_client(given)), on.isoformat())
        if arguments.json:
            print(json_text(report.overdue(found, texts) | {"posted": posted}))
        else:
            print("Posted." if posted else f"The digest of {on} is in the channel already.")
        return 0

    return with_core(given, digest)


def _suspicious(given: Settings, arguments: argparse.Namespace) -> int:
    """Of today, every source is looked at first; one that does not answer is said to be missing."""
    texts = in_language(given.backstop_locale)
    if arguments.date is None:
        given.need("partner_center_tenant_id", "partner_center_client_id", "partner_center_client_secret")

    async def digest(made: Core) -> int:
        await made.courier.open()  # a worker tells of what was changed outside
        cases, today = made.backstop.cases, made.backstop.digests.today()
        on: date = arguments.date or today
        if on == today:
            if not await made.backstop.watch.read():
                if arguments.post:
                    raise BadCall("the sources are being read already: try again when that is over")
                print("The sources are being read just now: this is what was seen so far.", file=sys.stderr)
            await cases.record()
        posted = False
        if arguments.post:
            posted = await post_suspicious(desk_of(made, slack_client(given)), on.isoformat())
        if arguments.json or not arguments.post:
            found = await cases.digest(on=on)
            document = suspicious.suspicious(found, texts) | ({"posted": posted} if arguments.post else {})
            print(json_text(document) if arguments.json else suspicious.suspicious_words(found, texts))
        else:
            print("Posted." if posted else f"The digest of {on} is in the channel already.")
        return 0

    return with_core(given, digest)


def _shadow(arguments: argparse.Namespace) -> int:
    given = settings.load()

    async def shadow(made: Core) -> int:
        found = await made.backstop.digests.shadow(days=arguments.days)
        words = report.shadow_words(found, in_language(given.backstop_locale))
        print(json_text(report.shadow(found)) if arguments.json else words)
        return 0

    return with_core(given, shadow)
