"""Constructs what does not talk to Slack: the use cases over the database, Microsoft, the mail server and the rest."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from sqlalchemy.exc import ArgumentError, DBAPIError

from bot.accounting import source_of
from bot.courier import Courier
from bot.domain.errors import Unavailable
from bot.mail import Mail, sender_of, server_of
from bot.microsoft import azure_of, cloud_of, events_of, graph_of, partner_center_of
from bot.partner_center.client import PartnerCenter
from bot.partner_center.graph import Graph
from bot.receivables.json_reads import Pace
from bot.services import Backstop
from bot.services.audit import Audit
from bot.services.cases import Cases
from bot.services.customers import Customers
from bot.services.digests import Digests
from bot.services.drift import Drifts
from bot.services.events import Events
from bot.services.evidence import EvidencePacks
from bot.services.execution import Execution
from bot.services.features import Features
from bot.services.followup import FollowUp
from bot.services.glass import Glass
from bot.services.inquiries import Inquiries
from bot.services.intake import Receivables
from bot.services.letters import Letters
from bot.services.limits import Limits
from bot.services.mappings import Mappings
from bot.services.policies import Policies
from bot.services.posts import Posts
from bot.services.previews import Previews
from bot.services.reach import Reach
from bot.services.requests import Requests, Rules
from bot.services.sources import Sources
from bot.services.step_up import Authenticators
from bot.services.support import Desks, Support
from bot.services.tickets import TicketRules, Tickets
from bot.services.watch import Watch
from bot.services.write_back import WriteBack
from bot.settings import BadSettings, Settings
from bot.start_up import bad_address
from bot.store import Store
from bot.store.store import async_url, sync_url


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Core:
    """The use cases over a real database and the real Partner Center; enough for the command line."""

    settings: Settings
    store: Store
    courier: Courier
    http: tuple[httpx.AsyncClient, ...]
    partner_center: PartnerCenter
    graph: Graph
    events: Events
    backstop: Backstop

    async def close(self) -> None:
        await self.courier.close()
        await self.backstop.sources.close()
        for client in self.http:
            await client.aclose()
        await self.store.close()


def core(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> Core:
    """Construct everything that does not talk to Slack. Raises BadSettings, StartFailed.

    Nothing is judged before `policies.begin` has put a billing policy in force.
    """
    try:
        db, post = Store(settings.database_url, now=now), Courier(sync_url(settings.database_url))
    except (ArgumentError, ValueError) as error:
        raise bad_address(error) from error
    partner_center, clients = partner_center_of(settings, now=now, store=db)
    graph, graph_clients = graph_of(settings, now=now)
    azure, azure_clients = azure_of(settings, now=now, store=db)
    mail = mail_of(settings, now=now)
    events, event_clients = events_of(settings, db, post, now=now)
    limits = Limits(db, post, most=settings.backstop_max_suspensions_per_day, zone=settings.zone, now=now)
    features = Features(db, cloud=settings.partner_center_cloud, now=now)
    support = Support(
        db,
        post,
        features,
        Desks(partner_center, partner_center, azure, mail),
        cloud=settings.partner_center_cloud,
        now=now,
    )
    drifts = Drifts(db, post, features, suspensions=partner_center.suspensions, now=now)
    policies = Policies(
        db, settings.backstop_policy_file, zone=settings.zone, now=now, host=socket.gethostname()
    )
    digests = Digests(
        db,
        policies.in_force,
        cloud=settings.partner_center_cloud,
        zone=settings.zone,
        now=now,
        dry_run=settings.backstop_dry_run,
    )
    customers = Customers(
        db,
        partner_center,
        drifts,
        now=now,
        at_once=settings.partner_center_max_concurrency,
        features=features,
        courier=post,
    )
    watch = Watch(
        db,
        customers,
        digests,
        features,
        partner_center,
        graph,
        now=now,
        at_once=settings.partner_center_max_concurrency,
    )
    cases = Cases(
        db,
        post,
        digests,
        features,
        watch,
        policies.in_force,
        zone=settings.zone,
        now=now,
        dry_run=settings.backstop_dry_run,
    )
    key = settings.backstop_secret_key
    authenticators = Authenticators(db, post, key=key.get_secret_value() if key else None, now=now)
    backstop = Backstop(
        authenticators=authenticators,
        glass=Glass(db, post, zone=settings.zone, now=now),
        requests=Requests(
            db,
            post,
            rules=Rules(
                approvals_suspend=settings.backstop_approvals_suspend,
                approvals_resume=settings.backstop_approvals_resume,
                time_to_live=settings.backstop_approval_ttl,
                undo_window=settings.backstop_undo_window,
                dry_run=settings.backstop_dry_run,
                cancels_azure=settings.cancels_azure,
            ),
            grounds=digests.ground_now,
            reach=Reach(
                db, policies.in_force, cloud=settings.partner_center_cloud, zone=settings.zone, now=now
            ),
            authenticators=authenticators,
            now=now,
        ),
        execution=Execution(
            db,
            post,
            partner_center,
            limits=limits,
            deadline=digests.deadline,
            grounds=digests.ground_now,
            may_cut_off=digests.may_cut_off,
            now=now,
        ),
        limits=limits,
        customers=customers,
        digests=digests,
        receivables=Receivables(db, zone=settings.zone, now=now),
        previews=Previews(
            db, post, zone=settings.zone, rules=lambda: policies.in_force().policy.version, now=now
        ),
        sources=Sources(
            db,
            post,
            {name: source_of(name, settings, db, Pace(now=now)) for name in settings.receivables_sources},
            zone=settings.zone,
            now=now,
        ),
        posts=Posts(db, now=now),
        features=features,
        drifts=drifts,
        mappings=Mappings(db, digests, now=now),
        inquiries=Inquiries(db, customers, digests, policies.in_force, zone=settings.zone, now=now),
        policies=policies,
        followup=FollowUp(db, post, digests, in_force=policies.in_force, now=now),
        letters=Letters(
            db,
            post,
            partner_center,
            mail=mail,
            in_force=policies.in_force,
            signature=settings.backstop_mail_signature or "",
            zone=settings.zone,
            now=now,
        ),
        watch=watch,
        cases=cases,
        support=support,
        tickets=Tickets(
            db,
            post,
            takes=support.takes,
            rules=TicketRules(
                approvals=settings.backstop_approvals_ticket,
                time_to_live=settings.backstop_approval_ttl,
                dry_run=settings.backstop_dry_run,
                ways=settings.backstop_ticket_handover,
                mail_to=settings.backstop_ticket_email or "",
                contact=settings.backstop_ticket_contact or "",
                portal=(settings.partner_center_portal_url or cloud_of(settings).portal).rstrip("/"),
                partner=settings.partner_center_tenant_id or "",
            ),
            in_force=policies.in_force,
            cloud=settings.partner_center_cloud,
            zone=settings.zone,
            now=now,
        ),
        evidence=EvidencePacks(db, cases, digests, now=now),
        audit=Audit(db, retention=settings.backstop_audit_retention, now=now),
        write_back=WriteBack(db, features, partner_center, graph, now=now, dry_run=settings.backstop_dry_run),
        cloud=settings.partner_center_cloud,
        zone=settings.zone,
        now=now,
    )
    http = (*clients, *graph_clients, *azure_clients, *event_clients)
    return Core(settings, db, post, http, partner_center, graph, events, backstop)


async def came_into_force(settings: Settings, version: str) -> datetime | None:
    """When that version of the billing policy did, last. A database that is not there, or is older, is left alone."""
    try:
        url = async_url(settings.database_url)
    except (ArgumentError, ValueError) as error:
        raise bad_address(error) from error
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return None
    db = Store(settings.database_url, now=utc_now)
    try:
        async with db.read() as tx:
            kept = await tx.policies.all()
    except DBAPIError as error:  # a schema from before there were any
        raise Unavailable("database", type(error).__name__) from error
    finally:
        await db.close()
    return next((k.since for k in reversed(kept) if k.version == version), None)


def mail_of(settings: Settings, *, now: Callable[[], datetime]) -> Mail | None:
    """The way to a mail server, where one is named, and whom mail is from. Raises BadSettings."""
    if settings.smtp_url is None:
        return None
    try:
        server = server_of(settings.smtp_url.get_secret_value())
    except ValueError as error:
        raise BadSettings(f"SMTP_URL: {error}") from None
    try:
        if settings.backstop_mail_from:
            return Mail(server, sender=sender_of(settings.backstop_mail_from), now=now)
    except ValueError as error:
        raise BadSettings(f"BACKSTOP_MAIL_FROM: {error}") from None
    with suppress(ValueError):  # many servers sign a mailbox in by its address
        return Mail(server, sender=sender_of(server.user), now=now)
    return None
