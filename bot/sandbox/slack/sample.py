"""The workspace a newcomer finds: Northwind Cloud with four people and six channels."""

from __future__ import annotations

from bot.sandbox.slack.workspace import Channel, Group, Person, Workspace


def sample_workspace(*, locale: str | None = None) -> Workspace:
    """A fresh copy of the sample workspace; Backstop is a member of every channel but #general.

    `locale`, such as "de-DE", is everybody's; without it each has their own.
    """
    bot = Person("U0BACKSTOP", "backstop", "Backstop", role="app", is_bot=True)
    ana = Person(
        "U0ANA", "ana", "Ana Lindqvist", role="operator", locale=locale or "en-US", tz="Europe/Stockholm"
    )
    ben = Person("U0BEN", "ben", "Ben Okafor", role="approver", locale=locale or "en-US", tz="Europe/London")
    mei = Person(
        "U0MEI", "mei", "Mei Chen (陈梅)", role="approver", locale=locale or "zh-CN", tz="Asia/Shanghai"
    )
    eve = Person("U0EVE", "eve", "Eve Moreau", role="no rights", locale=locale or "de-DE", tz="Europe/Berlin")
    people = (ana, ben, mei, eve)
    humans = {person.id for person in people}
    channels = [
        Channel("C0BILLING", "csp-billing", "Ask here, act here: /csp help"),
        Channel("C0APPROVALS", "csp-approvals", "What waits for a second pair of eyes"),
        Channel("C0OVERDUE", "csp-overdue", "Who owes us, every working day"),
        Channel("C0SUSPICIOUS", "csp-suspicious", "What looks like fraud or misuse"),
        Channel("C0TICKETS", "csp-tickets", "Service requests until the customer knows"),
        Channel("C0GENERAL", "general", "Everything else"),
    ]
    for channel in channels:
        channel.members = humans if channel.name == "general" else humans | {bot.id}
    return Workspace(
        id="T0NORTHWIND",
        name="Northwind Cloud (sandbox)",
        domain="northwind-sandbox",
        bot=bot,
        people=people,
        channels=channels,
        groups=(
            Group("S0BILLING", "billing", "Billing", (ana.id,)),
            Group("S0APPROVERS", "csp-approvers", "CSP approvers", (ben.id, mei.id)),
        ),
        front="csp-overdue",
    )
