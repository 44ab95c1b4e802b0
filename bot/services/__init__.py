"""The use cases: load, decide, save, tell. No rule is decided here, nothing is worded here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.domain.customer import Cloud
from bot.domain.policy import BillingPolicy
from bot.services.audit import Audit
from bot.services.cases import Cases
from bot.services.customers import Customers
from bot.services.digests import Digests
from bot.services.drift import Drifts
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
from bot.services.requests import Requests
from bot.services.sources import Sources
from bot.services.step_up import Authenticators
from bot.services.support import Support
from bot.services.tickets import Tickets
from bot.services.watch import Watch
from bot.services.write_back import WriteBack


@dataclass(frozen=True)
class Backstop:
    """The bundle every handler is given."""

    requests: Requests
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
    inquiries: Inquiries
    policies: Policies
    followup: FollowUp
    letters: Letters
    watch: Watch
    cases: Cases
    write_back: WriteBack
    tickets: Tickets
    support: Support
    evidence: EvidencePacks
    audit: Audit
    authenticators: Authenticators
    glass: Glass
    cloud: Cloud
    zone: ZoneInfo
    """The partner's time zone: of business days, and of whatever is asked for at a certain time."""
    now: Callable[[], datetime]

    @property
    def policy(self) -> BillingPolicy:
        """The one in force this moment; take it once for one decision."""
        return self.policies.in_force().policy
