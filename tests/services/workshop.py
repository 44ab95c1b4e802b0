"""The services over a real database, a real courier and the sandbox Partner Center; only time is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import Connection, Engine, event

from bot import courier as engine
from bot import policy_file
from bot import store as database
from bot.courier import Courier
from bot.domain.action import Reason, Verb
from bot.domain.audit import AuditEvent, AuditTag, change
from bot.domain.customer import Cloud, CustomerId, SubscriptionId
from bot.domain.people import Person
from bot.domain.policy import BillingPolicy, InForce
from bot.domain.request import ActionRequest, Outcome, Result
from bot.mail import Mail
from bot.partner_center.auth import AppRegistration, SignIn
from bot.partner_center.client import PartnerCenter
from bot.partner_center.cloud import hosts_of
from bot.partner_center.exchange import http_client
from bot.partner_center.graph import Graph
from bot.receivables.live import LiveSource
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.partner_center.records import Subscription
from bot.services.cases import Cases
from bot.services.customers import Customers
from bot.services.digests import Digests
from bot.services.drift import Drifts, TellsSuspensions
from bot.services.execution import LEASE, Execution
from bot.services.features import Features
from bot.services.followup import FollowUp
from bot.services.glass import Glass
from bot.services.intake import Receivables
from bot.services.letters import Letters
from bot.services.limits import Limits
from bot.services.mappings import Mappings
from bot.services.posts import Posts
from bot.services.previews import Previews
from bot.services.reach import Reach
from bot.services.requests import Confirmed, ConfirmedSubscription, Requests, Rules
from bot.services.sources import Sources
from bot.services.step_up import Authenticators
from bot.services.support import Desks, Support
from bot.services.tickets import TicketRules, Tickets
from bot.services.watch import Watch
from bot.services.write_back import WriteBack
from bot.store import Store
from bot.store.drafts import Draft
from bot.store.store import sync_url
from tests.builders import a_subscription, ana, ben, noon, settled

PACKAGED = policy_file.load(None)
AFTER_A_WARNING = replace(PACKAGED, stages=tuple(replace(s, requires_stage=None) for s in PACKAGED.stages))
"""As if everybody had been warned: tests about warnings have a policy, or say, of their own."""
E3 = "Microsoft 365 E3"
PREMIUM = "Microsoft 365 Business Premium"


class Clock:
    """It stands still until somebody lets time pass."""

    def __init__(self, at: datetime = noon) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def passes(self, by: timedelta) -> None:
        self.at += by


def as_confirmed(held: Subscription, name: str) -> ConfirmedSubscription:
    """As somebody confirmed it who saw it as it is now."""
    seen = a_subscription(
        status_word=held.status, quantity=held.quantity, term=held.term_duration, term_end=held.term_end
    )
    return ConfirmedSubscription(SubscriptionId(held.id), name, seen.fingerprint)


async def at_once(_seconds: float) -> None:
    """Waits nowhere: what the client of Partner Center calls instead of sleeping."""


@contextmanager
def writes() -> Iterator[list[list[str]]]:
    """The statements of each transaction on SQLite that kept others from writing."""
    each: list[list[str]] = []
    under_way: dict[Connection, list[str]] = {}

    def begins(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement == "BEGIN IMMEDIATE":
            each.append(under_way.setdefault(connection, []))
        elif connection in under_way:
            under_way[connection].append(statement)

    def ends(connection: Connection) -> None:
        under_way.pop(connection, None)

    listening: dict[str, Callable[..., None]] = {
        "before_cursor_execute": begins,
        "commit": ends,
        "rollback": ends,
    }
    for name, listener in listening.items():
        event.listen(Engine, name, listener)
    try:
        yield each
    finally:
        for name, listener in listening.items():
            event.remove(Engine, name, listener)


@dataclass(frozen=True)
class Workshop:
    """One replica."""

    clock: Clock
    store: Store
    courier: Courier
    far_side: PartnerCenterSandbox
    http: httpx.AsyncClient
    partner_center: PartnerCenter
    requests: Requests
    authenticators: Authenticators
    glass: Glass
    execution: Execution
    limits: Limits
    customers: Customers
    digests: Digests
    receivables: Receivables
    sources: Sources
    previews: Previews
    posts: Posts
    features: Features
    drifts: Drifts
    mappings: Mappings
    followup: FollowUp
    letters: Letters
    watch: Watch
    cases: Cases
    write_back: WriteBack
    tickets: Tickets
    support: Support

    def subscription(self, name: str = E3, *, of: str = "Contoso") -> Subscription:
        """As Partner Center has it now."""
        return self.far_side.customer(of).subscription(name)

    async def drafted(
        self,
        name: str = E3,
        *,
        of: str = "Contoso",
        verb: Verb = Verb.SUSPEND,
        reason: Reason = Reason.NON_PAYMENT,
        by: Person = ana,
        approvals: int = 1,
        **other: Any,
    ) -> Draft:
        """A draft whose confirmation was shown; it only waits to be placed."""
        customer = self.far_side.customer(of)
        held = customer.subscription(name)
        about = as_confirmed(held, name)
        shown: dict[str, Any] = {
            "customer_id": CustomerId(customer.id),
            "customer_name": customer.name,
            "subscriptions": (about,),
            "reason": reason,
            "note": "",
            "policy_note": "",
            "approvals_needed": approvals,
        }
        confirmed = Confirmed(**(shown | other))
        draft = await self.requests.begin_draft(
            verb, by=by, channel="C0", customer_id=CustomerId(customer.id)
        )
        return await self.requests.confirmable(draft.id, draft.nonce, confirmed, by=by)

    async def placed(self, name: str = E3, **options: Any) -> ActionRequest:
        draft = await self.drafted(name, **options)
        return await self.requests.place(draft.id, draft.nonce, by=options.get("by", ana))

    async def approved(self, name: str = E3, **options: Any) -> ActionRequest:
        """A request that may act at once."""
        return await self.requests.approve((await self.placed(name, **options)).id, by=ben)

    async def left_behind(
        self, request_id: str, *, holder: str = "gone", lease: timedelta = LEASE, unanswered: bool = False
    ) -> ActionRequest:
        """A worker has claimed it and was never heard of again, or had no answer and said so before."""
        async with self.store.begin() as tx:
            before = await tx.requests.get(request_id)
            after = before.claim(at=self.clock(), lease=lease, holder=holder)
            if unanswered:
                after = settled(after, Result.UNKNOWN, outcome=Outcome(error="unavailable"))
            await tx.requests.save(after)
            facts = change(before.status, after.status)
            await tx.audit.append(AuditTag.REQUEST_STARTED, request_id, **facts)
        return await self.requests.get(request_id)

    async def run(self, request: ActionRequest) -> ActionRequest:
        """What has become of the request when a worker was at it."""
        await self.execution.run(request.id)
        return await self.requests.get(request.id)

    async def story(self, subject: str) -> list[AuditEvent]:
        async with self.store.read() as tx:
            return await tx.audit.of(subject)

    def patches(self) -> list[str]:
        """The paths of all PATCHes that reached Partner Center, whatever came of them."""
        return [seen.path for seen in self.far_side.requests if seen.method == "PATCH"]


async def open_workshop(
    ends: AsyncExitStack,
    far_side: PartnerCenterSandbox,
    *,
    database_url: str,
    clock: Clock,
    zone: str = "UTC",
    daily_limit: int = 25,
    undo: timedelta = timedelta(0),
    dry_run: bool = False,
    hosting: Cloud = Cloud.GLOBAL,
    policy: BillingPolicy | None = None,
    in_force: Callable[[], InForce] | None = None,
    suspensions: TellsSuspensions | None = None,
    rules: str = "policy-1",
    lease: timedelta = LEASE,
    mail: Mail | None = None,
    now: Callable[[], datetime] | None = None,
    live: Mapping[str, LiveSource] | None = None,
    tickets: TicketRules | None = None,
) -> Workshop:
    await asyncio.to_thread(database.migrate, database_url)
    await asyncio.to_thread(engine.migrate, sync_url(database_url))
    now = now or clock
    store = Store(database_url, now=now)
    ends.push_async_callback(store.close)
    courier = Courier(sync_url(database_url))
    ends.push_async_callback(courier.close)
    await courier.open()
    cloud = hosts_of(
        Cloud.GLOBAL,
        base_url=far_side.base_url,
        authority_url=far_side.authority_url,
        graph_url=far_side.graph_url,
    )
    authority = http_client()
    app = AppRegistration(far_side.tenant_id, far_side.client_id, far_side.client_secret)
    http = http_client(auth=SignIn(cloud=cloud, app=app, http=authority, now=now))
    ends.push_async_callback(authority.aclose)
    ends.push_async_callback(http.aclose)
    graph_http = http_client(auth=SignIn(cloud=cloud, app=app, http=authority, now=now, resource=cloud.graph))
    ends.push_async_callback(graph_http.aclose)
    signed_in = SignIn(cloud=cloud, app=app, http=authority, now=now, refresh_token=far_side.refresh_token)
    as_user = http_client(auth=signed_in)
    ends.push_async_callback(as_user.aclose)
    partner_center = PartnerCenter(
        cloud=cloud, http=http, as_user=as_user, now=now, sleep=at_once, jitter=lambda: 1.0
    )
    place = ZoneInfo(zone)
    limits = Limits(store, courier, most=daily_limit, zone=place, now=now)
    billing = in_force or (lambda: InForce(policy or AFTER_A_WARNING))
    digests = Digests(
        store,
        billing,
        cloud=hosting,
        zone=place,
        now=now,
        dry_run=dry_run,
    )
    features = Features(store, cloud=hosting, now=now)
    drifts = Drifts(store, courier, features, suspensions=suspensions, now=now)
    customers = Customers(
        store, partner_center, drifts, now=now, features=features, courier=courier, sleep=at_once
    )
    graph = Graph(cloud=cloud, http=graph_http, now=now, sleep=at_once, jitter=lambda: 1.0)
    watch = Watch(store, customers, digests, features, partner_center, graph, now=now)
    authenticators = Authenticators(store, courier, key="k" * 32, now=now)
    support = Support(
        store, courier, features, Desks(partner_center, partner_center, None, mail), cloud=hosting, now=now
    )
    return Workshop(
        support=support,
        authenticators=authenticators,
        glass=Glass(store, courier, zone=place, now=now),
        clock=clock,
        store=store,
        courier=courier,
        far_side=far_side,
        http=http,
        partner_center=partner_center,
        requests=Requests(
            store,
            courier,
            rules=Rules(undo_window=undo, dry_run=dry_run, cancels_azure=True),
            grounds=digests.ground_now,
            reach=Reach(store, billing, cloud=hosting, zone=place, now=now),
            authenticators=authenticators,
            now=now,
        ),
        execution=Execution(
            store,
            courier,
            partner_center,
            limits=limits,
            deadline=digests.deadline,
            grounds=digests.ground_now,
            may_cut_off=digests.may_cut_off,
            now=now,
            lease=lease,
        ),
        limits=limits,
        customers=customers,
        digests=digests,
        receivables=Receivables(store, zone=place, now=now),
        previews=Previews(store, courier, zone=place, rules=lambda: rules, now=now),
        sources=Sources(store, courier, live or {}, zone=place, now=now),
        posts=Posts(store, now=now),
        features=features,
        drifts=drifts,
        mappings=Mappings(store, digests, now=now),
        letters=Letters(store, courier, partner_center, mail=mail, in_force=billing, zone=place, now=now),
        followup=FollowUp(store, courier, digests, in_force=billing, now=now),
        watch=watch,
        cases=Cases(store, courier, digests, features, watch, billing, zone=place, now=now, dry_run=dry_run),
        write_back=WriteBack(store, features, partner_center, graph, now=now, dry_run=dry_run),
        tickets=Tickets(
            store,
            courier,
            takes=support.takes,
            rules=tickets or TicketRules(dry_run=dry_run),
            in_force=billing,
            cloud=hosting,
            zone=place,
            now=now,
        ),
    )
