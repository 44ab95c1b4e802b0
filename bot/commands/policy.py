"""`policy`: the billing policy, shown, checked, published or tried on the past."""

from __future__ import annotations

import argparse
import asyncio
import logging
from datetime import date
from pathlib import Path

from bot import policy_file, settings
from bot.commands import Add, json_text, with_core
from bot.commands.arguments import as_days
from bot.core import Core, came_into_force, utc_now
from bot.domain.errors import BackstopError
from bot.domain.policy import BillingPolicy
from bot.policy_check import Surroundings, read_over
from bot.report import policy as report
from bot.report import suspicious
from bot.settings import Settings
from bot.start_up import StartFailed
from bot.texts import LANGUAGES, in_language
from handlers.views.published import markdown, page, published


def register(add: Add) -> None:
    policy = add("policy", _policy, "the billing policy in force")
    policy.add_argument("which", choices=("show", "check", "publish", "simulate"))
    policy.add_argument("--days", type=as_days, default=90, metavar="N", help="to replay (default 90)")
    policy.add_argument("--file", type=Path, metavar="F", help="another file than the one in force")
    policy.add_argument("--toml", action="store_true", help="`show` the text of the file, to start from")
    policy.add_argument("--lang", choices=LANGUAGES, help="of `publish` (default BACKSTOP_LOCALE)")
    policy.add_argument(
        "--format", choices=("markdown", "html"), default="markdown", help="of `publish` (default markdown)"
    )
    policy.add_argument("--json", action="store_true", help="one JSON document")


def _policy(arguments: argparse.Namespace) -> int:
    given = settings.load()
    path = arguments.file or given.backstop_policy_file
    today = utc_now().astimezone(given.zone).date() if arguments.which == "check" else None
    policy = policy_file.load(path, today=today)
    if arguments.which == "simulate":
        return _simulate(given, policy, arguments)
    if arguments.which == "publish":
        return _publish(given, policy, arguments)
    if arguments.which == "check":
        return _check_policy(given, policy, arguments)
    if arguments.toml:
        print(policy_file.read(path), end="")
    elif arguments.json:
        print(json_text(report.policy(policy)))
    else:
        print(report.policy_words(policy, name=policy_file.name_of(path)))
    return 0


def _check_policy(given: Settings, policy: BillingPolicy, arguments: argparse.Namespace) -> int:
    around = Surroundings(utc_now(), given.zone, given.backstop_approvals_suspend)
    remarks = read_over(policy, around)
    name = policy_file.name_of(arguments.file or given.backstop_policy_file)
    if arguments.json:
        print(json_text(report.policy_check(policy, remarks, name=name)))
    else:
        print(report.policy_check_words(policy, remarks, name=name))
    return 0


def _publish(given: Settings, policy: BillingPolicy, arguments: argparse.Namespace) -> int:
    today = utc_now().astimezone(given.zone).date()
    text = published(
        policy,
        in_language(arguments.lang or given.backstop_locale),
        cloud=given.partner_center_cloud,
        zone=given.backstop_timezone,
        on=today,
        since=_in_force_since(given, policy.version),
    )
    print(page(text) if arguments.format == "html" else markdown(text), end="")
    return 0


def _in_force_since(given: Settings, version: str) -> date | None:
    """The day that version came into force, where the database is there and knows it. Nothing is written."""
    try:
        moment = asyncio.run(came_into_force(given, version))
    except (StartFailed, BackstopError) as error:
        logging.getLogger(__name__).info("the database does not tell since when: %s", error)
        return None
    return moment.astimezone(given.zone).date() if moment else None


def _simulate(given: Settings, policy: BillingPolicy, arguments: argparse.Namespace) -> int:
    async def simulate(made: Core) -> int:
        found = await made.backstop.digests.simulate(policy, days=arguments.days)
        suspected = await made.backstop.cases.backtest(policy.risk, days=arguments.days)
        if arguments.json:
            document = report.simulation(found, days=arguments.days)
            print(json_text(document | {"suspicion": suspicious.rules(suspected)}))
        else:
            print(report.simulation_words(found), suspicious.rules_words(suspected), sep="\n")
        return 0

    return with_core(given, simulate)
