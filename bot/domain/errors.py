"""Every error a person can be told about. They carry facts; `handlers.views.errors` has the words.

BackstopError
├── Refused       a rule says no, nothing happened
├── Invalid       what was typed or sent cannot be used; `at` names where
├── NotFound
└── Upstream      a system we depend on: Unavailable, Conflict, SignInFailed, Rejected
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

Facts = Mapping[str, str]


class BackstopError(Exception):
    """Something a person can be told about."""

    @property
    def code(self) -> str:
        """The key of its words: the class name in kebab case."""
        name = type(self).__name__
        return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


class Refused(BackstopError):
    """A rule says no; nothing happened."""


@dataclass(eq=False)
class NotPermitted(Refused):
    """The person lacks a right; `right` is its name as in `bot.domain.people.Right`."""

    right: str


@dataclass(eq=False)
class Outsider(Refused):
    """No full member of the workspace; `why` is what they are, as in `bot.domain.people.Outside`."""

    why: str


@dataclass(eq=False)
class BeyondRights(Refused):
    """The billing policy limits the person's right, and this is outside; `why` is the limit as a key.

    `scope` is what they may do, in the words of the policy file.
    """

    request_id: str
    why: str
    scope: str


@dataclass(eq=False)
class CodeNeeded(Refused):
    """The billing policy wants a code of the approver's authenticator for this, and none was given."""

    request_id: str


class NotEnrolled(Refused):
    """A code is needed, and the person has no authenticator that could give one."""


@dataclass(eq=False)
class MayNotEnrol(Refused):
    """The person may not set up an authenticator now; `why` is a key."""

    why: str


@dataclass(eq=False)
class TooManyCodes(Refused):
    """Too many codes were tried; there is no further try before `until`."""

    until: datetime


@dataclass(eq=False)
class OwnRequest(Refused):
    """Nobody decides on their own request."""

    request_id: str


@dataclass(eq=False)
class AlreadyDecided(Refused):
    """Somebody was first, or the waiting is over; `status` is what the request has become."""

    request_id: str
    status: str
    by: str | None = None


@dataclass(eq=False)
class ConfirmationOutdated(Refused):
    """*Continue* was pressed anew since that confirmation was worked out: it may show what would not be done.

    `request_id` is what a request or a ticket would be called that is made of the form.
    """

    request_id: str


@dataclass(eq=False)
class CaseChanged(Refused):
    """A case is not any more what the person was shown who settles it."""

    case_id: str


@dataclass(eq=False)
class AlreadyApproved(Refused):
    """This person has approved this request before; further approvals must come from others."""

    request_id: str


@dataclass(eq=False)
class RequestExpired(Refused):
    request_id: str
    expired_at: datetime


@dataclass(eq=False)
class AlreadyWaiting(Refused):
    """There is an open request for the same action on the same subscription."""

    request_id: str


@dataclass(eq=False)
class TooManyAtOnce(Refused):
    """A request is about `most` subscriptions at the most, and about one at least."""

    n: int
    most: int


@dataclass(eq=False)
class CannotWait(Refused):
    """Fraud and misuse are acted on at once, and only a suspension can be put off."""


@dataclass(eq=False)
class NothingToRetry(Refused):
    """Nothing of it failed, or all that failed has to be asked for anew."""

    request_id: str


@dataclass(eq=False)
class AlreadyLifted(Refused):
    """The day's limit is lifted already, or this person has said so before."""

    by: str | None = None


@dataclass(eq=False)
class DayOver(Refused):
    """What was offered for one day is asked for on another."""

    day: str


@dataclass(eq=False)
class CannotBeSuspended(Refused):
    """The kind or status of the subscription does not allow it; `why` is a key, not a sentence."""

    why: str
    status: str = ""
    names: tuple[str, ...] = ()
    """What stands in the way."""


@dataclass(eq=False)
class CannotBeCancelled(Refused):
    """An Azure subscription may not be cancelled for this reason, in this state, or here at all; `why` is a key."""

    why: str


@dataclass(eq=False)
class CannotBeResumed(Refused):
    """The status of the subscription, or of the one it belongs to, does not allow it; `why` is a key."""

    why: str
    status: str = ""


@dataclass(eq=False)
class NotOurCustomer(Refused):
    """The partner is not the customer's reseller; Microsoft would refuse."""

    relationship: str


@dataclass(eq=False)
class DriftSettled(Refused):
    """Somebody was first, or what it is about is over; `why` is what it has become, as a key."""

    drift_id: str
    why: str
    by: str | None = None


@dataclass(eq=False)
class PreviewSettled(Refused):
    """Somebody was first, or it is not what they have seen; `why` is what it has become, as a key."""

    preview_id: str
    why: str
    by: str | None = None


@dataclass(eq=False)
class OutOfScope(Refused):
    """The billing policy leaves that kind of product out."""

    kind: str


@dataclass(eq=False)
class BooksUnsure(Refused):
    """The books are too old or too patchy by now to tell whether the customer still owes anything."""

    request_id: str


@dataclass(eq=False)
class AlreadyLinked(Refused):
    """Somebody has linked this debtor of the books to another customer."""

    customer: str
    by: str


class LetterOutdated(Refused):
    """The letter names a day that was worked out on another one."""


@dataclass(eq=False)
class LetterSettled(Refused):
    """The letter is under way, or something has come of it; `why` is what, as a key."""

    letter_id: str
    why: str


@dataclass(eq=False)
class TicketSettled(Refused):
    """The ticket is past that step, or not there yet; `why` is where it stands, as a key."""

    ticket_id: str
    why: str
    by: str | None = None


@dataclass(eq=False)
class TicketExists(Refused):
    """There is an open ticket of that kind about the same customer."""

    ticket_id: str


@dataclass(eq=False)
class PackTooLarge(Refused):
    """There is more about it than an evidence pack holds; with fewer parts it may fit."""

    about: str


@dataclass(eq=False)
class PromisedBefore(Refused):
    """They have promised to pay as often as the billing policy lets an operator record it; an approver may go on."""

    made: int
    most: int


@dataclass(eq=False)
class GlassKept(Refused):
    """The billing policy does not let this person break the glass for this; `why` is a key."""

    request_id: str
    why: str


@dataclass(eq=False)
class GlassReviewed(Refused):
    """Somebody else was first."""

    request_id: str
    by: str


@dataclass(eq=False)
class Invalid(BackstopError):
    """What was given cannot be used; `at` is where, `reason` a key, `facts` for the words."""

    at: str
    reason: str
    facts: Facts = field(default_factory=dict)


@dataclass(eq=False)
class NotFound(BackstopError):
    """`what` is a key (`customer`, `request`, `debtor`, `link` …), `name` what was looked for."""

    what: str
    name: str


@dataclass(eq=False)
class Upstream(BackstopError):
    """A system we depend on did not do what was asked.

    `system` is `partner_center`, `slack`, `mail` or `database`. `reason` is the system's own code or a short word;
    `correlation_id` is what its support asks for.
    """

    system: str = "partner_center"
    reason: str = ""
    status: int | None = None
    correlation_id: str = ""
    detail: str = field(default="", repr=False)
    """The system's own description, shortened; for logs and tickets, never interpreted."""


class Unavailable(Upstream):
    """It did not answer, or asked us to come back; trying again may help. Whether a write took effect is open."""


class Unanswered(Unavailable):
    """It went away before it said whether what it was told to keep is kept; to say it again does no harm."""


class Throttled(Unavailable):
    """It asked us to slow down."""


class NotReady(Unavailable):
    """Not now: it is still at an earlier change of the same thing, or was never reached; the write was not taken."""


class Conflict(Upstream):
    """The thing changed since it was read; the write was not taken."""


class SignInFailed(Upstream):
    """Our credentials are refused; only the operator can help."""


class AccessDenied(Upstream):
    """Signed in, but without rights on this customer or call."""


class Rejected(Upstream):
    """A definite no: the write was not taken and trying again will not help."""


class FeatureMissing(Upstream):
    """This cloud does not have that part of the API."""
